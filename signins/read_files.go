package signins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	blockSize  = 1 << 20
	batchSize  = 256
	batchBytes = 4 << 20 // as stored, so that long texts make a batch shorter
)

// ReadFiles yields the sign-ins of all files of fsys, folders walked in
// lexical order, records in the order in which they lie in their file.
//
// Workers goroutines read ahead: several files at a time, or several parts of
// one that has a record on each line. They end before the loop does. Memory
// does not grow with the number or size of the files.
//
// A file that cannot be read, or is no sign-in log, yields a [RecordError],
// and reading goes on with the next one. So does what is no file, such as a
// pipe or a link to a folder. If ctx ends, its error comes last. If fsys itself
// cannot be read, the only pair carries an error that is no RecordError: one
// that is [fs.ErrNotExist] if the folder is not there.
//
// With names, only these files and folders of fsys are read, in this order. A
// name that is not there yields a [RecordError], as a file that cannot be read.
func (r *Reader) ReadFiles(ctx context.Context, fsys fs.FS, names ...string) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		workers := r.Workers
		if workers <= 0 {
			workers = runtime.GOMAXPROCS(0)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		w := &walker{
			Reader: r,
			ctx:    ctx,
			tasks:  make(chan *task, workers),
			slots:  make(chan struct{}, workers),

			parsers: make(spare[*parser], workers),
			blocks:  make(spare[*[]byte], 2*workers+1), // tasks that wait, run, and are being made
			batches: make(spare[*[]item], 4*workers),
		}
		defer w.running.Wait()
		defer cancel(errStopped)
		w.running.Go(func() {
			defer close(w.tasks)
			w.walk(fsys, names)
		})
		w.collect(yield)
		switch {
		case w.stopped:
		case ctx.Err() != nil:
			yield(SignIn{}, fmt.Errorf("signins: %w", context.Cause(ctx)))
		case w.noFolder != nil:
			yield(SignIn{}, fmt.Errorf("signins: %w", w.noFolder))
		}
	}
}

var errStopped = errors.New("reading was stopped")

// A walker has files read by several goroutines, and yields what they find in
// the order of the files.
type walker struct {
	*Reader
	ctx     context.Context
	tasks   chan *task    // in the order of the files
	slots   chan struct{} // one is taken while a task runs
	running sync.WaitGroup
	stopped bool // by the consumer

	noFolder error // why fsys cannot be read at all; set before tasks is closed

	bytes atomic.Int64 // read so far

	// What is used again and again. A sync.Pool would lose it to the garbage
	// collector, and with a parser all that it has learnt of the records.
	parsers spare[*parser]
	blocks  spare[*[]byte]
	batches spare[*[]item]
}

// A spare keeps things for later, as many as it has room for.
type spare[T any] chan T

func (s spare[T]) take() (thing T, ok bool) {
	select {
	case thing = <-s:
		return thing, true
	default:
		return thing, false
	}
}

func (s spare[T]) put(thing T) {
	select {
	case s <- thing:
	default:
	}
}

// A file is what the tasks of one file share.
type file struct {
	name   string
	gaveUp atomic.Bool
}

// A task is a file, or a part of one.
type task struct {
	*file
	base int64         // offset of its first byte
	out  chan *[]item  // closed at the end
	run  func(*stream) // reads what the stream has been given
	last bool          // no other task of the file comes after it
}

// An item is what a sequence yields.
type item struct {
	signIn SignIn
	err    error
}

// walk makes tasks of all files, or of those with the names.
func (w *walker) walk(fsys fs.FS, names []string) {
	visit := func(name string, d fs.DirEntry, err error) error {
		switch {
		case w.ctx.Err() != nil:
			return w.ctx.Err()
		case err != nil && name == "." && names == nil:
			w.noFolder = err
			return err
		case err != nil:
			w.failFile(name, err)
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && !isFile(fsys, name, d):
			w.failFile(name, errors.New("not a regular file"))
		case !d.IsDir():
			w.split(fsys, name)
		}
		return nil
	}
	roots := names
	if names == nil {
		roots = []string{"."}
	}
	for _, root := range roots {
		if fs.WalkDir(fsys, root, visit) != nil { // the context ended, or noFolder is set
			return
		}
	}
}

// isFile reports whether name is a file, or a link to one, and no pipe that
// opening would wait for. What cannot be told is left to opening it.
func isFile(fsys fs.FS, name string, d fs.DirEntry) bool {
	if d.Type().IsRegular() {
		return true
	}
	info, err := fs.Stat(fsys, name)
	return err != nil || info.Mode().IsRegular()
}

// failFile makes a task that tells why a file is not read.
func (w *walker) failFile(name string, err error) {
	w.start(&task{file: &file{name: name}, last: true, run: func(s *stream) { s.err = err }})
}

