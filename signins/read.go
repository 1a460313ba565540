package signins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// Read reads sign-ins from r with the settings of the zero [Reader].
func Read(r io.Reader) iter.Seq2[SignIn, error] { return new(Reader).Read(r) }

// ReadFiles reads all files of fsys, or those with the names, with the settings
// of the zero [Reader].
func ReadFiles(ctx context.Context, fsys fs.FS, names ...string) iter.Seq2[SignIn, error] {
	return new(Reader).ReadFiles(ctx, fsys, names...)
}

// A Reader holds the settings of reading. The zero value is ready to use, and
// one Reader may serve many goroutines.
type Reader struct {
	// MaxRecord bounds the size of one record in bytes. If 0, it is 16 MiB.
	// A larger record is skipped, with an error that wraps [ErrTooLarge].
	MaxRecord int

	// MaxErrors bounds the number of unreadable records in a row, after which
	// a file is given up with an error that wraps [ErrNotLog]. If 0, it is 100.
	MaxErrors int

	// Workers is how many goroutines ReadFiles reads with, besides the one
	// that ranges over the sequence. If 0, it is GOMAXPROCS. Read uses none.
	Workers int

	// Tables hold the names of error codes that unified audit has in place of
	// numbers. If nil, the embedded ones do.
	Tables *Tables

	// Progress, if not nil, is called from time to time, and once at the end
	// of each file, always by the goroutine that ranges over the sequence.
	Progress func(Progress)
}

// Progress tells how far reading has come.
type Progress struct {
	File    string // name of the file being read, if known
	Bytes   int64  // read so far in all files, as stored (before decompression)
	Records int64  // met so far, readable or not
	Errors  int64  // could not be read, of these
}

// A RecordError reports a record that is not yielded as a SignIn, and why.
// Reading goes on after it, if only with the next file. An error of any other
// type ends the sequence: the input could not be read, or the context ended.
type RecordError struct {
	File   string // as in the file system; "" when reading from an io.Reader
	Record int64  // counted from 1, within the file; 0 if it is not about one record
	Offset int64  // of the record's first byte, in the file after decompression
	Rest   bool   // the file could not be read from Offset on, so that more than this record is missing
	Err    error
}

// Error names the place and what was wrong there, in one line.
func (e *RecordError) Error() string {
	name := e.File
	if name == "" {
		name = "input"
	}
	if e.Record == 0 {
		return fmt.Sprintf("signins: %s: %v", name, e.Err)
	}
	return fmt.Sprintf("signins: %s: record %d at byte %d: %v", name, e.Record, e.Offset, e.Err)
}

// Unwrap returns e.Err.
func (e *RecordError) Unwrap() error { return e.Err }

// What a [RecordError] may wrap. Other causes have no name of their own.
var (
	// ErrOtherCategory: a healthy record of another log, as in an event hub
	// that several logs share. It is not malformed.
	ErrOtherCategory = errors.New("not a sign-in log's record")

	// ErrDuplicate: another copy of an event that has been, or will be,
	// yielded. Only [Dedupe] yields it.
	ErrDuplicate = errors.New("another copy of the same event")

	// ErrTooLarge: the record exceeds Reader.MaxRecord.
	ErrTooLarge = errors.New("record is too large")

	// ErrNotLog: the input was given up, since too many records in a row
	// could not be read, or the first bytes are of no known format.
	ErrNotLog = errors.New("not a sign-in log")
)

