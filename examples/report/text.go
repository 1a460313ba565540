package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
)

// The widths of a line: in a pipe, and between which a terminal's is taken.
const (
	pipeWidth = 100
	minWidth  = 60
	maxWidth  = 160
)

// A textForm is how the report looks as text.
type textForm struct {
	colour bool
	width  int
	all    bool // what passed is listed, and not only counted
}

// maxListed bounds what one table or list prints; -json has everything.
const maxListed = 6

// A page is text in the making.
type page struct {
	bytes.Buffer
	textForm
}

// The colours of a terminal (ECMA-48, Select Graphic Rendition).
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint wraps s, if colours are wanted.
func (p *page) paint(code, s string) string {
	if !p.colour || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// heading begins a section.
func (p *page) heading(name, rest string) {
	p.line("")
	p.line("%s  %s", p.paint(bold, strings.ToUpper(name)), terminal.Line(rest))
}

// wrapped prints text with an indentation. On its first line, first stands in
// place of the indentation, and is as wide.
func (p *page) wrapped(first, indent, text, colour string) {
	used := utf8.RuneCountInString(indent)
	line := ""
	flush := func() {
		p.line("%s%s", first, p.paint(colour, line))
		first, line = indent, ""
	}
	for word := range strings.FieldsSeq(terminal.Line(text)) {
		if line != "" && used+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		flush()
	}
}

// writeText prints the report for a person.
func (r *report) writeText(w io.Writer, title string, form textForm) error {
	p := &page{textForm: form}
	p.line("%s", p.paint(bold, title))
	judged := "judged for " + r.AsOf
	if r.Partial {
		judged += ", PARTIAL: it was interrupted"
	}
	p.line("%s", p.paint(faint, judged))

	for _, part := range slices.Sorted(maps.Keys(r.Missing)) {
		p.wrapped(p.paint(yellow, "NOT COLLECTED")+" ", "    ", part+": "+r.Missing[part], "")
	}
	r.writeTodo(p)
	r.writeChanges(p)
	r.writeFailed(p)
	if r.SignIns != nil {
		writeSignIns(p, r.SignIns)
	}
	if len(r.TLS) > 0 {
		r.writeTLS(p)
	}
	if len(r.Client) > 0 {
		r.writeClient(p)
	}
	if len(r.Endpoints) > 0 {
		r.writeEndpoints(p)
	}
	if r.Connect != nil {
		r.writeConnect(p)
	}
	if c := r.Certificate; c != nil {
		p.heading("auth certificate", c.Subject())
		p.line("   thumbprint  %s", c.SHA1())
		p.line("   valid       %s to %s", c.NotBefore().Format(time.DateOnly), c.NotAfter().Format(time.DateOnly))
	}
	if r.Hybrid != nil {
		r.writeHybrid(p)
	}
	if r.Policy != nil {
		r.writePolicy(p)
	}
	r.writeUnknown(p)
	r.writePassed(p)
	_, err := p.WriteTo(w)
	return err
}

// writeTodo prints what to do, the most urgent first.
func (r *report) writeTodo(p *page) {
	list := todoList(r.Findings, r.at)
	if len(list) == 0 {
		return
	}
	p.heading("to do", "")
	for i, t := range list {
		what := t.What
		if t.Until != "" {
			what += ", " + t.Until
		}
		color := [...]string{crossprem.Info: cyan, crossprem.Warning: yellow, crossprem.Critical: red}[min(t.Severity, crossprem.Critical)]
		p.wrapped(p.paint(color, fmt.Sprintf(" %d. ", i+1)), "    ", what+" ("+t.Whom+")", "")
	}
}

// writeChanges prints what is new and what is fixed since an earlier report.
func (r *report) writeChanges(p *page) {
	if r.changes == nil {
		return
	}
	c := r.changes
	p.heading("since "+r.since, fmt.Sprintf("%d new, %d fixed, %d changed, %d as before, %d not asked about this time", len(c.New), len(c.Fixed), len(c.Changed), len(c.Same), len(c.NotAsked)))
	for _, part := range []struct {
		name, color string
		list        []crossprem.Change
	}{{"new", red, c.New}, {"fixed", green, c.Fixed}, {"changed", yellow, c.Changed}, {"not asked", faint, c.NotAsked}} {
		for i, change := range part.list {
			if i == maxListed {
				p.line("   … and %d more", len(part.list)-i)
				break
			}
			f := change.After
			if f.Rule == "" || part.name == "not asked" {
				f = change.Before
			}
			p.wrapped(" "+p.paint(part.color, fmt.Sprintf("%-10s", part.name))+" ", "            ", f.Title+" ("+f.Subject+")", "")
		}
	}
}

// with returns the findings of one status, in their order.
func (r *report) with(status crossprem.Status) []crossprem.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f crossprem.Finding) bool { return f.Status != status })
}

