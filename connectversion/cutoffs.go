package connectversion

import (
	"fmt"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
)

// A hit is what a cut-off or a deprecation comes to for one version.
type hit struct {
	policy *Policy
	hits   crossprem.Answer // Yes, or unknown for want of a fact

	// From is the first day on which it can hurt, and due the day on which it
	// does, as far as that is known. They differ for a deprecation alone, which
	// waits for a release.
	from, due time.Time

	what string // happens then
	why  string // a sentence on what decided it, or on what is not known
}

func (v *verdict) cutoffs() {
	for i := range v.policies {
		p := &v.policies[i]
		switch p.Kind {
		case HardCutoff:
			if h, ok := v.cutoff(p); ok {
				v.hits = append(v.hits, h)
				v.judgeCutoff(h)
			}
		case RollingDeprecation:
			if h, ok := v.deprecation(p); ok {
				v.hits = append(v.hits, h)
				v.judgeDeprecation(h)
			}
		}
	}
}

// cutoff finds out whether a hard cut-off hits; false if it does not speak of
// this component.
func (v *verdict) cutoff(p *Policy) (hit, bool) {
	h := hit{policy: p, hits: p.AppliesTo.Contains(v.Version, v.facts.Cloud), from: p.Effective, due: p.Effective, what: effectTexts[p.Effect]}
	switch {
	case h.hits == crossprem.AnswerUnknown:
		h.why = fmt.Sprintf("The minimum is %s in the worldwide cloud and %s elsewhere, and the cloud is not known.", p.AppliesTo.Below, p.AppliesTo.BelowOtherClouds)
	case h.hits == crossprem.No && p.Requires.ApplicationAuthentication:
		switch v.facts.Authentication {
		case ServiceAccount:
			h.hits, h.why = crossprem.Yes, "The server signs in with a service account."
		case UnknownAuthentication:
			h.hits, h.why = crossprem.AnswerUnknown, "The version is high enough, but how the server signs in to Entra ID is not known; look at ConnectorIdentityType in Get-ADSyncEntraConnectorCredential."
		}
	case h.hits == crossprem.Yes && p.Component != "" && v.facts.Component != p.Component:
		if v.facts.Component != "" {
			return h, false
		}
		h.hits, h.why = crossprem.AnswerUnknown, "It concerns the "+p.Component+" alone, and which component this is, is not known."
	}
	return h, true
}

func (v *verdict) judgeCutoff(h hit) {
	p := h.policy
	inForce := !v.At.Before(p.Effective)
	f := v.cameOut(p.rule, h.hits).
		Explain("{version} is installed. "+p.Text+" From {effective} on: {effect}.", crossprem.Val("version", v.Version), crossprem.Val("effective", p.Effective), crossprem.Val("effect", h.what))
	if h.why != "" {
		f = f.Explain(h.why)
	}
	if p.Effect == SyncStops && v.facts.Staging == crossprem.Yes {
		f = f.Explain("The server is in staging mode: nothing will show until it has to take over.")
	}
	if !p.EffectiveEarlier.IsZero() {
		f = f.Explain("It was to be {earlier} at first.", crossprem.Val("earlier", p.EffectiveEarlier))
	}
	if h.hits != crossprem.No {
		f = f.WithRemedy(v.cutoffRemedy(p))
		if inForce && h.hits == crossprem.Yes {
			v.Stopped = append(v.Stopped, p.ID)
		} else if !inForce {
			v.Upcoming = append(v.Upcoming, Upcoming{p.ID, p.Effective})
		}
	}
	v.add(f.DueOn(h.due, v.At), *p)
}

func (v *verdict) cutoffRemedy(p *Policy) string {
	var steps []string
	if p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.No {
		switch {
		case !p.AppliesTo.Below.IsZero():
			steps = append(steps, fmt.Sprintf("Upgrade to %s or newer.", v.firstFrom(p)))
		default:
			steps = append(steps, v.upgradeTo())
		}
	}
	if p.Requires.ApplicationAuthentication && v.facts.Authentication != Application {
		steps = append(steps, "Set up application-based authentication (Add-EntraApplicationRegistration, or the wizard).")
	}
	return sentence(steps...)
}

