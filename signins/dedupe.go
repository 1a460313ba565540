package signins

import "iter"

// Dedupe passes seq on, each event once: of several copies with one ID, the
// last. Entra ID completes events after the fact, and Azure Monitor delivers
// some of them more than once.
//
// To let a later copy win, Dedupe holds back up to window events; a copy that
// comes later still is dropped. If window is 0, it is 16384, about 16 MiB.
// Each dropped copy is yielded as a [RecordError] that wraps [ErrDuplicate],
// so that nothing gets lost uncounted.
func Dedupe(seq iter.Seq2[SignIn, error], window int) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		seen := make(map[string]bool)
		for s, err := range seq {
			if err == nil && s.ID != "" {
				if seen[s.ID] {
					s, err = SignIn{}, &RecordError{Err: ErrDuplicate}
				}
				seen[s.ID] = true
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
