package psobject

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eachLine returns text with every line changed.
func eachLine(text string, change func(string) string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = change(l)
	}
	return strings.Join(lines, "\n")
}

var (
	manyEmpty = regexp.MustCompile(`\n(?:[ \t]*\n)+`)
	twoBlanks = regexp.MustCompile(`  +`)
)

// wrappings are what mail, tickets and web pages do to a text.
var wrappings = map[string]func(string) string{
	"line ends of Windows": func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n") },
	"quoted":               func(s string) string { return eachLine(s, func(l string) string { return "> " + l }) },
	"quoted, blanks lost": func(s string) string {
		return eachLine(s, func(l string) string { return strings.TrimRight("> "+l, " ") })
	},
	"quoted twice":     func(s string) string { return eachLine(s, func(l string) string { return "> > " + l }) },
	"indented":         func(s string) string { return eachLine(s, func(l string) string { return "    " + l }) },
	"indented by tabs": func(s string) string { return eachLine(s, func(l string) string { return "\t" + l }) },
	"fenced":           func(s string) string { return "```\n" + s + "\n```\n" },
	"fenced, among prose": func(s string) string {
		return "Hello all,\n\nthis is what we see on EX1:\n\n```powershell\n" + s + "\n```\n\nAny idea? Thanks,\nBob\n"
	},
	"fenced, quoted": func(s string) string {
		return "Bob wrote:\n" + eachLine("this is it:\n~~~\n"+s+"\n~~~\nbye", func(l string) string { return "> " + l }) + "\n\nReally?\n"
	},
	"indented, among prose": func(s string) string {
		return "Hello all,\n\nthis is what we see:\n\n" + eachLine(s, func(l string) string { return strings.TrimRight("    "+l, " ") }) + "\n\nAny idea?\n"
	},
	"non-breaking blanks": func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	"some non-breaking ones": func(s string) string {
		return twoBlanks.ReplaceAllStringFunc(s, func(b string) string { return strings.Repeat("\u00a0", len(b)-1) + " " })
	},
	"entities":           html.EscapeString,
	"entities of blanks": func(s string) string { return strings.ReplaceAll(html.EscapeString(s), "  ", "&nbsp; ") },
	"blanks at line ends lost": func(s string) string {
		return eachLine(s, func(l string) string { return strings.TrimRight(l, " \t") })
	},
	"empty lines doubled": func(s string) string {
		return manyEmpty.ReplaceAllStringFunc(strings.ReplaceAll(s, "\r\n", "\n"), func(m string) string { return m + m[1:] })
	},
	"empty lines gone":         func(s string) string { return manyEmpty.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "\n") },
	"an empty line after each": func(s string) string { return eachLine(s, func(l string) string { return l + "\n" }) },
}

// textForms are those whose text stands on a console, line by line.
func textForm(form string) bool {
	return strings.HasPrefix(form, "Format-") || strings.HasPrefix(form, "Out-File") || strings.HasPrefix(form, "transcript")
}

// What mail, tickets and web pages put around a text changes no value: what
// it was, or unknown.
func TestWrappings(t *testing.T) {
	all := recordings(t)
	texts := make([]string, len(all))
	known := make([]int, len(all)) // as they were printed
	for i, r := range all {
		var err error
		texts[i], err = decode(r.text)
		require.NoError(t, err)
		outputs, err := Parse([]byte(texts[i]))
		require.NoError(t, err)
		a := r.judge(outputs)
		known[i] = a.Known
	}
	for name, wrap := range wrappings {
		t.Run(name, func(t *testing.T) {
			var sum tally
			plain := 0
			for i, r := range all {
				if !textForm(r.Form) {
					if i%4 != 0 {
						continue // of exports some will do
					}
					if strings.Contains(name, "blank") || strings.Contains(name, "non-breaking") || strings.Contains(name, "empty line") {
						continue // exports hold texts of several lines and blanks
					}
					if strings.Contains(name, "entities") && !strings.Contains(r.Form, "Json") && !strings.Contains(r.Form, "Clixml") {
						continue
					}
				}
				plain += known[i]
				outputs, err := Parse([]byte(wrap(texts[i])))
				if assert.NoError(t, err, r.File) {
					sum.add(r.judge(outputs))
				}
			}
			t.Logf("%v (%d known as they were printed)", &sum, plain)
			sum.check(t)
			assert.GreaterOrEqual(t, sum.Known*100, plain*97)
		})
	}
}
