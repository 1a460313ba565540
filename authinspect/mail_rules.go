package authinspect

import (
	"cmp"
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

// The rules on mail servers.
var (
	mailModernMissing = rules.Declare(crossprem.Rule{
		ID: "mail-modern-missing", Severity: crossprem.Warning,
		Title: "The mail server names no mechanism for tokens", PassedTitle: "The mail server names a mechanism for tokens, or none at all",
		Remedy:  "Offer XOAUTH2 or OAUTHBEARER.",
		Sources: []string{"RFC 7628", sourceMailOAuth},
	})
	mailPasswordBeforeTLS = rules.Declare(crossprem.Rule{
		ID: "mail-password-before-tls", Severity: crossprem.Critical,
		Title: "The mail server takes passwords in plain text", PassedTitle: "The mail server takes no passwords in plain text",
		Remedy:  "Offer passwords over TLS only: Set-ImapSettings or Set-PopSettings -LoginType SecureLogin, a receive connector with RequireTLS or BasicAuthRequireTLS, Dovecot disable_plaintext_auth=yes, Postfix smtpd_tls_auth_only=yes.",
		Sources: []string{sourceCleartext, sourceLoginOff, sourceIMAPSetting},
	})
	mailPasswordMisleading = rules.Declare(crossprem.Rule{
		ID: "mail-password-misleading", Severity: crossprem.Info,
		Title: "The mail server names passwords that the service refuses", PassedTitle: "The mail server names no passwords that the service refuses",
		Remedy:  "Nothing to do on the server. Configure clients for XOAUTH2 explicitly; let none choose from the list.",
		Sources: []string{sourceBasicEXO},
	})
	mailPasswordOffered = rules.Declare(crossprem.Rule{
		ID: "mail-password-offered", Severity: crossprem.Warning,
		Title: "The mail server offers sign-in with a password", PassedTitle: "The mail server takes no sign-in with a password",
		UnknownTitle: "It is not known whether the mail server offers sign-in with a password",
		Remedy:       "Do not publish it where it is not needed; passwords that can be tried from anywhere will be.",
		Sources:      []string{sourceBasicEXO, sourceCleartext},
	})
	mailTLSMissing = rules.Declare(crossprem.Rule{
		ID: "mail-tls-missing", Severity: crossprem.Critical,
		Title: "The mail server offers no TLS", PassedTitle: "The mail server offers TLS",
		Remedy:  "Give the service a certificate and let it offer STARTTLS, or use a port with TLS from the first byte.",
		Sources: []string{sourceCleartext, sourceStartTLS},
	})
	mailTLSUntrusted = rules.Declare(crossprem.Rule{
		ID: "mail-tls-untrusted", Severity: crossprem.Warning,
		Title: "The certificate of the mail server is not trusted", PassedTitle: "The certificate of the mail server is trusted",
		Remedy:  "Install a certificate that names this host, with its intermediates, and assign it to the service (Enable-ExchangeCertificate -Services IMAP,POP,SMTP).",
		Sources: []string{"RFC 7817", sourceCleartext},
	})
	mailWindowsOffered = rules.Declare(crossprem.Rule{
		ID: "mail-windows-offered", Severity: crossprem.Info,
		Title: "The mail server offers Windows authentication", PassedTitle: "The mail server offers no Windows authentication",
		Remedy:  "Turn it off where the Internet can reach it: Set-ImapSettings or Set-PopSettings -EnableGSSAPIAndNTLMAuth $false, a receive connector without Integrated Windows authentication.",
		Sources: []string{sourceExtended},
	})
	smtpBasicRetirement = rules.Declare(crossprem.Rule{
		ID: "smtp-basic-retirement", Severity: crossprem.Critical,
		Title: "Passwords for SMTP AUTH go away in Exchange Online", PassedTitle: "No password for SMTP AUTH is offered here that could go away",
		UnknownTitle: "It is not known whether a password for SMTP AUTH is offered here that goes away",
		Remedy:       "Move printers, scanners and scripts to XOAUTH2, High Volume Email, Azure Communication Services or a relay on premises. The Entra sign-in log names them (client app: Authenticated SMTP).",
		Sources:      []string{sourceSMTPDates, sourceSMTPSwitch},
	})
)

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
	assessment
	r  *MailResult
	at time.Time
}

