package psobject

import (
	"regexp"
	"strings"
)

// parseConsole reads text as it stood on a console: cut at its prompts, each
// part by what it begins with.
func (p *parser) parseConsole(text string, at place) ([]Output, error) {
	var outputs []Output
	for _, block := range clean(text, at) {
		got, err := p.parseSession(block)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, got...)
	}
	return outputs, nil
}

// parseSession reads the lines of one session, or of none.
func (p *parser) parseSession(lines []numbered) ([]Output, error) {
	var (
		outputs []Output
		vars    = make(variables)
	)
	for i := 0; i < len(lines); {
		command, assigned, isTrace := "", false, false
		if input, ok := typed(lines[i].text); ok {
			i++
			isTrace = trace.MatchString(input)
			var more strings.Builder
			more.WriteString(input)
			for i < len(lines) {
				next, ok := strings.CutPrefix(lines[i].text, ">>")
				if !ok && !(unfinished(more.String()) && !blank(lines[i].text) && !isPrompt(lines[i].text)) {
					break
				}
				if more.Len() < 1<<16 {
					more.WriteString("\n" + strings.TrimPrefix(next, " "))
				}
				i++
			}
			if !isTrace {
				command, assigned = vars.printed(strings.TrimSuffix(more.String(), "\n"))
			}
		}
		end := i
		for end < len(lines) && !isPrompt(lines[end].text) {
			end++
		}
		body := lines[i:end]
		i = end
		got, err := p.parseBody(command, body)
		if err != nil {
			return nil, err
		}
		if assigned && len(got) == 1 && len(got[0].Objects) == 0 {
			if got[0].Command = ""; len(got[0].Lines) == 0 {
				continue // nothing was to be seen
			}
		}
		outputs = append(outputs, got...)
	}
	return outputs, nil
}

func isPrompt(line string) bool {
	_, ok := typed(line)
	return ok
}

// parseBody reads what one command printed.
func (p *parser) parseBody(command string, body []numbered) ([]Output, error) {
	empty := true
	for _, l := range body {
		if !blank(l.text) {
			empty = false
			break
		}
	}
	if empty {
		if command == "" {
			return nil, nil
		}
		return []Output{{Command: command}}, nil
	}
	text, at := p.join(body)
	if rest := strings.TrimLeft(text, " \t\n"); strings.HasPrefix(rest, "{&quot;") || strings.HasPrefix(rest, "[&quot;") {
		text = unescapeHTML(text)
	}
	outputs, n, ok, err := p.parseExport(text, at)
	if err != nil {
		return nil, err
	}
	if !ok {
		r := consoleReader{parser: p, out: Output{Command: command}}
		if err := r.read(body); err != nil {
			return nil, err
		}
		return r.outputs(), nil
	}
	for i := range outputs {
		if outputs[i].Command == "" {
			outputs[i].Command = command
		}
	}
	if n < len(text) {
		skipped := strings.Count(text[:n], "\n")
		if n > 0 && text[n-1] != '\n' {
			skipped++
		}
		if skipped < len(body) {
			more, err := p.parseBody(command, body[skipped:])
			if err != nil {
				return nil, err
			}
			for _, out := range more {
				if len(out.Objects) > 0 || len(out.Lines) > 0 {
					outputs = append(outputs, out)
				}
			}
		}
	}
	return outputs, nil
}

// maxCopied bounds how much of the input is looked at again and again for
// exports among other text.
const maxCopied = 2 * MaxSize

// join returns lines as one text, and its place.
func (p *parser) join(lines []numbered) (string, place) {
	if p.copied >= maxCopied {
		return "", place{first: lines[0].n}
	}
	text, at := joined(lines)
	p.copied += len(text)
	return text, at
}

