package authinspect

import (
	"encoding/hex"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/crossprem/crossprem/internal/wintext"
)

// A captureLine is one line of a capture once everything was undone that a
// tool or a window did to it.
type captureLine struct {
	number int // of the line in the capture on which it begins, from 1
	text   string
	kind   captureKind
	width  int // characters of the line as it stands in the capture
}

// A captureKind says how a line was found.
type captureKind uint8

const (
	capturePlain    captureKind = iota // a line of the capture
	captureField                       // "Name: value", taken out of a literal of some language
	captureFragment                    // what stands around such fields
)

// captureLines undoes what tools, windows and mails did to the lines of a
// capture: colours, typographic quotes, HTML entities, quoting, hex dumps,
// escaped ends of lines, lines broken at the width of a console, and literals
// of programming languages.
func captureLines(data []byte) []captureLine {
	text, _ := wintext.Decode(data) // a torn last character is no header
	lines := splitCapture(text)
	lines = unquoteMail(lines)
	lines = undump(lines)
	lines = unescapeEnds(lines)
	lines = unwrap(lines)
	return takeLiterals(lines)
}

var (
	ansi      = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
	entity    = regexp.MustCompile(`&(?:quot|lt|gt|amp|apos|nbsp|#\d{1,6}|#x[0-9A-Fa-f]{1,5});`)
	cells     = regexp.MustCompile(`(?i)</t[dh]>\s*<t[dh][^>]*>`)
	tag       = regexp.MustCompile(`(?i)</?(?:table|tbody|thead|tr|td|th|pre|code|p|div|span|br|li|ul|b|strong|em)\b[^>]*>`)
	emphasis  = regexp.MustCompile(`(?:\*\*|__)([A-Za-z][A-Za-z -]*)(:?)(?:\*\*|__)`)
	softening = strings.NewReplacer("\u00a0", " ", "\u200b", "", "\u200e", "", "\u2060", "", "\ufeff", "", "“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'")
)

func splitCapture(text string) []captureLine {
	var lines []captureLine
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		width := utf8.RuneCountInString(line)
		if strings.Contains(line, "\x1b") {
			line = ansi.ReplaceAllString(line, "")
			width = utf8.RuneCountInString(line)
		}
		if strings.IndexByte(line, '<') >= 0 && tag.MatchString(line) {
			line = tag.ReplaceAllString(cells.ReplaceAllString(line, ": "), "")
		}
		if strings.IndexByte(line, '&') >= 0 && entity.MatchString(line) {
			line = html.UnescapeString(line)
		}
		line = emphasis.ReplaceAllString(strings.ReplaceAll(line, `[\r][\n]`, ""), "$1$2")
		lines = append(lines, captureLine{number: number, text: softening.Replace(line), width: width})
	}
	return lines
}

// fieldNames matches the names of fields that answers have: those that the
// verdicts need, and those that stand beside them.
const fieldNames = `(?:(?:http_)?www[-_]?authenticate|x-[a-z0-9][a-z0-9-]*|ms-[a-z0-9-]+|request-id|client-request-id|restrict-access-confirm|set-cookie|content-(?:length|type)|` +
	`cache-control|transfer-encoding|strict-transport-security|proxy-authenticate|www-authentication|location|server|date|via|vary|connection)`

// telling are those that only an answer has, and that no sentence has by
// chance.
const tellingNames = `(?:(?:http_)?www[-_]?authenticate|x-(?:owa-version|feserver|beserver|diaginfo|ms-diagnostics|calculated[a-z]{2}target|serverapplication|powered-by|aspnet-version|autodiscovery-error)|` +
	`ms-server-activesync|ms-asprotocolversions|ms-asprotocolcommands|set-cookie|request-id|content-(?:length|type))`

var (
	quotedMail  = regexp.MustCompile(`(?i)^(?: ?>)+ ?(?:<{1,2} ?)?(?:HTTP/\d(?:\.\d)? [1-5]\d\d\b|` + tellingNames + `\s*:)`)
	onlyRequest = regexp.MustCompile(`(?i)^(?:request-id|content-(?:length|type))`)
)

