package signins

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// This file finds the records of sign-ins inside of what other programs wrap
// them in: collectors, search engines, queues and batches of requests. It knows
// none of them. It looks at every object, list and JSON text that lies in a
// value which is no sign-in itself, from the outside to the inside and in the
// order of the text, and takes whatever has the members of a sign-in.

const (
	maxEnvelopes = 16      // objects, lists and texts around a record
	maxPrefix    = 4 << 10 // bytes of a line, or of a text, before its JSON
	maxMisses    = 1 << 12 // failures to keep until it is known whether they are any
)

// An envelope is what is known of the value that is being searched.
type envelope struct {
	met    int            // records found, copies of them and records of other logs included
	source int            // counts the objects and texts that records were found in
	ids    map[string]int // of records found, with their source
	misses []*RecordError // failures in lists in which nothing has been found yet
	flush  bool           // they are being yielded
	empty  int            // pages and batches without a record
	cut    bool           // a text began as JSON and ended too early
}

// isCopy reports whether rec was found before, in another member: collectors
// keep a record as text beside what they made of it.
func (e *envelope) isCopy(rec *SignIn) bool {
	if rec.ID == "" {
		return false
	}
	if source, ok := e.ids[rec.ID]; ok {
		return source != e.source
	}
	if e.ids == nil {
		e.ids = make(map[string]int)
	}
	if len(e.ids) < maxMisses {
		e.ids[rec.ID] = e.source
	}
	return false
}

// isMiss keeps err, and returns true, until something is found in the list in
// which it happened: only then was what failed meant to be a sign-in.
func (s *stream) isMiss(err error) bool {
	e := s.env
	switch {
	case e == nil || e.flush:
		return false
	case errors.Is(err, ErrOtherCategory):
		s.flushMisses()
		e.met++
		return false
	case e.met > s.since:
		return false
	}
	if len(e.misses) < maxMisses {
		e.misses = append(e.misses, &RecordError{Offset: s.at, Err: err})
	}
	return true
}

func (s *stream) flushMisses() {
	e, at := s.env, s.at
	e.flush = true
	for _, miss := range e.misses {
		s.at = miss.Offset
		s.fail(miss.Err)
	}
	e.misses = e.misses[:0]
	e.flush = false
	s.at = at
}

// settle takes the n bytes at pos, which have been read as a record, for what
// they are: a sign-in, or a value to be searched for sign-ins, or neither.
func (s *stream) settle(n int) {
	err := s.finish()
	switch {
	case err == nil, err == ErrOtherCategory && s.isOther():
	case err == errNotSignIn || err == ErrOtherCategory:
		at, raw := s.at, s.buf[s.pos:s.pos+n]
		met, why := s.unwrap(raw)
		if met {
			s.pos += n
			return
		}
		s.at = at
		if err == errNotSignIn {
			err = why
		}
	}
	s.pos += n
	s.emit(err)
}

// isOther reports whether the record just read is for sure one of another log,
// and not an envelope with a member or two of the same name.
func (p *parser) isOther() bool {
	switch seen := p.seen; {
	case seen&markUnified != 0:
		return p.kind != 0 && p.otherText(slotOperation) != ""
	case p.rec.Category == otherCategory:
		return seen&markProperties != 0 || seen&markAnalytics != 0
	}
	return false
}

// isEvident reports whether the object just read is a sign-in although nothing
// says that there are any in what it lies in: one member of theirs is chance.
// Unified audit's records say what they are.
func (p *parser) isEvident() bool {
	return p.seen&markUnified != 0 || bits.OnesCount64(uint64(p.seen&signInFields)) >= 2
}

// unwrap searches raw, an object that is no sign-in. If it finds none either,
// it says what kind of object it is.
func (s *stream) unwrap(raw []byte) (met bool, why error) {
	if s.depth >= maxEnvelopes {
		return false, errNotSignIn
	}
	if s.env == nil {
		s.env, s.since = new(envelope), 0
		defer func() { s.env = nil }()
	}
	before := s.env.met + s.env.empty
	child := s.child(raw, s.base+int64(s.pos))
	child.search(true)
	if s.env.met+s.env.empty > before {
		return true, nil
	}
	return false, describe(raw, s.env.cut)
}

// child returns a stream of text that lies in s, from which it inherits what
// is known so far, and to which it yields.
func (s *stream) child(text []byte, base int64) *stream {
	c := &stream{
		parser: s.parser, maxRecord: s.maxRecord, maxErrors: s.maxErrors,
		buf: text[:len(text):len(text)], end: len(text), base: base, eof: true,
		env: s.env, depth: s.depth, since: s.since,
	}
	c.yield = func(signIn SignIn, err error) bool {
		if e, ok := err.(*RecordError); ok {
			s.at = e.Offset
			s.fail(e.Err)
		} else {
			s.pass(signIn)
		}
		return !s.stopped
	}
	return c
}

