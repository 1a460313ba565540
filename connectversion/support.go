package connectversion

import (
	"time"

	"github.com/crossprem/crossprem"
)

// supportEnd sets SupportUntil, and explains in f where it comes from.
func (v *verdict) supportEnd() (explain func(crossprem.Finding) crossprem.Finding) {
	var byPolicy *Policy
	for i, p := range v.policies {
		if p.Kind == Retirement && p.SupersededBy == "" && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == crossprem.Yes &&
			(byPolicy == nil || p.Effective.Before(byPolicy.Effective)) {
			byPolicy = &v.policies[i]
		}
	}
	rolling, next := v.rollingEnd()
	if v.row != nil {
		v.Printed = v.row.Retired
	}
	switch {
	case !v.Printed.IsZero():
		v.SupportUntil, v.Basis = v.Printed, "printed"
		return func(f crossprem.Finding) crossprem.Finding {
			f = f.Explain("Its end of support, {supportUntil}, is printed "+basisTexts[v.row.RetiredBasis]+".", crossprem.Val("supportUntil", v.Printed))
			if !v.row.RetiredEarlier.IsZero() {
				f = f.Explain("It was {earlier} before.", crossprem.Val("earlier", v.row.RetiredEarlier))
			}
			if !v.Computed.IsZero() && !v.Computed.Equal(v.Printed) {
				f = f.Explain("The formula gives {computed}, {months} months after {next}; the printed day is used.",
					crossprem.Val("computed", v.Computed), crossprem.Val("months", rolling.WindowMonths), crossprem.Val("next", next))
			}
			return withSources(f, v.row.Source)
		}
	case byPolicy != nil:
		v.SupportUntil, v.Basis = byPolicy.Effective, "policy"
		return func(f crossprem.Finding) crossprem.Finding {
			f = f.Explain(byPolicy.Text+" The day is {supportUntil}.", crossprem.Val("supportUntil", v.SupportUntil))
			if byPolicy.Conflict != "" {
				f = f.Explain("The documents disagree: " + byPolicy.Conflict + ".")
			}
			return withSources(f, byPolicy.Sources...)
		}
	case !v.Computed.IsZero():
		v.SupportUntil, v.Basis = v.Computed, "computed"
		return func(f crossprem.Finding) crossprem.Finding {
			f = f.Explain("No document prints an end of support; {supportUntil} is computed: {months} months after {next}, and not before {ruleFrom}.",
				crossprem.Val("supportUntil", v.Computed), crossprem.Val("months", rolling.WindowMonths), crossprem.Val("next", next), crossprem.Val("ruleFrom", rolling.Effective))
			return withSources(f, rolling.Sources...)
		}
	}
	return func(f crossprem.Finding) crossprem.Finding { return f }
}

var basisTexts = map[string]string{
	"documented-table":          "in the vendor's table of support",
	"documented-older-page":     "on an older state of the vendor's page",
	"documented-section":        "in the notes on the release",
	"third-party-transcription": "in a transcription of the vendor's page",
}

// rollingEnd sets Computed, and returns the rule and the version that came next.
func (v *verdict) rollingEnd() (*Policy, Version) {
	for i, p := range v.policies {
		if v.row == nil || v.row.Status != Released || p.Kind != RollingRetirement || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != crossprem.Yes {
			continue
		}
		for _, next := range v.c.Releases(v.Product) {
			if v.Version.Less(next.Version) && next.Status == Released && !next.Released.IsZero() && p.AppliesTo.Contains(next.Version, v.facts.Cloud) == crossprem.Yes {
				v.Computed = later(addMonths(next.Released, p.WindowMonths), p.Effective)
				return &v.policies[i], next.Version
			}
		}
	}
	return nil, Version{}
}

// firstUnsupported returns the first day without support, or zero.
func (v *verdict) firstUnsupported() time.Time {
	if v.SupportUntil.IsZero() || v.RetiredOnDay {
		return v.SupportUntil
	}
	return v.SupportUntil.AddDate(0, 0, 1)
}

// top is the highest number that the vendor gave.
func (v *verdict) top() Version {
	return v.newest(func(r *Release) bool { return r.Status != NeverReleased })
}

// listed reports whether the version was released, withdrawn or not.
func (v *verdict) listed() bool { return v.row != nil && v.row.Status != NeverReleased }

