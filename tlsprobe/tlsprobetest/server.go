// Package tlsprobetest has TLS servers with chosen flaws, for tests of whatever
// is built on package tlsprobe, and for demonstrations.
//
//	srv := (&tlsprobetest.Server{MaxVersion: tlsprobe.TLS12, NotAfter: lastWeek}).Start()
//	defer srv.Close()
//	r, err := tlsprobe.Probe(ctx, srv.Addr)
//
// A server listens on loopback, on a new port each time, with a certificate
// made afresh. [Server.Dial] connects to it in memory instead, which needs no
// network and works with the fake clock of testing/synctest.
//
// What a Server negotiates with suites and groups that crypto/tls has, it
// negotiates for real, with crypto/tls. For all else (SSL 3.0, DHE, CCM,
// Camellia, brainpool, …) it sends a first flight that is right in form, and
// does not finish the handshake. Not modelled: sessions, renegotiation, 0-RTT,
// application data, revocation, and SSL 2.0.
package tlsprobetest

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/crossprem/crossprem/internal/testca"
	"github.com/crossprem/crossprem/tlsprobe"
)

// An Act is a way to answer without a ServerHello.
type Act uint8

const (
	SendAlert Act = iota // a fatal alert; which one depends on the place
	Hang                 // no answer, and the connection stays open
	HangUp               // an orderly end (FIN)
	Reset                // a TCP reset
)

// A Server is a TLS server with chosen flaws. The zero value accepts TLS 1.2
// and 1.3 and has none. Fields are set before Start, and not changed after.
type Server struct {
	// MinVersion and MaxVersion bound what is accepted; if zero, TLS 1.2 and
	// TLS 1.3. Versions, if not nil, lists it exactly; there may be holes.
	MinVersion, MaxVersion tlsprobe.Version
	Versions               []tlsprobe.Version

	Suites []tlsprobe.Suite // if nil, all that crypto/tls has
	Groups []tlsprobe.Group // if nil, all that crypto/tls has; for ECDHE and TLS 1.3
	ALPN   []string         // in order of preference; if nil, none is chosen

	// ClientCertificate asks for a client certificate during the handshake, and
	// refuses clients without.
	ClientCertificate bool

	// ServerName, if not empty, is the only name that is answered; other hellos
	// get the alert OtherNameAlert, or 112 "unrecognized_name" if that is 0, or
	// what OtherName says if it is not SendAlert.
	ServerName     string
	OtherName      Act
	OtherNameAlert tlsprobe.Alert

	// PSKOnly lists versions that are negotiated with a key shared beforehand
	// alone: a hello for which one of them would be chosen gets the alert 40.
	PSKOnly []tlsprobe.Version

	// The certificate: its names (if nil: localhost, 127.0.0.1, ::1), validity
	// (if zero: from an hour ago for 90 days), key (if nil: a new P-256 one)
	// and the common name of its authority.
	Names               []string
	NotBefore, NotAfter time.Time
	Key                 crypto.Signer
	Issuer              string

	// Refusal is how versions that are not accepted are refused. With
	// SendAlert it is RefusalAlert, or 70 "protocol_version" if that is 0.
	Refusal      Act
	RefusalAlert tlsprobe.Alert

	// Intolerant, if not zero, is the lowest version whose hellos are cut,
	// instead of being answered with a lower version. Cut tells how these, and
	// those beyond a limit, are cut; SendAlert stands for HangUp there.
	Intolerant tlsprobe.Version
	Cut        Act

	PerSecond   int // connections answered in any second; the rest is cut
	EveryNth    int // every n-th connection is cut
	MaxSuites   int // hellos with more suites are cut
	MaxHello    int // longer hellos, in bytes of the message, get no answer
	HangFrom    int // hellos of HangFrom to HangTo bytes get no answer
	HangTo      int
	NoEmptyKeys bool // TLS 1.3: hellos without a key share get the alert 47

	Delay    time.Duration  // before the answer
	Warning  tlsprobe.Alert // if not 0, a warning is sent before the ServerHello
	Record   int            // if not 0, the most bytes in one record of the first flight
	Truncate int            // if not 0, so many bytes of the first flight are sent, and then the end

	// OnHello, if not SendAlert, is what becomes of every hello. OnAccept, if
	// not SendAlert, is what becomes of every connection at once. OnlyAlert, if
	// not 0, is the alert that every hello gets.
	OnHello, OnAccept Act
	OnlyAlert         tlsprobe.Alert

	// Banner is sent to everybody who connects, and Reply to everybody who
	// sends something; then the connection ends. There is no TLS if either is
	// set.
	Banner, Reply string

	// StartTLS is the dialogue before TLS. HideStartTLS leaves it out of what is
	// offered. RefuseStartTLS, if not empty, is the reply to it instead of
	// consent: a line for SMTP, IMAP (behind the tag) and POP3; a text for
	// LDAP, with result 52; any value for TDS.
	StartTLS       tlsprobe.Protocol
	HideStartTLS   bool
	RefuseStartTLS string

	// How an SMTP server falters: Greeting and RefuseEHLO, if not empty, are what
	// it says to a connection and to EHLO in place of consent, such as
	// "421 4.3.2 too busy". RefuseLiteral refuses EHLO with an address in brackets
	// only. If FalterFirst is not 0, so many connections are treated like this, and
	// refused STARTTLS, and later ones are not. HideEveryNth leaves STARTTLS out
	// of what every n-th connection is offered.
	Greeting, RefuseEHLO string
	RefuseLiteral        bool
	FalterFirst          int
	HideEveryNth         int

	// Addr is the host:port of a started server.
	Addr string

	ca       *testca.CA
	cert     tls.Certificate
	listener net.Listener

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]struct{}
	seen     int         // connections so far
	answered []time.Time // those of the last second
	wg       sync.WaitGroup
}

