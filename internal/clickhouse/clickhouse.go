// Package clickhouse starts ClickHouse's engine for tests: the library that an
// npm package ships, behind the HTTP interface of a server.
package clickhouse

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crossprem/crossprem/internal/peer"
)

// A Server is a running engine. It answers one query at a time.
type Server struct {
	Addr string // such as "127.0.0.1:45678"
}

// Start starts an engine with an empty database that ends with the test. The
// test is skipped where the npm package is missing, as [peer.NPM] says.
func Start(t testing.TB) *Server {
	t.Helper()
	library := peer.NPM(t, "@chdb/lib-linux-x64-gnu", "libchdb.so")
	folder := t.TempDir()
	program := filepath.Join(folder, "serve")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/crossprem/crossprem/internal/clickhouse/serve")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	cmd := exec.Command(program, filepath.Join(folder, "data"))
	cmd.Env = append(os.Environ(), "CHDB_LIB_PATH="+library)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // by which it ends
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = stdin.Close()
		_ = cmd.Wait()
		t.Fatalf("the engine did not start: %v\n%s", err, complaints.String())
	}
	return &Server{Addr: strings.TrimSpace(addr)}
}

// Query returns the answer to query in ClickHouse's format TSV.
func (s *Server) Query(query string) (string, error) {
	answer, err := http.Post("http://"+s.Addr+"/", "text/plain", strings.NewReader(query))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.2000s", answer.Status, text)
	}
	return string(text), err
}

// Exec is Query where the answer does not matter and there has to be one.
func (s *Server) Exec(t testing.TB, query string) {
	t.Helper()
	if _, err := s.Query(query); err != nil {
		t.Fatalf("%v\n%.2000s", err, query)
	}
}
