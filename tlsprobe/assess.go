package tlsprobe

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// The days since which Microsoft's side no longer speaks TLS 1.0 and 1.1, from
// the timeline: Office 365 at large, and mail flow.
var (
	office365Begin = time.Date(2020, 10, 15, 0, 0, 0, 0, time.UTC)
	mailFlowBegin  = time.Date(2021, 1, 11, 0, 0, 0, 0, time.UTC)
)

// popImapFrom is the first day on which the legacy endpoints of POP3 and IMAP4
// may refuse TLS 1.0 and 1.1.
var popImapFrom = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

// Assess judges what r and r.Others show for a server of the given role, on
// the day at. What could not be seen yields findings with status Unknown, and
// a nil Result one. The subject is the target; the part is the address, where
// the name has several, and the server name, where it is not that of the
// target. The findings are the worst first.
func Assess(r *Result, role Role, at time.Time) []crossprem.Finding {
	if r == nil {
		return []crossprem.Finding{ruleSpoken.Unknown("no target", "There is no result to judge.")}
	}
	var list []crossprem.Finding
	for _, one := range r.All() {
		a := assessment{r: one, role: role, at: at, subject: subjectOf(r), part: partOf(one)}
		if len(r.Others) > 0 {
			a.part = strings.TrimPrefix(a.part+", "+one.Address, ", ")
		}
		a.assess()
		list = append(list, a.findings...)
	}
	if len(r.Others) > 0 {
		list = append(list, compareAddresses(r).WithPart(partOf(r)))
	}
	slices.SortStableFunc(list, crossprem.WorstFirst)
	return list
}

func subjectOf(r *Result) string { return cmp.Or(r.Target, "no target") }

// partOf names the server name that was sent, where it is not the one of the
// target.
func partOf(r *Result) string {
	host, _, err := net.SplitHostPort(r.Target)
	switch {
	case err != nil, strings.EqualFold(r.SNI, trimDot(host)):
		return ""
	case r.SNI != "":
		return "server name " + r.SNI
	case net.ParseIP(strings.SplitN(host, "%", 2)[0]) == nil && r.Class != Unclassified:
		return "no server name"
	}
	return ""
}

type assessment struct {
	r        *Result
	role     Role
	at       time.Time
	subject  string
	part     string
	findings []crossprem.Finding
}

func (a *assessment) add(f crossprem.Finding) { a.findings = append(a.findings, f.WithPart(a.part)) }

func (a *assessment) assess() {
	if !a.spoken() {
		return
	}
	a.needed()
	a.old()
	a.suites()
	a.oddities()
	a.clientCertificate()
	a.certificate()
	a.inspection()
	a.retirement()
}

// spoken adds the finding about the class, and reports whether there is more
// to judge.
func (a *assessment) spoken() bool {
	r := a.r
	class := crossprem.Val("class", r.Class)
	if r.answered() {
		a.add(ruleSpoken.Passed(a.subject).Explain("At least one version is accepted. The class is {class}.", class))
		return true
	}
	detail := "The class is " + r.Class.String()
	if r.Protocol != "" {
		detail += ", it speaks " + r.Protocol
	}
	if r.Detail != "" {
		detail += ": " + r.Detail
	}
	detail += "."
	failed := ruleSpoken.Failed(a.subject)
	unknown := func(why, remedy string) {
		a.add(ruleSpoken.Unknown(a.subject, why).Explain(detail, class).WithRemedy(remedy))
	}
	switch r.Class {
	case NeedsStartTLS:
		a.add(failed.AtMost(crossprem.Warning).Explain("The server wants STARTTLS first. "+detail, class).WithRemedy("Probe again with the dialogue " + r.Protocol + "."))
	case NotTLS:
		a.add(failed.Explain("The server speaks another protocol. "+detail, class))
	case StartTLSRefused:
		a.add(failed.Explain("The dialogue before TLS did not lead to TLS. "+detail, class).
			WithRemedy("Give the connector or service a certificate, and look for a firewall that removes STARTTLS from the greeting."))
	case SNINeeded:
		unknown("The server finishes no answer under this server name.", "Probe again with the name that clients use.")
	case TemporarilyUnavailable:
		unknown("The server put every connection off.", "Probe again later, or from an address that the server does not limit.")
	case EHLORefused:
		unknown("The server refused the name that the probe gave in EHLO.", "Probe again with a name in EHLO that the server accepts.")
	case Declined:
		remedy := "Look into the server's log for the alert; on Windows, Schannel events 36874 and 36888."
		if r.SNI == "" {
			remedy += " No server name was sent: probe again with the name that clients use."
		}
		if a.allRefused() {
			a.add(failed.Explain("The server declines every version. "+detail, class).WithRemedy(remedy))
			a.needed()
			return false
		}
		unknown("The server answers every hello with an alert that may be about something else than versions.", remedy)
	case Reset, Closed:
		remedy := "Check name, port, firewall and proxy from this machine, and probe again with the name that clients use: a server that knows other names only may cut connections."
		unknown("Every hello was cut, which may be the server, a device on the way, or an unknown server name.", remedy)
	default:
		unknown("The server could not be asked.", "Check name, port, firewall and proxy from this machine, and probe again.")
	}
	return false
}

