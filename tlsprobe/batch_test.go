package tlsprobe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// targets yields n targets on as many hosts.
func targets(n int) func(yield func(tlsprobe.Target) bool) {
	return func(yield func(tlsprobe.Target) bool) {
		for i := range n {
			if !yield(tlsprobe.Target{Addr: fmt.Sprintf("host%d.test:443", i)}) {
				return
			}
		}
	}
}

func TestProbeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick, slow := &tlsprobetest.Server{}, &tlsprobetest.Server{Delay: time.Second}
		defer quick.Close()
		defer slow.Close()
		p := tlsprobe.Prober{SkipChain: true, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "host0.test:443" {
				return slow.Dial(ctx, network, addr)
			}
			return quick.Dial(ctx, network, addr)
		}}
		var order []string
		for r, err := range p.ProbeAll(t.Context(), targets(10)) {
			require.NoError(t, err)
			assert.Equal(t, tlsprobe.TLS, r.Class)
			order = append(order, r.Target)
		}
		require.Len(t, order, 10)
		assert.Equal(t, "host0.test:443", order[9], "results come when they are complete")
	})
}

// Silent endpoints do not wait for each other, and a batch with them takes one
// deadline.
func TestProbeAllSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, silent := &tlsprobetest.Server{}, &tlsprobetest.Server{OnAccept: tlsprobetest.Hang}
		defer good.Close()
		defer silent.Close()
		p := tlsprobe.Prober{SkipChain: true, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var n int
			fmt.Sscanf(addr, "host%d", &n)
			if n%20 == 0 {
				return silent.Dial(ctx, network, addr)
			}
			return good.Dial(ctx, network, addr)
		}}
		began := time.Now()
		count := make(map[tlsprobe.Class]int)
		for r, err := range p.ProbeAll(t.Context(), targets(200)) {
			require.NoError(t, err)
			count[r.Class]++
		}
		assert.Equal(t, map[tlsprobe.Class]int{tlsprobe.TLS: 190, tlsprobe.Silent: 10}, count)
		assert.LessOrEqual(t, time.Since(began), 6*time.Second, "1.2 deadlines")
	})
}

func TestProbeAllEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := &tlsprobetest.Server{OnAccept: tlsprobetest.Hang}
		good := &tlsprobetest.Server{}
		defer silent.Close()
		defer good.Close()

		// A loop that breaks leaves nothing behind, or the bubble would panic.
		for range (&tlsprobe.Prober{Dial: good.Dial}).ProbeAll(t.Context(), targets(1000)) {
			break
		}
		// Nor does a context that ends.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		for range (&tlsprobe.Prober{Dial: silent.Dial}).ProbeAll(ctx, targets(1000)) {
			assert.Fail(t, "there is nothing to report")
		}
		assert.Equal(t, time.Second, time.Since(began))

		// Errors name their target and do not end the sequence.
		bad := 0
		seq := slices.Values([]tlsprobe.Target{{Addr: "nonsense"}, {Addr: "host.test:443"}, {Addr: "host.test:443", StartTLS: "gopher"}})
		for r, err := range (&tlsprobe.Prober{Dial: good.Dial}).ProbeAll(t.Context(), seq) {
			require.NotEmpty(t, r.Target)
			if err != nil {
				bad++
			}
		}
		assert.Equal(t, 2, bad)
	})
}

// One host is not asked about more targets at a time than PerHost.
func TestPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := &tlsprobetest.Server{OnAccept: tlsprobetest.Hang}
		defer silent.Close()
		var open, most atomic.Int32
		p := tlsprobe.Prober{PerHost: 3, Ask: tlsprobe.Only12, Timeout: time.Second,
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if n := open.Add(1); n > most.Load() {
					most.Store(n)
				}
				conn, err := silent.Dial(ctx, network, addr)
				return &countedConn{Conn: conn, open: &open}, err
			}}
		ports := func(yield func(tlsprobe.Target) bool) {
			for port := range 12 {
				if !yield(tlsprobe.Target{Addr: fmt.Sprintf("one.test:%d", port+1)}) {
					return
				}
			}
		}
		began := time.Now()
		for _, err := range p.ProbeAll(t.Context(), ports) {
			require.NoError(t, err)
		}
		assert.Equal(t, 4*time.Second, time.Since(began), "12 silent targets, 3 at a time")
		assert.LessOrEqual(t, most.Load(), int32(6), "a hello and its short twin for each of three")
	})
}

