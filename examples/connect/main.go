// Command connect reports whether an installed Entra Connect, or one of its
// agents, is still good, and until when.
//
//	connect 2.6.3.0
//	connect 1.4.38.0 -at 2020-07-01
//	connect -product cloud-sync 1.1.2334.0 -json
//	connect FOLDER -svg timeline.svg
//	connect local
//	connect -fleet FOLDER
//	connect -tenant contoso.onmicrosoft.com -signin device
//
// FOLDER holds evidence from one server: copies of AzureADConnect.exe and
// miiserver.exe, registry exports, logs of the wizard, and output of the
// ADSync cmdlets; local asks the Windows machine it runs on. -fleet takes a
// folder of such folders, one for each server, in one for each tenant. With -tenant, and
// only then, it signs in to Microsoft Graph and asks what the tenant knows.
//
// Exit codes: 0 it ran, 1 it could not run, 2 it was called wrongly, 3 it ran and
// something is as bad as -fail-on says.
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
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/graphsignin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// asked is the command line.
type asked struct {
	subject    string // a version, or a folder of evidence
	product    connectversion.Product
	at, until  time.Time
	json       bool
	fleet      bool
	svg        string
	facts      connectversion.Facts
	anyProduct bool     // no -product was given
	tenant     question // in place of a subject, if it names a tenant
	failOn     *failon.Limit
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stderr = plain{stderr}
	a, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "connect:", err)
		return 2
	}
	if !a.json {
		stdout = plain{stdout}
	}
	switch {
	case a.tenant.tenant != "":
		err = a.tenant.ask(ctx, stdout)
	case a.fleet:
		err = a.answerFleet(stdout, stderr)
	default:
		err = a.answer(stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "connect:", strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	return a.failOn.Code(0)
}

func parse(args []string, stderr io.Writer) (asked, error) {
	a := asked{}
	var product, at, until, cloud, auth, signIn string
	flags := flag.NewFlagSet("connect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&product, "product", "", "the `product` of VERSION: connect-sync (the default), cloud-sync, health-agent,\nprivate-network-connector, password-protection or pass-through-agent")
	flags.StringVar(&at, "at", "", "the `day` to judge for, past or future, as 2026-11-22 (default today)")
	flags.StringVar(&until, "until", "", "the `day` until which to plan (default a year later)")
	flags.BoolVar(&a.fleet, "fleet", false, "FOLDER holds one folder for each tenant, with one for each server in it")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	a.failOn = failon.Flag(flags)
	a.tenant.failOn = a.failOn
	flags.StringVar(&a.svg, "svg", "", "write a timeline to `FILE`")
	flags.StringVar(&cloud, "cloud", "", "where the tenant lives: `commercial` (or worldwide), gcc-high, dod, china-21vianet, bleu-france,\ndelos-germany or other")
	flags.StringVar(&auth, "auth", "", "how the server signs in: `application` or service-account")
	flags.StringVar(&a.tenant.tenant, "tenant", "", "ask a tenant, by `ID` or domain")
	flags.StringVar(&signIn, "signin", "browser", "with -tenant: `browser`, device, cli, environment or default (what the environment, a managed identity or a\ndeveloper's tools offer)")
	flags.BoolVar(&a.tenant.connectors, "connectors", false, "with -tenant: ask for private network connectors too")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: connect [flags] VERSION|FOLDER|local|-fleet FOLDER|-tenant ID\n\n"+
			"Tells whether an installed Entra Connect, or one of its agents, is still good, and until when.\n"+
			"FOLDER holds evidence from one server: programs, registry exports, logs, output of cmdlets.\n"+
			"local asks the Windows machine it runs on.\n"+
			"A tenant knows the server that exported last, and no staging server.\n\n")
		flags.PrintDefaults()
	}
	for { // flags may follow the subject
		if err := flags.Parse(args); err != nil {
			return a, err
		}
		if flags.NArg() == 0 {
			break
		}
		if a.subject != "" {
			return a, fmt.Errorf("one version or folder at a time, not %q and %q", a.subject, flags.Arg(0))
		}
		a.subject, args = flags.Arg(0), flags.Args()[1:]
	}
	switch {
	case a.tenant.tenant != "" && a.subject != "":
		return a, fmt.Errorf("a tenant or %q, not both", a.subject)
	case a.tenant.tenant != "" && (product != "" || until != "" || a.svg != ""):
		return a, errors.New("-product, -until and -svg do not go with -tenant")
	case a.fleet && (a.tenant.tenant != "" || product != "" || a.svg != "" || auth != ""):
		return a, errors.New("-tenant, -product, -svg and -auth do not go with -fleet")
	case a.tenant.tenant == "" && a.tenant.connectors:
		return a, errors.New("-connectors goes with -tenant")
	case a.tenant.tenant == "" && a.subject == "":
		flags.Usage()
		return a, errors.New("which version?")
	}
	a.product, a.anyProduct = connectversion.ConnectSync, product == ""
	var err error
	if product != "" {
		if a.product, err = connectversion.ParseProduct(product); err != nil {
			return a, err
		}
	}
	if a.at, err = day(at, time.Now()); err != nil {
		return a, err
	}
	if a.until, err = day(until, a.at.AddDate(1, 0, 0)); err != nil {
		return a, err
	}
	a.tenant.at, a.tenant.json = a.at, a.json
	switch err := a.tenant.cloud.UnmarshalText([]byte(cloud)); {
	case cloud == "":
	case cloud == "commercial":
		a.facts.Cloud = crossprem.Worldwide
	case cloud == "other" && a.tenant.tenant == "":
		a.facts.Cloud = crossprem.GCCHigh // the rules are those of every cloud but worldwide
	case err == nil && a.tenant.cloud != crossprem.CloudUnknown:
		a.facts.Cloud = a.tenant.cloud
	default:
		return a, fmt.Errorf("no such cloud: %q", cloud)
	}
	switch strings.ToLower(auth) { // ServiceAccount is the cmdlet's word
	case "":
	case "application":
		a.facts.Authentication = connectversion.Application
	case "service-account", "serviceaccount":
		a.facts.Authentication = connectversion.ServiceAccount
	default:
		return a, fmt.Errorf("-auth is application or service-account, not %q", auth)
	}
	a.tenant.auth = a.facts.Authentication
	if a.tenant.tenant != "" {
		a.tenant.credential, err = graphsignin.New(signIn, a.tenant.tenant, graphconnectversion.Authority(a.tenant.cloud), stderr)
	}
	return a, err
}

