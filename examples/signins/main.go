// Signins tells who signs in the old way, who is merely attacked, and what
// breaks when, from sign-in logs in whatever form they left Entra ID.
//
//	go run ./examples/signins [flags] FILE|FOLDER…
//	go run ./examples/signins -workspace ID|-kusto URL/DATABASE|-clickhouse DSN [flags]
//	go run ./examples/signins -print-query kql|clickhouse
//	go run ./examples/signins -usage FILE
//
// With no file, or "-", it reads standard input. Folders are walked. Where the
// log lies in Log Analytics, Data Explorer or ClickHouse, it is summarised there.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/failon"
	"github.com/crossprem/crossprem/examples/internal/inputs"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/signins"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// Reading from a terminal does not end by itself.
	context.AfterFunc(ctx, func() {
		time.Sleep(time.Second) // for what is known by then
		os.Exit(1)
	})
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	ran        = 0
	couldNot   = 1
	wrongUsage = 2
)

type settings struct {
	signins.Summarizer
	signins.Assessor
	at         time.Time
	json       bool
	csv        string // a file for the users, "-" for standard output, or ""
	failOn     *failon.Limit
	mergeable  bool
	tables     *signins.Tables // nil for the built-in ones
	engine     engine
	usage      string // a report of an admin centre, or ""
	files      []string
	unread     []error // files of which nothing could be read
	in         io.Reader
	out, notes io.Writer
}

func run(ctx context.Context, args []string, in io.Reader, out, notes io.Writer) int {
	o := settings{in: in, out: out, notes: notes, at: time.Now()}
	flags := flag.NewFlagSet("signins", flag.ContinueOnError)
	flags.SetOutput(notes)
	flags.TextVar(&o.Definition, "definition", signins.Documented, "what counts as legacy: documented, or workbook")
	flags.Func("since", "only sign-ins from this `day` on (YYYY-MM-DD, UTC)", dayVar(&o.Since))
	flags.Func("until", "only sign-ins before this `day` (YYYY-MM-DD, UTC)", dayVar(&o.Until))
	flags.Func("at", "the `day` to judge for (YYYY-MM-DD; default today)", dayVar(&o.at))
	flags.Func("countries", "the countries where people work, such as `NL,DE`", func(s string) error {
		o.Countries = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	})
	for _, n := range []struct {
		to          *int
		name, usage string
	}{
		{&o.Spray.Accounts, "spray-accounts", "a password spray takes guesses at so many `accounts` from one place (default 5)"},
		{&o.Spray.Attempts, "attempts", "a brute force attack takes so many `guesses` within ten minutes (default 8)"},
		{&o.Spray.DistributedAccounts, "distributed-accounts", "a distributed spray takes guesses at so many `accounts` (default 8)"},
		{&o.Spray.DistributedAddresses, "distributed-places", "and from so many `places` (default 5)"},
		{&o.Spray.MaxEvidence, "max-evidence", "how many `rows` of evidence are kept in memory (default 1048576)"},
	} {
		flags.IntVar(n.to, n.name, 0, n.usage)
	}
	flags.Func("tables", "a `folder` with client-apps.json, error-codes.json or retirements.json to use in place of, or beside, the built-in ones", func(s string) (err error) {
		o.tables, err = signins.LoadTables(os.DirFS(s))
		o.Summarizer.Tables, o.Assessor.Tables = o.tables, o.tables
		return err
	})
	flags.DurationVar(&o.Spray.After, "fall-within", 0, "how long after the last guess an account can fall to the attack (default 24h)")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.StringVar(&o.csv, "csv", "", "write the users as CSV to `FILE`; - prints them in place of the summary")
	o.failOn = failon.Flag(flags)
	o.engine.flags(flags)
	flags.StringVar(&o.usage, "usage", "", "print the report on EWS usage or SMTP AUTH clients in `FILE`, a CSV export of an admin centre, in place of a log")
	flags.BoolVar(&o.mergeable, "mergeable", false, "with -json: keep the evidence that finds attacks when summaries are merged")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return ran
	} else if err != nil {
		return wrongUsage
	}
	if o.json && o.csv == "-" {
		fmt.Fprintln(notes, "signins: -json and -csv - exclude each other")
		return wrongUsage
	}
	if !o.Until.IsZero() && !o.Since.Before(o.Until) {
		fmt.Fprintln(notes, "signins: -until has to be after -since")
		return wrongUsage
	}
	if err := o.engine.check(flags.NArg()); err != nil {
		fmt.Fprintln(notes, "signins:", err)
		return wrongUsage
	}
	if o.usage != "" {
		if flags.NArg() > 0 || o.engine.chosen() {
			fmt.Fprintln(notes, "signins: with -usage, no log is read")
			return wrongUsage
		}
		if err := o.printUsage(); err != nil {
			fmt.Fprintln(notes, "signins:", strings.TrimPrefix(err.Error(), "signins: "))
			return couldNot
		}
		return ran
	}
	if o.engine.printQuery != "" {
		if err := o.printQueries(); err != nil {
			fmt.Fprintln(notes, "signins:", err)
			return couldNot
		}
		return ran
	}
	if o.files = flags.Args(); len(o.files) == 0 {
		o.files = []string{"-"}
	}
	if err := o.report(ctx); err != nil {
		fmt.Fprintln(notes, "signins:", strings.TrimPrefix(err.Error(), "signins: "))
		return couldNot
	}
	return o.failOn.Code(ran)
}

