package authinspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxPasted bounds what ReadAnswers reads.
const maxPasted = 4 << 20

// ReadAnswers reads response headers as people paste them: from curl, a
// browser, PowerShell, a trace or a mail, with or without the status line,
// with curl's "< " in front, indented, with folded lines. An empty line or a status line begins the
// next answer. Their step is [StepUnknown]: what was asked cannot be seen.
//
// Request lines, such as those that curl marks with ">" or "*", are skipped:
// they may hold credentials. Any other line that is no field is told in
// warnings, without its text. The error is that of r, or tells that the text
// is longer than 4 MiB or holds no header field at all.
func ReadAnswers(r io.Reader) (answers []Answer, warnings []string, err error) {
	limited := &io.LimitedReader{R: r, N: maxPasted + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxPasted+1)
	var (
		current *Answer
		last    string  // the field that a folded line continues
		indent  *string // blanks before the first line, and so before each
	)
	begin := func() {
		answers = append(answers, Answer{Header: http.Header{}})
		current, last = &answers[len(answers)-1], ""
	}
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if indent == nil && line != "" {
			first := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			indent = &first
		}
		if indent != nil {
			line = strings.TrimPrefix(line, *indent)
		}
		switch {
		case strings.HasPrefix(line, "> "), line == ">", strings.HasPrefix(line, "* "):
			continue
		case line == "<", strings.HasPrefix(line, "< "):
			line = strings.TrimPrefix(line[1:], " ")
		}
		status, isStatus := statusLine(line)
		name, value, isField := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t") // PowerShell's lists write "Name  : value"
		isField = isField && name != "" && strings.IndexFunc(name, func(c rune) bool { return c > 127 || !isToken(byte(c)) }) < 0
		switch {
		case line == "":
			current = nil
		case isStatus:
			begin()
			current.Status = status
		case isField:
			if current == nil {
				begin()
			}
			last = http.CanonicalHeaderKey(name)
			current.Header[last] = append(current.Header[last], strings.Trim(value, " \t"))
		case current != nil && last != "" && (line[0] == ' ' || line[0] == '\t'):
			values := current.Header[last]
			values[len(values)-1] = strings.Trim(values[len(values)-1]+" "+strings.Trim(line, " \t"), " \t")
		default:
			warnings = append(warnings, fmt.Sprintf("line %d is no header field", number))
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, warnings, fmt.Errorf("authinspect: reading headers: %w", err)
	case limited.N <= 0:
		return nil, warnings, fmt.Errorf("authinspect: headers of more than %d bytes", maxPasted)
	case len(answers) == 0:
		return nil, warnings, errors.New("authinspect: no header field found")
	}
	return answers, warnings, nil
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
