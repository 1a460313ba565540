//go:build !windows

package tlsprobe

import "syscall"

const (
	errnoReset   = syscall.ECONNRESET
	errnoAborted = syscall.ECONNABORTED
	errnoPipe    = syscall.EPIPE
	errnoRefused = syscall.ECONNREFUSED
)
