// Package enum gives enumerations their texts, in one way for all packages.
//
// An enumeration is an unsigned byte whose zero value means "unknown". Its
// texts are declared once, in the order of the constants:
//
//	var classTexts = enum.Of[Class]("tlsprobe: class", "unknown", "tls", "not-tls")
//
//	func (c Class) String() string                   { return classTexts.String(c) }
//	func (c Class) MarshalText() ([]byte, error)     { return classTexts.Marshal(c) }
//	func (c *Class) UnmarshalText(text []byte) error { return classTexts.Unmarshal(c, text) }
package enum

import (
	"fmt"
	"slices"
	"strings"
)

// Texts holds the texts of the enumeration T. It is read-only after [Of] and
// [Texts.Also], and may be shared by goroutines.
type Texts[T ~uint8] struct {
	pkg, kind string
	texts     []string
	also      map[string]T
}

// Of returns the texts of an enumeration, in the order of its constants. The
// kind is the name of the package, a colon and what one value is called, such
// as "tlsprobe: class"; errors begin with it. Two constants with one text, or
// a kind without a package, panic.
func Of[T ~uint8](kind string, texts ...string) *Texts[T] {
	pkg, what, ok := strings.Cut(kind, ": ")
	if !ok {
		panic("enum: a kind without its package: " + kind)
	}
	for i, text := range texts {
		if slices.Contains(texts[:i], text) {
			panic("enum: " + kind + ": two constants with the text " + text)
		}
	}
	return &Texts[T]{pkg: pkg, kind: what, texts: texts, also: map[string]T{}}
}

// Also makes Unmarshal read text as v. It is never written.
func (t *Texts[T]) Also(text string, v T) *Texts[T] {
	t.also[text] = v
	return t
}

// All returns the texts in the order of the constants; the slice is the caller's.
func (t *Texts[T]) All() []string { return slices.Clone(t.texts) }

// String returns the text of v, and "Class(99)" for a value that is none of
// the constants.
func (t *Texts[T]) String(v T) string {
	if int(v) < len(t.texts) {
		return t.texts[v]
	}
	_, name, _ := strings.Cut(fmt.Sprintf("%T", v), ".")
	return fmt.Sprintf("%s(%d)", name, uint8(v))
}

// Marshal returns the text of v, and an error for a value that is none of the
// constants.
func (t *Texts[T]) Marshal(v T) ([]byte, error) {
	if int(v) >= len(t.texts) {
		return nil, fmt.Errorf("%s: no such %s: %d", t.pkg, t.kind, uint8(v))
	}
	return []byte(t.texts[v]), nil
}

// Unmarshal sets v to the constant with this text, and returns an error and
// leaves v as it was for any other text. Letter case counts.
func (t *Texts[T]) Unmarshal(v *T, text []byte) error {
	if i := slices.Index(t.texts, string(text)); i >= 0 {
		*v = T(i)
		return nil
	}
	if also, ok := t.also[string(text)]; ok {
		*v = also
		return nil
	}
	return fmt.Errorf("%s: no such %s: %.40q", t.pkg, t.kind, text)
}
