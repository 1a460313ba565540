package signins

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

const (
	minColumns = 4    // known ones that make a table a sign-in log
	maxColumns = 1024 // Log Analytics has 500 at most
)

// Faults of a row of which other readings have to be tried.
var (
	errEmptyRow = errors.New("an empty row")
	errHeader   = errors.New("a header among the rows")
)

// readRows reads the rows below a header, those of further tables included, up
// to a byte-order mark or a row that is JSON.
func (s *stream) readRows() {
	for !s.stopped {
		for s.ahead(1) && (s.buf[s.pos] == '\r' || s.buf[s.pos] == '\n') {
			s.pos++
		}
		if s.pos == s.end || s.atBOM() {
			return
		}
		if s.wrapped {
			s.unwrapRow()
			continue
		}
		n, err := s.row(s.readCells)
		switch c := s.buf[s.pos]; {
		case err == nil:
			s.pos += n
			s.format = s.table
			s.emit(s.finish())
		case err == errEmptyRow: // as spreadsheets leave them at the end
			s.pos += n
		case s.inARow == 0 && (c == '{' || c == '['): // and no cell's inside
			return
		case s.header() != nil: // it is no other table's
			s.fail(err)
			s.skipLine()
		}
	}
}

// header reads the header of a table. On error it changes nothing.
func (s *stream) header() error {
	for s.ahead(6) && (hasPrefix(s.buf[s.pos:s.end], "#TYPE ") || hasPrefix(bytes.ToLower(s.buf[s.pos:s.pos+4]), "sep=")) {
		s.skipLine() // what Export-Csv of Windows PowerShell, or Excel, writes first
	}
	var names []string
	var comma byte
	wrapped := false
	n, err := s.row(func(line []byte) (int, error) {
		if !s.eof && bytes.IndexByte(line, '\n') < 0 {
			return 0, scan.ErrShort
		}
		comma = separator(line)
		names = names[:0]
		n, err := cells(line, comma, &s.scratch, func(k int, cell []byte) error {
			if k == maxColumns {
				return errors.New("too many columns")
			}
			names = append(names, string(cell))
			return nil
		})
		if err != nil || n == len(line) && s.eof || s.setHeader(names) == nil {
			return n, err
		}
		// The columns are of no sign-in: those of the first row may hold some.
		wrapped = false
		more, err := cells(line[n:], comma, &s.scratch, func(_ int, cell []byte) error {
			wrapped = wrapped || len(cell) > 1 && startOfJSON(cell) >= 0
			return nil
		})
		if (err == scan.ErrShort || n+more == len(line)) && !s.eof {
			return n, scan.ErrShort
		}
		return n, nil
	})
	if err == nil {
		if s.wrapped = wrapped; !wrapped {
			err = s.setHeader(names)
		}
	}
	if err != nil {
		return err
	}
	s.comma = comma
	s.pos += n
	return nil
}

// unwrapRow searches the cells of a row for sign-ins.
func (s *stream) unwrapRow() {
	var found [][]byte
	n, err := s.row(func(line []byte) (int, error) {
		found = found[:0]
		return cells(line, s.comma, &s.scratch, func(_ int, cell []byte) error {
			if k := startOfJSON(cell); k >= 0 {
				found = append(found, bytes.Clone(cell[k:]))
			}
			return nil
		})
	})
	if err != nil {
		s.fail(err)
		s.skipLine()
		return
	}
	at := s.at
	s.env, s.since = new(envelope), 0
	for _, cell := range found {
		c := s.child(cell, at)
		c.env.source++
		c.searchValue(true)
	}
	met := s.env.met > 0
	s.env = nil
	s.pos += n
	if !met {
		s.at = at
		s.fail(fmt.Errorf("%w: a row of cells, none of which holds one as JSON", errNotSignIn))
	}
}

// readCells is a fn for row. Spreadsheets add empty cells to some rows, and
// leave out empty ones at the end of others: those that nobody wants are not
// missed.
func (s *stream) readCells(line []byte) (int, error) {
	found, empty, more := 0, true, false
	n, err := cells(line, s.comma, &s.scratch, func(k int, cell []byte) error {
		found = k + 1
		empty = empty && len(cell) == 0
		switch {
		case k == 0 && string(cell) == s.firstColumn && len(cell) > 0:
			return errHeader
		case k >= len(s.columns):
			if len(cell) > 0 {
				more = true
			}
		case s.columns[k] != nil:
			return s.cell(s.columns[k], cell)
		}
		return nil
	})
	switch {
	case err != nil:
		return n, err
	case empty:
		return n, errEmptyRow
	case more || found <= s.lastColumn || found < len(s.columns) && line[n-1] != '\n':
		return n, fmt.Errorf("%d cells instead of %d", found, len(s.columns))
	}
	return n, nil
}