// A consoleReader reads what one command printed as a list or as a table.
type consoleReader struct {
	*parser
	out    Output
	more   []Output // from exports among the text
	tried  int      // how many texts that look like exports were none
	object *listed  // the object of a list that is being read

	lists   []*listed
	places  []int // of lists among the objects
	longest int   // line of the lists, in cells
	gone    bool  // empty lines are, for objects follow each other without one
	ended   int   // the line with which an object may begin that follows another directly
}

// outputs returns what was read.
func (r *consoleReader) outputs() []Output {
	outputs := []Output{r.out}
	for _, out := range r.more {
		if out.Command == "" || out.Command == r.out.Command {
			outputs[0].Objects = append(outputs[0].Objects, out.Objects...)
			outputs[0].Lines = append(outputs[0].Lines, out.Lines...)
			continue
		}
		outputs = append(outputs, out)
	}
	return outputs
}

// end ends the object that is being read.
func (r *consoleReader) end() {
	if r.object != nil {
		r.lists, r.places = append(r.lists, r.object), append(r.places, len(r.out.Objects))
		r.out.Objects = append(r.out.Objects, Object{}) // filled below, when the width is known
		r.object = nil
	}
}

// merge puts together what an empty line at the end of a value has parted:
// the longest name of an object stands right before its colon, so that where
// there is none there is but a part.
func (r *consoleReader) merge() {
	var (
		lists  []*listed
		places []int
		gone   = make(map[int]bool) // places of objects that are none
	)
	for i, b := range r.lists {
		if n := len(lists); n > 0 && b.follows {
			if a := lists[n-1]; a.colon == b.colon && !a.loose && !b.loose && !(a.isWhole && b.isWhole) && !a.shares(b) {
				a.last("")
				for _, p := range b.properties {
					a.add(p)
				}
				gone[r.places[i]] = true
				continue
			}
		}
		lists, places = append(lists, b), append(places, r.places[i]-len(gone))
	}
	if len(gone) == 0 {
		return
	}
	r.lists, r.places = lists, places
	kept := r.out.Objects[:0]
	for i, o := range r.out.Objects {
		if !gone[i] {
			kept = append(kept, o)
		}
	}
	r.out.Objects = kept
}

// read reads lines.
func (r *consoleReader) read(lines []numbered) error {
	for i := 0; i < len(lines); i++ {
		line := lines[i].text
		if blank(line) {
			first := i
			for i+1 < len(lines) && blank(lines[i+1].text) {
				i++
			}
			switch {
			case r.object == nil:
			case i+1 < len(lines) && r.object.padded(lines[first:i+1]):
				for _, l := range lines[first : i+1] {
					r.object.last(r.object.cutIndent(l.text))
				}
			case i+1 < len(lines) && r.object.goesOn(lines[i+1].text):
				for _, l := range lines[first : i+1] {
					r.object.last(r.object.cutIndent(l.text)) // may be the blank after a word that filled its line
				}
			default:
				r.end()
				r.ended = i + 1
			}
			continue
		}
		if r.object == nil || line[0] != ' ' {
			if n := tableHeader(lines[i:]); n > 0 {
				r.end()
				taken, err := r.table(lines[i:], n)
				if err != nil {
					return err
				}
				i += taken - 1
				continue
			}
			if (i == 0 || blank(lines[i-1].text) || r.object == nil) && r.tried < 16 && r.copied < maxCopied && looksLikeExport(lines[i:]) {
				text, at := r.join(lines[i:])
				if outputs, n, ok, err := r.parseExport(text, at); err != nil || !ok {
					r.tried++
				} else {
					r.end()
					r.more = append(r.more, outputs...)
					i += strings.Count(text[:n], "\n")
					if n > 0 && text[n-1] == '\n' {
						i--
					}
					continue
				}
			}
			if isErrorRecord(line) {
				r.end()
				i += r.errorRecord(lines[i:]) - 1
				continue
			}
		}
		if name, value, colon, ok := r.splitProperty(lines[i:]); ok {
			if r.object != nil && (r.object.has(name) || !r.object.fits(name, colon)) {
				r.end()
				r.gone = true
			}
			if err := r.count(1); err != nil {
				return lineError(lines[i].n, err)
			}
			if r.object == nil {
				r.object = &listed{colon: colon, follows: r.ended == i}
			}
			r.object.add(listedProperty{name: name, value: []string{value}, colon: colon})
			r.longest = max(r.longest, cells(line))
			continue
		}
		if r.object != nil && line[0] == ' ' {
			l := r.object
			if len(indentOf(line)) < l.column() {
				l.properties[len(l.properties)-1].torn = true // blanks were lost, and with them the width
			}
			l.last(l.cutIndent(line))
			r.longest = max(r.longest, cells(line))
			continue
		}
		if frame.MatchString(line) {
			r.end()
		}
		if r.object != nil && i > 0 && !blank(lines[i-1].text) && !notice.MatchString(line) {
			// Perhaps a line of the value that has lost its indentation.
			word, _, _ := strings.Cut(line, " ")
			if l := r.object; cells(lines[i-1].text)+1+cells(word) > max(r.longest, narrowest) {
				l.properties[len(l.properties)-1].torn = true
			}
		}
		r.out.Lines = append(r.out.Lines, line)
	}
	r.end()
	r.ended = 0
	r.merge()
	w := wrapOf(r.lists, r.longest)
	w.gone = r.gone
	for i, l := range r.lists {
		object, err := l.finish(w, r.parser)
		if err != nil {
			return lineError(lines[len(lines)-1].n, err)
		}
		r.out.Objects[r.places[i]] = object
	}
	return nil
}