func dayVar(t *time.Time) func(string) error {
	return func(s string) (err error) {
		*t, err = time.Parse(time.DateOnly, s)
		return err
	}
}

// summary returns the summary of the files, or of the engine's log.
func (o *settings) summary(ctx context.Context) (*signins.Summary, error) {
	if o.engine.chosen() {
		return o.ask(ctx)
	}
	for _, name := range o.files { // of a missing one better before than after the others
		if _, err := os.Stat(name); err != nil && name != "-" {
			return nil, err
		}
	}
	return o.Summarize(signins.Dedupe(o.read(ctx), 0))
}

func (o *settings) report(ctx context.Context) error {
	s, err := o.summary(ctx)
	if err != nil {
		return err
	}
	if len(s.Errors) > 0 && s.Records+s.OutsidePeriod+s.SkippedOtherCategory == 0 {
		return errors.New(s.Errors[0])
	}
	if o.csv != "" && o.csv != "-" {
		if err := o.saveUsers(s); err != nil {
			return err
		}
	}
	o.failOn.See(o.Assess(s, o.at)...)
	switch {
	case o.json:
		err = o.printJSON(s)
	case o.csv == "-":
		err = o.printUsers(o.out, s)
	default:
		err = o.printTable(s)
	}
	if err != nil {
		return err
	}
	for _, err := range o.unread {
		fmt.Fprintln(o.notes, "signins:", terminal.Line(err.Error()))
	}
	if len(o.unread) > 0 {
		return fmt.Errorf("files of which nothing could be read: %d; what they hold is not in the summary", len(o.unread))
	}
	return nil
}

// A tally counts what became of the records of one file.
type tally struct {
	records, errors int64
	first           error // the first of the errors
}

// unreadable returns an error that names the file if nothing of it could be
// read: it may hold sign-ins that the summary lacks.
func (t *tally) unreadable(name string) error {
	if t.errors == 0 || t.errors < t.records {
		return nil
	}
	return fmt.Errorf("%s: not read: %w", name, t.first)
}

// A folderTally is a tally for each file of a folder: a sign-in does not say
// which file it is from, but the reader's progress does.
type folderTally struct {
	name      string           // of the folder
	now, done signins.Progress // at last, and when the file before it ended
	first     map[string]error // the first error of each file that has one
	unread    []error
}

func (t *folderTally) add(p signins.Progress) {
	if p.File != t.now.File {
		t.end()
	}
	t.now = p
}

