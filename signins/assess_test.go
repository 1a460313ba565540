package signins_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestRetirementsTellWhoBreaksWhen(t *testing.T) {
	s := samples(t)["graph-beta"].summarize(t, signins.Summarizer{})
	text := func(at string) (lines []string) {
		for _, r := range signins.Retirements(s, day(at)) {
			past := "to come"
			if r.Past {
				past = "past"
			}
			lines = append(lines, fmt.Sprintf("%s %s %s: %s", r.Date.Format(time.DateOnly), past, r.ID, strings.Join(r.Users, " ")))
			assert.NotEmpty(t, r.Sources)
		}
		return lines
	}
	assert.Equal(t, []string{
		"2023-01-01 past basic-auth: backup@contoso.com niaj@contoso.com rupert@contoso.com trent@contoso.com walter@contoso.com",
		"2026-03-01 past activesync-16.1: rupert@contoso.com sybil@contoso.com",
		"2026-07-01 past pop-imap-legacy-tls: niaj@contoso.com walter@contoso.com",
		"2026-10-01 past ews-opt-in: backup@contoso.com",
		"2026-12-31 to come smtp-auth-default-off: scanner@contoso.com",
		"2027-04-01 to come ews-end: backup@contoso.com",
	}, text("2026-11-22"))
	assert.Contains(t, text("2026-12-31"), "2026-12-31 past smtp-auth-default-off: scanner@contoso.com")
	assert.Contains(t, text("2026-12-30"), "2026-12-31 to come smtp-auth-default-off: scanner@contoso.com")
}

// A certificate outlives passwords, even if somebody tries passwords as well;
// and where a log does not tell which it was, nobody is said to break for sure.
func TestRetirementsOfCertificates(t *testing.T) {
	phone := func(m signins.Methods, code int32) signins.SignIn {
		return signins.SignIn{Known: everything, Time: day("2026-11-18"), UserPrincipalName: "ann@contoso.com", ClientAppUsed: "Exchange ActiveSync", Methods: m, ErrorCode: code}
	}
	hit := func(log ...signins.SignIn) (lines []string) {
		for _, r := range signins.Retirements(summary(t, log...), day("2026-11-22")) {
			lines = append(lines, fmt.Sprint(r.ID, r.Certain))
		}
		return lines
	}
	assert.Equal(t, []string{"activesync-16.1false"}, hit(phone(signins.MethodCertificate, 0), phone(signins.MethodPassword, 50126)))
	assert.Equal(t, []string{"basic-authtrue", "activesync-16.1false"}, hit(phone(signins.MethodCertificate, 0), phone(signins.MethodPassword, 0)))
	assert.Equal(t, []string{"basic-authfalse", "activesync-16.1false"}, hit(phone(0, 0)))
	assert.Empty(t, hit(phone(signins.MethodPassword, 50126)))
}

func TestFindingsOfTheSample(t *testing.T) {
	s := samples(t)["graph-beta"].summarize(t, signins.Summarizer{})
	a := signins.Assessor{Countries: []string{"us", "DE"}}
	var lines []string
	for _, f := range a.Assess(s, day("2026-11-22")) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintln(f.Status, f.Severity, f.Rule, f.Subject)))
	}
	assert.Equal(t, []string{
		"failed critical signins-retirement basic-auth",
		"failed critical signins-attack-success 203.0.113.77",
		"failed critical signins-country RU",
		"failed warning signins-retirement activesync-16.1",
		"failed warning signins-retirement pop-imap-legacy-tls",
		"failed warning signins-retirement ews-opt-in",
		"failed warning signins-retirement smtp-auth-default-off",
		"failed warning signins-retirement ews-end",
		"failed warning signins-attack 198.51.100.23",
		"failed warning signins-attack 203.0.113.77",
		"failed warning signins-country BR",
		"failed warning signins-device-code tenant",
		"failed warning signins-legacy-use exchange-activesync",
		"failed warning signins-legacy-use exchange-web-services",
		"failed warning signins-legacy-use imap",
		"failed warning signins-legacy-use mapi",
		"failed warning signins-legacy-use other-legacy",
		"failed warning signins-legacy-use outlook-service",
		"failed warning signins-legacy-use pop",
		"failed warning signins-legacy-use smtp-auth",
		"failed warning signins-password-known tenant",
		"failed warning signins-ropc tenant",
		"failed info signins-legacy-attempts autodiscover",
		"failed info signins-legacy-attempts exchange-powershell",
		"failed info signins-legacy-attempts imap",
		"failed info signins-legacy-attempts offline-address-book",
		"failed info signins-legacy-attempts outlook-anywhere",
		"failed info signins-legacy-attempts reporting-web-services",
		"failed info signins-legacy-attempts smtp-auth",
		"unknown info signins-unlisted-client Some Future Client",
		"passed info signins-attack-possible tenant",
		"passed info signins-evidence tenant",
		"passed info signins-forgotten-password tenant",
		"passed info signins-stale-password tenant",
	}, lines)
}

func TestEveryRuleIsJudgedAndNothingIsFineWithoutEvidence(t *testing.T) {
	for name, s := range map[string]*signins.Summary{
		"nil":    nil,
		"zero":   {},
		"empty":  summary(t),
		"modern": summary(t, signins.SignIn{Known: everything, ClientAppUsed: "Browser", UserPrincipalName: "ann@contoso.com"}),
	} {
		t.Run(name, func(t *testing.T) {
			judged := make(map[string]bool)
			for _, f := range signins.Assess(s, day("2026-11-22")) {
				judged[f.Rule] = true
				assert.NotEmpty(t, f.Title)
				assert.NotEmpty(t, f.Detail)
				assert.NotEmpty(t, f.Sources)
				if name != "modern" {
					assert.Equal(t, crossprem.Unknown, f.Status, f.Rule)
					assert.Contains(t, f.Title, "It is not known whether ", f.Rule)
				} else if f.Rule != "signins-country" {
					assert.Equal(t, crossprem.Passed, f.Status, "%s: %s", f.Rule, f.Detail)
				}
			}
			for _, r := range signins.Rules() {
				assert.True(t, judged[r.ID], r.ID)
			}
		})
	}
	assert.True(t, slices.IsSortedFunc(signins.Rules(), func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) }))
}

