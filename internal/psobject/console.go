package psobject

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// The prompts of PowerShell, of a remote session and of the Exchange
	// Management Shell: "PS C:\>", "[ex01]: PS C:\>", "[PS] C:\>".
	prompt = regexp.MustCompile(`^(?:\[PS\] [^<>"|?*]{0,512}|(?:\[[^\]]{1,256}\]: )?PS(?: [^<>"|?*]{0,512})?)> ?`)

	// Colours, which PowerShell 7 writes around names and headings.
	colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

	// An error record names its cmdlet: "Get-AuthServer : The operation …".
	errorRecord = regexp.MustCompile(`^[A-Z][A-Za-z]*-[A-Za-z][A-Za-z0-9]* ?:(?: |$)`)

	typedCmdlet = regexp.MustCompile(`\b[A-Z][A-Za-z]*-[A-Za-z][A-Za-z0-9]*\b`)
)

// typed returns what was typed after the prompt with which line begins.
func typed(line string) (string, bool) {
	at := prompt.FindStringIndex(line)
	if at == nil {
		return "", false
	}
	return line[at[1]:], true
}

// parseConsole reads text as it stood on a console: cut at its prompts, each
// part by what it begins with.
func (p *parser) parseConsole(text string, line int) ([]Output, error) {
	var (
		outputs []Output
		command string
		asked   bool // a cmdlet was typed at the prompt
		begun   int
		lines   []string
	)
	end := func() error {
		body := strings.Join(lines, "\n")
		if !asked && strings.TrimSpace(body) == "" {
			return nil
		}
		_, _, isCSV, err := (&parser{}).parseCSV(body, begun)
		if err != nil {
			return err
		}
		if looksLikeXML(body) || looksLikeJSON(body) || isCSV {
			parsed, err := p.parse(body, begun)
			if err != nil {
				return err
			}
			for _, out := range parsed {
				if out.Command == "" {
					out.Command = command
				}
				outputs = append(outputs, out)
			}
			return nil
		}
		r := consoleReader{parser: p, out: Output{Command: command}}
		at, err := r.read(lines)
		if err != nil {
			return lineError(begun+at, err)
		}
		outputs = append(outputs, r.out)
		return nil
	}
	begun = line
	text = strings.ReplaceAll(text, "\u00a0", " ") // web pages and mail put these in for blanks
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		if strings.Contains(l, "\x1b") {
			l = colours.ReplaceAllString(l, "")
		}
		input, isPrompt := typed(l)
		if !isPrompt {
			if !strings.HasPrefix(l, ">> ") && l != ">>" { // a command that goes on
				lines = append(lines, l)
			} else {
				lines = append(lines, "")
			}
			continue
		}
		if err := end(); err != nil {
			return nil, err
		}
		command = typedCmdlet.FindString(input)
		asked, begun, lines = command != "", line+i+1, nil
	}
	if err := end(); err != nil {
		return nil, err
	}
	return outputs, nil
}

// A consoleReader reads what one command printed as a list or as a table.
type consoleReader struct {
	*parser
	out    Output
	object *listed // the object of a list that is being read
}

// A listed is an object of a list before its lines are joined.
type listed struct {
	colon      int // the column of the colons
	properties []listedProperty
}

type listedProperty struct {
	name  string
	value []string // as printed, line by line
}