// unquoteMail cuts off the ">" with which mails quote, as long as there is an
// answer behind it: behind curl's ">" there is a request.
func unquoteMail(lines []captureLine) []captureLine {
	for range 8 {
		found := false
		for _, l := range lines {
			if strings.HasPrefix(strings.TrimLeft(l.text, " "), ">") && quotedMail.MatchString(l.text) &&
				!onlyRequest.MatchString(strings.TrimLeft(l.text, " ><")) {
				found = true
				break
			}
		}
		if !found {
			return lines
		}
		for i := range lines {
			text := strings.TrimPrefix(lines[i].text, " ")
			if rest, ok := strings.CutPrefix(text, ">"); ok {
				lines[i].text = strings.TrimPrefix(rest, " ")
			}
		}
	}
	return lines
}

var (
	dumped      = regexp.MustCompile(`^\s*(?:0x)?([0-9A-Fa-f]{4,16}):?[ \t]+(.*)$`)
	traceOffset = regexp.MustCompile(`^([0-9a-f]{4,8}): ?(.*)$`)
	traceHead   = regexp.MustCompile(`^(?:[0-9:. ]*)(=>|<=|==) ?(Send|Recv|Info)\b:? ?(SSL data|data|header)?`)
)

// undump puts together what hex dumps and traces of curl took apart. What was
// sent is left out.
func undump(lines []captureLine) []captureLine {
	var out []captureLine
	var block []byte  // of a hex dump
	var numbers []int // of the line that each byte of block stood in
	skip, head := false, false
	flush := func() {
		start := 0
		for start < len(block) {
			end := start
			for end < len(block) && block[end] != '\n' {
				end++
			}
			out = append(out, captureLine{number: numbers[start], text: strings.TrimRight(strings.ToValidUTF8(string(block[start:end]), "\uFFFD"), "\r")})
			start = end + 1
		}
		block, numbers = nil, nil
	}
	offset, length := -1, 0 // of the last line of a trace in text
	for _, l := range lines {
		if m := traceHead.FindStringSubmatch(l.text); m != nil {
			flush()
			skip, head, offset = m[1] == "=>" || m[2] == "Info" || strings.Contains(m[3], "data"), true, -1
			continue
		}
		if bytes := hexLine(l.text); bytes != nil {
			if !skip {
				block = append(block, bytes...)
				for range bytes {
					numbers = append(numbers, l.number)
				}
			}
			continue
		}
		flush()
		if m := traceOffset.FindStringSubmatch(l.text); m != nil && head {
			at := 0
			for _, c := range m[1] {
				at = at<<4 | strings.IndexRune("0123456789abcdef", c)
			}
			switch {
			case skip:
			case at > 0 && at == offset+length:
				out[len(out)-1].text += m[2]
			default:
				out = append(out, captureLine{number: l.number, text: m[2]})
			}
			offset, length = at, len(m[2])
			continue
		}
		if strings.TrimSpace(l.text) != "" {
			skip, head = false, false
		}
		out = append(out, l)
	}
	flush()
	return out
}

// hexLine returns the bytes of one line of a hex dump, nil if it is none: the
// characters at its end must be those of the bytes.
func hexLine(line string) []byte {
	m := dumped.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	rest := m[2]
	var data []byte
	for pos := 0; pos < len(rest) && len(data) < 64; {
		end := pos
		for end < len(rest) && isHex(rest[end]) {
			end++
		}
		group := end - pos
		if group != 2 && group != 4 && group != 8 {
			break
		}
		b, err := hex.DecodeString(rest[pos:end])
		if err != nil {
			break
		}
		data = append(data, b...)
		if shownBytes(data) == strings.Trim(rest[end:], " \t|>") {
			return data
		}
		for end < len(rest) && (rest[end] == ' ' || rest[end] == '\t' || rest[end] == '-') {
			end++
		}
		pos = end
	}
	return nil
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// shownBytes is how dumps show bytes; blanks at the end are lost.
func shownBytes(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		if c < ' ' || c > '~' {
			c = '.'
		}
		b.WriteByte(c)
	}
	return strings.Trim(b.String(), " |>")
}

var escapedEnd = regexp.MustCompile(`(?:\\r\\n|\\n|\\x0[dD](?:\\x0[aA])?|\[\\r\]\[\\n\]|\\r)`)

