package graph

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/jarcoal/httpmock"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotaauth "github.com/microsoft/kiota-authentication-azure-go"
	kiotahttp "github.com/microsoft/kiota-http-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

// adapterOver returns a request adapter as an embedder has it, with the
// middleware of kiota: it repeats, follows redirects, compresses.
func adapterOver(t *testing.T, provider authentication.AuthenticationProvider, transport http.RoundTripper, base string) abstractions.RequestAdapter {
	t.Helper()
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		provider, nil, nil, &http.Client{
			Transport:     kiotahttp.NewCustomTransportWithParentTransport(transport),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	require.NoError(t, err)
	adapter.SetBaseUrl(base)
	return adapter
}

func fromAdapter(t *testing.T, o Options) (*Client, *httpmock.MockTransport, *credential) {
	t.Helper()
	mock, credential := httpmock.NewMockTransport(), new(credential)
	provider, err := kiotaauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		credential, []string{"https://graph.microsoft.com/.default"}, []string{"graph.microsoft.com"})
	require.NoError(t, err)
	c, err := NewFromAdapter(adapterOver(t, provider, mock, "https://graph.microsoft.com/v1.0"), o)
	require.NoError(t, err)
	return c, mock, credential
}

// An embedder's adapter repeats a PATCH after 503 and 504 by itself: three
// times more. Through this client it is sent once.
func TestAdapterSendsAWriteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, mock, _ := fromAdapter(t, Options{})
		for _, status := range []int{500, 502, 503, 504} {
			mock.Reset()
			mock.RegisterResponder("PATCH", organization, answers(answer(status, "", "Retry-After", "1")))
			err := patch(t.Context(), c, organization, `{}`)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, status, failed.Status)
			assert.Equal(t, 1, mock.GetTotalCallCount(), status)
		}
		mock.Reset()
		mock.RegisterResponder("PATCH", organization, answers(answer(429, "", "Retry-After", "9")))
		_, err := c.Do(t.Context(), Request{Method: "PATCH", Path: organization, Body: []byte(`{}`), Once: true})
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, 9*time.Second, failed.RetryAfter)
		assert.Equal(t, 1, mock.GetTotalCallCount())

		// Without it, the adapter does repeat: else this test would prove nothing.
		mock.Reset()
		mock.RegisterResponder("PATCH", organization, answers(answer(503, "", "Retry-After", "1")))
		info := abstractions.NewRequestInformation()
		info.Method = abstractions.PATCH
		address, err := c.address(organization)
		require.NoError(t, err)
		info.SetUri(*address)
		_ = c.adapter.SendNoContent(t.Context(), info, nil)
		assert.Equal(t, 4, mock.GetTotalCallCount())
	})
}

// Reads are repeated by the client, with its own bound and its own report, and
// each try is authenticated anew.
func TestAdapterReadsAreRepeatedByTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []Wait
		c, mock, credential := fromAdapter(t, Options{Waiting: func(w Wait) { waits = append(waits, w) }})
		mock.RegisterResponder("GET", organization, answers(answer(429, "", "Retry-After", "17"), answer(503, ""), answer(200, "{}")))
		body, err := c.Get(t.Context(), "/v1.0/organization")
		require.NoError(t, err)
		assert.Equal(t, "{}", string(body))
		require.Len(t, waits, 2)
		assert.Equal(t, Wait{For: 17 * time.Second, Try: 1, Status: 429}, waits[0])
		assert.Len(t, credential.asked, 3)
		assert.Equal(t, crossprem.Worldwide, c.Cloud())
	})
}

func TestAdapterFollowsNoRedirect(t *testing.T) {
	c, mock, _ := fromAdapter(t, Options{})
	for _, status := range []int{301, 302, 303, 307, 308} {
		mock.Reset()
		mock.RegisterResponder("PATCH", organization, answers(answer(status, "", "Location", "https://graph.microsoft.com/v1.0/x")))
		err := patch(t.Context(), c, organization, `{}`)
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, status, failed.Status)
		assert.Equal(t, 1, mock.GetTotalCallCount())
	}
}

// A credential that fails is told from a request that was lost, where it can
// be told.
func TestAdapterSignIn(t *testing.T) {
	c, mock, credential := fromAdapter(t, Options{})
	credential.err = &azidentity.AuthenticationFailedError{}
	err := patch(t.Context(), c, organization, `{}`)
	assert.ErrorAs(t, err, new(*SignInError))
	credential.err = errors.New("somebody's own")
	err = patch(t.Context(), c, organization, `{}`)
	assert.EqualError(t, err, "graph: somebody's own")
	assert.False(t, errors.As(err, new(*SignInError)), "it is not known whether anything was sent")
	assert.Zero(t, mock.GetTotalCallCount())

	credential.err = nil
	mock.RegisterResponder("PATCH", organization, httpmock.NewErrorResponder(&azidentity.AuthenticationFailedError{}))
	err = patch(t.Context(), c, organization, `{}`)
	assert.False(t, errors.As(err, new(*SignInError)), "this one came from the transport")
}