// split makes tasks of a file: one for each block if there is a record on
// each line, or else one for all of it.
func (w *walker) split(fsys fs.FS, name string) {
	opened, err := fsys.Open(name)
	if err != nil {
		w.failFile(name, err)
		return
	}
	f := &file{name: name}
	src, err := decompress(&meter{src: opened, each: w.count()}, cap(w.slots))
	if err != nil {
		opened.Close()
		w.failFile(name, err)
		return
	}
	closeAll := func() { src.Close(); opened.Close() }

	base := int64(0)
	var rest []byte
	for lines := false; ; {
		block := w.block()
		n, err := fill(src, block, copy(block, rest))
		end := bytes.LastIndexByte(block[:n], '\n') + 1
		lines = lines || err == nil && startsWithLine(block[:n])
		if err != nil || !lines || end == 0 {
			// The end of the file, or a file that cannot be divided.
			w.start(&task{file: f, base: base, last: true, run: func(s *stream) {
				defer closeAll()
				defer w.blocks.put(&block)
				s.lines = lines
				s.src = io.MultiReader(bytes.NewReader(block[:n]), errorReader{err}, src)
				s.read()
			}})
			return
		}
		rest = bytes.Clone(block[end:n])
		w.start(&task{file: f, base: base, run: func(s *stream) {
			defer w.blocks.put(&block)
			s.lines, s.eof = true, true
			kept := s.buf
			s.buf, s.end = block, end
			s.readParts(true)
			s.buf = kept
		}})
		base += int64(end)
		if f.gaveUp.Load() || w.ctx.Err() != nil {
			closeAll()
			w.start(&task{file: f, base: base, last: true, run: func(*stream) {}})
			return
		}
	}
}

// startsWithLine reports whether the first line of b is a JSON object, and
// each line therefore taken for one.
func startsWithLine(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte(bom)), " \t\r\n")
	end := bytes.IndexByte(b, '\n')
	return end > 0 && b[0] == '{' && json.Valid(b[:end])
}

// fill reads into b from n on until it is full or src fails or ends. Unlike
// [io.ReadFull] it returns the error of src as it is.
func fill(src io.Reader, b []byte, n int) (int, error) {
	for idle := 0; n < len(b); {
		k, err := src.Read(b[n:])
		n += k
		if err != nil {
			return n, err
		}
		if k > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// An errorReader fails with err, or is empty if that is nil.
type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

func (w *walker) block() []byte {
	if b, ok := w.blocks.take(); ok {
		return *b
	}
	return make([]byte, blockSize)
}

// count returns a function that adds what one file has read to the whole.
func (w *walker) count() func(int64) {
	last := int64(0)
	return func(n int64) {
		w.bytes.Add(n - last)
		last = n
	}
}

// start has t run as soon as there is a slot for it.
func (w *walker) start(t *task) {
	t.out = make(chan *[]item, 2)
	select {
	case w.tasks <- t:
	case <-w.ctx.Done():
		w.drop(t)
		return
	}
	select {
	case w.slots <- struct{}{}:
	case <-w.ctx.Done():
		w.drop(t)
		return
	}
	w.running.Go(func() {
		w.work(t)
		<-w.slots
	})
}

// drop ends a task that nobody waits for, and lets it free what it holds.
func (w *walker) drop(t *task) {
	s := newStream(w.Reader, newParser(), func(SignIn, error) bool { return false })
	s.stopped = true
	t.run(s)
	close(t.out)
}

// work runs t and sends what it finds.
func (w *walker) work(t *task) {
	defer close(t.out)
	p, ok := w.parsers.take()
	if !ok {
		p = newParser()
	}
	defer w.parsers.put(p)
	batch := w.batch()
	send := func() bool {
		select {
		case t.out <- batch:
			return !t.gaveUp.Load()
		case <-w.ctx.Done():
			return false
		}
	}
	var s *stream
	sent := t.base
	s = newStream(w.Reader, p, func(signIn SignIn, err error) bool {
		*batch = append(*batch, item{signIn, err})
		at := s.base + int64(s.pos)
		if len(*batch) < batchSize && at-sent < batchBytes {
			return true
		}
		sent = at
		more := send()
		batch = w.batch()
		return more
	})
	s.base = t.base
	s.maxErrors = math.MaxInt // which collect counts
	t.run(s)
	if s.err != nil && !s.stopped {
		*batch = append(*batch, item{err: &RecordError{Offset: s.base + int64(s.end), Rest: true, Err: s.err}})
	}
	send()
}

func (w *walker) batch() *[]item {
	if b, ok := w.batches.take(); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]item, 0, batchSize)
	return &b
}

// collect yields what the tasks find, one task after the other.
func (w *walker) collect(yield func(SignIn, error) bool) {
	maxErrors := w.MaxErrors
	if maxErrors <= 0 {
		maxErrors = defaultMaxErrors
	}
	var progress Progress
	told := int64(0)
	inFile, inARow, at := int64(0), 0, int64(0) // at: where the last that failed is
	for t := range w.tasks {
		progress.File = t.name
		for batch := range t.out {
			for i := range *batch {
				if t.gaveUp.Load() {
					break
				}
				it := &(*batch)[i]
				inFile++
				progress.Records++
				inARow++
				if it.err == nil {
					inARow = 0
				} else if e, ok := it.err.(*RecordError); ok {
					e.File = t.name
					at = e.Offset
					if e.Record > 0 {
						e.Record = inFile
					}
					if errors.Is(e, ErrOtherCategory) {
						inARow--
					} else {
						progress.Errors++
					}
				}
				if !yield(it.signIn, it.err) {
					w.stopped = true
					return
				}
				if inARow >= maxErrors {
					t.gaveUp.Store(true)
					err := fmt.Errorf("%w: %d records in a row cannot be read", ErrNotLog, inARow)
					if !yield(SignIn{}, &RecordError{File: t.name, Record: inFile, Offset: at, Err: err}) {
						w.stopped = true
						return
					}
				}
			}
			clear(*batch)
			w.batches.put(batch)
			if progress.Bytes = w.bytes.Load(); w.Progress != nil && progress.Bytes-told >= meterStep {
				told = progress.Bytes
				w.Progress(progress)
			}
		}
		if t.last {
			inFile, inARow = 0, 0
			if progress.Bytes = w.bytes.Load(); w.Progress != nil {
				w.Progress(progress)
			}
		}
	}
}