// Start makes the server listen on loopback, and returns it. It panics if the
// system does not let it, or if a field makes no sense.
func (s *Server) Start() *Server {
	s.prepare()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("tlsprobetest: %v", err))
	}
	s.listener = listener
	s.Addr = listener.Addr().String()
	s.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn)
		}
	})
	return s
}

// prepare makes the certificate, once.
func (s *Server) prepare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ca != nil {
		return
	}
	if s.StartTLS != "" && !slices.Contains(tlsprobe.Protocols(), s.StartTLS) {
		panic(fmt.Sprintf("tlsprobetest: no such protocol before TLS: %q", s.StartTLS))
	}
	if s.Versions != nil && (s.MinVersion != 0 || s.MaxVersion != 0) {
		panic("tlsprobetest: both Versions and a bound are set")
	}
	for _, v := range s.Versions {
		if v < tlsprobe.SSL30 || v > tlsprobe.TLS13 {
			panic("tlsprobetest: " + v.String() + " is not modelled")
		}
	}
	s.conns = make(map[net.Conn]struct{})
	s.ca = testca.New(s.Issuer)
	s.cert = s.ca.Issue(testca.Leaf{Names: s.Names, NotBefore: s.NotBefore, NotAfter: s.NotAfter, Key: s.Key})
}

// Dial connects to the server in memory, whatever addr is. It has the shape
// of [tlsprobe.Prober.Dial].
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.prepare()
	client, server := newPipe()
	s.serve(server)
	return client, nil
}

// Roots returns a new pool with the authority of the server's certificate.
func (s *Server) Roots() *x509.CertPool {
	s.prepare()
	return s.ca.Pool()
}

// Authority returns the certificate in Roots, for a pool that holds those of
// several servers. It is read-only.
func (s *Server) Authority() *x509.Certificate {
	s.prepare()
	return s.ca.Cert
}

// Certificate returns the server's certificate. It is read-only.
func (s *Server) Certificate() *x509.Certificate {
	s.prepare()
	return s.cert.Leaf
}

// Connections returns how many connections there were so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Close ends all connections and waits until nothing of the server is left.
func (s *Server) Close() {
	if s.listener != nil {
		s.listener.Close()
	}
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// serve handles one connection in the background.
func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	s.conns[conn] = struct{}{}
	s.seen++
	number := s.seen
	s.wg.Go(func() {
		s.handle(conn, number)
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	})
}

// overLimit reports whether the connection is one too many.
func (s *Server) overLimit(number int) bool {
	if s.EveryNth > 0 && number%s.EveryNth == 0 {
		return true
	}
	if s.PerSecond == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.answered = slices.DeleteFunc(s.answered, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	if len(s.answered) >= s.PerSecond {
		return true
	}
	s.answered = append(s.answered, now)
	return false
}

func (s *Server) handle(conn net.Conn, number int) {
	if s.OnAccept != SendAlert {
		s.act(conn, s.OnAccept)
		return
	}
	if s.Banner != "" {
		var reading sync.WaitGroup
		reading.Go(func() { drain(conn) }) // in memory, both sides may be writing
		io.WriteString(conn, s.Banner)
		reading.Wait()
		return
	}
	var err error
	if s.StartTLS != "" {
		if conn, err = s.startTLS(conn, number); err != nil {
			return
		}
	}
	if s.Reply != "" {
		var first [4096]byte
		if _, err := conn.Read(first[:]); err == nil {
			io.WriteString(conn, s.Reply)
			closeWrite(conn)
			drain(conn)
		}
		return
	}
	s.negotiate(conn, number)
}

// act does one of the acts that are no alert.
func (s *Server) act(conn net.Conn, act Act) {
	switch act {
	case Hang:
		drain(conn)
	case Reset:
		if c, ok := rawConn(conn).(interface{ SetLinger(int) error }); ok {
			c.SetLinger(0)
		}
		conn.Close()
	default:
		closeWrite(conn)
		drain(conn) // so that what is unread does not turn the end into a reset
	}
}

// cut ends a connection the way that Cut says.
func (s *Server) cut(conn net.Conn) { s.act(conn, s.Cut) }

// drain reads until the other side ends.
func drain(conn net.Conn) { io.Copy(io.Discard, rawConn(conn)) }

func closeWrite(conn net.Conn) {
	if c, ok := rawConn(conn).(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

// rawConn returns the connection that conn is wrapped around.
func rawConn(conn net.Conn) net.Conn {
	for {
		inner, ok := conn.(interface{ inner() net.Conn })
		if !ok {
			return conn
		}
		conn = inner.inner()
	}
}

// versions returns what is accepted, the highest first.
func (s *Server) versions() []tlsprobe.Version {
	if s.Versions != nil {
		list := slices.Clone(s.Versions)
		slices.Sort(list)
		slices.Reverse(list)
		return list
	}
	low, high := s.MinVersion, s.MaxVersion
	if high == 0 {
		high = tlsprobe.TLS13
	}
	if low == 0 {
		low = min(tlsprobe.TLS12, high)
	}
	var list []tlsprobe.Version
	for v := high; v >= low; v-- {
		list = append(list, v)
	}
	return list
}
