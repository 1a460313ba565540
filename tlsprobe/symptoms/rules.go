package symptoms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

var rules crossprem.Rules

// ruleKnown is about the text as a whole.
var ruleKnown = rules.Declare(crossprem.Rule{
	ID: "error-text-unknown", Severity: crossprem.Info,
	Title:       "The error text is not in the catalogue",
	PassedTitle: "The error text is in the catalogue",
	Remedy:      "Give the whole text with its numbers, the innermost exception (Get-Error in PowerShell 7) or the Schannel event of the same second, and probe the server.",
	Sources:     []string{srcEvents, srcCodes},
})

// ruleOf has one rule for each cause.
var ruleOf = declareCauses()

func declareCauses() map[string]crossprem.Rule {
	m := make(map[string]crossprem.Rule, len(causeTable))
	for _, c := range causeTable {
		m[c.id] = rules.Declare(crossprem.Rule{
			ID: "error-cause-" + c.id, Severity: c.severity, Title: c.title, PassedTitle: c.absent,
			Remedy: c.fix, Sources: c.sources,
		})
	}
	return m
}

// Rules returns the rules that Assess names, one for each cause and one for a
// text that is not known, sorted by ID. The slice is the caller's.
func Rules() []crossprem.Rule { return rules.All() }

// Assess puts a diagnosis into findings about subject, which is a name for the
// program or the place of the text, such as "EXCH01". Findings are worst first.
//
// A cause from [Settled] on is a failed finding. One that is only possible is
// unknown, with the next check, and one that the evidence rules out has
// passed. A cause that has nothing to do with the text has no finding.
func Assess(d *Diagnosis, subject string) []crossprem.Finding {
	if subject == "" {
		subject = "error text"
	}
	if d == nil {
		return []crossprem.Finding{ruleKnown.Unknown(subject, "There is no diagnosis.")}
	}
	var list []crossprem.Finding
	switch {
	case len(d.Symptoms) > 0:
		ids := make([]string, len(d.Symptoms))
		for i, s := range d.Symptoms {
			ids[i] = s.ID
		}
		list = append(list, ruleKnown.Passed(subject).Explain("Recognised: {symptoms}.", crossprem.Val("symptoms", strings.Join(ids, ", "))))
	case len(d.Causes) == 0:
		list = append(list, ruleKnown.Failed(subject).Explain("No message of the catalogue is in the text, and there is no evidence that decides."))
	default:
		list = append(list, ruleKnown.Unknown(subject, "There was no text that is known; the evidence alone was judged."))
	}
	seen := map[string]bool{}
	for _, c := range d.Causes {
		rule, ok := ruleOf[c.ID]
		if !ok || seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		if c.Confidence >= Settled {
			why := strings.Join(c.Why, " ")
			if why == "" {
				why = "The text itself names this cause."
			}
			list = append(list, rule.Failed(subject).Explain("{evidence} Confidence: {confidence}.", crossprem.Val("evidence", why), crossprem.Val("confidence", fmt.Sprintf("%.2f", c.Confidence))))
			continue
		}
		list = append(list, rule.Unknown(subject, fmt.Sprintf("The text can have this cause (confidence %.2f). To find out: %s", c.Confidence, c.Check)))
	}
	for _, x := range d.RuledOut {
		rule, ok := ruleOf[x.ID]
		if !ok || seen[x.ID] {
			continue
		}
		seen[x.ID] = true
		why := x.Why
		if why == "" {
			why = "The evidence rules it out."
		}
		list = append(list, rule.Passed(subject).Explain("{evidence}", crossprem.Val("evidence", why)))
	}
	slices.SortStableFunc(list, crossprem.WorstFirst)
	return list
}
