package connectversion

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// An Assessment is everything that applies to one version of one product on
// one day. It is a plain value.
type Assessment struct {
	Product Product
	Version Version
	At      time.Time // the day judged for: midnight UTC
	AsOf    time.Time // when the table was last compared with its sources

	Support Support

	// SupportUntil is the last supported day, or zero if it is not known, and
	// Basis tells which of the two days below was used, or "policy".
	SupportUntil time.Time
	Basis        string    // "printed", "policy", "computed" or ""
	Printed      time.Time // the day that a document prints for this version
	Computed     time.Time // the day that the vendor's formula gives

	Latest Version // the newest release on that day, or zero

	// Stopped names the hard cut-offs in force, and Upcoming those, and the
	// announced deprecations, that will come into force later. Where a fact
	// decides whether a cut-off hits, and is not known, its finding is Unknown:
	// such a cut-off is in Upcoming, for its day has to be met prepared, but
	// never in Stopped.
	Stopped  []string
	Upcoming []Upcoming

	// MissingSecurityFixes are the later releases, up to that day, that the
	// vendor calls a security fix or update.
	MissingSecurityFixes []Version

	// Findings are the verdicts on all axes, worst first: failed ones by
	// severity and day, then those that could not be evaluated, then the rest.
	Findings []crossprem.Finding

	rules *Catalogue // for On; nil means the embedded one
}

// Upcoming is a rule that will come into force, and hits this version unless
// its finding is Unknown: then it may.
type Upcoming struct {
	Rule string
	Date time.Time
}

// A Support is the state of support. In text and JSON it is one of
// "supported", "outdated", "retired", "unlisted", "newer-than-data",
// "recalled" and "unknown".
type Support uint8

const (
	SupportUnknown Support = iota
	Supported              // the newest release
	Outdated               // superseded, and not known to be out of support
	Retired                // out of support
	Unlisted               // between listed builds; only rules for ranges were applied
	NewerThanData          // above every listed build
	WasRecalled            // withdrawn by the vendor
)

var supportNames = [...]string{"unknown", "supported", "outdated", "retired", "unlisted", "newer-than-data", "recalled"}

// String returns a name such as "newer-than-data".
func (s Support) String() string {
	if int(s) < len(supportNames) {
		return supportNames[s]
	}
	return fmt.Sprintf("Support(%d)", uint8(s))
}

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Support) MarshalText() ([]byte, error) {
	if int(s) >= len(supportNames) {
		return nil, fmt.Errorf("connectversion: no such state of support: %d", uint8(s))
	}
	return []byte(supportNames[s]), nil
}

// MarshalJSON writes
//
//	{"product","version","at","support","supportUntil","stopped":[rule],
//	 "upcoming":[{"rule","date"}],"missingSecurityFixes":[version],"findings":[…]}
//
// with days as "2026-11-22" and an unknown supportUntil as null.
func (a Assessment) MarshalJSON() ([]byte, error) {
	type upcoming struct {
		Rule string `json:"rule"`
		Date string `json:"date"`
	}
	out := struct {
		Product              Product             `json:"product"`
		Version              Version             `json:"version"`
		At                   string              `json:"at"`
		Support              Support             `json:"support"`
		SupportUntil         *string             `json:"supportUntil"`
		Stopped              []string            `json:"stopped"`
		Upcoming             []upcoming          `json:"upcoming"`
		MissingSecurityFixes []Version           `json:"missingSecurityFixes"`
		Findings             []crossprem.Finding `json:"findings"`
	}{a.Product, a.Version, a.At.Format(time.DateOnly), a.Support, nil,
		append([]string{}, a.Stopped...), []upcoming{},
		append([]Version{}, a.MissingSecurityFixes...), append([]crossprem.Finding{}, a.Findings...)}
	if !a.SupportUntil.IsZero() {
		until := a.SupportUntil.Format(time.DateOnly)
		out.SupportUntil = &until
	}
	for _, u := range a.Upcoming {
		out.Upcoming = append(out.Upcoming, upcoming{u.Rule, u.Date.Format(time.DateOnly)})
	}
	return json.Marshal(out)
}

// On returns the findings on one axis, worst first.
func (a Assessment) On(axis Axis) []crossprem.Finding {
	rules := a.rules
	if rules == nil {
		rules = Embedded()
	}
	var on []crossprem.Finding
	for _, f := range a.Findings {
		if rules.AxisOf(f.Rule) == axis {
			on = append(on, f)
		}
	}
	return on
}

// DaysLeft returns the number of days from the day judged for to due: 0 on the
// day itself, negative afterwards.
func (a Assessment) DaysLeft(due time.Time) int {
	return int((day(due).Unix() - a.At.Unix()) / (24 * 60 * 60)) // a Duration ends after 292 years
}