// writeFailed prints what needs attention: one paragraph for each rule, with
// its subjects, the evidence of the first few of them, and the remedy.
func (r *report) writeFailed(p *page) {
	failed := r.with(crossprem.Failed)
	count := func(s crossprem.Severity) (n int) {
		for _, f := range failed {
			if f.Severity == s {
				n++
			}
		}
		return n
	}
	if len(failed) == 0 {
		p.heading("needs attention", "nothing among what was evaluated")
		return
	}
	p.heading("needs attention", fmt.Sprintf("%d critical, %s, %s",
		count(crossprem.Critical), plural(count(crossprem.Warning), "warning"), plural(count(crossprem.Info), "note")))
	labels := [...]struct{ text, colour string }{
		crossprem.Info: {"note    ", cyan}, crossprem.Warning: {"WARNING ", yellow}, crossprem.Critical: {"CRITICAL", red},
	}
	const indent = "             "
	for _, group := range alike(failed) {
		f := group[0]
		label := labels[min(f.Severity, crossprem.Critical)]
		first := p.paint(label.colour, " ● "+label.text) + "  "
		subjects := short(subjectsOf(group), 4)
		if f.Severity == crossprem.Info {
			text := f.Title + ": " + subjects
			if !p.all {
				text = shorten(text, p.width-len(indent)-2)
			}
			p.wrapped(first, indent, text, "")
			continue
		}
		p.wrapped(first, indent, f.Title, bold)
		// Whose evidence is told, and how much of it; -all and -json have the rest.
		shown, most := 1, p.width-len(indent)-2
		switch {
		case p.all:
			shown, most = len(group), math.MaxInt
		case f.Severity == crossprem.Critical:
			shown, most = 2, 4*(p.width-len(indent))
		}
		for _, g := range group[:min(len(group), shown)] {
			where := g.Subject
			if g.Part != "" {
				where += " (" + g.Part + ")"
			}
			if !g.Due.IsZero() {
				where += ", " + g.Due.Format(time.DateOnly)
			}
			p.wrapped(indent, indent, shorten(where+": "+g.Detail, most), "")
		}
		if more := len(group) - shown; more > 0 {
			p.wrapped(indent, indent, fmt.Sprintf("and %d more: ", more)+short(subjectsOf(group[shown:]), 4), faint)
		}
		if f.Remedy != "" {
			p.wrapped(indent+"→ ", indent+"  ", shorten(f.Remedy, most), green)
		}
	}
}

