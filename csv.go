package crossprem

import (
	"encoding/csv"
	"io"
	"strings"
	"time"
)

// csvColumns are the columns that WriteCSV writes, in this order; new ones are
// added at the end.
var csvColumns = []string{"key", "status", "severity", "rule", "subject", "part", "title", "detail", "remedy", "due", "sources"}

// WriteCSV writes findings as a table for a spreadsheet: RFC 4180 with a
// header, in UTF-8. The columns are key, status, severity, rule, subject,
// part, title, detail, remedy, due (a day such as 2027-04-01, or empty) and
// sources (joined by "; ").
//
// A cell that a spreadsheet would take for a formula, one that begins with =,
// +, -, @, a tab or a line break, gets an apostrophe in front, which
// spreadsheets do not show.
//
// It returns the error of w, and one for a finding with an invalid status or
// severity.
func WriteCSV(w io.Writer, findings []Finding) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for _, f := range findings {
		status, err := f.Status.MarshalText()
		if err != nil {
			return err
		}
		severity, err := f.Severity.MarshalText()
		if err != nil {
			return err
		}
		due := ""
		if !f.Due.IsZero() {
			due = f.Due.UTC().Format(time.DateOnly)
		}
		row := []string{f.Key(), string(status), string(severity), f.Rule, f.Subject, f.Part, f.Title, f.Detail, f.Remedy, due, strings.Join(f.Sources, "; ")}
		for i := range row {
			row[i] = noFormula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// noFormula makes a cell a text for every spreadsheet (OWASP, CSV Injection).
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
