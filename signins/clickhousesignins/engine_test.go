package clickhousesignins_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func connect(t *testing.T, server *clickhousetest.Server) driver.Conn {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{server.Addr}, Protocol: clickhouse.HTTP, Compression: &clickhouse.Compression{Method: clickhouse.CompressionNone}})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// load puts records, one a line, into a new table, in their order.
func load(t *testing.T, server *clickhousetest.Server, at clickhousesignins.Table, records []byte) {
	t.Helper()
	table, record := at.Incoming(), at.Record != ""
	file := filepath.Join(t.TempDir(), table+".ndjson")
	require.NoError(t, os.WriteFile(file, records, 0o600))
	for _, statement := range at.Schema() {
		server.Exec(t, statement)
	}
	const order = "toDateTime64('2026-11-26 00:00:00', 6, 'UTC') + toIntervalMicrosecond(rowNumberInAllBlocks())"
	if record {
		server.Exec(t, fmt.Sprintf("INSERT INTO %s (record, delivered) SELECT line, %s FROM file('%s', 'LineAsString', 'line String') SETTINGS max_threads = 1", table, order, file))
	} else {
		insert, _, _ := strings.Cut(at.Insert(), "SETTINGS")
		insert = strings.Replace(insert, ")", ", delivered)", 1)
		server.Exec(t, insert+fmt.Sprintf("SELECT *, %s FROM file('%s', 'JSONEachRow', 'time String, category String, resultType String, resultDescription String, callerIpAddress String, location String, properties String')", order, file)+
			" SETTINGS max_threads = 1, input_format_skip_unknown_fields = 1, input_format_null_as_default = 1, input_format_json_read_objects_as_strings = 1, input_format_json_read_numbers_as_strings = 1")
	}
}

// records returns the records of JSON files as lines, pages and messages taken
// apart.
func records(t *testing.T, folder string) []byte {
	var lines bytes.Buffer
	var add func(v json.RawMessage)
	add = func(v json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(v, &list) == nil {
			for _, r := range list {
				add(r)
			}
			return
		}
		var page struct{ Value, Records []json.RawMessage }
		require.NoError(t, json.Unmarshal(v, &page))
		if page.Value != nil || page.Records != nil {
			for _, r := range append(page.Value, page.Records...) {
				add(r)
			}
			return
		}
		require.NoError(t, json.Compact(&lines, v))
		lines.WriteByte('\n')
	}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if data = bytes.TrimPrefix(data, []byte("\ufeff")); json.Valid(data) {
			add(data)
			return nil
		}
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); json.Valid(line) {
				add(line)
			} else {
				lines.Write(append(line, '\n'))
			}
		}
		return nil
	}))
	return lines.Bytes()
}

// summarized is what package signins makes of records.
func summarized(t *testing.T, z *signins.Summarizer, records []byte) *signins.Summary {
	t.Helper()
	s, err := z.Summarize(signins.Dedupe(signins.Read(bytes.NewReader(records)), 0))
	require.NoError(t, err)
	s.Errors = nil // an engine counts them
	return s
}

func requireSame(t *testing.T, want, got *signins.Summary) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	if !bytes.Equal(a, b) {
		require.JSONEq(t, string(a), string(b))
	}
}

func tenantRecords(t *testing.T, tenant *signinstest.Tenant) []byte {
	var b bytes.Buffer
	require.NoError(t, tenant.Write(&b, signins.AzureMonitor))
	return b.Bytes()
}

func TestSummaryIsTheSame(t *testing.T) {
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	const samples = "../testdata/samples/"
	logs := map[string][]byte{}
	for _, name := range []string{"storage", "eventhub", "graph-beta", "graph-v1.0"} {
		logs[strings.NewReplacer("-", "_", ".", "_").Replace(name)] = records(t, samples+name)
	}
	logs["portal"] = records(t, samples+"portal/InteractiveSignIns_2026-11-18_2026-11-18.json")
	for seed := range uint64(2) {
		logs[fmt.Sprint("tenant_", seed)] = tenantRecords(t, &signinstest.Tenant{Seed: 7700 + seed, Users: 400, Events: 8000, Sprays: 2, BruteForces: 2, DistributedSprays: 1})
	}
	for name, log := range logs {
		require.NotEmpty(t, log, name)
		table := clickhousesignins.Table{From: name, Record: "record", Prepared: true}
		load(t, server, table, log)
		for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
			z := signins.Summarizer{Definition: definition}
			engine := clickhousesignins.Engine{Conn: conn, Table: table, Summarizer: z}
			got, err := engine.Summarize(t.Context())
			require.NoError(t, err, name)
			want := summarized(t, &z, log)
			requireSame(t, want, got)
			t.Logf("%s, %s: %d records, %d legacy, %d attacks", name, definition, got.Records, got.ByClass[signins.Legacy], len(got.Attacks))
		}
	}
}

var _ = assert.Equal
var _ = time.Now
