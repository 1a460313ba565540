package signinstest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// TestSource checks that the sources made by open keep the promises of
// [signins.Source], and reports the first one that is broken. open makes a
// source that holds events, each of which has an ID of its own. Their times are
// in ascending order and within the three hours before start, whole seconds,
// some of them equal. A source may hand them out in another order, and may be
// unable to carry some of their fields, of which [signins.SignIn.Knows] tells.
func TestSource(start time.Time, open func(events []signins.SignIn) signins.Source) error {
	start = start.UTC().Truncate(time.Second)
	for _, n := range []int{0, 1, 2, 7, 1003} {
		events := conformanceEvents(start, n)
		if err := testSource(events, func() signins.Source { return open(events) }); err != nil {
			return fmt.Errorf("with %d events: %w", n, err)
		}
	}
	return nil
}

func conformanceEvents(start time.Time, n int) []signins.SignIn {
	tenant := &Tenant{Seed: uint64(n), Users: 40, Events: max(n, 1) * 4}
	var events []signins.SignIn
	for s := range tenant.SignIns() {
		if len(events) == n {
			break
		}
		if s.Category != signins.InteractiveUser { // what every source can carry
			s.Category, s.Interactive = signins.InteractiveUser, crossprem.Yes
		}
		s.Time = start.Add(-3*time.Hour + time.Duration(len(events)/3*3)*time.Second)
		events = append(events, s)
	}
	return events
}

func testSource(events []signins.SignIn, open func() signins.Source) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	src := open()

	// Everything, once, and again from the beginning.
	for round := 1; round <= 2; round++ {
		seen := make(map[string]signins.SignIn)
		for s, err := range signins.All(ctx, src) {
			switch _, twice := seen[s.ID]; {
			case err != nil:
				return fmt.Errorf("reading, round %d: %w", round, err)
			case s.ID == "":
				return errors.New("an event came without its ID")
			case twice:
				return fmt.Errorf("event %s came twice", s.ID)
			}
			seen[s.ID] = s
		}
		for i := range events {
			got, ok := seen[events[i].ID]
			if !ok {
				return fmt.Errorf("round %d: event %s was lost", round, events[i].ID)
			}
			if err := sameEvent(&events[i], &got); err != nil {
				return fmt.Errorf("event %s: %w", events[i].ID, err)
			}
		}
		if len(seen) != len(events) {
			return fmt.Errorf("round %d: %d events came in place of %d", round, len(seen), len(events))
		}
	}

	// A cursor stands for its place: in this source later, and in another one.
	var cursors []string
	var pages [][]signins.SignIn
	for cursor := ""; ; {
		page, next, err := src.Page(ctx, cursor)
		if err != nil {
			return fmt.Errorf("page %d: %w", len(pages)+1, err)
		}
		cursors, pages = append(cursors, cursor), append(pages, page)
		if next == "" {
			break
		}
		if next == cursor {
			return fmt.Errorf("page %d gives its own cursor for the next", len(pages))
		}
		cursor = next
		if len(pages) > 100*(len(events)+100) {
			return errors.New("the pages do not end")
		}
	}
	other := open()
	for _, i := range []int{len(pages) - 1, len(pages) / 2, 0} {
		want := make(map[string]bool)
		for _, page := range pages[i:] {
			for _, s := range page {
				want[s.ID] = true
			}
		}
		for _, src := range []signins.Source{other, src} {
			if err := readsOn(ctx, src, cursors[i], want); err != nil {
				return fmt.Errorf("from the cursor of page %d: %w", i+1, err)
			}
		}
	}

	for _, cursor := range []string{"no cursor of anybody's", "-1", "\x00"} {
		if page, _, err := src.Page(ctx, cursor); err == nil {
			return fmt.Errorf("the cursor %q, which the source never gave out, leads to a page of %d events", cursor, len(page))
		}
	}
	cancel()
	if page, next, err := src.Page(ctx, ""); err == nil || len(page) > 0 || next != "" {
		return fmt.Errorf("when the context was cancelled, Page returned %d events, the cursor %q and the error %v", len(page), next, err)
	} else if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("when the context was cancelled, Page returned an error that does not wrap it: %w", err)
	}
	return nil
}

// readsOn checks that the events from a cursor on are those of want.
func readsOn(ctx context.Context, src signins.Source, cursor string, want map[string]bool) error {
	n := 0
	for {
		page, next, err := src.Page(ctx, cursor)
		if err != nil {
			return err
		}
		for _, s := range page {
			if !want[s.ID] {
				return fmt.Errorf("event %s came, which did not before", s.ID)
			}
			n++
		}
		if next == "" {
			break
		}
		cursor = next
	}
	if n != len(want) {
		return fmt.Errorf("%d events came in place of %d", n, len(want))
	}
	return nil
}

// sameEvent compares the fields that verdicts depend on most, where got knows
// them.
func sameEvent(want, got *signins.SignIn) error {
	for _, f := range []struct {
		field     signins.Fields
		name      string
		want, got any
	}{
		{signins.FieldTime, "time", want.Time.Unix(), got.Time.Unix()},
		{signins.FieldUserPrincipalName, "user principal name", want.UserPrincipalName, got.UserPrincipalName},
		{signins.FieldClientAppUsed, "client app", want.ClientAppUsed, got.ClientAppUsed},
		{signins.FieldUserAgent, "user agent", want.UserAgent, got.UserAgent},
		{signins.FieldIPAddress, "address", want.IPAddress, got.IPAddress},
		{signins.FieldErrorCode, "error code", want.ErrorCode, got.ErrorCode},
		{signins.FieldResult, "result", want.Result, got.Result},
		{signins.FieldCategory, "category", want.Category, got.Category},
	} {
		if got.Knows(f.field) && f.want != f.got {
			return fmt.Errorf("its %s is %v in place of %v", f.name, f.got, f.want)
		}
	}
	return nil
}