type countedConn struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// The memory of a long run does not grow with the number of targets.
func TestProbeAllMemory(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	p := tlsprobe.Prober{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	done := 0
	var early uint64
	for _, err := range p.ProbeAll(t.Context(), targets(20000)) {
		require.NoError(t, err)
		if done++; done == 1000 {
			early = heap()
		}
	}
	assert.Equal(t, 20000, done)
	assert.Less(t, heap(), early+(2<<20))
}

// Every address of a name is probed on its own.
func TestAddresses(t *testing.T) {
	good := (&tlsprobetest.Server{}).Start()
	defer good.Close()
	_, port, err := net.SplitHostPort(good.Addr)
	require.NoError(t, err)
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("127.0.0.10")}
	p := tlsprobe.Prober{Roots: good.Roots(), MaxAddresses: 2, Resolve: func(context.Context, string) ([]netip.Addr, error) { return addrs, nil }}
	r, err := p.Probe(t.Context(), "localhost:"+port)
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:"+port, r.Address, "the one that answers best")
	assert.Equal(t, tlsprobe.TLS, r.Class)
	require.Len(t, r.Others, 1)
	assert.Equal(t, "127.0.0.9:"+port, r.Others[0].Address)
	if runtime.GOOS == "linux" { // elsewhere only 127.0.0.1 is there
		assert.Equal(t, tlsprobe.ConnectionRefused, r.Others[0].Class)
	}
	assert.Equal(t, 1, r.Omitted)
}

func TestScopes(t *testing.T) {
	probe := func(s *tlsprobetest.Server, p tlsprobe.Prober) (*tlsprobe.Result, int) {
		var r *tlsprobe.Result
		var count int
		synctest.Test(t, func(t *testing.T) {
			defer s.Close()
			p.Dial, p.Roots = s.Dial, s.Roots()
			var err error
			r, err = p.Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			count = s.Connections()
		})
		return r, count
	}
	r, n := probe(&tlsprobetest.Server{}, tlsprobe.Prober{Ask: tlsprobe.Only12})
	assert.Equal(t, 1, n, "one hello")
	assert.True(t, r.Offers(tlsprobe.TLS12))
	assert.True(t, r.Trusted, "the chain comes with the answer: %v", r.Distrust)

	r, n = probe(&tlsprobetest.Server{}, tlsprobe.Prober{Ask: tlsprobe.Modern, SkipChain: true})
	assert.Equal(t, 3, n, "three hellos")
	assert.Equal(t, []tlsprobe.Version{tlsprobe.TLS12, tlsprobe.TLS13}, offered(r))
	for _, v := range []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.SSL30} {
		assert.Equal(t, tlsprobe.Implied, r.Versions[v].Reason)
		assert.Equal(t, tlsprobe.Refused, r.Versions[v].Support)
	}
	r, _ = probe(&tlsprobetest.Server{MinVersion: tlsprobe.SSL30}, tlsprobe.Prober{Ask: tlsprobe.Modern})
	assert.Len(t, offered(r), 5, "the shortcut is left where it does not hold")

	r, n = probe(&tlsprobetest.Server{}, tlsprobe.Prober{SkipChain: true})
	assert.Equal(t, 5, n, "five hellos")
	assert.Nil(t, r.Chain)

	r, _ = probe(&tlsprobetest.Server{ALPN: []string{"h2", "http/1.1"}}, tlsprobe.Prober{ALPN: []string{"h2"}})
	assert.Equal(t, "h2", r.ALPN)
	r, _ = probe(&tlsprobetest.Server{ALPN: []string{"h2"}}, tlsprobe.Prober{ALPN: []string{"imap"}})
	assert.Equal(t, []tlsprobe.Version{tlsprobe.TLS12, tlsprobe.TLS13}, offered(r), "the wrong application protocol hides no version")
}

