package connectversion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// An Origin tells where a version was read. The places disagree when an
// upgrade was left half-way, and some tell history only.
type Origin string

const (
	FromEngineFile   Origin = "engine-file"          // the sync engine's miiserver.exe
	FromSetupFile    Origin = "setup-file"           // the wizard's AzureADConnect.exe, or the agent's own program
	FromSettings     Origin = "server-configuration" // Microsoft.Synchronize.ServerConfigurationVersion; can lag behind the programs
	FromUninstallKey Origin = "uninstall-key"        // what Programs and Features lists
	FromDirectory    Origin = "directory"            // what Password Protection registers in Active Directory
	FromTrace        Origin = "setup-trace"          // a log of the wizard: the version at that time
	FromTenant       Origin = "tenant"               // what Microsoft Graph knows: the last server that exported
)

// trust orders origins, the most trusted first.
var trust = []Origin{FromEngineFile, FromSetupFile, FromSettings, FromUninstallKey, FromDirectory, FromTrace, FromTenant}

// rank is the place in that order; an origin that is none of ours comes last.
func (o Origin) rank() int {
	if i := slices.Index(trust, o); i >= 0 {
		return i
	}
	return len(trust)
}

// Evidence is one version, seen somewhere. It is a plain value, and goes into
// JSON and comes back equal.
type Evidence struct {
	Product   Product `json:"product"`
	Component string  `json:"component,omitempty"` // as in [Facts], if the product has several
	Origin    Origin  `json:"origin"`

	Version Version `json:"version,omitzero"` // zero if what was there could not be read
	Text    string  `json:"text,omitempty"`   // as it was written there
	Where   string  `json:"where,omitempty"`  // the file, the registry key or the request

	// Server is the machine that the version is of. If empty, it is that of
	// the other evidence: a folder of evidence is of one server.
	Server string `json:"server,omitempty"`

	// At is when the place was last written, if that is known: the day of a
	// trace, or of the tenant's last synchronisation.
	At time.Time `json:"at,omitzero"`

	// SyncEnabled and Staging are known from some places only. A tenant in
	// which synchronisation is not enabled still answers with an old version.
	SyncEnabled crossprem.Answer `json:"syncEnabled,omitzero"`
	Staging     crossprem.Answer `json:"staging,omitzero"`
}

// Installed is one installation that evidence speaks of.
type Installed struct {
	Product   Product    `json:"product"`
	Component string     `json:"component,omitempty"`
	Version   Version    `json:"version,omitzero"` // zero if it is installed in a version that is not known
	Server    string     `json:"server,omitempty"`
	Evidence  []Evidence `json:"evidence,omitempty"` // what it rests on, the most trusted first
}

// A Reconciliation is what several pieces of evidence come to.
type Reconciliation struct {
	Installed []Installed         `json:"installed"` // by product, component and server
	Findings  []crossprem.Finding `json:"findings"`  // contradictions and gaps, worst first
}

// staleSync is how long ago the last synchronisation may be before the
// tenant's value is history. It runs every half hour.
const staleSync = 72 * time.Hour

