// Impact tells who stops when Basic authentication goes.
//
//	go run ./examples/impact [flags] [FILE…]
//
// It reads user agents, one a line, or the JSON of a sign-ins summary as
// examples/signins -json prints it, from files or from standard input, and
// prints which clients go on, go over to tokens, have to be set up again or
// stop, with counts. It exits with 0 if it ran, 1 if it could not, and 2 for
// wrong usage.
package main

import (
	"bufio"
	"cmp"
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
	"text/tabwriter"
	"time"

	"github.com/crossprem/crossprem/authinspect/clients"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/internal/wintext"
)

const (
	ran        = 0
	couldNot   = 1
	wrongUsage = 2

	maxLine    = 64 << 10  // bytes of one line
	maxSummary = 256 << 20 // bytes of one summary
	maxAgents  = 1_000_000 // different ones
)

// The scenarios with a year in their name were described for these days.
var daysOfScenarios = map[string]string{"exo-2026": clients.AsOf, "exo-policy-2020": "2020-04-22"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// Reading from a terminal does not end by itself.
	context.AfterFunc(ctx, func() { os.Exit(couldNot) })
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now()))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer, now time.Time) int {
	flags := flag.NewFlagSet("impact", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	hosting := clients.ExchangeOnline
	var day string
	asJSON := flags.Bool("json", false, "print one JSON object a line")
	flags.StringVar(&day, "at", "", "judge for the day `YYYY-MM-DD` (default today)")
	flags.Func("hosting", "where the mailbox is: "+hostings()+" (default exchange-online)", func(s string) error {
		if day == "" {
			day = daysOfScenarios[s]
		}
		return hosting.UnmarshalText([]byte(s))
	})
	var files []string
	var err error
	for err == nil { // flags may follow files
		if err = flags.Parse(args); err != nil || flags.NArg() == 0 {
			break
		}
		files, args = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	at := now
	if err == nil && day != "" {
		if at, err = time.Parse(time.DateOnly, day); err != nil {
			err = fmt.Errorf("-at %q is no day such as 2026-11-26", day)
		}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "Usage: impact [flags] [FILE…]\n\nFILE holds user agents, one a line, or a sign-ins summary as JSON; - is standard input.")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return ran
	case err != nil:
		fmt.Fprintf(stderr, "impact: %v; -help tells more\n", err)
		return wrongUsage
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	agents := &agents{count: make(map[string]int64)}
	for _, name := range files {
		if err := agents.readFile(name, stdin); err != nil {
			fmt.Fprintf(stderr, "impact: %s: %s\n", name, terminal.Line(err.Error()))
			return couldNot
		}
	}
	if *asJSON {
		err = agents.writeJSON(stdout, hosting, at)
	} else {
		err = agents.writeTable(stdout, hosting, at)
	}
	if err != nil {
		fmt.Fprintf(stderr, "impact: %s\n", terminal.Line(err.Error()))
		return couldNot
	}
	return ran
}

func hostings() string {
	var names []string
	for _, h := range clients.Hostings() {
		names = append(names, h.String())
	}
	return strings.Join(names, ", ")
}

// agents counts user agents, in the order in which they were first seen.
type agents struct {
	order []string
	count map[string]int64
}

func (a *agents) add(agent string, n int64) error {
	if _, seen := a.count[agent]; !seen {
		if len(a.order) == maxAgents {
			return fmt.Errorf("more than %d different user agents", maxAgents)
		}
		a.order = append(a.order, agent)
	}
	a.count[agent] += n
	return nil
}

func (a *agents) readFile(name string, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				return path.Err // the name is in front already
			}
			return err
		}
		defer f.Close()
		in = f
	}
	r := bufio.NewReaderSize(wintext.NewReader(in), maxLine)
	start, _ := r.Peek(maxLine)
	if strings.HasPrefix(strings.TrimLeft(string(start), " \t\r\n"), "{") {
		return a.readSummary(r)
	}
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("line %d is longer than %d bytes", n, maxLine)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if agent := strings.TrimSpace(string(line)); agent != "" {
			if err := a.add(agent, 1); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readSummary reads the clients of a sign-ins summary: families of user agents
// with the number of their sign-ins.
func (a *agents) readSummary(r io.Reader) error {
	var summary struct {
		Clients *[]struct {
			Name    string
			Records int64
		}
	}
	if err := json.NewDecoder(io.LimitReader(r, maxSummary)).Decode(&summary); err != nil {
		return fmt.Errorf("not the JSON of a sign-ins summary: %w", err)
	}
	if summary.Clients == nil {
		return errors.New("a JSON object without the member clients is no sign-ins summary")
	}
	for _, c := range *summary.Clients {
		if err := a.add(c.Name, c.Records); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON prints one object for each user agent, in the order in which they
// came.
func (a *agents) writeJSON(w io.Writer, hosting clients.Hosting, at time.Time) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, agent := range a.order {
		e := clients.Impact([]clients.Client{clients.RecognizeUserAgent(agent)}, hosting, at)[0]
		if err := enc.Encode(struct {
			UserAgent  string             `json:"userAgent"`
			Client     string             `json:"client"`
			Capability clients.Capability `json:"capability"`
			Outcome    clients.Outcome    `json:"outcome"`
			Version    string             `json:"version,omitempty"`
			Rows       []string           `json:"rows,omitempty"`
			Why        string             `json:"why"`
			Remedy     string             `json:"remedy,omitempty"`
			Sources    []string           `json:"sources,omitempty"`
			Evidence   string             `json:"evidence,omitempty"`
			Count      int64              `json:"count"`
		}{agent, e.Client.ID, e.Client.Capability, e.Outcome, e.Client.Version, e.Rows, e.Why, e.Remedy, e.Sources, e.Evidence, a.count[agent]}); err != nil {
			return err
		}
	}
	return out.Flush()
}

// writeTable prints the clients by what becomes of them, the worst first.
func (a *agents) writeTable(w io.Writer, hosting clients.Hosting, at time.Time) error {
	type line struct {
		effect clients.Effect
		count  int64
	}
	lines := make(map[string]*line)
	var list []*line
	for _, agent := range a.order {
		e := clients.Impact([]clients.Client{clients.RecognizeUserAgent(agent)}, hosting, at)[0]
		key := e.Client.ID + " " + e.Outcome.String() + " " + strings.Join(e.Rows, " ")
		if lines[key] == nil {
			lines[key] = &line{effect: e}
			list = append(list, lines[key])
		}
		lines[key].count += a.count[agent]
	}
	worst := []clients.Outcome{clients.Stops, clients.Prompts, clients.OutcomeUnknown, clients.Reconfigure, clients.FallsBackBasic, clients.Continues, clients.ContinuesModern, clients.NotApplicable}
	slices.SortStableFunc(list, func(a, b *line) int {
		return cmp.Or(cmp.Compare(slices.Index(worst, a.effect.Outcome), slices.Index(worst, b.effect.Outcome)), cmp.Compare(b.count, a.count), cmp.Compare(a.effect.Client.ID, b.effect.Client.ID))
	})
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "Mailboxes at %v, judged for %s. A user agent is what a client claims.\n\n", hosting, at.Format(time.DateOnly))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	totals := make(map[clients.Outcome]int64)
	for _, l := range list {
		totals[l.effect.Outcome] += l.count
		fmt.Fprintf(table, "%d\t%s\t%v\t%s\n", l.count, l.effect.Client.ID, l.effect.Outcome, terminal.Line(l.effect.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, o := range worst {
		if totals[o] > 0 {
			fmt.Fprintf(out, "%v: %d\n", o, totals[o])
		}
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "No user agent was given.")
	}
	return out.Flush()
}
