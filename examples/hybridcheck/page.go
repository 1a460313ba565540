package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/examples/internal/terminal"
)

// width is that of a line; more would wrap in a small window.
const width = 100

// page prints for people: what failed, the steps, and what was not evaluated.
func (a asked) page(c hybridoauth.Configuration, r report, stdout io.Writer) error {
	out := bufio.NewWriter(stdout)
	count := map[crossprem.Status]int{}
	for _, f := range r.Findings {
		count[f.Status]++
	}
	situation := "given: " + a.situation.String()
	if a.situation == 0 {
		shown, _ := hybridoauth.Detect(c)
		situation = "found: " + first(shown.String(), "none shown")
	}
	fmt.Fprintf(out, "%d objects. Situation %s. For %s.\n", len(c.Objects), situation, a.at.Format("2006-01-02"))
	fmt.Fprintf(out, "%d failed, %d unknown, %d passed.\n", count[crossprem.Failed], count[crossprem.Unknown], count[crossprem.Passed])
	for _, f := range r.Findings {
		if f.Status == crossprem.Failed || a.all {
			finding(out, f)
		}
	}
	fmt.Fprintln(out, "\nThe procedure, step by step")
	for i, s := range r.Steps {
		wrap(out, fmt.Sprintf("%2d %-8s", i+1, s.State), s.Title)
		if s.State != hybridoauth.StepDone {
			wrap(out, "            ", s.Why)
			wrap(out, "            next: ", s.Command)
		}
	}
	if len(r.NotEvaluated) > 0 && !a.all {
		fmt.Fprintln(out)
		wrap(out, "Not evaluated (-all says why): ", strings.Join(r.NotEvaluated, " "))
	}
	return out.Flush()
}

func finding(out io.Writer, f crossprem.Finding) {
	mark := strings.ToUpper(f.Severity.String())
	if f.Status != crossprem.Failed {
		mark = f.Status.String()
	}
	subject := f.Subject
	if f.Part != "" {
		subject += ", " + f.Part
	}
	fmt.Fprintln(out)
	wrap(out, mark+" ", f.Title+" ["+f.Rule+"]")
	wrap(out, "  at  ", subject)
	wrap(out, "      ", f.Detail)
	if f.Remedy != "" {
		wrap(out, "  do  ", f.Remedy)
	}
	wrap(out, "      ", "Source: "+strings.Join(f.Sources, "; "))
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// wrap prints text behind a mark, its lines below one another.
func wrap(out io.Writer, mark, text string) {
	indent := strings.Repeat(" ", min(len([]rune(mark)), width/2))
	line := mark
	empty := true
	for _, word := range strings.Fields(terminal.Line(text)) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			fmt.Fprintln(out, strings.TrimRight(line, " "))
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	fmt.Fprintln(out, strings.TrimRight(line, " "))
}
