package connectversion

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

//go:generate go run ./update -data data -pages $CONNECTVERSION_PAGES

// AsOf is the day on which the embedded tables were last compared with their
// sources; the products' own days, which [Catalogue.AsOf] tells, are the same
// or a little later. A release made after AsOf is not in here.
const AsOf = "2026-09-28"

//go:embed data/*.json
var embedded embed.FS

// A Catalogue holds the releases of every product, and the vendor's policies.
// It is immutable and may serve many goroutines.
type Catalogue struct {
	products  [products]productTable
	policies  []Policy           // sorted by ID
	byProduct [products][]Policy // the same
}

type productTable struct {
	names    []string
	asOf     time.Time
	support  string
	sources  map[string]string
	releases []Release // sorted by version, then by role
}

// A Release is one row of the catalogue. Its slices are read-only.
type Release struct {
	Version Version

	// Released is the day of the release, or zero if no document states one.
	// If MonthOnly, the documents state only a month, and Released is its
	// first day.
	Released  time.Time
	MonthOnly bool

	Status ReleaseStatus

	// Retired is the last supported day that a document prints for this
	// release, or zero; RetiredBasis tells which kind of document, and
	// RetiredEarlier the day that was printed before it was moved.
	Retired        time.Time
	RetiredBasis   string
	RetiredEarlier time.Time

	// AutoUpgrade reports whether the release was offered to automatic upgrade.
	// AutoUpgradeImplied marks a "no" that is read from a status line which
	// says "download" and nothing more. From and Until, if known, bound the
	// days on which it was offered.
	AutoUpgrade        crossprem.Answer
	AutoUpgradeImplied bool
	AutoUpgradeFrom    time.Time
	AutoUpgradeUntil   time.Time

	SecurityFix bool     // the release notes call it a security fix or update
	CVEs        []string // those that the notes name
	Advisories  []string // the vendor's advisory numbers

	Brand           string   // if not the product's usual name
	Roles           []string // of a Health agent: "adds", "adfs", "sync"
	RolesAssumed    bool     // the notes name no role
	LimitedAudience bool     // select tenants only
	HoldAdvised     bool     // the vendor advised against installing it
	NoDownload      bool     // came by automatic upgrade alone
	V2Endpoint      string   // "opt-in", "default", "only" or "" where the notes say nothing
	Bundled         Version  // what it brings along, or what brings it
	KnownIssues     []string
	Conflict        string // where documents disagree
	Note            string // one line on what it brought
	Source          string // the document that lists it, by name
}

// A ReleaseStatus tells what became of a release.
type ReleaseStatus uint8

const (
	Released      ReleaseStatus = iota // came out, and was not withdrawn
	Recalled                           // withdrawn after it came out
	NeverReleased                      // numbered, but never shipped
)

var releaseStatusTexts = enum.Of[ReleaseStatus]("connectversion: release status", "released", "recalled", "never-released")

// String returns "released", "recalled" or "never-released".
func (s ReleaseStatus) String() string { return releaseStatusTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s ReleaseStatus) MarshalText() ([]byte, error) { return releaseStatusTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *ReleaseStatus) UnmarshalText(text []byte) error {
	return releaseStatusTexts.Unmarshal(s, text)
}

// A Kind tells how a [Policy] is applied.
type Kind string

