// Package findingtest checks that findings keep the promises of
// [crossprem.Finding] and rules those of [crossprem.Rule]. Every package runs
// it over all its verdict functions.
package findingtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A T is what of *testing.T is needed here.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check checks the findings of one verdict against the rules of the package,
// and reports every promise that one of them breaks. The name says which
// verdict it was.
func Check(t T, name string, rules []crossprem.Rule, findings []crossprem.Finding) {
	t.Helper()
	for _, problem := range Problems(rules, findings) {
		t.Errorf("%s: %s", name, problem)
	}
}

// varies finds in titles what differs from one day or setting to the next.
var varies = regexp.MustCompile(`(?i)\d{4}-\d{2}-\d{2}|\b\d+ ?(hours?|days?|weeks?|months?|minutes?|%|percent|bits?)\b|\bwithin \d`)

// Problems returns what is wrong with findings, one line each.
func Problems(rules []crossprem.Rule, findings []crossprem.Finding) (problems []string) {
	seen := make(map[string]bool, len(findings))
	for _, f := range findings {
		wrong := func(format string, args ...any) {
			problems = append(problems, f.Key()+" ("+f.Status.String()+"): "+fmt.Sprintf(format, args...))
		}
		i := slices.IndexFunc(rules, func(r crossprem.Rule) bool { return r.ID == f.Rule })
		if i < 0 {
			wrong("no such rule in Rules()")
			continue
		}
		r := rules[i]
		if seen[f.Key()] {
			wrong("the key is there twice")
		}
		seen[f.Key()] = true
		if f.Severity > r.Severity {
			wrong("severity %v is above the rule's, %v", f.Severity, r.Severity)
		}
		if want := r.TitleFor(f.Status); f.Title != want {
			wrong("the title is %q, the rule's for this outcome is %q", f.Title, want)
		}
		if varies.MatchString(f.Title) {
			wrong("the title %q holds what varies", f.Title)
		}
		if len(f.Sources) == 0 {
			wrong("there is no source")
		}
		if !f.Due.Equal(f.Due.UTC().Truncate(24 * time.Hour)) {
			wrong("due at %v, which is not a day", f.Due)
		}
		if f.Subject == "" {
			wrong("there is no subject")
		}
		if f.Status != crossprem.Failed && f.Detail == "" {
			wrong("the detail does not say what was looked for, or what was missing")
		}
		for _, text := range []string{f.Detail, f.Remedy} {
			if strings.Contains(text, "%!") {
				wrong("a format went wrong: %q", text)
			}
		}
		names := make(map[string]bool)
		for _, v := range f.Values {
			if v.Name == "" || names[v.Name] {
				wrong("the value %q is there twice, or has no name", v.Name)
			}
			names[v.Name] = true
		}
		if f.Status == crossprem.Passed && f.Remedy != "" {
			wrong("it passed, and has a remedy")
		}
	}
	return problems
}

// CheckRules checks that rules are sorted, complete, and that no two share a
// title, so that a title tells which rule and outcome it is.
func CheckRules(t T, rules []crossprem.Rule) {
	t.Helper()
	if !slices.IsSortedFunc(rules, func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("the rules are not sorted by ID")
	}
	titles := make(map[string]string)
	for _, r := range rules {
		for _, s := range []crossprem.Status{crossprem.Unknown, crossprem.Passed, crossprem.Failed} {
			title := r.TitleFor(s)
			id := r.ID + " " + s.String()
			if title == "" {
				t.Errorf("%s has no title", id)
			}
			if other, taken := titles[title]; taken {
				t.Errorf("%s and %s have the same title: %q", id, other, title)
			}
			titles[title] = id
			if varies.MatchString(title) {
				t.Errorf("%s: the title holds what varies: %q", id, title)
			}
		}
		if len(r.Sources) == 0 {
			t.Errorf("%s has no source", r.ID)
		}
	}
}
