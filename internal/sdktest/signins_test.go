package sdktest

import (
	"testing"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/auditlogs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// What the SDK's request builder fetches is, by FromModel, what our Source
// reads through the SDK's adapter, and both lead to the same verdict.
func TestSignIns(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	g := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 40, Events: 300})
	server := g.Start()
	defer server.Close()
	a := adapter(t, server)
	src, err := graphsignins.NewFromAdapter(a, graphsignins.Options{Version: graphsignins.V1, From: day, To: day.AddDate(0, 0, 1),
		Limiter: &graphsignins.Limiter{Requests: 1000}})
	require.NoError(t, err)
	ours := make(map[string]signins.SignIn)
	for s, err := range signins.All(t.Context(), src) {
		require.NoError(t, err)
		ours[s.ID] = s
	}
	require.NotEmpty(t, ours)

	page, err := auditlogs.NewSignInsRequestBuilderInternal(map[string]string{"baseurl": server.URL + "/v1.0"}, a).Get(t.Context(), nil)
	require.NoError(t, err, explain(err))
	require.Len(t, page.GetValue(), len(ours))
	for _, m := range page.GetValue() {
		s, err := graphsignins.FromModel(m)
		require.NoError(t, err)
		want := ours[s.ID]
		assert.Equal(t, signins.Classify(&want), signins.Classify(&s))
		assert.True(t, want.Time.Equal(s.Time))
		assert.Equal(t, want.Known, s.Known)
		assert.Equal(t, want.UserPrincipalName, s.UserPrincipalName)
		assert.Equal(t, want.ErrorCode, s.ErrorCode)
		assert.Equal(t, want.ConditionalAccess, s.ConditionalAccess)
		assert.Equal(t, want.CountryOrRegion, s.CountryOrRegion)
	}
}
