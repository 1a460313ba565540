package signins

import (
	"context"
	"io/fs"
	"iter"
)

// ReadFiles yields the sign-ins of all files of fsys, folders walked in
// lexical order. A file that cannot be read, or is no sign-in log, yields a
// [RecordError], and reading goes on with the next one.
func (r *Reader) ReadFiles(ctx context.Context, fsys fs.FS) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if err != nil || d.IsDir() {
				return err
			}
			f, err := fsys.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			for s, err := range r.Read(f) {
				if e, ok := err.(*RecordError); ok {
					e.File = name
				}
				if !yield(s, err) {
					return fs.SkipAll
				}
			}
			return nil
		})
		if err != nil {
			yield(SignIn{}, err)
		}
	}
}
