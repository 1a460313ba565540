package psobject

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// looksLikeJSON tells JSON from a prompt such as "[PS] C:\>" or "[ex01]: PS".
func looksLikeJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	if strings.HasPrefix(text, "{") {
		return true
	}
	rest, ok := strings.CutPrefix(text, "[")
	if !ok {
		return false
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	if rest == "" {
		return false
	}
	return strings.ContainsRune(`{["]-0123456789`, rune(rest[0])) ||
		strings.HasPrefix(rest, "null") || strings.HasPrefix(rest, "true") || strings.HasPrefix(rest, "false")
}

// parseJSON reads what ConvertTo-Json wrote: one object, a list of them, a
// bundle with a cmdlet as key of each, or several of these after each other.
func (p *parser) parseJSON(text string, line int) ([]Output, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var outputs []Output
	for {
		r := jsonReader{parser: p, dec: dec}
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		var v Value
		if err == nil {
			v, err = r.value(token, 0)
		}
		if err != nil {
			at := min(int(dec.InputOffset()), len(text))
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			if !errors.Is(err, errTooDeep) && !errors.Is(err, errTooMany) && !errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("this is no valid JSON") // the decoder's own text quotes the input
			}
			return nil, lineError(line+strings.Count(text[:at], "\n"), err)
		}
		if r.deepest >= 2 {
			markFlattened(&v, 0, r.deepest)
		}
		outputs = append(outputs, outputsOf(v)...)
	}
	return outputs, nil
}

var cmdletName = regexp.MustCompile(`^[A-Z][A-Za-z]*-[A-Za-z][A-Za-z0-9]*$`)

// outputsOf makes outputs of a whole document: of a bundle one for each key.
func outputsOf(v Value) []Output {
	bundle := v.Object != nil && len(v.Object.Properties) > 0
	if bundle {
		for _, p := range v.Object.Properties {
			bundle = bundle && cmdletName.MatchString(p.Name)
		}
	}
	if !bundle {
		return []Output{outputOf("", v)}
	}
	var outputs []Output
	for _, p := range v.Object.Properties {
		outputs = append(outputs, outputOf(p.Name, p.Value))
	}
	return outputs
}

// outputOf makes an output of the value of one command.
func outputOf(command string, v Value) Output {
	out := Output{Command: command}
	all := v.List
	if all == nil {
		all = []Value{v}
	}
	for _, e := range all {
		switch {
		case e.Object != nil:
			out.Objects = append(out.Objects, *e.Object)
		case e.Text != "":
			out.Lines = append(out.Lines, e.Text)
		}
	}
	return out
}

type jsonReader struct {
	*parser
	dec     *json.Decoder
	deepest int // the level of the deepest object or list; the outermost is 0
}

func (r *jsonReader) value(token json.Token, level int) (Value, error) {
	if err := r.count(1); err != nil {
		return Value{}, err
	}
	switch token := token.(type) {
	case nil:
		return Value{State: Blank}, nil
	case bool:
		if token {
			return Value{State: Present, Text: "True"}, nil
		}
		return Value{State: Present, Text: "False"}, nil
	case json.Number:
		return Value{State: Present, Text: token.String(), Number: token.String()}, nil
	case string:
		if depthCut(token) {
			return Value{State: Cut, Text: token}, nil
		}
		return scalarOf(token), nil
	case json.Delim:
		if level >= MaxDepth {
			return Value{}, errTooDeep
		}
		r.deepest = max(r.deepest, level)
		if token == '[' {
			return r.list(level)
		}
		return r.object(level)
	}
	return Value{}, errors.New("unknown token")
}

func (r *jsonReader) list(level int) (Value, error) {
	list := Value{State: Present, List: []Value{}}
	for {
		token, err := r.dec.Token()
		if err != nil {
			return Value{}, err
		}
		if token == json.Delim(']') {
			return list, nil
		}
		v, err := r.value(token, level+1)
		if err != nil {
			return Value{}, err
		}
		list.List = append(list.List, v)
	}
}

func (r *jsonReader) object(level int) (Value, error) {
	object := new(Object)
	for {
		token, err := r.dec.Token()
		if err != nil {
			return Value{}, err
		}
		if token == json.Delim('}') {
			return unwrapped(object), nil
		}
		name, _ := token.(string)
		if token, err = r.dec.Token(); err != nil {
			return Value{}, err
		}
		v, err := r.value(token, level+1)
		if err != nil {
			return Value{}, err
		}
		if !dropped(name) {
			object.Properties = append(object.Properties, Property{Name: name, Value: v})
		}
	}
}

// unwrapped returns what an object stands for. Windows PowerShell 5.1 wraps
// some values: a list as {"value": […], "Count": 2}, a date as {"value":
// "/Date(…)/", "DateTime": "…"}; and an enumeration that came through a remote
// session may be {"value": 1, "Value": "MicrosoftACS"}.
func unwrapped(object *Object) Value {
	whole := Value{State: Present, Object: object}
	if len(object.Properties) < 2 {
		return whole
	}
	var inner, named *Value
	for i := range object.Properties {
		v := &object.Properties[i].Value
		switch strings.ToLower(object.Properties[i].Name) {
		case "value":
			if inner == nil {
				inner = v
			} else {
				named = v
			}
		case "count", "datetime", "displayhint":
		default:
			return whole
		}
	}
	switch {
	case inner == nil:
		return whole
	case named == nil:
		if inner.Object != nil {
			return whole
		}
		return *inner
	case len(object.Properties) != 2:
		return whole
	}
	if inner.Number == "" {
		inner, named = named, inner
	}
	if inner.Number == "" || named.Number != "" || named.State != Present || named.List != nil || named.Object != nil {
		return whole
	}
	return Value{State: Present, Text: named.Text, Number: inner.Number}
}

// depthCut tells that ConvertTo-Json reached its -Depth and wrote an object,
// or the name of its type, as text.
func depthCut(s string) bool {
	if strings.HasPrefix(s, "@{") && strings.HasSuffix(s, "}") {
		return true
	}
	return strings.HasPrefix(s, "System.") && !strings.ContainsAny(s, " \t\n") &&
		(strings.HasSuffix(s, "[]") || strings.HasPrefix(s, "System.Collections."))
}

// markFlattened marks the texts directly within the deepest objects: there
// ConvertTo-Json joins a list with blanks and says nothing, if its -Depth was
// reached.
func markFlattened(v *Value, level, deepest int) {
	for i := range v.List {
		markFlattened(&v.List[i], level+1, deepest)
	}
	if v.Object != nil {
		for i := range v.Object.Properties {
			inner := &v.Object.Properties[i].Value
			inner.flattened = level == deepest && inner.Number == ""
			markFlattened(inner, level+1, deepest)
		}
	}
}
