package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/graphoauthcert"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// One tenant answers all graph packages.
func TestOneTenantForAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"-users", "40", "-days", "1", "-faults", "0"}, w, io.Discard) }()
	address, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	address = strings.TrimSpace(address)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()

	log, err := graphsignins.New(credential{}, graphsignins.Options{Endpoint: address, Transport: transport, From: time.Now().AddDate(0, 0, -3),
		Limiter: &graphsignins.Limiter{Requests: 1000}})
	require.NoError(t, err)
	summary, err := signins.Summarize(signins.All(t.Context(), log))
	require.NoError(t, err)
	assert.NotEmpty(t, summary.LegacyUsersWithSuccess())

	directory, err := graphoauthcert.New(credential{}, graphoauthcert.Options{Endpoint: address, Transport: transport})
	require.NoError(t, err)
	for _, target := range []oauthcert.Target{
		{Kind: oauthcert.ServicePrincipal, ID: exchangeID}, {Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline},
		{Kind: oauthcert.Application, AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab"},
	} {
		_, err = directory.Read(t.Context(), target)
		assert.NoError(t, err, target)
	}

	tenant, err := graphconnectversion.New(credential{}, graphconnectversion.Options{Endpoint: address, Transport: transport})
	require.NoError(t, err)
	sync, err := tenant.Sync(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "2.5.79.0", sync.Version.String())
	assert.Equal(t, crossprem.Yes, crossprem.Answer(sync.Enabled))
	connectors, err := tenant.Connectors(t.Context())
	require.NoError(t, err)
	assert.Len(t, connectors, 1)

	cancel()
	assert.Equal(t, served, <-done)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-listen", "0.0.0.0:0"}, {"-listen", "x"}, {"-days", "31"}, {"-users", "1"}, {"-faults", "1"}, {"-connect", "x"}, {"x"}} {
		assert.Equal(t, wrongUsage, run(t.Context(), args, io.Discard, io.Discard), args)
	}
	assert.Equal(t, served, run(t.Context(), []string{"-h"}, io.Discard, io.Discard))
}
