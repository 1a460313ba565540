// Policy answers which switch lets a user in, or blocked the user.
//
//	go run ./examples/policy USER PROTOCOL [flags] FOLDER
//	go run ./examples/policy -facts FILE [flags]
//
// FOLDER holds exports: output of Get-AuthenticationPolicy, Get-User,
// Get-CASMailbox, Get-OrganizationConfig, Get-TransportConfig, the virtual
// directories and what else authpolicy.Read names, and of Microsoft Graph the
// Conditional Access policies and the security defaults as JSON. FILE holds
// facts that were written by hand. It exits with 0 if it ran, 1 if it could
// not, and 2 for wrong usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/crossprem/crossprem/authinspect/authpolicy"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/terminal"
)

const (
	ran        = 0
	couldNot   = 1
	wrongUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// Reading from a terminal does not end by itself.
	context.AfterFunc(ctx, func() { os.Exit(couldNot) })
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now()))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer, now time.Time) int {
	flags := flag.NewFlagSet("policy", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "print one JSON object")
	facts := flags.String("facts", "", "take the facts from the JSON in `FILE`, or - for standard input")
	failOn := failon.Flag(flags)
	day := flags.String("at", "", "answer for the day `YYYY-MM-DD` (default today, or the day that the facts name)")
	var hosting authpolicy.Hosting
	flags.Func("hosting", "exo or onprem: where exports are from that do not tell", func(s string) error { return hosting.UnmarshalText([]byte(s)) })
	var rest []string
	var err error
	for err == nil { // flags may stand anywhere
		if err = flags.Parse(args); err != nil || flags.NArg() == 0 {
			break
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
	var at time.Time
	if err == nil && *day != "" {
		if at, err = time.Parse(time.DateOnly, *day); err != nil {
			err = fmt.Errorf("-at %q is no day such as 2026-11-26", *day)
		}
	}
	var protocol authpolicy.Protocol
	switch {
	case err != nil:
	case *facts == "" && len(rest) != 3:
		err = errors.New("a user, a protocol and a folder are wanted, or -facts FILE")
	case *facts != "" && len(rest) != 0 && len(rest) != 2:
		err = errors.New("beside -facts there can be a user and a protocol")
	case len(rest) > 1:
		err = protocol.UnmarshalText([]byte(strings.ToLower(rest[1])))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stderr, "Usage: policy USER PROTOCOL [flags] FOLDER\n       policy -facts FILE [flags]\n\nProtocols: ")
		for _, p := range authpolicy.Protocols() {
			fmt.Fprintf(stderr, "%v ", p)
		}
		fmt.Fprintln(stderr)
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return ran
	case err != nil:
		fmt.Fprintf(stderr, "policy: %s; -help tells more\n", terminal.Line(err.Error()))
		return wrongUsage
	}
	decision, notUnderstood, err := decide(*facts, rest, protocol, at, now, hosting, stdin)
	if err == nil {
		for _, n := range notUnderstood {
			fmt.Fprintf(stderr, "policy: %s was not used: %s\n", terminal.Line(n.File), terminal.Line(n.Why))
		}
		if *asJSON {
			err = writeJSON(stdout, decision)
		} else {
			err = writeText(stdout, decision)
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "policy: %s\n", terminal.Line(err.Error()))
		return couldNot
	}
	failOn.See(authpolicy.Assess([]authpolicy.Decision{decision})...)
	return failOn.Code(ran)
}

func decide(facts string, rest []string, protocol authpolicy.Protocol, at, now time.Time, hosting authpolicy.Hosting, stdin io.Reader) (authpolicy.Decision, []authpolicy.NotUnderstood, error) {
	none := authpolicy.Decision{}
	if facts == "" {
		if at.IsZero() {
			at = now
		}
		if info, err := os.Stat(rest[2]); err != nil {
			return none, nil, err
		} else if !info.IsDir() {
			return none, nil, fmt.Errorf("%s is no folder", rest[2])
		}
		policies, err := authpolicy.Read(os.DirFS(rest[2]), hosting)
		if err != nil {
			return none, nil, err
		}
		return policies.Effective(rest[0], protocol, at), policies.NotUnderstood, nil
	}
	in := stdin
	if facts != "-" {
		f, err := os.Open(facts)
		if err != nil {
			return none, nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 2<<20))
	if err != nil {
		return none, nil, err
	}
	q, err := authpolicy.ParseQuestion(text)
	if err != nil {
		return none, nil, err
	}
	if len(rest) == 2 {
		q.Facts.User, q.Protocol = rest[0], protocol
	}
	if !at.IsZero() {
		q.At = at
	}
	if q.At.IsZero() {
		q.At = now
	}
	if q.Protocol == authpolicy.ProtocolUnknown {
		return none, nil, errors.New("the facts name no protocol")
	}
	return q.Facts.Decide(q.Protocol, q.At), nil, nil
}

func writeJSON(w io.Writer, d authpolicy.Decision) error {
	why := make(map[string]string)
	for name, m := range map[string]authpolicy.Method{"basic": d.Basic, "modern": d.Modern, "windows": d.Windows} {
		if m.Reason != "" {
			why[name] = m.Reason
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Basic    authpolicy.Verdict  `json:"basic"`
		Modern   authpolicy.Verdict  `json:"modern"`
		Windows  authpolicy.Verdict  `json:"windows"`
		Why      map[string]string   `json:"why"`
		Decision authpolicy.Decision `json:"decision"`
	}{d.Basic.Verdict, d.Modern.Verdict, d.Windows.Verdict, why, d})
}

// writeText prints one sentence, and the trail behind it.
func writeText(w io.Writer, d authpolicy.Decision) error {
	var b strings.Builder
	user := d.User
	if user == "" {
		user = "The user"
	}
	said := map[authpolicy.Verdict]string{
		authpolicy.Allowed: "may use %v with Basic", authpolicy.Blocked: "may not use %v with Basic",
		authpolicy.NotOffered: "is not offered %v with Basic", authpolicy.VerdictUnknown: "may or may not use %v with Basic: it is not known",
	}[d.Basic.Verdict]
	fmt.Fprintf(&b, "On %s %s "+said, d.At.Format(time.DateOnly), terminal.Line(user), d.Protocol)
	if d.Basic.Decider != "" && d.Basic.Verdict != authpolicy.VerdictUnknown {
		fmt.Fprintf(&b, "; the %s decides", d.Basic.Decider)
	}
	b.WriteString(".\n\n")
	for _, one := range []struct {
		name   string
		method authpolicy.Method
	}{{"Basic", d.Basic}, {"Modern", d.Modern}, {"Windows", d.Windows}} {
		fmt.Fprintf(&b, "%-8s %-12v %s\n", one.name, one.method.Verdict, terminal.Line(one.method.Detail))
		for line := range strings.Lines(one.method.Change) {
			fmt.Fprintf(&b, "%21s to change it: %s\n", "", terminal.Line(strings.TrimSpace(line)))
		}
		if one.method.WithinMinutes > 0 {
			fmt.Fprintf(&b, "%21s a change works within %v\n", "", time.Duration(one.method.WithinMinutes)*time.Minute)
		}
	}
	for _, note := range d.Notes {
		fmt.Fprintf(&b, "\n%s\n", terminal.Line(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
