// Faketenant is a Microsoft Graph on loopback, with one made-up tenant that all
// graph packages of this library can ask: its sign-ins with what is left of
// legacy authentication and attacks, its Exchange application and service
// principal, its Entra Connect, and its policies. Nobody signs in to it.
//
//	go run ./examples/faketenant [flags]
//
// It prints its address, and serves until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/connectversiontest"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	served     = 0
	couldNot   = 1
	wrongUsage = 2
)

// A tenant is what the flags say of it.
type tenant struct {
	listen  string
	seed    uint64
	users   int
	days    int
	attacks int
	faults  float64
	connect connectversion.Version
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	t := tenant{connect: connectversion.Version{Major: 2, Minor: 5, Build: 79}}
	flags := flag.NewFlagSet("faketenant", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&t.listen, "listen", "127.0.0.1:0", "the loopback `address` to serve at; port 0 is a free one")
	flags.Uint64Var(&t.seed, "seed", 1, "the `number` from which the tenant follows")
	flags.IntVar(&t.users, "users", 200, "how many people")
	flags.IntVar(&t.days, "days", 3, "how many days of sign-ins, up to yesterday")
	flags.IntVar(&t.attacks, "attacks", 1, "how many attacks of each kind")
	flags.Float64Var(&t.faults, "faults", 0.05, "the `share` of requests for sign-ins that something goes wrong with")
	flags.Func("connect", "the `version` of Entra Connect (default "+t.connect.String()+")", func(text string) (err error) {
		t.connect, err = connectversion.Parse(text)
		return err
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return served
	case err != nil:
		return wrongUsage
	}
	host, _, err := net.SplitHostPort(t.listen)
	ip := net.ParseIP(host)
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("there are no arguments besides flags, not %q", flags.Arg(0))
	case err == nil && (ip == nil || !ip.IsLoopback()):
		err = fmt.Errorf("-listen %s is not on loopback; nobody signs in here", t.listen)
	case t.users < 20 || t.days < 1 || t.days > 29 || t.attacks < 0 || t.faults < 0 || t.faults >= 1:
		err = errors.New("-users is 20 or more, -days 1 to 29, -attacks 0 or more, and -faults from 0 to below 1")
	}
	if err != nil {
		fmt.Fprintln(stderr, "faketenant:", err)
		return wrongUsage
	}
	if err := t.serve(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "faketenant:", err)
		return couldNot
	}
	return served
}

// serve serves until ctx is done.
func (t tenant) serve(ctx context.Context, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", t.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: t.handler(time.Now().UTC()), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		err := server.Close()
		<-done
		return err
	}
}

const (
	tenantID   = "11111111-2222-4333-8444-555555555555"
	exchangeID = "0f1e2d3c-4b5a-4697-8877-665544332211"
)

// handler makes the tenant, as of a time.
func (t tenant) handler(now time.Time) http.Handler {
	today := now.Truncate(24 * time.Hour)
	g := signinstest.GraphOf(&signinstest.Tenant{Seed: t.seed, Users: t.users, Days: t.days, Start: today.AddDate(0, 0, -t.days),
		Sprays: t.attacks, BruteForces: t.attacks, DistributedSprays: t.attacks})
	g.Fault = signinstest.Schedule(t.seed, t.faults)

	current := oauthcerttest.AuthCertificate{}.Make()
	app := &oauthcert.Object{Kind: oauthcert.Application, ID: "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9", AppID: "c0ffee12-7a3b-4d5e-8f90-1234567890ab",
		DisplayName: "ExchangeServerApp-" + tenantID, Keys: []oauthcert.KeyCredential{current.KeyCredential()}}
	exchange := &oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: exchangeID, AppID: oauthcert.ExchangeOnline, DisplayName: "Office 365 Exchange Online",
		Keys: []oauthcert.KeyCredential{}, Names: []string{oauthcert.ExchangeOnline, "https://outlook.office365.com/", "https://mail.contoso.com/"}}
	principal := &oauthcert.Object{Kind: oauthcert.ServicePrincipal, ID: "2b3c4d5e-6f70-4182-93a4-b5c6d7e8f90a", AppID: app.AppID, DisplayName: app.DisplayName,
		Keys: []oauthcert.KeyCredential{}, Names: []string{app.AppID}}
	directory := oauthcerttest.New(t.seed, app, exchange, principal)
	for _, version := range []string{"/v1.0/", "/beta/"} {
		for _, kind := range []string{"applications", "servicePrincipals"} {
			g.Handle(version+kind, directory)
			g.Handle(version+kind+"/{id}", directory)
		}
		for _, object := range []*oauthcert.Object{app, exchange, principal} {
			g.Handle(version+object.Kind.String()+"s(appId='"+object.AppID+"')", directory)
		}
	}
	connect := &connectversiontest.Graph{TenantID: tenantID, TenantName: "Contoso", Version: t.connect, Machine: "SYNC01", LastSync: now.Add(-20 * time.Minute),
		Connectors: []connectversiontest.Connector{{ID: "c1", Machine: "proxy01.contoso.com", Version: "1.5.3437.0", Status: "active"}}}
	for _, path := range connectversiontest.GraphPaths {
		g.Handle(path, connect)
	}
	answers := maps.Clone(policies)
	answers["/v1.0/servicePrincipals/"+principal.ID+"/appRoleAssignments"] = fmt.Sprintf(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#servicePrincipals('%[1]s')/appRoleAssignments",
"value":[{"id":"XkxLK3BvgkGTpLXG1-j5Cg","appRoleId":"dc890d15-9560-4a4c-9b7f-a736ec74ec40","principalId":"%[1]s","principalDisplayName":"%[2]s","principalType":"ServicePrincipal",
"resourceId":"%[3]s","resourceDisplayName":"%[4]s"}]}`, principal.ID, principal.DisplayName, exchange.ID, exchange.DisplayName)
	for path, body := range answers {
		g.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body) // the client may have gone
		}))
	}
	return g
}

// policies are those of the tenant: one that blocks legacy authentication for
// all but a group.
var policies = map[string]string{
	"/v1.0/policies/identitySecurityDefaultsEnforcementPolicy": `{"id":"00000000-0000-0000-0000-000000000005","displayName":"Security Defaults","isEnabled":false}`,
	"/v1.0/identity/conditionalAccess/policies": `{"value":[{"id":"7a1e1d3c-5c0e-4a43-8f2c-6f0d1f3a2b10","displayName":"Block legacy authentication","state":"enabled",
"conditions":{"clientAppTypes":["exchangeActiveSync","other"],"applications":{"includeApplications":["All"],"excludeApplications":[]},
"users":{"includeUsers":["All"],"excludeUsers":[],"includeGroups":[],"excludeGroups":["4f1d7d2e-8a3f-4a63-9d0a-0d6a6f1b2c3d"]}},
"grantControls":{"operator":"OR","builtInControls":["block"]}}]}`,
}
