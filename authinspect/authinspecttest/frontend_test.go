package authinspecttest_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect/authinspecttest"
)

// Whoever sends something that signs in is refused, recorded and, unless the
// test takes the violation, ends in a panic. The secret is not repeated.
func TestFrontEndGuardsAgainstCredentials(t *testing.T) {
	const secret = "c2VjcmV0"
	for name, change := range map[string]func(*http.Request){
		"basic": func(r *http.Request) { r.SetBasicAuth("bob", "secret") },
		"token": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) },
		"type 3": func(r *http.Request) {
			r.Header.Set("Authorization", "NTLM TlRMTVNTUAADAAAAGAAYAHAAAAAYABgAiAAAAAwADABAAAAA")
		},
		"named": func(r *http.Request) {
			r.Header.Set("Authorization", "NTLM TlRMTVNTUAABAAAAB4IIogQABAA4AAAABAAEADQAAAAKAAAA")
		},
		"negotiate": func(r *http.Request) { r.Header.Set("Authorization", "Negotiate "+secret) },
		"other":     func(r *http.Request) { r.Header.Set("Authorization", "X "+secret) },
		"cookie":    func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "cadata", Value: secret}) },
		"query":     func(r *http.Request) { r.URL.RawQuery = "Password=" + secret },
		"two":       func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer", "Bearer"} },
		"identity":  func(r *http.Request) { r.Header.Set("X-User-Identity", "bob@contoso.test") },
	} {
		t.Run(name, func(t *testing.T) {
			server := authinspecttest.ExchangeOnline().Start()
			send := func() {
				transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Roots()}}
				defer transport.CloseIdleConnections()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/EWS/Exchange.asmx", nil)
				require.NoError(t, err)
				change(req)
				resp, err := transport.RoundTrip(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
			}
			send()
			violations := server.Violations()
			require.Len(t, violations, 1)
			assert.NotContains(t, violations[0], secret)
			assert.Empty(t, server.Violations(), "they were taken")
			send()
			assert.Panics(t, server.Close)
		})
	}
}

func TestFrontEndAnswersByTable(t *testing.T) {
	server := authinspecttest.ExchangeSE().FrontEnd().Start()
	defer server.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Roots()}}
	defer transport.CloseIdleConnections()
	ask := func(method, path string) (int, []string) {
		t.Helper()
		u, err := url.Parse(server.URL + path)
		require.NoError(t, err)
		resp, err := transport.RoundTrip((&http.Request{Method: method, URL: u, Header: http.Header{}}).WithContext(t.Context()))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header.Values("WWW-Authenticate")
	}
	status, challenges := ask("GET", "/ews/EXCHANGE.asmx")
	assert.Equal(t, 401, status)
	assert.Equal(t, []string{"Negotiate", "NTLM"}, challenges)
	_, challenges = ask("OPTIONS", "/Microsoft-Server-ActiveSync/default.eas")
	assert.Equal(t, []string{`Basic realm="127.0.0.1"`}, challenges)
	status, _ = ask("GET", "/nothing")
	assert.Equal(t, 404, status)
	status, _ = ask("PUT", "/owa/")
	assert.Equal(t, 405, status)
	assert.Equal(t, "anonymous /nothing", server.Requests()[2])
}

func TestEstateKnowsItsNamesAlone(t *testing.T) {
	estate := authinspecttest.Contoso().Start()
	defer estate.Close()
	conn, err := estate.Dial(t.Context(), "tcp", "mail.contoso.test:443")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	for _, addr := range []string{"contoso.test:443", "mail.contoso.test:80", "mail.contoso.test"} {
		_, err := estate.Dial(t.Context(), "tcp", addr)
		assert.Error(t, err, addr)
	}
	assert.Empty(t, estate.Requests())
	assert.False(t, strings.Contains(strings.Join(estate.Violations(), ""), "mail"))
}
