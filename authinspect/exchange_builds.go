package authinspect

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
)

// ExchangeBuildsAsOf is the day of the newest source of the table of Exchange
// builds. What was released after it is not in the table.
const ExchangeBuildsAsOf = "2026-10-07"

// An ExchangeBuild is what the embedded table says of one build of Exchange
// Server.
type ExchangeBuild struct {
	// Build is what was asked for, without leading zeros: "15.2.1748.42", or
	// "15.2.1748" where only the cumulative update is known.
	Build string `json:"build"`

	Product string `json:"product"` // such as "Exchange Server 2019"

	// Release is the listed release, such as "CU15 Dec25SU", and Released its
	// day. They are empty where the build is of no branch that the table has.
	Release  string    `json:"release,omitempty"`
	Released time.Time `json:"released,omitzero"`

	// AtLeast reports that the build itself is not listed: Release is the next
	// lower one of its branch, which is the cumulative update of 15.x and the
	// service pack of 14.x and 8.x.
	AtLeast bool `json:"atLeast,omitempty"`
}

// String returns the build with its release, as in
// "Exchange Server 2019 CU15 Dec25SU (15.2.1748.42)".
func (b ExchangeBuild) String() string {
	s := b.Product
	if b.AtLeast && b.Release != "" {
		s += " at least"
	}
	if b.Release != "" {
		s += " " + b.Release
	}
	return s + " (" + b.Build + ")"
}

// LookUpExchangeBuild returns what is known of a build such as "15.2.1748.42",
// with or without leading zeros, in two to four parts: two name the product,
// three the cumulative update, four the security update as well. It returns
// false for what is no build of Exchange Server: other numbers, those of
// Exchange Online (15.20), and 15.0.847.4040, by which Gromox passes for one.
func LookUpExchangeBuild(version string) (ExchangeBuild, bool) {
	b, ok := parseBuild(version)
	if !ok || b.product() == "" || b == gromoxBuild {
		return ExchangeBuild{}, false
	}
	found := ExchangeBuild{Build: b.String(), Product: b.product(), AtLeast: true}
	if row, exact := exchangeBuilds().match(b); row != nil {
		found.Release, found.Released, found.AtLeast = row.Release, row.day, !exact
	}
	if b.parts < 4 {
		found.AtLeast = true
	}
	return found, true
}

// A build is a version of two to four numbers.
type build struct {
	n     [4]int
	parts int
}

// gromoxBuild is what Gromox (grommunio) claims to be; Exchange never had it.
var gromoxBuild = build{[4]int{15, 0, 847, 4040}, 4}

// parseBuild reads "15.02.1748.042".
func parseBuild(s string) (b build, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return build{}, false
	}
	for i, part := range parts {
		if part == "" || len(part) > 6 || strings.Trim(part, "0123456789") != "" {
			return build{}, false
		}
		b.n[i], _ = strconv.Atoi(part)
	}
	b.parts = len(parts)
	return b, true
}

func (b build) String() string {
	var parts []string
	for _, n := range b.n[:b.parts] {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ".")
}

func (b build) compare(other build) int { return slices.Compare(b.n[:], other.n[:]) }

// online reports whether b is a build of Exchange Online.
func (b build) online() bool { return b.n[0] == 15 && b.n[1] == 20 }

// product names the product, or returns "" if there is none. SE began with
// 15.2.2562, which two parts cannot tell from 2019.
func (b build) product() string {
	switch major, minor := b.n[0], b.n[1]; {
	case major == 6 && minor == 0:
		return "Exchange 2000 Server"
	case major == 6 && minor == 5:
		return "Exchange Server 2003"
	case major == 8 && minor <= 3:
		return "Exchange Server 2007"
	case major == 14 && minor <= 3:
		return "Exchange Server 2010"
	case major == 15 && minor == 0:
		return "Exchange Server 2013"
	case major == 15 && minor == 1:
		return "Exchange Server 2016"
	case major == 15 && minor == 2 && b.parts == 2:
		return "Exchange Server 2019 or SE"
	case major == 15 && minor == 2 && b.n[2] < 2562:
		return "Exchange Server 2019"
	case major == 15 && minor == 2:
		return "Exchange Server SE"
	}
	return ""
}

// branch returns the numbers within which updates follow each other: one
// cumulative update of 15.x, one service pack of 14.x and 8.x.
func (b build) branch() build {
	n := 2
	if b.n[0] >= 15 {
		n = 3
	}
	for i := n; i < 4; i++ {
		b.n[i] = 0
	}
	b.parts = n
	return b
}

// A buildRow is one listed build.
type buildRow struct {
	Build      string   `json:"build"`
	Release    string   `json:"release"`
	Released   string   `json:"released"`
	Kind       string   `json:"kind"` // rtm, sp, cu, su, hu, or ru: an update rollup of 2010 and 2007
	KB         string   `json:"kb"`
	ESU        int      `json:"esu"`        // only for members of this period of extended updates
	Recalled   bool     `json:"recalled"`   // withdrawn
	Alternates []string `json:"alternates"` // other numbers that sources give
	Computed   bool     `json:"computed"`   // no list has the day; it follows from the month
	Sources    []string `json:"sources"`

	build build
	day   time.Time
}

// A productRow is one product and its support.
type productRow struct {
	Product    string   `json:"product"`
	SupportEnd string   `json:"supportEnd"`
	NotBefore  string   `json:"notBefore"` // no end is set, and none before this day
	LastFree   []string `json:"lastFree"`  // the last updates for everybody, by branch
	ESUEnd     string   `json:"esuEnd"`
	Sources    []string `json:"sources"`
}

