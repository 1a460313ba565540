package clickhousesignins_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clickhousetest "github.com/crossprem/crossprem/internal/clickhouse"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
)

// refusing answers some queries with an error.
type refusing struct {
	driver.Conn
	asked  int
	refuse func(n int, query string) error
}

func (r *refusing) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	n := r.asked
	r.asked++
	if err := r.refuse(n, query); err != nil {
		return nil, err
	}
	return r.Conn.Query(ctx, query, args...)
}

var limit = regexp.MustCompile(`toDateTime64\('([^']+)'`)

// longerThan reports whether a query asks about more than d.
func longerThan(d time.Duration, query string) bool {
	found := limit.FindAllStringSubmatch(query, 2)
	if len(found) < 2 {
		return true
	}
	since, err := time.Parse("2006-01-02 15:04:05.9999999", found[0][1])
	until, err2 := time.Parse("2006-01-02 15:04:05.9999999", found[1][1])
	return err != nil || err2 != nil || until.Sub(since) > d
}

// A question that is too much is asked about a shorter time; a server that is
// busy is asked again; any other error is the answer.
func TestRefusals(t *testing.T) {
	server := clickhousetest.Start(t)
	conn := connect(t, server)
	l := tenantLog(t, 7740)
	table := clickhousesignins.Table{From: "refusals", Record: "record", Prepared: true}
	load(t, server, table, l.records)
	z := signins.Summarizer{}
	want := summarized(t, &z, l.records)
	bounds := regexp.MustCompile(`SELECT min\(Time\)`)
	for name, c := range map[string]struct {
		refuse func(n int, query string) error
		waits  int
		fails  error
		text   string
	}{
		"time-out": {refuse: func(_ int, q string) error {
			if !bounds.MatchString(q) && longerThan(13*time.Hour, q) {
				return &clickhouse.Exception{Code: 159, Message: "Timeout exceeded: elapsed 60 seconds"}
			}
			return nil
		}},
		"memory, by HTTP": {refuse: func(n int, q string) error {
			if n == 3 {
				return errors.New("clickhouse [execute]:: 500 code: Code: 241. DB::Exception: Memory limit exceeded")
			}
			return nil
		}},
		"busy": {refuse: func(n int, _ string) error {
			if n == 1 {
				return &clickhouse.Exception{Code: 202, Message: "Too many simultaneous queries"}
			}
			return nil
		}, waits: 1},
		"always too much": {refuse: func(_ int, q string) error {
			if bounds.MatchString(q) {
				return nil
			}
			return &clickhouse.Exception{Code: 396, Message: "Limit for result exceeded"}
		}, fails: clickhousesignins.ErrIncomplete, text: "Limit for result exceeded"},
		"no such table": {refuse: func(_ int, q string) error {
			return &clickhouse.Exception{Code: 60, Message: "Unknown table expression identifier"}
		}, text: "Unknown table"},
	} {
		waits := 0
		engine := &clickhousesignins.Engine{Conn: &refusing{Conn: conn, refuse: c.refuse}, Table: table, Part: -1}
		clickhousesignins.SetWait(engine, func(context.Context, time.Duration) error {
			waits++
			return nil
		})
		got, err := engine.Summarize(t.Context())
		assert.Equal(t, c.waits, waits, name)
		if c.text != "" {
			assert.ErrorContains(t, err, c.text, name)
			assert.Nil(t, got)
			assert.Equal(t, c.fails != nil, errors.Is(err, clickhousesignins.ErrIncomplete), name)
			continue
		}
		require.NoError(t, err, name)
		got.Malformed, got.SkippedOtherCategory = want.Malformed, want.SkippedOtherCategory
		requireSame(t, want, got)
	}

	_, err := (&clickhousesignins.Engine{Table: table}).Summarize(t.Context())
	assert.ErrorContains(t, err, "Conn")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&clickhousesignins.Engine{Conn: conn, Table: table}).Summarize(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// What is not kept by a server that gave a part of an answer: every query says
// that it wants all or nothing.
func TestQueriesWantAllOrNothing(t *testing.T) {
	engine := clickhousesignins.Engine{Table: clickhousesignins.Table{From: "signins", Record: "record"}}
	queries := engine.Queries()
	require.Len(t, queries, 10)
	for _, q := range queries {
		text := q.String()
		assert.Regexp(t, `^-- .*\n`, text)
		assert.NotContains(t, text, "\n\n")
		for _, setting := range []string{"result_overflow_mode", "read_overflow_mode", "timeout_overflow_mode", "group_by_overflow_mode"} {
			assert.Contains(t, text, setting+" = 'throw'", q.Part)
		}
		assert.Contains(t, text, "skip_unavailable_shards = 0", q.Part)
	}
}
