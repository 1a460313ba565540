package crossprem

import (
	"fmt"
	"slices"
	"strings"
)

// An enum holds the texts of one enumeration of this package, in the order of
// its constants. The packages below have the same thing as internal/enum,
// which this package does not import: it stands on the standard library alone.
type enum[T ~uint8] struct {
	kind  string // as in "no such status"
	names []string
	also  map[string]T // further texts that are read, and never written
}

func (e *enum[T]) text(v T) string {
	if int(v) < len(e.names) {
		return e.names[v]
	}
	_, kind, _ := strings.Cut(fmt.Sprintf("%T", v), ".")
	return fmt.Sprintf("%s(%d)", kind, uint8(v))
}

func (e *enum[T]) marshal(v T) ([]byte, error) {
	if int(v) >= len(e.names) {
		return nil, fmt.Errorf("crossprem: no such %s: %d", e.kind, uint8(v))
	}
	return []byte(e.names[v]), nil
}

func (e *enum[T]) unmarshal(v *T, text []byte) error {
	if i := slices.Index(e.names, string(text)); i >= 0 {
		*v = T(i)
		return nil
	}
	if also, ok := e.also[string(text)]; ok {
		*v = also
		return nil
	}
	return fmt.Errorf("crossprem: no such %s: %.40q", e.kind, text)
}

// scan reads what a database holds: the text, as string or bytes.
func (e *enum[T]) scan(v *T, stored any) error {
	switch stored := stored.(type) {
	case string:
		return e.unmarshal(v, []byte(stored))
	case []byte:
		return e.unmarshal(v, stored)
	}
	return fmt.Errorf("crossprem: a %s is stored as text, not as %T", e.kind, stored)
}
