package psobject

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode"
)

// typeLine begins the line of the type that Export-Csv of Windows PowerShell
// writes first.
const typeLine = "#TYPE "

// parseCSV reads what Export-Csv and ConvertTo-Csv wrote with any delimiter,
// and reports whether text begins with that. It returns how many bytes it
// took: up to the first record that is not like the others, or to the type of
// other objects.
//
// Export-Csv writes the text of ToString, so that a list is the name of its
// type, or joined with commas.
func (p *parser) parseCSV(text string, at place) (out Output, n int, ok bool, err error) {
	start := 0
	var types []string
	for start < len(text) {
		first, _, _ := strings.Cut(text[start:], "\n")
		if strings.TrimSpace(first) == "" {
			start += len(first) + 1
			continue
		}
		name, isType := strings.CutPrefix(strings.TrimRight(first, "\r "), typeLine)
		if !isType || types != nil {
			break
		}
		types = []string{strings.TrimPrefix(strings.TrimPrefix(strings.Trim(name, `"`), "Selected."), "Deserialized.")}
		start += len(first) + 1
	}
	if start >= len(text) {
		return Output{}, 0, false, nil
	}
	delimiter, quoted, ok := csvDelimiter(text[start:])
	if !ok {
		return Output{}, 0, false, nil
	}
	r := csv.NewReader(strings.NewReader(text[start:]))
	r.Comma, r.FieldsPerRecord = delimiter, -1
	names, err := r.Read()
	if err != nil || !csvHeader(names, quoted || types != nil) {
		return Output{}, 0, false, nil
	}
	n = start + int(r.InputOffset())
	var objects []Object
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			n = len(text)
			break
		}
		if err != nil || len(record) != len(names) || strings.HasPrefix(record[0], typeLine) && len(record) == 1 {
			break
		}
		if err := p.count(len(names)); err != nil {
			return Output{}, 0, false, lineError(at.at(text, n), err)
		}
		n = start + int(r.InputOffset())
		object := Object{Types: types}
		for i, name := range names {
			if !dropped(name) {
				object.Properties = append(object.Properties, Property{Name: name, Value: csvValue(record[i])})
			}
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 && types == nil && (!quoted || len(names) == 1) {
		return Output{}, 0, false, nil // a line of a text
	}
	return Output{Objects: objects}, n, true, nil
}

// csvDelimiter finds what stands between the names of the header with which
// text begins, and reports whether they are quoted.
func csvDelimiter(text string) (delimiter rune, quoted, ok bool) {
	header, _, _ := strings.Cut(text, "\n")
	header = strings.TrimRight(header, "\r ")
	if strings.HasPrefix(header, `"`) {
		end := strings.Index(header[1:], `"`)
		if end < 1 {
			return 0, false, false
		}
		rest := header[end+2:]
		if rest == "" {
			return ',', true, true
		}
		for _, r := range rest {
			return r, true, r != '"' && r != ':' && isDelimiter(r) // : of JSON
		}
	}
	for _, r := range header {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("_ .()`-/@", r):
		case r == ':' || r == '"' || r == '\'' || r == '=' || r == '<' || r == '>' || r == '{' || r == '[' || !isDelimiter(r):
			return 0, false, false
		default:
			return r, false, true
		}
	}
	return ',', false, true // one column: only the type line tells
}

// isDelimiter reports whether r may stand between fields.
func isDelimiter(r rune) bool {
	return r != unicode.ReplacementChar && (r == ' ' || r == '\t' || !unicode.IsSpace(r))
}

// csvHeader reports whether names may be those of properties.
func csvHeader(names []string, sure bool) bool {
	if len(names) < 2 && !sure {
		return false
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "" || len(name) > 256 || name != strings.TrimSpace(name) || seen[strings.ToLower(name)] || strings.ContainsAny(name, "\r\n") {
			return false
		}
		seen[strings.ToLower(name)] = true
		if first := []rune(name)[0]; !sure && !unicode.IsLetter(first) && first != '_' {
			return false
		}
	}
	return true
}

// csvValue returns the value of a field. An object without a ToString of its
// own is written as @{Name=Value}, in which nothing is quoted.
func csvValue(s string) Value {
	if depthCut(s) {
		return Value{State: Cut, Text: s}
	}
	v := scalarOf(s)
	if strings.Contains(s, ", ") {
		v.joined = joinedByCommas
	}
	return v
}
