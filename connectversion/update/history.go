package main

import (
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
	released map[connectversion.Version]string    // its days of release, if it has them
}

// A section is one release.
type section struct {
	version     connectversion.Version
	line        int    // of its heading
	released    string // "2026-09-23", "2016-02", or "" if the section tells no day
	autoUpgrade string // "yes", "no" or ""
	offeredFrom string // the day from which a staged release came by automatic upgrade, or ""
	implied     bool   // the "no" is read from a line that says download and nothing more
	cves        []string
	security    bool // the notes speak of a security fix or update
	roles       []string

	statuses []status
}

// A status is a line that says when a release came, and by which way.
type status struct {
	date, text string
	line       int
}

var (
	aHeading   = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*$`)
	aLink      = regexp.MustCompile(`\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?(?:\{[^}]*\})?`)
	anAnchor   = regexp.MustCompile(`<[^>]*>|\{#[^}]*\}`)
	cve        = regexp.MustCompile(`CVE-\d{4}-\d{4,7}`)
	security   = regexp.MustCompile(`(?i)security (?:fix|update|issue|vulnerab)|vulnerability`)
	offered    = regexp.MustCompile(`(?i)auto(?:matic)?[ -]?(?:upgrade|update)`)
	notOffered = regexp.MustCompile(`(?i)(?:not|n['’]t) (?:be )?(?:available|released) (?:for|through|via) auto|download only|only available for install via`)
	notYet     = regexp.MustCompile(`(?i)auto(?:matic)?[ -]?(?:upgrade|update) soon|will be (?:made )?available`)

	// releaseHead is a heading of a release: a version, and words that go with it.
	releaseHead  = regexp.MustCompile(`(?i)^(?:(?:microsoft|azure|entra|ad|connect|sync|cloud|provisioning|agent|release|build|version)\s+)*:?\s*v?(\d+(?:\.\d+)+)\s*:?\s*(.*)$`)
	statusWords  = regexp.MustCompile(`(?i)^(?:released?(?:\s+(?:status|date|on)\b)?|status\b|date(?: of release)?\b|availab(?:le|ility)\b)\s*[:\-–—]?\s*`)
	namesADate   = regexp.MustCompile(`(?i)^(?:release date|date of release|released on)\s*[:\-–—]?\s*`)
	statusRest   = regexp.MustCompile(`^\s*(?:$|[:;,.(–—-]|(?i:released?|available)\b)`)
	releaseWords = regexp.MustCompile(`(?i)releas|download|auto|availab`)

	headVersion  = regexp.MustCompile(`(?i)^(?:release |product |agent |build |connect(?: sync)? )?(?:version|build)(?:s| number)?$`)
	headSupport  = regexp.MustCompile(`(?i)end[ -]of[ -](?:support|life)|support ends?|support end date|retire`)
	headReleased = regexp.MustCompile(`(?i)^(?:release(?:d)?(?: date| on)?|date of release|release day)$`)
)

// plainText is text without the marks of Markdown.
func plainText(s string) string {
	s = anAnchor.ReplaceAllString(aLink.ReplaceAllString(s, "$1"), "")
	s = strings.NewReplacer("**", "", "__", "", "`", "", "\u00a0", " ", "&nbsp;", " ", `\.`, ".").Replace(s)
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(s), "*_"))
}

// cellsOf returns the cells of a row of a table.
func cellsOf(row string) []string {
	row = strings.ReplaceAll(row, `\|`, "/")
	row = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(row), "|"), "|")
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = plainText(cells[i])
	}
	return cells
}

// A supportTable says which column of a table of support is which; -1 for one
// that it does not have.
type supportTable struct{ width, version, ends, released int }

// readHead finds the columns by their heads, wherever they stand. Ok is false
// if this is not the head of a table of support.
func readHead(cells []string) (t supportTable, ok bool, err error) {
	t = supportTable{len(cells), -1, -1, -1}
	for i, c := range cells {
		var column *int
		switch {
		case headSupport.MatchString(c):
			column = &t.ends
		case headVersion.MatchString(c):
			column = &t.version
		case headReleased.MatchString(c):
			column = &t.released
		default:
			continue
		}
		if *column >= 0 {
			return t, false, fmt.Errorf("the table of support has two columns that may be %.40q", c)
		}
		*column = i
	}
	switch {
	case t.ends < 0:
		return t, false, nil
	case t.version < 0:
		return t, false, fmt.Errorf("the table of support has no column that is surely the version: %.80q", strings.Join(cells, " | "))
	}
	return t, true, nil
}

