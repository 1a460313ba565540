package authinspect

import (
	"cmp"
	"crypto/x509"
	"errors"
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

// webRules are the rules on web endpoints.
var webRules = []crossprem.Rule{
	{ID: "basic-offered", Severity: crossprem.Warning, Title: "The URL asks for passwords with Basic", Sources: []string{sourceBasic, sourcePolicies}},
	{ID: "basic-without-tls", Severity: crossprem.Critical, Title: "The URL asks for passwords in plain text", Sources: []string{sourceBasic}},
	{ID: "bearer-accepted-empty", Severity: crossprem.Critical, Title: "An empty token opens a URL that is closed to the anonymous", Sources: []string{sourceBearer}},
	{ID: "bearer-missing", Severity: crossprem.Warning, Title: "An empty Bearer draws other challenges, but none for Bearer", Sources: []string{sourceBearer, sourceHMA}},
	{ID: "challenge-malformed", Severity: crossprem.Info, Title: "The challenges do not keep to the RFC, and strict clients may miss some", Sources: []string{sourceChallenges}},
	{ID: "challenge-missing", Severity: crossprem.Warning, Title: "The server refuses without saying how to sign in", Sources: []string{"RFC 9110 §15.5.2"}},
	{ID: "digest-offered", Severity: crossprem.Info, Title: "The URL offers Digest", Sources: []string{sourcePolicies}},
	{ID: "endpoint-tls-untrusted", Severity: crossprem.Critical, Title: "The certificate of the URL is not trusted", Sources: []string{"RFC 9110 §4.3.4", sourceHMA}},
	{ID: "extended-protection-off", Severity: crossprem.Warning, Title: "Windows authentication is not bound to the TLS connection, and can be relayed", Sources: []string{sourceExtended}},
	{ID: "issuer-unrecognized", Severity: crossprem.Warning, Title: "Tokens are to come from a service that is neither Entra ID nor AD FS", Sources: []string{sourceHMA}},
	{ID: "modern-blocked-mailbox", Severity: crossprem.Warning, Title: "Modern authentication is not available for the mailbox", Sources: []string{sourceHMA, sourcePolicies}},
	{ID: "modern-off", Severity: crossprem.Warning, Title: "The URL asks for Bearer tokens but names no sign-in service for users", Sources: []string{sourceBearer, sourceHMA}},
	{ID: "ntlm-clock-skew", Severity: crossprem.Warning, Title: "The server's clock differs from ours by more than Kerberos tolerates", Sources: []string{sourceNTLM, "RFC 4120 §1.6"}},
	{ID: "ntlm-internal-names", Severity: crossprem.Warning, Title: "NTLM tells internal names to anybody who asks", Sources: []string{sourceNTLM}},
	{ID: "preauthentication", Severity: crossprem.Warning, Title: "A sign-in page stands in front of a URL for mail clients", Sources: []string{sourceHMA}},
	{ID: "tls-offload", Severity: crossprem.Warning, Title: "TLS ends in front of Exchange, so that tokens do not fit", Sources: []string{sourceHMA}},
	{ID: "windows-transport-public", Severity: crossprem.Warning, Title: "The Windows endpoint of AD FS answers here, where passwords can be tried", Sources: []string{sourceADFS}},
}

// basicOffOnline is when Exchange Online began to turn Basic off for
// everything but SMTP AUTH, one tenant after the other; see basicGoneOnline
// and sourceBasicEXO.
var basicOffOnline = time.Date(2022, time.October, 1, 0, 0, 0, 0, time.UTC)

// kerberosTolerance is the usual limit on the difference of clocks.
const kerberosTolerance = 5 * time.Minute

// Assess judges what one URL showed, for the day at. It returns one finding
// for each rule that has something to say about the URL, in the order of
// importance to a reader: how one signs in, then how the server presents
// itself. What the inspection could not see comes out as Unknown. The result
// is not changed, and the slice is the caller's.
func Assess(r *Result, at time.Time) []crossprem.Finding {
	a := assessment{subject: r.Target}
	a.basic(r, at)
	a.digest(r)
	a.bearer(r)
	a.front(r)
	a.ntlm(r)
	a.tls(r)
	return a.findings
}

// An assessment collects findings about one subject.
type assessment struct {
	subject  string
	findings []crossprem.Finding
}

// add adds a finding of the rule id. The title of the rule says what a
// failure means; of another outcome the detail tells.
func (a *assessment) add(id string, status crossprem.Status, severity crossprem.Severity, title, detail, remedy string) *crossprem.Finding {
	rule := webRule(id)
	if title == "" {
		title = rule.Title
	}
	a.findings = append(a.findings, crossprem.Finding{
		Rule: id, Status: status, Severity: severity, Subject: a.subject, Title: title, Detail: detail, Remedy: remedy,
		Sources: append([]string(nil), rule.Sources...),
	})
	return &a.findings[len(a.findings)-1]
}

func (a *assessment) failed(id, detail, remedy string) *crossprem.Finding {
	return a.add(id, crossprem.Failed, webRule(id).Severity, "", detail, remedy)
}

func (a *assessment) passed(id, title, detail string) {
	a.add(id, crossprem.Passed, webRule(id).Severity, title, detail, "")
}

func (a *assessment) unknown(id, title, detail string) *crossprem.Finding {
	return a.add(id, crossprem.Unknown, webRule(id).Severity, title, detail, "")
}

func webRule(id string) crossprem.Rule {
	for _, rule := range webRules {
		if rule.ID == id {
			return rule
		}
	}
	panic("authinspect: no such rule: " + id)
}

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
	return ""
}