// unescapeEnds parts lines where a literal has the end of one: b'a\r\nb'.
func unescapeEnds(lines []captureLine) []captureLine {
	var out []captureLine
	for _, l := range lines {
		if strings.IndexByte(l.text, '\\') < 0 || !escapedEnd.MatchString(l.text) || !holdsAnswer.MatchString(l.text) || quotedName.MatchString(l.text) {
			out = append(out, l)
			continue
		}
		for i, part := range escapedEnd.Split(l.text, 1000) {
			if i > 0 && part != "" && strings.Trim(part, `'" )],}`) == "" {
				continue // what closes the literal
			}
			out = append(out, captureLine{number: l.number, text: strings.ReplaceAll(part, `\"`, `"`)})
			if i == 0 && len(part) == len(l.text) {
				break
			}
		}
	}
	return out
}

var (
	holdsAnswer = regexp.MustCompile(`(?i)HTTP/\d(?:\.\d)? [1-5]\d\d\b|\b` + fieldNames + ` ?:`)
	quotedName  = regexp.MustCompile(`(?i)["'` + "`" + `]` + fieldNames + `["'` + "`" + `]`)
	listLine    = regexp.MustCompile(`^( *[A-Za-z][A-Za-z0-9_.-]* *) : ?`) // of PowerShell's Format-List
	tableLine   = regexp.MustCompile(`^( *(?:Key|Name|Scheme)\s+)(?:Value|Parameter)\s*$`)
	beginsField = regexp.MustCompile(`(?i)^\s*(?:<{1,2} )?(?:` + fieldNames + `\s?:|HTTP/\d)`)
	hyphenated  = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9-]*: `)
	anyField    = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9-]*: `)
)

// consoleWidths are widths that windows have by default, and one less.
var consoleWidths = map[int]bool{79: true, 80: true, 99: true, 100: true, 119: true, 120: true, 131: true, 132: true, 159: true, 160: true}

// unwrap joins lines that were broken at the width of a console, within a
// word or not: all of them are as wide as the widest.
func unwrap(lines []captureLine) []captureLine {
	width, count := 0, 0
	for _, l := range lines {
		switch {
		case l.width > width:
			width, count = l.width, 1
		case l.width == width:
			count++
		}
	}
	if width < 30 || count < 2 && !consoleWidths[width] {
		return lines
	}
	var out []captureLine
	column, quotes, inTable := 0, 0, false
	property := false // the last of out is a property and its value, whose lines look like anything
	for i, l := range lines {
		blanks := len(l.text) - len(strings.TrimLeft(l.text, " "))
		if m := listLine.FindStringSubmatch(l.text); m != nil && blanks < max(column, 1) {
			column = len(m[0])
		} else if m := tableLine.FindStringSubmatch(l.text); m != nil {
			column, inTable = len(m[1]), true
		} else if blanks < column && strings.TrimSpace(l.text) != "" && (i == 0 || lines[i-1].width != width) && !strings.HasPrefix(strings.TrimSpace(l.text), "---") {
			if !tableRow(l.text, column) {
				column, inTable = 0, false
			}
		}
		if i > 0 && lines[i-1].width == width && !(inTable && blanks < column) && !alike(lines[i-1].text, l.text) && strings.TrimSpace(l.text) != "" && !strings.HasSuffix(strings.TrimRight(lines[i-1].text, " }"), "…") &&
			(!beginsField.MatchString(l.text) && (quotes%2 == 1 || property || !anyField.MatchString(l.text))) && (listLine.FindString(l.text) == "" || blanks >= column && column > 0) {
			last := &out[len(out)-1]
			if more := l.text[min(blanks, column):]; len(last.text)+len(more) <= maxPasted {
				last.text += more
				quotes += strings.Count(more, `"`)
			}
			continue
		}
		quotes = strings.Count(l.text, `"`)
		_, value, _ := strings.Cut(l.text, " : ")
		property = listLine.MatchString(l.text) && !strings.HasPrefix(value, "HTTP/")
		out = append(out, l)
	}
	return out
}

// alike reports whether two lines begin alike, as those of a log do.
func alike(a, b string) bool {
	return len(a) >= 8 && len(b) >= 8 && a[:8] == b[:8] && strings.TrimSpace(a[:8]) != ""
}

// tableRow reports whether a column of a table begins at byte at of line.
func tableRow(line string, at int) bool {
	return len(line) > at && at > 0 && line[at-1] == ' ' && line[at] != ' '
}
