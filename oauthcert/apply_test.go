package oauthcert_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// tenant is a directory with the dedicated application and the shared
// principal, in the time of synctest, and certificates that are valid then.
type tenant struct {
	*oauthcerttest.Directory
	app, shared          oauthcert.Target
	current, next, other *oauthcert.Certificate
	policy               oauthcert.Policy
	backup               bytes.Buffer
}

func inTenant(t *testing.T, f func(t *testing.T, d *tenant)) {
	t.Helper()
	make := func() *oauthcert.Certificate {
		return oauthcerttest.AuthCertificate{NotBefore: bubble.AddDate(-1, 0, 0)}.Make()
	}
	d := &tenant{current: make(), next: make(), other: make()}
	synctest.Test(t, func(t *testing.T) {
		sp := shared(stored(d.other, "aaaa1111-0000-4000-8000-000000000001"))
		sp.Names = []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/"}
		app := application(stored(d.other, "cccc3333-0000-4000-8000-000000000001"))
		d.Directory = oauthcerttest.New(1, app, sp)
		d.app, d.shared = app.Target(), sp.Target()
		d.policy.At = time.Now()
		f(t, d)
	})
}

func (d *tenant) plan(t *testing.T, target oauthcert.Target, wanted ...*oauthcert.Certificate) *oauthcert.Plan {
	t.Helper()
	o, err := d.Read(t.Context(), target)
	require.NoError(t, err)
	return oauthcert.PlanKeys(o, wanted, d.policy)
}

func (d *tenant) holds(target oauthcert.Target, certs ...*oauthcert.Certificate) bool {
	o := d.Truth(target)
	for _, c := range certs {
		if len(o.Find(c)) != 1 {
			return false
		}
	}
	return len(o.Keys) == len(certs)
}

// on returns a Faults that answers the n-th write, or the n-th read after
// the plan was made, with the fault.
func on(write bool, n int, fault oauthcerttest.Fault) func(oauthcerttest.Call) oauthcerttest.Fault {
	return func(c oauthcerttest.Call) oauthcerttest.Fault {
		if c.Write != write {
			return oauthcerttest.None
		}
		if n--; n == 0 {
			return fault
		}
		return oauthcerttest.None
	}
}

func TestApply(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		d.Lag = 20 * time.Second
		began := time.Now()
		report, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.app, d.current, d.next), &d.backup)
		require.NoError(t, err)
		assert.True(t, report.Shown)
		assert.Equal(t, 1, report.Writes)
		assert.True(t, d.holds(d.app, d.current, d.next, d.other))
		assert.Equal(t, "cccc3333-0000-4000-8000-000000000001", d.Truth(d.app).Find(d.other)[0].KeyID, "kept by reference")
		assert.Equal(t, d.current.SHA1().String(), d.Truth(d.app).Find(d.current)[0].CustomKeyIdentifier)
		assert.GreaterOrEqual(t, time.Since(began), 30*time.Second)
		assert.Less(t, time.Since(began), 2*time.Minute)

		// Again: nothing to do, and nothing is written.
		report, err = oauthcert.Apply(t.Context(), d, d.plan(t, d.app, d.current, d.next), nil)
		require.NoError(t, err)
		assert.Zero(t, report.Writes)
	})
}

// The shared principal: its clean-up, and an addition that was asked for by name.
func TestApplyToSharedPrincipal(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		_, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.shared, d.current), &d.backup)
		var refused *oauthcert.RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, oauthcert.SharedPrincipal, refused.Steps[0].Reason)

		d.policy.AllowKeysOn = oauthcert.ExchangeOnline
		_, err = oauthcert.Apply(t.Context(), d, d.plan(t, d.shared, d.current), &d.backup)
		require.NoError(t, err)
		assert.True(t, d.holds(d.shared, d.current, d.other))

		d.policy.DropUnused = true
		_, err = oauthcert.Apply(t.Context(), d, d.plan(t, d.shared), &d.backup)
		require.NoError(t, err)
		assert.True(t, d.holds(d.shared))
		assert.Len(t, d.Truth(d.shared).Names, 2, "the names are untouched")
	})
}

