// Tlsclient says what a Windows client offers in TLS, whether it meets a
// server, what an error text means, and what to do.
//
//	go run ./examples/tlsclient [flags] [TEXT|-]
//	go run ./examples/tlsclient -reg client.reg -probe www.powershellgallery.com:443 "Unable to download from URI 'https://go.microsoft.com/fwlink/?LinkID=627338&clcid=0x409' to ''."
//	go run ./examples/tlsclient -endpoints worldwide
//
// TEXT is an error text or a number; "-" reads it from standard input. Without
// -reg the client is this machine on Windows, and unknown elsewhere.
// Only -probe and -endpoints send anything: TLS hellos, never a credential.
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
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/hostport"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, new(tlsprobe.Prober)))
}

// Exit codes.
const (
	explained  = 0
	couldNot   = 1
	wrongUsage = 2
)

// An answer is what is printed with -json.
type answer struct {
	Causes   []symptoms.Cause     `json:"causes"`   // most likely first
	Symptoms []symptoms.Symptom   `json:"symptoms"` // the messages that were recognised
	RuledOut []symptoms.Exclusion `json:"ruledOut,omitempty"`
	Traps    []string             `json:"traps,omitempty"`

	// Offers are what the programs of the client offer, first the one that the
	// text is of; null if the client is not known.
	Offers      []*schannel.Offer     `json:"offers"`
	Negotiation *schannel.Negotiation `json:"negotiation"` // of the first offer; null without a client or a server
	Server      *tlsprobe.Result      `json:"server,omitempty"`
	Mending     *schannel.Mending     `json:"mending,omitempty"`
	Endpoints   []endpoint            `json:"endpoints,omitempty"`
}

// number is a text that begins like a flag, as HRESULTs do in decimal.
var number = regexp.MustCompile(`^-\d+$`)

