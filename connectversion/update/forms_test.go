package main

import (
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/connectversion"
)

func read(t testing.TB, name string) string {
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(text)
}

// facts are what a page says, without the places where it says so.
func facts(t testing.TB, page string) (sections map[string]string, support map[connectversion.Version]time.Time, released map[connectversion.Version]string) {
	t.Helper()
	h, err := parseHistory([]byte(page))
	require.NoError(t, err, page)
	sections = make(map[string]string)
	for _, s := range h.sections {
		sections[s.version.String()] = fmt.Sprint(s.released, s.autoUpgrade, s.offeredFrom, s.implied, s.cves, s.security)
	}
	return sections, h.support, h.released
}

// The forms since September 2026: the table of support with the day of release
// behind the end of support, and a release in two stages.
func TestFormsOf2026(t *testing.T) {
	h, err := parseHistory([]byte(read(t, "three-columns.md")))
	require.NoError(t, err)
	assert.Equal(t, "2027-07-07", h.support[version("2.6.3.0")].Format(time.DateOnly))
	assert.Equal(t, "2027-09-16", h.support[version("2.6.84.0")].Format(time.DateOnly))
	assert.NotContains(t, h.support, version("2.6.91.0"))
	assert.Equal(t, map[connectversion.Version]string{version("2.6.3.0"): "2026-03-10", version("2.6.84.0"): "2026-07-07", version("2.6.91.0"): "2026-09-16"}, h.released)

	h, err = parseHistory([]byte(read(t, "two-days.md")))
	require.NoError(t, err)
	require.Len(t, h.sections, 21)
	assert.Equal(t, "2026-09-21", h.sections[0].released)
	staged := h.sections[1]
	assert.Equal(t, []string{"2026-04-14", "yes", "2026-05-05"}, []string{staged.released, staged.autoUpgrade, staged.offeredFrom})
	assert.Equal(t, "2023-10-16", h.sections[6].released)
}

// What a page says does not depend on the order of its columns, on columns
// besides, on the order of its rows and sections, on how deep its headings
// are, or on whether it is Markdown or HTML.
func TestMutationsOfForms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	tries := 0
	for _, name := range []string{"three-columns.md", "two-days.md"} {
		page := read(t, name)
		sections, support, released := facts(t, page)
		for range 60 {
			changed := page
			var did []string
			for _, m := range mutations {
				if r.IntN(2) == 0 {
					changed = m.change(changed, r)
					did = append(did, m.name)
				}
			}
			gotSections, gotSupport, gotReleased := facts(t, changed)
			assert.Equal(t, sections, gotSections, "%s %v\n%s", name, did, changed)
			assert.Equal(t, support, gotSupport, "%s %v", name, did)
			assert.Equal(t, released, gotReleased, "%s %v", name, did)
			if tries++; t.Failed() {
				return
			}
		}
	}
	t.Logf("%d mutated pages", tries)
}

var mutations = []struct {
	name   string
	change func(string, *rand.Rand) string
}{
	{"columns reordered, one added", func(page string, r *rand.Rand) string {
		order := r.Perm(4)
		return eachRow(page, func(i int, cells []string) []string {
			cells = append(cells, map[bool]string{true: "Remark", false: "a | b"}[i == 0])
			if i == 1 {
				cells[3] = "---"
			}
			cells[3] = strings.ReplaceAll(cells[3], "|", `\|`)
			moved := make([]string, 4)
			for to, from := range order {
				moved[to] = cells[from]
			}
			return moved
		})
	}},
	{"columns renamed", func(page string, _ *rand.Rand) string {
		return strings.NewReplacer("| Version |", "| Build |", "End of support date", "Support ends", "Release date |", "Released |").Replace(page)
	}},
	{"rows reordered", func(page string, r *rand.Rand) string {
		lines := strings.Split(page, "\n")
		for i := range lines {
			for j := range i {
				if strings.HasPrefix(lines[i], "| [") && strings.HasPrefix(lines[j], "| [") && r.IntN(2) == 0 {
					lines[i], lines[j] = lines[j], lines[i]
				}
			}
		}
		return strings.Join(lines, "\n")
	}},
	{"headings deeper", func(page string, _ *rand.Rand) string {
		return regexp.MustCompile(`(?m)^##`).ReplaceAllString(page, "###")
	}},
	{"sections reordered", func(page string, r *rand.Rand) string {
		parts := strings.Split(page, "\n## ")
		r.Shuffle(len(parts)-1, func(i, j int) { parts[i+1], parts[j+1] = parts[j+1], parts[i+1] })
		return strings.Join(parts, "\n## ")
	}},
	{"headings worded", func(page string, _ *rand.Rand) string {
		return regexp.MustCompile(`(?m)^(#+) (\d+\.\d+\.\d+\.\d+)$`).ReplaceAllString(page, "$1 Version $2")
	}},
	{"emphasis", func(page string, _ *rand.Rand) string {
		return regexp.MustCompile(`(?m)^(\d\d/\d\d/\d{4}): `).ReplaceAllString(page, "**$1**: ")
	}},
	{"stages reordered", func(page string, _ *rand.Rand) string {
		return strings.Replace(page, "April 14, 2026: released for download\n\nMay 5, 2026: released for auto upgrade\n", "May 5, 2026: released for auto upgrade\n\nApril 14, 2026: released for download\n", 1)
	}},
	{"as HTML", func(page string, _ *rand.Rand) string { return asHTML(page) }},
}