var (
	// frame is what a transcript puts around its parts.
	frame = regexp.MustCompile(`^\*{10,}$`)

	// notice is what a command says beside its objects.
	notice = regexp.MustCompile(`^(?:[A-Z]{4,}|[A-Z][a-z]+): `)

	// errorKind begins an error record of PowerShell 7 that names no cmdlet.
	errorKind = regexp.MustCompile(`^(?:[A-Za-z]*(?:Exception|ParserError)|InvalidOperation|OperationStopped|ResourceUnavailable): ?`)

	// errorTail are the lines that end an error record of Windows PowerShell.
	errorTail = regexp.MustCompile(`^ *\+ (?:FullyQualifiedErrorId|PSComputerName) +: `)
)

// isErrorRecord reports whether line begins an error record, which names its
// cmdlet: "Get-AuthServer : The operation …", in PowerShell 7 "Get-X: The …".
func isErrorRecord(line string) bool {
	name, rest, ok := strings.Cut(line, ":")
	if !ok {
		return false
	}
	if errorKind.MatchString(line) {
		return true
	}
	return (rest == "" || rest[0] == ' ') && isCmdlet(strings.TrimSuffix(name, " "))
}

// errorRecord takes an error record into the lines, and returns how many it
// has. It ends at an empty line, behind the lines that are its last, or where
// something else begins.
func (r *consoleReader) errorRecord(lines []numbered) int {
	r.out.Failed = true
	tail := false
	for i, l := range lines {
		switch {
		case blank(l.text):
			return i
		case i == 0:
		case tail && !strings.HasPrefix(strings.TrimLeft(l.text, " "), "+") && l.text[0] != ' ', tableHeader(lines[i:]) > 0, startsList(lines[i:]), isErrorRecord(l.text):
			return i
		}
		tail = tail || errorTail.MatchString(l.text)
		r.out.Lines = append(r.out.Lines, l.text)
	}
	return len(lines)
}

// startsList reports whether two properties follow whose names are plain and
// whose colons stand in one column.
func startsList(lines []numbered) bool {
	if len(lines) < 2 {
		return false
	}
	var column [2]int
	for i := range 2 {
		name, _, colon, ok := splitLine(lines[i].text)
		if !ok || !plainName.MatchString(name) {
			return false
		}
		column[i] = colon
	}
	return column[0] == column[1]
}
