package signins

import (
	"bytes"
	"testing"

	"github.com/crossprem/crossprem/signins"
)

func TestSize(t *testing.T) {
	for _, large := range []bool{false, true} {
		text, n := generate(1, large, 4<<20)
		t.Log(large, len(text)/n)
		k := 0
		for _, err := range signins.Read(bytes.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			k++
		}
		if k != n {
			t.Fatal(k, n)
		}
	}
}

func BenchmarkOurs(b *testing.B) {
	for _, large := range []bool{false, true} {
		b.Run(map[bool]string{false: "2.8KB", true: "11.5KB"}[large], func(b *testing.B) {
			text, n := generate(1, large, 64<<20)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range signins.Read(bytes.NewReader(text)) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