// A Judge holds the settings of a verdict. The zero value is ready to use, and
// one Judge may serve many goroutines.
type Judge struct {
	// Catalogue is what to judge by. If nil, the embedded one.
	Catalogue *Catalogue

	// RetiredOnDay takes the printed end of support as the first day without
	// support. The documents do not tell; by default it is the last day with it.
	RetiredOnDay bool

	// WarnBefore is how long before its day a cut-off or an end of support
	// becomes a warning. If zero, 180 days.
	WarnBefore time.Duration

	// StaleAfter is how old the table may be before silence in it is pointed
	// out. If zero, 30 days.
	StaleAfter time.Duration
}

// Assess judges with the settings of the zero [Judge] and the embedded
// catalogue.
func Assess(product Product, version Version, at time.Time, facts Facts) Assessment {
	return new(Judge).Assess(product, version, at, facts)
}

// Assess returns all that applies to version of product on the day at, whose
// date is taken in its own time zone. Releases made after that day do not
// count; rules that were announced later do, as far as the catalogue knows
// them: the verdict for a day in 2020 lists the cut-offs of 2023 as upcoming.
func (j *Judge) Assess(product Product, version Version, at time.Time, facts Facts) Assessment {
	v := verdict{
		Judge: *j, c: j.Catalogue, facts: facts,
		Assessment: Assessment{Product: product, Version: version, At: day(at)},
	}
	if v.c == nil {
		v.c = Embedded()
	}
	v.WarnBefore = cmp.Or(v.WarnBefore, 180*24*time.Hour)
	v.StaleAfter = cmp.Or(v.StaleAfter, 30*24*time.Hour)
	v.rules = j.Catalogue
	v.AsOf = v.c.AsOf(product)
	if len(v.c.Releases(product)) == 0 || version.IsZero() {
		v.add(crossprem.Finding{Rule: ruleSupportUnknown, Detail: "There is no version, or no table for this product, to judge by."})
		return v.Assessment
	}
	v.row = v.c.find(product, version, facts.HealthRole)
	v.policies = v.c.Policies(product)
	v.Latest = v.newest(func(r *Release) bool { return r.outBy(v.At) && v.concerns(r) })
	v.support()
	v.stale()
	v.cutoffs()
	v.security()
	v.recalls()
	v.autoUpgrade()
	v.prerequisites()
	v.features()
	slices.SortStableFunc(v.Findings, worstFirst)
	slices.Sort(v.Stopped)
	slices.SortStableFunc(v.Upcoming, func(a, b Upcoming) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Rule, b.Rule))
	})
	return v.Assessment
}

// worstFirst orders failed findings before unknown ones and those before
// passed ones; then by severity, day and rule.
func worstFirst(a, b crossprem.Finding) int {
	rank := [...]int{crossprem.Failed: 0, crossprem.Unknown: 1, crossprem.Passed: 2}
	if n := cmp.Or(cmp.Compare(rank[a.Status], rank[b.Status]), cmp.Compare(b.Severity, a.Severity)); n != 0 {
		return n
	}
	switch { // a day before none
	case a.Due.IsZero() && !b.Due.IsZero():
		return 1
	case b.Due.IsZero() && !a.Due.IsZero():
		return -1
	}
	return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Rule, b.Rule))
}

// verdict is an Assessment in the making.
type verdict struct {
	Judge
	Assessment
	c        *Catalogue
	facts    Facts
	row      *Release // nil if the version is not listed
	policies []Policy
}

