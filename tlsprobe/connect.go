package tlsprobe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A loss tells how a connection was lost before it gave an answer.
type loss uint8

const (
	notLost loss = iota
	lostClosed
	lostReset
	lostSilent
	lostRefused     // the connection was refused
	lostUnreachable // no way to the address, or Dial failed in a way of its own
	lostProxy       // the proxy did not connect
	lostStartTLS    // the dialogue was refused
	lostNoStartTLS  // STARTTLS is not among what the server offers
	lostPutOff      // the server says to come back later, with 421, 450 or 454
	lostEHLO        // the name in EHLO was refused
	lostCanceled
)

// A lossError says why a connection did not get as far as a hello.
type lossError struct {
	loss   loss
	detail string
}

func (e *lossError) Error() string { return e.detail }

// lossOf tells the kinds of network errors apart.
func lossOf(err error) loss {
	var lost *lossError
	var timeout net.Error
	switch {
	case err == nil:
		return notLost
	case errors.As(err, &lost):
		return lost.loss
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return lostCanceled
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return lostClosed
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return lostSilent
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		switch number {
		case errnoReset, errnoAborted, errnoPipe:
			return lostReset
		case errnoRefused:
			return lostRefused
		}
	}
	return lostUnreachable
}

// open connects to the endpoint and leads the connection to where TLS begins.
// It ends with e.ctx or at e.deadline.
func (e *endpoint) open() (net.Conn, error) {
	addr := e.address
	if e.proxy != nil {
		addr = proxyAddr(e.proxy)
	}
	e.mu.Lock()
	e.opened++
	e.mu.Unlock()
	conn, err := e.dialInTime(addr)
	if err != nil {
		if e.proxy != nil && e.ctx.Err() == nil {
			return nil, &lossError{lostProxy, "the proxy cannot be reached: " + err.Error()}
		}
		return nil, err
	}
	if !e.track(conn) {
		conn.Close()
		return nil, context.Canceled
	}
	conn.SetDeadline(e.deadline)
	if e.proxy != nil {
		if conn, err = connect(conn, e.address); err != nil {
			e.release(conn)
			return nil, err
		}
	}
	if e.startTLS != "" {
		next, err := startTLS(conn, e.startTLS, e.prober.EHLO)
		if err != nil {
			e.release(conn)
			return nil, err
		}
		conn = next
	}
	return conn, nil
}

// dialInTime dials, and comes back when the probe ends even if a Dial of the
// caller's does not: what it opens later is closed at once.
func (e *endpoint) dialInTime(addr string) (net.Conn, error) {
	if e.prober.Dial == nil {
		return e.dial(e.ctx, "tcp", addr)
	}
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	go func() {
		conn, err := e.dial(e.ctx, "tcp", addr)
		select {
		case done <- dialed{conn, err}:
		default:
		}
		if conn != nil && !e.track(conn) {
			conn.Close()
		}
	}()
	select {
	case d := <-done:
		return d.conn, d.err
	case <-e.ctx.Done():
		return nil, e.ctx.Err()
	}
}

// proxyAddr returns the host:port of a proxy.
func proxyAddr(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// checkProxy refuses proxies that we cannot or should not speak to.
func checkProxy(u *url.URL) error {
	switch {
	case u.Scheme != "http":
		return badSetting("proxy: the scheme %.20q is not \"http\"", u.Scheme)
	case u.Hostname() == "":
		return badSetting("proxy: there is no host in the URL")
	case u.User != nil:
		return badSetting("proxy: the URL holds credentials, and a probe sends none")
	}
	return nil
}

const (
	maxLine     = 4 << 10  // of a text dialogue
	maxDialogue = 64 << 10 // before TLS
)

// A lineConn is a connection of which lines were read.
type lineConn struct {
	net.Conn
	r    *bufio.Reader
	left int // what the dialogue may still take
}

func newLineConn(conn net.Conn) *lineConn {
	return &lineConn{Conn: conn, r: bufio.NewReaderSize(conn, maxLine), left: maxDialogue}
}

// Read returns first what came behind the last line. A server that pushed
// plain text there is found out by it: it is no answer to a hello.
func (c *lineConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// line reads one line and takes the end off it. If the other side sends
// something too long, or not of lines, the error says so.
func (c *lineConn) line() (string, error) {
	raw, err := c.r.ReadSlice('\n')
	if c.left -= len(raw); errors.Is(err, bufio.ErrBufferFull) || c.left < 0 {
		return "", errTooLong
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

var errTooLong = errors.New("the lines before TLS are too long")

// connect asks a proxy for a tunnel to addr, RFC 9110 §9.3.6, without
// credentials. It returns a connection in any case, to be closed.
func connect(conn net.Conn, addr string) (net.Conn, error) {
	if _, err := io.WriteString(conn, "CONNECT "+addr+" HTTP/1.1\r\nHost: "+addr+"\r\n\r\n"); err != nil {
		return conn, proxyLoss(err)
	}
	lines := newLineConn(conn)
	status, err := lines.line()
	if err != nil {
		return conn, proxyLoss(err)
	}
	version, rest, _ := strings.Cut(status, " ")
	number, _, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(number)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil {
		return conn, &lossError{lostProxy, fmt.Sprintf("the proxy does not speak HTTP: %.80q", status)}
	}
	if code < 200 || code > 299 {
		return conn, &lossError{lostProxy, fmt.Sprintf("the proxy answers %.80q", rest)}
	}
	for {
		switch line, err := lines.line(); {
		case err != nil:
			return conn, proxyLoss(err)
		case line == "":
			return lines, nil
		}
	}
}

// proxyLoss tells what became of a tunnel that was asked for.
func proxyLoss(err error) error {
	switch lossOf(err) {
	case lostCanceled, lostSilent:
		return err
	}
	return &lossError{lostProxy, "the proxy does not answer CONNECT: " + err.Error()}
}
