package signins

import (
	"strings"

	"github.com/crossprem/crossprem"
)

// Classify says what s means, by the [Documented] definition of legacy
// authentication. It looks at nothing but s, so that a sign-in of which Entra
// ID wrote several records is judged record by record.
func Classify(s *SignIn) Verdict { return Documented.Classify(s) }

// Classify says what s means if legacy authentication is what d says.
func (d Definition) Classify(s *SignIn) Verdict { return d.classify(embedded(), s) }

// Classify says what s means by the definition d and the tables t.
func (t *Tables) Classify(d Definition, s *SignIn) Verdict { return d.classify(t.orEmbedded(), s) }

func (d Definition) classify(t *Tables, s *SignIn) Verdict {
	v := Verdict{ROPC: said(s, FieldAuthenticationProtocol, hasFlag(s.AuthenticationProtocol, "ropc") || t.isPasswordGrant(s))}
	v.DeviceCode = said(s, FieldAuthenticationProtocol, hasFlag(s.AuthenticationProtocol, "deviceCode") ||
		strings.EqualFold(s.OriginalTransferMethod, "deviceCodeFlow"))

	client := t.client(s)
	v.Class, v.Protocol, v.Reason = client.class, client.protocol, client.reason
	if d == WorkbookCompatible {
		v.Class, v.Reason = asInWorkbook(s, client)
	}
	if v.Class == Modern {
		v.NativeMail = said(s, FieldAppDisplayName, t.isNativeMail(s))
	}

	// What proved the user. A password grant needs a password, and so does
	// every legacy protocol but ActiveSync, which takes certificates as well.
	switch {
	case s.Methods.Has(MethodCertificate):
		v.Credential = Certificate
	case s.Methods.Has(MethodPassword), v.ROPC == crossprem.Yes:
		v.Credential = Password
	case s.IncomingTokenType != "" && !strings.EqualFold(s.IncomingTokenType, "none"):
		v.Credential = Token
	case client.class == Legacy && client.protocol != ExchangeActiveSync:
		v.Credential = Password
	}
	if v.Class == Legacy {
		switch {
		case v.Credential == Certificate:
			v.BasicAuth = crossprem.No
		case v.Protocol != ExchangeActiveSync || v.Credential == Password:
			v.BasicAuth = crossprem.Yes
		}
	}
	t.judge(s, &v)
	return v
}

// client says which client app s shows.
func (t *Tables) client(s *SignIn) clientApp {
	switch s.Category {
	case ServicePrincipal, ManagedIdentity, MicrosoftServicePrincipal:
		return clientApp{NotApplicable, NoProtocol, ByCategory}
	case UnknownCategory:
		if s.ServicePrincipalID != "" && s.UserID == "" && s.UserPrincipalName == "" {
			return clientApp{NotApplicable, NoProtocol, ByCategory}
		}
	}
	var app clientApp
	var ok bool
	switch s.ClientAppUsed {
	case browserName: // these two are most of any log
		app, ok = t.browser, true
	case mobileDesktopName:
		app, ok = t.mobileDesktop, true
	default:
		app, ok = t.clients[s.ClientAppUsed] // most values are spelled as logged
	}
	if !ok {
		if app, ok = t.clients[normalise(s.ClientAppUsed)]; !ok {
			app.reason = UnlistedClient
		}
	}
	if app.class == Legacy {
		return app
	}
	// Exchange Online's front end signs in with the basic credentials that it
	// was given: what the record calls modern, or nothing, was legacy.
	for _, agent := range t.agents {
		if len(s.UserAgent) == len(agent) && strings.EqualFold(s.UserAgent, agent) {
			return clientApp{Legacy, OtherLegacy, ByUserAgent}
		}
	}
	if app.reason != BlankClient || s.Knows(FieldClientAppUsed) {
		return app
	}
	if s.RequestType == "" {
		app.reason = NotKnowable
		return app
	}
	switch t.requestClass(s.RequestType) {
	case "legacy":
		return clientApp{Legacy, OtherLegacy, ByRequestType}
	case "token":
		switch {
		case strings.EqualFold(s.AppID, exchangeOnline) && strings.Contains(s.UserAgent, "WinRM"):
			return clientApp{Legacy, ExchangePowerShell, ByRequestType}
		case strings.EqualFold(s.AppID, exchangeOnline):
			// Exchange Online as the client replays a password that it was sent
			// by basic authentication. The user agent is the real client's, and
			// a browser's proves nothing.
			return clientApp{Legacy, OtherLegacy, ByRequestType}
		case isBrowser(s.UserAgent) && !t.isPasswordGrant(s):
			return clientApp{Modern, Browser, ByRequestType} // a page that asks for its own tokens
		}
		return clientApp{Modern, MobileDesktop, ByRequestType}
	case "page":
		if s.UserAgent == "" || isBrowser(s.UserAgent) {
			return clientApp{Modern, Browser, ByRequestType}
		}
		return clientApp{Modern, MobileDesktop, ByRequestType}
	case "browser":
		if isBrowser(s.UserAgent) {
			return clientApp{Modern, Browser, ByRequestType}
		}
	case "modern":
		if isBrowser(s.UserAgent) {
			return clientApp{Modern, Browser, ByRequestType}
		}
		return clientApp{Modern, MobileDesktop, ByRequestType}
	}
	app.reason = NotKnowable
	return app
}

