package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
)

// answerFleet judges every server of a folder of folders: a line each, what
// hurts first at the top.
func (a asked) answerFleet(stdout, stderr io.Writer) error {
	if info, err := os.Stat(a.subject); err != nil || !info.IsDir() {
		return fmt.Errorf("%q is not a folder", a.subject)
	}
	servers, err := connectversion.GatherFleet(os.DirFS(a.subject))
	if err != nil && len(servers) == 0 {
		return err
	}
	if err != nil {
		fmt.Fprintln(stderr, "connect: not read:", strings.ReplaceAll(err.Error(), "\n", "\nconnect: not read: "))
	}
	for i := range servers {
		servers[i].Machine.Facts.Cloud = a.facts.Cloud
	}
	fleet := connectversion.AssessFleet(a.at, a.until, servers...)
	if len(fleet.Installed) == 0 {
		return fmt.Errorf("%s: no folder of a server names a version", a.subject)
	}
	for _, i := range fleet.Installed {
		a.failOn.See(i.Assessment.Findings...)
	}
	if a.json {
		return printJSON(stdout, fleet)
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tTENANT\tSERVER\tPRODUCT\tVERSION\tSUPPORT\tDAYS LEFT\tNEXT STEP")
	for _, i := range fleet.Installed {
		s := i.Assessment
		support, left, next := s.Support.String(), "-", "stays until "+a.until.Format(time.DateOnly)
		if !s.SupportUntil.IsZero() {
			support += " " + s.SupportUntil.Format(time.DateOnly)
		}
		if days, ok := i.DaysLeft(); ok {
			step, _ := i.NextStep()
			left, next = fmt.Sprint(days), "run "+step.Version.String()+" from "+step.From.Format(time.DateOnly)+" on"
			if step.Version.IsZero() {
				next = "no release is known that does from " + step.From.Format(time.DateOnly) + " on"
			}
		}
		version := s.Version.String()
		if s.Version.IsZero() {
			version = "unknown"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", worstMark(s.Findings), i.Tenant, i.Server, strings.TrimSpace(s.Product.String()+" "+i.Component), version, support, left, next)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	out := screen{out: stdout}
	for _, i := range fleet.Installed {
		for _, f := range i.Contradictions {
			out.line("evidence: ", strings.TrimSpace(i.Tenant+" "+f.Subject)+": "+f.Title+". "+f.Detail)
		}
	}
	out.unread(fleet.NotUnderstood)
	return out.err
}

// worstMark is the mark of the worst failure.
func worstMark(findings []crossprem.Finding) string {
	mark := "ok"
	worst := crossprem.Info
	for _, f := range findings {
		if f.Status == crossprem.Failed && (mark == "ok" || f.Severity > worst) {
			worst = f.Severity
			mark = map[crossprem.Severity]string{crossprem.Critical: "!!", crossprem.Warning: "!", crossprem.Info: "-"}[f.Severity]
		}
	}
	return mark
}

// unread prints the files that were not understood.
func (s *screen) unread(files []connectversion.Unread) {
	for _, u := range files {
		s.line("not understood: ", u.File+": "+u.Why)
	}
}