// search looks for sign-ins in the object or list at pos, which is none itself,
// and goes behind it. It returns false if that cannot be read to its end.
func (s *stream) search(multi bool) bool {
	s.depth++
	defer func() { s.depth-- }()
	list := s.buf[s.pos] == '['
	if list {
		misses, before := len(s.env.misses), s.env.met
		since := s.since
		s.since = before
		defer func() {
			s.since = since
			if s.env.met == before { // what failed in here was not meant to be a sign-in
				s.env.misses = s.env.misses[:min(misses, len(s.env.misses))]
			}
		}()
	}
	s.pos++
	for !s.stopped {
		newline := s.space()
		if s.pos == s.end || newline && !multi {
			return false
		}
		switch c := s.buf[s.pos]; {
		case c == '}' && !list, c == ']' && list:
			s.pos++
			return true
		case c == ',':
			s.pos++
			continue
		}
		if list {
			s.env.ids = nil // its elements have nothing to do with each other
		} else if _, err := s.key(multi); err != nil {
			return false
		}
		met, at, isObject := s.env.met+s.env.empty, s.base+int64(s.pos), s.buf[s.pos] == '{'
		if !s.searchValue(multi) {
			return false
		}
		if list && isObject && s.env.met+s.env.empty == met && !s.stopped {
			s.at = at
			s.fail(errNotSignIn)
		}
	}
	return false
}

// searchValue is search for a value that has not been looked at.
func (s *stream) searchValue(multi bool) bool {
	if s.depth >= maxEnvelopes {
		return s.skipValue(multi)
	}
	switch s.buf[s.pos] {
	case '{':
		return s.searchObject(multi)
	case '[':
		return s.search(multi)
	case '"':
		n, err := s.one(multi, func(b []byte) (int, error) { return scan.Skip(b, 0) })
		if err == nil {
			s.searchText(s.buf[s.pos+1:s.pos+n-1], s.base+int64(s.pos))
			s.pos += n
			return true
		}
	}
	return s.skipValue(multi)
}

// searchObject is search for an object that may be a sign-in itself.
func (s *stream) searchObject(multi bool) bool {
	format, known := s.format, s.known
	defer func() { s.format, s.known = format, known }()
	s.format, s.known = UnknownFormat, 0
	n, err := s.one(multi, s.readRecord)
	switch {
	case err == errContainer:
		s.env.source++
		s.depth++
		defer func() { s.depth-- }()
		return s.container(multi, false)
	case err == nil:
		switch err := s.finish(); {
		case err == nil && s.isEvident():
			s.env.source++
			s.emit(nil)
			s.pos += n
			return true
		case err == ErrOtherCategory && s.isOther():
			s.emit(err)
			s.pos += n
			return true
		}
	case err != ErrTooLarge:
		if err == scan.ErrShort {
			s.env.cut = true
		}
		return false
	}
	return s.search(multi)
}

// searchText looks for sign-ins in the text of a string, as written between its
// quotes: JSON, JSON behind a prefix such as syslog's, or JSON as base64.
func (s *stream) searchText(raw []byte, at int64) {
	if s.depth >= maxEnvelopes {
		return
	}
	var text []byte
	switch {
	case bytes.IndexByte(raw, '{') >= 0:
		// Quotes inside of a string are written as \" or, by some, as \u0022.
		if !bytes.Contains(raw, []byte(`\"`)) && !bytes.Contains(raw, []byte(`\u0022`)) {
			return
		}
		quoted := append(raw[:len(raw):len(raw)], '"')
		var err error
		if text, _, err = scan.Unquote(make([]byte, 0, len(raw)), quoted, 0); err != nil {
			return
		}
	case len(raw) >= 64 && (hasPrefix(raw, "ey") || hasPrefix(raw, "ew") || hasPrefix(raw, "W3") || hasPrefix(raw, "Ww")): // {" or [{
		plain, err := base64.StdEncoding.DecodeString(string(raw))
		if err != nil {
			return
		}
		text = plain
	default:
		return
	}
	start := startOfJSON(text)
	if start < 0 {
		return
	}
	c := s.child(text[start:], at)
	c.env.source++
	for !c.stopped {
		if c.space(); c.pos == c.end {
			return
		}
		switch c.buf[c.pos] {
		case '{', '[':
			if !c.searchValue(true) {
				return
			}
		case ',':
			c.pos++
		default:
			return
		}
	}
}

