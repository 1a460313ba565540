package authinspect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
)

func TestExchangeBuildTable(t *testing.T) {
	table := exchangeBuilds()
	assert.Equal(t, ExchangeBuildsAsOf, table.AsOf)
	assert.Len(t, table.Builds, 416)
	known := func(sources []string) {
		t.Helper()
		assert.NotEmpty(t, sources)
		for _, s := range sources {
			assert.NotEmpty(t, table.Sources[s], s)
		}
	}
	asOf := day(table.AsOf)
	for _, row := range table.Builds {
		known(row.Sources)
		assert.NotEmpty(t, row.Release, row.Build)
		assert.False(t, row.day.After(asOf), row.Build)
		assert.Contains(t, []string{"rtm", "sp", "cu", "su", "hu", "ru"}, row.Kind)
		assert.NotNil(t, table.product(row.build.product()), row.Build)
		found, ok := LookUpExchangeBuild(row.Build)
		assert.True(t, ok)
		assert.Equal(t, ExchangeBuild{Build: row.Build, Product: row.build.product(), Release: row.Release, Released: row.day}, found)
	}
	listed := func(builds []string) {
		t.Helper()
		assert.True(t, slices.IsSortedFunc(builds, func(a, b string) int {
			x, _ := parseBuild(a)
			y, _ := parseBuild(b)
			return x.compare(y)
		}), builds)
		for _, b := range builds {
			parsed, ok := parseBuild(b)
			require.True(t, ok, b)
			_, exact := table.match(parsed)
			assert.True(t, exact, "%s is not listed", b)
		}
	}
	for _, row := range table.Products {
		known(row.Sources)
		assert.NotEqual(t, row.SupportEnd == "", row.NotBefore == "", row.Product)
		listed(row.LastFree)
	}
	for _, row := range table.Features {
		known(row.Sources)
		listed(row.MinBuilds)
	}
	for _, row := range table.Vulnerabilities {
		known(row.Sources)
		listed(row.Fixed)
		day(row.Published)
	}
	known(table.Enforcement.Sources)
	for _, row := range table.Enforcement.Rows {
		listed(row.MinBuilds)
		listed(row.Open)
		day(row.From)
	}
	_, err := parseBuildTable([]byte(`{"builds":[{"build":"15.2"}]}`))
	assert.ErrorContains(t, err, `"15.2" is no build`)
}

func TestLookUpExchangeBuild(t *testing.T) {
	for version, want := range map[string]string{
		"15.02.1748.042": "Exchange Server 2019 CU15 Dec25SU (15.2.1748.42)",
		"15.01.2176.009": "Exchange Server 2016 CU19 Mar21SU (15.1.2176.9)",
		"15.1.2507.36":   "Exchange Server 2016 at least CU23 Nov23SU (15.1.2507.36)",
		"15.2.2562.99":   "Exchange Server SE at least RTM Sep26SUv2 (15.2.2562.99)",
		"15.2.9999.1":    "Exchange Server SE (15.2.9999.1)",
		"15.2.1748":      "Exchange Server 2019 at least CU15 (15.2.1748)",
		"15.2":           "Exchange Server 2019 or SE (15.2)",
		"15.1":           "Exchange Server 2016 (15.1)",
		"14.3.513.0":     "Exchange Server 2010 SP3 RU32 (14.3.513.0)",
		"14.3.266.1":     "Exchange Server 2010 SP3 RU11 (14.3.266.1)", // another list's number
		"8.3.517.0":      "Exchange Server 2007 SP3 RU23 (8.3.517.0)",
		"8.1.240.6":      "Exchange Server 2007 (8.1.240.6)",
		"6.5.7638.1":     "Exchange Server 2003 (6.5.7638.1)",
		"15.20.9115.010": "", "15.00.0847.4040": "", "15": "", "15.2.x.1": "", "": "", "1.2.3.4": "", "15.2.1748.42.1": "", "15.2.17481748.42": "", "-15.2": "",
	} {
		b, ok := LookUpExchangeBuild(version)
		assert.Equal(t, want != "", ok, version)
		if ok {
			assert.Equal(t, want, b.String(), version)
		}
	}
}

