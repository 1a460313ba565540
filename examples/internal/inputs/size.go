// Package inputs looks at the files and folders that a command line names.
package inputs

import (
	"io/fs"
	"path/filepath"
)

// Size returns how many bytes files and folders hold, and -1 if that cannot be
// told beforehand.
func Size(names []string) (total int64) {
	for _, name := range names {
		err := filepath.WalkDir(name, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				total += info.Size()
			}
			return err
		})
		if err != nil {
			return -1
		}
	}
	return total
}
