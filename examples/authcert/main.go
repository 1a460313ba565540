// Authcert shows the Exchange auth certificate, brings it to Entra ID, and
// cleans up where it used to lie. Run it without arguments for help; without
// a tenant it works on a demonstration directory in memory.
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
	"github.com/crossprem/crossprem/examples/internal/graphsignin"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/oauthcert"
)

const help = `Usage: authcert show    [-json] [-o FILE.cer] FILE | -thumbprint X [-store DIR] | -config FILE [-role next]
                        every certificate of a FILE in whatever format; with -json one a line
       authcert plan    [where] [what]            what would be changed, and why
       authcert apply   [where] [what] [-write]   the same; with -write it is done, after a backup
       authcert verify  [where] [what]            whether the directory shows it
       authcert cleanup [where] [-write]          drops every key of the shared principal; names with -drop
       authcert restore [where] -backup FILE [-write]
       authcert coverage [where] -servers FILE    which servers' certificates are among the keys, and which are not
       authcert shared  -tenants FILE             which tenants' shared principal still holds keys; with -json one a line

where: -tenant ID [-cloud NAME] [-signin browser|device|cli|environment|default]
       -snapshot FILE    an object as Microsoft Graph sent it; for plan and verify
       neither: a demonstration directory, made afresh for each run
       -app ID           the dedicated hybrid application, by application (client) id
       -shared           the shared Exchange Online principal
       -principal ID     another service principal, by application id
what:  -cert FILE        a certificate to have there (repeatable)
       -config FILE      captured Get-AuthConfig: its current and next certificate, found in -store
       -host NAME        a published host to register (repeatable; with -shared)
       -drop X           a key (thumbprint or keyId) or a name to drop (repeatable)
       -drop-expired     drop expired keys

This does what ExportAuthCert.ps1 and the MSOnline module did, which is retired:
  ExportAuthCert.ps1                  authcert show -config authconfig.txt -o OAuthCert.cer
  New-MsolServicePrincipalCredential  authcert apply -tenant T -app ID -cert OAuthCert.cer -write
  Set-MsolServicePrincipal            authcert apply -tenant T -shared -host mail.contoso.com -host autodiscover.contoso.com -write
  Get-MsolServicePrincipal            authcert plan -tenant T -shared -host mail.contoso.com
Keys go to the dedicated application (ExchangeServerApp-…) now: the shared principal
is refused unless -allow-keys-on names it (CVE-2025-53786).

Exit codes: 0 done, or as it should be; 1 could not; 2 wrong usage; 3 refused, or not shown.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// options are what the flags say.
type options struct {
	command string
	args    []string

	json                 bool
	at                   time.Time
	out                  string
	thumbprint           string
	store, config, role  string
	passwordFile         string
	tenant, cloud        string
	signIn, snapshot     string
	app, principal       string
	shared               bool
	certs, hosts, drop   list
	dropExpired          bool
	allowKeysOn          string
	situation            string
	servers              list
	tenants, earlier     string
	write                bool
	backup               string
	patience, steadiness time.Duration
}

// errUsage is an error of the arguments.
type errUsage string

func (e errUsage) Error() string { return string(e) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &checkedWriter{Writer: stdout}
	o, err := parse(args, stderr)
	if err == nil {
		err = o.run(ctx, out, stderr)
	}
	if err == nil {
		err = out.err
	}
	var usage errUsage
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "authcert:", usage)
		return 2
	}
	fmt.Fprintln(stderr, "authcert:", strings.TrimPrefix(err.Error(), "oauthcert: "))
	var refused *oauthcert.RefusedError
	if errors.As(err, &refused) || errors.Is(err, oauthcert.ErrNotShown) {
		return 3
	}
	return 1
}

// A checkedWriter remembers the first thing that could not be written.
type checkedWriter struct {
	io.Writer
	err error
}

func (w *checkedWriter) Write(data []byte) (int, error) {
	n, err := w.Writer.Write(data)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("authcert", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, help)
		flags.PrintDefaults()
	}
	at := flags.String("at", "", "the day to judge for, as YYYY-MM-DD (default today)")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.out, "o", "", "write the certificate to this file, as .cer")
	flags.StringVar(&o.thumbprint, "thumbprint", "", "the certificate with this thumbprint, in any spelling")
	flags.StringVar(&o.store, "store", "", "a folder or file to look for certificates in (default the machine store of Windows)")
	flags.StringVar(&o.config, "config", "", "captured output of Get-AuthConfig")
	flags.StringVar(&o.role, "role", "current", "which certificate of -config to show: current, next or previous")
	flags.StringVar(&o.passwordFile, "password-file", "", "a file with the password of a PFX file, of which the public part is read")
	flags.StringVar(&o.tenant, "tenant", "", "the tenant, by id or domain")
	flags.StringVar(&o.cloud, "cloud", "worldwide", "worldwide, gcc-high, dod, china-21vianet, bleu-france or delos-germany; global, gcchigh,\nchina, bleu and delos are read too")
	flags.StringVar(&o.signIn, "signin", "browser", "how to sign in: "+graphsignin.Ways)
	flags.StringVar(&o.snapshot, "snapshot", "", "a file with an object as Microsoft Graph sent it")
	flags.StringVar(&o.app, "app", "", "the dedicated hybrid application")
	flags.BoolVar(&o.shared, "shared", false, "the shared Exchange Online principal")
	flags.StringVar(&o.principal, "principal", "", "another service principal")
	flags.Var(&o.certs, "cert", "a certificate to have there")
	flags.Var(&o.hosts, "host", "a published host to register")
	flags.Var(&o.drop, "drop", "a key or a name to drop")
	flags.BoolVar(&o.dropExpired, "drop-expired", false, "drop expired keys")
	flags.StringVar(&o.allowKeysOn, "allow-keys-on", "", "the application id of a first-party principal to add keys to all the same")
	flags.StringVar(&o.situation, "situation", "", "refuse what is wrong in this situation: "+strings.Join(situations(), ", "))
	flags.Var(&o.servers, "servers", "captured output of Get-ExchangeCertificate -Server (repeatable; with coverage)")
	flags.StringVar(&o.tenants, "tenants", "", "a file with a tenant a line (with shared); without it, a demonstration")
	flags.StringVar(&o.earlier, "earlier", "", "what shared -json printed before it was stopped: those tenants are not asked again")
	flags.BoolVar(&o.write, "write", false, "do it; without this flag nothing is changed")
	flags.StringVar(&o.backup, "backup", "", "the file for the backup (default authcert-TIME.json), or to restore from")
	flags.DurationVar(&o.patience, "patience", 5*time.Minute, "how long to wait until the directory shows a change")
	flags.DurationVar(&o.steadiness, "steady", 30*time.Second, "for how long the directory must show it without a break")
	if len(args) == 0 {
		flags.Usage()
		return nil, errUsage("a command is missing")
	}
	// Flags may come anywhere.
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage(err.Error())
		}
		if flags.NArg() == 0 {
			break
		}
		o.args = append(o.args, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if len(o.args) > 0 {
		o.command, o.args = o.args[0], o.args[1:]
	}
	o.at = time.Now()
	if *at != "" {
		day, err := time.Parse(time.DateOnly, *at)
		if err != nil {
			return nil, errUsage("-at: " + *at + " is not a day")
		}
		o.at = day
		if o.write {
			return nil, errUsage("-at is for looking ahead; what is written is judged by today")
		}
	}
	if len(o.args) > 1 || len(o.args) == 1 && o.command != "show" {
		return nil, errUsage("too many arguments: " + strings.Join(o.args, " "))
	}
	return o, nil
}

func situations() []string {
	var names []string
	for _, a := range oauthcert.Situations() {
		names = append(names, string(a.Situation))
	}
	return names
}

func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	switch o.command {
	case "show":
		return o.show(ctx, stdout)
	case "plan", "apply", "verify", "cleanup", "restore":
		return o.change(ctx, stdout, stderr)
	case "coverage", "shared":
		if o.write {
			return errUsage(o.command + " changes nothing; -write is for apply, cleanup and restore")
		}
		if o.command == "shared" {
			return o.sharedKeys(ctx, stdout, stderr)
		}
		return o.coverage(ctx, stdout, stderr)
	case "":
		return errUsage("a command is missing")
	}
	return errUsage("no such command: " + o.command)
}

// show prints the certificate that the arguments name, or all of a file.
func (o *options) show(ctx context.Context, stdout io.Writer) error {
	certs, err := o.named(ctx)
	if err != nil {
		return err
	}
	if o.out != "" {
		if len(certs) > 1 {
			return fmt.Errorf("%w in %s, and -o writes one; choose it with -thumbprint, and -store %[2]s", oauthcert.ErrAmbiguous, o.args[0])
		}
		if err := writeNew(o.out, certs[0].CER()); err != nil {
			return err
		}
	}
	for i, cert := range certs {
		if o.json {
			if err := json.NewEncoder(stdout).Encode(cert); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if err := o.showOne(cert, stdout); err != nil {
			return err
		}
	}
	return nil
}

// showOne prints a certificate for people.
func (o *options) showOne(cert *oauthcert.Certificate, stdout io.Writer) error {
	fmt.Fprintf(stdout, "Subject     %s\nValid       %s to %s\nSHA-1       %s\nSHA-256     %s\nx5t         %s\n",
		terminal.Line(cert.Subject()), cert.NotBefore().Format(time.DateOnly), cert.NotAfter().Format(time.DateOnly), cert.SHA1(), cert.SHA256(), cert.X5T())
	if o.out != "" {
		fmt.Fprintf(stdout, "Written to  %s\n", o.out)
	}
	credential, err := json.MarshalIndent(cert.KeyCredential(), "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nKey credential, as Microsoft Graph takes it:\n%s\n\n", credential)
	printFindings(stdout, oauthcert.Assess(cert, o.at))
	return nil
}

// named finds the certificates that the arguments name.
func (o *options) named(ctx context.Context) ([]*oauthcert.Certificate, error) {
	reader, err := o.reader()
	if err != nil {
		return nil, err
	}
	switch {
	case len(o.args) == 1 && o.thumbprint == "" && o.config == "":
		return reader.ReadFileAll(o.args[0])
	case len(o.args) == 1:
		return nil, errUsage("give a file, -thumbprint or -config, and one of them only; -store names a folder")
	case o.thumbprint != "" && o.config == "":
		t, err := oauthcert.ParseThumbprint(o.thumbprint)
		if err != nil {
			return nil, err
		}
		return one(o.find(ctx, reader, t))
	case o.config != "" && o.thumbprint == "":
		config, err := o.authConfig()
		if err != nil {
			return nil, err
		}
		t, err := config.Select(oauthcert.Role(o.role))
		if err != nil {
			return nil, err
		}
		return one(o.find(ctx, reader, t))
	}
	return nil, errUsage("show needs a file, -thumbprint or -config")
}

func one(c *oauthcert.Certificate, err error) ([]*oauthcert.Certificate, error) {
	return []*oauthcert.Certificate{c}, err
}

func (o *options) find(ctx context.Context, reader *oauthcert.Reader, t oauthcert.Thumbprint) (*oauthcert.Certificate, error) {
	var store oauthcert.Store = oauthcert.MachineStore{}
	if o.store != "" {
		store = oauthcert.Folder{Path: o.store, Reader: *reader}
	}
	return store.Find(ctx, t)
}

func (o *options) authConfig() (oauthcert.AuthConfig, error) {
	data, err := readFile(o.config)
	if err != nil {
		return oauthcert.AuthConfig{}, err
	}
	return oauthcert.ReadAuthConfig(data)
}

func (o *options) reader() (*oauthcert.Reader, error) {
	if o.passwordFile == "" {
		return new(oauthcert.Reader), nil
	}
	data, err := readFile(o.passwordFile)
	if err != nil {
		return nil, err
	}
	password, _, _ := strings.Cut(string(data), "\n")
	return &oauthcert.Reader{Password: strings.TrimSuffix(password, "\r")}, nil
}

// maxFile bounds what is read of one file. The library bounds it further.
const maxFile = 64 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	return data, err
}

// writeNew writes a file that must not exist yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// printFindings prints those that did not pass, the worst first.
func printFindings(w io.Writer, findings []crossprem.Finding) {
	findings = slices.DeleteFunc(slices.Clone(findings), func(f crossprem.Finding) bool { return f.Status == crossprem.Passed })
	slices.SortStableFunc(findings, func(a, b crossprem.Finding) int { return int(b.Severity) - int(a.Severity) })
	if len(findings) == 0 {
		fmt.Fprintln(w, "Nothing to complain of.")
	}
	for _, f := range findings {
		word := f.Severity.String()
		if f.Status == crossprem.Unknown {
			word = "unknown"
		}
		fmt.Fprintf(w, "%s: %s  [%s]\n    %s: %s\n", word, f.Title, f.Rule, f.Subject, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "    %s.\n", f.Remedy)
		}
	}
}
