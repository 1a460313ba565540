package main

import (
	"bytes"
	"os"
	"path/filepath"
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

func version(text string) connectversion.Version {
	v, err := connectversion.Parse(text)
	if err != nil {
		panic(err)
	}
	return v
}

// page holds the shapes that the pages have had since 2017, in other words.
const page = `---
title: History
ms.date: 09/16/2026
---
# History

| Topic | Details |
| --- | --- |
| Upgrading | how |

## Retiring versions

|Version|End of support date|
|-----|-----|
|[2.6.3.0](#2630)|7 Jul 2027 (12 months after release of 2.6.84.0)|
|2.6.84.0|16 September 2027|
|[2.6.92.0](#26920)|TBD|

**All others are not supported**

|Version|Something else|
|--|--|
|a|b|

## 2.6.92.0

### Release status
23 Sep 2026: Released for download

### Fixes
- 1/1/2020 is a date in a sentence.

## Version 2.6.84.0
Released: July 7, 2026
- This is a security update; see CVE-2026-0001 and CVE-2026-0002, CVE-2026-0001.

## 2.6.3.0
### Release status:
3/10/2026: Released for download and autoupgrade.

## 2.0.10.0

### Release status
8/19/2021: Released for download only, not available for auto upgrade.

> [!NOTE]
> hotfix

### Release status

8/19/2021: Released for download only, not available for auto upgrade.

## 2.1.15.0
7/6/2022: Released for download, will be made available for autoupgrade soon.

## 1.1.67.0
September 9, 2019: Released for auto update

## 1.5.4594.0
December 19, 2025: Released for download. This version is only available for install via the download page.

## 1.1.2102.0
Sept 22, 2025: released for download only

## 1.1.882.0

9/7/2018: Released for download, won't be released for auto upgrade

## 1.1.751.0
Status 4/12/2018: Released for download only

## 1.1.654.0
Status: December 12th, 2017

## 1.1.524.0
Released: May 2017

## 1.1.359.0
no day at all
`

func TestParseHistory(t *testing.T) {
	h, err := parseHistory([]byte(page))
	require.NoError(t, err)
	want := []section{
		{version: version("2.6.92.0"), released: "2026-09-23", autoUpgrade: "no", implied: true},
		{version: version("2.6.84.0"), released: "2026-07-07", security: true, cves: []string{"CVE-2026-0001", "CVE-2026-0002"}},
		{version: version("2.6.3.0"), released: "2026-03-10", autoUpgrade: "yes"},
		{version: version("2.0.10.0"), released: "2021-08-19", autoUpgrade: "no"},
		{version: version("2.1.15.0"), released: "2022-07-06"},
		{version: version("1.1.67.0"), released: "2019-09-09", autoUpgrade: "yes"},
		{version: version("1.5.4594.0"), released: "2025-12-19", autoUpgrade: "no"},
		{version: version("1.1.2102.0"), released: "2025-09-22", autoUpgrade: "no"},
		{version: version("1.1.882.0"), released: "2018-09-07", autoUpgrade: "no"},
		{version: version("1.1.751.0"), released: "2018-04-12", autoUpgrade: "no"},
		{version: version("1.1.654.0"), released: "2017-12-12"},
		{version: version("1.1.524.0"), released: "2017-05"},
		{version: version("1.1.359.0")},
	}
	for i := range h.sections {
		assert.NotZero(t, h.sections[i].line)
		h.sections[i].line = 0
	}
	assert.Equal(t, want, h.sections)
	assert.Equal(t, map[connectversion.Version]time.Time{
		version("2.6.3.0"):  time.Date(2027, 7, 7, 0, 0, 0, 0, time.UTC),
		version("2.6.84.0"): time.Date(2027, 9, 16, 0, 0, 0, 0, time.UTC),
	}, h.support)
}

func TestItStopsRatherThanGuess(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"## 2.6.92.0", "## 2.6.92"}:  "line 25: a heading with a version of another shape",
		{"## 2.6.92.0", "## 2.6.3.0"}: "2.6.3.0 has a section already, in line 25",
		{"|Version|End of support date|", "|Version|Released|End of support date|"}:                                 "line 15: a row of 2 cells in the table of support, which has 3 columns",
		{"|Version|End of support date|", "|End of support date|Version|"}:                                          "line 15: no version in the table of support",
		{"|Version|End of support date|", "|Thing|End of support date|"}:                                            "line 13: the table of support has no column that is surely the version",
		{"|Version|End of support date|", "|Version|End of support|Retires on|"}:                                    "line 13: the table of support has two columns",
		{"3/10/2026: Released for download and", "31/10/2026: Released for download and"}:                           "a day that is none with the month first",
		{"16 September 2027", "x Sep 2027"}:                                                                         "line 16: no day in the table of support for 2.6.84.0",
		{"16 September 2027", "Sep 2027"}:                                                                           "no day in the table of support",
		{"|2.6.84.0|", "|2.6.x|"}:                                                                                   "no version in the table of support",
		{"|2.6.84.0|", "|2.6.84.0|a|"}:                                                                              "a row of 3 cells",
		{"|2.6.84.0|", "|2.6.3.0|"}:                                                                                 "two days in the table of support for 2.6.3.0",
		{"8/19/2021: Released for download only, not available for auto upgrade.\n\n>", "8/20/2021: Released\n\n>"}: "2.0.10.0 has two days of release: 2021-08-20 and 2021-08-19",
	} {
		changed := strings.Replace(page, change[0], change[1], 1)
		require.NotEqual(t, page, changed, change[0])
		_, err := parseHistory([]byte(changed))
		assert.ErrorContains(t, err, want, change[1])
	}
}

