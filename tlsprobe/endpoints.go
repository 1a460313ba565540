package tlsprobe

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
)

// AsOf is the day on which the table of endpoints and the timeline were last
// compared with their sources. The lists of Microsoft 365 in it were published
// from 2021 to 2023; the live ones are at https://endpoints.office.com.
const AsOf = "2026-11-25"

//go:embed data/endpoints.json
var endpointsJSON []byte

// An Endpoint is one host that a hybrid deployment reaches, or that is reached
// from Microsoft's side.
type Endpoint struct {
	// Host is a name, a pattern such as "*.msappproxy.net", or a description in
	// angle brackets of a name that differs from one organisation to the next.
	Host       string
	ProbeHost  string // a concrete name to probe where Host is a pattern; may be empty
	Ports      []int
	Purpose    string
	Components []string        // who uses it: "entra-connect", "pta", "exchange-hybrid", …
	Cloud      crossprem.Cloud // CloudUnknown for [AzureGovernment] and [OnPremises]
	Expected   string          // the versions that its documentation leads to expect, in words
	Need       string          // "required", "optional", "legacy", "none"
	Status     string          // "active", "legacy", "retiring", "retired", "retired-api"
	StartTLS   Protocol        // the dialogue before TLS; empty if TLS starts at once
	NoTLS      bool            // plain HTTP, for revocation lists
	Note       string
	Sources    []string // documents and pages

	// InspectionBreaks tells that the vendor documents that the service does
	// not work behind TLS inspection. False means that nothing
	// was found, not that it works.
	InspectionBreaks bool
}

// Targets returns what can be probed of the endpoint: nothing where the name
// is a pattern without a ProbeHost or a description, or where there is no TLS.
func (e Endpoint) Targets() []Target {
	host := e.Host
	if e.ProbeHost != "" {
		host = e.ProbeHost
	}
	if e.NoTLS || strings.ContainsAny(host, "*<") {
		return nil
	}
	var list []Target
	for _, port := range e.Ports {
		if port == 80 {
			continue
		}
		list = append(list, Target{Addr: net.JoinHostPort(host, strconv.Itoa(port)), StartTLS: e.StartTLS})
	}
	return list
}