// startOfJSON returns where in text an object, or a list of objects, begins, or
// -1 if there is none near its start.
func startOfJSON(text []byte) int {
	if i := scan.Space(text, 0); i < len(text) && (text[i] == '{' || text[i] == '[') {
		return i
	}
	near := text[:min(len(text), maxPrefix)]
	k := bytes.Index(near, []byte(`{"`))
	if k > 0 && near[k-1] == '[' {
		k--
	}
	return k
}

// describe says of an object that holds no sign-in what it holds instead.
func describe(raw []byte, cut bool) error {
	var names []string
	var text, object string
	longest := 0
	more := 0
	for i := scan.Space(raw, 1); i < len(raw) && raw[i] == '"'; {
		name, end, err := scan.Unquote(nil, raw, i+1)
		if i = scan.Space(raw, end); err != nil || i >= len(raw) || raw[i] != ':' {
			break
		}
		i = scan.Space(raw, i+1)
		if end, err = scan.Skip(raw, i); err != nil {
			break
		}
		if len(names) < 5 {
			names = append(names, strconv.Quote(cut40(string(name))))
		} else {
			more++
		}
		switch c := raw[i]; {
		case c == '{' || c == '[':
			object = cut40(string(name))
		case c == '"' && end-i > longest && end-i > 64:
			text, longest = cut40(string(name)), end-i
		}
		if i = scan.Space(raw, end); i < len(raw) && raw[i] == ',' {
			i = scan.Space(raw, i+1)
		}
	}
	if object == "" && text == "" && len(names) < 2 {
		return errNotSignIn
	}
	what := "an object with the members " + strings.Join(names, ", ")
	if more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	switch {
	case cut:
		what += ", whose JSON text ends too early: unwrap the sign-ins from an export that does not cut them"
	case text != "":
		what += fmt.Sprintf("; if the text of %q is a record, unwrap it into a file of its own, as JSON", text)
	case object != "":
		what += fmt.Sprintf("; neither it nor %q is a sign-in's record: unwrap the records, one a line, with the member names of Microsoft Graph or Azure Monitor", object)
	}
	return fmt.Errorf("%w: %s", errNotSignIn, what)
}

func cut40(s string) string { return fmt.Sprintf("%.40s", s) }

// searchLarge searches an object at pos that is too large for a record, a
// piece at a time.
func (s *stream) searchLarge(multi bool) {
	at := s.at
	s.env, s.since = new(envelope), 0
	whole := s.search(multi)
	met := s.env.met > 0
	s.env = nil
	if !met {
		s.at = at
		s.fail(ErrTooLarge)
	}
	switch {
	case whole, s.pos > 0 && s.buf[s.pos-1] == '\n', s.pos == s.end && !s.ahead(1):
	case s.buf[s.pos] == '\n' || !s.nextInLine():
		s.nextTop(multi)
	}
}

// skipPrefix goes to the object in the line at pos, behind what a collector has
// written before it. It returns false, and stays, if there is none.
func (s *stream) skipPrefix() bool {
	for !s.findNewline() && !s.eof && s.end-s.pos < maxPrefix {
		s.more()
	}
	line := s.buf[s.pos:min(s.newline, s.pos+maxPrefix)]
	k := bytes.Index(line, []byte(`{"`))
	if k < 0 {
		return false
	}
	s.pos += k
	return true
}

// refused names forms of a log that cannot be read, and what to do instead.
func (s *stream) refused() error {
	start := s.buf[s.pos:min(s.end, s.pos+maxPrefix)]
	const instead = "export the sign-ins again, with ConvertTo-Json -Depth 10"
	switch {
	case hasPrefix(start, "<Objs "), bytes.Contains(start, []byte("<Objs ")):
		return errors.New("this is CLIXML, as PowerShell's Export-Clixml writes it: " + instead)
	case hasPrefix(start, "<"):
		return errors.New("this is XML: " + instead + ", or download JSON")
	case hasPrefix(start, "PK\x03\x04"):
		return errors.New("this is a zip archive or a workbook: unpack it, or save its sheet as CSV")
	}
	name, _, ok := bytes.Cut(start, []byte(" : "))
	if w, known := recordMembers.find(string(bytes.TrimSpace(name))); ok && known && w.slot != slotContainer {
		return errors.New("this is a list, as PowerShell's Format-List writes it: " + instead)
	}
	if fields := bytes.Fields(start); len(fields) > 1 && !bytes.ContainsAny(start[:max(0, bytes.IndexByte(start, '\n'))], ",;\t") {
		if _, known := recordMembers.find(string(fields[0])); known {
			if _, known = recordMembers.find(string(fields[1])); known {
				return errors.New("this is a table, as PowerShell's Format-Table writes it: " + instead)
			}
		}
	}
	return nil
}
