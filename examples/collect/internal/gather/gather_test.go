package gather

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/microsoft/kiota-abstractions-go/authentication"
	kiotahttp "github.com/microsoft/kiota-http-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tenant returns a fake with answers by path beside its sign-ins.
func tenant(t *testing.T, answers map[string]string) (Tenant, *signinstest.Graph) {
	t.Helper()
	start := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	g := signinstest.GraphOf(&signinstest.Tenant{Start: start, Users: 20, Events: 100})
	for path, body := range answers {
		g.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body)
		}))
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, nil, nil, client)
	require.NoError(t, err)
	adapter.SetBaseUrl(server.URL + "/v1.0")
	get := func(path string) Fetch {
		return func(ctx context.Context, id, next string) ([]byte, error) {
			if next == "" {
				next = server.URL + "/v1.0/" + strings.ReplaceAll(path, "{id}", id)
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, next, nil)
			if err != nil {
				return nil, err
			}
			answer, err := client.Do(req)
			if err != nil {
				return nil, err
			}
			defer answer.Body.Close()
			if answer.StatusCode != 200 {
				return nil, fmt.Errorf("status %d", answer.StatusCode)
			}
			return io.ReadAll(answer.Body)
		}
	}
	return Tenant{Adapter: adapter, Applications: get("applications"), ServicePrincipals: get("servicePrincipals"),
		Application: get("applications/{id}"), ServicePrincipal: get("servicePrincipals/{id}"), RoleAssignments: get("servicePrincipals/{id}/appRoleAssignments"),
		ConditionalAccess: get("identity/conditionalAccess/policies"), SecurityDefault: get("policies/identitySecurityDefaultsEnforcementPolicy")}, g
}

func options(t *testing.T, skip ...string) Options {
	o := Options{Folder: t.TempDir(), From: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3), Skip: map[string]bool{},
		Limiter: &graphsignins.Limiter{Requests: 1000}, Note: func(string) {}}
	for _, s := range skip {
		o.Skip[s] = true
	}
	return o
}

// What one part lacks is named, and keeps nothing else from being collected;
// what was missing is collected by the next run, and nothing else asked twice.
func TestWhatIsMissingIsNamed(t *testing.T) {
	good := map[string]string{
		"/v1.0/identity/conditionalAccess/policies":                `{"@odata.context":"c","value":[]}`,
		"/v1.0/policies/identitySecurityDefaultsEnforcementPolicy": `{"isEnabled":true}`,
		"/v1.0/organization":                                       `{"value":[{"id":"x","displayName":"Contoso","onPremisesSyncEnabled":null}]}`,
	}
	bad, g := tenant(t, map[string]string{"/v1.0/organization": good["/v1.0/organization"], "/v1.0/identity/conditionalAccess/policies": `{"value":null}`})
	o := options(t, "directory", "hybrid")
	c, err := Run(t.Context(), bad, o)
	require.ErrorContains(t, err, "policies: policies of Conditional Access: the answer is no list")
	assert.Contains(t, c.Missing["policies"], "security defaults")
	assert.Len(t, c.Missing, 3)
	assert.Equal(t, "it was left out", c.Missing["hybrid"])
	assert.EqualValues(t, len(g.Truth(time.Now())), c.SignIns)
	read, err := ReadManifest(o.Folder)
	require.NoError(t, err)
	assert.Equal(t, c, read)
	_, err = os.Stat(filepath.Join(o.Folder, ConditionalAccess))
	assert.ErrorIs(t, err, os.ErrNotExist)
	var organization struct {
		Value []struct{ OnPremisesSyncEnabled *bool }
	}
	text, err := os.ReadFile(filepath.Join(o.Folder, Organization))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &organization))
	assert.False(t, *organization.Value[0].OnPremisesSyncEnabled)

	better, _ := tenant(t, good)
	_, err = Run(t.Context(), better, o)
	require.ErrorContains(t, err, "holds a collection from", "another tenant's address")
}

