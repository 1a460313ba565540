package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "eyJhbGciOiJub25lIn0.c2VjcmV0.x"

// A credential hands out the same token, and notes what it was asked for.
type credential struct {
	asked []policy.TokenRequestOptions
	err   error
}

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked = append(c.asked, o)
	return azcore.AccessToken{Token: secret, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// client returns a client of the worldwide cloud over a mock.
func client(t *testing.T, o Options) (*Client, *httpmock.MockTransport, *credential) {
	t.Helper()
	mock, credential := httpmock.NewMockTransport(), new(credential)
	o.Transport = mock
	c, err := New(credential, o)
	require.NoError(t, err)
	return c, mock, credential
}

func patch(ctx context.Context, c *Client, path, body string) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPatch, Path: path, Body: []byte(body)})
	return err
}

const organization = "https://graph.microsoft.com/v1.0/organization"

// answers answers with one after the other, and repeats the last.
func answers(all ...*http.Response) httpmock.Responder {
	i := -1
	return func(*http.Request) (*http.Response, error) {
		i = min(i+1, len(all)-1)
		return all[i], nil
	}
}

func answer(status int, body string, header ...string) *http.Response {
	r := httpmock.NewStringResponse(status, body)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestEveryCloudHasItsOwnAddressAndScope(t *testing.T) {
	for _, cloud := range append(crossprem.Clouds(), crossprem.CloudUnknown) {
		host := map[crossprem.Cloud]string{
			crossprem.CloudUnknown: "graph.microsoft.com", crossprem.Worldwide: "graph.microsoft.com",
			crossprem.GCCHigh: "graph.microsoft.us", crossprem.DoD: "dod-graph.microsoft.us",
			crossprem.China21Vianet: "microsoftgraph.chinacloudapi.cn",
			crossprem.BleuFrance:    "graph.svc.sovcloud.fr", crossprem.DelosGermany: "graph.svc.sovcloud.de",
		}[cloud]
		require.NotEmpty(t, host, cloud)
		c, mock, credential := client(t, Options{Cloud: cloud})
		mock.RegisterResponder("GET", "https://"+host+"/v1.0/organization", func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "Bearer "+secret, r.Header.Get("Authorization"))
			return answer(200, "{}"), nil
		})
		body, err := c.Get(t.Context(), "/v1.0/organization")
		require.NoError(t, err, cloud)
		assert.Equal(t, "{}", string(body))
		require.Len(t, credential.asked, 1)
		assert.Equal(t, []string{"https://" + host + "/.default"}, credential.asked[0].Scopes)
		assert.True(t, strings.HasPrefix(Authority(cloud), "https://login."))
		assert.Equal(t, worldwide(cloud), c.Cloud())
	}
	_, err := New(new(credential), Options{Cloud: 77})
	assert.EqualError(t, err, "graph: no such cloud: Cloud(77)")
}

func TestBodiesAreSentAndReturnedByteByByte(t *testing.T) {
	c, mock, _ := client(t, Options{})
	const sent = `{ "keyCredentials" : [ ] }`
	mock.RegisterResponder("PATCH", "https://graph.microsoft.com/v1.0/applications(appId='c0ffee12-7a3b-4d5e-8f90-1234567890ab')",
		func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			assert.Equal(t, sent, string(body))
			assert.EqualValues(t, len(sent), r.ContentLength)
			assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
			assert.Empty(t, r.Header.Get("Content-Encoding"))
			assert.Equal(t, "/v1.0/applications(appId='c0ffee12-7a3b-4d5e-8f90-1234567890ab')", r.URL.EscapedPath())
			return answer(204, ""), nil
		})
	require.NoError(t, patch(t.Context(), c, "/v1.0/applications(appId='c0ffee12-7a3b-4d5e-8f90-1234567890ab')", sent))

	mock.RegisterResponder("GET", organization, func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, "$select=id,displayName&$top=999", r.URL.RawQuery)
		assert.Equal(t, "include-unknown-enum-members", r.Header.Get("Prefer"))
		return answer(200, "{\n \"id\": 1}", "X-Test", "fresh"), nil
	})
	got, err := c.Do(t.Context(), Request{
		Path:   "/v1.0/organization?$select=id,displayName&$top=999",
		Header: http.Header{"Prefer": {"include-unknown-enum-members"}},
	})
	require.NoError(t, err)
	assert.Equal(t, "{\n \"id\": 1}", string(got.Body))
	assert.Equal(t, 200, got.Status)
	assert.Equal(t, "fresh", got.Header.Get("X-Test"))
}

