package connectversion_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
)

// A catalogue that loads gives verdicts on every version and day: findings of
// its own rules with a title, and no cut-off that is both in force and ahead.
func FuzzLoadCatalogue(f *testing.F) {
	f.Add("9.0.1.0", "9.1.0.0", "2029-01-15", "2030-02-15", "hard-cutoff", "2030-06-30", "", "9.1.0.0", "sync-stops", 0, int64(1_900_000_000))
	f.Add("1.0.0.0", "1.0.0.1", "2016-02", "", "rolling-deprecation", "2020-11-01", "", "", "", 18, int64(1_600_000_000))
	f.Add("2.0.3.0", "2.6.3.0", "2022-02-28", "", "rolling-retirement", "2023-03-15", "2.0.0.0", "", "", 12, int64(-1))
	f.Add("2.0.3.0", "65535.0.0.1", "", "", "recall", "", "", "", "", 0, int64(1<<40))
	f.Fuzz(func(t *testing.T, version, other, released, retired, kind, effective, minimum, below, effect string, window int, second int64) {
		type object = map[string]any
		basis := ""
		if retired != "" {
			basis = "documented-table"
		}
		applies := object{"versions": []string{version}}
		if kind != "recall" && kind != "hold" {
			applies = object{}
			for name, bound := range map[string]string{"min": minimum, "below": below} {
				if bound != "" {
					applies[name] = bound
				}
			}
		}
		write := func(o object) *fstest.MapFile {
			b, err := json.Marshal(o)
			require.NoError(t, err)
			return file(b)
		}
		c, err := connectversion.LoadCatalogue(fstest.MapFS{
			"connect-sync.json": write(object{"product": "connect-sync", "asOf": "2031-01-01", "sources": []object{{"id": "a", "name": "A"}}, "releases": []object{
				{"version": version, "released": released, "retired": retired, "retiredBasis": basis, "source": "a", "autoUpgrade": "yes"},
				{"version": other, "released": "2030-03-01", "source": "a", "securityFix": true},
			}}),
			"policies.json": write(object{"asOf": "2031-01-01", "policies": []object{
				{"id": "p", "product": "connect-sync", "rule": "r", "sources": []string{"s"}, "kind": kind, "effective": effective, "appliesTo": applies, "effect": effect, "windowMonths": window},
			}}),
		})
		if err != nil {
			assert.Less(t, len(err.Error()), 1000)
			assert.NotContains(t, err.Error(), "\n")
			assert.True(t, strings.HasPrefix(err.Error(), "connectversion: "), err)
			return
		}
		rules := make(map[string]bool)
		for _, r := range c.Rules() {
			assert.False(t, rules[r.ID], r.ID)
			rules[r.ID] = true
		}
		judge := connectversion.Assessor{Catalogue: c}
		day := c.Policies(connectversion.ConnectSync)[0].Effective
		for _, r := range c.Releases(connectversion.ConnectSync) {
			for _, at := range []time.Time{time.Unix(second, 0), day, day.AddDate(0, 0, -1)} {
				a := judge.Assess(connectversion.ConnectSync, r.Version, at, connectversion.Facts{})
				for _, f := range a.Findings {
					assert.True(t, rules[f.Rule], f.Rule)
					assert.NotEmpty(t, f.Title)
					assert.False(t, f.Status == crossprem.Passed && slices.Contains(a.Stopped, f.Rule))
				}
				for _, u := range a.Upcoming {
					assert.NotContains(t, a.Stopped, u.Rule)
					assert.True(t, u.Date.After(a.At))
				}
				_, err := json.Marshal(a)
				assert.NoError(t, err)
				judge.Plan(connectversion.Installed{Product: connectversion.ConnectSync, Version: r.Version}, connectversion.Facts{}, at, at.AddDate(1, 0, 0))
			}
		}
	})
}
