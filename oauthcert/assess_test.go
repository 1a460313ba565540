package oauthcert_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// outcome lists the rules that failed, and those that are unknown with a "?".
func outcome(t *testing.T, findings []crossprem.Finding) string {
	t.Helper()
	findingtest.Check(t, "findings", oauthcert.Rules(), findings)
	var out []string
	for _, f := range findings {
		switch f.Status {
		case crossprem.Failed:
			out = append(out, f.Rule)
		case crossprem.Unknown:
			out = append(out, f.Rule+"?")
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

func TestAssess(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	check := func(a oauthcerttest.AuthCertificate, want string) []crossprem.Finding {
		t.Helper()
		if a.NotBefore.IsZero() {
			a.NotBefore = at.AddDate(-1, 0, 0)
		}
		findings := oauthcert.Assess(a.Make(), at)
		assert.Equal(t, want, outcome(t, findings))
		for _, f := range findings {
			assert.NotEmpty(t, f.Detail, f.Rule)
		}
		return findings
	}
	check(oauthcerttest.AuthCertificate{}, "")
	check(oauthcerttest.AuthCertificate{NotAfter: at.AddDate(0, 0, 61)}, "")
	f := check(oauthcerttest.AuthCertificate{NotAfter: at.AddDate(0, 0, 60)}, "auth-cert-expiring")
	assert.Equal(t, at.AddDate(0, 0, 60), f[1].Due)
	f = check(oauthcerttest.AuthCertificate{NotAfter: at}, "auth-cert-expired")
	assert.Equal(t, crossprem.Critical, f[0].Severity)
	check(oauthcerttest.AuthCertificate{NotBefore: at.AddDate(0, 0, 1)}, "auth-cert-not-yet-valid")
	check(oauthcerttest.AuthCertificate{Bits: 1024}, "auth-cert-key-size")
	check(oauthcerttest.AuthCertificate{ECDSA: true}, "auth-cert-key-size? auth-cert-key-type")
	f = check(oauthcerttest.AuthCertificate{CommonName: "-"}, "auth-cert-subject")
	assert.Equal(t, crossprem.Warning, f[slices.IndexFunc(f, func(f crossprem.Finding) bool { return f.Rule == "auth-cert-subject" })].Severity)
	f = check(oauthcerttest.AuthCertificate{CommonName: "mail.contoso.com"}, "auth-cert-subject")
	assert.Equal(t, crossprem.Info, f[slices.IndexFunc(f, func(f crossprem.Finding) bool { return f.Rule == "auth-cert-subject" })].Severity)

	cert := oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0)}.Make()
	assert.Equal(t, "auth-cert-server-key", outcome(t, oauthcert.Assess(cert.WithKey(oauthcert.Key{Presence: oauthcert.KeyAbsent}), at)))
	assert.Equal(t, "auth-cert-key-provider", outcome(t, oauthcert.Assess(cert.WithKey(oauthcert.Key{Presence: oauthcert.KeyPresent, Provider: "Microsoft Software Key Storage Provider"}), at)))
	assert.Equal(t, "", outcome(t, oauthcert.Assess(cert.WithKey(oauthcert.Key{Presence: oauthcert.KeyPresent, Provider: "Microsoft RSA SChannel Cryptographic Provider", ProviderType: 12}), at)))
}

func TestAssessNothing(t *testing.T) {
	for _, none := range []*oauthcert.Certificate{nil, {}} {
		assert.Equal(t, "auth-cert-expired?", outcome(t, oauthcert.Assess(none, time.Now())))
	}
}

func TestAssessRollover(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	until := func(days int) *oauthcert.Certificate {
		return oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(0, 0, days)}.Make()
	}
	current, late, gone, next, short := until(400), until(30), until(-1), until(2000), until(100)
	all := []*oauthcert.Certificate{current, late, gone, next, short}
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	present := oauthcert.Key{Presence: oauthcert.KeyPresent}
	check := func(current, next *oauthcert.Certificate, effective time.Time, want string, change ...func(*oauthcert.Rollover)) {
		t.Helper()
		r := oauthcert.Rollover{Config: oauthcert.AuthConfig{Current: current.SHA1(), NextEffective: effective}, Certificates: all, MaxLifetime: 10 * 365 * 24 * time.Hour}
		if next != nil {
			r.Config.Next = next.SHA1()
		}
		r.Servers = []oauthcert.Server{{Name: "EX01", Held: map[oauthcert.Thumbprint]oauthcert.Key{r.Config.Current: present, r.Config.Next: present}}}
		for _, c := range change {
			c(&r)
		}
		assert.Equal(t, want, outcome(t, oauthcert.AssessRollover(r, at)))
	}
	none := time.Time{}
	check(current, nil, none, "")
	check(current, next, day(30), "")
	check(late, nil, none, "auth-cert-expiring auth-config-rollover")
	check(late, nil, none, "auth-cert-expiring auth-config-rollover?", func(r *oauthcert.Rollover) { r.Config.NextUnknown = true })
	check(late, next, day(10), "auth-cert-expiring")
	check(current, nil, none, "", func(r *oauthcert.Rollover) { r.Certificates = []*oauthcert.Certificate{nil, current} })
	check(late, short, day(10), "auth-cert-expiring auth-config-rollover")
	check(gone, nil, none, "auth-cert-expired auth-config-rollover")
	check(current, next, none, "auth-config-next-date")
	check(current, next, day(401), "auth-config-next-date")
	check(current, next, day(-2), "auth-config-next-date")
	check(current, next, at.Add(-12*time.Hour), "")
	check(current, current, day(10), "auth-config-next-differs")
	check(current, next, none, "auth-config-next-date?", func(r *oauthcert.Rollover) { r.Config.NextEffectiveText = "1/2/27" })
	check(current, nil, none, "auth-cert-server?", func(r *oauthcert.Rollover) { r.Servers = nil })
	check(current, nil, none, "auth-cert-server?", func(r *oauthcert.Rollover) { r.Servers[0].Held = nil })
	check(current, nil, none, "auth-cert-server", func(r *oauthcert.Rollover) { r.Servers[0].Held = map[oauthcert.Thumbprint]oauthcert.Key{} })
	check(current, nil, none, "auth-cert-server-key", func(r *oauthcert.Rollover) {
		r.Servers[0].Held[current.SHA1()] = oauthcert.Key{Presence: oauthcert.KeyAbsent}
	})
	check(current, nil, none, "auth-cert-server-key?", func(r *oauthcert.Rollover) { r.Servers[0].Held[current.SHA1()] = oauthcert.Key{} })
	check(current, nil, none, "auth-cert-lifetime", func(r *oauthcert.Rollover) { r.MaxLifetime = 365 * 24 * time.Hour })
	check(current, nil, none, "auth-cert-lifetime?", func(r *oauthcert.Rollover) { r.MaxLifetime = 0 })
	check(current, next, day(10), "auth-config-current? auth-config-next-date? auth-config-rollover?", func(r *oauthcert.Rollover) {
		r.Certificates, r.MaxLifetime = []*oauthcert.Certificate{next}, 10*365*24*time.Hour
	})
	check(current, nil, none, "auth-config-current", func(r *oauthcert.Rollover) { r.Config = oauthcert.AuthConfig{} })
}

