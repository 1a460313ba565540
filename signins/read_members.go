package signins

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// Bounds of what is decompressed ahead, in bytes.
const (
	minPiece   = 128 << 10 // compressed: several small members go together
	maxPiece   = 2 << 20   // compressed: a larger member is decompressed as it is read
	maxPlain   = 16 << 20  // and so is one that becomes larger than this
	rawPiece   = 256 << 10 // of such a member
	maxAhead   = 8         // goroutines that decompress
	maxVain    = 8         // pieces that were decompressed ahead in vain, of one file
	headerSize = 10        // of a member at least (RFC 1952 §2.3)
)

// A gzipMembers decompresses gzip whose members lie one after the other, several at
// a time. Where a member may begin is guessed from its first bytes, and what
// was decompressed from there is taken only if the member before it ends there.
// It reads what a [gzip.Reader] would, and fails as that does.
type gzipMembers struct {
	stop    chan struct{}
	running sync.WaitGroup
	pieces  chan *piece
	vain    atomic.Int32
	spare   spare[[]byte] // room for what is decompressed ahead

	now   *piece // that is being read
	plain []byte // of now, decompressed ahead

	in  bytes.Reader // of now, compressed
	buf *bufio.Reader
	one *gzip.Reader // the member that is decompressed as it is read, nil if none is
	was *gzip.Reader // to be used again
	err error
}

// A piece is a part of the compressed file.
type piece struct {
	text  []byte
	plain []byte        // what it holds, if ok
	ok    bool          // whole members, all of which can be read
	done  chan struct{} // closed when plain and ok are known; nil if nobody asked
	err   error         // what came in place of a next piece
}

func newGzipMembers(src io.Reader, goroutines int) *gzipMembers {
	goroutines = min(goroutines, maxAhead)
	m := &gzipMembers{stop: make(chan struct{}), pieces: make(chan *piece, goroutines), spare: make(spare[[]byte], goroutines+1)}
	m.buf = bufio.NewReaderSize((*pieceReader)(m), 64<<10)
	m.running.Go(func() {
		defer close(m.pieces)
		m.divide(src, make(chan struct{}, goroutines))
	})
	return m
}

// Close ends all that reads ahead.
func (m *gzipMembers) Close() error {
	close(m.stop)
	m.running.Wait()
	return nil
}

// divide reads src in pieces.
func (m *gzipMembers) divide(src io.Reader, slots chan struct{}) {
	var text []byte
	whole := true // text begins where a member may
	looked := 0   // where the next member may begin, at least
	send := func(p *piece) bool {
		if p.done != nil {
			select {
			case slots <- struct{}{}:
			case <-m.stop:
				return false
			}
			m.running.Go(func() {
				p.decompress(m)
				<-slots
			})
		}
		select {
		case m.pieces <- p:
			return true
		case <-m.stop:
			return false
		}
	}
	for {
		text = slices.Grow(text, 64<<10)
		n, err := fill(src, text[:len(text)+64<<10], len(text))
		text = text[:n]
		for {
			least := looked
			if whole {
				least = max(least, minPiece)
			}
			at := nextGzip(text, least)
			if at < 0 {
				break
			}
			p := &piece{text: bytes.Clone(text[:at])}
			if whole && m.vain.Load() < maxVain {
				p.done = make(chan struct{})
			}
			if !send(p) {
				return
			}
			text, whole, looked = append(text[:0], text[at:]...), true, 1
		}
		looked = max(looked, len(text)-headerSize+1)
		if err != nil {
			p := &piece{text: text, err: err}
			if whole && err == io.EOF && len(text) > 0 && m.vain.Load() < maxVain {
				p.done = make(chan struct{})
			}
			send(p)
			return
		}
		if most := map[bool]int{true: maxPiece, false: rawPiece}[whole]; len(text) >= most {
			cut := len(text) - headerSize // for a member may begin in these
			if !send(&piece{text: bytes.Clone(text[:cut])}) {
				return
			}
			text, whole, looked = append(text[:0], text[cut:]...), false, 1
		}
	}
}

// nextGzip returns where in text, from least on, a member may begin, and -1
// if nowhere.
func nextGzip(text []byte, least int) int {
	for at := max(least, 1); at <= len(text)-headerSize; at++ {
		k := bytes.Index(text[at:], []byte("\x1f\x8b\x08"))
		if k < 0 {
			return -1
		}
		if at += k; at > len(text)-headerSize {
			return -1
		}
		flags, extra, system := text[at+3], text[at+8], text[at+9]
		if flags < 1<<5 && (extra == 0 || extra == 2 || extra == 4) && (system < 14 || system == 255) {
			return at
		}
	}
	return -1
}

// decompress finds out what p holds.
func (p *piece) decompress(m *gzipMembers) {
	defer close(p.done)
	z, err := gzip.NewReader(bytes.NewReader(p.text))
	room, _ := m.spare.take()
	b := bytes.NewBuffer(room)
	if err == nil {
		b.Grow(min(8*len(p.text), maxPlain))
		_, err = b.ReadFrom(io.LimitReader(stopping{z, m.stop}, maxPlain+1))
	}
	if p.ok = err == nil && b.Len() <= maxPlain; p.ok {
		p.plain = b.Bytes()
	} else {
		m.vain.Add(1)
	}
}

// stopping is src until stop is closed.
type stopping struct {
	src  io.Reader
	stop <-chan struct{}
}

func (s stopping) Read(b []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, errStopped
	default:
		return s.src.Read(b)
	}
}

func (m *gzipMembers) Read(b []byte) (int, error) {
	for m.err == nil && len(b) > 0 {
		if len(m.plain) == 0 && m.now != nil && m.now.plain != nil {
			m.spare.put(m.now.plain[:0])
			m.now.plain = nil
		}
		if len(m.plain) > 0 {
			n := copy(b, m.plain)
			m.plain = m.plain[n:]
			return n, nil
		}
		if m.one == nil {
			m.next()
			continue
		}
		n, err := m.one.Read(b)
		if err == io.EOF { // of the member
			err, m.was, m.one = nil, m.one, nil
		}
		if m.err = err; n > 0 {
			return n, nil
		}
	}
	if len(b) == 0 {
		return 0, nil
	}
	return 0, m.err
}

// next goes to the next member: into what has been decompressed ahead, if one
// begins there.
func (m *gzipMembers) next() {
	if m.buf.Buffered() == 0 && m.in.Len() == 0 {
		if m.now != nil && m.now.err != nil {
			m.err = m.now.err
			return
		}
		m.take()
		if p := m.now; p.done != nil {
			<-p.done
			if p.ok {
				m.plain = p.plain
				m.in.Reset(nil)
				p.text = nil
				return
			}
		}
		if m.in.Len() == 0 {
			return
		}
	}
	z := m.was
	if z == nil {
		z = new(gzip.Reader)
	}
	if m.err = z.Reset(m.buf); m.err == nil {
		z.Multistream(false)
		m.one = z
	}
}

// take takes the next piece. After the last one there is none to take.
func (m *gzipMembers) take() {
	p, ok := <-m.pieces
	if !ok { // closed
		p = &piece{err: errStopped}
	}
	m.now = p
	m.in.Reset(p.text)
}

// pieceReader reads the compressed bytes, of one piece at a time.
type pieceReader gzipMembers

func (r *pieceReader) Read(b []byte) (int, error) {
	m := (*gzipMembers)(r)
	for m.in.Len() == 0 {
		if m.now != nil && m.now.err != nil {
			return 0, m.now.err
		}
		m.take()
	}
	return m.in.Read(b)
}
