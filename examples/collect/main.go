// Collect asks a tenant, over Microsoft Graph, for what the other programs
// here read, and saves it in a folder: the sign-in log, the hybrid application
// and service principals, Conditional Access and security defaults, and the
// version of Entra Connect. It only reads.
//
//	collect -permissions
//	collect -tenant contoso.onmicrosoft.com [-signin device] FOLDER
//	collect -graph http://127.0.0.1:8080 FOLDER        a fake, see examples/faketenant
//
// It may be ended at any time, by Ctrl-C or worse; the same command goes on
// where it was. FOLDER/collection.json says what is there and what is missing.
//
// Exit codes: 0 everything was collected, 1 something was not, 2 it was called
// wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"golang.org/x/term"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/collect/internal/gather"
	"github.com/crossprem/crossprem/examples/internal/graphsignin"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/internal/graph"
	"github.com/crossprem/crossprem/signins/graphsignins"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it as it is
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const (
	exitAll     = 0
	exitMissing = 1
	exitUsage   = 2
)

// asked is the command line.
type asked struct {
	gather.Options
	tenant, signIn string
	cloud          crossprem.Cloud
	fake           string // a fake on loopback, or ""
	permissions    bool
}

func parse(args []string, now time.Time, stderr io.Writer) (*asked, error) {
	a := new(asked)
	a.Skip = map[string]bool{}
	flags := flag.NewFlagSet("collect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	day := func(into *time.Time) func(string) error {
		return func(s string) (err error) {
			if *into, err = time.Parse(time.DateOnly, s); err != nil {
				err = errors.New("is no day such as 2026-11-22")
			}
			return err
		}
	}
	flags.StringVar(&a.tenant, "tenant", "", "the tenant, by `ID` or domain")
	flags.StringVar(&a.signIn, "signin", "default", "how to sign in: `HOW` is one of "+graphsignin.Ways+";\ndefault is what the environment, a managed identity or a developer's tools offer")
	flags.Func("cloud", "the `cloud` of the tenant: worldwide (the default), gcc-high, dod, china-21vianet, bleu-france, delos-germany", func(s string) error {
		return a.cloud.UnmarshalText([]byte(s))
	})
	flags.StringVar(&a.fake, "graph", "", "ask a fake at this `URL` on loopback; nobody signs in")
	flags.Func("from", "collect sign-ins from this `day` on (default 29 days ago: the log keeps 30)", day(&a.From))
	flags.Func("to", "collect sign-ins up to the beginning of this `day` (default up to now)", day(&a.To))
	flags.BoolVar(&a.Connectors, "connectors", false, "ask for private network connectors too, which takes a permission that could write")
	flags.Func("skip", "leave out this `part`: policies, hybrid, directory, connect or signins; repeatable", func(s string) error {
		for _, p := range gather.Parts(false) {
			if p.Name == s {
				a.Skip[s] = true
				return nil
			}
		}
		return errors.New("is none of the parts")
	})
	flags.IntVar(&a.PageSize, "page-size", 0, "how many sign-ins to ask for at once, up to the default of 1000")
	flags.BoolVar(&a.permissions, "permissions", false, "print which permissions are needed, and why, and end")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: collect [flags] FOLDER\n\nCollects from a tenant what examples/signins, connect, hybridcheck, policy and report read.\n\n")
		flags.PrintDefaults()
	}
	var rest []string
	for { // flags may follow the folder
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
	if a.permissions {
		return a, nil
	}
	if a.From.IsZero() {
		a.From = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -29)
	}
	switch {
	case len(rest) != 1:
		return nil, errors.New("one folder is wanted; -help tells more")
	case a.fake != "" && a.tenant != "":
		return nil, errors.New("-tenant or -graph, not both")
	case a.fake == "" && a.tenant == "":
		return nil, errors.New("which tenant? -tenant ID, or -graph URL for a fake")
	case a.fake != "" && !onLoopback(a.fake):
		return nil, errors.New("-graph is for a fake on loopback, such as http://127.0.0.1:8080")
	case a.PageSize < 0 || a.PageSize > 1000:
		return nil, errors.New("-page-size is 1 to 1000")
	case !a.To.IsZero() && !a.From.Before(a.To):
		return nil, errors.New("-from is not before -to")
	}
	a.Folder, a.fake = rest[0], strings.TrimRight(a.fake, "/")
	return a, nil
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	say := func(text string) {
		fmt.Fprintln(stderr, "collect:", terminal.Line(strings.ReplaceAll(text, "\n", "; ")))
	}
	a, err := parse(args, time.Now(), stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitAll
	case err != nil:
		say(err.Error())
		return exitUsage
	case a.permissions:
		if err := writePermissions(stdout, a.Connectors); err != nil {
			say(err.Error())
			return exitMissing
		}
		return exitAll
	}
	adapter, err := a.adapter(stderr)
	if err != nil {
		say(err.Error())
		return exitUsage
	}
	bar := &gather.Bar{W: stderr, From: a.From, To: a.To}
	if bar.To.IsZero() {
		bar.To = time.Now()
	}
	a.Note = func(text string) { bar.Clear(); say(text) }
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		a.Progress = bar.Show
		if bar.Width, _, err = term.GetSize(int(f.Fd())); err != nil {
			bar.Width = 80
		}
	}
	c, err := gather.Run(ctx, tenantOf(adapter), a.Options)
	bar.Clear()
	if c != nil {
		if _, bad := fmt.Fprintf(stdout, "%d sign-ins in %s; %d requests this time\n", c.SignIns, terminal.Line(a.Folder), c.Requests); bad != nil {
			err = errors.Join(err, bad)
		}
	}
	switch {
	case ctx.Err() != nil:
		say("interrupted; the same command goes on where this one was")
		return exitMissing
	case err != nil:
		say("missing: " + err.Error())
		return exitMissing
	}
	return exitAll
}

