package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/examples/internal/terminal"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe"
)

var (
	//go:embed web/page.tmpl
	pageTemplate string
	//go:embed web/page.css
	pageStyle string
	//go:embed web/page.js
	pageScript string
)

var pageTemplates = template.Must(template.New("page").Parse(pageTemplate))

const (
	firstRows   = 10  // of a group, that are in the page itself
	maxHTMLRows = 200 // of a table beside the findings
)

// htmlPage is what the template takes.
type htmlPage struct {
	Title, AsOf, Verdict string
	Policy               string
	Style                template.CSS
	Script               template.JS
	Data                 template.HTML // base64 alone
	Todo                 []todo
	Changes              *htmlChanges
	Kinds                []htmlKind
	Groups               []*htmlGroup
	Sections             []htmlSection
}

type htmlChanges struct {
	Since                         string
	New, Fixed, Changed, NotAsked int
}

type htmlKind struct {
	Name, Label string
	Count       int
	On          bool
}

// An htmlGroup is the findings with one rule and outcome.
type htmlGroup struct {
	Kind, Label, Title, Rule string
	Remedy, Sources          string
	Count                    int
	First                    []htmlRow
	Rest, Open               bool
}

type htmlRow struct{ Subject, Due, Detail string }

type htmlSection struct {
	ID, Name, Text string
	Charts         []chart
	Tables         []htmlTable
}

type htmlTable struct {
	Caption string
	Head    []string
	Rows    [][]string
	More    string
}

