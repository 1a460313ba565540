package connectversion

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

// The second implementation: it reads the JSON as maps and goes through it row
// by row, with dates as text. Nothing of the package is used but the answers.

type naive struct {
	rows     []map[string]any
	policies []map[string]any
	asOf     string
}

func readNaive(t *testing.T, product string) naive {
	read := func(name string) map[string]any {
		text, err := os.ReadFile("data/" + name + ".json")
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(text, &m))
		return m
	}
	var n naive
	table := read(product)
	n.asOf = table["asOf"].(string)
	for _, r := range table["releases"].([]any) {
		n.rows = append(n.rows, r.(map[string]any))
	}
	for _, p := range read("policies")["policies"].([]any) {
		if p := p.(map[string]any); p["product"] == product {
			n.policies = append(n.policies, p)
		}
	}
	return n
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// full makes "2019-03" the first of the month.
func full(date string) string {
	if len(date) == 7 {
		return date + "-01"
	}
	return date
}

func below(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range as {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return x < y
		}
	}
	return false
}

func inRange(p map[string]any, version string) bool {
	r, ok := p["appliesTo"].(map[string]any)
	if !ok {
		return true
	}
	if list, ok := r["versions"].([]any); ok {
		return slices.Contains(list, any(version))
	}
	if m := str(r, "min"); m != "" && below(version, m) {
		return false
	}
	if m := str(r, "max"); m != "" && below(m, version) {
		return false
	}
	if m := str(r, "below"); m != "" && !below(version, m) {
		return false
	}
	return true
}

// mayHit reports whether a cut-off hits some server of this version.
func mayHit(p map[string]any, version string) bool {
	if inRange(p, version) || p["requires"] != nil {
		return true
	}
	r, _ := p["appliesTo"].(map[string]any)
	other := str(r, "belowOtherClouds")
	return other != "" && below(version, other)
}

func monthsLater(date string, n int) string {
	y, _ := strconv.Atoi(date[:4])
	m, _ := strconv.Atoi(date[5:7])
	d, _ := strconv.Atoi(date[8:])
	m += n
	for m > 12 {
		y, m = y+1, m-12
	}
	for {
		text := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
		if int(text.Month()) == m {
			return text.Format(time.DateOnly)
		}
		d--
	}
}

type naiveAnswer struct {
	support, until, latest     string
	stopped, upcoming, missing []string
}

// releaseDays are the days on which anything was released.
func (n naive) releaseDays() (days []string) {
	for _, r := range n.rows {
		if str(r, "status") == "" && str(r, "released") != "" {
			days = append(days, full(str(r, "released")))
		}
	}
	return days
}

// answer judges for a server of which everything is known and good, or else
// nothing.
func (n naive) answer(version, at string, known bool) naiveAnswer {
	a := naiveAnswer{support: "outdated"}
	var row map[string]any
	top := "0.0.0.0"
	out := func(r map[string]any) bool {
		return str(r, "status") == "" && str(r, "released") != "" && full(str(r, "released")) <= at
	}
	for _, r := range n.rows {
		v := str(r, "version")
		if v == version && row == nil {
			row = r
		}
		if out(r) && (a.latest == "" || below(a.latest, v)) {
			a.latest = v
		}
		if str(r, "status") != "never-released" && below(top, v) {
			top = v
		}
	}
	// End of support.
	a.until = str(row, "retired")
	if a.until == "" {
		for _, p := range n.policies {
			if p["kind"] == "retirement" && str(p, "supersededBy") == "" && inRange(p, version) && (a.until == "" || str(p, "effective") < a.until) {
				a.until = str(p, "effective")
			}
		}
	}
	window := 12
	for _, p := range n.policies {
		if p["kind"] != "rolling-retirement" {
			continue
		}
		window = int(p["windowMonths"].(float64))
		if a.until != "" || row == nil || str(row, "status") != "" || !inRange(p, version) {
			continue
		}
		for _, next := range n.rows { // sorted by version
			if below(version, str(next, "version")) && str(next, "status") == "" && str(next, "released") != "" {
				a.until = max(monthsLater(str(next, "released"), window), str(p, "effective"))
				break
			}
		}
	}
	// State of support.
	switch {
	case str(row, "status") == "recalled":
		a.support = "recalled"
	case row != nil && str(row, "status") == "" && full(str(row, "released")) > at:
		a.support = "unknown"
	case a.until != "" && at > a.until:
		a.support = "retired"
	case below(top, version):
		a.support = "newer-than-data"
	case row == nil || str(row, "status") == "never-released":
		a.support = "unlisted"
	case a.latest == "" || !below(version, a.latest):
		a.support = "supported"
		if a.until == "" && at > monthsLater(n.asOf, window) {
			a.support = "unknown"
		}
	}
	// Cut-offs and deprecations.
	for _, p := range n.policies {
		hit := inRange(p, version) && str(p, "component") == ""
		switch p["kind"] {
		case "hard-cutoff":
			if hit && str(p, "effective") <= at {
				a.stopped = append(a.stopped, str(p, "id"))
			} else if (hit || !known && mayHit(p, version)) && str(p, "effective") > at {
				a.upcoming = append(a.upcoming, str(p, "effective")+" "+str(p, "id"))
			}
		case "rolling-deprecation":
			if released := full(str(row, "released")); row != nil && released != "" && str(row, "status") == "" {
				// Evaluated on the day from which it holds, and with every release after that.
				due, old := "9999-12-31", monthsLater(released, int(p["windowMonths"].(float64)))
				for _, day := range append(n.releaseDays(), str(p, "effective")) {
					if day > old && day >= str(p, "effective") && day < due {
						due = day
					}
				}
				if due > at && due < "2022-08-31" {
					a.upcoming = append(a.upcoming, due+" "+str(p, "id"))
				}
			}
		}
	}
	slices.Sort(a.upcoming)
	// Security fixes.
	for _, r := range n.rows {
		if r["securityFix"] == true && out(r) && below(version, str(r, "version")) && (str(row, "released") == "" || full(str(r, "released")) > full(str(row, "released"))) {
			a.missing = append(a.missing, str(r, "version"))
		}
	}
	return a
}

