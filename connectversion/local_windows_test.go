package connectversion

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/crossprem/crossprem"
)

// What TestUnderWine tells.
const (
	wineEnv        = "CROSSPREM_CONNECT_WINE"
	wineProgramEnv = "CROSSPREM_CONNECT_PROGRAM"
)

// write creates a key with texts and numbers.
func write(t *testing.T, path string, values map[string]any) {
	t.Helper()
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.ALL_ACCESS|registry.WOW64_64KEY)
	require.NoError(t, err)
	defer k.Close()
	for name, v := range values {
		switch v := v.(type) {
		case string:
			require.NoError(t, k.SetStringValue(name, v))
		case uint32:
			require.NoError(t, k.SetDWordValue(name, v))
		}
	}
}

// It writes into the machine's registry and Program Files, and so runs only
// where TestUnderWine starts it.
func TestWindowsLocal(t *testing.T) {
	if os.Getenv(wineEnv) != "1" {
		t.Skip("it changes the machine; TestUnderWine runs it under Wine")
	}
	before, err := Local()
	require.NoError(t, err)
	assert.Empty(t, before.Evidence)
	assert.NotEmpty(t, before.Facts.Server)

	write(t, `SOFTWARE\`+keyUninstall+`\{1}`, map[string]any{"DisplayName": "Microsoft Azure AD Connect", "DisplayVersion": "2.6.84.0"})
	write(t, `SOFTWARE\`+keyUninstall+`\{2}`, map[string]any{"DisplayName": "Contoso Paint", "DisplayVersion": "9.9.9.9"})
	write(t, `SOFTWARE\WOW6432Node\`+keyUninstall+`\{3}`, map[string]any{"DisplayName": "Microsoft Entra Connect Sync", "DisplayVersion": "2.6.3.0"})
	write(t, `SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full`, map[string]any{"Release": uint32(461808)})
	write(t, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, map[string]any{"CurrentBuildNumber": "20348"})
	for _, path := range []string{`SOFTWARE\` + keyDotNetCrypto, `SOFTWARE\WOW6432Node\` + keyDotNetCrypto} {
		write(t, path, map[string]any{"SystemDefaultTlsVersions": uint32(1), "SchUseStrongCrypto": uint32(1)})
	}
	const protocols = `SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\`
	write(t, protocols+"Client", map[string]any{"Enabled": uint32(1), "DisabledByDefault": uint32(0)})
	write(t, protocols+"Server", map[string]any{"Enabled": uint32(1), "DisabledByDefault": uint32(0)})
	folder := filepath.Join(os.Getenv("ProgramFiles"), "Microsoft Azure AD Sync", "Bin")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	program, err := os.ReadFile(os.Getenv(wineProgramEnv))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "miiserver.exe"), program, 0o755))

	m, err := Local()
	require.NoError(t, err)
	assert.Equal(t, Facts{Server: before.Facts.Server, DotNetRelease: 461808, WindowsBuild: 20348, TLS12: crossprem.Yes, TLS12Explicit: crossprem.Yes}, m.Facts)
	got := map[Origin][]string{}
	for _, e := range m.Evidence {
		assert.Equal(t, ConnectSync, e.Product)
		got[e.Origin] = append(got[e.Origin], e.Version.String())
	}
	assert.ElementsMatch(t, []string{"2.6.84.0", "2.6.3.0"}, got[FromUninstallKey])
	assert.Equal(t, []string{"2.6.3.0"}, got[FromEngineFile])
	assert.Len(t, Reconcile(date("2026-11-22"), m.Evidence...).Findings, 1, "half-way")

	write(t, protocols+"Client", map[string]any{"Enabled": uint32(0)})
	m, err = Local()
	require.NoError(t, err)
	assert.Equal(t, crossprem.No, m.Facts.TLS12)
}
