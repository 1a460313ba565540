// Package plan says in which questions an engine that holds a sign-in log
// answers what [signins.Summarizer] does, puts them in the engine's language,
// and puts the answers together. The tables by which sign-ins are classified
// are those of package signins: each is written into the queries, and none is
// typed a second time.
package plan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// A Plan is the questions of one summary, by one definition of legacy
// authentication and one set of tables.
type Plan struct {
	steps     []step
	questions []question
	settings  *signins.Summarizer
}

// New returns the plan of z, whose Since and Until it does not look at.
func New(z *signins.Summarizer) *Plan {
	return &Plan{steps: classification(z.Definition, z.Tables), questions: questions(), settings: z}
}

// A Window is a part of the time that is asked about: from Since on and before
// Until, each without a limit if it is zero.
type Window struct {
	Since, Until time.Time
	Untimed      bool // events without a time as well
}

func (w Window) String() string {
	show := func(t time.Time, open string) string {
		if t.IsZero() {
			return open
		}
		return t.UTC().Format(time.RFC3339)
	}
	return show(w.Since, "the beginning") + " to " + show(w.Until, "the end")
}

// halves parts w, and reports whether that can be done.
func (w Window) halves() (a, b Window, ok bool) {
	const shortest = time.Minute
	if w.Since.IsZero() || w.Until.IsZero() || w.Until.Sub(w.Since) < 2*shortest {
		return a, b, false
	}
	middle := w.Since.Add(w.Until.Sub(w.Since) / 2).Truncate(time.Second)
	return Window{w.Since, middle, w.Untimed}, Window{middle, w.Until, false}, true
}

// cut parts w into pieces of length each at most.
func (w Window) cut(length time.Duration) []Window {
	if w.Since.IsZero() || w.Until.IsZero() || length <= 0 {
		return []Window{w}
	}
	var all []Window
	for since := w.Since; since.Before(w.Until); {
		until := since.Truncate(length).Add(length) // so that the same part of a log is asked in the same way every day
		if until.After(w.Until) {
			until = w.Until
		}
		all = append(all, Window{since, until, w.Untimed && len(all) == 0})
		since = until
	}
	return all
}

// ErrTooMuch is wrapped by the error of a [Run] that got a part of an answer:
// the engine cut it, or gave up. A shorter time may be answered whole.
var ErrTooMuch = errors.New("the engine did not answer the whole question")

// A Busy is the error of an engine that has to be left alone for a time.
type Busy struct {
	After time.Duration // 0 if the engine does not say
	Err   error
}

func (e *Busy) Error() string { return e.Err.Error() }
func (e *Busy) Unwrap() error { return e.Err }

// Run asks an engine a query, and calls row with each row of the answer. It
// returns an error unless that was the whole answer: one that wraps
// [ErrTooMuch], or a [*Busy], or one that ends all.
type Run func(ctx context.Context, query string, columns []string, row func([]Value) error) error

// A Dialect puts the questions in the language of an engine.
type Dialect struct {
	Question func(p *Plan, q *question, w Window) string
	Bounds   string                // asks for the columns First and Last, or "" if the log is not to be parted
	Skipped  func(w Window) string // asks for the columns Other and Unreadable, or nil
}

// KQLDialect is that of Log Analytics and Data Explorer.
func KQLDialect() Dialect { return Dialect{(*Plan).KQL, boundsKQL(), nil} }

// SQLDialect is that of ClickHouse.
func SQLDialect(t Table) Dialect {
	return Dialect{func(p *Plan, q *question, w Window) string { return p.SQL(q, t, w) }, t.boundsSQL(), t.skippedSQL}
}

// A Query is one question in an engine's language.
type Query struct {
	Part signins.Part // unknown if it is about records that are no sign-ins
	Text string
}

// Queries returns all that is asked about w.
func (p *Plan) Queries(d Dialect, w Window) []Query {
	var all []Query
	for i := range p.questions {
		all = append(all, Query{p.questions[i].part, d.Question(p, &p.questions[i], w)})
	}
	if d.Skipped != nil {
		all = append(all, Query{signins.UnknownPart, d.Skipped(w)})
	}
	return all
}

