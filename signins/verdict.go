package signins

import (
	"fmt"
)

// A Verdict is what one sign-in means. The zero value knows nothing.
type Verdict struct {
	Class      Class
	Protocol   Protocol
	Credential Credential
	Outcome    Outcome
	Reason     Reason // what decided about Class

	// BasicAuth tells of a Legacy sign-in whether a password was sent: No if a
	// certificate was, as ActiveSync allows, and Unsaid if the record does not
	// tell. It is Unsaid for every other class.
	BasicAuth Answer

	// PasswordRight tells whether the sign-in shows that the password is
	// right, be it that something else stopped it. Unsaid if it shows nothing.
	PasswordRight Answer

	// ROPC tells whether the OAuth 2.0 password grant was used (RFC 6749
	// §4.3), DeviceCode whether the device code flow was (RFC 8628). They are
	// Unsaid where the format cannot know.
	ROPC       Answer
	DeviceCode Answer

	// NativeMail is Yes for a mail app of a phone that speaks ActiveSync over
	// OAuth, which clientAppUsed does not show.
	NativeMail Answer

	// Guess reports whether the sign-in looks like somebody trying passwords
	// or user names: it failed for that reason, or for one that may hide it.
	Guess bool
}

// A Class says whether a sign-in used legacy authentication.
type Class uint8

const (
	UnknownClass  Class = iota // cannot be told; never counted as legacy, never dropped
	Legacy                     // a protocol that sends a password with each connection, by name
	Modern                     // OAuth, SAML or WS-Federation
	NotApplicable              // an application or managed identity, not a user
)

// A Definition says what counts as legacy authentication.
type Definition uint8

const (
	// Documented counts the client apps that Microsoft's documentation lists
	// as legacy, and those sign-ins that Exchange Online made on behalf of
	// such a client, known by their user agent.
	Documented Definition = iota

	// WorkbookCompatible counts as Microsoft's workbook "Sign-ins using legacy
	// authentication" does: whatever does not contain one of the two modern
	// names is legacy, blank ones included, and only users in their home
	// tenant count. It exists for comparison with that workbook.
	WorkbookCompatible
)

// A Protocol is what the client spoke.
type Protocol uint8

const (
	UnknownProtocol      Protocol = iota // cannot be told
	NoProtocol                           // an application or managed identity
	Browser                              // the web sign-in page
	MobileDesktop                        // an OAuth client outside the browser
	ExchangeActiveSync                   // EAS
	SMTPAuth                             // SMTP client submission
	IMAP                                 // IMAP4
	POP                                  // POP3
	MAPI                                 // MAPI over HTTP
	OutlookAnywhere                      // RPC over HTTP
	OfflineAddressBook                   // OAB
	ExchangeWebServices                  // EWS
	Autodiscover                         // Autodiscover
	ExchangePowerShell                   // remote PowerShell
	ReportingWebServices                 // Exchange Online's reporting API
	OutlookService                       // Mail and Calendar of Windows 10
	OtherLegacy                          // a legacy client that is not told apart
)

// A Credential is what a client proved itself with.
type Credential uint8

const (
	UnknownCredential Credential = iota
	Password
	Certificate
	Token // one that an earlier sign-in left behind
)

// A Reason says what decided about the [Class].
type Reason uint8

const (
	ByNothing       Reason = iota // nothing is known about the client
	ByClientApp                   // clientAppUsed
	ByUserAgent                   // a user agent that only Exchange Online's front end sends
	ByRequestType                 // the request type, in a log without clientAppUsed
	ByCategory                    // a log of applications
	BlankClient                   // clientAppUsed is blank or says that it is unknown
	UnlistedClient                // clientAppUsed holds a value that no table lists
	AmbiguousClient               // clientAppUsed had different meanings over the years
	OtherTenant                   // a guest, whom the workbook leaves out
	NotKnowable                   // the format does not carry what decides
)

// An Outcome is how a sign-in ended, by its error code.
type Outcome uint8

// The outcomes, in the order of the embedded table. No code stands for
// BlockedByAuthenticationPolicy: Exchange refuses basic authentication before
// it asks Entra ID, so that nothing is logged.
const (
	UnknownOutcome Outcome = iota
	Success
	BadPassword
	NoSuchUser
	NoSuchTenant
	LockedOrBlockedIP
	PasswordExpired
	PasswordChangeRequired
	AccountDisabled
	MFAInterrupt
	MFARegistrationRequired
	MFAFailed
	BlockedByConditionalAccess
	BlockedBySecurityDefaults
	BlockedBySecurityPolicy
	BlockedByTenantRestriction
	DeviceRequired
	SignInInterrupt
	ConsentRequired
	NotAssignedToApp
	AccountNotInTenant
	TokenExpiredOrRevoked
	AppOrClientError
	OnPremValidatorError
	OutsideLogonHours
	SeamlessSSOError
	Throttled
	OtherFailure
	BlockedByAuthenticationPolicy
)

