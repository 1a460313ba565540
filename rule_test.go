package crossprem_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
)

func declare(r crossprem.Rule) (panicked any) {
	defer func() { panicked = recover() }()
	new(crossprem.Rules).Declare(r)
	return nil
}

func TestDeclareRefusesWhatCannotKeepThePromises(t *testing.T) {
	good := crossprem.Rule{ID: "key-old", Title: "The key is old", PassedTitle: "The key is new", Sources: []string{"RFC 1"}}
	assert.Nil(t, declare(good))
	for name, change := range map[string]func(*crossprem.Rule){
		"no id":          func(r *crossprem.Rule) { r.ID = "" },
		"an id in words": func(r *crossprem.Rule) { r.ID = "old key" },
		"no title":       func(r *crossprem.Rule) { r.Title = "" },
		"one title":      func(r *crossprem.Rule) { r.PassedTitle = r.Title },
		"no source":      func(r *crossprem.Rule) { r.Sources = nil },
		"an empty one":   func(r *crossprem.Rule) { r.Sources = []string{""} },
		"days":           func(r *crossprem.Rule) { r.Title = "The key ends within 60 days" },
		"a day":          func(r *crossprem.Rule) { r.PassedTitle = "The key lasts beyond 2027-04-01" },
	} {
		r := good
		change(&r)
		assert.NotNil(t, declare(r), name)
	}
	var rules crossprem.Rules
	rules.Declare(good)
	assert.Panics(t, func() { rules.Declare(good) }, "declared twice")
}

func TestRuleMakesFindings(t *testing.T) {
	var rules crossprem.Rules
	rule := rules.Declare(crossprem.Rule{ID: "key-old", Severity: crossprem.Critical, Title: "The key is old", PassedTitle: "The key is not old", Remedy: "Make a new key.", Sources: []string{"RFC 1"}})
	assert.Equal(t, "It is not known whether the key is old", rule.UnknownTitle)

	f := rule.Failed("k1")
	assert.Equal(t, crossprem.Finding{Rule: "key-old", Status: crossprem.Failed, Severity: crossprem.Critical, Subject: "k1",
		Title: "The key is old", Remedy: "Make a new key.", Sources: []string{"RFC 1"}}, f)
	f.Sources[0] = "changed"
	assert.Equal(t, "RFC 1", rule.Sources[0], "a finding's sources are its own")
	assert.Equal(t, "RFC 1", rules.All()[0].Sources[0])

	assert.Equal(t, "The key is not old", rule.Passed("k1").Title)
	assert.Empty(t, rule.Passed("k1").Remedy)
	u := rule.Unknown("k1", "The key was not read.")
	assert.Equal(t, "The key was not read.", u.Detail)
	assert.Equal(t, crossprem.Unknown, u.Status)
}

func TestOneScaleOfSeverity(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		days int
		want crossprem.Severity
	}{
		{-900, crossprem.Critical}, {0, crossprem.Critical}, {30, crossprem.Critical}, {31, crossprem.Warning},
		{180, crossprem.Warning}, {181, crossprem.Info}, {900, crossprem.Info},
	} {
		assert.Equal(t, test.want, crossprem.SeverityBy(at.AddDate(0, 0, test.days), at), "%d days", test.days)
	}
	assert.Equal(t, crossprem.Info, crossprem.SeverityBy(time.Time{}, at), "no day is known")

	var rules crossprem.Rules
	mild := rules.Declare(crossprem.Rule{ID: "a", Severity: crossprem.Warning, Title: "It ends", PassedTitle: "It does not end", Sources: []string{"RFC 1"}})
	assert.Equal(t, crossprem.Warning, mild.Failed("s").DueOn(at, at).Severity, "never above the rule's")
	assert.Equal(t, crossprem.Info, mild.Failed("s").DueOn(at.AddDate(1, 0, 0), at).Severity)
	assert.Equal(t, crossprem.Warning, mild.Failed("s").DueOn(time.Time{}, at).Severity, "no day: the rule's")
	// The nearer the day, the graver: never milder again.
	last := crossprem.Info
	for days := 900; days >= -10; days-- {
		s := crossprem.SeverityBy(at.AddDate(0, 0, days), at)
		assert.GreaterOrEqual(t, s, last)
		last = s
	}
}