// Progress tells how far an engine is.
type Progress struct {
	Window  Window
	Part    signins.Part // the question that was answered
	Rows    int64        // of its answer
	Answers int          // how many questions have been answered
}

// An Engine is what answers.
type Engine struct {
	Run     Run
	Dialect Dialect

	Window   Window
	Part     time.Duration // longest time that is asked about at once; 0 for no limit
	Progress func(Progress)
	Wait     func(context.Context, time.Duration) error // for the engine to be less busy
}

// tries is how often a window is asked about again because the engine is busy,
// or the log grew between two questions.
const tries = 5

// Summarize asks all questions of p about the engine's window, in parts where
// that is too much at once, and puts the answers together.
func (p *Plan) Summarize(ctx context.Context, e *Engine) (*signins.Summary, error) {
	a := &asking{p: p, e: e}
	return signins.MergeAll(func(yield func(*signins.Summary, error) bool) {
		all := signinsOrStop(yield)
		w := e.Window
		w.Untimed = true
		if e.Part > 0 && (w.Since.IsZero() || w.Until.IsZero()) {
			bounded, err := a.bounded(ctx, w)
			if err != nil {
				all(nil, err)
				return
			}
			w = bounded
		}
		for _, part := range w.cut(e.Part) {
			for s, err := range a.summaries(ctx, part) {
				if !all(s, err) {
					return
				}
			}
		}
	})
}

// signinsOrStop is yield, which is not called again once it has said no or got
// an error.
func signinsOrStop(yield func(*signins.Summary, error) bool) func(*signins.Summary, error) bool {
	stopped := false
	return func(s *signins.Summary, err error) bool {
		if stopped {
			return false
		}
		stopped = !yield(s, err) || err != nil
		return !stopped
	}
}

// asking is an engine that is being asked.
type asking struct {
	p       *Plan
	e       *Engine
	answers int
}

