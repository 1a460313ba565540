package authinspect

import (
	"strings"
	"unicode"
)

// shorten makes a stranger's text fit to be shown: printable, one line, at
// most 300 characters.
func shorten(s string) string {
	const limit = 300
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	runes := []rune(printable(strings.ToValidUTF8(s, "\uFFFD")))
	if len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return string(runes)
}

// printable replaces what terminals would obey or hide, since a stranger's
// text is shown to people.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
