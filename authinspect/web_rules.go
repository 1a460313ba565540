package authinspect

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// The sources that several rules share.
const (
	sourceChallenges = "RFC 9110 §11.6.1"
	sourceBasic      = "RFC 7617 §4"
	sourceBearer     = "RFC 6750 §3"
	sourceNTLM       = "[MS-NLMP] §2.2.1.2"
	sourceHMA        = "Hybrid modern authentication overview and prerequisites for on-premises Exchange (learn.microsoft.com)"
	sourceBasicEXO   = "Deprecation of Basic authentication in Exchange Online (learn.microsoft.com)"
	sourceExtended   = "Configure Windows Extended Protection in Exchange Server (learn.microsoft.com)"
	sourcePolicies   = "Disabling Legacy Authentication in Exchange Server 2019 (Exchange team blog)"
	sourceADFS       = "Best practices for securing AD FS and Web Application Proxy (learn.microsoft.com)"
)

// The rules on web endpoints.
var (
	basicOffered = rules.Declare(crossprem.Rule{
		ID: "basic-offered", Severity: crossprem.Warning,
		Title: "The URL asks for passwords with Basic", PassedTitle: "The URL does not offer Basic", UnknownTitle: "It is not known whether the URL offers Basic",
		Remedy:  "Turn Basic off on this virtual directory once no client needs it, or block it with an authentication policy: New-AuthenticationPolicy -BlockLegacyAuth… on premises.",
		Sources: []string{sourceBasic, sourcePolicies, sourceBasicEXO},
	})
	basicWithoutTLS = rules.Declare(crossprem.Rule{
		ID: "basic-without-tls", Severity: crossprem.Critical,
		Title: "The URL asks for passwords in plain text", PassedTitle: "The URL asks for no passwords in plain text",
		Remedy:  "Require TLS for this URL, or remove Basic.",
		Sources: []string{sourceBasic},
	})
	bearerAcceptedEmpty = rules.Declare(crossprem.Rule{
		ID: "bearer-accepted-empty", Severity: crossprem.Critical,
		Title: "An empty token opens a URL that is closed to the anonymous", PassedTitle: "An empty token opens nothing",
		Remedy:  "Something answers in place of Exchange. Look at what publishes this URL.",
		Sources: []string{sourceBearer},
	})
	bearerMissing = rules.Declare(crossprem.Rule{
		ID: "bearer-missing", Severity: crossprem.Warning,
		Title: "The URL answers an empty Bearer with other schemes only", PassedTitle: "The URL answers an empty Bearer with Bearer",
		Remedy:  "If modern authentication is meant to be on: check OAuthAuthentication of the virtual directory and OAuth2ClientProfileEnabled of the organization, and that no proxy removes challenges.",
		Sources: []string{sourceBearer, sourceHMA},
	})
	challengeMalformed = rules.Declare(crossprem.Rule{
		ID: "challenge-malformed", Severity: crossprem.Info,
		Title: "The challenges do not keep to the RFC, and strict clients may miss some", PassedTitle: "The challenges keep to the RFC",
		Sources: []string{sourceChallenges},
	})
	challengeMissing = rules.Declare(crossprem.Rule{
		ID: "challenge-missing", Severity: crossprem.Warning,
		Title: "The server refuses without saying how to sign in", PassedTitle: "The server says how to sign in where it refuses",
		Remedy:  "Look for a proxy that removes the field WWW-Authenticate.",
		Sources: []string{"RFC 9110 §15.5.2"},
	})
	digestOffered = rules.Declare(crossprem.Rule{
		ID: "digest-offered", Severity: crossprem.Info,
		Title: "The URL offers Digest", PassedTitle: "The URL does not offer Digest",
		Remedy:  "Turn Digest off on this virtual directory; no current client needs it.",
		Sources: []string{sourcePolicies},
	})
	endpointTLSUntrusted = rules.Declare(crossprem.Rule{
		ID: "endpoint-tls-untrusted", Severity: crossprem.Critical,
		Title: "The certificate of the URL is not trusted", PassedTitle: "The certificate of the URL is trusted",
		Remedy:  "Install a certificate that names this host and leads to an authority that clients trust. Who answers here need not be your server.",
		Sources: []string{"RFC 9110 §4.3.4", sourceHMA},
	})
	extendedProtectionOff = rules.Declare(crossprem.Rule{
		ID: "extended-protection-off", Severity: crossprem.Warning,
		Title: "Windows authentication is not bound to the TLS connection, and can be relayed", PassedTitle: "Windows authentication is bound to the TLS connection",
		Remedy:  "Turn Extended Protection on with ExchangeExtendedProtectionManagement.ps1.",
		Sources: []string{sourceExtended},
	})
	issuerUnrecognized = rules.Declare(crossprem.Rule{
		ID: "issuer-unrecognized", Severity: crossprem.Warning,
		Title:        "Tokens come from a service that is neither Entra ID nor the organization's AD FS",
		PassedTitle:  "Tokens come from Entra ID or the organization's AD FS",
		UnknownTitle: "It is not known who issues the tokens",
		Remedy:       "Make sure that this sign-in service is yours: Exchange knows Entra ID and AD FS alone.",
		Sources:      []string{sourceHMA},
	})
	modernBlockedMailbox = rules.Declare(crossprem.Rule{
		ID: "modern-blocked-mailbox", Severity: crossprem.Warning,
		Title: "Modern authentication is not available for the mailbox", PassedTitle: "Modern authentication is available for the mailbox",
		Remedy:  "Look at the authentication policy of the mailbox (Get-User …, Get-AuthenticationPolicy: BlockModernAuth…) and whether modern authentication is set up for it.",
		Sources: []string{sourceHMA, sourcePolicies},
	})
	modernOff = rules.Declare(crossprem.Rule{
		ID: "modern-off", Severity: crossprem.Warning,
		Title: "The URL asks for Bearer tokens but names no sign-in service for users", PassedTitle: "The URL takes modern authentication",
		UnknownTitle: "It is not known whether the URL takes modern authentication",
		Remedy:       "Set up hybrid modern authentication, or AD FS for Exchange 2019 CU13 and later: Set-OrganizationConfig -OAuth2ClientProfileEnabled $true is its last step.",
		Sources:      []string{sourceBearer, sourceHMA},
	})
	ntlmClockSkew = rules.Declare(crossprem.Rule{
		ID: "ntlm-clock-skew", Severity: crossprem.Warning,
		Title: "The server's clock differs from ours by more than Kerberos tolerates", PassedTitle: "The server's clock agrees with ours",
		UnknownTitle: "It is not known whether the server's clock agrees with ours",
		Remedy:       "Compare both clocks with the domain's time source: w32tm /query /status",
		Sources:      []string{sourceNTLM, "RFC 4120 §1.6"},
	})
	ntlmInternalNames = rules.Declare(crossprem.Rule{
		ID: "ntlm-internal-names", Severity: crossprem.Warning,
		Title: "NTLM tells internal names to anybody who asks", PassedTitle: "The NTLM challenge holds no names",
		Remedy:  "Offer Windows authentication inside the network only. Where it must be public, require Extended Protection, so that at least it cannot be relayed.",
		Sources: []string{sourceNTLM, sourceExtended},
	})
	preauthentication = rules.Declare(crossprem.Rule{
		ID: "preauthentication", Severity: crossprem.Warning,
		Title: "A sign-in page stands in front of a URL for mail clients", PassedTitle: "No sign-in page stands in front of the URL for mail clients",
		Remedy:  "Publish this URL without pre-authentication: mail clients cannot follow a browser's sign-in.",
		Sources: []string{sourceHMA},
	})
	tlsOffload = rules.Declare(crossprem.Rule{
		ID: "tls-offload", Severity: crossprem.Warning,
		Title: "TLS ends in front of Exchange, so that tokens do not fit", PassedTitle: "TLS does not end in front of Exchange",
		Remedy:  "Let the load balancer speak TLS to Exchange too (bridging): offloading is not supported with modern authentication.",
		Sources: []string{sourceHMA},
	})
	windowsTransportPublic = rules.Declare(crossprem.Rule{
		ID: "windows-transport-public", Severity: crossprem.Warning,
		Title: "The Windows endpoint of AD FS answers here, where passwords can be tried", PassedTitle: "The Windows endpoint of AD FS does not answer here",
		Remedy:  "Where this URL can be reached from the Internet, turn it off on the proxy: Set-AdfsEndpoint -TargetAddressPath … -Proxy $false",
		Sources: []string{sourceADFS},
	})
)

