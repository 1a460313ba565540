package authinspect

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPasted         = 4 << 20 // of what ReadAnswers reads
	maxPastedWarnings = 20
)

// ReadAnswers reads response headers out of whatever people have: what curl,
// wget, HTTPie, nmap, a browser, Postman, Fiddler or Burp show, what
// PowerShell makes of them (lists, tables, JSON), HAR, logs of clients, maps
// and lists as Python, JavaScript, Go, Java and PHP print them, hex dumps,
// quoted mails and Markdown, in UTF-8 or, as Windows PowerShell writes files,
// in UTF-16. What counts is structure: the name of a field and a value behind
// it, whatever stands before them. Lines that a console broke at its width are
// joined. An empty line or a status line begins the next answer. The step of
// the answers is [StepUnknown]: what was asked cannot be seen.
//
// A value that ends in "…" was cut, and counts up to the last challenge or
// parameter that is whole; the answer is then [Answer.Partial], as is one of
// which only the names of fields or only the status is to be seen.
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
	switch answers, is := connectivityAnswers(data); {
	case len(answers) > 0:
		return answers, nil, nil
	case is:
		return nil, nil, errors.New("authinspect: output of Test-OAuthConnectivity that shows no challenge whole; capture it with Format-List")
	}
	var p pasted
	for _, line := range captureLines(data) {
		p.capture(line)
	}
	p.finish()
	if len(p.answers) == 0 {
		return nil, p.warnings, errors.New("authinspect: no header field found")
	}
	return p.answers, p.warnings, nil
}

