package clickhousesignins_test

import (
	"bytes"
	"context"
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

// A log is what a table is filled with.
type log struct {
	name    string
	records []byte
}

func sampleLogs(t *testing.T) []log {
	const samples = "../testdata/samples/"
	var logs []log
	for _, name := range []string{"storage", "eventhub", "graph-beta", "graph-v1.0", "portal/InteractiveSignIns_2026-11-18_2026-11-18.json"} {
		logs = append(logs, log{strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(name), records(t, samples+name)})
	}
	return logs
}

func tenantLog(t *testing.T, seed uint64) log {
	tenant := &signinstest.Tenant{Seed: seed, Users: 400, Events: 6000, Sprays: 2, BruteForces: 2, DistributedSprays: 1}
	return log{fmt.Sprint("tenant_", seed), tenantRecords(t, tenant)}
}

// The summary that ClickHouse makes of a log is that of the file, to the last
// count, by both definitions of legacy, attacks included.
func TestSummaryIsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	logs := append(sampleLogs(t), tenantLog(t, 7700), tenantLog(t, 7701))
	for i, l := range logs {
		require.NotEmpty(t, l.records, l.name)
		table := clickhousesignins.Table{From: l.name, Record: "record", Prepared: i%2 == 0}
		load(t, server, table, l.records)
		for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
			z := signins.Summarizer{Definition: definition}
			engine := clickhousesignins.Engine{Conn: conn, Table: table, Summarizer: z, Part: -1}
			got, err := engine.Summarize(t.Context())
			require.NoError(t, err, l.name)
			requireSame(t, summarized(t, &z, l.records), got)
			t.Logf("%s, %s: %d records, %d legacy, %d attacks", l.name, definition, got.Records, got.ByClass[signins.Legacy], len(got.Attacks))
		}
	}
}

// Of copies the last counts, wherever they lie: in one table, on two servers,
// or in parts of the time. Other records and broken ones are counted.
func TestCopiesShardsAndParts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	first := tenantLog(t, 7710)
	var lines [][]byte
	for line := range bytes.Lines(first.records) {
		lines = append(lines, line)
	}
	for i := 0; i < len(lines); i += 5 { // delivered again, completed
		lines = append(lines, bytes.Replace(lines[i], []byte(`"userAgent":"`), []byte(`"userAgent":"late `), 1))
	}
	lines = append(lines, []byte(`{"time":"2026-11-18T09:00:00Z","category":"AuditLogs","properties":{"id":"x"}}`+"\n"), []byte("\n"), []byte(`{"time":"2026-11-18T`+"\n"))
	whole := bytes.Join(lines, nil)
	z := signins.Summarizer{}
	want := summarized(t, &z, whole)
	require.Positive(t, want.Duplicates)
	require.Positive(t, want.SkippedOtherCategory)
	require.Positive(t, want.Malformed)

	summarize := func(table clickhousesignins.Table, z signins.Summarizer, part time.Duration) *signins.Summary {
		t.Helper()
		got, err := (&clickhousesignins.Engine{Conn: conn, Table: table, Summarizer: z, Part: part}).Summarize(t.Context())
		require.NoError(t, err)
		return got
	}
	prepared := clickhousesignins.Table{From: "prepared", Record: "record", Prepared: true}
	load(t, server, prepared, whole)
	raw := clickhousesignins.Table{From: "raw", Record: "record"}
	load(t, server, raw, whole)
	for _, table := range []clickhousesignins.Table{prepared, raw} {
		requireSame(t, want, summarize(table, z, -1))
	}
	requireSame(t, want, summarize(prepared, z, 6*time.Hour))

	// Two servers, with every record on each.
	twice := summarize(clickhousesignins.Table{From: "remote('127.0.0.1,127.0.0.1', currentDatabase(), prepared)", Prepared: true}, z, -1)
	doubled := summarized(t, &z, whole)
	doubled.Duplicates += doubled.RawRecords
	doubled.RawRecords *= 2
	doubled.Malformed *= 2
	doubled.SkippedOtherCategory *= 2
	requireSame(t, doubled, twice)

	// A table over a cluster's is understood up to the cluster, which the engine lacks.
	_, err := server.Query(prepared.Distributed("everywhere", "logs", "default"))
	assert.ErrorContains(t, err, "CLUSTER_DOESNT_EXIST")

	// Two servers, with the copies of an event on different ones.
	for half := range 2 {
		server.Exec(t, fmt.Sprintf("CREATE TABLE half_%d ENGINE = MergeTree ORDER BY delivered AS SELECT * FROM prepared WHERE cityHash64(delivered) %% 2 = %d", half, half))
	}
	requireSame(t, want, summarize(clickhousesignins.Table{From: "(SELECT * FROM half_0 UNION ALL SELECT * FROM remote('127.0.0.1', currentDatabase(), half_1))", Prepared: true}, z, -1))

	// Summaries of halves, merged.
	noon := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	morning := summarize(prepared, signins.Summarizer{Until: noon}, -1)
	afternoon := summarize(prepared, signins.Summarizer{Since: noon}, -1)
	require.Positive(t, morning.Records)
	require.Positive(t, afternoon.Records)
	afternoon.Malformed, afternoon.SkippedOtherCategory = 0, 0 // what has no time is told with each
	merged := morning
	require.NoError(t, merged.Merge(afternoon))
	merged.SkippedOtherCategory, merged.Malformed = want.SkippedOtherCategory, want.Malformed
	requireSame(t, want, merged)

	// A time, and copies whose last says something else, are those of the file.
	z = signins.Summarizer{Since: noon.Add(-3 * time.Hour), Until: noon.Add(3 * time.Hour)}
	want = summarized(t, &z, whole)
	want.OutsidePeriod = 0
	got := summarize(prepared, z, time.Hour)
	want.RawRecords, want.Duplicates = got.RawRecords, got.Duplicates // of copies, an engine counts those in the time alone
	want.Malformed, want.SkippedOtherCategory = got.Malformed, got.SkippedOtherCategory
	requireSame(t, want, got)
}

