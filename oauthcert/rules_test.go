package oauthcert_test

import (
	cryptorand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

func TestRules(t *testing.T) {
	findingtest.CheckRules(t, oauthcert.Rules())
	rules := oauthcert.Rules()
	rules[0].ID, rules[0].Sources[0] = "x", "x"
	assert.NotEqual(t, "x", oauthcert.Rules()[0].ID)
	assert.NotEqual(t, "x", oauthcert.Rules()[0].Sources[0])
}

// facts makes inputs of the verdict functions, odd ones among them.
type facts struct {
	*rand.Rand
	certs []*oauthcert.Certificate
	at    time.Time
}

func newFacts(seed uint64, certs []*oauthcert.Certificate, at time.Time) facts {
	return facts{rand.New(rand.NewPCG(seed, 3)), certs, at}
}

func someCertificates(at time.Time) (out []*oauthcert.Certificate) {
	for _, days := range []int{-400, -1, 0, 1, 20, 29, 31, 59, 61, 100, 170, 200, 2000} {
		out = append(out, oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-3, 0, 0), NotAfter: at.AddDate(0, 0, days)}.Make())
	}
	out = append(out,
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(0, 0, 5)}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(0, 3, 0)}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0), Bits: 1024}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0), ECDSA: true}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0), CommonName: "-"}.Make(),
		oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0), CommonName: "mail.contoso.com, 2026-01-01"}.Make())
	negative, err := oauthcert.Parse(altered(out[len(out)-1].DER(), func(fields [][]byte) { fields[1] = []byte{2, 1, 0x80} }))
	if err != nil {
		panic(err)
	}
	return append(out, issuedWithSHA1(at), negative)
}