// pasted is a text while answers are read from it.
type pasted struct {
	answers  []Answer
	numbers  []int // of the line on which each answer begins
	warnings []string
	strange  int  // lines that are no fields
	hidden   bool // there are names of fields whose values are not in the text

	section section
	open    bool   // the last answer takes fields; a request may stand between them
	column  string // in a table, the name of its first column
	indent  string // blanks before every line
	marker  string // the last word of what a logger puts before every line
	list    bool   // names and values stand on lines of their own, parted by empty lines
	pending string // in such a list, the name; its value is on the next line
	again   int    // a status that the last answer has as well
	ntlm    bool   // below nmap's heading http-ntlm-info

	// The field that is being read: its lines, and how many bytes and quotes
	// they hold. An odd number of quotes means that a quoted string goes on.
	field        fieldState
	name         string
	nameLine     int // the line of the name
	lines        []string
	size, quotes int
	braced       bool // the value may stand in braces
	items        bool // it is an item of a list; the next one may follow
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

var (
	requestLine = regexp.MustCompile(`^[A-Z]{3,10} \S+ HTTP/\d`)
	requestSaid = regexp.MustCompile(`[^A-Za-z ][ ]*b?['"][A-Z]{3,10} \S+ HTTP/\d`) // in a log: send: b'GET / HTTP/1.1…'
	headings    = regexp.MustCompile(`(?i)^(?:---\s*)?(request|response)[ -]?(?:headers|begin---)\b[^:]*:?$`)
	tableHead   = regexp.MustCompile(`^(Key|Name|Scheme)\s+(?:Value|Parameter)$`)
	tableRule   = regexp.MustCompile(`^[-|: ]*-+[-|: ]*$`)
	parameter   = regexp.MustCompile(`^[A-Za-z_]+ ?= ?[^= ]`)
	statusText  = regexp.MustCompile(`^[1-9]\d\d\b`)

	// prefixed is a field behind what loggers, lists and quotes put before it.
	prefixed = regexp.MustCompile(`(?i)^(.*?)(?:^|[\s"'<>|\](*_` + "`" + `])(?:(` + tellingNames + `)|(?:` + fieldNames + `))(?:\*\*|__|["'` + "`" + `])?\s*(?::|=>|->|→|⇒)`)
	// several are fields that stand on one line.
	several = regexp.MustCompile(`(?i)(?:^|[\s,;|])(` + fieldNames + `): `)
	arrow   = regexp.MustCompile(`^([A-Za-z0-9-]+)\s*(?:=>|->|→|⇒|➔|➜|»)\s*(.*)$`)
	spaced  = regexp.MustCompile(`(?i)^(` + fieldNames + `)(?:\t|\s{2,}|\s*\|\s*|\s+\{)([^\s:=].*)$`)

	// Statuses, of which the first two begin an answer.
	statusAnywhere = regexp.MustCompile(`\bHTTP/\d(?:\.\d)? ([1-9]\d\d)(?:\s|$|["'\\\[])`)
	statusAlone    = regexp.MustCompile(`^(?:WebResponse: )?([1-5]\d\d)(?: ([A-Z][A-Za-z' -]+?))?(?: with .*| https?://.*| \{)?$`)
	statusNamed    = regexp.MustCompile(`(?i)\bstatus[ _-]?(?:code)?["']?\s*[:=]\s*["']?([1-5]\d\d)\b`)
	statusSpelled  = regexp.MustCompile(`^StatusCode\s*[:=]\s*([A-Za-z]+)\b`)
	statusMention  = regexp.MustCompile(`\b([1-5]\d\d)\)? \(?([A-Z][a-z]+(?: [A-Z][a-z]+)*)\)?|\) ([1-5]\d\d)$|HTTP/\d\.\d" ([1-5]\d\d)\b`)

	challengeSaid = regexp.MustCompile(`(?i)\bchallenges?\b.*?(?:received|returned|header|value|is|are)?\s*:\s*["']?((?:Bearer|Negotiate|NTLM|Basic|Digest|Kerberos)\b.*)$`)
	valuesHidden  = regexp.MustCompile(`^\{?(?:System\.String\[\]|System\.Object\[\]|System\.Collections\.[A-Za-z.` + "`" + `\d\[\]]*)\}?$`)
	bullet        = regexp.MustCompile(`^(?:[-*•+] |\d+[.)] |[#]+ |\|_? ?)`)
	chatter       = regexp.MustCompile("^(?:```|~~~|---|===|[-=_*]{3,}$|\\{|\\}|\\[|\\]|\\(|\\)|[\"'`,;]|https?://|[A-Za-z_.]+ ?[{(\\[]$|(?:Starting Nmap|Nmap |PORT |Host is up|rDNS|\\d+/tcp ))")
)

// requestFields are the fields of requests, which a capture may show beside
// those of the answer. What they hold is none of our business.
var requestFields = map[string]bool{
	"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "User-Agent": true, "Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Host": true,
	"Referer": true, "Origin": true, "Upgrade-Insecure-Requests": true, "X-User-Identity": true, "X-Anchormailbox": true, "Dnt": true, "Te": true,
	"If-None-Match": true, "If-Modified-Since": true, "Expect": true, "Soapaction": true, "Postman-Token": true,
}

// capture takes one line of a capture.
func (p *pasted) capture(l captureLine) {
	line := strings.TrimRight(l.text, " \t\r")
	switch l.kind {
	case captureField:
		name, value, _ := strings.Cut(line, ": ")
		p.end()
		p.section = sectionFields
		if name = fieldName(name); name == "WWW-Authenticate" {
			value = punctuated(value)
		}
		p.start(l.number, name, value)
		p.end()
		return
	case captureFragment:
		p.fragment(l.number, line)
		return
	}
	if at := several.FindAllStringSubmatchIndex(line, 40); len(at) > 1 {
		// One line holds several fields, as where a chat joined them.
		from, parts := 0, []string(nil)
		for i, m := range at {
			if i > 0 && strings.Count(line[from:m[2]], `"`)%2 == 1 {
				continue
			}
			if m[2] > from {
				parts = append(parts, strings.TrimRight(line[from:m[2]], " ,;|"))
			}
			from = m[2]
		}
		parts = append(parts, line[from:])
		if len(parts) > 1 && !strings.Contains(parts[0], ">>") && !strings.HasPrefix(parts[0], "> ") {
			for _, part := range parts {
				if strings.Trim(part, " |<\"") != "" {
					p.read(l.number, part)
				}
			}
			return
		}
	}
	p.read(l.number, line)
}

// fragment takes what stands around the fields of a literal.
func (p *pasted) fragment(number int, text string) {
	p.end()
	for _, m := range statusNamed.FindAllStringSubmatch(text, 20) {
		p.status(number, m[1])
	}
	if m := statusAlone.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		p.status(number, m[1])
	} else if m := statusAnywhere.FindStringSubmatch(text); m != nil {
		p.status(number, m[1])
	} else if m := statusMention.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		p.mention(number, m)
	}
}

// fieldName undoes what languages do to the name of a field.
func fieldName(name string) string {
	switch strings.Trim(strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)), " ") {
	case "wwwauthenticate", "httpwwwauthenticate":
		return "WWW-Authenticate"
	}
	return name
}

// status takes a status that stands somewhere among the fields: it belongs to
// the answer that is open and has none, and begins one otherwise.
func (p *pasted) status(number int, code string) {
	status, err := strconv.Atoi(code)
	if err != nil {
		return
	}
	p.end()
	if n := len(p.answers); n > 0 && p.open && (p.answers[n-1].Status == 0 || p.answers[n-1].Status == status && len(p.answers[n-1].Header) == 0) {
		p.answers[n-1].Status = status
		return
	}
	if n := len(p.answers); n > 0 && !p.open && p.answers[n-1].Status == status {
		p.again = status // told once more, or that of another answer
		return
	}
	p.begin(number, "")
	p.answers[len(p.answers)-1].Status = status
}

