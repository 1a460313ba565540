package connectversion

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// someFacts returns facts of every kind, all zero ones among them.
func someFacts(r *rand.Rand) Facts {
	answer := func() crossprem.Answer { return crossprem.Answer(r.IntN(3)) }
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	return Facts{
		Server: pick("", "SYNC1", "dc1.contoso.test"), Cloud: crossprem.Cloud(r.IntN(7)),
		Authentication: Authentication(r.IntN(3)), AutoUpgrade: AutoUpgradeState(r.IntN(4)),
		AutoUpgradeDetail: pick("", "UpgradeNotSupportedNonLocalDbInstall", "{version} %d", "UpgradeFailedRollbackSuccess-GetPasswordHashSyncStateFailed"),
		Staging:           answer(), EditedConfig: answer(), SchedulerStopped: answer(), TLS12: answer(), TLS12Explicit: answer(),
		DotNetRelease: []uint32{0, 460798, 461808, 528040}[r.IntN(4)], WindowsBuild: []uint32{0, 9200, 9600, 20348}[r.IntN(4)],
		ImportAPI: r.IntN(3), ExportAPI: r.IntN(3),
		HealthRole: pick("", "adds", "adfs", "sync"), Component: pick("", "dc-agent", "proxy"),
	}
}

// versionsOf returns every listed version of p, and some that are not.
func versionsOf(c *Catalogue, p Product) []Version {
	versions := []Version{{}, {0, 9, 0, 0}, {1, 4, 26, 0}, {2, 5, 80, 0}, {2, 7, 0, 0}, {65535, 65535, 65535, 65535}}
	for _, r := range c.Releases(p) {
		versions = append(versions, r.Version)
	}
	slices.SortFunc(versions, Version.Compare)
	return slices.Compact(versions)
}

func TestRulesKeepTheirPromises(t *testing.T) {
	findingtest.CheckRules(t, Rules())
	for _, r := range Rules() {
		assert.NotEqual(t, UnknownAxis, AxisOf(r.ID), r.ID)
	}
}

// Every product and version, on days around all days that matter, with facts
// of every kind: each finding keeps the promises of findings, and the
// assessment comes back from JSON.
func TestFindingsKeepTheirPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rules := Rules()
	var days []time.Time
	for _, p := range Embedded().policies {
		if !p.Effective.IsZero() {
			days = append(days, p.Effective.AddDate(0, 0, -1), p.Effective, p.Effective.AddDate(0, 0, 1), p.Effective.AddDate(0, 0, -100))
		}
	}
	days = append(days, time.Time{}, date("2014-09-01"), date("2026-11-26"), date("2035-01-01"), date("9999-12-31"))
	count := 0
	for _, p := range append(Products(), UnknownProduct, Product(99)) {
		for _, v := range versionsOf(Embedded(), p) {
			for range 3 {
				at, facts := days[r.IntN(len(days))], someFacts(r)
				if count%5 == 0 {
					facts = Facts{}
				}
				a := Assess(p, v, at, facts)
				name := fmt.Sprintf("%s %s on %s, %+v", p, v, at.Format(time.DateOnly), facts)
				findingtest.Check(t, name, rules, a.Findings)
				assert.True(t, slices.IsSortedFunc(a.Findings, crossprem.WorstFirst), name)
				assert.NotEmpty(t, a.Findings, name)
				for _, f := range a.Findings {
					assert.Equal(t, AxisOf(f.Rule), a.Axes[f.Rule], name)
					for _, value := range f.Values {
						assert.NotRegexp(t, `days? (left|ago)`, value.Text)
					}
				}
				count += len(a.Findings)
				if t.Failed() {
					return
				}
			}
		}
	}
	t.Logf("%d findings", count)
}

// The same of other catalogues: one without titles, whose findings have some
// that are made of the rules' names.
func TestFindingsOfACatalogueWithoutTitles(t *testing.T) {
	titles := regexp.MustCompile(`"(title|passedTitle)": "[^"]*", `)
	files := make(fstest.MapFS)
	entries, err := fs.ReadDir(embedded, "data")
	require.NoError(t, err)
	for _, e := range entries {
		text, err := fs.ReadFile(embedded, "data/"+e.Name())
		require.NoError(t, err)
		files[e.Name()] = &fstest.MapFile{Data: titles.ReplaceAll(text, nil)}
	}
	c, err := LoadCatalogue(files)
	require.NoError(t, err)
	findingtest.CheckRules(t, c.Rules())
	j := Assessor{Catalogue: c}
	r := rand.New(rand.NewPCG(3, 4))
	for _, p := range Products() {
		for _, v := range versionsOf(c, p) {
			findingtest.Check(t, p.String()+" "+v.String(), c.Rules(), j.Assess(p, v, date("2026-11-26"), someFacts(r)).Findings)
		}
	}
}