// issuedWithSHA1 returns a certificate such as a public authority made long ago.
func issuedWithSHA1(at time.Time) *oauthcert.Certificate {
	authority, key := oauthcerttest.AuthCertificate{CommonName: "Contoso CA", NotBefore: at.AddDate(-9, 0, 0), NotAfter: at.AddDate(9, 0, 0)}.MakeWithKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "mail.contoso.com"},
		NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0), SignatureAlgorithm: x509.SHA1WithRSA}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, authority.X509(), key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := oauthcert.Parse(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func pick[T any](f facts, all ...T) T { return all[f.IntN(len(all))] }

func (f facts) certificate() *oauthcert.Certificate {
	switch f.IntN(12) {
	case 0:
		return nil
	case 1:
		return new(oauthcert.Certificate)
	case 2, 3, 4:
		return pick(f, f.certs...).WithKey(f.key())
	}
	return pick(f, f.certs...)
}

func (f facts) key() oauthcert.Key {
	return oauthcert.Key{Presence: oauthcert.Presence(f.IntN(3)), Provider: pick(f, "", "Microsoft RSA SChannel Cryptographic Provider"), ProviderType: pick(f, 0, 12)}
}

func (f facts) thumbprint() oauthcert.Thumbprint {
	if f.IntN(6) == 0 {
		return oauthcert.Thumbprint{}
	}
	return pick(f, f.certs...).SHA1()
}

func (f facts) day() time.Time {
	return pick(f, time.Time{}, f.at, f.at.AddDate(0, 0, f.IntN(400)-100), f.at.Add(time.Duration(f.IntN(1e6))*time.Second))
}

func (f facts) rollover() oauthcert.Rollover {
	r := oauthcert.Rollover{MaxLifetime: pick(f, 0, 365*24*time.Hour, 7*365*24*time.Hour)}
	if f.IntN(10) > 0 {
		r.Config = oauthcert.AuthConfig{Current: f.thumbprint(), Next: f.thumbprint(), Previous: f.thumbprint(), NextEffective: f.day(),
			NextEffectiveText: pick(f, "", "absent", "01.02.2027"), NextUnknown: f.IntN(2) == 0}
	}
	for range f.IntN(5) {
		r.Certificates = append(r.Certificates, f.certificate())
	}
	if f.IntN(4) > 0 {
		r.Certificates = append(r.Certificates, f.certs...)
	}
	for range f.IntN(4) {
		s := oauthcert.Server{Name: pick(f, "", "EX01", "ex01", "EX02", "EX 2026-01-01\n")}
		if f.IntN(4) > 0 {
			s.Held = map[oauthcert.Thumbprint]oauthcert.Key{}
			for range f.IntN(4) {
				s.Held[f.thumbprint()] = f.key()
			}
		}
		r.Servers = append(r.Servers, s)
	}
	return r
}

func (f facts) object() *oauthcert.Object {
	if f.IntN(20) == 0 {
		return pick(f, nil, new(oauthcert.Object))
	}
	o := pick(f, application(), shared())
	o.DisplayName = pick(f, "", " ", "ExchangeServerApp-8d4e1b7a", "a\nb")
	if f.IntN(10) == 0 {
		o.Keys = nil
		return o
	}
	for range f.IntN(6) {
		k := stored(pick(f, f.certs...), pick(f, "", "1", "2", "cccc3333-0000-4000-8000-000000000001"))
		switch f.IntN(10) {
		case 0:
			k.Key = nil
		case 1:
			k.Key = []byte("no certificate")
		case 2:
			k.Type, k.Usage = "X509CertAndPassword", "Sign"
		case 3:
			k.CustomKeyIdentifier = "63657274"
		case 4:
			k.StartDateTime, k.EndDateTime = f.day(), f.day()
		}
		o.Keys = append(o.Keys, k)
	}
	for range f.IntN(6) {
		o.Names = append(o.Names, pick(f, "", " ", "https://mail.contoso.com/", "https://mail.contoso.com", "HTTPS://MAIL.contoso.com", "https://old.contoso.com/x", "https://old.contoso.com/", oauthcert.ExchangeOnline))
	}
	return o
}

func (f facts) expected() oauthcert.Expected {
	return oauthcert.Expected{Current: f.certificate(), Next: f.certificate(), NextEffective: f.day(),
		Hosts: pick(f, nil, []string{}, []string{"mail.contoso.com", "https://mail.contoso.com/", "", "10.0.0.1", "eas.contoso.com"})}
}

// Every verdict over facts that were made at random keeps the promises of a
// finding, and a day more or less changes no key of what is judged.
func TestFindingsKeepTheirPromises(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	certs := someCertificates(at)
	judged := map[string]int{}
	for seed := range uint64(4000) {
		f := newFacts(seed, certs, at)
		a := oauthcert.Assessor{CurrentWindow: pick(f, 0, 200*24*time.Hour), NextWindow: pick(f, 0, 24*time.Hour)}
		cert, rollover, object, expected := f.certificate(), f.rollover(), f.object(), f.expected()
		day := pick(f, at, at, time.Time{})
		for name, findings := range map[string][]crossprem.Finding{
			"Assess": a.Assess(cert, day), "AssessRollover": a.AssessRollover(rollover, day), "AssessObject": a.AssessObject(object, expected, day),
		} {
			findingtest.Check(t, fmt.Sprint(name, " ", seed), oauthcert.Rules(), findings)
			require.NotEmpty(t, findings)
			for _, found := range findings {
				judged[found.Rule+" "+found.Status.String()]++
				if found.Status == crossprem.Failed && !found.Due.IsZero() {
					assert.LessOrEqual(t, found.Severity, crossprem.SeverityBy(found.Due, day), found.Key())
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	for _, r := range oauthcert.Rules() {
		assert.NotZero(t, judged[r.ID+" failed"], "no fact made %s fail", r.ID)
	}
	for _, none := range [][]crossprem.Finding{
		oauthcert.Assess(nil, time.Time{}), oauthcert.AssessRollover(oauthcert.Rollover{}, time.Time{}), oauthcert.AssessObject(nil, oauthcert.Expected{}, time.Time{}),
	} {
		require.Len(t, none, 1)
		assert.Equal(t, crossprem.Unknown, none[0].Status)
	}
}

// again writes a value as JSON and reads it back.
func again[T any](t *testing.T, v T) (out T) {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &out), "%s", data)
	return out
}

// What is written as JSON reads back, and is judged as before.
func TestJSONThereAndBack(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	certs := someCertificates(at)
	for seed := range uint64(300) {
		f := newFacts(seed, certs, at)
		if cert := f.certificate(); cert != nil {
			byPointer, byValue := again(t, cert), again(t, *cert)
			assert.Equal(t, oauthcert.Assess(cert, at), oauthcert.Assess(byPointer, at))
			assert.Equal(t, oauthcert.Assess(cert, at), oauthcert.Assess(&byValue, at))
			if byPointer != nil {
				assert.Equal(t, *cert, *byPointer)
			}
		}
		rollover := f.rollover()
		assert.Equal(t, rollover.Config, again(t, rollover.Config))
		assert.Equal(t, oauthcert.AssessRollover(rollover, at), oauthcert.AssessRollover(again(t, rollover), at))
		object, expected := f.object(), f.expected()
		assert.Equal(t, object, again(t, object))
		assert.Equal(t, oauthcert.AssessObject(object, expected, at), oauthcert.AssessObject(again(t, object), again(t, expected), at))

		for _, plan := range []*oauthcert.Plan{
			oauthcert.PlanKeys(object, []*oauthcert.Certificate{f.certificate()}, oauthcert.Policy{At: at, DropExpired: f.IntN(2) == 0}),
			oauthcert.PlanNames(object, []string{"mail.contoso.com"}, oauthcert.Policy{}),
		} {
			require.Equal(t, plan, again(t, plan))
			byValue := again(t, *plan)
			require.Equal(t, plan, &byValue)
		}
	}
	zero := new(oauthcert.Certificate)
	require.NoError(t, json.Unmarshal([]byte("null"), zero))
	for _, bad := range []string{"{}", `{"base64":"AAAA"}`, "[]", `{"base64":"` + certs[0].Base64() + `","sha1":"` + certs[1].SHA1().String() + `"}`} {
		assert.Error(t, json.Unmarshal([]byte(bad), zero), bad)
	}

	for kind, texts := range map[string]int{"kind": 3, "action": 4, "presence": 3, "outcome": 5} {
		for i := range texts {
			switch kind {
			case "kind":
				assert.Equal(t, oauthcert.Kind(i), again(t, oauthcert.Kind(i)))
			case "action":
				assert.Equal(t, oauthcert.Action(i), again(t, oauthcert.Action(i)))
			case "presence":
				assert.Equal(t, oauthcert.Presence(i), again(t, oauthcert.Presence(i)))
			case "outcome":
				assert.Equal(t, oauthcert.Outcome(i), again(t, oauthcert.Outcome(i)))
			}
		}
	}
}

// A plan that was read back is applied like the one that was made; one that
// was tampered with would lose a key, and is refused.
func TestPlanReadBack(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		d.Set(d.app, func(o *oauthcert.Object) { o.Keys = append(o.Keys, d.next.KeyCredential()) })
		plan := d.plan(t, d.app, d.current)
		data, err := json.Marshal(plan)
		require.NoError(t, err)
		change := func(edit func(steps []any) []any) error {
			var raw map[string]any
			require.NoError(t, json.Unmarshal(data, &raw))
			raw["steps"] = edit(raw["steps"].([]any))
			edited, err := json.Marshal(raw)
			require.NoError(t, err)
			return json.Unmarshal(edited, new(oauthcert.Plan))
		}
		require.NoError(t, change(func(s []any) []any { return s }))
		assert.ErrorContains(t, change(func(s []any) []any { return s[1:] }), "not every entry")
		assert.ErrorContains(t, change(func(s []any) []any { return append(s, s[0]) }), "is not one of the object")
		for name, value := range map[string]any{"keyId": teamsID, "displayName": "mine", "endDateTime": "2031-01-01T00:00:00Z", "key": d.current.DER()} {
			assert.Error(t, change(func(s []any) []any {
				s[0].(map[string]any)["key"].(map[string]any)[name] = value
				return s
			}), name)
		}
		assert.Error(t, change(func(s []any) []any {
			s[0].(map[string]any)["byReference"] = false
			s[0].(map[string]any)["withoutName"] = true
			return s
		}))

		back := again(t, plan)
		report, err := oauthcert.Apply(t.Context(), d, back, &d.backup)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.other, d.next, d.current))
		assert.Equal(t, report, again(t, report))
	})
}