// alike puts findings with one rule, outcome and severity together, in the
// order of the first of them.
func alike(list []crossprem.Finding) (groups [][]crossprem.Finding) {
	index := make(map[string]int)
	for _, f := range list {
		key := f.Rule + " " + f.Status.String() + " " + f.Severity.String()
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// subjectsOf returns the subjects of findings, each once.
func subjectsOf(list []crossprem.Finding) (names []string) {
	for _, f := range list {
		if !slices.Contains(names, f.Subject) {
			names = append(names, f.Subject)
		}
	}
	return names
}

// writeUnknown lists what could not be evaluated, one line for each rule.
func (r *report) writeUnknown(p *page) {
	unknown := r.with(crossprem.Unknown)
	if len(unknown) == 0 {
		return
	}
	p.heading("not known", fmt.Sprintf("%d; -all says why", len(unknown)))
	if !p.all && r.Hybrid != nil && r.Hybrid.Unknown > 0 {
		// A capture of one side leaves a hundred rules without an answer.
		hybrid := make(map[string]bool)
		for _, f := range r.Hybrid.findings {
			hybrid[f.Rule] = true
		}
		unknown = slices.DeleteFunc(unknown, func(f crossprem.Finding) bool { return hybrid[f.Rule] })
		p.line(" %s %d rules and objects of the hybrid configuration, about which the capture does not tell", p.paint(yellow, "?"), r.Hybrid.Unknown)
	}
	for _, group := range alike(unknown) {
		text := group[0].Title + " (" + short(subjectsOf(group), 2) + ")"
		if !p.all {
			text = shorten(text, p.width-4)
		} else if group[0].Detail != "" {
			text += ": " + group[0].Detail
		}
		p.wrapped(" "+p.paint(yellow, "?")+" ", "   ", text, "")
	}
}

// writePassed counts what passed, and lists it if it was asked for.
func (r *report) writePassed(p *page) {
	passed := r.with(crossprem.Passed)
	if len(passed) == 0 {
		return
	}
	groups := alike(passed)
	if !p.all {
		p.heading("passed", fmt.Sprintf("%d, by %s; -all lists them", len(passed), plural(len(groups), "rule")))
		return
	}
	p.heading("passed", fmt.Sprint(len(passed)))
	for _, group := range groups {
		p.wrapped(" "+p.paint(green, "✓")+" ", "   ", group[0].Title+" ("+short(subjectsOf(group), 3)+"): "+group[0].Detail, "")
	}
}

// table prints rows whose first one is the head.
func (p *page) table(rows [][]string) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = terminal.Line(row[i])
		}
		fmt.Fprintln(w, "   "+strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
	for i, line := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		if line = strings.TrimRight(line, " "); i == 0 {
			line = p.paint(faint, line)
		}
		p.line("%s", line)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func writeSignIns(p *page, s *signins.Summary) {
	period := ""
	if !s.First.IsZero() {
		period = fmt.Sprintf(", %s to %s UTC", s.First.UTC().Format("2006-01-02 15:04"), s.Last.UTC().Format("2006-01-02 15:04"))
	}
	p.heading("sign-ins", plural(int(s.Records), "record")+period)
	var classes []string
	for _, class := range slices.Sorted(maps.Keys(s.ByClass)) {
		classes = append(classes, fmt.Sprintf("%s %d", class, s.ByClass[class]))
	}
	p.line("   by class: %s", cmp.Or(strings.Join(classes, ", "), "none, for no sign-in is in these logs"))
	if left := s.Duplicates + s.Malformed + s.SkippedOtherCategory; left > 0 {
		p.line("   beside them %s, %d of other logs, %d that could not be read",
			strings.Replace(plural(int(s.Duplicates), "copy"), "copys", "copies", 1), s.SkippedOtherCategory, s.Malformed)
	}
	for _, text := range s.Errors[:min(len(s.Errors), 3)] {
		p.wrapped("   ! ", "     ", text, yellow)
	}

	// Those who really use legacy authentication come first, the busiest ahead.
	names := busiest(s)
	if s.Records == 0 {
		return
	}
	if len(names) == 0 {
		p.line("   nobody signed in with legacy authentication, as far as these logs know")
		return
	}
	p.line("")
	rows := [][]string{{"legacy user", "tries", "successes", "protocols", "last success"}}
	for _, name := range names[:min(len(names), maxListed)] {
		u := s.Users.Get(name)
		var protocols []string
		for _, use := range u.Protocols {
			protocols = append(protocols, use.Protocol.String())
		}
		last := "never"
		if !u.LastSuccess.IsZero() {
			last = u.LastSuccess.UTC().Format("2006-01-02 15:04")
		}
		rows = append(rows, []string{name, fmt.Sprint(u.Records), fmt.Sprint(u.Successes), strings.Join(protocols, ", "), last})
	}
	p.table(rows)
	if more := len(names) - maxListed; more > 0 {
		p.line("   … and %d more", more)
	}
}

// busiest returns the names of those with a legacy sign-in, the busiest first.
func busiest(s *signins.Summary) []string {
	type use struct {
		name               string
		successes, records int64
	}
	var all []use
	for name, u := range s.Users.All() {
		if u.Records > 0 {
			all = append(all, use{name, u.Successes, u.Records})
		}
	}
	slices.SortFunc(all, func(a, b use) int {
		return cmp.Or(cmp.Compare(b.successes, a.successes), cmp.Compare(b.records, a.records), cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].name
	}
	return names
}

func (r *report) writeTLS(p *page) {
	p.heading("tls", plural(len(r.TLS), "server"))
	rows := [][]string{{"server", "SSL 3.0", "1.0", "1.1", "1.2", "1.3", "certificate"}}
	for _, result := range r.TLS {
		rows = append(rows, tlsRow(result))
	}
	p.table(rows)
}

// tlsRow is one server's row: its name, a word for each version, and what is
// known of its certificate.
func tlsRow(result *tlsprobe.Result) []string {
	words := [...]string{tlsprobe.Unknown: "?", tlsprobe.Accepted: "yes", tlsprobe.Refused: "no", tlsprobe.Contradictory: "both"}
	row := []string{terminal.Line(result.Target)}
	for _, version := range tlsVersions {
		row = append(row, words[result.Versions[version].Support])
	}
	switch {
	case len(result.Chain) > 0 && result.Trusted:
		return append(row, "trusted until "+result.Chain[0].NotAfter.Format(time.DateOnly))
	case len(result.Chain) > 0:
		return append(row, "not trusted")
	}
	return append(row, "not seen")
}

func (r *report) writeEndpoints(p *page) {
	p.heading("exchange", plural(len(r.Endpoints), "URL"))
	rows := [][]string{{"URL", "offers", "modern", "tokens from"}}
	for _, e := range r.Endpoints {
		var schemes []string
		for _, s := range e.Schemes {
			schemes = append(schemes, s.String())
		}
		issuer := ""
		if e.Issuer != nil {
			issuer = e.Issuer.Kind
		}
		rows = append(rows, []string{e.Target, cmp.Or(strings.Join(schemes, ", "), "?"), e.Modern.String(), issuer})
	}
	p.table(rows)
}

func (r *report) writeConnect(p *page) {
	a := r.Connect
	p.heading("entra connect", a.Product.Title()+" "+a.Version.String())
	until := "no day known"
	if !a.SupportUntil.IsZero() {
		until = "until " + a.SupportUntil.Format(time.DateOnly)
	}
	p.line("   support   %s, %s", a.Support, until)
	if !a.Latest.IsZero() {
		p.line("   newest    %s, as far as known on %s", a.Latest, a.AsOf.Format(time.DateOnly))
	}
	for _, u := range a.Upcoming {
		perhaps := ""
		if slices.ContainsFunc(a.Findings, func(f crossprem.Finding) bool { return f.Rule == u.Rule && f.Status == crossprem.Unknown }) {
			perhaps = ", perhaps"
		}
		p.line("   ahead     %s  %s%s", u.Date.Format(time.DateOnly), u.Rule, perhaps)
	}
}
