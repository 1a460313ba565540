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

	said map[string]bool // of one assessment: what need not be said again
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
	var notKnown []string
	s.said = make(map[string]bool)
	for _, f := range a.Findings {
		switch f.Status {
		case crossprem.Failed:
			if f.Severity == crossprem.Info && connectversion.AxisOf(f.Rule) == connectversion.FeatureAxis {
				lacks++
				continue
			}
			mark := map[crossprem.Severity]string{crossprem.Critical: "!! ", crossprem.Warning: "!  ", crossprem.Info: "-  "}[f.Severity]
			s.line(mark, f.Title)
			if f.Severity > crossprem.Info && f.Remedy != "" && !s.said[f.Remedy] {
				s.line("     ", f.Remedy)
				s.said[f.Remedy] = true
			}
		case crossprem.Unknown:
			notKnown = append(notKnown, strings.TrimSuffix(f.Title, "."))
		default:
			passed++
		}
	}
	if lacks > 0 {
		s.printf("-  %d notes on what later versions do differently; -json lists them\n", lacks)
	}
	for _, title := range notKnown {
		s.line("?  ", title)
		s.said["Check: "+title+"."] = true
	}
	if passed > 0 {
		s.printf("ok other rules that hold: %d\n", passed)
	}
}

func (s *screen) plan(i connectversion.Installed, a connectversion.Assessment, p connectversion.UpgradePlan) {
	s.printf("\nUntil %s: ", p.Horizon.Format(time.DateOnly))
	switch {
	case p.Target.IsZero() && p.Newest.Less(i.Version):
		s.printf("nothing is known of what to do.")
	case p.Target.IsZero():
		s.printf("no release that is known on %s would do.", p.At.Format(time.DateOnly))
	case p.Target == i.Version && a.Support == connectversion.Outdated && a.SupportUntil.IsZero():
		s.printf("%s can stay, as far as any document tells.", p.Target)
	case p.Target == i.Version:
		s.printf("%s can stay.", p.Target)
	default:
		s.printf("%s is the lowest release that is good.", p.Target)
	}
	s.printf("\n")
	if p.Automation != crossprem.Passed {
		s.line("   ", "Automation does not get there by itself, or it is not known to. "+p.Why)
	}
	for _, b := range p.Besides {
		if !s.said[b] {
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
