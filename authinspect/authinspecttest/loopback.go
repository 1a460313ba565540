package authinspecttest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"

	"github.com/crossprem/crossprem/internal/testca"
)

// A Loopback is what every running fake has in common: a free port of
// 127.0.0.1, a certificate, connections that Close ends, and a guard against
// credentials.
type Loopback struct {
	guard
	name     string // for messages
	ca       *testca.CA
	config   *tls.Config // with the certificate of the server
	listener net.Listener
	done     chan struct{} // closed by Close
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// listen opens a port. The certificate names names, or the loopback if there
// are none; untrusted, it comes from an authority that Roots does not hold.
// It panics if it cannot.
func (l *Loopback) listen(name string, names []string, untrusted bool) {
	l.name, l.ca, l.done, l.conns = name, testca.New("authinspecttest "+name), make(chan struct{}), make(map[net.Conn]bool)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("authinspecttest: " + err.Error())
	}
	l.listener = listener
	issuer := l.ca
	if untrusted {
		issuer = testca.New("nobody knows me")
	}
	l.config = &tls.Config{Certificates: []tls.Certificate{issuer.Issue(testca.Leaf{Names: names})}}
}

// accept calls serve for each connection, which it closes afterwards, until
// Close.
func (l *Loopback) accept(serve func(net.Conn)) {
	l.wg.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			select {
			case <-l.done:
				_ = conn.Close()
			default:
				l.conns[conn] = true
				l.wg.Go(func() {
					defer func() {
						_ = conn.Close()
						l.mu.Lock()
						delete(l.conns, conn)
						l.mu.Unlock()
					}()
					serve(conn)
				})
			}
			l.mu.Unlock()
		}
	})
}

// Roots returns a pool with the authority of the server's certificate, unless
// the server is to be untrusted.
func (l *Loopback) Roots() *x509.CertPool { return l.ca.Pool() }

// Authority returns the certificate in Roots, for programs that read it from
// a file. It is read-only.
func (l *Loopback) Authority() *x509.Certificate { return l.ca.Cert }

// Dial connects to the server, whatever address it is given: it serves as
// Inspector.Dial where the name of the target does not exist.
func (l *Loopback) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, l.listener.Addr().String())
}

// Violations hands over, and forgets, what arrived that must never arrive: a
// password, a token, a cookie. What was sent is described, not repeated. A
// test that expects violations takes them before Close, which panics
// otherwise.
func (l *Loopback) Violations() []string { return l.take() }

// Close stops the server, ends all its connections and waits for them. It
// panics if credentials arrived and nobody has taken the
// [Loopback.Violations].
func (l *Loopback) Close() {
	close(l.done)
	_ = l.listener.Close()
	l.mu.Lock()
	for conn := range l.conns {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
	l.report(l.name)
}