const (
	HardCutoff         Kind = "hard-cutoff"         // from a day on, the service refuses a range of versions
	Retirement         Kind = "retirement"          // on a day, support for a range of versions ends
	RollingRetirement  Kind = "rolling-retirement"  // support ends a while after the next release
	RollingDeprecation Kind = "rolling-deprecation" // deprecated a while after the own release
	Recall             Kind = "recall"              // exactly these versions were withdrawn
	Hold               Kind = "hold"                // exactly these versions should not be installed
	AutoUpgradePolicy  Kind = "auto-upgrade"        // who is reached by automatic upgrade
	Prerequisite       Kind = "prerequisite"        // what a range of versions needs from the server
	FeatureMinimum     Kind = "feature-minimum"     // a feature that lower versions do not have
	FeatureChange      Kind = "feature"             // a feature that changes with a version
	Recommendation     Kind = "recommendation"      // advice without an effect of its own
	Servicing          Kind = "servicing"           // the lifecycle policy that the product follows
	Distribution       Kind = "distribution"        // where the installer can be had
	Fault              Kind = "fault"               // a range of versions has a fault that bites under a condition
	Announcement       Kind = "announcement"        // what is to come, on a day that each tenant is told; never a reason for a verdict
)

var kinds = []Kind{HardCutoff, Retirement, RollingRetirement, RollingDeprecation, Recall, Hold, AutoUpgradePolicy,
	Prerequisite, FeatureMinimum, FeatureChange, Recommendation, Servicing, Distribution, Fault, Announcement}

// The effects of hard cut-offs. They differ, and a failing wizard must not be
// reported as a stopped synchronisation.
const (
	SyncStops                 = "sync-stops"
	WizardSignInFails         = "wizard-signin-fails"
	WizardFederationTasksFail = "wizard-federation-tasks-fail"
	AlertsLost                = "alerts-lost"
	DCAgentStops              = "dc-agent-stops"
)

var effectTexts = map[string]string{
	SyncStops:                 "synchronisation stops",
	WizardSignInFails:         "signing in fails in the wizard; synchronisation goes on",
	WizardFederationTasksFail: "AD FS and PingFederate tasks fail in the wizard; synchronisation goes on",
	AlertsLost:                "alerts are lost",
	DCAgentStops:              "the DC agent stops validating passwords",
}

// A Policy is one of the vendor's rules. Its slices are read-only.
type Policy struct {
	ID      string
	Product Product
	Kind    Kind

	// Effective is the day from which the rule holds, or zero if no document
	// states one. EffectiveBasis tells where the day comes from if it is not
	// printed, EffectiveEarlier the day that was printed before it was moved.
	Effective        time.Time
	EffectiveBasis   string
	EffectiveEarlier time.Time

	// AppliesTo is the range of versions that the rule speaks of: those that
	// are refused, that end, or that need or have something.
	AppliesTo Range

	// Component is "dc-agent" if the rule speaks of that part of Password
	// Protection alone.
	Component string

	Effect       string // of a hard cut-off: one of the constants such as SyncStops
	Requires     Requirements
	WindowMonths int    // of the rolling kinds
	SupersededBy string // the ID of the rule that took its place
	Replaces     string // the ID of the rule whose announcement it replaced
	Text         string // the rule in one or two sentences

	// Title and PassedTitle are those of findings: what it means that the
	// rule hits, and that it does not. A catalogue that was loaded without
	// them gets some that are made of the kind and the ID.
	Title, PassedTitle string

	Conflict   string // where documents disagree
	Sources    []string
	SourceDate time.Time // when the document was last changed, or zero

	rule crossprem.Rule // of its findings; zero if it is not judged
}

// A Range is a set of versions: the listed ones, or those that every bound
// which is not zero lets in. The zero Range holds every version.
type Range struct {
	Min, Max Version // both inclusive
	Below    Version // exclusive

	// BelowOtherClouds takes the place of Below in every cloud but worldwide.
	BelowOtherClouds Version

	Versions []Version
}