// What hurts, hurts from the day on which the certificate is used.
func TestNotYetValid(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	next := oauthcerttest.AuthCertificate{NotBefore: at.AddDate(0, 0, 40)}.Make()
	current := oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-1, 0, 0)}.Make()
	find := func(findings []crossprem.Finding) crossprem.Finding {
		i := slices.IndexFunc(findings, func(f crossprem.Finding) bool {
			return f.Rule == "auth-cert-not-yet-valid" && f.Subject == next.SHA1().String()
		})
		require.GreaterOrEqual(t, i, 0)
		return findings[i]
	}
	f := find(oauthcert.Assess(next, at))
	assert.Equal(t, crossprem.Failed, f.Status)
	assert.Equal(t, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), f.Due, "it is in use, and hurts today")
	assert.Equal(t, crossprem.Critical, f.Severity)

	staged := func(effective time.Time) crossprem.Finding {
		return find(oauthcert.AssessRollover(oauthcert.Rollover{Certificates: []*oauthcert.Certificate{current, next},
			Config: oauthcert.AuthConfig{Current: current.SHA1(), Next: next.SHA1(), NextEffective: effective}}, at))
	}
	f = staged(at.AddDate(0, 0, 35))
	assert.Equal(t, crossprem.Failed, f.Status)
	assert.Equal(t, time.Date(2026, 12, 27, 0, 0, 0, 0, time.UTC), f.Due, "the day on which it takes effect")
	assert.Equal(t, crossprem.Warning, f.Severity)
	assert.Equal(t, crossprem.Passed, staged(at.AddDate(0, 0, 41)).Status)
	assert.Equal(t, crossprem.Unknown, staged(time.Time{}).Status)
}

// The nearer the end, the graver.
func TestSeverityByNearness(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	for days, want := range map[int]crossprem.Severity{1: crossprem.Critical, 10: crossprem.Critical, 30: crossprem.Critical, 42: crossprem.Warning} {
		cert := oauthcerttest.AuthCertificate{NotBefore: at.AddDate(-4, 0, 0), NotAfter: at.AddDate(0, 0, days)}.Make()
		for _, f := range oauthcert.Assess(cert, at) {
			if f.Rule == "auth-cert-expiring" {
				assert.Equal(t, crossprem.Failed, f.Status)
				assert.Equal(t, want, f.Severity, days)
				assert.Contains(t, f.Detail, fmt.Sprintf("%d days after 2026-11-22", days))
			}
		}
	}
}