func (t *folderTally) fail(e *signins.RecordError) {
	if t.first == nil {
		t.first = make(map[string]error)
	}
	if t.first[e.File] == nil {
		t.first[e.File] = e.Err
	}
}

// end takes what the file that was read came to.
func (t *folderTally) end() {
	file := tally{t.now.Records - t.done.Records, t.now.Errors - t.done.Errors, t.first[t.now.File]}
	if err := file.unreadable(filepath.Join(t.name, t.now.File)); err != nil && t.now.File != "" {
		t.unread = append(t.unread, err)
	}
	delete(t.first, t.now.File)
	t.done = t.now
}

// read reads what the command line names, one after the other.
func (o *settings) read(ctx context.Context) iter.Seq2[signins.SignIn, error] {
	return func(yield func(signins.SignIn, error) bool) {
		reader := signins.Reader{Tables: o.tables}
		var before, now int64 // bytes of the files before this one, and of this one
		progress := func(signins.Progress) {}
		if f, ok := o.notes.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			bar := progressbar.NewOptions64(inputs.Size(o.files), progressbar.OptionSetWriter(terminal.After(time.Now().Add(time.Second), f)), progressbar.OptionShowBytes(true),
				progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("reading"))
			defer bar.Finish()
			progress = func(p signins.Progress) {
				now = p.Bytes
				bar.Set64(before + now)
			}
		}
		for names := range o.groups() {
			var file tally // of what is no regular file
			several := folderTally{name: names.folder}
			reader.Progress = func(p signins.Progress) {
				progress(p)
				several.add(p)
			}
			seq, closer, err := o.open(ctx, &reader, names)
			if err != nil {
				yield(signins.SignIn{}, err)
				return
			}
			for s, err := range seq {
				if ctx.Err() != nil {
					yield(signins.SignIn{}, ctx.Err())
					return
				}
				if file.records++; file.records%(1<<17) == 0 {
					thrifty()
				}
				if e := (*signins.RecordError)(nil); errors.As(err, &e) {
					if names.files != nil && e.Rest {
						yield(s, fmt.Errorf("%s: at byte %d: %w", e.File, e.Offset, e.Err))
						return
					}
					if !errors.Is(err, signins.ErrOtherCategory) {
						file.errors++
						if file.first == nil {
							file.first = e.Err
						}
						several.fail(e)
					}
					e.File = filepath.Join(names.folder, names.alone, e.File)
				} else if err != nil {
					err = fmt.Errorf("%s: %s", names, strings.TrimPrefix(err.Error(), "signins: "))
				}
				if !yield(s, err) {
					return
				}
			}
			closer.Close()
			if several.end(); several.now.File != "" {
				o.unread = append(o.unread, several.unread...)
			} else if err := file.unreadable(names.alone); err != nil {
				o.unread = append(o.unread, err)
			}
			before, now = before+now, 0
		}
	}
}

// thrifty lets garbage be no more than a quarter of a large summary. Nearly all
// of one holds no pointers, so that collecting costs little.
func thrifty() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(sample); sample[0].Value.Uint64() > 128<<20 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

// A group is what of the command line is read at a time: a folder, files that
// several goroutines read together, or one thing that is neither.
type group struct {
	folder string
	files  []string
	alone  string // standard input as "-", a pipe or a device
}

func (g group) String() string { return strings.Join(append(g.files, g.folder+g.alone), ", ") }

// groups returns what the command line names, files that stand together as
// one.
func (o *settings) groups() iter.Seq[group] {
	return func(yield func(group) bool) {
		var files []string
		for _, name := range o.files {
			info, err := os.Stat(name)
			if name != "-" && (err != nil || info.Mode().IsRegular()) {
				files = append(files, name)
				continue
			}
			if files != nil && !yield(group{files: files}) {
				return
			}
			files = nil
			g := group{alone: name}
			if name != "-" && info.IsDir() {
				g = group{folder: name}
			}
			if !yield(g) {
				return
			}
		}
		if files != nil {
			yield(group{files: files})
		}
	}
}