// Contains reports whether v is in r for a server in the given cloud. If the
// cloud is not known and makes the difference, the answer is unknown.
func (r Range) Contains(v Version, cloud crossprem.Cloud) crossprem.Answer {
	if len(r.Versions) > 0 {
		return crossprem.AnswerOf(slices.Contains(r.Versions, v))
	}
	if !r.Min.IsZero() && v.Less(r.Min) || !r.Max.IsZero() && r.Max.Less(v) {
		return crossprem.No
	}
	in, inOther := r.Below.IsZero() || v.Less(r.Below), r.BelowOtherClouds.IsZero() || v.Less(r.BelowOtherClouds)
	switch {
	case r.BelowOtherClouds.IsZero() || cloud == crossprem.Worldwide || in == inOther:
		return crossprem.AnswerOf(in)
	case cloud == crossprem.CloudUnknown:
		return crossprem.AnswerUnknown
	}
	return crossprem.AnswerOf(inOther)
}

// Requirements are what a [Prerequisite] or a [HardCutoff] asks for besides
// the version, the condition under which a [Fault] bites, and what an [AutoUpgradePolicy] asks of a server that is to be
// upgraded to a version in the range. Zero fields ask for nothing.
type Requirements struct {
	DotNetRelease             uint32 // the Release value of .NET Framework 4, at least
	WindowsBuild              uint32 // the build number of Windows Server, at least
	WindowsBuildBelow         uint32 // the build number of Windows Server, below
	TLS                       string // "1.2": the server must be able to speak it
	TLSRegistry               bool   // the installer looks for explicit registry values
	ApplicationAuthentication bool   // Get-ADSyncEntraConnectorCredential must say "Application"
	UneditedConfig            bool   // miiserver.exe.config and miisclient.exe.config must be as installed
}

var builtin = sync.OnceValue(func() *Catalogue {
	data, err := fs.Sub(embedded, "data")
	if err == nil {
		var c *Catalogue
		if c, err = LoadCatalogue(data); err == nil {
			return c
		}
	}
	panic(fmt.Sprintf("connectversion: the embedded catalogue: %v", err)) // a test reads it
})

// Embedded returns the catalogue that came with this package. It is read when
// first asked for.
func Embedded() *Catalogue { return builtin() }

// LoadCatalogue reads a catalogue from files laid out like this package's
// data folder: one JSON file for each product, named after it, and
// policies.json. With a folder of one's own, os.DirFS(folder), a program takes
// newer data without a newer module.
//
// Every rule that holds for the embedded tables is checked: unknown fields,
// versions out of order or twice, a retirement before the release, a policy
// that names nothing. The first one broken is the error; it names the file and
// the row. A product without a file has no releases.
func LoadCatalogue(fsys fs.FS) (*Catalogue, error) {
	c := new(Catalogue)
	found := 0
	for _, p := range Products() {
		var raw productJSON
		name := p.String() + ".json"
		switch err := readJSON(fsys, name, &raw); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		}
		found++
		t, err := raw.table(p)
		if err != nil {
			return nil, fmt.Errorf("connectversion: %s: %w", name, err)
		}
		c.products[p] = t
	}
	if found == 0 {
		return nil, errors.New("connectversion: no file of any product, such as connect-sync.json")
	}
	var raw policiesJSON
	if err := readJSON(fsys, "policies.json", &raw); err != nil {
		return nil, err
	}
	if _, err := time.Parse(time.DateOnly, raw.AsOf); err != nil {
		return nil, fmt.Errorf("connectversion: policies.json: asOf is %.40q, and not a day", raw.AsOf)
	}
	for _, row := range raw.Policies {
		p, err := row.policy()
		if err != nil {
			return nil, fmt.Errorf("connectversion: policies.json: %.60q: %w", row.ID, err)
		}
		if n := len(c.policies); n > 0 && c.policies[n-1].ID >= p.ID {
			return nil, fmt.Errorf("connectversion: policies.json: %.60q: not sorted, or twice", row.ID)
		}
		c.policies = append(c.policies, p)
	}
	if err := c.entitle(); err != nil {
		return nil, err
	}
	for _, p := range c.policies {
		for _, other := range []string{p.SupersededBy, p.Replaces} {
			if other != "" && (other == p.ID || c.policy(other) == nil) {
				return nil, fmt.Errorf("connectversion: policies.json: %.60q: names %.60q, which is not there, or is itself", p.ID, other)
			}
		}
	}
	return c, nil
}

