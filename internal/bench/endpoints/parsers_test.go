package endpoints

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/distribution/registry/client/auth/challenge"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/crossprem/crossprem/authinspect"
)

// answers are WWW-Authenticate fields as real servers send them, and the
// schemes with their number of parameters that stand in them. Token68 does not
// count: the peers have no place for it.
var answers = []struct {
	fields []string
	want   string
}{
	{[]string{`Basic realm="mail.contoso.test"`}, "basic 1"},
	{[]string{`Negotiate`, `NTLM`}, "negotiate 0, ntlm 0"},
	{[]string{`Bearer client_id="a", trusted_issuers="b@c,d@e", authorization_uri="https://login.windows.net/common"`, `Basic realm="x"`}, "bearer 3, basic 1"},
	{[]string{`Bearer client_id="a", error="invalid_token",Basic realm="x"`}, "bearer 2, basic 1"},
	{[]string{`Bearer client_id="a", error="invalid_token",Negotiate,NTLM,Basic realm="x"`}, "bearer 2, negotiate 0, ntlm 0, basic 1"},
	{[]string{`Bearer client_id="a", trusted_issuers="b@*",Basic Realm=""`}, "bearer 2, basic 1"},
	{[]string{`Basic Realm="",Basic Realm=""`}, "basic 1, basic 1"},
	{[]string{`NTLM TlRMTVNTUAACAAAADAAMADgAAAAFgomi`}, "ntlm 0"},
	{[]string{`Negotiate YIIBhw==, Basic realm="x"`}, "negotiate 0, basic 1"},
	{[]string{`Bearer authorization_uri=https://login.contoso.test/a, resource_id=https://fhir.contoso.test`}, "bearer 2"},
	{[]string{`Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="`}, "bearer 2"},
	{[]string{`, Digest realm="a \"b\"", qop="auth,auth-int"`}, "digest 2"},
}

// parsers read fields and write what they found as answers wants it.
var parsers = []struct {
	name  string
	parse func(fields []string) string
}{
	{"authinspect", func(fields []string) string {
		challenges, _ := authinspect.ParseChallenges(http.Header{"Www-Authenticate": fields})
		var found []string
		for _, c := range challenges {
			found = append(found, fmt.Sprintf("%s %d", string(c.Scheme), len(c.Params)))
		}
		return strings.Join(found, ", ")
	}},
	{"mcp-go-sdk", func(fields []string) string {
		challenges, err := oauthex.ParseWWWAuthenticate(fields)
		if err != nil {
			return err.Error()
		}
		var found []string
		for _, c := range challenges {
			found = append(found, fmt.Sprintf("%s %d", strings.ToLower(c.Scheme), len(c.Params)))
		}
		return strings.Join(found, ", ")
	}},
	{"docker-distribution", func(fields []string) string {
		resp := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": fields}}
		var found []string
		for _, c := range challenge.ResponseChallenges(resp) {
			found = append(found, fmt.Sprintf("%s %d", strings.ToLower(c.Scheme), len(c.Parameters)))
		}
		return strings.Join(found, ", ")
	}},
}

// BenchmarkParsers reads all answers with each parser, and counts those that
// came out right.
func BenchmarkParsers(b *testing.B) {
	for _, parser := range parsers {
		b.Run(parser.name, func(b *testing.B) {
			right := 0
			for _, answer := range answers {
				if got := parser.parse(answer.fields); got == answer.want {
					right++
				} else {
					b.Logf("%q: %s", answer.fields, got)
				}
			}
			for b.Loop() {
				for _, answer := range answers {
					parser.parse(answer.fields)
				}
			}
			b.ReportMetric(float64(right), "right-of-12")
			if parser.name == "authinspect" && right != len(answers) {
				b.Errorf("%d of %d", right, len(answers))
			}
		})
	}
}
