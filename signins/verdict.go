package signins

import (
	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A Verdict is what one sign-in means. The zero value knows nothing.
type Verdict struct {
	Class      Class      `json:"class"`
	Protocol   Protocol   `json:"protocol"`
	Credential Credential `json:"credential"`
	Outcome    Outcome    `json:"outcome"`
	Reason     Reason     `json:"reason"` // what decided about Class

	// BasicAuth tells of a Legacy sign-in whether a password was sent: No if a
	// certificate was, as ActiveSync allows, and AnswerUnknown if the record does not
	// tell. It is AnswerUnknown for every other class.
	BasicAuth crossprem.Answer `json:"basicAuth"`

	// PasswordRight reports whether the sign-in shows that the password is
	// right, be it that something else stopped it. AnswerUnknown if it shows nothing.
	PasswordRight crossprem.Answer `json:"passwordRight"`

	// ROPC reports whether the OAuth 2.0 password grant was used (RFC 6749
	// §4.3), DeviceCode whether the device code flow was (RFC 8628). They are
	// AnswerUnknown where the format cannot know.
	ROPC       crossprem.Answer `json:"ropc"`
	DeviceCode crossprem.Answer `json:"deviceCode"`

	// NativeMail is Yes for a mail app of a phone that speaks ActiveSync over
	// OAuth, which clientAppUsed does not show.
	NativeMail crossprem.Answer `json:"nativeMail"`

	// Guess reports whether the sign-in looks like somebody trying passwords
	// or user names: it failed for that reason, or for one that may hide it.
	Guess bool `json:"guess"`
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
	classTexts      = enum.Of[Class]("signins: class", "unknown", "legacy", "modern", "not-applicable")
	definitionTexts = enum.Of[Definition]("signins: definition", "documented", "workbook")
	protocolTexts   = enum.Of[Protocol]("signins: protocol", "unknown", "none", "browser", "mobile-desktop",
		"exchange-activesync", "smtp-auth", "imap", "pop", "mapi", "outlook-anywhere", "offline-address-book",
		"exchange-web-services", "autodiscover", "exchange-powershell", "reporting-web-services", "outlook-service", "other-legacy")
	credentialTexts = enum.Of[Credential]("signins: credential", "unknown", "password", "certificate", "token")
	reasonTexts     = enum.Of[Reason]("signins: reason", "nothing", "client-app", "user-agent", "request-type", "category",
		"blank-client", "unlisted-client", "ambiguous-client", "other-tenant", "not-knowable")
	outcomeTexts = enum.Of[Outcome]("signins: outcome", "unknown", "success", "bad-password", "no-such-user", "no-such-tenant",
		"locked-or-blocked-ip", "password-expired", "password-change-required", "account-disabled", "mfa-interrupt",
		"mfa-registration-required", "mfa-failed", "blocked-by-conditional-access", "blocked-by-security-defaults",
		"blocked-by-security-policy", "blocked-by-tenant-restriction", "device-required", "sign-in-interrupt", "consent-required",
		"not-assigned-to-app", "account-not-in-tenant", "token-expired-or-revoked", "app-or-client-error", "onprem-validator-error",
		"outside-logon-hours", "seamless-sso-error", "throttled", "other-failure", "blocked-by-authentication-policy")
)

// String returns a text such as "not-applicable".
func (c Class) String() string { return classTexts.String(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Class) MarshalText() ([]byte, error) { return classTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves c as it was for anything else.
func (c *Class) UnmarshalText(text []byte) error { return classTexts.Unmarshal(c, text) }

// String returns a text such as "documented".
func (d Definition) String() string { return definitionTexts.String(d) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (d Definition) MarshalText() ([]byte, error) { return definitionTexts.Marshal(d) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves d as it was for anything else.
func (d *Definition) UnmarshalText(text []byte) error { return definitionTexts.Unmarshal(d, text) }

// String returns a text such as "exchange-activesync".
func (p Protocol) String() string { return protocolTexts.String(p) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (p Protocol) MarshalText() ([]byte, error) { return protocolTexts.Marshal(p) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves p as it was for anything else.
func (p *Protocol) UnmarshalText(text []byte) error { return protocolTexts.Unmarshal(p, text) }

// String returns a text such as "password".
func (c Credential) String() string { return credentialTexts.String(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Credential) MarshalText() ([]byte, error) { return credentialTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves c as it was for anything else.
func (c *Credential) UnmarshalText(text []byte) error { return credentialTexts.Unmarshal(c, text) }

// String returns a text such as "client-app".
func (r Reason) String() string { return reasonTexts.String(r) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (r Reason) MarshalText() ([]byte, error) { return reasonTexts.Marshal(r) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves r as it was for anything else.
func (r *Reason) UnmarshalText(text []byte) error { return reasonTexts.Unmarshal(r, text) }

// String returns a text such as "blocked-by-conditional-access".
func (o Outcome) String() string { return outcomeTexts.String(o) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (o Outcome) MarshalText() ([]byte, error) { return outcomeTexts.Marshal(o) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves o as it was for anything else.
func (o *Outcome) UnmarshalText(text []byte) error { return outcomeTexts.Unmarshal(o, text) }
