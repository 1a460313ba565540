// Package failon is the flag -fail-on of the examples: with it, a pipeline
// stops at a finding that is grave enough.
package failon

import (
	"errors"
	"flag"

	"github.com/crossprem/crossprem"
)

// Exit is the exit code of a program that ran and found what -fail-on names.
const Exit = 3

// A Limit is what the flag says. The zero value fails on nothing.
type Limit struct {
	severity crossprem.Severity
	set      bool
	met      bool
}

// Flag adds -fail-on to flags.
func Flag(flags *flag.FlagSet) *Limit {
	l := new(Limit)
	flags.Func("fail-on", "exit with 3 if a finding is at least a `warning`, or is critical", func(s string) error {
		if s != "warning" && s != "critical" {
			return errors.New("must be warning or critical")
		}
		l.set = true
		return l.severity.UnmarshalText([]byte(s))
	})
	return l
}

// See looks at findings. What is not known does not fail.
func (l *Limit) See(findings ...crossprem.Finding) {
	for _, f := range findings {
		l.met = l.met || l.set && f.Status == crossprem.Failed && f.Severity >= l.severity
	}
}

// Code returns the exit code of a program that would end with code: Exit in
// place of 0 if something was seen that is grave enough.
func (l *Limit) Code(code int) int {
	if code == 0 && l.met {
		return Exit
	}
	return code
}