func (a *assessment) allRefused() bool {
	for _, v := range fiveVersions {
		if answer, asked := a.r.Versions[v]; asked && answer.Support != Refused {
			return false
		}
	}
	return a.r.Versions[TLS12].Support == Refused
}

// evidence tells what the support of v rests on; counts, which differ from one
// day to the next, only if they are asked for.
func (a *assessment) evidence(v Version, counts bool) string {
	answer := a.r.Versions[v]
	text := answer.Support.String()
	alert := func(alert *Alert) string {
		if alert == nil {
			return "an alert"
		}
		return fmt.Sprintf("alert %d, %s", *alert, *alert)
	}
	switch answer.Reason {
	case NotAsked:
		return text + " (not asked)"
	case Chosen:
		return text + " (" + answer.Suite.String() + ")"
	case ChoseLower, ChoseHigher:
		return text + " (the server chose " + answer.Negotiated.String() + ")"
	case SentAlert:
		return text + " (" + alert(answer.Alert) + ")"
	case Implied:
		return text + " (implied by the alert to the next higher version)"
	case RetryOnly:
		text += " (a HelloRetryRequest, and then no finished answer"
		if answer.Alert != nil {
			text += ": " + alert(answer.Alert)
		}
		return text + ")"
	case AnswersDiffer:
		var parts []string
		for _, s := range answer.Samples {
			part := s.Support.String()
			switch s.Reason {
			case SentAlert:
				part += ", " + alert(s.Alert)
			case ChoseLower:
				part += ", the server chose " + s.Negotiated.String()
			}
			if counts {
				part = fmt.Sprintf("%d × %s", s.Count, part)
			}
			parts = append(parts, part)
		}
		return text + " (" + strings.Join(parts, "; ") + ")"
	}
	text += " (" + answer.Reason.String()
	if counts && answer.Lost > 1 {
		text += fmt.Sprintf(", %d times", answer.Lost)
	}
	return text + ")"
}

// explain adds what is known of versions to f.
func (a *assessment) explain(f crossprem.Finding, versions ...Version) crossprem.Finding {
	for _, v := range versions {
		name, _ := v.MarshalText()
		f.Values = append(f.Values, crossprem.Val(string(name), a.evidence(v, false)))
		f = f.Explain(v.String() + " is " + a.evidence(v, true) + ".")
	}
	return f
}

// needed judges TLS 1.2.
func (a *assessment) needed() {
	r := a.r
	v12, v13 := r.Versions[TLS12].Support, r.Versions[TLS13].Support
	switch {
	case v12 == Accepted || v13 == Accepted:
		a.add(a.explain(ruleNo12.Passed(a.subject), TLS12, TLS13))
	case v12 == Refused && v13 == Refused:
		f := a.explain(ruleNo12.Failed(a.subject), TLS12, TLS13)
		if a.role == OnPremExchange {
			due := office365Begin
			if r.StartTLS == SMTP {
				due = mailFlowBegin
			}
			f = f.DueOn(due, a.at)
		}
		if a.role == MicrosoftEndpoint {
			f = f.WithRemedy("Microsoft's endpoints accept TLS 1.2: look for a proxy or firewall on the way, and for a wrong address of the name.")
		}
		a.add(f)
	default:
		a.add(a.explain(ruleNo12.Unknown(a.subject, "There is no proof of a refusal."), TLS12, TLS13))
	}
	switch {
	case v12 == Accepted, v13 == Refused:
		a.add(a.explain(ruleOnly13.Passed(a.subject), TLS12, TLS13))
	case v12 == Refused && v13 == Accepted:
		a.add(a.explain(ruleOnly13.Failed(a.subject), TLS12, TLS13))
	default:
		a.add(a.explain(ruleOnly13.Unknown(a.subject, "There is no proof of what is accepted and what is refused."), TLS12, TLS13))
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
		switch answer.Support {
		case Refused:
			a.add(a.explain(one.rule.Passed(a.subject), one.version))
		case Accepted, Contradictory:
			f := a.explain(one.rule.Failed(a.subject), one.version).
				WithRemedy("Disable " + one.version.String() + " on the server, after a look at who still uses it: Enabled=0 and DisabledByDefault=1 in Schannel on Windows.")
			if a.role == MicrosoftEndpoint {
				f = f.WithRemedy("Microsoft's endpoints refuse it, but for the legacy ones: look for a proxy on the way, which may weaken everybody's connections.")
				if a.legacy() {
					f = f.AtMost(crossprem.Warning).WithRemedy("This endpoint is meant for old clients; move them to one that is not.")
				}
			}
			a.add(f)
		default:
			a.add(a.explain(one.rule.Unknown(a.subject, "There is no answer that decides."), one.version))
		}
	}
}

