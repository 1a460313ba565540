package tlsprobetest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
)

// A pipeEnd is one end of a connection in memory that knows orderly ends and
// resets, as TCP does.
type pipeEnd struct {
	net.Conn
	reset *atomic.Bool // by the server
}

// newPipe returns the two ends of a connection in memory.
func newPipe() (client, server net.Conn) {
	c, s := net.Pipe()
	reset := new(atomic.Bool)
	return &clientEnd{pipeEnd{Conn: c, reset: reset}}, &serverEnd{pipeEnd{Conn: s, reset: reset}}
}

type clientEnd struct{ pipeEnd }

func (c *clientEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.mend(err)
}

func (c *clientEnd) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.mend(err)
}

// mend turns the end of the pipe into what a socket would say.
func (c *clientEnd) mend(err error) error {
	if c.reset.Load() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)) {
		number := syscall.ECONNRESET
		if runtime.GOOS == "windows" {
			number = syscall.Errno(10054) // WSAECONNRESET
		}
		return &net.OpError{Op: "read", Net: "pipe", Err: os.NewSyscallError("read", number)}
	}
	return err
}

type serverEnd struct{ pipeEnd }

// SetLinger makes the next Close a reset, like that of a TCP connection.
func (s *serverEnd) SetLinger(seconds int) error {
	s.reset.Store(seconds == 0)
	return nil
}

// CloseWrite ends the pipe, which has no half-open state.
func (s *serverEnd) CloseWrite() error { return s.Conn.Close() }
