package authinspect_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
)

// answer makes an answer with status 401 and the given field lines.
func answer(step authinspect.Step, lines ...string) authinspect.Answer {
	return answered(step, http.StatusUnauthorized, lines...)
}

func answered(step authinspect.Step, status int, lines ...string) authinspect.Answer {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return authinspect.Answer{Step: step, Status: status, Header: h, At: noon}
}

const (
	basic     = `WWW-Authenticate: Basic realm="mail.contoso.test"`
	bare      = `WWW-Authenticate: Bearer client_id="` + clientID + `", error="invalid_token"`
	full      = `WWW-Authenticate: Bearer client_id="` + clientID + `", trusted_issuers="` + entra + `@6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e", authorization_uri="` + uri + `"`
	healthy   = `x-ms-diagnostics: 4000000;reason="Flighting is not enabled for domain 'mail.contoso.test'.";error_category="oauth_not_available"`
	blocked   = `x-ms-diagnostics: 4000000;reason="Flighting is not enabled for domain 'bob@contoso.test'.";error_category="oauth_not_available"`
	target    = "https://mail.contoso.test/EWS/Exchange.asmx"
	anonymous = authinspect.StepAnonymous
	empty     = authinspect.StepEmptyBearer
	mailbox   = authinspect.StepMailbox
)

func TestConcludeModern(t *testing.T) {
	check := func(want authinspect.Modern, answers ...authinspect.Answer) {
		t.Helper()
		r := authinspect.Conclude(target, "bob@contoso.test", answers...)
		assert.Equal(t, want, r.Modern, r.ModernReason)
		assert.NotEmpty(t, r.ModernReason)
	}
	const on, off, unknown = authinspect.ModernOn, authinspect.ModernOff, authinspect.ModernUnknown
	// The recorded answers of Exchange SE with AD FS and hybrid modern
	// authentication, one after the other.
	check(unknown)
	check(unknown, answer(anonymous, basic))
	check(unknown, answer(anonymous, basic), answer(empty, basic, bare, healthy))
	check(on, answer(anonymous, basic), answer(empty, basic, bare, healthy), answer(mailbox, basic, full))
	check(off, answer(anonymous, basic), answer(empty, basic, bare, healthy), answer(mailbox, basic, bare, blocked))
	check(off, answer(anonymous, basic), answer(empty, basic, full), answer(mailbox, basic, bare, blocked))
	// What proves nothing.
	check(unknown, answer(anonymous, basic), answer(empty))
	check(unknown, answer(anonymous, basic), answered(empty, 500, basic))
	check(unknown, answer(anonymous, basic), answered(empty, 200))
	check(unknown, answer(anonymous, basic), answered(empty, 302, "Location: https://login.microsoftonline.com/common/oauth2/authorize"))
	check(unknown, answer(anonymous, basic), authinspect.Answer{Step: empty, Err: assert.AnError})
	check(unknown, answer(anonymous, basic), answer(empty, basic, bare), answered(mailbox, 503))
	check(unknown, answer(authinspect.StepUnknown, basic))
	check(unknown, answer(authinspect.StepUnknown, bare))
	// What proves something.
	check(off, answer(anonymous, basic), answer(empty, basic))
	check(on, answer(authinspect.StepUnknown, full))
	check(off, answer(authinspect.StepUnknown, bare, blocked))
	check(on, answer(empty, `WWW-Authenticate: Bearer issuer_kind="ADFS"`))
	check(on, answer(anonymous, `WWW-Authenticate: Bearer authorization_uri=`+uri+`, resource_id=https://x`))
	check(on, answer(anonymous, `WWW-Authenticate: Bearer trusted_issuers="`+entra+`@*"`))
	// Another mailbox is another matter.
	check(unknown, answer(empty, bare, strings.Replace(blocked, "bob@", "eve@", 1)))
}

// A pasted answer may hold more than an inspection ever draws.
func TestConcludeDiagnostics(t *testing.T) {
	r := authinspect.Conclude("pasted", "", answered(authinspect.StepUnknown, 456, "X-AutoDiscovery-Error: LiveIdBasicAuth:BasicAuthBlockStatus - Deny", "x-ms-diagnostics: nonsense"))
	require.Len(t, r.Diagnostics, 1)
	assert.Equal(t, "LiveIdBasicAuth:BasicAuthBlockStatus - Deny", r.Diagnostics[0].String())
	assert.Contains(t, r.Diagnostics[0].Meaning, "Basic is blocked")
	require.Len(t, r.Warnings, 2)
	assert.Equal(t, "x-ms-diagnostics cannot be read: nonsense", r.Warnings[0])
	assert.Contains(t, r.Warnings[1], "status 456: Password was accepted")
}

