package graphsignins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// ErrFile reports that a file and its checkpoint do not belong together: the
// file holds something and there is no checkpoint, or the file is shorter than
// the checkpoint says, or there is none. Nothing was written.
var ErrFile = errors.New("the file and its checkpoint do not belong together")

// A File collects the log into a file of one JSON record a line, as Microsoft
// Graph sent it, which signins.Read reads. Its checkpoint keeps the length of
// what is known to be in it, so that a kill at any instant neither loses nor
// doubles a record: what was written and not yet noted is cut off by the next
// OpenFile, and read again.
//
// A record that changed after it was written, which is rare, is in the file a
// second time, later: by its id, the last copy counts. Records that cannot be
// read are not in the file; Progress.Unreadable counts them.
//
// A File and its checkpoint are for one goroutine of one program at a time.
type File struct {
	source      *Source
	checkpoints Checkpoints
	file        *os.File
	size        int64 // what is known to be in it
	records     int64
}

// OpenFile opens the file with a name for what s reads, or makes it, and cuts
// off what the checkpoint does not know. It needs Options.Raw. The checkpoint
// must be for this file alone.
//
// The error wraps [ErrFile] or [ErrOtherQuery], or is that of the checkpoints
// or the file system.
func (s *Source) OpenFile(ctx context.Context, name string, checkpoints Checkpoints) (*File, error) {
	if !s.raw {
		return nil, errors.New("graphsignins: Options.Raw is not set, which a file of records needs")
	}
	c, err := s.collection(ctx, checkpoints, nil)
	if err != nil {
		return nil, err
	}
	f := &File{source: s, checkpoints: checkpoints, records: c.Checkpoint.Records}
	refuse := func(format string, args ...any) (*File, error) {
		return nil, fmt.Errorf("graphsignins: %s: %w: %s", name, ErrFile, fmt.Sprintf(format, args...))
	}
	if c.Mark != "" {
		if f.size, err = strconv.ParseInt(c.Mark, 10, 64); err != nil || f.size < 0 {
			return refuse("the checkpoint's mark %.40q is no length", c.Mark)
		}
	} else if c.Checkpoint.Records > 0 {
		return refuse("the checkpoint is that of another receiver, which kept no length")
	}
	if f.file, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("graphsignins: %w", err)
	}
	info, err := f.file.Stat()
	switch {
	case err != nil:
	case info.Size() < f.size:
		f.file.Close()
		return refuse("it has %d bytes, and the checkpoint knows of %d", info.Size(), f.size)
	case info.Size() > 0 && c.Mark == "":
		f.file.Close()
		return refuse("it holds something, and there is no checkpoint for it")
	case c.Mark == "":
		// From here on what is in the file is ours to cut.
		c.Mark = "0"
		err = c.save(ctx)
	default:
		err = f.file.Truncate(f.size)
	}
	if err != nil {
		f.file.Close()
		return nil, fmt.Errorf("graphsignins: %s: %w", name, err)
	}
	return f, nil
}

// Collect adds to the file what [Source.Collect] finds, and returns the same
// errors.
func (f *File) Collect(ctx context.Context) error {
	return f.source.Collect(ctx, f.checkpoints, f.receive)
}

// Follow adds to the file what [Source.Follow] finds, for ever or up to
// Options.To, and returns the same errors.
func (f *File) Follow(ctx context.Context) error {
	return f.source.Follow(ctx, f.checkpoints, f.receive)
}

// Records returns how many lines were written to the file, by this and all
// earlier collections.
func (f *File) Records() int64 { return f.records }

// Close closes the file, which is whole at any time.
func (f *File) Close() error { return f.file.Close() }

func (f *File) receive(_ context.Context, b Batch) (string, error) {
	var lines []byte
	for _, raw := range b.Raw {
		lines = append(append(lines, raw...), '\n')
	}
	// A batch that failed half way is written over.
	_, err := f.file.WriteAt(lines, f.size)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		return "", errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(lines))
	f.records += int64(len(b.Raw))
	return strconv.FormatInt(f.size, 10), nil
}
