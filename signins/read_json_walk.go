package signins

import (
	"fmt"

	"github.com/crossprem/crossprem/signins/internal/scan"
)

// The states of walk: what may come next.
type state uint8

const (
	firstMember  state = iota // a key or }
	nextMember                // a comma or }
	member                    // a key
	firstElement              // a value or ]
	nextElement               // a comma or ]
	element                   // a value
)

// The kinds of bytes that walk tells apart.
type kind uint8

const (
	otherByte kind = iota
	comma
	quoteMark
	openBrace
	closeBrace
	closeBracket
)

// kindOf is the kind of each byte.
var kindOf = [256]kind{',': comma, '"': quoteMark, '{': openBrace, '}': closeBrace, ']': closeBracket}

// What walk does with a byte.
type action uint8

const (
	refuse  action = iota // nothing of the kind may stand here
	goOn                  // a comma
	readKey               // a key, and then its value
	readOne               // the value of an element
	enter                 // an object in an array; where that is not wanted, the value of an element
	leave                 // the end of an object
	leaveUp               // the end of an array
)

// actions is the grammar of objects and arrays (RFC 8259, sections 4 and 5).
// Where an element is due, what is no value is refused by the one who reads it.
var actions = [8][8]action{
	firstMember:  {quoteMark: readKey, closeBrace: leave},
	nextMember:   {comma: goOn, closeBrace: leave},
	member:       {quoteMark: readKey},
	firstElement: {otherByte: readOne, comma: readOne, quoteMark: readOne, openBrace: enter, closeBrace: readOne, closeBracket: leaveUp},
	nextElement:  {comma: goOn, closeBracket: leaveUp},
	element:      {otherByte: readOne, comma: readOne, quoteMark: readOne, openBrace: enter, closeBrace: readOne, closeBracket: readOne},
}

// afterComma is the state behind a comma, and afterValue that behind a value.
var (
	afterComma = [8]state{nextMember: member, nextElement: element}
	afterValue = [8]state{firstMember: nextMember, member: nextMember, firstElement: nextElement, element: nextElement}
)

// A walk is what walk holds while it goes over the text.
type walk struct {
	in    *node // the object or array that it is in
	state state
	index int // of the next element, in a list
	seen  Fields
}

// walk does the work of follow by the rules of the grammar.
func (p *parser) walk(at *node, b []byte, i int) (to *node, _ int, seen Fields, err error) {
	w := walk{in: at.parent, state: nextMember}
	if to, i, err = p.goOver(&w, at, b, i); err != nil {
		if err != scan.ErrShort && (w.in.list || w.in.listed) {
			err = errList
		}
		return nil, i, 0, err
	}
	return to, i, w.seen, nil
}

// goOver walks until it meets a value that is wanted, or the end.
func (p *parser) goOver(w *walk, at *node, b []byte, i int) (to *node, _ int, err error) {
	switch {
	case w.in == nil:
		w.in = at
		if i, err = w.open(b, i); err != nil {
			return nil, i, err
		}
	case w.in.list:
		w.state, w.index = nextElement, at.index+1
	}
	for {
		if i = scan.Space(b, i); i == len(b) {
			return nil, i, scan.ErrShort
		}
		var kid *node
		switch do := actions[w.state&7][kindOf[b[i]]&7]; {
		case do == goOn:
			i++
			w.state = afterComma[w.state&7]
			continue
		case do == leave && w.in.array: // in is the array, and stands for its objects too
			i++
			w.state = nextElement
			continue
		case do == leave, do == leaveUp:
			i++
			if w.in.parent == nil {
				return nil, i, nil
			}
			w.up()
			continue
		case do == enter && w.in.array:
			i++
			w.state = firstMember
			continue
		case do == readKey:
			if kid, i, err = p.kid(w.in, b, i); err != nil {
				return nil, i, err
			}
			w.state = afterValue[w.state&7]
		case do == enter, do == readOne:
			if w.in.list {
				kid = p.element(w.in, w.index)
				w.index++
			} else {
				w.seen |= markCut
			}
			w.state = afterValue[w.state&7]
		default:
			return nil, i, scan.Unexpected(b, i, "in an object or array")
		}
		var wanted bool
		if wanted, i, err = p.meet(w, kid, b, i); err != nil {
			return nil, i, err
		}
		if wanted {
			return kid, i, nil
		}
	}
}

// open reads the bracket with which the root begins.
func (w *walk) open(b []byte, i int) (int, error) {
	open := byte('{')
	w.state = firstMember
	if w.in.array {
		open, w.state = '[', firstElement
	}
	if i = scan.Space(b, i); i == len(b) {
		return i, scan.ErrShort
	}
	if b[i] != open {
		return i, &scan.SyntaxError{At: i, What: fmt.Sprintf("unexpected %q instead of %q", rune(b[i]), rune(open))}
	}
	return i + 1, nil
}

// up leaves an object or array for the one around it.
func (w *walk) up() {
	w.state, w.index = nextMember, w.in.index+1
	if w.in = w.in.parent; w.in.list {
		w.state = nextElement
	}
}

// meet decides about the value at b[i:], which is that of kid, or of nobody's if
// kid is nil: it is wanted, or walked into, or skipped. It returns where to go
// on.
func (p *parser) meet(w *walk, kid *node, b []byte, i int) (wanted bool, _ int, err error) {
	c := b[i]
	switch {
	case kid == nil:
		i, err = scan.Skip(b, i)
		return false, i, err
	case kid.members != nil && (c == '{' && !kid.array || c == '[' && kid.array):
		w.seen |= kid.fields
		w.in, w.state = kid, firstMember
		if kid.array {
			w.state = firstElement
		}
		return false, i + 1, nil
	case kid.slot != slotSkip || kid.members != nil || kid.varies:
		return true, i, nil
	case c == '[' && !kid.listed && kid.members == nil && !p.noLists:
		kid.list = true
		w.in, w.state, w.index = kid, firstElement, 0
		return false, i + 1, nil
	case c == '{' && w.in.list:
		w.in, w.state = kid, firstMember
		return false, i + 1, nil
	}
	if n := len(kid.last); n > 0 && hasPrefix(b[i:], kid.last) && (!bare(c) || scan.EndsAt(b, i+n)) {
		return false, i + n, nil // the same value as before
	}
	end, err := scan.Skip(b, i)
	if err != nil {
		return false, end, err
	}
	switch raw := b[i:end]; {
	case kid.last == "" && len(raw) <= maxLast:
		kid.last = string(raw)
		p.memory += len(raw)
	case kid.last != string(raw):
		kid.varies = true
		return true, i, nil
	}
	return false, end, nil
}

// bare reports whether a value that begins with c has no end of its own, as
// numbers and words.
func bare(c byte) bool { return c != '"' && c != '{' && c != '[' }