// eachRow changes the rows of the table of support.
func eachRow(page string, change func(i int, cells []string) []string) string {
	lines, n := strings.Split(page, "\n"), 0
	for i, l := range lines {
		if strings.HasPrefix(l, "|") {
			cells := strings.Split(strings.Trim(l, "|"), "|")
			for j := range cells {
				cells[j] = strings.TrimSpace(cells[j])
			}
			lines[i] = "| " + strings.Join(change(n, cells), " | ") + " |"
			n++
		}
	}
	return strings.Join(lines, "\n")
}

// asHTML makes a page as a browser saves it.
func asHTML(page string) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><title>1.2.3.4</title><style>h2 {}</style></head><body>\n<script>if (a < b) {}</script>\n")
	inTable := false
	for l := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(l, "|") && !inTable {
			b.WriteString("<table>\n")
		} else if inTable && !strings.HasPrefix(l, "|") {
			b.WriteString("</table>\n")
		}
		inTable = strings.HasPrefix(l, "|")
		switch m := aHeading.FindStringSubmatch(l); {
		case m != nil:
			fmt.Fprintf(&b, "<h%d id=\"x\">%s</h%d>\n", len(m[1]), html.EscapeString(m[2]), len(m[1]))
		case inTable && strings.Trim(l, "|-: ") == "":
		case inTable:
			b.WriteString("<tr>")
			for _, c := range cellsOf(l) {
				b.WriteString("\n<td><a href=\"#1\">" + html.EscapeString(c) + "</a></td>")
			}
			b.WriteString("</tr>\n")
		case strings.TrimSpace(l) != "":
			b.WriteString("<p><strong>" + html.EscapeString(plainText(l)) + "</strong></p>\n")
		}
	}
	return b.String() + "</body></html>\n"
}

// What is not certain is refused, with its line.
func TestUncertainFormsAreRefused(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"09/16/2026: Released", "16/09/2026: Released"}:               "line 15: 2.6.91.0: a day that is none with the month first",
		{"| End of support date |", "| End of support | Retires on |"}: "line 5: the table of support has two columns",
		{"| Version |", "| What |"}:                                    "line 5: the table of support has no column that is surely the version",
		{"16 Sep 2027 (12", "16 Sep (12"}:                              "line 8: no day in the table of support for 2.6.84.0",
		{"| 7 Jul 2026 |", "|"}:                                        "line 8: a row of 2 cells",
		{"## 2.6.84.0", "## 2.6.84"}:                                   "line 17: a heading with a version of another shape",
	} {
		page := read(t, "three-columns.md")
		changed := strings.Replace(page, change[0], change[1], 1)
		require.NotEqual(t, page, changed, change[0])
		_, err := parseHistory([]byte(changed))
		assert.ErrorContains(t, err, want, change[1])
	}
	page := read(t, "two-days.md")
	for change, want := range map[[2]string]string{
		{"May 5, 2026: released for auto upgrade", "May 5, 2026: released for download"}:       "1.1.2334.0 has two days of release",
		{"May 5, 2026: released for auto upgrade", "March 5, 2026: released for auto upgrade"}: "before its release",
		{"**Release date:** September 21, 2026", "**Release date:** the 21st"}:                 "a day of release of another shape",
	} {
		_, err := parseHistory([]byte(strings.Replace(page, change[0], change[1], 1)))
		assert.ErrorContains(t, err, want, change[1])
	}
}

// The page of the agent agrees with the embedded table, staged release and all;
// as HTML it is known by the address that it names.
func TestPagesOf2026AgreeWithTheTables(t *testing.T) {
	data := os.DirFS("../data")
	saved := strings.Replace(asHTML(read(t, "two-days.md")), "<head>", `<head><link rel="canonical" href="https://learn.microsoft.com/en-us/entra/identity/hybrid/cloud-sync/reference-version-history?tabs=x">`, 1)
	for name, text := range map[string]string{"cloud-sync-version-history.md": read(t, "two-days.md"), "Version release history _ Learn.html": saved} {
		_, difference, err := compare(fstest.MapFS{name: {Data: []byte(text)}}, data, "")
		require.NoError(t, err)
		assert.Empty(t, difference, name)
	}
	// What was lost is a contradiction that is shown, and nothing to write.
	pages := fstest.MapFS{"reference-connect-version-history.md": {Data: []byte(read(t, "three-columns.md"))}}
	_, difference, err := compare(pages, data, "")
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(difference, func(l string) bool { return strings.Contains(l, "2.6.3.0 known from the page") }))
	for _, l := range difference {
		assert.Contains(t, l, "which does not list it")
	}
	_, _, err = compare(pages, data, "2026-11-26")
	assert.ErrorContains(t, err, "no longer lists it")
}
