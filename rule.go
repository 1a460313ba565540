package crossprem

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Rule is one question that is put to facts. Every package returns its own
// from a function called Rules, sorted by ID.
//
// A rule is declared once, with [Rules.Declare], and makes its findings
// itself, so that they carry its titles, its sources and no severity above
// its own. A Rule is a plain value; it may be copied and shared.
type Rule struct {
	// ID is the stable name of the rule, such as "tls-certificate-expired". It
	// is never reused for something else.
	ID string `json:"id"`

	// Severity is the worst that a finding of this rule can have.
	Severity Severity `json:"severity"`

	// Title is one line: what it means that the rule failed. PassedTitle and
	// UnknownTitle are those of the other outcomes. All three are statements
	// that stand alone, and hold nothing that differs from one subject, day or
	// setting to the next.
	Title        string `json:"title"`
	PassedTitle  string `json:"passedTitle"`
	UnknownTitle string `json:"unknownTitle"`

	// Remedy says what to do about a failure in general. A finding that knows
	// more has a remedy of its own. It is empty where nothing needs to be done.
	Remedy string `json:"remedy,omitempty"`

	// Sources names the vendor's pages or RFC sections that the rule rests on.
	// There is at least one.
	Sources []string `json:"sources"`
}

// Failed returns the finding that r failed for subject: with the severity, the
// title, the remedy and the sources of the rule. The caller adds the evidence
// with [Finding.Explain], and the day with [Finding.DueOn] where one is known.
func (r Rule) Failed(subject string) Finding {
	f := r.finding(Failed, r.Title, subject)
	f.Remedy = r.Remedy
	return f
}

// Passed returns the finding that r passed for subject. The caller says with
// [Finding.Explain] what was looked for.
func (r Rule) Passed(subject string) Finding { return r.finding(Passed, r.PassedTitle, subject) }

// Unknown returns the finding that r could not be evaluated for subject, and
// why: a sentence for the detail.
func (r Rule) Unknown(subject, why string) Finding {
	f := r.finding(Unknown, r.UnknownTitle, subject)
	f.Detail = why
	return f
}

func (r Rule) finding(status Status, title, subject string) Finding {
	return Finding{Rule: r.ID, Status: status, Severity: r.Severity, Subject: subject, Title: title, Sources: slices.Clone(r.Sources)}
}

// TitleFor returns the title of r for an outcome, and "" for a value that is
// none of the constants.
func (r Rule) TitleFor(s Status) string {
	switch s {
	case Failed:
		return r.Title
	case Passed:
		return r.PassedTitle
	case Unknown:
		return r.UnknownTitle
	}
	return ""
}

// Rules is the list of the rules of one package, in the making. The zero value
// is an empty list. Declaring is not safe for several goroutines, and belongs
// into the declaration of package variables; reading is.
type Rules struct{ byID map[string]Rule }

var (
	ruleID = regexp.MustCompile(`^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$`)

	// aDay finds a day, a number of days or a year in a title.
	aDay = regexp.MustCompile(`(?i)\b(\d{4}-\d{2}-\d{2}|\d+ (hours?|days?|weeks?|months?)|(19|20)\d\d-\d\d)\b`)
)

// Declare adds r to the list and returns it, completed: a rule without an
// UnknownTitle gets one made of its Title. It panics if the rule could not
// keep the promises of [Rule]: if its ID is taken or is not made of small
// letters and digits in words joined by hyphens or points, if the title of
// failure or success is missing, if both are the same or one names a day or a
// number of days, or if there is no source.
func (rs *Rules) Declare(r Rule) Rule {
	if r.UnknownTitle == "" {
		r.UnknownTitle = unknownTitle(r.Title)
	}
	switch _, taken := rs.byID[r.ID]; {
	case !ruleID.MatchString(r.ID):
		panic(fmt.Sprintf("crossprem: rule %q: not a rule's ID", r.ID))
	case taken:
		panic("crossprem: rule " + r.ID + " is declared twice")
	case r.Title == "", r.PassedTitle == "", r.Title == r.PassedTitle, r.Title == r.UnknownTitle, r.PassedTitle == r.UnknownTitle:
		panic("crossprem: rule " + r.ID + ": every outcome needs a title of its own")
	case len(r.Sources) == 0 || slices.Contains(r.Sources, ""):
		panic("crossprem: rule " + r.ID + " has no source")
	}
	for _, title := range []string{r.Title, r.PassedTitle, r.UnknownTitle} {
		if aDay.MatchString(title) {
			panic("crossprem: rule " + r.ID + ": a title names a day: " + title)
		}
	}
	if rs.byID == nil {
		rs.byID = make(map[string]Rule)
	}
	r.Sources = slices.Clone(r.Sources)
	rs.byID[r.ID] = r
	return r
}

// All returns the declared rules, sorted by ID. The slice and its rules are
// the caller's.
func (rs *Rules) All() []Rule {
	all := make([]Rule, 0, len(rs.byID))
	for _, r := range rs.byID {
		r.Sources = slices.Clone(r.Sources)
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Rule returns the rule with this ID, and false if none was declared.
func (rs *Rules) Rule(id string) (Rule, bool) {
	r, ok := rs.byID[id]
	r.Sources = slices.Clone(r.Sources)
	return r, ok
}

// unknownTitle makes "It is not known whether the certificate has expired" of
// "The certificate has expired". Only words that are no names lose their
// capital; a rule for which that gives no good sentence declares its own.
func unknownTitle(failed string) string {
	first, rest, _ := strings.Cut(failed, " ")
	switch first {
	case "The", "A", "An", "No", "Some", "This", "These", "It", "Its", "One", "Two", "Several", "At", "Every", "All", "Users", "Legacy",
		"Sign-ins", "Passwords", "Keys", "Tokens", "Clients", "Servers", "Mailboxes", "Applications", "Accounts", "Modern", "There", "Private", "Old", "Synchronisation", "Signing", "Custom", "Automatic":
		first = strings.ToLower(first)
	}
	return strings.TrimSpace("It is not known whether " + first + " " + rest)
}

// The scale of severity, in days before something begins to hurt.
const (
	criticalWithin = 30 * 24 * time.Hour
	warningWithin  = 180 * 24 * time.Hour
)

// SeverityBy is the one scale of severity for things with a date: Critical if
// the day of due is at most 30 days after that of at, or before it; Warning if
// it is at most 180 days after; Info if it is later, or if due is zero, which
// means that no day is known. Days are those of UTC.
func SeverityBy(due, at time.Time) Severity {
	switch left := dayOf(due).Sub(dayOf(at)); {
	case due.IsZero():
		return Info
	case left <= criticalWithin:
		return Critical
	case left <= warningWithin:
		return Warning
	}
	return Info
}