// Read yields the sign-ins of src, in the order in which they lie there, using
// memory that does not grow with their number. It tells the format from the
// bytes: any [Format], in UTF-8 or UTF-16, plain or compressed by gzip or
// Zstandard, several pages, batches, files or compressed members one after the
// other included.
//
// A record that cannot be read, or is none of a sign-in, yields a
// [RecordError]. If src fails, its error comes last. The sequence can be
// ranged over once, and works in the goroutine that does so.
func (r *Reader) Read(src io.Reader) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		s := newStream(r, newParser(), yield)
		if r.Progress != nil {
			src = &meter{src: src, each: func(n int64) {
				r.Progress(Progress{Bytes: n, Records: s.records, Errors: s.errors})
			}}
		}
		plain, err := decompress(src, 1)
		if err != nil {
			yield(SignIn{}, fmt.Errorf("signins: %w", err))
			return
		}
		defer plain.Close()
		s.src = plain
		s.read()
		if s.err != nil && !s.stopped {
			yield(SignIn{}, fmt.Errorf("signins: at byte %d: %w", s.base+int64(s.end), s.err))
		}
	}
}

const (
	startBuffer      = 256 << 10
	defaultMaxRecord = 16 << 20
	defaultMaxErrors = 100
)

// A stream finds the records in a sequence of bytes.
type stream struct {
	*parser
	maxRecord int
	maxErrors int
	src       io.Reader // nil if all is in buf
	yield     func(SignIn, error) bool

	buf      []byte
	pos, end int   // what of buf is still to be read
	base     int64 // offset of buf[0] in the whole
	at       int64 // offset of the record being read
	newline  int   // no line break in buf[pos:newline]; one at newline if it is below end
	eof      bool
	err      error // why src ended, if not at its end

	comma       byte   // between the cells of a table in CSV
	firstColumn string // its name
	lastColumn  int    // of those that somebody wants
	table       Format

	env   *envelope // what is being searched for records, or nil
	since int       // what env.met was at the start of the list that is being read
	depth int       // of what is being read, in objects and lists

	page *pageOf // of a page that is read alone, or nil

	prefixed bool // lines begin with something before their JSON
	wrapped  bool // cells of the table being read are JSON

	lines   bool  // a record has been found to end in the line that it began in
	records int64 // yielded or failed
	errors  int64 // failed, of these
	inARow  int   // failed since the last success
	stopped bool  // by the consumer, or for too many errors
}

func newStream(r *Reader, p *parser, yield func(SignIn, error) bool) *stream {
	p.tables = r.Tables
	s := &stream{parser: p, maxRecord: r.MaxRecord, maxErrors: r.MaxErrors, yield: yield}
	if s.maxRecord <= 0 {
		s.maxRecord = defaultMaxRecord
	}
	if s.maxErrors <= 0 {
		s.maxErrors = defaultMaxErrors
	}
	return s
}

// bom is the mark that files in UTF-8 may begin with.
const bom = "\xef\xbb\xbf"

// read reads everything.
func (s *stream) read() {
	s.ahead(3)
	if start := s.buf[s.pos:s.end]; hasPrefix(start, "\xff\xfe") || hasPrefix(start, "\xfe\xff") {
		// Windows PowerShell writes UTF-16. Offsets are then those in UTF-8.
		decoder := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		s.src = transform.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(start)), s.src), decoder)
		s.pos, s.end = 0, 0
		s.eof = false
	}
	s.readParts(s.startsJSON())
}

// readParts reads what may be several files one after the other, of different
// kinds even.
func (s *stream) readParts(isJSON bool) {
	for !s.stopped && s.ahead(1) {
		if isJSON {
			s.readJSON()
		} else if err := s.header(); err == nil {
			s.readRows()
		} else if refused := s.refused(); refused != nil {
			s.failHere(fmt.Errorf("%w: %w", ErrNotLog, refused))
			s.stopped = true
		} else if s.skipPrefix() {
			s.prefixed = true
			s.readJSON()
		} else {
			s.fail(fmt.Errorf("%w: %w", ErrNotLog, err))
			s.stopped = true
		}
		isJSON = s.startsJSON()
	}
}

// atBOM reports whether a byte-order mark is at pos, where there is a byte.
func (s *stream) atBOM() bool {
	return s.buf[s.pos] == bom[0] && s.ahead(len(bom)) && hasPrefix(s.buf[s.pos:s.end], bom)
}

