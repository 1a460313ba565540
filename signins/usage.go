package signins

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/crossprem/crossprem/internal/enum"
)

// A UsageReport is what a report of an admin centre says of the use of an old
// protocol. It is evidence of its own kind, and no part of a [Summary]: it has
// totals, and no sign-ins. The list that is not of its Kind is nil.
type UsageReport struct {
	Kind    ReportKind   `json:"kind"`
	Calls   []EWSCalls   `json:"calls,omitempty"`   // of EWSUsage, in the order of the file
	Senders []SMTPSender `json:"senders,omitempty"` // of SMTPAuthClients, in the order of the file
}

// A ReportKind is a report that [ReadUsageReport] can read.
type ReportKind uint8

const (
	UnknownReport ReportKind = iota

	// EWSUsage is the report "EWS usage" of the Microsoft 365 admin center, as
	// it exports it. It counts calls that succeeded, by the week, in the period
	// that was chosen there, which the file does not tell.
	// https://learn.microsoft.com/microsoft-365/admin/activity-reports/ews-usage
	EWSUsage

	// SMTPAuthClients is the table of the report "SMTP AUTH clients" of the
	// Exchange admin center. It does not tell who sent a password and who used
	// OAuth.
	// https://learn.microsoft.com/exchange/monitoring/mail-flow-reports/mfr-smtp-auth-clients-report
	SMTPAuthClients
)

var reportKindTexts = enum.Of[ReportKind]("signins: report kind", "unknown", "ews-usage", "smtp-auth-clients")

// String returns a name such as "ews-usage".
func (k ReportKind) String() string { return reportKindTexts.String(k) }

// MarshalText writes what String returns. It returns an error if k is no kind.
func (k ReportKind) MarshalText() ([]byte, error) { return reportKindTexts.Marshal(k) }

// UnmarshalText reads what MarshalText writes.
func (k *ReportKind) UnmarshalText(text []byte) error { return reportKindTexts.Unmarshal(k, text) }

// EWSCalls are the calls of one action by one application.
type EWSCalls struct {
	AppID  string    `json:"appId"`
	Action string    `json:"action"` // such as "GetItem"
	Calls  int64     `json:"calls"`
	Last   time.Time `json:"last,omitzero"` // day of the last one, UTC; zero if the report does not tell, or not which is the day and which the month
}

// An SMTPSender is one that sent messages with SMTP AUTH. What the report does
// not tell of the versions of TLS is nil.
type SMTPSender struct {
	Sender   string   `json:"sender"`
	Domain   string   `json:"domain,omitempty"`
	Messages int64    `json:"messages"`
	TLS10    *float64 `json:"tls10,omitempty"` // percent of the messages
	TLS11    *float64 `json:"tls11,omitempty"`
	TLS12    *float64 `json:"tls12,omitempty"`
}

// Bounds of a report.
const (
	maxReport     = 64 << 20 // bytes
	maxReportRows = 1 << 20
)

// ErrNotReport is what [ReadUsageReport] returns, wrapped, for a file that has
// not the columns of a report.
var ErrNotReport = errors.New("not a usage report")

// The columns of each kind, by their names in small letters and digits, with
// and without what stands in parentheses.
var reportColumns = [...]struct {
	kind    ReportKind
	columns [6][]string // by place
	needed  int         // so many of them, from the first on
}{
	{EWSUsage, [6][]string{{"appid", "applicationid"}, {"soapaction"}, {"callvolume"}, {"lastactivitydate", "lastactivitydateutc"}}, 3},
	{SMTPAuthClients, [6][]string{{"senderaddress"}, {"messagessent", "messagecount"}, {"domain"}, {"tls10"}, {"tls11"}, {"tls12"}}, 2},
}

