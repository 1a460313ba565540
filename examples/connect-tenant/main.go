// Command connect-tenant asks a tenant which Entra Connect synchronises into
// it, and tells whether that is still good.
//
//	connect-tenant -tenant contoso.onmicrosoft.com
//	connect-tenant -tenant contoso.com -signin device -connectors -json
//
// The tenant knows the server that exported last, and no staging server;
// examples/connect judges what was collected on the servers themselves.
//
// A user needs OnPremDirectorySynchronization.Read.All and the role Global
// Administrator, an application the permission alone; both need
// Organization.Read.All, and for -connectors Directory.ReadWrite.All.
//
// Exit codes: 0 it ran, 1 it could not run, or not ask everything, 2 it was
// called wrongly.
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

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// asked is the command line.
type asked struct {
	tenant     string
	cloud      graphconnectversion.Cloud
	signIn     string
	at         time.Time
	json       bool
	connectors bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "connect-tenant:", err)
		return 2
	}
	credential, err := a.credential(stderr)
	if err == nil {
		var tenant *graphconnectversion.Tenant
		if tenant, err = graphconnectversion.New(credential, graphconnectversion.Options{Cloud: a.cloud}); err == nil {
			err = a.answer(ctx, tenant, stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "connect-tenant:", strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (a asked, err error) {
	flags := flag.NewFlagSet("connect-tenant", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&a.tenant, "tenant", "", "the tenant, by `id` or domain")
	flags.TextVar(&a.cloud, "cloud", graphconnectversion.Global, "global, gcchigh, dod, china, bleu or delos")
	flags.StringVar(&a.signIn, "signin", "browser", "browser, device, cli or environment")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolVar(&a.connectors, "connectors", false, "ask for private network connectors too")
	at := flags.String("at", "", "the `day` to judge for, as 2026-11-22 (default today)")
	if err := flags.Parse(args); err != nil {
		return a, err
	}
	if a.tenant == "" || flags.NArg() > 0 {
		flags.Usage()
		return a, errors.New("which tenant?")
	}
	a.at = time.Now()
	if *at != "" {
		if a.at, err = time.Parse(time.DateOnly, *at); err != nil {
			return a, fmt.Errorf("%q is not a day such as 2026-11-22", *at)
		}
	}
	return a, nil
}

// credential signs in when it is first used.
func (a asked) credential(stderr io.Writer) (azcore.TokenCredential, error) {
	client := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: a.cloud.Authority()}}
	switch a.signIn {
	case "browser":
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{ClientOptions: client, TenantID: a.tenant})
	case "device":
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: client, TenantID: a.tenant,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				_, err := fmt.Fprintln(stderr, m.Message)
				return err
			}})
	case "cli":
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: a.tenant})
	case "environment":
		return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: client})
	}
	return nil, fmt.Errorf("-signin is browser, device, cli or environment, not %q", a.signIn)
}

// result is what is printed.
type result struct {
	Tenant    string                      `json:"tenant"`
	Name      string                      `json:"name"`
	Enabled   string                      `json:"syncEnabled"` // yes, no or unknown
	LastSync  time.Time                   `json:"lastSync,omitzero"`
	Installed []connectversion.Assessment `json:"installed"`
	Findings  []crossprem.Finding         `json:"findings"` // on the evidence itself
	Missing   []string                    `json:"missing"`  // what could not be asked, and why
}

// answer asks the tenant and prints what it knows. What could not be asked is
// printed with the rest, and is also the error.
func (a asked) answer(ctx context.Context, tenant *graphconnectversion.Tenant, stdout io.Writer) error {
	sync, failed := tenant.Sync(ctx)
	if sync == nil {
		return failed
	}
	r := result{Tenant: sync.TenantID, Name: sync.TenantName, Enabled: sync.Enabled.String(), LastSync: sync.LastSync,
		Installed: []connectversion.Assessment{}, Findings: []crossprem.Finding{}, Missing: []string{}}
	if failed == nil {
		found := connectversion.Reconcile(a.at, sync.Evidence())
		for _, i := range found.Installed {
			r.Installed = append(r.Installed, connectversion.Assess(i.Product, i.Version, a.at, sync.Facts()))
		}
		r.Findings = append(r.Findings, found.Findings...)
	}
	if a.connectors {
		connectors, err := tenant.Connectors(ctx)
		failed = errors.Join(failed, err)
		for _, c := range connectors {
			if c.Version.IsZero() {
				failed = errors.Join(failed, fmt.Errorf("connector %s: %q is not a version", c.Machine, c.Text))
				continue
			}
			facts := sync.Facts()
			facts.Server = c.Machine
			r.Installed = append(r.Installed, connectversion.Assess(connectversion.PrivateNetworkConnector, c.Version, a.at, facts))
		}
	}
	if failed != nil {
		r.Missing = strings.Split(failed.Error(), "\n")
	}
	var err error
	if a.json {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		err = out.Encode(r)
	} else {
		_, err = io.WriteString(stdout, r.text())
	}
	return errors.Join(failed, err)
}

func (r result) text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s (%s)\nsynchronised: %s", r.Name, r.Tenant, r.Enabled)
	if !r.LastSync.IsZero() {
		fmt.Fprintf(&s, ", last on %s", r.LastSync.Format("2006-01-02 15:04 MST"))
	}
	s.WriteString("\n")
	for _, a := range r.Installed {
		fmt.Fprintf(&s, "\n%s %s: %s", a.Product.Title(), a.Version, a.Support)
		if !a.SupportUntil.IsZero() {
			fmt.Fprintf(&s, ", last day %s", a.SupportUntil.Format(time.DateOnly))
		}
		s.WriteString("\n")
		writeFailed(&s, a.Findings)
	}
	s.WriteString("\n")
	writeFailed(&s, r.Findings)
	for _, m := range r.Missing {
		fmt.Fprintf(&s, "?  %s\n", m)
	}
	return s.String()
}

// writeFailed writes the findings that failed or are not known, a line each.
func writeFailed(s *strings.Builder, findings []crossprem.Finding) {
	for _, f := range findings {
		switch {
		case f.Status == crossprem.Unknown:
			fmt.Fprintf(s, "?  %s\n", f.Title)
		case f.Status == crossprem.Failed:
			fmt.Fprintf(s, "%s %s: %s\n", map[crossprem.Severity]string{crossprem.Critical: "!!", crossprem.Warning: "! ", crossprem.Info: "- "}[f.Severity], f.Subject, f.Title)
		}
	}
}
