package kqlsignins_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What follows executes the queries: it walks the syntax tree that Microsoft's
// parser makes of them, and knows of KQL what they use, as the language's
// reference has it. It shares nothing with the code that writes the queries.
// https://learn.microsoft.com/kusto/query

// A record is a row of a table. Cells are nil, string, int64, float64, bool,
// time.Time, or dynamic.
type record map[string]any

type dynamic struct{ v any }

// An interpreter holds the tables of a database.
type interpreter struct {
	tables  map[string][]record
	arrived int // ingestion_time of the row, by its place
	randoms int
}

// An aggregate is evaluated over the rows of a group.
type group []record

type scope struct {
	in    *interpreter
	row   record
	table string // whose columns column_ifexists asks for
	rows  group  // in summarize
}

func (n *node) is(kinds ...string) bool { return n != nil && slices.Contains(kinds, n.Kind) }

// parts are the nodes of n but for words that only part them.
func (n *node) parts() []*node {
	if n.inner != nil {
		return n.inner
	}
	all := []*node{}
	for _, c := range n.Nodes {
		switch {
		case c.Kind == "List" || c.Kind == "SeparatedElement" || c.Kind == "ExpressionList":
			all = append(all, c.parts()...)
		case c.Text == "" && !strings.HasSuffix(c.Kind, "Token"):
			all = append(all, c)
		}
	}
	n.inner = all
	return all
}

// name is the text of a name.
func (n *node) name() string {
	if n.Text != "" {
		return n.Text
	}
	for _, c := range n.Nodes {
		if name := c.name(); name != "" {
			return name
		}
	}
	return ""
}

// query executes a whole query.
func (in *interpreter) query(tree *node) ([]record, error) {
	for tree.is("QueryBlock", "List", "SeparatedElement", "ExpressionStatement") {
		var next *node
		for _, c := range tree.Nodes {
			if len(c.Nodes) > 0 && (next == nil || c.Kind != "List") {
				next = c
			}
		}
		if next == nil {
			return nil, fmt.Errorf("no query in %s", tree.Kind)
		}
		tree = next
	}
	rows, _, err := in.pipe(tree)
	return rows, err
}

// pipe executes n, and returns the name of the table that its rows are of.
func (in *interpreter) pipe(n *node) ([]record, string, error) {
	switch n.Kind {
	case "ParenthesizedExpression":
		return in.pipe(n.parts()[0])
	case "NameReference":
		rows, ok := in.tables[n.name()]
		if !ok {
			return nil, "", fmt.Errorf("no table %s", n.name())
		}
		numbered := make([]record, len(rows))
		for i, r := range rows {
			numbered[i] = maps.Clone(r)
			in.arrived++
			numbered[i]["$arrived"] = time.Date(2026, 11, 26, 0, 0, 0, in.arrived*1000, time.UTC)
		}
		return numbered, n.name(), nil
	case "UnionOperator":
		var all []record
		for _, leg := range n.parts() {
			if leg.is("NamedParameter") {
				continue
			}
			rows, _, err := in.pipe(leg)
			if err != nil {
				return nil, "", err
			}
			all = append(all, rows...)
		}
		return all, "", nil
	case "PipeExpression":
		parts := n.parts()
		rows, table, err := in.pipe(parts[0])
		if err != nil {
			return nil, "", err
		}
		rows, err = in.operator(parts[1], rows, table)
		return rows, table, err
	}
	return nil, "", fmt.Errorf("no such operator: %s", n.Kind)
}

func (in *interpreter) operator(n *node, rows []record, table string) ([]record, error) {
	switch n.Kind {
	case "FilterOperator":
		condition := n.parts()[0]
		kept := rows[:0:0]
		for _, r := range rows {
			v, err := (&scope{in: in, row: r, table: table}).eval(condition)
			if err != nil {
				return nil, err
			}
			if v == true {
				kept = append(kept, r)
			}
		}
		return kept, nil
	case "ExtendOperator", "ProjectOperator":
		for i, r := range rows {
			// All expressions see the row as it was before.
			next := record{"$arrived": r["$arrived"]}
			if n.is("ExtendOperator") {
				next = maps.Clone(r)
			}
			for _, e := range n.parts() {
				name, is := named(e)
				v, err := (&scope{in: in, row: r, table: table}).eval(is)
				if err != nil {
					return nil, err
				}
				next[name] = v
			}
			rows[i] = next
		}
		return rows, nil
	case "SummarizeOperator":
		return in.summarize(n, rows)
	}
	return nil, fmt.Errorf("no such operator: %s", n.Kind)
}

