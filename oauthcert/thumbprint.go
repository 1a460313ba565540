package oauthcert

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Thumbprint is what Windows calls by that name: the SHA-1 hash of a
// certificate's DER encoding. It names a certificate; it proves nothing. The
// zero value stands for "none".
type Thumbprint [20]byte

// ErrThumbprint reports a text that is not a thumbprint.
var ErrThumbprint = errors.New("oauthcert: not a thumbprint (40 hexadecimal digits)")

// maxThumbprintText bounds the text that [ParseThumbprint] looks at: 40 digits
// and generous room for the signs that programs put between them.
const maxThumbprintText = 400

// ParseThumbprint reads a thumbprint however it was copied: in either case,
// with blanks, colons or hyphens between the digits, in quotes, and with the
// invisible marks that the certificate dialogue of Windows puts in front
// (U+200E, U+FEFF and their kin), or the question mark that these become where
// the code page has no such letter. Everything else is [ErrThumbprint], and so
// is a number of digits other than 40.
func ParseThumbprint(s string) (Thumbprint, error) {
	if len(s) > maxThumbprintText {
		return Thumbprint{}, fmt.Errorf("%w: %d bytes long", ErrThumbprint, len(s))
	}
	var digits []byte
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	text := strings.TrimFunc(s, func(r rune) bool { return hidden(r) || r == '"' || r == '\'' })
	for _, r := range strings.TrimPrefix(text, "?") {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'f', 'A' <= r && r <= 'F':
			digits = append(digits, byte(r))
		case r == ':', r == '-', hidden(r):
		default:
			return Thumbprint{}, fmt.Errorf("%w: %q in %.60q", ErrThumbprint, r, s)
		}
	}
	switch len(digits) {
	case 2 * len(Thumbprint{}):
	case 64:
		return Thumbprint{}, fmt.Errorf("%w: 64 digits, which looks like SHA-256; Windows and Exchange name certificates by SHA-1", ErrThumbprint)
	default:
		return Thumbprint{}, fmt.Errorf("%w: %d digits in %.60q", ErrThumbprint, len(digits), s)
	}
	var t Thumbprint
	if _, err := hex.Decode(t[:], digits); err != nil {
		return Thumbprint{}, fmt.Errorf("%w: %.60q", ErrThumbprint, s)
	}
	return t, nil
}

// String returns the thumbprint as Exchange and Windows write it: 40
// hexadecimal digits in upper case. The zero Thumbprint gives "".
func (t Thumbprint) String() string {
	if t.IsZero() {
		return ""
	}
	return strings.ToUpper(hex.EncodeToString(t[:]))
}

// IsZero reports whether t stands for "none".
func (t Thumbprint) IsZero() bool { return t == Thumbprint{} }

// MarshalText returns what String gives.
func (t Thumbprint) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts what [ParseThumbprint] does, and the empty text for
// "none".
func (t *Thumbprint) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Thumbprint{}
		return nil
	}
	parsed, err := ParseThumbprint(string(text))
	if err == nil {
		*t = parsed
	}
	return err
}

func sortThumbprints(all []Thumbprint) {
	slices.SortFunc(all, func(a, b Thumbprint) int { return bytes.Compare(a[:], b[:]) })
}
