package plan

import "slices"

// An expr is an expression over the columns of the log, in no dialect. What is
// compared is text, unless it says otherwise; a text that is missing is "".
type expr struct {
	op    op
	args  []expr
	text  string   // of a column, a text, a prefix or an expression to match
	list  []string // of texts to find
	cases []choice // of pick
}

type op uint8

const (
	opColumn  op = iota // the column text
	opText              // the text itself
	opYes               // true
	opNo                // false
	opNull              // no number
	opNoTime            // no time
	opAnd               // all of args
	opOr                // one of args
	opNot               // args[0] is not so
	opEqual             // args[0] and args[1] are the same text
	opIn                // args[0] is one of list
	opInFold            // args[0] is one of list but for the letter case of ASCII
	opPrefix            // args[0] begins with text
	opHas               // args[0] contains text
	opMatch             // args[0] contains what the regular expression text (RE2) stands for
	opFold              // args[0] in lower case, with what Unicode folds to ASCII
	opTrim              // args[0] without white space around it
	opSingle            // args[0] with single blanks in place of white space, and none around it
	opExtract           // what the first group of the regular expression text finds in args[0], or ""
	opReplace           // args[0] without what the regular expression text finds
	opCases             // conditions and values, in turn, and the value for the rest
	opPick              // the value of the choice that args[0] is in, and args[1] for the rest
	opPickInt           // the same, of whole numbers
	opIsNull            // the number or time args[0] is missing
	opHour              // the time args[0], without its minutes
	opZero              // the whole number args[0] is 0
)

// A choice is a value, and what stands for it.
type choice struct {
	value string
	of    []string
}

func column(name string) expr              { return expr{op: opColumn, text: name} }
func text(t string) expr                   { return expr{op: opText, text: t} }
func and(args ...expr) expr                { return expr{op: opAnd, args: args} }
func or(args ...expr) expr                 { return expr{op: opOr, args: args} }
func not(e expr) expr                      { return expr{op: opNot, args: []expr{e}} }
func equal(e expr, t string) expr          { return expr{op: opEqual, args: []expr{e, text(t)}} }
func same(a, b expr) expr                  { return expr{op: opEqual, args: []expr{a, b}} }
func isEmpty(e expr) expr                  { return equal(e, "") }
func isNotEmpty(e expr) expr               { return not(isEmpty(e)) }
func in(e expr, list ...string) expr       { return expr{op: opIn, args: []expr{e}, list: list} }
func inFold(e expr, list ...string) expr   { return expr{op: opInFold, args: []expr{e}, list: list} }
func hasPrefix(e expr, prefix string) expr { return expr{op: opPrefix, args: []expr{e}, text: prefix} }
func has(e expr, part string) expr         { return expr{op: opHas, args: []expr{e}, text: part} }
func match(e expr, re string) expr         { return expr{op: opMatch, args: []expr{e}, text: re} }
func fold(e expr) expr                     { return expr{op: opFold, args: []expr{e}} }
func trim(e expr) expr                     { return expr{op: opTrim, args: []expr{e}} }
func single(e expr) expr                   { return expr{op: opSingle, args: []expr{e}} }
func extract(e expr, re string) expr       { return expr{op: opExtract, args: []expr{e}, text: re} }
func without(e expr, re string) expr       { return expr{op: opReplace, args: []expr{e}, text: re} }
func cases(args ...expr) expr              { return expr{op: opCases, args: args} }
func isNull(e expr) expr                   { return expr{op: opIsNull, args: []expr{e}} }
func hour(e expr) expr                     { return expr{op: opHour, args: []expr{e}} }
func isZero(e expr) expr                   { return expr{op: opZero, args: []expr{e}} }
func pick(e, rest expr, of ...choice) expr { return expr{op: opPick, args: []expr{e, rest}, cases: of} }
func pickInt(e, rest expr, of ...choice) expr {
	return expr{op: opPickInt, args: []expr{e, rest}, cases: of}
}

var (
	yes    = expr{op: opYes}
	no     = expr{op: opNo}
	noTime = expr{op: opNoTime}
)

// columns calls with for each column that e looks at.
func (e expr) columns(with func(name string)) {
	if e.op == opColumn {
		with(e.text)
	}
	for _, a := range e.args {
		a.columns(with)
	}
}

// blanks is what Unicode calls white space, and strings.TrimSpace removes, as
// the inside of a class of a regular expression.
const blanks = `\t\n\x0b\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// choices groups keys by their values, in the order of the values' first keys.
func choices[T any](rows []T, keyAndValue func(T) (key, value string)) []choice {
	var all []choice
	for _, r := range rows {
		key, value := keyAndValue(r)
		i := slices.IndexFunc(all, func(c choice) bool { return c.value == value })
		if i < 0 {
			i = len(all)
			all = append(all, choice{value: value})
		}
		all[i].of = append(all[i].of, key)
	}
	return all
}
