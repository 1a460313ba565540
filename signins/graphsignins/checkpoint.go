package graphsignins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A Checkpoint is what a collection has to remember: what was read, never how
// to read on. It marshals to JSON and back.
type Checkpoint struct {
	// Query names what was asked for. A collection refuses to go on with the
	// checkpoint of another question.
	Query string `json:"query"`

	// Finished are the slices that will not be read again, in ascending order
	// and merged where they touch.
	Finished []Slice `json:"finished"`

	// Open are the slices that were delivered and are to be read again for what
	// arrives late, in ascending order.
	Open []OpenSlice `json:"open"`

	// Mark is what the receiver of the last batch returned.
	Mark string `json:"mark,omitzero"`

	Records int64     `json:"records"` // delivered
	Saved   time.Time `json:"saved"`
}

// An OpenSlice is a slice that was delivered and is to be read again.
type OpenSlice struct {
	Slice
	Read time.Time         `json:"read"` // the last time
	IDs  map[string]string `json:"ids"`  // what was delivered, with a hash of its contents
}

// Checkpoints keeps the checkpoint of one collection.
type Checkpoints interface {
	// Load returns what was saved last, and nil if nothing was.
	Load(ctx context.Context) (*Checkpoint, error)

	// Save keeps c in place of what was saved before. If it fails, or the
	// program ends in the middle of it, Load returns either c or what was there
	// before. It must not keep c itself, which changes afterwards.
	Save(ctx context.Context, c *Checkpoint) error
}

// Memory returns Checkpoints that last as long as the program.
func Memory() Checkpoints { return new(memory) }

type memory struct {
	mu   sync.Mutex
	text []byte
}

func (m *memory) Load(context.Context) (*Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.text == nil {
		return nil, nil
	}
	return parseCheckpoint(m.text)
}

func (m *memory) Save(_ context.Context, c *Checkpoint) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = text
	return nil
}

// FileCheckpoints returns Checkpoints in the file with a name. The file is
// replaced as a whole, by renaming one that was written to the disk beside it,
// so that there is a whole one after a kill at any instant. It is for one
// collection at a time.
func FileCheckpoints(name string) Checkpoints { return file(name) }

type file string

func (f file) Load(context.Context) (*Checkpoint, error) {
	text, err := os.ReadFile(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	c, err := parseCheckpoint(text)
	if err != nil {
		return nil, fmt.Errorf("graphsignins: checkpoint %s: %w", string(f), err)
	}
	return c, nil
}

func (f file) Save(_ context.Context, c *Checkpoint) (err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	folder := filepath.Dir(string(f))
	// One name, so that no number of kills leaves a heap of them.
	beside := string(f) + ".new"
	w, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	err = errors.Join(err, w.Sync(), w.Close())
	if err == nil {
		err = os.Rename(beside, string(f))
	}
	if err != nil {
		os.Remove(beside)
		return err
	}
	// The new name has to reach the disk as well, where a folder can be synced.
	if d, err := os.Open(folder); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// parseCheckpoint reads a checkpoint and believes nothing of it.
func parseCheckpoint(text []byte) (*Checkpoint, error) {
	c := new(Checkpoint)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows it")
	}
	last := time.Time{}
	for _, s := range c.Finished {
		if !s.Start.Before(s.End) || s.Start.Before(last) || !whole(s) {
			return nil, fmt.Errorf("its finished slice %s is not in order", s)
		}
		last = s.End
	}
	last = time.Time{}
	for _, o := range c.Open {
		if !o.Start.Before(o.End) || o.Start.Before(last) || !whole(o.Slice) {
			return nil, fmt.Errorf("its open slice %s is not in order", o.Slice)
		}
		last = o.End
	}
	return c, nil
}

func whole(s Slice) bool {
	return s.Start.Equal(s.Start.Truncate(time.Second)) && s.End.Equal(s.End.Truncate(time.Second))
}

// finish adds a slice to those that are finished.
func (c *Checkpoint) finish(s Slice) {
	all := append(slices.Clone(c.Finished), s)
	slices.SortFunc(all, func(a, b Slice) int { return a.Start.Compare(b.Start) })
	merged := all[:1]
	for _, next := range all[1:] {
		last := &merged[len(merged)-1]
		if next.Start.After(last.End) {
			merged = append(merged, next)
		} else if next.End.After(last.End) {
			last.End = next.End
		}
	}
	c.Finished = merged
}

// gaps returns the parts of s that were never read.
func (c *Checkpoint) gaps(s Slice) []Slice {
	read := slices.Clone(c.Finished)
	for _, o := range c.Open {
		read = append(read, o.Slice)
	}
	slices.SortFunc(read, func(a, b Slice) int { return a.Start.Compare(b.Start) })
	var gaps []Slice
	at := s.Start
	for _, r := range read {
		if end := minTime(r.Start, s.End); at.Before(end) {
			gaps = append(gaps, Slice{at, end})
		}
		if r.End.After(at) {
			at = r.End
		}
	}
	if at.Before(s.End) {
		gaps = append(gaps, Slice{at, s.End})
	}
	return gaps
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
