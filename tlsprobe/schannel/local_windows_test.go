package schannel_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// It writes into the machine's registry, and so runs only where TestUnderWine
// starts it.
func TestWindowsLocal(t *testing.T) {
	if os.Getenv("CROSSPREM_SCHANNEL_WINE") != "1" {
		t.Skip("it changes the machine; TestUnderWine runs it under Wine")
	}
	write := func(key string, values map[string]any, access uint32) {
		k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, strings.TrimPrefix(key, `HKEY_LOCAL_MACHINE\`), registry.ALL_ACCESS|access)
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
	before, err := schannel.Local()
	require.NoError(t, err)
	assert.NotEmpty(t, before.Name)

	// Windows Server 2016 as it is installed, written key by key.
	for key, values := range tlsprobetest.Registry("Windows Server 2016") {
		write(key, values, registry.WOW64_64KEY)
	}
	// The key that 32-bit programs see, written through their view.
	write(`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\.NETFramework\v4.0.30319`, map[string]any{"SchUseStrongCrypto": uint32(1)}, registry.WOW64_32KEY)
	write(`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.0\Client`, map[string]any{"Enabled": uint32(0), "DisabledByDefault": uint32(1)}, registry.WOW64_64KEY)
	write(`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS1.2`, nil, registry.WOW64_64KEY)

	c, err := schannel.Local()
	require.NoError(t, err)
	assert.EqualValues(t, 14393, c.Build)
	assert.Equal(t, schannel.ServerSystem, c.Kind)
	o := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
	assert.Equal(t, versions{ssl3}, o.Set(), "64-bit: no .NET value, and TLS 1.0 is off")
	assert.Empty(t, o.Assumed(), "everything was looked at")
	assert.Equal(t, versions{t11, t12}, c.Offers(schannel.App{Stack: schannel.WindowsPowerShell, Bits: 32}).Set(), "32-bit: SchUseStrongCrypto")
	failed := map[string]bool{}
	for _, f := range schannel.Assess(c) {
		failed[f.Rule+" "+f.Status.String()] = true
	}
	assert.True(t, failed["client-bitness-differs failed"])
	assert.True(t, failed["client-setting-without-effect failed"], "TLS1.2 without a blank")

	// The values of a mending, written, bring about what it promised.
	for _, ch := range schannel.Mend(c, schannel.OfferTLS12).Changes {
		write(ch.Key, map[string]any{ch.Name: ch.Data}, registry.WOW64_64KEY)
	}
	c, err = schannel.Local()
	require.NoError(t, err)
	for _, bits := range []uint8{64, 32} {
		assert.Equal(t, versions{t11, t12}, c.Offers(schannel.App{Stack: schannel.WindowsPowerShell, Bits: bits}).Set())
	}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	back, err := schannel.Read(strings.NewReader(string(b)))
	require.NoError(t, err)
	assert.Equal(t, c, back)
}