// endless reports whether the version is the newest, whose end of support
// cannot be known.
func (v *verdict) endless() bool {
	return v.listed() && v.SupportUntil.IsZero() && !v.Version.Less(v.Latest)
}

func (v *verdict) support() {
	explain := v.supportEnd()
	first := v.firstUnsupported()
	switch {
	case v.listed() && v.row.Status == Recalled:
		v.Support = WasRecalled // a finding of recalls
	case v.listed() && v.row.Released.After(v.At):
		v.add(v.fromProduct(v.unknown(ruleSupportUnknown, "").
			Explain("{version} was not released yet: it came out on {released}.", crossprem.Val("version", v.Version), crossprem.Val("released", v.row.released()))))
	case !first.IsZero() && !v.At.Before(first):
		v.Support = Retired
		f := v.failed(ruleRetired).Explain("{version} is installed.", crossprem.Val("version", v.Version))
		v.add(explain(v.fromProduct(f)).DueOn(v.SupportUntil, v.At).WithRemedy(v.upgradeTo()))
	case v.top().Less(v.Version):
		v.Support = NewerThanData
		v.add(v.fromProduct(v.unknown(ruleNewerThanData, "").
			Explain("{version} is installed; the highest build known is {highest}, as of {asOf}. Rules for ranges of versions were applied, nothing else.",
				crossprem.Val("version", v.Version), crossprem.Val("highest", v.top()), crossprem.Val("asOf", v.AsOf))))
	case !v.listed():
		v.Support = Unlisted
		f := v.unknown(ruleUnlisted, "").Explain("{version} is installed.", crossprem.Val("version", v.Version))
		if v.row == nil && v.c.find(v.Product, v.Version, "") != nil {
			f = f.Explain("The vendor lists it for other roles alone.")
		}
		f = f.Explain("Builds that are pushed automatically are often not listed. Rules for ranges of versions were applied, nothing else.")
		v.add(explain(v.fromProduct(f)))
	case v.Version.Less(v.Latest):
		v.Support = Outdated
		f := v.failed(ruleOutdated).WithRemedy(v.upgradeTo()).
			Explain("{version} is installed, and the newest release is {latest}.", crossprem.Val("version", v.Version), crossprem.Val("latest", v.Latest))
		if v.SupportUntil.IsZero() {
			f = withSources(f, v.row.Source).AtMost(crossprem.Info).
				Explain("No document prints an end of support ({servicing}).", crossprem.Val("servicing", v.c.products[v.Product].support))
			if v.Product == HealthAgent && v.facts.HealthRole == "" {
				f = f.Explain("The role of this agent is not known; numbers of all roles were compared.")
			}
		}
		v.add(explain(v.fromProduct(f)).DueOn(v.SupportUntil, v.At))
	case v.endless() && v.At.After(v.horizon()):
		v.add(v.fromProduct(v.unknown(ruleSupportUnknown, "").
			Explain("{version} is the newest release as of {asOf}. Whatever came next, it is supported until {horizon}.",
				crossprem.Val("version", v.Version), crossprem.Val("asOf", v.AsOf), crossprem.Val("horizon", v.horizon()))))
	default:
		v.Support = Supported
		f := v.passed(ruleOutdated).Explain("{version} is installed, and no release of a higher number was known on that day, as of {asOf}.",
			crossprem.Val("version", v.Version), crossprem.Val("asOf", v.AsOf))
		v.add(withSources(v.fromProduct(f), v.row.Source))
	}
}

// horizon is the day until which the newest release is supported whatever
// comes next: a release on the day after AsOf would leave it that long.
func (v *verdict) horizon() time.Time {
	for _, p := range v.policies {
		if p.Kind == RollingRetirement {
			return addMonths(v.AsOf, p.WindowMonths)
		}
	}
	return addMonths(v.AsOf, 12)
}

// released returns the day, or the month, of a release.
func (r *Release) released() string {
	switch {
	case r.Released.IsZero():
		return "an unknown day"
	case r.MonthOnly:
		return r.Released.Format("2006-01")
	}
	return r.Released.Format(time.DateOnly)
}

func (v *verdict) stale() {
	if v.At.Sub(v.AsOf) > v.StaleAfter {
		v.add(v.fromProduct(v.unknown(ruleStale, "").
			Explain("The table was last compared with its sources on {asOf}. What was released or announced since is not in it.", crossprem.Val("asOf", v.AsOf)).
			WithRemedy(ruleStale.Remedy)))
	}
}
