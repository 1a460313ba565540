package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// maxTodo is how many lines the to-do list has at most.
const maxTodo = 7

// A todo is one line of the to-do list.
type todo struct {
	Severity crossprem.Severity
	What     string // the title of the findings
	Whom     string // their subjects, the first few
	Until    string // the earliest day, "now", or ""
	Command  string // the first line of the remedy that looks like one, or the remedy
}

// todoList makes one line of the failed findings of each rule that have a
// remedy, the worst rules first. Notes are left out as long as there is
// something graver.
func todoList(findings []crossprem.Finding, at time.Time) []todo {
	failed := slices.DeleteFunc(slices.Clone(findings), func(f crossprem.Finding) bool { return f.Status != crossprem.Failed })
	slices.SortStableFunc(failed, crossprem.WorstFirst)
	var list []todo
	seen := make(map[string]bool)
	for _, f := range failed {
		if seen[f.Rule] || f.Remedy == "" || f.Severity == crossprem.Info && len(list) > 0 {
			continue
		}
		seen[f.Rule] = true
		if len(list) == maxTodo {
			break
		}
		line := todo{Severity: f.Severity, What: f.Title, Command: f.Remedy}
		var whom []string
		for _, g := range failed {
			if g.Rule == f.Rule && !slices.Contains(whom, g.Subject) {
				whom = append(whom, g.Subject)
			}
		}
		if more := len(whom) - 3; more > 0 {
			whom = append(whom[:3:3], fmt.Sprintf("%d more", more))
		}
		line.Whom = strings.Join(whom, ", ")
		switch {
		case f.Due.IsZero():
		case !f.Due.After(at):
			line.Until = "now"
		default:
			line.Until = "by " + f.Due.Format(time.DateOnly)
		}
		list = append(list, line)
	}
	return list
}