// The token goes to the one host, over HTTPS or loopback.
func TestTheTokenStaysAtHome(t *testing.T) {
	c, mock, credential := client(t, Options{})
	for _, path := range []string{
		"https://graph.contoso.test/v1.0/organization", "http://graph.microsoft.com/v1.0/organization",
		"//graph.contoso.test/", "https://graph.microsoft.com@contoso.test/", "https://graph.microsoft.com:8443/", "organization", "",
	} {
		_, err := c.Get(t.Context(), path)
		assert.ErrorIs(t, err, errForeign, path)
	}
	assert.Zero(t, mock.GetTotalCallCount())
	assert.Empty(t, credential.asked)

	mock.RegisterResponder("GET", organization, answers(answer(302, "", "Location", "https://contoso.test/")))
	_, err := c.Get(t.Context(), organization)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 302, refused.Status)
	assert.Equal(t, 1, mock.GetTotalCallCount(), "no redirect is followed")

	for _, endpoint := range []string{"http://graph.contoso.test", "ftp://127.0.0.1", "https://contoso.test/path", "contoso.test", "https://a:b@contoso.test"} {
		_, err := New(credential, Options{Endpoint: endpoint})
		assert.Error(t, err, endpoint)
	}
	_, err = New(nil, Options{})
	assert.Error(t, err)
}

func TestRealServerOnLoopback(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		assert.Equal(t, "Bearer "+secret, r.Header.Get("Authorization"))
		_, _ = w.Write(append([]byte(r.Method+" "+r.URL.Path+" "), b...))
	}))
	defer server.Close()
	c, err := New(new(credential), Options{Endpoint: server.URL, Transport: server.Client().Transport})
	require.NoError(t, err)
	got, err := c.Do(t.Context(), Request{Method: "PATCH", Path: "/v1.0/x", Body: []byte(`{}`)})
	require.NoError(t, err)
	assert.Equal(t, "PATCH /v1.0/x {}", string(got.Body))
}

func TestWaitsAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []Wait
		c, mock, _ := client(t, Options{Waiting: func(w Wait) { waits = append(waits, w) }})
		mock.RegisterResponder("GET", organization, answers(
			answer(429, "", "Retry-After", "17"),
			answer(503, "", "Retry-After", time.Now().Add(107*time.Second).UTC().Format(http.TimeFormat)),
			answer(200, "{}")))
		begin := time.Now()
		_, err := c.Get(t.Context(), organization)
		require.NoError(t, err)
		assert.InDelta(t, 107, time.Since(begin).Seconds(), 1)
		require.Len(t, waits, 2)
		assert.Equal(t, Wait{For: 17 * time.Second, Try: 1, Status: 429}, waits[0])
		assert.Equal(t, 503, waits[1].Status)
	})
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, mock, _ := client(t, Options{})
		mock.RegisterResponder("GET", organization, answers(answer(504, "")))
		begin := time.Now()
		_, err := c.Get(t.Context(), organization)
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, 504, failed.Status)
		assert.Equal(t, 5, mock.GetTotalCallCount())
		assert.Greater(t, time.Since(begin), 15*time.Second) // 1+2+4+8 s and more
		assert.Less(t, time.Since(begin), 20*time.Second)

		mock.Reset()
		mock.RegisterResponder("GET", organization, answers(answer(429, "", "Retry-After", "3600")))
		_, err = c.Get(t.Context(), organization)
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, time.Hour, failed.RetryAfter)
		assert.Equal(t, 1, mock.GetTotalCallCount(), "an hour is longer than MaxWait")

		for _, absurd := range []string{"99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"} {
			mock.Reset()
			mock.RegisterResponder("GET", organization, answers(answer(429, "", "Retry-After", absurd)))
			_, err = c.Get(t.Context(), organization)
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, 1, mock.GetTotalCallCount(), "not at once because the number is too large")
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		mock.Reset()
		mock.RegisterResponder("GET", organization, answers(answer(429, "", "Retry-After", "120")))
		_, err = c.Get(ctx, organization)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A write is repeated only where it is certain that nothing was written.