// startsJSON skips byte-order marks and empty lines, and reports whether a
// bracket comes next.
func (s *stream) startsJSON() bool {
	tabs := 0 // which indent what follows, or are the empty cells of a table
	for s.ahead(tabs + 1) {
		switch c := s.buf[s.pos+tabs]; {
		case c == '\t' && tabs < maxBlanks:
			tabs++
		case c == ' ' || c == '\r' || c == '\n':
			s.pos += tabs + 1
			tabs = 0
		case tabs == 0 && s.atBOM():
			s.pos += len(bom)
		default:
			return c == '{' || c == '['
		}
	}
	s.pos = s.end
	return false
}

// maxBlanks bounds how far to look for what comes after some blanks.
const maxBlanks = 4096

// readJSON reads JSON values, one after the other, up to a byte-order mark.
func (s *stream) readJSON() {
	for !s.stopped {
		if s.space(); s.pos == s.end || s.atBOM() {
			return
		}
		s.format, s.known = UnknownFormat, 0
		multi := s.multiline()
		switch s.buf[s.pos] {
		case '{':
			n, err := s.one(multi, s.readRecord)
			switch err {
			case nil:
				s.settle(n)
			case errContainer:
				s.container(multi, false)
			case ErrTooLarge:
				s.searchLarge(multi)
			default:
				s.fail(err)
				if !s.nextInLine() {
					s.nextTop(multi)
				}
			}
		case '[':
			s.format = PortalJSON
			s.elements(multi, s.readRecord, true)
		default:
			if s.prefixed {
				if !s.skipPrefix() {
					if s.pos == 0 || s.buf[s.pos-1] == '\n' {
						s.failHere(errors.New("a line without JSON"))
					}
					s.skipLine()
				}
				continue
			}
			if s.header() == nil {
				s.readRows()
				continue
			}
			s.failHere(scan.Unexpected(s.buf[s.pos:], 0, "instead of a record"))
			s.nextTop(false)
		}
	}
}

// one reads the value at pos by way of fn, and returns its length. A value
// whose first bracket ends its line may span lines; any other has to end in
// its line, so that a torn line cannot take the next one with it.
func (s *stream) one(multi bool, fn func([]byte) (int, error)) (int, error) {
	s.at = s.base + int64(s.pos)
	for {
		limit, whole := s.end, s.eof
		if !multi && s.findNewline() {
			limit, whole = s.newline, true
		}
		n, err := s.parser.read(fn, s.buf[s.pos:limit])
		switch {
		case err == nil && n > s.maxRecord:
			return 0, ErrTooLarge
		case err == nil:
			s.lines = s.lines || !multi
		case err == scan.ErrShort && !whole:
			if s.end-s.pos > s.maxRecord {
				return 0, ErrTooLarge
			}
			s.more()
			continue
		case err == scan.ErrShort && !multi && !s.lines && limit < s.end:
			multi = true // perhaps a printer with a style of its own
			continue
		}
		return n, err
	}
}