// The SDK's adapter panics on a challenge with claims that are not in quotes.
func TestAdapterThatPanics(t *testing.T) {
	c, mock, _ := fromAdapter(t, Options{})
	mock.RegisterResponder("PATCH", organization, answers(answer(401, "{}", "WWW-Authenticate", "Bearer claims=eyJhIjoxfQ")))
	err := patch(t.Context(), c, organization, `{}`)
	require.ErrorContains(t, err, "graph: the request adapter panicked: ")
	assert.False(t, errors.As(err, new(*Error)))
}

// mute is an adapter that does what it was asked and never calls the handler.
type mute struct{ abstractions.RequestAdapter }

func (mute) GetBaseUrl() string { return "" }
func (mute) Send(context.Context, *abstractions.RequestInformation, serialization.ParsableFactory, abstractions.ErrorMappings) (serialization.Parsable, error) {
	return nil, nil
}

func TestAdapterThatHandsOverNothing(t *testing.T) {
	c, err := NewFromAdapter(mute{}, Options{Cloud: crossprem.DoD})
	require.NoError(t, err)
	assert.Equal(t, crossprem.DoD, c.Cloud())
	assert.Equal(t, "https://dod-graph.microsoft.us", c.endpoint.String())
	err = patch(t.Context(), c, "/v1.0/organization", `{}`)
	assert.EqualError(t, err, "graph: the request adapter did not hand over an answer")
}

func TestAdapterSettings(t *testing.T) {
	anonymous := &authentication.AnonymousAuthenticationProvider{}
	for base, want := range map[string]struct {
		endpoint string
		cloud    crossprem.Cloud
	}{
		"":                                 {"https://graph.microsoft.com", crossprem.Worldwide},
		"https://graph.microsoft.com/v1.0": {"https://graph.microsoft.com", crossprem.Worldwide},
		"https://graph.microsoft.us/beta/": {"https://graph.microsoft.us", crossprem.GCCHigh},
		"https://gateway.contoso.test/graph/v1.0": {"https://gateway.contoso.test/graph", crossprem.CloudUnknown},
		"http://127.0.0.1:8080/v1.0":              {"http://127.0.0.1:8080", crossprem.CloudUnknown},
		"https://graph.svc.sovcloud.de":           {"https://graph.svc.sovcloud.de", crossprem.DelosGermany},
	} {
		c, err := NewFromAdapter(adapterOver(t, anonymous, nil, base), Options{})
		require.NoError(t, err, base)
		assert.Equal(t, want.endpoint, c.endpoint.String(), base)
		assert.Equal(t, want.cloud, c.Cloud(), base)
	}
	for _, base := range []string{"http://graph.microsoft.com/v1.0", "graph.microsoft.com", "https://u:p@graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0?x=y"} {
		_, err := NewFromAdapter(adapterOver(t, anonymous, nil, base), Options{})
		assert.Error(t, err, base)
	}
	good := adapterOver(t, anonymous, nil, "https://graph.microsoft.us/v1.0")
	for _, o := range []Options{{Endpoint: "https://graph.microsoft.us"}, {Transport: http.DefaultTransport}, {Cloud: 77}, {Cloud: crossprem.DoD}} {
		_, err := NewFromAdapter(good, o)
		assert.Error(t, err)
	}
	_, err := NewFromAdapter(nil, Options{})
	assert.Error(t, err)
}

// Over a real connection: the embedder's middleware compresses the body, and
// the next page has a whole address.
func TestAdapterOverARealServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.RequestURI())
			return
		}
		z, err := gzip.NewReader(r.Body)
		if !assert.NoError(t, err) {
			return
		}
		b, _ := io.ReadAll(z)
		assert.Positive(t, r.ContentLength)
		_, _ = w.Write(append([]byte(r.Method+" "+r.URL.Path+" "), b...))
	}))
	defer server.Close()
	transport := server.Client().Transport.(*http.Transport)
	defer transport.CloseIdleConnections()
	c, err := NewFromAdapter(adapterOver(t, &authentication.AnonymousAuthenticationProvider{}, transport, server.URL+"/v1.0"), Options{})
	require.NoError(t, err)
	got, err := c.Do(t.Context(), Request{Method: "PATCH", Path: "/v1.0/x", Body: []byte(`{"a":1}`)})
	require.NoError(t, err)
	assert.Equal(t, `PATCH /v1.0/x {"a":1}`, string(got.Body))
	body, err := c.Get(t.Context(), server.URL+"/v1.0/auditLogs/signIns?$skiptoken=a%2Db")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(body), "/v1.0/auditLogs/signIns?$skiptoken=a"))
	_, err = c.Get(t.Context(), "https://graph.contoso.test/v1.0/auditLogs/signIns")
	assert.ErrorIs(t, err, errForeign)
}
