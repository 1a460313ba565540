package clients

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
)

func on(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestTheTableIsWhole(t *testing.T) {
	var raw struct{ AsOf string }
	require.NoError(t, json.Unmarshal(clientsJSON, &raw))
	assert.Equal(t, AsOf, raw.AsOf)
	known := make(map[string]bool)
	for _, r := range agentRules() {
		known[r.client.ID] = true
		assert.NotEmpty(t, r.client.Family, r.client.ID)
	}
	ids := make(map[string]bool)
	for _, r := range table().Rows {
		assert.False(t, ids[r.ID], "%s is there twice", r.ID)
		ids[r.ID] = true
		assert.NotEmpty(t, r.Sources, r.ID)
		assert.NotContains(t, table().sources(r.Sources), "", "%s names a source that is not listed", r.ID)
		assert.Contains(t, []string{"documented", "observed", "inferred"}, r.Evidence, r.ID)
		for _, c := range r.UserAgents {
			assert.True(t, known[c], "%s names the client %s, which no rule gives", r.ID, c)
		}
		for _, name := range []string{"exo-policy-2020", "onprem-hma-blocked", "onprem-adfs", "onprem-basic-off"} {
			assert.NotEmpty(t, r.Scenarios[name].Why, "%s: %s", r.ID, name)
		}
		require.NotEmpty(t, r.ExchangeOnline, r.ID)
		assert.True(t, r.ExchangeOnline[0].From.IsZero(), r.ID)
		assert.True(t, slices.IsSortedFunc(r.ExchangeOnline, func(a, b stepJSON) int { return a.From.Compare(b.From.Time) }), r.ID)
	}
	for _, o := range table().Tested2020 {
		assert.True(t, ids[o.Row], o.Row)
	}
	assert.Equal(t, 51, len(Rows()))
}

// What Microsoft's dates make of clients without a policy.
func TestOutcomesFollowTheDays(t *testing.T) {
	for _, test := range []struct {
		row     string
		hosting Hosting
		at      string
		want    Outcome
	}{
		{"outlook-2010", ExchangeOnline, "2020-04-22", Continues},
		{"outlook-2010", ExchangeOnline, "2022-11-01", OutcomeUnknown},
		{"outlook-2010", ExchangeOnline, "2026-11-26", Stops},
		{"outlook-2010", ExchangeOnlinePolicy, "2020-04-22", Stops},
		{"outlook-2010", ExchangeOnlinePolicy, "2018-01-01", OutcomeUnknown},
		{"outlook-2010", OnPremisesBasicOff, "2026-11-26", Continues},
		{"outlook-new", ExchangeOnlinePolicy, "2026-11-26", ContinuesModern},
		{"smtp-device", ExchangeOnline, "2026-12-30", Continues},
		{"smtp-device", ExchangeOnline, "2026-12-31", OutcomeUnknown},
		{"smtp-device", ExchangeOnlinePolicy, "2026-11-26", Stops},
		{"ews-oauth-app", ExchangeOnline, "2026-09-30", ContinuesModern},
		{"ews-oauth-app", ExchangeOnline, "2026-10-01", OutcomeUnknown},
		{"ews-oauth-app", ExchangeOnline, "2027-04-01", Stops},
		{"outlook-m365", OnPremisesADFS, "2026-11-26", ContinuesModern},
		{"outlook-m365", OnPremisesADFS, "2022-01-01", OutcomeUnknown},
		{"outlook-mobile", OnPremisesADFS, "2026-11-26", FallsBackBasic},
		{"outlook-2010", HostingUnknown, "2026-11-26", OutcomeUnknown},
		{"no-such-row", ExchangeOnline, "2026-11-26", OutcomeUnknown},
	} {
		got, why := OutcomeOf(test.row, test.hosting, on(test.at))
		assert.Equal(t, test.want, got, "%s, %v on %s: %s", test.row, test.hosting, test.at, why)
		assert.NotEmpty(t, why)
	}
}

func TestImpactOfAgents(t *testing.T) {
	for _, test := range []struct {
		ua      string
		hosting Hosting
		want    Outcome
	}{
		{"Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.5128; Pro)", ExchangeOnline, Stops},
		{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)", ExchangeOnline, ContinuesModern},
		{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)", OnPremisesADFS, OutcomeUnknown},
		{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.5254; Pro)", OnPremisesADFS, Continues},
		{"Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4859; Pro)", ExchangeOnline, OutcomeUnknown},
		{"Apple-iPhone5C2/1104.201", ExchangeOnline, Stops},
		{"Apple-iPhone17C3/2209.90", ExchangeOnline, ContinuesModern},
		{"iOS/1002.329", ExchangeOnline, OutcomeUnknown},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Thunderbird/24.4.0", ExchangeOnline, Stops},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Thunderbird/140.4.0", ExchangeOnline, ContinuesModern},
		{"Mac OS X/10.8.3 (12D78); ExchangeWebServices/3.0 (157); Mail/6.3 (1503)", ExchangeOnline, Stops},
		{"BAV2ROPC", ExchangeOnline, OutcomeUnknown},
		{"python-requests/2.31.0", ExchangeOnline, OutcomeUnknown},
		{"never seen", ExchangeOnline, OutcomeUnknown},
	} {
		i := Impact([]Client{RecognizeUserAgent(test.ua)}, test.hosting, on("2026-11-26"))[0]
		assert.Equal(t, test.want, i.Outcome, "%s at %v: %s", test.ua, test.hosting, i.Why)
		assert.NotEmpty(t, i.Why)
	}
	i := Impact([]Client{RecognizeUserAgent("python-requests/2.31.0")}, ExchangeOnline, on("2026-11-26"))[0]
	assert.Equal(t, []string{"smtp-app", "ews-basic-app"}, i.Rows)
	assert.Contains(t, i.Why, "continues")
	assert.Contains(t, i.Why, "stops")
	assert.Empty(t, Impact(nil, ExchangeOnline, time.Time{}))
	assert.Equal(t, OutcomeUnknown, Impact([]Client{{}}, 0, time.Time{})[0].Outcome)
}

