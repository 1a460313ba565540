package oauthcert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// An Applier holds the settings of [Applier.Apply] and its kin. The zero value
// is ready to use, and one Applier may serve many goroutines; two that change
// the same object at once will refuse each other's plans.
type Applier struct {
	// Interval is the time between two looks at the directory after a write.
	// It doubles each time, up to eight times itself. If zero, 2 s.
	Interval time.Duration

	// Patience bounds the time for which the directory is asked until it
	// shows the plan. If zero, 5 min. Entra ID usually takes seconds, and minutes at times.
	Patience time.Duration

	// Steady is the time for which the directory must show the plan without
	// a break: any replica may answer, and not all learn of a write at once. A
	// plan made after Apply returned then rests on all that this one wrote, if
	// no replica is later than Steady. If zero, 30 s.
	Steady time.Duration

	// Agreeing is how many reads in a row must show the object as it was for
	// the plan, before each write, with Interval between them. If zero, 2. A
	// replica that is late may hide a key that was added a minute ago; the
	// more reads agree, the less likely all of them came from such a one.
	Agreeing int

	// Attempts bounds the writes of one plan, but for those that only change
	// the form in which a kept key is written. If zero, 4.
	Attempts int

	// Progress, if not nil, is told what happens as it happens, from the
	// goroutine that called.
	Progress func(Progress)
}

// Progress is one thing that happened.
type Progress struct {
	Stage   Stage
	Attempt int    // of the write, from 1
	Look    int    // at the directory, from 1
	Note    string // for people, one line
}

// A Stage tells where the work stands.
type Stage string

const (
	BackingUp Stage = "backup"
	Reading   Stage = "read"
	Writing   Stage = "write"
	Waiting   Stage = "wait"
	Shown     Stage = "shown"
)

// A Report tells what was done. It marshals to JSON and can be read back.
type Report struct {
	Target     Target     `json:"target"`
	Collection Collection `json:"collection"`
	Outcome    Outcome    `json:"outcome"`

	// Steps are those of the plan. After a write they say in which form each
	// kept key was really written last.
	Steps []Step `json:"steps"`

	Writes int     `json:"writes"` // requests sent that could change the directory, without those that were refused
	Looks  int     `json:"looks"`  // reads after the last write
	Shown  bool    `json:"shown"`  // the directory shows exactly the plan, whoever wrote it
	After  *Object `json:"after,omitempty"`
}

var (
	// ErrNoBackup reports that no writer for the backup was given.
	ErrNoBackup = errors.New("oauthcert: a plan is not applied without a backup")

	errNotMade = errors.New("oauthcert: the plan was not made by PlanKeys, PlanNames or PlanRestore")

	// ErrChanged is what a [*ChangedError] is.
	ErrChanged = errors.New("the directory has changed since the plan was made")

	// ErrNotShown is what a [*NotShownError] is.
	ErrNotShown = errors.New("the directory does not show the plan")
)

// A ChangedError reports that somebody else changed the collection after the
// plan was made. If Writes is zero nothing was written; make a new plan.
type ChangedError struct {
	Target  Target
	Changes []string
	Writes  int // earlier writes of this call, whose outcome is unknown
}

func (e *ChangedError) Error() string {
	text := fmt.Sprintf("oauthcert: %s: %v: %s", e.Target, ErrChanged, strings.Join(e.Changes[:min(len(e.Changes), 4)], ", "))
	if more := len(e.Changes) - 4; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if e.Writes == 0 {
		return text + "; plan again"
	}
	return text + "; a write whose answer was lost came before: look, and plan again"
}

// Is reports whether target is [ErrChanged].
func (e *ChangedError) Is(target error) bool { return target == ErrChanged }

// A NotShownError reports that the directory did not come to show exactly the
// plan within the time allowed, or could not be asked. It may yet: ask
// [Applier.Verify] later.
type NotShownError struct {
	Target  Target
	Missing []string // of the plan, and not shown
	Extra   []string // shown, and not of the plan: somebody else's since, or dropped and still there
	Last    error    // of the last look, if it failed
}

func (e *NotShownError) Error() string {
	what := ErrNotShown.Error()
	if e.Last != nil && len(e.Missing)+len(e.Extra) == 0 {
		what = "the directory was not seen to show the plan"
	}
	text := fmt.Sprintf("oauthcert: %s: %s", e.Target, what)
	if len(e.Missing) > 0 {
		text += "; missing: " + oneLine(strings.Join(e.Missing, ", "), 400)
	}
	if len(e.Extra) > 0 {
		text += "; besides: " + oneLine(strings.Join(e.Extra, ", "), 400)
	}
	if e.Last != nil {
		text += "; the last look failed: " + oneLine(e.Last.Error(), 300)
	}
	return text
}

