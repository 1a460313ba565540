package authinspect

import (
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

// Rules returns the rules that the findings of this package name, sorted by
// ID: those on web endpoints and those on mail servers. The slice is the
// caller's.
func Rules() []crossprem.Rule {
	rules := slices.Concat(webRules, mailRules)
	for i := range rules {
		rules[i].Sources = slices.Clone(rules[i].Sources)
	}
	slices.SortFunc(rules, func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules
}
