package clickhousesignins_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/clickhousesignins"
)

// Last week of a table that the schema of this package made.
func Example() {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{"127.0.0.1:9000"}, Auth: clickhouse.Auth{Database: "logs"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	engine := clickhousesignins.Engine{
		Conn:       conn,
		Table:      clickhousesignins.Table{From: "signins", Record: "record", Prepared: true},
		Summarizer: signins.Summarizer{Since: today.AddDate(0, 0, -7), Until: today},
	}
	summary, err := engine.Summarize(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(summary.LegacyUsersWithSuccess())
}

// A table for records that diagnostic settings write.
func ExampleTable_Schema() {
	table := clickhousesignins.Table{From: "signins", Record: "record", Prepared: true}
	for _, statement := range table.Schema() {
		title, rest, _ := strings.Cut(statement, "\n")
		what, _, _ := strings.Cut(rest, "\n")
		fmt.Println(title)
		fmt.Println(what)
	}
	fmt.Print(table.Insert())
	// Output:
	// -- A log of sign-ins: one row for each record.
	// CREATE TABLE IF NOT EXISTS signins
	// -- Where records arrive.
	// CREATE TABLE IF NOT EXISTS signins_incoming
	// -- What the questions look at, as records arrive.
	// CREATE MATERIALIZED VIEW IF NOT EXISTS signins_prepare TO signins AS
	// INSERT INTO signins_incoming (record) FORMAT LineAsString
}