// mention takes a status that a sentence mentions: it counts where no answer
// has one.
func (p *pasted) mention(number int, m []string) {
	code := m[1]
	for _, other := range m[3:] {
		if code == "" {
			code = other
		}
	}
	status, err := strconv.Atoi(code)
	if err != nil || m[2] != "" && !strings.HasPrefix(m[2], http.StatusText(status)) || m[2] != "" && http.StatusText(status) == "" {
		return
	}
	for i := range p.answers {
		if p.answers[i].Status == status {
			return
		}
	}
	p.end()
	if n := len(p.answers); n > 0 && p.answers[n-1].Status == 0 {
		p.answers[n-1].Status = status
		return
	}
	open := p.open
	p.begin(number, "")
	p.answers[len(p.answers)-1].Status = status
	p.open = open || len(p.answers) == 1
}

// read takes one line without its end and the blanks before that.
func (p *pasted) read(number int, line string) {
	line, ok := p.untrace(line)
	if !ok || requestSaid.MatchString(line) {
		return
	}
	text := strings.TrimLeft(line, " \t")
	blanks := line[:len(line)-len(text)]
	text = strings.TrimSuffix(strings.TrimSuffix(text, "[\\r][\\n]"), `\x0D`)
	if p.boundary(number, blanks, text) || p.section == sectionRequest {
		return
	}
	if (p.field == fieldEmpty || p.items) && strings.HasPrefix(text, "- ") { // a list in YAML
		name, line, value := p.name, p.nameLine, strings.TrimSpace(text[2:])
		if inner, after, ok := readQuoted(value, 0); ok && after == len(value) {
			value = inner
		}
		if p.field == fieldEmpty {
			p.field, p.name, p.lines = fieldNone, "", nil
		}
		p.start(line, name, value)
		p.items = true
		return
	}
	known := false
	if text, known, ok = p.unprefix(text); !ok {
		return // of a request
	}
	if p.boundary(number, blanks, text) || p.section == sectionRequest || text == "" {
		return
	}
	if !strings.HasPrefix(blanks, p.indent) {
		p.indent = ""
	}
	if len(blanks) > len(p.indent) {
		if p.field != fieldNone && !known && !(p.field == fieldValue && p.quotes%2 == 0 && p.property() && hyphenated.MatchString(text)) {
			p.more(text) // folded
			return
		}
		if p.field != fieldBare || known {
			p.indent = blanks
		}
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
	p.line(number, len(line), text, known)
}

// property reports whether the field that is being read is a property of an
// object that PowerShell lists, and no field.
func (p *pasted) property() bool { return p.name == notField }

// untrace cuts off what curl puts before a line of the answer. It returns
// false for a line about the request or about the connection.
func (p *pasted) untrace(line string) (rest string, ok bool) {
	switch {
	case strings.HasPrefix(line, "* ") && quotedMail.MatchString("> "+strings.Trim(line, "* `")): // an item of Markdown
		return line[2:], true
	case strings.HasPrefix(line, "> "), line == ">", strings.HasPrefix(line, "* "), line == "*",
		strings.HasPrefix(line, "{ ["), strings.HasPrefix(line, "} ["):
		return "", false
	case line == "<", strings.HasPrefix(line, "< "):
		line = strings.TrimPrefix(line[1:], " ")
	case strings.HasPrefix(line, "--> "):
		return "", false
	case strings.HasPrefix(line, "<-- "):
		line = line[4:]
	case strings.HasPrefix(line, "<- "), strings.HasPrefix(line, "<< "):
		line = strings.TrimLeft(line[2:], " ")
	}
	return line, true
}

// unprefix cuts off what loggers, lists and quotes put before a field or a
// status line, and what closes it behind. It reports whether a known field
// follows, and returns ok false for a line of a request.
func (p *pasted) unprefix(text string) (rest string, known, ok bool) {
	cut := func(at int) string {
		before := strings.TrimRight(text[:at], " ")
		rest := strings.TrimLeft(text[at:], " \t")
		if before == "" {
			return rest
		}
		switch last := before[len(before)-1]; last {
		case '"', '\'', '`', '*', '_', '(':
			closing := string(last)
			if last == '(' {
				closing = ")"
			}
			rest = strings.TrimSuffix(strings.TrimSuffix(rest, closing), `\r\n`)
			if last == '*' || last == '_' {
				rest = strings.TrimRight(rest, closing)
			}
			if last == '"' {
				rest = strings.ReplaceAll(rest, `\"`, `"`)
			}
		}
		if words := strings.Fields(before); len(words) > 0 && !strings.HasSuffix(before, ":") || strings.HasSuffix(before, `: "`) {
			p.marker = words[len(words)-1]
		}
		rest = strings.Replace(strings.Replace(rest, ":**", ":", 1), "**:", ":", 1)
		rest = strings.Replace(strings.Replace(rest, "`:", ":", 1), "`", "", strings.Count(before, "`")&1)
		return strings.TrimSuffix(rest, "[\\r][\\n]")
	}
	if m := statusAnywhere.FindStringIndex(text); m != nil && !listLine.MatchString(text) && !requestLine.MatchString(strings.TrimLeft(text, `"' `)) {
		if strings.Contains(text[:m[0]], ">>") {
			return "", false, false
		}
		if m[0] == 0 || !startsField(text) || loggers(text, m[0]) {
			return cut(m[0]), false, true
		}
	}
	if m := prefixed.FindStringSubmatchIndex(text); m != nil {
		before := text[:m[3]]
		telling := m[4] >= 0
		at := m[3]
		for at < len(text) && !isNameByte(text[at]) {
			at++
		}
		bare := strings.Trim(before, " \t|<>*_`\"'-•+") == "" || bullet.MatchString(before+" ")
		switch {
		case at == 0:
			return text, true, true
		case strings.Contains(before, ">>") || strings.HasSuffix(strings.TrimSpace(before), ">") && !bare && !strings.HasPrefix(before, "<"):
			return "", false, false
		case startsField(text) && !strings.HasPrefix(text, "header: ") && !loggers(text, at):
			return text, fieldStart.MatchString(text) && beginsField.MatchString(text), true
		case telling || bare || p.marker != "" && strings.HasSuffix(strings.TrimSpace(before), p.marker):
			return cut(at), true, true
		case strings.Count(before, `"`)%2 == 0 && !p.continues():
			return cut(at), true, true
		}
		return text, false, true
	}
	if p.marker != "" && len(p.marker) > 1 {
		if i := strings.LastIndex(text, p.marker+" "); i >= 0 && strings.Contains(text[i:], ":") {
			if strings.Contains(text[:i], ">>") {
				return "", false, false
			}
			return cut(i + len(p.marker)), false, true
		}
		if strings.Contains(text, ">> ") && strings.HasPrefix(p.marker, "<<") {
			return "", false, false
		}
		if strings.HasSuffix(strings.TrimSpace(text), p.marker) || strings.HasSuffix(text, `""`) {
			return "", false, true
		}
	}
	if loc := bullet.FindStringIndex(text); loc != nil && p.field != fieldEmpty {
		return strings.Trim(text[loc[1]:], " `"), false, true
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "`"), "`"), false, true
}