// legacy reports whether the endpoint is documented to take old versions.
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
	suite := crossprem.Val("suite", answer.Suite)
	switch {
	case !answer.Suite.Weak():
		a.add(ruleWeak.Passed(a.subject).Explain("The server chooses {suite}.", suite))
	case answer.Strong == Refused:
		a.add(ruleWeak.Failed(a.subject).Explain("Without weak suites in the hello, TLS 1.2 is refused; with them the server chooses {suite}.", suite))
	case answer.Strong == Accepted:
		a.add(ruleWeak.Passed(a.subject).Explain("The server prefers {suite}, and takes a better one when that is all there is.", suite))
	default:
		a.add(ruleWeak.Unknown(a.subject, "Whether the server takes a better suite is not known.").Explain("It chooses {suite}.", suite))
	}
}

func (a *assessment) oddities() {
	r := a.r
	stripped := ruleStripped.Failed(a.subject)
	for _, v := range []Version{TLS13, TLS12} {
		for _, answer := range r.Versions {
			if s := r.Versions[v].Support; answer.Sentinel == v && s != Accepted && s != Contradictory {
				stripped = a.explain(stripped.Explain("A downgrade sentinel admits to "+v.String()+"."), v)
				break
			}
		}
	}
	if stripped.Detail != "" {
		a.add(stripped)
	} else {
		a.add(ruleStripped.Passed(a.subject).Explain("Downgrade sentinels were looked for in every ServerHello."))
	}

	if r.IntolerantOf != 0 {
		a.add(a.explain(ruleIntolerant.Failed(a.subject), r.IntolerantOf, r.Highest()).
			WithRemedy("Update the server or the device in front of it: current clients offer " + r.IntolerantOf.String() + " and will fail, or connect only after a second try."))
	} else {
		a.add(ruleIntolerant.Passed(a.subject).Explain("No version above the highest accepted one is hung up on again and again."))
	}
	if r.Class == ShortHelloOnly {
		a.add(ruleShort.Failed(a.subject).Explain("Hellos of 512 bytes and more get no answer, one of less than 256 does."))
	} else {
		a.add(ruleShort.Passed(a.subject).Explain("A hello that is not a short one was answered."))
	}
	if r.Class == RateLimited {
		a.add(ruleLimited.Failed(a.subject).Explain("Some hellos were cut or put off, and the same ones answered later."))
	} else {
		a.add(ruleLimited.Passed(a.subject).Explain("No hello was answered only after it had been cut."))
	}
	if r.StartTLSVaries {
		a.add(ruleStartTLSVaries.Failed(a.subject).Explain("Some connections were offered STARTTLS, and others were not."))
	}
	a.backends()
}

// backends judges whether repeated answers differ.
func (a *assessment) backends() {
	var differ []Version
	repeated := len(a.r.Versions) > 0
	for v, answer := range a.r.Versions {
		if answer.Support == Contradictory {
			differ = append(differ, v)
		}
		repeated = repeated && answer.Asked > 1
	}
	slices.Sort(differ)
	slices.Reverse(differ)
	switch {
	case len(differ) > 0:
		a.add(a.explain(ruleBackends.Failed(a.subject), differ...))
	case repeated:
		a.add(ruleBackends.Passed(a.subject).Explain("Every version was asked about more than once."))
	}
}

