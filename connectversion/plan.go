package connectversion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// An UpgradePlan is what must happen to one installation until a day, and by
// when. It goes into JSON and comes back equal.
type UpgradePlan struct {
	At, Horizon time.Time // midnight UTC

	// Steps say which version is to be run on which days, one after the other,
	// from At to Horizon. Each version is good on every axis of the version
	// itself on every day of its step, as far as that was known on the day At.
	Steps []Step

	// Deadlines are the days up to the horizon on which something ends for
	// this version, the next one first. Those before At are overdue.
	Deadlines []Deadline

	// Target is the lowest release that is good on every axis up to the
	// horizon, or as far as anything could be known on the day At: it can be
	// the installed version itself, and it is zero if no release known at At
	// is. Security fixes that came later end a step, and are no reason here.
	// Newest is the newest release at At.
	Target Version
	Newest Version

	// Besides lists what a version alone does not settle, such as
	// application-based authentication or .NET Framework.
	Besides []string

	// Automation is whether automatic upgrade would get to the target
	// without anybody's doing, and Why.
	Automation crossprem.Status
	Why        string
}

// A Step is a version to run from one day to another, both included.
type Step struct {
	From, Until time.Time

	// Version is what to run. It is zero if no release that was known on the
	// day of the plan would do on the day From.
	Version Version

	// Why are the rules for which the version before, which is the installed
	// one before the first step, is no longer good on the day From. It is
	// empty as long as the installed version can stay.
	Why []string
}

// A Deadline is a day on which something ends for the installed version.
type Deadline struct {
	Rule string // of this package or the catalogue
	Date time.Time
	What string // what ends
}

// Plan plans with the settings of the zero [Assessor] and the embedded
// catalogue. Of current, Product, Version, Component and Server are used.
func Plan(current Installed, facts Facts, at, horizon time.Time) UpgradePlan {
	return new(Assessor).Plan(current, facts, at, horizon)
}

// Plan finds out what must happen to current between the days at and
// horizon. Only releases known to be out on the day at are considered, and
// nothing that is announced after the catalogue's AsOf.
//
// It rests on what [Assessor.Assess] rests on. Where a rule waits for a
// release, as the deprecation by age does, a version is good only until the
// day from which any release would do. Security fixes that came out after the
// day at end a step too, if the catalogue knows them.
func (a *Assessor) Plan(current Installed, facts Facts, at, horizon time.Time) UpgradePlan {
	facts = facts.of(current)
	v := a.verdict(current.Product, current.Version, at, facts)
	p := UpgradePlan{At: v.At, Horizon: later(day(horizon), v.At), Newest: v.Latest}
	v.judge()
	if !v.judgeable() {
		p.Newest = Version{}
		p.Steps = []Step{{From: p.At, Until: p.Horizon, Why: []string{ruleSupportUnknown.ID}}}
		p.Why = "There is no version, or no table for this product, to plan by."
		return p
	}
	p.deadlines(v)
	p.steps(v)
	p.besides(a.Assess(current.Product, cmp.Or(p.Target, p.Newest, current.Version), p.Horizon, facts), v.c)
	p.automation(v)
	return p
}

// of fills in what current says of the installation.
func (f Facts) of(current Installed) Facts {
	f.Server = cmp.Or(f.Server, current.Server)
	f.Component = cmp.Or(f.Component, current.Component)
	if current.Product == HealthAgent {
		f.HealthRole = cmp.Or(f.HealthRole, f.Component)
	}
	return f
}

// An end is the first day on which a version is no longer good, or no longer
// surely so, and the rule for that.
type end struct {
	rule string
	from time.Time // zero: it never was good

	// unknowable marks the day from which nobody can know whether the newest
	// release is supported: no other is better.
	unknowable bool
}

// ends returns why, and from when on, a version is not good on the axes of the
// version itself, whatever is configured on the server.
func (v *verdict) ends() (ends []end) {
	add := func(rule string, from time.Time) { ends = append(ends, end{rule: rule, from: from}) }
	v.supportEnd()
	switch {
	case v.row == nil && v.top().Less(v.Version):
		add(ruleNewerThanData.ID, time.Time{})
	case v.row == nil:
		add(ruleUnlisted.ID, time.Time{})
	case v.row.Status == NeverReleased:
		add(ruleNeverReleased.ID, time.Time{})
	case v.row.Status == Recalled:
		add(ruleRecalled.ID, time.Time{})
	case v.row.Released.After(v.At):
		add(ruleSupportUnknown.ID, time.Time{})
	}
	if first := v.firstUnsupported(); !first.IsZero() {
		add(ruleRetired.ID, first)
	} else if v.endless() {
		ends = append(ends, end{ruleSupportUnknown.ID, v.horizon().AddDate(0, 0, 1), true})
	}
	authentication, applicationFrom := v.facts.Authentication, time.Time{}
	for i := range v.policies {
		p := &v.policies[i]
		in := p.AppliesTo.Contains(v.Version, v.facts.Cloud)
		switch p.Kind {
		case HardCutoff:
			if p.Requires.ApplicationAuthentication && (applicationFrom.IsZero() || p.Effective.Before(applicationFrom)) {
				applicationFrom = p.Effective
			}
			v.facts.Authentication = Application // which a version does not settle
			if h, ok := v.cutoff(p); ok && h.hits != crossprem.No {
				add(p.ID, h.from)
			}
			v.facts.Authentication = authentication
		case RollingDeprecation:
			if h, ok := v.deprecation(p); ok {
				add(p.ID, v.unsureFrom(h))
			}
		case Recall, Hold:
			if in == crossprem.Yes {
				add(p.ID, p.Effective)
			}
		}
	}
	for _, p := range v.policies {
		if p.Kind != Fault || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.Yes {
			continue
		}
		switch {
		case !p.Requires.ApplicationAuthentication || authentication != ServiceAccount:
			add(p.ID, p.Effective)
		case !applicationFrom.IsZero(): // it bites as soon as it is needed
			add(p.ID, later(p.Effective, applicationFrom))
		}
	}
	if fixes := v.fixesAfter(v.Version, forever); len(fixes) > 0 {
		first := slices.MinFunc(fixes, func(a, b Release) int { return a.Released.Compare(b.Released) })
		add(ruleSecurity.ID, first.Released)
	}
	return ends
}

var forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// unsureFrom is the first day on which a version is, or for all that is known
// on the day At may be, deprecated.
func (v *verdict) unsureFrom(h hit) time.Time {
	if !h.due.IsZero() && !h.due.After(v.At) {
		return h.due
	}
	return later(h.from, v.At.AddDate(0, 0, 1)) // today none came, tomorrow one may
}

// over returns the rules for which a version with these ends is not good on
// the day, sorted.
func over(ends []end, day time.Time) (why []string) {
	for _, e := range ends {
		if !e.from.After(day) && !slices.Contains(why, e.rule) {
			why = append(why, e.rule)
		}
	}
	slices.Sort(why)
	return why
}

// lasts returns the last day, up to the horizon, until which a version that is
// good on the day from stays so.
func lasts(ends []end, from, horizon time.Time) time.Time {
	last := horizon
	for _, e := range ends {
		if e.from.After(from) && !e.from.After(last) {
			last = e.from.AddDate(0, 0, -1)
		}
	}
	return last
}

// steps sets Steps and Target. A version stays as long as it is good; then the
// lowest comes that is good until the horizon, or else the one that is good for
// the longest.
func (p *UpgradePlan) steps(v *verdict) {
	type candidate struct {
		version Version
		ends    []end
	}
	current := candidate{v.Version, v.ends()}
	candidates := []candidate{current}
	for _, r := range v.c.Releases(v.Product) {
		if v.Version.Less(r.Version) && r.outBy(p.At) && v.concerns(&r) && candidates[len(candidates)-1].version != r.Version {
			w := v.Assessor.verdict(v.Product, r.Version, p.At, v.facts)
			candidates = append(candidates, candidate{r.Version, w.ends()})
		}
	}
	for _, c := range candidates {
		ends := slices.DeleteFunc(slices.Clone(c.ends), func(e end) bool {
			return e.unknowable || e.rule == ruleSecurity.ID && e.from.After(p.At) // which nobody knew
		})
		if p.Target.IsZero() && len(over(ends, p.Horizon)) == 0 {
			p.Target = c.version
		}
	}
	running, from := current, p.At
	for !from.After(p.Horizon) {
		why := over(running.ends, from)
		if len(why) > 0 {
			best, until := candidate{}, from.AddDate(0, 0, -1)
			for _, c := range candidates {
				if c.version.Less(running.version) || len(over(c.ends, from)) > 0 {
					continue
				}
				if last := lasts(c.ends, from, p.Horizon); last.After(until) {
					best, until = c, last
				}
			}
			if best.version.IsZero() {
				p.Steps = append(p.Steps, Step{From: from, Until: p.Horizon, Why: why})
				return
			}
			running = best
		}
		until := lasts(running.ends, from, p.Horizon)
		p.Steps = append(p.Steps, Step{From: from, Until: until, Version: running.version, Why: why})
		from = until.AddDate(0, 0, 1)
	}
}

func (p *UpgradePlan) deadlines(v *verdict) {
	if !v.SupportUntil.IsZero() && !v.SupportUntil.After(p.Horizon) {
		p.Deadlines = append(p.Deadlines, Deadline{ruleRetired.ID, v.SupportUntil, "support ends"})
	}
	for _, h := range v.hits {
		date := h.from
		if !h.due.IsZero() && !h.due.After(v.At) {
			date = h.due
		}
		if h.hits == crossprem.No || date.After(p.Horizon) {
			continue
		}
		what := h.what
		if h.hits == crossprem.AnswerUnknown {
			what = "perhaps " + what
		}
		p.Deadlines = append(p.Deadlines, Deadline{h.policy.ID, date, what})
	}
	if n := len(v.MissingSecurityFixes); n > 0 {
		p.Deadlines = append(p.Deadlines, Deadline{ruleSecurity.ID, v.At, fmt.Sprintf("%d security fixes are missing", n)})
	}
	slices.SortStableFunc(p.Deadlines, func(a, b Deadline) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Rule, b.Rule))
	})
}

// besides collects what is wrong, or not known, about the server rather than
// the version, for the version that is to be run.
func (p *UpgradePlan) besides(then Assessment, c *Catalogue) {
	for _, f := range slices.Concat(then.On(CutoffAxis), then.On(FeatureAxis)) {
		policy := c.policy(f.Rule)
		if f.Status == crossprem.Passed || f.Due.After(p.Horizon) || f.Rule != ruleV2Endpoint.ID && (policy == nil || policy.Requires == Requirements{}) {
			continue
		}
		p.Besides = append(p.Besides, sentence(strings.TrimSuffix(f.Title, ".")+".", f.Remedy))
	}
}
