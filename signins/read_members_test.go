package signins

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noise is text that compresses to about a half.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[rng.IntN(16)]
	}
	return b
}

func gzipMember(t testing.TB, level int, text []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// checkMembers compares what is read in parallel with what a gzip.Reader reads.
func checkMembers(t testing.TB, file []byte) (vain int32) {
	var want []byte
	z, wantErr := gzip.NewReader(bytes.NewReader(file))
	if wantErr == nil {
		want, wantErr = io.ReadAll(z)
	}
	m := newGzipMembers(bytes.NewReader(file), 3)
	got, err := io.ReadAll(m)
	require.NoError(t, m.Close())
	require.Equal(t, wantErr, err)
	require.True(t, bytes.Equal(want, got), "%d and %d bytes", len(want), len(got))
	return m.vain.Load()
}

// Members of all sizes, ones that hold others, and ones that are damaged, are
// read as one after the other.
func TestMembersAreReadInParallel(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var file []byte
		for range 2 + rng.IntN(6) {
			text := noise(rng, []int{0, 10, 100_000, 400_000, 5_000_000}[rng.IntN(5)])
			if rng.IntN(3) == 0 { // what begins there is no member of this file
				text = slices.Concat(text, gzipMember(t, 6, noise(rng, 300_000)), text, gzipMember(t, 6, []byte("inside")))
			}
			if rng.IntN(6) == 0 {
				text = make([]byte, maxPlain+rng.IntN(2))
			}
			file = append(file, gzipMember(t, []int{0, 1, 6}[rng.IntN(3)], text)...)
		}
		checkMembers(t, file)
		damaged := bytes.Clone(file)
		damaged[rng.IntN(len(damaged))] ^= 1 << rng.IntN(8)
		checkMembers(t, damaged)
		checkMembers(t, file[:rng.IntN(len(file))+1])
		checkMembers(t, append(file, 0))
		checkMembers(t, append(file, "\x1f\x8b\x08 and so on"...))
	}
}

func TestMembersThatAreWholeAreNotReadTwice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var file []byte
	for range 30 {
		file = append(file, gzipMember(t, 6, noise(rng, 300_000))...)
	}
	assert.Zero(t, checkMembers(t, file))
}

// Reading can end early, and what fails to come is told.
func TestMembersStop(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	var file []byte
	for range 40 {
		file = append(file, gzipMember(t, 6, noise(rng, 300_000))...)
	}
	m := newGzipMembers(bytes.NewReader(file), 2)
	_, err := io.ReadFull(m, make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	m = newGzipMembers(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(io.ErrClosedPipe)), 2)
	_, err = io.Copy(io.Discard, m)
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	require.NoError(t, m.Close())
}

func TestReadFilesOfMembers(t *testing.T) {
	var file []byte
	var want []string
	for i := range 60 {
		file = append(file, gzipped(t, fmt.Appendf(nil, `{"time":"2026-11-18T09:02:10Z","category":"SignInLogs","properties":{"id":"id-%d","createdDateTime":"2026-11-18T09:00:00Z","filler":"%s"}}`+"\n",
			i, noise(rand.New(rand.NewPCG(uint64(i), 1)), 100_000)))...)
		want = append(want, fmt.Sprint("id-", i))
	}
	for workers := range 4 {
		got := collect(t, &Reader{Workers: workers}, fstest.MapFS{"a.gz": {Data: file}})
		assert.Empty(t, got.errors)
		assert.Equal(t, want, got.ids)
	}
	got := collect(t, &Reader{Workers: 2}, fstest.MapFS{"a.gz": {Data: file[:len(file)-9]}})
	assert.Equal(t, []string{"signins: a.gz: unexpected EOF"}, got.errors)
}

func FuzzMembers(f *testing.F) {
	small := gzipMember(f, 0, []byte("small"))
	f.Add(small, uint8(3), false)
	f.Add(small[:12], uint8(1), true)
	f.Fuzz(func(t *testing.T, part []byte, n uint8, raw bool) {
		rng := rand.New(rand.NewPCG(uint64(n), uint64(len(part))))
		first := gzipMember(t, 6, []byte("first"))
		file := append(first, gzipMember(t, 0, noise(rng, 200_000))...)
		for range n % 5 {
			if raw {
				file = append(file, part...)
			} else {
				file = append(file, gzipMember(t, 0, append(noise(rng, 150_000), part...))...)
			}
		}
		checkMembers(t, file)
	})
}

// Many members, on as many processors as -cpu says.
func BenchmarkReadMembers(b *testing.B) {
	var one bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&one, `{"time":"2026-11-18T09:02:10Z","category":"SignInLogs","properties":{"id":"id-%d","createdDateTime":"2026-11-18T09:00:00Z","userPrincipalName":"ann@contoso.com","filler":"%s","status":{"errorCode":0}}}`+"\n",
			i, strings.Repeat(string(noise(rand.New(rand.NewPCG(uint64(i), 1)), 600)), 4))
	}
	for name, file := range map[string][]byte{"members": bytes.Repeat(gzipped(b, one.Bytes()), 60), "one": gzipped(b, bytes.Repeat(one.Bytes(), 60))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(60 * one.Len()))
			b.ReportMetric(float64(60*one.Len())/float64(len(file)), "ratio")
			for b.Loop() {
				n := 0
				for range ReadFiles(b.Context(), fstest.MapFS{"a.gz": {Data: file}}) {
					n++
				}
				require.Equal(b, 60*400, n)
			}
		})
	}
}