// disk is the whole file system, by the names that the command line has.
type disk struct{}

func (disk) Open(name string) (fs.File, error) { return os.Open(name) }

func (o *settings) open(ctx context.Context, reader *signins.Reader, g group) (iter.Seq2[signins.SignIn, error], io.Closer, error) {
	none := io.NopCloser(nil)
	switch {
	case g.files != nil:
		return reader.ReadFiles(ctx, disk{}, g.files...), none, nil
	case g.folder != "":
		return reader.ReadFiles(ctx, os.DirFS(g.folder)), none, nil
	case g.alone == "-":
		return reader.Read(o.in), none, nil
	}
	f, err := os.Open(g.alone)
	if err != nil {
		return nil, nil, err
	}
	return reader.Read(f), f, nil
}

// printJSON prints the summary as it marshals itself, with what depends on
// the day of asking.
func (o *settings) printJSON(s *signins.Summary) error {
	findings := o.Assess(s, o.at)
	if !o.mergeable {
		s.Seal()
	}
	out := bufio.NewWriterSize(o.out, 64<<10)
	w := &indenter{w: out}
	fmt.Fprintf(w, "{%q:%q,%q:", "asOf", o.at.Format(time.DateOnly), "retirements")
	if err := printRetirements(w, o.tables.Retirements(s, o.at)); err != nil {
		return err
	}
	text, err := json.Marshal(findings)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, ",%q:%s,", "findings", text)
	if _, err := s.WriteTo(&behind{w: w, skip: 1}); err != nil { // without its brace
		return err
	}
	out.WriteByte('\n')
	return out.Flush()
}

// printRetirements prints JSON one name after the other: there may be a million
// of them in each.
func printRetirements(w io.Writer, all []signins.Retirement) error {
	io.WriteString(w, "[")
	for i, r := range all {
		users, since := r.Users, r.SucceededSince
		r.Users, r.SucceededSince = []string{}, nil
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if i > 0 {
			io.WriteString(w, ",")
		}
		head, tail, _ := bytes.Cut(text, []byte(`"users":[]`)) // in no text, for there its quotes are escaped
		w.Write(head)
		printNames(w, `"users":`, users)
		if len(since) > 0 {
			printNames(w, `,"succeededSince":`, since)
		}
		w.Write(tail)
	}
	_, err := io.WriteString(w, "]")
	return err
}

func printNames(w io.Writer, member string, names []string) {
	io.WriteString(w, member+"[")
	for i, name := range names {
		if i > 0 {
			io.WriteString(w, ",")
		}
		text, _ := json.Marshal(name) // of a string, which never fails
		w.Write(text)
	}
	io.WriteString(w, "]")
}

// behind leaves out the first bytes.
type behind struct {
	w    io.Writer
	skip int
}

func (b *behind) Write(text []byte) (int, error) {
	n := min(b.skip, len(text))
	b.skip -= n
	written, err := b.w.Write(text[n:])
	return n + written, err
}

// An indenter writes JSON with two blanks for each level, as it comes.
type indenter struct {
	w        *bufio.Writer
	depth    int
	inString bool
	escaped  bool
	opened   bool // by the last byte
}

func (d *indenter) Write(text []byte) (int, error) {
	for _, c := range text {
		switch {
		case d.inString:
			d.inString, d.escaped = d.escaped || c != '"', !d.escaped && c == '\\'
			d.w.WriteByte(c)
			continue
		case c == ' ' || c == '\n':
			continue
		case c == '}' || c == ']':
			d.depth--
			if !d.opened {
				d.line()
			}
			d.opened = false
			d.w.WriteByte(c)
			continue
		}
		if d.opened {
			d.line()
		}
		d.opened, d.inString = c == '{' || c == '[', c == '"'
		d.w.WriteByte(c)
		switch {
		case d.opened:
			d.depth++
		case c == ',':
			d.line()
		case c == ':':
			d.w.WriteByte(' ')
		}
	}
	_, err := d.w.Write(nil) // what failed before
	return len(text), err
}