// world is a data folder and a folder of pages that agree with it.
func world(t *testing.T) (data fstest.MapFS, pages fstest.MapFS) {
	data = fstest.MapFS{}
	for _, name := range []string{"connect-sync.json", "policies.json", "pass-through-agent.json"} {
		text, err := os.ReadFile(filepath.Join("..", "data", name))
		require.NoError(t, err)
		data[name] = &fstest.MapFile{Data: text}
	}
	return data, fstest.MapFS{
		"docs/reference-connect-version-history.md":         {Data: []byte(render(connectversion.ConnectSync, "history"))},
		"docs/reference-connect-version-history-archive.md": {Data: []byte(render(connectversion.ConnectSync, "archive"))},
		"docs/reference-connect-pta-version-history.md":     {Data: []byte(render(connectversion.PassThroughAgent, ""))},
		"docs/unrelated.md":                                 {Data: []byte("## 9.9.9\n")},
	}
}

// render writes the embedded rows as a page would list them.
func render(p connectversion.Product, which string) string {
	var b strings.Builder
	rows := slices.Clone(connectversion.Embedded().Releases(p))
	slices.Reverse(rows)
	b.WriteString("# A page\n\n|Version|End of support date|\n|---|---|\n")
	for _, r := range rows {
		if which == "history" && r.RetiredBasis == "documented-table" {
			b.WriteString("|[" + r.Version.String() + "](#x)|" + r.Retired.Format("2 Jan 2006") + " (so it is)|\n")
		}
	}
	for _, r := range rows {
		if which != "" && strings.Contains(r.Source, "archive") != (which == "archive") || strings.Contains(r.Source, "transcriptions") || r.Status != connectversion.Released {
			continue
		}
		b.WriteString("\n## " + r.Version.String() + "\n\n### Release status\n")
		switch {
		case r.Released.IsZero():
		case r.MonthOnly:
			b.WriteString("Released: " + r.Released.Format("January 2006") + "\n")
		default:
			b.WriteString(r.Released.Format("1/2/2006") + ": " + map[crossprem.Answer]string{
				crossprem.Yes: "Released for download and auto upgrade", crossprem.No: "Released for download only", crossprem.AnswerUnknown: "Released",
			}[r.AutoUpgrade] + "\n")
		}
	}
	return b.String()
}

func TestNothingNew(t *testing.T) {
	data, pages := world(t)
	changed, difference, err := compare(pages, data, "")
	require.NoError(t, err)
	assert.Empty(t, difference)
	for name, text := range changed {
		assert.Equal(t, string(data[name].Data), string(text), "untouched, to the byte")
	}
}