const (
	maxCatalogueFile = 4 << 20
	maxRows          = 10_000
)

func readJSON(fsys fs.FS, name string, into any) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("connectversion: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCatalogueFile+1))
	if err != nil {
		return fmt.Errorf("connectversion: %s: %w", name, err)
	}
	if len(text) > maxCatalogueFile {
		return fmt.Errorf("connectversion: %s: larger than %d bytes", name, maxCatalogueFile)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("connectversion: %s: at byte %d: %.200s", name, dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("connectversion: %s: at byte %d: more than one value", name, dec.InputOffset())
	}
	return nil
}

type productJSON struct {
	Product  Product       `json:"product"`
	Names    []string      `json:"names"`
	AsOf     string        `json:"asOf"`
	Support  string        `json:"support"`
	Sources  []sourceJSON  `json:"sources"`
	Releases []releaseJSON `json:"releases"`
}

type sourceJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Date string `json:"date"`
}

type releaseJSON struct {
	Version            Version  `json:"version"`
	Released           string   `json:"released"`
	Status             string   `json:"status"`
	Retired            string   `json:"retired"`
	RetiredBasis       string   `json:"retiredBasis"`
	RetiredEarlier     string   `json:"retiredEarlier"`
	AutoUpgrade        string   `json:"autoUpgrade"`
	AutoUpgradeImplied bool     `json:"autoUpgradeImplied"`
	AutoUpgradeFrom    string   `json:"autoUpgradeFrom"`
	AutoUpgradeUntil   string   `json:"autoUpgradeUntil"`
	SecurityFix        bool     `json:"securityFix"`
	CVEs               []string `json:"cves"`
	Advisories         []string `json:"advisories"`
	Brand              string   `json:"brand"`
	Roles              []string `json:"roles"`
	RolesAssumed       bool     `json:"rolesAssumed"`
	LimitedAudience    bool     `json:"limitedAudience"`
	HoldAdvised        bool     `json:"holdAdvised"`
	NoDownload         bool     `json:"noDownload"`
	V2Endpoint         string   `json:"v2Endpoint"`
	Bundled            Version  `json:"bundled"`
	KnownIssues        []string `json:"knownIssues"`
	Conflict           string   `json:"conflict"`
	Note               string   `json:"note"`
	Source             string   `json:"source"`
}

// dates reads several dates, of which the first bad one is remembered.
type dates struct{ err error }

// day reads "2026-09-23", or nothing.
func (d *dates) day(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 2000 {
		err = fmt.Errorf("%.40q is not a day of these products, such as 2026-09-23", text)
	}
	d.err = cmp.Or(d.err, err)
	return t
}

// dayOrMonth also reads "2026-09".
func (d *dates) dayOrMonth(text string) (t time.Time, month bool) {
	if len(text) == len("2006-01") {
		return d.day(text + "-01"), true
	}
	return d.day(text), false
}

func (raw *productJSON) table(p Product) (productTable, error) {
	var d dates
	t := productTable{names: raw.Names, asOf: d.day(raw.AsOf), support: raw.Support, sources: make(map[string]string)}
	switch {
	case d.err != nil:
		return t, d.err
	case raw.Product != p:
		return t, fmt.Errorf("is of product %s", raw.Product)
	case t.asOf.IsZero():
		return t, errors.New("has no asOf")
	case len(raw.Releases) == 0 || len(raw.Releases) > maxRows:
		return t, fmt.Errorf("has %d releases", len(raw.Releases))
	}
	for _, s := range raw.Sources {
		if s.ID == "" || s.Name == "" || t.sources[s.ID] != "" {
			return t, fmt.Errorf("source %q: no name, or twice", s.ID)
		}
		t.sources[s.ID] = s.Name
		if s.Date != "" {
			t.sources[s.ID] += " (" + s.Date + ")"
		}
	}
	for i := range raw.Releases {
		r, err := raw.Releases[i].release(&t)
		if err != nil {
			return t, fmt.Errorf("release %d, %s: %w", i+1, raw.Releases[i].Version, err)
		}
		t.releases = append(t.releases, r)
	}
	return t, nil
}

