package signins

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// This file is a JSON parser for records that look like the record before.
//
// For every member that is wanted it remembers the text which came between
// its value and the next wanted value: brackets, keys, and whole members that
// nobody wants and whose values did not change. If the same text follows
// again, one comparison takes the parser to the next value. If it does not,
// follow walks the text by the grammar and remembers what it finds. Unwanted
// values that turn out to vary become stops like the wanted ones, and are
// skipped there with bytes.IndexByte.
//
// What is remembered was once read by the grammar, in the same place, so
// prediction changes the speed and never the result.
//
// Values that are wanted are read by the rules of RFC 8259, and their
// containers too. In values that are skipped, only strings and brackets are
// followed: brackets need to balance but not to match in kind, and escapes,
// control characters, numbers, words and the order of commas and colons are
// not checked. Members that only stand in for others are skipped too, until
// they are needed.

// A node is a place in a record: a member of an object that was seen there.
type node struct {
	edge           // the one followed last
	dst    *string // where its text is put, if it is a text
	last   string  // unwanted: the raw text seen; wanted: the value seen, if its raw text is the same
	want           // what to do with the value
	varies bool    // unwanted, but seen with different values
	list   bool    // an unwanted array, which has a kid for each element
	listed bool    // somewhere in such an array
	index  int     // in the array

	others []edge
	names  []seenName
	enums  []seenEnum
	victim int // which of others or enums to replace next

	parent *node // the object or array that this is in; nil for a root
	key    string
	kids   []*node
	next   int   // where in kids to look first
	sub    *node // the root of a value that is read by itself
}

// An edge is a text that was seen between a value and the next one.
type edge struct {
	text string
	to   *node  // nil at the end of the record
	seen Fields // of the members in text and of to
}

// A seenName is an entry of a node's table of repeating values.
type seenName struct {
	hash uint64
	text string // empty until hash is seen for the second time
}

// A seenEnum is a value of a member with few values.
type seenEnum struct {
	raw  string // as in the record
	text string // of methods and their details
	code uint8
}

const (
	maxOthers = 5 // edges besides the one followed last
	maxEnums  = 8
	maxLast   = 256     // longest raw value to remember
	namesKept = 256     // repeating values to remember for each place
	maxKids   = 256     // unwanted members to remember for each object
	maxList   = 64      // elements to remember for each unwanted array
	maxText   = 8 << 10 // longest edge
	maxMemory = 1 << 20 // bytes remembered, after which all is forgotten
)

var (
	// errList: an unwanted list is no valid JSON, which needs another reading.
	errList = errors.New("invalid list")
	// errContainer: not a record but a page, batch or table of records.
	errContainer = errors.New("a container")
)

// read reads a record at the start of b by way of fn, and returns its length.
//
// What is remembered leads into unwanted lists, where only valid JSON can be
// followed. If there is something else in one, the record is read once more,
// with nothing remembered and such lists skipped as a whole.
func (p *parser) read(fn func([]byte) (int, error), b []byte) (int, error) {
	p.reset()
	n, err := fn(b)
	if err == errList {
		p.reset()
		p.noLists = true
		kept := p.record
		p.record = p.newNode("", kept.want)
		n, err = fn(b)
		p.record = kept
		p.noLists = false
	}
	return n, err
}

// readRecord is a fn for read.
func (p *parser) readRecord(b []byte) (int, error) { return p.run(p.record, b) }

// run reads the value at the start of b as root says, into p.rec, and returns
// its length.
func (p *parser) run(root *node, b []byte) (int, error) {
	at, i := root, 0
	for {
		var to *node
		if at.text != "" && hasPrefix(b[i:], at.text) {
			i += len(at.text)
			p.seen |= at.seen
			to = at.to
		} else {
			var err error
			if to, i, err = p.follow(at, b, i); err != nil {
				return i, err
			}
		}
		if to == nil {
			return i, nil
		}
		var err error
		if i, err = p.value(to, b, i); err != nil {
			if to.listed && err != scan.ErrShort {
				err = errList
			}
			return i, err
		}
		at = to
	}
}

func hasPrefix(b []byte, text string) bool {
	return len(b) >= len(text) && string(b[:len(text)]) == text
}

