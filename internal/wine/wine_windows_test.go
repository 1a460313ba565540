package wine

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"
)

func TestRegistryIsFresh(t *testing.T) {
	const path = `SOFTWARE\crossprem test`
	_, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	require.ErrorIs(t, err, registry.ErrNotExist)
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.ALL_ACCESS)
	require.NoError(t, err)
	defer key.Close()
	require.NoError(t, key.SetDWordValue("Enabled", 1))
	got, _, err := key.GetIntegerValue("Enabled")
	require.NoError(t, err)
	assert.EqualValues(t, 1, got)
}

// The tests run in the folder of their package, with randomness.
func TestIsolatedFolder(t *testing.T) {
	_, err := os.Stat("wine_windows_test.go")
	require.NoError(t, err)
	b := make([]byte, 32)
	_, err = rand.Read(b)
	require.NoError(t, err)
	assert.NotEqual(t, make([]byte, 32), b)
}

func TestFailsIfAsked(t *testing.T) {
	if os.Getenv("CROSSPREM_WINE_FAIL") == "1" {
		t.Error("it was asked for")
	}
}

func TestSkips(t *testing.T) { t.Skip("always") }
