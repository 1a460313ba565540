package clients

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

var rules crossprem.Rules

const (
	pageBasicEnd = "Deprecation of Basic authentication in Exchange Online (learn.microsoft.com)"
	pageDisable  = "Disable Basic authentication in Exchange Online (learn.microsoft.com)"
)

var (
	ruleStops = rules.Declare(crossprem.Rule{
		ID: "client-stops", Severity: crossprem.Critical,
		Title:        "A client no longer works without Basic authentication",
		PassedTitle:  "The client works without Basic authentication",
		UnknownTitle: "It is not known whether a client works without Basic authentication",
		Remedy:       "Replace the client by one that signs in with tokens.",
		Sources:      []string{pageBasicEnd, pageDisable},
	})
	ruleReconfigure = rules.Declare(crossprem.Rule{
		ID: "client-reconfigure", Severity: crossprem.Warning,
		Title:        "A client works without Basic authentication only after it was set up again",
		PassedTitle:  "The client need not be set up again",
		UnknownTitle: "It is not known whether a client has to be set up again",
		Remedy:       "Remove and add the account, or change the setting.",
		Sources:      []string{pageBasicEnd, pageDisable},
	})
)

// Rules returns the rules that findings of this package name, sorted by ID.
func Rules() []crossprem.Rule { return rules.All() }

// Assess judges what [Impact] returned, worst first: one finding for each
// client that stops, that has to be set up again, that works, or of which it
// is not known. The subject is the client's ID, its part the version.
// Clients with the same ID and version count once; not applicable ones do not
// count. Without impacts there is one finding, unknown.
func Assess(impacts []Effect, hosting Hosting, at time.Time) []crossprem.Finding {
	var findings []crossprem.Finding
	seen := make(map[string]bool)
	for _, i := range impacts {
		subject := cmp.Or(i.Client.ID, "unknown")
		f := ruleStops.Passed(subject)
		switch i.Outcome {
		case NotApplicable:
			continue
		case Stops, Prompts:
			f = ruleStops.Failed(subject)
		case Reconfigure, FallsBackBasic:
			f = ruleReconfigure.Failed(subject)
		case OutcomeUnknown:
			f = ruleStops.Unknown(subject, "")
		}
		f = f.WithPart(i.Client.Version)
		if seen[f.Key()] {
			continue
		}
		seen[f.Key()] = true
		f = f.Explain("{why} The mailbox is at {hosting}, and the day is {day}; the outcome is {outcome}.",
			crossprem.Val("why", i.Why), crossprem.Val("hosting", hosting), crossprem.Val("day", at.UTC().Format(time.DateOnly)), crossprem.Val("outcome", i.Outcome))
		if len(i.Sources) > 0 {
			f.Sources = i.Sources
		}
		if f.Status == crossprem.Failed && i.Remedy != "" {
			f = f.WithRemedy(i.Remedy)
		}
		findings = append(findings, f)
	}
	if len(findings) == 0 {
		findings = append(findings, ruleStops.Unknown("clients", strings.TrimSpace("No client was given to judge.")))
	}
	slices.SortStableFunc(findings, crossprem.WorstFirst)
	return findings
}
