//go:build unix

package peer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Site is a folder with the files of real servers. Other users may enter it,
// for servers drop their privileges.
type Site struct{ Dir string }

// NewSite makes a folder that is removed when the test ends. It is not below
// t.TempDir, since the path of a Unix socket has at most 107 bytes.
func NewSite(t testing.TB) *Site {
	t.Helper()
	dir, err := os.MkdirTemp("", "site")
	if err == nil {
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Site{Dir: dir}
}

// Path returns the path of a file of the site.
func (s *Site) Path(name string) string { return filepath.Join(s.Dir, name) }

// Write writes a file, with the folder's path in place of {dir}.
func (s *Site) Write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.Path(name), []byte(strings.ReplaceAll(text, "{dir}", s.Dir)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Run runs a server until the test ends, and waits until its ports on
// 127.0.0.1 answer. The pidFile, if it is not empty, is the file of the site
// that names the process that is the server: one that ends its children when
// it is told to end. What the server said is logged if the test fails; so is
// the file called log, if the site has one.
func (s *Site) Run(t testing.TB, pidFile string, ports []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = s.Dir
	output, err := os.CreateTemp(s.Dir, "output") // no pipe, which children would hold open
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		server := cmd.Process.Pid
		if text, err := os.ReadFile(s.Path(pidFile)); pidFile != "" && err == nil {
			if server, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || server <= 1 {
				t.Errorf("%s names no process: %q", pidFile, text)
				server = cmd.Process.Pid
			}
		}
		_ = syscall.Kill(server, syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(server, syscall.SIGKILL)
			<-exited
		}
		if t.Failed() {
			said, _ := os.ReadFile(output.Name())
			logged, _ := os.ReadFile(s.Path("log"))
			t.Logf("%s said:\n%.8000s\n%.8000s", filepath.Base(name), said, logged)
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for _, port := range ports {
		for {
			conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case err := <-exited:
				exited <- err
				t.Fatalf("%s ended: %v", filepath.Base(name), err)
			case <-time.After(20 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: port %s does not open: %v", filepath.Base(name), port, err)
			}
		}
	}
}

// handedOut are the ports that FreePort has returned: a server may begin to
// listen long after.
var handedOut sync.Map

// FreePort returns a port of 127.0.0.1 on which nobody listens just now, and
// never the same twice.
func FreePort(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, again := handedOut.LoadOrStore(port, true); !again {
			return port
		}
	}
}

// Root skips a test of what starts as root unless the test runs as root, or
// fails it where [RequireEnv] asks for that. Why names who needs it.
func Root(t testing.TB, why string) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv(RequireEnv) == "1":
		t.Fatalf("%s has to start as root", why)
	default:
		t.Skipf("%s has to start as root", why)
	}
}
