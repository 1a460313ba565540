package graphconnectversion_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/jarcoal/httpmock"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	kiotahttp "github.com/microsoft/kiota-http-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	organization = "https://graph.microsoft.com/v1.0/organization"
	syncObject   = "https://graph.microsoft.com/beta/directory/onPremisesSynchronization"
	connectors   = "https://graph.microsoft.com/beta/onPremisesPublishingProfiles/applicationProxy/connectors"

	// The configuration as the documentation shows it, in the collection in
	// which it comes.
	configuration = `{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","configuration":{
		"synchronizationInterval":"PT30M","anchorAttribute":"mS-DS-ConsistencyGuid",
		"applicationId":"1651564e-7ce4-4d99-88be-0a65050d8dc3","synchronizationClientVersion":"2.5.190.0",
		"currentExportData":{"pendingObjectsAddition":0,"clientMachineName":"SYNC01","serviceAccount":"Sync_SYNC01_1a2b@contoso.onmicrosoft.com"}},
		"features":{"passwordSyncEnabled":true}}`
)

type credential struct{ err error }

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

func tenant(t *testing.T, o graphconnectversion.Options) (*graphconnectversion.Tenant, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	o.Transport = mock
	asked, err := graphconnectversion.New(credential{}, o)
	require.NoError(t, err)
	return asked, mock
}

// organizationIs lets the tenant say whether it is synchronised.
func organizationIs(t *testing.T, mock *httpmock.MockTransport, properties string) {
	mock.RegisterResponder("GET", organization, func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, "$select=id,displayName,onPremisesSyncEnabled,onPremisesLastSyncDateTime", r.URL.RawQuery)
		return httpmock.NewStringResponse(200, `{"value":[{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","displayName":"Contoso"`+properties+`}]}`), nil
	})
}

func refusal(status int, code, message string) httpmock.Responder {
	return httpmock.NewStringResponder(status, `{"error":{"code":"`+code+`","message":"`+message+`"}}`)
}

func TestSynchronisedTenant(t *testing.T) {
	asked, mock := tenant(t, graphconnectversion.Options{})
	organizationIs(t, mock, `,"onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-22T18:40:03Z"`)
	for _, body := range []string{`{"value":[` + configuration + `]}`, configuration} {
		mock.RegisterResponder("GET", syncObject, httpmock.NewStringResponder(200, body))
		s, err := asked.Sync(t.Context())
		require.NoError(t, err)
		assert.Equal(t, &graphconnectversion.Sync{
			TenantID: "12cce4b4-4ab8-40b7-be4d-f5d7742ec185", TenantName: "Contoso", Cloud: crossprem.Worldwide,
			Enabled: crossprem.Yes, LastSync: time.Date(2026, 11, 22, 18, 40, 3, 0, time.UTC),
			Text: "2.5.190.0", Version: mustParse(t, "2.5.190.0"), Machine: "SYNC01",
			Account: "Sync_SYNC01_1a2b@contoso.onmicrosoft.com", ApplicationID: "1651564e-7ce4-4d99-88be-0a65050d8dc3",
		}, s)
		assert.Equal(t, connectversion.Facts{Server: "SYNC01", Cloud: crossprem.Worldwide}, s.Facts())

		day := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
		r := connectversion.Reconcile(day, s.Evidence())
		require.Len(t, r.Installed, 1)
		assert.Equal(t, mustParse(t, "2.5.190.0"), r.Installed[0].Version)
		assert.Equal(t, "SYNC01", r.Installed[0].Server)

		r = connectversion.Reconcile(day.AddDate(0, 0, 30), s.Evidence())
		assert.Empty(t, r.Installed, "a value without recent synchronisation is history")
		require.NotEmpty(t, r.Findings)
		assert.Equal(t, crossprem.Failed, r.Findings[0].Status)
	}
}

func mustParse(t *testing.T, text string) connectversion.Version {
	t.Helper()
	v, err := connectversion.Parse(text)
	require.NoError(t, err)
	return v
}

// A tenant that is not synchronised answers for Connect all the same; it is
// not asked.
func TestTenantThatIsNotSynchronised(t *testing.T) {
	for _, properties := range []string{`,"onPremisesSyncEnabled":null,"onPremisesLastSyncDateTime":null`, `,"onPremisesSyncEnabled":false,"onPremisesLastSyncDateTime":"2021-01-01T00:00:00Z"`} {
		asked, mock := tenant(t, graphconnectversion.Options{})
		organizationIs(t, mock, properties)
		s, err := asked.Sync(t.Context())
		require.NoError(t, err)
		assert.Equal(t, crossprem.No, s.Enabled)
		assert.Equal(t, 1, mock.GetTotalCallCount())
		r := connectversion.Reconcile(time.Now(), s.Evidence())
		assert.Empty(t, r.Installed)
	}
	asked, mock := tenant(t, graphconnectversion.Options{})
	organizationIs(t, mock, "")
	s, err := asked.Sync(t.Context())
	require.NoError(t, err)
	assert.Equal(t, crossprem.AnswerUnknown, s.Enabled, "a property that is not there is not a no")
}

