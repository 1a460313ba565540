// Package jsonshape writes JSON Schemas of what types marshal to. A type says
// which members its JSON can have, and values of the type say what is in them:
// custom MarshalJSON methods hide the shape from a type alone.
package jsonshape

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A Shape is what is known of one place in a JSON document.
type Shape struct {
	kinds   map[string]bool // "null", "boolean", "number", "string", "array", "object"
	members map[string]*Shape
	always  map[string]bool // members that every object had
	objects int
	items   *Shape
	each    *Shape // of an object that is a map: what every value is
	format  string // "date", "date-time" or ""
	texts   int
	isMap   bool
	enum    []string
}

func newShape() *Shape {
	return &Shape{kinds: map[string]bool{}, members: map[string]*Shape{}, always: map[string]bool{}}
}

// Of returns the shape of what the values marshal to; all are of one type. Maps
// names members that are maps, whose keys are no members, by their path such
// as "users" or "findings.values"; those that the type shows to be maps need
// not be named.
func Of(maps []string, values ...any) (*Shape, error) {
	s := newShape()
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		var decoded any
		if err := json.Unmarshal(text, &decoded); err != nil {
			return nil, err
		}
		s.add("", maps, decoded)
		s.learn(reflect.TypeOf(v), 0)
	}
	return s, nil
}

var (
	dateText     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	dateTimeText = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$`)
)

func (s *Shape) add(path string, maps []string, v any) {
	switch v := v.(type) {
	case nil:
		s.kinds["null"] = true
	case bool:
		s.kinds["boolean"] = true
	case float64:
		s.kinds["number"] = true
	case string:
		s.kinds["string"] = true
		format := ""
		switch {
		case dateText.MatchString(v):
			format = "date"
		case dateTimeText.MatchString(v):
			format = "date-time"
		}
		if s.texts++; s.texts == 1 {
			s.format = format
		} else if s.format != format {
			s.format = ""
		}
	case []any:
		s.kinds["array"] = true
		if s.items == nil {
			s.items = newShape()
		}
		for _, e := range v {
			s.items.add(path, maps, e)
		}
	case map[string]any:
		s.kinds["object"] = true
		if slices.Contains(maps, path) {
			s.isMap = true
			if s.each == nil {
				s.each = newShape()
			}
			for _, e := range v {
				s.each.add(path+".*", maps, e)
			}
			return
		}
		s.objects++
		for name := range s.always {
			if _, ok := v[name]; !ok {
				delete(s.always, name)
			}
		}
		for name, e := range v {
			m := s.members[name]
			if m == nil {
				m = newShape()
				s.members[name] = m
				s.always[name] = s.objects == 1
				if s.objects > 1 {
					delete(s.always, name)
				}
			}
			m.add(strings.TrimPrefix(path+"."+name, "."), maps, e)
		}
	}
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

// learn adds what the type says: members that no value had, and the texts of
// enumerations. A type with a MarshalJSON of its own says nothing of its members.
func (s *Shape) learn(t reflect.Type, depth int) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || depth > 12 {
		return
	}
	if t.Kind() == reflect.Uint8 && t.Implements(textMarshaler) {
		s.enum = enumTexts(t)
		return
	}
	if t.Implements(jsonMarshaler) || reflect.PointerTo(t).Implements(jsonMarshaler) || t.Implements(textMarshaler) {
		return
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if s.items != nil {
			s.items.learn(t.Elem(), depth+1)
		}
	case reflect.Map:
		if s.each != nil {
			s.each.learn(t.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				s.learn(f.Type, depth+1)
				continue
			case !f.IsExported() || name == "-":
				continue
			case name == "":
				name = f.Name
			}
			if m := s.members[name]; m != nil {
				m.learn(f.Type, depth+1)
			} else if s.kinds["object"] && !s.isMap {
				s.members[name] = newShape() // no value had it
			}
		}
	}
}

// enumTexts returns the texts of an enumeration, in the order of its constants.
func enumTexts(t reflect.Type) (texts []string) {
	for i := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(i))
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			break
		}
		texts = append(texts, string(text))
	}
	return texts
}

// Optional makes no member required: for values that differ from run to run.
func (s *Shape) Optional() *Shape {
	clear(s.always)
	for _, m := range s.members {
		m.Optional()
	}
	for _, m := range []*Shape{s.items, s.each} {
		if m != nil {
			m.Optional()
		}
	}
	return s
}

// Schema returns s as a JSON Schema of draft 2020-12, indented. A member is
// required if every value had it. The id and the version stand at its top.
func (s *Shape) Schema(id, title string, version int) (string, error) {
	m := s.schema()
	m["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	m["$id"] = fmt.Sprintf("https://github.com/crossprem/crossprem/schema/%s.v%d.json", id, version)
	m["title"] = title
	text, err := json.MarshalIndent(m, "", " ")
	return string(text) + "\n", err
}

func (s *Shape) schema() map[string]any {
	m := map[string]any{}
	var kinds []string
	for _, k := range []string{"object", "array", "string", "number", "boolean", "null"} {
		if s.kinds[k] {
			kinds = append(kinds, k)
		}
	}
	switch len(kinds) {
	case 0:
	case 1:
		m["type"] = kinds[0]
	default:
		m["type"] = kinds
	}
	switch {
	case len(s.enum) > 0:
		values := make([]any, 0, len(s.enum)+1)
		for _, text := range s.enum {
			values = append(values, text)
		}
		if s.kinds["null"] {
			values = append(values, nil)
		}
		m["enum"] = values
	case s.format != "" && s.kinds["string"]:
		m["format"] = s.format
	}
	if s.items != nil {
		m["items"] = s.items.schema()
	}
	if s.each != nil {
		m["additionalProperties"] = s.each.schema()
	}
	if len(s.members) > 0 {
		properties := map[string]any{}
		var required []string
		for name, member := range s.members {
			properties[name] = member.schema()
			if s.always[name] {
				required = append(required, name)
			}
		}
		slices.Sort(required)
		m["properties"] = properties
		if len(required) > 0 {
			m["required"] = required
		}
	}
	return m
}