// writeHTML writes the report as one page that needs nothing else.
func (r *report) writeHTML(w io.Writer, title string, at time.Time) error {
	page := htmlPage{Title: title, AsOf: r.AsOf, Verdict: r.verdict(), Style: template.CSS(pageStyle), Script: template.JS(pageScript), Todo: todoList(r.Findings, at)} //nolint:gosec // our own files
	page.Policy = fmt.Sprintf("default-src 'none'; base-uri 'none'; form-action 'none'; style-src '%s'; script-src '%s'", hashOf(pageStyle), hashOf(pageScript))
	if r.changes != nil {
		page.Changes = &htmlChanges{r.since, len(r.changes.New), len(r.changes.Fixed), len(r.changes.Changed), len(r.changes.NotAsked)}
	}
	data, err := page.group(r.Findings)
	if err != nil {
		return err
	}
	page.Data = template.HTML(data) //nolint:gosec // base64
	page.Sections = r.sections(at)
	return pageTemplates.Execute(w, page)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// kindOf is the word by which a finding is filtered.
func kindOf(f crossprem.Finding) string {
	if f.Status == crossprem.Failed {
		return f.Severity.String()
	}
	return f.Status.String()
}

// group fills the groups, and returns all rows as base64 of gzip of JSON:
// pages of thousands of rows are slow to load and to print, so that the
// browser makes rows of those only that somebody wants to see.
func (p *htmlPage) group(findings []crossprem.Finding) (string, error) {
	kinds := []htmlKind{{"critical", "critical", 0, true}, {"warning", "warning", 0, true}, {"info", "note", 0, true}, {"unknown", "not known", 0, true}, {"passed", "passed", 0, false}}
	byKey := make(map[string]int)
	var rows [][4]any
	for _, f := range findings {
		kind := kindOf(f)
		key := kind + "\x00" + f.Rule + "\x00" + f.Title
		i, ok := byKey[key]
		if !ok {
			i = len(p.Groups)
			byKey[key] = i
			label := kind
			if kind == "info" {
				label = "note"
			}
			p.Groups = append(p.Groups, &htmlGroup{Kind: kind, Label: label, Title: terminal.Line(f.Title), Rule: f.Rule, Remedy: f.Remedy, Sources: strings.Join(f.Sources, "; "), Open: kind == "critical" || kind == "warning"})
		}
		g := p.Groups[i]
		if g.Remedy != f.Remedy && g.Count > 0 {
			g.Remedy = cmp.Or(g.Remedy, f.Remedy)
		}
		row := htmlRow{terminal.Line(f.Subject), "", terminal.Line(f.Detail)}
		if f.Part != "" {
			row.Subject += " (" + terminal.Line(f.Part) + ")"
		}
		if !f.Due.IsZero() {
			row.Due = f.Due.Format(time.DateOnly)
		}
		if g.Count++; len(g.First) < firstRows {
			g.First = append(g.First, row)
		}
		g.Rest = g.Count > len(g.First)
		rows = append(rows, [4]any{i, row.Subject, row.Detail, row.Due})
		for k := range kinds {
			if kinds[k].Name == kind {
				kinds[k].Count++
			}
		}
	}
	p.Kinds = kinds
	if rows == nil {
		rows = [][4]any{}
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(zip).Encode(rows); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// verdict is the report in one line.
func (r *report) verdict() string {
	counts := make(map[string]int)
	for _, f := range r.Findings {
		counts[kindOf(f)]++
	}
	if counts["critical"]+counts["warning"]+counts["info"] == 0 {
		return fmt.Sprintf("Nothing failed among %d findings; %d are not known.", len(r.Findings), counts["unknown"])
	}
	return fmt.Sprintf("%d critical, %s and %s; %d not known, %d passed.", counts["critical"], plural(counts["warning"], "warning"), plural(counts["info"], "note"), counts["unknown"], counts["passed"])
}

func (r *report) sections(at time.Time) (all []htmlSection) {
	if len(r.Missing) > 0 {
		table := htmlTable{Caption: "What could not be collected: nothing here is about it", Head: []string{"Part", "Why"}}
		for _, part := range slices.Sorted(maps.Keys(r.Missing)) {
			table.Rows = append(table.Rows, []string{part, terminal.Line(r.Missing[part])})
		}
		all = append(all, htmlSection{ID: "missing", Name: "Not collected", Tables: []htmlTable{table}})
	}
	if s := r.SignIns; s != nil {
		all = append(all, signInSection(s))
		if len(s.Attacks) > 0 {
			all = append(all, attackSection(s))
		}
	}
	if len(r.Endpoints) > 0 {
		all = append(all, r.endpointSection())
	}
	if len(r.TLS) > 0 {
		all = append(all, r.tlsSection())
	}
	if len(r.Client) > 0 {
		all = append(all, r.clientSection())
	}
	if r.Hybrid != nil {
		all = append(all, r.hybridSection())
	}
	if r.Policy != nil {
		all = append(all, r.policySection())
	}
	if r.Certificate != nil || r.Connect != nil {
		all = append(all, r.timelineSection(at))
	}
	return all
}

func signInSection(s *signins.Summary) htmlSection {
	section := htmlSection{ID: "signins", Name: "Legacy sign-ins", Text: fmt.Sprintf("%d records, %s to %s.", s.Records, s.First.UTC().Format(time.DateOnly), s.Last.UTC().Format(time.DateOnly))}
	if len(s.Days) > 0 {
		section.Charts = append(section.Charts, legacyByDay(s))
	}
	if len(s.Countries) > 0 {
		countries := slices.Clone(s.Countries)
		slices.SortStableFunc(countries, func(a, b signins.Tally) int { return cmp.Compare(b.Records, a.Records) })
		var list []bar
		for _, c := range countries[:min(len(countries), 15)] {
			list = append(list, bar{cmp.Or(c.Name, "not known"), c.Records, fmt.Sprintf("(%d successes)", c.Successes)})
		}
		section.Charts = append(section.Charts, bars("countries", "Legacy sign-ins by country", list))
	}
	var protocols []signins.Protocol
	for _, u := range s.Users.All() {
		for _, use := range u.Protocols {
			if !slices.Contains(protocols, use.Protocol) {
				protocols = append(protocols, use.Protocol)
			}
		}
	}
	slices.SortFunc(protocols, func(a, b signins.Protocol) int { return strings.Compare(a.String(), b.String()) })
	table := htmlTable{Caption: "Who uses which legacy protocol: sign-ins that succeeded, of all", Head: []string{"User"}}
	for _, p := range protocols {
		table.Head = append(table.Head, p.String())
	}
	names := busiest(s)
	for _, name := range names[:min(len(names), maxHTMLRows)] {
		row := []string{terminal.Line(name)}
		for _, p := range protocols {
			cell := ""
			for _, use := range s.Users.Get(name).Protocols {
				if use.Protocol == p {
					cell = fmt.Sprintf("%d of %d", use.Successes, use.Records)
				}
			}
			row = append(row, cell)
		}
		table.Rows = append(table.Rows, row)
	}
	if more := len(names) - maxHTMLRows; more > 0 {
		table.More = fmt.Sprintf("%d more users are in the report as JSON.", more)
	}
	if len(table.Rows) > 0 {
		section.Tables = append(section.Tables, table)
	}
	return section
}

func attackSection(s *signins.Summary) htmlSection {
	section := htmlSection{ID: "attacks", Name: "Attacks on passwords"}
	table := htmlTable{Caption: "Attacks, the first one first", Head: []string{"From", "Kind", "Confidence", "Start", "End", "Accounts", "Got into"}}
	var spans []span
	for i, a := range s.Attacks {
		if i == maxHTMLRows {
			table.More = fmt.Sprintf("%d more attacks are in the report as JSON.", len(s.Attacks)-i)
			break
		}
		from := cmp.Or(a.IP, a.Agent, fmt.Sprintf("%d addresses", a.Addresses))
		table.Rows = append(table.Rows, []string{terminal.Line(from), fmt.Sprint(a.Kind), fmt.Sprint(a.Confidence), a.Start.UTC().Format("2006-01-02 15:04"), a.End.UTC().Format("2006-01-02 15:04"), fmt.Sprint(a.DistinctAccounts), terminal.Line(short(a.Compromised, 5))})
		if len(spans) < 30 {
			color := 0
			if len(a.Compromised) > 0 {
				color = 6
			}
			spans = append(spans, span{fmt.Sprintf("%v, %s", a.Kind, from), a.Start.UTC(), a.End.UTC(), color})
		}
	}
	section.Charts = append(section.Charts, timeline("attack-times", "When the attacks were", spans, s.Last.UTC()))
	section.Tables = append(section.Tables, table)
	return section
}

// short joins the first n of a list, and says how many more there are.
func short(list []string, n int) string {
	if more := len(list) - n; more > 0 {
		return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

func (r *report) endpointSection() htmlSection {
	var schemes []string
	for _, e := range r.Endpoints {
		for _, s := range e.Schemes {
			if !slices.Contains(schemes, s.String()) {
				schemes = append(schemes, s.String())
			}
		}
	}
	slices.Sort(schemes)
	table := htmlTable{Caption: "Which schemes each URL offers", Head: append(append([]string{"URL"}, schemes...), "modern", "tokens from")}
	for _, e := range r.Endpoints {
		row := []string{terminal.Line(e.Target)}
		for _, s := range schemes {
			cell := ""
			for _, have := range e.Schemes {
				if have.String() == s {
					cell = "yes"
				}
			}
			if len(e.Schemes) == 0 {
				cell = "?"
			}
			row = append(row, cell)
		}
		issuer := ""
		if e.Issuer != nil {
			issuer = e.Issuer.Kind
		}
		table.Rows = append(table.Rows, append(row, e.Modern.String(), terminal.Line(issuer)))
	}
	return htmlSection{ID: "endpoints", Name: "Exchange endpoints", Tables: []htmlTable{table}}
}

func (r *report) tlsSection() htmlSection {
	table := htmlTable{Caption: "Which versions each server negotiates", Head: []string{"Server", "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3", "Certificate"}}
	for _, result := range r.TLS {
		table.Rows = append(table.Rows, tlsRow(result))
	}
	return htmlSection{ID: "tls", Name: "TLS", Tables: []htmlTable{table}}
}

func (r *report) timelineSection(at time.Time) htmlSection {
	var spans []span
	if c := r.Certificate; c != nil {
		spans = append(spans, span{"Auth certificate " + shorten(c.SHA1().String(), 9), c.NotBefore(), c.NotAfter(), 0})
	}
	if a := r.Connect; a != nil {
		if row, ok := connectversion.Lookup(a.Product, a.Version); ok && !a.SupportUntil.IsZero() {
			spans = append(spans, span{"Support of " + a.Version.String(), row.Released, a.SupportUntil, 2})
		}
		for _, u := range a.Upcoming {
			spans = append(spans, span{u.Rule, u.Date, u.Date, 6})
		}
	}
	seen := make(map[string]bool)
	for _, f := range r.Findings {
		if f.Status == crossprem.Failed && f.Due.After(at) && !seen[f.Rule] && len(spans) < 25 {
			seen[f.Rule] = true
			spans = append(spans, span{f.Title, f.Due, f.Due, 1})
		}
	}
	return htmlSection{ID: "days", Name: "Certificates, Entra Connect and the days ahead", Charts: []chart{timeline("timeline", "What lasts until when", spans, at)}}
}

var tlsVersions = []tlsprobe.Version{tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13}

// legacyByDay draws the legacy sign-ins of each day, by protocol.
func legacyByDay(s *signins.Summary) chart {
	days := make([]string, 0, len(s.Days))
	for _, d := range s.Days {
		days = append(days, d.Name)
	}
	days = days[max(0, len(days)-maxDays):]
	var all []series
	for _, p := range slices.Sorted(maps.Keys(s.DaysByProtocol)) {
		one := series{name: p.String(), values: make([]int64, len(days))}
		for _, d := range s.DaysByProtocol[p] {
			if i := slices.Index(days, d.Name); i >= 0 {
				one.values[i] = d.Records
			}
		}
		all = append(all, one)
	}
	return stackedBars("legacy-days", "Legacy sign-ins by day and protocol", days, all)
}

// maxDays is how many days the chart shows, the last ones.
const maxDays = 120
