package signins

import (
	"fmt"
	"hash/maphash"
	"iter"
	"math/bits"
)

const (
	defaultWindow = 16384
	remembered    = 16 // windows of ids
)

// Dedupe passes seq on, each event once: of several copies with one ID, the
// last. Entra ID completes events after the fact, and Azure Monitor delivers
// some of them more than once. Of copies in different formats, as in a folder
// of exports, it is the one that knows more fields. Events without an ID are
// passed on as they are.
//
// To let a later copy win, Dedupe holds back up to window events, at about
// 1 KiB each; if window is 0, it is 16384. Events with more than 8 KiB of text
// are not held back. It remembers the ids of sixteen windows: a copy that comes
// when the event has been yielded is dropped, and one that comes later still is
// taken for a new event.
//
// Each dropped copy is yielded as a [RecordError] that wraps [ErrDuplicate],
// so that nothing gets lost uncounted. Other errors are passed on at once.
func Dedupe(seq iter.Seq2[SignIn, error], window int) iter.Seq2[SignIn, error] {
	if window <= 0 {
		window = defaultWindow
	}
	return func(yield func(SignIn, error) bool) {
		var (
			held  []SignIn // a ring once it is full, the oldest at next
			next  int
			at    = make(map[idHash]int)      // where in held
			now   = make(map[idHash]struct{}) // ids yielded
			old   map[idHash]struct{}         // and those before
			seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
		)
		remember := func(id idHash) {
			if len(now) >= window*remembered/2 {
				old, now = now, make(map[idHash]struct{}, len(now))
			}
			now[id] = struct{}{}
		}
		for s, err := range seq {
			if err != nil || s.ID == "" {
				if !yield(s, err) {
					return
				}
				continue
			}
			id := idHash{maphash.String(seeds[0], s.ID), maphash.String(seeds[1], s.ID)}
			k, isHeld := at[id]
			_, isNow := now[id]
			_, isOld := old[id]
			big := isBig(&s)
			if isHeld && !big && (s.Format == held[k].Format || bits.OnesCount64(uint64(s.Known)) >= bits.OnesCount64(uint64(held[k].Known))) {
				held[k] = s
			}
			if isHeld || isNow || isOld {
				if !yield(SignIn{}, &RecordError{Err: fmt.Errorf("%w: %.40s", ErrDuplicate, s.ID)}) {
					return
				}
				continue
			}
			if big {
				remember(id)
				if !yield(s, nil) {
					return
				}
				continue
			}
			if len(held) < window {
				at[id] = len(held)
				held = append(held, s)
				continue
			}
			first := held[next]
			held[next] = s
			at[id] = next
			next = (next + 1) % window
			firstID := idHash{maphash.String(seeds[0], first.ID), maphash.String(seeds[1], first.ID)}
			delete(at, firstID)
			remember(firstID)
			if !yield(first, nil) {
				return
			}
		}
		for k := range held {
			if !yield(held[(next+k)%len(held)], nil) {
				return
			}
		}
	}
}

// isBig reports whether s holds more text than memory should for each event.
func isBig(s *SignIn) bool {
	n := 0
	for _, p := range s.text() {
		n += len(*p)
	}
	return n > 8<<10
}

// An idHash stands for an ID. Two IDs share one by chance only, once in 2^128.
type idHash [2]uint64
