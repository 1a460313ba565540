package psobject

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/crossprem/crossprem/internal/wintext"
)

// decode returns b, in UTF-8 or UTF-16, as UTF-8. Bytes that are no UTF-8
// become U+FFFD one by one, so that columns stay where they are. Byte-order
// marks within the text, as files that were joined have them, are left out.
func decode(b []byte) (string, error) {
	s, err := wintext.Decode(b)
	if err != nil {
		return "", fmt.Errorf("psobject: %w", err)
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return strings.ReplaceAll(s, wintext.Mark, ""), nil
}
