package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// rawValue is a value in JSON that is neither a text, a number nor a list.
type rawValue struct {
	QWord  *string `json:"qword,omitempty"`
	Binary *[]byte `json:"binary,omitempty"`
}

// MarshalJSON writes keys with their values: a REG_SZ as a string, a REG_DWORD
// as a number, a REG_MULTI_SZ as a list of strings, a REG_QWORD as
// {"qword": "…"} in decimal and the rest as {"binary": "…"} in base64.
func (r Registry) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	out := make(map[string]map[string]any, len(r))
	for key, values := range r {
		written := make(map[string]any, len(values))
		for name, v := range values {
			switch v := v.(type) {
			case string, uint32:
				written[name] = v
			case []string:
				if v == nil {
					v = []string{}
				}
				written[name] = v
			case uint64:
				text := strconv.FormatUint(v, 10)
				written[name] = rawValue{QWord: &text}
			case []byte:
				if v == nil {
					v = []byte{}
				}
				written[name] = rawValue{Binary: &v}
			default:
				return nil, fmt.Errorf("registry: a value is a %T", v)
			}
		}
		out[key] = written
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. Short names of hives are read
// too, see [Canonical].
func (r *Registry) UnmarshalJSON(b []byte) error {
	var in map[string]map[string]json.RawMessage
	if err := json.Unmarshal(b, &in); err != nil {
		return errors.New("registry: not an object of keys with their values")
	}
	if in == nil {
		*r = nil
		return nil
	}
	out := make(Registry, len(in))
	for key, values := range in {
		key = Canonical(key)
		if out[key] == nil {
			out[key] = make(map[string]any, len(values))
		}
		for name, raw := range values {
			v, err := valueOf(raw)
			if err != nil {
				return err
			}
			out[key][name] = v
		}
	}
	*r = out
	return nil
}

var errValue = errors.New("registry: a value that is no text, number from 0 to 4294967295, list of texts, qword or binary")

func valueOf(raw json.RawMessage) (any, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, errValue
	}
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case '[':
		list := []string{}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, errValue
		}
		return list, nil
	case '{':
		var v rawValue
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, errValue
		}
		switch {
		case v.QWord != nil && v.Binary == nil:
			n, err := strconv.ParseUint(*v.QWord, 10, 64)
			if err != nil {
				return nil, errValue
			}
			return n, nil
		case v.Binary != nil && v.QWord == nil:
			return *v.Binary, nil
		}
		return nil, errValue
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || n > math.MaxUint32 {
		return nil, errValue
	}
	return uint32(n), nil
}