// ReadUsageReport reads a report as CSV, in UTF-8 or UTF-16. Which one it is
// follows from its columns, in any order and letter case, more of them
// included. A row without a whole number of calls or messages is an error that
// names its line. Reports of more than 64 MiB or a million rows are refused.
func ReadUsageReport(src io.Reader) (*UsageReport, error) {
	limited := &io.LimitedReader{R: src, N: maxReport + 1}
	text := transform.NewReader(limited, unicode.BOMOverride(unicode.UTF8.NewDecoder()))
	rows := csv.NewReader(bufio.NewReader(text))
	rows.ReuseRecord, rows.FieldsPerRecord = true, -1
	head, err := rows.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("signins: %w: it is empty", ErrNotReport)
	}
	if err != nil {
		return nil, fmt.Errorf("signins: %w: %w", ErrNotReport, err)
	}
	kind, at := reportOf(head)
	report := &UsageReport{Kind: kind}
	if report.Kind == UnknownReport {
		return nil, fmt.Errorf("signins: %w: its columns are %.200q", ErrNotReport, strings.Join(head, ", "))
	}
	for n := 0; ; n++ {
		row, err := rows.Read()
		switch {
		case limited.N == 0:
			return nil, fmt.Errorf("signins: usage report: it has more than %d MiB", maxReport>>20)
		case err == io.EOF:
			return report, nil
		case err != nil:
			return nil, fmt.Errorf("signins: usage report: %w", err)
		case n == maxReportRows:
			return nil, fmt.Errorf("signins: usage report: it has more than %d rows", maxReportRows)
		}
		if err := report.add(row, at); err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("signins: usage report: line %d: %w", line, err)
		}
	}
}

// reportOf returns which report has the columns, and where those are that are
// read, or -1.
func reportOf(head []string) (ReportKind, [6]int) {
	for _, k := range reportColumns {
		at := [6]int{-1, -1, -1, -1, -1, -1}
		for column, name := range head {
			for place, names := range k.columns {
				if at[place] < 0 && isColumn(name, names) {
					at[place] = column
				}
			}
		}
		if !slices.Contains(at[:k.needed], -1) {
			return k.kind, at
		}
	}
	return UnknownReport, [6]int{}
}

func reportKind(head []string) ReportKind {
	kind, _ := reportOf(head)
	return kind
}

func isColumn(name string, names []string) bool {
	short, _, _ := strings.Cut(name, "(")
	for _, want := range names {
		if plain(name) == want || plain(short) == want {
			return true
		}
	}
	return false
}

// plain returns the letters and digits of name in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

func (u *UsageReport) add(row []string, at [6]int) error {
	cell := func(place int) string {
		if at[place] < 0 || at[place] >= len(row) {
			return ""
		}
		return strings.Clone(strings.TrimSpace(row[at[place]]))
	}
	switch u.Kind {
	case EWSUsage:
		calls, err := wholeNumber(cell(2))
		if err != nil {
			return err
		}
		u.Calls = append(u.Calls, EWSCalls{cell(0), cell(1), calls, dayOf(cell(3))})
	case SMTPAuthClients:
		messages, err := wholeNumber(cell(1))
		if err != nil {
			return err
		}
		u.Senders = append(u.Senders, SMTPSender{cell(0), cell(2), messages, percent(cell(3)), percent(cell(4)), percent(cell(5))})
	}
	return nil
}

// wholeNumber reads a count, with commas between thousands or without.
func wholeNumber(text string) (int64, error) {
	n, err := strconv.ParseUint(strings.ReplaceAll(text, ",", ""), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("not a whole number: %.40q", text)
	}
	return int64(n), nil
}

// dayOf reads a date, with a time or without.
func dayOf(text string) time.Time {
	if !strings.Contains(text, ":") {
		text += " 00:00"
	}
	at, ok := parseTime([]byte(text))
	if !ok {
		return time.Time{}
	}
	return at
}

// percent reads "12.5" and "12.5%", and returns nil for what is neither.
func percent(text string) *float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 100 {
		return nil
	}
	return &v
}
