package crossprem

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Finding is one judged fact: a rule, what it was applied to, and how that
// came out. It is a plain value; tests may write it as a literal. Rule, Subject
// and Part are its key, see [Finding.Key].
//
// Findings are made by the verdict functions of the packages below this one
// and never carry a secret: no password, token or private key.
type Finding struct {
	// Rule is the stable name of the rule, such as "tls-1.2-refused".
	// The Rules function of the package that made the finding lists it.
	Rule string `json:"rule"`

	// Status is how the rule came out. The zero value, Unknown, means that
	// it could not be evaluated; Detail then says why.
	Status Status `json:"status"`

	// Severity is how bad it is, never worse than the rule's. Where a day is
	// known it follows from its nearness, see [SeverityBy]. Of a finding that
	// has not failed it is how bad a failure would be at worst.
	Severity Severity `json:"severity"`

	// Subject is what the rule was applied to: a host:port, a user, a
	// thumbprint, the name of a server.
	Subject string `json:"subject"`

	// Part is which part of the subject, where one subject can have the rule
	// more than once: an address, a product, a protocol. It may be empty.
	Part string `json:"part,omitempty"`

	// Title is one line for a list of findings: the rule's for this status. It
	// holds no day, no threshold and nothing of the subject.
	Title string `json:"title"`

	// Detail is the evidence in whole sentences, and what was missing.
	Detail string `json:"detail,omitempty"`

	// Values are what Detail was made of, by name.
	Values []Value `json:"values,omitempty"`

	// Remedy says what to do, and may hold a command. It is empty where
	// nothing needs to be done.
	Remedy string `json:"remedy,omitempty"`

	// Due is the day on which it begins to hurt, as midnight UTC, or zero if
	// none is known; never the day on which it stops. A Due in the past means
	// that it hurts already. In JSON it is a day such as "2027-04-01".
	Due time.Time `json:"due,omitzero"`

	// Sources names the vendor's pages or RFC sections that the rule rests on.
	// A finding that a rule made has at least one.
	Sources []string `json:"sources,omitempty"`
}

// A Status is how a rule came out. In text and JSON it is one of
// "unknown", "passed" and "failed".
type Status uint8

const (
	Unknown Status = iota // not evaluated, or no usable evidence; never "fine"
	Passed                // evaluated, and as it should be
	Failed                // evaluated, and not as it should be
)

// A Severity is how bad a failure is. Severities are ordered: a larger one
// is worse. In text and JSON it is one of "info", "warning" and "critical".
type Severity uint8

const (
	Info     Severity = iota // worth knowing, or will hurt in more than 180 days
	Warning                  // weakens something, or will hurt within 180 days
	Critical                 // hurts now or within 30 days, or invites an attack
)

var (
	statuses   = enum[Status]{kind: "status", names: []string{"unknown", "passed", "failed"}}
	severities = enum[Severity]{kind: "severity", names: []string{"info", "warning", "critical"}}
)

