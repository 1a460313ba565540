package oauthcert

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	// Attempts bounds the writes of one plan. If zero, 4.
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

// A Report tells what was done. It marshals to JSON.
type Report struct {
	Target     Target     `json:"target"`
	Collection Collection `json:"collection"`
	Steps      []Step     `json:"steps"`
	Writes     int        `json:"writes"` // requests sent that could change the directory
	Looks      int        `json:"looks"`  // reads after the last write
	Shown      bool       `json:"shown"`  // the directory shows exactly the plan
	After      *Object    `json:"after,omitempty"`
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
		return text + "; nothing was written: plan again"
	}
	return text + "; a write whose answer was lost came before: look, and plan again"
}

// Is reports whether target is [ErrChanged].
func (e *ChangedError) Is(target error) bool { return target == ErrChanged }

// A NotShownError reports that the directory did not come to show exactly the
// plan within the time allowed. It may yet: ask [Applier.Verify] later.
type NotShownError struct {
	Target  Target
	Missing []string // of the plan, and not shown
	Extra   []string // shown, and not of the plan: somebody else's since, or dropped and still there
	Last    error    // of the last look, if it failed
}

func (e *NotShownError) Error() string {
	text := fmt.Sprintf("oauthcert: %s: %v", e.Target, ErrNotShown)
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
func (a *Applier) steady() time.Duration   { return orElse(a.Steady, 30*time.Second) }
func (a *Applier) attempts() int           { return orElse(a.Attempts, 4) }

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
// before each write the object is read again, and a [*ChangedError] is
// returned if it is no longer the one that the plan was made from. The write
// replaces the collection by what the plan keeps and adds. Where the directory
// refuses kept keys in one form, they are written in the other. If the answer
// to a write is lost, the directory itself tells whether it took effect. Then
// it is asked until it shows exactly the plan, and does so for a while.
//
// The errors are a [*RefusedError] for a plan that must not be applied,
// [ErrNoBackup], a [*ChangedError], a [*DirectoryError] for a refusal (nothing
// was written then), a [*NotShownError], or that of the context. The report is
// nil only if nothing was sent.
//
// The directory has no way to write on a condition. Between the last reading
// and the write another program may write, and what it adds in that moment is
// replaced; nothing that the plan keeps is ever lost by it.
//
// For a plan without changes the object is read once and compared.
func (a *Applier) Apply(ctx context.Context, dir Directory, plan *Plan, backup io.Writer) (*Report, error) {
	if plan == nil || plan.base == nil {
		return nil, errNotMade
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	if !plan.Changes() {
		report := a.report(plan)
		_, err := a.check(ctx, dir, plan, report)
		report.Shown = err == nil
		return report, err
	}
	if backup == nil {
		return nil, ErrNoBackup
	}
	a.tell(Progress{Stage: BackingUp, Note: "writing the backup"})
	if err := writeBackup(backup, plan.base, plan.Collection, time.Now()); err != nil {
		return nil, err
	}
	report := a.report(plan)
	flip := false
	for attempt := 1; ; attempt++ {
		done, err := a.check(ctx, dir, plan, report)
		if err != nil {
			return report, err
		}
		if done {
			return report, a.confirm(ctx, dir, plan, report)
		}
		a.tell(Progress{Stage: Writing, Attempt: attempt, Note: "writing " + string(plan.Collection)})
		report.Writes++
		err = plan.write(ctx, dir, flip)
		if err == nil {
			return report, a.confirm(ctx, dir, plan, report)
		}
		if ctx.Err() != nil {
			return report, fmt.Errorf("oauthcert: %s: %w; whether the write took effect is not known", plan.Target, ctx.Err())
		}
		if !flip && plan.Collection == Keys && refusedForm(err) {
			if _, flip = plan.keys(true); flip {
				report.Writes--
				a.tell(Progress{Stage: Writing, Attempt: attempt, Note: "the kept keys were refused; writing them in the other form"})
				continue
			}
		}
		var refused *DirectoryError
		definite := errors.As(err, &refused) && refused.definite()
		if definite {
			report.Writes-- // nothing was written
		}
		last := attempt >= a.attempts()
		if definite && (last || !errors.Is(err, ErrThrottled)) {
			return report, err
		}
		if last { // it may have taken effect, as may an earlier one
			if unshown := a.confirm(ctx, dir, plan, report); unshown != nil {
				return report, fmt.Errorf("%w; the last write failed: %w", unshown, err)
			}
			return report, nil
		}
		shown, err := a.settle(ctx, dir, plan, refused, definite)
		if err != nil {
			return report, err
		}
		if shown {
			return report, a.confirm(ctx, dir, plan, report)
		}
	}
}

// write sends the collection once.
func (p *Plan) write(ctx context.Context, dir Directory, flip bool) error {
	if p.Collection == Names {
		return dir.WriteNames(ctx, p.Target, p.names())
	}
	keys, _ := p.keys(flip)
	return dir.WriteKeys(ctx, p.Target, keys)
}

// refusedForm reports whether an answer may be a refusal of the form in which
// kept keys were written. First-party principals answer with a plain 400.
func refusedForm(err error) bool {
	var e *DirectoryError
	if !errors.As(err, &e) || e.Status != 400 {
		return false
	}
	r := e.find()
	return r == nil || r.reason == ErrKeyNotUpdatable || r.reason == ErrInvalidEndDate
}

// check reads the object immediately before a write. done tells that it shows
// the plan already.
func (a *Applier) check(ctx context.Context, dir Directory, plan *Plan, report *Report) (done bool, err error) {
	for attempt := 1; ; attempt++ {
		a.tell(Progress{Stage: Reading, Attempt: attempt, Note: "reading " + plan.Target.String()})
		now, err := read(ctx, dir, plan.Target)
		if err == nil {
			report.After = now
			if changes := plan.changed(now); len(changes) == 0 {
				return false, nil
			} else if missing, extra := plan.Difference(now); len(missing)+len(extra) > 0 {
				return false, &ChangedError{Target: plan.Target, Changes: changes, Writes: report.Writes}
			}
			return true, nil
		}
		var refused *DirectoryError
		isRefusal := errors.As(err, &refused)
		if ctx.Err() != nil || attempt >= a.attempts() || isRefusal && refused.definite() && !errors.Is(err, ErrThrottled) {
			return false, err
		}
		if err := sleep(ctx, a.pause(refused)); err != nil {
			return false, err
		}
	}
}

// pause is the time to wait after a failure, as the directory asks for, within
// bounds.
func (a *Applier) pause(refused *DirectoryError) time.Duration {
	if refused != nil && refused.RetryAfter > 0 {
		return min(refused.RetryAfter, a.patience())
	}
	return a.interval()
}

// settle waits after a write that failed. When its outcome is not known, the
// directory is watched for a while, since a write that took effect may be seen
// late, and writing twice is to be avoided. shown tells that it was seen.
func (a *Applier) settle(ctx context.Context, dir Directory, plan *Plan, refused *DirectoryError, definite bool) (shown bool, err error) {
	a.tell(Progress{Stage: Waiting, Note: "the write failed; waiting before the next attempt"})
	if err := sleep(ctx, a.pause(refused)); err != nil || definite {
		return false, err
	}
	deadline := time.Now().Add(a.patience() / 4)
	for look := 1; time.Now().Before(deadline); look++ {
		now, err := read(ctx, dir, plan.Target)
		if err == nil && len(plan.changed(now)) > 0 {
			missing, extra := plan.Difference(now)
			return len(missing)+len(extra) == 0, nil
		}
		a.tell(Progress{Stage: Waiting, Look: look, Note: "the answer to the write was lost; watching whether it took effect"})
		if err := sleep(ctx, a.wait(look)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// Verify asks the directory until it shows exactly plan, as often as Apply
// does after a write, and writes nothing. The error is a [*NotShownError], a
// [*RefusedError] for a plan with refused steps, a [*DirectoryError] or that
// of the context.
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
	return &Report{Target: plan.Target, Collection: plan.Collection, Steps: plan.Steps}
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
		if errors.Is(err, ErrPermission) || errors.Is(err, ErrUnauthorized) {
			return err
		}
		notShown := &NotShownError{Target: plan.Target, Last: err}
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
			a.tell(Progress{Stage: Shown, Look: report.Looks, Note: "the directory shows the plan"})
			if time.Since(shownSince) >= a.steady() {
				report.Shown = true
				return nil
			}
		case time.Since(began) >= a.patience():
			return notShown
		default:
			if err == nil {
				shownSince = time.Time{}
			}
			var refused *DirectoryError
			errors.As(err, &refused)
			pause = max(a.wait(report.Looks), a.pause(refused))
			a.tell(Progress{Stage: Waiting, Look: report.Looks, Note: "the directory does not show the plan yet"})
		}
		if err := sleep(ctx, pause); err != nil {
			return err
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
