//go:build !windows

package registry

// Live reads keys of this machine's registry. It needs Windows, and returns
// [ErrNotWindows] elsewhere.
func Live(keys ...string) (Registry, error) { return nil, ErrNotWindows }

// LiveSubKeys returns the names of the keys right below key in this machine's
// registry. It needs Windows, and returns [ErrNotWindows] elsewhere.
func LiveSubKeys(key string) ([]string, error) { return nil, ErrNotWindows }
