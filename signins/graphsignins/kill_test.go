package graphsignins_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// TestCollectIntoAFile is the program that TestKills kills.
func TestCollectIntoAFile(t *testing.T) {
	folder := os.Getenv("GRAPHSIGNINS_KILLED")
	if folder == "" {
		t.Skip("is run by TestKills")
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	from, err := time.Parse(time.RFC3339, os.Getenv("GRAPHSIGNINS_FROM"))
	require.NoError(t, err)
	src, err := graphsignins.New(credential{}, graphsignins.Options{Endpoint: os.Getenv("GRAPHSIGNINS_ENDPOINT"), Raw: true, PageSize: 40,
		From: from, To: from.AddDate(0, 0, 1), Limiter: &graphsignins.Limiter{Requests: 100_000}})
	require.NoError(t, err)
	file, err := src.OpenFile(t.Context(), filepath.Join(folder, "signins.ndjson"), graphsignins.FileCheckpoints(filepath.Join(folder, "checkpoint")))
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, file.Collect(t.Context()))
}

// Fifty kills, each at some time during or after a random request, lose nothing
// and double nothing, and the file is one that package signins reads.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts fifty processes")
	}
	day := time.Now().UTC().AddDate(0, 0, -3).Truncate(24 * time.Hour)
	g := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 300, Events: 8000})
	g.Fault = signinstest.Schedule(3, 0.03, signinstest.EmptyPage, signinstest.ShortPage, signinstest.Duplicates, signinstest.OutOfOrder,
		signinstest.EarlyEnd, signinstest.ExpiredToken, signinstest.RepeatedLink)
	var (
		mu      sync.Mutex
		running *os.Process
		left    int
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if left--; left == 0 && running != nil {
			_ = running.Kill()
		}
		mu.Unlock()
		g.ServeHTTP(w, r)
	}))
	defer server.Close()
	folder := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for run := 1; ; run++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCollectIntoAFile$")
		cmd.Env = append(os.Environ(), "GRAPHSIGNINS_KILLED="+folder, "GRAPHSIGNINS_ENDPOINT="+server.URL, "GRAPHSIGNINS_FROM="+day.Format(time.RFC3339))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		mu.Lock()
		require.NoError(t, cmd.Start())
		running, left = cmd.Process, 0
		if kills < 50 {
			left = 1 + rng.IntN(24)
		}
		mu.Unlock()
		err := cmd.Wait()
		mu.Lock()
		running = nil
		mu.Unlock()
		if err == nil && kills >= 50 {
			break
		}
		if err != nil {
			require.False(t, cmd.ProcessState.Exited(), "%v: %s", err, out.String())
			kills++
		} else { // through before it was killed: from the beginning
			verifyFile(t, folder, g)
			require.NoError(t, os.Remove(filepath.Join(folder, "checkpoint")))
			require.NoError(t, os.Remove(filepath.Join(folder, "signins.ndjson")))
		}
		require.Less(t, run, 500)
	}
	verifyFile(t, folder, g)
	t.Logf("%d kills, %d requests", kills, g.Requests())
}

// verifyFile checks that the file in folder holds the log of g, each event
// once.
func verifyFile(t *testing.T, folder string, g *signinstest.Graph) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "signins.ndjson"))
	require.NoError(t, err)
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); lines++ {
	}
	truth := make(map[string]bool)
	for _, s := range g.Truth(time.Now()) {
		truth[s.ID] = true
	}
	assert.Equal(t, len(truth), lines)
	read := func(r io.Reader) {
		for s, err := range signins.Read(r) {
			require.NoError(t, err)
			require.True(t, truth[s.ID], fmt.Sprint("twice or invented: ", s.ID))
			delete(truth, s.ID)
		}
	}
	read(bytes.NewReader(text))
	assert.Empty(t, truth, "lost")
}