// read reads lines; in case of an error it returns the index of the line.
func (r *consoleReader) read(lines []string) (int, error) {
	lines = dedent(lines)
	var (
		lists   []*listed
		places  []int // of lists among the objects
		longest int   // line
	)
	end := func() {
		if r.object != nil {
			lists, places = append(lists, r.object), append(places, len(r.out.Objects))
			r.out.Objects = append(r.out.Objects, Object{}) // filled below, when the width is known
			r.object = nil
		}
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.TrimSpace(line) == "" {
			first := i
			for i+1 < len(lines) && strings.TrimSpace(lines[i+1]) == "" {
				i++
			}
			if r.object == nil {
				continue
			}
			if i+1 < len(lines) && r.object.goesOn(lines[i+1]) {
				for _, blank := range lines[first : i+1] {
					r.object.last(r.object.cutIndent(blank)) // may be the blank after a word that filled its line
				}
				continue
			}
			end()
			continue
		}
		if r.object == nil && i+1 < len(lines) && isRule(line, lines[i+1]) {
			n, err := r.table(lines[i:])
			if err != nil {
				return i, err
			}
			i += n - 1
			continue
		}
		if errorRecord.MatchString(line) {
			end()
			r.out.Failed = true
			for ; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
				r.out.Lines = append(r.out.Lines, lines[i])
			}
			continue
		}
		if name, value, colon, ok := r.splitProperty(line); ok {
			if r.object != nil && strings.EqualFold(name, r.object.properties[0].name) {
				end()
			}
			if err := r.count(1); err != nil {
				return i, err
			}
			if r.object == nil {
				r.object = &listed{colon: colon}
			}
			r.object.properties = append(r.object.properties, listedProperty{name, []string{value}})
			longest = max(longest, cells(line))
			continue
		}
		if r.object != nil && line[0] == ' ' {
			r.object.last(r.object.cutIndent(line))
			longest = max(longest, cells(line))
			continue
		}
		r.out.Lines = append(r.out.Lines, line)
	}
	end()
	w := wrapOf(lists, longest)
	for i, l := range lists {
		object, err := l.finish(w, r.parser)
		if err != nil {
			return len(lines) - 1, err
		}
		r.out.Objects[places[i]] = object
	}
	return 0, nil
}

// last adds a line to the last property.
func (l *listed) last(line string) {
	p := &l.properties[len(l.properties)-1]
	p.value = append(p.value, line)
}

// cutIndent returns line without the blanks under the names.
func (l *listed) cutIndent(line string) string {
	n := 0
	for n < len(line) && n < l.colon+2 && line[n] == ' ' {
		n++
	}
	return line[n:]
}

// goesOn tells whether the object goes on with line after an empty one, which
// then is part of a value: its text stands in the column of the values.
func (l *listed) goesOn(line string) bool {
	return strings.HasPrefix(line, strings.Repeat(" ", l.colon+2))
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// splitProperty splits "Name   : value". The colons of an object stand in one
// column; where blanks were lost on the way, a plain name will do.
func (r *consoleReader) splitProperty(line string) (name, value string, colon int, ok bool) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", 0, false
	}
	head, value, found := strings.Cut(line, " : ")
	if !found {
		if head, found = strings.CutSuffix(strings.TrimRight(line, " "), " :"); !found {
			return "", "", 0, false
		}
		value = ""
	}
	name = strings.TrimRight(head, " ")
	colon = cells(head) + 1
	if r.object != nil && colon == r.object.colon {
		return name, value, colon, true
	}
	if r.object != nil {
		return name, value, colon, plainName.MatchString(name)
	}
	return name, value, colon, name != "" && len(name) <= 256 && !strings.Contains(name, ": ")
}

// dedent takes away the blanks with which all lines begin.
func dedent(lines []string) []string {
	least := -1
	for _, line := range lines {
		if trimmed := strings.TrimLeft(line, " "); trimmed != "" {
			if n := len(line) - len(trimmed); least < 0 || n < least {
				least = n
			}
		}
	}
	if least <= 0 {
		return lines
	}
	short := make([]string, len(lines))
	for i, line := range lines {
		if len(line) > least {
			short[i] = line[least:]
		}
	}
	return short
}

// A wrap is what the lines of a list tell of the console that broke them.
type wrap struct {
	width   int  // columns; 0 if nothing was broken
	trimmed bool // blanks at the ends of lines were lost
	anyhow  bool // lines break within words that would fit into the next
}

// The narrowest width that is believed. Below it, lines are taken for those
// of the value itself.
const narrowest = 60

