package psobject

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// looksLikeJSON reports JSON, as opposed to a prompt such as "[PS] C:\>" or "[ex01]: PS".
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
// It returns how many bytes it took.
func (p *parser) parseJSON(text string, place place) ([]Output, int, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var outputs []Output
	for {
		r := jsonReader{parser: p, dec: dec}
		token, err := dec.Token()
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
				err = errNoJSON // the decoder's own text quotes the input
			}
			return nil, 0, lineError(place.at(text, at), err)
		}
		markJoined(&v, 0, r.deepest)
		outputs = append(outputs, outputsOf(v)...)
		n := int(dec.InputOffset())
		rest := strings.TrimLeft(text[n:], " \t\r\n")
		switch {
		case rest == "":
			return outputs, len(text), nil
		case strings.ContainsRune(",:}]", rune(rest[0])):
			return nil, 0, lineError(place.at(text, n), errNoJSON)
		case !looksLikeJSON(rest):
			return outputs, n, nil
		}
	}
}

var errNoJSON = errors.New("this is no valid JSON")

// outputsOf makes outputs of a whole document: of a bundle, which has cmdlets
// as keys, one for each. A list may hold several bundles.
func outputsOf(v Value) []Output {
	if len(v.List) > 0 {
		var outputs []Output
		for _, e := range v.List {
			if !isBundle(e) {
				outputs = nil
				break
			}
			outputs = append(outputs, outputsOf(e)...)
		}
		if outputs != nil {
			return outputs
		}
	}
	if !isBundle(v) {
		return []Output{outputOf("", v)}
	}
	var outputs []Output
	for _, p := range v.Object.Properties {
		outputs = append(outputs, outputOf(properCommand(p.Name), p.Value))
	}
	return outputs
}

// isBundle reports whether v is a table of commands and what they printed.
func isBundle(v Value) bool {
	if v.Object == nil || len(v.Object.Properties) == 0 {
		return false
	}
	for _, p := range v.Object.Properties {
		if !isCmdlet(p.Name) {
			return false
		}
	}
	return true
}

// outputOf makes an output of the value of one command. Lists in lists are
// what a pipeline would have gone through.
func outputOf(command string, v Value) Output {
	out := Output{Command: command}
	var add func(v Value)
	add = func(v Value) {
		switch {
		case v.List != nil:
			for _, e := range v.List {
				add(e)
			}
		case v.Object != nil:
			out.Objects = append(out.Objects, *v.Object)
		case v.Text != "":
			out.Lines = append(out.Lines, v.Text)
		}
	}
	add(v)
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

// depthCut reports whether ConvertTo-Json reached its -Depth and wrote an
// object, or the name of its type, as text.
func depthCut(s string) bool {
	return strings.HasPrefix(s, "@{") && strings.HasSuffix(s, "}") || typeNames(s)
}

// typeNames reports whether s is what ToString gives for lists and
// dictionaries, the names of their types, or several of these.
func typeNames(s string) bool {
	if !strings.HasPrefix(s, "System.") && !strings.Contains(s, "`") {
		return false
	}
	for _, name := range strings.Fields(s) {
		generic := strings.Contains(name, "`") && strings.HasSuffix(name, "]") && strings.Contains(name, "[")
		if !generic && !(strings.HasPrefix(name, "System.") && (strings.HasSuffix(name, "[]") || strings.HasPrefix(name, "System.Collections."))) {
			return false
		}
	}
	return true
}

// markJoined marks the texts directly within the deepest objects and lists: there
// ConvertTo-Json joins a list with blanks and says nothing, if its -Depth was
// reached.
func markJoined(v *Value, level, deepest int) {
	for i := range v.List {
		if level == deepest && v.List[i].Number == "" {
			v.List[i].joined = joinedByBlanks
		}
		markJoined(&v.List[i], level+1, deepest)
	}
	if v.Object != nil {
		for i := range v.Object.Properties {
			inner := &v.Object.Properties[i].Value
			if level == deepest && inner.Number == "" {
				inner.joined = joinedByBlanks
			}
			markJoined(inner, level+1, deepest)
		}
	}
}