// AssessMail judges what one mail server showed, for the day at. It returns
// one finding for each rule that has something to say about it, those on
// plain text first; what the inspection could not see comes out as Unknown,
// and of nil everything that can.
// What a server names and what a service is known to let through on that day
// are told apart. The result is not changed, and the slice is the caller's.
func AssessMail(r *MailResult, at time.Time) []crossprem.Finding {
	if r == nil {
		r = &MailResult{}
	}
	a := &mailAssessment{assessment{subject: subjectOf(r.Target)}, r, at}
	a.plainText()
	a.tlsMissing()
	a.tlsUntrusted()
	a.password()
	a.modern()
	a.windows()
	a.smtpRetirement()
	if exchangeBuilds().product(r.Server.Product) != nil { // few mail servers name it
		a.findings = append(a.findings, serverFindings(a.subject, r.Server, at)...)
	}
	return a.findings
}

// tlsFirst reports whether TLS came before everything else.
func (a *mailAssessment) tlsFirst() bool { return a.r.Clear == nil && a.r.TLS != nil }

// unread makes the finding that rule could not be evaluated, because of what
// went wrong on the way: so.
func (a *mailAssessment) unread(rule crossprem.Rule, so string) {
	if len(a.r.Warnings) == 0 {
		a.add(rule.Unknown(a.subject, so+"."))
		return
	}
	a.add(rule.Unknown(a.subject, "").Explain(so+": {warnings}.", crossprem.Val("warnings", strings.Join(a.r.Warnings, "; "))))
}

const (
	listUnread    = "The list of capabilities is not known"
	tlsNotReached = "TLS was not reached"
)

func (a *mailAssessment) plainText() {
	clear := a.r.Clear
	switch {
	case a.tlsFirst():
		a.add(mailPasswordBeforeTLS.Passed(a.subject).Explain("TLS comes before everything else on this port."))
	case clear == nil || !clear.Known && len(clear.Passwords()) == 0:
		a.unread(mailPasswordBeforeTLS, listUnread)
	case len(clear.Passwords()) > 0: // also in a list that was cut short
		a.add(mailPasswordBeforeTLS.Failed(a.subject).Explain("Before TLS the server names {mechanisms}.", crossprem.Val("mechanisms", clear.Passwords())))
	default:
		a.add(mailPasswordBeforeTLS.Passed(a.subject).Explain("Before TLS the server names no way to send a password."))
	}
}

// relay reports whether this is the port on which servers hand mail to each
// other, where TLS is opportunistic and nobody signs in.
func (a *mailAssessment) relay() bool {
	_, port, _ := net.SplitHostPort(a.r.Target)
	return port == "25" && a.r.Protocol == SMTP && a.r.Clear != nil && len(a.r.Clear.Mechanisms) == 0
}

func (a *mailAssessment) tlsMissing() {
	switch {
	case a.r.TLS != nil || a.r.StartTLS == Observed:
		a.add(mailTLSMissing.Passed(a.subject).Explain("TLS was set up."))
	case a.r.StartTLS == Refused:
		f := mailTLSMissing.Failed(a.subject).Explain("The server does not let TLS start on this port.")
		if a.r.Server.Kind == KindExchangeOnline {
			f = f.Explain("Exchange Online offers it on every port, so something on the path takes it away.")
		}
		var said []string
		for _, w := range a.r.Warnings {
			if strings.Contains(w, "STARTTLS") {
				said = append(said, w)
			}
		}
		if said != nil {
			f = f.Explain("The inspection noted: {notes}.", crossprem.Val("notes", strings.Join(said, "; ")))
		}
		if a.relay() {
			f = f.AtMost(crossprem.Warning)
		}
		a.add(f)
	default:
		a.unread(mailTLSMissing, tlsNotReached)
	}
}

func (a *mailAssessment) tlsUntrusted() {
	switch t := a.r.TLS; {
	case t == nil && a.r.StartTLS == Refused: // mail-tls-missing says it
	case t == nil:
		a.unread(mailTLSUntrusted, tlsNotReached)
	case !t.Trusted:
		a.add(mailTLSUntrusted.Failed(a.subject).Explain("The chain is not trusted: {reason}.", crossprem.Val("reason", t.reason())))
	default:
		a.add(mailTLSUntrusted.Passed(a.subject).Explain("The chain leads to a known root and names the host."))
	}
}

