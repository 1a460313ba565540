package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/connectversion"
)

// healthAgent is how the page of the Health agents names a release, within
// sections that are months: "Connect Health agent for AD FS (version 3.1.2.0)".
var healthAgent = regexp.MustCompile(`Connect Health([^(]*)\((versions?) ([^)]*)\)`)

// healthRoles are the words for the agent's roles, in the order of their names.
var healthRoles = []struct{ role, words string }{
	{"adds", `ad ?ds\b`}, {"adfs", `ad ?fs\b`}, {"sync", `for sync\b|for (?:microsoft entra|azure ad) connect\b`},
}

var rolePatterns = func() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, r := range healthRoles {
		all = append(all, regexp.MustCompile(`(?i)`+r.words))
	}
	return all
}()

// parseHealth reads the page of the Health agents. A number that is named
// again for the same role came with a later Connect; its first month counts.
// Ranges such as "versions 4.5.x - 4.5.2462" name no release.
func parseHealth(page []byte) (history, error) {
	var h history
	date, n, monthLevel := "", 0, 2
	lines, err := linesOf(page)
	if err != nil {
		return h, err
	}
	for _, l := range lines {
		line := l.text
		n = l.number
		if m := aHeading.FindStringSubmatch(line); m != nil {
			var rest string
			var ok bool
			if date, rest, ok = cutDate(plainText(m[2])); !ok && len(m[1]) > monthLevel {
				continue // a part of the month's section
			}
			if !ok || strings.TrimSpace(rest) != "" {
				date = "" // a range of months, or something else
			}
			monthLevel = len(m[1])
			continue
		}
		for _, found := range healthAgent.FindAllStringSubmatch(line, -1) {
			if found[2] == "versions" {
				continue
			}
			number, _, _ := strings.Cut(found[3], ",")
			v, err := connectversion.Parse(strings.TrimSpace(number))
			if err != nil {
				return history{}, fmt.Errorf("line %d: %w", n, err)
			}
			if date == "" {
				return history{}, fmt.Errorf("line %d: %s stands below no month", n, v)
			}
			h.addHealth(section{version: v, line: n, released: date, roles: rolesOf(found[1]), security: false})
		}
		if len(h.sections) > 0 && date != "" && strings.HasPrefix(strings.TrimLeft(line, "-* "), "Security") {
			h.sections[len(h.sections)-1].security = true
		}
	}
	return h, nil
}

// rolesOf returns the roles that a name speaks of, none if it names none.
func rolesOf(name string) []string {
	var roles []string
	for i, p := range rolePatterns {
		if p.MatchString(name) {
			roles = append(roles, healthRoles[i].role)
		}
	}
	return roles
}

// addHealth adds a release, whose roles go to the section of the same month,
// and not to a later one.
func (h *history) addHealth(s section) {
	for i := range h.sections {
		old := &h.sections[i]
		if old.version != s.version {
			continue
		}
		if old.released == s.released {
			old.roles = slices.Compact(slices.Sorted(slices.Values(append(old.roles, s.roles...))))
			return
		}
		same := func(role string) bool { return slices.Contains(s.roles, role) }
		if !slices.ContainsFunc(old.roles, same) {
			continue
		}
		if s.released < old.released { // the page goes back in time
			old.released, old.line = s.released, s.line
		}
		return
	}
	h.sections = append(h.sections, s)
}
