package authinspect

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

const (
	sourceCleartext   = "RFC 8314 §3"
	sourceStartTLS    = "RFC 3207; RFC 9051 §6.2.1; RFC 2595 §4"
	sourceLoginOff    = "RFC 9051 §6.2.3"
	sourceMailOAuth   = "Authenticate an IMAP, POP or SMTP connection using OAuth (learn.microsoft.com)"
	sourceSMTPDates   = "Exchange Online SMTP AUTH Basic Authentication: updated timeline (Exchange team blog, 27 January 2026; MC786329)"
	sourceSMTPSwitch  = "Enable or disable authenticated client SMTP submission (SMTP AUTH) in Exchange Online (learn.microsoft.com)"
	sourceIMAPSetting = "Set-ImapSettings; Set-PopSettings (learn.microsoft.com)"
)

// mailRules are the rules on mail servers.
var mailRules = []crossprem.Rule{
	{ID: "mail-modern-missing", Severity: crossprem.Warning, Title: "The mail server names no mechanism for tokens", Sources: []string{"RFC 7628", sourceMailOAuth}},
	{ID: "mail-password-before-tls", Severity: crossprem.Critical, Title: "The mail server takes passwords in plain text", Sources: []string{sourceCleartext, sourceLoginOff, sourceIMAPSetting}},
	{ID: "mail-password-misleading", Severity: crossprem.Info, Title: "The mail server names passwords that the service refuses", Sources: []string{sourceBasicEXO}},
	{ID: "mail-password-offered", Severity: crossprem.Warning, Title: "The mail server offers sign-in with a password", Sources: []string{sourceBasicEXO, sourceCleartext}},
	{ID: "mail-tls-missing", Severity: crossprem.Critical, Title: "The mail server offers no TLS", Sources: []string{sourceCleartext, sourceStartTLS}},
	{ID: "mail-tls-untrusted", Severity: crossprem.Warning, Title: "The certificate of the mail server is not trusted", Sources: []string{"RFC 7817", sourceCleartext}},
	{ID: "mail-windows-offered", Severity: crossprem.Info, Title: "The mail server offers Windows authentication", Sources: []string{sourceExtended}},
	{ID: "smtp-basic-retirement", Severity: crossprem.Critical, Title: "Passwords for SMTP AUTH go away in Exchange Online", Sources: []string{sourceSMTPDates, sourceSMTPSwitch}},
}

var (
	// basicGoneOnline is when the last re-enablement for IMAP and POP ended
	// in Exchange Online; since then no tenant has passwords there.
	basicGoneOnline = time.Date(2023, time.January, 1, 0, 0, 0, 0, time.UTC)

	// smtpBasicOff is when passwords for SMTP AUTH are off by default in
	// tenants that exist by then ("end of December 2026"). Administrators can
	// turn them on again; tenants made later cannot count on them. All earlier
	// dates (September 2025, March and April 2026) are void.
	smtpBasicOff = time.Date(2026, time.December, 31, 0, 0, 0, 0, time.UTC)

	// smtpBasicNews is when the date of the removal is to have been named:
	// "in the second half of 2027". From then on AsOf is too old to be silent.
	smtpBasicNews = time.Date(2027, time.July, 1, 0, 0, 0, 0, time.UTC)
)

// A mailAssessment collects findings about one server.
type mailAssessment struct {
	r        *MailResult
	at       time.Time
	findings []crossprem.Finding
}

// AssessMail judges what one mail server showed, for the day at. It returns
// one finding for each rule that has something to say about it, those on
// plain text first; what the inspection could not see comes out as Unknown.
// What a server names and what a service is known to let through on that day
// are told apart. The result is not changed, and the slice is the caller's.
func AssessMail(r *MailResult, at time.Time) []crossprem.Finding {
	a := &mailAssessment{r: r, at: at}
	a.plainText()
	a.tlsMissing()
	a.tlsUntrusted()
	a.password()
	a.modern()
	a.windows()
	a.smtpRetirement()
	return a.findings
}

// add completes a finding from its rule; the severity is the rule's, unless
// the finding is milder.
func (a *mailAssessment) add(rule string, status crossprem.Status, detail, remedy string, change ...func(*crossprem.Finding)) {
	for _, r := range mailRules {
		if r.ID != rule {
			continue
		}
		f := crossprem.Finding{Rule: rule, Status: status, Severity: r.Severity, Subject: a.r.Target, Title: mailTitle(r, status), Detail: detail,
			Sources: append([]string(nil), r.Sources...)}
		if status == crossprem.Failed {
			f.Remedy = remedy
		}
		for _, c := range change {
			c(&f)
		}
		a.findings = append(a.findings, f)
	}
}

// mailTitle says what it means that a rule came out like this.
func mailTitle(r crossprem.Rule, status crossprem.Status) string {
	switch status {
	case crossprem.Passed:
		return mailPassed[r.ID]
	case crossprem.Unknown:
		return "Not known: " + r.Title
	}
	return r.Title
}