// summaries yields those of w, or of the parts that it takes.
func (a *asking) summaries(ctx context.Context, w Window) iter.Seq2[*signins.Summary, error] {
	return func(yield func(*signins.Summary, error) bool) {
		s, err := a.summary(ctx, w)
		if err == nil {
			yield(s, nil)
			return
		}
		if !errors.Is(err, ErrTooMuch) || ctx.Err() != nil {
			yield(nil, err)
			return
		}
		if bounded, boundsErr := a.bounded(ctx, w); boundsErr == nil {
			w = bounded
		}
		first, second, ok := w.halves()
		if !ok {
			yield(nil, err)
			return
		}
		for _, half := range []Window{first, second} {
			for s, err := range a.summaries(ctx, half) {
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// bounded returns w with both its limits.
func (a *asking) bounded(ctx context.Context, w Window) (Window, error) {
	if !w.Since.IsZero() && !w.Until.IsZero() || a.e.Dialect.Bounds == "" {
		return w, nil
	}
	var first, last time.Time
	err := a.run(ctx, a.e.Dialect.Bounds, []string{colFirst, colLast}, func(row []Value) (err error) {
		if first, err = row[0].time(); err == nil {
			last, err = row[1].time()
		}
		return err
	})
	if err != nil {
		return w, fmt.Errorf("asking for the time of the first and the last sign-in: %w", err)
	}
	if first.IsZero() {
		return w, nil
	}
	if w.Since.IsZero() {
		w.Since = first
	}
	if w.Until.IsZero() {
		w.Until = last.Truncate(time.Second).Add(time.Second)
	}
	if !w.Since.Before(w.Until) {
		w.Until = w.Since.Add(time.Second)
	}
	return w, nil
}

// run asks, and waits where the engine is busy.
func (a *asking) run(ctx context.Context, query string, columns []string, row func([]Value) error) error {
	for try := 1; ; try++ {
		started := false
		err := a.e.Run(ctx, query, columns, func(r []Value) error {
			started = true
			if len(r) != len(columns) {
				return fmt.Errorf("a row of the answer has %d columns, not %d", len(r), len(columns))
			}
			return row(r)
		})
		var busy *Busy
		if err == nil || !errors.As(err, &busy) || try == tries || started {
			return err
		}
		wait := busy.After
		if wait <= 0 {
			wait = time.Duration(1<<try) * time.Second
		}
		if err := a.e.Wait(ctx, min(wait, 5*time.Minute)); err != nil {
			return err
		}
	}
}

// A changed is the error of answers that do not fit each other.
type changed struct{ text string }

func (e *changed) Error() string { return e.text }

// summary asks everything about w. Answers that do not fit each other are of
// different states of the log: then all is asked again.
func (a *asking) summary(ctx context.Context, w Window) (*signins.Summary, error) {
	for try := 1; ; try++ {
		s, err := a.once(ctx, w)
		var differs *changed
		if err == nil || !errors.As(err, &differs) {
			return s, err
		}
		if try == tries {
			return nil, fmt.Errorf("%w; ask about a time that is some hours past, when no more records arrive", err)
		}
		if err := a.e.Wait(ctx, time.Duration(try)*time.Second); err != nil {
			return nil, err
		}
	}
}

func (a *asking) once(ctx context.Context, w Window) (*signins.Summary, error) {
	stream := a.p.settings.Begin()
	var c counts
	for i := range a.p.questions {
		q := &a.p.questions[i]
		rows := int64(0)
		err := a.run(ctx, a.e.Dialect.Question(a.p, q, w), q.Columns(), func(row []Value) error {
			rows++
			g, err := q.group(row)
			if err == nil {
				c.add(q.part, &g)
				if q.part == signins.PartEvidence && !inRange(g.First, g.Last) {
					return nil // no record of a sign-in is as old, or as young
				}
				err = stream.AddGroup(q.part, &g)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", q.part, w, err)
		}
		if err := c.fit(q.part); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", q.part, w, err)
		}
		a.answers++
		if a.e.Progress != nil {
			a.e.Progress(Progress{w, q.part, rows, a.answers})
		}
	}
	s := stream.Summary()
	if a.e.Dialect.Skipped != nil {
		err := a.run(ctx, a.e.Dialect.Skipped(w), []string{"Other", "Unreadable"}, func(row []Value) error {
			other, err := row[0].number()
			if err != nil {
				return err
			}
			unreadable, err := row[1].number()
			s.SkippedOtherCategory += other
			s.Malformed += unreadable
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("records that are no sign-ins, %s: %w", w, err)
		}
	}
	return s, nil
}

func inRange(first, last time.Time) bool {
	return !first.IsZero() && first.Unix() >= 0 && last.Unix() <= math.MaxUint32
}

// counts are the numbers that several answers have in common.
type counts struct {
	legacy, users, evidence int64 // by the totals
	countries, agents       int64 // by the places and the applications
	of                      [signins.PartEvidence + 1]int64
}

func (c *counts) add(p signins.Part, g *signins.Group) {
	legacy := g.Verdict.Class == signins.Legacy
	something := g.Verdict.Class != signins.NotApplicable && (g.Verdict.ROPC == crossprem.Yes || g.Verdict.DeviceCode == crossprem.Yes || g.Verdict.NativeMail == crossprem.Yes)
	switch p {
	case signins.PartTotals:
		if legacy {
			c.legacy += g.Records
		}
		if legacy || something {
			c.users += g.Records
		}
		if g.Kind != signins.UnknownEvidence {
			c.evidence += g.Records
		}
	case signins.PartApplications:
		if !legacy {
			return
		}
		if g.SignIn.UserAgent != "" {
			c.agents += g.Records
		}
	case signins.PartPlaces:
		if g.SignIn.CountryOrRegion != "" {
			c.countries += g.Records
		}
	}
	c.of[p] += g.Records
}

// fit returns an error if the answer to p counts other sign-ins than those
// before it.
func (c *counts) fit(p signins.Part) error {
	want := c.of[p]
	switch p {
	case signins.PartApplications, signins.PartPlaces, signins.PartTimes:
		want = c.legacy
	case signins.PartUsers:
		want = c.users
	case signins.PartUserCountries:
		want = c.countries
	case signins.PartUserClients:
		want = c.agents
	case signins.PartEvidence:
		want = c.evidence
	}
	if c.of[p] != want {
		return &changed{fmt.Sprintf("the answer counts %d sign-ins, and another answer %d of the same", c.of[p], want)}
	}
	return nil
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
