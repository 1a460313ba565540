package psobject

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// looksLikeXML reports CLIXML; a transcript of a job begins with "#< CLIXML".
func looksLikeXML(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return strings.HasPrefix(text, "<Objs") || strings.HasPrefix(text, "<?xml") || strings.HasPrefix(text, "#< CLIXML")
}

// parseCLIXML reads what Export-Clixml wrote, after [MS-PSRP] 2.2.5,
// Serialization.
func (p *parser) parseCLIXML(text string, place place) ([]Output, error) {
	start := strings.IndexByte(text, '<')
	if rest := strings.TrimLeft(text, " \t\r\n"); strings.HasPrefix(rest, "#< CLIXML") {
		start = strings.Index(text, "CLIXML") + len("CLIXML")
	}
	dec := xml.NewDecoder(strings.NewReader(text[start:]))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	r := clixmlReader{parser: p, dec: dec, types: make(map[string][]string), seen: make(map[string]reference)}
	outputs, err := r.documents()
	if err != nil {
		at := min(start+int(dec.InputOffset()), len(text))
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		case errors.As(err, &syntax):
			err = errors.New("this is no valid XML") // the decoder's own text quotes the input
		}
		return nil, lineError(place.at(text, at), err)
	}
	return outputs, nil
}

// A reference is what a Ref element stands for.
type reference struct {
	value  Value
	weight int  // how many values it has, itself included
	open   bool // still being read: a Ref to it is a circle
}

type clixmlReader struct {
	*parser
	dec   *xml.Decoder
	types map[string][]string // by RefId of a TN
	seen  map[string]reference
}

// token returns the next start or end of an element, or text.
func (r *clixmlReader) token() (xml.Token, error) {
	for {
		token, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		switch token.(type) {
		case xml.StartElement, xml.EndElement, xml.CharData:
			return token, nil
		case xml.Directive:
			return nil, errors.New("CLIXML has no document type")
		}
	}
}