// exchangeOnline is the application id of Office 365 Exchange Online.
const exchangeOnline = "00000002-0000-0ff1-ce00-000000000000"

// isPasswordGrant reports whether s, of a log that shows no protocol, was sent
// to the token endpoint with a password: a code that speaks of the password or
// the user name has no other reason there (RFC 6749, section 4.3).
func (t *Tables) isPasswordGrant(s *SignIn) bool {
	if s.RequestType == "" || !s.Knows(FieldErrorCode) || t.requestClass(s.RequestType) != "token" {
		return false
	}
	outcome := t.codes[s.ErrorCode].outcome
	return outcome == BadPassword || outcome == NoSuchUser
}

// asInWorkbook says how Microsoft's workbook would class s.
func asInWorkbook(s *SignIn, client clientApp) (Class, Reason) {
	switch {
	case client.class == NotApplicable:
		return NotApplicable, client.reason
	case s.HomeTenantID != "" && s.ResourceTenantID != "" && s.HomeTenantID != s.ResourceTenantID:
		return NotApplicable, OtherTenant
	case !s.Knows(FieldClientAppUsed) && s.ClientAppUsed == "":
		return UnknownClass, NotKnowable
	}
	name := strings.ToLower(s.ClientAppUsed)
	if strings.Contains(name, "browser") || strings.Contains(name, "mobile apps and desktop clients") {
		return Modern, ByClientApp
	}
	return Legacy, ByClientApp
}

// judge sets how s ended, and what that says about the password.
func (t *Tables) judge(s *SignIn, v *Verdict) {
	if !s.Knows(FieldErrorCode) && s.ErrorCode == 0 {
		v.Outcome = [...]Outcome{UnknownResult: UnknownOutcome, Succeeded: Success, Failed: OtherFailure,
			Interrupted: SignInInterrupt}[min(s.Result, Interrupted)]
		if v.Outcome == Success && v.Credential == Password {
			v.PasswordRight = crossprem.Yes
		}
		return
	}
	c, ok := t.codes[s.ErrorCode]
	if !ok {
		v.Outcome = OtherFailure
		return
	}
	v.Outcome, v.PasswordRight, v.Guess = c.outcome, c.password, c.guess && c.password != crossprem.Yes
	if c.password != crossprem.Yes {
		return
	}
	// Codes speak of the first factor, whatever it was. A success says nothing
	// about the password unless one was sent.
	if v.Credential == Token || v.Credential == Certificate || s.ErrorCode == 0 && v.Credential != Password {
		v.PasswordRight = crossprem.AnswerUnknown
	}
}

// isNativeMail reports whether s comes from a phone's own mail app.
func (t *Tables) isNativeMail(s *SignIn) bool {
	return t.nativeMail[s.AppID] || s.AppID == "" && len(s.AppDisplayName) < 32 && t.nativeMail[strings.ToLower(s.AppDisplayName)]
}

// isBrowser reports whether agent is one that browsers send: all of them begin
// with Mozilla's name since 1994, and Outlook is not among them.
func isBrowser(agent string) bool { return strings.HasPrefix(agent, "Mozilla/") }

// said turns what s shows about f into an Answer.
func said(s *SignIn, f Fields, yes bool) crossprem.Answer {
	switch {
	case yes:
		return crossprem.Yes
	case s.Knows(f):
		return crossprem.No
	}
	return crossprem.AnswerUnknown
}

// hasFlag reports whether flags, comma-separated, has flag in any letter case.
func hasFlag(flags, flag string) bool {
	for len(flags) > len(flag) {
		first, rest, _ := strings.Cut(flags, ",")
		if strings.EqualFold(strings.TrimSpace(first), flag) {
			return true
		}
		flags = rest
	}
	return len(flags) == len(flag) && strings.EqualFold(flags, flag)
}
