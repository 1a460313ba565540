package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/graphconnectversion"
	"github.com/crossprem/crossprem/examples/internal/failon"
)

// A question to a tenant: which Entra Connect synchronises into it? The tenant
// knows the server that exported last, and no staging server.
//
// A user needs OnPremDirectorySynchronization.Read.All and the role Global
// Administrator, an application the permission alone; both need
// Organization.Read.All, and for connectors Directory.ReadWrite.All.
type question struct {
	tenant     string // id or domain
	cloud      crossprem.Cloud
	credential azcore.TokenCredential
	connectors bool // ask for private network connectors too
	at         time.Time
	json       bool
	failOn     *failon.Limit

	auth connectversion.Authentication // which the tenant does not tell
}

// ask signs in, asks and prints.
func (q question) ask(ctx context.Context, stdout io.Writer) error {
	tenant, err := graphconnectversion.New(q.credential, graphconnectversion.Options{Cloud: q.cloud})
	if err != nil {
		return err
	}
	return q.answer(ctx, tenant, stdout)
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

	at time.Time
}

// answer asks the tenant and prints what it knows. What could not be asked is
// printed with the rest, and is also the error.
func (q question) answer(ctx context.Context, tenant *graphconnectversion.Tenant, stdout io.Writer) error {
	sync, failed := tenant.Sync(ctx)
	if sync == nil {
		return failed
	}
	r := result{Tenant: sync.TenantID, Name: sync.TenantName, Enabled: sync.Enabled.String(), LastSync: sync.LastSync,
		Installed: []connectversion.Assessment{}, Findings: []crossprem.Finding{}, Missing: []string{}, at: q.at}
	if failed == nil {
		found := connectversion.Reconcile(q.at, sync.Evidence())
		facts := sync.Facts()
		facts.Authentication = q.auth
		for _, i := range found.Installed {
			r.Installed = append(r.Installed, connectversion.Assess(i.Product, i.Version, q.at, facts))
		}
		r.Findings = append(r.Findings, found.Findings...)
	}
	if q.connectors {
		connectors, err := tenant.Connectors(ctx)
		failed = errors.Join(failed, err)
		for _, c := range connectors {
			if c.Version.IsZero() {
				failed = errors.Join(failed, fmt.Errorf("connector %s: %q is not a version", c.Machine, c.Text))
				continue
			}
			facts := sync.Facts()
			facts.Server = c.Machine
			r.Installed = append(r.Installed, connectversion.Assess(connectversion.PrivateNetworkConnector, c.Version, q.at, facts))
		}
	}
	if q.failOn != nil {
		for _, a := range r.Installed {
			q.failOn.See(a.Findings...)
		}
		q.failOn.See(r.Findings...)
	}
	if failed != nil {
		r.Missing = strings.Split(failed.Error(), "\n")
	}
	var err error
	if q.json {
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
		writeFailed(&s, a, a.Findings)
	}
	s.WriteString("\n")
	writeFailed(&s, connectversion.Assessment{At: r.at}, r.Findings)
	for _, m := range r.Missing {
		fmt.Fprintf(&s, "?  %s\n", m)
	}
	return s.String()
}

// writeFailed writes the findings that failed or are not known, a line each.
func writeFailed(s *strings.Builder, a connectversion.Assessment, findings []crossprem.Finding) {
	for _, f := range findings {
		switch {
		case f.Status == crossprem.Unknown:
			fmt.Fprintf(s, "?  %s\n", f.Title)
		case f.Status == crossprem.Failed:
			fmt.Fprintf(s, "%s %s: %s\n", map[crossprem.Severity]string{crossprem.Critical: "!!", crossprem.Warning: "! ", crossprem.Info: "- "}[f.Severity], f.Subject, when(a, f)+f.Title)
		}
	}
}