func (d *indenter) line() {
	d.w.WriteByte('\n')
	for range d.depth {
		d.w.WriteString("  ")
	}
}

// saveUsers writes what printUsers prints to the file of -csv.
func (o *settings) saveUsers(s *signins.Summary) error {
	f, err := os.Create(o.csv)
	if err != nil {
		return err
	}
	if err = errors.Join(o.printUsers(f, s), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", o.csv, err)
	}
	return nil
}

// printUsers prints a line for each user with a legacy sign-in.
func (o *settings) printUsers(out io.Writer, s *signins.Summary) error {
	w := csv.NewWriter(out)
	w.Write([]string{"user", "records", "successes", "protocols", "countries", "clients", "first", "last", "lastSuccess"})
	for name, u := range s.AllLegacyUsers() {
		w.Write([]string{inert(name), strconv.FormatInt(u.Records, 10), strconv.FormatInt(u.Successes, 10), protocols(u, " "),
			inert(names(u.Countries)), inert(names(u.Clients)), stamp(u.First), stamp(u.Last), stamp(u.LastSuccess)})
	}
	w.Flush()
	return w.Error()
}

func protocols(u *signins.User, separator string) string {
	var all []string
	for _, p := range u.Protocols {
		all = append(all, p.Protocol.String())
	}
	return strings.Join(all, separator)
}

// inert keeps a spreadsheet from taking what a stranger typed for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func names(list []signins.Tally) string {
	var all []string
	for _, t := range list {
		all = append(all, t.Name)
	}
	return strings.Join(all, " ")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// maxUsers bounds the users that each part of the table shows.
const maxUsers = 500

// maxApplications bounds the applications that the table shows for a protocol.
const maxApplications = 10

// maxAttacks bounds the attacks that the table shows.
const maxAttacks = 200

