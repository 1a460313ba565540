// Package scan goes over the bytes of JSON: where a value ends, what text a
// string holds. It trusts nobody: what ends too early is ErrShort, and what is
// no JSON a SyntaxError, where the function looks at it at all.
package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrShort reports a text that ended before the value did.
var ErrShort = errors.New("unexpected end")

// MaxDepth is how deep values may be nested, as in encoding/json.
const MaxDepth = 10000

// A SyntaxError tells what is wrong at which byte of a record.
type SyntaxError struct {
	At   int
	What string
}

func (e *SyntaxError) Error() string {
	if e.At == 0 {
		return e.What
	}
	return fmt.Sprintf("%s, %d bytes into the record", e.What, e.At)
}

// Unexpected is the error for the byte b[i], which may not stand where it does.
func Unexpected(b []byte, i int, where string) error {
	return &SyntaxError{i, fmt.Sprintf("unexpected %q %s", rune(b[i]), where)}
}

// EndsAt reports whether a number or word that ends at i ends there for sure.
func EndsAt(b []byte, i int) bool {
	return i < len(b) && (b[i] == ',' || b[i] == '}' || b[i] == ']' || b[i] <= ' ')
}

// Skip returns where the value at b[i:] ends.
func Skip(b []byte, i int) (int, error) {
	if i >= len(b) {
		return i, ErrShort
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{' || c == '[':
		for depth := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				end, err := skipString(b, i)
				if err != nil {
					return end, err
				}
				i = end - 1
			case '{', '[':
				if depth++; depth > MaxDepth {
					return i, &SyntaxError{i, "nested too deeply"}
				}
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, nil
				}
			}
		}
		return i, ErrShort
	case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
		for ; i < len(b); i++ {
			if EndsAt(b, i) {
				return i, nil
			}
			if c := b[i]; c == '"' || c == '{' || c == '[' || c == ':' {
				return i, Unexpected(b, i, "in a value")
			}
		}
		return i, ErrShort
	}
	return i, Unexpected(b, i, "instead of a value")
}

// skipString returns where the string that starts with the quote b[i] ends.
func skipString(b []byte, i int) (int, error) {
	for k := i + 1; ; {
		n := bytes.IndexByte(b[k:], '"')
		if n < 0 {
			return len(b), ErrShort
		}
		k += n + 1
		slashes := 0
		for b[k-2-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return k, nil
		}
	}
}

// Space returns where the white space at b[i:] ends.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Plain returns how many bytes at the start of b are printable ASCII and
// neither quote nor backslash, looking at eight at a time.
func Plain(b []byte) int {
	const ones = 0x0101010101010101
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// The lowest byte marked is right; borrows spoil only those above it.
		odd := (w | (w - ones*0x20) | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)) & (ones * 0x80)
		if odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// Unquote appends to dst the text of the string whose first byte after the
// quote is b[i], and returns where the string ends. Like encoding/json it puts
// U+FFFD in place of invalid UTF-8 and of lone surrogates.
func Unquote(dst, b []byte, i int) ([]byte, int, error) {
	for {
		n := Plain(b[i:])
		dst = append(dst, b[i:i+n]...)
		if i += n; i == len(b) {
			return dst, i, ErrShort
		}
		switch c := b[i]; {
		case c == '"':
			return dst, i + 1, nil
		case c < ' ':
			return dst, i, Unexpected(b, i, "in a string")
		case c == '\\':
			if i+1 == len(b) {
				return dst, i, ErrShort
			}
			if k := strings.IndexByte(`"\/bfnrt`, b[i+1]); k >= 0 {
				dst = append(dst, "\"\\/\b\f\n\r\t"[k])
				i += 2
				continue
			}
			if len(b)-i < 6 && b[i+1] == 'u' {
				return dst, i, ErrShort
			}
			var r rune = -1
			if b[i+1] == 'u' {
				r = hex4(b[i:])
			}
			if r < 0 {
				return dst, i, &SyntaxError{i, "invalid escape in a string"}
			}
			i += 6
			if utf16.IsSurrogate(r) {
				var low rune = -1
				if len(b)-i >= 6 {
					low = hex4(b[i:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			r, n := utf8.DecodeRune(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
}

// hex4 returns the value of the escape \uXXXX at the start of b, or -1.
func hex4(b []byte) (r rune) {
	if b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	for _, c := range b[2:6] {
		k := strings.IndexByte("0123456789abcdef", c|' ')
		if k < 0 || c < '0' {
			return -1
		}
		r = r<<4 | rune(k)
	}
	return r
}

// IsNumber reports whether b is a number by RFC 8259, section 6.
func IsNumber(b []byte) bool {
	digits := func(b []byte) []byte { return bytes.TrimLeft(b, "0123456789") }
	b = bytes.TrimPrefix(b, []byte("-"))
	rest := digits(b)
	if len(rest) == len(b) || b[0] == '0' && len(b)-len(rest) > 1 {
		return false
	}
	if len(rest) > 0 && rest[0] == '.' {
		b, rest = rest[1:], digits(rest[1:])
		if len(rest) == len(b) {
			return false
		}
	}
	if len(rest) > 0 && rest[0]|' ' == 'e' {
		b = rest[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if rest = digits(b); len(rest) == len(b) {
			return false
		}
	}
	return len(rest) == 0
}
