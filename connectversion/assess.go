package connectversion

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// An Assessment is everything that applies to one version of one product on
// one day. It is a plain value, and goes into JSON and comes back equal.
type Assessment struct {
	Product Product
	Version Version
	At      time.Time // the day judged for: midnight UTC
	AsOf    time.Time // when the table was last compared with its sources

	Support Support

	// SupportUntil is the last supported day, or zero if it is not known, and
	// Basis is which of the two days below was used, or "policy".
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

	// Findings are the verdicts on all axes, in the order of
	// [crossprem.WorstFirst]. Axes has the axis of each of their rules.
	Findings []crossprem.Finding
	Axes     map[string]Axis
}

// Upcoming is a rule that will come into force, and hits this version unless
// its finding is Unknown: then it may.
type Upcoming struct {
	Rule string
	Date time.Time // of a deprecation the day on which it came, if the catalogue knows it
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

var supportTexts = enum.Of[Support]("connectversion: state of support", "unknown", "supported", "outdated", "retired", "unlisted", "newer-than-data", "recalled")

// String returns a name such as "newer-than-data".
func (s Support) String() string { return supportTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Support) MarshalText() ([]byte, error) { return supportTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *Support) UnmarshalText(text []byte) error { return supportTexts.Unmarshal(s, text) }

// On returns the findings on one axis, worst first.
func (a Assessment) On(axis Axis) []crossprem.Finding {
	var on []crossprem.Finding
	for _, f := range a.Findings {
		if a.Axes[f.Rule] == axis {
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

// An Assessor holds the settings of a verdict. The zero value is ready to use,
// and one Assessor may serve many goroutines.
type Assessor struct {
	// Catalogue is what to judge by. If nil, the embedded one.
	Catalogue *Catalogue

	// RetiredOnDay takes the printed end of support as the first day without
	// support. The documents do not tell; by default it is the last day with it.
	RetiredOnDay bool

	// StaleAfter is how old the table may be before silence in it is pointed
	// out. If zero, 30 days.
	StaleAfter time.Duration
}

// Assess judges with the settings of the zero [Assessor] and the embedded
// catalogue.
func Assess(product Product, version Version, at time.Time, facts Facts) Assessment {
	return new(Assessor).Assess(product, version, at, facts)
}

// Assess returns all that applies to version of product on the day at, whose
// date is taken in its own time zone. Releases made after that day do not
// count; rules that were announced later do, as far as the catalogue knows
// them: the verdict for a day in 2020 lists the cut-offs of 2023 as upcoming.
//
// The subject of the findings is the server, or the product's title where no
// server is named; their part is the product, with the role or the component
// where there is one, such as "health-agent/sync".
func (a *Assessor) Assess(product Product, version Version, at time.Time, facts Facts) Assessment {
	v := a.verdict(product, version, at, facts)
	v.judge()
	return v.Assessment
}

// verdict is an Assessment in the making.
type verdict struct {
	Assessor
	Assessment
	c        *Catalogue
	facts    Facts
	row      *Release // nil if the version is not listed
	policies []Policy
	hits     []hit // what cut-offs and deprecations came to
}

// verdict gathers what verdicts and plans rest on.
func (a *Assessor) verdict(product Product, version Version, at time.Time, facts Facts) *verdict {
	v := &verdict{Assessor: *a, c: a.catalogue(), facts: facts,
		Assessment: Assessment{Product: product, Version: version, At: day(at), Axes: make(map[string]Axis)}}
	v.StaleAfter = cmp.Or(v.StaleAfter, 30*24*time.Hour)
	v.AsOf = v.c.AsOf(product)
	v.row = v.c.find(product, version, facts.HealthRole)
	v.policies = v.c.Policies(product)
	v.Latest = v.newest(func(r *Release) bool { return r.outBy(v.At) && v.concerns(r) })
	return v
}

func (a *Assessor) catalogue() *Catalogue {
	if a.Catalogue != nil {
		return a.Catalogue
	}
	return Embedded()
}

// judgeable reports whether there is a version, and a table to judge it by.
func (v *verdict) judgeable() bool {
	return len(v.c.Releases(v.Product)) > 0 && !v.Version.IsZero()
}

func (v *verdict) judge() {
	if !v.judgeable() {
		v.Latest = Version{}
		v.add(v.unknown(ruleSupportUnknown, "There is no version, or no table for this product, to judge by."))
		return
	}
	v.support()
	v.stale()
	v.cutoffs()
	v.security()
	v.recalls()
	v.faults()
	v.autoUpgrade()
	v.prerequisites()
	v.features()
	slices.SortStableFunc(v.Findings, crossprem.WorstFirst)
	slices.Sort(v.Stopped)
	slices.SortStableFunc(v.Upcoming, func(a, b Upcoming) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Rule, b.Rule))
	})
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

// later returns the later of two days.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// outBy reports whether r was out, and not withdrawn, on the day at.
func (r *Release) outBy(at time.Time) bool {
	return r.Status == Released && !r.Released.IsZero() && !r.Released.After(at)
}

// concerns reports whether r is for the role of this Health agent, as far as
// the role is known.
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

// The findings of this verdict, for the installation that it is about.

func (v *verdict) failed(r crossprem.Rule) crossprem.Finding {
	return r.Failed(v.subject()).WithPart(v.part())
}

func (v *verdict) passed(r crossprem.Rule) crossprem.Finding {
	return r.Passed(v.subject()).WithPart(v.part())
}

func (v *verdict) unknown(r crossprem.Rule, why string) crossprem.Finding {
	return r.Unknown(v.subject(), why).WithPart(v.part())
}

// cameOut returns the finding that r failed, passed, or is not known for
// want of a fact.
func (v *verdict) cameOut(r crossprem.Rule, failed crossprem.Answer) crossprem.Finding {
	switch failed {
	case crossprem.Yes:
		return v.failed(r)
	case crossprem.No:
		return v.passed(r)
	}
	return v.unknown(r, "")
}

func (v *verdict) subject() string { return cmp.Or(v.facts.Server, v.Product.Title()) }

func (v *verdict) part() string {
	component := v.facts.Component
	if v.Product == HealthAgent {
		component = v.facts.HealthRole
	} else if v.Product != PasswordProtection {
		component = ""
	}
	return partOf(v.Product, component)
}

// partOf names a product, and a component or role of it, such as
// "password-protection/proxy": several can be on one server.
func partOf(p Product, component string) string {
	if component == "" {
		return p.String()
	}
	return p.String() + "/" + component
}

// add appends f. A policy's finding passes it on, for its axis and for what
// the documents disagree about.
func (v *verdict) add(f crossprem.Finding, from ...Policy) {
	axis := ownAxes[f.Rule]
	for _, p := range from {
		axis = kindAxes[p.Kind]
		if p.Conflict != "" {
			f = f.Explain("The documents disagree: " + p.Conflict + ".")
		}
	}
	v.Axes[f.Rule] = axis
	v.Findings = append(v.Findings, f)
}

// withSources adds the documents that a finding rests on besides the rule's.
func withSources(f crossprem.Finding, sources ...string) crossprem.Finding {
	for _, s := range sources {
		if s != "" && !slices.Contains(f.Sources, s) {
			f.Sources = append(f.Sources, s)
		}
	}
	return f
}

// fromProduct replaces the pages of Connect Sync, which the rules name, with
// those of the product that is judged.
func (v *verdict) fromProduct(f crossprem.Finding) crossprem.Finding {
	if page := productPages[min(v.Product, products-1)]; v.Product != ConnectSync && v.Product < products && v.Product != UnknownProduct {
		f.Sources = []string{page}
	}
	return f
}

// sentence joins what is not empty with spaces.
func sentence(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// upgradeTo is the remedy that an upgrade to the newest release is.
func (v *verdict) upgradeTo() string {
	if v.Latest.IsZero() || !v.Version.Less(v.Latest) {
		return ""
	}
	text := "Upgrade to " + v.Latest.String() + "."
	for _, p := range v.policies {
		if p.Kind == Distribution && p.AppliesTo.Contains(v.Latest, v.facts.Cloud) == crossprem.Yes {
			text += " " + p.Text
		}
	}
	return text
}
