package connectversion_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion/connectversiontest"
	"github.com/crossprem/crossprem/internal/wine"
)

// The machine's own registry and files, for real.
func TestUnderWine(t *testing.T) {
	program := filepath.Join(t.TempDir(), "miiserver.exe")
	require.NoError(t, os.WriteFile(program, connectversiontest.Executable(version(t, "2.6.3.0"), "2.6.3.0"), 0o755))
	t.Setenv("CROSSPREM_CONNECT_WINE", "1")
	t.Setenv("CROSSPREM_CONNECT_PROGRAM", `Z:`+filepath.ToSlash(program))
	wine.Test(t, ".", "^TestWindows")
}