// The lab in Modern scope claims nothing that is not there.
func TestModernLab(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		synctest.Test(t, func(t *testing.T) {
			defer c.Server.Close()
			p := tlsprobe.Prober{Dial: c.Server.Dial, StartTLS: c.Asks, SNI: c.SNI, Ask: tlsprobe.Modern}
			r, err := p.Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			assert.Equal(t, c.Accepted, offered(r), c.Name)
		})
	}
}

func TestProxy(t *testing.T) {
	server := (&tlsprobetest.Server{}).Start()
	defer server.Close()
	probe := func(proxy *tlsprobetest.Proxy) *tlsprobe.Result {
		proxy.Start()
		defer proxy.Close()
		u, err := url.Parse("http://" + proxy.Addr)
		require.NoError(t, err)
		r, err := (&tlsprobe.Prober{Proxy: u, Roots: server.Roots(), Timeout: 10 * time.Second}).Probe(t.Context(), "localhost:443")
		require.NoError(t, err)
		return r
	}
	r := probe(&tlsprobetest.Proxy{To: server.Addr})
	assert.Equal(t, tlsprobe.TLS, r.Class)
	assert.True(t, r.Trusted, "%v", r.Distrust)
	assert.Empty(t, r.Address, "the proxy looked up the name")

	for _, status := range []string{"403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"} {
		r = probe(&tlsprobetest.Proxy{Status: status})
		assert.Equal(t, tlsprobe.ProxyRefused, r.Class)
		assert.Contains(t, r.Detail, status)
		for v, answer := range r.Versions {
			assert.Equal(t, tlsprobe.Unknown, answer.Support, v)
			assert.Equal(t, tlsprobe.NoTLSYet, answer.Reason, v)
		}
	}
	u, err := url.Parse("http://127.0.0.1:1")
	require.NoError(t, err)
	r, err = (&tlsprobe.Prober{Proxy: u}).Probe(t.Context(), "localhost:443")
	require.NoError(t, err)
	assert.Equal(t, tlsprobe.ProxyRefused, r.Class)
}

// The lab over sockets: those that answer at once.
func TestLabOverTCP(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		if c.Server.Delay > 0 || slices.Contains([]tlsprobe.Class{tlsprobe.Silent, tlsprobe.Reset, tlsprobe.Closed, tlsprobe.RateLimited, tlsprobe.ShortHelloOnly}, c.Class) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Server.Start()
			defer c.Server.Close()
			p := tlsprobe.Prober{Roots: c.Server.Roots(), StartTLS: c.Asks, SNI: c.SNI, Timeout: 20 * time.Second}
			r, err := p.Probe(t.Context(), c.Server.Addr)
			require.NoError(t, err)
			assert.Equal(t, c.Accepted, offered(r))
			assert.Equal(t, c.Class.String(), r.Class.String(), r.Detail)
			assert.Equal(t, c.Protocol, r.Protocol)
		})
	}
}

// TLS that ends on the way is told from a server that is not there.
func TestClassesOverTCP(t *testing.T) {
	for name, c := range map[string]struct {
		server *tlsprobetest.Server
		class  tlsprobe.Class
	}{
		"rst-on-hello":  {&tlsprobetest.Server{OnHello: tlsprobetest.Reset}, tlsprobe.Reset},
		"fin-on-hello":  {&tlsprobetest.Server{OnHello: tlsprobetest.HangUp}, tlsprobe.Closed},
		"fin-on-accept": {&tlsprobetest.Server{OnAccept: tlsprobetest.HangUp}, tlsprobe.Closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.server.Start()
			defer c.server.Close()
			r, err := (&tlsprobe.Prober{Timeout: 20 * time.Second}).Probe(t.Context(), c.server.Addr)
			require.NoError(t, err)
			assert.Equal(t, c.class.String(), r.Class.String())
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	r, err := tlsprobe.Probe(t.Context(), l.Addr().String())
	require.NoError(t, err)
	assert.Equal(t, tlsprobe.ConnectionRefused, r.Class)

	lost := errors.New("no such tunnel")
	p := tlsprobe.Prober{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, lost }}
	r, err = p.Probe(t.Context(), "mail.test:443")
	require.NoError(t, err)
	assert.Equal(t, tlsprobe.Unreachable, r.Class)
	assert.Equal(t, lost.Error(), r.Detail)
}
