package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

// report is what examples/report -json prints, as far as it is read here.
func report(day string, findings ...crossprem.Finding) string {
	b, err := json.Marshal(map[string]any{"asOf": day, "findings": findings})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Findings of two days: what is new, and what is fixed.
func Example() {
	var rules crossprem.Rules
	expired := rules.Declare(crossprem.Rule{ID: "key-expired", Severity: crossprem.Critical, Title: "The key has expired",
		PassedTitle: "The key has not expired", Sources: []string{"RFC 5280 §4.1.2.5"}})

	folder, _ := os.MkdirTemp("", "history")
	defer os.RemoveAll(folder)
	db := filepath.Join(folder, "findings.db")

	monday := report("2026-11-23", expired.Failed("EX1"), expired.Passed("EX2"), expired.Failed("EX3"))
	tuesday := report("2026-11-24", expired.Passed("EX1"), expired.Failed("EX2"), expired.Unknown("EX3", "The server did not answer."))
	for _, day := range []string{monday, tuesday} {
		run(context.Background(), []string{"-db", db}, strings.NewReader(day), os.Stdout, os.Stderr)
	}
	// Output:
	// 2026-11-23 is the first day that is stored.
	// new: critical: The key has expired: EX1
	// new: critical: The key has expired: EX3
	// 2 new, 0 fixed, 0 changed, 1 as before, 0 not asked about this time
	// 2026-11-24, compared with 2026-11-23:
	// new: critical: The key has expired: EX2
	// fixed: critical: The key has not expired: EX1
	// not asked about this time: critical: The key has expired: EX3
	// 1 new, 1 fixed, 0 changed, 0 as before, 1 not asked about this time
}

func TestRun(t *testing.T) {
	db := filepath.Join(t.TempDir(), "findings.db")
	do := func(in string, args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(in), &out, &errs)
		return code, out.String(), errs.String()
	}
	due := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	f := crossprem.Finding{Rule: "r", Status: crossprem.Failed, Severity: crossprem.Critical, Subject: "a\x1b[31m", Title: "t", Due: due, Sources: []string{"RFC 1"}}
	code, out, errs := do(report("2026-11-26", f), "-db", db)
	assert.Equal(t, 0, code, errs)
	assert.NotContains(t, out, "\x1b", "what a stranger named does not reach the terminal")

	// The same day again replaces what was stored, and compares with nothing.
	code, out, _ = do(report("2026-11-26", f), "-db", db, "-")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "first day")

	// A year passes, and nothing of the finding is lost.
	code, out, _ = do(report("2027-11-26", f), "-db", db)
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "0 new, 0 fixed, 0 changed, 1 as before")

	file := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, os.WriteFile(file, []byte(report("2028-01-01", f)), 0o600))
	code, out, _ = do("", "-db", db, file)
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "compared with 2027-11-26")

	for name, in := range map[string]string{"no JSON": "x", "no day": `{"findings":[]}`, "an odd status": `{"asOf":"2026-11-26","findings":[{"status":"fine"}]}`} {
		code, out, errs = do(in, "-db", db)
		assert.Equal(t, 1, code, name)
		assert.Empty(t, out)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	for _, args := range [][]string{nil, {"-db"}, {"-db", db, "a", "b"}, {"-x"}} {
		code, _, _ = do("", args...)
		assert.Equal(t, 2, code, fmt.Sprint(args))
	}
	code, _, _ = do("", "-db", db, "nowhere.json")
	assert.Equal(t, 1, code)
	code, _, _ = do("", "-help")
	assert.Equal(t, 0, code)
	assert.Equal(t, 1, run(t.Context(), []string{"-db", db}, strings.NewReader(report("2029-01-01", f)), full{}, &bytes.Buffer{}), "a full disk")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
