package signins

import (
	"context"
	"errors"
	"iter"
)

// A Source hands out sign-ins a page at a time: those of a live tenant, of a
// folder of files, of a database, or of a test.
type Source interface {
	// Page returns one page of sign-ins and the cursor of the next one, or ""
	// after the last. The first call passes "". A page may be empty and still
	// have a next one.
	//
	// A cursor may be kept, passed again, and passed to another Source that was
	// made in the same way: it then stands for the same place. With an error
	// there is no page; asking with the same cursor again may help. A cursor
	// that the source did not give out is an error and never the beginning.
	Page(ctx context.Context, cursor string) (page []SignIn, next string, err error)
}

// ErrCursorRepeated reports that a [Source] gave out a cursor for the second
// time, and would never end.
var ErrCursorRepeated = errors.New("signins: the source gave out a cursor again that it gave out before")

// All iterates over the sign-ins of src in the order in which src gives them,
// fetching each page only when it is needed.
//
// If a page cannot be read, the last pair carries the error and a zero SignIn.
// A source that repeats its cursors is stopped with [ErrCursorRepeated], in
// constant memory; some pages may have been yielded twice by then. The sequence
// may be ranged over again; it then starts from the beginning.
func All(ctx context.Context, src Source) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		// A circle of cursors is found as Brent's algorithm does: the cursor
		// that is remembered is replaced after 1, 2, 4, 8, … steps.
		cursor, remembered := "", ""
		for step, limit := 1, 1; ; step++ {
			page, next, err := src.Page(ctx, cursor)
			if err != nil {
				yield(SignIn{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case cursor, remembered:
				yield(SignIn{}, ErrCursorRepeated)
				return
			}
			cursor = next
			if step == limit {
				remembered, step, limit = next, 0, limit*2
			}
		}
	}
}