// day returns midnight UTC of the date that t has in its own time zone.
func day(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// addMonths keeps to the month's last day where the day does not exist:
// a year after 29 February is 28 February.
func addMonths(t time.Time, n int) time.Time {
	sum := t.AddDate(0, n, 0)
	if sum.Day() != t.Day() {
		sum = sum.AddDate(0, 0, -sum.Day())
	}
	return sum
}

// outBy tells whether r was out, and not withdrawn, on the day at.
func (r *Release) outBy(at time.Time) bool {
	return r.Status == Released && !r.Released.IsZero() && !r.Released.After(at)
}

// concerns tells whether r is for the role of this Health agent, as far as the
// role is known.
func (v *verdict) concerns(r *Release) bool {
	return v.facts.HealthRole == "" || len(r.Roles) == 0 || slices.Contains(r.Roles, v.facts.HealthRole)
}

// newest returns the highest version of those that keep holds, or zero.
func (v *verdict) newest(keep func(*Release) bool) Version {
	rows := v.c.Releases(v.Product)
	for i := len(rows) - 1; i >= 0; i-- {
		if keep(&rows[i]) {
			return rows[i].Version
		}
	}
	return Version{}
}

// add completes f from its rule and appends it. A policy's finding passes it
// on, for its text and sources.
func (v *verdict) add(f crossprem.Finding, from ...Policy) {
	if f.Subject == "" {
		f.Subject = cmp.Or(v.facts.Server, v.Product.Title()+" "+v.Version.String())
	}
	if rule, ok := ownRules[f.Rule]; ok {
		f.Title = cmp.Or(f.Title, rule.Title)
		f.Sources = slices.Concat(f.Sources, rule.Sources)
	}
	for _, p := range from {
		f.Title = cmp.Or(f.Title, p.Text)
		f.Sources = slices.Concat(f.Sources, p.Sources)
		if p.Conflict != "" {
			f.Detail = sentence(f.Detail, "The documents disagree: "+p.Conflict+".")
		}
	}
	v.Findings = append(v.Findings, f)
}

// sentence joins what is not empty with spaces.
func sentence(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// when tells a day and how far it is.
func (v *verdict) when(t time.Time) string {
	switch n := v.DaysLeft(t); {
	case n == 0:
		return t.Format(time.DateOnly) + " (today)"
	case n == 1 || n == -1:
		return fmt.Sprintf("%s (1 day %s)", t.Format(time.DateOnly), map[int]string{1: "left", -1: "ago"}[n])
	case n > 0:
		return fmt.Sprintf("%s (%d days left)", t.Format(time.DateOnly), n)
	default:
		return fmt.Sprintf("%s (%d days ago)", t.Format(time.DateOnly), -n)
	}
}

// soon tells whether t is near enough to be a warning.
func (v *verdict) soon(t time.Time) bool { return !t.IsZero() && t.Sub(v.At) <= v.WarnBefore }

func (v *verdict) upgradeTo() string {
	if v.Latest.IsZero() || !v.Version.Less(v.Latest) {
		return ""
	}
	text := "Upgrade to " + v.Latest.String() + "."
	for _, p := range v.policies {
		if p.Kind == Distribution && p.AppliesTo.Contains(v.Latest, v.facts.Cloud) == Yes {
			text += " " + p.Text
		}
	}
	return text
}

// supportEnd sets SupportUntil and tells where it comes from.
func (v *verdict) supportEnd() (detail string, sources []string) {
	var byPolicy *Policy
	for i, p := range v.policies {
		if p.Kind == Retirement && p.SupersededBy == "" && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == Yes &&
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
		detail = fmt.Sprintf("The day is printed %s.", basisTexts[v.row.RetiredBasis])
		if !v.row.RetiredEarlier.IsZero() {
			detail += fmt.Sprintf(" It was %s before.", v.row.RetiredEarlier.Format(time.DateOnly))
		}
		if !v.Computed.IsZero() && !v.Computed.Equal(v.Printed) {
			detail += fmt.Sprintf(" The formula gives %s, %d months after %s; the printed day is used.",
				v.Computed.Format(time.DateOnly), rolling.WindowMonths, next)
		}
		sources = []string{v.row.Source}
	case byPolicy != nil:
		v.SupportUntil, v.Basis = byPolicy.Effective, "policy"
		detail, sources = byPolicy.Text, byPolicy.Sources
		if byPolicy.Conflict != "" {
			detail += " The documents disagree: " + byPolicy.Conflict + "."
		}
	case !v.Computed.IsZero():
		v.SupportUntil, v.Basis = v.Computed, "computed"
		detail = fmt.Sprintf("No document prints a day; it is computed: %d months after %s, and not before %s.",
			rolling.WindowMonths, next, rolling.Effective.Format(time.DateOnly))
		sources = rolling.Sources
	}
	return detail, sources
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
		if v.row == nil || v.row.Status != Released || p.Kind != RollingRetirement || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != Yes {
			continue
		}
		for _, next := range v.c.Releases(v.Product) {
			if v.Version.Less(next.Version) && next.Status == Released && !next.Released.IsZero() && p.AppliesTo.Contains(next.Version, v.facts.Cloud) == Yes {
				v.Computed = addMonths(next.Released, p.WindowMonths)
				if v.Computed.Before(p.Effective) {
					v.Computed = p.Effective
				}
				return &v.policies[i], next.Version
			}
		}
	}
	return nil, Version{}
}

func (v *verdict) support() {
	detail, sources := v.supportEnd()
	f := crossprem.Finding{Detail: detail, Sources: sources, Due: v.SupportUntil}
	retired := !v.SupportUntil.IsZero() && (v.At.After(v.SupportUntil) || v.RetiredOnDay && v.At.Equal(v.SupportUntil))
	top := v.newest(func(r *Release) bool { return r.Status != NeverReleased })
	listed := v.row != nil && v.row.Status != NeverReleased
	switch {
	case listed && v.row.Status == Recalled:
		v.Support = WasRecalled // a finding of recalls
		return
	case listed && v.row.Released.After(v.At):
		f.Rule, f.Status = ruleSupportUnknown, crossprem.Unknown
		f.Title = v.Version.String() + " was not released yet"
		f.Detail = "It came out on " + v.row.released() + "."
		f.Due = time.Time{}
	case retired:
		v.Support = Retired
		f.Rule, f.Status, f.Severity = ruleRetired, crossprem.Failed, crossprem.Warning
		f.Title = fmt.Sprintf("%s has been out of support since %s", v.Version, v.when(v.SupportUntil))
		f.Remedy = v.upgradeTo()
	case top.Less(v.Version):
		v.Support = NewerThanData
		f.Rule, f.Status = ruleNewerThanData, crossprem.Unknown
		f.Title = v.Version.String() + " is newer than the catalogue"
		f.Detail = fmt.Sprintf("The highest build known is %s, as of %s. Rules for ranges of versions were applied, nothing else.", top, v.AsOf.Format(time.DateOnly))
	case !listed:
		v.Support = Unlisted
		f.Rule, f.Status = ruleUnlisted, crossprem.Unknown
		f.Title = v.Version.String() + " is not listed by the vendor"
		if v.row == nil && v.c.find(v.Product, v.Version, "") != nil {
			f.Title = v.Version.String() + " is listed by the vendor for other roles alone"
		}
		f.Detail = sentence("Builds that are pushed automatically are often not listed. Rules for ranges of versions were applied, nothing else.", detail)
	case v.Version.Less(v.Latest):
		v.Support = Outdated
		f.Rule, f.Status, f.Severity, f.Remedy = ruleOutdated, crossprem.Failed, crossprem.Info, v.upgradeTo()
		f.Title = fmt.Sprintf("%s is superseded: the newest release is %s", v.Version, v.Latest)
		if v.SupportUntil.IsZero() {
			f.Detail = fmt.Sprintf("No document prints an end of support (%s).", v.c.products[v.Product].support)
			f.Sources = []string{v.row.Source}
			if v.Product == HealthAgent && v.facts.HealthRole == "" {
				f.Detail += " The role of this agent is not known; numbers of all roles were compared."
			}
		} else {
			f.Title += "; support ends " + v.when(v.SupportUntil)
			if v.soon(v.SupportUntil) {
				f.Severity = crossprem.Warning
			}
		}
	case v.SupportUntil.IsZero() && v.At.After(v.horizon()):
		f.Rule, f.Status = ruleSupportUnknown, crossprem.Unknown
		f.Title = fmt.Sprintf("Nobody can know whether %s is supported then", v.Version)
		f.Detail = fmt.Sprintf("It is the newest release as of %s. Whatever came next, it is supported until %s.", v.AsOf.Format(time.DateOnly), v.horizon().Format(time.DateOnly))
	default:
		v.Support = Supported
		f.Rule, f.Status, f.Sources = ruleOutdated, crossprem.Passed, []string{v.row.Source}
		f.Title = fmt.Sprintf("%s is the newest release", v.Version)
		if v.At.After(v.AsOf) {
			f.Title += " as of " + v.AsOf.Format(time.DateOnly)
		}
	}
	v.add(f)
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

// released tells the day, or the month, of a release.
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
	if age := v.At.Sub(v.AsOf); age > v.StaleAfter {
		v.add(crossprem.Finding{Rule: ruleStale, Status: crossprem.Unknown,
			Detail: fmt.Sprintf("The table was last compared with its sources on %s, %d days earlier. What was released or announced since is not in it.",
				v.AsOf.Format(time.DateOnly), -v.DaysLeft(v.AsOf)),
			Remedy: "Take a newer release of this library, or load newer data."})
	}
}

func (v *verdict) cutoffs() {
	for _, p := range v.policies {
		switch p.Kind {
		case HardCutoff:
			v.cutoff(p)
		case RollingDeprecation:
			v.deprecation(p)
		}
	}
}

func (v *verdict) cutoff(p Policy) {
	hit, why := p.AppliesTo.Contains(v.Version, v.facts.Cloud), ""
	switch {
	case hit == NotKnown:
		why = fmt.Sprintf("The minimum is %s in the commercial cloud and %s elsewhere, and the cloud is not known.", p.AppliesTo.Below, p.AppliesTo.BelowOtherClouds)
	case hit == No && p.Requires.ApplicationAuthentication:
		switch v.facts.Authentication {
		case ServiceAccount:
			hit, why = Yes, "The server signs in with a service account."
		case UnknownAuthentication:
			hit, why = NotKnown, "The version is high enough, but how the server signs in to Entra ID is not known; look at ConnectorIdentityType in Get-ADSyncEntraConnectorCredential."
		}
	case hit == Yes && p.Component != "" && v.facts.Component != p.Component:
		if v.facts.Component != "" {
			return // the rule does not speak of this component
		}
		hit, why = NotKnown, "It concerns the "+p.Component+" alone, and which component this is, is not known."
	}
	if p.Effect == SyncStops && v.facts.Staging == Yes {
		why = sentence(why, "The server is in staging mode: nothing will show until it has to take over.")
	}
	f := crossprem.Finding{Rule: p.ID, Due: p.Effective, Severity: crossprem.Warning, Detail: sentence(p.Text, why), Remedy: v.cutoffRemedy(p)}
	inForce := !v.At.Before(p.Effective)
	if hit != No && !inForce {
		v.Upcoming = append(v.Upcoming, Upcoming{p.ID, p.Effective})
	}
	if p.Effect == SyncStops || p.Effect == DCAgentStops {
		f.Severity = crossprem.Critical
	}
	if !p.EffectiveEarlier.IsZero() {
		f.Detail = sentence(f.Detail, "It was to be "+p.EffectiveEarlier.Format(time.DateOnly)+" at first.")
	}
	switch hit {
	case Yes:
		f.Status = crossprem.Failed
		verb := "From "
		if inForce {
			v.Stopped = append(v.Stopped, p.ID)
			verb = "Since "
		} else {
			f.Severity = crossprem.Info
			if v.soon(p.Effective) {
				f.Severity = crossprem.Warning
			}
		}
		f.Title = verb + v.when(p.Effective) + ": " + effectTexts[p.Effect]
	case NotKnown:
		f.Title = "Perhaps from " + v.when(p.Effective) + ": " + effectTexts[p.Effect]
	case No:
		f.Status, f.Remedy = crossprem.Passed, ""
		f.Title = "Not hit on " + p.Effective.Format(time.DateOnly) + ": " + effectTexts[p.Effect]
	}
	v.add(f, p)
}

func (v *verdict) cutoffRemedy(p Policy) string {
	var steps []string
	if p.AppliesTo.Contains(v.Version, v.facts.Cloud) != No {
		switch {
		case !p.AppliesTo.Below.IsZero():
			steps = append(steps, fmt.Sprintf("Upgrade to %s or newer.", v.firstFrom(p.AppliesTo.Below)))
		default:
			steps = append(steps, v.upgradeTo())
		}
	}
	if p.Requires.ApplicationAuthentication && v.facts.Authentication != Application {
		steps = append(steps, "Set up application-based authentication (Add-EntraApplicationRegistration, or the wizard).")
	}
	return sentence(steps...)
}

// firstFrom returns the lowest release that is not below floor, or floor.
func (v *verdict) firstFrom(floor Version) Version {
	for _, r := range v.c.Releases(v.Product) {
		if r.Status == Released && !r.Version.Less(floor) {
			return r.Version
		}
	}
	return floor
}

// deprecation applies a rule such as "18 months after its own release", as
// long as the rule is not superseded.
func (v *verdict) deprecation(p Policy) {
	if v.row == nil || v.row.Status != Released || v.row.Released.IsZero() || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != Yes {
		return
	}
	due := addMonths(v.row.Released, p.WindowMonths)
	if due.Before(p.Effective) {
		due = p.Effective
	}
	if by := v.c.policy(p.SupersededBy); by != nil && (!due.Before(by.Effective) || !v.At.Before(by.Effective)) {
		return
	}
	f := crossprem.Finding{Rule: p.ID, Status: crossprem.Failed, Severity: crossprem.Info, Due: due, Remedy: v.upgradeTo(),
		Detail: sentence(p.Text, "It came out on "+v.row.released()+".")}
	if v.soon(due) {
		f.Severity = crossprem.Warning
	}
	if v.At.Before(due) {
		v.Upcoming = append(v.Upcoming, Upcoming{p.ID, due})
		f.Title = fmt.Sprintf("%s becomes deprecated with the first release after %s", v.Version, v.when(due))
	} else {
		f.Title = fmt.Sprintf("%s has been deprecated since %s", v.Version, v.when(due))
	}
	v.add(f, p)
}

func (v *verdict) security() {
	fixes := v.fixesAfter(v.Version)
	f := crossprem.Finding{Rule: ruleSecurity, Severity: crossprem.Warning, Status: crossprem.Passed,
		Title: "No later release is known to fix a weakness"}
	if len(fixes) > 0 {
		f.Status, f.Title, f.Remedy = crossprem.Failed, "Security fixes are missing: ", v.upgradeTo()
		var names []string
		for _, r := range fixes {
			v.MissingSecurityFixes = append(v.MissingSecurityFixes, r.Version)
			names = append(names, r.Version.String())
			line := fmt.Sprintf("%s (%s): %s", r.Version, r.released(), r.Note)
			if len(r.CVEs) > 0 {
				f.Severity = crossprem.Critical
				line += " " + strings.Join(r.CVEs, ", ") + "."
			}
			f.Detail = sentence(f.Detail, line)
			if !slices.Contains(f.Sources, r.Source) {
				f.Sources = append(f.Sources, r.Source)
			}
		}
		f.Title += strings.Join(names, ", ")
	} else if v.Support == NewerThanData {
		f.Status, f.Title = crossprem.Unknown, "Fixes in builds newer than the catalogue are not known"
	}
	v.add(f)
}

// fixesAfter returns the security fixes that a server on version w lacks on
// the day: higher in number, out by then, and later than w itself, for 1.6 and
// 2.0 were kept side by side.
func (v *verdict) fixesAfter(w Version) []Release {
	var since time.Time
	if row := v.c.find(v.Product, w, v.facts.HealthRole); row != nil {
		since = row.Released
	}
	var fixes []Release
	for _, r := range v.c.Releases(v.Product) {
		if r.SecurityFix && w.Less(r.Version) && r.outBy(v.At) && (since.IsZero() || r.Released.After(since)) &&
			v.concerns(&r) {
			fixes = append(fixes, r)
		}
	}
	return fixes
}

func (v *verdict) recalls() {
	for _, p := range v.policies {
		if p.Kind != Recall && p.Kind != Hold || p.AppliesTo.Contains(v.Version, v.facts.Cloud) != Yes || v.At.Before(p.Effective) {
			continue
		}
		f := crossprem.Finding{Rule: p.ID, Status: crossprem.Failed, Severity: crossprem.Warning, Due: p.Effective}
		if p.Kind == Recall {
			f.Severity = crossprem.Critical
		}
		if f.Remedy = v.upgradeTo(); f.Remedy == "" {
			f.Remedy = "Replace it with the newest release that is offered."
		}
		v.add(f, p)
	}
	if v.row == nil {
		return
	}
	if v.row.Status == NeverReleased {
		v.add(crossprem.Finding{Rule: ruleNeverReleased, Status: crossprem.Failed, Severity: crossprem.Warning,
			Detail: v.row.Note, Remedy: v.upgradeTo(), Sources: []string{v.row.Source}})
	}
	if len(v.row.KnownIssues) > 0 {
		v.add(crossprem.Finding{Rule: ruleKnownIssues, Status: crossprem.Failed, Severity: crossprem.Info,
			Title:  "Known issues: " + strings.Join(v.row.KnownIssues, ", "),
			Detail: v.row.Note, Sources: []string{v.row.Source}})
	}
}

// offered returns the newest release that automatic upgrade offers on the day.
func (v *verdict) offered() Version {
	return v.newest(func(r *Release) bool {
		return r.AutoUpgrade == Yes && r.outBy(v.At) && !v.At.Before(r.AutoUpgradeFrom) &&
			(r.AutoUpgradeUntil.IsZero() || !v.At.After(r.AutoUpgradeUntil))
	})
}

func (v *verdict) autoUpgrade() {
	if v.Product == PasswordProtection {
		v.autoUpgradeOfPasswordProtection()
		return
	}
	to := v.offered()
	can := v.automationCan(to)
	f := crossprem.Finding{Rule: ruleReach, Severity: crossprem.Warning}
	if v.Product == ConnectSync {
		f.Sources = []string{pageAutoUpgrade}
	} else if row := v.c.find(v.Product, to, ""); row != nil {
		f.Sources = []string{row.Source}
	}
	if to.IsZero() {
		f.Severity, f.Title = crossprem.Info, "Whether automation keeps this up to date is not known"
		f.Detail = "The documents tell of no release that was offered to automatic upgrade by then."
		v.add(f)
		return
	}
	if to.Less(v.Version) {
		to = v.Version
	}
	var left []string
	for _, p := range v.policies {
		if p.Kind == HardCutoff && p.Component == "" && v.soon(p.Effective) && p.AppliesTo.Contains(to, v.facts.Cloud) == Yes {
			left = append(left, p.ID)
		}
	}
	for _, r := range v.fixesAfter(to) {
		left = append(left, "the security fix "+r.Version.String())
	}
	switch {
	case can == No && v.Version.Less(v.Latest):
		f.Status = crossprem.Failed
		f.Title = "Automatic upgrade does not reach this server"
	case len(left) > 0:
		f.Status = crossprem.Failed
		f.Title = fmt.Sprintf("Automatic upgrade leaves the server on %s", to)
		f.Detail = fmt.Sprintf("It does not get past %s.", strings.Join(left, ", "))
	case to == v.Version:
		f.Status = crossprem.Passed
		f.Title = "Automatic upgrade has nothing newer to offer"
	case can == Yes:
		f.Status = crossprem.Passed
		f.Title = fmt.Sprintf("Automatic upgrade takes the server to %s", to)
	default:
		f.Title = fmt.Sprintf("Automatic upgrade would take the server to %s, if it is on", to)
		f.Detail = "Whether it is, is not known."
		if v.Product == ConnectSync {
			f.Detail += " Look at Get-ADSyncAutoUpgrade."
		}
	}
	if f.Status == crossprem.Failed {
		f.Remedy = v.upgradeTo()
	}
	v.add(f)
}

// automationCan tells whether automatic upgrade would bring this server to the
// release it offers, and adds findings on what keeps it from doing so.
func (v *verdict) automationCan(to Version) Answer {
	can := NotKnown
	if v.Product == ConnectSync {
		if v.facts.SchedulerStopped == Yes {
			v.add(crossprem.Finding{Rule: ruleScheduler, Status: crossprem.Failed, Severity: crossprem.Critical,
				Detail: "An upgrade suspends the scheduler, and one that was left half-way leaves it so.",
				Remedy: "Start the wizard and let it finish the upgrade."})
		}
		switch v.facts.AutoUpgrade {
		case AutoUpgradeEnabled:
			can = Yes
		case AutoUpgradeDisabled:
			can = No
			v.add(crossprem.Finding{Rule: ruleDisabled, Status: crossprem.Failed, Severity: crossprem.Warning,
				Remedy: "Set-ADSyncAutoUpgrade -AutoUpgradeState Enabled, or upgrade by hand."})
		case AutoUpgradeSuspended:
			can = No
			x := ExplainAutoUpgrade(v.facts.AutoUpgrade.String(), v.facts.AutoUpgradeDetail)
			v.add(crossprem.Finding{Rule: ruleSuspended, Status: crossprem.Failed, Severity: crossprem.Warning,
				Detail: x.Meaning, Remedy: x.Remedy})
		}
	}
	for _, p := range v.policies {
		if p.Kind == AutoUpgradePolicy && !v.At.Before(p.Effective) && v.skipped(p, to) {
			can = No
			v.add(crossprem.Finding{Rule: p.ID, Status: crossprem.Failed, Severity: crossprem.Warning, Remedy: "Upgrade by hand."}, p)
		}
	}
	return can
}

// skipped tells whether a policy keeps the server from being upgraded: because
// it is too old to be reached, or does not meet what the offered release asks.
func (v *verdict) skipped(p Policy, to Version) bool {
	if p.Requires == (Requirements{}) {
		return !p.AppliesTo.Below.IsZero() && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == Yes
	}
	return v.Version.Less(to) && p.AppliesTo.Contains(to, v.facts.Cloud) == Yes &&
		(p.Requires.UneditedConfig && v.facts.EditedConfig == Yes ||
			p.Requires.WindowsBuild != 0 && atLeast(v.facts.WindowsBuild, p.Requires.WindowsBuild) == No)
}

func (v *verdict) autoUpgradeOfPasswordProtection() {
	f := crossprem.Finding{Rule: ruleReach, Severity: crossprem.Info}
	if row := v.c.find(v.Product, v.Latest, ""); row != nil {
		f.Sources = []string{row.Source}
	}
	switch first := (Version{1, 2, 116, 0}); {
	case v.facts.Component == "dc-agent":
		f.Status, f.Title = crossprem.Failed, "A DC agent is never upgraded automatically"
		f.Remedy = v.upgradeTo()
		if f.Remedy == "" {
			f.Status = crossprem.Passed
		}
	case v.facts.Component == "":
		f.Title = "A proxy is upgraded automatically, a DC agent never; which this is, is not known"
	case v.Version.Less(first):
		f.Status, f.Title, f.Remedy = crossprem.Failed, "Proxies upgrade themselves only from "+first.String()+" on", v.upgradeTo()
	case v.facts.AutoUpgrade == AutoUpgradeEnabled:
		f.Status, f.Title = crossprem.Passed, "The Agent Updater keeps this proxy up to date"
	case v.facts.AutoUpgrade == AutoUpgradeDisabled:
		f.Status, f.Severity, f.Title = crossprem.Failed, crossprem.Warning, "Automatic upgrade of this proxy is switched off"
		f.Remedy = "Switch it on with Set-AzureADPasswordProtectionProxyConfiguration."
	default:
		f.Title = "Automatic upgrade of a proxy is on by default; whether it is here, is not known"
		f.Detail = "Look at Get-AzureADPasswordProtectionProxyConfiguration."
	}
	v.add(f)
}

// prerequisites judges what this version needs from the server. Where one
// requirement is stronger than another, only the stronger is judged.
func (v *verdict) prerequisites() {
	var apply []Policy
	dotNet := uint32(0)
	for _, p := range v.policies {
		if p.Kind == Prerequisite && !v.At.Before(p.Effective) && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == Yes &&
			(p.Component == "" || v.facts.Component == "" || p.Component == v.facts.Component) {
			apply = append(apply, p)
			dotNet = max(dotNet, p.Requires.DotNetRelease)
		}
	}
	for _, p := range apply {
		need := p.Requires
		f := crossprem.Finding{Rule: p.ID, Severity: crossprem.Warning}
		var met Answer
		switch {
		case p.Component != "" && v.facts.Component == "":
			f.Detail = "It concerns the " + p.Component + " alone, and which component this is, is not known."
		case need.DotNetRelease != 0:
			if need.DotNetRelease < dotNet {
				continue
			}
			met = atLeast(v.facts.DotNetRelease, need.DotNetRelease)
			f.Detail = fmt.Sprintf("Release under NDP\\v4\\Full must be %d or more; it is %s.", need.DotNetRelease, orUnknown(v.facts.DotNetRelease))
		case need.WindowsBuild != 0:
			met = atLeast(v.facts.WindowsBuild, need.WindowsBuild)
			f.Detail = fmt.Sprintf("CurrentBuildNumber must be %d or more; it is %s.", need.WindowsBuild, orUnknown(v.facts.WindowsBuild))
		case need.WindowsBuildBelow != 0:
			if v.facts.WindowsBuild != 0 {
				met = answer(v.facts.WindowsBuild < need.WindowsBuildBelow)
			}
			f.Detail = fmt.Sprintf("CurrentBuildNumber must be below %d; it is %s.", need.WindowsBuildBelow, orUnknown(v.facts.WindowsBuild))
		case need.TLS != "":
			met = v.facts.TLS12
			f.Detail = "TLS 1.2 may be used: " + met.String() + "."
		case need.TLSRegistry:
			met = v.facts.TLS12Explicit
			f.Detail = "Every registry value for TLS 1.2 is set: " + met.String() + "."
		}
		f.Status = map[Answer]crossprem.Status{Yes: crossprem.Passed, No: crossprem.Failed}[met]
		v.add(f, p)
	}
}

func atLeast(have, need uint32) Answer {
	if have == 0 {
		return NotKnown
	}
	return answer(have >= need)
}

func orUnknown(n uint32) string {
	if n == 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

// features tells what this version lacks that existed on the day.
func (v *verdict) features() {
	for _, p := range v.policies {
		if v.At.Before(p.Effective) {
			continue
		}
		f := crossprem.Finding{Rule: p.ID, Status: crossprem.Failed, Severity: crossprem.Info}
		switch p.Kind {
		case FeatureMinimum, FeatureChange:
			if p.AppliesTo.Contains(v.Version, v.facts.Cloud) == No {
				f.Title = map[Kind]string{FeatureMinimum: "Not in this version: ", FeatureChange: "Changed after this version: "}[p.Kind] + p.Text
				f.Detail = v.sinceDay(p)
				v.add(f, p)
			}
		case Recommendation:
			if p.AppliesTo.Contains(v.Version, v.facts.Cloud) == Yes {
				f.Detail, f.Remedy = v.sinceDay(p), v.upgradeTo()
				v.add(f, p)
			}
		}
	}
	if v.Product == ConnectSync {
		v.v2Endpoint()
	}
}

// sinceDay tells from when on a rule speaks of this version.
func (v *verdict) sinceDay(p Policy) string {
	if p.Effective.IsZero() {
		return fmt.Sprintf("This is %s.", v.Version)
	}
	return fmt.Sprintf("This is %s; the rule is from %s.", v.Version, p.Effective.Format(time.DateOnly))
}

func (v *verdict) v2Endpoint() {
	if v.facts.ImportAPI == 0 && v.facts.ExportAPI == 0 {
		return
	}
	x := ExplainV2Endpoint(v.Version, v.facts.ImportAPI, v.facts.ExportAPI)
	f := crossprem.Finding{Rule: ruleV2Endpoint, Severity: crossprem.Info, Title: x.Title, Detail: x.Meaning, Remedy: x.Remedy,
		Status: map[Answer]crossprem.Status{Yes: crossprem.Passed, No: crossprem.Failed}[x.On]}
	if v.row != nil && v.row.V2Endpoint == "only" || x.Only {
		f.Severity = crossprem.Warning
	}
	v.add(f)
}
