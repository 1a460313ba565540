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
	inTenantSeed(t, 1, f)
}

func inTenantSeed(t *testing.T, seed uint64, f func(t *testing.T, d *tenant)) {
	t.Helper()
	make := func() *oauthcert.Certificate {
		return oauthcerttest.AuthCertificate{NotBefore: bubble.AddDate(-1, 0, 0)}.Make()
	}
	d := &tenant{current: make(), next: make(), other: make()}
	synctest.Test(t, func(t *testing.T) {
		sp := shared(stored(d.other, "aaaa1111-0000-4000-8000-000000000001"))
		sp.Names = []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/"}
		app := application(stored(d.other, "cccc3333-0000-4000-8000-000000000001"))
		d.Directory = oauthcerttest.New(seed, app, sp)
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
		{oauthcert.DirectoryError{Status: 409, Code: "Directory_ConcurrencyViolation"}, oauthcert.ErrConcurrent},
		{oauthcert.DirectoryError{Status: 409}, oauthcert.ErrConcurrent},
		{oauthcert.DirectoryError{Status: 409, Code: "Request_MultipleObjectsWithSameKeyValue"}, oauthcert.ErrNameTaken},
		{oauthcert.DirectoryError{Status: 403, Code: "Directory_QuotaExceeded"}, oauthcert.ErrQuota},
		{oauthcert.DirectoryError{Status: 403, Code: "Directory_ResourceSizeExceeded"}, oauthcert.ErrTooLarge},
		{oauthcert.DirectoryError{Status: 400, Code: "CannotUpdateLockedServicePrincipalPropertyWithEnforcementScope", Message: "Property keyCredentials is invalid."}, oauthcert.ErrLocked},
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

// outcomeOf returns what the error and the report say of the write, and fails
// if they disagree.
func outcomeOf(t *testing.T, report *oauthcert.Report, err error) oauthcert.Outcome {
	t.Helper()
	var failed *oauthcert.ApplyError
	if errors.As(err, &failed) {
		assert.Equal(t, failed.Outcome, report.Outcome)
	}
	return report.Outcome
}

// The write is accepted, and the token ends, or the permission is taken away,
// before it is seen: what was refused is the look.
func TestLookRefusedAfterTheWrite(t *testing.T) {
	for _, fault := range []oauthcerttest.Fault{oauthcerttest.Forbidden, oauthcerttest.TokenEnded} {
		for _, afterLooks := range []int{0, 1, 2} {
			inTenant(t, func(t *testing.T, d *tenant) {
				p := d.plan(t, d.app, d.current)
				wrote, looks := false, 0
				d.Faults = func(c oauthcerttest.Call) oauthcerttest.Fault {
					switch {
					case c.Write:
						wrote = true
					case wrote:
						if looks++; looks > afterLooks {
							return fault
						}
					}
					return oauthcerttest.None
				}
				report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
				assert.Equal(t, oauthcert.OutcomeWritten, outcomeOf(t, report, err))
				assert.ErrorIs(t, err, oauthcert.ErrNotShown)
				assert.ErrorContains(t, err, "the change was made, but was not seen to be shown")
				assert.ErrorContains(t, err, "the last look failed")
				assert.Equal(t, 1, report.Writes)
				assert.False(t, report.Shown)
				assert.True(t, d.holds(d.app, d.current, d.other))
			})
		}
	}
}

// The answer is lost, and then everything is refused: nobody knows.
func TestAnswerLostThenRefused(t *testing.T) {
	for _, what := range []string{"looks", "writes", "both"} {
		for _, first := range []oauthcerttest.Fault{oauthcerttest.LostAnswer, oauthcerttest.Timeout, oauthcerttest.Broken, oauthcerttest.Unavailable} {
			inTenant(t, func(t *testing.T, d *tenant) {
				d.Lag = 10 * time.Minute
				p := d.plan(t, d.app, d.current)
				writes := 0
				d.Faults = func(c oauthcerttest.Call) oauthcerttest.Fault {
					switch {
					case c.Write:
						if writes++; writes == 1 {
							return first
						}
						if what != "looks" {
							return oauthcerttest.Forbidden
						}
					case writes > 0 && what != "writes":
						return oauthcerttest.TokenEnded
					}
					return oauthcerttest.None
				}
				report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
				got := outcomeOf(t, report, err)
				if got == oauthcert.OutcomeWritten { // a replica had learned of it
					assert.True(t, d.holds(d.app, d.current, d.other))
					return
				}
				assert.Equal(t, oauthcert.OutcomeUnknown, got)
				assert.ErrorContains(t, err, "whether it took effect is not known")
				assert.NotContains(t, err.Error(), "nothing was")
			})
		}
	}
}

// Somebody else's key whose display name the directory refuses goes back
// without it, and stays what it was.
func TestDisplayNameRefused(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		for _, target := range []oauthcert.Target{d.app, d.shared} {
			d.RefuseDisplayNames, d.FirstPartyReferences, d.policy.AllowKeysOn = true, true, oauthcert.ExchangeOnline
			d.Set(target, func(o *oauthcert.Object) {
				o.Keys[0].DisplayName, o.Keys[0].EndDateTime = `CN=Dyn"365"`, bubble.AddDate(0, 6, 0)
			})
			before := d.Truth(target).Keys[0]
			report, err := oauthcert.Apply(t.Context(), d, d.plan(t, target, d.current), &d.backup)
			require.NoError(t, err)
			assert.Equal(t, oauthcert.OutcomeShown, report.Outcome)
			assert.Equal(t, before, d.Truth(target).Keys[0])
			assert.True(t, report.Steps[0].ByReference)
			assert.True(t, report.Steps[0].WithoutName)
			assert.Contains(t, report.Steps[0].String(), "kept    "+d.other.SHA1().String()+" by reference without its display name: of somebody else")
		}
	})
}

// Where no form is left that leaves the key what it is, the plan stops and
// names the key.
func TestKeptKeyThatCannotBeWritten(t *testing.T) {
	for why, change := range map[string]func(*oauthcert.KeyCredential){
		"display name":        func(k *oauthcert.KeyCredential) { k.DisplayName = "Dyn365" },
		"dates are not":       func(k *oauthcert.KeyCredential) { k.EndDateTime = bubble.AddDate(0, 6, 0) },
		"customKeyIdentifier": func(k *oauthcert.KeyCredential) { k.CustomKeyIdentifier = "63657274" },
		"authentication":      func(k *oauthcert.KeyCredential) { k.Type, k.Usage = "X509CertAndPassword", "Sign" },
	} {
		inTenant(t, func(t *testing.T, d *tenant) {
			for _, target := range []oauthcert.Target{d.app, d.shared} {
				d.RefuseReferences, d.policy.AllowKeysOn = true, oauthcert.ExchangeOnline
				d.Set(target, func(o *oauthcert.Object) { change(&o.Keys[0]) })
				before := d.Truth(target)
				report, err := oauthcert.Apply(t.Context(), d, d.plan(t, target, d.current), &d.backup)
				var kept *oauthcert.KeptKeyError
				require.ErrorAs(t, err, &kept, why)
				assert.ErrorContains(t, err, before.Keys[0].KeyID)
				assert.ErrorContains(t, err, why)
				assert.Equal(t, oauthcert.OutcomeRefused, outcomeOf(t, report, err))
				assert.Equal(t, before, d.Truth(target))
			}
		})
	}

	// A key of which nothing but the keyId changes is brought anew, and the
	// report says so.
	inTenant(t, func(t *testing.T, d *tenant) {
		d.RefuseReferences = true
		report, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.app, d.current), &d.backup)
		require.NoError(t, err)
		after := d.Truth(d.app).Find(d.other)[0]
		assert.NotEqual(t, "cccc3333-0000-4000-8000-000000000001", after.KeyID)
		assert.Equal(t, after.KeyID, report.Steps[0].NewKeyID)
		assert.False(t, report.Steps[0].ByReference)
		assert.Contains(t, report.Steps[0].Why, "another keyId")
	})
}

