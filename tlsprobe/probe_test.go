package tlsprobe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// offered returns the versions that r says are accepted, the lowest first.
func offered(r *tlsprobe.Result) []tlsprobe.Version {
	var list []tlsprobe.Version
	for v, answer := range r.Versions {
		if answer.Support == tlsprobe.Accepted {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// The lab in memory, with time that costs nothing.
func TestLab(t *testing.T) {
	for _, c := range tlsprobetest.Lab() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer c.Server.Close()
				p := tlsprobe.Prober{Dial: c.Server.Dial, Roots: c.Server.Roots(), StartTLS: c.Asks, SNI: c.SNI}
				r, err := p.Probe(t.Context(), "localhost:443")
				require.NoError(t, err)
				assert.Equal(t, c.Accepted, offered(r), "accepted versions")
				assert.Equal(t, c.Class.String(), r.Class.String(), "class; detail: %s", r.Detail)
				assert.Equal(t, c.Protocol, r.Protocol)
				t.Logf("%d connections, %v", c.Server.Connections(), r.Took)
			})
		})
	}
}

// A server may refuse a version with an alert that could mean something else.
// It is believed if another version is accepted and no suite is left to ask for.
func TestRefusalAlerts(t *testing.T) {
	for _, alert := range []tlsprobe.Alert{40, 70, 71, 80} {
		s := &tlsprobetest.Server{Versions: []tlsprobe.Version{tlsprobe.TLS12}, RefusalAlert: alert}
		p := tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots()}
		r, err := p.Probe(t.Context(), "localhost:443")
		s.Close()
		require.NoError(t, err)
		for v, answer := range r.Versions {
			if v == tlsprobe.TLS12 {
				assert.Equal(t, tlsprobe.Accepted, answer.Support)
			} else {
				assert.Equal(t, tlsprobe.Refused, answer.Support, "alert %d to %s: %s", alert, v, answer.Reason)
			}
		}
	}
}

// Whoever answers one hello with an alert and loses the others has not declined
// what the others asked.
func TestPartlyDeclined(t *testing.T) {
	for cut, class := range map[tlsprobetest.Act]tlsprobe.Class{
		tlsprobetest.Hang: tlsprobe.Silent, tlsprobetest.Reset: tlsprobe.Reset, tlsprobetest.HangUp: tlsprobe.Closed,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &tlsprobetest.Server{Intolerant: tlsprobe.TLS10, Cut: cut, OnlyAlert: 40}
			defer s.Close()
			r, err := (&tlsprobe.Prober{Dial: s.Dial}).Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			assert.Equal(t, class.String(), r.Class.String())
			assert.Equal(t, "handshake_failure", r.Versions[tlsprobe.SSL30].Alert.String())
			for _, f := range tlsprobe.Assess(r, tlsprobe.AnyServer, r.At) {
				assert.Equal(t, crossprem.Unknown, f.Status, f.Title)
			}
		})
	}
}

// A busy server may decline connections with the alert of a fault.
func TestPassingFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tlsprobetest.Server{MinVersion: tlsprobe.TLS10, Delay: 10 * time.Millisecond}
		defer s.Close()
		busy := &tlsprobetest.Server{OnlyAlert: 80, Delay: 20 * time.Millisecond}
		defer busy.Close()
		var open atomic.Int32
		p := tlsprobe.Prober{Roots: s.Roots(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			server := s
			if open.Add(1) > 2 {
				server = busy
			}
			conn, err := server.Dial(ctx, network, addr)
			return &countedConn{Conn: conn, open: &open}, err
		}}
		r, err := p.Probe(t.Context(), "localhost:443")
		require.NoError(t, err)
		assert.Equal(t, []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13}, offered(r))
		assert.Equal(t, tlsprobe.RateLimited.String(), r.Class.String())
	})
}

// A server that wants a group with ML-KEM shows its chain, too.
func TestPostQuantumOnly(t *testing.T) {
	for _, group := range []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024} {
		server := httptest.NewUnstartedServer(nil)
		server.TLS = &tls.Config{CurvePreferences: []tls.CurveID{group}}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		r, err := tlsprobe.Probe(t.Context(), server.Listener.Addr().String())
		server.Close()
		require.NoError(t, err)
		assert.Equal(t, tlsprobe.Group(group), r.Versions[tlsprobe.TLS13].Group)
		assert.Equal(t, tlsprobe.FromHandshake, r.ChainFrom, group)
	}
}

// Odd ways to write a target, and what becomes of them.
func TestTargets(t *testing.T) {
	s := (&tlsprobetest.Server{Names: []string{"127.0.0.1", "fe80::1"}}).Start()
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Addr)
	require.NoError(t, err)
	p := tlsprobe.Prober{Roots: s.Roots()}
	r, err := p.Probe(t.Context(), "[127.0.0.1]:"+port)
	require.NoError(t, err)
	assert.Equal(t, s.Addr, r.Address)
	assert.True(t, r.Trusted, "%v", r.Distrust)

	p.Dial = s.Dial
	r, err = p.Probe(t.Context(), "[fe80::1%eth0]:443")
	require.NoError(t, err)
	assert.Empty(t, r.SNI)
	assert.True(t, r.Trusted, "the zone is not part of the name: %v", r.Distrust)

	_, err = p.Probe(t.Context(), "münchen.test:443")
	assert.ErrorContains(t, err, "xn--")
}