func TestAssessObject(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	make := func(cn string, from, to int) *oauthcert.Certificate {
		return oauthcerttest.AuthCertificate{CommonName: cn, NotBefore: at.AddDate(from, 0, 0), NotAfter: at.AddDate(to, 0, 0)}.Make()
	}
	current, next, old, foreign := make("", -1, 4), make("", 0, 5), make("", -6, -1), make("evil", -1, 1)
	want := oauthcert.Expected{Current: current, Next: next}
	check := func(o *oauthcert.Object, want oauthcert.Expected, rules string) {
		t.Helper()
		assert.Equal(t, rules, outcome(t, oauthcert.AssessObject(o, want, at)))
	}
	good := []oauthcert.KeyCredential{stored(current, "1"), stored(next, "2")}
	check(application(good...), want, "")
	check(application(good[0]), want, "entra-key-next")
	check(application(good[1]), want, "entra-key-current")
	check(application(good[0]), oauthcert.Expected{}, "entra-key-current?")
	check(application(append(good, stored(old, "3"))...), want, "entra-key-expired")
	check(application(append(good, stored(foreign, "3"))...), want, "entra-key-foreign")
	check(application(append(good, stored(current, "3"))...), want, "entra-key-duplicate")
	odd := stored(current, "1")
	odd.CustomKeyIdentifier, odd.EndDateTime, odd.Usage = "63657274", current.NotAfter().AddDate(1, 0, 0), "Sign"
	check(application(odd, good[1]), want, "entra-key-current entra-key-dates entra-key-identifier entra-key-usage")
	odd.Type = "X509CertAndPassword"
	check(application(odd, good[0], good[1]), want, "entra-key-dates entra-key-identifier entra-key-usage")
	lapsed := stored(current, "1")
	lapsed.EndDateTime = at.AddDate(0, 0, -1)
	check(application(lapsed, good[1]), want, "entra-key-current entra-key-expired")
	hidden := stored(current, "1")
	hidden.Key = nil
	check(application(hidden), want, "entra-key-current? entra-key-foreign? entra-key-next?")
	unread := application()
	unread.Keys = nil
	check(unread, want, "entra-key-current?")

	sp := shared()
	sp.Names = []string{oauthcert.ExchangeOnline, "https://mail.contoso.com/", "https://old.contoso.com", "https://mail.contoso.com/ews"}
	check(sp, oauthcert.Expected{Hosts: []string{"mail.contoso.com", "eas.contoso.com"}}, "entra-name-form entra-name-missing entra-name-stale")
	check(sp, oauthcert.Expected{}, "entra-name-form entra-name-missing? entra-name-stale?")
	sp.Keys = append(sp.Keys, stored(current, "1"))
	check(sp, oauthcert.Expected{Hosts: []string{"mail.contoso.com", "old.contoso.com"}}, "entra-key-shared entra-name-form")
}