// A Connect server has a Health agent, and an AD DS one beside it: no key is
// there twice.
func TestKeysOfOneServer(t *testing.T) {
	var all []crossprem.Finding
	for _, i := range []struct {
		p Product
		f Facts
	}{{ConnectSync, Facts{}}, {HealthAgent, Facts{HealthRole: "sync"}}, {HealthAgent, Facts{HealthRole: "adds"}}, {PasswordProtection, Facts{Component: "proxy"}},
		{PasswordProtection, Facts{Component: "dc-agent"}}, {PassThroughAgent, Facts{}}} {
		i.f.Server = "SYNC1"
		all = append(all, Assess(i.p, Embedded().Releases(i.p)[0].Version, date("2026-11-26"), i.f).Findings...)
	}
	findingtest.Check(t, "one server", Rules(), all)
	// An upgrade does not make another thing of the server.
	before, after := Assess(ConnectSync, version("2.6.3.0"), date("2026-11-26"), Facts{}), Assess(ConnectSync, version("2.6.92.0"), date("2026-11-27"), Facts{})
	fixed := 0
	for _, c := range crossprem.Compare(before.Findings, after.Findings).Fixed {
		if c.After.Rule == ruleSecurity.ID {
			fixed++
		}
	}
	assert.Equal(t, 1, fixed)
}

// The severity follows from the nearness of the day alone, up to the rule's.
func TestSeverityOfCutoffsByNearness(t *testing.T) {
	for at, want := range map[string]crossprem.Severity{"2024-10-19": info, "2026-10-08": info, "2026-10-09": warning, "2027-03-07": warning, "2027-03-08": critical, "2027-04-07": critical, "2028-01-01": critical} {
		assert.Equal(t, want, judge(t, ConnectSync, "2.6.3.0", at, Facts{Cloud: crossprem.Worldwide}).severityOf("app-auth-2027-04-07"), at)
	}
	assert.Equal(t, warning, judge(t, ConnectSync, "2.4.1.0", "2025-05-30", Facts{}).severityOf("hardening-2025-04-wizard"), "the wizard stops nothing")
}

func (w world) severityOf(rule string) crossprem.Severity { return w.find(rule).Severity }

func roundTrip[T any](t *testing.T, v T) T {
	t.Helper()
	byValue, err := json.Marshal(v)
	require.NoError(t, err)
	byPointer, err := json.Marshal(&v)
	require.NoError(t, err)
	assert.Equal(t, string(byValue), string(byPointer))
	var back T
	require.NoError(t, json.Unmarshal(byValue, &back), string(byValue))
	assert.Equal(t, v, back)
	return back
}

// Facts, verdicts, plans and evidence come back from JSON as they were, and
// judge the same.
func TestJSONComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, p := range Products() {
		for _, v := range versionsOf(Embedded(), p) {
			at := date("2020-01-01").AddDate(0, 0, r.IntN(3000))
			facts := someFacts(r)
			a := roundTrip(t, Assess(p, v, at, facts))
			assert.Equal(t, a, Assess(p, v, at, roundTrip(t, facts)))
			i := roundTrip(t, Installed{Product: p, Version: v, Server: "SYNC1", Evidence: []Evidence{{Product: p, Version: v, Origin: FromEngineFile, At: at.Add(time.Hour), Staging: crossprem.Yes}}})
			plan := roundTrip(t, Plan(i, facts, at, at.AddDate(1, 0, 0)))
			assert.Equal(t, plan, Plan(i, roundTrip(t, facts), at, at.AddDate(1, 0, 0)))
			roundTrip(t, Reconcile(at, i.Evidence...))
		}
	}
	roundTrip(t, Assessment{})
	roundTrip(t, UpgradePlan{})
	roundTrip(t, Evidence{})
	for text, into := range map[string]any{`{"at":"tomorrow"}`: new(Assessment), `{"upcoming":[{"rule":"x","date":"1"}],"at":"2026-01-01"}`: new(Assessment),
		`{"target":"2.x"}`: new(UpgradePlan), `{"authentication":"password"}`: new(Facts), `{"steps":[{"from":5}]}`: new(UpgradePlan)} {
		assert.Error(t, json.Unmarshal([]byte(text), into), text)
	}
}