func TestApplyNames(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		o, err := d.Read(t.Context(), d.shared)
		require.NoError(t, err)
		_, err = oauthcert.Apply(t.Context(), d, oauthcert.PlanNames(o, []string{"mail.contoso.com"}, d.policy), &d.backup)
		require.NoError(t, err)
		assert.Equal(t, []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/", "https://mail.contoso.com/"}, d.Truth(d.shared).Names)
		assert.True(t, d.holds(d.shared, d.other), "the keys are untouched")
	})
}

// A name that another principal of the tenant has is refused.
func TestNameTaken(t *testing.T) {
	sp, other := shared(), shared()
	sp.Names = []string{oauthcert.ExchangeOnline}
	other.ID, other.AppID, other.Names = teamsID, dedicatedApp, []string{dedicatedApp, "https://MAIL.contoso.com/"}
	d := oauthcerttest.New(1, sp, other)
	var backup bytes.Buffer
	_, err := oauthcert.Apply(t.Context(), d, oauthcert.PlanNames(sp, []string{"mail.contoso.com"}, oauthcert.Policy{}), &backup)
	assert.ErrorIs(t, err, oauthcert.ErrNameTaken)
	assert.Equal(t, sp.Names, d.Truth(sp.Target()).Names)
}

func TestApplyRefusesAfterAChange(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		d.Set(d.app, func(o *oauthcert.Object) { o.Keys = append(o.Keys, d.next.KeyCredential()) })
		_, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrChanged)
		assert.ErrorContains(t, err, d.next.SHA1().String()+" is new")
		assert.True(t, d.holds(d.app, d.other, d.next))
	})
}

// Somebody else did the same in the meantime: nothing is left to do.
func TestApplyFindsItDone(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		d.Set(d.app, func(o *oauthcert.Object) { o.Keys = append(o.Keys, d.current.KeyCredential()) })
		report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.NoError(t, err)
		assert.Zero(t, report.Writes)
	})
}

// An answer that is lost is not the end, whether the write took effect or not.
func TestLostAnswers(t *testing.T) {
	for fault, writes := range map[oauthcerttest.Fault]int{
		oauthcerttest.LostAnswer: 1, oauthcerttest.Timeout: 1, // it took effect: no second write
		oauthcerttest.Broken: 2, oauthcerttest.Unavailable: 2,
		oauthcerttest.Throttled: 1, // certainly not written, so the first one does not count
	} {
		inTenant(t, func(t *testing.T, d *tenant) {
			d.Lag = 10 * time.Second
			p := d.plan(t, d.app, d.current)
			d.Faults = on(true, 1, fault)
			report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
			require.NoError(t, err)
			assert.Equal(t, writes, report.Writes, "fault %d", fault)
			assert.True(t, d.holds(d.app, d.current, d.other))
		})
	}
}

// A directory that is down is given up on, in bounded time.
func TestGivesUp(t *testing.T) {
	for fault, want := range map[oauthcerttest.Fault]error{
		oauthcerttest.Broken:    oauthcerttest.ErrConnection,
		oauthcerttest.Throttled: oauthcert.ErrThrottled,
	} {
		inTenant(t, func(t *testing.T, d *tenant) {
			p := d.plan(t, d.app, d.current)
			d.Faults = func(c oauthcerttest.Call) oauthcerttest.Fault {
				if c.Write {
					return fault
				}
				return oauthcerttest.None
			}
			began := time.Now()
			_, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
			require.ErrorIs(t, err, want)
			assert.Less(t, time.Since(began), 15*time.Minute)
			assert.True(t, d.holds(d.app, d.other))
		})
	}
}

func TestRefusals(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		d.Faults = on(true, 1, oauthcerttest.Forbidden)
		report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrPermission)
		assert.ErrorContains(t, err, "Application.ReadWrite.All")
		assert.Zero(t, report.Writes)

		d.Faults = nil
		d.MaxLifetime = 365 * 24 * time.Hour
		_, err = oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrLifetime)
		assert.True(t, d.holds(d.app, d.other))

		gone := *p
		gone.Target.ID = teamsID
		_, err = oauthcert.Apply(t.Context(), d, &gone, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrNoObject)
	})
}

