// Command update compares connectversion's tables with the vendor's Markdown
// pages, and brings in what is new:
//
//	go run ./connectversion/update -pages FOLDER                     shows the difference
//	go run ./connectversion/update -pages FOLDER -as-of DAY -write   writes it
//
// or CONNECTVERSION_PAGES=FOLDER go generate ./connectversion, which shows it.
//
// FOLDER holds the pages under their own names, as they lie in the
// repositories of Microsoft's documentation, or as a browser saved them (HTML
// that names its address); what is below it is searched.
// Nothing is downloaded.
//
// It would rather stop than guess. It stops at a heading, a column or a date of
// a shape it does not know, at a new release without a day, and at a page that
// no longer lists what it listed before. Where a page contradicts a row, the
// row stays and the contradiction is shown: the pages hold slips, and the rows
// tell which. A new row says where to look; somebody should say what it
// brought, and look for cut-offs, which have no page of their own.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/crossprem/crossprem/connectversion"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// pages are the names of the pages by product, and the IDs that rows give them
// as source. A name with a folder tells pages of the same name apart.
var pages = []pageOf{
	{connectversion.ConnectSync, "reference-connect-version-history.md", "history", ""},
	{connectversion.ConnectSync, "reference-connect-version-history-archive.md", "archive", ""},
	{connectversion.HealthAgent, "reference-connect-health-version-history.md", "health", ""},
	{connectversion.CloudSync, "cloud-sync-version-history.md", "cloud", "cloud-sync/reference-version-history"},
	{connectversion.PrivateNetworkConnector, "global-secure-access/reference-version-history.md", "gsa", ""},
	{connectversion.PasswordProtection, "howto-password-ban-bad-on-premises-agent-versions.md", "pp", ""},
	{connectversion.PassThroughAgent, "reference-connect-pta-version-history.md", "pta", ""},
}

// A pageOf is a page of a product.
type pageOf struct {
	product connectversion.Product
	name    string
	source  string
	address string // what its address ends with, where that is not the name
}

const maxPage = 8 << 20

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("update", flag.ContinueOnError)
	flags.SetOutput(stderr)
	folder := flags.String("pages", "", "the `folder` that holds the vendor's Markdown pages")
	data := flags.String("data", "connectversion/data", "the `folder` of the tables")
	asOf := flags.String("as-of", "", "the `day` on which the pages were taken, as 2026-11-22")
	write := flags.Bool("write", false, "write the tables; without it the difference is shown only")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *folder == "" || flags.NArg() > 0 || *write && *asOf == "" {
		fmt.Fprintln(stderr, "update: give -pages FOLDER, and -as-of DAY to -write")
		return 2
	}
	if _, err := time.Parse(time.DateOnly, *asOf); *asOf != "" && err != nil {
		fmt.Fprintf(stderr, "update: %q is not a day such as 2026-11-22\n", *asOf)
		return 2
	}
	if _, err := os.Stat(*folder); err != nil {
		fmt.Fprintln(stderr, "update: nothing is changed:", err)
		return 1
	}
	changed, difference, err := compare(os.DirFS(*folder), os.DirFS(*data), *asOf)
	if err != nil {
		fmt.Fprintln(stderr, "update: nothing is changed:", strings.ReplaceAll(err.Error(), "\n", "\nupdate: "))
		return 1
	}
	for _, line := range difference {
		fmt.Fprintln(stdout, line)
	}
	if !*write {
		return 0
	}
	for name, text := range changed {
		if err := os.WriteFile(filepath.Join(*data, name), text, 0o644); err != nil {
			fmt.Fprintln(stderr, "update:", err)
			return 1
		}
	}
	return 0
}

