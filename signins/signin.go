package signins

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A SignIn is one sign-in event, under the names that Microsoft Graph's signIn
// resource gives it, whatever format it came in. It is a plain value: tests
// may write it as a literal.
//
// Strings are as logged, blanks and letter case included, and invalid UTF-8 is
// replaced by U+FFFD. The fields that take one of few values in every format
// (Category, Interactive, Result, ConditionalAccess, Methods) are translated.
//
// An empty field alone proves nothing: a format may be unable to carry it.
// Ask [SignIn.Knows]. A field that is not empty is always known.
//
// In JSON, members have Graph's names, and what is empty is left out; what is
// known is in "known". Reading it back gives an equal value.
//
// SignIns may be kept, copied and shared between goroutines. Those that [Read]
// yields share memory with their neighbours: keeping one keeps up to 32 KiB.
// Whoever keeps few out of many should keep a [SignIn.Clone].
type SignIn struct {
	Format Format `json:"format,omitzero"` // what it was read from
	Known  Fields `json:"known,omitzero"`  // fields whose emptiness is a statement of the log

	ID            string           `json:"id,omitzero"`            // of the event; copies of an event share it
	CorrelationID string           `json:"correlationId,omitzero"` // shared by the events of one sign-in
	Time          time.Time        `json:"createdDateTime,omitzero"`
	Category      Category         `json:"category,omitzero"`
	Interactive   crossprem.Answer `json:"interactive,omitzero"` // whether a user was there to answer a prompt

	UserID            string `json:"userId,omitzero"`            // object id
	UserPrincipalName string `json:"userPrincipalName,omitzero"` // may be an object id, or whatever was typed
	UserDisplayName   string `json:"userDisplayName,omitzero"`
	UserType          string `json:"userType,omitzero"` // "member" or "guest", in any letter case

	ServicePrincipalID   string `json:"servicePrincipalId,omitzero"`
	ServicePrincipalName string `json:"servicePrincipalName,omitzero"`

	AppID               string `json:"appId,omitzero"`
	AppDisplayName      string `json:"appDisplayName,omitzero"`
	ResourceID          string `json:"resourceId,omitzero"`
	ResourceDisplayName string `json:"resourceDisplayName,omitzero"`

	ClientAppUsed          string `json:"clientAppUsed,omitzero"` // free text, not an enumeration
	UserAgent              string `json:"userAgent,omitzero"`
	AuthenticationProtocol string `json:"authenticationProtocol,omitzero"` // comma-separated where there are several
	IncomingTokenType      string `json:"incomingTokenType,omitzero"`      // comma-separated where there are several
	OriginalTransferMethod string `json:"originalTransferMethod,omitzero"`
	ClientCredentialType   string `json:"clientCredentialType,omitzero"`
	RequestType            string `json:"requestType,omitzero"` // unified audit's RequestType, Defender's EndpointCall

	AuthenticationRequirement  string  `json:"authenticationRequirement,omitzero"` // "singleFactorAuthentication" or "multiFactorAuthentication"
	Methods                    Methods `json:"methods,omitzero"`
	AuthenticationMethod       string  `json:"authenticationMethod,omitzero"`       // of the first step of authenticationDetails
	AuthenticationMethodDetail string  `json:"authenticationMethodDetail,omitzero"` // of the same step

	IPAddress                     string `json:"ipAddress,omitzero"`                     // may be partial; never with a port
	IPAddressFromResourceProvider string `json:"ipAddressFromResourceProvider,omitzero"` // as the resource saw the client
	AutonomousSystemNumber        uint32 `json:"autonomousSystemNumber,omitzero"`        // 0 where there is none
	City                          string `json:"city,omitzero"`
	State                         string `json:"state,omitzero"`
	CountryOrRegion               string `json:"countryOrRegion,omitzero"` // two letters, as a rule

	Result        Result `json:"result,omitzero"`
	ErrorCode     int32  `json:"errorCode,omitzero"` // AADSTS code, 0 being success; only if Knows(FieldErrorCode)
	FailureReason string `json:"failureReason,omitzero"`

	ConditionalAccess ConditionalAccess `json:"conditionalAccess,omitzero"`

	HomeTenantID     string `json:"homeTenantId,omitzero"`
	ResourceTenantID string `json:"resourceTenantId,omitzero"`

	OperatingSystem string `json:"operatingSystem,omitzero"`
	Browser         string `json:"browser,omitzero"`
}

// Knows reports whether f, one of the Field constants, was readable in s: only
// then does an empty field mean that there was nothing to log.
func (s *SignIn) Knows(f Fields) bool { return s.Known&f == f }

// Clone returns a copy of s that shares no memory with other SignIns.
func (s *SignIn) Clone() SignIn {
	c := *s
	for _, p := range c.text() {
		*p = strings.Clone(*p)
	}
	return c
}

