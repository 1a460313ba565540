package psobject

import "strings"

// maxHeader bounds the lines of a header: names longer than their columns
// take several.
const maxHeader = 32

// maxColumns bounds the columns of a table: no console has room for more.
const maxColumns = 512

// isRule reports whether rule is the line of hyphens under the header of a
// table, the only or first line of which is header.
func isRule(header, rule string) bool {
	if strings.Trim(rule, "- ") != "" || !strings.Contains(rule, "-") {
		return false
	}
	if _, _, _, ok := splitLine(header); ok {
		return false
	}
	h, columns := onGrid(header), columnsOf(rule)
	if len(columns) > maxColumns {
		return false
	}
	for _, c := range columns {
		if c.start >= len(h) || h.blankAt(c.start) || !h.blankAt(c.start-1) {
			return false
		}
	}
	return true
}

// tableHeader returns how many lines the header of a table has that begins
// with lines, the rule included, and 0 if there is none.
func tableHeader(lines []numbered) int {
	for i := 1; i < len(lines) && i <= maxHeader; i++ {
		rule := lines[i].text
		if blank(rule) {
			return 0
		}
		if rule[0] != '-' && rule[0] != ' ' || strings.Trim(rule, "- ") != "" {
			continue
		}
		if !isRule(lines[0].text, rule) {
			return 0
		}
		columns := columnsOf(rule)
		if len(columns) > maxColumns {
			return 0
		}
		if i > 1 {
			// A name goes on only where the line above fills its column, and
			// nothing stands between the columns.
			for j := 1; j < i; j++ {
				g, above := onGrid(lines[j].text), onGrid(lines[j-1].text)
				for at := range g {
					if g[at] != ' ' && !within(columns, at) {
						return 0
					}
				}
				for _, c := range columns {
					if !blank(g.text(c.start, c.end)) && blank(above.text(c.start, c.end)) {
						return 0
					}
				}
			}
		}
		if len(columns) == 1 && (strings.ContainsAny(strings.TrimSpace(lines[0].text), ",;!?") || len(strings.Fields(lines[0].text)) > 3) {
			return 0 // a heading, underlined
		}
		return i + 1
	}
	return 0
}

func within(columns []column, at int) bool {
	for _, c := range columns {
		if at >= c.start && at < c.end {
			return true
		}
	}
	return false
}

// A grid is a line in cells of the console: behind a letter that takes two
// stands a zero.
type grid []rune

func onGrid(line string) grid {
	g := make(grid, 0, len(line))
	for _, r := range line {
		g = append(g, r)
		if runeCells(r) > 1 {
			g = append(g, 0)
		}
	}
	return g
}

// text returns what stands in the cells from..to.
func (g grid) text(from, to int) string {
	from, to = max(from, 0), min(to, len(g))
	if from >= to {
		return ""
	}
	var s strings.Builder
	for _, r := range g[from:to] {
		if r != 0 {
			s.WriteRune(r)
		}
	}
	return s.String()
}

// blankAt reports whether nothing stands in the cell.
func (g grid) blankAt(at int) bool { return at < 0 || at >= len(g) || g[at] == ' ' }

// A column is a heading of a table and where its cells are.
type column struct {
	name       string
	start, end int  // of the heading
	from, to   int  // of the cells
	unsure     bool // cells of this column and a neighbour cannot be told apart
	cutName    bool
}