var (
	classNames = []string{
		UnknownClass: "unknown", Legacy: "legacy", Modern: "modern", NotApplicable: "not-applicable",
	}
	definitionNames = []string{Documented: "documented", WorkbookCompatible: "workbook"}
	protocolNames   = []string{
		UnknownProtocol: "unknown", NoProtocol: "none", Browser: "browser", MobileDesktop: "mobile-desktop",
		ExchangeActiveSync: "exchange-activesync", SMTPAuth: "smtp-auth", IMAP: "imap", POP: "pop", MAPI: "mapi",
		OutlookAnywhere: "outlook-anywhere", OfflineAddressBook: "offline-address-book",
		ExchangeWebServices: "exchange-web-services", Autodiscover: "autodiscover",
		ExchangePowerShell: "exchange-powershell", ReportingWebServices: "reporting-web-services",
		OutlookService: "outlook-service", OtherLegacy: "other-legacy",
	}
	credentialNames = []string{
		UnknownCredential: "unknown", Password: "password", Certificate: "certificate", Token: "token",
	}
	reasonNames = []string{
		ByNothing: "nothing", ByClientApp: "client-app", ByUserAgent: "user-agent", ByRequestType: "request-type",
		ByCategory: "category", BlankClient: "blank-client", UnlistedClient: "unlisted-client",
		AmbiguousClient: "ambiguous-client", OtherTenant: "other-tenant", NotKnowable: "not-knowable",
	}
	outcomeNames = []string{
		UnknownOutcome: "unknown", Success: "success", BadPassword: "bad-password", NoSuchUser: "no-such-user",
		NoSuchTenant: "no-such-tenant", LockedOrBlockedIP: "locked-or-blocked-ip",
		PasswordExpired: "password-expired", PasswordChangeRequired: "password-change-required",
		AccountDisabled: "account-disabled", MFAInterrupt: "mfa-interrupt",
		MFARegistrationRequired: "mfa-registration-required", MFAFailed: "mfa-failed",
		BlockedByConditionalAccess: "blocked-by-conditional-access",
		BlockedBySecurityDefaults:  "blocked-by-security-defaults",
		BlockedBySecurityPolicy:    "blocked-by-security-policy",
		BlockedByTenantRestriction: "blocked-by-tenant-restriction", DeviceRequired: "device-required",
		SignInInterrupt: "sign-in-interrupt", ConsentRequired: "consent-required",
		NotAssignedToApp: "not-assigned-to-app", AccountNotInTenant: "account-not-in-tenant",
		TokenExpiredOrRevoked: "token-expired-or-revoked", AppOrClientError: "app-or-client-error",
		OnPremValidatorError: "onprem-validator-error", OutsideLogonHours: "outside-logon-hours",
		SeamlessSSOError: "seamless-sso-error", Throttled: "throttled", OtherFailure: "other-failure",
		BlockedByAuthenticationPolicy: "blocked-by-authentication-policy",
	}
	answerNames = []string{Unsaid: "unknown", No: "no", Yes: "yes"}
)

// nameOf returns the name of v, or a text such as "Class(9)".
func nameOf[T ~uint8](names []string, kind string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", kind, uint8(v))
}

// marshal returns the name of v, and an error if it has none.
func marshal[T ~uint8](names []string, kind string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("signins: no such %s: %d", kind, uint8(v))
	}
	return []byte(names[v]), nil
}

// unmarshal sets *v to what text names, and leaves it alone if there is none.
func unmarshal[T ~uint8](names []string, kind string, v *T, text []byte) error {
	for i, name := range names {
		if string(text) == name {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("signins: no such %s: %.40q", kind, text)
}

// String returns a name such as "not-applicable".
func (c Class) String() string { return nameOf(classNames, "Class", c) }

// MarshalText returns the name that String gives.
func (c Class) MarshalText() ([]byte, error) { return marshal(classNames, "class", c) }

// UnmarshalText accepts what MarshalText gives.
func (c *Class) UnmarshalText(text []byte) error { return unmarshal(classNames, "class", c, text) }

// String returns "documented" or "workbook".
func (d Definition) String() string { return nameOf(definitionNames, "Definition", d) }

// MarshalText returns the name that String gives.
func (d Definition) MarshalText() ([]byte, error) { return marshal(definitionNames, "definition", d) }

// UnmarshalText accepts what MarshalText gives, so that a Definition can be a
// flag of a command.
func (d *Definition) UnmarshalText(text []byte) error {
	return unmarshal(definitionNames, "definition", d, text)
}

// String returns a name such as "exchange-activesync".
func (p Protocol) String() string { return nameOf(protocolNames, "Protocol", p) }

// MarshalText returns the name that String gives.
func (p Protocol) MarshalText() ([]byte, error) { return marshal(protocolNames, "protocol", p) }

// UnmarshalText accepts what MarshalText gives.
func (p *Protocol) UnmarshalText(text []byte) error {
	return unmarshal(protocolNames, "protocol", p, text)
}

// String returns a name such as "password".
func (c Credential) String() string { return nameOf(credentialNames, "Credential", c) }

// String returns a name such as "client-app".
func (r Reason) String() string { return nameOf(reasonNames, "Reason", r) }

// String returns a name such as "blocked-by-conditional-access".
func (o Outcome) String() string { return nameOf(outcomeNames, "Outcome", o) }

// MarshalText returns the name that String gives.
func (o Outcome) MarshalText() ([]byte, error) { return marshal(outcomeNames, "outcome", o) }

// UnmarshalText accepts what MarshalText gives.
func (o *Outcome) UnmarshalText(text []byte) error {
	return unmarshal(outcomeNames, "outcome", o, text)
}

// String returns "unknown", "no" or "yes".
func (a Answer) String() string { return nameOf(answerNames, "Answer", a) }

// MarshalText returns the name that String gives.
func (a Answer) MarshalText() ([]byte, error) { return marshal(answerNames, "answer", a) }

// UnmarshalText accepts what MarshalText gives.
func (a *Answer) UnmarshalText(text []byte) error { return unmarshal(answerNames, "answer", a, text) }
