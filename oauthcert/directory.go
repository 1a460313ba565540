package oauthcert

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Directory reads and writes one object of Entra ID. [Apply] and its kin
// drive it; graphoauthcert is the one over Microsoft Graph, and oauthcerttest
// has one in memory.
//
// Both writes replace the whole collection, as Microsoft Graph does. A
// Directory passes on what it is given and does nothing else: it never merges,
// and never repeats a write. An empty slice empties the collection; nil is a
// mistake of the caller. A refusal of the directory is a [*DirectoryError]; an
// error with which nothing was sent wraps [ErrNotSent]; any other error of a
// write means that its outcome is not known. A Directory may be used by several
// goroutines.
type Directory interface {
	// Read returns the object with its keys, their values included, and, for
	// a service principal, its names. Graph shows the value of a key only to
	// a GET of one object with $select=keyCredentials.
	Read(ctx context.Context, target Target) (*Object, error)

	// WriteKeys replaces the keyCredentials of the object by exactly keys,
	// each in the JSON that KeyCredential marshals to.
	WriteKeys(ctx context.Context, target Target, keys []KeyCredential) error

	// WriteNames replaces the servicePrincipalNames of a service principal.
	WriteNames(ctx context.Context, target Target, names []string) error
}

// A Kind tells applications from service principals. In text it is
// "application" or "servicePrincipal".
type Kind uint8

const (
	UnknownKind      Kind = iota
	Application           // an app registration, of the tenant that owns it
	ServicePrincipal      // what a tenant knows of an application, its own or another's
)

var kindTexts = enum.Of[Kind]("oauthcert: kind of object", "unknown", "application", "servicePrincipal")

// String returns the kind as Microsoft Graph names it, in the singular.
func (k Kind) String() string { return kindTexts.String(k) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (k Kind) MarshalText() ([]byte, error) { return kindTexts.Marshal(k) }

// UnmarshalText accepts what MarshalText gives.
func (k *Kind) UnmarshalText(text []byte) error { return kindTexts.Unmarshal(k, text) }

// The applications of Microsoft that have to do with the auth certificate. In
// a tenant they are service principals; nobody but Microsoft has the
// application object.
const (
	// ExchangeOnline is the shared service principal on which the Hybrid
	// Configuration Wizard and the procedure of old put the certificate.
	// Exchange Online has refused EWS calls through it since 2025-10-31
	// (CVE-2025-53786). Its names are needed still.
	ExchangeOnline = "00000002-0000-0ff1-ce00-000000000000"

	CloudVoicemail = "db7de2b5-2149-435e-8043-e080dd50afae" // Teams with mailboxes on-premises
	TeamsScheduler = "7557eb47-c689-4224-abcf-aef9bd7573df" // Teams with mailboxes on-premises
	SkypeOnline    = "00000004-0000-0ff1-ce00-000000000000" // Skype for Business Online, retired
)

// microsoftTenant owns the first-party applications of all clouds.
const microsoftTenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// FirstParty returns the name of the first-party application with this id, if
// it is one of those that this package knows.
func FirstParty(appID string) (name string, ok bool) {
	switch strings.ToLower(appID) {
	case ExchangeOnline:
		return "Office 365 Exchange Online", true
	case CloudVoicemail:
		return "Microsoft Teams CloudVoicemail", true
	case TeamsScheduler:
		return "Microsoft Teams Scheduler", true
	case SkypeOnline:
		return "Skype for Business Online", true
	}
	return "", false
}

// A Target names one object of a directory.
type Target struct {
	Kind  Kind   `json:"kind"`
	ID    string `json:"id,omitempty"`    // the object's own id; wins over AppID
	AppID string `json:"appId,omitempty"` // application (client) id
}

// String returns the target as the last part of its address in Microsoft
// Graph, such as "applications(appId='…')".
func (t Target) String() string {
	if t.ID != "" {
		return t.Kind.String() + "s/" + t.ID
	}
	return t.Kind.String() + "s(appId='" + t.AppID + "')"
}

// Check returns an error if t does not name an object: a kind and a GUID are
// needed. A Directory may rely on it before it builds an address.
func (t Target) Check() error {
	if t.Kind != Application && t.Kind != ServicePrincipal {
		return fmt.Errorf("oauthcert: target %s: neither an application nor a service principal", t)
	}
	id := t.ID
	if id == "" {
		id = t.AppID
	}
	if !isGUID(id) {
		return fmt.Errorf("oauthcert: target: %.60q is not a GUID", id)
	}
	return nil
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return false
			}
		}
	}
	return true
}