// basicOffOnline is when Exchange Online began to turn Basic off for
// everything but SMTP AUTH, one tenant after the other; see basicGoneOnline
// and sourceBasicEXO.
var basicOffOnline = time.Date(2022, time.October, 1, 0, 0, 0, 0, time.UTC)

// kerberosTolerance is the usual limit on the difference of clocks.
const kerberosTolerance = 5 * time.Minute

// Assess judges what one URL showed, for the day at. It returns one finding
// for each rule that has something to say about the URL, in the order of
// importance to a reader: how one signs in, then how the server presents
// itself, then what follows from its build. What the inspection could not see comes out as Unknown; of nil
// everything that can is. The result is not changed, and the slice is the
// caller's.
func Assess(r *Result, at time.Time) []crossprem.Finding {
	if r == nil {
		r = &Result{}
	}
	return append(assessURL(r, at), serverFindings(subjectOf(r.Target), r.Server, at)...)
}

// assessURL is Assess without the rules on the build of the server.
func assessURL(r *Result, at time.Time) []crossprem.Finding {
	a := assessment{subject: subjectOf(r.Target)}
	a.basic(r, at)
	a.digest(r)
	a.bearer(r)
	a.front(r)
	a.ntlm(r)
	a.activeSync(r.ActiveSync)
	a.tls(r)
	return a.findings
}