// Another way to find the next lower build: over all of them, backwards.
func TestLookUpExchangeBuildAgainstSearch(t *testing.T) {
	rows := exchangeBuilds().Builds
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		near := rows[r.IntN(len(rows))].build
		near.n[3] += r.IntN(9) - 4
		if near.n[3] < 0 || r.IntN(9) == 0 {
			near.n[2], near.n[3] = near.n[2]+r.IntN(3)-1, 0
		}
		want := ""
		for _, row := range slices.Backward(rows) {
			sameBranch := strings.HasPrefix(row.Build, fmt.Sprintf("%d.%d.%d.", near.n[0], near.n[1], near.n[2])) ||
				near.n[0] < 15 && strings.HasPrefix(row.Build, fmt.Sprintf("%d.%d.", near.n[0], near.n[1]))
			if slices.Contains(row.Alternates, near.String()) {
				want = row.Release
				break
			}
			if want == "" && sameBranch && (row.build.n[2] < near.n[2] || row.build.n[2] == near.n[2] && row.build.n[3] <= near.n[3]) {
				want = row.Release
			}
		}
		got, ok := LookUpExchangeBuild(near.String())
		require.True(t, ok, near.String())
		require.Equal(t, want, got.Release, near.String())
	}
}

func TestServerFindings(t *testing.T) {
	rules := Rules()
	check := func(version, at string, want ...string) {
		t.Helper()
		s := Server{}
		s.setBuild(version)
		findings := serverFindings("ex", s, day(at))
		findingtest.Check(t, version, rules, findings)
		var got []string
		for _, f := range findings {
			if id := strings.TrimSuffix(f.Rule+" "+f.Part, " "); f.Rule != "exchange-feature-missing" || f.Status == crossprem.Failed {
				got = append(got, fmt.Sprint(id, " ", f.Status, " ", f.Severity))
			}
		}
		assert.ElementsMatch(t, want, got, "%s on %s", version, at)
	}
	// The newest of the table, within the month for which it can know.
	check("15.2.2562.53", "2026-10-12", "exchange-support-ends passed critical", "exchange-update-missing passed critical",
		"exchange-vulnerable CVE-2025-53786 unknown critical", "exchange-vulnerable CVE-2026-96940 passed critical", "exchange-mail-throttled passed critical")
	// And when updates have appeared since.
	check("15.2.2562.53", "2026-11-26", "exchange-support-ends passed critical", "exchange-update-missing unknown critical",
		"exchange-vulnerable CVE-2025-53786 unknown critical", "exchange-vulnerable CVE-2026-96940 passed critical", "exchange-mail-throttled passed critical")
	check("15.2.1748.39", "2026-11-26", "exchange-support-ends failed critical", "exchange-update-missing failed critical",
		"exchange-vulnerable CVE-2025-53786 unknown critical", "exchange-vulnerable CVE-2026-96940 failed critical", "exchange-mail-throttled passed critical",
		"exchange-feature-missing hybrid-calls-by-graph failed warning")
	check("15.2.1544.36", "2026-11-26", "exchange-support-ends failed critical", "exchange-update-missing failed critical",
		"exchange-vulnerable CVE-2025-53786 unknown critical", "exchange-vulnerable CVE-2026-96940 failed critical", "exchange-mail-throttled unknown critical",
		"exchange-feature-missing hybrid-calls-by-graph failed warning", "exchange-feature-missing tls-1.3 failed info")
	check("15.2.1544.4", "2026-11-26", "exchange-support-ends failed critical", "exchange-update-missing failed critical",
		"exchange-vulnerable CVE-2025-53786 failed critical", "exchange-vulnerable CVE-2026-96940 failed critical", "exchange-mail-throttled failed critical",
		"exchange-feature-missing hybrid-calls-by-graph failed warning", "exchange-feature-missing tls-1.3 failed info",
		"exchange-feature-missing dedicated-hybrid-application failed warning", "exchange-feature-missing auth-certificate-export-blocked failed info")
	check("15.1.2507", "2025-06-01", "exchange-support-ends failed warning", "exchange-update-missing unknown critical", "exchange-mail-throttled unknown critical",
		"exchange-feature-missing adfs-modern-auth failed info", "exchange-feature-missing hybrid-calls-by-graph failed info",
		"exchange-feature-missing extended-protection-default failed info", "exchange-feature-missing tls-1.3 failed info")
	check("15.2", "2026-11-26", "exchange-support-ends unknown critical", "exchange-update-missing unknown critical",
		"exchange-vulnerable CVE-2025-53786 unknown critical", "exchange-vulnerable CVE-2026-96940 unknown critical")
	check("", "2026-11-26", "exchange-support-ends unknown critical", "exchange-update-missing unknown critical")
	check("6.5.7638.1", "2026-11-26", "exchange-support-ends failed critical", "exchange-update-missing unknown critical",
		"exchange-vulnerable CVE-2025-53786 failed critical", "exchange-vulnerable CVE-2026-96940 unknown critical",
		"exchange-feature-missing hybrid-modern-auth failed warning", "exchange-feature-missing empty-bearer-handshake failed info", "exchange-feature-missing adfs-modern-auth failed info",
		"exchange-feature-missing dedicated-hybrid-application failed warning", "exchange-feature-missing hybrid-calls-by-graph failed warning",
		"exchange-feature-missing auth-certificate-export-blocked failed info", "exchange-feature-missing extended-protection-supported failed warning",
		"exchange-feature-missing extended-protection-default failed info", "exchange-feature-missing tls-1.3 failed info")
	assert.Nil(t, serverFindings("x", Server{Kind: KindExchangeOnline, Version: "15.20.1.1"}, day("2026-11-26")))
}

