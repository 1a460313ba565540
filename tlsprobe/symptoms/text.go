package symptoms

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crossprem/crossprem/internal/catalogue"
)

// maxLines is how many pieces are looked at for what was cut off.
const maxLines = 60

// forms are the shapes of one piece of text that patterns are looked for in.
type forms struct {
	// folded holds the letters and digits alone, in lower case: what a console
	// wrapped in the middle of a word, and quoted in one style or another, is
	// the same. There are two if the lines begin with marks of a log.
	folded []string

	// spaced are the text in lower case with its blanks: with line ends as
	// blanks, without line ends at all (a number may be broken by one), line by
	// line, and with its HTML tags.
	spaced []string

	// lines are the folded lines, and pieces between ellipses, in which what
	// was cut off is looked for.
	lines []string
}

var (
	tag = regexp.MustCompile(`</?[A-Za-z!][^<>]{0,400}>`)

	// mark is what a log or a mail puts before a line: quoting, a time, a level,
	// names in brackets.
	mark = regexp.MustCompile(`^[\s>|+#*~]*(?:\[?\d{4}-\d\d-\d\d[T ]?[\d:.,]*(?:Z|[+-]\d\d:?\d\d)?\]?|\[?\d{1,2}[./]\d{1,2}[./]\d{2,4},? [\d:]{4,8}(?: [APap][Mm])?\]?|\[?\d\d:\d\d:\d\d[.,]?\d*\]?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+)?` +
		`(?:\s*\[[^\]]{1,60}\])*\s*(?i:(?:error|warn(?:ing)?|info|debug|fatal|verbose|trace|stderr)\b[:\]\s|-]*)?`)

	breaks = regexp.MustCompile(`[ \t]*\r?\n[ \t]*`)
)

// unescape undoes HTML, twice where a page shows a page.
func unescape(text string) string {
	for range 2 {
		if !strings.Contains(text, "&") {
			break
		}
		text = html.UnescapeString(text)
	}
	return text
}

// formsOf returns the forms of text. Of a part of a large text there are fewer:
// no lines, and only the first of spaced.
func formsOf(text string, large bool) forms {
	text = unescape(text)
	bare := text
	if strings.ContainsRune(text, '<') {
		bare = tag.ReplaceAllString(text, " ")
	}
	var f forms
	f.folded = []string{fold(bare)}
	var clean strings.Builder
	marked := false
	for line := range strings.Lines(bare) {
		rest := line[len(mark.FindString(line)):]
		marked = marked || len(strings.TrimSpace(line))-len(strings.TrimSpace(rest)) > 0
		clean.WriteString(rest)
		if !strings.HasSuffix(rest, "\n") {
			clean.WriteByte('\n')
		}
		if large {
			continue
		}
		for _, piece := range strings.FieldsFunc(strings.ReplaceAll(rest, "...", "…"), func(r rune) bool { return r == '…' }) {
			if p := fold(piece); p != "" && len(f.lines) < maxLines {
				f.lines = append(f.lines, p)
			}
		}
	}
	if marked {
		f.folded = append(f.folded, fold(clean.String()))
	}
	low := strings.ToLower(bare)
	f.spaced = append(f.spaced, catalogue.Squeeze(low))
	if large {
		return f
	}
	if strings.ContainsRune(strings.TrimSpace(low), '\n') {
		f.spaced = append(f.spaced, breaks.ReplaceAllString(low, ""), low)
	}
	if bare != text {
		f.spaced = append(f.spaced, catalogue.Squeeze(strings.ToLower(text)))
	}
	return f
}

// fold keeps letters and digits, in lower case. Latin letters with accents are
// left out: they are what is broken first when a text went through the wrong
// code page, and no two phrases of the catalogue differ by them alone.
func fold(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b = append(b, byte(r))
		case r >= 'A' && r <= 'Z':
			b = append(b, byte(r)+'a'-'A')
		case r < 0x370 || r == utf8.RuneError: // marks, Latin with accents, their combining characters
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
	}
	return string(b)
}
