package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/crossprem/crossprem/connectversion"
)

// A table is a file of the data folder, as lines: each release is one, so that
// an update is a difference one can read. What is not touched stays as it is.
type table struct {
	head, tail []string
	rows       []row
}

// A row is a JSON object that keeps the order of its fields.
type row struct {
	version connectversion.Version
	source  string
	line    string // as read
	fields  []field
}

type field struct {
	name  string
	value json.RawMessage
}

func readTable(text []byte) (table, error) {
	var t table
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	at := 0
	for ; at < len(lines); at++ {
		t.head = append(t.head, lines[at])
		if lines[at] == `"releases": [` {
			break
		}
	}
	for at++; at < len(lines) && lines[at] != "]"; at++ {
		r, err := readRow(strings.TrimSuffix(lines[at], ","))
		if err != nil {
			return t, fmt.Errorf("line %d: %w", at+1, err)
		}
		t.rows = append(t.rows, r)
	}
	if at >= len(lines) || len(t.rows) == 0 {
		return t, errors.New("no releases, one a line")
	}
	t.tail = lines[at:]
	return t, nil
}

func readRow(line string) (row, error) {
	r := row{line: line}
	dec := json.NewDecoder(strings.NewReader(line))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return r, errors.New("not an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return r, err
		}
		f := field{name: fmt.Sprint(name)}
		if err := dec.Decode(&f.value); err != nil {
			return r, err
		}
		r.fields = append(r.fields, f)
	}
	if err := json.Unmarshal(r.get("version"), &r.version); err != nil {
		return r, fmt.Errorf("version: %w", err)
	}
	r.source = r.text("source")
	return r, nil
}

func (r *row) get(name string) json.RawMessage {
	for _, f := range r.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// text returns a field that is a text, or "".
func (r *row) text(name string) string {
	var s string
	_ = json.Unmarshal(r.get(name), &s) // absent or of another type: ""
	return s
}

// roles returns those of a Health agent.
func (r *row) roles() []string {
	var roles []string
	_ = json.Unmarshal(r.get("roles"), &roles) // absent: none
	return roles
}

// set changes a field, or adds it behind another one.
func (r *row) set(name, behind string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts, booleans and lists of names only
	}
	if _, list := value.([]string); list {
		raw = bytes.ReplaceAll(raw, []byte(`","`), []byte(`", "`))
	}
	r.line = ""
	for i := range r.fields {
		if r.fields[i].name == name {
			r.fields[i].value = raw
			return
		}
	}
	for i := range r.fields {
		if r.fields[i].name == behind {
			r.fields = append(r.fields[:i+1], append([]field{{name, raw}}, r.fields[i+1:]...)...)
			return
		}
	}
	r.fields = append(r.fields, field{name, raw})
}

func (r *row) String() string {
	if r.line != "" {
		return r.line
	}
	var parts []string
	for _, f := range r.fields {
		parts = append(parts, fmt.Sprintf("%q: %s", f.name, f.value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (t *table) bytes() []byte {
	var b bytes.Buffer
	for _, line := range t.head {
		fmt.Fprintln(&b, line)
	}
	for i := range t.rows {
		b.WriteString(t.rows[i].String())
		if i < len(t.rows)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	for _, line := range t.tail {
		fmt.Fprintln(&b, line)
	}
	return b.Bytes()
}

// setHead replaces the value of a line such as `"asOf": "2026-09-28",`.
func (t *table) setHead(name, value string) error {
	for i, line := range t.head {
		if strings.HasPrefix(line, fmt.Sprintf("%q: ", name)) {
			t.head[i] = fmt.Sprintf("%q: %q,", name, value)
			return nil
		}
	}
	return fmt.Errorf("no line %q", name)
}
