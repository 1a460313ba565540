// Report asks all five packages of crossprem and prints what it found.
//
// Without arguments it reports on an invented estate, Contoso, whose logs and
// certificate are built in and whose servers are fakes on loopback. With
// arguments it reads real logs and asks real servers; it never sends a
// password or a token.
//
// It exits with 0 if it ran, 1 if it could not, 2 for wrong usage, and 3 if it
// ran and something is at least as bad as -fail-on says.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
	"github.com/crossprem/crossprem/authinspect/authpolicy"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/hostport"
	"github.com/crossprem/crossprem/examples/internal/inputs"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	columns := pipeWidth
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); terminal && err == nil {
		columns = min(max(w, minWidth), maxWidth)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal && os.Getenv("NO_COLOR") == "", columns))
}

// The exit codes.
const (
	exitRan      = 0
	exitCouldNot = 1
	exitUsage    = 2
	exitFindings = failon.Exit
)

// questions are what the command line asks.
type questions struct {
	signins    []string // files and folders
	probe      []string // host:port
	exchange   []string // URLs
	connect    connectversion.Version
	cert       string            // file
	hybrid     string            // a folder of a captured configuration
	policy     string            // a folder of policies
	evidence   string            // a folder about Entra Connect
	reg        []string          // exports of a client's registry
	missing    map[string]string // what a collection lacks
	at         time.Time
	timeout    time.Duration // 0: the packages decide
	json       bool
	everything bool   // passed findings are listed
	before     string // a report as JSON, to compare with
	files      []outputFile
	failOn     *failon.Limit
}

// An outputFile is a form of the report that goes to a file.
type outputFile struct {
	name  string
	write func(r *report, w io.Writer, title string) error
}

// outputs are the forms that can go to files, by flag.
var outputs = []struct {
	flag, what string
	write      func(r *report, w io.Writer, title string) error
}{
	{"html", "write one self-contained page to `FILE`", func(r *report, w io.Writer, title string) error { return r.writeHTML(w, title, r.at) }},
	{"markdown", "write Markdown for a ticket to `FILE`", func(r *report, w io.Writer, _ string) error { return crossprem.WriteMarkdown(w, r.Findings, r.at) }},
	{"sarif", "write SARIF 2.1.0 to `FILE`", func(r *report, w io.Writer, _ string) error {
		return crossprem.WriteSARIF(w, r.Findings, allRules(), r.at)
	}},
	{"ocsf", "write OCSF compliance findings to `FILE`, one JSON object a line", func(r *report, w io.Writer, _ string) error { return crossprem.WriteOCSF(w, r.Findings, r.at) }},
	{"csv", "write a table for a spreadsheet to `FILE`", func(r *report, w io.Writer, _ string) error { return crossprem.WriteCSV(w, r.Findings) }},
}

// allRules are the rules of every package that is asked here.
func allRules() []crossprem.Rule {
	return slices.Concat(authinspect.Rules(), authpolicy.Rules(), connectversion.Rules(), hybridoauth.Rules(), oauthcert.Rules(), schannel.Rules(), signins.Rules(), tlsprobe.Rules())
}

// any reports whether there is anything to ask about; otherwise the report is on
// the built-in estate.
func (q *questions) any() bool {
	return len(q.signins)+len(q.probe)+len(q.exchange)+len(q.reg)+len(q.missing) > 0 || !q.connect.IsZero() || q.cert+q.hybrid+q.policy+q.evidence != ""
}

const usage = `Report asks which sign-ins still use legacy authentication, which TLS versions
servers negotiate, what Exchange offers, whether Entra Connect is still good
and whether the auth certificate is. Without arguments it reports on a built-in
demonstration, Contoso.

Usage: report [flags]

`

