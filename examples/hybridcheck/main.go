// The hybridcheck program says what is wrong with a hybrid OAuth
// configuration, from what an administrator captured or pasted. It asks nobody
// and changes nothing.
//
//	hybridcheck FOLDER                      a folder that the collect script made
//	hybridcheck Get-AuthServer.txt log.txt  captured output, error texts, tokens, certificates
//	hybridcheck -                           a paste from standard input
//	hybridcheck -collect-script > collect.ps1
//	hybridcheck -situation dedicated-app -cloud gcc-high -at 2026-11-22 -json FOLDER
//
// Exit codes: 0 it was answered, 1 something could not be read, 2 it was
// called wrongly, 3 it was answered and something is as bad as -fail-on says.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/oauthcert"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// asked is the command line.
type asked struct {
	inputs    []string
	situation hybridoauth.Situation
	context   hybridoauth.Context
	at        time.Time
	json, all bool
	store     string
	failOn    *failon.Limit
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("hybridcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: hybridcheck [flags] FOLDER|FILE…|-")
		flags.PrintDefaults()
	}
	var a asked
	collect := flags.Bool("collect-script", false, "print the PowerShell script that captures a folder, and end")
	situation := flags.String("situation", "", "what the organization does, joined by commas (default: found out): "+names())
	cloud := flags.String("cloud", "", "the `cloud` of the tenant: worldwide (or global), gcc-high, dod, china-21vianet, bleu-france, delos-germany")
	day := flags.String("at", "", "the `day` to judge for, as 2026-11-22 (default today)")
	contextFile := flags.String("context", "", "a JSON `file` with what the input does not tell: cloud, tenantId, serviceDomain, onPremDomain, dedicatedAppId,\nhosts, currentThumbprint, nextThumbprint, previousThumbprint")
	flags.StringVar(&a.store, "store", "", "a `folder` or file of certificates in which to look for the auth certificates, or machine for the store of this Windows machine")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	a.failOn = failon.Flag(flags)
	flags.BoolVar(&a.all, "all", false, "print what passed, and why the rest was not evaluated, too")
	for { // flags may follow the inputs
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case err != nil:
			return exitUsage
		}
		if flags.NArg() == 0 {
			break
		}
		a.inputs, args = append(a.inputs, flags.Arg(0)), flags.Args()[1:]
	}
	usage := func(err error) int {
		fmt.Fprintln(stderr, "hybridcheck:", oneLine(err.Error()))
		return exitUsage
	}
	failed := func(err error) int {
		fmt.Fprintln(stderr, "hybridcheck:", oneLine(err.Error()))
		return exitError
	}
	if *collect {
		if _, err := io.WriteString(stdout, hybridoauth.CollectScript()); err != nil {
			return failed(err)
		}
		return exitOK
	}
	if len(a.inputs) == 0 {
		flags.Usage()
		return exitUsage
	}
	var err error
	if a.situation, err = hybridoauth.ParseSituation(*situation); err != nil {
		return usage(err)
	}
	if *contextFile != "" {
		content, err := os.ReadFile(*contextFile)
		if err != nil {
			return failed(err)
		}
		if err := json.Unmarshal(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")), &a.context); err != nil {
			return failed(fmt.Errorf("%s: %w", *contextFile, err))
		}
	}
	if *cloud != "" {
		if err := a.context.Cloud.UnmarshalText([]byte(*cloud)); err != nil {
			return usage(err)
		}
	}
	switch a.at = a.context.Now; {
	case *day != "":
		if a.at, err = time.Parse(time.DateOnly, *day); err != nil {
			return usage(errors.New("-at takes a day such as 2026-11-22"))
		}
	case a.at.IsZero():
		a.at = time.Now().UTC()
	}

	c, read := gather(ctx, a, stdin)
	if ctx.Err() != nil {
		return failed(ctx.Err())
	}
	c.Context = a.context
	certificates, err := join(ctx, &c, a)
	read = errors.Join(read, err)
	if err := a.answer(c, certificates, stdout); err != nil {
		return failed(err)
	}
	if read != nil {
		return failed(read)
	}
	return a.failOn.Code(exitOK)
}

