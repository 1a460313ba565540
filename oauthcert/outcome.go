package oauthcert

import (
	"errors"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// An Outcome is what a call of [Applier.Apply] came to, as far as the
// directory's collection is concerned. It never claims more than is known. In
// text and JSON it is one of "unknown", "not-sent", "refused", "written" and
// "shown".
type Outcome uint8

const (
	// OutcomeUnknown: a write was sent, and whether it took effect, or yet
	// will, is not known.
	OutcomeUnknown Outcome = iota

	// OutcomeNotSent: nothing was sent that could change the directory.
	OutcomeNotSent

	// OutcomeRefused: the directory refused every write that was sent; nothing
	// was written.
	OutcomeRefused

	// OutcomeWritten: the change was made: the directory accepted the write,
	// or the answer was lost and the directory came to show the plan, unless
	// another program made the same change in that moment. It was not seen to
	// show the plan for as long as was asked.
	OutcomeWritten

	// OutcomeShown: likewise, and the directory shows exactly the plan.
	OutcomeShown
)

var outcomeTexts = enum.Of[Outcome]("oauthcert: outcome", "unknown", "not-sent", "refused", "written", "shown")

// String returns a text such as "not-sent".
func (o Outcome) String() string { return outcomeTexts.String(o) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (o Outcome) MarshalText() ([]byte, error) { return outcomeTexts.Marshal(o) }

// UnmarshalText accepts what MarshalText gives.
func (o *Outcome) UnmarshalText(text []byte) error { return outcomeTexts.Unmarshal(o, text) }

// sentence says for people what an outcome means.
func (o Outcome) sentence() string {
	switch o {
	case OutcomeNotSent:
		return "nothing was sent that could change the directory"
	case OutcomeRefused:
		return "the write was refused, and nothing was written"
	case OutcomeWritten:
		return "the change was made, but was not seen to be shown"
	case OutcomeShown:
		return "the change was made, and is shown"
	}
	return "a write was sent, and whether it took effect is not known"
}

// An ApplyError is the error of [Applier.Apply] once the plan was found fit to
// be applied. Outcome says what is known of the write, whatever Err is: the
// refusal of a look after the write, for one, is no refusal of the write.
// errors.Is and errors.As look into Err.
type ApplyError struct {
	Target  Target
	Outcome Outcome
	Err     error
}

func (e *ApplyError) Error() string {
	return "oauthcert: " + e.Outcome.sentence() + ": " + strings.TrimPrefix(e.Err.Error(), "oauthcert: ")
}

// Unwrap returns what went wrong.
func (e *ApplyError) Unwrap() error { return e.Err }

// ErrNotSent is what the error of a [Directory] wraps that sent nothing, for
// one because it could not be signed in to. Without it, and without a
// [*DirectoryError], the outcome of a write is taken for unknown.
var ErrNotSent = errors.New("nothing was sent")

// An answer is what one write came to.
type answer uint8

const (
	lost          answer = iota // whether it took effect is not known
	unsent                      // nothing was sent
	accepted                    // it took effect
	refused                     // it did not, and will not if repeated
	refusedForNow               // it did not; it may after a while and a new look
	refusedForm                 // it did not; another form of the kept keys may be taken
)

// answerOf tells what the error of a write means.
func answerOf(err error, c Collection) answer {
	var e *DirectoryError
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, ErrNotSent):
		return unsent
	case !errors.As(err, &e) || !e.definite():
		return lost
	case errors.Is(err, ErrThrottled), errors.Is(err, ErrConcurrent):
		return refusedForNow
	case c == Keys && e.aboutForm():
		return refusedForm
	}
	return refused
}

// aboutForm reports whether an answer may be a refusal of the form in which
// kept keys were written. First-party principals answer with a plain 400.
func (e *DirectoryError) aboutForm() bool {
	if e.Status != 400 {
		return false
	}
	r := e.find()
	return r == nil || r.reason == ErrKeyNotUpdatable || r.reason == ErrInvalidEndDate
}