func TestWritesAreNotRepeatedBlindly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, mock, _ := client(t, Options{})
		var bodies []string
		note := func(next httpmock.Responder) httpmock.Responder {
			return func(r *http.Request) (*http.Response, error) {
				b, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(b))
				return next(r)
			}
		}
		mock.RegisterResponder("PATCH", organization, note(answers(answer(429, "", "Retry-After", "2"), answer(204, ""))))
		require.NoError(t, patch(t.Context(), c, organization, `{"a":1}`))
		assert.Equal(t, []string{`{"a":1}`, `{"a":1}`}, bodies, "sent whole again after 429")

		for _, status := range []int{500, 502, 503, 504} {
			bodies = nil
			mock.RegisterResponder("PATCH", organization, note(answers(answer(status, ""))))
			err := patch(t.Context(), c, organization, `{}`)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, status, failed.Status)
			assert.Len(t, bodies, 1)
		}

		bodies = nil
		mock.RegisterResponder("PATCH", organization, note(answers(answer(429, "", "Retry-After", "9"))))
		_, err := c.Do(t.Context(), Request{Method: "PATCH", Path: organization, Body: []byte(`{}`), Once: true})
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, 9*time.Second, failed.RetryAfter)
		assert.Len(t, bodies, 1)

		bodies = nil
		mock.RegisterResponder("PATCH", organization, note(httpmock.NewErrorResponder(errors.New("connection reset"))))
		err = patch(t.Context(), c, organization, `{}`)
		assert.EqualError(t, err, "graph: PATCH: connection reset")
		assert.Len(t, bodies, 1)
	})
}

func TestErrors(t *testing.T) {
	c, mock, credential := client(t, Options{})
	mock.RegisterResponder("GET", organization, answers(answer(403,
		`{"error":{"code":"Authorization_RequestDenied","message":"Insufficient\r\nprivileges for `+secret+`","innerError":{"request-id":"11112222-3333"}}}`)))
	_, err := c.Get(t.Context(), organization+"?$filter=userPrincipalName eq 'adele@contoso.test'")
	assert.EqualError(t, err, "graph: GET /v1.0/organization: HTTP 403 Authorization_RequestDenied: Insufficient  privileges for (token) (request 11112222-3333)")

	mock.RegisterResponder("GET", organization, answers(answer(400, "<html>"+secret, "request-id", "4444")))
	_, err = c.Get(t.Context(), organization)
	assert.EqualError(t, err, "graph: GET /v1.0/organization: HTTP 400 (request 4444)")

	credential.err = errors.New("AADSTS700016: no such application\nPOST https://…\nmore")
	_, err = c.Get(t.Context(), organization)
	var signIn *SignInError
	require.ErrorAs(t, err, &signIn)
	assert.EqualError(t, err, "graph: sign in: AADSTS700016: no such application")
	assert.ErrorIs(t, err, credential.err)
}

// Continuous access evaluation: the directory wants a token with claims. A
// challenge that is broken makes the SDK's adapter panic.
func TestClaimsChallenge(t *testing.T) {
	c, mock, credential := client(t, Options{})
	mock.RegisterResponder("GET", organization, answers(
		answer(401, "{}", "WWW-Authenticate", `Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="`), answer(200, "{}")))
	_, err := c.Get(t.Context(), organization)
	require.NoError(t, err)
	require.Len(t, credential.asked, 2)
	assert.Equal(t, `{"a":1}`, credential.asked[1].Claims)

	for _, challenge := range []string{"Bearer claims=eyJhIjoxfQ", `Bearer error="x", claims`, `Bearer claims="`, `Bearer claims="no base64"`} {
		mock.RegisterResponder("GET", organization, answers(answer(401, "{}", "WWW-Authenticate", challenge)))
		_, err := c.Get(t.Context(), organization)
		var refused *Error
		require.ErrorAs(t, err, &refused, challenge)
		assert.Equal(t, 401, refused.Status)
	}
}
