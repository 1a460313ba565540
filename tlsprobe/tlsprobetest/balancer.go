package tlsprobetest

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
)

// A Balancer spreads connections over servers behind one address, in turns.
// The servers are not started; they end with Close.
type Balancer struct {
	Servers []*Server

	// Addr is the host:port of a started balancer.
	Addr string

	turn     atomic.Int64
	listener net.Listener
	done     chan struct{}
}

func (b *Balancer) next() *Server {
	return b.Servers[int(b.turn.Add(1)-1)%len(b.Servers)]
}

// Dial connects to the next server in memory, as [Server.Dial] does.
func (b *Balancer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return b.next().Dial(ctx, network, addr)
}

// Start makes the balancer listen on loopback, and returns it. It panics if
// the system does not let it.
func (b *Balancer) Start() *Balancer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("tlsprobetest: %v", err))
	}
	b.listener, b.Addr, b.done = listener, listener.Addr().String(), make(chan struct{})
	go func() {
		defer close(b.done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s := b.next()
			s.prepare()
			s.serve(conn)
		}
	}()
	return b
}

// Close ends the balancer and its servers.
func (b *Balancer) Close() {
	if b.listener != nil {
		b.listener.Close()
		<-b.done
	}
	for _, s := range b.Servers {
		s.Close()
	}
}