// An anonymous answer, whatever it holds, never says that modern
// authentication is off, unless the server itself refuses a mailbox by name;
// and every finding of every answer can be shown on a terminal.
func FuzzConclude(f *testing.F) {
	f.Add(full[18:], "", uint8(0), 401)
	f.Add(`Basic Realm="",Negotiate TlRMTVNTUAACAAAA`, `4000000;reason="Flighting is not enabled for domain 'x'."`, uint8(1), 401)
	f.Add("Bearer authorization_uri=http://x\u202e, issuer_kind=\u009b", "2000003;reason=\"Actual 'http://\"", uint8(3), 200)
	f.Fuzz(func(t *testing.T, challenge, diagnostics string, step uint8, status int) {
		a := authinspect.Answer{Step: authinspect.Step(step % 5), Status: status, Header: http.Header{"Www-Authenticate": {challenge}, "X-Ms-Diagnostics": {diagnostics}}}
		r := authinspect.Conclude(target, "", a)
		if (a.Step == anonymous || a.Step == authinspect.StepUnknown) && r.Modern == authinspect.ModernOff {
			require.Contains(t, diagnostics, "@")
		}
		challenges, _ := authinspect.ParseChallenges(a.Header)
		require.Equal(t, authinspect.Schemes(challenges), append([]authinspect.Scheme{}, r.Schemes...))
		require.Len(t, r.Offers, len(r.Schemes))
		_, err := json.Marshal(r)
		require.NoError(t, err)
		for _, finding := range authinspect.Assess(r, noon) {
			for _, c := range finding.Detail + finding.Title + finding.Remedy {
				require.True(t, unicode.IsPrint(c), "%q in %q", c, finding.Detail)
			}
		}
	})
}

// Lists that a stranger fills have an end, and say so.
func TestConcludeBounds(t *testing.T) {
	var schemes, issuers strings.Builder
	var diagnostics []string
	for i := range 5000 {
		fmt.Fprintf(&schemes, "X%d,", i)
		fmt.Fprintf(&issuers, "%d@x,", i)
		diagnostics = append(diagnostics, fmt.Sprint(i)+";")
	}
	r := authinspect.Conclude("x", "", authinspect.Answer{Step: authinspect.StepAnonymous, Status: 401, Header: http.Header{
		"Www-Authenticate": {`Bearer trusted_issuers="` + issuers.String() + `"`, schemes.String() + "Basic"}, "X-Ms-Diagnostics": diagnostics}})
	assert.Len(t, r.Schemes, 101)
	assert.Equal(t, authinspect.Advertised, r.Strength(authinspect.Basic), "never left out")
	assert.Len(t, r.Issuer.TrustedIssuers, 100)
	assert.Len(t, r.Diagnostics, 100)
	assert.Contains(t, r.Warnings, "anonymous: more than 100 schemes; 4901 challenges left out")
	assert.Contains(t, r.Warnings, "anonymous: more than 100 trusted issuers; the rest is left out")

	answers := make([]authinspect.Answer, 5000)
	for i := range answers {
		answers[i] = authinspect.Answer{Status: 401}
	}
	r = authinspect.Conclude("x", "", answers...)
	assert.Len(t, r.Warnings, 101)
	assert.Equal(t, "and more, which is left out", r.Warnings[100])
}