// mailPassed are the titles of findings that passed.
var mailPassed = map[string]string{
	"mail-modern-missing":      "The mail server names a mechanism for tokens",
	"mail-password-before-tls": "The mail server takes no passwords in plain text",
	"mail-password-misleading": "The mail server names no passwords that the service refuses",
	"mail-password-offered":    "The mail server offers no sign-in with a password",
	"mail-tls-missing":         "The mail server offers TLS",
	"mail-tls-untrusted":       "The certificate of the mail server is trusted",
	"mail-windows-offered":     "The mail server offers no Windows authentication",
	"smtp-basic-retirement":    "No password for SMTP AUTH is offered here that could go away",
}

// tlsFirst tells whether TLS came before everything else.
func (a *mailAssessment) tlsFirst() bool { return a.r.Clear == nil && a.r.TLS != nil }

// because is the reason for an Unknown.
func (a *mailAssessment) because() string {
	if len(a.r.Warnings) > 0 {
		return "the list of capabilities could not be read: " + strings.Join(a.r.Warnings, "; ")
	}
	return "the list of capabilities could not be read"
}

func (a *mailAssessment) plainText() {
	const rule = "mail-password-before-tls"
	clear := a.r.Clear
	switch {
	case a.tlsFirst():
		a.add(rule, crossprem.Passed, "TLS comes before everything else on this port.", "")
	case clear == nil || !clear.Known && len(clear.Passwords()) == 0:
		a.add(rule, crossprem.Unknown, a.because(), "")
	case len(clear.Passwords()) > 0: // also in a list that was cut short
		a.add(rule, crossprem.Failed, "Before TLS the server names "+strings.Join(clear.Passwords(), " and ")+".",
			"Offer passwords over TLS only: Set-ImapSettings or Set-PopSettings -LoginType SecureLogin, a receive connector with RequireTLS or BasicAuthRequireTLS, Dovecot disable_plaintext_auth=yes, Postfix smtpd_tls_auth_only=yes.")
	default:
		a.add(rule, crossprem.Passed, "Before TLS the server names no way to send a password.", "")
	}
}

// relay tells whether this is the port on which servers hand mail to each
// other, where TLS is opportunistic and nobody signs in.
func (a *mailAssessment) relay() bool {
	_, port, _ := net.SplitHostPort(a.r.Target)
	return port == "25" && a.r.Protocol == SMTP && a.r.Clear != nil && len(a.r.Clear.Mechanisms) == 0
}

func (a *mailAssessment) tlsMissing() {
	const rule = "mail-tls-missing"
	switch {
	case a.r.TLS != nil:
		a.add(rule, crossprem.Passed, "TLS was set up.", "")
	case a.r.StartTLS == Refused:
		detail := "The server does not let TLS start on this port."
		if a.r.Server.Kind == KindExchangeOnline {
			detail += " Exchange Online offers it on every port, so something on the path takes it away."
		}
		for _, w := range a.r.Warnings {
			if strings.Contains(w, "STARTTLS") {
				detail += " " + w + "."
			}
		}
		a.add(rule, crossprem.Failed, detail, "Give the service a certificate and let it offer STARTTLS, or use a port with TLS from the first byte.", func(f *crossprem.Finding) {
			if a.relay() {
				f.Severity = crossprem.Warning
			}
		})
	default:
		a.add(rule, crossprem.Unknown, "TLS was not reached: "+strings.Join(a.r.Warnings, "; "), "")
	}
}

func (a *mailAssessment) tlsUntrusted() {
	const rule = "mail-tls-untrusted"
	switch t := a.r.TLS; {
	case t == nil && a.r.StartTLS == Refused: // mail-tls-missing says it
	case t == nil:
		a.add(rule, crossprem.Unknown, "TLS was not reached: "+strings.Join(a.r.Warnings, "; "), "")
	case !t.Trusted:
		a.add(rule, crossprem.Failed, printable(fmt.Sprintf("The chain is not to be trusted: %v.", t.Distrust)),
			"Install a certificate that names this host, with its intermediates, and assign it to the service (Enable-ExchangeCertificate -Services IMAP,POP,SMTP).")
	default:
		a.add(rule, crossprem.Passed, "The chain leads to a known root and names the host.", "")
	}
}