// follow goes on after the value of at, or before it if at is a root, and
// returns the next node whose value is to be read, and where that value is.
func (p *parser) follow(at *node, b []byte, start int) (*node, int, error) {
	for k := range at.others {
		if e := &at.others[k]; hasPrefix(b[start:], e.text) {
			at.edge, *e = *e, at.edge
			p.seen |= at.seen
			return at.to, start + len(at.text), nil
		}
	}
	to, i, seen, err := p.walk(at, b, start)
	if err != nil {
		return nil, i, err
	}
	if to != nil {
		seen |= to.fields
	}
	p.seen |= seen
	if n := i - start; n <= maxText {
		p.memory += n
		switch {
		case at.text == "":
		case len(at.others) < maxOthers:
			at.others = append(at.others, at.edge)
		default:
			at.others[at.victim] = at.edge
			at.victim = (at.victim + 1) % maxOthers
		}
		at.edge = edge{string(b[start:i]), to, seen}
	}
	return to, i, nil
}

// element returns the node of an element of in, or nil if it is not worth
// remembering. If there are too many, in is skipped as a whole from now on.
func (p *parser) element(in *node, index int) *node {
	if index == maxList {
		in.varies = true
	}
	if index >= maxList {
		return nil
	}
	if index == len(in.kids) {
		kid := p.newNode("", want{})
		kid.parent, kid.index, kid.listed = in, index, true
		in.kids = append(in.kids, kid)
	}
	return in.kids[index]
}

// kid reads a key and a colon, and returns the node of that member of in, or
// nil if it is not worth remembering, and where the value starts.
func (p *parser) kid(in *node, b []byte, i int) (*node, int, error) {
	start := i + 1
	i = start + scan.Plain(b[start:])
	key := b[start:i]
	if i < len(b) && b[i] == '"' {
		i++
	} else {
		var err error
		if key, i, err = scan.Unquote(nil, b, start); err != nil {
			return nil, i, err
		}
	}
	if i = scan.Space(b, i); i == len(b) {
		return nil, i, scan.ErrShort
	}
	if b[i] != ':' {
		return nil, i, scan.Unexpected(b, i, "after a key")
	}
	if i = scan.Space(b, i+1); i == len(b) {
		return nil, i, scan.ErrShort
	}
	for k := range in.kids {
		at := in.next + k
		if at >= len(in.kids) {
			at -= len(in.kids)
		}
		if kid := in.kids[at]; kid.key == string(key) {
			in.next = at + 1
			return kid, i, nil
		}
	}
	w, wanted := in.members.find(string(key))
	if !wanted && len(in.kids) >= maxKids {
		return nil, i, nil
	}
	kid := p.newNode(string(key), w)
	kid.parent, kid.listed = in, in.listed
	in.kids = append(in.kids, kid)
	return kid, i, nil
}

func (p *parser) newNode(key string, w want) *node {
	p.memory += 256 + len(key)
	n := &node{key: key, want: w}
	if w.slot.isText() {
		n.dst = p.dst(w)
	}
	return n
}

// value reads the value of n at b[i:], and returns where it ends.
func (p *parser) value(n *node, b []byte, i int) (int, error) {
	if i < len(b) && b[i] <= ' ' {
		i = scan.Space(b, i) // the edge was learned where there was none
	}
	if i >= len(b) {
		return i, scan.ErrShort
	}
	switch {
	case n.dst != nil && b[i] == '"':
		t := b[i+1:]
		if k := len(n.last); k < len(t) && t[k] == '"' && string(t[:k]) == n.last {
			*n.dst = n.last
			return i + k + 2, nil
		}
		if k := scan.Plain(t); k < len(t) && t[k] == '"' {
			*n.dst = p.keep(n, t[:k])
			if !n.once && k <= maxLast {
				n.last = *n.dst
			}
			return i + k + 2, nil
		}
	case n.slot == slotSkip && n.members == nil:
		return scan.Skip(b, i)
	case n.slot.isLate() && (n.members == nil || b[i] == '"'):
		end, err := scan.Skip(b, i)
		p.late[n.slot-firstLate] = late{b[i:end], true}
		return end, err
	case n.slot == slotTime && b[i] == '"':
		t := b[i+1:]
		if k := scan.Plain(t); k < len(t) && t[k] == '"' {
			p.setTime(t[:k])
			return i + k + 2, nil
		}
	case n.slot.isEnum():
		for k := range n.enums {
			e := &n.enums[k]
			if hasPrefix(b[i:], e.raw) && scan.EndsAt(b, i+len(e.raw)) {
				p.setEnum(n.slot, e)
				return i + len(e.raw), nil
			}
		}
		return p.newEnum(n, b, i)
	case n.slot == slotErrorCode || n.slot == slotAutonomousSystemNumber:
		v, k := 0, i
		for ; k < len(b) && k < i+9 && b[k] >= '0' && b[k] <= '9'; k++ {
			v = v*10 + int(b[k]-'0')
		}
		if k > i && scan.EndsAt(b, k) && (b[i] != '0' || k == i+1) {
			if n.slot == slotErrorCode {
				p.setCode(int64(v))
			} else {
				p.rec.AutonomousSystemNumber = uint32(v)
			}
			return k, nil
		}
	}
	return p.anyValue(n, b, i)
}