// A key that was added a minute ago, and that a late replica hides, is found
// by looking until enough looks agree.
func TestSteadyLook(t *testing.T) {
	lost := func(agreeing int) (n int) {
		for seed := range uint64(60) {
			inTenantSeed(t, seed, func(t *testing.T, d *tenant) {
				d.Lag = 10 * time.Minute
				p := d.plan(t, d.app, d.current)
				d.Set(d.app, func(o *oauthcert.Object) { o.Keys = append(o.Keys, d.next.KeyCredential()) })
				time.Sleep(time.Minute)
				a := oauthcert.Applier{Agreeing: agreeing}
				report, err := a.Apply(t.Context(), d, p, &d.backup)
				if errors.Is(err, oauthcert.ErrChanged) {
					assert.Equal(t, oauthcert.OutcomeNotSent, outcomeOf(t, report, err))
				}
				if len(d.Truth(d.app).Find(d.next)) == 0 {
					n++
				}
			})
		}
		return n
	}
	one, two, six := lost(1), lost(0), lost(6)
	t.Logf("of 60 keys that were added a minute before: %d lost with one look, %d with two, %d with six", one, two, six)
	assert.Less(t, two, one)
	assert.Less(t, six, two)
}

// 409: another write was under way. The object is read anew before the next.
func TestConcurrentWrite(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		d.Faults = on(true, 1, oauthcerttest.Conflict)
		report, err := oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.NoError(t, err)
		assert.Equal(t, oauthcert.OutcomeShown, report.Outcome)

		// What the other write brought is not overwritten.
		p = d.plan(t, d.app, d.current, d.next)
		d.Faults = func(c oauthcerttest.Call) oauthcerttest.Fault {
			if !c.Write {
				return oauthcerttest.None
			}
			d.Set(d.app, func(o *oauthcert.Object) { o.Keys = o.Keys[:1] })
			return oauthcerttest.Conflict
		}
		report, err = oauthcert.Apply(t.Context(), d, p, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrChanged)
		assert.Equal(t, oauthcert.OutcomeRefused, outcomeOf(t, report, err))
	})
}

