package authinspect

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

const (
	sourceAutodiscover = "Autodiscover service in Exchange Server (learn.microsoft.com); [MS-OXDISCO] §3.1.5"
	sourceActiveSync   = "Exchange Online: devices have to speak ActiveSync 16.1 (MC1197103, 15 December 2025); [MS-ASHTTP] §2.2.3"
)

// The rules on a whole organization, and on ActiveSync.
var (
	activeSyncVersionLow = rules.Declare(crossprem.Rule{
		ID: "activesync-version-low", Severity: crossprem.Warning,
		Title:       "The server speaks no ActiveSync 16.1, which Exchange Online asks of devices",
		PassedTitle: "The server speaks ActiveSync 16.1 or later",
		Remedy:      "Update the server: devices that know its versions alone stop when their mailboxes move to Exchange Online.",
		Sources:     []string{sourceActiveSync},
	})
	adfsClientUnregistered = rules.Declare(crossprem.Rule{
		ID: "adfs-client-unregistered", Severity: crossprem.Warning,
		Title: "AD FS does not know a mail client", PassedTitle: "AD FS knows the mail client",
		UnknownTitle: "It is not known whether AD FS knows the mail client",
		Remedy:       "Register the client where it is in use: Add-AdfsClient, or an application group with a native application.",
		Sources:      []string{"Use AD FS claims-based authentication with Outlook: modern authentication in Exchange Server 2019 (learn.microsoft.com)", "Nico77600/EasOAuthMailbox: guide and recordings of Exchange Server SE, October 2026"},
	})
	autodiscoverLost = rules.Declare(crossprem.Rule{
		ID: "autodiscover-lost", Severity: crossprem.Warning,
		Title: "No way of Autodiscover leads to a server", PassedTitle: "Autodiscover leads to a server",
		UnknownTitle: "It is not known whether Autodiscover leads to a server",
		Remedy:       "Publish autodiscover in the domain with a certificate for its name, or a redirect on port 80 or an SRV record that leads to one.",
		Sources:      []string{sourceAutodiscover},
	})
)

// activeSync judges the versions that a server names.
func (a *assessment) activeSync(versions []string) {
	if len(versions) == 0 {
		return
	}
	named := crossprem.Val("versions", versions)
	for _, version := range versions {
		if b, ok := parseBuild(version); ok && b.compare(build{n: [4]int{16, 1}}) >= 0 {
			a.add(activeSyncVersionLow.Passed(a.subject).Explain("MS-ASProtocolVersions names {versions}.", named))
			return
		}
	}
	a.add(activeSyncVersionLow.Failed(a.subject).Explain("MS-ASProtocolVersions names {versions}.", named))
}

// assessWays judges how the organization is found, and whom its AD FS knows.
func assessWays(o *Organization) []crossprem.Finding {
	a := assessment{subject: subjectOf(o.Target)}
	a.activeSync(o.ActiveSync)
	if o.Autodiscover != nil {
		var ways []string
		for _, r := range o.Endpoints {
			if r == nil || !strings.Contains(strings.ToLower(r.Target), "/autodiscover/") {
				continue
			}
			// A certificate that clients refuse is no way.
			if u, err := url.Parse(r.Target); err == nil && challenged(r) && (r.TLS == nil || r.TLS.Trusted) && !(u.Host == o.OnlineHost || exchangeCloud.MatchString(u.Hostname())) && !slices.Contains(ways, u.Host) {
				ways = append(ways, u.Host)
			}
		}
		if o.Autodiscover.Redirect.Location != "" {
			ways = append(ways, "the redirect on port 80 to "+o.Autodiscover.Redirect.Location)
		}
		for _, srv := range o.Autodiscover.SRV {
			ways = append(ways, "the SRV record for "+srv)
		}
		switch {
		case ways != nil:
			a.add(autodiscoverLost.Passed(a.subject).Explain("It is found by {ways}.", crossprem.Val("ways", ways)))
		case o.Autodiscover.DNS != crossprem.Yes:
			a.add(autodiscoverLost.Unknown(a.subject, "No host of the domain answered as Autodiscover, and DNS was not asked or not answered."))
		default:
			a.add(autodiscoverLost.Failed(a.subject).Explain("No host of the domain answered over trusted TLS as Autodiscover, nothing on port 80 redirects, and there is no SRV record."))
		}
	}
	seen := make(map[string]bool)
	for _, c := range o.Clients {
		part := c.Host + " " + c.ClientID
		if seen[part] {
			continue
		}
		seen[part] = true
		values := []crossprem.Value{crossprem.Val("host", c.Host), crossprem.Val("client", c.Name), crossprem.Val("clientId", c.ClientID), crossprem.Val("evidence", cmp.Or(c.Evidence, "nothing"))}
		const said = "{host} answers a request for {client} ({clientId}) with {evidence}."
		switch c.Registered {
		case crossprem.Yes:
			a.add(adfsClientUnregistered.Passed(a.subject).WithPart(part).Explain(said, values...))
		case crossprem.No:
			a.add(adfsClientUnregistered.Failed(a.subject).WithPart(part).Explain(said, values...))
		default:
			a.add(adfsClientUnregistered.Unknown(a.subject, "").WithPart(part).Explain(said, values...))
		}
	}
	return a.findings
}
