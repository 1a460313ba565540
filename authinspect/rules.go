package authinspect

import (
	"github.com/crossprem/crossprem"
)

// rules are all rules of this package: web_rules.go and mail_rules.go declare
// those on web endpoints and on mail servers.
var rules crossprem.Rules

// Rules returns the rules that the findings of this package name, sorted by
// ID: those on web endpoints and those on mail servers. The slice is the
// caller's.
func Rules() []crossprem.Rule { return rules.All() }

// subjectOf is the subject of findings about target, which a literal may lack.
func subjectOf(target string) string {
	if target == "" {
		return "unnamed target"
	}
	return target
}