// documents reads all Objs elements. What one root holds is what one pipeline
// wrote, so that outputs without a command are one.
func (r *clixmlReader) documents() ([]Output, error) {
	var outputs []Output
	out := Output{}
	within := false
	for {
		token, err := r.token()
		if errors.Is(err, io.EOF) && !within {
			if len(outputs) == 0 || len(out.Objects) > 0 || len(out.Lines) > 0 || out.Failed {
				outputs = append(outputs, out)
			}
			return outputs, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			within = false
		case xml.StartElement:
			if !within {
				if token.Name.Local != "Objs" {
					return nil, errors.New("CLIXML begins with the element Objs")
				}
				within = true
				clear(r.types)
				clear(r.seen)
				continue
			}
			v, err := r.value(token, 0)
			if err != nil {
				return nil, err
			}
			out.Failed = out.Failed || attribute(token, "S") == "Error"
			for _, one := range outputsOf(v) {
				if one.Command != "" {
					outputs = append(outputs, one)
					continue
				}
				out.Objects = append(out.Objects, one.Objects...)
				out.Lines = append(out.Lines, one.Lines...)
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// text reads to the end of the element and returns the text in it.
func (r *clixmlReader) text() (string, error) {
	var s strings.Builder
	for {
		token, err := r.token()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.CharData:
			s.Write(token)
		case xml.StartElement:
			return "", errors.New("an element where text is expected")
		case xml.EndElement:
			return unescape(s.String()), nil
		}
	}
}

// children calls each for every element within the current one.
func (r *clixmlReader) children(each func(xml.StartElement) error) error {
	for {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := each(token); err != nil {
				return err
			}
		}
	}
}

// value reads the element e, whose start was read.
func (r *clixmlReader) value(e xml.StartElement, level int) (Value, error) {
	if err := r.count(1); err != nil {
		return Value{}, err
	}
	if level >= MaxDepth {
		return Value{}, errTooDeep
	}
	switch name := e.Name.Local; name {
	case "Obj":
		return r.object(e, level)
	case "Ref":
		if _, err := r.text(); err != nil {
			return Value{}, err
		}
		known, ok := r.seen[attribute(e, "RefId")]
		if !ok || known.open {
			return Value{State: Cut}, nil
		}
		return known.value, r.count(known.weight)
	case "Nil":
		_, err := r.text()
		return Value{State: Blank}, err
	case "B":
		s, err := r.text()
		if s == "true" {
			s = "True"
		} else if s == "false" {
			s = "False"
		}
		return scalarOf(s), err
	case "By", "SB", "U16", "I16", "U32", "I32", "U64", "I64", "Sg", "Db", "D":
		s, err := r.text()
		v := scalarOf(s)
		v.Number = s
		return v, err
	case "C":
		s, err := r.text()
		if n, e := strconv.ParseUint(s, 10, 16); e == nil {
			s = string(rune(n))
		}
		return scalarOf(s), err
	case "SS": // a secure string: even encrypted it is nobody's business
		_, err := r.text()
		return Value{State: Cut}, err
	case "TS":
		s, err := r.text()
		return scalarOf(durationText(s)), err
	case "S", "DT", "G", "URI", "Version", "XD", "SBK", "BA", "ToString":
		s, err := r.text()
		return scalarOf(s), err
	default:
		return Value{State: Cut}, r.dec.Skip()
	}
}

// object reads an Obj element: an object, a list, a dictionary, or a scalar
// with a type of its own, such as an enumeration.
func (r *clixmlReader) object(e xml.StartElement, level int) (Value, error) {
	id := attribute(e, "RefId")
	if id != "" {
		r.seen[id] = reference{open: true}
	}
	before := r.values
	object := new(Object)
	var (
		v         = Value{State: Present}
		text      string
		hasText   bool
		isObject  bool
		primitive *Value
	)
	err := r.children(func(e xml.StartElement) error {
		var err error
		switch e.Name.Local {
		case "TN":
			object.Types, err = r.readTypes()
			r.types[attribute(e, "RefId")] = object.Types
		case "TNRef":
			object.Types = r.types[attribute(e, "RefId")]
			_, err = r.text()
		case "ToString":
			text, err = r.text()
			hasText = true
		case "Props", "AdaptedProps", "MS":
			isObject = isObject || e.Name.Local != "MS"
			err = r.children(func(e xml.StartElement) error {
				return r.property(object, unescape(attribute(e, "N")), e, level)
			})
		case "LST", "IE", "QUE", "STK":
			v.List = []Value{}
			err = r.children(func(e xml.StartElement) error {
				element, err := r.value(e, level+1)
				v.List = append(v.List, element)
				return err
			})
		case "DCT":
			isObject = true
			err = r.children(func(e xml.StartElement) error { return r.entry(object, level) })
		default:
			var inner Value
			inner, err = r.value(e, level+1)
			primitive = &inner
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	object.Text = text
	switch {
	case v.List != nil: // with a list, other properties are its Capacity and the like
	case primitive != nil && !isObject:
		v.State, v.Text, v.Number = primitive.State, primitive.Text, primitive.Number
		if hasText {
			v.Text = text
		}
	case isObject || len(object.Properties) > 0:
		v.Text, v.Object = text, object
	case hasText:
		v.Text = text
	default:
		v.State = Cut // its depth was reached
	}
	if v.State == Present && v.Text == "" && v.List == nil && v.Object == nil {
		v.State = Blank
	}
	if id != "" {
		r.seen[id] = reference{value: v, weight: r.values - before + 1}
	}
	return v, nil
}

// property reads e as the property name of object.
func (r *clixmlReader) property(object *Object, name string, e xml.StartElement, level int) error {
	if dropped(name) {
		return r.dec.Skip()
	}
	v, err := r.value(e, level+1)
	if err != nil {
		return err
	}
	object.Properties = append(object.Properties, Property{Name: name, Value: v})
	return nil
}

// entry reads one entry of a dictionary as a property of object.
func (r *clixmlReader) entry(object *Object, level int) error {
	var key string
	v := Value{State: Cut} // if it has none
	err := r.children(func(e xml.StartElement) error {
		inner, err := r.value(e, level+1)
		if err != nil {
			return err
		}
		if attribute(e, "N") == "Key" {
			key, _ = inner.AsString()
		} else {
			v = inner
		}
		return nil
	})
	if err == nil && !dropped(key) {
		object.Properties = append(object.Properties, Property{Name: key, Value: v})
	}
	return err
}

func (r *clixmlReader) readTypes() ([]string, error) {
	var names []string
	err := r.children(func(e xml.StartElement) error {
		if e.Name.Local != "T" {
			return fmt.Errorf("a type has a name, and nothing else")
		}
		s, err := r.text()
		names = append(names, strings.TrimPrefix(s, "Deserialized."))
		return err
	})
	return names, err
}

var escaped = regexp.MustCompile(`(?:_x[0-9A-Fa-f]{4}_)+`)

// unescape undoes _x000A_, one UTF-16 unit each.
func unescape(s string) string {
	if !strings.Contains(s, "_x") && !strings.Contains(s, "_X") {
		return s
	}
	return escaped.ReplaceAllStringFunc(s, func(run string) string {
		var units []uint16
		for i := 0; i < len(run); i += len("_x000A_") {
			n, _ := strconv.ParseUint(run[i+2:i+6], 16, 16)
			units = append(units, uint16(n))
		}
		return string(utf16.Decode(units))
	})
}
