// The endpoints program tells which authentication web endpoints and mail
// servers offer. It sends no password and no token.
//
//	endpoints mail.contoso.com                    all virtual directories of one host
//	endpoints -domain contoso.com                 the hosts of a mail domain, AD FS, Entra ID, Exchange Online
//	endpoints https://mail.contoso.com/EWS/Exchange.asmx imaps://mail.contoso.com
//	endpoints -plan -domain contoso.com           what that would ask; asks nobody
//	endpoints -headers FILE                       explains pasted response headers; "-" is standard input
//	endpoints -lines FILE -protocol smtp          explains a pasted session with a mail server (smtp, imap, pop3)
//	endpoints -explain TEXT -protocol imap        explains one answer (http, imap, pop3, smtp, aadsts)
//	endpoints -demo                               shows an invented organization; needs no network
package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authinspecttest"
	"github.com/crossprem/crossprem/examples/internal/failon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// Reading from a terminal does not end by itself.
	context.AfterFunc(ctx, func() {
		time.Sleep(time.Second) // for what is known by then
		os.Exit(1)
	})
	info, err := os.Stdout.Stat()
	colour := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	out := &output{w: os.Stdout}
	code := run(ctx, os.Args[1:], os.Stdin, out, os.Stderr, colour)
	if out.err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "endpoints:", out.err)
		code = 1
	}
	os.Exit(code)
}

// An output remembers the first error of its writer.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// The exit codes.
const (
	exitOK    = 0
	exitError = 1 // some target could not be asked
	exitUsage = 2
)

// An answer is what one target gave: its facts, which marshal to the object
// for -json, and what they mean.
type answer struct {
	facts    any
	findings []crossprem.Finding
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, colour bool) int {
	flags := flag.NewFlagSet("endpoints", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: endpoints [flags] HOST|URL…")
		flags.PrintDefaults()
	}
	asJSON := flags.Bool("json", false, "print one JSON object a line for each target")
	headers := flags.String("headers", "", "explain the response headers in this `file` and ask nobody; - is standard input")
	lines := flags.String("lines", "", "read what a mail server said from this `file` and ask nobody; - is standard input")
	text := flags.String("explain", "", "explain this `text`, one answer of a server, and ask nobody")
	protocol := flags.String("protocol", "", "of -lines: smtp, imap or pop3; of -explain also http and aadsts")
	domain := flags.Bool("domain", false, "the names are mail domains: find their hosts")
	plan := flags.Bool("plan", false, "print what would be asked, and ask nobody")
	hosts := flags.String("hosts", "", "ask these `hosts` for a domain, with commas between them (default mail and autodiscover in it, and the domain itself)")
	paths := flags.String("paths", "", "ask these `paths` alone at each host, with commas between them")
	mailbox := flags.String("mailbox", "", "the `address` of one mailbox whose policy is to be applied")
	roots := flags.String("ca", "", "a PEM `file` with authorities to trust in place of the system's")
	timeout := flags.Duration("timeout", 0, "for one request (default 30s)")
	day := flags.String("at", "", "the `day` to judge for, as YYYY-MM-DD (default today)")
	failOn := failon.Flag(flags)
	demo := flags.Bool("demo", false, "show an invented organization on loopback")
	var targets []string
	for { // flags may come after targets
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case err != nil:
			return exitUsage
		}
		if flags.NArg() == 0 {
			break
		}
		targets, args = append(targets, flags.Arg(0)), flags.Args()[1:]
	}
	usage := func(text string) int {
		fmt.Fprintln(stderr, "endpoints:", text)
		return exitUsage
	}
	at := time.Now()
	if *day != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, *day); err != nil {
			return usage("-at takes a day such as 2026-11-22")
		}
	}
	offline := 0
	for _, mode := range []string{*headers, *lines, *text} {
		if mode != "" {
			offline++
		}
	}
	mail := []string{"smtp", "imap", "pop3", "smtps", "imaps", "pop3s"}
	inspector := &authinspect.Inspector{Mailbox: *mailbox, Timeout: *timeout, Hosts: list(*hosts), Paths: list(*paths)}
	switch {
	case *demo && (len(targets) > 0 || offline > 0), offline > 1, offline > 0 && len(targets) > 0:
		return usage("-demo, -headers, -lines, -explain and targets exclude one another")
	case *lines != "" && !slices.Contains(mail, *protocol):
		return usage("-lines takes -protocol smtp, imap or pop3")
	case *text != "" && *protocol != "http" && *protocol != "aadsts" && !slices.Contains(mail, *protocol):
		return usage("-explain takes -protocol smtp, imap, pop3, http or aadsts")
	case *demo:
		contoso := authinspecttest.Contoso().Start()
		defer contoso.Close()
		inspector.Dial, inspector.Roots = contoso.Dial, contoso.Roots()
		inspector.Resolver = &authinspecttest.DNS{
			SRV: map[string][]*net.SRV{"_autodiscover._tcp.contoso.test": {{Target: "mail.contoso.test.", Port: 443}}},
			MX:  map[string][]*net.MX{"contoso.test": {{Host: "contoso-test.mail.protection.outlook.com."}}},
		}
		if inspector.Mailbox == "" {
			inspector.Mailbox = "bob@contoso.test"
		}
		targets, *domain = []string{"contoso.test"}, true
	case offline == 0 && len(targets) == 0:
		flags.Usage()
		return exitUsage
	}
	if *roots != "" {
		pem, err := os.ReadFile(*roots)
		inspector.Roots = x509.NewCertPool()
		if err != nil || !inspector.Roots.AppendCertsFromPEM(pem) {
			return usage("-ca: no certificate in " + *roots)
		}
	}

	p := page{w: stdout, colour: colour}
	show := func(a answer) {
		failOn.See(a.findings...)
		if *asJSON {
			line, err := marshal(a.facts)
			if err != nil {
				panic(err) // plain values only
			}
			fmt.Fprintf(stdout, "%s\n", line)
			return
		}
		p.show(a)
	}
	if offline > 0 {
		var a answer
		var err error
		switch {
		case *headers != "":
			a, err = explain(*headers, stdin, *mailbox, at)
		case *lines != "":
			a, err = readLines(*lines, authinspect.Protocol(*protocol), stdin, at)
		default:
			a, err = explainText(*text, *protocol)
		}
		if err != nil {
			fmt.Fprintln(stderr, "endpoints:", err)
			return exitError
		}
		show(a)
		return failOn.Code(exitOK)
	}
	code := exitOK
	for _, target := range targets {
		if *plan {
			questions, err := planned(*inspector, target, *domain)
			switch {
			case err != nil:
				fmt.Fprintln(stderr, "endpoints:", oneLine(err))
				code = exitError
			case *asJSON:
				json.NewEncoder(stdout).Encode(questions)
			default:
				p.plan(target, questions)
			}
			continue
		}
		a, err := inspect(ctx, inspector, target, *domain, at)
		if err != nil {
			fmt.Fprintln(stderr, "endpoints:", oneLine(err))
			code = exitError
			if unreachable := (*authinspect.UnreachableError)(nil); *asJSON && errors.As(err, &unreachable) {
				// So that each target that can be asked has its object.
				show(answer{facts: authinspect.Result{Target: target, Warnings: []string{oneLine(err)}}})
			}
			continue
		}
		show(a)
	}
	return failOn.Code(code)
}

