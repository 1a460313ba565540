//go:build !windows

package schannel

// Local returns what is known of this machine. It needs Windows, and returns
// [ErrNotWindows] elsewhere.
func Local() (*Client, error) { return nil, ErrNotWindows }