// startsField reports whether text begins with a name and a colon, and a value
// that is not in quotes as a whole.
func startsField(text string) bool { return anyField.MatchString(text) }

// loggers reports whether the name and colon that text begins with are a
// logger's: the whole rest stands in quotes, or another field follows at once.
func loggers(text string, at int) bool {
	name, _, _ := strings.Cut(text, ":")
	if beginsField.MatchString(text) {
		return false
	}
	between := strings.Trim(text[len(name)+1:at], " \t\"'<|`")
	return between == "" || strings.HasSuffix(strings.TrimSpace(text[:at]), "<<")
}

// continues reports whether the value that is being read must go on.
func (p *pasted) continues() bool { return p.field == fieldValue && p.quotes%2 == 1 && !p.cut() }

// cut reports whether what the value has so far was cut: nothing follows then.
func (p *pasted) cut() bool {
	return len(p.lines) > 0 && strings.HasSuffix(strings.TrimRight(p.lines[len(p.lines)-1], "} "), "…")
}

// boundary reads a line at which another section begins, and returns false for
// one that is none.
func (p *pasted) boundary(number int, blanks, text string) bool {
	status, isStatus := statusLine(text)
	heading := headings.FindStringSubmatch(strings.Trim(text, "-#*= "))
	switch {
	case isStatus:
		p.end()
		if n := len(p.answers); p.open && len(p.answers[n-1].Header) == 0 && p.answers[n-1].Status == status {
			p.answers, p.numbers = p.answers[:n-1], p.numbers[:n-1] // it was told before
		}
		p.begin(number, blanks)
		p.answers[len(p.answers)-1].Status = status
	case text == "" || strings.Trim(text, `"' |`) == "" && text[0] != '|':
		p.end()
		if p.list && p.section == sectionFields {
			break
		}
		if p.section != sectionTable || len(p.column) > 0 && p.open {
			p.section, p.open = sectionFields, false
		}
	case heading != nil:
		p.end()
		p.section = sectionFields
		if strings.EqualFold(heading[1], "request") {
			p.section = sectionRequest
		}
	case requestLine.MatchString(text):
		p.end()
		p.section, p.open = sectionRequest, false
	case strings.HasPrefix(text, "WebRequest: "):
		p.end()
		p.section, p.open = sectionRequest, false
	case strings.HasPrefix(text, "WebResponse: "), statusAlone.MatchString(text) && (p.section == sectionRequest || p.field == fieldNone || p.field == fieldValue && p.quotes%2 == 0):
		m := statusAlone.FindStringSubmatch(text)
		if m == nil || m[2] != "" && p.section != sectionRequest && !reasonOf(m[1], m[2]) {
			return false
		}
		for i := range p.answers {
			if strconv.Itoa(p.answers[i].Status) == m[1] && m[2] != "" && !p.open {
				p.end()
				p.section = sectionFields
				return true // told once more, as wget does
			}
		}
		p.section = sectionFields
		p.status(number, m[1])
	default:
		return false
	}
	return true
}