// text returns the addresses of all strings of s.
func (s *SignIn) text() [32]*string {
	return [...]*string{
		&s.ID, &s.CorrelationID,
		&s.UserID, &s.UserPrincipalName, &s.UserDisplayName, &s.UserType,
		&s.ServicePrincipalID, &s.ServicePrincipalName,
		&s.AppID, &s.AppDisplayName, &s.ResourceID, &s.ResourceDisplayName,
		&s.ClientAppUsed, &s.UserAgent, &s.AuthenticationProtocol, &s.IncomingTokenType,
		&s.OriginalTransferMethod, &s.ClientCredentialType, &s.RequestType,
		&s.AuthenticationRequirement, &s.AuthenticationMethod, &s.AuthenticationMethodDetail,
		&s.IPAddress, &s.IPAddressFromResourceProvider, &s.City, &s.State, &s.CountryOrRegion,
		&s.FailureReason, &s.HomeTenantID, &s.ResourceTenantID,
		&s.OperatingSystem, &s.Browser,
	}
}

// Fields is a set of fields of a [SignIn].
type Fields uint64

// The fields whose absence has to be told from emptiness. Each is named after
// the field, or fields, of SignIn that it stands for.
const (
	FieldID Fields = 1 << iota
	FieldCorrelationID
	FieldTime
	FieldCategory
	FieldInteractive
	FieldUserID
	FieldUserPrincipalName
	FieldUserDisplayName
	FieldUserType
	FieldServicePrincipal // id and name
	FieldAppID
	FieldAppDisplayName
	FieldResource // id and display name
	FieldClientAppUsed
	FieldUserAgent
	FieldAuthenticationProtocol
	FieldIncomingTokenType
	FieldOriginalTransferMethod
	FieldClientCredentialType
	FieldRequestType
	FieldAuthenticationRequirement
	FieldMethods // Methods, AuthenticationMethod and AuthenticationMethodDetail
	FieldIPAddress
	FieldIPAddressFromResourceProvider
	FieldAutonomousSystemNumber
	FieldLocation // city, state and country or region
	FieldResult
	FieldErrorCode
	FieldFailureReason
	FieldConditionalAccess
	FieldHomeTenantID
	FieldResourceTenantID
	FieldDevice // operating system and browser
)

var fieldNames = [...]string{
	"id", "correlationId", "createdDateTime", "category", "interactive", "userId", "userPrincipalName", "userDisplayName", "userType",
	"servicePrincipal", "appId", "appDisplayName", "resource", "clientAppUsed", "userAgent", "authenticationProtocol",
	"incomingTokenType", "originalTransferMethod", "clientCredentialType", "requestType", "authenticationRequirement", "methods",
	"ipAddress", "ipAddressFromResourceProvider", "autonomousSystemNumber", "location", "result", "errorCode", "failureReason",
	"conditionalAccess", "homeTenantId", "resourceTenantId", "device",
}

var methodNames = [...]string{"password", "certificate", "previous", "other"}

// MarshalText returns names such as "id,createdDateTime", in the order of the constants.
func (f Fields) MarshalText() ([]byte, error) { return marshalSet(uint64(f), fieldNames[:], "field") }

// UnmarshalText accepts what MarshalText gives, in any order.
func (f *Fields) UnmarshalText(text []byte) error {
	set, err := unmarshalSet(text, fieldNames[:], "field")
	if err == nil {
		*f = Fields(set)
	}
	return err
}

// MarshalText returns names such as "password,other", in the order of the constants.
func (m Methods) MarshalText() ([]byte, error) {
	return marshalSet(uint64(m), methodNames[:], "method")
}

// UnmarshalText accepts what MarshalText gives, in any order.
func (m *Methods) UnmarshalText(text []byte) error {
	set, err := unmarshalSet(text, methodNames[:], "method")
	if err == nil {
		*m = Methods(set)
	}
	return err
}

func marshalSet(set uint64, names []string, kind string) ([]byte, error) {
	if set >= 1<<len(names) {
		return nil, fmt.Errorf("signins: no such %s: %#x", kind, set)
	}
	var found []string
	for i, name := range names {
		if set&(1<<i) != 0 {
			found = append(found, name)
		}
	}
	return []byte(strings.Join(found, ",")), nil
}

func unmarshalSet(text []byte, names []string, kind string) (set uint64, err error) {
	for name := range strings.SplitSeq(string(text), ",") {
		if name == "" && len(text) == 0 {
			continue
		}
		i := slices.Index(names, name)
		if i < 0 {
			return 0, fmt.Errorf("signins: no such %s: %.40q", kind, name)
		}
		set |= 1 << i
	}
	return set, nil
}

// A Format is a form in which sign-in logs leave Entra ID.
type Format uint8

