package authinspect

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A literalReader finds header fields inside the literals of programming
// languages, and in what their print functions make of maps and lists: JSON,
// HAR, Python, JavaScript, Go, Java, Ruby, Perl, PHP, PowerShell. It looks for
// the names of fields and reads the value behind each one; the rest of the
// literal is of no interest, so that every nesting is fine.
type literalReader struct {
	text   string
	starts []int // of the lines in text
	lines  []captureLine
	open   int // lists that did not end
}

var (
	namesAnywhere = regexp.MustCompile(`(?i)` + fieldNames)
	valueKey      = regexp.MustCompile(`^(?i)["'` + "`" + `]?(?:value|val)["'` + "`" + `]?\s*(?::|=>|=)\s*`)
	schemeKey     = regexp.MustCompile(`(?i)["']Scheme["']\s*:\s*["']([A-Za-z]{3,20})["']\s*,\s*["']Parameter["']\s*:\s*`)
	literalTag    = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_.]*|\[\]string|array\(\d+\)|string\(\d+\))\s*`)
	nextPair      = regexp.MustCompile(`(?i)^[,;]\s*["'` + "`" + `]?(?:` + fieldNames + `|[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9-]*)["'` + "`" + `]?\s*[:=]`)
	element       = regexp.MustCompile(`^\[?\d*\]?\s*=>\s*`)
)

// takeLiterals puts the fields of literals on lines of their own.
func takeLiterals(lines []captureLine) []captureLine {
	r := &literalReader{lines: lines}
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		r.starts = append(r.starts, b.Len())
		b.WriteString(l.text)
	}
	r.text = b.String()

	var out []captureLine
	at := 0 // up to where text is in out
	plain := func(end int) {
		for at < end {
			line := r.line(at)
			stop := len(r.text)
			if line+1 < len(r.starts) {
				stop = r.starts[line+1] - 1
			}
			l := r.lines[line]
			if whole := at == r.starts[line] && stop <= end; !whole {
				l.kind, l.text = captureFragment, r.text[at:min(stop, end)]
			}
			if l.kind == capturePlain || strings.TrimSpace(l.text) != "" {
				out = append(out, l)
			}
			at = min(stop, end)
			if at == stop {
				at++
			}
		}
		at = max(at, min(end, len(r.text)))
	}
	inside := -1 // where the last field ended, in a literal without quotes
	names, schemes := namesAnywhere.FindAllStringIndex(r.text, -1), schemeKey.FindAllStringSubmatchIndex(r.text, -1)
	for len(names)+len(schemes) > 0 {
		if len(schemes) > 0 && (len(names) == 0 || schemes[0][0] < names[0][0]) {
			m := schemes[0]
			schemes = schemes[1:]
			if m[0] < at {
				continue
			}
			value := r.text[m[2]:m[3]]
			values, stop, _ := r.value(m[1], false, 0)
			plain(m[0])
			if len(values) > 0 && values[0] != "null" {
				value += " " + values[0]
			}
			out = append(out, captureLine{number: r.number(m[0]), text: "WWW-Authenticate: " + value, kind: captureField})
			at = max(stop, m[1])
			continue
		}
		begin, end := names[0][0], names[0][1]
		names = names[1:]
		if begin < at {
			continue
		}
		start, stop, values, ok := r.field(begin, end, inside)
		if !ok || start < at {
			continue
		}
		plain(start)
		for _, v := range values {
			out = append(out, captureLine{number: r.number(begin), text: r.text[begin:end] + ": " + v, kind: captureField})
		}
		at, inside = stop, stop
	}
	plain(len(r.text))
	return closeUp(out)
}

// closeUp leaves out the empty lines within literals, which part no answers.
func closeUp(lines []captureLine) []captureLine {
	inside := func(l captureLine) bool {
		return l.kind != capturePlain || chatter.MatchString(strings.TrimSpace(l.text))
	}
	out := lines[:0:0]
	for i, l := range lines {
		if l.kind == capturePlain && strings.TrimSpace(l.text) == "" && i > 0 && i+1 < len(lines) && len(out) > 0 {
			next := lines[i+1]
			if opens := strings.TrimSpace(next.text); inside(out[len(out)-1]) && inside(next) && (next.kind != capturePlain || opens != "{" && opens != "[" && !strings.HasPrefix(opens, "`") && !strings.HasPrefix(opens, "-")) {
				continue
			}
		}
		out = append(out, l)
	}
	return out
}

// line returns the index of the line that byte at of the text is in.
func (r *literalReader) line(at int) int {
	i, found := slices.BinarySearch(r.starts, at)
	if !found {
		i--
	}
	return i
}

func (r *literalReader) number(at int) int { return r.lines[r.line(at)].number }

