package tlsprobe

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A Role tells what a server is for, which decides what is wrong with it.
type Role uint8

const (
	AnyServer         Role = iota // no more than what holds for all servers
	MicrosoftEndpoint             // a host of Microsoft's, seen from the customer's network
	OnPremExchange                // a server that Exchange Online or Outlook reaches: Exchange, Edge Transport, a proxy in front
)

var roleNames = [...]string{AnyServer: "any", MicrosoftEndpoint: "microsoft", OnPremExchange: "exchange"}

// String returns "any", "microsoft" or "exchange", and "Role(9)" for a value
// that is none of the constants.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// RoleOf returns MicrosoftEndpoint for the host of target, a host:port, if the
// table of endpoints has it, and AnyServer otherwise.
func RoleOf(target string) Role {
	host, port, err := net.SplitHostPort(target)
	if err == nil && len(endpointsOf(host, port)) > 0 {
		return MicrosoftEndpoint
	}
	return AnyServer
}

const (
	expiryWarning  = 30 * 24 * time.Hour // a certificate should have been replaced by then
	expiryCritical = 7 * 24 * time.Hour
)

// The days since which Microsoft's side no longer speaks TLS 1.0 and 1.1, from
// the timeline: Office 365 at large, and mail flow.
var (
	office365Begin = time.Date(2020, 10, 15, 0, 0, 0, 0, time.UTC)
	mailFlowBegin  = time.Date(2021, 1, 11, 0, 0, 0, 0, time.UTC)
)

// Assess judges what r and r.Others show for a server of the given role, on
// the day at. What could not be seen yields findings with status Unknown. The
// findings are the worst first: failed, then unknown, then passed, and within
// them by severity.
func Assess(r *Result, role Role, at time.Time) []crossprem.Finding {
	var list []crossprem.Finding
	for _, one := range r.All() {
		a := assessment{r: one, role: role, at: at, subject: r.Target}
		if len(r.Others) > 0 {
			a.subject += " (" + one.Address + ")"
		}
		a.assess()
		list = append(list, a.findings...)
	}
	if len(r.Others) > 0 {
		list = append(list, compareAddresses(r))
	}
	order := func(f crossprem.Finding) int {
		switch f.Status {
		case crossprem.Failed:
			return 0
		case crossprem.Unknown:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b crossprem.Finding) int {
		return cmp.Or(order(a)-order(b), int(b.Severity)-int(a.Severity))
	})
	return list
}

type assessment struct {
	r        *Result
	role     Role
	at       time.Time
	subject  string
	findings []crossprem.Finding
}

// A verdict is what one rule says about one result.
type verdict struct {
	status   crossprem.Status
	severity crossprem.Severity // if Info, the rule's
	title    string             // if empty, the rule's
	detail   string
	remedy   string
	due      time.Time
}

func (a *assessment) add(rule crossprem.Rule, v verdict) {
	f := crossprem.Finding{
		Rule: rule.ID, Status: v.status, Severity: rule.Severity, Subject: a.subject, Title: rule.Title,
		Detail: v.detail, Remedy: v.remedy, Due: v.due, Sources: slices.Clone(rule.Sources),
	}
	if v.severity != 0 {
		f.Severity = v.severity
	}
	switch {
	case v.title != "":
		f.Title = v.title
	case v.status == crossprem.Unknown:
		f.Title = "Not known: " + rule.Title // which says what a failure means
	}
	a.findings = append(a.findings, f)
}

func (a *assessment) assess() {
	if !a.answers() {
		return
	}
	a.needed()
	a.old()
	a.suites()
	a.oddities()
	a.certificate()
	a.inspection()
	a.retirement()
}

