package psobject

import "strings"

// isRule tells whether rule is the line of hyphens under the header of a
// table.
func isRule(header, rule string) bool {
	if strings.Trim(rule, "- ") != "" || !strings.Contains(rule, "-") {
		return false
	}
	h := []rune(header)
	for _, c := range columnsOf([]rune(rule)) {
		if c.start >= len(h) || strings.TrimSpace(string(h[c.start:min(c.end, len(h))])) == "" {
			return false
		}
	}
	return true
}

// A column is a heading of a table and where its cells are.
type column struct {
	name       string
	start, end int  // of the heading
	from, to   int  // of the cells
	unsure     bool // cells of this column and a neighbour cannot be told apart
}

func columnsOf(rule []rune) []column {
	var columns []column
	for i := 0; i < len(rule); i++ {
		if rule[i] != '-' {
			continue
		}
		start := i
		for i < len(rule) && rule[i] == '-' {
			i++
		}
		columns = append(columns, column{start: start, end: i})
	}
	return columns
}

// maxCutText bounds the text of a cell that goes on and on: adding to it row
// by row would take a time that grows with the square of the rows.
const maxCutText = 4 << 10

// table reads a table, the first two lines of which are its header, up to an
// empty line, and returns how many lines it took.
//
// Headings do not tell where a column ends. Between two of them, the boundary
// is where every row has a blank: before the next heading, or, if that column
// is aligned to the right, further left. Where there is no such place, both
// columns are Cut, and so is a cell that ends in "...".
func (r *consoleReader) table(lines []string) (int, error) {
	n := 2
	for n < len(lines) && strings.TrimSpace(lines[n]) != "" {
		n++
	}
	rows := make([][]rune, 0, n-2)
	for _, line := range lines[2:n] {
		rows = append(rows, []rune(line))
	}
	header := []rune(lines[0])
	columns := columnsOf([]rune(lines[1]))
	taken := make([]bool, len([]rune(lines[1]))) // columns of letters in which a row has one
	for _, row := range rows {
		for at := range min(len(row), len(taken)) {
			taken[at] = taken[at] || row[at] != ' '
		}
	}
	for i := range columns {
		c := &columns[i]
		c.name = strings.TrimSpace(string(header[c.start:min(c.end, len(header))]))
		c.to = 1 << 30
		if i == 0 {
			continue
		}
		before := &columns[i-1]
		at := c.start - 1
		for at > before.end && taken[at] {
			at--
		}
		if taken[at] {
			before.unsure, c.unsure = true, true
			at = c.start - 1
		}
		before.to, c.from = at, at+1
	}
	cell := func(row []rune, c column) string {
		if c.from >= len(row) {
			return ""
		}
		return strings.TrimSpace(string(row[c.from:min(c.to, len(row))]))
	}
	first := len(r.out.Objects)
	for _, row := range rows {
		if err := r.count(len(columns)); err != nil {
			return 0, err
		}
		if len(r.out.Objects) > first && cell(row, columns[0]) == "" {
			// A cell that goes on, or a row that begins with nothing: either
			// way the texts above it are not known to be whole.
			last := &r.out.Objects[len(r.out.Objects)-1]
			for i, c := range columns {
				if text := cell(row, c); text != "" {
					v := &last.Properties[i].Value
					if len(v.Text) < maxCutText {
						v.Text = strings.TrimSpace(v.Text + " " + text)
					}
					*v = Value{State: Cut, Text: v.Text}
				}
			}
			continue
		}
		var object Object
		for _, c := range columns {
			text := cell(row, c)
			v := displayed(text)
			_, atEnd := cutMark(text)
			if c.unsure || atEnd || strings.HasPrefix(text, "...") || strings.HasPrefix(text, "…") {
				v = Value{State: Cut, Text: text}
			}
			if err := r.count(len(v.List)); err != nil {
				return 0, err
			}
			object.Properties = append(object.Properties, Property{Name: c.name, Value: v})
		}
		r.out.Objects = append(r.out.Objects, object)
	}
	for i := range r.out.Objects[first:] {
		object := &r.out.Objects[first+i]
		kept := object.Properties[:0]
		for _, p := range object.Properties {
			if !dropped(p.Name) {
				kept = append(kept, p)
			}
		}
		object.Properties = kept
	}
	return n, nil
}