// reasonOf reports whether reason is the one of the status code.
func reasonOf(code, reason string) bool {
	status, _ := strconv.Atoi(code)
	return strings.HasPrefix(reason, http.StatusText(status)) && http.StatusText(status) != ""
}

// line reads a line of length bytes in a section of fields.
func (p *pasted) line(number, length int, text string, known bool) {
	if m := arrow.FindStringSubmatch(text); m != nil && !strings.Contains(m[1], ":") {
		p.start(number, fieldName(m[1]), m[2])
		return
	}
	if m := spaced.FindStringSubmatch(text); m != nil && p.field != fieldEmpty && p.quotes%2 == 0 {
		p.start(number, fieldName(m[1]), strings.Trim(m[2], " |"))
		p.braced = true
		return
	}
	name, value, isField := strings.Cut(text, ":")
	if name == "" && len(text) > 1 { // as in ":status: 401"
		name, value, isField = strings.Cut(text[1:], ":")
		name = ":" + name
	}
	listed := strings.HasSuffix(name, " ") // as PowerShell's lists write "Name  : value"
	name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
	isField = isField && isName(strings.TrimPrefix(strings.ReplaceAll(name, " ", ""), ":"))
	status, isRaw := statusLine(value)
	if isField && !known && p.listed(number, name, value, listed) {
		return
	}
	if p.continues() && isField && !known && !(strings.HasPrefix(value, " ") || strings.HasSuffix(text, ": "+value)) {
		isField = false // a URL that was broken in two
	}
	switch {
	case p.field == fieldEmpty && !(isField && (value == "" || strings.HasSuffix(text, " "+value))):
		p.more(strings.TrimPrefix(text, "- ")) // the value after a line with the name alone; "https://…" is no field
	case p.field == fieldValue && !isField && !p.cut() && (p.quotes%2 == 1 || strings.HasSuffix(p.lines[len(p.lines)-1], ",") || parameter.MatchString(text)):
		p.more(text) // wrapped
	case isRaw && strings.EqualFold(name, "RawContent"):
		// PowerShell's list of the properties of an answer holds the answer as
		// it came in one column.
		p.end()
		if n := len(p.answers); p.open && len(p.answers[n-1].Header) == 0 {
			p.answers, p.numbers = p.answers[:n-1], p.numbers[:n-1]
		}
		p.begin(number, strings.Repeat(" ", max(0, length-len(value))))
		p.answers[len(p.answers)-1].Status = status
	case isField && !known && statusSpelled.MatchString(text) && statusOf(statusSpelled.FindStringSubmatch(text)[1]) != "":
		p.status(number, statusOf(statusSpelled.FindStringSubmatch(text)[1]))
	case isField && !known && strings.EqualFold(name, "StatusCode") && strings.Contains(value, ", "):
		p.status(number, value[:min(3, len(value))]) // of .NET: "StatusCode: 401, ReasonPhrase: …"
	case isField && !known && statusNamed.MatchString(text) && strings.Contains(strings.ToLower(name), "status") && !statusNames[strings.ToLower(strings.ReplaceAll(name, " ", ""))]:
		p.status(number, statusNamed.FindStringSubmatch(text)[1])
	case isField && listed && !known && !strings.Contains(name, "-") && !statusNames[strings.ToLower(name)] && !strings.EqualFold(name, "via"):
		// a property, whose value may go on
		p.start(number, notField, value)
		if m := statusNamed.FindStringSubmatch(value); m != nil {
			p.status(number, m[1])
		}
	case isField:
		p.start(number, fieldName(name), value)
		p.braced = listed || strings.HasPrefix(value, "{")
	case p.challenges(number, text):
	case statusMention.MatchString(text):
		p.mention(number, statusMention.FindStringSubmatch(text))
	case statusNamed.MatchString(text):
		p.status(number, statusNamed.FindStringSubmatch(text)[1])
	case isName(text):
		p.start(number, fieldName(text), "")
		p.field = fieldBare
	default:
		p.end()
		p.unread(number, text)
	}
}