// answers adds the finding about the class, and tells whether there is more to
// judge.
func (a *assessment) answers() bool {
	r := a.r
	if r.Highest() != 0 {
		a.add(ruleAnswers, verdict{status: crossprem.Passed, title: "TLS is spoken there", detail: "class " + r.Class.String()})
		return true
	}
	detail := "class " + r.Class.String()
	if r.Protocol != "" {
		detail += ", it speaks " + r.Protocol
	}
	if r.Detail != "" {
		detail += ": " + r.Detail
	}
	v := verdict{status: crossprem.Failed, detail: detail}
	switch r.Class {
	case Unclassified, Silent, Unreachable, ConnectionRefused, Reset, Closed, ProxyRefused:
		v.status = crossprem.Unknown
		v.title = "The server could not be asked"
		v.remedy = "Check name, port, firewall and proxy from this machine, and probe again."
	case NeedsStartTLS:
		v.severity = crossprem.Warning
		v.title = "The server wants STARTTLS first"
		v.remedy = "Probe again with the dialogue " + r.Protocol + "."
	case SNINeeded:
		v.status = crossprem.Unknown
		v.title = "The server wants another server name"
		v.remedy = "Probe again with the name that clients use."
	case StartTLSRefused:
		v.title = "The server does not turn to TLS"
		v.remedy = "Give the connector or service a certificate, and look for a firewall that removes STARTTLS from the greeting."
	case Declined:
		v.title = "The server declines every version"
		v.remedy = "Look into the server's log for the alert; on Windows, Schannel events 36874 and 36888."
		if r.SNI == "" {
			v.remedy += " No server name was sent: probe again with the name that clients use."
		}
	}
	a.add(ruleAnswers, v)
	if v.status == crossprem.Failed && r.Class == Declined {
		a.needed()
	}
	return false
}

