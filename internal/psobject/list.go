package psobject

import (
	"regexp"
	"strings"
)

// A listed is an object of a list before its lines are joined.
type listed struct {
	colon      int  // the column of the colons
	loose      bool // the blanks before the colons were lost on the way
	follows    bool // nothing but empty lines part it from the object before it
	properties []listedProperty
	names      map[string]bool // of the properties
	isPadded   bool            // a name has more than one blank behind it
	isWhole    bool            // a name has one blank behind it
}

type listedProperty struct {
	name  string
	value []string // as printed, line by line
	colon int      // the column of the colon in the first line
	torn  bool     // its lines cannot be joined
}

// last adds a line to the last property.
func (l *listed) last(line string) {
	p := &l.properties[len(l.properties)-1]
	p.value = append(p.value, line)
}

// column returns the column of the values.
func (l *listed) column() int { return l.colon + 2 }

// cutIndent returns line without the blanks under the names.
func (l *listed) cutIndent(line string) string {
	n := 0
	for n < len(line) && n < l.column() && line[n] == ' ' {
		n++
	}
	return line[n:]
}

// goesOn reports whether the object goes on with line after an empty one,
// which then is part of a value: its text stands in the column of the values.
func (l *listed) goesOn(line string) bool {
	return strings.HasPrefix(line, strings.Repeat(" ", l.column()))
}

// padded reports whether empty lines are filled with blanks up to the column
// of the values, and so part of one.
func (l *listed) padded(lines []numbered) bool {
	for _, line := range lines {
		if len(line.text) < l.column() {
			return false
		}
	}
	return true
}

// add adds a property.
func (l *listed) add(p listedProperty) {
	if l.names == nil {
		l.names = make(map[string]bool)
	}
	l.properties = append(l.properties, p)
	l.names[p.name] = true
	width := cells(p.name) + 1
	l.isPadded = l.isPadded || width != p.colon
	l.isWhole = l.isWhole || width == l.colon
}

// shares reports whether a property of both objects has the same name.
func (l *listed) shares(other *listed) bool {
	for name := range other.names {
		if l.names[name] {
			return true
		}
	}
	return false
}

// has reports whether the object has a property called name already.
func (l *listed) has(name string) bool {
	return l.names[name] || strings.EqualFold(l.properties[0].name, name)
}

// fits reports whether a property whose colon stands in that column may be
// one of the object. All colons stand in one column, unless the blanks before
// them were lost on the way: then there is one before each.
func (l *listed) fits(name string, colon int) bool {
	if colon == l.colon {
		return true
	}
	if l.isPadded || cells(name)+1 != colon {
		return false
	}
	l.loose = true
	return true
}

var plainName = regexp.MustCompile(`^[\pL_][\pL\pN_.]*$`)

// splitLine splits "Name   : value".
func splitLine(line string) (name, value string, colon int, ok bool) {
	if line == "" || line[0] == ' ' || line[0] == '\t' {
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
	return name, value, cells(head) + 1, name != "" && len(name) <= 256
}

// splitProperty splits the first of lines, if it is a property. A name that
// is not plain, as those in other languages and headings, must have others
// beside it, with the colon in the same column.
func (r *consoleReader) splitProperty(lines []numbered) (name, value string, colon int, ok bool) {
	name, value, colon, ok = splitLine(lines[0].text)
	if !ok || plainName.MatchString(name) {
		return name, value, colon, ok
	}
	if r.object != nil && colon == r.object.colon {
		return name, value, colon, true
	}
	if r.object != nil || strings.Contains(name, ": ") || strings.ContainsAny(name[:1], "-*#+|>") {
		return "", "", 0, false
	}
	for _, l := range lines[1:min(len(lines), 64)] {
		if blank(l.text) {
			break
		}
		if l.text[0] == ' ' {
			continue
		}
		_, _, other, ok := splitLine(l.text)
		return name, value, colon, ok && other == colon
	}
	// It stands alone: a list of one property has one blank after its name.
	return name, value, colon, cells(name)+1 == colon && len(strings.Fields(name)) <= 4 && !strings.ContainsAny(name, ",;.!?")
}

// finish makes the object of its lines.
func (l *listed) finish(w wrap, p *parser) (Object, error) {
	var object Object
	room := w.width - l.column()
	for _, property := range l.properties {
		if dropped(property.name) {
			continue
		}
		if w.width > 0 && room <= 1 && cells(property.name)+1 == l.colon {
			continue // so narrow a console cuts the names too
		}
		text, sure := w.join(property.value, room)
		v := displayed(text)
		if !sure || len(property.value) > 1 && (l.loose || property.torn) || property.torn {
			v = Value{State: Cut, Text: text, lettered: !property.torn}
		}
		if err := p.count(len(v.List)); err != nil {
			return Object{}, err
		}
		object.Properties = append(object.Properties, Property{Name: property.name, Value: v})
	}
	return object, nil
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
