package psobject

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A wrap is what the lines of a list tell of the console that broke them.
//
// PowerShell breaks a line after a blank, which is part of the word before it
// and stays at the end of the line unless it was lost since, and within a
// word only when that is longer than a line; then the word begins in the line
// before. In other languages than English, French, German, Italian, Portuguese
// and Spanish it breaks anywhere.
type wrap struct {
	width    int  // columns; 0 if nothing was broken
	kept     bool // blanks at the ends of lines are there
	anywhere bool // lines break within words that would fit into the next
	doubtful int  // columns; lines that a console so narrow would have broken are not known
	gone     bool // empty lines are, and so perhaps some of the values

	// others are as likely: what they join otherwise is not known.
	others []wrap
}

// The narrowest console that is believed without or with doubt. Below it,
// lines are taken for those of the value itself.
const (
	narrowest = 60
	narrow    = 40
)

// A seam is where a value goes on in the next line.
type seam struct {
	l          *listed
	property   int
	line, next string
	length     int // of the whole line, in cells
}

// full reports whether the line fills so many columns.
func (s seam) full(width int) bool {
	return !strings.HasSuffix(s.line, " ") && (s.length == width || s.length == width-1 && firstCells(s.next) > 1)
}

// wrapOf finds the width at which lists were wrapped. No line is longer, and a
// line that ends within a word that is too long is as long.
func wrapOf(lists []*listed, longest int) wrap {
	var seams []seam
	kept := 0
	for _, l := range lists {
		for n, p := range l.properties {
			for i, line := range p.value[:len(p.value)-1] {
				if next := p.value[i+1]; !blank(line) && !blank(next) {
					seams = append(seams, seam{l, n, line, next, l.column() + cells(line)})
					if strings.HasSuffix(line, " ") {
						kept++
					}
				}
			}
		}
	}
	if len(seams) == 0 {
		return wrap{}
	}
	if longest < narrow {
		return wrap{doubtful: longest}
	}
	w := wrap{width: longest, kept: kept > 0}
	var (
		long   = make(map[string]bool) // lines that end within a word that is too long
		within = make(map[string]bool) // and within others
		values = make(map[*listedProperty]bool)
	)
	for _, s := range seams {
		if !s.full(longest) {
			continue
		}
		if overlong(s.line, s.next, longest-s.l.column()) {
			long[s.line] = true
			values[&s.l.properties[s.property]] = true
		} else {
			within[s.line] = true
		}
	}
	blanks := 0 // seams at which a blank was lost, if words are kept whole
	for _, s := range seams {
		if room := longest - s.l.column(); !s.full(longest) && (wrap{width: longest}).joint(s.line, s.next, room, false, true) == " " {
			blanks++
		}
	}
	w.anywhere = len(within) > 1 && kept == 0 && len(within) > blanks
	filled := len(long) + len(within)
	switch {
	case len(long) > 1 && (len(values) > 1 || !mimeWidth(seams, longest)), w.anywhere && len(within) > 4, kept > 1, kept > 0 && longest >= narrowest:
		return w
	case longest < narrowest && !w.anywhere:
		// Two lines that are ended, or one that is broken.
		return wrap{doubtful: longest}
	case len(long) > 0 && slices.Contains(usualWidths, longest):
		return w // a console one wider whose line ended just so is far less likely
	}
	return w.guessed(seams, filled)
}

// farthest is how much wider than its longest line a console is believed to
// have been.
const farthest = 80