// statuses tells how the steps were answered, as "anonymous 401, empty-bearer 401".
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

// challenged tells whether some step drew a challenge by which the schemes on
// offer are known.
func challenged(r *Result) bool { return len(r.Schemes) > 0 }

func (a *assessment) basic(r *Result, at time.Time) {
	const block = "Turn Basic off on this virtual directory once no client needs it, or block it with an authentication policy: New-AuthenticationPolicy -BlockLegacyAuth… on premises."
	switch {
	case !challenged(r):
		a.unknown("basic-offered", "Whether Basic is offered is not known", "no challenge was seen: "+statuses(r))
		return
	case r.Strength(Basic) == StrengthUnknown:
		if _, ok := r.Answered(StepAnonymous); ok {
			a.passed("basic-offered", "The URL does not offer Basic", "schemes: "+schemeList(r.Schemes))
		} else {
			a.unknown("basic-offered", "Whether Basic is offered is not known", "the anonymous request was not answered; schemes seen: "+schemeList(r.Schemes))
		}
		return
	case r.Server.Kind == KindExchangeOnline:
		// The front end goes on challenging for a scheme that the service
		// refuses whatever the password.
		detail := evidence(r, Basic) + "; Exchange Online names Basic whether or not it takes it, "
		var f *crossprem.Finding
		if at.Before(basicGoneOnline) {
			f = a.failed("basic-offered", detail+"and on this day may take it where no policy blocks it", "Move clients to modern authentication, then block Basic with an authentication policy.")
			f.Due = basicOffOnline
		} else {
			f = a.add("basic-offered", crossprem.Failed, crossprem.Info, "Exchange Online still names Basic, but no longer takes it",
				detail+"and has taken it for SMTP AUTH alone since January 2023", "")
		}
		f.Sources = []string{sourceBasicEXO}
	default:
		a.failed("basic-offered", evidence(r, Basic)+"; clients may send a password before they look for Bearer, and anybody can try passwords here", block)
	}
	if u, err := url.Parse(r.Target); err == nil && u.Scheme == "http" {
		a.failed("basic-without-tls", evidence(r, Basic)+" over "+u.Scheme, "Require TLS for this URL, or remove Basic.")
	}
}