const (
	UnknownFormat   Format = iota
	GraphV1                // a v1.0 collection page of Microsoft Graph
	GraphBeta              // a beta collection page of Microsoft Graph
	PortalJSON             // the admin centre's JSON download: a bare array of Graph records
	PortalCSV              // the admin centre's CSV download, of users or of applications
	AzureMonitor           // diagnostic settings: one JSON object a line, as in storage
	EventHub               // diagnostic settings: {"records":[…]}
	LogAnalytics           // a query's answer, as the API gives it or as objects
	LogAnalyticsCSV        // a query's answer, as the portal exports it
	UnifiedAudit           // the Office 365 Management Activity API
	UnifiedAuditCSV        // Search-UnifiedAuditLog or the Purview portal's export
	Defender               // advanced hunting: EntraIdSignInEvents, AADSignInEventsBeta
	PowerShell             // objects of Microsoft Graph's or the AzureAD module through ConvertTo-Json
)

// A Category tells the kinds of sign-ins apart.
type Category uint8

const (
	UnknownCategory           Category = iota // such as in portal CSV, which does not say
	InteractiveUser                           // SignInLogs
	NonInteractiveUser                        // NonInteractiveUserSignInLogs
	ServicePrincipal                          // ServicePrincipalSignInLogs
	ManagedIdentity                           // ManagedIdentitySignInLogs
	MicrosoftServicePrincipal                 // MicrosoftServicePrincipalSignInLogs
	ADFS                                      // ADFSSignInLogs
)

// A Result is how a sign-in ended, as far as the log says it in one word.
// The error code says more, where it is known.
type Result uint8

const (
	UnknownResult Result = iota
	Succeeded
	Failed
	Interrupted // only the portal's CSV makes this difference; elsewhere it is Failed
)

// ConditionalAccess is what the policies together came to.
type ConditionalAccess uint8

const (
	UnknownConditionalAccess ConditionalAccess = iota
	ConditionalAccessSuccess
	ConditionalAccessFailure
	ConditionalAccessNotApplied
)

// Methods is the set of authentication methods that authenticationDetails
// lists for a sign-in. It is zero if the list is empty, as it often is: that
// says nothing about the method.
type Methods uint8

const (
	MethodPassword    Methods = 1 << iota
	MethodCertificate         // X.509, as in certificate-based ActiveSync
	MethodPrevious            // "Previously satisfied": a claim of an earlier sign-in
	MethodOther
)

// Has reports whether m holds all methods of n.
func (m Methods) Has(n Methods) bool { return m&n == n }

var (
	formatTexts = enum.Of[Format]("signins: format", "unknown", "graph-v1.0", "graph-beta", "portal-json", "portal-csv", "azure-monitor",
		"event-hub", "log-analytics", "log-analytics-csv", "unified-audit", "unified-audit-csv", "defender", "powershell")
	categoryTexts = enum.Of[Category]("signins: category", "unknown", "interactive-user", "non-interactive-user", "service-principal",
		"managed-identity", "microsoft-service-principal", "adfs")
	resultTexts            = enum.Of[Result]("signins: result", "unknown", "success", "failure", "interrupted")
	conditionalAccessTexts = enum.Of[ConditionalAccess]("signins: conditional access status", "unknown", "success", "failure", "not-applied")
)

// String returns a name such as "azure-monitor".
func (f Format) String() string { return formatTexts.String(f) }

// MarshalText returns the name that String gives.
func (f Format) MarshalText() ([]byte, error) { return formatTexts.Marshal(f) }

// UnmarshalText accepts what MarshalText gives.
func (f *Format) UnmarshalText(text []byte) error { return formatTexts.Unmarshal(f, text) }

// String returns a name such as "non-interactive-user".
func (c Category) String() string { return categoryTexts.String(c) }

// MarshalText returns the name that String gives.
func (c Category) MarshalText() ([]byte, error) { return categoryTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *Category) UnmarshalText(text []byte) error { return categoryTexts.Unmarshal(c, text) }

// String returns a name such as "interrupted".
func (r Result) String() string { return resultTexts.String(r) }

// MarshalText returns the name that String gives.
func (r Result) MarshalText() ([]byte, error) { return resultTexts.Marshal(r) }

// UnmarshalText accepts what MarshalText gives.
func (r *Result) UnmarshalText(text []byte) error { return resultTexts.Unmarshal(r, text) }

// String returns a name such as "not-applied".
func (c ConditionalAccess) String() string { return conditionalAccessTexts.String(c) }

// MarshalText returns the name that String gives.
func (c ConditionalAccess) MarshalText() ([]byte, error) { return conditionalAccessTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *ConditionalAccess) UnmarshalText(text []byte) error {
	return conditionalAccessTexts.Unmarshal(c, text)
}
