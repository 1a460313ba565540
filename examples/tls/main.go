// Tls tells which TLS versions servers negotiate, and what is wrong with that.
//
//	go run ./examples/tls [flags] HOST[:PORT]…
//	go run ./examples/tls mail [flags] DOMAIN…
//
// The second form asks the mail exchangers of domains on port 25, and says
// whether mail from Exchange Online to them could be secured.
//
// With no target, or "-", it reads them from standard input, one a line:
//
//	host:port [sni] [starttls]
//
// where sni may be "-" for the host itself. Lines that are empty or begin with
// "#" are skipped. Results come in the order in which they are complete.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/hostport"
	"github.com/crossprem/crossprem/tlsprobe"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	ran        = 0
	couldNot   = 1
	wrongUsage = 2
)

func run(ctx context.Context, args []string, in io.Reader, out, notes io.Writer) int {
	var p tlsprobe.Prober
	var asJSON, only12, modern, exchange bool
	var startTLS, proxy, dns, day string
	var port uint
	flags := flag.NewFlagSet("tls", flag.ContinueOnError)
	flags.SetOutput(notes)
	flags.StringVar(&startTLS, "starttls", "", "the `protocol` that leads to TLS: smtp, imap, pop3, ldap or tds")
	flags.StringVar(&p.SNI, "sni", "", "the server `name` to send, and to look for in the certificate")
	flags.BoolVar(&p.NoSNI, "no-sni", false, "send no server name, on purpose")
	flags.StringVar(&p.EHLO, "ehlo", "", "the `name` to give to mail servers, in place of the address in brackets")
	flags.IntVar(&p.Samples, "samples", 1, "ask each version so often, to find servers behind one address that differ")
	flags.StringVar(&dns, "dns", "", "the `HOST:PORT` of the DNS server to ask, in place of the system's")
	flags.UintVar(&port, "port", 25, "for mail: the port of the mail exchangers")
	flags.StringVar(&day, "at", "", "the `day` to judge for, such as 2026-11-26, in place of that of the probe")
	flags.DurationVar(&p.Timeout, "timeout", 5*time.Second, "how long one address may take")
	flags.StringVar(&proxy, "proxy", "", "the `URL` of an HTTP proxy, without credentials")
	flags.BoolVar(&only12, "only12", false, "ask about TLS 1.2 alone, with one hello")
	flags.BoolVar(&modern, "modern", false, "ask with three hellos where that is enough")
	flags.BoolVar(&p.SSL20, "ssl2", false, "ask about SSL 2.0 as well")
	flags.BoolVar(&exchange, "exchange", false, "judge the targets as on-premises Exchange")
	flags.BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	failOn := failon.Flag(flags)
	mail := len(args) > 0 && args[0] == "mail"
	if mail {
		args = args[1:]
	}
	var addrs []string
	for { // flags may come after targets
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return ran
		} else if err != nil {
			return wrongUsage
		}
		if flags.NArg() == 0 {
			break
		}
		addrs, args = append(addrs, flags.Arg(0)), flags.Args()[1:]
	}
	p.StartTLS = tlsprobe.Protocol(startTLS)
	if startTLS != "" && !slices.Contains(tlsprobe.Protocols(), p.StartTLS) {
		fmt.Fprintf(notes, "tls: -starttls %q is none of %v\n", startTLS, tlsprobe.Protocols())
		return wrongUsage
	}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			fmt.Fprintln(notes, "tls: -proxy is no URL")
			return wrongUsage
		}
		p.Proxy = u
	}
	at := time.Time{}
	if day != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, day); err != nil {
			fmt.Fprintln(notes, "tls: -at takes a day such as 2026-11-26")
			return wrongUsage
		}
	}
	if dns != "" {
		if _, _, err := net.SplitHostPort(dns); err != nil {
			fmt.Fprintln(notes, "tls: -dns takes the host:port of a DNS server")
			return wrongUsage
		}
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, dns)
		}}
		p.ResolveMX = resolver.LookupMX
		p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return resolver.LookupNetIP(ctx, "ip", host)
		}
	}
	switch {
	case port == 0 || port > 65535:
		fmt.Fprintln(notes, "tls: -port takes a port")
		return wrongUsage
	case p.Samples < 1 || p.Samples > 100:
		fmt.Fprintln(notes, "tls: -samples takes a number from 1 to 100")
		return wrongUsage
	case mail && len(addrs) == 0:
		fmt.Fprintln(notes, "tls: mail takes domains")
		return wrongUsage
	case p.Timeout <= 0:
		fmt.Fprintln(notes, "tls: -timeout takes a time such as 5s")
		return wrongUsage
	case only12 && modern:
		fmt.Fprintln(notes, "tls: -only12 and -modern exclude each other")
		return wrongUsage
	case only12:
		p.Ask = tlsprobe.Only12
	case modern:
		p.Ask = tlsprobe.Modern
	}

	if p.MailPort = uint16(port); mail {
		return runMail(ctx, &p, addrs, at, asJSON, failOn, out, notes)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	input := &lines{in: in}
	targets := func(yield func(tlsprobe.Target) bool) {
		for _, addr := range addrs {
			if addr != "-" && !yield(tlsprobe.Target{Addr: hostport.Complete(addr, startTLS)}) {
				return
			}
		}
	}
	if len(addrs) == 0 || slices.Contains(addrs, "-") {
		targets = chain(targets, input.targets(ctx))
	}

	encoder := json.NewEncoder(out)
	progress := newProgress(notes)
	failed := false
	for r, err := range p.ProbeAll(ctx, targets) {
		progress.clear()
		if err != nil {
			failed = true
			fmt.Fprintln(notes, err)
			r.Detail = err.Error() // so that each target has its object
		}
		if err == nil {
			day := at
			if day.IsZero() {
				day = r.At
			}
			failOn.See(tlsprobe.Assess(r, roleOf(r, exchange), day)...)
		}
		switch {
		case err != nil && !asJSON:
		case asJSON:
			if err := encoder.Encode(r); err != nil {
				fmt.Fprintln(notes, "tls:", err)
				return couldNot
			}
		default:
			if err := print(out, r, roleOf(r, exchange), at); err != nil {
				fmt.Fprintln(notes, "tls:", err)
				return couldNot
			}
		}
		progress.one()
	}
	progress.clear()
	for _, err := range []error{input.err, context.Cause(ctx)} {
		if err != nil {
			fmt.Fprintln(notes, "tls:", err)
			failed = true
		}
	}
	if failed {
		return couldNot
	}
	return failOn.Code(ran)
}

