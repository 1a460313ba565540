package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
)

// width is that of a line; more would wrap in a small window.
const width = 100

// plain makes the names that a folder or a tenant holds harmless to a terminal.
type plain struct{ io.Writer }

func (p plain) Write(b []byte) (int, error) {
	_, err := p.Writer.Write(bytes.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return ' '
		}
		return r
	}, b))
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// screen prints to out and keeps the first error.
type screen struct {
	out io.Writer
	err error

	seen map[string]bool // of one assessment: what need not be printed again
}

func (s *screen) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

// line prints text behind a mark, wrapped under itself.
func (s *screen) line(mark, text string) {
	indent := strings.Repeat(" ", len([]rune(mark)))
	for n, part := range wrap(text, width-len(indent)) {
		if n > 0 {
			mark = indent
		}
		s.printf("%s%s\n", mark, part)
	}
}

func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *screen) assessment(i connectversion.Installed, a connectversion.Assessment) {
	name := strings.TrimSpace(i.Product.Title() + " " + i.Component)
	s.printf("%s %s on %s", name, a.Version, a.At.Format(time.DateOnly))
	if i.Server != "" {
		s.printf(", %s", i.Server)
	}
	s.printf("\n%s\n", strings.Repeat("=", min(width, len(name)+len(a.Version.String())+15)))

	support := a.Support.String()
	if !a.SupportUntil.IsZero() {
		support += fmt.Sprintf(", last day %s (%s)", a.SupportUntil.Format(time.DateOnly), a.Basis)
	}
	s.printf("support  %s\n", support)
	if !a.Latest.IsZero() {
		s.printf("newest   %s", a.Latest)
		if !a.AsOf.IsZero() && a.At.After(a.AsOf) {
			s.printf(", as of %s", a.AsOf.Format(time.DateOnly))
		}
		s.printf("\n")
	}
	s.printf("\n")

	passed, lacks := 0, 0
	var notKnown []crossprem.Finding
	s.seen = make(map[string]bool)
	for _, f := range a.Findings {
		switch f.Status {
		case crossprem.Failed:
			if f.Severity == crossprem.Info && a.Axes[f.Rule] == connectversion.FeatureAxis {
				lacks++
				continue
			}
			mark := map[crossprem.Severity]string{crossprem.Critical: "!! ", crossprem.Warning: "!  ", crossprem.Info: "-  "}[f.Severity]
			s.line(mark, when(a, f)+f.Title)
			if f.Severity > crossprem.Info && f.Remedy != "" && !s.seen[f.Remedy] {
				s.line("     ", f.Remedy)
				s.seen[f.Remedy] = true
			}
		case crossprem.Unknown:
			notKnown = append(notKnown, f)
		default:
			passed++
		}
	}
	if lacks > 0 {
		s.printf("-  %d notes on what later versions do differently; -json lists them\n", lacks)
	}
	for _, f := range notKnown {
		s.line("?  ", when(a, f)+strings.TrimSuffix(f.Title, "."))
		s.seen[strings.TrimSuffix(f.Title, ".")+"."] = true
	}
	if passed > 0 {
		s.printf("ok other rules that hold: %d\n", passed)
	}
}

// when puts the day of a finding, and how far it is, before its title.
func when(a connectversion.Assessment, f crossprem.Finding) string {
	if f.Due.IsZero() || a.Axes[f.Rule] == connectversion.SecurityAxis {
		return ""
	}
	day := f.Due.Format(time.DateOnly)
	switch n := a.DaysLeft(f.Due); {
	case n == 0:
		return "From " + day + " (today): "
	case n == 1:
		return "From " + day + " (1 day left): "
	case n > 0:
		return fmt.Sprintf("From %s (%d days left): ", day, n)
	}
	return "Since " + day + ": "
}

func (s *screen) plan(i connectversion.Installed, a connectversion.Assessment, p connectversion.UpgradePlan) {
	s.printf("\n")
	for _, step := range p.Steps {
		days := fmt.Sprintf("%s to %s: ", step.From.Format(time.DateOnly), step.Until.Format(time.DateOnly))
		why := ""
		switch n := len(step.Why); {
		case n > 2:
			why = fmt.Sprintf(" (%s and %d more)", step.Why[0], n-1)
		case n > 0:
			why = " (" + strings.Join(step.Why, ", ") + ")"
		}
		switch {
		case step.Version.IsZero() && i.Version.IsZero():
			s.line(days, "nothing is known of what to do.")
		case step.Version.IsZero():
			s.line(days, fmt.Sprintf("no release that is known on %s would surely do%s.", p.At.Format(time.DateOnly), why))
		case step.Version == i.Version && a.Support == connectversion.Outdated && a.SupportUntil.IsZero():
			s.line(days, fmt.Sprintf("%s can stay, as far as any document tells.", step.Version))
		case step.Version == i.Version:
			s.line(days, fmt.Sprintf("%s can stay.", step.Version))
		default:
			s.line(days, fmt.Sprintf("run %s%s.", step.Version, why))
		}
	}
	if p.Automation != crossprem.Passed {
		s.line("   ", "Automation does not get there by itself, or it is not known to. "+p.Why)
	}
	for _, b := range p.Besides {
		if !s.seen[b] {
			s.line(" + ", b)
		}
	}
	s.printf("\n")
}

func (s *screen) evidence(r connectversion.Reconciliation) {
	for _, f := range r.Findings {
		if f.Status == crossprem.Passed {
			continue
		}
		s.line("evidence: ", f.Title+". "+f.Detail)
	}
}