// compare returns the tables that change and the difference, sorted. The
// tables it returns load.
func compare(folder, data fs.FS, asOf string) (changed map[string][]byte, difference []string, err error) {
	found, err := findPages(folder)
	if err != nil {
		return nil, nil, err
	}
	changed = make(map[string][]byte)
	var errs []error
	strict := asOf != "" // to be written
	for _, p := range connectversion.Products() {
		if len(found[p]) == 0 {
			continue
		}
		name := p.String() + ".json"
		text, err := fs.ReadFile(data, name)
		if err != nil {
			return nil, nil, err
		}
		t, err := readTable(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		lines, err := t.merge(p, found[p], strict)
		errs = append(errs, err)
		if asOf != "" {
			errs = append(errs, t.setHead("asOf", asOf))
		}
		difference = append(difference, lines...)
		changed[name] = t.bytes()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	if len(changed) == 0 {
		return nil, nil, errors.New("the folder holds none of the pages, such as " + pages[0].name)
	}
	if asOf != "" {
		if err := loads(data, changed); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(difference)
	return changed, difference, nil
}

// loads reports whether the tables would be a good catalogue.
func loads(data fs.FS, changed map[string][]byte) error {
	all := make(fstest.MapFS)
	names, err := fs.Glob(data, "*.json")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, ok := changed[name]
		if !ok {
			if text, err = fs.ReadFile(data, name); err != nil {
				return err
			}
		}
		all[name] = &fstest.MapFile{Data: text}
	}
	_, err = connectversion.LoadCatalogue(all)
	return err
}

// findPages reads the pages in folder, by product and source ID.
func findPages(folder fs.FS) (map[connectversion.Product]map[string]history, error) {
	found := make(map[connectversion.Product]map[string]history)
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var text []byte
		if ext := strings.ToLower(path.Ext(name)); ext == ".html" || ext == ".htm" {
			if text, err = readPage(folder, name); err != nil {
				return err
			}
		}
		for _, p := range pages {
			if !isPage(p, name, text) {
				continue
			}
			if text == nil {
				if text, err = readPage(folder, name); err != nil {
					return err
				}
			}
			read := parseHistory
			if p.product == connectversion.HealthAgent {
				read = parseHealth
			}
			h, err := read(text)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if len(h.sections) == 0 {
				return fmt.Errorf("%s: no release at all", name)
			}
			if found[p.product] == nil {
				found[p.product] = make(map[string]history)
			}
			if _, twice := found[p.product][p.source]; twice {
				return fmt.Errorf("%s: there are two pages of this name", name)
			}
			found[p.product][p.source] = h
		}
		return nil
	})
	return found, err
}

func readPage(folder fs.FS, name string) ([]byte, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err == nil && len(text) > maxPage {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxPage)
	}
	return text, err
}