// A run that was ended says so, and what it did not come to is missing.
func TestCtrlC(t *testing.T) {
	fake, _ := tenant(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	fake.ConditionalAccess = func(context.Context, string, string) ([]byte, error) {
		cancel()
		return nil, errors.New("cut off")
	}
	o := options(t)
	_, err := Run(ctx, fake, o)
	require.ErrorIs(t, err, context.Canceled)
	c, err := ReadManifest(o.Folder)
	require.NoError(t, err)
	assert.Len(t, c.Missing, 5)
	assert.Equal(t, "it was not collected yet", c.Missing["signins"])
	assert.Empty(t, c.Parts)
}

func TestPagesAreJoined(t *testing.T) {
	pages := map[string]string{
		"":  `{"@odata.context":"c","value":[{"id":1}],"@odata.nextLink":"b"}`,
		"b": `{"value":[{"id":2}],"@odata.nextLink":"c"}`,
		"c": `{"value":[]}`,
	}
	fetch := func(_ context.Context, _, next string) ([]byte, error) { return []byte(pages[next]), nil }
	whole, err := all(t.Context(), fetch, "")
	require.NoError(t, err)
	text, err := json.Marshal(whole)
	require.NoError(t, err)
	assert.JSONEq(t, `{"@odata.context":"c","value":[{"id":1},{"id":2}]}`, string(text))
	for name, last := range map[string]string{"round": `{"value":[],"@odata.nextLink":"b"}`, "no list": `{}`, "torn": `{"value":[`} {
		pages["c"] = last
		_, err = all(t.Context(), fetch, "")
		assert.Error(t, err, name)
	}
}

// Of a client secret its beginning is not kept.
func TestSecretsAreLeftOut(t *testing.T) {
	fetch := func(context.Context, string, string) ([]byte, error) {
		return []byte(`{"id":"x","passwordCredentials":[{"keyId":"k","hint":"Abc","secretText":"Abcdef"}]}`), nil
	}
	o, err := object(t.Context(), fetch, "x")
	require.NoError(t, err)
	text, err := json.Marshal(o)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"x","passwordCredentials":[{"keyId":"k"}]}`, string(text))
}

func TestBar(t *testing.T) {
	var out strings.Builder
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	from := at.AddDate(0, 0, -10)
	b := &Bar{W: &out, From: from, To: at, Width: 100, now: func() time.Time { return at }}
	progress := func(days int, records int64) graphsignins.Progress {
		return graphsignins.Progress{Slice: graphsignins.Slice{Start: from.AddDate(0, 0, days)}, Records: records}
	}
	last := func() string { s := out.String(); return s[strings.LastIndex(s, "\r")+1:] }
	b.Show(progress(0, 0))
	assert.Contains(t, last(), "  0 %  2026-11-16 12:00  0 sign-ins")
	assert.NotContains(t, last(), "left", "there is no speed yet")
	at = at.Add(20 * time.Second)
	b.Show(progress(4, 20_000))
	assert.Contains(t, last(), "[============                  ]  40 %  2026-11-20 12:00  20,000 sign-ins  1,000/s  30s left")
	before := out.Len()
	at = at.Add(50 * time.Millisecond)
	b.Show(progress(4, 20_001))
	assert.Equal(t, before, out.Len(), "not more than five times a second")
	p := progress(4, 20_001)
	p.WaitingUntil = at.Add(90 * time.Second)
	b.Show(p)
	assert.Contains(t, last(), "(waiting 1m30s)")
	b.Width = 30
	at = at.Add(time.Second)
	b.Show(p)
	assert.Less(t, len(strings.TrimSuffix(last(), "\x1b[K")), 30)
	b.Clear()
	assert.Equal(t, "\x1b[K", last())
	for d, want := range map[time.Duration]string{59 * time.Second: "59s", 61 * time.Second: "1m01s", 2*time.Hour + 3*time.Minute: "2h03m"} {
		assert.Equal(t, want, short(d))
	}
}
