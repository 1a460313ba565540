package oauthcert_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// Each tenant is asked once; what cannot be asked is unknown; a run that was
// cut short goes on where it ended.
func TestFleetSharedKeys(t *testing.T) {
	now := time.Now()
	cert := oauthcerttest.AuthCertificate{NotBefore: now.AddDate(-2, 0, 0).Truncate(time.Second)}.Make()
	old := oauthcerttest.AuthCertificate{NotBefore: now.AddDate(-7, 0, 0).Truncate(time.Second)}.Make()
	directories := map[string]*oauthcerttest.Directory{
		"clean.test":     oauthcerttest.New(1, shared()),
		"dirty.test":     oauthcerttest.New(1, shared(stored(cert, "1"), stored(old, "2"))),
		"absent.test":    oauthcerttest.New(1, application()),
		"forbidden.test": oauthcerttest.New(1, shared()),
		"slow.test":      oauthcerttest.New(1, shared(stored(cert, "1"))),
	}
	directories["forbidden.test"].Faults = func(oauthcerttest.Call) oauthcerttest.Fault { return oauthcerttest.Forbidden }
	var mu sync.Mutex
	opened := map[string]int{}
	fleet := oauthcert.Fleet{Concurrency: 3, Open: func(_ context.Context, tenant string) (oauthcert.Directory, error) {
		mu.Lock()
		defer mu.Unlock()
		opened[tenant]++
		if d, ok := directories[tenant]; ok {
			return d, nil
		}
		return nil, errors.New("AADSTS90002: no such tenant\nTrace ID")
	}}
	tenants := []string{"clean.test", "dirty.test", "absent.test", "forbidden.test", "nowhere.test", "slow.test", "clean.test"}

	var first []oauthcert.SharedKeys
	for s := range fleet.SharedKeys(t.Context(), tenants, nil) {
		if first = append(first, s); len(first) == 3 {
			break // cut short
		}
	}
	first = again(t, first) // kept in a file
	all := map[string]oauthcert.SharedKeys{}
	for s := range fleet.SharedKeys(t.Context(), tenants, first) {
		_, twice := all[s.Tenant]
		assert.False(t, twice, s.Tenant)
		all[s.Tenant] = s
	}
	require.Len(t, all, 6)
	answer := func(tenant string) crossprem.Answer { return all[tenant].Holds }
	assert.Equal(t, crossprem.No, answer("clean.test"))
	assert.Equal(t, crossprem.No, answer("absent.test"), "without the principal there is no key")
	assert.Equal(t, crossprem.Yes, answer("dirty.test"))
	assert.Equal(t, crossprem.AnswerUnknown, answer("forbidden.test"))
	assert.Contains(t, all["forbidden.test"].Error, "permission is missing")
	assert.Equal(t, crossprem.AnswerUnknown, answer("nowhere.test"))
	assert.False(t, strings.Contains(all["nowhere.test"].Error, "\n"))
	dirty := all["dirty.test"]
	assert.Equal(t, 2, dirty.Keys)
	assert.Equal(t, 1, dirty.Valid)
	assert.True(t, old.NotBefore().Equal(dirty.Since))
	assert.True(t, cert.NotAfter().Equal(dirty.Until))
	for _, s := range first {
		if s.Holds != crossprem.AnswerUnknown {
			assert.Len(t, directories[s.Tenant].Calls(), 1, "%s was not asked again", s.Tenant)
		}
	}
	for tenant, d := range directories {
		assert.LessOrEqual(t, len(d.Calls()), 2, tenant)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for s := range fleet.SharedKeys(ctx, tenants, nil) {
		t.Error("asked after the end", s)
	}
	for s := range (oauthcert.Fleet{}).SharedKeys(t.Context(), []string{"x"}, nil) {
		assert.Equal(t, crossprem.AnswerUnknown, s.Holds)
	}
}

func TestCoverage(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	make := func() *oauthcert.Certificate {
		return oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0)}.Make()
	}
	current, next, web := make(), make(), make()
	present, absent := oauthcert.Key{Presence: oauthcert.KeyPresent}, oauthcert.Key{Presence: oauthcert.KeyAbsent}
	servers := []oauthcert.Server{
		{Name: "EX01", Held: map[oauthcert.Thumbprint]oauthcert.Key{current.SHA1(): present, next.SHA1(): present, web.SHA1(): present}},
		{Name: "EX02", Held: map[oauthcert.Thumbprint]oauthcert.Key{current.SHA1(): absent}},
		{Name: "EX03"},
	}
	app := application(stored(current, "1"))
	line := func(all []oauthcert.Cover) (out []string) {
		names := map[oauthcert.Thumbprint]string{current.SHA1(): "current", next.SHA1(): "next", web.SHA1(): "web"}
		for _, c := range all {
			out = append(out, c.Server+" "+names[c.Certificate]+" held "+c.Held.String()+" covered "+c.Covered.String())
		}
		slices.Sort(out)
		return out
	}
	assert.Equal(t, []string{
		"EX01 current held yes covered yes", "EX01 next held yes covered no",
		"EX02 current held no covered yes", "EX02 next held no covered no",
		"EX03 current held unknown covered yes", "EX03 next held unknown covered no",
	}, line(oauthcert.Coverage(servers, app, at, current.SHA1(), next.SHA1())))
	assert.Equal(t, []string{"EX01 current held yes covered yes", "EX01 next held yes covered no", "EX01 web held yes covered no"},
		line(oauthcert.Coverage(servers, app, at)))

	// What serves no token covers nothing, and what was not shown is not known.
	expired, saml, hidden := stored(current, "1"), stored(current, "1"), stored(current, "1")
	expired.EndDateTime = at.AddDate(0, 0, -1)
	saml.Usage = "Sign"
	hidden.Key = nil
	for want, o := range map[string]*oauthcert.Object{"no": application(expired, saml), "unknown": application(hidden)} {
		assert.Equal(t, "EX01 current held yes covered "+want, line(oauthcert.Coverage(servers[:1], o, at, current.SHA1()))[0])
	}
	assert.Equal(t, "EX01 current held yes covered unknown", line(oauthcert.Coverage(servers[:1], nil, at, current.SHA1()))[0])
	assert.Empty(t, oauthcert.Coverage(nil, nil, at))
}
