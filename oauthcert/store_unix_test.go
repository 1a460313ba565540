//go:build unix

package oauthcert_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

// A link in a folder leads to a certificate, and not into a wait for the
// writer of a pipe.
func TestFolderWithLinks(t *testing.T) {
	cert := oauthcerttest.AuthCertificate{}.Make()
	elsewhere, dir := t.TempDir(), t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(elsewhere, "pipe"), 0o600))
	require.NoError(t, writeFile(elsewhere, "auth.cer", cert.DER()))
	for name, to := range map[string]string{"a": "pipe", "b": "gone", "c": ".", "d": "auth.cer"} {
		require.NoError(t, os.Symlink(filepath.Join(elsewhere, to), filepath.Join(dir, name)))
	}
	got, err := oauthcert.Folder{Path: dir}.Find(t.Context(), cert.SHA1())
	require.NoError(t, err)
	assert.True(t, got.Equal(cert))
}
