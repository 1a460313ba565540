package crossprem_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

func TestKeyIsInjective(t *testing.T) {
	same := func(a, b [3]string) bool {
		f := crossprem.Finding{Rule: a[0], Subject: a[1], Part: a[2]}
		g := crossprem.Finding{Rule: b[0], Subject: b[1], Part: b[2]}
		rule, subject, part, err := crossprem.ParseKey(f.Key())
		return (f.Key() == g.Key()) == (a == b) && err == nil && [3]string{rule, subject, part} == a
	}
	require.NoError(t, quick.Check(same, nil))
	assert.True(t, same([3]string{"a", "b/c", ""}, [3]string{"a", "b", "c/"}))
	for _, bad := range []string{"", "a/b", "a/b/c/d", "%zz//"} {
		_, _, _, err := crossprem.ParseKey(bad)
		assert.Error(t, err, bad)
	}
}

func TestCompare(t *testing.T) {
	finding := func(subject string, s crossprem.Status, detail string) crossprem.Finding {
		return crossprem.Finding{Rule: "r", Subject: subject, Status: s, Detail: detail, Severity: crossprem.Warning}
	}
	before := []crossprem.Finding{
		finding("fixed", crossprem.Failed, ""), finding("became unknown", crossprem.Failed, ""), finding("absent", crossprem.Failed, ""),
		finding("same", crossprem.Failed, "x"), finding("changed", crossprem.Failed, "x"), finding("broke", crossprem.Passed, ""),
		finding("was unknown", crossprem.Unknown, ""), finding("still unknown", crossprem.Unknown, ""),
	}
	after := []crossprem.Finding{
		finding("fixed", crossprem.Passed, ""), finding("became unknown", crossprem.Unknown, ""),
		finding("same", crossprem.Failed, "x"), finding("changed", crossprem.Failed, "y"), finding("broke", crossprem.Failed, ""),
		finding("was unknown", crossprem.Failed, ""), finding("still unknown", crossprem.Unknown, ""), finding("appeared", crossprem.Failed, ""),
		finding("passes", crossprem.Passed, ""),
	}
	c := crossprem.Compare(before, after)
	subjects := func(list []crossprem.Change) (names []string) {
		for _, change := range list {
			if change.After.Rule != "" {
				names = append(names, change.After.Subject)
			} else {
				names = append(names, change.Before.Subject)
			}
		}
		slices.Sort(names)
		return names
	}
	assert.Equal(t, []string{"appeared", "broke", "was unknown"}, subjects(c.New))
	assert.Equal(t, []string{"fixed"}, subjects(c.Fixed))
	assert.Equal(t, []string{"changed"}, subjects(c.Changed))
	assert.Equal(t, []string{"absent", "became unknown"}, subjects(c.NotAsked))
	assert.Equal(t, []string{"passes", "same", "still unknown"}, subjects(c.Same))
}

// Values decide what changed, where both have them: a detail may say how many
// days are left, and would change every day.
func TestCompareByValues(t *testing.T) {
	due := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	f := crossprem.Finding{Rule: "r", Subject: "s", Status: crossprem.Failed, Due: due}
	before := f.Explain("12 days are left for {users} users.", crossprem.Val("users", 3))
	after := f.Explain("11 days are left for {users} users.", crossprem.Val("users", 3))
	assert.Len(t, crossprem.Compare([]crossprem.Finding{before}, []crossprem.Finding{after}).Same, 1)
	after = f.Explain("11 days are left for {users} users.", crossprem.Val("users", 4))
	assert.Len(t, crossprem.Compare([]crossprem.Finding{before}, []crossprem.Finding{after}).Changed, 1)
	after = before
	after.Due = due.In(time.FixedZone("", 3600))
	assert.Len(t, crossprem.Compare([]crossprem.Finding{before}, []crossprem.Finding{after}).Same, 1, "the same instant")
}

