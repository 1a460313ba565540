package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/authpolicy"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// takeFolder asks about what examples/collect saved in a folder.
func (q *questions) takeFolder(folder string) error {
	if info, err := os.Stat(folder); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no folder", folder)
	}
	found := false
	has := func(sub string) (string, bool) {
		name := filepath.Join(folder, sub)
		entries, err := os.ReadDir(name)
		found = found || len(entries) > 0
		return name, err == nil && len(entries) > 0
	}
	if name, ok := has("signins"); ok {
		q.signins = append(q.signins, name)
	}
	if name, ok := has("hybrid"); ok && q.hybrid == "" {
		q.hybrid = name
	}
	if name, ok := has("policies"); ok && q.policy == "" {
		q.policy = name
	}
	if name, ok := has("connect"); ok && q.connect.IsZero() {
		q.evidence = name
	}
	text, err := readBounded(filepath.Join(folder, "collection.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && found:
		return nil // made by hand
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: none of what collect makes is in it: signins, hybrid, policies, connect", folder)
	case err != nil:
		return err
	}
	var collection struct {
		Ended   time.Time
		Missing map[string]string
	}
	if err := json.Unmarshal(text, &collection); err != nil {
		return fmt.Errorf("%s: collection.json: %w", folder, err)
	}
	q.missing = collection.Missing
	if collection.Ended.IsZero() && len(q.missing) == 0 {
		q.missing = map[string]string{"the end": "the collection was ended before it was done"}
	}
	return nil
}

// readBounded reads a small file.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

// A hybrid is what the section on hybrid configuration says.
type hybrid struct {
	Situation string `json:"situation"`
	Objects   int    `json:"objects"`
	Failed    int    `json:"failed"`
	Unknown   int    `json:"unknown"`
	Passed    int    `json:"passed"`

	findings []crossprem.Finding
	next     []hybridoauth.Step
}

func readHybrid(folder string, at time.Time) (*hybrid, error) {
	c, err := hybridoauth.ReadFolder(folder)
	if err != nil {
		return nil, err
	}
	if len(c.Objects) == 0 {
		return nil, fmt.Errorf("%s: nothing of a hybrid configuration is in it", folder)
	}
	shown, _ := hybridoauth.Detect(c)
	h := &hybrid{Situation: shown.String(), Objects: len(c.Objects), findings: hybridoauth.Check(c, 0, at), next: hybridoauth.WalkthroughIn(c, 0, at)}
	for _, f := range h.findings {
		switch f.Status {
		case crossprem.Failed:
			h.Failed++
		case crossprem.Passed:
			h.Passed++
		default:
			h.Unknown++
		}
	}
	return h, nil
}

// policyProtocols are the protocols of sign-ins that policies know of.
var policyProtocols = map[signins.Protocol]authpolicy.Protocol{
	signins.ExchangeActiveSync: authpolicy.ActiveSync, signins.SMTPAuth: authpolicy.SMTP, signins.IMAP: authpolicy.IMAP, signins.POP: authpolicy.POP,
	signins.MAPI: authpolicy.MAPI, signins.OutlookAnywhere: authpolicy.RPC, signins.OfflineAddressBook: authpolicy.OAB,
	signins.ExchangeWebServices: authpolicy.EWS, signins.Autodiscover: authpolicy.Autodiscover, signins.ExchangePowerShell: authpolicy.PowerShell,
	signins.ReportingWebServices: authpolicy.Reporting, signins.OutlookService: authpolicy.OutlookService,
}

// decide asks the policies in a folder about everybody who used legacy
// authentication, and the protocol that it was. Where an export does not tell
// where a mailbox is, a legacy sign-in that succeeded in Entra ID does: it
// came from Exchange Online, which asks Entra ID for the password.
func decide(folder string, s *signins.Summary, at time.Time) ([]authpolicy.Decision, []string, error) {
	policies, err := authpolicy.Read(os.DirFS(folder), authpolicy.HostingUnknown)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", folder, err)
	}
	var unused []string
	for _, n := range policies.NotUnderstood {
		unused = append(unused, n.File+": "+n.Why)
	}
	decisions := []authpolicy.Decision{}
	if s == nil {
		return decisions, unused, nil
	}
	var names []string
	for name := range s.Users.All() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, use := range s.Users.Get(name).Protocols {
			protocol, ok := policyProtocols[use.Protocol]
			if !ok {
				continue
			}
			facts := policies.Facts(name, protocol)
			if facts.Hosting == authpolicy.HostingUnknown && use.Successes > 0 {
				facts.Hosting = authpolicy.ExchangeOnline
			}
			decisions = append(decisions, facts.Decide(protocol, at))
		}
	}
	return decisions, unused, nil
}

// readConnect judges what a folder of evidence says is installed.
func readConnect(folder string, at time.Time) (*connectversion.Assessment, []crossprem.Finding, error) {
	machine, err := connectversion.Gather(os.DirFS(folder))
	if err != nil && len(machine.Evidence) == 0 {
		return nil, nil, err
	}
	found := connectversion.Reconcile(at, machine.Evidence...)
	if len(found.Installed) == 0 {
		// A tenant that is not synchronised has no version, and that is an answer.
		return nil, found.Findings, err
	}
	findings := found.Findings
	var first *connectversion.Assessment
	for _, i := range found.Installed {
		a := connectversion.Assess(i.Product, i.Version, at, machine.FactsOf(i))
		if first == nil || first.Product != connectversion.ConnectSync && a.Product == connectversion.ConnectSync {
			if first != nil {
				findings = append(findings, first.Findings...)
			}
			first = &a
			continue
		}
		findings = append(findings, a.Findings...)
	}
	return first, findings, err
}