// statusNames are how browsers and PowerShell call the status.
var statusNames = map[string]bool{":status": true, "status": true, "statuscode": true}

// statusOf returns the status that .NET's enumeration calls name, or "".
func statusOf(name string) string {
	for code := 300; code < 600; code++ {
		if text := http.StatusText(code); text != "" && strings.EqualFold(strings.ReplaceAll(text, " ", ""), name) {
			return strconv.Itoa(code)
		}
	}
	return ""
}

// listed reads a line of a list in which names and values, or schemes and
// parameters, stand on lines of their own, or of what nmap tells of NTLM.
func (p *pasted) listed(number int, name, value string, spaced bool) bool {
	switch lower := strings.ToLower(name); {
	case (lower == "key" || lower == "name") && isName(value):
		p.end()
		p.list, p.pending = true, value
		return true
	case lower == "value" && p.pending != "":
		p.start(number, fieldName(p.pending), value)
		p.pending, p.braced = "", true
		return true
	case lower == "scheme" && spaced && isName(value):
		p.start(number, "WWW-Authenticate", value)
		p.list = true
		return true
	case lower == "parameter" && spaced && p.name == "WWW-Authenticate":
		p.more(value)
		return true
	case lower == "http-ntlm-info":
		p.end()
		p.ntlm = true
		return true
	case p.ntlm && (lower == "target_name" || lower == "product_version"):
		p.ntlm = false
		p.start(number, "WWW-Authenticate", "NTLM")
		p.end()
		return true
	case strings.Contains(name, "_") && fieldName(name) == name:
		p.end()
		return true // no field of an answer has one
	}
	return false
}

// challenges reads a line of challenges without the name of their field, as
// PowerShell prints a value and nmap its findings.
func (p *pasted) challenges(number int, text string) bool {
	if m := challengeSaid.FindStringSubmatch(text); m != nil {
		text = strings.TrimRight(m[1], `"'. `)
	}
	word, _, _ := strings.Cut(strings.TrimRight(text, ","), " ")
	word, _, _ = strings.Cut(word, ",")
	if !known(word) || len(text) > maxLiteral {
		return false
	}
	text = strings.TrimSuffix(text, ",")
	whole, _ := uncut(text)
	if _, _, ok := plainChallenges(whole); !ok {
		return false
	}
	p.end()
	text = punctuated(text)
	p.start(number, "WWW-Authenticate", text)
	return true
}

// plainChallenges reads challenges of which nothing is odd but the
// punctuation.
func plainChallenges(text string) (challenges []Challenge, odd, ok bool) {
	challenges, warnings := ParseChallenges(http.Header{"Www-Authenticate": {text}})
	for _, c := range challenges {
		if !known(string(c.Scheme)) || c.Token68 != "" && len(c.Token68) < 16 {
			return nil, false, false
		}
		for _, param := range c.Params {
			if !isName(param.Name) {
				return nil, false, false
			}
		}
	}
	for _, w := range warnings {
		if strings.HasPrefix(w.Text, "neither") || strings.HasPrefix(w.Text, "parameter") || strings.HasPrefix(w.Text, "quoted") {
			return nil, false, false
		}
	}
	return challenges, len(warnings) > 0, len(challenges) > 0
}

// punctuated puts back the quotes and commas of challenges that nmap, Go and
// others leave out. They are not the server's fault.
func punctuated(text string) string {
	challenges, odd, ok := plainChallenges(text)
	if !ok || !odd {
		return text
	}
	values := make([]string, len(challenges))
	for i, c := range challenges {
		values[i] = c.String()
	}
	return strings.Join(values, ", ")
}

// begin begins an answer of which every line is indented with blanks.
func (p *pasted) begin(number int, blanks string) {
	p.end()
	p.section, p.open, p.indent, p.list = sectionFields, true, blanks, false
	p.answers = append(p.answers, Answer{Header: http.Header{}})
	p.numbers = append(p.numbers, number)
}

