package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
)

// width is that of a line; a terminal is rarely narrower.
const width = 100

// maxListed bounds what one table or list prints; -json has everything.
const maxListed = 12

// A page is text in the making.
type page struct {
	bytes.Buffer
	colour bool
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
	p.line("%s  %s", p.paint(bold, strings.ToUpper(name)), printable(rest))
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
	for word := range strings.FieldsSeq(printable(text)) {
		if line != "" && used+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
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

// printable makes text of a log or a server harmless to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// writeText prints the report for a person.
func (r *report) writeText(w io.Writer, title string, colour bool) error {
	p := &page{colour: colour}
	p.line("%s", p.paint(bold, title))
	p.line("%s", p.paint(faint, "judged for "+r.AsOf))

	r.writeFailed(p)
	if r.SignIns != nil {
		writeSignIns(p, r.SignIns)
	}
	if len(r.TLS) > 0 {
		r.writeTLS(p)
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
	r.writeRest(p, crossprem.Unknown, "not evaluated", yellow, "?")
	r.writeRest(p, crossprem.Passed, "passed", green, "✓")
	_, err := p.WriteTo(w)
	return err
}

// with returns the findings of one status, in their order.
func (r *report) with(status crossprem.Status) []crossprem.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f crossprem.Finding) bool { return f.Status != status })
}

// writeFailed prints what needs attention: notes briefly, the others in full.
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
	for i := 0; i < len(failed); {
		// Findings of one kind on several subjects stand under one title, and
		// a remedy that they share is told once.
		f, n := failed[i], 1
		for i+n < len(failed) && alike(f, failed[i+n]) {
			n++
		}
		label := labels[min(f.Severity, crossprem.Critical)]
		if f.Severity != crossprem.Info {
			p.line("")
		}
		p.wrapped(p.paint(label.colour, " ● "+label.text)+"  ", indent, f.Title, bold)
		if f.Severity == crossprem.Info {
			var subjects []string
			for _, g := range failed[i : i+n] {
				subjects = append(subjects, g.Subject)
			}
			p.wrapped(indent, indent, strings.Join(subjects, ", ")+" ["+f.Rule+"]", faint)
			i += n
			continue
		}
		for k, g := range failed[i : i+n] {
			where := g.Subject
			if k == 0 {
				where += " [" + g.Rule + "]"
			}
			if !g.Due.IsZero() {
				where += " due " + g.Due.Format(time.DateOnly)
			}
			p.wrapped(indent, indent, where, faint)
			p.wrapped(indent, indent, g.Detail, "")
			if g.Remedy != "" && (k == n-1 || failed[i+k+1].Remedy != g.Remedy) {
				p.wrapped(indent+"→ ", indent+"  ", g.Remedy, green)
			}
		}
		i += n
	}
}

// alike tells whether two findings differ in their subject only.
func alike(f, g crossprem.Finding) bool {
	return f.Rule == g.Rule && f.Title == g.Title && f.Severity == g.Severity
}

// writeRest lists the titles of findings that need no action.
func (r *report) writeRest(p *page, status crossprem.Status, name, colour, mark string) {
	rest := r.with(status)
	if len(rest) == 0 {
		return
	}
	p.heading(name, fmt.Sprint(len(rest)))
	// One title, and one detail of what is unknown, may fit several subjects.
	type fact struct{ title, detail string }
	subjects := make(map[fact][]string)
	var facts []fact
	for _, f := range rest {
		said := fact{title: f.Title}
		if status == crossprem.Unknown {
			said.detail = f.Detail
		}
		if subjects[said] == nil {
			facts = append(facts, said)
		}
		subjects[said] = append(subjects[said], f.Subject)
	}
	for _, said := range facts {
		about := subjects[said]
		if more := len(about) - 3; more > 0 {
			about = append(about[:3:3], fmt.Sprintf("%d more", more))
		}
		p.wrapped(" "+p.paint(colour, mark)+" ", "   ", said.title+"  · "+strings.Join(about, ", "), "")
		p.wrapped("   ", "   ", said.detail, faint)
	}
}

// table prints rows whose first one is the head.
func (p *page) table(rows [][]string) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
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
	names := slices.SortedFunc(maps.Keys(s.Users), func(a, b string) int {
		x, y := s.Users[a], s.Users[b]
		return cmp.Or(cmp.Compare(y.Successes, x.Successes), cmp.Compare(y.Records, x.Records), cmp.Compare(a, b))
	})
	names = slices.DeleteFunc(names, func(n string) bool { return s.Users[n].Records == 0 })
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
		u := s.Users[name]
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

func (r *report) writeTLS(p *page) {
	p.heading("tls", plural(len(r.TLS), "server"))
	rows := [][]string{{"server", "SSL 3.0", "1.0", "1.1", "1.2", "1.3", "certificate"}}
	marks := [...]string{tlsprobe.Unknown: "?", tlsprobe.Accepted: "yes", tlsprobe.Refused: "no", tlsprobe.Contradictory: "both"}
	for _, result := range r.TLS {
		row := []string{result.Target}
		for _, version := range []tlsprobe.Version{tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13} {
			row = append(row, marks[result.Versions[version].Support])
		}
		chain := "not seen"
		switch {
		case len(result.Chain) > 0 && result.Trusted:
			chain = "trusted until " + result.Chain[0].NotAfter.Format(time.DateOnly)
		case len(result.Chain) > 0:
			chain = "not trusted"
		}
		rows = append(rows, append(row, chain))
	}
	p.table(rows)
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
