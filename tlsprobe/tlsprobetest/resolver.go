package tlsprobetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// A Resolver knows the names that are written into it, and no others: for
// those it returns what a resolver says for a name that does not exist. Its
// methods are for the fields Resolve and ResolveMX of [tlsprobe.Prober].
// Started, it is a DNS server on loopback as well, for whatever takes the
// address of one; it answers questions for A, AAAA and MX over UDP and TCP.
//
// Names are in lower case, without the dot at the end. Fields are set before
// use, and not changed after. Not modelled: aliases, DNSSEC, truncation, and
// time to live, which is zero.
type Resolver struct {
	MX    map[string][]*net.MX // by domain; a null MX is one with the host "."
	Hosts map[string][]netip.Addr

	// Fail lists names whose questions fail for now, as those to a server that
	// does not answer do.
	Fail []string

	// Addr is the host:port of a started server.
	Addr string

	packets  net.PacketConn
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]struct{} // nil after Close
	wg       sync.WaitGroup
}

func key(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (r *Resolver) check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if slices.Contains(r.Fail, key(name)) {
		return &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return nil
}

func notFound(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// LookupMX has the shape of [tlsprobe.Prober.ResolveMX].
func (r *Resolver) LookupMX(ctx context.Context, domain string) ([]*net.MX, error) {
	if err := r.check(ctx, domain); err != nil {
		return nil, err
	}
	if list := r.MX[key(domain)]; len(list) > 0 {
		return slices.Clone(list), nil
	}
	return nil, notFound(domain)
}

// LookupHost has the shape of [tlsprobe.Prober.Resolve].
func (r *Resolver) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if err := r.check(ctx, host); err != nil {
		return nil, err
	}
	if list := r.Hosts[key(host)]; len(list) > 0 {
		return slices.Clone(list), nil
	}
	return nil, notFound(host)
}

// Start makes the resolver a DNS server on loopback, and returns it. It panics
// if the system does not let it.
func (r *Resolver) Start() *Resolver {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		r.packets, err = net.ListenPacket("udp", listener.Addr().String())
	}
	if err != nil {
		panic(fmt.Sprintf("tlsprobetest: %v", err))
	}
	r.listener, r.Addr, r.conns = listener, listener.Addr().String(), make(map[net.Conn]struct{})
	r.wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := r.packets.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := r.answer(buf[:n]); answer != nil {
				r.packets.WriteTo(answer, from)
			}
		}
	})
	r.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(conn) })
		}
	})
	return r
}

// Close ends the server and waits until nothing of it is left.
func (r *Resolver) Close() {
	if r.listener == nil {
		return
	}
	r.listener.Close()
	r.packets.Close()
	r.mu.Lock()
	for conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Resolver) serve(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	if r.conns == nil {
		r.mu.Unlock()
		return
	}
	r.conns[conn] = struct{}{}
	r.mu.Unlock()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := r.answer(question)
		if answer == nil {
			return
		}
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

// answer returns the answer to one message, or nil for what is none.
func (r *Resolver) answer(raw []byte) []byte {
	var in dnsmessage.Message
	if err := in.Unpack(raw); err != nil || in.Response || len(in.Questions) != 1 {
		return nil
	}
	q := in.Questions[0]
	name := key(q.Name.String())
	out := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: in.ID, Response: true, Authoritative: true, RecursionDesired: in.RecursionDesired, RecursionAvailable: true},
		Questions: in.Questions,
	}
	add := func(body dnsmessage.ResourceBody) {
		out.Answers = append(out.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: body})
	}
	switch {
	case slices.Contains(r.Fail, name):
		out.RCode = dnsmessage.RCodeServerFailure
	case q.Type == dnsmessage.TypeMX:
		for _, mx := range r.MX[name] {
			host, err := dnsmessage.NewName(strings.TrimSuffix(mx.Host, ".") + ".")
			if err != nil {
				panic(fmt.Sprintf("tlsprobetest: %q: %v", mx.Host, err))
			}
			add(&dnsmessage.MXResource{Pref: mx.Pref, MX: host})
		}
	case q.Type == dnsmessage.TypeA, q.Type == dnsmessage.TypeAAAA:
		for _, addr := range r.Hosts[name] {
			switch addr = addr.Unmap(); {
			case addr.Is4() && q.Type == dnsmessage.TypeA:
				add(&dnsmessage.AResource{A: addr.As4()})
			case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
				add(&dnsmessage.AAAAResource{AAAA: addr.As16()})
			}
		}
	}
	if len(r.MX[name]) == 0 && len(r.Hosts[name]) == 0 && out.RCode == dnsmessage.RCodeSuccess {
		out.RCode = dnsmessage.RCodeNameError
	}
	packed, err := out.Pack()
	if err != nil {
		panic(fmt.Sprintf("tlsprobetest: %v", err))
	}
	return packed
}
