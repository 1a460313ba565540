package psobject

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/crossprem/crossprem/internal/wintext"
)

// decode returns b as UTF-8, without marks. Bytes that are no UTF-8 become
// U+FFFD one by one, so that columns stay where they are.
func decode(b []byte) (string, error) {
	s, err := wintext.Decode(b)
	if err != nil {
		return "", errors.New("psobject: the UTF-16 text ends within a character")
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return strings.ReplaceAll(s, "\uFEFF", ""), nil
}