// firstFrom returns the lowest release that the cut-off p surely does not hit
// and that has no fault under what p asks for, or the floor of p.
func (v *verdict) firstFrom(p *Policy) Version {
	floor := p.AppliesTo.Below
	if other := p.AppliesTo.BelowOtherClouds; v.facts.Cloud != crossprem.Worldwide && floor.Less(other) {
		floor = other
	}
	for _, r := range v.c.Releases(v.Product) {
		if r.Status == Released && !r.Version.Less(floor) && !(p.Requires.ApplicationAuthentication && v.faulty(r.Version)) {
			return r.Version
		}
	}
	return floor
}

// faulty reports whether a fault of w bites those who use application-based
// authentication.
func (v *verdict) faulty(w Version) bool {
	return slices.ContainsFunc(v.policies, func(p Policy) bool {
		return p.Kind == Fault && p.Requires.ApplicationAuthentication && p.AppliesTo.Contains(w, v.facts.Cloud) == crossprem.Yes && !v.At.Before(p.Effective)
	})
}

// deprecation applies a rule such as "versions released more than 18 months
// earlier become deprecated, re-evaluated whenever a new version is released":
// it is evaluated on the day from which it holds, and with every release after
// that, until another rule takes its place. From the window's end on any new
// release deprecates the version. False if the rule never gets to it.
func (v *verdict) deprecation(p *Policy) (hit, bool) {
	if v.row == nil || v.row.Status != Released || v.row.Released.IsZero() || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.Yes {
		return hit{}, false
	}
	windowEnds := addMonths(v.row.Released, p.WindowMonths)
	h := hit{policy: p, hits: crossprem.Yes, from: later(windowEnds, p.Effective), what: "deprecated with the first release after that day"}
	by := v.c.policy(p.SupersededBy)
	if by != nil && (!h.from.Before(by.Effective) || !v.At.Before(by.Effective)) {
		return hit{}, false
	}
	if windowEnds.Before(p.Effective) {
		h.due, h.what = p.Effective, "deprecated"
		return h, true
	}
	var next *Release
	for i, r := range v.c.Releases(v.Product) {
		if r.Status == Released && r.Released.After(windowEnds) && (next == nil || r.Released.Before(next.Released)) {
			next = &v.c.Releases(v.Product)[i]
		}
	}
	switch {
	case next != nil && by != nil && !next.Released.Before(by.Effective):
		h.hits = crossprem.No
		h.why = fmt.Sprintf("As it came, there was none before another rule took its place on %s.", by.Effective.Format(time.DateOnly))
	case next != nil:
		h.due = next.Released
		h.why = fmt.Sprintf("As it came, that was %s on %s.", next.Version, next.released())
	case v.At.After(windowEnds):
		h.hits = crossprem.AnswerUnknown
		h.why = fmt.Sprintf("No release after that day is known, as of %s.", v.AsOf.Format(time.DateOnly))
	}
	return h, true
}

func (v *verdict) judgeDeprecation(h hit) {
	p := h.policy
	f := v.cameOut(p.rule, h.hits).Explain("{version} came out on {released}. "+p.Text,
		crossprem.Val("version", v.Version), crossprem.Val("released", v.row.released()))
	if h.due.Equal(p.Effective) {
		f = f.Explain("It is deprecated from {deprecated} on, the day from which the rule holds.", crossprem.Val("deprecated", h.due))
	} else {
		f = f.Explain("From {windowEnds} on the next release deprecates it. "+h.why, crossprem.Val("windowEnds", h.from))
		if !h.due.IsZero() {
			f = f.Explain("It is deprecated from {deprecated} on.", crossprem.Val("deprecated", h.due))
		}
	}
	if h.hits == crossprem.Yes {
		f = f.WithRemedy(v.upgradeTo()).DueOn(h.due, v.At)
		if h.due.IsZero() {
			f = f.DueOn(h.from, v.At)
		}
		if v.At.Before(f.Due) {
			v.Upcoming = append(v.Upcoming, Upcoming{p.ID, f.Due})
		}
	}
	v.add(f, *p)
}
