// Package catalogue finds the rows of a table that explain a text. Each row
// has a pattern, and weighs as much as the literal text that every match of it
// holds: where several rows match, the one that says most exactly what was
// said comes first.
//
//	var t catalogue.Table[string]
//	err := t.Add("refused", `^535 `)                     // weight 4
//	err = t.Add("disabled", `^535 .*is disabled`)        // weight 15
//	t.Find("535 5.7.139 basic authentication is disabled") // disabled, refused
package catalogue

import (
	"iter"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Row is one row of a table: what it says, and when it is meant.
type Row[V any] struct {
	Value V

	// Match reports whether the row explains a text.
	Match func(text string) bool

	// Weight is the number of literal characters that a text holds at least
	// if the row matches it.
	Weight int
}

// A Table is a list of rows. The zero value is empty. Adding is not safe for
// several goroutines; finding is.
type Table[V any] struct{ rows []*Row[V] }

// Add adds a row that matches where every one of the regular expressions
// does, anywhere in the text. It returns the error of the first that does not
// compile, and adds nothing then.
func (t *Table[V]) Add(v V, patterns ...string) error {
	row := Row[V]{Value: v}
	var all []Pattern
	for _, expr := range patterns {
		p, err := Compile(expr)
		if err != nil {
			return err
		}
		all = append(all, p)
		row.Weight += p.Weight
	}
	row.Match = func(text string) bool {
		for _, p := range all {
			if !p.MatchString(text) {
				return false
			}
		}
		return len(all) > 0
	}
	t.AddRow(row)
	return nil
}

// AddRow adds a row whose match and weight the caller made.
func (t *Table[V]) AddRow(row Row[V]) { t.rows = append(t.rows, &row) }

// Rows returns the rows in the order in which they were added. The slice is
// the caller's, the rows are not.
func (t *Table[V]) Rows() []*Row[V] { return slices.Clone(t.rows) }

// Find returns every row that matches text, the heaviest first; of those that
// weigh the same, the one that was added first. It is nil if none does.
func (t *Table[V]) Find(text string) []*Row[V] {
	return t.FindFunc(text, func(*Row[V]) bool { return true })
}

// FindFunc is Find among the rows for which keep returns true.
func (t *Table[V]) FindFunc(text string, keep func(*Row[V]) bool) []*Row[V] {
	var found []*Row[V]
	for _, row := range t.rows {
		if keep(row) && row.Match(text) {
			found = append(found, row)
		}
	}
	Sort(found)
	return found
}

// Sort sorts rows as [Table.Find] does. It is stable.
func Sort[V any](rows []*Row[V]) {
	slices.SortStableFunc(rows, func(a, b *Row[V]) int { return b.Weight - a.Weight })
}

// A Pattern is a regular expression that knows its weight.
type Pattern struct {
	*regexp.Regexp

	// Weight is the number of literal characters that every match holds, at
	// least: of alternatives the shortest counts, of what may be absent
	// nothing.
	Weight int
}

// Compile compiles a regular expression of package regexp and weighs it.
func Compile(expr string) (Pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return Pattern{}, err
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{re, literals(tree)}, nil
}

func literals(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		for _, sub := range re.Sub {
			n += literals(sub)
		}
	case syntax.OpRepeat:
		n = re.Min * literals(re.Sub[0])
	case syntax.OpAlternate:
		n = literals(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, literals(sub))
		}
	}
	return n
}

// Squeeze returns text with every run of white space, line ends and no-break
// spaces among it, as one blank, and none at either end: what a console, a log
// or a mail wrapped is one line again. A word broken in two stays broken.
func Squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// Limits bound what is read of a text. A limit that is zero or less reads
// nothing.
type Limits struct {
	Bytes int // of the text
	Lines int
	Line  int // bytes of each line
}

// Lines yields the lines of text, squeezed, without the empty ones and within
// the limits; what is beyond is left out.
func Lines(text string, limits Limits) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for line := range strings.Lines(cut(text, limits.Bytes)) {
			if n++; n > limits.Lines {
				return
			}
			if line = Squeeze(cut(line, limits.Line)); line != "" && !yield(line) {
				return
			}
		}
	}
}

// cut returns the first n bytes of s, or fewer so that no character is broken.
func cut(s string, n int) string {
	n = max(n, 0)
	if len(s) <= n {
		return s
	}
	for i := 0; i < utf8.UTFMax && n > 0 && !utf8.RuneStart(s[n]); i++ {
		n--
	}
	return s[:n]
}