func day(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%q is not a day such as 2026-11-22", text)
	}
	return t, nil
}

func (a asked) answer(stdout, stderr io.Writer) error {
	var found connectversion.Reconciliation
	machine := connectversion.Machine{Facts: a.facts}
	version, exact, err := connectversion.ParsePartial(a.subject)
	evidence := err != nil
	if evidence {
		machine, err = a.machine()
		if err != nil && len(machine.Evidence) > 0 {
			fmt.Fprintln(stderr, "connect: not read:", strings.ReplaceAll(err.Error(), "\n", "\nconnect: not read: "))
		} else if err != nil {
			return err
		}
		if !a.anyProduct {
			machine.Evidence = slices.DeleteFunc(machine.Evidence, func(e connectversion.Evidence) bool { return e.Product != a.product })
		}
		found = connectversion.Reconcile(a.at, machine.Evidence...)
		machine.Facts.Cloud = a.facts.Cloud
		if a.facts.Authentication != connectversion.UnknownAuthentication {
			machine.Facts.Authentication = a.facts.Authentication
		}
		if len(found.Installed) == 0 {
			return fmt.Errorf("%s: no program, export, log or output names a version", a.subject)
		}
	} else {
		if !exact {
			fmt.Fprintf(stderr, "connect: %s is taken for %s\n", a.subject, version)
		}
		found.Installed = []connectversion.Installed{{Product: a.product, Version: version}}
	}

	var all []connectversion.Assessment
	for _, i := range found.Installed {
		all = append(all, connectversion.Assess(i.Product, i.Version, a.at, machine.FactsOf(i)))
	}
	for _, one := range all {
		a.failOn.See(one.Findings...)
	}
	a.failOn.See(found.Findings...)
	if a.svg != "" {
		if err := os.WriteFile(a.svg, timeline(all[0]), 0o644); err != nil {
			return err
		}
	}
	var plans []connectversion.UpgradePlan
	for _, i := range found.Installed {
		plans = append(plans, connectversion.Plan(i, machine.FactsOf(i), a.at, a.until))
	}
	if a.json {
		if !evidence {
			return printJSON(stdout, installation{Assessment: all[0], Plan: plans[0].Steps})
		}
		printed := make([]installation, len(all))
		for n, i := range found.Installed {
			printed[n] = installation{&i.Server, i.Component, all[n], plans[n].Steps}
		}
		return printJSON(stdout, struct {
			Installed     []installation          `json:"installed"`
			Findings      []crossprem.Finding     `json:"findings"` // on the evidence itself
			NotUnderstood []connectversion.Unread `json:"notUnderstood"`
		}{printed, append([]crossprem.Finding{}, found.Findings...), append([]connectversion.Unread{}, machine.NotUnderstood...)})
	}
	s := screen{out: stdout}
	for n, i := range found.Installed {
		s.assessment(i, all[n])
		s.plan(i, all[n], plans[n])
	}
	s.evidence(found)
	s.unread(machine.NotUnderstood)
	return s.err
}

// An installation is an assessment as JSON, with the server of which it is,
// and with the plan beside it.
type installation struct {
	Server    *string // nil: a version that was asked for
	Component string
	connectversion.Assessment
	Plan []connectversion.Step
}

// MarshalJSON adds server, component and plan to the members of an assessment.
func (i installation) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(i.Assessment)
	if err != nil {
		return nil, err
	}
	more, err := json.Marshal(struct {
		Server    *string               `json:"server,omitempty"`
		Component string                `json:"component,omitempty"`
		Plan      []connectversion.Step `json:"plan"`
	}{i.Server, i.Component, append([]connectversion.Step{}, i.Plan...)})
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), more[1:]...), nil
}

func printJSON(to io.Writer, v any) error {
	out := json.NewEncoder(to)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// machine reads the evidence of a folder, or of the machine this runs on.
func (a asked) machine() (connectversion.Machine, error) {
	if a.subject == "local" {
		return connectversion.Local()
	}
	if info, err := os.Stat(a.subject); err != nil || !info.IsDir() {
		return connectversion.Machine{}, fmt.Errorf("%q is neither a version such as 2.6.3.0 nor a folder", a.subject)
	}
	return connectversion.Gather(os.DirFS(a.subject))
}
