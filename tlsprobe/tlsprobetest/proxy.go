package tlsprobetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// A Proxy is an HTTP proxy that knows CONNECT. It never leaves the machine:
// whatever it is asked for, it connects to To.
type Proxy struct {
	To     string // host:port that tunnels lead to
	Status string // if not empty, the answer instead of a tunnel, such as "403 Forbidden"

	// Addr is the host:port of a started proxy.
	Addr string

	listener net.Listener
	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]struct{}
	wg       sync.WaitGroup
}

// Start makes the proxy listen on loopback, and returns it. It panics if the
// system does not let it.
func (p *Proxy) Start() *Proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("tlsprobetest: %v", err))
	}
	p.listener, p.Addr, p.conns = listener, listener.Addr().String(), make(map[net.Conn]struct{})
	p.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	return p
}

// Close ends all tunnels and waits until nothing of the proxy is left.
func (p *Proxy) Close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for conn := range p.conns {
		conn.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// track notes a connection that Close shall end, and reports whether it may go on.
func (p *Proxy) track(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *Proxy) release(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
}

func (p *Proxy) serve(conn net.Conn) {
	defer p.release(conn)
	if !p.track(conn) {
		return
	}
	reader := bufio.NewReader(conn)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	status := p.Status
	if request.Method != http.MethodConnect {
		status = "405 Method Not Allowed"
	}
	if request.Header.Get("Proxy-Authorization") != "" {
		status = "400 Credentials Are Not Welcome"
	}
	if status != "" {
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
		return
	}
	server, err := net.Dial("tcp", p.To)
	if err != nil {
		fmt.Fprint(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer p.release(server)
	if !p.track(server) {
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.wg.Go(func() {
		io.Copy(conn, server)
		closeWrite(conn)
	})
	io.Copy(server, reader)
	closeWrite(server)
}
