package signins_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// What summarising costs next to reading: the same diagnostic log, read, and
// read and summarised.
func BenchmarkSummarize(b *testing.B) {
	for _, size := range []int{2800, 11500} {
		tenant := signinstest.Tenant{Users: 2000, Events: 40_000_000 / size, Sprays: 1, RecordBytes: size}
		var log bytes.Buffer
		require.NoError(b, tenant.Write(&log, signins.AzureMonitor))
		run := func(name string, work func() int64) {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(log.Len()))
				n := int64(0)
				for b.Loop() {
					n += work()
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
			})
		}
		run("read", func() (n int64) {
			for range signins.Read(bytes.NewReader(log.Bytes())) {
				n++
			}
			return n
		})
		run("read+summarize", func() int64 {
			s, err := signins.Summarize(signins.Read(bytes.NewReader(log.Bytes())))
			require.NoError(b, err)
			return s.Records
		})
	}
}

// Classifying and counting alone, of sign-ins that are in memory.
func BenchmarkSummarizeInMemory(b *testing.B) {
	var log []signins.SignIn
	for s := range (&signinstest.Tenant{Users: 2000, Events: 20000, Sprays: 1}).All() {
		log = append(log, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := signins.Summarize(sequence(log))
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N)*float64(len(log))/b.Elapsed().Seconds(), "records/s")
}

// Nothing but guesses, each of another account: the worst that can come.
func BenchmarkSpray(b *testing.B) {
	log := make([]signins.SignIn, 200_000)
	at := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	for i := range log {
		log[i] = signins.SignIn{Known: everything, Time: at.Add(time.Duration(i) * 400 * time.Millisecond), ClientAppUsed: "Mobile Apps and Desktop clients",
			UserAgent: fmt.Sprintf("okhttp/%d", i%7), UserPrincipalName: fmt.Sprintf("user%06d@contoso.com", i%50_000),
			IPAddress: fmt.Sprintf("203.0.%d.%d", i%200, i/200%250), ErrorCode: 50126, AuthenticationProtocol: "oAuth2", IncomingTokenType: "none"}
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := signins.Summarize(sequence(log))
		require.NoError(b, err)
		require.NotEmpty(b, s.Attacks)
	}
	b.ReportMetric(float64(b.N)*float64(len(log))/b.Elapsed().Seconds(), "events/s")
}

// Ten million sign-ins, made up as they are read: the peak of the heap is in
// MiB. Run it with -benchtime 1x.
func BenchmarkPeakHeap(b *testing.B) {
	tenant := signinstest.Tenant{Users: 100_000, Days: 7, Events: 10_000_000, Sprays: 5, BruteForces: 5, DistributedSprays: 2}
	if testing.Short() {
		tenant.Events = 100_000
	}
	for b.Loop() {
		var peak, mark uint64
		var m runtime.MemStats
		n := 0
		s, err := signins.Summarize(func(yield func(signins.SignIn, error) bool) {
			for s := range tenant.All() {
				if n++; n%50_000 == 0 {
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapAlloc)
				}
				if !yield(s, nil) {
					return
				}
			}
		})
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&m)
		mark = m.HeapAlloc
		b.ReportMetric(float64(peak)/(1<<20), "peakMiB")
		b.ReportMetric(float64(mark)/(1<<20), "liveMiB")
		b.ReportMetric(float64(s.Users.Len()), "users")
		b.ReportMetric(float64(s.Evicted), "evicted")
		found := slices.Clone(s.Attacks)
		b.ReportMetric(float64(len(found)-len(tenant.Attacks())), "falsePositives")
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	}
}