// Entra ID refused by-reference entries of an application once its copy of
// them differed; by value they are taken.
func TestOtherForm(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		first := true
		refuse := refusing{Directory: d, refuse: func(keys []oauthcert.KeyCredential) error {
			if first {
				first = false
				return &oauthcert.DirectoryError{Status: 400, Code: "Request_BadRequest", Message: "Update to existing credential with KeyId 'x' is not allowed."}
			}
			return nil
		}}
		_, err := oauthcert.Apply(t.Context(), refuse, p, &d.backup)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.current, d.other))
		assert.NotEqual(t, "cccc3333-0000-4000-8000-000000000001", d.Truth(d.app).Find(d.other)[0].KeyID, "brought by value")

		always := refusing{Directory: d, refuse: func([]oauthcert.KeyCredential) error {
			return &oauthcert.DirectoryError{Status: 400, Code: "KeyNotUpdatable"}
		}}
		_, err = oauthcert.Apply(t.Context(), always, d.plan(t, d.app, d.next), &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrKeyNotUpdatable)
		assert.True(t, d.holds(d.app, d.current, d.other))
	})
}

// A plain 400 for names is no matter of forms.
func TestNamesRefused(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		o, err := d.Read(t.Context(), d.shared)
		require.NoError(t, err)
		_, err = oauthcert.Apply(t.Context(), refusing{Directory: d}, oauthcert.PlanNames(o, []string{"mail.contoso.com"}, d.policy), &d.backup)
		var refused *oauthcert.DirectoryError
		require.ErrorAs(t, err, &refused)
		assert.ErrorContains(t, err, "no names today")

		for _, p := range []*oauthcert.Plan{nil, new(oauthcert.Plan)} {
			_, err = oauthcert.Apply(t.Context(), d, p, &d.backup)
			assert.ErrorContains(t, err, "not made by")
			_, err = oauthcert.Verify(t.Context(), d, p)
			assert.ErrorContains(t, err, "not made by")
		}
	})
}

// refusing is a directory that refuses names, and may refuse keys.
type refusing struct {
	oauthcert.Directory
	refuse func([]oauthcert.KeyCredential) error
}

func (r refusing) WriteNames(context.Context, oauthcert.Target, []string) error {
	return &oauthcert.DirectoryError{Status: 400, Code: "Request_BadRequest", Message: "no names today"}
}

func (r refusing) WriteKeys(ctx context.Context, target oauthcert.Target, keys []oauthcert.KeyCredential) error {
	if err := r.refuse(keys); err != nil {
		return err
	}
	return r.Directory.WriteKeys(ctx, target, keys)
}

func TestNothingIsWrittenWithoutABackup(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		_, err := oauthcert.Apply(t.Context(), d, p, nil)
		require.ErrorIs(t, err, oauthcert.ErrNoBackup)
		r, w := io.Pipe()
		require.NoError(t, r.Close())
		_, err = oauthcert.Apply(t.Context(), d, p, w)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		for _, c := range d.Calls() {
			assert.False(t, c.Write)
		}
	})
}

func TestNotShown(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		written := false
		d.Faults = func(c oauthcerttest.Call) oauthcerttest.Fault {
			if written && !c.Write {
				d.Set(d.app, func(o *oauthcert.Object) { o.Keys = []oauthcert.KeyCredential{d.next.KeyCredential()} })
			}
			written = written || c.Write
			return oauthcerttest.None
		}
		began := time.Now()
		report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
		var notShown *oauthcert.NotShownError
		require.ErrorAs(t, err, &notShown)
		assert.ErrorIs(t, err, oauthcert.ErrNotShown)
		assert.Equal(t, []string{d.other.SHA1().String(), d.current.SHA1().String()}, notShown.Missing)
		assert.Equal(t, []string{d.next.SHA1().String()}, notShown.Extra)
		assert.False(t, report.Shown)
		assert.InDelta(t, 5*time.Minute, time.Since(began), float64(30*time.Second))
	})
}

func TestCancel(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		ctx, cancel := context.WithCancel(t.Context())
		a := &oauthcert.Applier{Progress: func(p oauthcert.Progress) {
			if p.Stage == oauthcert.Shown {
				cancel()
			}
		}}
		report, err := a.Apply(ctx, d, p, &d.backup)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, report.Writes)
		_, err = oauthcert.Verify(ctx, d, p)
		require.ErrorIs(t, err, context.Canceled)
		report, err = oauthcert.Verify(t.Context(), d, p)
		require.NoError(t, err)
		assert.True(t, report.Shown)
		assert.Zero(t, report.Writes)
	})
}

