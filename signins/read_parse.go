package signins

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// Parse returns the sign-in that record holds, as [Read] does: one record of
// any [Format] in JSON, alone or inside whatever a queue or a collector wraps
// it in.
//
// Neither record nor memory that other SignIns use is kept by the result. What
// is learned of the form of records stays for the next call, as long as the
// garbage collector leaves it. Any number of goroutines may call Parse.
//
// It returns an error that wraps [ErrOtherCategory] if record is one of another
// log, and another error if it holds no sign-in or more than one.
func Parse(record []byte) (SignIn, error) {
	if len(record) > defaultMaxRecord {
		return SignIn{}, fmt.Errorf("signins: %w", ErrTooLarge)
	}
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	p.tables = nil
	p.format, p.known, p.columns = UnknownFormat, 0, nil
	if n, err := p.read(p.readRecord, record); err == nil && scan.Space(record, n) == len(record) {
		switch err := p.finish(); {
		case err == nil:
			return p.rec.compact(), nil
		case err == ErrOtherCategory && p.isOther():
			return SignIn{}, fmt.Errorf("signins: %w", err)
		}
	}
	return parseSlowly(p, record)
}

var parsers = sync.Pool{New: func() any { return newParser() }}

// parseSlowly is Parse for a record that is wrapped, or is none.
func parseSlowly(p *parser, record []byte) (found SignIn, err error) {
	n := 0
	s := newStream(new(Reader), p, func(signIn SignIn, failed error) bool {
		if n++; n == 2 {
			found, err = SignIn{}, errors.New("signins: more than one record, which Read can read")
			return false
		}
		found = signIn.compact()
		if e, ok := failed.(*RecordError); ok {
			err = fmt.Errorf("signins: %w", e.Err)
		}
		return true
	})
	s.buf, s.end, s.eof = record[:len(record):len(record)], len(record), true
	if s.startsJSON() {
		s.readParts(true)
	} else if s.skipPrefix() {
		s.prefixed = true
		s.readParts(true)
	}
	if n == 0 {
		err = fmt.Errorf("signins: %w", errNotSignIn)
	}
	return found, err
}

// compact returns a copy of s whose texts share one piece of memory, and none
// with others.
func (s *SignIn) compact() SignIn {
	c := *s
	texts := c.text()
	size := 0
	for _, t := range texts {
		size += len(*t)
	}
	if size == 0 {
		return c
	}
	var b strings.Builder
	b.Grow(size)
	for _, t := range texts {
		b.WriteString(*t)
	}
	all := b.String()
	for _, t := range texts {
		*t, all = all[:len(*t)], all[len(*t):]
	}
	return c
}
