package schannel_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

func TestReadFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tls.reg")
	const key = `[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client]`
	require.NoError(t, os.WriteFile(name, []byte("Windows Registry Editor Version 5.00\r\n\r\n"+key+"\r\n\"Enabled\"=dword:00000000\r\n"), 0o600))
	c, err := schannel.ReadFiles(name)
	require.NoError(t, err)
	assert.NotNil(t, c)
	_, err = schannel.ReadFiles(name, name+".missing")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(name, []byte("nothing"), 0o600))
	_, err = schannel.ReadFiles(name)
	assert.ErrorContains(t, err, name)
}
