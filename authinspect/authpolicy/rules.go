package authpolicy

import (
	"slices"
	"time"

	"github.com/crossprem/crossprem"
)

var rules crossprem.Rules

var (
	ruleBasicAllowed = rules.Declare(crossprem.Rule{
		ID: "policy-basic-allowed", Severity: crossprem.Warning,
		Title:        "A user may sign in with Basic authentication",
		PassedTitle:  "The user may not sign in with Basic authentication",
		UnknownTitle: "It is not known whether a user may sign in with Basic authentication",
		Remedy:       "Assign an authentication policy that blocks Basic for the protocol.",
		Sources:      []string{pagePolicies, pageBasicEnd},
	})
	ruleModernBlocked = rules.Declare(crossprem.Rule{
		ID: "policy-modern-blocked", Severity: crossprem.Warning,
		Title:        "A user cannot sign in with modern authentication",
		PassedTitle:  "The user can sign in with modern authentication",
		UnknownTitle: "It is not known whether a user can sign in with modern authentication",
		Sources:      []string{pagePolicies, pageHMA},
	})
)

// Rules returns the rules that findings of this package name, sorted by ID.
func Rules() []crossprem.Rule { return rules.All() }

// Assess judges decisions, worst first: two findings for each, on Basic and on
// modern authentication. The subject is the user, the part the protocol; of
// decisions with the same two the first counts. Where there is no modern
// authentication at all for a protocol the second finding is info. Without
// decisions both are unknown.
func Assess(decisions []Decision) []crossprem.Finding {
	var findings []crossprem.Finding
	seen := make(map[string]bool)
	for _, d := range decisions {
		subject := d.User
		if subject == "" {
			subject = "user"
		}
		for _, one := range []struct {
			rule   crossprem.Rule
			method Method
			bad    bool
		}{
			{ruleBasicAllowed, d.Basic, d.Basic.Verdict == Allowed},
			{ruleModernBlocked, d.Modern, d.Modern.Verdict == Blocked || d.Modern.Verdict == NotOffered},
		} {
			f := one.rule.Passed(subject)
			switch {
			case one.method.Verdict == VerdictUnknown:
				f = one.rule.Unknown(subject, "")
			case one.bad:
				f = one.rule.Failed(subject)
				if one.method.Change != "" {
					f = f.WithRemedy(one.method.Change)
				}
				if one.method.Verdict == NotOffered {
					f = f.AtMost(crossprem.Info)
				}
			}
			f = f.WithPart(d.Protocol.String())
			if seen[f.Key()] {
				continue
			}
			seen[f.Key()] = true
			f = f.Explain("{detail} The protocol is {protocol}, and the day {day}.", crossprem.Val("detail", one.method.Detail),
				crossprem.Val("protocol", d.Protocol), crossprem.Val("day", d.At.Format(time.DateOnly)), crossprem.Val("reason", one.method.Reason), crossprem.Val("decider", one.method.Decider))
			if len(one.method.Sources) > 0 {
				f.Sources = slices.Clone(one.method.Sources)
			}
			findings = append(findings, f)
		}
	}
	if len(findings) == 0 {
		findings = []crossprem.Finding{ruleBasicAllowed.Unknown("users", "No decision was given to judge."), ruleModernBlocked.Unknown("users", "No decision was given to judge.")}
	}
	slices.SortStableFunc(findings, crossprem.WorstFirst)
	return findings
}
