package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect"
)

// A page writes answers for people.
type page struct {
	w      io.Writer
	colour bool
}

// The colours of a terminal.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint returns text padded to width, in colour on a terminal.
func (p page) paint(code, text string, width int) string {
	padding := strings.Repeat(" ", max(0, width-len([]rune(text))))
	if !p.colour || code == "" {
		return text + padding
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m" + padding
}

func (p page) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p page) show(a answer) {
	switch facts := a.facts.(type) {
	case *authinspect.Organization:
		p.organization(facts)
	case *authinspect.Result:
		p.line("%s", p.paint(bold, facts.Target, 0))
		p.matrix([]*authinspect.Result{facts}, facts.Schemes)
		p.result(facts)
	case capture:
		p.show(answer{facts.Result, a.findings})
		return
	case dialogue:
		p.dialogue(facts)
	case explanation:
		p.explanation(facts)
	case *authinspect.MailResult:
		p.mail(facts)
	}
	p.findings(a.findings)
	p.line("")
}

func (p page) organization(o *authinspect.Organization) {
	p.line("%s  modern authentication: %s", p.paint(bold, o.Target, 0), p.modern(o.Modern(), 0))
	if o.OnlineHost != "" {
		p.line("  Exchange Online at %s: modern authentication: %s", o.OnlineHost, p.modern(o.ModernOnline(), 0))
	}
	if o.Realm != nil {
		p.line("  Entra ID: %s%s%s", strings.ToLower(o.Realm.NameSpaceType), after(", tenant ", o.Realm.Tenant), after(", sign-in at ", o.Realm.AuthURL))
	}
	for _, l := range o.Located {
		if l.URL != "" {
			p.line("  Autodiscover v2 at %s: %s at %s", l.Asked, l.Protocol, l.URL)
		}
	}
	p.autodiscover(o.Autodiscover)
	if len(o.ActiveSync) > 0 {
		p.line("  ActiveSync versions: %s", strings.Join(o.ActiveSync, ", "))
	}
	for _, c := range o.Clients {
		p.line("  AD FS at %s knows %s: %s%s", c.Host, c.Name, c.Registered, after(", ", c.Evidence))
	}
	// One matrix for each host, with the same columns.
	for start := 0; start < len(o.Endpoints); {
		end := start
		for end < len(o.Endpoints) && host(o.Endpoints[end]) == host(o.Endpoints[start]) {
			end++
		}
		p.line("")
		p.matrix(o.Endpoints[start:end], o.Schemes())
		start = end
	}
	if n := len(o.Unanswered); n > 0 {
		p.line("\n  %d URLs gave no answer, the first: %s: %s", n, o.Unanswered[0].Target, oneLine(o.Unanswered[0].Err))
	}
	p.notes(o.Warnings)
}

// autodiscover writes by which ways clients find the servers.
func (p page) autodiscover(a *authinspect.Autodiscover) {
	if a == nil {
		return
	}
	if a.DNS == crossprem.Yes {
		p.line("  _autodiscover._tcp leads to %s; mail goes to %s (Exchange Online first: %s)", orNoneOf(a.SRV), orNoneOf(a.MX), a.MailOnline)
	} else {
		p.line("  DNS was not asked for _autodiscover._tcp and MX, or did not answer")
	}
	for _, answer := range append([]authinspect.AutodiscoverAnswer{a.Redirect}, a.Posts...) {
		if answer.Asked == "" {
			continue
		}
		said := answer.Shape + after(" ", answer.Code) + after(" to ", answer.Location)
		if answer.Status == 0 {
			said = "no answer" + after(": ", answer.Error)
		}
		p.line("  Autodiscover at %s: %s", answer.Asked, said)
	}
}

func orNoneOf(list []string) string { return orNone(strings.Join(list, ", ")) }

// plan writes what an inspection would ask.
func (p page) plan(target string, questions []authinspect.Question) {
	requests := 0
	for _, q := range questions {
		requests += len(q.Steps)
	}
	p.line("%s  questions: %d, requests: %d at most", p.paint(bold, target, 0), len(questions), requests)
	for _, q := range questions {
		var steps []string
		for _, s := range q.Steps {
			steps = append(steps, s.String())
		}
		p.line("  %-7s %s", cmp.Or(q.Method, "DNS"), q.URL)
		if text := strings.Join(steps, ", ") + after("; only if ", q.If); text != "" {
			p.line("          %s", p.paint(dim, text, 0))
		}
	}
	p.line("")
}

func host(r *authinspect.Result) string {
	if u, err := url.Parse(r.Target); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return r.Target
}

