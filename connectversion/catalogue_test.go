package connectversion

import (
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

func date(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

func version(text string) Version {
	v, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return v
}

func TestEmbeddedCatalogue(t *testing.T) {
	c := Embedded()
	oldest := time.Now()
	for p, want := range map[Product]struct {
		rows   int
		newest string
	}{
		ConnectSync:             {99, "2.6.92.0"},
		HealthAgent:             {36, "4.5.2614.0"},
		CloudSync:               {21, "1.1.2505.0"},
		PrivateNetworkConnector: {17, "1.5.4892.0"},
		PasswordProtection:      {10, "1.2.177.1"},
		PassThroughAgent:        {8, "1.5.2482.0"},
	} {
		rows := c.Releases(p)
		assert.GreaterOrEqual(t, len(rows), want.rows, p)
		assert.False(t, rows[len(rows)-1].Version.Less(version(want.newest)), p)
		assert.NotEmpty(t, c.Names(p), p)
		if asOf := c.AsOf(p); asOf.Before(oldest) {
			oldest = asOf
		}
	}
	assert.Equal(t, AsOf, oldest.Format(time.DateOnly), "AsOf is the oldest of the tables' days")
	assert.GreaterOrEqual(t, len(c.policies), 39)
}

// What can be recomputed is: the order of days, and the vendor's formula.
func TestCatalogueInvariants(t *testing.T) {
	c := Embedded()
	for _, p := range Products() {
		rows := c.Releases(p)
		assert.True(t, slices.IsSortedFunc(rows, func(a, b Release) int { return a.Version.Compare(b.Version) }), p)
		lastOf := map[[2]uint16]Release{}
		for _, r := range rows {
			name := p.String() + " " + r.Version.String()
			assert.NotEmpty(t, r.Note, name)
			assert.LessOrEqual(t, len(r.Note), 120, name)
			assert.NotEmpty(t, r.Source, name)
			if r.MonthOnly {
				assert.Equal(t, 1, r.Released.Day(), name)
			}
			for _, cve := range r.CVEs {
				assert.Regexp(t, `^CVE-\d{4}-\d{4,}$`, cve, name)
			}
			// Within a branch, numbers and days go the same way; only Health
			// agents came out in another order for other roles.
			branch := [2]uint16{r.Version.Major, r.Version.Minor}
			if last := lastOf[branch]; !r.Released.IsZero() && p != HealthAgent {
				assert.False(t, r.Released.Before(last.Released), "%s came out before %s", name, last.Version)
			}
			if !r.Released.IsZero() {
				lastOf[branch] = r
			}
		}
	}
	for _, p := range c.policies {
		for _, v := range p.AppliesTo.Versions {
			_, listed := c.Lookup(p.Product, v)
			assert.True(t, listed, "%s names %s, which is not listed", p.ID, v)
		}
		for _, source := range p.Sources {
			assert.NotContains(t, source, "://", p.ID)
		}
	}
}

// The formula and the printed days differ for these seven, for reasons that
// the rows tell; nowhere else.
func TestPrintedDaysAndTheFormula(t *testing.T) {
	differ := map[string][2]string{ // printed, computed
		"2.3.2.0":   {"2025-04-30", "2025-02-21"},
		"2.3.6.0":   {"2025-04-30", "2025-04-01"},
		"2.3.8.0":   {"2025-04-30", "2025-07-15"},
		"2.3.20.0":  {"2025-04-30", "2025-10-07"},
		"2.4.21.0":  {"2025-11-15", "2025-11-14"},
		"2.4.131.0": {"2026-05-26", "2026-05-27"},
		"2.5.79.0":  {"2026-10-23", "2026-11-19"},
	}
	found := 0
	for _, r := range Embedded().Releases(ConnectSync) {
		a := Assess(ConnectSync, r.Version, date("2026-01-01"), Facts{})
		if a.Printed.IsZero() || a.Computed.IsZero() {
			continue
		}
		if want, ok := differ[r.Version.String()]; ok {
			found++
			assert.Equal(t, want[0], a.Printed.Format(time.DateOnly), r.Version)
			assert.Equal(t, want[1], a.Computed.Format(time.DateOnly), r.Version)
			assert.Equal(t, a.Printed, a.SupportUntil, "the printed day counts")
			support := a.On(SupportAxis)[0]
			assert.Contains(t, support.Detail, want[1]+", 12 months after", "the finding tells both days")
		} else {
			assert.Equal(t, a.Printed, a.Computed, r.Version)
		}
	}
	assert.Equal(t, len(differ), found)
}

func TestLookupDoesNotGuess(t *testing.T) {
	r, ok := Lookup(ConnectSync, version("1.3.21.0"))
	require.True(t, ok)
	assert.Equal(t, "2019-05-14", r.Released.Format(time.DateOnly))
	assert.Equal(t, []string{"CVE-2019-1000"}, r.CVEs)
	for _, v := range []string{"2.6.93.0", "2.6.3.1", "0.0.0.1", "65535.0.0.0"} {
		_, ok := Lookup(ConnectSync, version(v))
		assert.False(t, ok, v)
	}
	_, ok = Lookup(UnknownProduct, version("2.6.3.0"))
	assert.False(t, ok)
	_, ok = Lookup(Product(200), version("2.6.3.0"))
	assert.False(t, ok)

	// The same number, twice.
	pta, ok := Lookup(PassThroughAgent, version("1.5.402.0"))
	require.True(t, ok)
	connector, ok := Lookup(PrivateNetworkConnector, version("1.5.402.0"))
	require.True(t, ok)
	assert.NotEqual(t, pta.Released, connector.Released)
}

func TestHealthAgentsHaveDaysByRole(t *testing.T) {
	c := Embedded()
	assert.Equal(t, "2018-06", c.find(HealthAgent, version("3.1.7.0"), "adds").released())
	assert.Equal(t, "2018-08", c.find(HealthAgent, version("3.1.7.0"), "sync").released())
	assert.Nil(t, c.find(HealthAgent, version("3.1.7.0"), "nonsense"))
	w := judge(t, HealthAgent, "3.0.129.0", "2020-07-01", Facts{HealthRole: "adfs"})
	assert.Equal(t, Unlisted, w.Support, "an agent for Sync had that number")
	assert.Contains(t, w.find(ruleUnlisted.ID).Detail, "other roles")
	assert.Equal(t, Outdated, judge(t, HealthAgent, "3.0.129.0", "2020-07-01", Facts{HealthRole: "sync"}).Support)
	assert.NotNil(t, c.find(ConnectSync, version("2.6.3.0"), "sync"), "only Health agents have roles")
}

func TestLoadCatalogueRefuses(t *testing.T) {
	product := `{"product": "connect-sync", "names": ["x"], "asOf": "2030-01-01", "support": "s", "sources": [{"id": "a", "name": "A"}], "releases": [ROWS]}`
	row := func(rest string) string {
		return strings.Replace(product, "ROWS", `{"version": "1.0.0.0", "note": "n", "source": "a"`+rest+`}`, 1)
	}
	noPolicies := `{"asOf": "2030-01-01", "policies": []}`
	policy := func(rest string) string {
		return `{"asOf": "2030-01-01", "policies": [{"id": "p", "product": "connect-sync", "rule": "r", "sources": ["s"], ` + rest + `}]}`
	}
	good := row("")
	_, err := LoadCatalogue(fstest.MapFS{"connect-sync.json": {Data: []byte(good)}, "policies.json": {Data: []byte(noPolicies)}})
	require.NoError(t, err)

	for name, c := range map[string]struct{ product, policies, err string }{
		"nothing there":       {"", noPolicies, "no file of any product"},
		"no policies":         {good, "", "policies.json"},
		"not JSON":            {"{", noPolicies, "connect-sync.json: at byte"},
		"an unknown field":    {row(`, "relased": "2020-01-01"`), noPolicies, `unknown field "relased"`},
		"a second value":      {good + "{}", noPolicies, "more than one value"},
		"another product":     {strings.Replace(good, "connect-sync", "cloud-sync", 1), noPolicies, "is of product cloud-sync"},
		"no releases":         {strings.Replace(product, "ROWS", "", 1), noPolicies, "has 0 releases"},
		"no asOf":             {strings.Replace(good, "2030-01-01", "", 1), noPolicies, "no asOf"},
		"a bad date":          {row(`, "released": "2020-02-30"`), noPolicies, "release 1, 1.0.0.0"},
		"after asOf":          {row(`, "released": "2030-01-02"`), noPolicies, "released after asOf"},
		"a bad version":       {strings.Replace(good, "1.0.0.0", "1.0.0", 1), noPolicies, "not a version"},
		"retires too early":   {row(`, "released": "2020-02-01", "retired": "2020-02-01", "retiredBasis": "documented-table"`), noPolicies, "retires before"},
		"retires for no one":  {row(`, "retired": "2020-02-01"`), noPolicies, "without a basis"},
		"an unknown status":   {row(`, "status": "maybe"`), noPolicies, "status is"},
		"an unknown source":   {strings.Replace(good, `"source": "a"`, `"source": "b"`, 1), noPolicies, "is not listed"},
		"a CVE of no fix":     {row(`, "cves": ["CVE-2020-0001"]`), noPolicies, "no security fix"},
		"an odd answer":       {row(`, "autoUpgrade": "perhaps"`), noPolicies, "autoUpgrade is"},
		"an upgrade unmade":   {row(`, "autoUpgrade": "no", "autoUpgradeFrom": "2020-02-01"`), noPolicies, "not offered"},
		"out of order":        {strings.Replace(product, "ROWS", `{"version": "2.0.0.0", "note": "n", "source": "a"}, {"version": "1.0.0.0", "note": "n", "source": "a"}`, 1), noPolicies, "comes after 2.0.0.0"},
		"twice":               {strings.Replace(product, "ROWS", `{"version": "1.0.0.0", "note": "n", "source": "a"}, {"version": "1.0.0.0", "note": "n", "source": "a"}`, 1), noPolicies, "release 2, 1.0.0.0: is there twice"},
		"rules of no day":     {good, `{"policies": []}`, "policies.json: asOf"},
		"an unknown kind":     {good, policy(`"kind": "whim"`), "kind is"},
		"a cut-off sometime":  {good, policy(`"kind": "hard-cutoff", "effect": "sync-stops"`), "without a day"},
		"an unknown effect":   {good, policy(`"kind": "hard-cutoff", "effective": "2020-01-01", "effect": "boom"`), "boom"},
		"an empty range":      {good, policy(`"kind": "feature", "appliesTo": {"min": "2.0.0.0", "max": "1.0.0.0"}`), "holds nothing"},
		"no window":           {good, policy(`"kind": "rolling-retirement", "effective": "2020-01-01"`), "window"},
		"a recall of nothing": {good, policy(`"kind": "recall"`), "no version"},
		"a dangling name":     {good, policy(`"kind": "feature", "supersededBy": "q"`), `names "q"`},
		"no source":           {good, `{"asOf": "2030-01-01", "policies": [{"id": "p", "product": "connect-sync", "rule": "r", "kind": "feature"}]}`, "lacks"},
		"unsorted policies":   {good, strings.Replace(policy(`"kind": "feature"`), "[{", `[{"id": "z", "product": "connect-sync", "rule": "r", "sources": ["s"], "kind": "feature"}, {`, 1), "not sorted"},
		"an end of nothing":   {row(`, "autoUpgrade": "no", "autoUpgradeUntil": "2020-02-01"`), noPolicies, "not offered"},
		"an unknown role":     {row(`, "roles": ["ADFS"]`), noPolicies, "roles are"},
		"itself":              {good, policy(`"kind": "feature", "supersededBy": "p"`), "is itself"},
		"our own rule":        {good, strings.Replace(policy(`"kind": "feature"`), `"id": "p"`, `"id": "support-retired"`, 1), "own"},
		"an unknown part":     {good, policy(`"kind": "feature", "component": "dc agent"`), "component is"},
		"another TLS":         {good, policy(`"kind": "prerequisite", "requires": {"tls": "1.3"}`), "requires TLS"},
		"other clouds alone":  {good, policy(`"kind": "feature", "appliesTo": {"belowOtherClouds": "1.0.0.0"}`), "other clouds alone"},
		"far too large":       {strings.Repeat(" ", maxCatalogueFile+1), noPolicies, "larger than"},
	} {
		fsys := fstest.MapFS{}
		if c.product != "" {
			fsys["connect-sync.json"] = &fstest.MapFile{Data: []byte(c.product)}
		}
		if c.policies != "" {
			fsys["policies.json"] = &fstest.MapFile{Data: []byte(c.policies)}
		}
		_, err := LoadCatalogue(fsys)
		if assert.Error(t, err, name) {
			assert.Contains(t, err.Error(), c.err, name)
			assert.NotContains(t, err.Error(), "\n", name)
		}
	}
}

// A program can carry newer data than this module.
func TestNewerDataAtRunTime(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS("data")))
	name := folder + "/connect-sync.json"
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	newer := strings.Replace(string(text), "\n]\n}", `,
{"version": "2.7.1.0", "released": "2026-11-20", "securityFix": true, "note": "New.", "source": "history"}
]
}`, 1)
	newer = strings.Replace(newer, `"asOf": "2026-09-28"`, `"asOf": "2026-11-21"`, 1)
	require.NoError(t, os.WriteFile(name, []byte(newer), 0o644))
	c, err := LoadCatalogue(os.DirFS(folder))
	require.NoError(t, err)
	judge := Assessor{Catalogue: c}
	a := judge.Assess(ConnectSync, version("2.6.92.0"), date("2026-11-22"), Facts{})
	assert.Equal(t, Outdated, a.Support)
	assert.Equal(t, "2027-11-20", a.SupportUntil.Format(time.DateOnly))
	assert.Equal(t, []Version{{2, 7, 1, 0}}, a.MissingSecurityFixes)
	for _, f := range a.Findings {
		assert.NotEqual(t, ruleStale.ID, f.Rule)
	}
}