// matches reports whether the endpoint covers host.
func (e Endpoint) matches(host string) bool {
	if suffix, ok := strings.CutPrefix(e.Host, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return host == e.Host || e.ProbeHost != "" && host == e.ProbeHost
}

// A Milestone is one dated change of what Microsoft's services accept.
type Milestone struct {
	Date    string    // as precise as it is known: "2020-04", "2026-07-01..2026-12-31", "open"
	From    time.Time // first day; zero if open
	Until   time.Time // last day of a period, or of the month or year; zero if open
	Who     string
	What    string
	Sources []string
}

type endpointTables struct {
	endpoints  []Endpoint // of all clouds, Azure Government among them
	onPremises []Endpoint
	government []Endpoint
	timeline   []Milestone
}

var tables = sync.OnceValue(func() endpointTables {
	var raw struct {
		Sources   map[string]string `json:"sources"`
		Endpoints []struct {
			Host       string   `json:"host"`
			ProbeHost  string   `json:"probe_host"`
			Ports      []int    `json:"ports"`
			Purpose    string   `json:"purpose"`
			Components []string `json:"components"`
			Cloud      string   `json:"cloud"`
			Expected   string   `json:"tls_expected"`
			Need       string   `json:"need"`
			Status     string   `json:"status"`
			StartTLS   Protocol `json:"starttls"`
			Note       string   `json:"note"`
			Sources    []string `json:"sources"`
			Inspection *bool    `json:"tls_inspection_tolerated"`
		} `json:"endpoints"`
		Timeline []struct {
			Date    string   `json:"date"`
			Who     string   `json:"who"`
			What    string   `json:"what"`
			Sources []string `json:"sources"`
		} `json:"policy_timeline"`
	}
	if err := json.Unmarshal(endpointsJSON, &raw); err != nil {
		panic(fmt.Sprintf("tlsprobe: data/endpoints.json: %v", err)) // it was tested
	}
	sources := func(keys []string) []string {
		list := make([]string, len(keys))
		for i, key := range keys {
			list[i] = raw.Sources[key]
		}
		return list
	}
	var t endpointTables
	for _, e := range raw.Endpoints {
		row := Endpoint{
			Host: e.Host, ProbeHost: e.ProbeHost, Ports: e.Ports, Purpose: e.Purpose, Components: e.Components,
			Expected: e.Expected, Need: e.Need, Status: e.Status, StartTLS: e.StartTLS,
			NoTLS: strings.HasPrefix(e.Expected, "none"), Note: e.Note, Sources: sources(e.Sources),
			InspectionBreaks: e.Inspection != nil && !*e.Inspection,
		}
		switch e.Cloud {
		case "on-premises":
			t.onPremises = append(t.onPremises, row)
			continue
		case "azure-government":
			t.government = append(t.government, row)
		default:
			if err := row.Cloud.UnmarshalText([]byte(e.Cloud)); err != nil {
				panic(fmt.Sprintf("tlsprobe: data/endpoints.json: %s: %v", e.Host, err)) // it was tested
			}
		}
		t.endpoints = append(t.endpoints, row)
	}
	for _, m := range raw.Timeline {
		from, until := period(m.Date)
		t.timeline = append(t.timeline, Milestone{
			Date: m.Date, From: from, Until: until, Who: m.Who, What: m.What, Sources: sources(m.Sources),
		})
	}
	slices.SortStableFunc(t.timeline, func(a, b Milestone) int {
		if a.From.IsZero() != b.From.IsZero() { // the open ones last
			return b.From.Compare(a.From)
		}
		return a.From.Compare(b.From)
	})
	return t
})

// period returns the first and last day of a date such as "2020-10-15",
// "2020-04", "2022", "2026-07-01..2026-12-31" or "2025-04..05".
func period(date string) (from, until time.Time) {
	first, last, ranged := strings.Cut(date, "..")
	if !ranged {
		last = first
	} else if len(last) < len(first) { // the year, or more, is said once
		last = first[:len(first)-len(last)] + last
	}
	day := func(text string) (begin, end time.Time) {
		if t, err := time.Parse("2006-01-02", text); err == nil {
			return t, t
		}
		if t, err := time.Parse("2006-01", text); err == nil {
			return t, t.AddDate(0, 1, -1)
		}
		if t, err := time.Parse("2006", text); err == nil {
			return t, t.AddDate(1, 0, -1)
		}
		return time.Time{}, time.Time{}
	}
	from, _ = day(first)
	_, until = day(last)
	return from, until
}

// Endpoints lists the hosts of one cloud, with their purposes; the zero cloud
// is [crossprem.Worldwide]. Probing them is the caller's choice; see
// [Endpoint.Targets]. The slice is the caller's, what it refers to is
// read-only.
func Endpoints(cloud crossprem.Cloud) []Endpoint {
	if cloud == crossprem.CloudUnknown {
		cloud = crossprem.Worldwide
	}
	var list []Endpoint
	for _, e := range tables().endpoints {
		if e.Cloud == cloud {
			list = append(list, e)
		}
	}
	return list
}

// AzureGovernment lists the hosts of Azure Government that agents and proxies
// reach, in GCC High and DoD alike. The slice is the caller's.
func AzureGovernment() []Endpoint { return slices.Clone(tables().government) }

// OnPremises lists what is reached on the customer's own side. The hosts are
// descriptions such as "<domain controller>". The slice is the caller's.
func OnPremises() []Endpoint { return slices.Clone(tables().onPremises) }

// Timeline lists when which of Microsoft's services began to demand which
// versions, in order of time; what has no date comes last. The slice is the
// caller's.
func Timeline() []Milestone { return slices.Clone(tables().timeline) }

// endpointsOf returns the rows for host and port of Microsoft's side.
func endpointsOf(host, port string) []Endpoint {
	host = strings.ToLower(trimDot(host))
	var list []Endpoint
	for _, e := range tables().endpoints {
		if !e.matches(host) {
			continue
		}
		if slices.ContainsFunc(e.Ports, func(p int) bool { return strconv.Itoa(p) == port }) {
			list = append(list, e)
		}
	}
	return list
}