// A featureRow is a feature and the first build of each branch that has it.
type featureRow struct {
	ID        string             `json:"id"`
	Severity  crossprem.Severity `json:"severity"` // of its lack, at worst
	Due       string             `json:"due"`      // when its lack begins to hurt
	What      string             `json:"what"`
	MinBuilds []string           `json:"minBuilds"`
	Sources   []string           `json:"sources"`
}

// A vulnerabilityRow is a vulnerability and the first build of each branch
// that has the fix.
type vulnerabilityRow struct {
	ID        string   `json:"id"`
	Published string   `json:"published"`
	What      string   `json:"what"`
	Fixed     []string `json:"fixed"`
	Settings  bool     `json:"settings"` // the build alone does not close it
	Older     bool     `json:"older"`    // products without a fix have the flaw as well
	Sources   []string `json:"sources"`
}

// An enforcementRow is a stage at which Exchange Online turns against products.
type enforcementRow struct {
	Products  []string `json:"products"`
	From      string   `json:"from"`
	MinBuilds []string `json:"minBuilds"` // none: the whole product
	Open      []string `json:"open"`      // of branches about which the announcement is silent: from this build on nothing is known
}

// A buildTable is data/exchange-builds.json, read.
type buildTable struct {
	AsOf            string             `json:"asOf"`
	Sources         map[string]string  `json:"sources"`
	Products        []productRow       `json:"products"`
	Features        []featureRow       `json:"features"`
	Vulnerabilities []vulnerabilityRow `json:"vulnerabilities"`
	Enforcement     struct {
		Sources []string         `json:"sources"`
		Rows    []enforcementRow `json:"rows"`
	} `json:"enforcement"`
	Builds []buildRow `json:"builds"` // in ascending order
}

//go:embed data/exchange-builds.json
var exchangeBuildsJSON []byte

var exchangeBuilds = sync.OnceValue(func() *buildTable {
	t, err := parseBuildTable(exchangeBuildsJSON)
	if err != nil {
		panic("authinspect: data/exchange-builds.json: " + err.Error()) // embedded, and read by every test
	}
	return t
})

func parseBuildTable(data []byte) (*buildTable, error) {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	t := &buildTable{}
	if err := dec.Decode(t); err != nil {
		return nil, err
	}
	for i := range t.Builds {
		row := &t.Builds[i]
		var ok bool
		if row.build, ok = parseBuild(row.Build); !ok || row.build.parts != 4 || row.build.product() == "" {
			return nil, fmt.Errorf("%q is no build", row.Build)
		}
		var err error
		if row.day, err = time.Parse(time.DateOnly, row.Released); err != nil {
			return nil, err
		}
		if i > 0 && t.Builds[i-1].build.compare(row.build) >= 0 {
			return nil, fmt.Errorf("%s is not in order", row.Build)
		}
	}
	return t, nil
}

// match returns the row of b, or else the next lower one of its branch, or
// nil. A build of fewer parts than four matches the first one of its branch.
func (t *buildTable) match(b build) (row *buildRow, exact bool) {
	if b.parts < b.branch().parts {
		return nil, false
	}
	for i := range t.Builds {
		r := &t.Builds[i]
		switch {
		case r.build.branch() != b.branch():
		case b.parts < 4:
			return r, false
		case r.build == b || slices.Contains(r.Alternates, b.String()):
			return r, true
		case r.build.compare(b) < 0:
			row = r
		}
	}
	return row, false
}

// newest returns the newest row of the branch of b that was released by the
// day at, or nil.
func (t *buildTable) newest(b build, at time.Time) (row *buildRow) {
	for i := range t.Builds {
		if r := &t.Builds[i]; r.build.branch() == b.branch() && !r.day.After(at) && !r.Recalled {
			row = r
		}
	}
	return row
}

// newestOfProduct is newest over all branches of the product of b.
func (t *buildTable) newestOfProduct(b build, at time.Time) (row *buildRow) {
	for i := range t.Builds {
		if r := &t.Builds[i]; r.build.product() == b.product() && !r.day.After(at) && !r.Recalled {
			row = r
		}
	}
	return row
}

// product returns the row of a product, or nil.
func (t *buildTable) product(name string) *productRow {
	for i := range t.Products {
		if t.Products[i].Product == name {
			return &t.Products[i]
		}
	}
	return nil
}

// cited returns the names of sources.
func (t *buildTable) cited(keys []string) []string {
	var names []string
	for _, key := range keys {
		names = append(names, t.Sources[key])
	}
	return names
}

// reaches compares b with the first builds that have something, one of each
// branch and in ascending order, and returns whether b has it. A branch of the
// same product above one that has it has it too; a product of which none is
// listed has it not. Unknown is what three numbers, or two, cannot tell.
func reaches(b build, first []string) crossprem.Answer {
	answer := crossprem.No
	for _, s := range first {
		m, _ := parseBuild(s)
		switch {
		case m.n[0] != b.n[0] || m.n[1] != b.n[1]: // another product
		case b.parts == 2:
			return crossprem.AnswerUnknown
		case m.branch() == b.branch() && b.parts == 4:
			return crossprem.AnswerOf(b.compare(m) >= 0)
		case m.branch() == b.branch() && isFirstOfBranch(m):
			return crossprem.Yes
		case m.branch() == b.branch():
			return crossprem.AnswerUnknown
		case m.product() == b.product() && m.branch().compare(b.branch()) < 0:
			answer = crossprem.Yes
		}
	}
	return answer
}

// isFirstOfBranch reports whether a listed build is the lowest of its branch.
func isFirstOfBranch(b build) bool {
	row, _ := exchangeBuilds().match(b.branch())
	return row != nil && row.build == b
}
