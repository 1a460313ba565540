package oauthcert_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

// stored returns the key as a directory holds it.
func stored(c *oauthcert.Certificate, id string) oauthcert.KeyCredential {
	return oauthcert.KeyCredential{
		Type: oauthcert.TypeX509, Usage: oauthcert.UsageVerify, Key: c.DER(), KeyID: id,
		CustomKeyIdentifier: c.SHA1().String(), StartDateTime: c.NotBefore(), EndDateTime: c.NotAfter(),
	}
}

func application(keys ...oauthcert.KeyCredential) *oauthcert.Object {
	if keys == nil {
		keys = []oauthcert.KeyCredential{}
	}
	return &oauthcert.Object{Kind: oauthcert.Application, ID: dedicatedID, AppID: dedicatedApp, Keys: keys}
}

func shared(keys ...oauthcert.KeyCredential) *oauthcert.Object {
	o := application(keys...)
	o.Kind, o.ID, o.AppID = oauthcert.ServicePrincipal, sharedID, oauthcert.ExchangeOnline
	return o
}

// outline is a plan in short: action and reason of each step.
func outline(p *oauthcert.Plan) string {
	var out []string
	for _, s := range p.Steps {
		word := s.Action.String() + "/" + string(s.Reason)
		if s.Action == oauthcert.Kept && s.Key != nil && !s.ByReference {
			word += "/by-value"
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func TestPlanKeys(t *testing.T) {
	now := time.Now()
	current, next, other := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{CommonName: "other"}.Make()
	old := oauthcerttest.AuthCertificate{NotBefore: now.AddDate(-6, 0, 0)}.Make()
	weak := oauthcerttest.AuthCertificate{Bits: 1024}.Make()
	curve := oauthcerttest.AuthCertificate{ECDSA: true}.Make()
	both := []*oauthcert.Certificate{current, next}
	policy := oauthcert.Policy{At: now}
	check := func(o *oauthcert.Object, wanted []*oauthcert.Certificate, policy oauthcert.Policy, want string) *oauthcert.Plan {
		t.Helper()
		p := oauthcert.PlanKeys(o, wanted, policy)
		assert.Equal(t, want, outline(p))
		for _, s := range p.Steps {
			assert.NotEmpty(t, s.Why)
			assert.NotContains(t, s.String(), "\n")
		}
		return p
	}
	with := func(change func(*oauthcert.Policy)) oauthcert.Policy {
		p := policy
		change(&p)
		return p
	}

	// Adding beside what is there.
	check(application(), both, policy, "added/missing added/missing")
	check(application(stored(current, "1")), both, policy, "kept/wanted added/missing")
	p := check(application(stored(current, "1"), stored(next, "2")), both, policy, "kept/wanted kept/wanted")
	assert.False(t, p.Changes())
	check(application(stored(other, "1")), both, policy, "kept/not-ours added/missing added/missing")
	check(application(), []*oauthcert.Certificate{current, current}, policy, "added/missing")
	check(application(stored(old, "1")), both[:1], policy, "kept/not-ours added/missing")

	// The identifier proves nothing: neither that it is there, nor that it is not.
	liar := stored(other, "1")
	liar.CustomKeyIdentifier = current.SHA1().String()
	check(application(liar), both[:1], policy, "kept/not-ours added/missing")
	shy := stored(current, "1")
	shy.CustomKeyIdentifier = "63657274"
	check(application(shy), both[:1], policy, "kept/wanted")
	asPEM := stored(current, "1")
	asPEM.Key = current.PEM()
	check(application(asPEM), both[:1], policy, "kept/wanted")

	// Values that were not shown.
	hidden := stored(current, "1")
	hidden.Key = nil
	check(application(hidden), both[:1], policy, "kept/not-sorted refused/uncertain")
	check(application(hidden), both[1:], policy, "kept/not-sorted added/missing")
	hidden.KeyID = "a\nb\x1b[2J"
	p = check(application(hidden), both[:1], policy, "kept/not-sorted refused/uncertain")
	assert.NotContains(t, p.Err().Error(), "\x1b")
	hidden.KeyID = ""
	check(application(hidden), both[1:], policy, "refused/cannot-keep added/missing")
	unread := application()
	unread.Keys = nil
	check(unread, both, policy, "refused/not-read")
	check(application(), both, oauthcert.Policy{}, "refused/not-read")

	// Dropping.
	expired := with(func(p *oauthcert.Policy) { p.DropExpired = true })
	check(application(stored(old, "1"), stored(other, "2")), both[:1], expired, "dropped/expired kept/not-ours added/missing")
	check(application(stored(old, "1")), []*oauthcert.Certificate{old}, expired, "kept/wanted")
	check(application(stored(current, "1"), stored(other, "2")), both[:1], with(func(p *oauthcert.Policy) { p.DropUnused = true }), "kept/wanted dropped/unused")
	byThumbprint := with(func(p *oauthcert.Policy) { p.Drop = []string{strings.ToLower(other.SHA1().String())} })
	check(application(stored(current, "1"), stored(other, "2")), both[:1], byThumbprint, "kept/wanted dropped/named")
	check(application(stored(current, "1"), stored(other, "AB-2")), nil, with(func(p *oauthcert.Policy) { p.Drop = []string{"ab-2"} }), "kept/not-ours dropped/named")
	check(application(stored(current, "1")), both[:1], byThumbprint, "kept/wanted refused/not-found")
	check(application(stored(other, "1")), []*oauthcert.Certificate{other}, byThumbprint, "refused/wanted")

	// What should not be uploaded.
	for _, c := range []*oauthcert.Certificate{old, weak, curve} {
		check(application(), []*oauthcert.Certificate{c}, policy, "refused/unfit")
	}
	check(application(), both[:1], with(func(p *oauthcert.Policy) { p.MaxLifetime = 365 * 24 * time.Hour }), "refused/unfit")
	check(application(), both[:1], with(func(p *oauthcert.Policy) { p.MaxLifetime = 1827 * 24 * time.Hour }), "added/missing")

	// First-party principals: by value, and the shared one not at all unless by name.
	p = check(shared(), both[:1], policy, "refused/shared-principal")
	assert.ErrorContains(t, p.Err(), "CVE-2025-53786")
	other1st := shared()
	other1st.AppID, other1st.AppOwnerOrganizationID = dedicatedApp, "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
	check(other1st, both[:1], policy, "refused/shared-principal")
	other1st.AppOwnerOrganizationID = teamsID
	check(other1st, both[:1], policy, "added/missing")
	voicemail := shared()
	voicemail.AppID = oauthcert.CloudVoicemail
	check(voicemail, both[:1], policy, "added/missing")
	allowed := with(func(p *oauthcert.Policy) { p.AllowKeysOn = oauthcert.ExchangeOnline })
	check(shared(stored(other, "1")), both[:1], allowed, "kept/not-ours added/missing")
	check(shared(stored(current, "1"), stored(old, "2"), hidden), nil, with(func(p *oauthcert.Policy) { p.DropUnused = true }), "dropped/unused dropped/unused dropped/unused")
	check(shared(stored(current, "1"), stored(old, "2")), nil, expired, "kept/not-ours dropped/expired")
	saml := oauthcert.KeyCredential{Type: "X509CertAndPassword", Usage: "Sign", KeyID: "3"}
	check(shared(saml), nil, policy, "kept/not-sorted")

	// The same certificate for another use is not what is wanted, and stays.
	saml = stored(current, "3")
	saml.Type, saml.Usage = "X509CertAndPassword", "Sign"
	check(application(saml), both[:1], policy, "kept/not-ours added/missing")
	check(application(saml, stored(current, "1")), both[:1], policy, "kept/not-ours kept/wanted")

	// Nor is a key that has expired before its certificate. Written anew it
	// would be valid again, so it goes back by reference or not at all.
	lapsed := stored(current, "1")
	lapsed.EndDateTime = now.AddDate(0, 0, -1)
	check(application(lapsed), both[:1], policy, "kept/not-ours added/missing")
	check(application(lapsed), both[:1], expired, "dropped/expired added/missing")
	check(application(lapsed, stored(current, "2")), both[:1], expired, "dropped/expired kept/wanted")
	p = check(shared(lapsed, stored(other, "2")), nil, policy, "kept/not-ours kept/not-ours")
	assert.True(t, p.Steps[0].ByReference)
	short := stored(current, "1")
	short.EndDateTime = now.AddDate(1, 0, 0)
	check(shared(short), nil, policy, "kept/not-ours")

	// Without a keyId to refer to it is brought anew, if nothing else changes.
	short.KeyID = ""
	p = check(shared(short), nil, policy, "refused/cannot-keep")
	assert.Contains(t, p.Steps[0].Why, "not those of its certificate")
	check(shared(stored(current, "")), nil, policy, "kept/not-ours/by-value")
	titled, labelled := stored(current, ""), stored(current, "")
	titled.DisplayName, labelled.CustomKeyIdentifier = "Dyn365", "63657274"
	check(application(titled), nil, policy, "refused/cannot-keep")
	check(application(labelled), nil, policy, "refused/cannot-keep")
	lapsed.KeyID = ""
	p = check(application(lapsed), nil, policy, "refused/cannot-keep")
	assert.Contains(t, p.Steps[0].Why, "valid again")

	check(application(stored(current, "1")), []*oauthcert.Certificate{current, nil}, policy, "kept/wanted refused/not-read")
	nobodys := &oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: sharedID, AppOwnerOrganizationID: "f8cdef31-a31e-4b4a-93e4-5f571e91255a", Keys: []oauthcert.KeyCredential{}}
	check(nobodys, both[:1], policy, "refused/shared-principal")

	p = oauthcert.PlanKeys(shared(), both[:1], allowed)
	assert.Equal(t, &oauthcert.KeyCredential{Type: oauthcert.TypeX509, Usage: oauthcert.UsageVerify, Key: current.DER()}, p.Steps[0].Key,
		"first-party principals take three properties and no more")
}

// A restore brings keys back as they were: none that had expired becomes valid
// again, and none that a backup holds is unused.
func TestPlanRestore(t *testing.T) {
	now := time.Now()
	cert, other := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{CommonName: "other"}.Make()
	short, lapsed, saml := stored(cert, "1"), stored(other, "2"), stored(other, "3")
	short.EndDateTime = now.AddDate(1, 0, 0)
	lapsed.EndDateTime = now.AddDate(0, 0, -1)
	saml.Type, saml.Usage, saml.Key = "X509CertAndPassword", "Sign", nil
	check := func(current, saved *oauthcert.Object, policy oauthcert.Policy, want string) *oauthcert.Plan {
		t.Helper()
		p := oauthcert.PlanRestore(current, &oauthcert.Backup{Collection: oauthcert.Keys, Object: saved}, policy)
		assert.Equal(t, want, outline(p))
		return p
	}
	policy := oauthcert.Policy{At: now}
	saved := application(short, lapsed, saml)
	p := check(application(lapsed, saml), saved, policy, "kept/not-ours kept/not-sorted added/from-backup")
	assert.WithinDuration(t, short.EndDateTime, p.Steps[2].Key.EndDateTime, 0, "as it was, not as its certificate")
	assert.True(t, p.Steps[2].Key.StartDateTime.IsZero())
	check(application(short, saml), saved, policy, "kept/wanted kept/not-sorted refused/cannot-keep")
	policy.DropExpired = true
	check(application(short, saml), saved, policy, "kept/wanted kept/not-sorted")
	policy = oauthcert.Policy{At: now, DropUnused: true}
	check(application(short, lapsed, saml), saved, policy, "kept/wanted kept/wanted kept/wanted")
	check(application(short, lapsed, saml), application(), policy, "dropped/unused dropped/unused dropped/unused")
}

// Each situation allows keys in one place at most, and names the wrong action.
func TestSituations(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	teams := shared()
	teams.AppID = oauthcert.CloudVoicemail
	places := map[string]*oauthcert.Object{"application": application(), "teams": teams, "shared": shared()}
	for _, a := range oauthcert.Situations() {
		assert.NotEmpty(t, a.When, a.Situation)
		assert.NotEmpty(t, a.Do, a.Situation)
		assert.NotEmpty(t, a.Not, a.Situation)
		assert.NotEmpty(t, a.Sources, a.Situation)
		assert.Contains(t, []string{"application", "teams", "none"}, a.Keys, a.Situation)
		for place, o := range places {
			p := oauthcert.PlanKeys(o, []*oauthcert.Certificate{cert}, oauthcert.Policy{At: time.Now(), Situation: a.Situation, AllowKeysOn: oauthcert.ExchangeOnline})
			if place == a.Keys {
				assert.Equal(t, "added/missing", outline(p), "%s: %s", a.Situation, place)
			} else {
				assert.Equal(t, "refused/wrong-situation", outline(p), "%s: %s", a.Situation, place)
			}
		}
		clean := oauthcert.PlanKeys(shared(stored(cert, "1")), nil, oauthcert.Policy{At: time.Now(), Situation: a.Situation, DropUnused: true})
		assert.NoError(t, clean.Err(), "the clean-up is right in every situation")
	}
	p := oauthcert.PlanKeys(application(), []*oauthcert.Certificate{cert}, oauthcert.Policy{At: time.Now(), Situation: "hybird"})
	assert.Equal(t, "refused/wrong-situation", outline(p))
	_, err := time.Parse(time.DateOnly, oauthcert.AsOf())
	assert.NoError(t, err)
}

func TestPlanNames(t *testing.T) {
	o, err := oauthcert.ParseObject(oauthcert.UnknownKind, sample(t, "14-graph-shared-sp.json"))
	require.NoError(t, err)
	require.Equal(t, oauthcert.ServicePrincipal, o.Kind)
	policy := oauthcert.Policy{}
	steps := func(wanted []string, drop ...string) map[string]string {
		policy.Drop = drop
		out := map[string]string{}
		for _, s := range oauthcert.PlanNames(o, wanted, policy).Steps {
			out[s.Name] = s.Action.String() + "/" + string(s.Reason)
		}
		return out
	}
	got := steps([]string{"mail.contoso.com", "https://AUTODISCOVER.contoso.com"})
	assert.Equal(t, map[string]string{
		oauthcert.ExchangeOnline:                     "kept/built-in",
		oauthcert.ExchangeOnline + "/outlook.com":    "kept/built-in",
		oauthcert.ExchangeOnline + "/*.outlook.com":  "kept/built-in",
		"https://outlook.office365.com/":             "kept/built-in",
		"https://outlook.office.com/":                "kept/built-in",
		"https://ps.outlook.com/":                    "kept/built-in",
		"https://mail.contoso.com/EWS/Exchange.asmx": "kept/misformed",
		"https://autodiscover.contoso.com/":          "kept/wanted",
		"https://mail.contoso.com/":                  "added/missing",
	}, got)
	assert.Equal(t, "kept/stale", steps([]string{"mail.contoso.com"})["https://autodiscover.contoso.com/"])
	got = steps([]string{"mail.contoso.com"}, "autodiscover.contoso.com", "https://mail.contoso.com/EWS/Exchange.asmx")
	assert.Equal(t, "dropped/named", got["https://autodiscover.contoso.com/"])
	assert.Equal(t, "dropped/named", got["https://mail.contoso.com/EWS/Exchange.asmx"])
	assert.Equal(t, "refused/built-in-name", steps(nil, "https://OUTLOOK.office365.com")["https://outlook.office365.com/"])
	assert.Equal(t, "refused/built-in-name", steps(nil, oauthcert.ExchangeOnline)[oauthcert.ExchangeOnline])
	assert.Equal(t, "refused/wanted", steps([]string{"autodiscover.contoso.com"}, "autodiscover.contoso.com")["https://autodiscover.contoso.com/"])
	assert.Equal(t, "refused/not-found", steps(nil, "gone.contoso.com")["https://gone.contoso.com"])
	for _, bad := range []string{"http://mail.contoso.com/", "https://mail.contoso.com/ecp", "mail", "10.0.0.1", "mail.contoso.com:444", "https://u:p@mail.contoso.com", "a b.contoso.com", "*.contoso.com", ""} {
		assert.Equal(t, "refused/bad-name", steps([]string{bad})[bad], "%q", bad)
	}
	assert.Equal(t, "refused/wrong-kind", outline(oauthcert.PlanNames(application(), nil, policy)))
	assert.Equal(t, "refused/not-read", outline(oauthcert.PlanNames(shared(), nil, oauthcert.Policy{})))
}

func TestParseObject(t *testing.T) {
	o, err := oauthcert.ParseObject(oauthcert.UnknownKind, sample(t, "15-graph-dedicated-app.json"))
	require.NoError(t, err)
	assert.Equal(t, oauthcert.Application, o.Kind)
	require.Len(t, o.Keys, 2)
	assert.Equal(t, "A94F2C7B18D05E63F1A2B4C6D8E0F21436587A9C", o.Keys[0].CustomKeyIdentifier, "hexadecimal digits, not base64")
	assert.Nil(t, o.Keys[0].Key)
	assert.Nil(t, o.Names, "not in the answer: not known")
	for text, want := range map[string]string{
		`{`: "unexpected end",
		`{"id":"1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9","appId":"c0ffee12-7a3b-4d5e-8f90-1234567890ab"}`: "neither",
		`{"kind":"application","id":"x","appId":"y"}`:                                                  "not a GUID",
	} {
		_, err := oauthcert.ParseObject(oauthcert.UnknownKind, []byte(text))
		assert.Error(t, err, want)
	}
	o, err = oauthcert.ParseObject(oauthcert.Application, []byte(`{"id":"1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9","appId":"c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		"keyCredentials":[{"keyId":"1","endDateTime":"2027-03-01T09:00:00"},{"keyId":"2","endDateTime":"2027-03-01T11:00:00+02:00"}]}`))
	require.NoError(t, err)
	assert.Equal(t, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC), o.Keys[0].EndDateTime, "no zone is UTC")
	assert.Equal(t, time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC), o.Keys[1].EndDateTime)
}

