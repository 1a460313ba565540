package graph

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever answers, a proxy included: nothing panics, a success is the body
// byte by byte, and a failure is one line without the token.
func FuzzAnswer(f *testing.F) {
	f.Add(uint16(200), "", "", `{"value":[]}`)
	f.Add(uint16(401), `Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="`, "", "{}")
	f.Add(uint16(401), `Bearer claims=x`, "", secret)
	f.Add(uint16(429), "", "3", `{"error":{"code":"TooManyRequests","message":"slow\ndown","innerError":{"request-id":"1"}}}`)
	f.Add(uint16(503), "", "Sun, 22 Nov 2026 20:00:00 GMT", "<html>")
	f.Fuzz(func(t *testing.T, status uint16, challenge, retryAfter, body string) {
		status %= 600
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder("GET", organization, func(*http.Request) (*http.Response, error) {
			r := httpmock.NewStringResponse(int(status), body)
			r.Header.Set("WWW-Authenticate", challenge)
			r.Header.Set("Retry-After", retryAfter)
			r.Header.Set("request-id", body)
			return r, nil
		})
		c, err := New(new(credential), Options{Transport: mock, MaxWait: time.Nanosecond})
		require.NoError(t, err)
		got, err := c.Get(t.Context(), organization)
		if status >= 200 && status <= 299 {
			require.NoError(t, err)
			assert.Equal(t, body, string(got))
			return
		}
		require.Error(t, err)
		assert.Nil(t, got)
		assert.False(t, strings.ContainsAny(err.Error(), "\r\n"), err)
		assert.NotContains(t, err.Error(), secret)
		assert.True(t, strings.HasPrefix(err.Error(), "graph: "), err)
		var answered *Error
		require.ErrorAs(t, err, &answered)
		assert.EqualValues(t, status, answered.Status)
		assert.Less(t, len(err.Error()), 8<<10)
	})
}