var releaseStatuses = map[string]ReleaseStatus{"": Released, "recalled": Recalled, "never-released": NeverReleased}

func (raw *releaseJSON) release(t *productTable) (Release, error) {
	var d dates
	status, known := releaseStatuses[raw.Status]
	r := Release{
		Version: raw.Version, Status: status,
		Retired: d.day(raw.Retired), RetiredBasis: raw.RetiredBasis, RetiredEarlier: d.day(raw.RetiredEarlier),
		AutoUpgradeImplied: raw.AutoUpgradeImplied,
		AutoUpgradeFrom:    d.day(raw.AutoUpgradeFrom), AutoUpgradeUntil: d.day(raw.AutoUpgradeUntil),
		SecurityFix: raw.SecurityFix, CVEs: raw.CVEs, Advisories: raw.Advisories,
		Brand: raw.Brand, Roles: raw.Roles, RolesAssumed: raw.RolesAssumed,
		LimitedAudience: raw.LimitedAudience, HoldAdvised: raw.HoldAdvised, NoDownload: raw.NoDownload,
		V2Endpoint: raw.V2Endpoint, Bundled: raw.Bundled, KnownIssues: raw.KnownIssues,
		Conflict: raw.Conflict, Note: raw.Note, Source: t.sources[raw.Source],
	}
	r.Released, r.MonthOnly = d.dayOrMonth(raw.Released)
	switch raw.AutoUpgrade {
	case "yes":
		r.AutoUpgrade = crossprem.Yes
	case "no":
		r.AutoUpgrade = crossprem.No
	case "":
	default:
		return r, fmt.Errorf("autoUpgrade is %.20q", raw.AutoUpgrade)
	}
	var last Release
	if n := len(t.releases); n > 0 {
		last = t.releases[n-1]
	}
	switch {
	case d.err != nil:
		return r, d.err
	case !known:
		return r, fmt.Errorf("status is %.20q", raw.Status)
	case r.Version.IsZero():
		return r, errors.New("has no version")
	case r.Version.Less(last.Version):
		return r, fmt.Errorf("comes after %s", last.Version)
	case r.Version == last.Version && (len(r.Roles) == 0 || len(last.Roles) == 0 || slices.ContainsFunc(r.Roles, func(role string) bool { return slices.Contains(last.Roles, role) })):
		return r, errors.New("is there twice")
	case r.Source == "":
		return r, fmt.Errorf("source %.20q is not listed", raw.Source)
	case r.Released.After(t.asOf):
		return r, errors.New("was released after asOf")
	case r.Status == NeverReleased && !r.Released.IsZero():
		return r, errors.New("was never released, but on a day")
	case !r.Retired.IsZero() && !r.Released.Before(r.Retired):
		return r, errors.New("retires before it is released")
	case r.Retired.IsZero() != (basisTexts[r.RetiredBasis] == ""):
		return r, fmt.Errorf("retires without a basis, or has basis %.40q", r.RetiredBasis)
	case r.AutoUpgrade != crossprem.Yes && !(r.AutoUpgradeFrom.IsZero() && r.AutoUpgradeUntil.IsZero()):
		return r, errors.New("has days of an automatic upgrade that was not offered")
	case !r.AutoUpgradeFrom.IsZero() && r.AutoUpgradeFrom.Before(r.Released),
		!r.AutoUpgradeUntil.IsZero() && !r.AutoUpgradeFrom.Before(r.AutoUpgradeUntil):
		return r, errors.New("has days of an automatic upgrade out of order")
	case slices.ContainsFunc(r.Roles, func(role string) bool { return !slices.Contains(healthRoles, role) }):
		return r, fmt.Errorf("roles are %.40q", r.Roles)
	case len(r.CVEs) > 0 && !r.SecurityFix:
		return r, errors.New("names a CVE but is no security fix")
	}
	return r, nil
}

