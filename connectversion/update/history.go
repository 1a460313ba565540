package main

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/connectversion"
)

// A history is what a page lists.
type history struct {
	sections []section
	support  map[connectversion.Version]time.Time // the table of support, if the page has one
}

// A section is one release.
type section struct {
	version     connectversion.Version
	line        int    // of its heading
	released    string // "2026-09-23", "2016-02", or "" if the section tells no day
	autoUpgrade string // "yes", "no" or ""
	implied     bool   // the "no" is read from a line that says download and nothing more
	cves        []string
	security    bool // the notes speak of a security fix or update
	roles       []string
}

var (
	heading     = regexp.MustCompile(`^##\s+(?:Version\s+)?v?(\d[\d.]*)\s*:?\s*$`)
	cell        = regexp.MustCompile(`^\[?(\d+\.\d+\.\d+\.\d+)\]?(?:\([^)]*\))?$`)
	cve         = regexp.MustCompile(`CVE-\d{4}-\d{4,7}`)
	security    = regexp.MustCompile(`(?i)security (?:fix|update|issue|vulnerab)|vulnerability`)
	offered     = regexp.MustCompile(`(?i)auto[ -]?(?:upgrade|update)`)
	notOffered  = regexp.MustCompile(`(?i)(?:not|n['’]t) (?:be )?(?:available|released) (?:for|through|via) auto|download only|only available for install via`)
	notYet      = regexp.MustCompile(`(?i)auto[ -]?(?:upgrade|update) soon|will be (?:made )?available`)
	ordinal     = regexp.MustCompile(`(\d)(?:st|nd|rd|th)`)
	supportHead = regexp.MustCompile(`(?i)end of support`)
)

// dateForms are those that the pages have used over the years.
var dateForms = []struct {
	pattern *regexp.Regexp
	layouts []string
	month   bool // the day is not told
}{
	{regexp.MustCompile(`^\d{1,2}/\d{1,2}/\d{4}`), []string{"1/2/2006"}, false},
	{regexp.MustCompile(`^\d{1,2} [A-Z][a-z]+\.? \d{4}`), []string{"2 Jan 2006", "2 January 2006"}, false},
	{regexp.MustCompile(`^[A-Z][a-z]+\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}`), []string{"Jan 2 2006", "January 2 2006"}, false},
	{regexp.MustCompile(`^\d{4} [A-Z][a-z]+`), []string{"2006 January", "2006 Jan"}, true},
	{regexp.MustCompile(`^[A-Z][a-z]+ \d{4}`), []string{"January 2006", "Jan 2006"}, true},
}

// cutDate reads a date at the beginning of text. Ok is false if there is none.
func cutDate(text string) (date, rest string, ok bool) {
	for _, form := range dateForms {
		found := form.pattern.FindString(text)
		if found == "" {
			continue
		}
		plain := strings.NewReplacer(",", "", ".", "", "Sept ", "Sep ").Replace(ordinal.ReplaceAllString(found, "$1"))
		for _, layout := range form.layouts {
			t, err := time.Parse(layout, plain)
			if err != nil {
				continue
			}
			if form.month {
				return t.Format("2006-01"), text[len(found):], true
			}
			return t.Format(time.DateOnly), text[len(found):], true
		}
	}
	return "", text, false
}

// parseHistory reads a page. It would rather stop than guess: a heading, a row
// or a date of a shape it does not know is an error that names the line.
func parseHistory(page []byte) (history, error) {
	h := history{support: make(map[connectversion.Version]time.Time)}
	seen := make(map[connectversion.Version]int)
	var current *section
	inTable := false
	lines := bufio.NewScanner(bytes.NewReader(page))
	lines.Buffer(nil, 1<<20)
	n := 0
	fail := func(format string, args ...any) (history, error) {
		return history{}, fmt.Errorf("line %d: %s", n, fmt.Sprintf(format, args...))
	}
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasPrefix(line, "## "):
			current, inTable = nil, false
			found := heading.FindStringSubmatch(line)
			if found == nil {
				continue // of something else
			}
			v, err := connectversion.Parse(found[1])
			if err != nil {
				return fail("a heading with a version of another shape: %.60q", line)
			}
			if first := seen[v]; first != 0 {
				return fail("%s has a section already, in line %d", v, first)
			}
			seen[v] = n
			h.sections = append(h.sections, section{version: v, line: n})
			current = &h.sections[len(h.sections)-1]
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			if supportHead.MatchString(line) && !cell.MatchString(strings.TrimSpace(cells[0])) {
				if len(cells) != 2 || !strings.EqualFold(strings.TrimSpace(cells[0]), "version") || !supportHead.MatchString(cells[1]) {
					return fail("the table of support has other columns: %.80q", line)
				}
				inTable = true
				continue
			}
			if !inTable || strings.Trim(line, "|-: ") == "" {
				continue
			}
			if err := h.supportRow(cells); err != nil {
				return fail("%v", err)
			}
		default:
			inTable = inTable && line == ""
			if current != nil {
				if err := current.text(line); err != nil {
					return fail("%v", err)
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return history{}, err
	}
	return h, nil
}

func (h *history) supportRow(cells []string) error {
	if len(cells) != 2 {
		return fmt.Errorf("a row of %d cells in the table of support", len(cells))
	}
	found := cell.FindStringSubmatch(strings.TrimSpace(cells[0]))
	if found == nil {
		return fmt.Errorf("no version in the table of support: %.60q", cells[0])
	}
	v, err := connectversion.Parse(found[1])
	if err != nil {
		return err
	}
	text := strings.TrimSpace(cells[1])
	if strings.HasPrefix(text, "TBD") || text == "" {
		return nil
	}
	date, _, ok := cutDate(text)
	if !ok || len(date) != len(time.DateOnly) {
		return fmt.Errorf("no day in the table of support for %s: %.60q", v, text)
	}
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return err
	}
	if other, ok := h.support[v]; ok && !other.Equal(day) {
		return fmt.Errorf("two days in the table of support for %s", v)
	}
	h.support[v] = day
	return nil
}

// text takes one line of the section's text. The first that begins with a date
// is the status of the release.
func (s *section) text(line string) error {
	for _, id := range cve.FindAllString(line, -1) {
		s.security = true
		if !slices.Contains(s.cves, id) {
			s.cves = append(s.cves, id)
		}
	}
	s.security = s.security || security.MatchString(line)

	status := strings.TrimSpace(strings.TrimLeft(line, "#>* "))
	for _, prefix := range []string{"Release status:", "Release Status:", "Release date:", "Released:", "Status:", "Status "} {
		status = strings.TrimSpace(strings.TrimPrefix(status, prefix))
	}
	date, rest, ok := cutDate(status)
	if !ok {
		return nil
	}
	if rest = strings.TrimSpace(rest); rest != "" && !strings.HasPrefix(rest, ":") {
		return nil // a sentence that begins with a date
	}
	if s.released != "" && s.released != date {
		return fmt.Errorf("%s has two days of release: %s and %s", s.version, s.released, date)
	}
	s.released = date
	switch {
	case notYet.MatchString(rest):
	case notOffered.MatchString(rest):
		s.autoUpgrade, s.implied = "no", false
	case offered.MatchString(rest):
		s.autoUpgrade, s.implied = "yes", false
	case strings.Contains(strings.ToLower(rest), "download"):
		s.autoUpgrade, s.implied = "no", true
	}
	return nil
}
