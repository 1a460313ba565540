// Package clickhousesignins summarises a log of sign-ins that lies in
// ClickHouse, where it lies: the questions that a [signins.Summary] answers are
// asked in SQL, and a few rows for each come back.
//
//	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{"clickhouse.contoso.com:9440"}, TLS: &tls.Config{}})
//	engine := clickhousesignins.Engine{Conn: conn, Table: clickhousesignins.Table{From: "signins", Record: "record"}}
//	summary, err := engine.Summarize(ctx)
//
// The summary is the one that package signins makes of the same records, attacks
// included, but for three things: copies of an event count as such however far
// apart they are, while [signins.Dedupe] remembers so many; records that are no
// sign-ins are counted, and their Errors are not told; and sign-ins out of the
// time that is asked about are not counted in OutsidePeriod.
//
// Records are those that diagnostic settings write, or those of Microsoft
// Graph's pages. [Table.Schema] and [Table.Insert] give a table for them.
//
// The package was tried with ClickHouse 26.7. It needs the right to read the
// table; with readonly = 1 ClickHouse refuses the settings that queries end with,
// and by which it shall refuse what it cannot answer whole.
package clickhousesignins

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan"
)

// ErrIncomplete is wrapped by errors that say that ClickHouse answered a part
// of a question, or gave up, even for the shortest time that was asked about.
var ErrIncomplete = plan.ErrTooMuch

// An Engine summarises the log in one table. Conn and Table are needed. It is
// for one goroutine at a time.
type Engine struct {
	// Conn is the connection, which the Engine does not close.
	Conn driver.Conn

	// Table is where the log lies.
	Table Table

	// Summarizer holds the definition of legacy authentication, the time that is
	// asked about, what counts as an attack, and the tables.
	Summarizer signins.Summarizer

	// Part is the longest time that is asked about at once; parts are merged. A
	// day if it is 0, and without a limit if it is negative. Copies of an event that carry different times may lie in
	// different parts, and are then counted twice. Where an answer is too large
	// or takes too long, the time is halved, down to a minute.
	Part time.Duration

	// Progress, if not nil, is called after each question.
	Progress func(Progress)

	wait func(context.Context, time.Duration) error
}

// Progress tells how far an Engine is.
type Progress struct {
	Since, Until time.Time    // the time that was asked about; zero for no limit
	Part         signins.Part // the question that was answered
	Rows         int64        // of the answer
	Answers      int          // how many questions have been answered so far
}

// A Query is one question in SQL.
type Query struct {
	Part signins.Part // unknown for the question how many records are no sign-ins
	Text string
}

// String returns the text, which begins with a line of comment, holds no blank
// line and ends with a line feed.
func (q Query) String() string { return q.Text }

// Queries returns all that is asked about the whole time at once, in the order
// in which it is asked. It needs no Conn.
func (e *Engine) Queries() []Query {
	var all []Query
	for _, q := range e.plan().Queries(e.dialect(), e.window()) {
		all = append(all, Query{q.Part, q.Text})
	}
	return all
}

func (e *Engine) plan() *plan.Plan      { return plan.New(&e.Summarizer) }
func (e *Engine) dialect() plan.Dialect { return plan.SQLDialect(e.Table.plan()) }
func (e *Engine) window() plan.Window {
	return plan.Window{Since: e.Summarizer.Since, Until: e.Summarizer.Until, Untimed: true}
}

// Summarize asks all questions and puts the answers together. It is an error if
// the answers do not fit each other, because records arrive all the time: ask
// about a time that is some hours past. A summary comes without an error or not
// at all.
func (e *Engine) Summarize(ctx context.Context) (*signins.Summary, error) {
	if e.Conn == nil || e.Table.From == "" {
		return nil, errors.New("clickhousesignins: an Engine needs Conn and Table.From")
	}
	engine := &plan.Engine{Run: e.run, Dialect: e.dialect(), Window: e.window(), Part: e.Part, Wait: e.wait}
	if engine.Part == 0 {
		engine.Part = 24 * time.Hour
	}
	if engine.Wait == nil {
		engine.Wait = plan.Sleep
	}
	if e.Progress != nil {
		engine.Progress = func(p plan.Progress) {
			e.Progress(Progress{p.Window.Since, p.Window.Until, p.Part, p.Rows, p.Answers})
		}
	}
	s, err := e.plan().Summarize(ctx, engine)
	if err != nil {
		return nil, fmt.Errorf("clickhousesignins: %w", err)
	}
	return s, nil
}

// run is a plan.Run.
func (e *Engine) run(ctx context.Context, query string, columns []string, row func([]plan.Value) error) error {
	rows, err := e.Conn.Query(ctx, query)
	if err != nil {
		return told(err)
	}
	defer rows.Close()
	types := rows.ColumnTypes()
	if len(types) == 0 && !rows.Next() { // nothing was found, and a server may say just that
		return told(rows.Err())
	}
	if len(types) != len(columns) {
		return fmt.Errorf("the answer has %d columns, not %d", len(types), len(columns))
	}
	cells := make([]any, len(types))
	for i, t := range types {
		if t.Name() != columns[i] {
			return fmt.Errorf("column %d of the answer is %.40q, not %q", i+1, t.Name(), columns[i])
		}
		cells[i] = reflect.New(t.ScanType()).Interface()
	}
	values := make([]plan.Value, len(cells))
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return told(err)
		}
		for i, c := range cells {
			if values[i], err = valueOf(c); err != nil {
				return fmt.Errorf("column %s: %w", columns[i], err)
			}
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return told(rows.Err())
}

// valueOf returns what the pointer cell points at.
func valueOf(cell any) (plan.Value, error) {
	v := reflect.ValueOf(cell)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return plan.Value{}, nil
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.String:
		return plan.Value{Any: v.String()}, nil
	case v.Kind() == reflect.Bool:
		return plan.Value{Any: v.Bool()}, nil
	case v.CanInt():
		return plan.Value{Any: v.Int()}, nil
	case v.CanUint():
		return plan.Value{Any: int64(v.Uint())}, nil
	}
	if t, ok := v.Interface().(time.Time); ok {
		return plan.Value{Any: t}, nil
	}
	return plan.Value{}, fmt.Errorf("a %s was not expected", v.Type())
}

// exceptionCode finds the number of an exception in an error that came by HTTP.
var exceptionCode = regexp.MustCompile(`(?i)\bcode: (\d+)`)

// Codes of ClickHouse's exceptions that say that a question is too much, or
// that it is not the time for it.
// https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
var (
	tooMuch = map[int]bool{158: true, 159: true, 160: true, 173: true, 241: true, 307: true, 396: true}
	busy    = map[int]bool{202: true, 203: true}
)

// told is err, with what it means.
func told(err error) error {
	if err == nil {
		return nil
	}
	code := 0
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		code = int(exception.Code)
	} else if found := exceptionCode.FindStringSubmatch(err.Error()); found != nil {
		code, _ = strconv.Atoi(found[1])
	}
	switch {
	case tooMuch[code]:
		return fmt.Errorf("%w: %w", plan.ErrTooMuch, err)
	case busy[code]:
		return &plan.Busy{Err: err}
	}
	return err
}
