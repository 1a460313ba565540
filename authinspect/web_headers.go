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

	open    bool   // the last answer takes fields
	request bool   // the lines are those of a request
	table   string // the first column of PowerShell's table that the lines stand in
	indent  string // blanks before every line

	// The field that is being read: its name, or "" if there is none, its
	// lines, and how many bytes and quotes they hold. An odd number of quotes
	// tells that a quoted string goes on.
	name         string
	lines        []string
	size, quotes int
	bare         int // the line of the name if it has no colon, as Firefox copies it: the value is folded then
}

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
	switch {
	case strings.HasPrefix(line, "> "), line == ">", strings.HasPrefix(line, "* "), line == "*",
		strings.HasPrefix(line, "{ ["), strings.HasPrefix(line, "} ["): // curl, about the request and the body
		return
	case line == "<", strings.HasPrefix(line, "< "):
		line = strings.TrimPrefix(line[1:], " ")
	}
	text := strings.TrimLeft(line, " \t")
	blanks := line[:len(line)-len(text)]
	if traced, ok := strings.CutPrefix(text, offset); ok {
		text = strings.TrimLeft(traced, " \t")
	}
	if status, ok := statusLine(text); ok {
		p.begin(blanks)
		p.answers[len(p.answers)-1].Status = status
		return
	}
	heading := headings.FindStringSubmatch(text)
	switch {
	case text == "":
		p.end()
		p.open, p.request, p.table = false, false, ""
		return
	case heading != nil:
		p.end()
		p.request = strings.EqualFold(heading[1], "request")
		return
	case requestLine.MatchString(text):
		p.end()
		p.open, p.request = false, true
	}
	if p.request {
		return
	}
	if !strings.HasPrefix(blanks, p.indent) {
		p.indent = ""
	}
	folded := len(blanks) > len(p.indent)
	if folded && p.name != "" {
		p.bare = 0
		p.more(text)
		return
	} else if folded {
		p.indent = blanks
	}
	if p.bare > 0 {
		p.end()
	}
	if head := tableHead.FindStringSubmatch(text); head != nil {
		p.end()
		p.table = head[1]
		return
	}
	if p.table != "" {
		p.row(number, text)
		return
	}
	name, value, isField := strings.Cut(text, ":")
	if name == "" { // as in ":status: 401"
		name, value, isField = strings.Cut(text[1:], ":")
		name = ":" + name
	}
	name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t") // PowerShell's lists write "Name  : value"
	isField = isField && isName(strings.TrimPrefix(strings.ReplaceAll(name, " ", ""), ":"))
	status, isRaw := statusLine(value)
	switch {
	case p.name != "" && p.size == 0 && !(isField && (value == "" || strings.HasSuffix(text, " "+value))):
		p.more(text) // the value after a line with the name alone; "https://…" is no field
	case p.name != "" && !isField && (p.quotes%2 == 1 || strings.HasSuffix(p.lines[len(p.lines)-1], ",") || parameter.MatchString(text)):
		p.more(text) // wrapped
	case isRaw && strings.EqualFold(name, "RawContent"):
		// PowerShell's list of the properties of an answer holds the answer as
		// it came in one column.
		if p.end(); p.open {
			p.answers = p.answers[:len(p.answers)-1]
		}
		p.begin(strings.Repeat(" ", len(line)-len(value)))
		p.answers[len(p.answers)-1].Status = status
	case isField:
		p.field(number, name, value)
	case isName(text):
		p.field(number, text, "")
		p.bare = number
	default:
		p.end()
		p.unread(number)
	}
}

// begin begins an answer of which every line is indented with blanks.
func (p *pasted) begin(blanks string) {
	p.end()
	p.open, p.request, p.table, p.indent = true, false, "", blanks
	p.answers = append(p.answers, Answer{Header: http.Header{}})
}

// field begins a field.
func (p *pasted) field(number int, name, value string) {
	p.end()
	switch strings.ToLower(strings.ReplaceAll(name, " ", "")) {
	case ":status", "status", "statuscode":
		if value == "" || statusText.MatchString(value) {
			name = statusField
		}
	case ":authority", ":method", ":path", ":scheme":
		p.open, p.request = false, true
		return
	}
	if name != statusField && !isName(name) {
		p.unread(number)
		if value != "" {
			return
		}
		name = notField // such as "Request URL:", and its value on the next line
	}
	p.name = name
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
	if p.table == "Scheme" {
		name, value = "WWW-Authenticate", name+" "+strings.TrimSpace(value)
	}
	value = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(value), "{"), "}") // around lists
	p.field(number, name, strings.TrimSpace(value))
}

// more adds a line to the field.
func (p *pasted) more(line string) {
	p.lines = append(p.lines, line)
	p.size += len(line)
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
	if p.bare > 0 {
		p.unread(p.bare)
		p.name, p.bare = "", 0
	}
	name, value := http.CanonicalHeaderKey(p.name), strings.Trim(strings.Join(p.lines, " "), " \t")
	p.name, p.lines, p.size, p.quotes = "", nil, 0, 0
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
