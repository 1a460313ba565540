// Package psobject reads PowerShell output as it really arrives: pasted from a
// console, redirected into a file, or exported.
//
// It understands Format-List at any width and $FormatEnumerationLimit, tables
// as far as they can be read, ConvertTo-Json of Windows PowerShell 5.1 and of
// PowerShell 7 at any -Depth, Export-Clixml and Export-Csv with any delimiter,
// in UTF-8 or UTF-16, with either kind of line end. A paste may hold prompts,
// errors and several commands, and may come by mail or from a ticket: quoted,
// indented, in a fence among prose, with non-breaking blanks, HTML entities or
// colours, without empty lines or with twice as many.
//
// Display formats lose information, and this package says so rather than
// guess: a value that PowerShell cut is [Cut], not absent, and so is a value
// of several lines of which only the width of an unknown console tells where
// they end or whether a blank stood between them (see [Value.Dense]), and a
// table cell whose column cannot be told. What the output does not hold is
// [Absent], which is not the same as not being there: both the default view
// and tables leave properties out.
//
// Properties called SerializationData are dropped: they repeat the whole
// object in base64, and so still hold what somebody took out of the visible
// text. Secure strings are dropped as well.
//
// All input is hostile: size, depth and number of values are bounded, and
// errors name the line but never quote the input.
package psobject

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds on the input. Beyond them Parse returns an error.
const (
	MaxSize   = 64 << 20 // bytes
	MaxDepth  = 64       // objects and lists within each other
	MaxValues = 2 << 20  // values, counting each reference to an object as its copy
)

// An Output is what one command printed.
type Output struct {
	// Command is the cmdlet, such as "Get-AuthServer": from the prompt of a
	// pasted session, or the key of a bundle, however it was typed, in the
	// spelling of its documentation if that is known. It is empty if the
	// input does not tell, and of what an expression picks out of objects.
	Command string

	// Objects are the objects in the order in which they were printed. None
	// of them, with a Command, and neither Lines nor Failed, means that the
	// command ran and found nothing.
	Objects []Object

	// Lines is the text that belongs to no object: a warning, or everything
	// that a command that returns a plain string printed.
	Lines []string

	// Failed reports that the command printed an error record, in Lines.
	Failed bool
}

// An Object is one object that a command printed.
type Object struct {
	// Types are the names of the object's type and those it derives from,
	// nearest first and without "Deserialized.". Only CLIXML has them, and
	// CSV the first.
	Types []string

	// Text is what ToString gave. Only CLIXML has it.
	Text string

	// Properties are in the order in which they were printed.
	Properties []Property
}

// A Property is a named value.
type Property struct {
	Name  string
	Value Value
}

// A State tells how much of a value is known.
type State uint8

const (
	Absent     State = iota // the output does not hold it
	Cut                     // it was printed, but not whole
	Unreadable              // it is there, but is not what was asked for
	Blank                   // it is there, and is null or empty; String and Strings call that Present
	Present                 // it is there and known
)

