package oauthcert

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/exchange"
)

// A Thumbprint is what Windows calls by that name: the SHA-1 hash of a
// certificate's DER encoding. It names a certificate; it proves nothing. The
// zero value stands for "none".
type Thumbprint [20]byte

// ErrThumbprint reports a text that is not a thumbprint.
var ErrThumbprint = errors.New("oauthcert: not a thumbprint (40 hexadecimal digits)")

// ParseThumbprint reads a thumbprint however it was copied: in either case,
// with blanks, colons or hyphens between the digits, in quotes, and with the
// invisible marks that the certificate dialogue of Windows puts in front
// (U+200E, U+FEFF and their kin), or the question mark that these become where
// the code page has no such letter. Everything else is [ErrThumbprint], and so
// is a number of digits other than 40.
func ParseThumbprint(s string) (Thumbprint, error) {
	digits, err := exchange.ParseThumbprint(s)
	if err != nil {
		return Thumbprint{}, fmt.Errorf("%w: %w", ErrThumbprint, err)
	}
	var t Thumbprint
	if _, err := hex.Decode(t[:], []byte(digits)); err != nil {
		return Thumbprint{}, fmt.Errorf("%w: %w", ErrThumbprint, err)
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