// matrix writes one line for each endpoint of one host, one column for each
// scheme.
func (p page) matrix(results []*authinspect.Result, schemes []authinspect.Scheme) {
	var servers []string
	width := len(host(results[0]))
	for _, r := range results {
		width = max(width, len(path(r)))
		if s := strings.TrimSpace(r.Server.Product + " " + r.Server.Version); s != "" && !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
	}
	// The longest name tells the most: without and with the version.
	slices.SortFunc(servers, func(a, b string) int { return len(b) - len(a) })
	header := "  " + p.paint(bold, host(results[0]), width)
	for _, s := range schemes {
		header += "  " + p.paint(bold, s.String(), 10)
	}
	header += "  " + p.paint(bold, "modern", 8)
	if len(servers) > 0 {
		header += p.paint(dim, servers[0], 0)
	}
	p.line("%s", strings.TrimRight(header, " "))
	for _, r := range results {
		row := "  " + p.paint("", path(r), width)
		for _, s := range schemes {
			row += "  " + p.strength(s, r.Strength(s))
		}
		row += "  " + p.modern(r.Modern, 8)
		if len(r.Schemes) == 0 {
			row += p.paint(dim, statuses(r), 0)
		}
		p.line("%s", strings.TrimRight(row, " "))
	}
}

func path(r *authinspect.Result) string {
	if u, err := url.Parse(r.Target); err == nil && u.Host != "" {
		return u.EscapedPath()
	}
	return "(pasted)"
}

// statuses tells how an endpoint without challenges answered the anonymous.
func statuses(r *authinspect.Result) string {
	if a, ok := r.Answered(authinspect.StepAnonymous); ok {
		return fmt.Sprintf("status %d", a.Status)
	}
	return "no anonymous answer"
}

func (p page) strength(s authinspect.Scheme, strength authinspect.Strength) string {
	text, colour := strength.String(), yellow
	switch {
	case strength == authinspect.StrengthUnknown:
		text, colour = "-", dim
	case s == authinspect.Basic:
		colour = red
	case s == authinspect.Bearer && strength == authinspect.Configured:
		colour = green
	}
	return p.paint(colour, text, 10)
}

func (p page) modern(m authinspect.Modern, width int) string {
	return p.paint(map[authinspect.Modern]string{authinspect.ModernOn: green, authinspect.ModernOff: red}[m], m.String(), width)
}

// result tells what the matrix has no room for.
func (p page) result(r *authinspect.Result) {
	p.line("  modern: %s: %s", r.Modern, r.ModernReason)
	if i := r.Issuer; i != nil && i.Kind+i.AuthorizationURI != "" {
		p.line("  issuer: %s", strings.TrimSpace(i.Kind+after(", ", i.AuthorizationURI)+after(", tenant ", i.Tenant)))
	}
	if n := r.NTLM; n != nil {
		p.line("  NTLM:   %s%s", strings.Join(n.InternalNames(), ", "), after(", version ", n.Version.String()))
	}
	for _, d := range r.Diagnostics {
		step := ""
		if d.Step != authinspect.StepUnknown {
			step = d.Step.String() + ": "
		}
		p.line("  %s%s", step, d)
		p.line("    %s", cmp.Or(strings.TrimSpace(d.Meaning+" "+d.Remedy), "its meaning is not known"))
	}
	p.notes(r.Warnings)
}

func (p page) notes(warnings []string) {
	for _, w := range warnings {
		p.line("  %s %s", p.paint(yellow, "note:", 0), w)
	}
}

// findings writes what failed, the worst first, each rule and title once with
// all its subjects, and how many could not be evaluated.
func (p page) findings(findings []crossprem.Finding) {
	type group struct {
		first    crossprem.Finding
		subjects []string
	}
	var groups []*group
	unknown := 0
	for _, f := range findings {
		if f.Status == crossprem.Unknown {
			unknown++
		}
		if f.Status != crossprem.Failed {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.first.Rule == f.Rule && g.first.Title == f.Title && g.first.Severity == f.Severity
		})
		if i < 0 {
			groups = append(groups, &group{first: f})
			i = len(groups) - 1
		}
		groups[i].subjects = append(groups[i].subjects, f.Subject)
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return int(b.first.Severity) - int(a.first.Severity) })
	for _, g := range groups {
		colour := map[crossprem.Severity]string{crossprem.Critical: red, crossprem.Warning: yellow}[g.first.Severity]
		p.line("\n  %s %s  [%s]", p.paint(colour, g.first.Severity.String()+":", 0), g.first.Title, g.first.Rule)
		for i, subject := range g.subjects {
			if i == 8 {
				p.line("      and %d more", len(g.subjects)-i)
				break
			}
			p.line("      %s", subject)
		}
		p.line("    %s", p.paint(dim, g.first.Detail, 0))
		if g.first.Remedy != "" {
			p.line("    %s", g.first.Remedy)
		}
		if !g.first.Due.IsZero() {
			p.line("    from %s", g.first.Due.Format("2 January 2006"))
		}
	}
	switch {
	case unknown == 1:
		p.line("\n  1 check could not be evaluated, which does not mean that all is well there.")
	case unknown > 1:
		p.line("\n  %d checks could not be evaluated, which does not mean that all is well there.", unknown)
	}
}

func after(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
