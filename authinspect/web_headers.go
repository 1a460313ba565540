package authinspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

const (
	maxPasted         = 4 << 20 // of what ReadAnswers reads
	maxPastedWarnings = 20
)

// ReadAnswers reads response headers as people paste them: from curl, wget, a
// browser, PowerShell, a trace or a mail, with or without the status line,
// with curl's "< " in front, indented, with folded or wrapped lines, with each
// value on the line after its name, as a table of PowerShell, in UTF-8 or, as
// Windows PowerShell writes files, in UTF-16. An empty line or a status line
// begins the next answer. Their step is [StepUnknown]: what was asked cannot
// be seen.
//
// Requests are skipped, since they may hold credentials: the lines that curl
// marks with ">" or "*", those from a request line or a browser's "Request
// Headers" on, and the fields Authorization, Proxy-Authorization and Cookie
// wherever they stand. Any other line that is no field is told in warnings,
// the first twenty of them, without its text. The error is that of r, or tells
// that the text is longer than 4 MiB or holds no header field at all.
func ReadAnswers(r io.Reader) (answers []Answer, warnings []string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPasted+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("authinspect: reading headers: %w", err)
	case len(data) > maxPasted:
		return nil, nil, fmt.Errorf("authinspect: headers of more than %d bytes", maxPasted)
	}
	var p pasted
	number := 0
	for line := range strings.Lines(pastedText(data)) {
		number++
		p.read(number, strings.TrimRight(line, " \t\r\n"))
	}
	p.end()
	if n := p.strange - maxPastedWarnings; n > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("and %d more lines are no header fields", n))
	}
	if len(p.answers) == 0 {
		return nil, p.warnings, errors.New("authinspect: no header field found")
	}
	return p.answers, p.warnings, nil
}

// pastedText returns the text of a file, which a byte order mark may begin.
func pastedText(data []byte) string {
	var order binary.ByteOrder
	switch text := string(data); {
	case strings.HasPrefix(text, "\xff\xfe"):
		order = binary.LittleEndian
	case strings.HasPrefix(text, "\xfe\xff"):
		order = binary.BigEndian
	default:
		return strings.TrimPrefix(text, "\ufeff")
	}
	units := make([]uint16, 0, len(data)/2)
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return string(utf16.Decode(units))
}

// pasted is a text while answers are read from it.
type pasted struct {
	answers  []Answer
	warnings []string
	strange  int // lines that are no fields

	section section
	open    bool   // the last answer takes fields; a request may stand between them
	column  string // in a table, the name of its first column
	indent  string // blanks before every line

	// The field that is being read: its lines, and how many bytes and quotes
	// they hold. An odd number of quotes means that a quoted string goes on.
	field        fieldState
	name         string
	nameLine     int // the line of the name
	lines        []string
	size, quotes int
}

// A section is what the lines are that are being read.
type section uint8

const (
	sectionFields  section = iota // fields of an answer
	sectionRequest                // those of a request, which are skipped
	sectionTable                  // rows of a table of PowerShell
)

// A fieldState is how far a field is read.
type fieldState uint8

const (
	fieldNone  fieldState = iota // none is being read
	fieldBare                    // a name without a colon, as Firefox copies it: the value must be folded
	fieldEmpty                   // a name with its colon, and no value yet: it may be on the next line
	fieldValue                   // name and value; more may be folded or wrapped
)

// Names of fields that are none: the status as browsers and PowerShell show
// it, and whatever else they put among the fields.
const (
	statusField = ":status"
	notField    = ":"
)

// offset is what curl's trace puts before each field: at which byte it begins.
const offset = "0000:"

var (
	requestLine = regexp.MustCompile(`^[A-Z]{3,10} \S+ HTTP/\d`)
	headings    = regexp.MustCompile(`(?i)^(request|response) headers\b[^:]*:?$`)
	tableHead   = regexp.MustCompile(`^(Key|Name|Scheme)\s+(?:Value|Parameter)$`)
	tableRule   = regexp.MustCompile(`^-+\s+-+$`)
	parameter   = regexp.MustCompile(`^[A-Za-z_]+ ?= ?[^= ]`)
	statusText  = regexp.MustCompile(`^[1-9]\d\d\b`)
)

// read takes one line without its end and the blanks before that.
func (p *pasted) read(number int, line string) {
	line, ok := untrace(line)
	if !ok {
		return
	}
	text := strings.TrimLeft(line, " \t")
	blanks := line[:len(line)-len(text)]
	if traced, ok := strings.CutPrefix(text, offset); ok {
		text = strings.TrimLeft(traced, " \t")
	}
	if p.boundary(blanks, text) || p.section == sectionRequest {
		return
	}
	if !strings.HasPrefix(blanks, p.indent) {
		p.indent = ""
	}
	if len(blanks) > len(p.indent) {
		if p.field != fieldNone {
			p.more(text) // folded
			return
		}
		p.indent = blanks
	}
	if p.field == fieldBare {
		p.end()
	}
	if head := tableHead.FindStringSubmatch(text); head != nil {
		p.end()
		p.section, p.column = sectionTable, head[1]
		return
	}
	if p.section == sectionTable {
		p.row(number, text)
		return
	}
	p.line(number, len(line), text)
}

// untrace cuts off what curl puts before a line of the answer. It returns
// false for a line about the request or about the connection.
func untrace(line string) (rest string, ok bool) {
	switch {
	case strings.HasPrefix(line, "> "), line == ">", strings.HasPrefix(line, "* "), line == "*",
		strings.HasPrefix(line, "{ ["), strings.HasPrefix(line, "} ["):
		return "", false
	case line == "<", strings.HasPrefix(line, "< "):
		line = strings.TrimPrefix(line[1:], " ")
	}
	return line, true
}

