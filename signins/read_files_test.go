package signins

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zstandard(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return w.EncodeAll(text, nil)
}

// lines returns n records of diagnostic settings, about size bytes each.
func lines(n, size int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"time":"2026-11-18T09:02:10Z","category":"SignInLogs","properties":{"id":"id-%d","createdDateTime":"2026-11-18T09:00:00Z","filler":"%s","status":{"errorCode":%d}}}`+"\r\n",
			i, strings.Repeat("x", size), i%3)
	}
	return b.Bytes()
}

type collected struct {
	ids    []string
	errors []string
}

func collect(t testing.TB, r *Reader, fsys fs.FS) (c collected) {
	t.Helper()
	for s, err := range r.ReadFiles(t.Context(), fsys) {
		if err != nil {
			c.errors = append(c.errors, err.Error())
		} else {
			c.ids = append(c.ids, s.ID)
		}
	}
	return c
}

func TestReadFilesKeepsTheOrder(t *testing.T) {
	big := lines(4000, 600) // some blocks
	fsys := fstest.MapFS{
		"a/PT1H.json":     {Data: big},
		"b/PT1H.json.gz":  {Data: gzipped(t, big)},
		"c/PT1H.json.zst": {Data: zstandard(t, big)},
		"d/members.gz":    {Data: append(gzipped(t, lines(3, 1)), gzipped(t, lines(2, 1))...)},
		"e/frames.zst":    {Data: append(zstandard(t, lines(3, 1)), zstandard(t, lines(2, 1))...)},
		"f/empty":         {},
		"g/page.json":     {Data: []byte("{\"value\":[\n{\"id\":\"last\",\"createdDateTime\":\"2026-11-18T09:00:00Z\",\"appId\":\"x\"}]}")},
	}
	var want []string
	for range 3 {
		for i := range 4000 {
			want = append(want, fmt.Sprint("id-", i))
		}
	}
	want = append(want, "id-0", "id-1", "id-2", "id-0", "id-1", "id-0", "id-1", "id-2", "id-0", "id-1", "last")
	for workers := range 5 {
		got := collect(t, &Reader{Workers: workers}, fsys)
		assert.Empty(t, got.errors)
		require.Equal(t, want, got.ids)
	}
}

func TestReadFilesNamesThePlace(t *testing.T) {
	good := lines(2000, 600)
	torn := slices.Concat(good, []byte("{\"time\":\"2026-11"))
	fsys := fstest.MapFS{
		"1-torn.json":    {Data: torn},
		"2-picture.png":  {Data: []byte("\x89PNG\r\n\x1a\n\x00\x00")},
		"3-broken.gz":    {Data: gzipped(t, good)[:100]},
		"4-notes.txt":    {Data: []byte("nothing, to, see, here\n")},
		"5-settings":     {Data: bytes.Repeat([]byte("{\"a\":1}\n"), 1000)},
		"6-good.json":    {Data: lines(1, 1)},
		"7-no-magic.zst": {Data: []byte("\x28\xb5\x2f\xfd")},
		"8-pipe":         {Mode: fs.ModeNamedPipe, Data: good}, // of which opening might never end
	}
	got := collect(t, &Reader{MaxErrors: 3}, fsys)
	assert.Len(t, got.ids, 2001)
	assert.Equal(t, []string{
		fmt.Sprintf("signins: 1-torn.json: record 2001 at byte %d: unexpected end of the record", len(good)),
		`signins: 2-picture.png: record 1 at byte 0: not a sign-in log: 0 of 1 columns are known`,
		"signins: 3-broken.gz: unexpected EOF",
		"signins: 4-notes.txt: record 1 at byte 0: not a sign-in log: 0 of 4 columns are known",
		"signins: 5-settings: record 1 at byte 0: not a sign-in record",
		"signins: 5-settings: record 2 at byte 8: not a sign-in record",
		"signins: 5-settings: record 3 at byte 16: not a sign-in record",
		"signins: 5-settings: record 3 at byte 16: not a sign-in log: 3 records in a row cannot be read",
		"signins: 7-no-magic.zst: unexpected EOF",
		"signins: 8-pipe: not a regular file",
	}, got.errors)
}

func TestReadFilesStops(t *testing.T) {
	fsys := fstest.MapFS{"a": {Data: lines(6000, 600)}, "b": {Data: lines(6000, 600)}}
	n := 0
	for range ReadFiles(t.Context(), fsys) {
		if n++; n == 5 {
			break
		}
	}
	assert.Equal(t, 5, n)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n = 0
	var last error
	for _, err := range ReadFiles(ctx, fsys) {
		if n++; n == 700 {
			cancel()
		}
		last = err
	}
	assert.ErrorIs(t, last, context.Canceled)
	assert.Less(t, n, 12000)
}

// A failing file system has a file that cannot be opened and one that cannot
// be read to its end.
type failingFS struct{ fs.FS }

func (f failingFS) Open(name string) (fs.File, error) {
	if name == "closed" {
		return nil, fs.ErrPermission
	}
	file, err := f.FS.Open(name)
	if name == "worn" {
		return &wornFile{File: file, left: 3 << 20}, err
	}
	return file, err
}

type wornFile struct {
	fs.File
	left int
}

func (f *wornFile) Read(b []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("bad sector")
	}
	n, err := f.File.Read(b[:min(len(b), f.left)])
	f.left -= n
	return n, err
}

func TestReadFilesFails(t *testing.T) {
	fsys := failingFS{fstest.MapFS{
		"closed": {Data: lines(1, 1)},
		"good":   {Data: lines(1, 1)},
		"worn":   {Data: lines(3500, 1000)},
	}}
	got := collect(t, &Reader{}, fsys)
	assert.Equal(t, []string{"signins: closed: permission denied", "signins: worn: bad sector"}, got.errors)
	assert.Greater(t, len(got.ids), 2000)
}

func TestReadFilesOfSamples(t *testing.T) {
	want := readExpected(t)["storage-blobs"]
	var progress []Progress
	r := &Reader{Progress: func(p Progress) { progress = append(progress, p) }}
	records, duplicates, malformed := 0, 0, 0
	for _, err := range Dedupe(r.ReadFiles(t.Context(), os.DirFS(filepath.Join(samples, "storage"))), 0) {
		switch {
		case err == nil:
			records++
		case errors.Is(err, ErrDuplicate):
			duplicates++
		default:
			malformed++
		}
	}
	assert.Equal(t, []int{want.Records, want.Duplicates, want.Malformed}, []int{records, duplicates, malformed})
	require.Len(t, progress, len(want.Files))
	last := progress[len(progress)-1]
	assert.Equal(t, Progress{File: last.File, Bytes: 328800, Records: int64(want.RawRecords + want.Malformed), Errors: 1}, last)
}

// A folder that is not there is no empty log.
func TestReadFilesOfNoFolder(t *testing.T) {
	n := 0
	for _, err := range ReadFiles(t.Context(), os.DirFS(filepath.Join(t.TempDir(), "absent"))) {
		n++
		assert.ErrorIs(t, err, fs.ErrNotExist)
		var record *RecordError
		assert.NotErrorAs(t, err, &record)
	}
	assert.Equal(t, 1, n)
	_, err := Summarize(ReadFiles(t.Context(), os.DirFS("absent")))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
