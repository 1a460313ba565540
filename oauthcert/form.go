package oauthcert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A form is how a kept key is written.
type form uint8

const (
	byReference form = iota // all that was read but the key: keyId, dates and display name stay
	unnamed                 // likewise, without the display name
	byValue                 // anew: type, usage and key; the directory gives it another keyId
)

// form returns the form that a step of a plan begins with.
func (s Step) form() form {
	switch {
	case s.WithoutName:
		return unnamed
	case s.ByReference:
		return byReference
	}
	return byValue
}

// next returns the form to try after f was refused, and false if there is
// none that leaves the key what it is.
func (s Step) next(f form) (form, bool) {
	switch {
	case f == byReference && s.Key.DisplayName != "":
		return unnamed, true
	case f == byReference && s.alteredByValue() == "":
		return byValue, true
	}
	return f, false
}

// in returns the step with another form.
func (s Step) in(f form) Step {
	s.ByReference, s.WithoutName = f != byValue, f == unnamed
	return s
}

// entry returns the key as it is written.
func (s Step) entry() KeyCredential {
	k := *s.Key
	if s.Action == Added {
		return k
	}
	switch s.form() {
	case byValue:
		return KeyCredential{Type: k.Type, Usage: k.Usage, Key: k.Key}
	case unnamed:
		k.DisplayName = ""
	}
	k.Key = nil
	return k
}

// alteredByValue says what writing a kept key anew would change besides its
// keyId, or "". It is somebody else's key: nothing of it may change.
func (s Step) alteredByValue() string {
	k := s.Key
	c, err := k.Certificate()
	switch {
	case k.Key == nil:
		return "the directory did not show its value"
	case err != nil:
		return "its value is not a certificate"
	case k.Type != TypeX509 || k.Usage != UsageVerify:
		return "it is not for authentication alone, and would need its private key"
	case k.DisplayName != "":
		return "it would lose its display name"
	case !k.StartDateTime.IsZero() && !sameSecond(k.StartDateTime, c.NotBefore()), !k.EndDateTime.IsZero() && !sameSecond(k.EndDateTime, c.NotAfter()):
		return "its dates are not those of its certificate, which it would get: an expired one would be valid again"
	case k.CustomKeyIdentifier != "" && !strings.EqualFold(k.CustomKeyIdentifier, c.SHA1().String()):
		return "it would lose its customKeyIdentifier"
	}
	return ""
}

func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

// A KeptKeyError reports that the directory refused every form in which the
// keys of somebody else can be written without being altered. Nothing was
// written. It unwraps to the last refusal.
type KeptKeyError struct {
	Target Target
	Steps  []Step // of the keys for which no other form is left
	Err    error
}

func (e *KeptKeyError) Error() string {
	var names []string
	for _, s := range e.Steps {
		why := s.alteredByValue()
		if why == "" {
			why = "it was written anew, and refused so too"
		}
		name := ""
		if s.Key.DisplayName != "" {
			name = fmt.Sprintf(" %.90q", s.Key.DisplayName)
		}
		names = append(names, fmt.Sprintf("key %s%s cannot be brought anew: %s", oneLine(s.Key.KeyID, 40), name, why))
	}
	text := strings.Join(names[:min(len(names), 3)], "; ")
	if more := len(names) - 3; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return fmt.Sprintf("oauthcert: %s: the directory did not take the keys that are to stay: %s: %s", e.Target, text, e.Err)
}

// Unwrap returns the last refusal.
func (e *KeptKeyError) Unwrap() error { return e.Err }

// reform changes the forms of kept keys after a refusal: of the key that the
// refusal names, or else of all that have a display name, and after them of
// all that may be brought anew. It returns the steps as they are to be written
// next, or an error if no form is left.
func reform(target Target, steps []Step, refusal error) ([]Step, error) {
	var kept []int
	for i, s := range steps {
		if s.Action == Kept {
			kept = append(kept, i)
		}
	}
	if len(kept) == 0 {
		return nil, refusal
	}
	var e *DirectoryError
	if errors.As(refusal, &e) {
		text := strings.ToLower(e.Message)
		named := slices.IndexFunc(kept, func(i int) bool {
			id := strings.ToLower(steps[i].Key.KeyID)
			return id != "" && strings.Contains(text, id)
		})
		if named >= 0 {
			kept = kept[named : named+1]
		}
	}
	for _, to := range []form{unnamed, byValue} {
		var out []Step
		for _, i := range kept {
			if f, ok := steps[i].next(steps[i].form()); ok && f == to {
				if out == nil {
					out = slices.Clone(steps)
				}
				out[i] = out[i].in(f)
				switch f {
				case unnamed:
					out[i].Why += "; sent without its display name, with which the directory refused it"
				case byValue:
					out[i].Why += "; sent anew, which gives it another keyId, because the directory refused a reference to it"
				}
			}
		}
		if out != nil {
			return out, nil
		}
	}
	stuck := &KeptKeyError{Target: target, Err: refusal}
	for _, i := range kept {
		stuck.Steps = append(stuck.Steps, steps[i])
	}
	return nil, stuck
}
