package signins_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
)

// A million users of two legacy protocols, each at an address of its own: what
// one costs in live memory, at the peak, and how long its JSON takes. Run it
// with -benchtime 1x; HEAP_PROFILE names a file for what is live at the end.
func BenchmarkMillionUsers(b *testing.B) {
	users := 950_000
	if testing.Short() {
		users = 20_000
	}
	at := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	log := func(yield func(signins.SignIn, error) bool) {
		for i := range 3 * users {
			n := i % users
			s := signins.SignIn{Known: everything, Time: at.Add(time.Duration(i) * 20 * time.Millisecond), ClientAppUsed: []string{"IMAP4", "Authenticated SMTP"}[i/users%2],
				UserAgent: fmt.Sprintf("CBAInPROD/%d", i%7), UserPrincipalName: fmt.Sprintf("firstname.lastname%07d@contoso.com", n), CountryOrRegion: []string{"NL", "DE"}[i%2],
				UserID: fmt.Sprintf("%08x-2222-4333-8444-%012x", n, n*7919), IPAddress: fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255),
				AuthenticationProtocol: "ropc", IncomingTokenType: "none"}
			if i/users == 2 && n%20 == 0 {
				s.ErrorCode = 50126
			}
			if !yield(s, nil) {
				return
			}
		}
	}
	for b.Loop() {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		peak := peakHeap()
		start := time.Now()
		s, err := signins.Summarize(log)
		require.NoError(b, err)
		b.ReportMetric(time.Since(start).Seconds(), "s-summarize")
		b.ReportMetric(float64(peak()-before.HeapAlloc)/(1<<20), "peakMiB")
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc-before.HeapAlloc)/float64(users), "live-B/user")
		if name := os.Getenv("HEAP_PROFILE"); name != "" {
			f, err := os.Create(name)
			require.NoError(b, err)
			require.NoError(b, pprof.Lookup("heap").WriteTo(f, 0))
			require.NoError(b, f.Close())
		}
		peak, start = peakHeap(), time.Now()
		n, err := s.WriteTo(io.Discard)
		require.NoError(b, err)
		b.ReportMetric(time.Since(start).Seconds(), "s-write")
		b.ReportMetric(float64(peak()-before.HeapAlloc)/(1<<20), "peakMiB-write")
		b.ReportMetric(float64(n)/(1<<20), "MiB-json")
		s.Seal()
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc-before.HeapAlloc)/float64(users), "sealed-B/user")
		text, err := os.Create(filepath.Join(b.TempDir(), "summary.json"))
		require.NoError(b, err)
		_, err = s.WriteTo(text)
		require.NoError(b, err)
		_, err = text.Seek(0, io.SeekStart)
		require.NoError(b, err)
		runtime.GC()
		peak, start = peakHeap(), time.Now()
		var back signins.Summary
		_, err = back.ReadFrom(text)
		require.NoError(b, err)
		require.NoError(b, text.Close())
		b.ReportMetric(time.Since(start).Seconds(), "s-read")
		b.ReportMetric(float64(peak()-before.HeapAlloc)/(1<<20), "peakMiB-read")
		runtime.KeepAlive(s)
	}
}

// peakHeap watches how large the heap gets until its result is called.
func peakHeap() func() uint64 {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var peak uint64
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