// field reads the field whose name is text[begin:end], and returns false if it
// does not stand in a literal.
func (r *literalReader) field(begin, end, inside int) (start, stop int, values []string, ok bool) {
	text := r.text
	if begin > 0 && isNameByte(text[begin-1]) || end < len(text) && isNameByte(text[end]) {
		return 0, 0, nil, false
	}
	var before byte = '\n'
	if begin > 0 {
		before = text[begin-1]
	}
	pos := end
	start = begin
	quoted := strings.IndexByte("\"'`", before) >= 0 && pos < len(text) && text[pos] == before
	escaped := before == '"' && begin > 1 && text[begin-2] == '\\' && strings.HasPrefix(text[pos:], `\"`)
	switch {
	case escaped: // JSON in a string of JSON
		pos, start, quoted = pos+2, begin-2, true
	case quoted:
		pos, start = pos+1, begin-1
	}
	if strings.HasPrefix(text[pos:], "] =>") || strings.HasPrefix(text[pos:], "]=>") { // [name] => value
		pos++
	}
	pos = skipBlanks(text, pos, false)
	sep := ""
	for _, s := range []string{"=>", "->", ":", "=", ",", "|"} {
		if strings.HasPrefix(text[pos:], s) {
			sep = s
			break
		}
	}
	if sep == "" || sep == "|" && !quoted {
		return 0, 0, nil, false
	}
	pos = skipBlanks(text, pos+len(sep), quoted)
	if quoted {
		if loc := valueKey.FindStringIndex(text[pos:]); loc != nil && (sep == "," || sep == "|") {
			pos += loc[1]
		}
	}
	if pos >= len(text) || sep == "," && !quoted && before != '[' && before != '(' {
		return 0, 0, nil, false
	}
	var open byte // of the literal without quotes that the field stands in
	switch c := text[pos]; {
	case quoted:
	case before == '[' && sep != "=>", before == '(', before == '{':
		open = before
	case inside >= 0 && inside <= begin && begin-inside < 16 && strings.Trim(text[inside:begin], ",; ") == "" && inside < begin:
		open = '{'
	case c == '[' || c == '{':
	case c == '\'' || c == '`' || c == '"':
		// Name: 'value', as JavaScript and YAML print it
		_, after, ok := readQuoted(text, pos)
		if !ok || after < len(text) && strings.IndexByte(",\n}])+;", text[skipBlanks(text, after, false)%len(text)]) < 0 && skipBlanks(text, after, false) < len(text) {
			return 0, 0, nil, false
		}
	case strings.HasPrefix(text[pos:], "Array") && sep == "=>":
	default:
		return 0, 0, nil, false
	}
	values, stop, ok = r.value(pos, escaped, open)
	return start, stop, values, ok && stop > pos
}

func isNameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func skipBlanks(text string, pos int, lines bool) int {
	for pos < len(text) && (text[pos] == ' ' || text[pos] == '\t' || lines && text[pos] == '\n') {
		pos++
	}
	return pos
}

// maxLiteral bounds one value, so that a capture of many unclosed brackets is
// read in linear time.
const maxLiteral = 64 << 10

// value reads the value that begins at pos: a quoted string, a list in
// brackets, or text without quotes in a literal that open begins.
func (r *literalReader) value(pos int, escaped bool, open byte) (values []string, stop int, ok bool) {
	limit := maxLiteral
	if r.open > 100 {
		limit = 1 << 10
	}
	text := r.text[:min(len(r.text), pos+limit)]
	if escaped {
		// Up to the end of the inner string or list; its quotes are escaped.
		end := strings.Index(text[pos:], `\"}`)
		if comma := strings.Index(text[pos:], `\",`); comma >= 0 && (end < 0 || comma < end) {
			end = comma
		}
		if end < 0 {
			return nil, pos, false
		}
		value := strings.TrimPrefix(text[pos:pos+end], `\"`)
		return []string{oneLine(strings.ReplaceAll(value, `\\\"`, `"`))}, pos + end + 2, true
	}
	if value, after, ok := readConcatenated(text, pos); ok && open == 0 || ok && open != 0 && strings.IndexByte("\"'`", text[pos]) >= 0 && closes(text, after) {
		return []string{value}, after, true
	}
	tagged := pos
	if loc := literalTag.FindStringIndex(text[pos:]); loc != nil && pos+loc[1] < len(text) && strings.IndexByte("[{(", text[pos+loc[1]]) >= 0 &&
		(open == 0 || strings.HasPrefix(text[pos:], "[]")) {
		tagged = pos + loc[1]
	}
	if tagged < len(text) && strings.IndexByte("[{(", text[tagged]) >= 0 {
		return r.list(text, tagged)
	}
	if open == 0 {
		end := pos
		for end < len(text) && strings.IndexByte(",}])\n", text[end]) < 0 {
			end++
		}
		return []string{strings.TrimSpace(text[pos:end])}, end, true
	}
	end, quote := pos, false
	depth := 0
	for end < len(text) {
		c := text[end]
		switch {
		case c == '"':
			quote = !quote
		case quote:
		case c == '[' || c == '{':
			depth++
		case (c == ']' || c == '}') && depth > 0:
			depth--
		case open == '[' && c == ']', open == '(' && c == ')', open == '{' && c == '}':
			return []string{oneLine(text[pos:end])}, end, true
		case open == '{' && (c == ',' || c == ';') && nextPair.MatchString(text[end:min(len(text), end+200)]):
			return []string{oneLine(text[pos:end])}, end, true
		case c == '\n' && open != '[':
			return []string{oneLine(text[pos:end])}, end, true
		}
		end++
	}
	return []string{oneLine(text[pos:end]) + "…"}, end, true
}