// healthRoles and components are what Facts take.
var (
	healthRoles = []string{"adds", "adfs", "sync"}
	components  = []string{"", "dc-agent", "proxy"}
)

type policiesJSON struct {
	AsOf     string       `json:"asOf"`
	Policies []policyJSON `json:"policies"`
}

type policyJSON struct {
	ID               string           `json:"id"`
	Product          Product          `json:"product"`
	Kind             Kind             `json:"kind"`
	Effective        string           `json:"effective"`
	EffectiveBasis   string           `json:"effectiveBasis"`
	EffectiveEarlier string           `json:"effectiveEarlier"`
	AppliesTo        rangeJSON        `json:"appliesTo"`
	Component        string           `json:"component"`
	Effect           string           `json:"effect"`
	Requires         requirementsJSON `json:"requires"`
	WindowMonths     int              `json:"windowMonths"`
	SupersededBy     string           `json:"supersededBy"`
	Replaces         string           `json:"replaces"`
	Rule             string           `json:"rule"`
	Title            string           `json:"title"`
	PassedTitle      string           `json:"passedTitle"`
	Conflict         string           `json:"conflict"`
	Sources          []string         `json:"sources"`
	SourceDate       string           `json:"sourceDate"`
}

type rangeJSON struct {
	Min              Version   `json:"min"`
	Max              Version   `json:"max"`
	Below            Version   `json:"below"`
	BelowOtherClouds Version   `json:"belowOtherClouds"`
	Versions         []Version `json:"versions"`
}

type requirementsJSON struct {
	DotNetRelease             uint32 `json:"dotNetRelease"`
	WindowsBuild              uint32 `json:"windowsBuild"`
	WindowsBuildBelow         uint32 `json:"windowsBuildBelow"`
	TLS                       string `json:"tls"`
	TLSRegistry               bool   `json:"tlsRegistry"`
	ApplicationAuthentication bool   `json:"applicationAuthentication"`
	UneditedConfig            bool   `json:"uneditedConfig"`
}

func (raw *policyJSON) policy() (Policy, error) {
	var d dates
	p := Policy{
		ID: raw.ID, Product: raw.Product, Kind: raw.Kind,
		EffectiveBasis: raw.EffectiveBasis, EffectiveEarlier: d.day(raw.EffectiveEarlier),
		AppliesTo: Range(raw.AppliesTo), Component: raw.Component, Effect: raw.Effect,
		Requires: Requirements(raw.Requires), WindowMonths: raw.WindowMonths,
		SupersededBy: raw.SupersededBy, Replaces: raw.Replaces,
		Text: raw.Rule, Title: raw.Title, PassedTitle: raw.PassedTitle, Conflict: raw.Conflict, Sources: raw.Sources, SourceDate: d.day(raw.SourceDate),
	}
	p.Effective, _ = d.dayOrMonth(raw.Effective)
	bounds := p.AppliesTo
	switch {
	case d.err != nil:
		return p, d.err
	case p.ID == "" || p.Product == UnknownProduct || p.Text == "" || len(p.Sources) == 0:
		return p, errors.New("lacks an id, a product, a rule or a source")
	case ownAxes[p.ID] != UnknownAxis:
		return p, errors.New("has the id of a rule of the package's own")
	case !policyID.MatchString(p.ID):
		return p, errors.New("has an id that is not made of letters and digits in words joined by hyphens or points")
	case (p.Title == "") != (p.PassedTitle == ""):
		return p, errors.New("has a title for one outcome alone")
	case !slices.Contains(components, p.Component):
		return p, fmt.Errorf("component is %.20q", p.Component)
	case p.Requires.TLS != "" && p.Requires.TLS != "1.2":
		return p, fmt.Errorf("requires TLS %.20q; whether a server has it is known of 1.2 alone", p.Requires.TLS)
	case !slices.Contains(kinds, p.Kind):
		return p, fmt.Errorf("kind is %.20q", p.Kind)
	case p.Kind == HardCutoff && (p.Effective.IsZero() || effectTexts[p.Effect] == ""):
		return p, fmt.Errorf("is a hard cut-off without a day or with effect %.20q", p.Effect)
	case p.Kind == Retirement && p.Effective.IsZero():
		return p, errors.New("is a retirement without a day")
	case (p.Kind == RollingRetirement || p.Kind == RollingDeprecation) && (p.Effective.IsZero() || p.WindowMonths <= 0 || p.WindowMonths > 1200):
		return p, errors.New("is a rolling rule without a day or a window")
	case (p.Kind == Recall || p.Kind == Hold) && len(bounds.Versions) == 0:
		return p, errors.New("recalls or holds no version")
	case !bounds.Max.IsZero() && bounds.Max.Less(bounds.Min), !bounds.Below.IsZero() && !bounds.Min.IsZero() && bounds.Below.Less(bounds.Min),
		bounds.Below.IsZero() && !bounds.BelowOtherClouds.IsZero():
		return p, errors.New("has a range that holds nothing, or another for other clouds alone")
	}
	return p, nil
}