// programs are those of a client that are asked about: what connects from it,
// in the system's own width.
func programs() []schannel.App {
	return slices.DeleteFunc(schannel.Apps(), func(a schannel.App) bool { return a.Server || a.Bits != 0 })
}

func (r *report) writeHybrid(p *page) {
	h := r.Hybrid
	p.heading("hybrid configuration", fmt.Sprintf("%s; %s; %d failed, %d not known, %d passed", h.Situation, plural(h.Objects, "object"), h.Failed, h.Unknown, h.Passed))
	shown := 0
	for _, s := range h.next {
		if fmt.Sprint(s.State) == "done" || shown == maxListed {
			continue
		}
		shown++
		p.wrapped("   "+fmt.Sprintf("%-9v", s.State)+" ", "             ", shorten(s.Title, p.width-15), "")
	}
	p.wrapped("   ", "   ", "examples/hybridcheck on the same folder says what each step needs.", faint)
}

func (r *report) writePolicy(p *page) {
	p.heading("policy", fmt.Sprintf("Basic, for who used it: %s", r.policyCounts()))
	rows := [][]string{{"user", "protocol", "Basic", "decided by", "modern"}}
	for i, d := range r.Policy {
		if i == maxListed {
			break
		}
		rows = append(rows, []string{d.User, d.Protocol.String(), d.Basic.Verdict.String(), d.Basic.Decider, d.Modern.Verdict.String()})
	}
	if len(rows) > 1 {
		p.table(rows)
	}
	if more := len(r.Policy) - maxListed; more > 0 {
		p.line("   … and %d more", more)
	}
	for _, text := range r.policyUnused[:min(len(r.policyUnused), 3)] {
		p.wrapped("   ! ", "     ", text, yellow)
	}
}

func (r *report) policyCounts() string {
	if len(r.Policy) == 0 {
		return "nobody is in the sign-ins that were given"
	}
	counts := map[authpolicy.Verdict]int{}
	for _, d := range r.Policy {
		counts[d.Basic.Verdict]++
	}
	var parts []string
	for _, v := range []authpolicy.Verdict{authpolicy.Allowed, authpolicy.Blocked, authpolicy.NotOffered, authpolicy.VerdictUnknown} {
		if counts[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %v", counts[v], v))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *report) writeClient(p *page) {
	p.heading("what this client could meet", plural(len(r.TLS), "server"))
	rows := [][]string{{"server", "program", "meets", "version", "why"}}
	for _, n := range r.Client {
		rows = append(rows, negotiationRow(n, p.width-78))
	}
	p.table(rows)
}

func negotiationRow(n *schannel.Negotiation, width int) []string {
	version := ""
	if n.Version != 0 {
		version = n.Version.String()
	}
	return []string{n.Target, n.App.Label(), n.Meets.String(), version, shorten(n.Explanation, max(width, 20))}
}

func (r *report) hybridSection() htmlSection {
	h := r.Hybrid
	table := htmlTable{Caption: "The procedure, step by step", Head: []string{"Step", "State"}}
	for _, s := range h.next {
		table.Rows = append(table.Rows, []string{s.Title, fmt.Sprint(s.State)})
	}
	return htmlSection{ID: "hybrid", Name: "Hybrid configuration", Tables: []htmlTable{table},
		Text: fmt.Sprintf("Situation: %s. %d objects were captured: %d findings failed, %d are not known, %d passed.", h.Situation, h.Objects, h.Failed, h.Unknown, h.Passed)}
}

func (r *report) policySection() htmlSection {
	table := htmlTable{Caption: "Whether who used legacy authentication may use it", Head: []string{"User", "Protocol", "Basic", "Decided by", "Modern"}}
	for _, d := range r.Policy[:min(len(r.Policy), maxHTMLRows)] {
		table.Rows = append(table.Rows, []string{d.User, d.Protocol.String(), d.Basic.Verdict.String(), d.Basic.Decider, d.Modern.Verdict.String()})
	}
	if more := len(r.Policy) - maxHTMLRows; more > 0 {
		table.More = fmt.Sprintf("%d more decisions are in the report as JSON.", more)
	}
	s := htmlSection{ID: "policy", Name: "Policy", Text: "Basic, for who used it: " + r.policyCounts() + "."}
	if len(table.Rows) > 0 {
		s.Tables = append(s.Tables, table)
	}
	return s
}

func (r *report) clientSection() htmlSection {
	table := htmlTable{Caption: "What this client could meet", Head: []string{"Server", "Program", "Meets", "Version", "Why"}}
	for _, n := range r.Client {
		table.Rows = append(table.Rows, negotiationRow(n, 400))
	}
	return htmlSection{ID: "client", Name: "What this client could meet", Tables: []htmlTable{table}}
}
