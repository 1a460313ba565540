package oauthcert

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// What a directory refuses for. A [*DirectoryError] is one of these, as
// errors.Is tells.
var (
	ErrKeyNotUpdatable = errors.New("a kept key was altered")
	ErrInvalidEndDate  = errors.New("a key's dates lie outside its certificate's")
	ErrLifetime        = errors.New("the tenant's policy forbids so long a lifetime")
	ErrCredentialType  = errors.New("the tenant's policy forbids this kind of credential")
	ErrNameTaken       = errors.New("another object of the tenant has this name")
	ErrAppRoles        = errors.New("the service principal and its application disagree")
	ErrPermission      = errors.New("permission is missing")
	ErrUnauthorized    = errors.New("not signed in, or the token has expired")
	ErrNoObject        = errors.New("no such object")
	ErrThrottled       = errors.New("too many requests")
	ErrConcurrent      = errors.New("another write to the object was under way")
	ErrLocked          = errors.New("the application's owner has locked the property")
	ErrQuota           = errors.New("a quota is used up")
	ErrTooLarge        = errors.New("the object would hold too much")
)

// A DirectoryError reports that the directory answered, and what it said.
// Whoever implements [Directory] fills the first five fields; the rest of the
// knowledge is here. errors.Is compares it with ErrKeyNotUpdatable and the
// other reasons of refusal.
type DirectoryError struct {
	Status     int           // of HTTP, 400 and above
	Code       string        // error.code of Microsoft Graph, such as "Request_BadRequest"
	Message    string        // error.message
	RequestID  string        // to be told to Microsoft's support
	RetryAfter time.Duration // as asked for with 429 and 503; zero if it was not told
}

// A refusal is one row of the table by which answers are told apart.
type refusal struct {
	reason error
	status int    // 0: any
	text   string // must occur in the code or the message, without case; "" always does
	remedy string
}

// refusals is read from the top; the first row that fits wins. Codes and texts
// are those of Microsoft Graph's error answers; the numbers stand for the
// public reports that show them.
var refusals = []refusal{
	{ErrKeyNotUpdatable, 0, "KeyNotUpdatable", remedyKept},
	{ErrKeyNotUpdatable, 0, "Update to existing credential with KeyId", remedyKept}, // Azure/azure-powershell#6784
	{ErrLifetime, 0, "CredentialInvalidLifetimeAsPerAppPolicy", "make the auth certificate with a lifetime that the tenant's app management policy (asymmetricKeyLifetime) allows, or exempt the application from it"},
	{ErrCredentialType, 0, "CredentialTypeNotAllowedAsPerAppPolicy", "exempt the application from the tenant's app management policy (asymmetricKeyLifetime restricted or trusted authorities required)"},
	{ErrInvalidEndDate, 0, "KeyCredentialsInvalidEndDate", "leave the dates out, so that Entra ID takes them from the certificate; an expired entry may have to be dropped in the same write"},
	{ErrInvalidEndDate, 0, "KeyCredentialsInvalidStartDate", "leave the dates out, so that Entra ID takes them from the certificate"},
	{ErrNameTaken, 0, "Request_MultipleObjectsWithSameKeyValue", "find the application or service principal that has the name (filter servicePrincipals by servicePrincipalNames/any) and take it from there first"},
	{ErrNameTaken, 0, "Another object with the same value for property", "find the object that has the name and take it from there first"},
	{ErrAppRoles, 0, "Property appRoles on the service principal does not match", "the directory's copies of the application disagree; repeat later, or write the names through the Entra admin centre"},                                                              // microsoftgraph/microsoft-graph-docs-contrib#8801
	{ErrConcurrent, 409, "ConcurrencyViolation", "repeat after reading the object anew"},                                                                                                                                                                              // Directory_ConcurrencyViolation
	{ErrLocked, 0, "CannotUpdateLockedServicePrincipalProperty", "the lock (servicePrincipalLockConfiguration) is set on the application in its home tenant: have its owner lift it for credentials used for verification, or put the key on the application object"}, // Azure/azure-cli#28734
	{ErrQuota, 0, "Directory_QuotaExceeded", "delete what is not needed, for good also out of the deleted items, or have the tenant's quota raised; for a user, an administrator's role has a higher one"},
	{ErrTooLarge, 0, "Directory_ResourceSizeExceeded", "an object of Entra ID holds so many values and no more: drop expired keys, or names that are no longer used, in the same write"},
	{ErrTooLarge, 0, "The size of the object has exceeded its limit", "an object of Entra ID holds so many values and no more: drop expired keys, or names that are no longer used, in the same write"},
	{ErrConcurrent, 409, "", "repeat after reading the object anew"},
	{ErrPermission, 403, "", "sign in with Application.ReadWrite.All (delegated: as Application Administrator or Cloud Application Administrator), or, for an application that owns the object, Application.ReadWrite.OwnedBy"},
	{ErrUnauthorized, 401, "", "sign in again"},
	{ErrNoObject, 404, "", "check the id and the tenant; a new object may need a minute to be seen"},
	{ErrThrottled, 429, "", "repeat later"},
}

const remedyKept = "a key that stays must go back exactly as it was read, or be brought anew by value; plan again"

func (e *DirectoryError) find() *refusal {
	text := strings.ToLower(e.Code + "\n" + e.Message)
	for i, r := range refusals {
		if (r.status == 0 || r.status == e.Status) && strings.Contains(text, strings.ToLower(r.text)) {
			return &refusals[i]
		}
	}
	return nil
}

// Error returns one line with the reason, the code, the request id and what
// to do, or the message if the reason is not known.
func (e *DirectoryError) Error() string {
	var b strings.Builder
	b.WriteString("oauthcert: the directory ")
	if e.Status >= 500 {
		b.WriteString("failed")
	} else {
		b.WriteString("refused")
	}
	r := e.find()
	if r != nil {
		b.WriteString(": " + r.reason.Error())
	}
	fmt.Fprintf(&b, " (HTTP %d", e.Status)
	if e.Code != "" {
		fmt.Fprintf(&b, ", %s", oneLine(e.Code, 80))
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, ", request %s", oneLine(e.RequestID, 60))
	}
	b.WriteString(")")
	switch {
	case r != nil:
		b.WriteString("; " + r.remedy)
	case e.Message != "":
		b.WriteString(": " + oneLine(e.Message, 200))
	}
	if e.Code == "" && e.Message == "" {
		b.WriteString("; the answer names no error, so it may be that of a proxy")
	}
	return b.String()
}

// Remedy says what to do, or is "" for an answer that is not known.
func (e *DirectoryError) Remedy() string {
	if r := e.find(); r != nil {
		return r.remedy
	}
	return ""
}

// Is reports whether target is the reason for which the directory refused.
func (e *DirectoryError) Is(target error) bool {
	r := e.find()
	return r != nil && r.reason == target
}

// definite reports whether the answer says for certain that nothing was
// written. A 408, a 499 of a proxy or a 5xx may hide a write that took effect.
func (e *DirectoryError) definite() bool {
	return e.Status >= 400 && e.Status < 500 && e.Status != 408 && e.Status != 499
}

// oneLine makes a text of the directory fit for a line of a report: without
// line ends, and without letters that steer a terminal or turn its direction.
func oneLine(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