// Reconcile compares evidence of any number of installations, as of the day
// at. Several local places with different versions are a half-finished
// upgrade; a tenant's value without a recent synchronisation is history; and
// the tenant never sees a staging server. An installation of which no place
// names a readable version, such as a DC agent older than those that report
// one, is listed with a zero Version.
func Reconcile(at time.Time, evidence ...Evidence) Reconciliation {
	r := Reconciliation{}
	groups := map[string][]Evidence{}
	var order []string
	server, name := theServer(evidence), serverNames(evidence)
	for _, e := range evidence {
		if e.Origin != FromTenant {
			e.Server = cmp.Or(e.Server, server)
		}
		key := fmt.Sprintf("%d\x00%s\x00%s", e.Product, e.Component, name(e.Server))
		if e.Origin == FromTenant {
			key += "\x00tenant"
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], e)
	}
	slices.Sort(order)
	var local, tenant []Evidence // the best of each group
	for _, key := range order {
		group := groups[key]
		slices.SortStableFunc(group, func(a, b Evidence) int {
			unread := func(e Evidence) int {
				if e.Version.IsZero() {
					return 1
				}
				return 0
			}
			return cmp.Or(cmp.Compare(unread(a), unread(b)), cmp.Compare(a.Origin.rank(), b.Origin.rank()), b.At.Compare(a.At))
		})
		r.unread(group)
		best := group[0]
		if best.Origin == FromTenant {
			if !best.Version.IsZero() || best.SyncEnabled == crossprem.No {
				tenant = append(tenant, best)
			}
			continue
		}
		r.Installed = append(r.Installed, Installed{best.Product, best.Component, best.Version, best.Server, group})
		if slices.ContainsFunc(group, func(e Evidence) bool { return e.Staging == crossprem.Yes }) {
			r.add(ruleStagingUnseen.Failed(subjectOf(best)).WithPart(partOf(best.Product, best.Component)).
				Explain("A staging server does not export, and the tenant knows only who exported last. What the server itself says is all there is."))
		}
		if best.Version.IsZero() {
			continue
		}
		local = append(local, best)
		r.halfUpgraded(group)
		if best.Origin == FromTrace {
			f := ruleTraceOnly.Unknown(subjectOf(best), "").WithPart(partOf(best.Product, best.Component))
			if best.At.IsZero() {
				f = f.Explain("The wizard of {version} ran on a day that is not known.", crossprem.Val("version", best.Version))
			} else {
				f = f.Explain("The wizard of {version} ran on {ran}.", crossprem.Val("version", best.Version), crossprem.Val("ran", best.At.UTC().Format(time.DateOnly)))
			}
			r.add(f.Explain("Whether that is still what is installed is not known."))
		}
	}
	for _, e := range tenant {
		r.tenant(at, e, local)
	}
	slices.SortStableFunc(r.Findings, crossprem.WorstFirst)
	return r
}

func (r *Reconciliation) add(f crossprem.Finding) { r.Findings = append(r.Findings, f) }

// subjectOf names the machine that e is of.
func subjectOf(e Evidence) string { return cmp.Or(e.Server, e.Product.Title()) }

// unread adds what of one installation could not be read.
func (r *Reconciliation) unread(group []Evidence) {
	var places []string
	for _, e := range group {
		if e.Version.IsZero() && e.SyncEnabled != crossprem.No {
			places = append(places, unreadPlace(e))
		}
	}
	if len(places) == 0 {
		return
	}
	best := group[0]
	part := partOf(best.Product, best.Component)
	if best.Origin == FromTenant {
		part += "/tenant"
	}
	slices.Sort(places)
	f := ruleEvidenceCut.Unknown(subjectOf(best), strings.Join(slices.Compact(places), " ")).WithPart(part)
	f.Values = []crossprem.Value{crossprem.Val("places", len(places))}
	r.add(f)
}

func unreadPlace(e Evidence) string {
	if e.Text == "" {
		return fmt.Sprintf("%s in %s names no version.", e.Origin, e.Where)
	}
	return fmt.Sprintf("%s in %s: %.80q is no version of four numbers, or was cut.", e.Origin, e.Where, e.Text)
}

// theServer returns the name of the one server that local evidence names, or
// "" if there is none or several.
func theServer(evidence []Evidence) string {
	name := ""
	for _, e := range evidence {
		if e.Server == "" || e.Origin == FromTenant || e.Origin == FromDirectory {
			continue
		}
		if name != "" && !sameServer(name, e.Server) {
			return ""
		}
		name = e.Server
	}
	return name
}

// sameServer compares names of which one may be that of DNS; two of DNS are
// compared whole, for every domain may have its DC01.
func sameServer(a, b string) bool {
	return strings.EqualFold(a, b) ||
		strings.EqualFold(shortName(a), shortName(b)) && (shortName(a) == a || shortName(b) == b)
}

// serverNames returns a function that makes names of the same server equal:
// short ones, unless servers of several domains share one.
func serverNames(evidence []Evidence) func(string) string {
	full, shared := make(map[string]string), make(map[string]bool)
	for _, e := range evidence {
		name := strings.ToLower(e.Server)
		if short := shortName(name); short != name {
			shared[short] = shared[short] || full[short] != "" && full[short] != name
			full[short] = name
		}
	}
	return func(server string) string {
		server = strings.ToLower(server)
		if short := shortName(server); !shared[short] {
			return short
		}
		return server
	}
}