// container reads an object that holds records: a page of Graph's, an event
// hub's batch, a table of Log Analytics or of Defender. A table holds no
// tables: so this calls itself once at most.
func (s *stream) container(multi, isTable bool) bool {
	s.pos++
	for !s.stopped {
		newline := s.space()
		multi = newline || multi
		if s.pos == s.end {
			s.failHere(scan.ErrShort)
			return false
		}
		switch s.buf[s.pos] {
		case '}':
			s.pos++
			return true
		case ',':
			s.pos++
			continue
		case '{', '[', bom[0]:
			if newline || s.atBOM() { // of something new, after a torn line
				s.failHere(scan.ErrShort)
				return false
			}
		}
		key, err := s.key(multi)
		if err != nil {
			s.fail(err)
			s.nextTop(multi)
			return false
		}
		ok := true
		switch list := s.buf[s.pos] == '['; {
		case s.page != nil && s.depth == 0 && (key == "@odata.nextLink" || key == "error"):
			n, err := s.one(multi, func(b []byte) (int, error) { return scan.Skip(b, 0) })
			if err != nil {
				s.fail(err)
				return false
			}
			s.page.member(key, s.buf[s.pos:s.pos+n])
			s.pos += n
		case list && key == "value" && s.page != nil && s.depth == 0:
			s.page.hasValue = true
			ok = s.elements(multi, s.readRecord, true)
		case list && key == "value", list && strings.EqualFold(key, "results"):
			ok = s.elements(multi, s.readRecord, true)
		case list && key == "records":
			s.format = EventHub
			ok = s.elements(multi, s.readRecord, true)
		case list && key == "tables" && !isTable:
			ok = s.tables(multi)
		case list && key == "rows":
			s.format = LogAnalytics
			ok = s.elements(multi, s.readRow, false)
		case key == "columns", key == "@odata.context":
			n, err := s.one(multi, func(b []byte) (int, error) { return scan.Skip(b, 0) })
			if err != nil {
				s.fail(err)
				s.nextTop(multi)
				return false
			}
			if key == "columns" {
				s.setColumns(s.buf[s.pos : s.pos+n])
			} else {
				s.setContext(s.buf[s.pos : s.pos+n])
			}
			s.pos += n
		default:
			if ok = s.skipValue(multi); !ok {
				s.failHere(scan.ErrShort)
			}
		}
		if !ok {
			return false
		}
	}
	return false
}

// key reads a key and a colon, and goes to the value behind them.
func (s *stream) key(multi bool) (key string, err error) {
	n, err := s.one(multi, func(b []byte) (int, error) {
		if b[0] != '"' {
			return 0, scan.Unexpected(b, 0, "instead of a key")
		}
		text, i, err := scan.Unquote(nil, b, 1)
		if err == nil && scan.Space(b, i) == len(b) {
			err = scan.ErrShort
		}
		if err != nil {
			return i, err
		}
		if i = scan.Space(b, i); b[i] != ':' {
			return i, scan.Unexpected(b, i, "after a key")
		}
		if i = scan.Space(b, i+1); i == len(b) {
			return i, scan.ErrShort
		}
		key = string(text)
		return i, nil
	})
	if err == nil {
		s.pos += n
	}
	return key, err
}

// tables reads the list of tables of a Log Analytics answer.
func (s *stream) tables(multi bool) bool {
	s.pos++
	for !s.stopped {
		multi = s.space() || multi
		if s.pos == s.end {
			s.failHere(scan.ErrShort)
			return false
		}
		switch s.buf[s.pos] {
		case ']':
			s.pos++
			return true
		case ',':
			s.pos++
		case '{':
			if !s.container(multi, true) {
				return false
			}
		default:
			s.failHere(scan.Unexpected(s.buf[s.pos:], 0, "in a list of tables"))
			s.nextTop(multi)
			return false
		}
	}
	return false
}

// setContext takes what a page of Graph's says of itself.
func (s *stream) setContext(raw []byte) {
	switch context := string(raw); {
	case strings.Contains(context, "/v1.0/"):
		s.format = GraphV1
	case strings.Contains(context, "/beta/"):
		s.format = GraphBeta
	}
	if bytes.Contains(raw, []byte("signIns(")) { // $select was used
		s.known = allFields
	}
}

// setColumns takes the columns of a table of Log Analytics.
func (s *stream) setColumns(raw []byte) {
	var columns []struct {
		Name any `json:"name"`
	}
	s.columns = s.columns[:0]
	if json.Unmarshal(raw, &columns) != nil {
		return
	}
	for _, c := range columns {
		name, _ := c.Name.(string)
		w := recordMembers.exact[name]
		s.columns = append(s.columns, s.column(w, name))
	}
}

// column returns the node of a column, or nil if nobody wants it.
func (p *parser) column(w want, name string) *node {
	if w.slot == slotSkip && w.members == nil || w.slot == slotContainer {
		return nil
	}
	return p.newNode(name, w)
}

