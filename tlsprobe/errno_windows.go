package tlsprobe

import "syscall"

// The numbers of Winsock. Package syscall has its own, invented ones for
// ECONNREFUSED and the like, which no socket returns.
const (
	errnoReset   = syscall.WSAECONNRESET
	errnoAborted = syscall.WSAECONNABORTED
	errnoPipe    = syscall.Errno(10058) // WSAESHUTDOWN
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
)
