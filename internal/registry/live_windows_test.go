package registry

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"
)

// It writes into the machine's registry, and so runs only where TestUnderWine
// starts it.
func TestWindowsLive(t *testing.T) {
	if os.Getenv("CROSSPREM_REGISTRY_WINE") != "1" {
		t.Skip("it changes the machine; TestUnderWine runs it under Wine")
	}
	write := func(root registry.Key, path string, access uint32, set func(k registry.Key)) {
		k, _, err := registry.CreateKey(root, path, registry.ALL_ACCESS|access)
		require.NoError(t, err)
		set(k)
		require.NoError(t, k.Close())
	}
	large := bytes.Repeat([]byte{7}, 70_000)
	write(registry.LOCAL_MACHINE, `SOFTWARE\Contoso`, registry.WOW64_64KEY, func(k registry.Key) {
		require.NoError(t, k.SetStringValue("", "64"))
		require.NoError(t, k.SetExpandStringValue("expand", "%TEMP%"))
		require.NoError(t, k.SetDWordValue("n", 1))
		require.NoError(t, k.SetQWordValue("q", 1<<40))
		require.NoError(t, k.SetStringsValue("list", []string{"a", "b"}))
		require.NoError(t, k.SetBinaryValue("raw", large))
		require.NoError(t, k.SetBinaryValue("empty", []byte{}))
	})
	write(registry.LOCAL_MACHINE, `SOFTWARE\Contoso`, registry.WOW64_32KEY, func(k registry.Key) {
		require.NoError(t, k.SetStringValue("", "32"))
	})
	write(registry.LOCAL_MACHINE, `SOFTWARE\Contoso\Sub`, registry.WOW64_64KEY, func(registry.Key) {})
	write(registry.CURRENT_USER, `Contoso`, 0, func(k registry.Key) { require.NoError(t, k.SetDWordValue("n", 2)) })

	got, err := Live(Software+"Contoso", Software32+"Contoso", `HKEY_CURRENT_USER\Contoso`, Software+"Absent")
	require.NoError(t, err)
	assert.Equal(t, Registry{
		Software + "Contoso": {
			"": "64", "expand": "%TEMP%", "n": uint32(1), "q": uint64(1 << 40), "list": []string{"a", "b"}, "raw": large, "empty": []byte{},
		},
		Software32 + "Contoso":      {"": "32"},
		`HKEY_CURRENT_USER\Contoso`: {"n": uint32(2)},
		Software + "Absent":         {},
	}, got)

	names, err := LiveSubKeys(Software + "Contoso")
	require.NoError(t, err)
	assert.Equal(t, []string{"Sub"}, names)
	names, err = LiveSubKeys(Software + "Absent")
	require.NoError(t, err)
	assert.Empty(t, names)
	_, err = Live("HKEY_NONE\\x")
	assert.EqualError(t, err, `registry: HKEY_NONE\x: no such hive`)
}
