package psobject

import (
	"html"
	"regexp"
	"strings"
	"unicode"
)

// A numbered is a line of the input and its number there.
type numbered struct {
	text string
	n    int
}

// A place tells the numbers of the lines of a text in the input.
type place struct {
	first   int
	numbers []int // of lines that are not one after the other
}

// line returns the number of the line with index i.
func (p place) line(i int) int {
	if len(p.numbers) > 0 {
		return p.numbers[min(i, len(p.numbers)-1)]
	}
	return p.first + i
}

// at returns the number of the line in which text[offset] stands.
func (p place) at(text string, offset int) int {
	return p.line(strings.Count(text[:min(offset, len(text))], "\n"))
}

// from returns the place of text[offset:].
func (p place) from(text string, offset int) place {
	n := strings.Count(text[:min(offset, len(text))], "\n")
	if len(p.numbers) > 0 {
		return place{numbers: p.numbers[min(n, len(p.numbers)-1):]}
	}
	return place{first: p.first + n}
}

// joined returns lines as one text, and its place.
func joined(lines []numbered) (string, place) {
	var s strings.Builder
	p := place{numbers: make([]int, len(lines))}
	for i, l := range lines {
		if i > 0 {
			s.WriteByte('\n')
		}
		s.WriteString(l.text)
		p.numbers[i] = l.n
	}
	return s.String(), p
}

var (
	// Colours, which PowerShell 7 writes around names and headings, and other
	// sequences for a terminal.
	colours = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")

	// Colours without their first letter, which is lost on the way into a
	// mail; and as editors show it.
	bareColours = regexp.MustCompile(`(?:\^\[|␛)?\[(?:\d{1,3};)*\d{1,3}m`)

	entity = regexp.MustCompile(`&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)

	fence = regexp.MustCompile("^[ \t]*(?:```+|~~~+)[ \t]*[A-Za-z0-9_+#.-]*[ \t]*$")
)

// unescapeHTML undoes the entities of a text that was taken from the source
// of a web page. Such a text holds no other < or &.
func unescapeHTML(text string) string {
	if !strings.Contains(text, "&") || strings.Contains(text, "<") {
		return text
	}
	rest := strings.TrimLeft(text, " \t\r\n\ufeff")
	if strings.HasPrefix(rest, `"`) || (strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "[")) && strings.Contains(text, `"`) && looksLikeJSON(text) {
		return text // quotes would have been written as entities too
	}
	all := entity.FindAllString(text, -1)
	if len(all) != strings.Count(text, "&") {
		return text
	}
	sure := !strings.Contains(text, ">")
	for _, e := range all {
		sure = sure || e != "&amp;"
	}
	if !sure {
		return text
	}
	return html.UnescapeString(text)
}

// ordinaryBlanks returns text with ordinary blanks for non-breaking ones, if
// these were put in on the way: then they stand beside other blanks or at a
// colon.
func ordinaryBlanks(text string) string {
	const nbsp = "\u00a0"
	if !strings.Contains(text, nbsp) {
		return text
	}
	for _, sign := range []string{nbsp + nbsp, nbsp + " ", " " + nbsp, nbsp + ":", ":" + nbsp, "\n" + nbsp, nbsp + "\n", nbsp + "\r"} {
		if strings.Contains(text, sign) {
			return strings.ReplaceAll(text, nbsp, " ")
		}
	}
	if strings.HasPrefix(text, nbsp) {
		return strings.ReplaceAll(text, nbsp, " ")
	}
	return text
}

// clean returns the lines of a text without what mail, tickets and web pages
// put around it, in blocks: those in a fence are apart from those outside.
func clean(text string, at place) [][]numbered {
	texts := strings.Split(ordinaryBlanks(text), "\n")
	lines := make([]numbered, len(texts))
	for i, l := range texts {
		l = strings.TrimSuffix(l, "\r")
		if strings.Contains(l, "\x1b") {
			l = colours.ReplaceAllString(l, "")
			l = strings.ReplaceAll(l, "\x1b", "")
		} else if strings.Contains(l, "[0m") {
			l = bareColours.ReplaceAllString(l, "")
		}
		lines[i] = numbered{l, at.line(i)}
	}
	lines = halved(lines)
	for range 8 {
		changed := false
		if lines, changed = unquoted(lines); !changed {
			break
		}
	}
	dedent(lines)
	var blocks [][]numbered
	start, within := 0, false
	for i, l := range lines {
		if fence.MatchString(l.text) && (within || closed(lines[i+1:])) {
			blocks = append(blocks, lines[start:i])
			start, within = i+1, !within
		}
	}
	blocks = append(blocks, lines[start:])
	for _, block := range blocks {
		dedent(block)
		dedentRegions(block)
	}
	return blocks
}