// parseHistory reads a page. It would rather stop than guess: a heading, a row
// or a date of a shape it does not know is an error that names the line.
func parseHistory(page []byte) (history, error) {
	lines, err := linesOf(page)
	if err != nil {
		return history{}, err
	}
	h := history{support: make(map[connectversion.Version]time.Time), released: make(map[connectversion.Version]string)}
	seen := make(map[connectversion.Version]int)
	at, level := -1, 0 // the section, by its place, and the level of its heading
	var table *supportTable
	inTable, known := false, false // in any table; in one whose head was read
	for _, l := range lines {
		fail := func(err error) (history, error) { return history{}, fmt.Errorf("line %d: %w", l.number, err) }
		if m := aHeading.FindStringSubmatch(l.text); m != nil {
			inTable, known, table = false, false, nil
			v, rest, err := release(plainText(m[2]))
			switch {
			case err != nil:
				return fail(err)
			case v.IsZero() && at >= 0 && len(m[1]) > level: // within the section
				if err := h.sections[at].take(plainText(m[2]), l.number, false); err != nil {
					return fail(err)
				}
			case v.IsZero():
				at = -1
			default:
				if first := seen[v]; first != 0 {
					return fail(fmt.Errorf("%s has a section already, in line %d", v, first))
				}
				seen[v], level = l.number, len(m[1])
				h.sections = append(h.sections, section{version: v, line: l.number})
				at = len(h.sections) - 1
				if rest != "" {
					if err := h.sections[at].take(rest, l.number, false); err != nil {
						return fail(err)
					}
				}
			}
			continue
		}
		if strings.HasPrefix(l.text, "|") {
			cells := cellsOf(l.text)
			if !inTable {
				inTable = true
				t, ok, err := readHead(cells)
				if err != nil {
					return fail(err)
				}
				if table = nil; ok {
					table, known = &t, true
				}
				continue
			}
			if table == nil || strings.Trim(l.text, "|-: ") == "" {
				continue
			}
			if err := h.supportRow(*table, cells); err != nil {
				return fail(err)
			}
			continue
		}
		if inTable && l.text == "" && known {
			continue // rows may stand apart
		}
		inTable, known, table = false, false, nil
		if at >= 0 {
			bullet := strings.HasPrefix(l.text, "- ") || strings.HasPrefix(l.text, "* ") || strings.HasPrefix(l.text, "+ ")
			if err := h.sections[at].take(plainText(strings.TrimLeft(l.text, "#>-+* ")), l.number, bullet); err != nil {
				return fail(err)
			}
		}
	}
	for i := range h.sections {
		if err := h.sections[i].settle(); err != nil {
			return history{}, err
		}
	}
	return h, nil
}

// release reads a heading: the version, and a day that may stand behind it.
// The version is zero if the heading is of something else.
func release(title string) (v connectversion.Version, rest string, err error) {
	m := releaseHead.FindStringSubmatch(title)
	if m == nil {
		return v, "", nil
	}
	rest = strings.Trim(m[2], " ()-–—:,")
	if rest != "" {
		if _, after, ok := cutDate(statusWords.ReplaceAllString(rest, "")); !ok || !statusRest.MatchString(after) {
			return connectversion.Version{}, "", nil // "2.0 endpoints", "2.6.3.0 and older"
		}
	}
	v, err = connectversion.Parse(m[1])
	if err != nil {
		return v, "", fmt.Errorf("a heading with a version of another shape: %.60q", title)
	}
	return v, rest, nil
}

func (h *history) supportRow(t supportTable, cells []string) error {
	if len(cells) != t.width {
		return fmt.Errorf("a row of %d cells in the table of support, which has %d columns", len(cells), t.width)
	}
	v, err := connectversion.Parse(strings.TrimPrefix(strings.TrimPrefix(cells[t.version], "Version "), "v"))
	if err != nil {
		return fmt.Errorf("no version in the table of support: %.60q", cells[t.version])
	}
	day, err := dayIn(cells[t.ends])
	if err != nil {
		return fmt.Errorf("no day in the table of support for %s: %w", v, err)
	}
	if other, ok := h.support[v]; ok && !other.Equal(day) {
		return fmt.Errorf("two days in the table of support for %s", v)
	}
	if !day.IsZero() {
		h.support[v] = day
	}
	if t.released >= 0 {
		day, err := dayIn(cells[t.released])
		if err != nil {
			return fmt.Errorf("no day of release in the table of support for %s: %w", v, err)
		}
		if !day.IsZero() {
			h.released[v] = day.Format(time.DateOnly)
		}
	}
	return nil
}