// Is reports whether target is [ErrNotShown].
func (e *NotShownError) Is(target error) bool { return target == ErrNotShown }

// Unwrap returns the error of the last look, if it failed.
func (e *NotShownError) Unwrap() error { return e.Last }

func (a *Applier) interval() time.Duration { return orElse(a.Interval, 2*time.Second) }
func (a *Applier) patience() time.Duration { return orElse(a.Patience, 5*time.Minute) }
func (a *Applier) shownFor() time.Duration { return orElse(a.Steady, 30*time.Second) }
func (a *Applier) attempts() int           { return orElse(a.Attempts, 4) }
func (a *Applier) agreeing() int           { return orElse(a.Agreeing, 2) }

func orElse[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

func (a *Applier) tell(p Progress) {
	if a.Progress != nil {
		a.Progress(p)
	}
}

// Apply applies plan with the settings of the zero [Applier].
func Apply(ctx context.Context, dir Directory, plan *Plan, backup io.Writer) (*Report, error) {
	return new(Applier).Apply(ctx, dir, plan, backup)
}

// Verify asks with the settings of the zero [Applier] whether the directory
// shows plan.
func Verify(ctx context.Context, dir Directory, plan *Plan) (*Report, error) {
	return new(Applier).Verify(ctx, dir, plan)
}

// Restore brings back what a backup holds with the settings of the zero
// [Applier].
func Restore(ctx context.Context, dir Directory, backup io.Reader, policy Policy, next io.Writer) (*Report, error) {
	return new(Applier).Restore(ctx, dir, backup, policy, next)
}

// Apply brings the directory to what plan says, and returns when the
// directory shows it.
//
// First the object as it was read for the plan goes to backup. Immediately
// before each write the object is read again, as often as a.Agreeing says, and
// a [*ChangedError] is returned if one read shows another object than the one
// that the plan was made from. The write replaces the collection by what the
// plan keeps and adds. If the answer to a write is lost, the directory itself
// reports whether it took effect. Then it is asked until it shows exactly the
// plan, and does so for a while.
//
// A kept key is somebody else's, and is written by reference. Where the
// directory refuses that, it is written by reference without its display
// name; where it refuses this too, anew with its value, but only if that
// changes nothing but its keyId; else the error is a [*KeptKeyError]. This
// holds on first-party principals too. The report says what was written.
//
// Every error but a [*RefusedError] for a plan that must not be applied, and
// [ErrNoBackup] and what the backup's writer returned, is an [*ApplyError],
// whose Outcome, as that of the report, says what is known of the write. In it
// are a [*ChangedError], a [*DirectoryError] of a write or of a look, a
// [*KeptKeyError], a [*NotShownError], or the error of the context. The report
// is nil only if nothing was read and nothing sent.
//
// The directory has no way to write on a condition. What another program adds
// between the last reading and the write is replaced, and so is what it added
// earlier if every replica that answered is late by more than the time since.
// Nothing that the plan keeps is ever lost by it. Run such programs one after
// the other where that can be arranged.
//
// For a plan without changes the object is read once and compared.
func (a *Applier) Apply(ctx context.Context, dir Directory, plan *Plan, backup io.Writer) (*Report, error) {
	if plan == nil || plan.base == nil {
		return nil, errNotMade
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	if plan.Changes() {
		if backup == nil {
			return nil, ErrNoBackup
		}
		a.tell(Progress{Stage: BackingUp, Note: "writing the backup"})
		if err := writeBackup(backup, plan.base, plan.Collection, time.Now()); err != nil {
			return nil, err
		}
	}
	r := &run{Applier: a, dir: dir, plan: plan, report: a.report(plan)}
	var err error
	if plan.Changes() {
		err = r.change(ctx)
	} else if _, err = r.look(ctx); err == nil {
		r.report.Shown = true
	}
	if err != nil {
		err = &ApplyError{Target: plan.Target, Outcome: r.report.Outcome, Err: err}
	}
	return r.report, err
}

// A run is one call of Apply.
type run struct {
	*Applier
	dir    Directory
	plan   *Plan
	report *Report
}

// A sight is what a look at the object showed.
type sight uint8

const (
	unchanged sight = iota // as the plan was made from
	done                   // as the plan leads to
)

// change writes the plan until it is accepted and seen, or cannot be.
func (r *run) change(ctx context.Context) error {
	for attempt := 1; ; {
		seen, err := r.steady(ctx)
		if err != nil {
			return err
		}
		if seen == done {
			return r.seen(ctx)
		}
		switch got, err := r.write(ctx, attempt); got {
		case accepted:
			return r.seen(ctx)
		case unsent, refused:
			return err
		case refusedForm:
			steps, err := reform(r.plan.Target, r.report.Steps, err)
			if err != nil {
				return err
			}
			r.report.Steps = steps
			r.tell(Progress{Stage: Writing, Attempt: attempt, Note: "the kept keys were refused; writing them in another form"})
		case refusedForNow:
			wait, inTime := r.pause(err)
			if attempt++; attempt > r.attempts() || !inTime {
				return err
			}
			r.tell(Progress{Stage: Waiting, Note: "the write was refused for now; waiting before the next attempt"})
			if err := sleep(ctx, wait); err != nil {
				return err
			}
		case lost:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if attempt++; attempt > r.attempts() {
				if unseen := r.seen(ctx); unseen != nil {
					return fmt.Errorf("%w; the last write failed: %w", unseen, err)
				}
				return nil
			}
			seen, failed := r.settle(ctx, err)
			if failed != nil {
				return failed
			}
			if seen == done {
				return r.seen(ctx)
			}
		}
	}
}

// write sends the collection once, and notes what is known of the outcome.
func (r *run) write(ctx context.Context, attempt int) (answer, error) {
	if err := ctx.Err(); err != nil {
		return unsent, err
	}
	r.tell(Progress{Stage: Writing, Attempt: attempt, Note: "writing " + string(r.plan.Collection)})
	err := r.send(ctx)
	a := answerOf(err, r.plan.Collection)
	switch a {
	case accepted:
		r.report.Writes++
		r.report.Outcome = OutcomeWritten
	case lost:
		r.report.Writes++
		r.report.Outcome = OutcomeUnknown
	case refused, refusedForNow, refusedForm:
		if r.report.Outcome == OutcomeNotSent { // an earlier one may have taken effect
			r.report.Outcome = OutcomeRefused
		}
	}
	return a, err
}

func (r *run) send(ctx context.Context) error {
	if r.plan.Collection == Names {
		return r.dir.WriteNames(ctx, r.plan.Target, r.plan.names())
	}
	keys := []KeyCredential{}
	for _, s := range r.report.Steps {
		if s.Action == Kept || s.Action == Added {
			keys = append(keys, s.entry())
		}
	}
	return r.dir.WriteKeys(ctx, r.plan.Target, keys)
}

// seen waits until the directory has shown the plan for a while.
func (r *run) seen(ctx context.Context) error { return r.confirm(ctx, r.dir, r.plan, r.report) }

// steady looks at the object immediately before a write, until as many looks
// agree as are asked for.
func (r *run) steady(ctx context.Context) (sight, error) {
	for n := 1; ; n++ {
		seen, err := r.look(ctx)
		if err != nil || seen == done || n >= r.agreeing() {
			return seen, err
		}
		if err := sleep(ctx, r.interval()); err != nil {
			return unchanged, err
		}
	}
}

// look reads the object once, and again where the directory could not be
// asked. It is a [*ChangedError] if it shows anything but what the plan was
// made from or leads to.
func (r *run) look(ctx context.Context) (sight, error) {
	for attempt := 1; ; attempt++ {
		r.tell(Progress{Stage: Reading, Attempt: attempt, Note: "reading " + r.plan.Target.String()})
		now, err := read(ctx, r.dir, r.plan.Target)
		if err == nil {
			r.report.After = now
			return r.compare(now)
		}
		a := answerOf(err, Names)
		wait, inTime := r.pause(err)
		if ctx.Err() != nil || attempt >= r.attempts() || !inTime || a == refused || a == unsent {
			return unchanged, err
		}
		if err := sleep(ctx, wait); err != nil {
			return unchanged, err
		}
	}
}

func (r *run) compare(now *Object) (sight, error) {
	changes := r.plan.changed(now)
	if len(changes) == 0 {
		return unchanged, nil
	}
	if missing, extra := r.plan.Difference(now); len(missing)+len(extra) > 0 {
		return unchanged, &ChangedError{Target: r.plan.Target, Changes: changes, Writes: r.report.Writes}
	}
	if r.report.Outcome == OutcomeUnknown {
		r.report.Outcome = OutcomeWritten
	}
	return done, nil
}

// pause is the time to wait after a failure, as the directory asks for. It is
// not in time if that is more than the patience.
func (a *Applier) pause(err error) (wait time.Duration, inTime bool) {
	var refused *DirectoryError
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return min(refused.RetryAfter, a.patience()), refused.RetryAfter <= a.patience()
	}
	return a.interval(), true
}

// settle watches the directory for a while after a write whose answer was
// lost, since a write that took effect may be seen late, and writing twice is
// to be avoided.
func (r *run) settle(ctx context.Context, lost error) (sight, error) {
	r.tell(Progress{Stage: Waiting, Note: "the write failed; waiting before the next attempt"})
	wait, _ := r.pause(lost)
	if err := sleep(ctx, wait); err != nil {
		return unchanged, err
	}
	deadline := time.Now().Add(r.patience() / 4)
	for look := 1; time.Now().Before(deadline); look++ {
		now, err := read(ctx, r.dir, r.plan.Target)
		if err == nil {
			if seen, err := r.compare(now); err != nil || seen == done {
				r.report.After = now
				return seen, err
			}
		}
		r.tell(Progress{Stage: Waiting, Look: look, Note: "the answer to the write was lost; watching whether it took effect"})
		if err := sleep(ctx, r.wait(look)); err != nil {
			return unchanged, err
		}
	}
	return unchanged, nil
}

// Verify asks the directory until it shows exactly plan, as often as Apply
// does after a write, and writes nothing: the report's Outcome is
// [OutcomeNotSent], and its Shown says whether the plan is there. The error is
// a [*NotShownError], which may hold the [*DirectoryError] of the last look, a
// [*RefusedError] for a plan with refused steps, or that of the context.
func (a *Applier) Verify(ctx context.Context, dir Directory, plan *Plan) (*Report, error) {
	if plan == nil || plan.base == nil {
		return nil, errNotMade
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	report := a.report(plan)
	return report, a.confirm(ctx, dir, plan, report)
}

func (a *Applier) report(plan *Plan) *Report {
	return &Report{Target: plan.Target, Collection: plan.Collection, Outcome: OutcomeNotSent, Steps: slices.Clone(plan.Steps)}
}

// confirm looks until the directory has shown the plan for a while.
func (a *Applier) confirm(ctx context.Context, dir Directory, plan *Plan, report *Report) error {
	began := time.Now()
	var shownSince time.Time
	for {
		report.Looks++
		now, err := read(ctx, dir, plan.Target)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		notShown := &NotShownError{Target: plan.Target, Last: err}
		if errors.Is(err, ErrPermission) || errors.Is(err, ErrUnauthorized) {
			return notShown
		}
		if err == nil {
			report.After = now
			notShown.Missing, notShown.Extra = plan.Difference(now)
		}
		pause := a.interval()
		switch {
		case err == nil && len(notShown.Missing)+len(notShown.Extra) == 0:
			if shownSince.IsZero() {
				shownSince = time.Now()
			}
			if report.Outcome == OutcomeUnknown {
				report.Outcome = OutcomeWritten
			}
			a.tell(Progress{Stage: Shown, Look: report.Looks, Note: "the directory shows the plan"})
			if time.Since(shownSince) >= a.shownFor() {
				report.shown()
				return nil
			}
		case time.Since(began) >= a.patience():
			return notShown
		default:
			if err == nil {
				shownSince = time.Time{}
			}
			asked, _ := a.pause(err)
			pause = max(a.wait(report.Looks), asked)
			a.tell(Progress{Stage: Waiting, Look: report.Looks, Note: "the directory does not show the plan yet"})
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// shown notes that the directory shows the plan, and which keyIds the keys
// have now that were written anew.
func (r *Report) shown() {
	r.Shown = true
	if r.Outcome == OutcomeWritten {
		r.Outcome = OutcomeShown
	}
	for i, s := range r.Steps {
		if s.Action != Kept || s.Key == nil || s.form() != byValue || r.Outcome != OutcomeShown {
			continue
		}
		for _, k := range r.After.Keys {
			if bytes.Equal(k.Key, s.Key.Key) && k.Type == s.Key.Type && k.Usage == s.Key.Usage && !strings.EqualFold(k.KeyID, s.Key.KeyID) {
				r.Steps[i].NewKeyID = k.KeyID
			}
		}
	}
}

// read reads the object, and leaves out what must not get into a report.
func read(ctx context.Context, dir Directory, target Target) (*Object, error) {
	o, err := dir.Read(ctx, target)
	if err != nil {
		return nil, err
	}
	return o.public(), nil
}

// wait is the time to wait after the given look.
func (a *Applier) wait(look int) time.Duration { return a.interval() << min(look-1, 3) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
