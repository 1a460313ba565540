package graphoauthcert_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	kiotahttp "github.com/microsoft/kiota-http-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

const dedicatedName = "ExchangeServerApp-8d4e1b7a-22c3-4f5d-9b60-aa11bb22cc33"

// The dedicated application is found by its name among others of the tenant.
func TestFindDedicated(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	objects := []*oauthcert.Object{{Kind: oauthcert.ServicePrincipal, ID: principalID, AppID: appID, DisplayName: dedicatedName, Keys: []oauthcert.KeyCredential{}}}
	for i, name := range []string{"Payroll", dedicatedName, "exchangeserverapp-11111111-22c3-4f5d-9b60-aa11bb22cc33", "My ExchangeServerApp-x"} {
		objects = append(objects, &oauthcert.Object{Kind: oauthcert.Application, ID: fmt.Sprintf("1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8%02d", i), AppID: fmt.Sprintf("c0ffee12-7a3b-4d5e-8f90-1234567890%02d", i),
			DisplayName: name, Keys: []oauthcert.KeyCredential{cert.KeyCredential()}})
	}
	server := httptest.NewServer(oauthcerttest.New(1, objects...))
	defer server.Close()
	dir, err := graphoauthcert.New(credential{}, graphoauthcert.Options{Endpoint: server.URL, Transport: server.Client().Transport})
	require.NoError(t, err)
	found, err := dir.FindDedicated(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, dedicatedName, found[0].DisplayName)
	assert.Nil(t, found[0].Keys, "not read")
	whole, err := dir.Read(t.Context(), found[0].Target())
	require.NoError(t, err)
	assert.Len(t, whole.Find(cert), 1)
}

func TestFindDedicatedPages(t *testing.T) {
	entry := func(id string) string {
		return `{"id":"` + id + `","appId":"` + appID + `","displayName":"` + dedicatedName + `"}`
	}
	for want, pages := range map[string][2]string{
		"":              {`{"value":[` + entry(appObject) + `],"@odata.nextLink":"` + base + `applications?$skiptoken=2"}`, `{"value":[` + entry(principalID) + `]}`},
		"do not end":    {`{"value":[],"@odata.nextLink":"` + base + `applications?$skiptoken=2"}`, `{"value":[],"@odata.nextLink":"` + base + `applications?$skiptoken=2"}`},
		"no token":      {`{"value":[],"@odata.nextLink":"https://contoso.test/v1.0/applications"}`, ""},
		"is no list":    {`{"error":{}}`, ""},
		"not a GUID":    {`{"value":[{"id":"../me"}]}`, ""},
		"invalid chara": {`<html>`, ""},
	} {
		dir, mock := directory(t, graphoauthcert.Options{})
		mock.RegisterResponder("GET", base+"applications", func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("$skiptoken") == "" {
				assert.Equal(t, "startswith(displayName,'ExchangeServerApp-')", r.URL.Query().Get("$filter"))
				return httpmock.NewStringResponse(200, pages[0]), nil
			}
			return httpmock.NewStringResponse(200, pages[1]), nil
		})
		found, err := dir.FindDedicated(t.Context())
		if want == "" {
			require.NoError(t, err)
			assert.Len(t, found, 2)
			continue
		}
		assert.ErrorContains(t, err, want)
	}
	dir, mock := directory(t, graphoauthcert.Options{})
	mock.RegisterResponder("GET", base+"applications", httpmock.NewStringResponder(403, `{"error":{"code":"Authorization_RequestDenied"}}`))
	_, err := dir.FindDedicated(t.Context())
	assert.ErrorIs(t, err, oauthcert.ErrPermission)
}

// A page of a network that wants a user to sign in comes with 200: nobody
// knows what became of the write.
func TestAnswerThatIsNotGraphs(t *testing.T) {
	for _, status := range []int{200, 201, 202} {
		dir, mock := directory(t, graphoauthcert.Options{})
		sent(mock, base+app.String(), httpmock.NewStringResponse(status, "<html>Welcome to the hotel</html>"))
		err := dir.WriteKeys(t.Context(), app, []oauthcert.KeyCredential{})
		require.ErrorContains(t, err, "whether it took effect is not known")
		assert.NotErrorIs(t, err, oauthcert.ErrNotSent)
	}
}

// An embedder's adapter keeps the promises of a directory.
func TestConformanceThroughAnAdapter(t *testing.T) {
	require.NoError(t, oauthcerttest.TestDirectory(t.Context(), func(backend *oauthcerttest.Directory) oauthcert.Directory {
		server := httptest.NewServer(backend)
		t.Cleanup(server.Close)
		client := kiotahttp.GetDefaultClient()
		t.Cleanup(server.CloseClientConnections)
		t.Cleanup(client.CloseIdleConnections)
		adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
			&authentication.AnonymousAuthenticationProvider{}, nil, nil, client)
		require.NoError(t, err)
		adapter.SetBaseUrl(server.URL + "/v1.0")
		dir, err := graphoauthcert.NewFromAdapter(adapter)
		require.NoError(t, err)
		return dir
	}))
	_, err := graphoauthcert.NewFromAdapter(nil)
	assert.Error(t, err)
}