func TestRules(t *testing.T) {
	rules := Rules()
	assert.True(t, slices.IsSortedFunc(rules, func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) }))
	ids := map[string]crossprem.Rule{}
	for _, r := range rules {
		assert.NotContains(t, ids, r.ID)
		assert.NotEmpty(t, r.Title, r.ID)
		assert.NotEqual(t, UnknownAxis, AxisOf(r.ID), r.ID)
		ids[r.ID] = r
	}
	assert.Equal(t, UnknownAxis, AxisOf("no-such-rule"))
	// Every finding names a rule, and is no worse than the rule says.
	for _, p := range Products() {
		for _, r := range Embedded().Releases(p) {
			for _, at := range []string{"2020-07-01", "2023-10-01", "2026-11-22", "2028-01-01"} {
				for _, facts := range []Facts{{}, {AutoUpgrade: AutoUpgradeSuspended, ImportAPI: 1, ExportAPI: 1, Authentication: ServiceAccount, DotNetRelease: 1, WindowsBuild: 1, TLS12: crossprem.No, TLS12Explicit: crossprem.No, EditedConfig: crossprem.Yes, Component: "dc-agent"},
					{AutoUpgrade: AutoUpgradeDisabled, SchedulerStopped: crossprem.Yes, Staging: crossprem.Yes, Component: "proxy"}} {
					for _, f := range Assess(p, r.Version, date(at), facts).Findings {
						rule, ok := ids[f.Rule]
						if assert.True(t, ok, f.Rule) {
							assert.LessOrEqual(t, f.Severity, rule.Severity, f.Rule)
						}
						assert.NotEmpty(t, f.Title, f.Rule)
						assert.NotEmpty(t, f.Subject, f.Rule)
						if f.Status != crossprem.Passed && f.Severity > crossprem.Info {
							assert.NotEmpty(t, f.Sources, f.Rule)
						}
					}
				}
			}
		}
	}
}

