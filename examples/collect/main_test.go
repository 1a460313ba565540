package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/examples/collect/internal/gather"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// build builds programs of examples into a folder.
func build(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	args := []string{"build", "-o", folder + string(filepath.Separator)}
	for _, n := range names {
		args = append(args, "github.com/crossprem/crossprem/examples/"+n)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

// fake starts the program faketenant, and returns its address.
func fake(t *testing.T, programs string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "faketenant"), args...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(address)
}

// verify checks that the collected sign-ins are those of the tenant, each once.
func verify(t *testing.T, folder string, truth []signins.SignIn) {
	t.Helper()
	missing := make(map[string]bool, len(truth))
	for _, s := range truth {
		missing[s.ID] = true
	}
	f, err := os.Open(filepath.Join(folder, filepath.FromSlash(gather.SignIns)))
	require.NoError(t, err)
	defer f.Close()
	for s, err := range signins.Read(f) {
		require.NoError(t, err)
		require.True(t, missing[s.ID], "twice or invented: %s", s.ID)
		delete(missing, s.ID)
	}
	assert.Empty(t, missing, "lost")
}

// Fifty kills of the program, each at or shortly after some request, lose
// nothing and double nothing, and what is in the folder can be read at any
// time.
func TestKills(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 5
	}
	programs := build(t, "collect", "faketenant")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	truth := signinstest.GraphOf(&signinstest.Tenant{Seed: 7, Users: 60, Days: 2, Start: today.AddDate(0, 0, -2), Sprays: 1, BruteForces: 1, DistributedSprays: 1}).Truth(time.Now())
	target, err := url.Parse(fake(t, programs, "-seed", "7", "-users", "60", "-days", "2", "-faults", "0.01"))
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	rng := rand.New(rand.NewPCG(1, 2))
	var (
		mu       sync.Mutex
		running  *os.Process
		left     int
		delay    time.Duration
		requests int
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		if left--; left == 0 && running != nil {
			p := running
			time.AfterFunc(delay, func() { p.Kill() })
		}
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	folder := t.TempDir()
	killed, whole := 0, 0
	for run := 0; ; run++ {
		require.Less(t, run, 500)
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "collect"), "-graph", server.URL, "-page-size", "100", folder)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		mu.Lock()
		require.NoError(t, cmd.Start())
		running, left, delay = cmd.Process, 0, time.Duration(rng.IntN(4000))*time.Microsecond
		if killed < kills {
			left = 1 + rng.IntN(40)
		}
		mu.Unlock()
		err := cmd.Wait()
		mu.Lock()
		running = nil
		mu.Unlock()
		if err != nil {
			require.False(t, cmd.ProcessState.Exited(), "%v: %s", err, out.String())
			killed++
			continue
		}
		verify(t, folder, truth)
		c, err := gather.ReadManifest(folder)
		require.NoError(t, err)
		assert.Empty(t, c.Missing)
		assert.EqualValues(t, len(truth), c.SignIns)
		assert.NotContains(t, out.String(), "\r", "no bar in a pipe")
		if whole++; killed >= kills {
			break
		}
		require.NoError(t, os.RemoveAll(folder)) // through before it was killed: from the beginning
	}
	t.Logf("%d kills, %d whole collections of %d records, %d requests", killed, whole, len(truth), requests)
}