func TestConcludeIssuer(t *testing.T) {
	check := func(params string, want *authinspect.Issuer, warnings int) {
		t.Helper()
		r := authinspect.Conclude(target, "", answer(empty, "WWW-Authenticate: Bearer "+params))
		assert.Equal(t, want, r.Issuer)
		assert.Len(t, r.Warnings, warnings, "%q", r.Warnings)
	}
	const tenant = "6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e"
	check(`authorization_uri="`+uri+`"`, &authinspect.Issuer{Kind: "entra", AuthorizationURI: uri}, 0)
	check(`authorization_uri="https://login.chinacloudapi.cn/common/oauth2/authorize", trusted_issuers="00000001-0002-0000-c000-000000000000@"`,
		&authinspect.Issuer{Kind: "entra", AuthorizationURI: "https://login.chinacloudapi.cn/common/oauth2/authorize", TrustedIssuers: []string{"00000001-0002-0000-c000-000000000000@"}}, 0)
	check(`authorization_uri="https://login.microsoftonline.us/`+tenant+`/oauth2/authorize"`,
		&authinspect.Issuer{Kind: "entra", AuthorizationURI: "https://login.microsoftonline.us/" + tenant + "/oauth2/authorize", Tenant: tenant}, 0)
	check(`authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize", issuer_kind="ADFS"`,
		&authinspect.Issuer{Kind: "adfs", AuthorizationURI: "https://sts.contoso.test/adfs/oauth2/authorize"}, 0)
	// A name that only looks like Microsoft's is somebody else's.
	check(`authorization_uri="https://login.windows.net.evil.test/common"`, &authinspect.Issuer{Kind: "other", AuthorizationURI: "https://login.windows.net.evil.test/common"}, 0)
	check(`authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize", issuer_kind="AzureAD"`,
		&authinspect.Issuer{Kind: "adfs", AuthorizationURI: "https://sts.contoso.test/adfs/oauth2/authorize"}, 1)
	check(`authorization_uri="http://login.windows.net/x"`, &authinspect.Issuer{AuthorizationURI: "http://login.windows.net/x"}, 1)
	check(`trusted_issuers="`+entra+`@`+tenant+`"`, &authinspect.Issuer{Tenant: tenant, TrustedIssuers: []string{entra + "@" + tenant}}, 0)
}

func TestParseDiagnostic(t *testing.T) {
	d, ok := authinspect.ParseDiagnostic(` 2000003;reason="The hostname component of the audience claim value is invalid. Expected 'https://a'. Actual 'http://a'.";error_category="invalid_resource"`)
	require.True(t, ok)
	assert.Equal(t, 2000003, d.Code)
	assert.Equal(t, "invalid_resource", d.Category)
	assert.Contains(t, d.Reason, "Actual 'http://a'")
	assert.NotEmpty(t, d.Meaning)
	d, ok = authinspect.ParseDiagnostic("2000001")
	assert.True(t, ok)
	assert.Equal(t, 2000001, d.Code)
	for _, bad := range []string{"", "x", `;reason="x"`, "99999999999999999999;", "12a;"} {
		_, ok := authinspect.ParseDiagnostic(bad)
		assert.False(t, ok, bad)
	}
}