// The table that was published in 2020 has 14 rows; where ours says otherwise
// for its own day, the reason stands beside it.
func TestTheTableOf2020(t *testing.T) {
	all := Observations2020()
	require.Len(t, all, 14)
	for _, d := range Compare(all) {
		assert.NotEmpty(t, d.Reason, "%s: seen %v, predicted %v", d.Client, d.Outcome, d.Predicted)
	}
	assert.Len(t, Compare(all), 3)
	for _, o := range all {
		predicted, _ := OutcomeOf(o.Row, o.Hosting, o.At)
		today, _ := OutcomeOf(o.Row, ExchangeOnline, on("2026-11-26"))
		t.Logf("%-62s 2020: %-17v ours: %-17v today: %v", o.Client, o.Outcome, predicted, today)
	}
}

func TestFindings(t *testing.T) {
	findingtest.CheckRules(t, Rules())
	var all []Client
	for _, a := range labelledAgents(t) {
		all = append(all, RecognizeUserAgent(a.UA))
	}
	for _, hosting := range append(Hostings(), HostingUnknown, 99) {
		for _, at := range []string{"2018-01-01", "2020-04-22", "2022-11-01", "2026-11-26", "2027-12-31"} {
			impacts := Impact(all, hosting, on(at))
			findings := Assess(impacts, hosting, on(at))
			findingtest.Check(t, hosting.String()+" "+at, Rules(), findings)
			assert.True(t, slices.IsSortedFunc(findings, crossprem.WorstFirst))
			for _, i := range impacts {
				b, err := json.Marshal(i)
				require.NoError(t, err)
				var back Effect
				require.NoError(t, json.Unmarshal(b, &back))
				assert.Equal(t, i, back)
			}
		}
	}
	nothing := Assess(nil, 0, time.Time{})
	findingtest.Check(t, "nothing", Rules(), nothing)
	assert.Equal(t, crossprem.Unknown, nothing[0].Status)
}