func (a *assessment) clientCertificate() {
	r := a.r
	switch {
	case r.ClientCertificate && a.role == OnPremExchange && r.StartTLS == SMTP:
		a.add(ruleClientCert.Passed(a.subject).Explain("A CertificateRequest was seen, as is usual for Exchange: Exchange Online shows its certificate for mail flow."))
	case r.ClientCertificate && a.role == OnPremExchange:
		a.add(ruleClientCert.Failed(a.subject).Explain("A CertificateRequest was seen.").
			WithRemedy("Exchange Online and Outlook have no certificate to show: pass EWS, Autodiscover and MAPI through without client authentication in TLS."))
	case r.ClientCertificate:
		a.add(ruleClientCert.Failed(a.subject).AtMost(crossprem.Warning).Explain("A CertificateRequest was seen."))
	case r.Chain == nil:
		a.add(ruleClientCert.Unknown(a.subject, "No handshake came far enough to tell."))
	default:
		a.add(ruleClientCert.Passed(a.subject).Explain("No CertificateRequest was seen during the handshake. A server may still ask later, for some paths."))
	}
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
		a.add(ruleInspected.Unknown(a.subject, a.noChain()))
		return
	}
	issuer := a.r.Chain[0].Issuer
	value := crossprem.Val("issuer", issuer.String())
	for _, organization := range issuer.Organization {
		if slices.Contains(issuersOfMicrosoft, organization) {
			a.add(ruleInspected.Passed(a.subject).Explain("The certificate was issued by {issuer}.", value))
			return
		}
	}
	f := ruleInspected.Failed(a.subject).Explain("The certificate was issued by {issuer}.", value)
	host, port, _ := net.SplitHostPort(a.r.Target)
	for _, e := range endpointsOf(host, port) {
		if e.InspectionBreaks {
			a.add(f.Explain("It is documented that " + e.Host + " does not work through TLS inspection."))
			return
		}
	}
	a.add(f.AtMost(crossprem.Warning))
}

func (a *assessment) retirement() {
	host, port, _ := net.SplitHostPort(a.r.Target)
	endpoints := endpointsOf(host, port)
	for _, e := range endpoints {
		detail := "The endpoint's purpose: " + e.Purpose + "."
		if e.Note != "" {
			detail += " " + strings.TrimSuffix(e.Note, ".") + "."
		}
		f := ruleRetiring.Failed(a.subject).Explain(detail).WithRemedy("Move the clients that use " + e.Host + ".")
		switch e.Status {
		case "retiring":
			a.add(f.Explain("TLS 1.0 and 1.1 end between {from} and {until}.", crossprem.Val("from", popImapFrom), crossprem.Val("until", "2026-12-31")).DueOn(popImapFrom, a.at))
			return
		case "retired", "retired-api":
			a.add(f)
			return
		}
	}
	if len(endpoints) > 0 {
		a.add(ruleRetiring.Passed(a.subject).Explain("The table of {day} has no retirement of {host}.", crossprem.Val("day", AsOf), crossprem.Val("host", endpoints[0].Host)))
	}
}

// compareAddresses judges whether all addresses of a name accept the same.
func compareAddresses(r *Result) crossprem.Finding {
	differ, unknown := false, false
	var lines []string
	for _, one := range r.All() {
		var names []string
		for _, v := range slices.Backward(fiveVersions) {
			mine, best := one.Versions[v].Support, r.Versions[v].Support
			switch {
			case mine == Accepted:
				names = append(names, v.String())
			case mine == Contradictory:
				names = append(names, v.String()+" (contradictory)")
			case mine == Unknown:
				unknown = true
			}
			differ = differ || mine != best && mine != Unknown && best != Unknown
		}
		lines = append(lines, one.Address+": "+cmp.Or(strings.Join(names, ", "), one.Class.String()))
	}
	slices.Sort(lines) // which address answered best does not matter here
	what := crossprem.Val("addresses", strings.Join(lines, "; "))
	switch {
	case differ:
		return ruleDifferent.Failed(subjectOf(r)).Explain("What each address accepts: {addresses}.", what)
	case unknown:
		return ruleDifferent.Unknown(subjectOf(r), "Not all addresses told all their versions.").Explain("What each address accepts: {addresses}.", what)
	}
	return ruleDifferent.Passed(subjectOf(r)).Explain("What each address accepts: {addresses}.", what)
}