func parse(args []string, now time.Time, stderr io.Writer) (*questions, error) {
	q := &questions{at: now}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	each := func(name, what string, into *[]string, check func(string) error) {
		flags.Func(name, what, func(s string) error {
			if name == "probe" {
				s = hostport.Complete(s, "")
			}
			*into = append(*into, s)
			return check(s)
		})
	}
	each("signins", "read sign-in logs from `FILE`, or from all files of a folder; repeatable", &q.signins, notEmpty)
	each("probe", "ask `HOST[:PORT]` which TLS versions it negotiates; repeatable", &q.probe, func(s string) error {
		host, port, err := net.SplitHostPort(s)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return errors.New("is no host such as mail.contoso.com or mail.contoso.com:443")
		}
		return nil
	})
	each("exchange", "ask the `URL` of a virtual directory which authentication it offers; repeatable", &q.exchange, func(string) error {
		return nil // checked below: what flag says of a bad value repeats it, and there may be a password in it
	})
	flags.Func("connect", "judge this `VERSION` of Entra Connect Sync, such as 2.5.79.0", func(s string) (err error) {
		q.connect, err = connectversion.Parse(s)
		if err == nil && q.connect.IsZero() {
			err = errors.New("is no version of anything")
		}
		return err
	})
	flags.Func("cert", "judge the auth certificate in `FILE` (DER, PEM or what else exports make)", func(s string) error {
		q.cert = s
		return notEmpty(s)
	})
	folder := ""
	for _, f := range []struct {
		name, what string
		into       *string
	}{
		{"folder", "report on all that examples/collect saved in `FOLDER`", &folder},
		{"hybrid", "check the hybrid configuration captured in `FOLDER`", &q.hybrid},
		{"policy", "ask the policies exported to `FOLDER` about those who used legacy authentication", &q.policy},
	} {
		flags.Func(f.name, f.what, func(s string) error {
			*f.into = s
			return notEmpty(s)
		})
	}
	each("reg", "say whether the Windows client of this registry export, `FILE`, could meet the servers of -probe; repeatable", &q.reg, notEmpty)
	flags.Func("at", "judge for the day `YYYY-MM-DD` (default today)", func(s string) (err error) {
		if q.at, err = time.Parse(time.DateOnly, s); err != nil {
			err = errors.New("is no day such as 2026-11-22")
		}
		return err
	})
	flags.DurationVar(&q.timeout, "timeout", 0, "how long one server may take to answer one question (default that of each package)")
	flags.BoolVar(&q.json, "json", false, "print JSON")
	flags.BoolVar(&q.everything, "all", false, "list what passed as well")
	flags.StringVar(&q.before, "before", "", "say what is new and what is fixed since the report in `REPORT.json`")
	for _, o := range outputs {
		flags.Func(o.flag, o.what, func(s string) error {
			q.files = append(q.files, outputFile{s, o.write})
			return notEmpty(s)
		})
	}
	q.failOn = failon.Flag(flags)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stderr, usage)
		flags.SetOutput(stderr)
		flags.PrintDefaults()
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err == nil && q.timeout < 0 {
		err = errors.New("-timeout takes a time such as 5s")
	}
	if err == nil && len(q.reg) > 0 && len(q.probe) == 0 {
		err = errors.New("-reg goes with -probe")
	}
	if err == nil && folder != "" {
		if bad := q.takeFolder(folder); bad != nil {
			return q, &folderError{bad}
		}
	}
	for _, target := range q.exchange {
		if err == nil && !isPlainURL(target) {
			err = errors.New("the value of -exchange must be an http or https URL without user name and password")
		}
	}
	return q, err
}

// A folderError is an error of what -folder names, and none of the usage.
type folderError struct{ error }

func notEmpty(s string) error {
	if s == "" {
		return errors.New("is empty")
	}
	return nil
}

func isPlainURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http")
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, colour bool, width int) int {
	q, err := parse(args, time.Now(), stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitRan
	case errors.As(err, new(*folderError)):
		fmt.Fprintf(stderr, "report: %s\n", oneLine(err))
		return exitCouldNot
	case err != nil:
		fmt.Fprintf(stderr, "report: %s; -help tells more\n", oneLine(err))
		return exitUsage
	}
	ask := &asker{at: q.at}
	title := "Report"
	if !q.any() {
		estate := startEstate()
		defer estate.close()
		ask = estate.asker(q.at)
		estate.fill(q)
		title = "Demonstration: Contoso, an invented organization"
	}
	ask.timeout = q.timeout
	var bar *progressbar.ProgressBar
	if f, ok := stderr.(*os.File); ok && len(q.signins) > 0 && term.IsTerminal(int(f.Fd())) {
		bar = progressbar.NewOptions64(inputs.Size(q.signins), progressbar.OptionSetWriter(terminal.After(time.Now().Add(time.Second), f)), progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("reading"))
		ask.progress = readingBar(bar.Set64)
	}
	report, err := ask.all(ctx, q)
	if bar != nil {
		bar.Finish()
	}
	if report != nil {
		report.at = q.at
		if q.before != "" {
			err = errors.Join(err, report.compare(q.before))
		}
		// What is known is told even if it was interrupted.
		if q.json {
			err = errors.Join(err, report.writeJSON(stdout))
		} else {
			err = errors.Join(err, report.writeText(stdout, title, textForm{colour: colour, width: width, all: q.everything}))
		}
		for _, file := range q.files {
			err = errors.Join(err, report.writeFile(file, title))
		}
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "report: %s\n", oneLine(err))
		return exitCouldNot
	}
	q.failOn.See(report.Findings...)
	return q.failOn.Code(exitRan)
}

// readingBar returns what sets a bar to the bytes of all that is read one after
// the other.
func readingBar(set func(int64) error) func(read int64) {
	var before, last int64
	return func(read int64) {
		if read < last { // the next file or folder
			before += last
		}
		last = read
		_ = set(before + read) // a terminal that is gone matters to nobody
	}
}

// writeFile writes one form of the report to its file.
func (r *report) writeFile(file outputFile, title string) error {
	f, err := os.Create(file.name)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	err = errors.Join(file.write(r, out, title), out.Flush())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", file.name, err)
	}
	return nil
}

// oneLine returns the text of err without line breaks, harmless to a terminal.
func oneLine(err error) string {
	return terminal.Line(strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}
