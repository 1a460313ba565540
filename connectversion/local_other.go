//go:build !windows

package connectversion

func local() (Machine, error) { return Machine{}, ErrNotWindows }