func names() string {
	var all []string
	for _, s := range hybridoauth.Situations() {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}

// oneLine makes an error fit for a terminal.
func oneLine(text string) string { return terminal.Line(strings.ReplaceAll(text, "\n", "; ")) }

// gather reads the inputs. What cannot be read does not hide the rest.
func gather(ctx context.Context, a asked, stdin io.Reader) (hybridoauth.Configuration, error) {
	var c hybridoauth.Configuration
	var failed []error
	note := func(name string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	for _, name := range a.inputs {
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		if name == "-" {
			other, err := readAll(ctx, stdin)
			c.Join(other)
			note("standard input", err)
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			failed = append(failed, err)
		case info.IsDir():
			other, err := hybridoauth.ReadFolder(name)
			c.Join(other)
			note(name, err)
		default:
			content, err := os.ReadFile(name)
			if err == nil {
				err = addFile(&c, filepath.ToSlash(name), content)
			}
			note(name, err)
		}
	}
	return c, errors.Join(failed...)
}

// readAll reads standard input, and ends when the context does.
func readAll(ctx context.Context, r io.Reader) (hybridoauth.Configuration, error) {
	type result struct {
		c   hybridoauth.Configuration
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, err := hybridoauth.Read(r)
		done <- result{c, err}
	}()
	select {
	case got := <-done:
		return got.c, got.err
	case <-ctx.Done():
		return hybridoauth.Configuration{}, ctx.Err()
	}
}

// addFile adds a capture, or a certificate.
func addFile(c *hybridoauth.Configuration, name string, content []byte) error {
	if isCertificate(name, content) {
		certificate, err := oauthcert.Parse(content)
		if errors.Is(err, oauthcert.ErrPrivateKey) {
			c.AddFile(filepath.Base(name), true)
			return nil
		}
		if err != nil {
			return err
		}
		c.AddFile(filepath.Base(name), false)
		c.AddCertificate(certificate.X509(), "", crossprem.AnswerUnknown)
		return nil
	}
	return c.Add(sideOf(name), content)
}

// sideOf leaves of the path of a file what can tell its side: its own name,
// and the folder in which it lies.
func sideOf(name string) string {
	parts := strings.Split(name, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

func isCertificate(name string, content []byte) bool {
	ends := slices.Contains([]string{".cer", ".crt", ".der", ".pem", ".p7b", ".pfx", ".p12"}, strings.ToLower(filepath.Ext(name)))
	return ends || bytes.HasPrefix(content, []byte{0x30, 0x82}) || bytes.HasPrefix(bytes.TrimSpace(content), []byte("-----BEGIN"))
}

// join looks for the auth certificates in the store, and adds what it finds.
// It returns what oauthcert says about every certificate.
func join(ctx context.Context, c *hybridoauth.Configuration, a asked) ([]crossprem.Finding, error) {
	if a.store == "" {
		return nil, nil
	}
	var store oauthcert.Store = oauthcert.Folder{Path: a.store}
	if a.store == "machine" {
		store = oauthcert.MachineStore{}
	}
	var findings []crossprem.Finding
	var failed []error
	for _, text := range c.Thumbprints() {
		t, err := oauthcert.ParseThumbprint(text)
		if err != nil {
			continue
		}
		certificate, err := store.Find(ctx, t)
		switch {
		case errors.Is(err, oauthcert.ErrNotInStore):
			c.Listed = append(c.Listed, hybridoauth.Listing{Kind: "ExchangeCertificate", Side: hybridoauth.OnPremises})
			continue
		case err != nil:
			failed = append(failed, err)
			continue
		}
		key := crossprem.AnswerUnknown
		switch certificate.Key().Presence {
		case oauthcert.KeyPresent:
			key = crossprem.Yes
		case oauthcert.KeyAbsent:
			key = crossprem.No
		}
		c.AddCertificate(certificate.X509(), "", key)
		findings = append(findings, oauthcert.Assess(certificate, a.at)...)
	}
	return findings, errors.Join(failed...)
}

// A report is what -json prints.
type report struct {
	Findings     []crossprem.Finding `json:"findings"`
	Violates     []string            `json:"violates"`
	NotEvaluated []string            `json:"notEvaluated"`
	Errors       []string            `json:"errors"`
	Steps        []hybridoauth.Step  `json:"steps"`
}

func (a asked) answer(c hybridoauth.Configuration, certificates []crossprem.Finding, stdout io.Writer) error {
	checked := hybridoauth.Check(c, a.situation, a.at)
	r := report{Findings: []crossprem.Finding{}, Violates: hybridoauth.Violated(checked), NotEvaluated: hybridoauth.NotEvaluated(checked), Errors: []string{},
		Steps: hybridoauth.WalkthroughIn(c, a.situation, a.at)}
	r.Findings = append(r.Findings, checked...)
	r.Findings = append(r.Findings, hybridoauth.CheckErrors(c, a.at)...)
	r.Findings = append(r.Findings, certificates...)
	for i, token := range c.Tokens {
		for _, f := range hybridoauth.CheckToken(token, c, a.at) {
			if i > 0 {
				f = f.WithPart(fmt.Sprintf("#%d", i+1))
			}
			r.Findings = append(r.Findings, f)
		}
	}
	slices.SortStableFunc(r.Findings, crossprem.WorstFirst)
	a.failOn.See(r.Findings...)
	for _, e := range c.Errors() {
		r.Errors = append(r.Errors, e.ID)
	}
	if a.json {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(r)
	}
	return a.page(c, r, stdout)
}