// evidence tells what the support of versions rests on.
func (a *assessment) evidence(versions ...Version) string {
	var parts []string
	for _, v := range versions {
		answer := a.r.Versions[v]
		text := v.String() + " " + answer.Support.String()
		switch answer.Reason {
		case NotAsked:
			text += " (not asked)"
		case Chosen:
			text += " (" + answer.Suite.String() + ")"
		case ChoseLower, ChoseHigher:
			text += " (the server chose " + answer.Negotiated.String() + ")"
		case SentAlert:
			text += fmt.Sprintf(" (alert %d, %s)", *answer.Alert, answer.Alert)
		case Implied:
			text += " (implied by the alert to the next higher version)"
		default:
			text += " (" + string(answer.Reason)
			if answer.Lost > 1 {
				text += fmt.Sprintf(", %d times", answer.Lost)
			}
			text += ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

const enable12 = "Enable TLS 1.2 for server and client: Enabled=1 and DisabledByDefault=0 under " +
	`HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2, ` +
	"SchUseStrongCrypto=1 and SystemDefaultTlsVersions=1 for .NET in both bitnesses; then restart."

// needed judges TLS 1.2.
func (a *assessment) needed() {
	r := a.r
	v12, v13 := r.Versions[TLS12], r.Versions[TLS13]
	v := verdict{detail: a.evidence(TLS12, TLS13)}
	switch {
	case v12.Support == Accepted:
		v.status, v.title = crossprem.Passed, "TLS 1.2 is accepted"
	case v13.Support == Accepted:
		v.status, v.title = crossprem.Passed, "TLS 1.3 is accepted"
	case v12.Support == Refused:
		v.status, v.remedy = crossprem.Failed, enable12
		if a.role == OnPremExchange {
			v.due = office365Begin
			if r.StartTLS == SMTP {
				v.due = mailFlowBegin
			}
		}
		if a.role == MicrosoftEndpoint {
			v.remedy = "Microsoft's endpoints accept TLS 1.2: look for a proxy or firewall on the way, and for a wrong address of the name."
		}
	}
	a.add(ruleNo12, v)

	if v13.Support != Accepted {
		return
	}
	switch v12.Support {
	case Refused:
		a.add(ruleOnly13, verdict{status: crossprem.Failed, detail: a.evidence(TLS12, TLS13), remedy: enable12})
	case Unknown:
		a.add(ruleOnly13, verdict{detail: a.evidence(TLS12, TLS13)})
	}
}

// old judges what should not be accepted any more.
func (a *assessment) old() {
	for _, one := range []struct {
		rule    crossprem.Rule
		version Version
	}{{rule11, TLS11}, {rule10, TLS10}, {ruleSSL3, SSL30}, {ruleSSL2, SSL20}} {
		answer, asked := a.r.Versions[one.version]
		if !asked && one.version == SSL20 {
			continue // only on request
		}
		v := verdict{detail: a.evidence(one.version)}
		switch answer.Support {
		case Refused:
			v.status, v.title = crossprem.Passed, one.version.String()+" is refused"
		case Accepted:
			v.status = crossprem.Failed
			v.remedy = "Disable " + one.version.String() + " on the server, after a look at who still uses it: Enabled=0 and DisabledByDefault=1 in Schannel on Windows."
			if a.role == MicrosoftEndpoint {
				v.remedy = "Microsoft's endpoints refuse it, but for the legacy ones: look for a proxy on the way, which may weaken everybody's connections."
				if a.legacy() {
					v.severity = crossprem.Warning
					v.remedy = "This endpoint is meant for old clients; move them to one that is not."
				}
			}
		}
		a.add(one.rule, v)
	}
}

// legacy tells whether the endpoint is documented to take old versions.
func (a *assessment) legacy() bool {
	host, port, _ := net.SplitHostPort(a.r.Target)
	return slices.ContainsFunc(endpointsOf(host, port), func(e Endpoint) bool {
		return e.Status == "legacy" || e.Status == "retiring"
	})
}

func (a *assessment) suites() {
	answer := a.r.Versions[TLS12]
	if answer.Support != Accepted {
		return
	}
	v := verdict{status: crossprem.Passed, title: "TLS 1.2 is accepted with a suite that is not weak", detail: answer.Suite.String()}
	if answer.Suite.Weak() {
		switch answer.Strong {
		case Refused:
			v = verdict{status: crossprem.Failed, detail: "without weak suites in the hello, TLS 1.2 is refused; with them the server chooses " + answer.Suite.String(),
				remedy: "Allow ECDHE with AES-GCM, and remove RC4, 3DES, NULL, export and anonymous suites."}
		case Unknown:
			v = verdict{detail: "the server chooses " + answer.Suite.String() + "; whether it takes a better one is not known"}
		default:
			v.detail = "the server prefers " + answer.Suite.String() + ", and takes a better one when that is all there is"
		}
	}
	a.add(ruleWeak, v)
}

func (a *assessment) oddities() {
	r := a.r
	for _, v := range []Version{TLS13, TLS12} {
		for _, answer := range r.Versions {
			if answer.Sentinel == v && r.Versions[v].Support != Accepted {
				a.add(ruleStripped, verdict{status: crossprem.Failed, detail: "a downgrade sentinel admits to " + v.String() + "; " + a.evidence(v),
					remedy: "Look for a device between here and the server that filters TLS versions."})
				break
			}
		}
	}
	if r.IntolerantOf != 0 {
		a.add(ruleIntolerant, verdict{status: crossprem.Failed, detail: a.evidence(r.IntolerantOf, r.Highest()),
			remedy: "Update the server or the device in front of it: current clients offer " + r.IntolerantOf.String() + " and will fail, or connect only after a second try."})
	}
	if r.Class == ShortHelloOnly {
		a.add(ruleShort, verdict{status: crossprem.Failed, detail: "hellos of 512 bytes and more get no answer, one of less than 256 does",
			remedy: "Update the device in front of the server: current clients send large hellos."})
	}
	if r.Class == RateLimited {
		a.add(ruleLimited, verdict{status: crossprem.Failed, detail: "some hellos were cut and the same ones answered later",
			remedy: "If versions are unknown, probe again with a longer timeout, or from an address that is exempt from the limit."})
	}
	if r.ClientCertificate {
		v := verdict{status: crossprem.Failed, severity: crossprem.Warning, detail: "a CertificateRequest was seen"}
		if a.role == OnPremExchange {
			v.severity = crossprem.Critical
			v.remedy = "Exchange Online and Outlook have no certificate to show: pass EWS, Autodiscover and MAPI through without client authentication in TLS."
			if r.StartTLS == SMTP {
				v = verdict{status: crossprem.Passed, detail: v.detail + ", as is usual for Exchange: Exchange Online shows its certificate for mail flow"}
			}
		}
		a.add(ruleClientCert, v)
	}
}

// noChain tells why there is nothing to judge.
func (a *assessment) noChain() string {
	if a.r.Distrust != nil {
		return "the certificate could not be read: " + oneLine(a.r.Distrust)
	}
	return "no certificate was seen"
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// besidesName returns what err says about other things than the name.
func besidesName(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, one := range joined.Unwrap() {
			rest = append(rest, besidesName(one))
		}
		return errors.Join(rest...)
	}
	if errors.As(err, new(x509.HostnameError)) {
		return nil
	}
	return err
}

func (a *assessment) certificate() {
	r := a.r
	if len(r.Chain) == 0 {
		for _, rule := range []crossprem.Rule{ruleExpired, ruleName, ruleUntrusted} {
			a.add(rule, verdict{detail: a.noChain()})
		}
		return
	}
	leaf := r.Chain[0]

	days := func(d time.Duration) int { return int(d / (24 * time.Hour)) }
	left := leaf.NotAfter.Sub(a.at)
	v := verdict{status: crossprem.Failed, due: leaf.NotAfter, detail: "valid from " + leaf.NotBefore.UTC().Format(time.DateOnly) + " to " + leaf.NotAfter.UTC().Format(time.DateOnly)}
	v.remedy = "Install a new certificate, and assign it to the services that use it."
	switch {
	case a.at.Before(leaf.NotBefore):
		v.title, v.due = "The certificate is not yet valid", leaf.NotBefore
		v.remedy = "Check the clocks, and wait or install another certificate."
	case left < 0:
		v.title = "The certificate has expired"
	case left < expiryCritical:
		v.title = fmt.Sprintf("The certificate expires in %d days", days(left))
	case left < expiryWarning:
		v.title, v.severity = fmt.Sprintf("The certificate expires in %d days", days(left)), crossprem.Warning
	default:
		v.status, v.title, v.remedy = crossprem.Passed, "The certificate is valid", ""
	}
	a.add(ruleExpired, v)

	var names x509.HostnameError
	var noRoots x509.SystemRootsError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	nameOK := verdict{status: crossprem.Passed, title: "The certificate is for this name", detail: strings.Join(leaf.DNSNames, ", ")}
	trust := verdict{status: crossprem.Passed, title: "The certificate leads to a trusted root", detail: "issued by " + leaf.Issuer.String()}
	if r.Distrust == nil && !r.Trusted {
		nameOK, trust = verdict{detail: "the chain was not judged"}, verdict{detail: "the chain was not judged"}
	}
	if errors.As(r.Distrust, &names) {
		nameOK = verdict{status: crossprem.Failed, detail: names.Error(), remedy: "Use a certificate with the name that clients connect to, or probe with that name."}
	}
	switch {
	case errors.As(r.Distrust, &noRoots):
		trust = verdict{detail: noRoots.Error()}
	case errors.As(r.Distrust, &unknown):
		trust = verdict{status: crossprem.Failed, detail: unknown.Error() + "; issued by " + leaf.Issuer.String(),
			remedy: "Send the intermediate certificates along, or use a certificate of an authority that the clients trust; Exchange Online trusts public ones only."}
	case errors.As(r.Distrust, &invalid) && invalid.Reason == x509.Expired:
		trust = verdict{detail: "not judged, as a certificate of the chain is outside of its validity: " + invalid.Error()}
	case besidesName(r.Distrust) != nil:
		trust = verdict{status: crossprem.Failed, detail: oneLine(besidesName(r.Distrust)), remedy: "Use a certificate that is meant for servers."}
	}
	if r.ChainFrom == FromPlainFlight {
		trust.detail += " (from the plain text of the handshake: nobody proved to hold its key)"
	}
	a.add(ruleName, nameOK)
	a.add(ruleUntrusted, trust)

	v = verdict{status: crossprem.Passed, title: "Key and signature of the certificate are in order", detail: keyName(leaf) + ", " + leaf.SignatureAlgorithm.String()}
	short := false
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		short = key.N.BitLen() < 2048
	case *ecdsa.PublicKey:
		short = key.Curve.Params().BitSize < 224
	}
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		short = true
	}
	if short {
		v.status, v.title, v.remedy = crossprem.Failed, "", "Use a certificate with an RSA key of 2048 bits or more and a SHA-256 signature."
	}
	a.add(ruleKey, v)
}

// issuersOfMicrosoft are organisations that issue certificates for Microsoft's
// hosts: those of Azure's list of certificate authorities, and public ones that
// content networks in front of some hosts use. An organisation is a name that
// anybody may write into a root of their own: this finds inspection by products
// that do not hide.
var issuersOfMicrosoft = []string{
	"Microsoft Corporation", "DigiCert Inc", "DigiCert, Inc.", "Entrust, Inc.", "GlobalSign nv-sa",
	"D-Trust GmbH", "Let's Encrypt", "Sectigo Limited", "GeoTrust Inc.", "Baltimore",
}

// inspection judges who issued the certificate of a host of Microsoft's.
func (a *assessment) inspection() {
	if a.role != MicrosoftEndpoint {
		return
	}
	if len(a.r.Chain) == 0 {
		a.add(ruleInspected, verdict{detail: a.noChain()})
		return
	}
	issuer := a.r.Chain[0].Issuer
	v := verdict{detail: "issued by " + issuer.String()}
	for _, organization := range issuer.Organization {
		if slices.Contains(issuersOfMicrosoft, organization) {
			v.status, v.title = crossprem.Passed, "The certificate is from an authority that Microsoft uses"
			a.add(ruleInspected, v)
			return
		}
	}
	v.status, v.severity = crossprem.Failed, crossprem.Warning
	v.remedy = "Exempt Microsoft's endpoints from TLS inspection."
	host, port, _ := net.SplitHostPort(a.r.Target)
	for _, e := range endpointsOf(host, port) {
		if e.InspectionBreaks {
			v.severity = crossprem.Critical
			v.detail += "; it is documented that " + e.Host + " does not work through inspection"
			break
		}
	}
	a.add(ruleInspected, v)
}

// popImapUntil is the last day of the legacy endpoints of POP3 and IMAP4.
var popImapUntil = time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)