func TestAssess(t *testing.T) {
	// check lists what is true of r, one "rule status" a line.
	check := func(r *authinspect.Result, want ...string) {
		t.Helper()
		var got []string
		for _, f := range authinspect.Assess(r, noon) {
			got = append(got, fmt.Sprint(f.Rule, " ", f.Status))
			assert.Equal(t, r.Target, f.Subject)
			assert.NotEmpty(t, f.Title)
			assert.NotEmpty(t, f.Sources)
			if f.Status == crossprem.Failed || f.Status == crossprem.Unknown {
				assert.NotEmpty(t, f.Detail, f.Rule)
			}
		}
		assert.ElementsMatch(t, want, got)
	}
	conclude := func(answers ...authinspect.Answer) *authinspect.Result {
		return authinspect.Conclude(target, "bob@contoso.test", answers...)
	}
	check(&authinspect.Result{Target: target}, "basic-offered unknown", "modern-off unknown")
	check(conclude(answer(anonymous, basic)), "basic-offered failed", "modern-off unknown")
	check(conclude(answer(anonymous, basic), answer(empty, basic)), "basic-offered failed", "bearer-missing failed")
	check(conclude(answer(anonymous, basic), answer(empty, basic, bare, healthy)), "basic-offered failed", "modern-off unknown")
	check(conclude(answer(anonymous, "WWW-Authenticate: NTLM"), answer(mailbox, full)),
		"basic-offered passed", "modern-off passed", "issuer-unrecognized passed", "extended-protection-off unknown", "ntlm-internal-names unknown")
	check(conclude(answer(empty, full)), "basic-offered unknown", "modern-off passed", "issuer-unrecognized passed")
	check(conclude(answer(anonymous, basic), answer(mailbox, basic, bare, blocked)),
		"basic-offered failed", "modern-blocked-mailbox failed")
	check(conclude(answer(anonymous, basic), answer(empty, basic, bare, healthy), answer(mailbox, basic, bare, healthy)),
		"basic-offered failed", "modern-off failed")
	check(conclude(answer(anonymous), answer(empty)), "basic-offered unknown", "modern-off unknown", "challenge-missing failed")
	check(conclude(answer(anonymous, basic), answered(empty, 200)), "basic-offered failed", "modern-off unknown", "bearer-accepted-empty failed")
	check(conclude(answered(anonymous, 302, "Location: https://login.microsoftonline.com/common/oauth2/authorize?x=y")),
		"basic-offered unknown", "modern-off unknown", "preauthentication failed")
	check(conclude(answer(anonymous, `WWW-Authenticate: Digest realm="x", nonce="y"`)), "basic-offered passed", "modern-off unknown", "digest-offered failed")
	check(conclude(answer(anonymous, `WWW-Authenticate: Basic realm="x`)), "basic-offered failed", "modern-off unknown", "challenge-malformed failed")
	check(conclude(answer(empty, `WWW-Authenticate: Bearer authorization_uri="https://idp.test/x"`)),
		"basic-offered unknown", "modern-off passed", "issuer-unrecognized failed")
	check(conclude(answer(anonymous, basic, `x-ms-diagnostics: 2000003;reason="Expected 'https://a'. Actual 'http://a'.";error_category="invalid_resource"`)),
		"basic-offered failed", "modern-off unknown", "tls-offload failed")

	names := conclude(answer(anonymous, "WWW-Authenticate: NTLM"), answer(authinspect.StepNTLM, "WWW-Authenticate: NTLM "+exchange.Token68(noon)))
	check(names, "basic-offered passed", "modern-off unknown", "extended-protection-off unknown", "ntlm-internal-names failed", "ntlm-clock-skew failed")
	ok := exchange
	ok.Skew = time.Minute
	check(conclude(answer(anonymous, "WWW-Authenticate: NTLM"), answer(authinspect.StepNTLM, "WWW-Authenticate: NTLM "+ok.Token68(noon))),
		"basic-offered passed", "modern-off unknown", "extended-protection-off unknown", "ntlm-internal-names failed", "ntlm-clock-skew passed")

	plain := authinspect.Conclude("http://mail.contoso.test/EWS/Exchange.asmx", "", answer(anonymous, basic))
	check(plain, "basic-offered failed", "modern-off unknown", "basic-without-tls failed")
	windows := authinspect.Conclude("https://sts.contoso.test/adfs/services/trust/13/windowstransport", "", answer(anonymous, "WWW-Authenticate: Negotiate"))
	check(windows, "basic-offered passed", "windows-transport-public failed", "extended-protection-off unknown", "ntlm-internal-names unknown")
}

// The day decides: Exchange Online names Basic to this day, and took it until
// October 2022.
func TestAssessExchangeOnlineByDay(t *testing.T) {
	r := authinspect.Conclude(target, "", answer(anonymous, `WWW-Authenticate: Bearer trusted_issuers="`+entra+`@*",Basic Realm=""`))
	basic := func(at time.Time) crossprem.Finding {
		findings := authinspect.Assess(r, at)
		i := slices.IndexFunc(findings, func(f crossprem.Finding) bool { return f.Rule == "basic-offered" })
		require.GreaterOrEqual(t, i, 0)
		return findings[i]
	}
	before, today := basic(time.Date(2020, time.April, 6, 0, 0, 0, 0, time.UTC)), basic(noon)
	assert.Equal(t, crossprem.Info, before.Severity, "two years ahead")
	assert.Equal(t, crossprem.Warning, basic(time.Date(2022, time.August, 1, 0, 0, 0, 0, time.UTC)).Severity)
	assert.Equal(t, time.Date(2022, time.October, 1, 0, 0, 0, 0, time.UTC), before.Due)
	assert.Equal(t, crossprem.Failed, today.Status)
	assert.Equal(t, crossprem.Info, today.Severity)
	assert.True(t, today.Due.IsZero())

	// An empty realm alone is anybody's.
	r = authinspect.Conclude(target, "", answer(anonymous, `WWW-Authenticate: Basic Realm=""`))
	assert.Equal(t, crossprem.Warning, basic(noon).Severity)
}
