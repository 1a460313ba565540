package signins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// Read reads sign-ins from r with the settings of the zero [Reader].
func Read(r io.Reader) iter.Seq2[SignIn, error] { return new(Reader).Read(r) }

// ReadFiles reads all files of fsys with the settings of the zero [Reader].
func ReadFiles(ctx context.Context, fsys fs.FS) iter.Seq2[SignIn, error] {
	return new(Reader).ReadFiles(ctx, fsys)
}

// A Reader holds the settings of reading. The zero value is ready to use, and
// one Reader may serve many goroutines.
type Reader struct {
	// MaxRecord bounds the size of one record in bytes. If 0, it is 16 MiB.
	// A larger record is skipped, with an error that wraps [ErrTooLarge].
	MaxRecord int

	// MaxErrors bounds the number of unreadable records in a row, after which
	// a file is given up with an error that wraps [ErrNotLog]. If 0, it is 100.
	MaxErrors int

	// Progress, if not nil, is called from time to time, and once at the end
	// of each file, always by the goroutine that ranges over the sequence.
	Progress func(Progress)
}

// Progress tells how far reading has come.
type Progress struct {
	File    string // name of the file being read, if known
	Bytes   int64  // read so far in all files, as stored (before decompression)
	Records int64  // yielded so far
	Errors  int64  // records that could not be read so far
}

// A RecordError reports a record that is not yielded as a SignIn, and why.
// Reading goes on after it, if only with the next file. An error of any other
// type ends the sequence: the input could not be read, or the context ended.
type RecordError struct {
	File   string // as in the file system; "" when reading from an io.Reader
	Record int64  // counted from 1, within the file
	Offset int64  // of the record's first byte, in the file after decompression
	Err    error
}

// Error names the place and what was wrong there, in one line.
func (e *RecordError) Error() string {
	name := e.File
	if name == "" {
		name = "input"
	}
	return fmt.Sprintf("signins: %s: record %d at byte %d: %v", name, e.Record, e.Offset, e.Err)
}

// Unwrap returns e.Err.
func (e *RecordError) Unwrap() error { return e.Err }

// What a [RecordError] may wrap. Other causes have no name of their own.
var (
	// ErrOtherCategory: a healthy record of another log, as in an event hub
	// that several logs share. It is not malformed.
	ErrOtherCategory = errors.New("not a sign-in log's record")

	// ErrDuplicate: another copy of an event that has been, or will be,
	// yielded. Only [Dedupe] yields it.
	ErrDuplicate = errors.New("another copy of the same event")

	// ErrTooLarge: the record exceeds Reader.MaxRecord.
	ErrTooLarge = errors.New("record is too large")

	// ErrNotLog: the input was given up, since too many records in a row
	// could not be read, or the first bytes are of no known format.
	ErrNotLog = errors.New("not a sign-in log")
)