func roleOf(r *tlsprobe.Result, exchange bool) tlsprobe.Role {
	if exchange {
		return tlsprobe.OnPremExchange
	}
	return tlsprobe.RoleOf(r.Target)
}

// chain yields what the sequences yield, one after the other.
func chain[T any](sequences ...iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, seq := range sequences {
			for v := range seq {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// lines reads targets, one a line.
type lines struct {
	in  io.Reader
	err error // of the reading, when the sequence has ended
}

// targets ends with ctx, even while a read from a terminal is waiting.
func (l *lines) targets(ctx context.Context) iter.Seq[tlsprobe.Target] {
	return func(yield func(tlsprobe.Target) bool) {
		read := make(chan string)
		end := make(chan error, 1)
		go func() { // it may wait for a line until the program ends
			scanner := bufio.NewScanner(l.in)
			number := 1
			for ; scanner.Scan(); number++ {
				select {
				case read <- scanner.Text():
				case <-ctx.Done():
					return
				}
			}
			if err := scanner.Err(); err != nil {
				end <- fmt.Errorf("standard input, line %d: %w", number, err)
			}
			close(end)
		}()
		for number := 1; ; number++ {
			select {
			case <-ctx.Done():
				return
			case l.err = <-end:
				return
			case line := <-read:
				target, err := parseLine(line)
				if err != nil {
					l.err = fmt.Errorf("standard input, line %d: %w", number, err)
					return
				}
				if target.Addr != "" && !yield(target) {
					return
				}
			}
		}
	}
}

// parseLine reads "host[:port] [sni] [starttls]".
func parseLine(line string) (tlsprobe.Target, error) {
	fields := strings.Fields(strings.TrimPrefix(line, "\ufeff")) // a mark that Windows puts before the first
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return tlsprobe.Target{}, nil
	}
	if len(fields) > 3 {
		return tlsprobe.Target{}, errors.New("more than three words")
	}
	target := tlsprobe.Target{Addr: fields[0]}
	rest := fields[1:]
	if n := len(rest); n > 0 && slices.Contains(tlsprobe.Protocols(), tlsprobe.Protocol(rest[n-1])) {
		target.StartTLS = tlsprobe.Protocol(rest[n-1])
		rest = rest[:n-1]
	}
	target.Addr = hostport.Complete(target.Addr, string(target.StartTLS))
	_, _, err := net.SplitHostPort(target.Addr)
	switch {
	case err != nil:
		return target, fmt.Errorf("%.80q is no host, with or without a port", target.Addr)
	case len(rest) > 1:
		return target, fmt.Errorf("%.40q is none of %v", rest[1], tlsprobe.Protocols())
	case len(rest) == 1 && rest[0] != "-":
		target.SNI = rest[0]
	}
	return target, nil
}

var signs = map[crossprem.Status]string{crossprem.Failed: "!", crossprem.Unknown: "?", crossprem.Passed: "+"}

// print writes what a person wants to know of one target.
func print(w io.Writer, r *tlsprobe.Result, role tlsprobe.Role, at time.Time) error {
	if at.IsZero() {
		at = r.At
	}
	var b strings.Builder
	for _, one := range r.All() {
		fmt.Fprintf(&b, "%s", one.Target)
		if one.Address != "" && one.Address != one.Target {
			fmt.Fprintf(&b, " (%s)", one.Address)
		}
		fmt.Fprintf(&b, "  %s", one.Class)
		if one.Protocol != "" {
			fmt.Fprintf(&b, ", speaks %s", one.Protocol)
		}
		fmt.Fprintf(&b, "  %d ms\n", one.Took.Milliseconds())
		if one.Detail != "" {
			fmt.Fprintf(&b, "    %s\n", one.Detail)
		}
		for v := tlsprobe.TLS13; v >= tlsprobe.SSL30; v-- {
			answer, ok := one.Versions[v]
			if !ok || answer.Support == tlsprobe.Unknown && one.Highest() == 0 {
				continue
			}
			fmt.Fprintf(&b, "    %-8s %-9s %s\n", v, answer.Support, evidence(answer))
		}
	}
	printFindings(&b, tlsprobe.Assess(r, role, at), false)
	_, err := io.WriteString(w, b.String())
	return err
}

// printFindings writes findings, those that passed only if they are wanted.
func printFindings(b *strings.Builder, findings []crossprem.Finding, passed bool) {
	for _, f := range findings {
		if f.Status == crossprem.Passed && !passed {
			continue
		}
		fmt.Fprintf(b, "  %s %s", signs[f.Status], f.Title)
		if f.Status == crossprem.Failed {
			fmt.Fprintf(b, " [%s]", f.Severity)
		}
		if f.Detail != "" {
			fmt.Fprintf(b, ": %s", f.Detail)
		}
		b.WriteByte('\n')
	}
}

func evidence(a tlsprobe.Answer) string {
	switch a.Reason {
	case tlsprobe.Chosen:
		if a.Group != 0 {
			return a.Suite.String() + ", " + a.Group.String()
		}
		return a.Suite.String()
	case tlsprobe.SentAlert, tlsprobe.Implied:
		return fmt.Sprintf("alert %d, %s", *a.Alert, *a.Alert)
	case tlsprobe.RetryOnly:
		return "a HelloRetryRequest, and no finished answer"
	case tlsprobe.AnswersDiffer:
		var parts []string
		for _, s := range a.Samples {
			parts = append(parts, fmt.Sprintf("%d × %s", s.Count, s.Support))
		}
		return strings.Join(parts, ", ")
	case tlsprobe.ChoseLower, tlsprobe.ChoseHigher:
		return "the server chose " + a.Negotiated.String()
	}
	return fmt.Sprintf("%s, %d of %d hellos", a.Reason, a.Lost, a.Asked)
}

// A progress counts targets on a terminal, and is silent elsewhere.
type progress struct {
	w     io.Writer
	count int
	last  time.Time
}

// newProgress counts on w, if that is a terminal and the results go elsewhere.
func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !term.IsTerminal(int(os.Stdout.Fd())) {
		return &progress{w: w}
	}
	return new(progress)
}

func (p *progress) one() {
	p.count++
	if p.w != nil && time.Since(p.last) > 100*time.Millisecond {
		p.last = time.Now()
		fmt.Fprintf(p.w, "\r%d targets", p.count)
	}
}

func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
