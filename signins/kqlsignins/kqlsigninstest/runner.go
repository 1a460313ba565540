// Package kqlsigninstest has a workspace that answers the queries of package
// kqlsignins from a slice of sign-ins, for tests of programs that use it.
package kqlsigninstest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan"
	"github.com/crossprem/crossprem/signins/kqlsignins"
)

// A Workspace is a log that answers what an Engine with the same Summarizer
// asks, and nothing else. It implements [kqlsignins.Runner]. It is strict: it
// wants the columns in their order, and answers that are larger than MaxRows are
// cut, as those of the services are. It may be used by several goroutines; the
// fields are not to be changed then.
type Workspace struct {
	// Log holds each event once.
	Log []signins.SignIn

	// Summarizer is that of the Engine.
	Summarizer signins.Summarizer

	// MaxRows is how many rows an answer may have: 500,000 if it is 0.
	MaxRows int

	// Refuse, if not nil, is called with the number of each query, counted from
	// 0, and its text. If it returns an error, that is the answer.
	Refuse func(n int, query string) error

	mutex sync.Mutex
	asked []string
}

var _ kqlsignins.Runner = (*Workspace)(nil)

// Asked returns the queries so far.
func (w *Workspace) Asked() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.asked)
}

// Since and Until of the first table of a query.
var (
	since = regexp.MustCompile(`TimeGenerated >= datetime\(([^)]+)\)`)
	until = regexp.MustCompile(`TimeGenerated < datetime\(([^)]+)\)`)
)

// Run answers query.
func (w *Workspace) Run(ctx context.Context, query string, columns []string, row func(cells []any) error) error {
	w.mutex.Lock()
	n := len(w.asked)
	w.asked = append(w.asked, query)
	w.mutex.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.Refuse != nil {
		if err := w.Refuse(n, query); err != nil {
			return err
		}
	}
	window := plan.Window{Since: timeIn(since, query), Until: timeIn(until, query)}
	window.Untimed = window.Since.IsZero() && window.Until.IsZero()
	rows, ok := plan.New(&w.Summarizer).Answer(plan.KQLDialect(), window, query, w.Log)
	if !ok {
		return errors.New("kqlsigninstest: this is no query of an Engine with this Summarizer")
	}
	limit := w.MaxRows
	if limit == 0 {
		limit = 500_000
	}
	cells := make([]any, len(columns))
	for i, r := range rows {
		if i == limit {
			return fmt.Errorf("%w: the results of this query exceed the set limit of %d records", kqlsignins.ErrIncomplete, limit)
		}
		if len(r) != len(columns) {
			return fmt.Errorf("kqlsigninstest: the answer has %d columns, and %d were asked for", len(r), len(columns))
		}
		for k, v := range r {
			cells[k] = v.Any
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return nil
}

func timeIn(re *regexp.Regexp, query string) time.Time {
	found := re.FindStringSubmatch(query)
	if found == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, found[1])
	if err != nil {
		return time.Time{}
	}
	return at
}