// An assessment collects findings about one subject.
type assessment struct {
	subject  string
	findings []crossprem.Finding
}

func (a *assessment) add(f crossprem.Finding) { a.findings = append(a.findings, f) }

// evidence returns what is known of scheme, as "anonymous: Basic realm=…".
func evidence(r *Result, scheme Scheme) string {
	for _, o := range r.Offers {
		if o.Scheme == scheme && o.Step == StepUnknown {
			return o.Evidence
		}
		if o.Scheme == scheme {
			return o.Step.String() + ": " + o.Evidence
		}
	}
	return "no challenge"
}

// statuses says how the steps were answered, as "anonymous 401, empty-bearer 401".
func statuses(r *Result) string {
	var parts []string
	for _, answer := range r.Answers {
		step := answer.Step.String()
		if answer.Step == StepUnknown {
			step = "pasted"
		}
		switch {
		case answer.Status != 0:
			parts = append(parts, fmt.Sprintf("%s %d", step, answer.Status))
		case answer.Err == nil && answer.Header != nil:
			parts = append(parts, step+" without its status")
		default:
			parts = append(parts, step+" without an answer")
		}
	}
	if parts == nil {
		return "no request was answered"
	}
	return strings.Join(parts, ", ")
}

// challenged reports whether some step drew a challenge by which the schemes on
// offer are known.
func challenged(r *Result) bool { return len(r.Schemes) > 0 }

