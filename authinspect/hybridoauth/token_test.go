package hybridoauth_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/internal/findingtest"
)

type claims = map[string]any

const (
	tenant      = "5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1"
	exchangeApp = "00000002-0000-0ff1-ce00-000000000000"
	secret      = "SECRETSIGNATURESECRETSIGNATURE"
)

// token writes a compact token; an empty signature leaves its part empty.
func token(header, body claims, signature string) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(header) + "." + part(body) + "." + signature
}

func serviceToService(at time.Time, change func(outer, actor claims)) string {
	audience := exchangeApp + "/mail.contoso.com@" + tenant
	actor := claims{"aud": audience, "iss": "00000001-0000-0000-c000-000000000000@" + tenant, "nbf": at.Unix() - 60, "exp": at.Unix() + 3600, "nameid": exchangeApp + "@" + tenant, "oid": "1"}
	outer := claims{"aud": audience, "iss": exchangeApp + "@" + tenant, "nbf": at.Unix() - 60, "exp": at.Unix() + 3600, "nameid": "10032000ABCDEF01", "smtp": "alex@contoso.com", "nii": "urn:federation:MicrosoftOnline"}
	change(outer, actor)
	outer["actortoken"] = token(claims{"typ": "JWT", "alg": "RS256", "x5t": base64.RawURLEncoding.EncodeToString(make([]byte, 20))}, actor, secret)
	return token(claims{"typ": "JWT", "alg": "none"}, outer, "")
}

func TestTokens(t *testing.T) {
	c := hybridoauth.Configuration{Context: hybridoauth.Context{TenantID: tenant, Hosts: []string{"mail.contoso.com"}, DedicatedAppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab"}}
	check := func(name string, change func(outer, actor claims), want ...string) {
		t.Helper()
		text := serviceToService(day, change)
		token, err := hybridoauth.ExplainToken("Authorization: Bearer " + text[:40] + "\r\n  " + text[40:])
		require.NoError(t, err, name)
		findings := hybridoauth.CheckToken(token, c, day)
		findingtest.Check(t, name, hybridoauth.Rules(), findings)
		assert.Equal(t, want, hybridoauth.Predicts(findings), name)
		all, err := json.Marshal([]any{token, findings})
		require.NoError(t, err)
		for _, hidden := range []string{secret, "alex", "10032000", text[:30]} {
			assert.NotContains(t, string(all), hidden, name)
		}
	}
	check("good", func(outer, actor claims) {})
	check("another tenant's audience", func(outer, actor claims) {
		actor["aud"] = exchangeApp + "/mail.contoso.com@a1b2c3d4-1111-4222-8333-444455566677"
	}, "R-2011")
	check("expired", func(outer, actor claims) { actor["exp"] = day.Unix() - 9999 }, "R-3001")
	check("another host", func(outer, actor claims) { actor["aud"] = exchangeApp + "/other.contoso.com@" + tenant }, "R-4002")
	check("no issuer", func(outer, actor claims) { delete(actor, "iss") }, "R-2003")
	check("odd issuer", func(outer, actor claims) { actor["iss"] = "somebody" }, "R-2006")
	check("another actor", func(outer, actor claims) { actor["nameid"] = "99999999-0000-0ff1-ce00-000000000000@" + tenant }, "R-2015")
	check("odd claims", func(outer, actor claims) {
		outer["exp"], outer["nbf"], actor["nbf"], actor["roles"] = "1e309", -5, map[string]any{"a": 1}, []any{1, "x", nil}
	})
}

func TestTokenKinds(t *testing.T) {
	read := func(body claims) hybridoauth.Token {
		got, err := hybridoauth.ExplainToken(token(claims{"alg": "RS256", "x5t": "qUdCaQbUzDqGM6TnQj3vgFRv3mE"}, body, secret))
		require.NoError(t, err)
		return got
	}
	app := read(claims{"aud": "https://outlook.office365.com", "iss": "https://sts.windows.net/" + tenant + "/", "appid": "c0ffee12-7a3b-4d5e-8f90-1234567890ab", "roles": []string{"full_access_as_app"}, "tid": tenant, "exp": day.Unix() + 60})
	assert.Equal(t, hybridoauth.AppOnly, app.Kind)
	assert.Equal(t, []string{"full_access_as_app"}, app.Outer.Roles)
	c := hybridoauth.Configuration{Context: hybridoauth.Context{DedicatedAppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab", TenantID: tenant}}
	for _, f := range hybridoauth.CheckToken(app, c, day) {
		assert.NotEqual(t, crossprem.Failed, f.Status, f.Rule+f.Detail)
	}
	c.Context.DedicatedAppID = "11111111-7a3b-4d5e-8f90-1234567890ab"
	assert.Contains(t, hybridoauth.Predicts(hybridoauth.CheckToken(app, c, day)), "R-7002")
	app.Outer.Roles = nil
	assert.Contains(t, hybridoauth.Predicts(hybridoauth.CheckToken(app, c, day)), "R-9004")
	assertion := read(claims{"aud": "00000001-0000-0000-c000-000000000000/accounts.accesscontrol.windows.net@" + tenant, "iss": exchangeApp + "@" + tenant, "nameid": exchangeApp + "@" + tenant})
	assert.Equal(t, hybridoauth.Assertion, assertion.Kind)
	assert.Len(t, assertion.Outer.Thumbprint, 40)

	sample, err := os.ReadFile("testdata/samples/16-actor-token-decoded.json")
	require.NoError(t, err)
	decoded, err := hybridoauth.ExplainToken(string(sample))
	require.NoError(t, err)
	assert.Equal(t, hybridoauth.ServiceToService, decoded.Kind)
	page, err := hybridoauth.ExplainToken("{\n \"typ\": \"JWT\", \"alg\": \"RS256\"\n}.{\n \"iss\": \"https://sts.windows.net/" + tenant + "/\", \"appid\": \"" + exchangeApp + "\"\n}.[Signature]")
	require.NoError(t, err)
	assert.Equal(t, hybridoauth.AppOnly, page.Kind)
	for _, text := range []string{"", "eyJ", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25lIn0.x", "hello", "{}", `{"alg":"none"}`, "[1]", strings.Repeat("eyJ", 1<<20)} {
		_, err := hybridoauth.ExplainToken(text)
		assert.ErrorIs(t, err, hybridoauth.ErrNoToken, "%.30q", text)
	}
}
