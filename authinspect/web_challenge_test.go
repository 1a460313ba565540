package authinspect_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
)

func parse(fields ...string) ([]authinspect.Challenge, []authinspect.Warning) {
	return authinspect.ParseChallenges(http.Header{"Www-Authenticate": fields})
}

// show writes challenges on one line each: scheme, token68, name=value.
func show(challenges []authinspect.Challenge) string {
	var lines []string
	for _, c := range challenges {
		line := string(c.Scheme)
		if c.Token68 != "" {
			line += " " + c.Token68
		}
		for _, p := range c.Params {
			line += " " + p.Name + "=" + p.Value
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " | ")
}

const (
	clientID = "00000002-0000-0ff1-ce00-000000000000"
	entra    = "00000001-0000-0000-c000-000000000000"
	uri      = "https://login.windows.net/common/oauth2/authorize"
)

func TestParseChallenges(t *testing.T) {
	check := func(want string, fields ...string) {
		t.Helper()
		challenges, warnings := parse(fields...)
		assert.Equal(t, want, show(challenges))
		assert.Empty(t, warnings)
	}
	// Real answers of Exchange, Exchange Online and proxies.
	check(`bearer client_id=`+clientID+` trusted_issuers=`+entra+`@t,00000004-0000-0ff1-ce00-000000000000@contoso.com token_types=app_asserted_user_v1 service_asserted_app_v1 authorization_uri=`+uri+` | basic realm=mail.contoso.com`,
		`Bearer client_id="`+clientID+`", trusted_issuers="`+entra+`@t,00000004-0000-0ff1-ce00-000000000000@contoso.com", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="`+uri+`"`, `Basic realm="mail.contoso.com"`)
	check(`bearer client_id=`+clientID+` error=invalid_token | negotiate | ntlm | basic realm=autodiscover.contoso.com`,
		`Bearer client_id="`+clientID+`", error="invalid_token",Negotiate,NTLM,Basic realm="autodiscover.contoso.com"`)
	check(`basic Realm= | basic Realm= | basic Realm=`, `Basic Realm="",Basic Realm="",Basic Realm=""`)
	check(`bearer trusted_issuers=`+entra+`@* | basic Realm=`, `Bearer trusted_issuers="`+entra+`@*",Basic Realm=""`)
	check(`bearer error=insufficient_claims claims=eyJhIjoxfQ==`, `Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="`)
	check(`negotiate | ntlm`, `Negotiate`, `NTLM`)
	check(`ntlm TlRMTVNTUAACAAAADAAMADgAAAAFgomi`, `NTLM TlRMTVNTUAACAAAADAAMADgAAAAFgomi`)
	// RFC 9110 §11.6.1 and what its grammar allows.
	check(`basic realm=simple | newauth realm=apps type=1 title=Login to "apps"`, `Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`)
	check(`negotiate a87421000492aa874209af8bc028== | basic realm=x`, `Negotiate a87421000492aa874209af8bc028==, Basic realm="x"`)
	check(`basic realm=a,b`, `BASIC realm="a,b"`)
	check(`basic realm=x charset=UTF-8`, `Basic realm = "x" , charset	=	"UTF-8"`)
	check(`basic realm=x | ntlm`, ` , ,Basic realm="x",, NTLM , `)
	check(`x-odd token68==`, `X-Odd token68==`)
	check(`x-odd token68`, `X-Odd token68`)
	check(`x-odd`, `X-Odd`)
	check(``, ``)
	check(``, ` , ,`)
	check(`digest realm=r qop=auth, auth-int nonce=n algorithm=MD5`, `Digest realm="r", qop="auth, auth-int", nonce="n", algorithm=MD5`)
}

func TestParseChallengesTolerates(t *testing.T) {
	check := func(field, want string, warnings ...string) {
		t.Helper()
		challenges, got := parse(field)
		assert.Equal(t, want, show(challenges), field)
		var texts []string
		for _, w := range got {
			texts = append(texts, field[w.Offset:w.End]+": "+w.Text)
		}
		assert.Equal(t, warnings, texts, field)
	}
	const unquoted = ": value without quotes; read up to the next comma, parameter or scheme"
	check(`Bearer authorization_uri=https://login.contoso.test/a, resource_id=https://fhir.contoso.test`,
		`bearer authorization_uri=https://login.contoso.test/a resource_id=https://fhir.contoso.test`,
		`https://login.contoso.test/a`+unquoted, `https://fhir.contoso.test`+unquoted)
	check(`Basic realm="a", realm="b"`, `basic realm=a realm=b`, `realm="b": parameter given twice; the first one counts`)
	check(`Basic realm="a`, `basic realm=a`, `"a: quoted value does not end`)
	check(`Basic realm=`, `basic realm=`, `realm=: parameter without a value`)
	check(`Bearer error=, Basic realm="x"`, `bearer error= | basic realm=x`, `error=: parameter without a value`)
	check(`realm="x", NTLM`, `ntlm`, `realm="x": parameter before any scheme; left out`)
	check(`Negotiate NTLM`, `negotiate | ntlm`, `NTLM: no comma before this scheme`)
	check(`Basic realm="x" NTLM`, `basic realm=x | ntlm`, `NTLM: no comma before this scheme`)
	check(`Bearer a="1" b="2"`, `bearer a=1 b=2`, `b: no comma before this parameter`)
	check(`Negotiate YII=, realm="x"`, `negotiate YII= realm=x`, `realm="x": parameter after token68`)
	check(`Basic; realm="x"`, `basic realm=x`, `Basic: the scheme is not followed by a blank or a comma`, `;: neither scheme nor parameter; left out`, `realm: no comma before this parameter`)
	check(`"Basic", NTLM`, `ntlm`, `"Basic": neither scheme nor parameter; left out`)
	check(`<html>, NTLM`, `ntlm`, `<html>: neither scheme nor parameter; left out`)
	check("Basic realm=\"caf\xe9\"", "basic realm=caf\xe9")
	check("Basic realm=\"a\x01\\\x7f\"", "basic realm=a\x01\x7f", "\x01: control character in a quoted value")
	check(`Bearer,realm="x"`, `bearer realm=x`, `realm="x": a comma, and no blank, between the scheme and its parameter`)
	check(`Bearer , realm="x"`, `bearer realm=x`)
	// No scheme is made up of what is left of something else.
	check(`Basic realm=Contoso Mail, NTLM`, `basic realm=Contoso Mail | ntlm`, `Contoso Mail`+unquoted)
	check(`Basic realm=Contoso Mail charset=UTF-8`, `basic realm=Contoso Mail charset=UTF-8`, `Contoso Mail`+unquoted, `charset: no comma before this parameter`)
	check(`Basic realm=Mail Negotiate`, `basic realm=Mail | negotiate`, `Negotiate: no comma before this scheme`)
	check(`Basic realm="a"b, NTLM`, `basic realm=a | ntlm`, `b: neither scheme nor parameter; left out`)
	check(`Negotiate to sign in, NTLM`, `negotiate | ntlm`, `to: neither scheme nor parameter; left out`, `sign: neither scheme nor parameter; left out`, `in: neither scheme nor parameter; left out`)
	check(`Basic realm="x" Newauth a=b`, `basic realm=x | newauth a=b`, `Newauth: no comma before this scheme`)
	check(`NTLM TlRM== Negotiate`, `ntlm TlRM== | negotiate`, `Negotiate: no comma before this scheme`)
	check(`WWW-Authenticate: Newauth`, `newauth`, `WWW-Authenticate:: neither scheme nor parameter; left out`)
}

// A header may be written as a literal, or come from elsewhere than net/http.
func TestParseChallengesAnySpelling(t *testing.T) {
	challenges, _ := authinspect.ParseChallenges(http.Header{"www-authenticate": {"NTLM"}, "WWW-Authenticate": {"Negotiate"}, "Www-Authenticate": {"Basic"}, "Authenticate": {"Digest"}})
	assert.Equal(t, "basic | negotiate | ntlm", show(challenges))
	assert.Equal(t, []authinspect.Scheme{authinspect.Basic, authinspect.Negotiate, authinspect.NTLM}, authinspect.Schemes(challenges))
	assert.Equal(t, 2, challenges[2].Field)
}

func TestChallengePositions(t *testing.T) {
	challenges, warnings := parse(`NTLM`, ` Bearer a="1", realm=x:y,Basic realm="z" `)
	require.Len(t, challenges, 3)
	bearer, basic := challenges[1], challenges[2]
	assert.Equal(t, []int{1, 1, 24}, []int{bearer.Field, bearer.Offset, bearer.End})
	assert.Equal(t, 15, bearer.Params[1].Offset)
	assert.Equal(t, []int{1, 25, 40}, []int{basic.Field, basic.Offset, basic.End})
	require.Len(t, warnings, 1)
	assert.Equal(t, "WWW-Authenticate field 1, byte 21: value without quotes; read up to the next comma, parameter or scheme", warnings[0].String())
	value, ok := basic.Param("REALM")
	assert.True(t, ok)
	assert.Equal(t, "z", value)
	_, ok = basic.Param("charset")
	assert.False(t, ok)
}

// Whatever arrives: every byte is part of a challenge, named by a warning, a
// comma or a blank; positions are true and in order; and what was read comes
// out the same when it is written down and read again.
func FuzzParseChallenges(f *testing.F) {
	for _, seed := range []string{
		`Bearer client_id="x", trusted_issuers="a@b,c@d", error="invalid_token",Negotiate,NTLM,Basic realm="x"`,
		`Basic Realm="",Basic Realm=""`, `Negotiate YII==, Basic realm="a\"b"`, `Bearer u=https://a/b?c=d, r="`, `"a" = b; Basic:x Negotiate NTLM =,==`,
		`x-odd a=b c=d e`, "Basic realm=\"\x00\xff\"", `NTLM TlRM realm=x, realm=y`,
	} {
		f.Add(seed, "")
		f.Add("NTLM", seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		fields := []string{first, second}
		challenges, warnings := parse(fields...)

		var covered [2][]bool
		for i, field := range fields {
			covered[i] = make([]bool, len(field))
		}
		cover := func(field, from, to int) {
			if from < 0 || to < from || to > len(fields[field]) {
				t.Fatalf("no span: %d to %d of %q", from, to, fields[field])
			}
			for ; from < to; from++ {
				covered[field][from] = true
			}
		}
		for i, c := range challenges {
			cover(c.Field, c.Offset, c.End)
			text := fields[c.Field][c.Offset:c.End]
			if !strings.HasPrefix(text, c.Name) || strings.ToLower(c.Name) != string(c.Scheme) || !strings.Contains(text, c.Token68) {
				t.Fatalf("%q is not %+v", text, c)
			}
			at := c.Offset
			for _, p := range c.Params {
				if p.Offset <= at || !strings.HasPrefix(fields[c.Field][p.Offset:c.End], p.Name) {
					t.Fatalf("parameter %+v is not at its place in %q", p, text)
				}
				at = p.Offset
			}
			if i > 0 && challenges[i-1].Field == c.Field && c.Offset < challenges[i-1].End {
				t.Fatalf("%+v overlaps with %+v", c, challenges[i-1])
			}
		}
		for i, w := range warnings {
			cover(w.Field, w.Offset, w.End)
			if i > 0 && warnings[i-1].Field == w.Field && w.Offset < warnings[i-1].Offset {
				t.Fatalf("%v after %v", w, warnings[i-1])
			}
		}
		for i, field := range fields {
			for j := range len(field) {
				if !covered[i][j] && strings.IndexByte(" \t,", field[j]) < 0 {
					t.Fatalf("byte %d of %q is lost", j, field)
				}
			}
		}

		// One field of its own for each challenge, and all in one.
		var written []string
		for _, c := range challenges {
			written = append(written, c.String())
		}
		again, _ := parse(written...)
		require.Equal(t, show(challenges), show(again))
		again, _ = parse(strings.Join(written, ", "))
		require.Equal(t, show(challenges), show(again))
	})
}

func BenchmarkParseChallenges(b *testing.B) {
	h := http.Header{"Www-Authenticate": {`Bearer client_id="` + clientID + `", trusted_issuers="` + entra + `@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="` + uri + `", error="invalid_token",Basic Realm="",Basic Realm=""`}}
	for b.Loop() {
		authinspect.ParseChallenges(h)
	}
}

// Every row of the catalogue on challenges explains a real challenge, alone
// and inside a list, whatever stands around it.
func TestChallengesOfTheCatalogue(t *testing.T) {
	real := map[string]string{
		"http-basic":                `Basic realm="mail.contoso.test"`,
		"http-basic-empty-realm":    `Basic Realm=""`,
		"http-bearer-full":          `Bearer authorization_uri="https://idp.contoso.test/authorize"`,
		"http-bearer-aad":           `Bearer authorization_uri="` + uri + `"`,
		"http-bearer-adfs":          `Bearer authorization_uri="https://sts.contoso.test/adfs/oauth2/authorize"`,
		"http-bearer-issuer-kind":   `Bearer issuer_kind="ADFS"`,
		"http-bearer-exo-anytenant": `Bearer trusted_issuers="` + entra + `@*"`,
		"http-bearer-tenant":        `Bearer trusted_issuers="` + entra + `@6c29b5f0-55a5-4b58-8d30-1a8c6d5f5d0e,00000004-0000-0ff1-ce00-000000000000@contoso.test"`,
		"http-bearer-china":         `Bearer trusted_issuers="00000001-0002-0000-c000-000000000000@"`,
		"http-bearer-no-uri":        `Bearer client_id="` + clientID + `", token_types="app_asserted_user_v1"`,
		"http-bearer-error-invalid": `Bearer error="invalid_token"`,
		"http-bearer-claims":        `Bearer error="insufficiant_claims", claims="eyJhIjoxfQ=="`,
		"http-ntlm":                 `NTLM`,
		"http-ntlm-type2":           `NTLM TlRMTVNTUAACAAAADAAMADgAAAAFgomi`,
		"http-negotiate":            `Negotiate`,
		"http-digest":               `Digest realm="x", qop="auth,auth-int", nonce="y"`,
	}
	data, err := os.ReadFile("data/responses.json")
	require.NoError(t, err)
	var catalogue struct {
		Entries []struct {
			ID    string
			Match struct{ On string }
		}
	}
	require.NoError(t, json.Unmarshal(data, &catalogue))
	rows := 0
	for _, row := range catalogue.Entries {
		if row.Match.On != "challenge" {
			continue
		}
		rows++
		text, ok := real[row.ID]
		if !assert.True(t, ok, "no challenge for %s", row.ID) {
			continue
		}
		for _, field := range []string{text, `NTLM abc==, ` + text + `,X-Other`} {
			challenges, warnings := parse(field)
			assert.Empty(t, warnings, field)
			explained := false
			for _, c := range challenges {
				for _, e := range authinspect.ExplainAll(authinspect.HTTP, "WWW-Authenticate: "+c.String()) {
					explained = explained || e.ID == row.ID
				}
			}
			assert.True(t, explained, "%s does not explain %s", row.ID, field)
		}
	}
	assert.Equal(t, len(real), rows)
}