// shortName cuts a DNS name to the name of the machine.
func shortName(server string) string {
	name, _, _ := strings.Cut(server, ".")
	return name
}

func (r *Reconciliation) halfUpgraded(group []Evidence) {
	var seen []string
	differ := false
	for _, e := range group {
		if e.Origin == FromTrace || e.Version.IsZero() {
			continue // of its own time, or not read
		}
		seen = append(seen, fmt.Sprintf("%s says %s", e.Origin, e.Version))
		differ = differ || e.Version != group[0].Version
	}
	if differ && group[0].Origin != FromTrace {
		f := ruleHalfUpgraded.Failed(subjectOf(group[0])).WithPart(partOf(group[0].Product, group[0].Component))
		f.Detail = strings.Join(seen, "; ") + "."
		f.Values = []crossprem.Value{crossprem.Val("places", seen)}
		r.add(f)
	}
}

// tenant judges what the tenant says against what the servers say.
func (r *Reconciliation) tenant(at time.Time, e Evidence, local []Evidence) {
	subject, part := cmp.Or(e.Server, "the tenant"), partOf(e.Product, e.Component)
	explain := func(f crossprem.Finding) crossprem.Finding {
		if e.Server == "" {
			return f.Explain("The tenant names {version}.", crossprem.Val("version", e.Version))
		}
		return f.Explain("The tenant names {version} on {server}.", crossprem.Val("version", e.Version), crossprem.Val("server", e.Server))
	}
	synced := func(f crossprem.Finding) crossprem.Finding {
		return explain(f.WithPart(part)).Explain("It last synchronised on {lastSync}.", crossprem.Val("lastSync", e.At.UTC().Format(time.DateOnly)))
	}
	stale := false
	switch {
	case e.SyncEnabled == crossprem.No:
		stale = true
		r.add(ruleStaleEvidence.Failed(subject).WithPart(part).Explain("onPremisesSyncEnabled is not true: synchronisation is not enabled in the tenant. " +
			"The tenant answers for Entra Connect all the same; a version that it names is history."))
	case e.At.IsZero():
		r.add(explain(ruleStaleEvidence.Unknown(subject, "").WithPart(part)).
			Explain("When it last synchronised is not known; see onPremisesLastSyncDateTime."))
	case e.At.Sub(at) > staleSync:
		r.add(synced(ruleStaleEvidence.Unknown(subject, "")).Explain("That is after {day}; what it ran on that day is not known.", crossprem.Val("day", at.Format(time.DateOnly))))
	case at.Sub(e.At) > staleSync:
		stale = true
		r.add(synced(ruleStaleEvidence.Failed(subject)).DueOn(e.At.Add(staleSync), at))
	default:
		r.add(synced(ruleStaleEvidence.Passed(subject)))
	}
	known := false
	pair := part // a server may be compared with what several tenants say
	if e.Server != "" {
		pair += "/" + e.Server
	}
	for _, l := range local {
		if l.Product != e.Product || l.Component != e.Component || e.Version.IsZero() {
			continue
		}
		known = true
		switch {
		case e.Server != "" && l.Server != "" && !sameServer(e.Server, l.Server):
			r.add(explain(ruleOtherServer.Failed(l.Server).WithPart(pair)).
				Explain("{here} has {installed}. The tenant knows only who exported last: the other may be a staging server.", crossprem.Val("here", l.Server), crossprem.Val("installed", l.Version)))
		case l.Version != e.Version:
			r.add(explain(ruleTenantDiffers.Failed(subjectOf(l)).WithPart(pair)).
				Explain("{origin} says {installed}. The tenant's value is refreshed with an export; 1.3.21.0 left the old one in place.", crossprem.Val("origin", l.Origin), crossprem.Val("installed", l.Version)))
		}
	}
	if !known && !stale && !e.Version.IsZero() {
		r.Installed = append(r.Installed, Installed{e.Product, e.Component, e.Version, e.Server, []Evidence{e}})
	}
}