// merge brings in what the pages have and t has not, and returns what changes,
// one line each:
//
//	"+" a row that is new, "~" a day that changes, "?" a contradiction that is left alone
//
// What a page lost, and what its two parts say differently, is a contradiction
// of the data: it is shown, and an error if strict. A page of another shape
// was an error before.
func (t *table) merge(p connectversion.Product, from map[string]history, strict bool) ([]string, error) {
	var lines []string
	var errs []error
	note := func(mark string, v connectversion.Version, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", mark, p, v, fmt.Sprintf(format, args...)))
	}
	listed := make(map[connectversion.Version]string) // on which page
	for _, source := range slices.Sorted(maps.Keys(from)) {
		h := from[source]
		for _, s := range h.sections {
			if other := listed[s.version]; other != "" && other != source {
				errs = append(errs, fmt.Errorf("%s %s: two pages have a section", p, s.version))
			}
			listed[s.version] = source
			r := t.find(s.version, s.roles)
			if day := h.released[s.version]; s.released == "" {
				s.released = day
			} else if day != "" && !strings.HasPrefix(day, s.released) {
				note("?", s.version, "released %s by its section; the table of support says %s", s.released, day)
			}
			if r == nil {
				if s.released == "" {
					errs = append(errs, fmt.Errorf("%s %s: new, but line %d and what follows tell no day of release", p, s.version, s.line))
					continue
				}
				t.insert(s.row(p, source))
				auto := cmp.Or(s.autoUpgrade, "unknown")
				if s.offeredFrom != "" {
					auto += " from " + s.offeredFrom
				}
				note("+", s.version, "released %s, auto-upgrade %s%s", s.released, auto, map[bool]string{true: ", security fix"}[s.security])
				continue
			}
			if from := r.text("autoUpgradeFrom"); s.offeredFrom != "" && from != s.offeredFrom {
				if from == "" && r.text("autoUpgrade") == "yes" {
					note("~", s.version, "auto-upgrade from %s, was not printed", s.offeredFrom)
					r.set("autoUpgradeFrom", "autoUpgrade", s.offeredFrom)
				} else {
					note("?", s.version, "auto-upgrade from %s; the page says %s", cmp.Or(from, "no day"), s.offeredFrom)
				}
			}
			why := ""
			if r.text("conflict") != "" {
				why = ", and the row tells why"
			}
			if known := r.text("released"); s.released != "" && known != s.released {
				note("?", s.version, "released %s; the page says %s%s", cmp.Or(known, "on an unknown day"), s.released, why)
			}
			if known := r.text("autoUpgrade"); known != "" && s.autoUpgrade != "" && known != s.autoUpgrade {
				note("?", s.version, "auto-upgrade %s; the page says %s%s", known, s.autoUpgrade, why)
			}
		}
	}
	for _, r := range t.rows {
		if _, given := from[r.source]; given && r.text("status") == "" && listed[r.version] == "" {
			if strict {
				errs = append(errs, fmt.Errorf("%s %s: known from the page %q, which no longer lists it", p, r.version, r.source))
			} else {
				note("?", r.version, "known from the page %q, which does not list it", r.source)
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(from)) {
		for _, v := range slices.SortedFunc(maps.Keys(from[source].support), connectversion.Version.Compare) {
			day, r := from[source].support[v], t.find(v, nil)
			if r == nil {
				if strict {
					errs = append(errs, fmt.Errorf("%s %s: in the table of support, but no section tells of it", p, v))
				} else {
					note("?", v, "in the table of support, but no section tells of it")
				}
				continue
			}
			if known, released := r.text("released"), from[source].released[v]; listed[v] == "" && released != "" && known != "" && !strings.HasPrefix(released, known) {
				note("?", v, "released %s; the table of support says %s", known, released)
			}
			now, was := day.Format(time.DateOnly), r.text("retired")
			if now == was {
				continue
			}
			note("~", v, "end of support %s, was %s", now, cmp.Or(was, "not printed"))
			r.set("retired", "released", now)
			r.set("retiredBasis", "retired", "documented-table")
			if was != "" {
				r.set("retiredEarlier", "retiredBasis", was)
			}
		}
	}
	return lines, errors.Join(errs...)
}

// find returns the row of a version, and if roles are given, the one that
// speaks of any of them.
func (t *table) find(v connectversion.Version, roles []string) *row {
	for i := range t.rows {
		r := &t.rows[i]
		if r.version == v && (len(roles) == 0 || slices.ContainsFunc(r.roles(), func(role string) bool { return slices.Contains(roles, role) })) {
			return r
		}
	}
	return nil
}

func (t *table) insert(r row) {
	i, _ := slices.BinarySearchFunc(t.rows, r, func(a, b row) int { return a.version.Compare(b.version) })
	t.rows = slices.Insert(t.rows, i, r)
}

// row makes a row of a section. What it brought is left to a person.
func (s section) row(p connectversion.Product, source string) row {
	r := row{version: s.version, source: source}
	r.set("version", "", s.version)
	r.set("released", "", s.released)
	if s.autoUpgrade != "" {
		r.set("autoUpgrade", "", s.autoUpgrade)
	}
	if s.offeredFrom != "" {
		r.set("autoUpgradeFrom", "", s.offeredFrom)
	}
	if s.implied {
		r.set("autoUpgradeImplied", "", true)
	}
	if s.security {
		r.set("securityFix", "", true)
	}
	if len(s.cves) > 0 {
		r.set("cves", "", s.cves)
	}
	if p == connectversion.HealthAgent {
		r.set("roles", "", s.roles)
		if len(s.roles) == 0 {
			r.set("roles", "", []string{"adds", "adfs", "sync"})
			r.set("rolesAssumed", "", true)
		}
	}
	r.set("note", "", "See the release notes.")
	r.set("source", "", source)
	return r
}