// inspect asks one target: a mail server, one URL, or a whole organization.
func inspect(ctx context.Context, inspector *authinspect.Inspector, target string, domain bool, at time.Time) (answer, error) {
	addr, protocol, isMail, err := authinspect.ParseMailURL(target)
	if err != nil {
		return answer{}, err
	}
	if isMail {
		r, err := inspector.InspectMail(ctx, addr, protocol)
		if err != nil {
			return answer{}, err
		}
		return answer{r, authinspect.AssessMail(r, at)}, nil
	}
	_, rest, _ := strings.Cut(target, "://")
	if _, path, _ := strings.Cut(rest, "/"); path != "" {
		r, err := inspector.Inspect(ctx, target)
		if err != nil {
			return answer{}, err
		}
		return answer{r, authinspect.Assess(r, at)}, nil
	}
	o, err := inspector.InspectOrganization(ctx, whole(target, domain))
	if err != nil {
		return answer{}, err
	}
	return answer{o, authinspect.AssessOrganization(o, at)}, nil
}

// planned returns what inspect would ask.
func planned(in authinspect.Inspector, target string, domain bool) ([]authinspect.Question, error) {
	if _, _, isMail, err := authinspect.ParseMailURL(target); isMail || err != nil {
		return nil, cmp.Or(err, errors.New("-plan is for web endpoints; of a mail server one or two connections ask for what it offers: "+target))
	}
	if u, err := url.Parse(target); err == nil && u.Host != "" && u.Path != "" && u.Path != "/" {
		in.Paths = []string{u.Path}
		target = u.Scheme + "://" + u.Host
	}
	return in.Plan(whole(target, domain))
}

// whole returns target as an organization is named: a mail domain, or the URL
// of a host.
func whole(target string, domain bool) string {
	if domain || strings.Contains(target, "://") {
		return target
	}
	return "https://" + target
}

// list returns the parts of text between commas, nil for none.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// explain reads pasted headers.
func explain(file string, stdin io.Reader, mailbox string, at time.Time) (answer, error) {
	in, name, done, err := open(file, stdin)
	if err != nil {
		return answer{}, err
	}
	defer done()
	answers, warnings, err := authinspect.ReadAnswers(in)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", file, err)
	}
	r := authinspect.Conclude(name, mailbox, answers...)
	r.Warnings = append(warnings, r.Warnings...)
	findings := authinspect.Assess(r, at)
	return answer{capture{r, findings}, findings}, nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// marshal returns the object for -json.
func marshal(facts any) ([]byte, error) {
	c, ok := facts.(capture)
	if !ok {
		return json.Marshal(facts)
	}
	object, err := json.Marshal(c.Result)
	if err != nil {
		return nil, err
	}
	findings, err := json.Marshal(append([]crossprem.Finding{}, c.Findings...))
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(object[:len(object)-1], `,"findings":%s}`, findings), nil
}