// wrapOf finds the width at which lists were wrapped, from the longest line.
func wrapOf(lists []*listed, longest int) wrap {
	if longest < narrowest {
		return wrap{}
	}
	w := wrap{width: longest, trimmed: true}
	full := make(map[string]bool)
	for _, l := range lists {
		for _, p := range l.properties {
			for i, piece := range p.value[:len(p.value)-1] {
				if strings.HasSuffix(piece, " ") && strings.TrimSpace(piece) != "" {
					w.trimmed = false
				}
				if l.colon+2+cells(piece) == longest && !l.overlong(piece, p.value[i+1], w) {
					full[piece] = true
				}
			}
		}
	}
	w.anyhow = len(full) > 1
	return w
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
		n++
		if r > 0xffff || r >= 0x1100 && unicode.Is(wide, r) {
			n++
		}
	}
	return n
}

// firstCells returns how many cells the first letter of s takes.
func firstCells(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return cells(s[:n])
}

// overlong tells whether the word that was broken between two lines is longer
// than a line.
func (l *listed) overlong(line, next string, w wrap) bool {
	head := line[strings.LastIndexAny(line, " \t")+1:]
	tail := next
	if i := strings.IndexAny(next, " \t"); i >= 0 {
		tail = next[:i+1]
	}
	return tail != "" && cells(head)+cells(tail) > w.width-l.colon-2
}

// finish makes the object of its lines.
func (l *listed) finish(w wrap, p *parser) (Object, error) {
	var object Object
	for _, property := range l.properties {
		if dropped(property.name) {
			continue
		}
		v := displayed(l.join(property.value, w))
		if err := p.count(len(v.List)); err != nil {
			return Object{}, err
		}
		object.Properties = append(object.Properties, Property{Name: property.name, Value: v})
	}
	return object, nil
}

// join undoes the wrapping. The console breaks after a blank, which stays at
// the end of the line unless it was trimmed since, and within a word only when
// that is longer than a line (or, in the languages of East Asia, anywhere).
// Every other line end is one of the value.
func (l *listed) join(lines []string, w wrap) string {
	if len(lines) == 1 {
		return strings.TrimRight(lines[0], " ")
	}
	var s strings.Builder
	for i, line := range lines {
		if i == len(lines)-1 {
			s.WriteString(line)
			break
		}
		next := lines[i+1]
		length := l.colon + 2 + cells(line)
		word, ended := next, false
		if j := strings.IndexAny(next, " \t"); j >= 0 {
			word, ended = next[:j+1], true
		}
		needs := length + cells(word)
		if w.trimmed {
			needs++ // the blank at the end of line
			if !ended && i+2 < len(lines) {
				needs++ // and that at the end of next
			}
		}
		fits := needs <= w.width
		switch {
		case w.width == 0 || line == "" || next == "":
			s.WriteString(line + "\n")
		case length+firstCells(next) > w.width && (l.overlong(line, next, w) || w.anyhow):
			s.WriteString(line)
		case !fits && strings.HasSuffix(line, " "):
			s.WriteString(line)
		case !fits && w.trimmed && length < w.width: // a full line was not broken at a blank
			s.WriteString(line + " ")
		default:
			s.WriteString(line + "\n")
		}
	}
	return strings.TrimRight(s.String(), " \n")
}

// displayed returns the value that a list or table shows as text: {a, b} is a
// list, and {a, b...} one that was cut.
func displayed(text string) Value {
	inner, ok := strings.CutPrefix(text, "{")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	if !ok {
		return scalarOf(text)
	}
	v := Value{State: Present, Text: text, List: []Value{}}
	if rest, cut := cutMark(inner); cut {
		inner, v.State = rest, Cut
	}
	inner = strings.TrimRight(strings.TrimSpace(inner), ",")
	if inner == "" {
		return v
	}
	depth, start := 0, 0
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth = max(0, depth-1)
		case ',':
			if depth == 0 && i+1 < len(inner) && (inner[i+1] == ' ' || inner[i+1] == '\n') {
				v.List = append(v.List, scalarOf(strings.TrimSpace(inner[start:i])))
				start = i + 1
			}
		}
	}
	v.List = append(v.List, scalarOf(strings.TrimSpace(inner[start:])))
	return v
}

// cutMark takes the mark of a cut off the end of s: three points, or, in
// PowerShell 7, an ellipsis.
func cutMark(s string) (string, bool) {
	if rest, ok := strings.CutSuffix(s, "..."); ok {
		return rest, true
	}
	return strings.CutSuffix(s, "…")
}