// A server that answers for one name alone is asked about SSL 3.0 with it, too.
func TestServerName(t *testing.T) {
	s := &tlsprobetest.Server{ServerName: "mail.contoso.test"}
	defer s.Close()
	r, err := (&tlsprobe.Prober{Dial: s.Dial}).Probe(t.Context(), "mail.contoso.test:443")
	require.NoError(t, err)
	for v, answer := range r.Versions {
		assert.NotEqual(t, tlsprobe.Unknown, answer.Support, "%s: %s", v, answer.Reason)
	}
}

// Whether a server with a weak suite has a better one is asked of all suites.
func TestStrong(t *testing.T) {
	for name, c := range map[string]struct {
		suites []tlsprobe.Suite
		strong tlsprobe.Support
	}{
		"3DES":         {[]tlsprobe.Suite{0x000A}, tlsprobe.Refused},
		"NULL":         {[]tlsprobe.Suite{0x003B}, tlsprobe.Refused}, // not among the common ones
		"3DES and AES": {[]tlsprobe.Suite{0x000A, 0x002F}, tlsprobe.Accepted},
		"RC4 and ARIA": {[]tlsprobe.Suite{0x0005, 0xC05C}, tlsprobe.Accepted},
		"NULL and PSK": {[]tlsprobe.Suite{0x003B, 0x008C}, tlsprobe.Accepted},
		"ARIA":         {[]tlsprobe.Suite{0xC05C}, tlsprobe.Unknown}, // nothing weak
	} {
		s := &tlsprobetest.Server{MaxVersion: tlsprobe.TLS12, Suites: c.suites}
		r, err := (&tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots()}).Probe(t.Context(), "localhost:443")
		s.Close()
		require.NoError(t, err)
		assert.Equal(t, tlsprobe.Accepted, r.Versions[tlsprobe.TLS12].Support, name)
		assert.Equal(t, c.strong, r.Versions[tlsprobe.TLS12].Strong, name)
	}
}

// However a server counts connections, and however it cuts those that are too
// many, a version that is there is never called off, and one that is not there
// is never claimed.
func TestLimitsHideNothing(t *testing.T) {
	check := func(t *testing.T, s *tlsprobetest.Server) {
		synctest.Test(t, func(t *testing.T) {
			defer s.Close()
			p := tlsprobe.Prober{Dial: s.Dial, Roots: s.Roots()}
			r, err := p.Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			for v := tlsprobe.SSL30; v <= tlsprobe.TLS13; v++ {
				if slices.Contains(s.Versions, v) {
					assert.NotEqual(t, tlsprobe.Refused, r.Versions[v].Support, "%v: %+v", v, r.Versions[v])
				} else {
					assert.NotEqual(t, tlsprobe.Accepted, r.Versions[v].Support, v)
				}
			}
			// Silence takes too long to ask everything often enough.
			if (s.PerSecond >= 3 || s.EveryNth >= 3) && s.Cut != tlsprobetest.Hang {
				assert.Equal(t, s.Versions, offered(r))
			}
		})
	}
	for _, versions := range [][]tlsprobe.Version{{tlsprobe.TLS10, tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS12}} {
		for _, refusal := range []tlsprobetest.Act{tlsprobetest.SendAlert, tlsprobetest.Reset} {
			for _, cut := range []tlsprobetest.Act{tlsprobetest.Reset, tlsprobetest.HangUp, tlsprobetest.Hang} {
				for n := 1; n <= 7; n++ {
					t.Run(fmt.Sprintf("%v of %v a second, refusal %d, cut %d", n, versions, refusal, cut), func(t *testing.T) {
						check(t, &tlsprobetest.Server{Versions: versions, PerSecond: n, Cut: cut, Refusal: refusal})
					})
					t.Run(fmt.Sprintf("every %vth of %v, refusal %d, cut %d", n+1, versions, refusal, cut), func(t *testing.T) {
						check(t, &tlsprobetest.Server{Versions: versions, EveryNth: n + 1, Cut: cut, Refusal: refusal})
					})
				}
			}
		}
	}
}

// SSL 2.0 has hellos of its own.
func TestSSL2(t *testing.T) {
	hello := []byte{0x80, 11 + 3, 4, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 1, 0, 0x80}
	for name, c := range map[string]struct {
		answer  []byte
		support tlsprobe.Support
	}{
		"SERVER-HELLO":  {hello, tlsprobe.Accepted},
		"alert":         {[]byte{21, 3, 0, 0, 2, 2, 70}, tlsprobe.Refused},
		"something":     {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), tlsprobe.Unknown},
		"other version": {[]byte{0x80, 14, 4, 0, 1, 3, 0, 0, 0, 0, 3, 0, 0, 1, 0, 0x80}, tlsprobe.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			p := tlsprobe.Prober{SSL20: true, SkipChain: true, Ask: tlsprobe.Only12, Dial: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					var buf [4096]byte
					if n, _ := server.Read(buf[:]); n > 2 && buf[0]&0x80 != 0 {
						server.Write(c.answer)
					} else {
						server.Write([]byte{21, 3, 1, 0, 2, 2, 70})
					}
				}()
				return client, nil
			}}
			r, err := p.Probe(t.Context(), "old.test:443")
			require.NoError(t, err)
			assert.Equal(t, c.support, r.Versions[tlsprobe.SSL20].Support)
			assert.Equal(t, tlsprobe.Refused, r.Versions[tlsprobe.TLS12].Support)
		})
	}
}
