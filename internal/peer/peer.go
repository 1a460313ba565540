// Package peer finds the real programs that tests run against: servers,
// Wine, a browser.
package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// RequireEnv names the environment variable that, set to "1", turns the skip
// of a test whose program is missing into a failure.
const RequireEnv = "CROSSPREM_REQUIRE_REAL"

// Look returns the path of the program called name, which Debian's package
// pkg installs. It looks in PATH and in the folders that hold servers and are
// not in everybody's PATH. If the program is missing, the test is skipped, or
// fails where [RequireEnv] asks for it; the message names the package.
func Look(t testing.TB, name, pkg string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/lib/wine", "/usr/lib/dovecot", "/usr/lib/postfix/sbin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	Missing(t, name, pkg)
	return ""
}

// Missing skips the test because what, a program, a module of a server or a
// library that Debian's package pkg installs, is not there, or fails it where
// [RequireEnv] asks for it. It does not return.
func Missing(t testing.TB, what, pkg string) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("%s is not installed; on Debian: apt-get install %s", what, pkg)
	}
	t.Skipf("%s is not installed; on Debian: apt-get install %s", what, pkg)
}
