package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/tlsprobe"
)

// runMail asks the mail exchangers of domains, one domain after the other.
func runMail(ctx context.Context, p *tlsprobe.Prober, domains []string, at time.Time, asJSON bool, failOn *failon.Limit, out, notes io.Writer) int {
	code := ran
	for _, domain := range domains {
		m, err := p.ProbeMail(ctx, domain)
		if err != nil {
			fmt.Fprintln(notes, err)
			if code = couldNot; errors.Is(err, tlsprobe.ErrBadTarget) || errors.Is(err, tlsprobe.ErrBadSetting) {
				return wrongUsage
			}
			if ctx.Err() != nil {
				return couldNot
			}
			continue
		}
		day := at
		if day.IsZero() {
			day = m.At
		}
		findings := tlsprobe.AssessMail(m, day)
		failOn.See(findings...)
		for _, host := range m.Hosts {
			if host.Result != nil {
				failOn.See(tlsprobe.Assess(host.Result, tlsprobe.OnPremExchange, day)...)
			}
		}
		if asJSON {
			err = json.NewEncoder(out).Encode(struct {
				*tlsprobe.MailResult
				Findings []crossprem.Finding `json:"findings"`
			}{m, findings})
		} else {
			_, err = io.WriteString(out, mailText(m, findings, day))
		}
		if err != nil {
			fmt.Fprintln(notes, "tls:", err)
			return couldNot
		}
	}
	return failOn.Code(code)
}

// mailText is what a person wants to know of the mail exchangers of a domain.
func mailText(m *tlsprobe.MailResult, findings []crossprem.Finding, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", m.Domain)
	switch {
	case m.NullMX:
		b.WriteString("  takes no mail (null MX)")
	case m.NoMX:
		b.WriteString("  has no MX record; its own address counts")
	}
	b.WriteByte('\n')
	for _, host := range m.Hosts {
		fmt.Fprintf(&b, "  %d %s", host.Preference, host.Host)
		switch r := host.Result; {
		case host.ExchangeOnline:
			b.WriteString("  is Exchange Online itself")
		case r == nil:
			b.WriteString("  was not asked: " + host.Problem)
		default:
			fmt.Fprintf(&b, "  %s", r.Class)
			if r.Highest() != 0 {
				fmt.Fprintf(&b, ", up to %s", r.Highest())
			}
		}
		b.WriteByte('\n')
	}
	printFindings(&b, findings, true)
	for _, host := range m.Hosts {
		if host.Result == nil {
			continue
		}
		var rest strings.Builder
		printFindings(&rest, tlsprobe.Assess(host.Result, tlsprobe.OnPremExchange, at), false)
		if rest.Len() > 0 {
			fmt.Fprintf(&b, "%s\n%s", host.Result.Target, rest.String())
		}
	}
	return b.String()
}
