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

	// Delivered orders copies of one event: the last that arrived has the
	// largest value. It is a column, or an expression, and becomes part of the
	// queries as it is. If it is empty, it is the column "delivered".
	Delivered string
}

func (t Table) plan() plan.Table {
	return plan.Table{From: t.From, Record: t.Record, Delivered: cmp.Or(t.Delivered, "delivered")}
}

// Schema returns the statement that makes the table From, a name, on one
// server. Records are kept in the order of their arrival, in a partition for
// each day of it.
func (t Table) Schema() string {
	b := &strings.Builder{}
	b.WriteString("-- A log of sign-ins: one row for each record.\nCREATE TABLE IF NOT EXISTS " + t.From + "\n(\n")
	for _, c := range t.columns() {
		b.WriteString("    " + c + " String CODEC(ZSTD(3)),\n")
	}
	b.WriteString("    -- what orders copies of one event\n    delivered DateTime64(6, 'UTC') DEFAULT now64(6)\n)\nENGINE = MergeTree\nPARTITION BY toDate(delivered)\nORDER BY delivered\n")
	return b.String()
}

// Distributed returns the statement that makes name, a table over the tables
// From of all servers of a cluster. Rows go to servers at random: copies of an
// event may lie on different ones.
func (t Table) Distributed(name, cluster, database string) string {
	return "-- The tables " + t.From + " of all servers as one.\nCREATE TABLE IF NOT EXISTS " + name + " AS " + t.From +
		"\nENGINE = Distributed(" + cluster + ", " + database + ", " + t.From + ", rand())\n"
}

// Insert returns the statement, without data, that takes a file that diagnostic
// settings wrote, one JSON object a line, as what the HTTP interface or
// clickhouse-client sends it.
func (t Table) Insert() string {
	if t.Record != "" {
		return "INSERT INTO " + t.From + " (" + t.Record + ") FORMAT LineAsString\n"
	}
	return "INSERT INTO " + t.From + " (" + strings.Join(t.columns(), ", ") + ")\n" +
		"SETTINGS input_format_skip_unknown_fields = 1, input_format_null_as_default = 1, input_format_json_read_objects_as_strings = 1,\n" +
		"    input_format_json_read_numbers_as_strings = 1\nFORMAT JSONEachRow\n"
}

func (t Table) columns() []string {
	if t.Record != "" {
		return []string{t.Record}
	}
	return []string{"time", "category", "resultType", "resultDescription", "callerIpAddress", "location", "properties"}
}