// closes reports whether the element of a list ends at pos.
func closes(text string, pos int) bool {
	pos = skipBlanks(text, pos, true)
	return pos >= len(text) || strings.IndexByte(",;]})", text[pos]) >= 0
}

// list reads a list: of quoted strings, each a value, or one without quotes.
func (r *literalReader) list(text string, pos int) (values []string, stop int, ok bool) {
	closer := map[byte]byte{'[': ']', '{': '}', '(': ')'}[text[pos]]
	inner := skipBlanks(text, pos+1, true)
	at := inner
	for at < len(text) { // quoted strings, or pairs of an index and something
		at = skipBlanks(text, at, true)
		if at < len(text) && (text[at] == ',' || text[at] == ';') {
			at++
			continue
		}
		if at < len(text) && text[at] == closer {
			return values, at + 1, true
		}
		if loc := element.FindStringIndex(text[at:]); loc != nil {
			at += loc[1]
			if value, after, ok := readConcatenated(text, at); ok {
				values, at = append(values, value), after
				continue
			}
			end := at
			for end < len(text) && text[end] != '\n' {
				end++
			}
			values, at = append(values, strings.TrimSpace(text[at:end])), end
			continue
		}
		value, after, ok := readConcatenated(text, at)
		if !ok || !closes(text, after) && text[after] != ' ' {
			break
		}
		values, at = append(values, value), after
	}
	// Text without quotes: up to the bracket that closes it.
	depth, quote := 0, false
	for at = pos + 1; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			quote = !quote
		case quote:
		case c == text[pos]:
			depth++
		case c == closer && depth > 0:
			depth--
		case c == closer:
			return []string{oneLine(text[inner:at])}, at + 1, true
		case c == '\n' && strings.HasSuffix(strings.TrimRight(text[inner:at], " "), "…"):
			return []string{oneLine(text[inner:at])}, at, true
		}
	}
	// It is not closed: what stands on the line counts.
	r.open++
	end := strings.IndexByte(text[inner:], '\n')
	if end < 0 {
		end = len(text) - inner
	}
	value := oneLine(text[inner : inner+end])
	if !strings.HasSuffix(value, "…") {
		value += "…"
	}
	return []string{value}, inner + end, true
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// readConcatenated reads quoted strings that + or a blank line joins.
func readConcatenated(text string, pos int) (value string, after int, ok bool) {
	if value, after, ok = readQuoted(text, pos); !ok {
		return "", pos, false
	}
	for range 100 {
		next := skipBlanks(text, after, true)
		if next >= len(text) || text[next] != '+' {
			return value, after, true
		}
		more, end, ok := readQuoted(text, skipBlanks(text, next+1, true))
		if !ok {
			return value, after, true
		}
		value, after = value+more, end
	}
	return value, after, true
}

// readQuoted reads a quoted string, which a letter of Python or C may precede.
func readQuoted(text string, pos int) (value string, after int, ok bool) {
	if pos < len(text) && strings.IndexByte("bBuUrR", text[pos]) >= 0 {
		pos++
	}
	if pos >= len(text) || strings.IndexByte("\"'`", text[pos]) < 0 {
		return "", pos, false
	}
	quote := text[pos]
	var b strings.Builder
	for pos++; pos < len(text); pos++ {
		switch c := text[pos]; {
		case c == quote:
			// In CSV a quote is doubled.
			if quote == '"' && pos+1 < len(text) && text[pos+1] == '"' && b.Len() > 0 && strings.Contains(b.String(), "=") {
				b.WriteByte('"')
				pos++
				continue
			}
			return oneLine(b.String()), pos + 1, true
		case c == '\\' && pos+1 < len(text):
			pos++
			switch e := text[pos]; e {
			case 'n', 'r', 't':
				b.WriteByte(' ')
			case 'u':
				if pos+4 < len(text) {
					if n, err := strconv.ParseUint(text[pos+1:pos+5], 16, 32); err == nil {
						b.WriteString(string(utf8.AppendRune(nil, rune(n))))
						pos += 4
						continue
					}
				}
				b.WriteByte(e)
			case 'x':
				if pos+2 < len(text) {
					if n, err := strconv.ParseUint(text[pos+1:pos+3], 16, 8); err == nil {
						b.WriteByte(byte(n))
						pos += 2
						continue
					}
				}
				b.WriteByte(e)
			default:
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", pos, false
}