// named returns the name and the expression of a column.
func named(n *node) (string, *node) {
	if n.is("SimpleNamedExpression") {
		parts := n.parts()
		return parts[0].name(), parts[len(parts)-1]
	}
	return n.name(), n
}

func (in *interpreter) summarize(n *node, rows []record) ([]record, error) {
	var aggregates, keys []*node
	for _, p := range n.parts() {
		if p.is("SummarizeByClause") {
			keys = p.parts()
		} else {
			aggregates = append(aggregates, p)
		}
	}
	groups := map[string]*record{}
	members := map[string]group{}
	var order []string
	for _, r := range rows {
		key := record{}
		id := ""
		for _, k := range keys {
			name, is := named(k)
			v, err := (&scope{in: in, row: r}).eval(is)
			if err != nil {
				return nil, err
			}
			key[name] = v
			id += fmt.Sprintf("%T %v\x00", v, v)
		}
		if groups[id] == nil {
			groups[id] = &key
			order = append(order, id)
		}
		members[id] = append(members[id], r)
	}
	if len(keys) == 0 && len(rows) == 0 { // one row of nothing
		groups[""], order = &record{}, []string{""}
	}
	var all []record
	for _, id := range order {
		out := *groups[id]
		for _, a := range aggregates {
			name, is := named(a)
			s := &scope{in: in, rows: members[id], row: record{}}
			v, err := s.eval(is)
			if err != nil {
				return nil, err
			}
			if best, ok := v.(record); ok { // arg_max of all columns
				for column, cell := range best {
					if _, isKey := out[column]; !isKey {
						out[column] = cell
					}
				}
				continue
			}
			out[name] = v
		}
		all = append(all, out)
	}
	return all, nil
}

func (s *scope) eval(n *node) (any, error) {
	switch n.Kind {
	case "ParenthesizedExpression":
		return s.eval(n.parts()[0])
	case "NameReference":
		v, ok := s.row[n.name()]
		if !ok {
			return nil, fmt.Errorf("no column %s", n.name())
		}
		return v, nil
	case "StringLiteralExpression":
		return literal(n.name())
	case "LongLiteralExpression":
		return strconv.ParseInt(n.name(), 10, 64)
	case "IntLiteralExpression": // int(null)
		return nil, nil
	case "BooleanLiteralExpression":
		return n.name() == "true", nil
	case "DateTimeLiteralExpression":
		text := strings.TrimSuffix(strings.TrimPrefix(n.name(), "datetime("), ")")
		if text == "null" {
			return nil, nil
		}
		return time.Parse(time.RFC3339Nano, text)
	case "TimespanLiteralExpression":
		return time.ParseDuration(n.name())
	case "PathExpression":
		parts := n.parts()
		of, err := s.eval(parts[0])
		if err != nil {
			return nil, err
		}
		d, _ := of.(dynamic)
		members, _ := d.v.(map[string]any)
		if v, ok := members[parts[1].name()]; ok && v != nil {
			return dynamic{v}, nil
		}
		return nil, nil
	case "AndExpression", "OrExpression":
		parts := n.parts()
		for _, p := range parts {
			v, err := s.eval(p)
			if err != nil {
				return nil, err
			}
			if (v == true) == n.is("OrExpression") {
				return v == true, nil
			}
		}
		return n.is("AndExpression"), nil
	case "FunctionCallExpression":
		return s.call(n)
	}
	parts := n.parts()
	values := make([]any, len(parts))
	for i, p := range parts {
		var err error
		if values[i], err = s.eval(p); err != nil {
			return nil, err
		}
	}
	return binary(n.Kind, values)
}

