package signinstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

var conformanceStart = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

func TestSourceConforms(t *testing.T) {
	require.NoError(t, signinstest.TestSource(conformanceStart, func(events []signins.SignIn) signins.Source {
		return signinstest.Source{Events: events}
	}))
}

// A pager is a Source made of a function.
type pager func(ctx context.Context, cursor string) ([]signins.SignIn, string, error)

func (p pager) Page(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
	return p(ctx, cursor)
}

// Sources that break one promise each are found out.
func TestBrokenSources(t *testing.T) {
	broken := func(name, want string, wrap func(s signins.Source) pager) {
		t.Helper()
		err := signinstest.TestSource(conformanceStart, func(events []signins.SignIn) signins.Source {
			return wrap(signinstest.Source{Events: events})
		})
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), want, name)
	}
	broken("loses the last event of a page", "was lost", func(s signins.Source) pager {
		return func(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
			page, next, err := s.Page(ctx, cursor)
			return page[:max(len(page)-1, 0)], next, err
		}
	})
	broken("ends at an empty page", "was lost", func(s signins.Source) pager {
		return func(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
			page, next, err := s.Page(ctx, cursor)
			if len(page) == 0 {
				next = ""
			}
			return page, next, err
		}
	})
	broken("doubles", "came twice", func(s signins.Source) pager {
		return func(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
			page, next, err := s.Page(ctx, cursor)
			return append(page, page...), next, err
		}
	})
	broken("takes any cursor for the beginning", "never gave out", func(s signins.Source) pager {
		return func(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
			page, next, err := s.Page(ctx, cursor)
			if err != nil && ctx.Err() == nil {
				return s.Page(ctx, "")
			}
			return page, next, err
		}
	})
	broken("does not look at the context", "when the context was cancelled", func(s signins.Source) pager {
		return func(_ context.Context, cursor string) ([]signins.SignIn, string, error) {
			return s.Page(context.Background(), cursor)
		}
	})
	broken("changes what it carries", "its client app", func(s signins.Source) pager {
		return func(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
			page, next, err := s.Page(ctx, cursor)
			for i := range page {
				page[i].ClientAppUsed += "?"
			}
			return page, next, err
		}
	})
}

func TestAll(t *testing.T) {
	gone := errors.New("gone")
	read := func(s signins.Source) (n int, err error) {
		for _, failed := range signins.All(t.Context(), s) {
			if failed != nil {
				return n, failed
			}
			n++
		}
		return n, nil
	}
	n, err := read(signinstest.Source{Events: make([]signins.SignIn, 5), Err: gone})
	assert.Equal(t, 5, n)
	assert.ErrorIs(t, err, gone)

	// Circles of every length, with and without a way into them, are found.
	for entry := range 9 {
		for length := 1; length < 40; length++ {
			asked := 0
			_, err := read(pager(func(_ context.Context, cursor string) ([]signins.SignIn, string, error) {
				asked++
				n := asked
				if n > entry {
					n = entry + (n-entry)%length
				}
				return nil, "p" + string(rune('0'+n)), nil
			}))
			require.ErrorIs(t, err, signins.ErrCursorRepeated)
			assert.LessOrEqual(t, asked, 4*(entry+length)+4)
		}
	}

	// It stops when the loop does.
	for range signins.All(t.Context(), signinstest.Source{Events: make([]signins.SignIn, 5), Err: gone}) {
		break
	}
}