// printTable prints what a person wants to know first.
func (o *settings) printTable(s *signins.Summary) error {
	w := &strings.Builder{}
	fmt.Fprintf(w, "%d sign-ins", s.Records)
	if !s.First.IsZero() {
		fmt.Fprintf(w, " from %s to %s UTC", s.First.Format(time.DateTime), s.Last.Format(time.DateTime))
	}
	fmt.Fprintf(w, "\n%d legacy, %d modern, %d of applications, %d unknown", s.ByClass[signins.Legacy], s.ByClass[signins.Modern],
		s.ByClass[signins.NotApplicable], s.ByClass[signins.UnknownClass])
	for _, more := range []struct {
		n    int64
		what string
	}{{s.Duplicates, "copies dropped"}, {s.Malformed, "records unreadable"}, {s.SkippedOtherCategory, "records of other logs"}, {s.OutsidePeriod, "outside the period"}} {
		if more.n > 0 {
			fmt.Fprintf(w, "; %d %s", more.n, more.what)
		}
	}
	fmt.Fprintln(w)

	const use, untold, attacked = "USE LEGACY AUTHENTICATION", "TRIED, AND HOW IT ENDED IS UNKNOWN", "ONLY ATTACKED OR STOPPED"
	parts := make(map[string][]signins.NamedUser)
	more := make(map[string]int)
	for name, u := range s.AllLegacyUsers() {
		part := attacked
		switch {
		case u.Successes > 0:
			part = use
		case slices.ContainsFunc(u.Outcomes, func(o signins.OutcomeUse) bool { return o.Outcome == signins.UnknownOutcome }):
			part = untold
		}
		if len(parts[part]) == maxUsers {
			more[part]++
			continue
		}
		parts[part] = append(parts[part], signins.NamedUser{Name: name, User: *u})
	}
	for _, part := range []string{use, untold, attacked} {
		if len(parts[part]) > 0 {
			fmt.Fprintf(w, "\n%-36s %8s %8s  %s\n", part, "tried", "got in", "with")
		}
		for _, u := range parts[part] {
			fmt.Fprintf(w, "%-36s %8d %8d  %s\n", terminal.Line(u.Name), u.Records, u.Successes, protocols(&u.User, ", "))
		}
		if more[part] > 0 {
			fmt.Fprintf(w, "and %d more, which -csv lists\n", more[part])
		}
	}
	printAttacks(w, &s.Judgement)
	for i, protocol := range slices.Sorted(maps.Keys(s.ApplicationsByProtocol)) {
		if i == 0 {
			fmt.Fprintf(w, "\n%-36s %8s %8s  %s\n", "APPLICATIONS AND CLIENTS", "tried", "got in", "with")
		}
		list := slices.Clone(s.ApplicationsByProtocol[protocol])
		slices.SortStableFunc(list, func(a, b signins.Tally) int {
			return cmp.Or(cmp.Compare(b.Successes, a.Successes), cmp.Compare(b.Records, a.Records))
		})
		for k, t := range list {
			if k == maxApplications {
				fmt.Fprintf(w, "and %d more with %s\n", len(list)-k, protocol)
				break
			}
			fmt.Fprintf(w, "%-36s %8d %8d  %s\n", terminal.Line(t.Name), t.Records, t.Successes, protocol)
		}
	}
	fmt.Fprintln(w)
	for _, f := range o.Assess(s, o.at) {
		if f.Status == crossprem.Passed {
			continue
		}
		fmt.Fprintf(w, "%-8s %s: %s\n         %s\n", strings.ToUpper(word(f)), terminal.Line(f.Subject), f.Title, terminal.Line(f.Detail))
		if !f.Due.IsZero() {
			fmt.Fprintf(w, "         Due: %s\n", f.Due.Format(time.DateOnly))
		}
	}
	_, err := io.WriteString(o.out, w.String())
	return err
}

// printAttacks prints the attacks with their evidence, and what is none.
func printAttacks(w io.Writer, j *signins.Judgement) {
	if len(j.Attacks) > 0 {
		fmt.Fprintf(w, "\n%-20s %-22s %-10s %8s %8s  %s\n", "ATTACK", "from", "confidence", "accounts", "guesses", "what decided")
	}
	for i, a := range j.Attacks {
		if i == maxAttacks {
			fmt.Fprintf(w, "and %d more, which -json lists\n", len(j.Attacks)-i)
			break
		}
		from := a.IP
		if from == "" {
			from = fmt.Sprintf("%d addresses", a.Addresses)
		}
		var signs []string
		for _, sign := range a.Evidence.Decided {
			signs = append(signs, sign.String())
		}
		fmt.Fprintf(w, "%-20s %-22s %-10s %8d %8d  %s\n", a.Kind, terminal.Line(from), a.Confidence, a.DistinctAccounts, a.Attempts, strings.Join(signs, ", "))
	}
	for _, n := range []struct {
		title string
		notes signins.Notes
	}{{"NO ATTACK: A STALE PASSWORD", j.StaleDevices}, {"NO ATTACK: TRIED BY HAND", j.Forgot}, {"PERHAPS THE OWNER, AT AN ATTACK'S PLACE", j.Possible}} {
		if n.notes.Count > 0 {
			fmt.Fprintf(w, "\n%-40s %8s  from\n", n.title, "times")
		}
		for _, note := range n.notes.List {
			fmt.Fprintf(w, "%-40s %8d  %s\n", terminal.Line(note.Account), note.Attempts, terminal.Line(note.IP))
		}
		if more := n.notes.Count - len(n.notes.List); more > 0 {
			fmt.Fprintf(w, "and %d more\n", more)
		}
	}
}

func word(f crossprem.Finding) string {
	if f.Status == crossprem.Unknown {
		return "unknown"
	}
	return f.Severity.String()
}