func TestRestore(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		d.policy.DropUnused = true
		_, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.app, d.current), &d.backup)
		require.NoError(t, err)
		require.True(t, d.holds(d.app, d.current))
		assert.NotContains(t, strings.TrimSpace(d.backup.String()), "\n", "one line")

		var again bytes.Buffer
		saved := d.backup.Bytes()
		d.policy.DropUnused = false
		_, err = oauthcert.Restore(t.Context(), d, bytes.NewReader(saved), d.policy, &again)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.current, d.other), "what came since is kept")
		d.policy.DropUnused = true
		_, err = oauthcert.Restore(t.Context(), d, bytes.NewReader(saved), d.policy, &again)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.other))

		b, err := oauthcert.ReadBackup(bytes.NewReader(saved))
		require.NoError(t, err)
		b.Object.Keys[0].Key, b.Object.Keys[0].KeyID = nil, "lost"
		o, _ := d.Read(t.Context(), d.app)
		assert.Equal(t, "dropped/unused refused/not-in-the-backup", outline(oauthcert.PlanRestore(o, b, d.policy)))
		sp, _ := d.Read(t.Context(), d.shared)
		assert.Equal(t, "refused/wrong-kind", outline(oauthcert.PlanRestore(sp, b, d.policy)))
	})
}

// An expired key that was dropped comes back, unless the policy says otherwise,
// and does not keep the others from coming back.
func TestRestoreExpired(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		old := oauthcerttest.AuthCertificate{NotBefore: bubble.AddDate(-6, 0, 0)}.Make()
		d.Set(d.app, func(o *oauthcert.Object) { o.Keys = append(o.Keys, old.KeyCredential()) })
		d.policy.DropUnused = true
		_, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.app), &d.backup)
		require.NoError(t, err)
		require.True(t, d.holds(d.app))
		saved := d.backup.Bytes()
		d.policy.DropUnused, d.policy.DropExpired = false, true
		_, err = oauthcert.Restore(t.Context(), d, bytes.NewReader(saved), d.policy, io.Discard)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.other))
		d.policy.DropExpired = false
		_, err = oauthcert.Restore(t.Context(), d, bytes.NewReader(saved), d.policy, io.Discard)
		require.NoError(t, err)
		assert.True(t, d.holds(d.app, d.other, old))
	})
}

func TestRestoreNames(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		d.Set(d.shared, func(o *oauthcert.Object) { o.Names = append(o.Names, "https://old.contoso.com") })
		o, err := d.Read(t.Context(), d.shared)
		require.NoError(t, err)
		d.policy.Drop = []string{"old.contoso.com"}
		_, err = oauthcert.Apply(t.Context(), d, oauthcert.PlanNames(o, []string{"mail.contoso.com"}, d.policy), &d.backup)
		require.NoError(t, err)
		require.NotContains(t, d.Truth(d.shared).Names, "https://old.contoso.com")
		d.policy.Drop = nil
		_, err = oauthcert.Restore(t.Context(), d, bytes.NewReader(d.backup.Bytes()), d.policy, io.Discard)
		require.NoError(t, err)
		assert.Contains(t, d.Truth(d.shared).Names, "https://old.contoso.com", "as it was written")
		assert.Contains(t, d.Truth(d.shared).Names, "https://mail.contoso.com/")
	})
}

func TestReadBackupRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                 "backup",
		`{"backup":"x/1"}`: "format",
		`{"backup":"crossprem-oauthcert/1","collection":"x"}`:                                                       "collection",
		`{"backup":"crossprem-oauthcert/1","collection":"keyCredentials"}`:                                          "no object",
		`{"backup":"crossprem-oauthcert/1","collection":"keyCredentials","object":{"kind":"application","id":"1"}}`: "GUID",
	} {
		_, err := oauthcert.ReadBackup(strings.NewReader(text))
		assert.ErrorContains(t, err, want)
	}
}

