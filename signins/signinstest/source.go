package signinstest

import (
	"context"
	"fmt"
	"strconv"

	"github.com/crossprem/crossprem/signins"
)

// A Source is a [signins.Source] to write as a literal. It is slightly awkward
// on purpose: pages are short and of different lengths, and one of them in
// between is empty. It may be used by several goroutines.
type Source struct {
	Events []signins.SignIn
	Err    error // found where the end would be
}

var _ signins.Source = Source{}

// Page implements [signins.Source].
func (s Source) Page(ctx context.Context, cursor string) ([]signins.SignIn, string, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, "", fmt.Errorf("signinstest: %w", err)
	}
	number := 0
	if cursor != "" {
		var err error
		if number, err = strconv.Atoi(cursor); err != nil || number < 1 || strconv.Itoa(number) != cursor {
			return nil, "", fmt.Errorf("signinstest: %.40q is no cursor of this source", cursor)
		}
	}
	// Pages are 1, 2, 0, 3, 1, 2, 0, 3, … events long.
	lengths := [...]int{1, 2, 0, 3}
	round := number / len(lengths) * 6
	start := round
	for _, n := range lengths[:number%len(lengths)] {
		start += n
	}
	end := min(start+lengths[number%len(lengths)], len(s.Events))
	switch {
	case start >= len(s.Events) && number > 0 && s.Err == nil:
		return nil, "", fmt.Errorf("signinstest: %.40q is no cursor of this source", cursor)
	case start >= len(s.Events) && s.Err != nil:
		return nil, "", s.Err
	}
	next := ""
	if end < len(s.Events) || s.Err != nil {
		next = strconv.Itoa(number + 1)
	}
	return append([]signins.SignIn(nil), s.Events[start:end]...), next, nil
}