// AsOf tells the day on which the table of p was last compared with its
// sources, or zero if there is no table.
func (c *Catalogue) AsOf(p Product) time.Time {
	if p < products {
		return c.products[p].asOf
	}
	return time.Time{}
}

// Names returns the names that p has had, the newest first. The slice is
// read-only.
func (c *Catalogue) Names(p Product) []string {
	if p < products {
		return c.products[p].names
	}
	return nil
}

// Releases returns the rows of p, sorted by version. The slice is read-only.
func (c *Catalogue) Releases(p Product) []Release {
	if p < products {
		return c.products[p].releases
	}
	return nil
}

// Policies returns the vendor's rules for p, sorted by ID. The slice is
// read-only.
func (c *Catalogue) Policies(p Product) []Policy {
	if p < products {
		return c.byProduct[p]
	}
	return nil
}

// Lookup returns the row of p with exactly version v. It does not guess: a
// version that it has never seen is reported as such, however new it looks.
// Where a Health agent's number came out on different days for different
// roles, the first row is returned; Releases has them all.
func (c *Catalogue) Lookup(p Product, v Version) (Release, bool) {
	if r := c.find(p, v, ""); r != nil {
		return *r, true
	}
	return Release{}, false
}

// Lookup asks the embedded catalogue; see [Catalogue.Lookup].
func Lookup(p Product, v Version) (Release, bool) { return Embedded().Lookup(p, v) }

// find returns the row of v, and if role is not empty and the rows of v are of
// roles, the one for that role.
func (c *Catalogue) find(p Product, v Version, role string) *Release {
	rows := c.Releases(p)
	low, high := 0, len(rows)
	for low < high {
		if mid := (low + high) / 2; rows[mid].Version.packed() < v.packed() {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(rows) || rows[low].Version != v {
		return nil
	}
	for i := low; role != "" && i < len(rows) && rows[i].Version == v; i++ {
		if slices.Contains(rows[i].Roles, role) {
			return &rows[i]
		}
	}
	if role != "" && len(rows[low].Roles) > 0 {
		return nil // a number that other roles alone have had
	}
	return &rows[low]
}

func (c *Catalogue) policy(id string) *Policy {
	i, ok := slices.BinarySearchFunc(c.policies, id, func(p Policy, id string) int { return cmp.Compare(p.ID, id) })
	if !ok {
		return nil
	}
	return &c.policies[i]
}