// row is one for rows of a table, which end with a line but may hold line
// breaks between quotes.
func (s *stream) row(fn func([]byte) (int, error)) (int, error) {
	s.at = s.base + int64(s.pos)
	for {
		n, err := s.parser.read(fn, s.buf[s.pos:s.end])
		if (err == scan.ErrShort || n == s.end-s.pos) && !s.eof {
			if s.end-s.pos > s.maxRecord {
				return 0, ErrTooLarge
			}
			s.more()
			continue
		}
		if n > s.maxRecord {
			err = ErrTooLarge
		}
		return n, err
	}
}

// separator returns the byte between the cells of a header: a comma, or what
// a spreadsheet may have made of it.
func separator(line []byte) byte {
	if k := bytes.IndexByte(line, '\n'); k >= 0 {
		line = line[:k]
	}
	best := byte(',')
	for _, c := range []byte(";\t") {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{best}) {
			best = c
		}
	}
	return best
}

// cells calls each with the cells of the row at the start of b, and returns
// the length of the row with its line break. A cell is valid until the next
// row; those with quotes inside are put together in scratch.
func cells(b []byte, comma byte, scratch *[]byte, each func(k int, cell []byte) error) (int, error) {
	i := 0
	for k := 0; ; k++ {
		var cell []byte
		if i < len(b) && b[i] == '"' {
			start := len(*scratch)
			from := i + 1
			for {
				n := bytes.IndexByte(b[from:], '"')
				if n < 0 {
					return i, scan.ErrShort
				}
				i = from + n + 1
				if i < len(b) && b[i] == '"' {
					*scratch = append(*scratch, b[from:i]...)
					from = i + 1
					continue
				}
				if cell = b[from : i-1]; len(*scratch) > start {
					*scratch = append(*scratch, cell...)
					cell = (*scratch)[start:]
				}
				break
			}
		} else {
			from := i
			for i < len(b) && b[i] != comma && b[i] != '\n' {
				if b[i] == '"' {
					return i, &scan.SyntaxError{At: i, What: "a quote inside of a cell"}
				}
				i++
			}
			cell = b[from:i]
			if i == len(b) || b[i] == '\n' {
				cell = bytes.TrimSuffix(cell, []byte("\r"))
			}
		}
		if err := each(k, cell); err != nil {
			return i, err
		}
		if i < len(b) && b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n') {
			i++
		}
		switch {
		case i == len(b):
			return i, nil
		case b[i] == '\n':
			return i + 1, nil
		case b[i] != comma:
			return i, scan.Unexpected(b, i, "after a cell")
		}
		i++
	}
}

// setHeader finds out what table this is, and which columns are wanted.
func (s *stream) setHeader(names []string) error {
	var columns []*node
	last, format := 0, UnknownFormat
	known, analytics, audit := 0, false, false
	for _, name := range names {
		audit = audit || name == "AuditData"
	}
	for _, name := range names {
		name = strings.Join(strings.Fields(name), " ")
		name = strings.TrimSuffix(name, " [UTC]")
		w, ok := portalColumns[strings.ToLower(name)]
		if audit {
			w, ok = want{}, name == "AuditData"
			if ok {
				w.members = recordMembers
				known = minColumns
			}
		} else if a, found := recordMembers.find(name); found && a.slot != slotContainer && (!ok || analytics) {
			w, ok = a, true
		}
		analytics = analytics || name == "TimeGenerated"
		if ok {
			known++
		}
		column := s.column(w, name)
		columns = append(columns, column)
		if column != nil {
			last = len(columns) - 1
		}
	}
	switch {
	case known < minColumns && reportKind(names) != UnknownReport:
		return fmt.Errorf("a report of kind %s, which is no log: ReadUsageReport and examples/signins -usage read it", reportKind(names))
	case known < minColumns:
		return fmt.Errorf("%d of %d columns are known", known, len(names))
	case slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "\r") }):
		return errors.New("lines end with a carriage return alone")
	case audit:
		format = UnifiedAuditCSV
	case analytics:
		format = LogAnalyticsCSV
	default:
		format = PortalCSV
	}
	s.columns, s.lastColumn, s.firstColumn, s.table = columns, last, names[0], format
	return nil
}

// cell takes the text of a cell as the value of a column.
func (s *stream) cell(n *node, text []byte) error {
	s.seen |= n.fields
	switch {
	case len(text) == 0:
		s.nulls |= n.fields
		return nil
	case n.dst != nil && *n.dst != "": // the first of two columns with one name
		return nil
	case n.dst != nil && string(text) == n.last:
		*n.dst = n.last
		return nil
	case n.slot.isEnum():
		for k := range n.enums {
			if e := &n.enums[k]; string(text) == e.raw {
				s.setEnum(n.slot, e)
				return nil
			}
		}
		s.enum.raw = ""
		err := s.setText(n, text)
		if err == nil {
			s.keepEnum(n, text)
		}
		return err
	}
	err := s.setText(n, text)
	if n.dst != nil && !n.once && len(*n.dst) <= maxLast {
		n.last = *n.dst
	}
	return err
}
