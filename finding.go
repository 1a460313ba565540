package crossprem

import (
	"fmt"
	"time"
)

// A Finding is one judged fact: a rule, what it was applied to, and how that
// came out. It is a plain value; tests may write it as a literal.
//
// Findings are made by the verdict functions of the packages below this one
// and never carry a secret: no password, token or private key.
type Finding struct {
	// Rule is the stable name of the rule, such as "tls-1.2-refused".
	// The Rules function of the package that made the finding lists it.
	Rule string `json:"rule"`

	// Status tells how the rule came out. The zero value, Unknown, means that
	// it could not be evaluated; Detail then says why.
	Status Status `json:"status"`

	// Severity tells how bad a failure of the rule is, whatever the Status.
	Severity Severity `json:"severity"`

	// Subject is what the rule was applied to: a host:port, a user, a
	// thumbprint, the name of a server.
	Subject string `json:"subject"`

	// Title is one line for a list of findings.
	Title string `json:"title"`

	// Detail is the evidence, and what was missing.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do, and may hold a command. It is empty where
	// nothing needs to be done.
	Remedy string `json:"remedy,omitempty"`

	// Due is the day on which it starts to hurt, or zero if none is known.
	// A Due in the past means that it hurts already.
	Due time.Time `json:"due,omitzero"`

	// Sources names the vendor's pages or RFC sections that the rule rests on.
	Sources []string `json:"sources,omitempty"`
}

// A Status tells how a rule came out. In text and JSON it is one of
// "unknown", "passed" and "failed".
type Status uint8

const (
	Unknown Status = iota // not evaluated, or no usable evidence; never "fine"
	Passed                // evaluated, and as it should be
	Failed                // evaluated, and not as it should be
)

// A Severity tells how bad a failure is. Severities are ordered: a larger one
// is worse. In text and JSON it is one of "info", "warning" and "critical".
type Severity uint8

const (
	Info     Severity = iota // worth knowing
	Warning                  // will hurt, or weakens something
	Critical                 // hurts now, or invites an attack
)

var (
	statusNames   = [...]string{Unknown: "unknown", Passed: "passed", Failed: "failed"}
	severityNames = [...]string{Info: "info", Warning: "warning", Critical: "critical"}
)

// String returns "unknown", "passed" or "failed", and "Status(9)" for a value
// that is none of the constants.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// MarshalText returns the name that String gives, and an error for a value
// that is none of the constants.
func (s Status) MarshalText() ([]byte, error) {
	if int(s) >= len(statusNames) {
		return nil, fmt.Errorf("crossprem: no such status: %d", uint8(s))
	}
	return []byte(statusNames[s]), nil
}

// UnmarshalText accepts what MarshalText gives, in lower case, and returns an
// error and leaves s as it was for anything else.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if string(text) == name {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("crossprem: no such status: %.40q", text)
}

// String returns "info", "warning" or "critical", and "Severity(9)" for a
// value that is none of the constants.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText returns the name that String gives, and an error for a value
// that is none of the constants.
func (s Severity) MarshalText() ([]byte, error) {
	if int(s) >= len(severityNames) {
		return nil, fmt.Errorf("crossprem: no such severity: %d", uint8(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText accepts what MarshalText gives, in lower case, and returns an
// error and leaves s as it was for anything else.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severityNames {
		if string(text) == name {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("crossprem: no such severity: %.40q", text)
}

// A Rule describes one rule that findings name. Every package returns its own
// from a function called Rules, sorted by ID, in a slice that is the caller's.
type Rule struct {
	ID       string   `json:"id"`       // as in [Finding.Rule]; never reused for something else
	Severity Severity `json:"severity"` // the worst that a finding of this rule can have
	Title    string   `json:"title"`    // one line: what a failure means
	Sources  []string `json:"sources"`  // vendor pages or RFC sections, by name
}
