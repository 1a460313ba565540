package connectversion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

func (v *verdict) security() {
	fixes := v.fixesAfter(v.Version, v.At)
	var f crossprem.Finding
	switch {
	case len(fixes) > 0:
		f = v.fromProduct(v.failed(ruleSecurity)).WithRemedy(v.upgradeTo())
		var names, cves []string
		for _, r := range fixes {
			v.MissingSecurityFixes = append(v.MissingSecurityFixes, r.Version)
			names = append(names, r.Version.String())
			for _, id := range r.CVEs {
				if !slices.Contains(cves, id) {
					cves = append(cves, id)
				}
			}
		}
		f = f.Explain("{version} is installed, and lacks the fixes of {fixes}.", crossprem.Val("version", v.Version), crossprem.Val("fixes", names))
		for _, r := range fixes {
			line := fmt.Sprintf("%s (%s): %s", r.Version, r.released(), r.Note)
			if len(r.CVEs) > 0 {
				line += " " + strings.Join(r.CVEs, ", ") + "."
			}
			f = withSources(f.Explain(line), r.Source)
		}
		if len(cves) == 0 {
			f = f.AtMost(crossprem.Warning).Explain("The vendor names no CVE number for any of them.")
		} else {
			f.Values = append(f.Values, crossprem.Val("cves", cves))
		}
		first := slices.MinFunc(fixes, func(a, b Release) int { return a.Released.Compare(b.Released) })
		f = f.DueOn(first.Released, v.At)
	case v.Support == NewerThanData:
		f = v.fromProduct(v.unknown(ruleSecurity, "")).
			Explain("{version} is installed; the highest build known is {highest}.", crossprem.Val("version", v.Version), crossprem.Val("highest", v.top()))
	default:
		f = v.fromProduct(v.passed(ruleSecurity)).
			Explain("{version} is installed. Of the releases above it that were out on that day, as of {asOf}, none is called a security fix or update.",
				crossprem.Val("version", v.Version), crossprem.Val("asOf", v.AsOf))
	}
	v.add(f)
}

// fixesAfter returns the security fixes that a server on version w lacks on
// the day at: higher in number, out by then, and later than w itself, for 1.6
// and 2.0 were kept side by side. They are sorted by number.
func (v *verdict) fixesAfter(w Version, at time.Time) []Release {
	var since time.Time
	if row := v.c.find(v.Product, w, v.facts.HealthRole); row != nil {
		since = row.Released
	}
	var fixes []Release
	for _, r := range v.c.Releases(v.Product) {
		if r.SecurityFix && w.Less(r.Version) && r.outBy(at) && (since.IsZero() || r.Released.After(since)) &&
			v.concerns(&r) {
			fixes = append(fixes, r)
		}
	}
	return fixes
}

func (v *verdict) recalls() {
	withdrawn := false
	for _, p := range v.policies {
		if p.Kind != Recall && p.Kind != Hold || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.Yes || v.At.Before(p.Effective) {
			continue
		}
		withdrawn = true
		v.add(v.failed(p.rule).Explain("{version} is installed. "+p.Text, crossprem.Val("version", v.Version)).
			WithRemedy(v.replacement()).DueOn(p.Effective, v.At), p)
	}
	if v.row == nil {
		return
	}
	var rule crossprem.Rule
	switch {
	case v.row.Status == NeverReleased:
		rule = ruleNeverReleased
	case v.row.Status == Recalled && !withdrawn:
		rule = ruleRecalled
	}
	if rule.ID != "" {
		f := v.failed(rule).Explain("{version} is installed. "+v.row.Note, crossprem.Val("version", v.Version))
		v.add(withSources(v.fromProduct(f), v.row.Source).WithRemedy(v.replacement()))
	}
	if len(v.row.KnownIssues) > 0 {
		f := v.failed(ruleKnownIssues).Explain("{version} is installed, which has: {issues}. "+v.row.Note,
			crossprem.Val("version", v.Version), crossprem.Val("issues", v.row.KnownIssues))
		v.add(withSources(v.fromProduct(f), v.row.Source))
	}
}

func (v *verdict) replacement() string {
	if text := v.upgradeTo(); text != "" {
		return text
	}
	return "Replace it with the newest release that is offered."
}

// faults judges the faults of a range of versions that bite under a condition.
func (v *verdict) faults() {
	for _, p := range v.policies {
		if p.Kind != Fault || v.At.Before(p.Effective) || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.Yes {
			continue
		}
		bites, why := crossprem.Yes, ""
		if p.Requires.ApplicationAuthentication {
			switch v.facts.Authentication {
			case Application:
				why = "The server uses application-based authentication."
			case ServiceAccount:
				bites, why = crossprem.No, "The server signs in with a service account; it will bite as soon as the server uses application-based authentication."
			default:
				bites, why = crossprem.AnswerUnknown, "How the server signs in to Entra ID is not known; look at ConnectorIdentityType in Get-ADSyncEntraConnectorCredential."
			}
		}
		f := v.cameOut(p.rule, bites).Explain("{version} is installed. "+p.Text+" "+why, crossprem.Val("version", v.Version))
		if bites != crossprem.No {
			f = f.WithRemedy(v.upgradeTo())
		}
		v.add(f, p)
	}
}