func (a *assessment) digest(r *Result) {
	if r.Strength(Digest) != StrengthUnknown {
		a.failed("digest-offered", evidence(r, Digest), "Turn Digest off on this virtual directory; no current client needs it.")
	}
}

func (a *assessment) bearer(r *Result) {
	d, blocked := refusedForMailbox(r.Diagnostics, "")
	switch {
	case blocked:
		a.failed("modern-blocked-mailbox", fmt.Sprintf("%s: %s; phones then show a password box", d.Step, d), "Look at the authentication policy of the mailbox (Get-User …, Get-AuthenticationPolicy: BlockModernAuth…) and whether modern authentication is set up for it.")
	case !hasModern(r.Target):
	case r.Modern == ModernOn:
		a.passed("modern-off", "Modern authentication is on", r.ModernReason+"; "+evidence(r, Bearer))
	case r.Modern == ModernOff && r.Strength(Bearer) != StrengthUnknown:
		a.failed("modern-off", r.ModernReason+"; "+evidence(r, Bearer), "Set up hybrid modern authentication, or AD FS for Exchange 2019 CU13 and later: Set-OrganizationConfig -OAuth2ClientProfileEnabled $true is its last step.")
	case r.Modern == ModernOff:
		a.failed("bearer-missing", r.ModernReason+": "+schemeList(r.Schemes), "If modern authentication is meant to be on: check OAuthAuthentication of the virtual directory and OAuth2ClientProfileEnabled of the organization, and that no proxy removes challenges.")
	default:
		a.unknown("modern-off", "Whether modern authentication is on is not known", cmp.Or(r.ModernReason, statuses(r)))
	}
	if i := r.Issuer; i != nil && r.Modern == ModernOn {
		from := strings.TrimSpace(i.AuthorizationURI + " " + strings.Join(i.TrustedIssuers, ", "))
		switch i.Kind {
		case KindEntra:
			tenant := ""
			if i.Tenant != "" {
				tenant = ", tenant " + i.Tenant
			}
			a.passed("issuer-unrecognized", "Tokens come from Entra ID"+tenant, from)
		case KindADFS:
			a.passed("issuer-unrecognized", "Tokens come from AD FS", from)
		case KindOther:
			a.failed("issuer-unrecognized", from, "Make sure that this sign-in service is yours: Exchange knows Entra ID and AD FS alone.")
		default:
			a.unknown("issuer-unrecognized", "Who issues the tokens is not known", from)
		}
	}
	for _, d := range r.Diagnostics {
		if d.Code == diagnosticAudience && strings.Contains(strings.ToLower(d.Reason), "actual 'http://") {
			a.failed("tls-offload", d.String(), "Let the load balancer speak TLS to Exchange too (bridging): offloading is not supported with modern authentication.")
			break
		}
	}
}

// hasModern tells whether the URL would take Bearer tokens if modern
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
	anonymous, _ := r.Answered(StepAnonymous)
	for _, step := range []Step{StepEmptyBearer, StepMailbox} {
		answer, ok := r.Answered(step)
		if ok && answer.Status == http.StatusOK && anonymous.Status == http.StatusUnauthorized {
			a.failed("bearer-accepted-empty", statuses(r), "Something answers in place of Exchange. Look at what publishes this URL.")
			break
		}
	}
	for _, answer := range r.Answers {
		challenges, _ := ParseChallenges(answer.Header)
		if answer.Status == http.StatusUnauthorized && len(challenges) == 0 {
			a.failed("challenge-missing", answer.Step.String()+": status 401 without WWW-Authenticate", "Look for a proxy that removes the field.")
			break
		}
	}
	for _, answer := range r.Answers {
		if _, warnings := ParseChallenges(answer.Header); len(warnings) > 0 {
			a.failed("challenge-malformed", fmt.Sprintf("%s: %v", answer.Step, warnings[0]), "")
			break
		}
	}
	if anonymous.Status >= 300 && anonymous.Status < 400 && forMailClients(r.Target) {
		if where, err := url.Parse(anonymous.Header.Get("Location")); err == nil && (entraHost.MatchString(where.Hostname()) || adfsPath.MatchString(where.Path)) {
			a.failed("preauthentication", "anonymous: redirected to "+anonymous.location(), "Publish this URL without pre-authentication: mail clients cannot follow a browser's sign-in.")
		}
	}
	if u, err := url.Parse(r.Target); err == nil && strings.HasSuffix(strings.ToLower(u.Path), "/windowstransport") && challenged(r) {
		a.failed("windows-transport-public", statuses(r)+"; schemes: "+schemeList(r.Schemes), "Where this URL can be reached from the Internet, turn it off on the proxy: Set-AdfsEndpoint -TargetAddressPath "+u.Path+" -Proxy $false")
	}
}