func naively(got Assessment) naiveAnswer {
	answer := naiveAnswer{support: got.Support.String(), stopped: got.Stopped}
	if !got.SupportUntil.IsZero() {
		answer.until = got.SupportUntil.Format(time.DateOnly)
	}
	if !got.Latest.IsZero() {
		answer.latest = got.Latest.String()
	}
	for _, u := range got.Upcoming {
		answer.upcoming = append(answer.upcoming, u.Date.Format(time.DateOnly)+" "+u.Rule)
	}
	for _, v := range got.MissingSecurityFixes {
		answer.missing = append(answer.missing, v.String())
	}
	return answer
}

// Every listed version of every product, and some that are not, on days that
// matter and on days that do not.
func TestVerdictsAgreeWithTheNaiveReading(t *testing.T) {
	unlisted := []string{"0.9.0.0", "1.1.400.0", "1.4.26.0", "1.6.99.0", "2.3.21.0", "2.5.80.0", "2.6.80.0", "2.7.0.0", "4.5.2600.0", "9.0.0.0"}
	days := []string{
		"2014-09-01", "2017-04-13", "2017-04-14", "2019-07-01", "2020-07-01", "2020-10-31", "2020-11-01", "2021-06-09",
		"2021-08-10", "2022-08-31", "2022-09-01", "2023-03-15", "2023-03-16", "2023-09-30", "2023-10-01", "2024-10-11", "2024-10-12",
		"2025-04-06", "2025-04-07", "2025-04-30", "2025-05-01", "2026-09-29", "2026-09-30", "2026-10-23", "2026-10-24",
		"2026-11-22", "2027-04-06", "2027-04-07", "2027-09-16", "2027-09-28", "2027-09-30", "2028-01-01", "2035-06-15",
	}
	pairs, seen := 0, map[string]int{}
	for _, p := range Products() {
		n := readNaive(t, p.String())
		versions := slices.Clone(unlisted)
		for _, r := range n.rows {
			versions = append(versions, str(r, "version"))
		}
		for _, text := range versions {
			for _, at := range days {
				version, err := Parse(text)
				require.NoError(t, err)
				date, err := time.Parse(time.DateOnly, at)
				require.NoError(t, err)
				for known, facts := range map[bool]Facts{true: {Cloud: crossprem.Worldwide, Authentication: Application, Component: "proxy"}, false: {}} {
					answer := naively(Assess(p, version, date, facts))
					if !assert.Equal(t, n.answer(text, at, known), answer, "%s %s on %s, known: %v", p, text, at, known) {
						return
					}
					seen[answer.support]++
				}
				pairs++
			}
		}
	}
	t.Logf("%d pairs of version and date: %v", pairs, seen)
	assert.Greater(t, pairs, 300)
	for _, s := range supportTexts.All() {
		assert.NotZero(t, seen[s], "no pair came out as %s", s)
	}
}