// adapter returns the request adapter of Microsoft's SDK, as an embedder has
// it who uses the SDK already. For a fake, nobody signs in.
func (a *asked) adapter(prompt io.Writer) (abstractions.RequestAdapter, error) {
	var provider authentication.AuthenticationProvider = &authentication.AnonymousAuthenticationProvider{}
	address := a.fake
	if a.fake == "" {
		address = graph.Address(a.cloud)
		credential, err := graphsignin.New(a.signIn, a.tenant, graphsignins.Authority(a.cloud), prompt)
		if err != nil {
			return nil, err
		}
		// The token goes to this one host.
		host := strings.TrimPrefix(address, "https://")
		if provider, err = azureauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(credential, []string{address + "/.default"}, []string{host}); err != nil {
			return nil, err
		}
	} else {
		// A fake has no budget.
		a.Limiter = &graphsignins.Limiter{Requests: 1000, Per: time.Second}
	}
	options := graphcore.GraphClientOptions{GraphServiceVersion: "v1.0", GraphServiceLibraryVersion: "1.89.0"}
	client := graphcore.GetDefaultClient(&options)
	client.Transport = bounded{client.Transport}
	adapter, err := graphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(provider, options, nil, nil, client)
	if err != nil {
		return nil, err
	}
	adapter.SetBaseUrl(address + "/v1.0")
	return adapter, nil
}

// maxAnswer bounds an answer, in bytes. A page of 1000 sign-ins has some 5 MB.
const maxAnswer = 256 << 20

// bounded refuses answers without an end.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}

func writePermissions(w io.Writer, connectors bool) error {
	var b strings.Builder
	b.WriteString("Permissions of Microsoft Graph that collect needs. It only reads. An application needs them granted\nby an administrator; a user needs the role too.\n")
	for _, p := range gather.Parts(connectors) {
		fmt.Fprintf(&b, "\n%-10s %s\n", p.Name, strings.Join(p.Permissions, ", "))
		if p.Role != "" {
			fmt.Fprintf(&b, "%10s role: %s\n", "", p.Role)
		}
		fmt.Fprintf(&b, "%10s for %s\n", "", p.Why)
	}
	b.WriteString("\nWhat is not granted is left out and named in collection.json; -skip PART does not ask for it.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
