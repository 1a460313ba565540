package signins

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkReadSamples reads the rows of one sample of each format over and
// over. The comparison with peers, on records of full size, is in
// internal/bench/signins.
func BenchmarkReadSamples(b *testing.B) {
	for name, want := range readExpected(b) {
		b.Run(name, func(b *testing.B) {
			text, err := os.ReadFile(filepath.Join(samples, want.Files[0]))
			require.NoError(b, err)
			if filepath.Ext(want.Files[0]) == ".csv" {
				head, rows, _ := bytes.Cut(text, []byte("\n"))
				text = append(append(head, '\n'), bytes.Repeat(rows, 50)...)
			} else {
				text = bytes.Repeat(append(text, '\n'), 50)
			}
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
		})
	}
}
