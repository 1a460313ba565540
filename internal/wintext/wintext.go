// Package wintext decodes text files that came from Windows: UTF-8 and UTF-16,
// with a byte-order mark or without.
//
// Windows PowerShell and regedit write UTF-16LE with a mark, newer programs
// UTF-8 with or without one. UTF-16 without a mark is recognised by its zero
// bytes. Bytes that are none of it are passed on as they are: the caller knows
// what stands for them, see [Latin1].
package wintext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrTorn reports UTF-16 with half a code unit at its end.
var ErrTorn = errors.New("the UTF-16 text ends within a character")

// Mark is the byte-order mark, in UTF-8.
const Mark = "\ufeff"

// detect returns the byte order of UTF-16, nil for anything else, and the
// length of the mark that b begins with.
func detect(b []byte) (order binary.ByteOrder, mark int) {
	switch {
	case bytes.HasPrefix(b, []byte(Mark)):
		return nil, len(Mark)
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return binary.LittleEndian, 2
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return binary.BigEndian, 2
	case len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
		return binary.LittleEndian, 0
	case len(b) >= 4 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0:
		return binary.BigEndian, 0
	}
	return nil, 0
}

// IsUTF16 reports whether [Decode] takes b for UTF-16.
func IsUTF16(b []byte) bool {
	order, _ := detect(b)
	return order != nil
}

// Decode returns b as UTF-8, without the mark that it begins with. Half a
// surrogate pair becomes U+FFFD. The error is [ErrTorn], with the text before
// the torn character. What is not UTF-16 is returned as it is, valid UTF-8 or
// not.
func Decode(b []byte) (string, error) {
	order, mark := detect(b)
	b = b[mark:]
	if order == nil {
		return string(b), nil
	}
	var err error
	if len(b)%2 != 0 {
		b, err = b[:len(b)-1], ErrTorn
	}
	return UTF16(b, order), err
}

// UTF16 decodes UTF-16 in the byte order given. A mark is text like any other;
// half a code unit at the end is left out.
func UTF16(b []byte, order binary.ByteOrder) string {
	var s strings.Builder
	s.Grow(len(b) / 2)
	for len(b) >= 2 {
		r, size := runeAt(b, order)
		s.WriteRune(r)
		b = b[size:]
	}
	return s.String()
}

// runeAt decodes the first character of b, which has two bytes or more.
func runeAt(b []byte, order binary.ByteOrder) (r rune, size int) {
	r = rune(order.Uint16(b))
	if !utf16.IsSurrogate(r) {
		return r, 2
	}
	if len(b) >= 4 {
		if pair := utf16.DecodeRune(r, rune(order.Uint16(b[2:]))); pair != utf8.RuneError {
			return pair, 4
		}
	}
	return utf8.RuneError, 2
}

// EncodeUTF16 returns text as UTF-16LE without a mark. Write [Mark] in front of
// the text to have one.
func EncodeUTF16(text string) []byte {
	b := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Latin1 returns the characters that the bytes stand for in ISO 8859-1: as
// good a guess as any for a text in an unknown code page.
func Latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// NewReader returns a reader of what r holds, decoded as by [Decode]. It holds
// a few kilobytes at a time. It ends with [ErrTorn] where Decode returns that.
func NewReader(r io.Reader) io.Reader { return &reader{src: r} }

type reader struct {
	src     io.Reader
	err     error // of src
	started bool
	order   binary.ByteOrder
	raw     [4096]byte // [pos:end] is read and not decoded
	pos     int
	end     int
	out     []byte // decoded and not given out
	outBuf  [3 * 4096 / 2]byte
}

// fill reads until there are at least n raw bytes, or none come any more.
func (r *reader) fill(n int) {
	if r.pos > 0 {
		r.end = copy(r.raw[:], r.raw[r.pos:r.end])
		r.pos = 0
	}
	for empty := 0; r.end < n && r.err == nil; {
		m, err := r.src.Read(r.raw[r.end:])
		r.end += m
		r.err = err
		if empty++; m > 0 {
			empty = 0
		}
		if empty == 100 {
			r.err = io.ErrNoProgress
		}
	}
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !r.started {
		r.started = true
		r.fill(4)
		r.order, r.pos = detect(r.raw[:r.end])
	}
	if r.order == nil {
		if r.pos == r.end {
			r.fill(1)
		}
		if r.pos == r.end {
			return 0, r.err
		}
		n := copy(p, r.raw[r.pos:r.end])
		r.pos += n
		return n, nil
	}
	if len(r.out) == 0 {
		r.decode()
	}
	if len(r.out) > 0 {
		n := copy(p, r.out)
		r.out = r.out[n:]
		return n, nil
	}
	if errors.Is(r.err, io.EOF) && r.pos < r.end {
		return 0, ErrTorn
	}
	return 0, r.err
}

// decode decodes what is there, but keeps the first half of a pair for later
// as long as more may come.
func (r *reader) decode() {
	r.fill(4)
	out := r.outBuf[:0]
	for r.end-r.pos >= 2 {
		if r.end-r.pos < 4 && r.err == nil {
			break
		}
		c, size := runeAt(r.raw[r.pos:r.end], r.order)
		r.pos += size
		out = utf8.AppendRune(out, c)
	}
	r.out = out
}