// guessed returns w with what is likely of a width that no two lines prove:
// the longest line may fill its width, or be as long as it happens to be.
func (w wrap) guessed(seams []seam, filled int) wrap {
	seams = seams[:min(len(seams), 256)]
	longest, best := w.width, 0
	var scores [farthest + 1]int
	for i := range scores {
		scores[i] = w.explained(seams, longest+i)
		best = max(best, scores[i])
	}
	if best*4 < len(seams) {
		return w // no console breaks so: the value ends its lines itself
	}
	likely := func(width int) bool {
		i := width - longest
		return i >= 0 && i <= farthest && scores[i]*8 >= best*7
	}
	first, last := -1, -1
	for i := range scores {
		if likely(longest + i) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	isUsual := false
	for _, usual := range usualWidths {
		if likely(usual) {
			w.width, isUsual = usual, true
			break
		}
	}
	if !isUsual {
		w.width = longest + first
	}
	for _, width := range []int{longest, longest + 1, longest + first, longest + last} {
		if likely(width) && width != w.width {
			w.others = append(w.others, wrap{width: width, kept: w.kept})
		}
	}
	if w.anywhere {
		w.others = append(w.others, wrap{width: longest + 1})
		w.width = longest
	}
	if best < 3 && !isUsual && !(w.kept && filled > 0) {
		w.others = append(w.others, wrap{}) // lines that the value ends itself
	}
	return w
}

// usualWidths are those of consoles and files by default.
var usualWidths = []int{80, 120}

// mimeWidth reports whether the lines that fill the width are as long as those
// of base64, which ends its lines itself.
func mimeWidth(seams []seam, longest int) bool {
	for _, s := range seams {
		if room := longest - s.l.column(); s.full(longest) && (room == 64 || room == 76) && !strings.ContainsAny(s.line, " ,") {
			return true
		}
	}
	return false
}

// explained returns how many lines a console of that width would have broken
// where they are broken.
func (w wrap) explained(seams []seam, width int) int {
	n := 0
	for _, s := range seams {
		if (wrap{width: width, kept: w.kept}).joint(s.line, s.next, width-s.l.column(), false, true) != "\n" {
			n++
		}
	}
	return n
}

// join undoes the wrapping of a value in lines with room for so many cells,
// and reports whether the value is known. Every line end that a console of
// that width would not have made is one of the value.
func (w wrap) join(lines []string, room int) (text string, sure bool) {
	if len(lines) == 1 {
		return strings.TrimRight(lines[0], " "), true
	}
	if len(w.others) > 0 {
		alone := w
		alone.others = nil
		text, sure = alone.join(lines, room)
		for _, other := range w.others {
			if !sure || len(lines) > maxCompared {
				return text, false
			}
			otherwise, _ := other.join(lines, room+other.width-w.width)
			sure = otherwise == text
		}
		return text, sure
	}
	sure = true
	joints := make([]string, len(lines)-1) // what stands between the lines
	ended := 0                             // lines that the value ends itself
	// From the end, for whether a blank was lost behind the last word of a
	// line decides whether it would have fitted into the line before.
	lost := false
	for i := len(lines) - 2; i >= 0; i-- {
		line, next := lines[i], lines[i+1]
		joints[i] = "\n"
		if w.width > 0 && room > 0 && line != "" && next != "" && !(blank(line) && room > 1) {
			joints[i] = w.joint(line, next, room, lost, i+2 == len(lines))
		}
		if joints[i] == "\n" && !blank(line) && !blank(next) {
			ended++
			if w.width == 0 && w.doubtful > 0 && room+w.doubtful > 0 {
				for _, width := range []int{w.doubtful, w.doubtful + 1} {
					d := wrap{width: width, kept: strings.HasSuffix(line, " ")}
					if d.joint(line, next, room+width, lost, i+2 == len(lines)) != "\n" {
						sure = false
					}
				}
			}
		}
		lost = joints[i] == " "
		if joints[i] == "" && room <= 3 && !strings.HasSuffix(line, " ") {
			sure = false // as well an end of line
		}
	}
	if ended > 0 && w.width > 0 && (!w.kept && (startsAlike(lines, joints) || sentences(lines, joints, room)) || labelled(lines, joints)) {
		sure = false
	}
	if ended > 0 && w.gone {
		sure = false
	}
	var s strings.Builder
	for i, line := range lines {
		s.WriteString(line)
		if i < len(joints) {
			s.WriteString(joints[i])
		}
	}
	return strings.TrimRight(s.String(), " \n"), sure
}

// maxCompared bounds the lines of a value that is joined in several ways.
const maxCompared = 4096

// joint returns what stood between two lines of a value: a line end, a blank
// that was lost, or nothing.
func (w wrap) joint(line, next string, room int, lost, last bool) string {
	length := cells(line)
	word := firstWord(next)
	needs := cells(word)
	if word == next && !last && lost {
		needs++ // its blank was lost at the end of its line
	}
	whole := length == room || length == room-1 && firstCells(next) > 1
	switch {
	case next[0] == ' ' && whole && !strings.HasPrefix(next, "  "):
		return "" // of a word that filled its line, or was too long
	case next[0] == ' ' && !(whole && (w.kept || w.anywhere)):
		return "\n"
	case strings.HasSuffix(line, " ") && length <= room:
		if length+needs > room && (needs <= room || length == room) || whole && w.anywhere {
			return ""
		}
		return "\n"
	case whole:
		if w.anywhere || overlong(line, next, room) {
			return ""
		}
		return "\n"
	case w.kept || length >= room:
		return "\n"
	case w.anywhere:
		if length == room-1 {
			return " "
		}
		return "\n"
	case length+1+needs > room && (needs <= room || length+1 == room):
		return " "
	}
	return "\n"
}

// startsAlike reports whether a line that was taken for one that goes on
// begins like one that begins a line of its own.
func startsAlike(lines, joints []string) bool {
	start := func(s string) string {
		if i := strings.IndexAny(s, ":[ "); i >= 3 && s[i] != ' ' {
			return s[:i+1]
		}
		return ""
	}
	starts := make(map[string]bool)
	for i, line := range lines {
		if i == 0 || joints[i-1] == "\n" {
			if s := start(line); s != "" {
				starts[s] = true
			}
		}
	}
	for i, joint := range joints {
		if joint != "\n" && starts[start(lines[i+1])] {
			return true
		}
	}
	return false
}

// sentences reports whether a line that was taken for one that goes on may as
// well have ended: behind a full stop, or, where there is little room and most
// words don't fit, before a capital letter or anywhere.
func sentences(lines, joints []string, room int) bool {
	for i, joint := range joints {
		if joint != " " {
			continue
		}
		r, _ := utf8.DecodeRuneInString(lines[i+1])
		if room < 24 || unicode.IsUpper(r) && (room < narrowest || strings.ContainsAny(lines[i][len(lines[i])-1:], ".!?")) {
			return true
		}
	}
	return false
}

// labelled reports whether a line of its own that was taken for one that goes
// on is a label with a colon, behind which perhaps stood nothing.
func labelled(lines, joints []string) bool {
	for i, joint := range joints {
		line, next := strings.TrimRight(lines[i], " "), lines[i+1]
		if joint == "\n" || i > 0 && joints[i-1] != "\n" || strings.IndexByte(line, ':') != len(line)-1 || len(line) > 40 {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(next); unicode.IsUpper(r) {
			return true
		}
	}
	return false
}

// firstWord returns the first word of s with the blank behind it.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i+1]
	}
	return s
}

// overlong reports whether the word that was broken between two lines is
// longer than a line.
func overlong(line, next string, room int) bool {
	head := line[strings.LastIndexAny(line, " \t")+1:]
	tail := firstWord(next)
	return tail != "" && cells(head)+cells(tail) > room
}

// wide are the letters that take two cells of a console, as PowerShell's host
// counts them: those of Markus Kuhn's wcwidth, one for one UTF-16 unit.
var wide = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2329, Hi: 0x232a, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1},
	{Lo: 0x3040, Hi: 0xa4cf, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1},
	{Lo: 0xfe10, Hi: 0xfe19, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1},
	{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
}}

// cells returns how many cells of a console s takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	if r > 0xffff || r >= 0x1100 && unicode.Is(wide, r) {
		return 2
	}
	return 1
}

// firstCells returns how many cells the first letter of s takes.
func firstCells(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return cells(s[:n])
}