func binary(kind string, v []any) (any, error) {
	text := func(i int) string { t, _ := v[i].(string); return t }
	switch kind {
	case "EqualExpression":
		return v[0] != nil && v[0] == v[1], nil
	case "InExpression":
		return slices.Contains(v[1:], v[0]), nil
	case "InCsExpression": // of which the name is the wrong way round: in~
		return slices.ContainsFunc(v[1:], func(e any) bool { t, _ := e.(string); return ordinalFold(t) == ordinalFold(text(0)) }), nil
	case "MatchesRegexExpression":
		re, err := compiled(text(1))
		return err == nil && re.MatchString(text(0)), err
	case "StartsWithCsExpression":
		return strings.HasPrefix(text(0), text(1)), nil
	case "ContainsCsExpression":
		return strings.Contains(text(0), text(1)), nil
	case "GreaterThanOrEqualExpression", "LessThanExpression":
		a, okA := v[0].(time.Time)
		b, okB := v[1].(time.Time)
		return okA && okB && a.Before(b) == (kind == "LessThanExpression"), nil
	case "SubtractExpression":
		a, okA := v[0].(int64)
		b, okB := v[1].(int64)
		if !okA || !okB {
			return nil, nil
		}
		return a - b, nil
	}
	return nil, fmt.Errorf("no such expression: %s of %d", kind, len(v))
}

// ordinalFold is how .NET's ordinal comparison without case sees a text: each
// letter in upper case, where that is one letter.
func ordinalFold(t string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\u0131', '\u017f', '\u212a': // stay as they are in the invariant culture
			return r
		}
		return unicode.ToUpper(r)
	}, t)
}

// invariantLower is how .NET's invariant culture lowers a text.
func invariantLower(t string) string {
	return strings.Map(func(r rune) rune {
		if r == '\u0130' {
			return r
		}
		return unicode.ToLower(r)
	}, t)
}

// aggregates are the functions that look at the rows of a group.
var aggregates = []string{"count", "countif", "min", "max", "sum", "arg_max"}

func (s *scope) call(n *node) (any, error) {
	parts := n.parts()
	name, args := parts[0].name(), parts[1:]
	if s.rows != nil && slices.Contains(aggregates, name) {
		return s.aggregate(name, args)
	}
	switch name { // those that do not evaluate all arguments
	case "iff", "case":
		for len(args) >= 2 {
			condition, err := s.eval(args[0])
			if err != nil {
				return nil, err
			}
			if condition == true {
				return s.eval(args[1])
			}
			args = args[2:]
		}
		if len(args) != 1 {
			return nil, fmt.Errorf("%s without a value for the rest", name)
		}
		return s.eval(args[0])
	case "column_ifexists":
		column, err := s.eval(args[0])
		if err != nil {
			return nil, err
		}
		if v, ok := s.row[column.(string)]; ok {
			return v, nil
		}
		return s.eval(args[1])
	}
	values := make([]any, len(args))
	for i, a := range args {
		var err error
		if values[i], err = s.eval(a); err != nil {
			return nil, err
		}
	}
	text := func(i int) string { t, _ := values[i].(string); return t }
	switch name {
	case "not":
		return values[0] != true, nil
	case "isempty":
		return values[0] == nil || values[0] == "", nil
	case "isnull":
		return values[0] == nil, nil
	case "coalesce":
		for _, v := range values {
			if v != nil && v != "" {
				return v, nil
			}
		}
		return values[len(values)-1], nil
	case "strcat":
		b := &strings.Builder{}
		for _, v := range values {
			t, err := asText(v)
			if err != nil {
				return nil, err
			}
			b.WriteString(t)
		}
		return b.String(), nil
	case "tostring":
		return asText(values[0])
	case "tolower":
		return invariantLower(text(0)), nil
	case "toint", "tolong":
		return asNumber(values[0], name == "toint"), nil
	case "parse_json":
		var v any
		if json.Unmarshal([]byte(text(0)), &v) != nil {
			return dynamic{text(0)}, nil
		}
		return dynamic{v}, nil
	case "ingestion_time":
		return s.row["$arrived"], nil
	case "rand":
		s.in.randoms++
		return float64(s.in.randoms) / (1 << 20), nil
	case "replace_string":
		return strings.ReplaceAll(text(0), text(1), text(2)), nil
	case "bin":
		at, ok := values[0].(time.Time)
		if !ok {
			return nil, nil
		}
		return at.Truncate(values[1].(time.Duration)), nil
	case "strcat_array":
		d, _ := values[0].(dynamic)
		list, _ := d.v.([]any)
		texts := make([]string, len(list))
		for i, v := range list {
			texts[i], _ = v.(string)
		}
		return strings.Join(texts, text(1)), nil
	}
	at := map[string]int{"replace_regex": 1, "extract": 0, "extract_all": 0, "trim": 0}
	if i, ok := at[name]; ok {
		re, err := compiled(text(i))
		if err != nil {
			return nil, err
		}
		return withRegexp(name, re, values)
	}
	return nil, fmt.Errorf("no such function: %s", name)
}