func run(ctx context.Context, args []string, in io.Reader, out, notes io.Writer, p *tlsprobe.Prober) int {
	var regs, words []string
	var probe, cloudName, startTLS, day string
	var asJSON bool
	flags := flag.NewFlagSet("tlsclient", flag.ContinueOnError)
	flags.SetOutput(notes)
	flags.Usage = func() {
		fmt.Fprintln(notes, "usage: tlsclient [flags] [TEXT|-]")
		flags.PrintDefaults()
	}
	flags.Func("reg", "the registry of the client: a .reg `file`, or a JSON snapshot; may be given several times", func(s string) error { regs = append(regs, s); return nil })
	flags.StringVar(&probe, "probe", "", "the `host` of the server to ask, with or without a port")
	flags.StringVar(&startTLS, "starttls", "", "the `protocol` that leads to TLS on -probe: smtp, imap, pop3, ldap or tds")
	flags.StringVar(&cloudName, "endpoints", "", "ask every host that a hybrid deployment reaches in this `cloud`, such as worldwide or gcc-high")
	flags.DurationVar(&p.Timeout, "timeout", 5*time.Second, "how long one address may take")
	flags.StringVar(&day, "at", "", "the `day` to judge certificates for, such as 2026-11-26, in place of today")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		if number.MatchString(arg) {
			words = append(words, arg)
			return true
		}
		return false
	})
	for { // flags may come after the text
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return explained
		} else if err != nil {
			return wrongUsage
		}
		if flags.NArg() == 0 {
			break
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	usage := func(text string) int {
		fmt.Fprintln(notes, "tlsclient:", text)
		return wrongUsage
	}
	var cloud crossprem.Cloud
	if cloudName != "" {
		if err := cloud.UnmarshalText([]byte(cloudName)); err != nil || cloud == crossprem.CloudUnknown {
			return usage(fmt.Sprintf("-endpoints takes one of %v", crossprem.Clouds()))
		}
	}
	at := time.Now()
	if day != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, day); err != nil {
			return usage("-at takes a day such as 2026-11-26")
		}
	}
	if startTLS != "" && !slices.Contains(tlsprobe.Protocols(), tlsprobe.Protocol(startTLS)) {
		return usage(fmt.Sprintf("-starttls takes one of %v", tlsprobe.Protocols()))
	}
	if p.Timeout <= 0 {
		return usage("-timeout takes a time such as 5s")
	}
	fail := func(err error) int {
		fmt.Fprintln(notes, "tlsclient:", err)
		return couldNot
	}

	client, err := clientOf(regs)
	if err != nil {
		return fail(err)
	}
	probe = hostport.Complete(probe, startTLS)
	if client == nil && len(words) == 0 && probe == "" && cloudName == "" {
		flags.Usage()
		return wrongUsage
	}
	text, err := textOf(ctx, words, in)
	if err != nil {
		return fail(err)
	}

	a := answer{Causes: []symptoms.Cause{}, Symptoms: []symptoms.Symptom{}}
	evidence := symptoms.Evidence{Client: client}
	if client != nil {
		first := client.Offers(symptoms.App(text.Diagnose().Stack))
		evidence.Offer = first
		a.Offers = []*schannel.Offer{first}
		for _, app := range schannel.Apps() {
			if app.Label() != first.App.Label() {
				a.Offers = append(a.Offers, client.Offers(app))
			}
		}
	}
	if probe != "" {
		asked := *p
		asked.StartTLS = tlsprobe.Protocol(startTLS)
		if evidence.Offer != nil {
			a.Negotiation, a.Server, err = schannel.Check(ctx, &asked, probe, evidence.Offer)
		} else {
			a.Server, err = asked.Probe(ctx, probe)
		}
		switch {
		case errors.Is(err, tlsprobe.ErrBadTarget):
			return usage(err.Error())
		case err != nil:
			fmt.Fprintln(notes, "tlsclient:", err)
		}
		if ctx.Err() != nil {
			return couldNot
		}
		evidence.Server, evidence.Negotiation, evidence.Failed = a.Server, a.Negotiation, err
	}
	d := text.Diagnose(evidence)
	a.Causes, a.Symptoms, a.RuledOut, a.Traps = d.Causes, d.Symptoms, d.RuledOut, d.Traps
	if client != nil && len(a.Causes) > 0 {
		a.Mending = mendingOf(client, a.Causes[0].ID)
	}

	if !asJSON {
		if err := printAnswer(out, &a, evidence, len(words) > 0); err != nil {
			return fail(err)
		}
	}
	if cloudName != "" {
		show := func(e endpoint) error {
			if asJSON {
				return nil
			}
			return printEndpoint(out, e)
		}
		if a.Endpoints, err = askAll(ctx, p, cloud, client, at, show); err != nil {
			return fail(err)
		}
	}
	if asJSON {
		if err := json.NewEncoder(out).Encode(a); err != nil {
			return fail(err)
		}
	}
	if len(words) > 0 && len(a.Symptoms) == 0 && len(a.Causes) == 0 {
		fmt.Fprintln(notes, "tlsclient: the text is not known: give all of it with its numbers, the innermost exception (Get-Error), or the Schannel event of the same second")
		if client == nil && a.Server == nil && len(a.Endpoints) == 0 {
			return couldNot
		}
	}
	if len(words) == 0 && client == nil && a.Server == nil && len(a.Endpoints) == 0 && len(a.Causes) == 0 {
		return couldNot
	}
	return explained
}

// clientOf reads exports of a registry, or that of this machine. It returns
// nil if the client is not known.
func clientOf(regs []string) (*schannel.Client, error) {
	if len(regs) == 0 {
		c, err := schannel.Local()
		if errors.Is(err, schannel.ErrNotWindows) {
			return nil, nil
		}
		return c, err
	}
	return schannel.ReadFiles(regs...)
}

// textOf reads the text of the arguments, or standard input for "-". It ends
// with ctx, even while a read from a terminal is waiting.
func textOf(ctx context.Context, words []string, in io.Reader) (*symptoms.Text, error) {
	if !slices.Contains(words, "-") {
		return symptoms.Read(strings.NewReader(strings.Join(words, " ")))
	}
	type read struct {
		text *symptoms.Text
		err  error
	}
	done := make(chan read, 1)
	go func() { // it may wait for input until the program ends
		text, err := symptoms.Read(in)
		done <- read{text, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("standard input: %w", r.err)
		}
		return r.text, nil
	}
}

// mendingOf returns what mends a cause on the client itself, or nil.
func mendingOf(c *schannel.Client, cause string) *schannel.Mending {
	switch cause {
	case "client-no-tls12", "schannel-locked":
		return schannel.Mend(c, schannel.OfferTLS12)
	case "client-no-tls13":
		return schannel.Mend(c, schannel.OfferTLS13)
	}
	return nil
}