// password tells apart what the server names and what is allowed.
func (a *mailAssessment) password() {
	const rule, misleading = "mail-password-offered", "mail-password-misleading"
	online := a.r.Server.Kind == KindExchangeOnline
	switch {
	case a.r.Password == StrengthUnknown:
		a.add(rule, crossprem.Unknown, a.r.PasswordReason, "")
		return
	case a.r.Password == Refused:
		a.add(rule, crossprem.Passed, sentence(a.r.PasswordReason), "")
		if online {
			a.add(misleading, crossprem.Passed, "What the server names and what the service allows agree.", "")
		}
		return
	}
	names := sentence(a.r.PasswordReason)
	switch {
	case online && a.r.Protocol.plain() != SMTP && !a.at.Before(basicGoneOnline):
		a.add(rule, crossprem.Passed, names+" Exchange Online refuses it for every tenant since January 2023.", "")
		a.add(misleading, crossprem.Failed, names+" The service refuses every password; clients that try one show a password prompt that nothing satisfies.",
			"Nothing to do on the server. Configure clients for XOAUTH2 explicitly; let none choose from the list.")
	case online && a.r.Protocol.plain() != SMTP:
		a.add(rule, crossprem.Failed, names+" Exchange Online switches passwords off from 1 October 2022.",
			"Move every client to XOAUTH2.", func(f *crossprem.Finding) { f.Due = basicOffOnline })
	case online:
		a.add(rule, crossprem.Failed, names+" It does so whatever tenant and mailbox say; whether a password is let through is unknown from here.",
			"Look at Get-TransportConfig and Get-CASMailbox, SmtpClientAuthenticationDisabled, and move clients to XOAUTH2.")
	default:
		a.add(rule, crossprem.Failed, names+" Whether a policy lets a password through is unknown from here.",
			"Do not publish it where it is not needed; passwords that can be tried from anywhere will be.")
	}
}

func (a *mailAssessment) modern() {
	const rule = "mail-modern-missing"
	switch a.r.Modern {
	case ModernOn:
		a.add(rule, crossprem.Passed, sentence(a.r.ModernReason)+" Whether tenant and mailbox let it through is unknown from here.", "")
	case ModernOff:
		if s := a.r.safest(); s != nil && len(s.Mechanisms) == 0 && a.r.Password != Advertised {
			a.add(rule, crossprem.Passed, "Nobody signs in here: the server names no mechanism at all.", "")
			return
		}
		remedy := "Offer XOAUTH2 or OAUTHBEARER."
		if a.r.Server.Kind == KindExchange {
			remedy = "Hybrid modern authentication is documented for Outlook, ActiveSync, EWS and OWA, not for IMAP, POP and SMTP of Exchange Server: move the mailboxes, or use clients of other protocols."
		}
		a.add(rule, crossprem.Failed, sentence(a.r.ModernReason), remedy)
	default:
		a.add(rule, crossprem.Unknown, a.r.ModernReason, "")
	}
}

func (a *mailAssessment) windows() {
	const rule = "mail-windows-offered"
	s := a.r.safest()
	if s == nil {
		s = a.r.Clear // what it names is named, whatever else it leaves out
	}
	switch {
	case s == nil || len(s.Windows()) == 0 && (!s.Known || s != a.r.safest()):
		a.add(rule, crossprem.Unknown, a.because(), "")
	case len(s.Windows()) > 0:
		a.add(rule, crossprem.Failed, "The server names "+strings.Join(s.Windows(), " and ")+": NTLM tells internal names to anybody who asks, and can be relayed.",
			"Turn it off where the Internet can reach it: Set-ImapSettings or Set-PopSettings -EnableGSSAPIAndNTLMAuth $false, a receive connector without Integrated Windows authentication.")
	default:
		a.add(rule, crossprem.Passed, "The server names no Windows authentication.", "")
	}
}

// smtpRetirement speaks of Exchange Online alone.
func (a *mailAssessment) smtpRetirement() {
	const rule = "smtp-basic-retirement"
	if a.r.Protocol.plain() != SMTP || a.r.Server.Kind != KindExchangeOnline {
		return
	}
	due := func(f *crossprem.Finding) { f.Due = smtpBasicOff }
	const remedy = "Move printers, scanners and scripts to XOAUTH2, High Volume Email, Azure Communication Services or a relay on premises. The Entra sign-in log names them (client app: Authenticated SMTP)."
	switch {
	case a.r.Password == StrengthUnknown:
		a.add(rule, crossprem.Unknown, a.r.PasswordReason, "")
	case a.r.Password == Refused:
		a.add(rule, crossprem.Passed, "No password is asked for here.", "")
	case a.at.Before(smtpBasicOff):
		a.add(rule, crossprem.Failed, "Passwords for SMTP AUTH go off by default in existing tenants at the end of December 2026, and administrators can turn them on again; tenants made later start without. Earlier dates, September 2025 and March to April 2026, are void.",
			remedy, due, func(f *crossprem.Finding) { f.Severity = crossprem.Warning })
	default:
		detail := "Passwords for SMTP AUTH are off by default since the end of December 2026; whether an administrator turned them on again is unknown from here."
		if !a.at.Before(smtpBasicNews) {
			detail += " The date of their removal was to be named in the second half of 2027; this table is of " + AsOf + " and does not have it."
		}
		a.add(rule, crossprem.Failed, detail, remedy, due)
	}
}

// sentence makes a reason a sentence.
func sentence(reason string) string {
	if reason == "" {
		return ""
	}
	return strings.ToUpper(reason[:1]) + reason[1:] + "."
}
