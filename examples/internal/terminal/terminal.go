// Package terminal makes what strangers wrote fit to be shown on one.
package terminal

import (
	"strings"
	"unicode"
)

// Line returns s on one line and harmless to a terminal: white space becomes a
// blank, and U+FFFD stands for what is not printed, such as control characters
// and those that change the direction of writing.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
