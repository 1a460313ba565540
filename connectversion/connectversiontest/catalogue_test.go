package connectversiontest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/connectversiontest"
)

func Example() {
	judge := connectversion.Assessor{Catalogue: connectversiontest.Catalogue()}
	day := time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)
	a := judge.Assess(connectversion.ConnectSync, connectversion.Version{Major: 9, Minor: 1}, day, connectversion.Facts{})
	fmt.Println(a.Support, a.SupportUntil.Format(time.DateOnly), a.Upcoming[0].Rule, a.MissingSecurityFixes)
	// Output: outdated 2030-02-15 app-auth-2030-06-30 [9.3.0.0]
}

// Others' tests rest on these files: they do not change.
func TestFrozen(t *testing.T) {
	sum := sha256.New()
	names, err := fs.Glob(connectversiontest.Files(), "*")
	require.NoError(t, err)
	for _, name := range names {
		b, err := fs.ReadFile(connectversiontest.Files(), name)
		require.NoError(t, err)
		sum.Write(b)
	}
	assert.Equal(t, "9289f2539e4dbad4d2ef3d20d48b2a62a64afb9df7b0f8af762eeb2ea199a0f6", hex.EncodeToString(sum.Sum(nil)))
	assert.Equal(t, connectversiontest.AsOf, connectversiontest.Catalogue().AsOf(connectversion.ConnectSync).Format(time.DateOnly))
}

// What the package comment lists is what the catalogue says.
func TestStates(t *testing.T) {
	judge := connectversion.Assessor{Catalogue: connectversiontest.Catalogue()}
	for v, want := range map[string]connectversion.Support{
		"8.0.1.0": connectversion.Retired,
		"9.0.1.0": connectversion.Retired,
		"9.0.2.0": connectversion.Retired,
		"9.1.0.0": connectversion.Outdated,
		"9.1.5.0": connectversion.WasRecalled,
		"9.1.6.0": connectversion.Unlisted,
		"9.2.0.0": connectversion.Outdated,
		"9.3.0.0": connectversion.Supported,
		"9.4.0.0": connectversion.NewerThanData,
	} {
		version, err := connectversion.Parse(v)
		require.NoError(t, err)
		a := judge.Assess(connectversion.ConnectSync, version, time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC), connectversion.Facts{})
		assert.Equal(t, want, a.Support, v)
		for _, f := range a.On(connectversion.CutoffAxis) {
			assert.NotEmpty(t, f.Sources)
		}
		assert.NotEmpty(t, a.On(connectversion.CutoffAxis), "axes are those of the catalogue in use")
	}
	a := judge.Assess(connectversion.HealthAgent, connectversion.Version{Major: 4}, time.Now(), connectversion.Facts{})
	assert.Equal(t, connectversion.SupportUnknown, a.Support)
}

func TestExportIsRead(t *testing.T) {
	want := connectversion.Registry{
		`HKEY_LOCAL_MACHINE\SOFTWARE\Empty`:   {},
		`HKEY_LOCAL_MACHINE\SOFTWARE\Contoso`: {"": "default", `a "b" \c`: "ä\\", "n": uint32(0xffffffff)},
	}
	got, err := connectversion.ReadRegistry(bytes.NewReader(connectversiontest.Export(want)))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Panics(t, func() { connectversiontest.Export(connectversion.Registry{"k": {"v": 1}}) })
}