func TestRefusalsAreExplained(t *testing.T) {
	asked, mock := tenant(t, graphconnectversion.Options{})
	mock.RegisterResponder("GET", organization, refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."))
	s, err := asked.Sync(t.Context())
	assert.Nil(t, s)
	var access *graphconnectversion.AccessError
	require.ErrorAs(t, err, &access)
	assert.Contains(t, access.Needs, "Organization.Read.All")

	organizationIs(t, mock, `,"onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-22T18:40:03Z"`)
	mock.RegisterResponder("GET", syncObject, refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."))
	s, err = asked.Sync(t.Context())
	require.ErrorAs(t, err, &access)
	assert.Contains(t, access.Needs, "OnPremDirectorySynchronization.Read.All")
	assert.Contains(t, access.Needs, "Global Administrator")
	assert.NotContains(t, err.Error(), "\n")
	var answer *graphconnectversion.Error
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, "Authorization_RequestDenied", answer.Code)
	require.NotNil(t, s, "what the first request told is not lost")
	assert.Equal(t, crossprem.Yes, s.Enabled)
	assert.True(t, s.Version.IsZero())

	mock.RegisterResponder("GET", connectors, refusal(403, "Forbidden", "no"))
	_, err = asked.Connectors(t.Context())
	require.ErrorAs(t, err, &access)
	assert.Contains(t, access.Needs, "Directory.ReadWrite.All")

	mock.RegisterResponder("GET", connectors, refusal(400, "BadRequest", "Resource not found for the segment"))
	_, err = asked.Connectors(t.Context())
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, 400, answer.Status)
	assert.False(t, errors.As(err, new(*graphconnectversion.AccessError)))

	failing, err := graphconnectversion.New(credential{errors.New("AADSTS50076: multifactor\nmore")}, graphconnectversion.Options{Transport: mock})
	require.NoError(t, err)
	_, err = failing.Sync(t.Context())
	var signIn *graphconnectversion.SignInError
	assert.ErrorAs(t, err, &signIn)
	assert.EqualError(t, err, "graph: sign in: AADSTS50076: multifactor")
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	for name, body := range map[string]string{
		"no configuration": `{"value":[{"id":"x","configuration":null}]}`, "v1.0": `{"value":[{"configuration":{"accidentalDeletionPrevention":{}}}]}`,
		"empty": `{"value":[]}`, "no version": `{"value":[{"configuration":{"synchronizationClientVersion":"latest"}}]}`, "no JSON": `<html>`,
	} {
		asked, mock := tenant(t, graphconnectversion.Options{})
		organizationIs(t, mock, `,"onPremisesSyncEnabled":true`)
		mock.RegisterResponder("GET", syncObject, httpmock.NewStringResponder(200, body))
		s, err := asked.Sync(t.Context())
		require.Error(t, err, name)
		assert.True(t, strings.HasPrefix(err.Error(), "graphconnectversion: /beta/directory/onPremisesSynchronization: "), err)
		assert.True(t, s.Version.IsZero())
	}
	asked, mock := tenant(t, graphconnectversion.Options{})
	mock.RegisterResponder("GET", organization, httpmock.NewStringResponder(200, `{"value":[]}`))
	_, err := asked.Sync(t.Context())
	assert.ErrorContains(t, err, "0 organizations")
}

func TestConnectors(t *testing.T) {
	asked, mock := tenant(t, graphconnectversion.Options{Cloud: crossprem.Worldwide})
	next := connectors + "?$skiptoken=2"
	mock.RegisterResponder("GET", connectors, func(r *http.Request) (*http.Response, error) {
		if r.URL.RawQuery == "" {
			return httpmock.NewStringResponse(200, `{"value":[{"id":"1","machineName":"proxy01.contoso.test","externalIp":"192.0.2.1","status":"active","version":"1.5.4522.0"}],"@odata.nextLink":"`+next+`"}`), nil
		}
		return httpmock.NewStringResponse(200, `{"value":[{"id":"2","machineName":"proxy02.contoso.test","status":"inactive","version":null}]}`), nil
	})
	all, err := asked.Connectors(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []graphconnectversion.Connector{
		{ID: "1", Machine: "proxy01.contoso.test", Text: "1.5.4522.0", Version: mustParse(t, "1.5.4522.0"), Status: "active"},
		{ID: "2", Machine: "proxy02.contoso.test", Status: "inactive"},
	}, all)

	mock.RegisterResponder("GET", connectors, httpmock.NewStringResponder(200, `{"value":[],"@odata.nextLink":"`+next+`"}`))
	_, err = asked.Connectors(t.Context())
	assert.ErrorContains(t, err, "do not end")

	mock.RegisterResponder("GET", connectors, httpmock.NewStringResponder(200, `{"value":[],"@odata.nextLink":"https://contoso.test/"}`))
	_, err = asked.Connectors(t.Context())
	assert.ErrorContains(t, err, "no token is sent there")
}

// A tenant is asked through the request adapter that an embedder has already.
func TestThroughAnAdapter(t *testing.T) {
	for base, cloud := range map[string]crossprem.Cloud{
		"https://graph.microsoft.com": crossprem.Worldwide, "https://graph.microsoft.us": crossprem.GCCHigh,
		"https://gateway.contoso.test/graph": crossprem.CloudUnknown,
	} {
		mock := httpmock.NewMockTransport()
		adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
			&authentication.AnonymousAuthenticationProvider{}, nil, nil, &http.Client{Transport: kiotahttp.NewCustomTransportWithParentTransport(mock)})
		require.NoError(t, err)
		adapter.SetBaseUrl(base + "/v1.0")
		asked, err := graphconnectversion.NewFromAdapter(adapter)
		require.NoError(t, err)
		mock.RegisterResponder("GET", base+"/v1.0/organization", httpmock.NewStringResponder(200, `{"value":[{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","onPremisesSyncEnabled":true}]}`))
		mock.RegisterResponder("GET", base+"/beta/directory/onPremisesSynchronization", httpmock.NewStringResponder(200, configuration))
		s, err := asked.Sync(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "2.5.190.0", s.Text)
		assert.Equal(t, cloud, s.Facts().Cloud, base)
	}
	_, err := graphconnectversion.NewFromAdapter(nil)
	assert.Error(t, err)
}
