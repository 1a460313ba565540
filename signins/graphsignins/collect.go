package graphsignins

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/crossprem/crossprem/signins"
)

// A Batch is what one reading of a slice brought that was not delivered
// before.
type Batch struct {
	Slice Slice

	// SignIns are new, or have changed since they were delivered: then they take
	// the place of the copy with the same ID. They are in the order of their
	// times, which for another reading of a slice are earlier than those of
	// batches before.
	SignIns []signins.SignIn

	// Raw holds the records of SignIns as Microsoft Graph sent them, if
	// Options.Raw is set.
	Raw []json.RawMessage

	// Errors are for records that could not be read, and are not in SignIns.
	Errors []*signins.RecordError
}

// A Receiver takes what was read, in order and one batch at a time. The mark
// that it returns is kept in the checkpoint together with the fact that the
// batch was delivered, and is whatever helps to undo what a kill in between
// left behind: the length of a file, for one, to which it is cut before it is
// written to again. See [Checkpoint.Mark].
//
// After a kill or an error, a batch may be delivered again whose mark was not
// saved. A receiver that keeps the last copy of an ID, or that cuts back to the
// mark, has each sign-in exactly once.
type Receiver func(ctx context.Context, b Batch) (mark string, err error)

// Collect reads the log from Options.From to Options.To and hands it to
// receive. With the checkpoint of an earlier call it goes on where that one
// ended, whatever the reason; From and To may be others. It then also reads the
// slices again that were young when they were read.
//
// When Collect returns nil, everything in the log up to now was delivered. What
// was younger than Options.Late may get more records, which a later call finds:
// [Checkpoint.Open] names these slices.
//
// The error wraps [ErrPermission], [ErrLicence], [ErrRetention], [ErrFilter],
// [ErrUnauthorized], [ErrPaging], [ErrOtherQuery], is an [*IncompleteError] or
// a [*SignInError], or is that of the checkpoints, the receiver, the network or
// ctx. Nothing is marked as read that was not delivered.
func (s *Source) Collect(ctx context.Context, checkpoints Checkpoints, receive Receiver) error {
	if s.from.IsZero() {
		return errNoBeginning
	}
	c, err := s.collection(ctx, checkpoints, receive)
	if err != nil {
		return err
	}
	return c.round(ctx, s.from)
}

// Follow goes on for ever, or up to Options.To: it hands over what is new once
// in every Options.Interval, and what arrives late when it reads a slice again,
// at twice the age of the last time and at last when Options.Late is over. It
// uses the checkpoint as Collect does, and returns the same errors.
//
// A first reading of a young slice is not confirmed by a second one: reading it
// again does that, later.
func (s *Source) Follow(ctx context.Context, checkpoints Checkpoints, receive Receiver) error {
	c, err := s.collection(ctx, checkpoints, receive)
	if err != nil {
		return err
	}
	c.follows = true
	from := s.from
	if from.IsZero() {
		from = s.begun(c.Checkpoint)
	}
	for {
		if err := c.round(ctx, from); err != nil {
			return err
		}
		if !s.to.IsZero() && !s.to.After(time.Now()) && len(c.Open) == 0 {
			return nil
		}
		if s.progress != nil {
			s.progress(Progress{Records: s.records.Load(), Unreadable: s.unreadable.Load(), Requests: s.requests.Load(), WaitingUntil: time.Now().Add(s.interval)})
		}
		timer := time.NewTimer(s.interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("graphsignins: %w", context.Cause(ctx))
		}
	}
}

// begun returns where a collection without a beginning began: with its
// checkpoint, or now.
func (s *Source) begun(c *Checkpoint) time.Time {
	begun := time.Now().UTC().Truncate(time.Second)
	if len(c.Finished) > 0 {
		begun = minTime(begun, c.Finished[0].Start)
	}
	if len(c.Open) > 0 {
		begun = minTime(begun, c.Open[0].Start)
	}
	return begun
}

// A collection is one call of Collect or Follow.
type collection struct {
	*reader
	*Checkpoint
	store   Checkpoints
	receive Receiver
	follows bool
}

func (s *Source) collection(ctx context.Context, store Checkpoints, receive Receiver) (*collection, error) {
	checkpoint, err := store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("graphsignins: load the checkpoint: %w", err)
	}
	if checkpoint == nil {
		checkpoint = &Checkpoint{Query: s.query.identity()}
	}
	if checkpoint.Query != s.query.identity() {
		return nil, fmt.Errorf("graphsignins: %w: %.200q", ErrOtherQuery, checkpoint.Query)
	}
	return &collection{reader: s.reader(), Checkpoint: checkpoint, store: store, receive: receive}, nil
}

