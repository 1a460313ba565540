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

// Evidence is one version, seen somewhere. It is a plain value.
type Evidence struct {
	Product   Product
	Component string // as in [Facts], if the product has several
	Origin    Origin

	Version Version // zero if what was there could not be read
	Text    string  // as it was written there
	Where   string  // the file, the registry key or the request

	// Server is the machine that the version is of. If empty, it is that of
	// the other evidence: a folder of evidence is of one server.
	Server string

	// At is when the place was last written, if that is known: the day of a
	// trace, or of the tenant's last synchronisation.
	At time.Time

	// SyncEnabled and Staging are told by some places only. A tenant in which
	// synchronisation is not enabled still answers with an old version.
	SyncEnabled Answer
	Staging     Answer
}

// Installed is one installation that evidence speaks of.
type Installed struct {
	Product   Product
	Component string
	Version   Version
	Server    string
	Evidence  []Evidence // what it rests on, the most trusted first
}

// A Reconciliation is what several pieces of evidence come to.
type Reconciliation struct {
	Installed []Installed         // by product, component and server
	Findings  []crossprem.Finding // contradictions and gaps, worst first
}

// staleSync is how long ago the last synchronisation may be before the
// tenant's value is history. It runs every half hour.
const staleSync = 72 * time.Hour

// Reconcile compares evidence of any number of installations, as of the day
// at. Several local places with different versions are a half-finished
// upgrade; a tenant's value without a recent synchronisation is history; and
// the tenant never sees a staging server.
func Reconcile(at time.Time, evidence ...Evidence) Reconciliation {
	r := Reconciliation{}
	groups := map[string][]Evidence{}
	var order []string
	server, name := theServer(evidence), serverNames(evidence)
	for _, e := range evidence {
		if e.Version.IsZero() && e.SyncEnabled != No {
			r.add(ruleEvidenceCut, crossprem.Unknown, crossprem.Info, cmp.Or(e.Server, server, e.Product.Title()),
				"A version could not be read", fmt.Sprintf("%s in %s: %.80q is no version of four numbers, or was cut.", e.Origin, e.Where, e.Text), "")
			continue
		}
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
			return cmp.Or(cmp.Compare(a.Origin.rank(), b.Origin.rank()), b.At.Compare(a.At))
		})
		if group[0].Origin == FromTenant {
			tenant = append(tenant, group[0])
			continue
		}
		local = append(local, group[0])
		r.Installed = append(r.Installed, Installed{group[0].Product, group[0].Component, group[0].Version, group[0].Server, group})
		r.halfUpgraded(group)
		if best := group[0]; best.Origin == FromTrace {
			day := "a day that is not known"
			if !best.At.IsZero() {
				day = best.At.Format(time.DateOnly)
			}
			r.add(ruleTraceOnly, crossprem.Unknown, crossprem.Info, cmp.Or(best.Server, best.Product.Title()), "Only a log of the wizard names the version",
				fmt.Sprintf("The wizard of %s ran on %s; whether that is still what is installed is not known.", best.Version, day), "")
		}
	}
	for _, e := range tenant {
		r.tenant(at, e, local)
	}
	for _, key := range order {
		if group := groups[key]; group[0].Origin != FromTenant && slices.ContainsFunc(group, func(e Evidence) bool { return e.Staging == Yes }) {
			r.add(ruleStagingUnseen, crossprem.Failed, crossprem.Info, group[0].Server, "The tenant cannot see this server: it is in staging mode",
				"A staging server does not export, and the tenant knows only who exported last. What the server itself says is all there is.", "")
		}
	}
	slices.SortStableFunc(r.Findings, worstFirst)
	return r
}