// forMailClients tells whether programs rather than browsers ask the URL.
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
	where := "on an Exchange server HealthChecker.ps1 lists it for each virtual directory"
	if adfsTarget(r.Target) {
		where = "on an AD FS server Get-AdfsProperties lists it as ExtendedProtectionTokenCheck"
	}
	a.unknown("extended-protection-off", "Whether Extended Protection binds Windows authentication to the TLS connection is not known",
		"it cannot be seen without signing in; "+where+". Behind a proxy that ends TLS it works only if both ends have the same certificate.")
	if r.NTLM == nil {
		a.unknown("ntlm-internal-names", "Whether NTLM tells internal names is not known", "the server offers Windows authentication, but sent no NTLM challenge")
		return
	}
	if names := r.NTLM.InternalNames(); len(names) > 0 {
		detail := strings.Join(names, ", ")
		if v := r.NTLM.Version.String(); v != "" {
			detail += "; version " + v
		}
		a.failed("ntlm-internal-names", detail, "Offer Windows authentication inside the network only. Where it must be public, require Extended Protection, so that at least it cannot be relayed.").Sources = []string{sourceNTLM, sourceExtended}
	} else {
		a.passed("ntlm-internal-names", "The NTLM challenge holds no names", "")
	}
	switch skew, ok := r.NTLM.Skew(); {
	case !ok:
		a.unknown("ntlm-clock-skew", "The server's clock is not known", "the NTLM challenge does not tell the time")
	case skew.Abs() > kerberosTolerance:
		a.failed("ntlm-clock-skew", fmt.Sprintf("the server's clock differs by %v", skew.Round(time.Second)), "Compare both clocks with the domain's time source: w32tm /query /status")
	default:
		a.passed("ntlm-clock-skew", "The server's clock agrees with ours", fmt.Sprintf("difference %v", skew.Round(time.Second)))
	}
}

func (a *assessment) tls(r *Result) {
	switch {
	case r.TLS == nil:
	case r.TLS.Trusted:
		a.passed("endpoint-tls-untrusted", "The certificate of the URL is trusted", "")
	default:
		detail := "no reason known"
		if r.TLS.Distrust != nil {
			detail = printable(r.TLS.Distrust.Error())
		}
		f := a.failed("endpoint-tls-untrusted", detail, "Install a certificate that names this host and leads to an authority that clients trust. Who answers here need not be your server.")
		if named := (x509.HostnameError{}); r.Server.Kind == KindExchangeOnline && errors.As(r.TLS.Distrust, &named) {
			// autodiscover.contoso.test as an alias of Exchange Online: clients
			// come by its redirect on port 80.
			f.Severity = crossprem.Warning
			f.Remedy = "If this name is an alias of Exchange Online, clients find it by redirect, and nothing needs to be done. Otherwise find out who answers here."
		}
	}
}

func schemeList(schemes []Scheme) string {
	names := make([]string, len(schemes))
	for i, s := range schemes {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}