// The samples of Graph show no values, as a list does: what they hold is not
// known, whatever their labels say.
func TestAssessSamples(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	current := oauthcerttest.AuthCertificate{NotBefore: at}.Make()
	o, err := oauthcert.ParseObject(oauthcert.UnknownKind, sample(t, "14-graph-shared-sp.json"))
	require.NoError(t, err)
	assert.Equal(t, "entra-key-expired entra-key-foreign? entra-key-shared entra-name-form entra-name-missing",
		outcome(t, oauthcert.AssessObject(o, oauthcert.Expected{Current: current, Hosts: []string{"mail.contoso.com", "autodiscover.contoso.com"}}, at)))
	o, err = oauthcert.ParseObject(oauthcert.UnknownKind, sample(t, "15-graph-dedicated-app.json"))
	require.NoError(t, err)
	assert.Equal(t, "entra-key-current? entra-key-foreign? entra-key-next?",
		outcome(t, oauthcert.AssessObject(o, oauthcert.Expected{Current: current, Next: current}, at)))
}

func TestReadAuthConfig(t *testing.T) {
	for _, name := range []string{"01-good-dedicated-se.format-list.txt", "02-good-dedicated-se.ps51.json", "03-Get-AuthConfig.xml"} {
		c, err := oauthcert.ReadAuthConfig(sample(t, name))
		require.NoError(t, err, name)
		assert.Equal(t, "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C", c.Current.String(), name)
		assert.Equal(t, "77AA10293847566574839201AFBECDDCEBFA0918", c.Previous.String(), name)
		assert.Equal(t, "3D7E91B05C8A426F0E1D2C3B4A59687706152433", c.Next.String(), name)
		assert.Equal(t, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), c.NextEffective, name)
		got, err := c.Select(oauthcert.Next)
		require.NoError(t, err)
		assert.Equal(t, c.Next, got)
	}
	_, err := oauthcert.AuthConfig{}.Select(oauthcert.Current)
	assert.Error(t, err)
	_, err = oauthcert.AuthConfig{}.Select("newest")
	assert.ErrorContains(t, err, "newest")
	_, err = oauthcert.ReadAuthConfig([]byte("Name : x\n"))
	assert.ErrorIs(t, err, oauthcert.ErrNoAuthConfig)
	_, err = oauthcert.ReadAuthConfig([]byte("CurrentCertificateThumbprint : A94F\nRealm :\n"))
	assert.ErrorIs(t, err, oauthcert.ErrThumbprint)
	c, err := oauthcert.ReadAuthConfig([]byte("CurrentCertificateThumbprint : A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C\nNextCertificateThumbprint :\nNextCertificateEffectiveDate :\n"))
	require.NoError(t, err)
	assert.True(t, c.Next.IsZero())
	assert.True(t, c.NextEffective.IsZero())
	assert.Empty(t, c.NextEffectiveText)
	assert.False(t, c.NextUnknown, "there is none")

	// What was not captured is not taken for empty.
	c, err = oauthcert.ReadAuthConfig([]byte(`{"CurrentCertificateThumbprint": "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C"}`))
	require.NoError(t, err)
	assert.True(t, c.NextUnknown)
	_, err = c.Select(oauthcert.Next)
	assert.ErrorContains(t, err, "does not show NextCertificateThumbprint")
	c, err = oauthcert.ReadAuthConfig([]byte("CurrentCertificateThumbprint : A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C\nNextCertificateThumbprint    : 3D7E91B05C8A426F0E1D2C3B4A59687706152433\n"))
	require.NoError(t, err)
	assert.Equal(t, "absent", c.NextEffectiveText)
}

// Captures of two servers that do not tell which: what they disagree on is not known.
func TestReadServersWithoutNames(t *testing.T) {
	const held = "Thumbprint    : A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C\nHasPrivateKey : "
	servers, err := oauthcert.ReadServers([]byte(held + "False\n\n" + held + "True\n"))
	require.NoError(t, err)
	require.Len(t, servers, 1)
	for _, key := range servers[0].Held {
		assert.Equal(t, oauthcert.KeyUnknown, key.Presence)
	}
}

// The faulty capture, as far as it is about certificates: the current one has
// no key on EX02, and the next one, overdue, is missing there.
func TestReadServers(t *testing.T) {
	data := sample(t, "05-faulty-authcert.ps7.json")
	servers, err := oauthcert.ReadServers(data)
	require.NoError(t, err)
	require.Len(t, servers, 2)
	config, err := oauthcert.ReadAuthConfig(data)
	require.NoError(t, err)
	findings := oauthcert.AssessRollover(oauthcert.Rollover{Config: config, Servers: servers}, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, "auth-cert-server auth-cert-server-key auth-config-current? auth-config-next-date auth-config-rollover?", outcome(t, findings))
	for _, f := range findings {
		if f.Status == crossprem.Failed && strings.HasPrefix(f.Rule, "auth-cert-server") {
			assert.Equal(t, "EX02", f.Subject)
		}
	}
}