func (r *Reconciliation) add(rule string, status crossprem.Status, severity crossprem.Severity, subject, title, detail, remedy string) {
	r.Findings = append(r.Findings, crossprem.Finding{Rule: rule, Status: status, Severity: severity, Subject: cmp.Or(subject, "Entra Connect"),
		Title: title, Detail: detail, Remedy: remedy, Sources: slices.Clone(ownRules[rule].Sources)})
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
	var said []string
	differ := false
	for _, e := range group {
		if e.Origin == FromTrace {
			continue // of its own time
		}
		said = append(said, fmt.Sprintf("%s says %s", e.Origin, e.Version))
		differ = differ || e.Version != group[0].Version
	}
	if differ {
		r.add(ruleHalfUpgraded, crossprem.Failed, crossprem.Warning, cmp.Or(group[0].Server, group[0].Product.Title()),
			"The places that name the version do not agree", strings.Join(said, "; ")+".",
			"Start the wizard, or the installer of the higher version, and let it finish. Check SchedulerSuspended in Get-ADSyncScheduler.")
	}
}

// tenant judges what the tenant says against what the servers say.
func (r *Reconciliation) tenant(at time.Time, e Evidence, local []Evidence) {
	subject := cmp.Or(e.Server, "the tenant")
	said := fmt.Sprintf("The tenant names %s", e.Version)
	if e.Server != "" {
		said += " on " + e.Server
	}
	stale := false
	switch {
	case e.SyncEnabled == No:
		stale = true
		r.add(ruleStaleEvidence, crossprem.Failed, crossprem.Warning, subject, "Synchronisation is not enabled in the tenant",
			"onPremisesSyncEnabled is not true. The tenant answers for Entra Connect all the same; a version that it names is history.", "")
	case e.At.IsZero():
		r.add(ruleStaleEvidence, crossprem.Unknown, crossprem.Warning, subject, "How old the tenant's value is, is not known",
			said+", but when it last synchronised is not known; see onPremisesLastSyncDateTime.", "")
	case e.At.Sub(at) > staleSync:
		r.add(ruleStaleEvidence, crossprem.Unknown, crossprem.Warning, subject, "The tenant's value is of a later day",
			fmt.Sprintf("%s, and last synchronised on %s. What it ran on %s is not known.", said, e.At.UTC().Format(time.DateOnly), at.Format(time.DateOnly)), "")
	case at.Sub(e.At) > staleSync:
		stale = true
		r.add(ruleStaleEvidence, crossprem.Failed, crossprem.Warning, subject, "The tenant's value is history",
			fmt.Sprintf("%s, and last synchronised on %s, %d days earlier.", said, e.At.UTC().Format(time.DateOnly), int(at.Sub(e.At).Hours()/24)), "")
	default:
		r.add(ruleStaleEvidence, crossprem.Passed, crossprem.Warning, subject, "The tenant synchronised within three days",
			fmt.Sprintf("%s, and last synchronised on %s.", said, e.At.UTC().Format(time.DateOnly)), "")
	}
	known := false
	for _, l := range local {
		if l.Product != e.Product || e.Version.IsZero() {
			continue
		}
		known = true
		switch {
		case e.Server != "" && l.Server != "" && !sameServer(e.Server, l.Server):
			r.add(ruleOtherServer, crossprem.Failed, crossprem.Info, subject, "The tenant speaks of another server",
				fmt.Sprintf("%s; %s has %s. The tenant knows only who exported last: the other may be a staging server.", said, l.Server, l.Version), "")
		case l.Version != e.Version:
			r.add(ruleTenantDiffers, crossprem.Failed, crossprem.Warning, subject, "The tenant names another version than the server",
				fmt.Sprintf("%s; %s says %s. The value is refreshed with an export; 1.3.21.0 left the old one in place.", said, l.Origin, l.Version),
				"Wait for an export, or run Set-ADSyncDirSyncConfiguration on the server.")
		}
	}
	if !known && !stale && !e.Version.IsZero() {
		r.Installed = append(r.Installed, Installed{e.Product, e.Component, e.Version, e.Server, []Evidence{e}})
	}
}