// round reads what was not read yet, and again what is due.
func (c *collection) round(ctx context.Context, from time.Time) error {
	begun := time.Now()
	whole := Slice{from, c.end(begun)}
	// A slice is either old enough for the last reading, or young. The line
	// between them stands still, or it would be crept after in tiny slices.
	ripe := begun.Add(-c.late).UTC().Truncate(time.Second)
	for {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("graphsignins: %w", err)
		}
		gaps := c.gaps(whole)
		if len(gaps) == 0 {
			break
		}
		if err := c.fresh(ctx, gaps[0], ripe); err != nil {
			return err
		}
	}
	for i := 0; i < len(c.Open); {
		o := c.Open[i]
		now := time.Now()
		if now.Sub(o.End) < c.late && now.Sub(o.End) < 2*o.Read.Sub(o.End)+c.interval {
			i++
			continue
		}
		settled, err := c.again(ctx, o)
		if err != nil {
			return err
		}
		if !settled {
			i++
		}
	}
	return nil
}

// agreeing returns how many readings have to agree for a slice of a certain
// age.
func (c *collection) agreeing(settled bool) int {
	if c.follows && !settled {
		return 1
	}
	return c.agree
}

// fresh reads a slice that begins at gap.Start for the first time, and for the
// last time as well if it is before ripe.
func (c *collection) fresh(ctx context.Context, gap Slice, ripe time.Time) error {
	if err := c.check(gap.Start); err != nil {
		return err
	}
	begun := time.Now()
	settled := gap.Start.Before(ripe)
	if settled {
		gap.End = minTime(gap.End, ripe)
	}
	f, err := c.read(ctx, gap, false, c.agreeing(settled), nil)
	if err != nil {
		return err
	}
	if err := c.deliver(ctx, f, nil); err != nil {
		return err
	}
	if settled {
		c.finish(f.Slice)
	} else {
		o := OpenSlice{Slice: f.Slice, Read: begun.UTC(), IDs: ids(f)}
		at, _ := slices.BinarySearchFunc(c.Open, o, func(a, b OpenSlice) int { return a.Start.Compare(b.Start) })
		c.Open = slices.Insert(c.Open, at, o)
	}
	return c.save(ctx)
}

// again reads an open slice again, and reports whether that was the last time.
func (c *collection) again(ctx context.Context, o OpenSlice) (settled bool, err error) {
	if err := c.check(o.Start); err != nil {
		return false, err
	}
	begun := time.Now()
	settled = begun.Sub(o.End) >= c.late
	f, err := c.read(ctx, o.Slice, true, c.agreeing(settled), o.IDs)
	if err != nil {
		return false, err
	}
	if err := c.deliver(ctx, f, o.IDs); err != nil {
		return false, err
	}
	at := slices.IndexFunc(c.Open, func(other OpenSlice) bool { return other.Start.Equal(o.Start) })
	if settled {
		c.Open = slices.Delete(c.Open, at, at+1)
		c.finish(f.Slice)
	} else {
		all := ids(f)
		for id, hash := range o.IDs {
			if _, ok := all[id]; !ok {
				all[id] = hash // it was there, and this reading missed it
			}
		}
		c.Open[at] = OpenSlice{Slice: o.Slice, Read: begun.UTC(), IDs: all}
	}
	return settled, c.save(ctx)
}

func ids(f *found) map[string]string {
	all := make(map[string]string, len(f.records))
	for id, rec := range f.records {
		all[id] = rec.hash
	}
	return all
}

// deliver hands over what was not delivered before.
func (c *collection) deliver(ctx context.Context, f *found, before map[string]string) error {
	b := Batch{Slice: f.Slice}
	if before == nil {
		b.Errors = f.errors
	}
	for _, id := range f.sorted() {
		rec := f.records[id]
		if hash, ok := before[id]; ok && hash == rec.hash {
			continue
		}
		b.SignIns = append(b.SignIns, rec.signIn)
		if c.raw {
			b.Raw = append(b.Raw, rec.raw)
		}
	}
	if len(b.SignIns) == 0 && len(b.Errors) == 0 {
		return nil
	}
	mark, err := c.receive(ctx, b)
	if err != nil {
		return fmt.Errorf("graphsignins: deliver %s: %w", f.Slice, err)
	}
	c.Mark = mark
	c.Checkpoint.Records += int64(len(b.SignIns))
	c.records.Add(int64(len(b.SignIns)))
	c.unreadable.Add(int64(len(b.Errors)))
	return nil
}

func (c *collection) save(ctx context.Context) error {
	c.Saved = time.Now().UTC()
	if err := c.store.Save(ctx, c.Checkpoint); err != nil {
		return fmt.Errorf("graphsignins: save the checkpoint: %w", err)
	}
	return nil
}
