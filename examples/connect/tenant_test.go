package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
)

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// contoso answers for a tenant that is synchronised.
func contoso(t *testing.T, status int) *graphconnectversion.Tenant {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://graph.microsoft.com/v1.0/organization", httpmock.NewStringResponder(200,
		`{"value":[{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","displayName":"Contoso","onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-22T18:40:03Z"}]}`))
	mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/directory/onPremisesSynchronization", httpmock.NewStringResponder(status,
		`{"value":[{"configuration":{"synchronizationClientVersion":"2.6.3.0","currentExportData":{"clientMachineName":"SYNC01"}}}]}`))
	mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/onPremisesPublishingProfiles/applicationProxy/connectors", httpmock.NewStringResponder(200,
		`{"value":[{"id":"1","machineName":"proxy01.contoso.test","status":"active","version":"1.5.4522.0"}]}`))
	tenant, err := graphconnectversion.New(credential{}, graphconnectversion.Options{Transport: http.RoundTripper(mock)})
	require.NoError(t, err)
	return tenant
}

var testDay = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

func TestTenantAsText(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, question{at: testDay, connectors: true}.answer(t.Context(), contoso(t, 200), &out))
	for _, want := range []string{"Contoso (12cce4b4-4ab8-40b7-be4d-f5d7742ec185)", "synchronised: yes, last on 2026-11-22 18:40 UTC",
		"Entra Connect Sync 2.6.3.0: outdated, last day 2027-07-07", "SYNC01: From 2027-04-07 (136 days left): Synchronisation stops", "Entra private network connector 1.5.4522.0"} {
		assert.Contains(t, out.String(), want)
	}
}

// The tenant does not tell how the server signs in; the caller may.
func TestTenantAuthentication(t *testing.T) {
	for auth, want := range map[connectversion.Authentication]string{connectversion.UnknownAuthentication: "unknown", connectversion.Application: "passed", connectversion.ServiceAccount: "failed"} {
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder("GET", "https://graph.microsoft.com/v1.0/organization", httpmock.NewStringResponder(200,
			`{"value":[{"id":"12cce4b4-4ab8-40b7-be4d-f5d7742ec185","onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-22T18:40:03Z"}]}`))
		mock.RegisterResponder("GET", "https://graph.microsoft.com/beta/directory/onPremisesSynchronization", httpmock.NewStringResponder(200,
			`{"value":[{"configuration":{"synchronizationClientVersion":"2.6.92.0"}}]}`))
		tenant, err := graphconnectversion.New(credential{}, graphconnectversion.Options{Transport: http.RoundTripper(mock)})
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, question{at: testDay, json: true, auth: auth}.answer(t.Context(), tenant, &out))
		var r struct {
			Installed []struct {
				Findings []struct{ Rule, Status string }
			}
		}
		require.NoError(t, json.Unmarshal(out.Bytes(), &r))
		require.Len(t, r.Installed, 1)
		assert.Contains(t, r.Installed[0].Findings, struct{ Rule, Status string }{"app-auth-2027-04-07", want})
	}
}

// What could not be asked is said, beside what could.
func TestTenantRefuses(t *testing.T) {
	var out bytes.Buffer
	err := question{at: testDay, json: true}.answer(t.Context(), contoso(t, 403), &out)
	assert.ErrorContains(t, err, "Global Administrator")
	var r struct {
		Tenant    string
		Enabled   string `json:"syncEnabled"`
		Installed []any
		Missing   []string
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	assert.Equal(t, "yes", r.Enabled)
	assert.NotNil(t, r.Installed)
	assert.Empty(t, r.Installed)
	require.Len(t, r.Missing, 1)
	assert.Contains(t, r.Missing[0], "OnPremDirectorySynchronization.Read.All")
}

func TestTenantUsage(t *testing.T) {
	for _, args := range [][]string{{"-tenant", "x", "2.6.3.0"}, {"-tenant", "x", "-at", "today"}, {"-tenant", "x", "-cloud", "mars"},
		{"-tenant", "x", "-cloud", "other"}, {"-connectors", "2.6.3.0"}, {"-tenant", "x", "-svg", "x.svg"},
		{"-tenant", "x", "-product", "cloud-sync"}, {"-tenant", "x", "-until", "2027-01-01"}, {"-cloud", "mars", "2.6.3.0"}} {
		var out, errs bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, &out, &errs), args)
		assert.Empty(t, out.String())
	}
	var out, errs bytes.Buffer
	assert.Equal(t, 2, run(t.Context(), []string{"-tenant", "x", "-signin", "pigeon"}, &out, &errs))
	assert.Equal(t, "connect: -signin is default, browser, device, cli or environment, not \"pigeon\"\n", errs.String())
}
