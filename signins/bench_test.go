package signins

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkReadSamples reads the samples' diagnostic records over and over.
func BenchmarkReadSamples(b *testing.B) {
	var text []byte
	files, err := filepath.Glob(filepath.Join(samples, "storage/*/*/*/*/*/*/*/PT1H.json"))
	require.NoError(b, err)
	for _, file := range files {
		t, err := os.ReadFile(file)
		require.NoError(b, err)
		text = append(append(text, t...), '\n')
	}
	text = bytes.Repeat(text, 100)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		for _, err := range Read(bytes.NewReader(text)) {
			if err == nil {
				records++
			}
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