// dayIn reads a cell that holds a day and perhaps a remark in brackets, or
// nothing yet.
func dayIn(text string) (time.Time, error) {
	if lower := strings.ToLower(text); text == "" || strings.HasPrefix(lower, "tbd") || strings.HasPrefix(lower, "to be ") || slices.Contains([]string{"-", "–", "—", "n/a", "none"}, lower) {
		return time.Time{}, nil
	}
	date, rest, ok := cutDate(text)
	if rest = strings.TrimSpace(rest); !ok || len(date) != len(time.DateOnly) || rest != "" && !strings.HasPrefix(rest, "(") && !strings.HasPrefix(rest, "*") {
		return time.Time{}, fmt.Errorf("%.60q", text)
	}
	return time.Parse(time.DateOnly, date)
}

// take takes one line of the section's text. In a list only a line that speaks
// of a release is a status.
func (s *section) take(text string, number int, bullet bool) error {
	for _, id := range cve.FindAllString(text, -1) {
		s.security = true
		if !slices.Contains(s.cves, id) {
			s.cves = append(s.cves, id)
		}
	}
	s.security = s.security || security.MatchString(text)

	named := namesADate.MatchString(text)
	rest := text
	for range 2 { // "Release status: Released 7/7/2026"
		rest = statusWords.ReplaceAllString(rest, "")
	}
	date, after, ok := cutDate(rest)
	switch {
	case mistaken(rest):
		return fmt.Errorf("%s: a day that is none with the month first: %.60q", s.version, text)
	case ok && statusRest.MatchString(after) && (!bullet || rest != text || releaseWords.MatchString(after)):
		s.statuses = append(s.statuses, status{date, strings.TrimSpace(after), number})
	case !ok && strings.HasPrefix(strings.ToLower(text), "released") && len(text) < 200:
		// "Released for download on September 16, 2026."
		found := aDate.FindAllStringIndex(text, -1)
		if len(found) != 1 {
			return nil
		}
		date, after, ok := cutDate(text[found[0][0]:])
		if !ok {
			return fmt.Errorf("%s: a day of another shape: %.60q", s.version, text)
		}
		s.statuses = append(s.statuses, status{date, text[:found[0][0]] + after, number})
	case !ok && named && rest != "" && !strings.HasPrefix(strings.ToLower(rest), "tbd") && aDigit.MatchString(rest):
		return fmt.Errorf("%s: a day of release of another shape: %.60q", s.version, text)
	}
	return nil
}

var aDigit = regexp.MustCompile(`\d`)

// settle makes the day of release, and what is said of automatic upgrade, of
// the lines of status. A staged release has one day for download and a later
// one for automatic upgrade; any other two days are a contradiction.
func (s *section) settle() error {
	var first, staged []status
	for _, st := range s.statuses {
		byUpgradeAlone := offered.MatchString(st.text) && !notOffered.MatchString(st.text) && !notYet.MatchString(st.text) && !strings.Contains(strings.ToLower(st.text), "download")
		if byUpgradeAlone {
			staged = append(staged, st)
		} else {
			first = append(first, st)
		}
	}
	if len(first) == 0 {
		first, staged = staged, nil
	}
	for _, group := range [][]status{first, staged} {
		for _, st := range group {
			if st.date != group[0].date {
				return fmt.Errorf("line %d: %s has two days of release: %s and %s", st.line, s.version, group[0].date, st.date)
			}
		}
	}
	for _, st := range first {
		s.released = st.date
		switch {
		case notYet.MatchString(st.text):
		case notOffered.MatchString(st.text):
			s.autoUpgrade, s.implied = "no", false
		case offered.MatchString(st.text):
			s.autoUpgrade, s.implied = "yes", false
		case strings.Contains(strings.ToLower(st.text), "download"):
			s.autoUpgrade, s.implied = "no", true
		}
	}
	if len(staged) > 0 {
		if staged[0].date < s.released {
			return fmt.Errorf("line %d: %s came by automatic upgrade on %s, before its release on %s", staged[0].line, s.version, staged[0].date, s.released)
		}
		s.autoUpgrade, s.implied = "yes", false
		if staged[0].date != s.released {
			s.offeredFrom = staged[0].date
		}
	}
	s.statuses = nil
	return nil
}
