package wine

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crossprem/crossprem/internal/peer"
)

//go:embed shim/bcryptprimitives.c
var shim []byte

// limit bounds everything that one call does, compilation included.
const limit = 5 * time.Minute

// Test compiles the tests of the package pkg, a path as "go test" takes it,
// for Windows, runs those that pattern selects, and reports each as a subtest.
// It fails when a test fails and when no test ran. Without Wine or the
// compiler it skips, or fails, as package peer tells.
//
// The tests run in the folder of the package, and see the environment of this
// process.
func Test(t *testing.T, pkg, pattern string) {
	t.Helper()
	results, output, err := run(t, pkg, pattern)
	if err != nil {
		t.Errorf("under Wine: %v\n%s", err, output)
	}
	if len(results) == 0 {
		t.Fatalf("under Wine: no test of %s matches %q\n%s", pkg, pattern, output)
	}
	t.Logf("under Wine:\n%s", output)
	for _, r := range results {
		t.Run(r.name, func(t *testing.T) {
			switch r.verdict {
			case "SKIP":
				t.Skip("skipped under Wine; the log of the parent tells why")
			case "FAIL":
				t.Error("failed under Wine; the log of the parent tells why")
			}
		})
	}
}

// A result is how one test came out: PASS, FAIL or SKIP.
type result struct{ name, verdict string }

var resultLine = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+)`)

// run does what Test tells, but leaves the verdict to its caller. The error
// tells that the program of the tests could not run, or ended with a failure.
func run(t *testing.T, pkg, pattern string) ([]result, string, error) {
	t.Helper()
	tools := tools{
		wine:   peer.Look(t, "wine64", "wine64"),
		server: peer.Look(t, "wineserver", "wine64"),
		gcc:    peer.Look(t, "x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()

	program := filepath.Join(t.TempDir(), "tests.exe")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, pkg)
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, string(out), fmt.Errorf("compile: %w", err)
	}
	if _, err := os.Stat(program); err != nil {
		return nil, "", errors.New("the package has no tests on Windows")
	}
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", pkg)
	list.Env = build.Env
	dir, err := list.Output()
	if err != nil {
		return nil, "", fmt.Errorf("go list: %w", err)
	}

	prefix, err := tools.prefix(ctx, t)
	if err != nil {
		return nil, "", fmt.Errorf("prepare the prefix: %w", err)
	}
	cmd := tools.command(ctx, prefix, tools.wine, program, "-test.v", "-test.run", pattern, "-test.timeout", "2m")
	cmd.Dir = strings.TrimSpace(string(dir))
	out, err := cmd.CombinedOutput()
	output := strings.ReplaceAll(string(out), "\r\n", "\n")
	var results []result
	for _, m := range resultLine.FindAllStringSubmatch(output, -1) {
		results = append(results, result{name: m[2], verdict: m[1]})
	}
	return results, output, err
}

// tools are the paths of the programs.
type tools struct{ wine, server, gcc string }

// command returns a command that works on a prefix. Its output ends when it
// ends, even if a process of Wine outlives it.
func (w tools) command(ctx context.Context, prefix, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "WINE") && !strings.HasPrefix(e, "DISPLAY=") && !strings.HasPrefix(e, "WAYLAND_DISPLAY=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "WINEPREFIX="+prefix, "WINEARCH=win64", "WINEDEBUG=-all",
		"WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=")
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// prefix returns a prefix for this test alone, a copy of the one that all
// tests of this user share. It is removed when the test ends.
func (w tools) prefix(ctx context.Context, t *testing.T) (string, error) {
	shared, err := w.shared(ctx)
	if err != nil {
		return "", err
	}
	prefix, err := os.MkdirTemp(os.TempDir(), "crossprem-wine-run-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = w.command(ctx, prefix, w.server, "-k").Run() // ends the processes of this prefix alone; fails if there are none
		_ = w.command(ctx, prefix, w.server, "-w").Run()
		removeSocket(prefix)
		if err := os.RemoveAll(prefix); err != nil {
			t.Errorf("remove Wine prefix: %v", err)
		}
	})
	return prefix, clone(shared, prefix)
}

// clone makes prefix a copy of the prefix shared. What Wine writes, the files
// of the registry, is copied; the rest is linked.
func clone(shared, prefix string) error {
	return filepath.WalkDir(shared, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(shared, path)
		if err != nil || name == "." {
			return err
		}
		to := filepath.Join(prefix, name)
		switch {
		case d.IsDir():
			return os.Mkdir(to, 0o700)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case filepath.Dir(name) == ".":
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(to, b, 0o600)
		}
		return os.Link(path, to)
	})
}

var socketFolder = regexp.MustCompile(`^wine-[A-Za-z0-9]{6}$`)

// removeSocket removes the folder of the socket of a server that has ended.
// Debian's Wine makes one for temporary files, writes its name into the prefix, and
// leaves both behind.
func removeSocket(prefix string) {
	file := filepath.Join(prefix, "wineserver")
	name, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if folder := strings.TrimSpace(string(name)); socketFolder.MatchString(folder) {
		os.RemoveAll(filepath.Join(os.TempDir(), folder))
		os.Remove(file)
	}
}

// shared returns the prefix that is copied, and makes it if there is none. It
// is made under another name and then renamed, so that it is whole whenever
// it is there; of two that are made at once, one is thrown away.
func (w tools) shared(ctx context.Context) (string, error) {
	version, err := exec.CommandContext(ctx, w.wine, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("wine64 --version: %w", err)
	}
	id := sha256.Sum256(append(version, shim...))
	path := filepath.Join(os.TempDir(), fmt.Sprintf("crossprem-wine-%d-%x", os.Getuid(), id[:6]))
	if info, err := os.Lstat(path); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(owner.Uid) != os.Getuid() {
			return "", fmt.Errorf("%s belongs to somebody else", path)
		}
		return path, nil
	}
	made, err := os.MkdirTemp(os.TempDir(), "crossprem-wine-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := w.make(ctx, made); err != nil {
		return "", err
	}
	if err := os.Rename(made, path); err != nil {
		if _, there := os.Lstat(path); there != nil {
			return "", err
		}
		return w.shared(ctx) // another process was quicker
	}
	return path, nil
}

// make makes a new prefix in an empty folder.
func (w tools) make(ctx context.Context, prefix string) error {
	boot := w.command(ctx, prefix, w.wine, "wineboot", "--init")
	if out, err := boot.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("wineboot: %w: %s", err, out)
	}
	if err := w.command(ctx, prefix, w.server, "-w").Run(); err != nil { // until the registry is on the disk
		return fmt.Errorf("wineserver -w: %w", err)
	}
	removeSocket(prefix)
	source := filepath.Join(prefix, "bcryptprimitives.c")
	if err := os.WriteFile(source, shim, 0o600); err != nil {
		return err
	}
	library := filepath.Join(prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll")
	if _, err := os.Lstat(library); err == nil {
		return nil // a Wine that has it
	}
	if out, err := exec.CommandContext(ctx, w.gcc, "-shared", "-O2", "-o", library, source, "-ladvapi32").CombinedOutput(); err != nil {
		return fmt.Errorf("compile bcryptprimitives.dll: %w: %s", err, out)
	}
	return nil
}
