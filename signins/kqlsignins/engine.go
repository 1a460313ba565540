// Package kqlsignins summarises a log of sign-ins that lies in Log Analytics,
// Sentinel or Azure Data Explorer, where it lies: the questions that a
// [signins.Summary] answers are asked in the Kusto Query Language, and a few
// rows for each come back.
//
//	client, err := azlogs.NewClient(credential, nil)
//	engine := kqlsignins.Engine{Runner: kqlsignins.LogAnalytics(client, workspaceID)}
//	engine.Summarizer.Since, engine.Summarizer.Until = monday, tuesday
//	summary, err := engine.Summarize(ctx)
//
// The tables that are read are SigninLogs, AADNonInteractiveUserSignInLogs,
// AADServicePrincipalSignInLogs and AADManagedIdentitySignInLogs, as far as
// they are there: a workspace without one of them is no error, and says nothing
// about its sign-ins. Sign-ins at AD FS (ADFSSignInLogs) are not read.
//
// The summary is the one that package signins makes of an export of the same
// tables, attacks included, but that copies of an event count as such however
// far apart they are, that time is TimeGenerated where parts are cut, and that
// sign-ins out of the time that is asked about are not counted in OutsidePeriod.
//
// Log Analytics needs the permission to read the workspace's tables, such as
// the role Log Analytics Reader gives; Data Explorer the role Viewer.
package kqlsignins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/internal/plan"
)

// A Runner asks an engine queries. [LogAnalytics] and [DataExplorer] make some,
// and another is easily written.
type Runner interface {
	// Run asks query and calls row with each row of the answer, which has the
	// given columns in this order. A cell is nil, a string, an int64, a bool or
	// a time.Time; row keeps none of it. Run returns an error unless that was the
	// whole answer: one that wraps [ErrIncomplete] if a shorter time may be
	// answered whole, and a [*BusyError] if the same may be asked again later.
	// If row returns an error, Run returns it.
	Run(ctx context.Context, query string, columns []string, row func(cells []any) error) error
}

// ErrIncomplete is wrapped by errors that say that an engine answered a part of
// a question, or gave up: it cut the answer at its limits of rows or bytes, ran
// out of time or memory, or some of its nodes failed.
var ErrIncomplete = plan.ErrTooMuch

// A BusyError says that an engine takes no question now.
type BusyError struct {
	After time.Duration // how long to leave it alone; 0 if it does not say
	Err   error         // what it said
}

// Error returns what Err does.
func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *BusyError) Unwrap() error { return e.Err }

// An Engine summarises the log that its Runner asks. Runner is needed. It is
// for one goroutine at a time.
type Engine struct {
	Runner Runner

	// Summarizer holds the definition of legacy authentication, the time that is
	// asked about, what counts as an attack, and the tables. Without a time, it
	// is all that the log holds.
	Summarizer signins.Summarizer

	// Part is the longest time that is asked about at once; parts are merged. A
	// day if it is 0, and without a limit if it is negative. Where an answer is cut or takes too long, the time is
	// halved, down to a minute.
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

// A Query is one question in KQL.
type Query struct {
	Part signins.Part
	Text string
}

// String returns the text, which begins with a line of comment, holds no blank
// line and ends with a line feed. It can be pasted into a portal as it is.
func (q Query) String() string { return q.Text }

// Queries returns all that is asked about the whole time at once, in the order
// in which it is asked. It needs no Runner.
func (e *Engine) Queries() []Query {
	var all []Query
	for _, q := range plan.New(&e.Summarizer).Queries(plan.KQLDialect(), e.window()) {
		all = append(all, Query{q.Part, q.Text})
	}
	return all
}

func (e *Engine) window() plan.Window {
	return plan.Window{Since: e.Summarizer.Since, Until: e.Summarizer.Until, Untimed: true}
}

// Summarize asks all questions and puts the answers together. It is an error if
// the answers do not fit each other, because records arrive all the time: ask
// about a time that is some hours past. A summary comes without an error or not
// at all.
func (e *Engine) Summarize(ctx context.Context) (*signins.Summary, error) {
	if e.Runner == nil {
		return nil, errors.New("kqlsignins: an Engine needs a Runner")
	}
	engine := &plan.Engine{Run: e.run, Dialect: plan.KQLDialect(), Window: e.window(), Part: e.Part, Wait: e.wait}
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
	s, err := plan.New(&e.Summarizer).Summarize(ctx, engine)
	if err != nil {
		return nil, fmt.Errorf("kqlsignins: %w", err)
	}
	return s, nil
}

// run is a plan.Run.
func (e *Engine) run(ctx context.Context, query string, columns []string, row func([]plan.Value) error) error {
	values := make([]plan.Value, len(columns))
	err := e.Runner.Run(ctx, query, columns, func(cells []any) error {
		if len(cells) != len(columns) {
			return fmt.Errorf("a row of the answer has %d cells, not %d", len(cells), len(columns))
		}
		for i, c := range cells {
			values[i] = plan.Value{Any: c}
		}
		return row(values)
	})
	var busy *BusyError
	if errors.As(err, &busy) {
		return &plan.Busy{After: busy.After, Err: err}
	}
	return err
}