func TestProductNames(t *testing.T) {
	for _, p := range Products() {
		back, err := ParseProduct(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, back)
		assert.NotEqual(t, p.String(), p.Title())
	}
	for _, name := range []string{"", "unknown", "Connect-Sync", "dirsync"} {
		_, err := ParseProduct(name)
		assert.Error(t, err, name)
	}
	_, err := json.Marshal(Product(99))
	assert.Error(t, err)
	_, err = json.Marshal(Support(99))
	assert.Error(t, err)
}

func TestEveryDataFileIsRead(t *testing.T) {
	names, err := fs.Glob(embedded, "data/*")
	require.NoError(t, err)
	assert.Len(t, names, len(Products())+1)
}

// BenchmarkLookup is the hit path: a listed version, then one that is not.
func BenchmarkLookup(b *testing.B) {
	c := Embedded()
	for name, v := range map[string]Version{"hit": {2, 4, 131, 0}, "miss": {2, 4, 132, 0}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Lookup(ConnectSync, v); ok != (name == "hit") {
					b.Fatal("wrong answer")
				}
			}
		})
	}
}

func BenchmarkAssess(b *testing.B) {
	at := date("2026-11-22")
	b.ReportAllocs()
	for b.Loop() {
		Assess(ConnectSync, Version{2, 6, 3, 0}, at, Facts{})
	}
}

func BenchmarkLoadCatalogue(b *testing.B) {
	data, err := fs.Sub(embedded, "data")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := LoadCatalogue(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	c := Embedded()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := c.Lookup(ConnectSync, Version{2, 4, 131, 0}); !ok {
			t.Error("not found")
		}
	}))
}