// String returns "unknown", "passed" or "failed", and "Status(9)" for a value
// that is none of the constants.
func (s Status) String() string { return statuses.text(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Status) MarshalText() ([]byte, error) { return statuses.marshal(s) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves s as it was for anything else.
func (s *Status) UnmarshalText(text []byte) error { return statuses.unmarshal(s, text) }

// Value makes a database store the text. It returns the error of MarshalText.
func (s Status) Value() (driver.Value, error) { return stored(s.MarshalText()) }

// Scan reads the text that Value gives, as string or bytes. It returns an
// error and leaves s as it was for anything else, NULL included.
func (s *Status) Scan(stored any) error { return statuses.scan(s, stored) }

// String returns "info", "warning" or "critical", and "Severity(9)" for a
// value that is none of the constants.
func (s Severity) String() string { return severities.text(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Severity) MarshalText() ([]byte, error) { return severities.marshal(s) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves s as it was for anything else.
func (s *Severity) UnmarshalText(text []byte) error { return severities.unmarshal(s, text) }

// Value makes a database store the text. It returns the error of MarshalText.
func (s Severity) Value() (driver.Value, error) { return stored(s.MarshalText()) }

// Scan reads the text that Value gives, as string or bytes. It returns an
// error and leaves s as it was for anything else, NULL included.
func (s *Severity) Scan(stored any) error { return severities.scan(s, stored) }

func stored(text []byte, err error) (driver.Value, error) {
	if err != nil {
		return nil, err
	}
	return string(text), nil
}

// A dueFinding is a Finding whose Due is a day in JSON.
type dueFinding struct {
	*plainFinding
	Due string `json:"due,omitempty"`
}

type plainFinding Finding

// MarshalJSON writes the members that the struct names, with Due as a day.
func (f Finding) MarshalJSON() ([]byte, error) {
	out := dueFinding{plainFinding: (*plainFinding)(&f)}
	if !f.Due.IsZero() {
		out.Due = f.Due.UTC().Format(time.DateOnly)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes, and a Due in RFC 3339 too, of
// which the day in UTC counts.
func (f *Finding) UnmarshalJSON(b []byte) error {
	var read Finding
	in := dueFinding{plainFinding: (*plainFinding)(&read)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Due != "" {
		due, err := time.Parse(time.DateOnly, in.Due)
		if err != nil {
			if due, err = time.Parse(time.RFC3339, in.Due); err != nil {
				return fmt.Errorf("crossprem: a finding is due on %.40q, which is no day", in.Due)
			}
		}
		read.Due = dayOf(due)
	}
	*f = read
	return nil
}

// dayOf returns midnight UTC of the day of t in UTC, and zero for zero.
func dayOf(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// DueOn returns f with the day, in UTC, of due, when it begins to hurt, and with the
// severity that [SeverityBy] gives for the day at, or the severity that f had
// if that is milder. A zero due, or one that has not failed, changes only Due.
func (f Finding) DueOn(due, at time.Time) Finding {
	f.Due = dayOf(due)
	if f.Status == Failed && !due.IsZero() {
		f.Severity = min(f.Severity, SeverityBy(due, at))
	}
	return f
}

// AtMost returns f with severity s, or with its own if that is milder.
func (f Finding) AtMost(s Severity) Finding {
	f.Severity = min(f.Severity, s)
	return f
}

// Explain returns f with a detail made of template, in which "{name}" stands
// for the value of that name, and with the values. Details and values that f
// has already stay in front. A name without a value stays as it is.
//
//	f.Explain("{guesses} wrong passwords for {accounts} accounts", crossprem.Val("guesses", 10), crossprem.Val("accounts", 12))
func (f Finding) Explain(template string, values ...Value) Finding {
	pairs := make([]string, 0, 2*len(values))
	for _, v := range values {
		pairs = append(pairs, "{"+v.Name+"}", v.Text)
	}
	if f.Detail != "" {
		f.Detail += " "
	}
	f.Detail += strings.NewReplacer(pairs...).Replace(template)
	f.Values = append(slices.Clip(f.Values), values...)
	return f
}

// WithRemedy returns f with a remedy that fits it better than the rule's.
func (f Finding) WithRemedy(remedy string) Finding {
	f.Remedy = remedy
	return f
}

// WithPart returns f with the part of its subject that it is about.
func (f Finding) WithPart(part string) Finding {
	f.Part = part
	return f
}

// Key names what f is about: the rule, the subject and its part. It is unique
// among the findings of one verdict, and stays the same from one day to the
// next while the thing is the same. It is printable, and [ParseKey] takes it
// apart.
func (f Finding) Key() string {
	return url.PathEscape(f.Rule) + "/" + url.PathEscape(f.Subject) + "/" + url.PathEscape(f.Part)
}

// ParseKey returns what a [Finding.Key] was made of, and an error if s is none.
func ParseKey(s string) (rule, subject, part string, err error) {
	pieces := strings.Split(s, "/")
	if len(pieces) != 3 {
		return "", "", "", fmt.Errorf("crossprem: not the key of a finding: %.80q", s)
	}
	for i, piece := range pieces {
		if pieces[i], err = url.PathUnescape(piece); err != nil {
			return "", "", "", fmt.Errorf("crossprem: not the key of a finding: %.80q", s)
		}
	}
	return pieces[0], pieces[1], pieces[2], nil
}

// WorstFirst orders findings for a reader: failed before unknown before
// passed, the graver before the milder, what is due earlier before what is due
// later or at no known day, and then by rule, subject and part. It is meant for
// [slices.SortStableFunc].
func WorstFirst(a, b Finding) int {
	rank := func(s Status) int { return slices.Index([]Status{Failed, Unknown, Passed}, s) }
	due := func(f Finding) int64 {
		if f.Due.IsZero() {
			return math.MaxInt64
		}
		return f.Due.Unix()
	}
	return cmp.Or(cmp.Compare(rank(a.Status), rank(b.Status)), cmp.Compare(b.Severity, a.Severity), cmp.Compare(due(a), due(b)),
		strings.Compare(a.Rule, b.Rule), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Part, b.Part))
}

// A Value is one of the things that a detail is made of, by name: to
// translate, chart or compare. Names are in lowerCamelCase, and stay.
type Value struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Val returns the value of name as text: numbers in decimal, a time as RFC
// 3339, or as a day such as "2026-11-26" if it is midnight UTC, a zero time as
// "", a list of strings joined by ", ", and everything else as [fmt.Sprint]
// prints it.
func Val(name string, v any) Value {
	switch v := v.(type) {
	case time.Time:
		return Value{name, day(v)}
	case []string:
		return Value{name, strings.Join(v, ", ")}
	}
	return Value{name, fmt.Sprint(v)}
}

func day(t time.Time) string {
	switch t = t.UTC(); {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}
