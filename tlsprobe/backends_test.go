package tlsprobe_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/tlsprobetest"
)

// With several samples, a version that some servers behind the address accept
// and others refuse is contradictory, whatever the turn at which a probe
// comes, and those on which all agree are not.
func TestSamples(t *testing.T) {
	all := []tlsprobe.Version{tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13}
	for _, sets := range [][][]tlsprobe.Version{
		{{tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS10, tlsprobe.TLS11}},
		{{tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS12}},
		{{tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12}, {tlsprobe.TLS12}, {tlsprobe.TLS12}},
		{{tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS12, tlsprobe.TLS13}},
	} {
		for _, turn := range []int{0, 1, 2} {
			t.Run(fmt.Sprint(sets, turn), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &tlsprobetest.Balancer{}
					for _, versions := range sets {
						b.Servers = append(b.Servers, &tlsprobetest.Server{Versions: versions})
					}
					defer b.Close()
					for range turn {
						conn, err := b.Dial(t.Context(), "tcp", "")
						require.NoError(t, err)
						conn.Close()
					}
					r, err := (&tlsprobe.Prober{Dial: b.Dial, Samples: 8}).Probe(t.Context(), "localhost:443")
					require.NoError(t, err)
					checkResult(t, "samples", r, today)
					contradictory := false
					for _, v := range all {
						n := 0
						for _, versions := range sets {
							if slices.Contains(versions, v) {
								n++
							}
						}
						want := tlsprobe.Contradictory
						switch n {
						case 0:
							want = tlsprobe.Refused
						case len(sets):
							want = tlsprobe.Accepted
						default:
							contradictory = true
							assert.Len(t, r.Versions[v].Samples, max(2, len(r.Versions[v].Samples)))
						}
						assert.Equal(t, want, r.Versions[v].Support, "%s: %+v", v, r.Versions[v])
					}
					if contradictory {
						assert.Equal(t, tlsprobe.BackendsDiffer.String(), r.Class.String())
					} else {
						assert.Equal(t, tlsprobe.TLS.String(), r.Class.String())
					}
					for _, f := range tlsprobe.Assess(r, tlsprobe.OnPremExchange, today) {
						if f.Rule == "tls-backends-differ" {
							assert.Equal(t, contradictory, f.Status == crossprem.Failed)
						}
					}
				})
			})
		}
	}
}

// Without samples, what one server would not say is looked into: a result is
// that of one of the servers, or says that it is contradictory.
func TestBlends(t *testing.T) {
	sets := [][]tlsprobe.Version{{tlsprobe.TLS12, tlsprobe.TLS13}, {tlsprobe.TLS10}}
	said, runs := 0, 60
	for turn := range runs {
		synctest.Test(t, func(t *testing.T) {
			b := &tlsprobetest.Balancer{Servers: []*tlsprobetest.Server{{Versions: sets[0]}, {Versions: sets[1]}}}
			defer b.Close()
			for range turn % 2 {
				conn, err := b.Dial(t.Context(), "tcp", "")
				require.NoError(t, err)
				conn.Close()
			}
			r, err := (&tlsprobe.Prober{Dial: b.Dial}).Probe(t.Context(), "localhost:443")
			require.NoError(t, err)
			if r.Class == tlsprobe.BackendsDiffer {
				said++
				return
			}
			assert.Contains(t, sets, offered(r), "%+v", r.Versions)
		})
	}
	t.Logf("%d of %d say so", said, runs)
	assert.Greater(t, said, runs/2)
}

// Nobody waits behind the limit of another host, wherever it stands in the list.
func TestHeadOfLine(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			good, silent := &tlsprobetest.Server{}, &tlsprobetest.Server{OnAccept: tlsprobetest.Hang}
			defer good.Close()
			defer silent.Close()
			p := tlsprobe.Prober{SkipChain: true, Concurrency: 16, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if host, _, _ := net.SplitHostPort(addr); host == "silent.test" {
					return silent.Dial(ctx, network, addr)
				}
				return good.Dial(ctx, network, addr)
			}}
			var list []tlsprobe.Target
			for i := range 300 {
				list = append(list, tlsprobe.Target{Addr: fmt.Sprintf("host%d.test:443", i)})
			}
			at := 150
			if first {
				at = 0
			}
			for port := range 80 {
				list = slices.Insert(list, at, tlsprobe.Target{Addr: fmt.Sprintf("silent.test:%d", port+1)})
			}
			began := time.Now()
			var last time.Duration
			count := 0
			for r, err := range p.ProbeAll(t.Context(), slices.Values(list)) {
				require.NoError(t, err)
				if count++; r.Class == tlsprobe.TLS {
					last = time.Since(began)
				}
			}
			assert.Equal(t, 380, count)
			assert.Less(t, last, time.Second, "the good ones are done before the first deadline")
			assert.Equal(t, 200*time.Second, time.Since(began), "80 silent targets, 2 at a time")
		})
	}
}

// A Dial, or a Resolve, that ignores its context does not hold the deadline.
func TestDialThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := tlsprobe.Prober{Timeout: 2 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Minute)
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				_, err := server.Read(make([]byte, 1))
				assert.Error(t, err, "what is opened late is closed at once")
			}()
			return client, nil
		}}
		r, err := p.Probe(t.Context(), "mail.test:443")
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(began))
		assert.Equal(t, tlsprobe.Silent.String(), r.Class.String())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Probe(ctx, "mail.test:443")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(began))
		time.Sleep(5 * time.Minute) // until the last of them is gone
	})
}
