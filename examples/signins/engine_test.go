package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// The queries are printed without any other flag: each begins with a line of
// comment, a blank line stands between two of them, and none inside one.
func TestPrintQuery(t *testing.T) {
	for language, want := range map[string]struct {
		comment string
		queries int
	}{"kql": {"// ", 9}, "clickhouse": {"-- ", 10}} {
		code, out, notes := call(t, nil, "-print-query", language)
		require.Zero(t, code, notes)
		queries := strings.Split(out, "\n\n")
		assert.Len(t, queries, want.queries)
		for _, q := range queries {
			first, rest, _ := strings.Cut(q, "\n")
			assert.True(t, strings.HasPrefix(first, want.comment), first)
			assert.NotEmpty(t, strings.TrimSpace(rest))
		}
		_, other, _ := call(t, nil, "-print-query", language, "-definition", "workbook", "-since", "2026-11-18", "-until", "2026-11-19")
		assert.NotEqual(t, out, other)
		assert.Contains(t, other, "2026-11-18")
	}
}

func TestEngineUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-print-query", "sql"},
		{"-workspace", "x", "-kusto", "https://y/z"},
		{"-clickhouse", "clickhouse://h", "file.json"},
	} {
		code, _, notes := call(t, nil, args...)
		assert.Equal(t, wrongUsage, code, args)
		assert.Contains(t, notes, "signins: ")
	}
	code, _, notes := call(t, nil, "-clickhouse", "clickhouse://user:hunter2@%zz")
	assert.Equal(t, couldNot, code)
	assert.NotContains(t, notes, "hunter2")
	for _, bad := range []string{"cluster/logs", "https://cluster.kusto.windows.net/", "https:///x"} {
		code, _, notes = call(t, nil, "-kusto", bad, "-tenant", "contoso.com", "-signin", "cli")
		assert.Equal(t, couldNot, code, bad)
		assert.Contains(t, notes, "-kusto is not", bad)
	}
}

// What the program says of a log in ClickHouse is what it says of the file.
func TestClickHouse(t *testing.T) {
	server := clickhousetest.Start(t)
	file := filepath.Join(t.TempDir(), "log.ndjson")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, (&signinstest.Tenant{Seed: 5150, Users: 100, Events: 1000, Sprays: 1}).Write(f, signins.AzureMonitor))
	require.NoError(t, f.Close())
	table := clickhousesignins.Table{From: "signins", Record: "record", Prepared: true}
	for _, statement := range table.Schema() {
		server.Exec(t, statement)
	}
	server.Exec(t, "INSERT INTO signins_incoming (record) SELECT line FROM file('"+file+"', 'LineAsString', 'line String')")
	const at = "2026-11-26"
	code, want, notes := call(t, nil, "-json", "-at", at, file)
	require.Zero(t, code, notes)
	code, got, notes := call(t, nil, "-json", "-at", at, "-prepared", "-clickhouse", "http://"+server.Addr+"/default")
	require.Zero(t, code, notes)
	assert.True(t, json.Valid([]byte(got)))
	assert.JSONEq(t, want, got)

	code, _, notes = call(t, nil, "-clickhouse", "http://"+server.Addr+"/default", "-table", "nothing")
	assert.Equal(t, couldNot, code)
	assert.Contains(t, notes, "nothing")
}
