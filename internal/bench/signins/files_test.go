package signins

import (
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
)

// logFile writes size bytes of records to a file, and returns its folder.
func logFile(b *testing.B, size int) (folder string, length int64) {
	folder = b.TempDir()
	f, err := os.Create(filepath.Join(folder, "PT1H.json"))
	require.NoError(b, err)
	g := newGenerator(1, false)
	var text []byte
	for length < int64(size) {
		text = text[:0]
		for len(text) < 1<<20 {
			text = g.appendRecord(text)
		}
		_, err := f.Write(text)
		require.NoError(b, err)
		length += int64(len(text))
	}
	require.NoError(b, f.Close())
	return folder, length
}

// BenchmarkReadFiles reads one large file with as many goroutines as there
// are processors: compare -cpu 1,2.
func BenchmarkReadFiles(b *testing.B) {
	folder, length := logFile(b, 256<<20)
	b.SetBytes(length)
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		for _, err := range signins.ReadFiles(b.Context(), os.DirFS(folder)) {
			require.NoError(b, err)
			records++
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// repeated reads a file over and over, n times.
type repeated struct {
	*os.File
	n int
}

func (r *repeated) Read(p []byte) (int, error) {
	n, err := r.File.Read(p)
	if err == io.EOF && r.n > 1 {
		r.n--
		_, err = r.Seek(0, io.SeekStart)
	}
	return n, err
}

// BenchmarkHeap reads 4 GiB and reports the largest heap on the way.
func BenchmarkHeap(b *testing.B) {
	folder, length := logFile(b, 64<<20)
	b.SetBytes(64 * length)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	peak := uint64(0)
	for b.Loop() {
		f, err := os.Open(filepath.Join(folder, "PT1H.json"))
		require.NoError(b, err)
		records := 0
		for _, err := range signins.Read(&repeated{f, 64}) {
			require.NoError(b, err)
			if records++; records%1000 == 0 {
				metrics.Read(sample)
				peak = max(peak, sample[0].Value.Uint64())
			}
		}
		require.NoError(b, f.Close())
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}
