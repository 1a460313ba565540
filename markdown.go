package crossprem

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// WriteMarkdown writes findings for a ticket or a wiki, in CommonMark with the
// tables of GitHub: a table of what failed and what is unknown, in the order
// given, a section for each of them with its detail, remedy and sources, and a
// count of what passed. Texts are escaped, so that the name of a server or a
// user agent can neither format nor link anything.
//
// It returns the error of w.
func WriteMarkdown(w io.Writer, findings []Finding, at time.Time) error {
	var b strings.Builder
	var open []Finding
	counts := make(map[Status]int)
	for _, f := range findings {
		counts[f.Status]++
		if f.Status != Passed {
			open = append(open, f)
		}
	}
	fmt.Fprintf(&b, "# Findings for %s\n\n%d failed, %d not known, %d passed.\n", at.UTC().Format(time.DateOnly), counts[Failed], counts[Unknown], counts[Passed])
	if len(open) > 0 {
		b.WriteString("\n| severity | due | finding | subject |\n|---|---|---|---|\n")
		for _, f := range open {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", severityCell(f), dueCell(f), markdownText(f.Title), markdownText(qualified(f)))
		}
	}
	for _, f := range open {
		fmt.Fprintf(&b, "\n## %s: %s\n", markdownText(f.Title), markdownText(qualified(f)))
		if f.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", markdownText(f.Detail))
		}
		if f.Remedy != "" {
			fmt.Fprintf(&b, "\n%s\n", markdownCode(f.Remedy))
		}
		fmt.Fprintf(&b, "\nRule %s.", markdownText(f.Rule))
		if len(f.Sources) > 0 {
			fmt.Fprintf(&b, " Sources: %s.", markdownText(strings.Join(f.Sources, "; ")))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func severityCell(f Finding) string {
	if f.Status == Unknown {
		return "not known"
	}
	return f.Severity.String()
}

func dueCell(f Finding) string {
	if f.Due.IsZero() {
		return ""
	}
	return f.Due.UTC().Format(time.DateOnly)
}

// markdownText returns s on one line, with every character escaped that could
// mean something in Markdown or HTML, and without control characters.
func markdownText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			// neither shown nor wanted: it could turn around the rest of the line
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]()#+!|>~", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return noAutolink.Replace(b.String())
}

// noAutolink keeps GitHub from making links of addresses in a text. What is
// shown and copied stays the same.
var noAutolink = strings.NewReplacer("://", "&#58;//", "www.", "www&#46;", "WWW.", "WWW&#46;", "@", "&#64;")

// markdownCode returns s as a block of code, whatever it holds.
func markdownCode(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	clean := strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, s)
	return fence + "\n" + clean + "\n" + fence
}