// start begins a field.
func (p *pasted) start(number int, name, value string) {
	p.end()
	p.nameLine = number
	switch strings.ToLower(strings.ReplaceAll(name, " ", "")) {
	case ":status", "status", "statuscode":
		if value == "" || statusText.MatchString(value) {
			name = statusField
		}
	case ":authority", ":method", ":path", ":scheme":
		p.section, p.open = sectionRequest, false
		return
	}
	if name != statusField && name != notField && !isName(name) {
		p.unread(number, name)
		if value != "" {
			return
		}
		name = notField // such as "Request URL:", and its value on the next line
	}
	p.field, p.name = fieldEmpty, name
	p.more(value)
}

// isName reports whether name can be that of a field.
func isName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool { return c > 127 || !isToken(byte(c)) }) < 0
}

// row reads a line of a table.
func (p *pasted) row(number int, text string) {
	if tableRule.MatchString(text) {
		return
	}
	name, value, _ := strings.Cut(text, " ")
	if !isName(name) {
		p.end()
		p.section = sectionFields
		p.line(number, len(text), text, false)
		return
	}
	if p.column == "Scheme" {
		name, value = "WWW-Authenticate", name+" "+strings.TrimSpace(value)
	}
	p.start(number, fieldName(name), strings.TrimSpace(value))
	p.braced = true
}

// more adds a line to the field.
func (p *pasted) more(line string) {
	p.lines = append(p.lines, line)
	if p.size += len(line); p.size > 0 {
		p.field = fieldValue
	}
	p.quotes += strings.Count(line, `"`)
}

// unread counts a line that is no field. If it may have been one, the answer
// is not whole.
func (p *pasted) unread(number int, text string) {
	may := strings.Contains(strings.ToLower(text), "authenticat")
	if !may && chatter.MatchString(text) {
		return
	}
	if may {
		p.hidden = true
	}
	if p.strange++; p.strange <= maxPastedWarnings {
		p.warnings = append(p.warnings, fmt.Sprintf("line %d is no header field", number))
	}
}

// warn adds a warning about a line.
func (p *pasted) warn(number int, text string) {
	if len(p.warnings) < 2*maxPastedWarnings {
		p.warnings = append(p.warnings, fmt.Sprintf("line %d: %s", number, text))
	}
}

// end ends the field that is being read, if any.
func (p *pasted) end() {
	if p.field == fieldBare {
		p.unread(p.nameLine, p.name)
		p.name = ""
	}
	value := p.joined()
	name, braced := p.name, p.braced
	if name != statusField && name != notField {
		name = http.CanonicalHeaderKey(name)
	}
	p.field, p.name, p.lines, p.size, p.quotes, p.braced, p.items = fieldNone, "", nil, 0, 0, false, false
	if name == notField {
		if m := statusMention.FindStringSubmatch(value); m != nil {
			p.mention(p.nameLine, m)
		}
	}
	if name == "" || name == notField || requestFields[name] {
		return
	}
	if name == statusField {
		if statusText.MatchString(value) {
			if n := len(p.answers); !p.open && n > 0 && strconv.Itoa(p.answers[n-1].Status) == value[:3] {
				return // a property that tells the status once more
			}
			if !p.open {
				p.begin(p.nameLine, p.indent)
			}
			if answer := &p.answers[len(p.answers)-1]; answer.Status == 0 {
				answer.Status, _ = strconv.Atoi(value[:3])
			}
		}
		return
	}
	if valuesHidden.MatchString(strings.TrimRight(value, "…")) {
		if name == "Www-Authenticate" || !p.hidden {
			p.warn(p.nameLine, "the names of fields are there, and their values are not")
		}
		p.hidden = true
		return
	}
	if braced && strings.HasPrefix(value, "{") {
		value = strings.TrimSpace(strings.TrimSuffix(value[1:], "}"))
	}
	whole, cut := uncut(value)
	if !p.open {
		p.open = true
		p.answers = append(p.answers, Answer{Header: http.Header{}, Status: p.again})
		p.numbers = append(p.numbers, p.nameLine)
		p.again = 0
	}
	answer := &p.answers[len(p.answers)-1]
	if cut {
		answer.Partial = true
		p.warn(p.nameLine, "the value was cut; what is left out is unknown")
		if value = whole; value == "" {
			return
		}
	}
	answer.Header[name] = append(answer.Header[name], value)
	if name == "Www-Authenticate" {
		answer.lines = append(answer.lines, p.nameLine)
	}
}

