// Package terminal makes what strangers wrote fit to be shown on one.
package terminal

import (
	"io"
	"strings"
	"time"
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

// After returns a writer that drops what is written before a time: what is
// quick needs no progress bar, and a bar that begins late knows no rate.
func After(begin time.Time, w io.Writer) io.Writer { return after{begin, w} }

type after struct {
	begin time.Time
	w     io.Writer
}

func (a after) Write(b []byte) (int, error) {
	if time.Now().Before(a.begin) {
		return len(b), nil
	}
	return a.w.Write(b)
}