func TestDirectoryErrors(t *testing.T) {
	for _, c := range []struct {
		err  oauthcert.DirectoryError
		want error
	}{
		{oauthcert.DirectoryError{Status: 400, Code: "KeyNotUpdatable"}, oauthcert.ErrKeyNotUpdatable},
		{oauthcert.DirectoryError{Status: 400, Code: "Request_BadRequest", Message: "Update to existing credential with KeyId 'abc' is not allowed."}, oauthcert.ErrKeyNotUpdatable},
		{oauthcert.DirectoryError{Status: 400, Code: "KeyCredentialsInvalidEndDate", Message: "Key credential end date is invalid."}, oauthcert.ErrInvalidEndDate},
		{oauthcert.DirectoryError{Status: 400, Code: "Request_MultipleObjectsWithSameKeyValue"}, oauthcert.ErrNameTaken},
		{oauthcert.DirectoryError{Status: 400, Code: "Request_BadRequest", Message: "Another object with the same value for property servicePrincipalNames already exists."}, oauthcert.ErrNameTaken},
		{oauthcert.DirectoryError{Status: 400, Message: "Property appRoles on the service principal does not match the application object."}, oauthcert.ErrAppRoles},
		{oauthcert.DirectoryError{Status: 400, Code: "CredentialInvalidLifetimeAsPerAppPolicy"}, oauthcert.ErrLifetime},
		{oauthcert.DirectoryError{Status: 400, Code: "CredentialTypeNotAllowedAsPerAppPolicy"}, oauthcert.ErrCredentialType},
		{oauthcert.DirectoryError{Status: 403, Code: "Authorization_RequestDenied"}, oauthcert.ErrPermission},
		{oauthcert.DirectoryError{Status: 401, Code: "InvalidAuthenticationToken"}, oauthcert.ErrUnauthorized},
		{oauthcert.DirectoryError{Status: 404, Code: "Request_ResourceNotFound"}, oauthcert.ErrNoObject},
		{oauthcert.DirectoryError{Status: 429}, oauthcert.ErrThrottled},
	} {
		assert.ErrorIs(t, &c.err, c.want)
		assert.NotEmpty(t, c.err.Remedy())
		assert.Contains(t, c.err.Error(), c.want.Error())
		assert.NotContains(t, c.err.Error(), "\n")
	}
	odd := &oauthcert.DirectoryError{Status: 500, Code: "a\nb", RequestID: "1"}
	assert.Equal(t, "oauthcert: the directory failed (HTTP 500, a b, request 1)", odd.Error())
	assert.False(t, errors.Is(odd, oauthcert.ErrThrottled))
	evil := &oauthcert.DirectoryError{Status: 500, Message: "\u202eback\x1b[31m\u009b2J\r\nred"}
	assert.Equal(t, "oauthcert: the directory failed (HTTP 500):  back [31m 2J  red", evil.Error(), "nothing steers the terminal")
	proxy := &oauthcert.DirectoryError{Status: 403}
	assert.ErrorContains(t, proxy, "may be that of a proxy")
}

func TestFolder(t *testing.T) {
	cert, other := oauthcerttest.AuthCertificate{}.Make(), oauthcerttest.AuthCertificate{}.Make()
	dir := t.TempDir()
	write := func(name string, data []byte) { require.NoError(t, writeFile(dir, name, data)) }
	write("a.txt", []byte("not a certificate"))
	write("b.pem", append(other.PEM(), cert.PEM()...))
	got, err := oauthcert.Folder{Path: dir}.Find(t.Context(), cert.SHA1())
	require.NoError(t, err)
	assert.True(t, got.Equal(cert))
	assert.Equal(t, oauthcert.KeyUnknown, got.Key().Presence)
	_, err = oauthcert.Folder{Path: dir}.Find(t.Context(), oauthcert.Thumbprint{1})
	require.ErrorIs(t, err, oauthcert.ErrNotInStore)
	assert.ErrorContains(t, err, "a.txt")
	_, err = oauthcert.Folder{Path: dir + "/none"}.Find(t.Context(), cert.SHA1())
	assert.Error(t, err)
	_, err = (&oauthcerttest.Store{Certificates: []*oauthcert.Certificate{cert}}).Find(t.Context(), other.SHA1())
	assert.ErrorIs(t, err, oauthcert.ErrNotInStore)
}
