// History keeps findings in a SQLite database and says what is new and what is
// fixed since the last time.
//
//	go run ./examples/report -json | go run ./examples/history -db findings.db
//
// It reads what examples/report -json prints, or any JSON object with the
// members asOf and findings, from a file or from standard input. It exits with
// 0 if it ran, 1 if it could not, and 2 for wrong usage.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // registers the driver "sqlite3"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/terminal"
)

// maxReport bounds what is read of a report, in bytes.
const maxReport = 256 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("history", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	path := flags.String("db", "", "the SQLite database `FILE`; it is made if it is not there")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "Usage: history -db FILE [REPORT.json|-]")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return 0
	case err == nil && *path == "":
		err = errors.New("-db FILE is missing")
	case err == nil && flags.NArg() > 1:
		err = fmt.Errorf("one report at a time, not %d", flags.NArg())
	}
	if err != nil {
		fmt.Fprintf(stderr, "history: %v; -help tells more\n", err)
		return 2
	}
	if err := record(ctx, *path, flags.Arg(0), stdin, stdout); err != nil {
		fmt.Fprintf(stderr, "history: %s\n", terminal.Line(err.Error()))
		return 1
	}
	return 0
}

// record reads the report, compares it with the last one in the database at
// path, stores it and prints the difference.
func record(ctx context.Context, path, report string, stdin io.Reader, stdout io.Writer) error {
	in := stdin
	if report != "" && report != "-" {
		f, err := os.Open(report)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	asOf, findings, err := read(in)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	before, last, err := lastBefore(ctx, db, asOf)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := store(ctx, db, asOf, findings); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeChanges(stdout, last, asOf, crossprem.Compare(before, findings))
}

// read reads a report: the day that it was made for, and its findings.
func read(r io.Reader) (asOf string, findings []crossprem.Finding, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return "", nil, err
	}
	if len(text) > maxReport {
		return "", nil, fmt.Errorf("the report has more than %d bytes", maxReport)
	}
	var report struct {
		AsOf     string
		Findings []crossprem.Finding
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return "", nil, fmt.Errorf("the report: %w", err)
	}
	if _, err := time.Parse(time.DateOnly, report.AsOf); err != nil {
		return "", nil, fmt.Errorf("the report has no day asOf such as 2026-11-26, but %q", report.AsOf)
	}
	return report.AsOf, report.Findings, nil
}

// The columns that a query filters by are columns of their own; the whole
// finding is beside them, so that nothing is lost.
const schema = `
create table if not exists finding (
	day      text not null,
	key      text not null,
	rule     text not null,
	status   text not null,
	severity text not null,
	subject  text not null,
	due      text,
	finding  text not null,
	primary key (day, key)
) strict`

// store replaces what is stored of the day.
func store(ctx context.Context, db *sql.DB, day string, findings []crossprem.Finding) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `delete from finding where day = ?`, day); err != nil {
		return err
	}
	for _, f := range findings {
		whole, err := json.Marshal(f)
		if err != nil {
			return err
		}
		due := sql.NullString{String: f.Due.Format(time.DateOnly), Valid: !f.Due.IsZero()}
		// Status and Severity are stored as text.
		if _, err := tx.ExecContext(ctx, `insert or replace into finding values (?, ?, ?, ?, ?, ?, ?, ?)`,
			day, f.Key(), f.Rule, f.Status, f.Severity, f.Subject, due, string(whole)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// lastBefore returns the findings of the last stored day before day, and that
// day, or "" if there is none.
func lastBefore(ctx context.Context, db *sql.DB, day string) (findings []crossprem.Finding, last string, err error) {
	var found sql.NullString
	if err := db.QueryRowContext(ctx, `select max(day) from finding where day < ?`, day).Scan(&found); err != nil {
		return nil, "", err
	}
	rows, err := db.QueryContext(ctx, `select finding from finding where day = ?`, found.String)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var whole string
		if err := rows.Scan(&whole); err != nil {
			return nil, "", err
		}
		var f crossprem.Finding
		if err := json.Unmarshal([]byte(whole), &f); err != nil {
			return nil, "", err
		}
		findings = append(findings, f)
	}
	return findings, found.String, rows.Err()
}

func writeChanges(w io.Writer, last, day string, c crossprem.Changes) error {
	var b strings.Builder
	if last == "" {
		fmt.Fprintf(&b, "%s is the first day that is stored.\n", day)
	} else {
		fmt.Fprintf(&b, "%s, compared with %s:\n", day, last)
	}
	for _, part := range []struct {
		name string
		list []crossprem.Change
	}{{"new", c.New}, {"fixed", c.Fixed}, {"changed", c.Changed}, {"not asked about this time", c.NotAsked}} {
		for _, change := range part.list {
			f := change.After
			if f.Rule == "" || part.name == "not asked about this time" {
				f = change.Before
			}
			subject := f.Subject
			if f.Part != "" {
				subject += " (" + f.Part + ")"
			}
			fmt.Fprintf(&b, "%s: %s: %s: %s\n", part.name, f.Severity, terminal.Line(f.Title), terminal.Line(subject))
		}
	}
	fmt.Fprintf(&b, "%d new, %d fixed, %d changed, %d as before, %d not asked about this time\n",
		len(c.New), len(c.Fixed), len(c.Changed), len(c.Same), len(c.NotAsked))
	_, err := io.WriteString(w, b.String())
	return err
}