func (a *assessment) basic(r *Result, at time.Time) {
	seen, schemes := crossprem.Val("evidence", evidence(r, Basic)), crossprem.Val("schemes", schemeList(r.Schemes))
	offered := basicOffered.Failed(a.subject).Explain("The URL sends {evidence}.", seen)
	switch {
	case !challenged(r):
		a.add(basicOffered.Unknown(a.subject, "").Explain("No challenge was seen ({statuses}).", crossprem.Val("statuses", statuses(r))))
		return
	case r.Strength(Basic) == StrengthUnknown:
		if _, ok := r.Answered(StepAnonymous); ok {
			a.add(basicOffered.Passed(a.subject).Explain("The challenges name {schemes}, and not Basic.", schemes))
		} else {
			a.add(basicOffered.Unknown(a.subject, "").Explain("No answer to an anonymous request is known; the challenges that are known name {schemes}.", schemes))
		}
		return
	case r.Server.Kind == KindExchangeOnline && at.Before(basicGoneOnline):
		// The front end goes on challenging for a scheme that the service
		// refuses whatever the password.
		a.add(offered.Explain("Exchange Online names Basic whether or not it takes it, and on this day may take it where no policy blocks it.").
			WithRemedy("Move clients to modern authentication, then block Basic with an authentication policy.").DueOn(basicOffOnline, at))
	case r.Server.Kind == KindExchangeOnline:
		a.add(offered.Explain("Exchange Online names Basic whether or not it takes it, and has taken it for SMTP AUTH alone since January 2023.").
			WithRemedy("").AtMost(crossprem.Info))
	default:
		a.add(offered.Explain("Clients may send a password before they look for Bearer, and anybody can try passwords here."))
	}
	if u, err := url.Parse(r.Target); err == nil && u.Scheme == "http" {
		a.add(basicWithoutTLS.Failed(a.subject).Explain("The URL sends {evidence}, and is asked without TLS.", seen))
	}
}

func (a *assessment) digest(r *Result) {
	if r.Strength(Digest) != StrengthUnknown {
		a.add(digestOffered.Failed(a.subject).Explain("The URL sends {evidence}.", crossprem.Val("evidence", evidence(r, Digest))))
	}
}

func (a *assessment) bearer(r *Result) {
	reason, seen := crossprem.Val("reason", cmp.Or(r.ModernReason, statuses(r))), crossprem.Val("evidence", evidence(r, Bearer))
	d, blocked := refusedForMailbox(r.Diagnostics, "")
	switch {
	case blocked:
		a.add(modernBlockedMailbox.Failed(a.subject).Explain("The server answers the step {step} with {diagnostic}. Phones then show a password box.",
			crossprem.Val("step", d.Step), crossprem.Val("diagnostic", d.String())))
	case !hasModern(r.Target):
	case r.Modern == ModernOn:
		a.add(modernOff.Passed(a.subject).Explain("The reason is: {reason} ({evidence}).", reason, seen))
	case r.Modern == ModernOff && r.Strength(Bearer) != StrengthUnknown:
		a.add(modernOff.Failed(a.subject).Explain("The reason is: {reason} ({evidence}).", reason, seen))
	case r.Modern == ModernOff:
		a.add(bearerMissing.Failed(a.subject).Explain("The reason is: {reason}. The challenges name {schemes}.", reason, crossprem.Val("schemes", schemeList(r.Schemes))))
	default:
		a.add(modernOff.Unknown(a.subject, "").Explain("The reason is: {reason}.", reason))
	}
	a.issuer(r)
	for _, d := range r.Diagnostics {
		if d.Code == diagnosticAudience && strings.Contains(strings.ToLower(d.Reason), "actual 'http://") {
			a.add(tlsOffload.Failed(a.subject).Explain("The server says {diagnostic}.", crossprem.Val("diagnostic", d.String())))
			break
		}
	}
}