// Within a branch, and along the branches of a product, nothing that a build
// has is missing from a later one; nothing that it lacks is there in an earlier.
func TestLaterBuildsLackNothing(t *testing.T) {
	table := exchangeBuilds()
	var firsts [][]string
	for _, f := range table.Features {
		firsts = append(firsts, f.MinBuilds)
	}
	for _, first := range firsts {
		last := map[string]crossprem.Answer{}
		for _, row := range table.Builds {
			b := row.build
			has := reaches(b, first)
			if key := b.branch().String(); last[key] == crossprem.Yes {
				assert.Equal(t, crossprem.Yes, has, "%s %v", row.Build, first)
			} else {
				last[key] = has
			}
			// Three numbers say what all builds with them have in common.
			three := b
			three.parts, three.n[3] = 3, 0
			if general := reaches(three, first); b.n[0] >= 15 && general != crossprem.AnswerUnknown {
				assert.Equal(t, general, has, "%s %v", row.Build, first)
			}
		}
	}
}

func TestEveryBuildKeepsThePromises(t *testing.T) {
	rules := Rules()
	for i, row := range exchangeBuilds().Builds {
		s := Server{}
		s.setBuild(row.Build)
		at := day("2023-01-01").AddDate(0, i%50, i%27)
		findingtest.Check(t, row.Build, rules, serverFindings("ex", s, at))
	}
}

func TestNextPatchDay(t *testing.T) {
	for after, want := range map[string]string{"2026-10-07": "2026-10-13", "2026-10-13": "2026-11-10", "2026-12-31": "2027-01-12", "2026-09-01": "2026-09-08"} {
		assert.Equal(t, want, nextPatchDay(day(after)).Format(time.DateOnly), after)
	}
}

func TestRecogniseOldGreetings(t *testing.T) {
	for greeting, want := range map[string]Server{
		"220 mail.contoso.test Microsoft ESMTP MAIL Service, Version: 10.0.17763.1 ready at  Tue, 17 Nov 2026 08:14:02 +0100": {Kind: KindIISSMTP, Product: "SMTP service of IIS"},
		"220 mail.contoso.test Microsoft ESMTP MAIL Service ready at Tue, 17 Nov 2026 08:14:02 +0100":                         {Kind: KindExchange, Product: "Exchange Server", FrontEnd: "mail.contoso.test"},
		"* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7638.1 (mail.contoso.test) ready.":                  {Kind: KindExchange, Product: "Exchange Server 2003", Version: "6.5.7638.1"},
		"+OK Microsoft Exchange Server 2007 POP3 service ready":                                                               {Kind: KindExchange, Product: "Exchange Server 2007"},
		"* OK mail.contoso.test Cyrus IMAP 3.6.1 server ready":                                                                {},
	} {
		protocol := map[byte]Protocol{'2': SMTP, '*': IMAP, '+': POP3}[greeting[0]]
		got := recogniseMail(protocol, greeting)
		got.Software = ""
		assert.Equal(t, want, got, greeting)
	}
	e, _ := ExplainResponse(IMAP, "a1 NO Login failed: user not found")
	assert.Equal(t, "imap-cyrus-login-failed", e.ID)
	_, ok := ExplainResponse(IMAP, "a1 NO AUTHENTICATE failed: x")
	assert.False(t, ok)
}