// password tells apart what the server names and what is allowed.
func (a *mailAssessment) password() {
	online, reason := a.r.Server.Kind == KindExchangeOnline, crossprem.Val("reason", cmp.Or(a.r.PasswordReason, "nothing is known"))
	switch a.r.Password {
	case StrengthUnknown:
		a.add(mailPasswordOffered.Unknown(a.subject, "").Explain("The reason is: {reason}.", reason))
		return
	case Refused:
		a.add(mailPasswordOffered.Passed(a.subject).Explain("The reason is: {reason}.", reason))
		if online {
			a.add(mailPasswordMisleading.Passed(a.subject).Explain("What the server names and what the service allows agree."))
		}
		return
	}
	offered := mailPasswordOffered.Failed(a.subject).Explain("The reason is: {reason}.", reason)
	switch {
	case online && a.r.Protocol.plain() != SMTP && !a.at.Before(basicGoneOnline):
		a.add(mailPasswordOffered.Passed(a.subject).Explain("A password is named ({reason}), and Exchange Online refuses it for every tenant since January 2023.", reason))
		a.add(mailPasswordMisleading.Failed(a.subject).Explain("A password is named ({reason}), and the service refuses every one; clients that try one show a password prompt that nothing satisfies.", reason))
	case online && a.r.Protocol.plain() != SMTP:
		a.add(offered.Explain("Exchange Online switches passwords off from 1 October 2022.").WithRemedy("Move every client to XOAUTH2.").DueOn(basicOffOnline, a.at))
	case online:
		a.add(offered.Explain("The server names it whatever tenant and mailbox say; whether a password is let through is not known from here.").
			WithRemedy("Look at Get-TransportConfig and Get-CASMailbox, SmtpClientAuthenticationDisabled, and move clients to XOAUTH2."))
	default:
		a.add(offered.Explain("Whether a policy lets a password through is not known from here."))
	}
}

func (a *mailAssessment) modern() {
	reason := crossprem.Val("reason", cmp.Or(a.r.ModernReason, "nothing is known"))
	switch a.r.Modern {
	case ModernOn:
		a.add(mailModernMissing.Passed(a.subject).Explain("The reason is: {reason}. Whether tenant and mailbox let it through is not known from here.", reason))
	case ModernOff:
		if s := a.r.safest(); s != nil && len(s.Mechanisms) == 0 && a.r.Password != Advertised {
			a.add(mailModernMissing.Passed(a.subject).Explain("Nobody signs in here: the server names no mechanism at all."))
			return
		}
		f := mailModernMissing.Failed(a.subject).Explain("The reason is: {reason}.", reason)
		if a.r.Server.Kind == KindExchange {
			f = f.WithRemedy("Hybrid modern authentication is documented for Outlook, ActiveSync, EWS and OWA, not for IMAP, POP and SMTP of Exchange Server: move the mailboxes, or use clients of other protocols.")
		}
		a.add(f)
	default:
		a.add(mailModernMissing.Unknown(a.subject, "").Explain("The reason is: {reason}.", reason))
	}
}

func (a *mailAssessment) windows() {
	s := a.r.safest()
	if s == nil {
		s = a.r.Clear // what it names is named, whatever else it leaves out
	}
	switch {
	case s == nil || len(s.Windows()) == 0 && (!s.Known || s != a.r.safest()):
		a.unread(mailWindowsOffered, listUnread)
	case len(s.Windows()) > 0:
		a.add(mailWindowsOffered.Failed(a.subject).Explain("The server names {mechanisms}: NTLM tells internal names to anybody who asks, and can be relayed.", crossprem.Val("mechanisms", s.Windows())))
	default:
		a.add(mailWindowsOffered.Passed(a.subject).Explain("The server names no Windows authentication."))
	}
}

// smtpRetirement speaks of Exchange Online alone.
func (a *mailAssessment) smtpRetirement() {
	if a.r.Protocol.plain() != SMTP || a.r.Server.Kind != KindExchangeOnline {
		return
	}
	switch {
	case a.r.Password == StrengthUnknown:
		a.add(smtpBasicRetirement.Unknown(a.subject, "").Explain("The reason is: {reason}.", crossprem.Val("reason", cmp.Or(a.r.PasswordReason, "nothing is known"))))
	case a.r.Password == Refused:
		a.add(smtpBasicRetirement.Passed(a.subject).Explain("No password is asked for here."))
	case a.at.Before(smtpBasicOff):
		a.add(smtpBasicRetirement.Failed(a.subject).Explain("Passwords for SMTP AUTH go off by default in existing tenants at the end of December 2026, and administrators can turn them on again; tenants made later start without. Earlier dates, September 2025 and March to April 2026, are void.").
			DueOn(smtpBasicOff, a.at))
	default:
		f := smtpBasicRetirement.Failed(a.subject).Explain("Passwords for SMTP AUTH are off by default since the end of December 2026; whether an administrator turned them on again is not known from here.")
		if !a.at.Before(smtpBasicNews) {
			f = f.Explain("The date of their removal was to be named in the second half of 2027; this table is of {asOf} and does not have it.", crossprem.Val("asOf", AsOf))
		}
		a.add(f.DueOn(smtpBasicOff, a.at))
	}
}