func TestWhatTheFormatCannotKnowIsNotFine(t *testing.T) {
	s := samples(t)["graph-v1.0"].summarize(t, signins.Summarizer{})
	status := make(map[string]crossprem.Status)
	for _, f := range signins.Assess(s, day("2026-11-22")) {
		status[f.Rule] = f.Status
	}
	assert.Equal(t, crossprem.Unknown, status["signins-ropc"])
	assert.Equal(t, crossprem.Unknown, status["signins-device-code"])
	assert.Equal(t, crossprem.Failed, status["signins-evidence"])
	require.Contains(t, s.NotKnowable, "userAgent")
}

// Nobody is found to guess where time or address, by which guesses are found
// to belong together, cannot be read.
func TestNoAttackIsRuledOutWithoutTimeAndAddress(t *testing.T) {
	for _, missing := range []signins.Fields{0, signins.FieldTime, signins.FieldIPAddress, signins.FieldErrorCode} {
		s := summary(t, signins.SignIn{Known: everything &^ missing, ClientAppUsed: "IMAP4", UserPrincipalName: "ann@contoso.com", ErrorCode: 50126})
		want := crossprem.Unknown
		if missing == 0 {
			want = crossprem.Passed
		}
		for _, f := range signins.Assess(s, day("2026-11-22")) {
			if strings.HasPrefix(f.Rule, "signins-attack") {
				assert.Equal(t, want, f.Status, "%s: %s", f.Rule, f.Detail)
			}
		}
	}
}

// Who does not get in, as far as the log tells, is not called attacked if the
// log does not tell.
func TestUntoldOutcomesAreNoFailures(t *testing.T) {
	s := summary(t, signins.SignIn{Known: everything &^ (signins.FieldErrorCode | signins.FieldResult), ClientAppUsed: "IMAP4", UserPrincipalName: "ann@contoso.com"})
	status := make(map[string]crossprem.Status)
	for _, f := range signins.Assess(s, day("2026-11-22")) {
		status[f.Rule] = f.Status
	}
	assert.Equal(t, crossprem.Unknown, status["signins-legacy-use"])
	assert.Equal(t, crossprem.Unknown, status["signins-legacy-attempts"])
	assert.Equal(t, crossprem.Unknown, status["signins-retirement"])
}

// Legacy sign-ins of which no country is known come from no expected one.
func TestNoCountryIsNoExpectedOne(t *testing.T) {
	status := func(country string, interactive crossprem.Answer) (got crossprem.Status) {
		s := summary(t, signins.SignIn{Known: everything, ClientAppUsed: "IMAP4", UserPrincipalName: "ann@contoso.com", CountryOrRegion: country, Interactive: interactive})
		for _, f := range (&signins.Assessor{Countries: []string{"NL"}}).Assess(s, day("2026-11-22")) {
			if f.Rule == "signins-country" {
				got = f.Status
			}
		}
		return got
	}
	assert.Equal(t, crossprem.Passed, status("NL", crossprem.Yes))
	assert.Equal(t, crossprem.Failed, status("RU", crossprem.Yes))
	assert.Equal(t, crossprem.Unknown, status("", crossprem.Yes))
	assert.Equal(t, crossprem.Unknown, status("NL", crossprem.No))
}

// A format that cannot say which client signed in proves nothing about
// legacy authentication, and neither do records that name no known client.
func TestNothingPassesWithoutEvidence(t *testing.T) {
	byRule := func(s *signins.Summary) map[string]crossprem.Finding {
		found := make(map[string]crossprem.Finding)
		for _, f := range signins.Assess(s, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
			found[f.Rule] = f
		}
		return found
	}
	success := signins.SignIn{
		Time: time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC), UserPrincipalName: "bob@contoso.test",
		Result: signins.Succeeded, ClientAppUsed: "Browser", Known: ^signins.Fields(0),
	}
	summarize := func(s signins.SignIn) *signins.Summary {
		summary, err := signins.Summarize(func(yield func(signins.SignIn, error) bool) { yield(s, nil) })
		require.NoError(t, err)
		return summary
	}
	rules := []string{"signins-legacy-use", "signins-legacy-attempts", "signins-retirement", "signins-password-known"}
	for _, rule := range rules {
		assert.Equal(t, crossprem.Passed, byRule(summarize(success))[rule].Status, rule)
	}
	blank, blind, agentless, attended := success, success, success, success
	blank.ClientAppUsed = ""
	blind.ClientAppUsed, blind.Known = "", success.Known&^signins.FieldClientAppUsed
	agentless.Known &^= signins.FieldUserAgent // as v1.0, where BAV2ROPC looks modern
	attended.Interactive = crossprem.Yes       // which is all that the log holds
	for _, s := range []signins.SignIn{blank, blind, agentless, attended} {
		for _, rule := range rules {
			f := byRule(summarize(s))[rule]
			assert.Equal(t, crossprem.Unknown, f.Status, rule)
			assert.NotEmpty(t, f.Detail, rule)
			assert.True(t, strings.HasPrefix(f.Title, "It is not known whether "), f.Title)
		}
	}
}