func columnsOf(rule string) []column {
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

const endless = 1 << 30

// maxCutText bounds the text of a cell that goes on and on.
const maxCutText = 64 << 10

// A record is a row of a table, which may take several lines.
type record [][]string // by column, what stands in each line

// table reads a table, the first lines of which are its header, up to an
// empty line or where something else begins, and returns how many lines it
// took.
func (r *consoleReader) table(lines []numbered, header int) (int, error) {
	n := header
	for n < len(lines) && !blank(lines[n].text) && !frame.MatchString(lines[n].text) && !isErrorRecord(lines[n].text) &&
		(n == header || lines[n].text[0] == ' ' || tableHeader(lines[n:]) == 0 && !startsList(lines[n:])) {
		n++
	}
	rule := lines[header-1].text
	columns := columnsOf(rule)
	for i := range columns {
		c := &columns[i]
		for j := range header - 1 {
			piece := strings.TrimSpace(onGrid(lines[j].text).text(c.start, c.end))
			if c.name != "" && piece != "" && cells(lastLine(c.name)) < c.end-c.start {
				c.name += " "
			}
			c.name += piece
		}
		c.name = strings.ReplaceAll(c.name, "\n", "")
		_, c.cutName = cutMark(c.name)
	}
	rows := make([]grid, 0, n-header)
	for _, l := range lines[header:n] {
		rows = append(rows, onGrid(l.text))
	}
	bound(columns, rows, rule)

	var records []record
	var width int // of the widest row
	for _, row := range rows {
		width = max(width, len(row))
	}
	// A table that cuts its cells does not wrap them.
	cuts := false
	for _, row := range rows {
		for _, c := range columns {
			_, atEnd := cutMark(strings.TrimRight(row.text(c.from, c.to), " "))
			cuts = cuts || atEnd && !c.unsure
		}
	}
	wraps := false
	for i, row := range rows {
		if err := r.count(len(columns)); err != nil {
			return 0, lineError(lines[header+i].n, err)
		}
		cut := make([]string, len(columns))
		for k, c := range columns {
			cut[k] = strings.TrimSpace(row.text(c.from, c.to))
		}
		if len(records) > 0 {
			last := records[len(records)-1]
			if goes, sure := goesOn(columns, last, cut, wraps); goes && !cuts {
				wraps = wraps || sure
				for k, text := range cut {
					if c := columns[k]; c.from == c.start {
						text = strings.TrimRight(row.text(c.from, c.to), " ") // indented, perhaps
					}
					if text != "" && len(last[k]) < maxCutText>>4 {
						last[k] = append(last[k], text)
					}
				}
				continue
			}
		}
		next := make(record, len(columns))
		for k, text := range cut {
			next[k] = []string{text}
		}
		records = append(records, next)
	}
	for _, rec := range records {
		var object Object
		for k, c := range columns {
			if dropped(c.name) || c.name == "" || c.cutName {
				continue
			}
			v := c.value(rec[k], width, wraps)
			if err := r.count(len(v.List)); err != nil {
				return 0, lineError(lines[n-1].n, err)
			}
			object.Properties = append(object.Properties, Property{Name: c.name, Value: v})
		}
		r.out.Objects = append(r.out.Objects, object)
	}
	return n, nil
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

// bound finds where the cells of columns are. Headings do not tell where a
// column ends: it begins with its heading, or, if it is aligned to the right,
// ends with it. Between two headings, the boundary is where every row has a
// blank.
func bound(columns []column, rows []grid, rule string) {
	for i := range columns {
		c := &columns[i]
		c.to = endless
		if i == 0 {
			continue
		}
		before := &columns[i-1]
		type gap struct{ from, to int } // blank in all rows
		var gaps []gap
		for at := before.end; at < c.start; at++ {
			free := true
			for _, row := range rows {
				if !row.blankAt(at) {
					free = false
					break
				}
			}
			switch {
			case !free:
			case len(gaps) > 0 && gaps[len(gaps)-1].to == at:
				gaps[len(gaps)-1].to = at + 1
			default:
				gaps = append(gaps, gap{at, at + 1})
			}
		}
		if len(gaps) == 0 {
			before.unsure, c.unsure = true, true
			before.to, c.from = c.start-1, c.start
			continue
		}
		// Text between two gaps belongs to the left or the right, with single
		// blanks between its words.
		first, last := 0, len(gaps)-1
		for _, row := range rows {
			single := func(g gap) bool {
				return g.to-g.from == 1 && !row.blankAt(g.from-1) && !row.blankAt(g.to)
			}
			// A column aligned to the right ends with its heading.
			right := !row.blankAt(c.end-1) && row.blankAt(c.end)
			linked := true
			for k := 0; k+1 < len(gaps); k++ {
				if linked = linked && single(gaps[k]); !linked && !blank(row.text(gaps[k].to, gaps[k+1].from)) {
					last = min(last, k)
					break
				}
			}
			linked = right
			for k := len(gaps) - 2; k >= 0; k-- {
				if linked = linked && single(gaps[k+1]); !linked && !blank(row.text(gaps[k].to, gaps[k+1].from)) {
					first = max(first, k+1)
					break
				}
			}
		}
		from := min(first, len(gaps)-1)
		if first != last {
			before.unsure, c.unsure = true, true
		}
		// Between the first and last blank of the gap stands nothing.
		before.to, c.from = gaps[from].from, gaps[from].to
		if gaps[from].to == c.start {
			c.from = c.start
			before.to = c.start - 1
		}
	}
	// The last heading is underlined as wide as its column, with blanks.
	last := &columns[len(columns)-1]
	if len(rule) > last.end {
		last.to = len(rule)
		for _, row := range rows {
			if len(row) > last.to {
				last.to = endless
				break
			}
		}
	}
}

// goesOn reports whether cut are further lines of the cells of a record, and
// whether that is sure.
func goesOn(columns []column, rec record, cut []string, wraps bool) (goes, sure bool) {
	fewer, broken := false, true
	any := false
	for k, text := range cut {
		lines := rec[k]
		last := lines[len(lines)-1]
		if text == "" {
			fewer = fewer || lines[0] != ""
			continue
		}
		any = true
		if last == "" {
			return false, false // nothing to go on with
		}
		c := columns[k]
		room := c.room()
		if room == 0 || (wrap{width: endless, doubtful: 0}).joint(last, text, room, false, true) == "\n" {
			broken = false
		}
	}
	switch {
	case !any:
		return false, false
	case cut[0] == "" && rec[0][0] != "":
		return true, broken || wraps
	case cut[0] == "":
		return fewer && broken && knownRoom(columns, cut), broken
	}
	// The first column goes on: it is full, and goes on alone.
	for k, text := range cut {
		if k > 0 && text != "" {
			return false, false
		}
	}
	last := rec[0][len(rec[0])-1]
	return (fewer || len(columns) == 1) && broken && columns[0].room() >= 20 && cells(last)*8 >= columns[0].room()*7, broken
}

// room returns how many cells the column has, and 0 if that is not known.
func (c column) room() int {
	if c.to == endless {
		return 0
	}
	return c.to - c.from
}

func knownRoom(columns []column, cut []string) bool {
	for k, text := range cut {
		if text != "" && columns[k].room() == 0 {
			return false
		}
	}
	return true
}

// value returns what the lines of a cell show.
func (c column) value(lines []string, width int, wraps bool) Value {
	text, sure := lines[0], true
	if len(lines) > 1 {
		room := c.room()
		if room == 0 && width >= narrowest {
			room = width - c.from
		}
		if room == 0 || !wraps {
			text, sure = strings.Join(lines, " "), false
		} else {
			text, sure = wrap{width: endless}.join(lines, room)
		}
	}
	if len(text) > maxCutText {
		text, sure = strings.ToValidUTF8(text[:maxCutText], ""), false
	}
	v := displayed(text)
	_, atEnd := cutMark(text)
	if c.unsure || !sure || atEnd || strings.HasPrefix(text, "...") || strings.HasPrefix(text, "…") {
		v = Value{State: Cut, Text: text}
	}
	return v
}
