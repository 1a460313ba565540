package connectversion

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/peer"
)

// compile makes a program with a version resource, as Visual Studio would.
func compile(t *testing.T, rc string) []byte {
	windres := peer.Look(t, "x86_64-w64-mingw32-windres", "gcc-mingw-w64-x86-64")
	gcc := peer.Look(t, "x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(in("v.rc"), []byte(rc), 0o644))
	require.NoError(t, os.WriteFile(in("m.c"), []byte("int main(void) { return 0; }\n"), 0o644))
	out, err := exec.CommandContext(t.Context(), windres, in("v.rc"), in("v.o")).CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), gcc, "-o", in("m.exe"), in("m.c"), in("v.o")).CombinedOutput()
	require.NoError(t, err, string(out))
	program, err := os.ReadFile(in("m.exe"))
	require.NoError(t, err)
	return program
}

const versionScript = `1 VERSIONINFO
FILEVERSION 2,5,79,0
PRODUCTVERSION 2,5,79,1
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904b0"
    BEGIN
      VALUE "CompanyName", "Contoso"
      VALUE "FileDescription", "Wizard"
      VALUE "ProductName", "Azure AD Connect"
      VALUE "ProductVersion", "2.5.79.2"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
`

func TestVersionResourceOfARealCompiler(t *testing.T) {
	f, err := ReadFileVersion(bytes.NewReader(compile(t, versionScript)))
	require.NoError(t, err)
	assert.Equal(t, FileVersion{
		File: Version{2, 5, 79, 0}, Product: Version{2, 5, 79, 1}, ProductVersion: "2.5.79.2",
		ProductName: "Azure AD Connect", FileDescription: "Wizard",
	}, f)
	assert.Equal(t, Version{2, 5, 79, 2}, f.Version(), "what Explorer shows")
	f.ProductVersion = "2.5.79.2 (beta)"
	assert.Equal(t, Version{2, 5, 79, 1}, f.Version())

	_, err = ReadFileVersion(bytes.NewReader(compile(t, "1 RCDATA { \"x\" }\n")))
	assert.ErrorIs(t, err, ErrNoFileVersion)
}

// Wine's own libraries, made by other people's tools.
func TestVersionResourcesOfWine(t *testing.T) {
	found := 0
	for _, pattern := range []string{"/usr/lib/*/wine/x86_64-windows/*.dll", "/usr/lib/wine/x86_64-windows/*.dll"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names[:min(len(names), 150)] {
			file, err := os.Open(name)
			require.NoError(t, err)
			f, err := ReadFileVersion(file)
			require.NoError(t, file.Close())
			if errors.Is(err, ErrNoFileVersion) {
				continue
			}
			require.NoError(t, err, name)
			assert.NotZero(t, f.File, name)
			found++
		}
	}
	if found == 0 {
		peer.Missing(t, "kernel32.dll", "libwine")
	}
	t.Logf("%d libraries tell a version", found)
	assert.Greater(t, found, 50)
}

func TestWhatIsNoExecutable(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("MZ"), []byte("hello"), make([]byte, 4096), []byte("\x7fELF")} {
		_, err := ReadFileVersion(bytes.NewReader(b))
		require.Error(t, err)
		assert.NotErrorIs(t, err, ErrNoFileVersion)
	}
}