// The columns of Azure Monitor's records, without whole records.
func TestColumnsOfRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	l := tenantLog(t, 7720)
	z := signins.Summarizer{}
	for _, prepared := range []bool{false, true} {
		table := clickhousesignins.Table{From: fmt.Sprint("columns_", prepared), Prepared: prepared}
		load(t, server, table, l.records)
		got, err := (&clickhousesignins.Engine{Conn: conn, Table: table, Part: -1}).Summarize(t.Context())
		require.NoError(t, err)
		requireSame(t, summarized(t, &z, l.records), got)
	}
}

// A rendering that is broken in one place does not come to the same.
func TestBrokenQueriesDiffer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	l := tenantLog(t, 7730)
	table := clickhousesignins.Table{From: "broken", Record: "record", Prepared: true}
	load(t, server, table, l.records)
	z := signins.Summarizer{}
	want, err := json.Marshal(summarized(t, &z, l.records))
	require.NoError(t, err)
	for name, change := range map[string][2]string{
		"a client app is missing":    {"'imap', 'imap4'", "'imap9'"},
		"an error code is missing":   {"50064, 50126, 120000", "50064, 120000"},
		"hours are days":             {"toStartOfHour", "toStartOfDay"},
		"sessions are acceptances":   {", 'session', Succeeded", ", 'accepted', Succeeded"},
		"successes are all sign-ins": {"countIf(Succeeded)", "count()"},
		"the first is the last":      {"min(judged.Time) AS First", "max(judged.Time) AS First"},
	} {
		engine := clickhousesignins.Engine{Conn: &changing{Conn: conn, change: change, t: t}, Table: table, Part: -1}
		got, err := engine.Summarize(t.Context())
		assert.True(t, engine.Conn.(*changing).changed, name)
		if err != nil { // answers that do not fit each other
			t.Logf("%s: %v", name, err)
			continue
		}
		text, err := json.Marshal(got)
		require.NoError(t, err)
		assert.NotEqual(t, string(want), string(text), name)
	}
}

// changing asks other queries than it is given.
type changing struct {
	driver.Conn
	change  [2]string
	changed bool
	t       *testing.T
}

func (c *changing) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	other := strings.ReplaceAll(query, c.change[0], c.change[1])
	c.changed = c.changed || other != query
	return c.Conn.Query(ctx, other, args...)
}
