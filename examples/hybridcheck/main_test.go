package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const samples = "../../authinspect/hybridoauth/testdata/samples/"

func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// TestSamplesAsJSON runs the program as the samples' expectations say, and
// looks at the members that programs read.
func TestSamplesAsJSON(t *testing.T) {
	b, err := os.ReadFile(samples + "expected.json")
	require.NoError(t, err)
	var expected struct {
		Samples map[string]struct {
			Context      json.RawMessage `json:"context"`
			Situations   []string        `json:"situations"`
			Violates     []string        `json:"violates"`
			Errors       []string        `json:"errors"`
			NotEvaluated []string        `json:"notEvaluated"`
		} `json:"samples"`
	}
	require.NoError(t, json.Unmarshal(b, &expected))
	require.NotEmpty(t, expected.Samples)
	for name, want := range expected.Samples {
		t.Run(name, func(t *testing.T) {
			about := filepath.Join(t.TempDir(), "context.json")
			require.NoError(t, os.WriteFile(about, want.Context, 0o600))
			code, out, errs := call(t, "", samples+name, "-json", "-context", about, "-situation", strings.Join(want.Situations, ","))
			require.Zero(t, code, errs)
			var got map[string]json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			for _, member := range []string{"findings", "violates", "notEvaluated", "errors", "steps"} {
				assert.True(t, strings.HasPrefix(string(got[member]), "["), member)
			}
			assert.Len(t, got, 5)
			list := func(member string) (list []string) {
				require.NoError(t, json.Unmarshal(got[member], &list))
				return list
			}
			assert.ElementsMatch(t, want.Violates, list("violates"))
			assert.Equal(t, want.Errors, list("errors"))
			assert.Subset(t, list("notEvaluated"), want.NotEvaluated)
		})
	}
}

func TestForPeople(t *testing.T) {
	code, out, errs := call(t, "", "-at", "2026-11-22", samples+"04-faulty-shared-sp.format-list.txt")
	require.Zero(t, code, errs)
	for _, want := range []string{"CRITICAL The connector from on premises to the tenant is disabled [IOC-002]", "Set-IntraOrganizationConnector 'HybridIOC - 8d4e1b7a-22c3-4f5d-9b60-aa11bb22cc33' -Enabled $true",
		"Situation found:", "The procedure, step by step", "Not evaluated"} {
		assert.Contains(t, strings.Join(strings.Fields(out), " "), want)
	}
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, len([]rune(line)), 320, line) // a long word is not broken
	}
}

func TestStandardInput(t *testing.T) {
	code, out, _ := call(t, "HCW8064 - The HCW has completed, but was not able to perform the OAuth portion of your Hybrid configuration.", "-", "-json", "-at", "2026-11-22")
	require.Zero(t, code)
	var got report
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, []string{"HCW8064"}, got.Errors)
	assert.Equal(t, "HCW8064", got.Findings[0].Rule)
	assert.Equal(t, "wizard", got.Steps[0].ID)
	assert.Equal(t, "wrong", got.Steps[0].State.String())
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-situation", "nonsense", "-"}, {"-cloud", "moon", "-"}, {"-at", "soon", "-"}, {"-nonsense"}} {
		code, _, errs := call(t, "", args...)
		assert.Equal(t, 2, code, args)
		assert.NotEmpty(t, errs)
	}
	code, _, errs := call(t, "", "-h")
	assert.Zero(t, code)
	assert.Contains(t, errs, "usage: hybridcheck")
}

func TestCannotRead(t *testing.T) {
	code, _, errs := call(t, "", filepath.Join(t.TempDir(), "absent"))
	assert.Equal(t, 1, code)
	assert.Equal(t, 1, strings.Count(errs, "\n"))
	broken := filepath.Join(t.TempDir(), "Get-AuthServer.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"a":`), 0o600))
	code, out, _ := call(t, "", broken, samples+"04-faulty-shared-sp.format-list.txt", "-at", "2026-11-22")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "IOC-002", "what could be read is told")
	code, _, _ = call(t, "", "-context", broken, "-")
	assert.Equal(t, 1, code)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFullDisk(t *testing.T) {
	for _, args := range [][]string{{"-", "-json"}, {"-"}, {"-collect-script"}} {
		assert.Equal(t, 1, run(t.Context(), args, strings.NewReader("x"), fullDisk{}, &bytes.Buffer{}), args)
	}
}

type silent struct{ done <-chan struct{} }

func (s silent) Read([]byte) (int, error) { <-s.done; return 0, errors.New("closed") }

func TestEndsAtTheFirstInterrupt(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	done := make(chan struct{})
	defer close(done)
	assert.Equal(t, 1, run(ctx, []string{"-"}, silent{done}, &bytes.Buffer{}, &bytes.Buffer{}))
}

func TestCollectScript(t *testing.T) {
	code, out, _ := call(t, "", "-collect-script")
	assert.Zero(t, code)
	assert.Contains(t, out, "Get-AuthConfig")
}

func TestFailOn(t *testing.T) {
	sample := "../../authinspect/hybridoauth/testdata/samples/04-faulty-shared-sp.format-list.txt"
	code, _, stderr := call(t, "", "-at", "2026-11-22", "-fail-on", "critical", sample)
	assert.Equal(t, 3, code, stderr)
	code, _, _ = call(t, "", "-at", "2026-11-22", sample)
	assert.Equal(t, 0, code)
}