func (a *assessment) retirement() {
	host, port, _ := net.SplitHostPort(a.r.Target)
	for _, e := range endpointsOf(host, port) {
		v := verdict{status: crossprem.Failed, detail: e.Purpose, remedy: "Move the clients that use " + e.Host + "."}
		if e.Note != "" {
			v.detail += ": " + e.Note
		}
		switch e.Status {
		case "retiring":
			v.due = popImapUntil
			v.detail += "; TLS 1.0 and 1.1 end between 2026-07-01 and 2026-12-31"
			if a.at.Before(popImapUntil) {
				v.severity = crossprem.Warning
			}
		case "retired", "retired-api":
			v.title = "The endpoint has been retired"
		default:
			continue
		}
		a.add(ruleRetiring, v)
		return
	}
}

// compareAddresses judges whether all addresses of a name accept the same.
func compareAddresses(r *Result) crossprem.Finding {
	f := crossprem.Finding{
		Rule: ruleDifferent.ID, Status: crossprem.Passed, Severity: ruleDifferent.Severity, Subject: r.Target,
		Title: "All addresses accept the same versions", Sources: slices.Clone(ruleDifferent.Sources),
	}
	var lines []string
	for _, one := range r.All() {
		var names []string
		for _, v := range slices.Backward(fiveVersions) {
			switch {
			case one.Offers(v):
				names = append(names, v.String())
			case one.Versions[v].Support == Unknown && f.Status == crossprem.Passed:
				f.Status, f.Title = crossprem.Unknown, "Not all addresses told all their versions"
			}
			if one.Versions[v].Support != Unknown && r.Versions[v].Support != Unknown && one.Offers(v) != r.Offers(v) {
				f.Status, f.Title = crossprem.Failed, ruleDifferent.Title
				f.Remedy = "Configure all servers behind the name alike."
			}
		}
		lines = append(lines, one.Address+": "+cmp.Or(strings.Join(names, ", "), one.Class.String()))
	}
	f.Detail = strings.Join(lines, "; ")
	return f
}