func TestWhatIsNew(t *testing.T) {
	data, pages := world(t)
	name := "docs/reference-connect-version-history.md"
	text := string(pages[name].Data)
	text = strings.Replace(text, "|---|---|\n", "|---|---|\n|2.6.92.0|20 Nov 2027|\n|2.6.3.0|8 Jul 2027|\n", 1)
	text = strings.Replace(text, "|[2.6.3.0](#x)|7 Jul 2027 (so it is)|\n", "", 1)
	text = strings.Replace(text, "\n## ", "\n## 2.7.1.0\n20 Nov 2026: Released for download\nFixes CVE-2026-1234.\n\n## 2.6.92.0\n\n23 Sep 2026: Released for download\n\n## ", 1)
	text = strings.Replace(text, "\n3/10/2026: Released for download and auto upgrade", "\n3/11/2026: Released for download only", 1)
	pages[name].Data = []byte(text)
	changed, difference, err := compare(pages, data, "2026-11-22")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"+ connect-sync 2.7.1.0 released 2026-11-20, auto-upgrade no, security fix",
		"? connect-sync 2.6.3.0 auto-upgrade yes; the page says no",
		"? connect-sync 2.6.3.0 released 2026-03-10; the page says 2026-03-11",
		"~ connect-sync 2.6.3.0 end of support 2027-07-08, was 2027-07-07",
		"~ connect-sync 2.6.92.0 end of support 2027-11-20, was not printed",
	}, difference)
	data["connect-sync.json"].Data = changed["connect-sync.json"]
	c, err := connectversion.LoadCatalogue(data)
	require.NoError(t, err)
	r, ok := c.Lookup(connectversion.ConnectSync, version("2.7.1.0"))
	require.True(t, ok)
	assert.Equal(t, []string{"CVE-2026-1234"}, r.CVEs)
	assert.True(t, r.AutoUpgradeImplied)
	r, _ = c.Lookup(connectversion.ConnectSync, version("2.6.3.0"))
	assert.Equal(t, "2027-07-08 2027-07-07", r.Retired.Format(time.DateOnly)+" "+r.RetiredEarlier.Format(time.DateOnly))
	assert.Equal(t, "2026-03-10", r.Released.Format(time.DateOnly), "a contradiction is left to a person")
	assert.Equal(t, "2026-11-22", c.AsOf(connectversion.ConnectSync).Format(time.DateOnly))

	// Again, nothing is new but the contradictions.
	_, again, err := compare(pages, data, "2026-11-22")
	require.NoError(t, err)
	assert.Equal(t, difference[1:3], again)
}

func TestWhatIsRefused(t *testing.T) {
	name := "docs/reference-connect-version-history.md"
	for why, change := range map[string]func(fstest.MapFS){
		"2.6.91.0: known from the page \"history\", which no longer lists it": func(f fstest.MapFS) {
			f[name].Data = bytes.Replace(f[name].Data, []byte("## 2.6.91.0"), []byte("## gone"), 1)
		},
		"2.7.1.0: new, but line": func(f fstest.MapFS) {
			f[name].Data = append(f[name].Data, "\n## 2.7.1.0\nsoon\n"...)
		},
		"no release at all": func(f fstest.MapFS) { f[name].Data = []byte("# moved\n") },
		"two pages have a section": func(f fstest.MapFS) {
			f["docs/reference-connect-version-history-archive.md"].Data = append(f["docs/reference-connect-version-history-archive.md"].Data, "\n## 2.6.91.0\n"...)
		},
		"there are two pages of this name": func(f fstest.MapFS) {
			f["old/reference-connect-version-history.md"] = f[name]
		},
		"in the table of support, but no section": func(f fstest.MapFS) {
			f[name].Data = bytes.Replace(f[name].Data, []byte("|---|---|\n"), []byte("|---|---|\n|2.9.0.0|1 Jan 2030|\n"), 1)
		},
		"none of the pages": func(f fstest.MapFS) {
			for name := range f {
				delete(f, name)
			}
		},
		"larger than": func(f fstest.MapFS) { f[name].Data = make([]byte, maxPage+1) },
	} {
		data, pages := world(t)
		change(pages)
		changed, _, err := compare(pages, data, "2026-11-22")
		assert.ErrorContains(t, err, why)
		assert.Nil(t, changed)
	}
	// What would not load is not written.
	data, pages := world(t)
	pages[name].Data = append(pages[name].Data, "\n## 2.7.1.0\n20 Nov 2026: Released\n"...)
	_, _, err := compare(pages, data, "2026-11-01")
	assert.ErrorContains(t, err, "was released after asOf")
}

