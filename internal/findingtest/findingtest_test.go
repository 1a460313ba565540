package findingtest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
)

type recorder []string

func (r *recorder) Helper()                           {}
func (r *recorder) Errorf(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

func TestCheckFindsEveryBrokenPromise(t *testing.T) {
	var rules crossprem.Rules
	rule := rules.Declare(crossprem.Rule{ID: "key-old", Severity: crossprem.Warning, Title: "The key is old", PassedTitle: "The key is not old", Sources: []string{"RFC 1"}})
	good := rule.Failed("k").Explain("It is {years} years old.", crossprem.Val("years", 3))
	assert.Empty(t, findingtest.Problems(rules.All(), []crossprem.Finding{good}))

	for name, breakIt := range map[string]func(*crossprem.Finding){
		"unknown rule":     func(f *crossprem.Finding) { f.Rule = "other" },
		"too severe":       func(f *crossprem.Finding) { f.Severity = crossprem.Critical },
		"another title":    func(f *crossprem.Finding) { f.Title = "Old" },
		"another outcome":  func(f *crossprem.Finding) { f.Status = crossprem.Passed },
		"no source":        func(f *crossprem.Finding) { f.Sources = nil },
		"no subject":       func(f *crossprem.Finding) { f.Subject = "" },
		"a value twice":    func(f *crossprem.Finding) { f.Values = append(f.Values, f.Values...) },
		"a broken format":  func(f *crossprem.Finding) { f.Detail = "%!d(string=a)" },
		"a nameless value": func(f *crossprem.Finding) { f.Values = []crossprem.Value{{Text: "1"}} },
	} {
		bad := good
		breakIt(&bad)
		var r recorder
		findingtest.Check(&r, name, rules.All(), []crossprem.Finding{bad})
		assert.NotEmpty(t, r, name)
	}
	assert.NotEmpty(t, findingtest.Problems(rules.All(), []crossprem.Finding{good, good}), "one key twice")
	assert.NotEmpty(t, findingtest.Problems(rules.All(), []crossprem.Finding{rule.Unknown("k", "")}), "unknown without a reason")

	var r recorder
	findingtest.CheckRules(&r, []crossprem.Rule{{ID: "b", Title: "x", PassedTitle: "x"}, {ID: "a", Title: "within 60 days"}})
	assert.GreaterOrEqual(t, len(r), 5)
	r = nil
	findingtest.CheckRules(&r, rules.All())
	assert.Empty(t, r)
}