// boundary reads a line at which another section begins, and returns false for
// one that is none.
func (p *pasted) boundary(blanks, text string) bool {
	status, isStatus := statusLine(text)
	heading := headings.FindStringSubmatch(text)
	switch {
	case isStatus:
		p.begin(blanks)
		p.answers[len(p.answers)-1].Status = status
	case text == "":
		p.end()
		p.section, p.open = sectionFields, false
	case heading != nil:
		p.end()
		p.section = sectionFields
		if strings.EqualFold(heading[1], "request") {
			p.section = sectionRequest
		}
	case requestLine.MatchString(text):
		p.end()
		p.section, p.open = sectionRequest, false
	default:
		return false
	}
	return true
}

// line reads a line of length bytes in a section of fields.
func (p *pasted) line(number, length int, text string) {
	name, value, isField := strings.Cut(text, ":")
	if name == "" { // as in ":status: 401"
		name, value, isField = strings.Cut(text[1:], ":")
		name = ":" + name
	}
	name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t") // PowerShell's lists write "Name  : value"
	isField = isField && isName(strings.TrimPrefix(strings.ReplaceAll(name, " ", ""), ":"))
	status, isRaw := statusLine(value)
	switch {
	case p.field == fieldEmpty && !(isField && (value == "" || strings.HasSuffix(text, " "+value))):
		p.more(text) // the value after a line with the name alone; "https://…" is no field
	case p.field == fieldValue && !isField && (p.quotes%2 == 1 || strings.HasSuffix(p.lines[len(p.lines)-1], ",") || parameter.MatchString(text)):
		p.more(text) // wrapped
	case isRaw && strings.EqualFold(name, "RawContent"):
		// PowerShell's list of the properties of an answer holds the answer as
		// it came in one column.
		if p.end(); p.open {
			p.answers = p.answers[:len(p.answers)-1]
		}
		p.begin(strings.Repeat(" ", length-len(value)))
		p.answers[len(p.answers)-1].Status = status
	case isField:
		p.start(number, name, value)
	case isName(text):
		p.start(number, text, "")
		p.field = fieldBare
	default:
		p.end()
		p.unread(number)
	}
}

// begin begins an answer of which every line is indented with blanks.
func (p *pasted) begin(blanks string) {
	p.end()
	p.section, p.open, p.indent = sectionFields, true, blanks
	p.answers = append(p.answers, Answer{Header: http.Header{}})
}

// start begins a field.
func (p *pasted) start(number int, name, value string) {
	p.end()
	switch strings.ToLower(strings.ReplaceAll(name, " ", "")) {
	case ":status", "status", "statuscode":
		if value == "" || statusText.MatchString(value) {
			name = statusField
		}
	case ":authority", ":method", ":path", ":scheme":
		p.section, p.open = sectionRequest, false
		return
	}
	if name != statusField && !isName(name) {
		p.unread(number)
		if value != "" {
			return
		}
		name = notField // such as "Request URL:", and its value on the next line
	}
	p.field, p.name, p.nameLine = fieldEmpty, name, number
	p.more(value)
}

// isName tells whether name can be that of a field.
func isName(name string) bool {
	return name != "" && name+":" != offset && strings.IndexFunc(name, func(c rune) bool { return c > 127 || !isToken(byte(c)) }) < 0
}

// row reads a line of a table.
func (p *pasted) row(number int, text string) {
	if tableRule.MatchString(text) {
		return
	}
	name, value, _ := strings.Cut(text, " ")
	if p.column == "Scheme" {
		name, value = "WWW-Authenticate", name+" "+strings.TrimSpace(value)
	}
	value = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(value), "{"), "}") // around lists
	p.start(number, name, strings.TrimSpace(value))
}

// more adds a line to the field.
func (p *pasted) more(line string) {
	p.lines = append(p.lines, line)
	if p.size += len(line); p.size > 0 {
		p.field = fieldValue
	}
	p.quotes += strings.Count(line, `"`)
}

// unread counts a line that is no field.
func (p *pasted) unread(number int) {
	if p.strange++; p.strange <= maxPastedWarnings {
		p.warnings = append(p.warnings, fmt.Sprintf("line %d is no header field", number))
	}
}

// end ends the field that is being read, if any.
func (p *pasted) end() {
	if p.field == fieldBare {
		p.unread(p.nameLine)
		p.name = ""
	}
	name, value := http.CanonicalHeaderKey(p.name), strings.Trim(strings.Join(p.lines, " "), " \t")
	p.field, p.name, p.lines, p.size, p.quotes = fieldNone, "", nil, 0, 0
	switch name {
	case "", notField, "Authorization", "Proxy-Authorization", "Cookie":
		return
	}
	if !p.open {
		p.open = true
		p.answers = append(p.answers, Answer{Header: http.Header{}})
	}
	answer := &p.answers[len(p.answers)-1]
	if name == statusField {
		if answer.Status == 0 && statusText.MatchString(value) {
			answer.Status, _ = strconv.Atoi(value[:3])
		}
		return
	}
	answer.Header[name] = append(answer.Header[name], value)
}

// statusLine reads "HTTP/1.1 401 Unauthorized".
func statusLine(line string) (status int, ok bool) {
	version, rest, ok := strings.Cut(line, " ")
	if !ok || !strings.HasPrefix(version, "HTTP/") {
		return 0, false
	}
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	return status, err == nil && 100 <= status && status <= 999
}