// An Object is what a directory showed of an application or a service
// principal. It is a plain value: tests may write it as a literal. It
// marshals to the properties of the same names in Microsoft Graph.
type Object struct {
	Kind        Kind   `json:"kind,omitempty"` // not a property of Graph; see [ParseObject]
	ID          string `json:"id"`
	AppID       string `json:"appId"`
	DisplayName string `json:"displayName,omitempty"`

	// AppOwnerOrganizationID is the tenant that owns the application of a
	// service principal, "" if it was not read.
	AppOwnerOrganizationID string `json:"appOwnerOrganizationId,omitempty"`

	// Keys are the keyCredentials. nil means that they were not read, which
	// is not the same as empty.
	Keys []KeyCredential `json:"keyCredentials"`

	// Names are the servicePrincipalNames. nil means that they were not read.
	Names []string `json:"servicePrincipalNames"`
}

// The bounds on what is read of one object. Entra ID holds fewer.
const (
	maxKeys  = 1000
	maxNames = 10_000
)

// Select lists the properties that a [Directory] must ask for when it reads
// an object of this kind, as one $select.
func (k Kind) Select() []string {
	if k == ServicePrincipal {
		return []string{"id", "appId", "displayName", "appOwnerOrganizationId", "keyCredentials", "servicePrincipalNames"}
	}
	return []string{"id", "appId", "displayName", "keyCredentials"}
}

// ParseObject reads an object as Microsoft Graph sends it, or as a snapshot
// or a backup holds it. If kind is UnknownKind, the kind is taken from the
// property "kind" or from "@odata.context". Other properties are ignored, and
// so are the values of keys that are not certificates: what comes of it holds no
// secret.
func ParseObject(kind Kind, data []byte) (*Object, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("oauthcert: directory object of %d bytes; at most %d are read", len(data), maxInput)
	}
	if text, ok := asText(data); ok {
		data = []byte(text) // saved by Windows PowerShell: UTF-16, or UTF-8 with a mark
	}
	var wire struct {
		Context string `json:"@odata.context"`
		Object
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("oauthcert: directory object: %w", err)
	}
	o := wire.Object
	switch {
	case kind != UnknownKind:
		o.Kind = kind
	case o.Kind != UnknownKind:
	case strings.Contains(wire.Context, "#applications"):
		o.Kind = Application
	case strings.Contains(wire.Context, "#servicePrincipals"):
		o.Kind = ServicePrincipal
	default:
		return nil, fmt.Errorf("oauthcert: directory object %.60q: cannot tell whether it is an application or a service principal", o.ID)
	}
	if len(o.Keys) > maxKeys || len(o.Names) > maxNames {
		return nil, fmt.Errorf("oauthcert: directory object %.60q: %d keys and %d names; at most %d and %d are read", o.ID, len(o.Keys), len(o.Names), maxKeys, maxNames)
	}
	if !isGUID(o.ID) || !isGUID(o.AppID) {
		return nil, fmt.Errorf("oauthcert: directory object: id %.60q or appId %.60q is not a GUID", o.ID, o.AppID)
	}
	return o.public(), nil
}

// Target returns the target that names the object by its own id.
func (o *Object) Target() Target { return Target{Kind: o.Kind, ID: o.ID, AppID: o.AppID} }

// FirstParty reports whether the object belongs to an application of
// Microsoft rather than of the tenant.
func (o *Object) FirstParty() bool {
	_, known := FirstParty(o.AppID)
	return known || strings.EqualFold(o.AppOwnerOrganizationID, microsoftTenant)
}

// public returns a copy of the object without the values of keys that are not
// certificates. Entra ID should show none; should it, or another Directory,
// ever show a private key, it gets no further than here.
func (o *Object) public() *Object {
	if o == nil {
		return new(Object)
	}
	c := *o
	c.Keys = slices.Clone(o.Keys)
	for i, k := range c.Keys {
		if k.Key != nil && !looksLikeCertificate(k.Key) {
			c.Keys[i].Key = nil
		}
	}
	return &c
}

// Find returns the keys that hold the certificate, compared by DER.
func (o *Object) Find(c *Certificate) []KeyCredential {
	var found []KeyCredential
	for _, k := range o.Keys {
		if c.holds(k.Key) {
			found = append(found, k)
		}
	}
	return found
}
