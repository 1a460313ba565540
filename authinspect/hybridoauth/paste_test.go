package hybridoauth_test

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/internal/findingtest"
)

func TestCodesOutsideTheCatalogue(t *testing.T) {
	for text, want := range map[string]string{
		"AADSTS650052: The app needs access to a service":                                             "AADSTS650052",
		"aadsts650052: the app needs access to a service":                                             "AADSTS650052",
		"AADSTS6500\r\n      52: The app needs access to a service":                                   "AADSTS650052",
		`{"error":"invalid_grant","error_codes":[50034],"trace_id":"x"}`:                              "AADSTS50034",
		`{"status":{"errorCode":50126,"failureReason":"Error validating credentials"}}`:               "AADSTS50126",
		"Sign-in error code: 50034\nFailure reason: The user account does not exist in the directory": "AADSTS50034",
		"The wizard ended with HCW8199":                                                               "HCW8199",
	} {
		c := hybridoauth.Configuration{Texts: []hybridoauth.Text{{Text: text}}}
		findings := hybridoauth.CheckErrors(c, day)
		findingtest.Check(t, want, hybridoauth.Rules(), findings)
		if assert.Len(t, findings, 1, text) {
			assert.Equal(t, want, findings[0].Part)
			assert.Contains(t, findings[0].Detail, want)
			assert.Equal(t, crossprem.Failed, findings[0].Status)
		}
	}
	assert.Equal(t, []string{"AADSTS700027", "AADSTS-OTHER", "H-401"}, ids(hybridoauth.ExplainError("(401) Unauthorized, AADSTS650052, AADSTS700027")))
	assert.Equal(t, []string{"HCW8064", "HCW-OTHER"}, ids(hybridoauth.ExplainError("hcw 8064, HCW-8199")))
	assert.Empty(t, hybridoauth.ExplainError("WinHTTP error code: 12029"), "a number of Windows")
	both := hybridoauth.CheckErrors(hybridoauth.Configuration{Texts: []hybridoauth.Text{{Text: "AADSTS650052 AADSTS650053"}}}, day)
	findingtest.Check(t, "two codes", hybridoauth.Rules(), both)
	assert.Len(t, both, 2)
}

// What a paste that breaks off does not hold is not told to be missing.
func TestPastesThatBreakOff(t *testing.T) {
	for name, want := range expectations(t) {
		if !strings.HasSuffix(name, "-list.txt") {
			continue
		}
		b, err := os.ReadFile("testdata/samples/" + name)
		require.NoError(t, err)
		for _, percent := range []int{74, 80, 86, 92, 95, 98} {
			at := strings.LastIndexByte(string(b[:len(b)*percent/100]), '\n') + 1
			var c hybridoauth.Configuration
			require.NoError(t, c.Add(name, b[:at]))
			c.Context = want.Context
			violated := hybridoauth.Violated(hybridoauth.Check(c, want.situation(t), want.Context.Now))
			assert.Subset(t, want.Violates, violated, "%s, %d %%", name, percent)
		}
	}
	// Within the thumbprint of the first certificate: which are there is not known.
	name := "04-faulty-shared-sp.format-list.txt"
	b, err := os.ReadFile("testdata/samples/" + name)
	require.NoError(t, err)
	var c hybridoauth.Configuration
	require.NoError(t, c.Add(name, b[:strings.LastIndex(string(b), "Get-ExchangeCertificate")+strings.Index(string(b[strings.LastIndex(string(b), "Get-ExchangeCertificate"):]), "A94F2C7B18")+10]))
	assert.NotContains(t, hybridoauth.Violated(hybridoauth.Check(c, hybridoauth.DedicatedApp, day)), "CERT-001")
}

func compact(header, claims, signature string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + signature
}

func TestTokensAmongOtherText(t *testing.T) {
	signature := strings.Repeat("c2ln", 30)
	token := compact(`{"alg":"RS256"}`, `{"aud":"00000002-0000-0ff1-ce00-000000000000/mail.contoso.test@contoso.test","iss":"00000001-0000-0000-c000-000000000000@5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1","exp":1795268800}`, signature)
	var wrapped strings.Builder
	for rest := token; rest != ""; {
		n := min(70, len(rest))
		wrapped.WriteString("> " + rest[:n] + "\r\n")
		rest = rest[n:]
	}
	for name, text := range map[string]string{
		"log": "Information: token: " + token + " was sent", "answer": `{"token_type":"Bearer","access_token":"` + token + `"}`,
		"mail": "Hello,\n\n" + wrapped.String() + "\nRegards", "line": "the token:\n" + token + "\nthanks",
	} {
		c, err := hybridoauth.Read(strings.NewReader(text))
		require.NoError(t, err)
		if assert.Len(t, c.Tokens, 1, name) {
			assert.Equal(t, crossprem.Yes, c.Tokens[0].Outer.Signed)
			for _, f := range hybridoauth.CheckToken(c.Tokens[0], c, day) {
				assert.NotContains(t, f.Detail, "c2ln")
				if f.Rule == "TOKEN-REALM" {
					assert.Equal(t, crossprem.Unknown, f.Status, "a domain may be one of the tenant with that id")
				}
			}
		}
	}
	none, err := hybridoauth.ExplainToken(compact(`{"alg":"none"}`, `{"aud":"x"}`, signature))
	require.NoError(t, err)
	assert.Equal(t, crossprem.No, none.Outer.Signed)
}