// String returns the name of the state in lower case.
func (s State) String() string {
	names := [...]string{"absent", "cut", "unreadable", "blank", "present"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// A Value is one value, as far as the output shows it. At most one of List and
// Object is set; without them the value is a scalar, or null.
type Value struct {
	State  State   // Absent, Cut, Blank or Present
	Text   string  // a scalar as it was printed; the name of an enumeration's value; ToString of an object
	Number string  // the number, of a scalar or enumeration that came with one
	List   []Value // a list; not nil, if empty
	Object *Object // an object or a dictionary

	order  dateOrder // what other dates of the same input say
	joined joining   // it may be a list of which a text was made

	lettered bool // it is Cut only because the white space between its lines is not known
}

// A joining tells how a text was made of a list, if it is one.
type joining uint8

const (
	notJoined      joining = iota
	joinedByBlanks         // by ConvertTo-Json, at its -Depth
	joinedByCommas         // by Export-Csv
)

// holds reports whether a text may be several elements.
func (j joining) holds(s string) bool {
	switch j {
	case joinedByBlanks:
		return strings.ContainsAny(s, " \t")
	case joinedByCommas:
		return strings.Contains(s, ", ")
	}
	return false
}

// Objects returns the objects of all outputs.
func Objects(outputs []Output) []Object {
	var all []Object
	for _, o := range outputs {
		all = append(all, o.Objects...)
	}
	return all
}

// Get returns the property called name, and an absent value if there is none.
// Case matters only where two names differ in nothing else.
func (o Object) Get(name string) Value {
	var found Value
	for _, p := range o.Properties {
		if p.Name == name {
			return p.Value
		}
		if found.State == Absent && strings.EqualFold(p.Name, name) {
			found = p.Value
		}
	}
	return found
}

// Has reports whether all names are properties of the object, known or cut.
func (o Object) Has(names ...string) bool {
	for _, name := range names {
		if o.Get(name).State == Absent {
			return false
		}
	}
	return true
}

// String returns the property called name as text; a null and an empty list
// are "", and a list of one is its element.
func (o Object) String(name string) (string, State) { return o.Get(name).AsString() }

// Strings returns the property called name as a list of texts; null is an
// empty list and a scalar a list of one. Of a list that was cut it returns
// what is to be seen, and [Cut].
//
// Format-List does not quote: an element that holds ", " comes as two, and
// the text of the whole is in [Value.Text].
func (o Object) Strings(name string) ([]string, State) { return o.Get(name).AsStrings() }

// Bool returns the property called name, which must be True or False.
func (o Object) Bool(name string) (bool, State) { return o.Get(name).AsBool() }

// Int returns the property called name, which must be an integer, or an
// enumeration whose number is known.
func (o Object) Int(name string) (int64, State) { return o.Get(name).AsInt() }

// Time returns the property called name as a time in UTC.
//
// The console prints dates in the order of its culture and without an offset.
// Which of two numbers is the day is taken from the numbers, from the other
// dates of the same input, or from the shape 2/1/2027 12:00:00 AM, which is
// that of the United States; otherwise the date is Unreadable. A time without
// offset is taken for UTC, and so may be wrong by up to 14 hours.
func (o Object) Time(name string) (time.Time, State) { return o.Get(name).AsTime() }

// AsString is what [Object.String] tells of a property.
func (v Value) AsString() (string, State) {
	switch {
	case v.State == Absent || v.State == Cut:
		return "", v.State
	case len(v.List) == 1:
		return v.List[0].AsString()
	case len(v.List) > 1:
		return "", Unreadable
	case v.List == nil && v.Object != nil && v.Text == "":
		return "", Unreadable
	case v.List != nil:
		return "", Present
	}
	return v.Text, Present
}

// AsStrings is what [Object.Strings] tells of a property.
func (v Value) AsStrings() ([]string, State) {
	if v.List == nil {
		s, state := v.AsString()
		switch {
		case state != Present:
			return nil, state
		case s == "":
			return nil, Present
		case v.joined.holds(s):
			return nil, Cut
		}
		return []string{s}, Present
	}
	state := Present
	if v.State == Cut {
		state = Cut
	}
	texts := make([]string, 0, len(v.List))
	for _, e := range v.List {
		s, got := e.AsString()
		if got == Present {
			texts = append(texts, s)
		} else if state == Present {
			state = got
		}
	}
	return texts, state
}

// AsBool is what [Object.Bool] tells of a property.
func (v Value) AsBool() (bool, State) {
	s, state := v.scalar()
	switch {
	case state != Present:
		return false, state
	case strings.EqualFold(s, "true"):
		return true, Present
	case strings.EqualFold(s, "false"):
		return false, Present
	}
	return false, Unreadable
}

// AsInt is what [Object.Int] tells of a property.
func (v Value) AsInt() (int64, State) {
	s, state := v.scalar()
	if state != Present {
		return 0, state
	}
	if v.Number != "" {
		s = v.Number
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, Unreadable
	}
	return n, Present
}

// AsTime is what [Object.Time] tells of a property.
func (v Value) AsTime() (time.Time, State) {
	s, state := v.scalar()
	if state != Present {
		return time.Time{}, state
	}
	t, ok := parseTime(s, v.order)
	if !ok {
		return time.Time{}, Unreadable
	}
	return t, Present
}

// Dense returns the value as a text without white space, and whether it is
// known so far. It is known of a value that is [Cut] only because nothing
// reports whether a blank stood where a console broke its line: then what holds
// no blanks, such as an address, is known all the same.
func (v Value) Dense() (string, bool) {
	s, known := v.Text, v.lettered || v.State == Present && v.Text != ""
	if !known {
		text, state := v.AsString()
		s, known = text, state == Present
	}
	return strings.Join(strings.Fields(s), ""), known
}

// scalar returns the trimmed text of a scalar or of a list of one.
func (v Value) scalar() (string, State) {
	s, state := v.AsString()
	s = strings.TrimSpace(s)
	if state == Present && s == "" && v.Number == "" {
		return "", Blank
	}
	return s, state
}

// scalarOf returns the value of a text that is known whole.
func scalarOf(text string) Value {
	if text == "" {
		return Value{State: Blank}
	}
	return Value{State: Present, Text: text}
}

// dropped reports whether properties of that name are never kept.
func dropped(name string) bool { return strings.EqualFold(name, "SerializationData") }

var (
	errTooLarge = fmt.Errorf("psobject: input is larger than %d MiB", MaxSize>>20)
	errTooDeep  = errors.New("objects lie too deep in each other")
	errTooMany  = errors.New("too many values")
)

// lineError says on which line of the input something is wrong.
func lineError(line int, err error) error { return fmt.Errorf("psobject: line %d: %w", line, err) }

// Parse reads everything that b holds, one Output for each command whose
// prompt or key is seen, and one without Command for what stands alone. Text
// that is not understood is in Lines; an error means that the input is larger
// or deeper than the bounds, or breaks off, or is broken, within JSON, CLIXML
// or a UTF-16 character.
func Parse(b []byte) ([]Output, error) {
	if len(b) > MaxSize {
		return nil, errTooLarge
	}
	text, err := decode(b)
	if err != nil {
		return nil, err
	}
	p := &parser{}
	outputs, err := p.parse(text, place{first: 1})
	if err != nil {
		return nil, err
	}
	settleDates(outputs)
	return outputs, nil
}

// A parser counts the values of one input, and what it copied of its text.
type parser struct{ values, copied int }

// count adds n values.
func (p *parser) count(n int) error {
	if p.values += n; p.values > MaxValues {
		return errTooMany
	}
	return nil
}

// parse reads text, the place of which is at, by what it begins with.
func (p *parser) parse(text string, at place) ([]Output, error) {
	text = unescapeHTML(text)
	if strings.Contains(text, "\n\u00a0") { // nobody indents with these
		text = ordinaryBlanks(text)
	}
	outputs, n, ok, err := p.parseExport(text, at)
	if err != nil {
		return nil, err
	}
	if ok && strings.TrimSpace(text[n:]) == "" {
		return outputs, nil
	}
	rest, err := p.parseConsole(text[n:], at.from(text, n))
	if err != nil {
		return nil, err
	}
	if len(outputs)+len(rest) == 0 {
		return nil, nil
	}
	return append(outputs, rest...), nil
}

// looksLikeExport reports whether lines begin like something that was
// exported.
func looksLikeExport(lines []numbered) bool {
	text := lines[0].text
	if looksLikeXML(text) || strings.HasPrefix(text, typeLine) || strings.HasPrefix(text, `"`) {
		return true
	}
	if len(lines) == 1 {
		return looksLikeJSON(text)
	}
	if delimiter, _, ok := csvDelimiter(text); ok && strings.ContainsRune(text, delimiter) {
		plain := true
		for _, name := range strings.Split(strings.TrimSpace(text), string(delimiter)) {
			plain = plain && plainName.MatchString(name)
		}
		if plain {
			return true
		}
	}
	return looksLikeJSON(text + " " + strings.TrimSpace(lines[1].text))
}

// parseExport reads the JSON, CLIXML or CSV with which text begins, and
// reports whether there is any, and how many bytes it took.
func (p *parser) parseExport(text string, at place) (outputs []Output, n int, ok bool, err error) {
	switch {
	case looksLikeXML(text):
		const last = "</Objs>"
		if end := strings.LastIndex(text, last); end >= 0 {
			text = text[:end+len(last)]
		}
		outputs, err = p.parseCLIXML(text, at)
		return outputs, len(text), err == nil, err
	case looksLikeJSON(text):
		outputs, n, err = p.parseJSON(text, at)
		return outputs, n, err == nil, err
	}
	out, n, ok, err := p.parseCSV(text, at)
	if !ok || err != nil {
		return nil, 0, false, err
	}
	return []Output{out}, n, true, nil
}