// issuer judges the sign-in service that the Bearer challenge names.
func (a *assessment) issuer(r *Result) {
	i := r.Issuer
	if i == nil || r.Modern != ModernOn {
		return
	}
	from := crossprem.Val("issuer", cmp.Or(strings.TrimSpace(i.AuthorizationURI+" "+strings.Join(i.TrustedIssuers, ", ")), "nothing but its kind"))
	tenant := crossprem.Val("tenant", cmp.Or(i.Tenant, "not named"))
	switch i.Kind {
	case KindEntra:
		a.add(issuerUnrecognized.Passed(a.subject).Explain("Tokens come from Entra ID, tenant {tenant}: the challenge names {issuer}.", tenant, from))
	case KindADFS:
		at, err := url.Parse(i.AuthorizationURI)
		if asked, errAsked := url.Parse(r.Target); err == nil && errAsked == nil && asked.Host != "" && at.Host != "" && domainOf(asked.Hostname()) != domainOf(at.Hostname()) {
			a.add(issuerUnrecognized.Failed(a.subject).Explain("The challenge names {issuer} and calls it AD FS, but its host lies outside of {domain}.", from, crossprem.Val("domain", domainOf(asked.Hostname()))))
			return
		}
		a.add(issuerUnrecognized.Passed(a.subject).Explain("Tokens come from AD FS: the challenge names {issuer}.", from))
	case KindOther:
		a.add(issuerUnrecognized.Failed(a.subject).Explain("The challenge names {issuer}.", from))
	default:
		a.add(issuerUnrecognized.Unknown(a.subject, "").Explain("The challenge names {issuer}, which says nothing about who that is.", from))
	}
}

// hasModern reports whether the URL would take Bearer tokens if modern
// authentication were on. Outlook Anywhere, the migration endpoint and the
// Windows endpoints of AD FS never do.
func hasModern(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return true
	}
	path := strings.ToLower(u.Path)
	return !strings.HasPrefix(path, "/rpc/") && !strings.HasPrefix(path, "/adfs/") && path != "/ews/mrsproxy.svc"
}

// front judges what seems to answer in place of the server itself.
func (a *assessment) front(r *Result) {
	answered := crossprem.Val("statuses", statuses(r))
	anonymous, _ := r.Answered(StepAnonymous)
	for _, step := range []Step{StepEmptyBearer, StepMailbox} {
		answer, ok := r.Answered(step)
		if ok && answer.Status == http.StatusOK && anonymous.Status == http.StatusUnauthorized {
			a.add(bearerAcceptedEmpty.Failed(a.subject).Explain("The steps were answered with {statuses}.", answered))
			break
		}
	}
	for _, answer := range r.Answers {
		challenges, _ := ParseChallenges(answer.Header)
		if answer.Status == http.StatusUnauthorized && len(challenges) == 0 && answer.Partial {
			a.add(challengeMissing.Unknown(a.subject, "").Explain("The step {step} was answered with status 401, and not every header field of the answer is to be seen.", crossprem.Val("step", answer.Step)))
			break
		}
		if answer.Status == http.StatusUnauthorized && len(challenges) == 0 {
			a.add(challengeMissing.Failed(a.subject).Explain("The step {step} was answered with status 401, without the field WWW-Authenticate.", crossprem.Val("step", answer.Step)))
			break
		}
	}
	for _, answer := range r.Answers {
		if _, warnings := ParseChallenges(answer.Header); len(warnings) > 0 && !answer.Partial {
			a.add(challengeMalformed.Failed(a.subject).Explain("The answer to the step {step} has {place}.", crossprem.Val("step", answer.Step), crossprem.Val("place", warnings[0].String())))
			break
		}
	}
	if anonymous.Status >= 300 && anonymous.Status < 400 && forMailClients(r.Target) {
		if where, err := url.Parse(anonymous.Header.Get("Location")); err == nil && (entraHost.MatchString(where.Hostname()) || adfsPath.MatchString(where.Path)) {
			a.add(preauthentication.Failed(a.subject).Explain("The anonymous request was redirected to {location}.", crossprem.Val("location", anonymous.location())))
		}
	}
	if u, err := url.Parse(r.Target); err == nil && strings.HasSuffix(strings.ToLower(u.Path), "/windowstransport") && challenged(r) {
		a.add(windowsTransportPublic.Failed(a.subject).Explain("The steps were answered with {statuses}; the challenges name {schemes}.", answered, crossprem.Val("schemes", schemeList(r.Schemes))).
			WithRemedy("Where this URL can be reached from the Internet, turn it off on the proxy: Set-AdfsEndpoint -TargetAddressPath " + shorten(u.Path) + " -Proxy $false"))
	}
}