// A snapshot or a backup that Windows PowerShell or an editor has saved.
func TestSavedByWindows(t *testing.T) {
	utf16le := func(b []byte) []byte {
		out := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(string(b))) {
			out = append(out, byte(u), byte(u>>8))
		}
		return out
	}
	marked := func(b []byte) []byte { return append([]byte("\ufeff"), b...) }
	plain := sample(t, "15-graph-dedicated-app.json")
	want, err := oauthcert.ParseObject(oauthcert.UnknownKind, plain)
	require.NoError(t, err)
	for _, data := range [][]byte{utf16le(plain), marked(plain)} {
		o, err := oauthcert.ParseObject(oauthcert.UnknownKind, data)
		require.NoError(t, err)
		assert.Equal(t, want, o)
	}
	saved, err := json.Marshal(oauthcert.Backup{Format: "crossprem-oauthcert/1", Collection: oauthcert.Keys, Object: want})
	require.NoError(t, err)
	for _, data := range [][]byte{utf16le(saved), marked(saved)} {
		b, err := oauthcert.ReadBackup(bytes.NewReader(data))
		require.NoError(t, err)
		assert.Equal(t, want, b.Object)
	}
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte(`{"@odata.context":"#applications","id":"1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9","appId":"c0ffee12-7a3b-4d5e-8f90-1234567890ab","keyCredentials":[{"keyId":"1","key":"MAA=","endDateTime":"2027-03-01T09:00:00.1234567Z"}]}`))
	f.Add([]byte(`{"@odata.context":"#servicePrincipals","id":"1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9","appId":"00000002-0000-0ff1-ce00-000000000000","keyCredentials":[],"servicePrincipalNames":["https://a.b/","x"]}`))
	cert := oauthcerttest.AuthCertificate{}.Make()
	at := time.Now()
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := oauthcert.ParseObject(oauthcert.UnknownKind, data)
		if err != nil {
			return
		}
		// Every key and name shown is a step of the plan, and what stays is
		// what was not dropped.
		keys := oauthcert.PlanKeys(o, []*oauthcert.Certificate{cert}, oauthcert.Policy{At: at, DropExpired: true})
		if o.Keys != nil && len(keys.Steps) != len(o.Keys)+1 {
			t.Fatalf("%d keys, %d steps", len(o.Keys), len(keys.Steps))
		}
		names := oauthcert.PlanNames(o, nil, oauthcert.Policy{})
		if o.Kind == oauthcert.ServicePrincipal && len(o.Names) > 0 && len(names.Steps) != len(o.Names) {
			t.Fatalf("%d names, %d steps", len(o.Names), len(names.Steps))
		}
		for _, p := range []*oauthcert.Plan{keys, names} {
			for _, s := range p.Steps {
				if strings.Contains(s.String(), "\n") {
					t.Fatalf("a step of several lines: %q", s)
				}
			}
		}
		for _, f := range oauthcert.AssessObject(o, oauthcert.Expected{Current: cert}, at) {
			if f.Rule == "" {
				t.Fatal("a finding without a rule")
			}
		}
	})
}