// A directory that asks for more patience than there is, is not asked again
// before its time.
func TestLongRetryAfter(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		p := d.plan(t, d.app, d.current)
		busy := refusing{Directory: d, refuse: func([]oauthcert.KeyCredential) error {
			return &oauthcert.DirectoryError{Status: 429, RetryAfter: time.Hour}
		}}
		began := time.Now()
		report, err := oauthcert.Apply(t.Context(), busy, p, &d.backup)
		require.ErrorIs(t, err, oauthcert.ErrThrottled)
		assert.Equal(t, oauthcert.OutcomeRefused, outcomeOf(t, report, err))
		assert.Less(t, time.Since(began), time.Minute)
	})
}

// Several runs write into one file, and each can be read back.
func TestSeveralBackupsInOneFile(t *testing.T) {
	inTenant(t, func(t *testing.T, d *tenant) {
		for _, c := range []*oauthcert.Certificate{d.current, d.next} {
			_, err := oauthcert.Apply(t.Context(), d, d.plan(t, d.app, c), &d.backup)
			require.NoError(t, err)
		}
		all, err := oauthcert.ReadBackups(bytes.NewReader(d.backup.Bytes()))
		require.NoError(t, err)
		require.Len(t, all, 2)
		assert.Len(t, all[0].Object.Keys, 1)
		assert.Len(t, all[1].Object.Keys, 2)
		last, err := oauthcert.ReadBackup(bytes.NewReader(d.backup.Bytes()))
		require.NoError(t, err)
		assert.Equal(t, all[1], last)

		torn := d.backup.Bytes()[:d.backup.Len()-20]
		all, err = oauthcert.ReadBackups(bytes.NewReader(torn))
		assert.ErrorContains(t, err, "number 2")
		assert.Len(t, all, 1)
		_, err = oauthcert.ReadBackup(bytes.NewReader(torn))
		assert.Error(t, err, "not the one before it in silence")
	})
}