// forMailClients reports whether programs rather than browsers ask the URL.
func forMailClients(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	path := strings.ToLower(u.Path)
	for _, prefix := range []string{"/ews", "/autodiscover", "/mapi", "/rpc", "/microsoft-server-activesync", "/oab", "/powershell", "/api"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

func (a *assessment) ntlm(r *Result) {
	if r.Strength(NTLM) == StrengthUnknown && r.Strength(Negotiate) == StrengthUnknown {
		return
	}
	// A server binds, or does not, when somebody signs in.
	where := "On an Exchange server HealthChecker.ps1 lists it for each virtual directory."
	if adfsTarget(r.Target) {
		where = "On an AD FS server Get-AdfsProperties lists it as ExtendedProtectionTokenCheck."
	}
	a.add(extendedProtectionOff.Unknown(a.subject,
		"Extended Protection cannot be seen without signing in. "+where+" Behind a proxy that ends TLS it works only if both ends have the same certificate."))
	if r.NTLM == nil {
		a.add(ntlmInternalNames.Unknown(a.subject, "The server offers Windows authentication, but sent no NTLM challenge."))
		return
	}
	version := crossprem.Val("windows", cmp.Or(r.NTLM.Version.String(), "not told"))
	if names := r.NTLM.InternalNames(); len(names) > 0 {
		a.add(ntlmInternalNames.Failed(a.subject).Explain("The NTLM challenge tells the names {names}; the version of Windows is {windows}.", crossprem.Val("names", names), version))
	} else {
		a.add(ntlmInternalNames.Passed(a.subject).Explain("The NTLM challenge tells no name of a computer, a domain or a forest; the version of Windows is {windows}.", version))
	}
	skew, ok := r.NTLM.Skew()
	told := crossprem.Val("skew", skew.Round(time.Second))
	switch {
	case !ok:
		a.add(ntlmClockSkew.Unknown(a.subject, "The time of the server or of the answer is missing: the NTLM challenge need not tell it."))
	case skew.Abs() > kerberosTolerance:
		a.add(ntlmClockSkew.Failed(a.subject).Explain("The server's clock is ahead of ours by {skew}.", told))
	default:
		a.add(ntlmClockSkew.Passed(a.subject).Explain("The server's clock is ahead of ours by {skew}; up to five minutes either way are tolerated.", told))
	}
}

func (a *assessment) tls(r *Result) {
	switch {
	case r.TLS == nil:
	case r.TLS.Trusted:
		a.add(endpointTLSUntrusted.Passed(a.subject).Explain("The chain leads to a known root and names the host."))
	default:
		f := endpointTLSUntrusted.Failed(a.subject).Explain("The chain is not trusted: {reason}.", crossprem.Val("reason", r.TLS.reason()))
		if r.Server.Kind == KindExchangeOnline && r.TLS.NameMismatch {
			// autodiscover.contoso.test as an alias of Exchange Online: clients
			// come by its redirect on port 80.
			f = f.AtMost(crossprem.Warning).
				WithRemedy("If this name is an alias of Exchange Online, clients find it by redirect, and nothing needs to be done. Otherwise find out who answers here.")
		}
		a.add(f)
	}
}

func schemeList(schemes []Scheme) string {
	names := make([]string, len(schemes))
	for i, s := range schemes {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}