// newEnum reads a value of a member with few values, and remembers it.
func (p *parser) newEnum(n *node, b []byte, i int) (int, error) {
	p.enum.raw = ""
	end, err := p.anyValue(n, b, i)
	if err == nil {
		p.keepEnum(n, b[i:end])
	}
	return end, err
}

// keepEnum remembers what raw stands for, if it was read as a value of n.
func (p *parser) keepEnum(n *node, raw []byte) {
	if p.enum.raw == "" || len(raw) > maxLast {
		return
	}
	p.enum.raw = string(raw)
	p.memory += 2 * len(raw)
	if len(n.enums) < maxEnums {
		n.enums = append(n.enums, p.enum)
	} else {
		n.enums[n.victim] = p.enum
		n.victim = (n.victim + 1) % maxEnums
	}
}

// anyValue is value without the short cuts.
func (p *parser) anyValue(n *node, b []byte, i int) (end int, err error) {
	switch c := b[i]; c {
	case '{', '[':
		if n.slot == slotContainer {
			if c == '[' && n.parent == p.record {
				return i, errContainer
			}
			return scan.Skip(b, i)
		}
		if n.members != nil && (c == '[') == n.array {
			end, err = p.run(p.subOf(n), b[i:])
			if e, ok := err.(*scan.SyntaxError); ok {
				e.At += i
			}
			return i + end, err
		}
		if end, err = scan.Skip(b, i); err != nil {
			return end, err
		}
		if n.slot.isRaw() {
			if !json.Valid(b[i:end]) {
				return i, &scan.SyntaxError{At: i, What: "invalid value of " + quote(n.key)}
			}
			p.setRaw(n, b[i:end])
			return end, nil
		}
		p.setOther(n, b[i:end])
		return end, nil
	case '"':
		start := len(p.scratch)
		defer func() { p.scratch = p.scratch[:start] }()
		if p.scratch, end, err = scan.Unquote(p.scratch, b, i+1); err != nil {
			return end, err
		}
		if err = p.setText(n, p.scratch[start:]); err != nil && err != errList {
			err = &scan.SyntaxError{At: i, What: err.Error()}
		}
		if err != nil {
			return i, err
		}
		return end, nil
	}
	if end, err = scan.Skip(b, i); err != nil {
		return end, err
	}
	switch word := b[i:end]; {
	case string(word) == "null":
		p.nulls |= n.fields
	case string(word) == "true" || string(word) == "false":
		p.setWord(n, word[0] == 't')
	case scan.IsNumber(word):
		p.setNumber(n, word)
	default:
		return i, &scan.SyntaxError{At: i, What: "invalid value of " + quote(n.key)}
	}
	return end, nil
}

// subOf returns the root for a value of n that is read by itself.
func (p *parser) subOf(n *node) *node {
	if n.sub != nil && !p.noLists {
		return n.sub
	}
	sub := p.newNode(n.key, n.want)
	sub.dst = nil
	if !p.noLists {
		n.sub = sub
	}
	return sub
}

// inner reads the JSON text that a string or cell holds as the value of n.
func (p *parser) inner(n *node, text []byte) error {
	k, err := p.run(p.subOf(n), text)
	if err == nil && scan.Space(text, k) < len(text) {
		err = scan.ErrShort
	}
	if err == errList {
		return err
	}
	if err != nil {
		return errors.New("invalid JSON in the text of " + quote(n.key))
	}
	return nil
}

func quote(key string) string { return fmt.Sprintf("%.40q", key) }