// readRow reads a row of a table: the values of its columns, in an array.
func (s *stream) readRow(b []byte) (int, error) {
	if b[0] != '[' {
		return 0, scan.Unexpected(b, 0, "instead of a row")
	}
	i := scan.Space(b, 1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for k := 0; ; k++ {
		var err error
		i = scan.Space(b, i)
		if k < len(s.columns) && s.columns[k] != nil {
			s.seen |= s.columns[k].fields
			i, err = s.value(s.columns[k], b, i)
		} else {
			i, err = scan.Skip(b, i)
		}
		if err != nil {
			return i, err
		}
		if i = scan.Space(b, i); i == len(b) {
			return i, scan.ErrShort
		}
		switch b[i] {
		case ',':
			i++
		case ']':
			return i + 1, nil
		default:
			return i, scan.Unexpected(b, i, "in a row")
		}
	}
}

// elements reads an array of records by way of fn. It returns false if the
// array, and what it lies in, cannot be read to its end.
//
// Elements may be lists of records themselves if nested is set, as when a
// program has put the pages or files of a log into one list.
func (s *stream) elements(multi bool, fn func([]byte) (int, error), nested bool) bool {
	s.pos++
	format, known := s.format, s.known
	for first := true; !s.stopped; first = false {
		multi = s.space() || multi
		if s.pos == s.end {
			s.failHere(scan.ErrShort)
			return false
		}
		switch s.buf[s.pos] {
		case ']':
			s.pos++
			if first && s.env != nil {
				s.env.empty++
			}
			return true
		case ',':
			s.pos++
			continue
		case bom[0]:
			if s.atBOM() {
				s.failHere(scan.ErrShort)
				return false
			}
		}
		s.format, s.known = format, known
		tall := s.multiline()
		n, err := s.one(tall, fn)
		if err == nil {
			s.settle(n)
			continue
		}
		if s.depth < maxEnvelopes && (err == errContainer || nested && s.buf[s.pos] == '[') { // pages, or lists, in a list
			s.depth++
			ok := false
			if err == errContainer {
				ok = s.container(tall, false)
			} else {
				ok = s.elements(multi || tall, fn, nested)
			}
			s.depth--
			if !ok {
				return false
			}
			continue
		}
		if err == errContainer {
			err = errNotSignIn
		}
		s.fail(err)
		if !s.skipElement(multi, tall) {
			return false
		}
	}
	return false
}

// skipElement goes behind an element that could not be read. It returns false
// if the array has been left.
func (s *stream) skipElement(multi, tall bool) bool {
	if tall {
		return s.skipValue(true)
	}
	return s.skipValue(false) || multi
}

// emit yields the record that has been read, or why it is none.
func (s *stream) emit(err error) {
	if err != nil {
		s.fail(err)
		return
	}
	s.pass(s.rec)
}

// pass yields a record.
func (s *stream) pass(rec SignIn) {
	if s.env != nil {
		s.flushMisses()
		s.env.met++
		if s.env.isCopy(&rec) {
			return
		}
	}
	s.records++
	s.inARow = 0
	if !s.yield(rec, nil) {
		s.stopped = true
	}
}

// fail yields the reason why the record that begins at s.at was not read.
func (s *stream) fail(err error) {
	if s.stopped || err == scan.ErrShort && s.err != nil { // s.err comes last, and tells all
		return
	}
	if s.isMiss(err) {
		return
	}
	s.records++
	if err == scan.ErrShort {
		err = errors.New("unexpected end of the record")
	}
	if err != ErrOtherCategory {
		s.errors++
		s.inARow++
	}
	if !s.yield(SignIn{}, &RecordError{Record: s.records, Offset: s.at, Err: err}) {
		s.stopped = true
	} else if s.inARow >= s.maxErrors {
		err := fmt.Errorf("%w: %d records in a row cannot be read", ErrNotLog, s.inARow)
		s.yield(SignIn{}, &RecordError{Record: s.records, Offset: s.at, Err: err})
		s.stopped = true
	}
}

// failHere is fail at pos.
func (s *stream) failHere(err error) {
	s.at = s.base + int64(s.pos)
	s.fail(err)
}

// more reads more bytes, moving what is unread to the front of buf.
func (s *stream) more() {
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.base += int64(s.pos)
		s.end -= s.pos
		s.newline = max(0, s.newline-s.pos)
		s.pos = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, max(startBuffer, len(s.buf)))...)
	}
	// A reader that gives little at a time must not have a long record tried
	// again for each bit of it.
	enough := s.end + 1 + min(s.end, startBuffer)/4
	for idle := 0; s.end < min(enough, len(s.buf)); {
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		if err == nil && n == 0 {
			if idle++; idle == 100 {
				err = io.ErrNoProgress
			}
		}
		if err != nil {
			s.eof = true
			if err != io.EOF {
				s.err = err
			}
			return
		}
	}
}