// The findings on evidence keep the promises too, whatever it says.
func TestEvidenceFindingsKeepTheirPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	servers := []string{"", "SYNC1", "sync1.contoso.test", "DC1.contoso.test", "DC1.fabrikam.test"}
	for range 1000 {
		var evidence []Evidence
		for range r.IntN(7) {
			e := Evidence{Product: Product(r.IntN(8)), Component: []string{"", "proxy", "dc-agent", "sync"}[r.IntN(4)], Origin: trust[r.IntN(len(trust))],
				Server: servers[r.IntN(len(servers))], Where: "file", Staging: crossprem.Answer(r.IntN(3)), SyncEnabled: crossprem.Answer(r.IntN(3))}
			if r.IntN(4) > 0 {
				e.Version = Version{2, 6, uint16(r.IntN(3)), 0}
			} else {
				e.Text = []string{"", "2.6", "%d {version}"}[r.IntN(3)]
			}
			if r.IntN(2) > 0 {
				e.At = date("2026-11-01").AddDate(0, 0, r.IntN(60))
			}
			evidence = append(evidence, e)
		}
		got := Reconcile(date("2026-11-26"), evidence...)
		findingtest.Check(t, fmt.Sprintf("%+v", evidence), Rules(), got.Findings)
		assert.True(t, slices.IsSortedFunc(got.Findings, crossprem.WorstFirst))
		if t.Failed() {
			return
		}
	}
	findingtest.Check(t, "nothing", Rules(), Reconcile(time.Time{}).Findings)
}

// Whatever the plan says to run is good on every axis of the version itself on
// every day of its step, as Assess judges that day.
func TestStepsAreGoodOnEveryDay(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	triples, days, none := 0, 0, 0
	for _, p := range Products() {
		for _, v := range versionsOf(Embedded(), p)[1:] {
			for range 2 {
				at := date("2017-01-01").AddDate(0, 0, r.IntN(365*11))
				horizon := at.AddDate(0, 0, r.IntN(900))
				facts := Facts{Cloud: crossprem.Cloud(r.IntN(3)), Authentication: Authentication(r.IntN(3)), Component: []string{"", "proxy", "dc-agent"}[r.IntN(3)]}
				plan := Plan(Installed{Product: p, Version: v}, facts, at, horizon)
				name := fmt.Sprintf("%s %s from %s to %s: %+v", p, v, at.Format(time.DateOnly), horizon.Format(time.DateOnly), facts)
				require.NotEmpty(t, plan.Steps, name)
				assert.Equal(t, at, plan.Steps[0].From, name)
				assert.Equal(t, horizon, plan.Steps[len(plan.Steps)-1].Until, name)
				for i, s := range plan.Steps {
					assert.False(t, s.Until.Before(s.From), name)
					if i > 0 {
						assert.Equal(t, plan.Steps[i-1].Until.AddDate(0, 0, 1), s.From, name)
						assert.NotEmpty(t, s.Why, name)
					}
					if s.Version.IsZero() {
						assert.NotEmpty(t, s.Why, name)
						none++
						continue
					}
					for _, day := range []time.Time{s.From, s.Until, s.From.AddDate(0, 0, r.IntN(int(s.Until.Sub(s.From).Hours()/24)+1))} {
						sound(t, p, s.Version, day, facts, name)
						days++
					}
				}
				if t.Failed() {
					return
				}
				triples++
			}
		}
	}
	t.Logf("%d triples of product, version and day; %d days of steps judged; %d steps without a version", triples, days, none)
}

// sound checks that nothing on the axes of the version itself fails on a day.
func sound(t *testing.T, p Product, v Version, day time.Time, facts Facts, name string) {
	t.Helper()
	a := Assess(p, v, day, facts)
	assert.Contains(t, []Support{Supported, Outdated}, a.Support, "%s: %s on %s", name, v, day.Format(time.DateOnly))
	assert.Empty(t, a.MissingSecurityFixes, name)
	for _, f := range slices.Concat(a.On(CutoffAxis), a.On(RecallAxis)) {
		if f.Status == crossprem.Failed && f.Severity > crossprem.Info || f.Rule == "connect-18-month-deprecation" && f.Status == crossprem.Failed {
			p := Embedded().policy(f.Rule)
			if p.Requires.ApplicationAuthentication && p.Kind == HardCutoff && p.AppliesTo.Contains(v, facts.Cloud) == crossprem.No {
				continue // the server's business
			}
			assert.True(t, f.Due.After(day), "%s: %s on %s: %s", name, v, day.Format(time.DateOnly), f.Rule)
		}
	}
}