// joined returns the value of the field that is being read. Where a console
// broke a word, its halves are joined without a blank.
func (p *pasted) joined() string {
	if p.name != "WWW-Authenticate" && !strings.EqualFold(p.name, "WWW-Authenticate") || len(p.lines) < 2 {
		return strings.Trim(strings.Join(p.lines, " "), " \t")
	}
	var b strings.Builder
	quotes := 0
	for i, line := range p.lines {
		if i > 0 && !brokenWord(p.lines[i-1], line, quotes%2 == 1) {
			b.WriteByte(' ')
		}
		b.WriteString(line)
		quotes += strings.Count(line, `"`)
	}
	return strings.Trim(b.String(), " \t")
}

// challengeWords are the words of challenges that may be broken in two.
var challengeWords = []string{"basic", "bearer", "digest", "kerberos", "negotiate", "ntlm", "realm", "client_id", "trusted_issuers", "token_types", "authorization_uri", "error",
	"error_description", "scope", "nonce", "qop", "algorithm", "opaque", "stale", "domain", "charset", "resource_metadata", "issuer_kind", "resource_id", "claims"}

// brokenWord reports whether the end of one line and the beginning of the next
// are halves of one word.
func brokenWord(before, after string, quoted bool) bool {
	last, first := before, after
	if i := strings.LastIndexAny(before, " ,=\""); i >= 0 {
		last = before[i+1:]
	}
	if i := strings.IndexAny(after, " ,=\""); i >= 0 {
		first = after[:i]
	}
	if last == "" || first == "" {
		return quoted && last == "" && strings.HasSuffix(before, `="`)
	}
	if quoted {
		return strings.Contains(last, ":") || strings.Contains(last, "/") || strings.Contains(last, "-") || strings.Contains(last, "@") || strings.HasPrefix(first, "@") || strings.HasPrefix(first, "_") || strings.HasSuffix(last, "_")
	}
	return slices.Contains(challengeWords, strings.ToLower(last+first)) && !known(last)
}

// uncut returns a value without what a pane cut off: the last parameter or
// word that is not whole.
func uncut(value string) (whole string, cut bool) {
	trimmed := strings.TrimRight(value, "} ]")
	switch {
	case strings.HasSuffix(trimmed, "…"):
		trimmed = strings.TrimRight(trimmed, "… ")
	case strings.HasSuffix(trimmed, "..."):
		trimmed = strings.TrimRight(trimmed, ". ")
	default:
		return value, false
	}
	if i := lastOpenQuote(trimmed); i >= 0 {
		trimmed = strings.TrimRight(trimmed[:i], " =")
		trimmed = trimmed[:strings.LastIndexAny(trimmed, " ,")+1]
		return strings.TrimRight(trimmed, " ,"), true
	}
	i := strings.LastIndexAny(trimmed, " ,")
	if last := trimmed[i+1:]; !known(last) && !strings.HasSuffix(last, `"`) {
		trimmed = trimmed[:i+1]
	}
	return strings.TrimRight(trimmed, " ,"), true
}

// lastOpenQuote returns where the quoted string begins that does not end, or
// -1.
func lastOpenQuote(s string) int {
	open := -1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && open >= 0:
			i++
		case s[i] == '"' && open >= 0:
			open = -1
		case s[i] == '"':
			open = i
		}
	}
	return open
}

// finish ends the last field, and says which answers are not whole.
func (p *pasted) finish() {
	p.end()
	if n := p.strange - maxPastedWarnings; n > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("and %d more lines are no header fields", n))
	}
	for i := 0; i+1 < len(p.answers); i++ {
		if a, next := &p.answers[i], &p.answers[i+1]; len(a.Header) == 0 && next.Status == 0 {
			next.Status = a.Status // an empty line parted them
			p.answers, p.numbers = slices.Delete(p.answers, i, i+1), slices.Delete(p.numbers, i, i+1)
		}
	}
	for i := range p.answers {
		a := &p.answers[i]
		if len(a.Header) == 0 {
			a.Header, a.Partial = nil, true
			p.warn(p.numbers[i], fmt.Sprintf("status %d, and no header field that can be read behind it", a.Status))
		}
		if p.hidden && len(a.Header["Www-Authenticate"]) == 0 {
			a.Partial = true
		}
	}
}

// statusLine reads "HTTP/1.1 401 Unauthorized".
func statusLine(line string) (status int, ok bool) {
	version, rest, ok := strings.Cut(line, " ")
	if !ok || !strings.HasPrefix(version, "HTTP/") {
		return 0, false
	}
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(strings.TrimRight(code, `"'`))
	return status, err == nil && 100 <= status && status <= 999
}