// All programs that read what collect collects read it.
func TestTheFolderIsRead(t *testing.T) {
	programs := build(t, "faketenant", "signins", "connect", "hybridcheck", "policy", "report")
	address := fake(t, programs, "-users", "40", "-days", "1")
	folder := filepath.Join(t.TempDir(), "contoso")
	var out, errs bytes.Buffer
	require.Equal(t, exitAll, run(t.Context(), []string{"-graph", address, "-connectors", folder}, &out, &errs), errs.String())
	read := func(want string, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		require.NoError(t, err, stderr.String())
		assert.Empty(t, stderr.String(), name)
		assert.Contains(t, string(got), want, name)
		return string(got)
	}
	read(strings.Fields(out.String())[0]+" sign-ins from", "signins", filepath.Join(folder, "signins"))
	read("Entra Connect Sync 2.5.79.0", "connect", "-at", "2026-11-26", filepath.Join(folder, "connect"))
	read("Situation found: dedicated-app", "hybridcheck", "-at", "2026-11-26", filepath.Join(folder, "hybrid"))
	// Without a mailbox's own export the end of Basic decides, as far as anything
	// is known.
	read("alice@contoso.com", "policy", "-at", "2026-11-26", "alice@contoso.com", "imap", filepath.Join(folder, "policies"))
	report := read("HYBRID CONFIGURATION", "report", "-at", "2026-11-26", "-folder", folder)
	for _, want := range []string{"POLICY", "SIGN-INS", "ENTRA CONNECT"} {
		assert.Contains(t, report, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"x"}, {"-tenant", "t", "-graph", "http://127.0.0.1:1", "x"}, {"-graph", "https://graph.microsoft.com", "x"},
		{"-graph", "http://127.0.0.1.example.test", "x"}, {"-graph", "http://u:p@127.0.0.1", "x"}, {"-graph", "http://127.0.0.1:1", "x", "y"}, {"-skip", "lunch", "x"},
		{"-tenant", "t", "-signin", "pigeon", "x"}, {"-tenant", "t", "-from", "2026-11-22", "-to", "2026-11-22", "x"}, {"-page-size", "1001", "-tenant", "t", "x"}} {
		var errs bytes.Buffer
		assert.Equal(t, exitUsage, run(t.Context(), args, io.Discard, &errs), args)
		assert.NotContains(t, errs.String(), "u:p@")
	}
}

func TestPermissionsAreNamedWithTheReason(t *testing.T) {
	var out bytes.Buffer
	require.Equal(t, exitAll, run(t.Context(), []string{"-permissions"}, &out, io.Discard))
	for _, want := range []string{"AuditLog.Read.All", "Application.Read.All", "Policy.Read.All", "Organization.Read.All", "OnPremDirectorySynchronization.Read.All", "Reports Reader", "the sign-in log"} {
		assert.Contains(t, out.String(), want)
	}
	assert.NotContains(t, out.String(), "Write.All")
	require.Equal(t, exitAll, run(t.Context(), []string{"-permissions", "-connectors"}, &out, io.Discard))
	assert.Contains(t, out.String(), "Directory.ReadWrite.All")
}

// The fake refuses; what it says is told on one line, and the rest is
// collected.
func TestRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"), "nobody signs in to a fake")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges\nto complete the operation."}}`)
	}))
	defer server.Close()
	var errs bytes.Buffer
	folder := t.TempDir()
	assert.Equal(t, exitMissing, run(t.Context(), []string{"-graph", server.URL, folder}, io.Discard, &errs))
	assert.Equal(t, 1, strings.Count(errs.String(), "\n"), errs.String())
	assert.Contains(t, errs.String(), "403 Authorization_RequestDenied: Insufficient privileges to complete")
	c, err := gather.ReadManifest(folder)
	require.NoError(t, err)
	assert.Len(t, c.Missing, 5)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs.Reset()
	assert.Equal(t, exitMissing, run(ctx, []string{"-graph", server.URL, folder}, io.Discard, &errs))
	assert.Contains(t, errs.String(), "interrupted")
}

// A next page at another host is not asked for.
func TestNextPageElsewhere(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked elsewhere") }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"value":[],"@odata.nextLink":%q}`, other.URL+"/v1.0/applications?$skiptoken=x")
	}))
	defer server.Close()
	var errs bytes.Buffer
	assert.Equal(t, exitMissing, run(t.Context(), []string{"-graph", server.URL, "-skip", "signins", "-skip", "connect", "-skip", "hybrid", t.TempDir()}, io.Discard, &errs))
	assert.Contains(t, errs.String(), "another host")
}
