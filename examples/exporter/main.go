// Exporter tells Prometheus how many days are left of each dated thing, what
// was found by rule, and which TLS versions servers negotiate.
//
//	go run ./examples/exporter [-listen ADDRESS] [-probe HOST[:PORT]]… [-cert FILE]… [-connect VERSION]
//
// It judges anew at most every -every, when somebody asks for /metrics.
// Without anything to judge it tells of nothing but itself. It exits with 0
// when it was ended with Ctrl-C, 1 if it could not listen, 2 for wrong usage.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/examples/internal/hostport"
	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/tlsprobe"
)

const (
	ran        = 0
	couldNot   = 1
	wrongUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// An exporter judges what it was told to.
type exporter struct {
	probe, certs []string
	connect      connectversion.Version
	every        time.Duration
	now          func() time.Time
	prober       tlsprobe.Prober

	lock sync.Mutex
	at   time.Time // when text was made
	text string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	e := &exporter{now: time.Now}
	flags := flag.NewFlagSet("exporter", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:9810", "the `ADDRESS` to listen on")
	flags.DurationVar(&e.every, "every", 10*time.Minute, "judge anew after this `time`")
	flags.Func("probe", "ask `HOST[:PORT]` which TLS versions it negotiates; repeatable", func(s string) error {
		s = hostport.Complete(s, "")
		_, _, err := net.SplitHostPort(s)
		e.probe = append(e.probe, s)
		return err
	})
	flags.Func("cert", "judge the auth certificate in `FILE`; repeatable", func(s string) error { e.certs = append(e.certs, s); return nil })
	flags.Func("connect", "judge this `VERSION` of Entra Connect Sync", func(s string) (err error) {
		e.connect, err = connectversion.Parse(s)
		return err
	})
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "Usage: exporter [flags]")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return ran
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "exporter: %v; -help tells more\n", err)
		return wrongUsage
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		fmt.Fprintf(stderr, "exporter: %v\n", err)
		return couldNot
	}
	fmt.Fprintf(stdout, "http://%s/metrics\n", listener.Addr())
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintf(stderr, "exporter: %v\n", err)
		return couldNot
	}
	return ran
}

// ServeHTTP answers /metrics in Prometheus's text format, version 0.0.4.
func (e *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics" {
		http.NotFound(w, r)
		return
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	if now := e.now(); e.text == "" || now.Sub(e.at) >= e.every || now.Before(e.at) {
		e.at, e.text = now, e.judge(r.Context(), now)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, e.text)
}

// judge asks and judges, and returns the metrics.
func (e *exporter) judge(ctx context.Context, at time.Time) string {
	var findings []crossprem.Finding
	var failures int
	var m metrics
	for _, target := range e.probe {
		r, err := e.prober.Probe(ctx, target)
		if err != nil {
			failures++
			continue
		}
		for _, v := range []tlsprobe.Version{tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13} {
			if s := r.Versions[v].Support; s != tlsprobe.Unknown { // a value that is not known has no sample
				m.add("crossprem_tls_version_accepted", float64(btoi(s == tlsprobe.Accepted)), "target", target, "version", v.String())
			}
		}
		findings = append(findings, tlsprobe.Assess(r, tlsprobe.RoleOf(target), at)...)
	}
	for _, name := range e.certs {
		c, err := oauthcert.ReadFile(name)
		if err != nil {
			failures++
			continue
		}
		m.add("crossprem_certificate_days_left", c.NotAfter().Sub(at).Hours()/24, "thumbprint", c.SHA1().String())
		findings = append(findings, oauthcert.Assess(c, at)...)
	}
	if !e.connect.IsZero() {
		a := connectversion.Assess(connectversion.ConnectSync, e.connect, at, connectversion.Facts{})
		if !a.SupportUntil.IsZero() {
			m.add("crossprem_connect_support_days_left", float64(a.DaysLeft(a.SupportUntil)), "version", e.connect.String())
		}
		findings = append(findings, a.Findings...)
	}
	type kind struct {
		rule             string
		status, severity string
	}
	counts := make(map[kind]int)
	for _, f := range findings {
		counts[kind{f.Rule, f.Status.String(), f.Severity.String()}]++
		if f.Status == crossprem.Failed && !f.Due.IsZero() {
			m.add("crossprem_finding_due_days", f.Due.Sub(at).Hours()/24, "rule", f.Rule, "subject", f.Subject, "part", f.Part)
		}
	}
	for k, n := range counts {
		m.add("crossprem_findings", float64(n), "rule", k.rule, "status", k.status, "severity", k.severity)
	}
	m.add("crossprem_judged_timestamp_seconds", float64(at.Unix()))
	m.add("crossprem_failures", float64(failures))
	return m.text()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// metrics are samples by name, in the making.
type metrics struct{ samples []sample }

type sample struct {
	name, labels string
	value        float64
}

// help says what each metric is; all are gauges.
var help = map[string]string{
	"crossprem_tls_version_accepted":      "Whether the server accepts the TLS version; there is no sample where that is not known.",
	"crossprem_certificate_days_left":     "Days until the auth certificate expires; negative afterwards.",
	"crossprem_connect_support_days_left": "Days until support of this Entra Connect ends; negative afterwards.",
	"crossprem_finding_due_days":          "Days until a failed finding begins to hurt; negative afterwards.",
	"crossprem_findings":                  "Findings by rule, status and severity.",
	"crossprem_judged_timestamp_seconds":  "When the findings were made.",
	"crossprem_failures":                  "Servers and files that could not be asked or read.",
}

// escapeLabel is what the text format wants of the values of labels.
var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (m *metrics) add(name string, value float64, labels ...string) {
	var b strings.Builder
	for i := 0; i < len(labels); i += 2 {
		if labels[i+1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `%s="%s"`, labels[i], escapeLabel.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")))
	}
	m.samples = append(m.samples, sample{name, b.String(), value})
}

func (m *metrics) text() string {
	slices.SortFunc(m.samples, func(a, b sample) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.labels, b.labels))
	})
	var b strings.Builder
	w := bufio.NewWriter(&b)
	for i, s := range m.samples {
		if i == 0 || m.samples[i-1].name != s.name {
			fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", s.name, help[s.name], s.name)
		} else if m.samples[i-1].labels == s.labels {
			continue // one sample for each set of labels
		}
		if s.labels != "" {
			s.labels = "{" + s.labels + "}"
		}
		fmt.Fprintf(w, "%s%s %g\n", s.name, s.labels, s.value)
	}
	_ = w.Flush() // into memory
	return b.String()
}
