package connectversion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// An UpgradePlan tells what must happen to one installation until a day, and by when.
type UpgradePlan struct {
	At, Horizon time.Time // midnight UTC

	// Deadlines are the days up to the horizon on which something ends for
	// this version, the next one first. Those before At are overdue.
	Deadlines []Deadline

	// Target is the lowest release that is good on every axis up to the
	// horizon: it can be the installed version itself, and it is zero if no
	// release known at At is known to be. Newest is the newest release at At.
	Target Version
	Newest Version

	// Besides lists what a version alone does not settle, such as
	// application-based authentication or .NET Framework.
	Besides []string

	// Automation tells whether automatic upgrade would get to the target
	// without anybody's doing, and Why.
	Automation crossprem.Status
	Why        string
}

// A Deadline is a day on which something ends for the installed version.
type Deadline struct {
	Rule string // of this package or the catalogue
	Date time.Time
	What string // what ends
}

// Plan plans with the settings of the zero [Judge] and the embedded catalogue.
// Of current, Product, Version and Server are used.
func Plan(current Installed, facts Facts, at, horizon time.Time) UpgradePlan {
	return new(Judge).Plan(current, facts, at, horizon)
}

// Plan finds out what must happen to current between the days at and
// horizon. Only releases known to be out on the day at are considered, and
// nothing that is announced after the catalogue's AsOf.
func (j *Judge) Plan(current Installed, facts Facts, at, horizon time.Time) UpgradePlan {
	facts.Server, facts.Component = cmp.Or(facts.Server, current.Server), cmp.Or(facts.Component, current.Component)
	now := j.Assess(current.Product, current.Version, at, facts)
	p := UpgradePlan{At: now.At, Horizon: day(horizon), Newest: now.Latest}
	if p.Horizon.Before(p.At) {
		p.Horizon = p.At
	}
	c := j.Catalogue
	if c == nil {
		c = Embedded()
	}
	p.deadlines(now)
	for _, r := range c.Releases(current.Product) {
		if p.Target.IsZero() && !r.Version.Less(current.Version) && (r.outBy(p.At) || r.Version == current.Version) && j.good(current.Product, r.Version, p, facts) {
			p.Target = r.Version
		}
	}
	p.besides(j.Assess(current.Product, cmp.Or(p.Target, p.Newest, current.Version), p.Horizon, facts))
	p.automation(j, now, current, facts)
	return p
}

// good tells whether a version has no failing on any axis of the version's own
// from At to Horizon, whatever is configured on the server.
func (j *Judge) good(product Product, v Version, p UpgradePlan, facts Facts) bool {
	facts.Authentication = Application
	today := j.Assess(product, v, p.At, facts)
	if len(today.MissingSecurityFixes) > 0 || today.Support == WasRecalled {
		return false
	}
	for _, f := range today.On(RecallAxis) {
		if f.Status == crossprem.Failed && f.Severity >= crossprem.Warning {
			return false
		}
	}
	then := j.Assess(product, v, p.Horizon, facts)
	for _, f := range then.On(CutoffAxis) {
		if f.Status == crossprem.Unknown && !f.Due.After(p.Horizon) {
			return false // another release is surely not hit
		}
	}
	// An unknown end of support is that of the newest release: none is better.
	return len(then.Stopped) == 0 && then.Support != Retired && (then.Support != SupportUnknown || v == p.Newest)
}

func (p *UpgradePlan) deadlines(now Assessment) {
	if !now.SupportUntil.IsZero() && !now.SupportUntil.After(p.Horizon) {
		p.Deadlines = append(p.Deadlines, Deadline{ruleRetired, now.SupportUntil, "support ends"})
	}
	for _, f := range now.On(CutoffAxis) {
		if f.Status != crossprem.Passed && !f.Due.After(p.Horizon) {
			what := f.Title
			if _, effect, ok := strings.Cut(f.Title, ": "); ok {
				what = effect
			}
			if f.Status == crossprem.Unknown {
				what = "perhaps " + what
			}
			p.Deadlines = append(p.Deadlines, Deadline{f.Rule, f.Due, what})
		}
	}
	if len(now.MissingSecurityFixes) > 0 {
		p.Deadlines = append(p.Deadlines, Deadline{ruleSecurity, now.At, fmt.Sprintf("%d security fixes are missing", len(now.MissingSecurityFixes))})
	}
	slices.SortStableFunc(p.Deadlines, func(a, b Deadline) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Rule, b.Rule))
	})
}

// besides collects what is wrong, or not known, about the server rather than
// the version, for the version that is to be run.
func (p *UpgradePlan) besides(then Assessment) {
	for _, f := range slices.Concat(then.On(CutoffAxis), then.On(FeatureAxis)) {
		policy := then.rulesOrEmbedded().policy(f.Rule)
		if f.Status == crossprem.Passed || f.Due.After(p.Horizon) || f.Rule != ruleV2Endpoint && (policy == nil || policy.Requires == Requirements{}) {
			continue
		}
		text := f.Title
		if policy != nil && policy.Kind == HardCutoff {
			text = policy.Text
		}
		if f.Status == crossprem.Unknown {
			text = "Check: " + text
		}
		p.Besides = append(p.Besides, sentence(strings.TrimSuffix(text, ".")+".", f.Remedy))
	}
}

func (a Assessment) rulesOrEmbedded() *Catalogue {
	if a.rules != nil {
		return a.rules
	}
	return Embedded()
}

func (p *UpgradePlan) automation(j *Judge, now Assessment, current Installed, facts Facts) {
	v := verdict{Judge: *j, c: now.rulesOrEmbedded(), facts: facts, Assessment: now}
	v.Findings = nil
	v.policies = v.c.Policies(current.Product)
	offered := v.offered()
	can := v.automationCan(offered)
	switch {
	case p.Target == current.Version:
		p.Automation, p.Why = crossprem.Passed, "Nothing needs to be upgraded."
	case p.Target.IsZero() && p.Newest.Less(current.Version):
		p.Why = fmt.Sprintf("%s is newer than every release that is known on that day.", current.Version)
	case p.Target.IsZero():
		p.Automation, p.Why = crossprem.Failed, "No release that is known would do."
	case facts.Component == "dc-agent":
		p.Automation, p.Why = crossprem.Failed, "A DC agent is never upgraded automatically."
	case offered.IsZero():
		p.Why = "The documents tell of no release that was offered to automatic upgrade by then."
	case offered.Less(p.Target):
		p.Automation, p.Why = crossprem.Failed, fmt.Sprintf("The newest release offered to automatic upgrade is %s.", offered)
	case can == No:
		last := v.Findings[len(v.Findings)-1]
		p.Automation, p.Why = crossprem.Failed, strings.TrimSuffix(last.Title, ".")+"."
	case can == Yes:
		p.Automation, p.Why = crossprem.Passed, fmt.Sprintf("Automatic upgrade is on, and offers %s.", offered)
	default:
		p.Why = fmt.Sprintf("Automatic upgrade offers %s; whether it is on here is not known.", offered)
	}
}