// ahead reports whether there are n bytes to come.
func (s *stream) ahead(n int) bool {
	for s.end-s.pos < n && !s.eof {
		s.more()
	}
	return s.end-s.pos >= n
}

// space skips blanks and reports whether a line ended among them.
func (s *stream) space() (newline bool) {
	for s.ahead(1) {
		switch s.buf[s.pos] {
		case '\n':
			newline = true
		case ' ', '\t', '\r':
		default:
			return newline
		}
		s.pos++
	}
	return newline
}

// multiline reports whether at pos is a bracket that ends its line.
func (s *stream) multiline() bool {
	if c := s.buf[s.pos]; c != '{' && c != '[' {
		return false
	}
	for n := 1; n <= maxBlanks && s.ahead(n+1); n++ {
		switch s.buf[s.pos+n] {
		case '\n':
			return true
		case ' ', '\t', '\r':
		default:
			return false
		}
	}
	return false
}

// findNewline sets newline to the end of the line, if that is in buf.
func (s *stream) findNewline() bool {
	s.newline = max(s.newline, s.pos)
	if k := bytes.IndexByte(s.buf[s.newline:s.end], '\n'); k >= 0 {
		s.newline += k
		return true
	}
	s.newline = s.end
	return false
}

// nextInLine goes to the next record of Azure Monitor's in the line at pos, if
// there is one. It is there if what lies in storage, where last lines are
// torn, is put together without a line break.
func (s *stream) nextInLine() bool {
	for !s.findNewline() && !s.eof && s.end-s.pos < s.maxRecord {
		s.more()
	}
	line := s.buf[s.pos+1 : min(s.newline, s.pos+s.maxRecord)]
	k := bytes.Index(line, []byte(`{"time":`))
	if k >= 0 {
		s.pos += 1 + k
	}
	return k >= 0
}

// skipLine goes to the beginning of the next line.
func (s *stream) skipLine() {
	for s.ahead(1) {
		if s.findNewline() {
			s.pos = s.newline + 1
			return
		}
		s.pos = s.end
	}
}

// nextTop goes to where a page, batch or record may begin: to the next line,
// and if what failed spans lines, to one that starts with a bracket.
func (s *stream) nextTop(multi bool) {
	for s.ahead(1) {
		s.skipLine()
		if !multi || s.ahead(1) && (s.buf[s.pos] == '{' || s.buf[s.pos] == '[' || s.atBOM()) {
			return
		}
	}
}

// skipValue goes behind the value at pos, whatever its size, by its brackets
// and quotes alone. It returns false if it met the end of the line, which it
// ignores if multi is set, or of the input.
func (s *stream) skipValue(multi bool) bool {
	depth, quoted, escaped := 0, false, false
	for first := true; s.ahead(1); first = false {
		c := s.buf[s.pos]
		if c == '\n' && !multi {
			return false
		}
		s.pos++
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return true
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return true
			}
			if depth < 0 {
				if !first {
					s.pos-- // the value was a number or a word
				}
				return true
			}
		case c == ',' && depth == 0:
			s.pos--
			return true
		}
	}
	return false
}
