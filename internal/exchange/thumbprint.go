package exchange

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"unicode"
)

// A Thumbprint is the SHA-1 of a certificate in its DER form, as 40 capital
// hexadecimal digits. The empty one stands for none.
type Thumbprint string

// ParseThumbprint reads 40 hexadecimal digits in either case, with the blanks,
// colons and invisible marks that are copied out of dialogs. It returns false
// for anything else.
func ParseThumbprint(text string) (Thumbprint, bool) {
	clean := strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ':' || r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text))
	if len(clean) != 2*sha1.Size {
		return "", false
	}
	if _, err := hex.DecodeString(clean); err != nil {
		return "", false
	}
	return Thumbprint(clean), true
}

// ThumbprintOf returns the thumbprint of a certificate in its DER form.
func ThumbprintOf(der []byte) Thumbprint {
	sum := sha1.Sum(der) // the name that Windows gives certificates, not a protection
	return Thumbprint(strings.ToUpper(hex.EncodeToString(sum[:])))
}
