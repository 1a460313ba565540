package peer

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed package.json
var packageJSON []byte

// NPM returns the path of a file called file of the npm package called name, in
// the version that package.json beside this file gives. It is looked for in a
// folder of the user's cache, and installed there with npm, without running any
// of its scripts, where [RequireEnv] asks for it; the test is skipped if not.
func NPM(t testing.TB, name, file string) string {
	t.Helper()
	var versions struct{ Dependencies map[string]string }
	if err := json.Unmarshal(packageJSON, &versions); err != nil {
		t.Fatal(err)
	}
	version := versions.Dependencies[name]
	if version == "" {
		t.Fatalf("package.json lists no package %s", name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "crossprem-npm")
	folder := filepath.Join(cache, strings.NewReplacer("/", "-", "@", "").Replace(name)+"-"+version)
	if path := fileIn(folder, name, file); path != "" {
		return path
	}
	if os.Getenv(RequireEnv) != "1" {
		t.Skipf("the npm package %s@%s is not installed; %s=1 installs it", name, version, RequireEnv)
	}
	if err := install(t, cache, folder, name+"@"+version); err != nil {
		t.Fatal(err)
	}
	path := fileIn(folder, name, file)
	if path == "" {
		t.Fatalf("%s@%s has no file %s", name, version, file)
	}
	return path
}

// install puts a package into folder, whole or not at all: tests of several
// packages may want it at once.
func install(t testing.TB, cache, folder, what string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	staging, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", staging, what)
	if text, err := cmd.CombinedOutput(); err != nil {
		return errors.New("npm install " + what + ": " + err.Error() + "\n" + string(text))
	}
	_ = os.RemoveAll(folder + ".old") // of an installation that was cut off
	if err := os.Rename(staging, folder); err != nil {
		if _, statErr := os.Stat(folder); statErr == nil { // another test was faster, or half of one is there
			if os.Rename(folder, folder+".old") == nil {
				err = os.Rename(staging, folder)
				_ = os.RemoveAll(folder + ".old")
			}
		}
		return err
	}
	return nil
}

// fileIn returns the path of file in an installed package, or "".
func fileIn(folder, name, file string) (path string) {
	_ = filepath.WalkDir(filepath.Join(folder, "node_modules", filepath.FromSlash(name)), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == file {
			path = p
			return fs.SkipAll
		}
		return nil
	})
	return path
}