func withRegexp(name string, re *regexp.Regexp, values []any) (any, error) {
	text := func(i int) string { t, _ := values[i].(string); return t }
	switch name {
	case "replace_regex":
		return re.ReplaceAllString(text(0), strings.ReplaceAll(text(2), `\1`, "${1}")), nil
	case "trim":
		t := text(1)
		if at := re.FindStringIndex(t); at != nil && at[0] == 0 {
			t = t[at[1]:]
		}
		if all := re.FindAllStringIndex(t, -1); len(all) > 0 && all[len(all)-1][1] == len(t) {
			t = t[:all[len(all)-1][0]]
		}
		return t, nil
	case "extract":
		if found := re.FindStringSubmatch(text(2)); found != nil {
			return found[values[1].(int64)], nil
		}
		return "", nil
	}
	var list []any
	for _, found := range re.FindAllStringSubmatch(text(1), -1) {
		list = append(list, found[1])
	}
	return dynamic{list}, nil
}

func (s *scope) aggregate(name string, args []*node) (any, error) {
	var best any
	var bestRow record
	count := int64(0)
	for _, r := range s.rows {
		if name == "count" {
			count++
			continue
		}
		v, err := (&scope{in: s.in, row: r}).eval(args[0])
		if err != nil {
			return nil, err
		}
		switch {
		case name == "countif":
			if v == true {
				count++
			}
		case v == nil:
		case name == "sum":
			count += v.(int64)
		case best == nil || (name == "min") == (compared(v, best) < 0) && compared(v, best) != 0:
			best, bestRow = v, r
		}
	}
	switch name {
	case "min", "max":
		return best, nil
	case "arg_max":
		return bestRow, nil
	}
	return count, nil
}

func compared(a, b any) int {
	switch a := a.(type) {
	case time.Time:
		return a.Compare(b.(time.Time))
	case int64:
		return cmp.Compare(a, b.(int64))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func asText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	case dynamic:
		if t, ok := v.v.(string); ok {
			return t, nil
		}
		text, err := json.Marshal(v.v)
		return string(text), err
	}
	return "", fmt.Errorf("a %T as text", v)
}

func asNumber(v any, small bool) any {
	var n int64
	switch v := v.(type) {
	case dynamic:
		return asNumber(v.v, small)
	case float64:
		n = int64(v)
	case int64:
		n = v
	case string:
		var err error
		if n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64); err != nil {
			return nil
		}
	default:
		return nil
	}
	if small && (n > math.MaxInt32 || n < math.MinInt32) {
		return nil
	}
	return n
}

// literal is what a literal of a text stands for.
func literal(quoted string) (any, error) {
	if rest, ok := strings.CutPrefix(quoted, "@"); ok {
		mark := rest[:1]
		return strings.ReplaceAll(rest[1:len(rest)-1], mark+mark, mark), nil
	}
	var t string
	err := json.Unmarshal([]byte(quoted), &t)
	return t, err
}

var compiledOnes = map[string]*regexp.Regexp{}

func compiled(re string) (*regexp.Regexp, error) {
	if have := compiledOnes[re]; have != nil {
		return have, nil
	}
	made, err := regexp.Compile(re)
	compiledOnes[re] = made
	return made, err
}

// A runner executes queries of which the trees are known.
type runner struct {
	in    *interpreter
	trees map[string]*node
}

func (r *runner) Run(ctx context.Context, query string, columns []string, row func([]any) error) error {
	tree := r.trees[query]
	if tree == nil {
		return fmt.Errorf("a query that was not parsed:\n%s", query)
	}
	rows, err := r.in.query(tree)
	if err != nil {
		return err
	}
	for _, found := range rows {
		cells := make([]any, len(columns))
		for i, c := range columns {
			v, ok := found[c]
			if !ok {
				return fmt.Errorf("the answer has no column %s", c)
			}
			cells[i] = v
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return ctx.Err()
}
