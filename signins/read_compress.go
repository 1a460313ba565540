package signins

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that a Zstandard stream may ask for.
const maxWindow = 32 << 20

// decompress returns the bytes in src, which may be compressed by gzip or
// Zstandard, in several members or frames. Members of gzip are decompressed by
// that many goroutines, if there are several. Closing the result leaves src
// open.
func decompress(src io.Reader, goroutines int) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(src, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case hasPrefix(magic, "\x1f\x8b") && goroutines > 1:
		return newGzipMembers(b, goroutines), nil
	case hasPrefix(magic, "\x1f\x8b"):
		return gzip.NewReader(b)
	case hasPrefix(magic, "\x28\xb5\x2f\xfd"):
		d, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// A meter counts what is read from src, and calls each now and then.
type meter struct {
	src     io.Reader
	n, told int64
	each    func(n int64)
}

const meterStep = 8 << 20

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.src.Read(b)
	m.n += int64(n)
	if m.n-m.told >= meterStep || err == io.EOF {
		m.told = m.n
		m.each(m.n)
	}
	return n, err
}
