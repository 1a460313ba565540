package exchange

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// A Thumbprint is the SHA-1 of a certificate in its DER form, as 40 capital
// hexadecimal digits. The empty one stands for none.
type Thumbprint string

// maxThumbprintText bounds the text that ParseThumbprint looks at: 40 digits
// and generous room for the signs that programs put between them.
const maxThumbprintText = 400

// ParseThumbprint reads a thumbprint however it was copied: in either case,
// with blanks, colons or hyphens between the digits, in quotes, and with the
// invisible marks that the certificate dialogue of Windows puts in front
// (U+200E, U+FEFF and their kin), or the question mark that these become where
// the code page has no such letter. The error for anything else says what is
// wrong, and no more than the first of a long text.
func ParseThumbprint(text string) (Thumbprint, error) {
	if len(text) > maxThumbprintText {
		return "", fmt.Errorf("%d bytes long", len(text))
	}
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	trimmed := strings.TrimFunc(text, func(r rune) bool { return hidden(r) || r == '"' || r == '\'' })
	var digits strings.Builder
	for _, r := range strings.TrimPrefix(trimmed, "?") {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'f', 'A' <= r && r <= 'F':
			digits.WriteRune(r)
		case r == ':', r == '-', hidden(r):
		default:
			return "", fmt.Errorf("%q in %.60q", r, text)
		}
	}
	switch digits.Len() {
	case 2 * sha1.Size:
		return Thumbprint(strings.ToUpper(digits.String())), nil
	case 64:
		return "", fmt.Errorf("64 digits, which looks like SHA-256; Windows and Exchange name certificates by SHA-1")
	}
	return "", fmt.Errorf("%d digits in %.60q", digits.Len(), text)
}

// ThumbprintOf returns the thumbprint of a certificate in its DER form.
func ThumbprintOf(der []byte) Thumbprint {
	sum := sha1.Sum(der) // the name that Windows gives certificates, not a protection
	return Thumbprint(strings.ToUpper(hex.EncodeToString(sum[:])))
}
