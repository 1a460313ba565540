package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/signins"
)

// maxUsage bounds the rows of a report that are printed as text.
const maxUsage = 50

// printUsage prints a report of an admin centre, the most used first.
func (o *settings) printUsage() error {
	f, err := os.Open(o.usage)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := signins.ReadUsageReport(f)
	if err != nil {
		return err
	}
	if o.json {
		out := json.NewEncoder(o.out)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	switch report.Kind {
	case signins.EWSUsage:
		var total int64
		slices.SortStableFunc(report.Calls, func(a, b signins.EWSCalls) int { return cmp.Compare(b.Calls, a.Calls) })
		fmt.Fprintf(o.out, "%-36s %-28s %12s  last\n", "APPLICATION", "EWS action", "calls")
		for i, c := range report.Calls {
			if total += c.Calls; i < maxUsage {
				fmt.Fprintf(o.out, "%-36s %-28s %12d  %s\n", terminal.Line(c.AppID), terminal.Line(c.Action), c.Calls, stamp(c.Last))
			}
		}
		fmt.Fprintf(o.out, "%d calls in %d rows\n", total, len(report.Calls))
	case signins.SMTPAuthClients:
		var total int64
		slices.SortStableFunc(report.Senders, func(a, b signins.SMTPSender) int { return cmp.Compare(b.Messages, a.Messages) })
		percent := func(v *float64) string {
			if v == nil {
				return "unknown"
			}
			return fmt.Sprintf("%g %%", *v)
		}
		fmt.Fprintf(o.out, "%-40s %12s %10s %10s %10s\n", "SENDER WITH SMTP AUTH", "messages", "TLS 1.0", "TLS 1.1", "TLS 1.2")
		for i, s := range report.Senders {
			if total += s.Messages; i < maxUsage {
				fmt.Fprintf(o.out, "%-40s %12d %10s %10s %10s\n", terminal.Line(s.Sender), s.Messages, percent(s.TLS10), percent(s.TLS11), percent(s.TLS12))
			}
		}
		fmt.Fprintf(o.out, "%d messages of %d senders; the report does not tell who sent a password and who used OAuth\n", total, len(report.Senders))
	}
	return nil
}