// Every key of either side is in exactly one list, and nothing unknown or
// absent is called fixed.
func TestCompareLosesNothing(t *testing.T) {
	check := func(b, a []uint8) bool {
		list := func(bytes []uint8) (fs []crossprem.Finding) {
			for _, x := range bytes {
				fs = append(fs, crossprem.Finding{Rule: "r", Subject: string(rune('a' + x%7)), Status: crossprem.Status(x / 7 % 3)})
			}
			return fs
		}
		before, after := list(b), list(a)
		c := crossprem.Compare(before, after)
		keys := make(map[string]int)
		for _, one := range [][]crossprem.Change{c.New, c.Fixed, c.Changed, c.Same, c.NotAsked} {
			for _, change := range one {
				f := change.After
				if f.Rule == "" {
					f = change.Before
				}
				keys[f.Key()]++
			}
		}
		for _, change := range c.Fixed {
			if change.After.Status != crossprem.Passed || change.Before.Status != crossprem.Failed {
				return false
			}
		}
		for _, f := range append(before, after...) {
			if keys[f.Key()] != 1 {
				return false
			}
			delete(keys, f.Key())
			keys[f.Key()] = 1
		}
		return true
	}
	require.NoError(t, quick.Check(check, &quick.Config{MaxCount: 2000}))
}

func TestWorstFirst(t *testing.T) {
	due := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	want := []crossprem.Finding{
		{Status: crossprem.Failed, Severity: crossprem.Critical, Due: due},
		{Status: crossprem.Failed, Severity: crossprem.Critical, Due: due.AddDate(0, 0, 1)},
		{Status: crossprem.Failed, Severity: crossprem.Critical},
		{Status: crossprem.Failed, Severity: crossprem.Info},
		{Status: crossprem.Unknown, Severity: crossprem.Critical},
		{Status: crossprem.Passed, Severity: crossprem.Critical, Rule: "a"},
		{Status: crossprem.Passed, Severity: crossprem.Critical, Rule: "b"},
		{Status: crossprem.Passed, Severity: crossprem.Critical, Rule: "b", Part: "x"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortStableFunc(got, crossprem.WorstFirst)
	assert.Equal(t, want, got)
}

func TestTextsInJSONAndSQL(t *testing.T) {
	for s, text := range map[crossprem.Status]string{crossprem.Unknown: "unknown", crossprem.Passed: "passed", crossprem.Failed: "failed"} {
		v, err := s.Value()
		require.NoError(t, err)
		assert.Equal(t, text, v)
		var back crossprem.Status
		require.NoError(t, back.Scan(v))
		assert.Equal(t, s, back)
		require.NoError(t, back.Scan([]byte(text)))
		assert.Equal(t, s, back)
	}
	severity := crossprem.Warning
	assert.Error(t, severity.Scan(nil))
	assert.Error(t, severity.Scan(int64(1)))
	assert.Error(t, severity.Scan("bad"))
	assert.Equal(t, crossprem.Warning, severity)
	_, err := crossprem.Severity(9).Value()
	assert.Error(t, err)

	for _, c := range crossprem.Clouds() {
		b, err := json.Marshal(c)
		require.NoError(t, err)
		var back crossprem.Cloud
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, c, back)
	}
	for text, want := range map[string]crossprem.Cloud{"global": crossprem.Worldwide, "gcchigh": crossprem.GCCHigh, "china": crossprem.China21Vianet, "bleu": crossprem.BleuFrance, "delos": crossprem.DelosGermany, "unknown": crossprem.CloudUnknown} {
		var c crossprem.Cloud
		require.NoError(t, c.UnmarshalText([]byte(text)))
		assert.Equal(t, want, c)
	}
	assert.Equal(t, "Cloud(9)", crossprem.Cloud(9).String())
	assert.Equal(t, crossprem.Yes, crossprem.AnswerOf(true))
	assert.Equal(t, "unknown", crossprem.Answer(0).String())
}

func TestFindingThroughJSON(t *testing.T) {
	due := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	f := crossprem.Finding{Rule: "r", Status: crossprem.Failed, Severity: crossprem.Critical, Subject: "s", Part: "p", Title: "t", Remedy: "m", Due: due, Sources: []string{"RFC 1"}}.
		Explain("{n} of {name} until {day}, {missing}", crossprem.Val("n", 3), crossprem.Val("name", "{n}"), crossprem.Val("day", due))
	assert.Equal(t, "3 of {n} until 2027-04-01, {missing}", f.Detail, "what a value holds is not replaced again")
	b, err := json.Marshal(f)
	require.NoError(t, err)
	var back crossprem.Finding
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, f, back)
	assert.Equal(t, "2027-04-01T10:00:00Z", crossprem.Val("t", due.Add(10*time.Hour)).Text)
	assert.Equal(t, "", crossprem.Val("t", time.Time{}).Text)
	assert.Equal(t, "a, b", crossprem.Val("l", []string{"a", "b"}).Text)
}