// closed reports whether a fence follows.
func closed(lines []numbered) bool {
	for _, l := range lines {
		if fence.MatchString(l.text) {
			return true
		}
	}
	return false
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// halved takes away the empty lines that were put in where an empty line
// follows each line, or where there are twice as many as there were: between
// objects PowerShell leaves one.
func halved(lines []numbered) []numbered {
	texts, runs, run := 0, 0, 0
	bare := false                // one of a run has no blanks either
	even := true                 // all runs of empty lines are
	other := [2]bool{true, true} // every second line is empty
	for i, l := range lines {
		if blank(l.text) {
			run++
			bare = bare || l.text == ""
			continue
		}
		if run > 0 && l.text[0] != ' ' {
			runs++ // between objects
		}
		if texts > 0 && run > 0 {
			even = even && (run%2 == 0 || !bare)
		}
		run, bare = 0, false
		texts++
		other[i%2] = false
	}
	for parity, ok := range other {
		if ok && texts >= 3 {
			short := make([]numbered, 0, len(lines)/2+1)
			for i := 1 - parity; i < len(lines); i += 2 {
				short = append(short, lines[i])
			}
			return short
		}
	}
	if runs == 0 || !even {
		return lines
	}
	short := make([]numbered, 0, len(lines))
	run = 0
	for _, l := range lines {
		if !blank(l.text) {
			run = 0
		} else if run++; run%2 == 0 {
			continue
		}
		short = append(short, l)
	}
	return short
}

// unquoted takes one > away from the beginnings of lines that follow each
// other, unless PowerShell put it there for a command that goes on.
func unquoted(lines []numbered) ([]numbered, bool) {
	mark := func(s string) (string, bool) {
		t := strings.TrimLeft(s, " ")
		if len(s)-len(t) > 1 {
			return "", false
		}
		return strings.CutPrefix(t, ">")
	}
	changed := false
	for i := 0; i < len(lines); i++ {
		if _, ok := mark(lines[i].text); !ok {
			continue
		}
		end, spaced, double := i, true, true
		for end < len(lines) {
			rest, ok := mark(lines[end].text)
			if !ok {
				break
			}
			spaced = spaced && (rest == "" || rest[0] == ' ' || rest[0] == '>')
			double = double && strings.HasPrefix(rest, ">")
			end++
		}
		goesOn := false
		if double && i > 0 {
			_, goesOn = typed(lines[i-1].text)
		}
		if !goesOn {
			for ; i < end; i++ {
				rest, _ := mark(lines[i].text)
				if spaced {
					rest = strings.TrimPrefix(rest, " ")
				}
				lines[i].text = rest
			}
			changed = true
		}
		i = end
	}
	return lines, changed
}

// indentOf returns the blanks and tabs with which s begins.
func indentOf(s string) string { return s[:len(s)-len(strings.TrimLeft(s, " \t"))] }

// commonIndent returns the blanks and tabs with which all lines begin.
func commonIndent(lines []numbered) string {
	common, found := "", false
	for _, l := range lines {
		if blank(l.text) {
			continue
		}
		indent := indentOf(l.text)
		if !found {
			common, found = indent, true
			continue
		}
		n := 0
		for n < len(common) && n < len(indent) && common[n] == indent[n] {
			n++
		}
		common = common[:n]
	}
	return common
}

// dedent takes away the blanks with which all lines begin.
func dedent(lines []numbered) {
	common := commonIndent(lines)
	if common == "" {
		return
	}
	for i := range lines {
		if rest, ok := strings.CutPrefix(lines[i].text, common); ok {
			lines[i].text = rest
		} else {
			lines[i].text = strings.TrimLeft(lines[i].text, " \t")
		}
	}
}

// dedentRegions takes away the indentation of what stands indented among
// prose: it begins with a prompt, a property or the like, where no object is
// open that could go on.
func dedentRegions(lines []numbered) {
	open := false // a list or table, the values of which may be indented
	column := 0   // of the values of the list
	for i := 0; i < len(lines); i++ {
		text := lines[i].text
		indent := indentOf(text)
		switch {
		case blank(text):
			continue
		case indent == "":
			if at := strings.Index(text, " : "); at > 0 && plainName.MatchString(strings.TrimRight(text[:at], " ")) {
				open, column = true, at+3
			} else if i > 0 && blank(lines[i-1].text) {
				open = false
			}
			if strings.Trim(text, "- ") == "" {
				open, column = true, 0
			}
			continue
		case open && (column == 0 && !blank(lines[i-1].text) || len(indent) >= column && column > 0):
			continue
		case len(indent) < 2 && indent != "\t" || !startsSomething(lines[i:]):
			continue
		}
		end := i
		for end < len(lines) && (blank(lines[end].text) || strings.HasPrefix(lines[end].text, indent)) {
			end++
		}
		dedent(lines[i:end])
		i = end - 1
		open = false
	}
}

// startsSomething reports whether the first of lines, indented, is a prompt or
// begins an object.
func startsSomething(lines []numbered) bool {
	indent := indentOf(lines[0].text)
	cut := func(i int) string {
		if i >= len(lines) {
			return ""
		}
		return strings.TrimPrefix(lines[i].text, indent)
	}
	first := cut(0)
	if _, ok := typed(first); ok || looksLikeExport([]numbered{{text: first}, {text: cut(1)}}) {
		return true
	}
	if isRule(first, cut(1)) {
		return true
	}
	if at := strings.Index(first, " : "); at > 0 && plainName.MatchString(strings.TrimRight(first[:at], " ")) {
		return true
	}
	if name, ok := strings.CutSuffix(strings.TrimRight(first, " "), " :"); ok {
		return plainName.MatchString(strings.TrimRight(name, " "))
	}
	return false
}

// isLetterOrDigit reports whether r may stand in a word.
func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