func TestRun(t *testing.T) {
	data, pages := world(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "data"), data))
	text := append(pages["docs/reference-connect-pta-version-history.md"].Data, "\n## 1.5.3000.0\n\n11/20/2026: Released for download\n"...)
	pages["docs/reference-connect-pta-version-history.md"].Data = text
	require.NoError(t, os.CopyFS(filepath.Join(folder, "pages"), pages))
	call := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(append(args, "-data", filepath.Join(folder, "data")), &out, &errs)
		return code, out.String(), errs.String()
	}
	read := func() string {
		b, err := os.ReadFile(filepath.Join(folder, "data", "pass-through-agent.json"))
		require.NoError(t, err)
		return string(b)
	}
	before := read()
	code, out, errs := call("-pages", filepath.Join(folder, "pages"))
	require.Equal(t, 0, code, errs)
	assert.Equal(t, "+ pass-through-agent 1.5.3000.0 released 2026-11-20, auto-upgrade no\n", out)
	assert.Equal(t, before, read(), "shown only")
	code, _, _ = call("-pages", filepath.Join(folder, "pages"), "-write")
	assert.Equal(t, 2, code, "of which day?")
	code, _, errs = call("-pages", filepath.Join(folder, "pages"), "-write", "-as-of", "2026-11-22")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, read(), `{"version": "1.5.3000.0", "released": "2026-11-20", "autoUpgrade": "no", "autoUpgradeImplied": true, "note": "See the release notes.", "source": "pta"}`)
	code, _, errs = call("-pages", filepath.Join(folder, "data"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "nothing is changed")
	code, _, errs = call("-pages", filepath.Join(folder, "nowhere"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "nowhere")
	for _, args := range [][]string{{}, {"-nonsense"}, {"-pages", "x", "-as-of", "soon"}, {"-pages", "x", "y"}} {
		code, _, _ = call(args...)
		assert.Equal(t, 2, code, args)
	}
}

const healthPage = `# Health
## August 2026
**Agent Updates**
Microsoft Entra Connect Health (version 4.5.2614.0)
- Improved things.
## February 2026
Microsoft Entra Connect Health (version 4.5.2549.0)
- Security update: TLS 1.2 exclusively.
## January - March 2024
Microsoft Entra Connect Health ADDS Agents (versions 4.5.x - 4.5.2462)
## 27 March 2023
Microsoft Entra Connect Health AD DS and ADFS Health Agents (version 3.2.2256.26, Download Center Only)
## 19 January 2023
- Microsoft Entra Connect Health agent for Microsoft Entra Connect (version 3.2.2188.23)
## August 2018
- Microsoft Entra Connect Health agent for Sync (version 3.1.7.0) released with Microsoft Entra Connect version 1.1.880.0
## June 2018
- Microsoft Entra Connect Health agent for AD DS (version 3.1.7.0)
- Microsoft Entra Connect Health agent for AD FS (version 3.1.7.0)
- Microsoft Entra Connect Health agent for AD FS (version 3.1.2.0)
    1. Hotfix for version 3.0.244.0
## March 2018
- Microsoft Entra Connect Health agent for Sync (version 3.0.129.0) released with Microsoft Entra Connect version 1.1.750.0
## October 2017
- Microsoft Entra Connect Health agent for Sync (version 3.0.129.0) released with Microsoft Entra Connect version 1.1.649.0
`

func TestParseHealth(t *testing.T) {
	h, err := parseHealth([]byte(healthPage))
	require.NoError(t, err)
	got := map[string]section{}
	for _, s := range h.sections {
		key := s.version.String() + " " + s.released + " " + strings.Join(s.roles, ",")
		got[key] = s
	}
	for _, want := range []string{"4.5.2614.0 2026-08 ", "4.5.2549.0 2026-02 ", "3.2.2256.26 2023-03-27 adds,adfs", "3.2.2188.23 2023-01-19 sync",
		"3.1.7.0 2018-08 sync", "3.1.7.0 2018-06 adds,adfs", "3.1.2.0 2018-06 adfs", "3.0.129.0 2017-10 sync"} {
		assert.Contains(t, got, want)
	}
	assert.Len(t, got, 8)
	assert.True(t, got["4.5.2549.0 2026-02 "].security)
	assert.False(t, got["4.5.2614.0 2026-08 "].security)

	_, err = parseHealth([]byte("Microsoft Entra Connect Health (version 4.5.1.0)\n"))
	assert.ErrorContains(t, err, "line 1: 4.5.1.0 stands below no month")
	_, err = parseHealth([]byte("## May 2024\nMicrosoft Entra Connect Health (version 4.5)\n"))
	assert.ErrorContains(t, err, "line 2")
}

// The months of the page against the table: nothing contradicts, and what is
// new comes with its roles.
func TestHealthAgentsAreMerged(t *testing.T) {
	text, err := os.ReadFile("../data/health-agent.json")
	require.NoError(t, err)
	table, err := readTable(text)
	require.NoError(t, err)
	h, err := parseHealth([]byte(strings.Replace(healthPage, "## August 2026", "## November 2026\nMicrosoft Entra Connect Health (version 4.5.2700.0)\n"+
		"## October 2026\n- Microsoft Entra Connect Health agent for AD FS (version 4.5.2650.0)\n## August 2026", 1)))
	require.NoError(t, err)
	lines, err := table.merge(connectversion.HealthAgent, map[string]history{"health": h}, true)
	assert.ErrorContains(t, err, "3.1.24.0: known from the page \"health\", which no longer lists it", "the page above is an extract")
	assert.Equal(t, []string{"+ health-agent 4.5.2700.0 released 2026-11, auto-upgrade unknown", "+ health-agent 4.5.2650.0 released 2026-10, auto-upgrade unknown"}, lines)
	assert.Contains(t, string(table.bytes()), `{"version": "4.5.2650.0", "released": "2026-10", "roles": ["adfs"], "note"`)
	assert.Contains(t, string(table.bytes()), `"roles": ["adds", "adfs", "sync"], "rolesAssumed": true, "note"`)
}

// Every table of the data folder comes back as it is.
func TestTablesComeBack(t *testing.T) {
	names, err := filepath.Glob("../data/*.json")
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		table, err := readTable(text)
		if filepath.Base(name) == "policies.json" {
			assert.Error(t, err)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, string(text), string(table.bytes()), name)
		for i := range table.rows {
			line := table.rows[i].line
			table.rows[i].line = ""
			assert.Equal(t, line, table.rows[i].String(), "a row is written as it is read")
		}
	}
}

// The page of the Health agents, whatever is in it: versions and years are
// those that are written.
func FuzzParseHealth(f *testing.F) {
	f.Add([]byte(healthPage))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHealth(b)
		if err != nil {
			return
		}
		for _, s := range h.sections {
			assert.True(t, bytes.Contains(b, []byte(s.released[:4])))
			assert.True(t, slices.IsSorted(s.roles))
		}
	})
}

// Every version, day and CVE that is read is written on the page.
func FuzzParseHistory(f *testing.F) {
	f.Add([]byte(page))
	f.Add([]byte("## 1.2.3.4\n>2016 May\n|Version|End of support|\n|1.2.3.4|1 Jan 2020|\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHistory(b)
		if err != nil {
			return
		}
		seen := map[connectversion.Version]bool{}
		for _, s := range h.sections {
			assert.False(t, seen[s.version])
			seen[s.version] = true
			assert.Positive(t, s.line)
			for _, id := range s.cves {
				assert.True(t, bytes.Contains(b, []byte(id)))
			}
			if s.released != "" {
				assert.True(t, bytes.Contains(b, []byte(s.released[:4])), "the year")
			}
		}
		for _, day := range h.support {
			assert.True(t, bytes.Contains(b, []byte(day.Format("2006"))))
		}
	})
}
