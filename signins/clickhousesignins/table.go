package clickhousesignins

import (
	"cmp"
	"strings"

	"github.com/crossprem/crossprem/signins/internal/plan"
)

// A Table says where a log lies, in one of two forms.
type Table struct {
	// From is what queries read: the name of a table, or a table function such
	// as "remote('a,b', logs.signins)". It becomes part of the queries as it is.
	From string

	// Record is the column, of type String, that holds whole records, one JSON
	// object each. If it is empty, the columns are the members of the records
	// that diagnostic settings write, all of type String: time, category,
	// resultType, resultDescription, callerIpAddress, location and properties.
	Record string

	// Prepared reports whether the table has the columns that [Table.Schema]
	// makes, which hold what the questions look at. Records are then not taken
	// apart anew for each question, which takes ten times as long.
	Prepared bool

	// Delivered orders copies of one event: the last that arrived has the
	// largest value. It is a column, or an expression, and becomes part of the
	// queries as it is. If it is empty, it is the column "delivered".
	Delivered string
}

func (t Table) plan() plan.Table {
	return plan.Table{From: t.From, Record: t.Record, Prepared: t.Prepared, Delivered: cmp.Or(t.Delivered, "delivered")}
}

// Schema returns the statements, to be run one by one, that make the table
// From, a name, on one server: one row for each record.
//
// If t is Prepared, records go into a table of the same name with "_incoming"
// behind it, which keeps nothing: ClickHouse works out what the questions look
// at as they arrive, and keeps that in From, in the order of the sign-ins' time,
// and in Record the record itself.
func (t Table) Schema() []string {
	b := &strings.Builder{}
	b.WriteString("-- A log of sign-ins: one row for each record.\nCREATE TABLE IF NOT EXISTS " + t.From + "\n(\n")
	if !t.Prepared {
		t.incoming(b)
		b.WriteString("\n)\nENGINE = MergeTree\nPARTITION BY toDate(delivered)\nORDER BY delivered\n")
		return []string{b.String()}
	}
	columns := t.plan().Columns()
	for _, c := range columns {
		b.WriteString("    " + c.Name + " " + c.Type + ",\n")
	}
	if t.Record != "" {
		b.WriteString("    " + t.Record + " String CODEC(ZSTD(3)),\n")
	}
	b.WriteString("    delivered DateTime64(6, 'UTC') -- what orders copies of one event\n)\nENGINE = MergeTree\nPARTITION BY toYYYYMMDD(Time)\nORDER BY Time\nSETTINGS allow_nullable_key = 1\n")
	all := []string{b.String()}

	b = &strings.Builder{}
	b.WriteString("-- Where records arrive.\nCREATE TABLE IF NOT EXISTS " + t.Incoming() + "\n(\n")
	t.incoming(b)
	b.WriteString("\n)\nENGINE = Null\n")
	all = append(all, b.String())

	b = &strings.Builder{}
	b.WriteString("-- What the questions look at, as records arrive.\nCREATE MATERIALIZED VIEW IF NOT EXISTS " + t.From + "_prepare TO " + t.From + " AS\nSELECT\n")
	for _, c := range columns {
		b.WriteString("    " + c.Name + ",\n")
	}
	if t.Record != "" {
		b.WriteString("    " + t.Record + ",\n")
	}
	b.WriteString("    delivered\nFROM (\n    SELECT\n        *")
	for _, c := range append(t.plan().Helpers(), columns...) {
		b.WriteString(",\n        " + c.Is + " AS " + c.Name)
	}
	b.WriteString("\n    FROM " + t.Incoming())
	if t.Record != "" {
		b.WriteString("\n    WHERE match(" + t.Record + ", '\\\\S') -- blank lines are no records")
	}
	b.WriteString("\n)\n")
	return append(all, b.String())
}

// Incoming is the name of the table that records are inserted into.
func (t Table) Incoming() string {
	if t.Prepared {
		return t.From + "_incoming"
	}
	return t.From
}

func (t Table) incoming(b *strings.Builder) {
	for _, c := range t.columns() {
		b.WriteString("    " + c + " String CODEC(ZSTD(3)),\n")
	}
	b.WriteString("    delivered DateTime64(6, 'UTC') DEFAULT now64(6) -- what orders copies of one event")
}

// Distributed returns the statement that makes name, a table over the tables
// From of all servers of a cluster. Rows that are inserted into it go to servers
// at random: copies of an event may lie on different ones, and are found.
func (t Table) Distributed(name, cluster, database string) string {
	return "-- The tables " + t.From + " of all servers as one.\nCREATE TABLE IF NOT EXISTS " + name + " AS " + t.From +
		"\nENGINE = Distributed(" + cluster + ", " + database + ", " + t.From + ", rand())\n"
}

// Insert returns the statement, without data, that takes a file that diagnostic
// settings wrote, one JSON object a line, as what the HTTP interface or
// clickhouse-client sends behind it.
func (t Table) Insert() string {
	if t.Record != "" {
		return "INSERT INTO " + t.Incoming() + " (" + t.Record + ") FORMAT LineAsString\n"
	}
	return "INSERT INTO " + t.Incoming() + " (" + strings.Join(t.columns(), ", ") + ")\n" +
		"SETTINGS input_format_skip_unknown_fields = 1, input_format_null_as_default = 1, input_format_json_read_objects_as_strings = 1,\n" +
		"    input_format_json_read_numbers_as_strings = 1\nFORMAT JSONEachRow\n"
}

func (t Table) columns() []string {
	if t.Record != "" {
		return []string{t.Record}
	}
	return []string{"time", "category", "resultType", "resultDescription", "callerIpAddress", "location", "properties"}
}
