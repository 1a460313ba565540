// Package oauthcerttest has a directory in memory that behaves like Entra ID
// behind Microsoft Graph, throwaway auth certificates, and a store of them.
//
// The directory replaces whole collections, gives keys their ids, labels and
// dates, refuses altered keys and taken names, shows writes late and
// unevenly, and fails as it is told. It is stricter than Entra ID where
// nobody outside knows what that does: a key that is kept by reference must
// carry every property that it was shown with.
//
// It does not model signing in, permissions (but for the faults [Forbidden] and
// [TokenEnded]),
// addKey and removeKey, deltas, or properties other than those that
// oauthcert.Object has.
package oauthcerttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/oauthcert"
)

// A Fault is what goes wrong with one call.
type Fault int

const (
	None        Fault = iota
	Throttled         // 429 with Retry-After; nothing is done
	Unavailable       // 503; nothing is done
	LostAnswer        // the call is done, and answered with 504
	Timeout           // the call is done, and the connection breaks before the answer
	Broken            // the connection breaks before the call is done
	Forbidden         // 403; nothing is done
	TokenEnded        // 401; nothing is done
	Conflict          // 409, another write is under way; nothing is done
)

// ErrConnection is the error of the faults Timeout and Broken.
var ErrConnection = errors.New("oauthcerttest: the connection broke")

// A Call is one call of the directory.
type Call struct {
	N      int    // from 1
	Write  bool   // a write, else a read
	Target string // as oauthcert.Target.String
}

// A Directory is an oauthcert.Directory in memory. Make it with [New]; set the
// fields before its first use. It may be used by many goroutines.
type Directory struct {
	// Lag is how late the slowest replica shows a write. There are three: one
	// shows it at once, one after half of Lag, one after Lag. Each read is
	// answered by any of them.
	Lag time.Duration

	// Faults, if not nil, is asked before each call what shall go wrong. It
	// may call the directory itself, as a second writer does through [Directory.Set].
	Faults func(Call) Fault

	// OnWrite, if not nil, is told of every write that takes effect, with what
	// the directory held before and after; not of those of [Directory.Set].
	// It must not call the directory.
	OnWrite func(before, after *oauthcert.Object)

	// MaxLifetime, if not zero, is the tenant's limit for certificates.
	MaxLifetime time.Duration

	// RefuseExpired refuses every key that is brought by value and has expired.
	RefuseExpired bool

	// RefuseDisplayNames refuses kept keys by reference that carry their display
	// name; the same reference without it is taken always, and the stored name
	// stays. Reports of both behaviours exist (microsoft/PowerApps-Samples#703).
	RefuseDisplayNames bool

	// RefuseReferences refuses every kept key by reference.
	RefuseReferences bool

	// FirstPartyReferences accepts kept keys by reference on first-party
	// principals, which otherwise take type, usage and key alone.
	FirstPartyReferences bool

	mu      sync.Mutex
	rand    *mathrand.Rand
	calls   int
	objects []*object
	log     []Call
}

type object struct {
	versions []version // the newest last; never empty
}

type version struct {
	at    time.Time
	value *oauthcert.Object
}

// New makes a directory that holds copies of objects, visible at once. Seed
// decides which replica answers, and nothing else. It panics on an object
// without kind or ids.
func New(seed uint64, objects ...*oauthcert.Object) *Directory {
	d := &Directory{rand: mathrand.New(mathrand.NewPCG(seed, 6))}
	for _, o := range objects {
		if err := o.Target().Check(); err != nil {
			panic("oauthcerttest: " + err.Error())
		}
		value := clone(o)
		for i := range value.Keys {
			complete(&value.Keys[i])
		}
		d.objects = append(d.objects, &object{versions: []version{{value: value}}})
	}
	return d
}

// Set replaces what the directory holds of an object, as another program does
// that writes without a look. It asks no Faults. It panics if there is no such
// object.
func (d *Directory) Set(target oauthcert.Target, change func(o *oauthcert.Object)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.find(target)
	if o == nil {
		panic("oauthcerttest: no object " + target.String())
	}
	next := clone(o.newest())
	change(next)
	for i := range next.Keys {
		complete(&next.Keys[i])
	}
	o.versions = append(o.versions, version{at: time.Now(), value: next})
}

// Truth returns what the directory holds of an object, whatever its replicas
// show, or nil if it does not exist.
func (d *Directory) Truth(target oauthcert.Target) *oauthcert.Object {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.find(target)
	if o == nil {
		return nil
	}
	return clone(o.newest())
}

// Calls returns the calls made so far.
func (d *Directory) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// Read returns what one of the replicas shows.
func (d *Directory) Read(ctx context.Context, target oauthcert.Target) (*oauthcert.Object, error) {
	fault, err := d.begin(ctx, target, false)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.find(target)
	if o == nil {
		return nil, notFound(target)
	}
	if err := fault.after(); err != nil {
		return nil, err
	}
	return clone(o.shown(d.Lag * time.Duration(d.rand.IntN(3)) / 2)), nil
}

// WriteKeys replaces the keys of an object.
func (d *Directory) WriteKeys(ctx context.Context, target oauthcert.Target, keys []oauthcert.KeyCredential) error {
	if keys == nil {
		return errors.New("oauthcerttest: keys are nil")
	}
	return d.write(ctx, target, func(o *oauthcert.Object) error {
		next, err := d.accept(o, keys)
		o.Keys = next
		return err
	})
}

// WriteNames replaces the names of a service principal.
func (d *Directory) WriteNames(ctx context.Context, target oauthcert.Target, names []string) error {
	if names == nil {
		return errors.New("oauthcerttest: names are nil")
	}
	return d.write(ctx, target, func(o *oauthcert.Object) error {
		if o.Kind != oauthcert.ServicePrincipal {
			return badRequest("Property 'servicePrincipalNames' does not exist as a declared property or extension property.")
		}
		for _, other := range d.objects {
			value := other.newest()
			if value.ID == o.ID {
				continue
			}
			for _, name := range names {
				if slices.ContainsFunc(value.Names, func(n string) bool { return strings.EqualFold(n, name) }) {
					return &oauthcert.DirectoryError{Status: 400, Code: "Request_MultipleObjectsWithSameKeyValue",
						Message: "Another object with the same value for property servicePrincipalNames already exists."}
				}
			}
		}
		o.Names = slices.Clone(names)
		return nil
	})
}

func (d *Directory) write(ctx context.Context, target oauthcert.Target, change func(*oauthcert.Object) error) error {
	fault, err := d.begin(ctx, target, true)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.find(target)
	if o == nil {
		return notFound(target)
	}
	before := o.newest()
	next := clone(before)
	if err := change(next); err != nil {
		return err
	}
	if d.OnWrite != nil {
		d.OnWrite(clone(before), clone(next))
	}
	o.versions = append(o.versions, version{at: time.Now(), value: next})
	return fault.after()
}

// begin counts the call and returns the errors of faults that let nothing be done.
func (d *Directory) begin(ctx context.Context, target oauthcert.Target, write bool) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return None, err
	}
	if err := target.Check(); err != nil {
		return None, err
	}
	d.mu.Lock()
	d.calls++
	call := Call{N: d.calls, Write: write, Target: target.String()}
	d.log = append(d.log, call)
	d.mu.Unlock()
	fault := None
	if d.Faults != nil {
		fault = d.Faults(call)
	}
	switch fault {
	case Throttled:
		return fault, &oauthcert.DirectoryError{Status: 429, Code: "TooManyRequests", Message: "Too many requests", RetryAfter: 10 * time.Second}
	case Unavailable:
		return fault, &oauthcert.DirectoryError{Status: 503, Code: "ServiceUnavailable", Message: "Service is unavailable"}
	case Forbidden:
		return fault, &oauthcert.DirectoryError{Status: 403, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
	case TokenEnded:
		return fault, &oauthcert.DirectoryError{Status: 401, Code: "InvalidAuthenticationToken", Message: "Lifetime validation failed, the token is expired."}
	case Conflict:
		return fault, &oauthcert.DirectoryError{Status: 409, Code: "Directory_ConcurrencyViolation", Message: "Conflict between two or more requests"}
	case Broken:
		return fault, ErrConnection
	}
	return fault, nil
}

// after returns the errors of faults that come after the call is done.
func (f Fault) after() error {
	switch f {
	case LostAnswer:
		return &oauthcert.DirectoryError{Status: 504, Code: "UnknownError", Message: "Gateway timeout"}
	case Timeout:
		return ErrConnection
	}
	return nil
}

func badRequest(message string) error {
	return &oauthcert.DirectoryError{Status: 400, Code: "Request_BadRequest", Message: message}
}

func notFound(target oauthcert.Target) error {
	return &oauthcert.DirectoryError{Status: 404, Code: "Request_ResourceNotFound", Message: "Resource '" + target.String() + "' does not exist or one of its queried reference-property objects are not present."}
}

func (d *Directory) find(t oauthcert.Target) *object {
	for _, o := range d.objects {
		value := o.newest()
		if value.Kind == t.Kind && (t.ID != "" && strings.EqualFold(value.ID, t.ID) || t.ID == "" && strings.EqualFold(value.AppID, t.AppID)) {
			return o
		}
	}
	return nil
}

func (o *object) newest() *oauthcert.Object { return o.versions[len(o.versions)-1].value }

// shown returns the newest version that a replica with this lag knows of.
func (o *object) shown(lag time.Duration) *oauthcert.Object {
	limit := time.Now().Add(-lag)
	for i := len(o.versions) - 1; i > 0; i-- {
		if !o.versions[i].at.After(limit) {
			return o.versions[i].value
		}
	}
	return o.versions[0].value
}

// accept judges a whole collection and returns it as it will be stored.
func (d *Directory) accept(o *oauthcert.Object, keys []oauthcert.KeyCredential) ([]oauthcert.KeyCredential, error) {
	next := make([]oauthcert.KeyCredential, 0, len(keys))
	for _, k := range keys {
		if o.FirstParty() && !(d.FirstPartyReferences && k.Key == nil) {
			if k.CustomKeyIdentifier != "" || k.DisplayName != "" || k.KeyID != "" || !k.StartDateTime.IsZero() || !k.EndDateTime.IsZero() {
				return nil, badRequest("Property keyCredentials on the service principal does not match the application object.")
			}
		}
		stored := slices.IndexFunc(o.Keys, func(s oauthcert.KeyCredential) bool {
			return k.KeyID != "" && strings.EqualFold(s.KeyID, k.KeyID)
		})
		if slices.ContainsFunc(next, func(n oauthcert.KeyCredential) bool { return k.KeyID != "" && strings.EqualFold(n.KeyID, k.KeyID) }) {
			return nil, badRequest("Two key credentials have the same keyId.")
		}
		switch {
		case stored >= 0:
			if s := o.Keys[stored]; d.RefuseReferences || !d.sameReference(s, k) {
				return nil, &oauthcert.DirectoryError{Status: 400, Code: "KeyNotUpdatable",
					Message: "Update to existing credential with KeyId '" + s.KeyID + "' is not allowed."}
			}
			next = append(next, o.Keys[stored])
		default:
			fresh, err := d.acceptNew(k)
			if err != nil {
				return nil, err
			}
			next = append(next, fresh)
		}
	}
	return next, nil
}

// sameReference reports whether k refers to the stored key and alters nothing.
func (d *Directory) sameReference(stored, k oauthcert.KeyCredential) bool {
	named := k.DisplayName == stored.DisplayName && !d.RefuseDisplayNames
	return k.Key == nil && k.CustomKeyIdentifier == stored.CustomKeyIdentifier && (named || k.DisplayName == "") &&
		k.Type == stored.Type && k.Usage == stored.Usage &&
		k.StartDateTime.Equal(stored.StartDateTime) && k.EndDateTime.Equal(stored.EndDateTime)
}

// acceptNew judges a key that is brought by value.
func (d *Directory) acceptNew(k oauthcert.KeyCredential) (oauthcert.KeyCredential, error) {
	switch {
	case k.Key == nil:
		return k, badRequest("A key credential has no value, and its keyId is not known.")
	case k.Type != oauthcert.TypeX509 || k.Usage != oauthcert.UsageVerify:
		return k, badRequest("The combination of type and usage is not allowed for a key without password.")
	}
	cert, err := k.Certificate()
	if err != nil {
		return k, badRequest("The value of a key credential is not a certificate.")
	}
	if k.StartDateTime.IsZero() {
		k.StartDateTime = cert.NotBefore()
	}
	if k.EndDateTime.IsZero() {
		k.EndDateTime = cert.NotAfter()
	}
	switch {
	case k.EndDateTime.After(cert.NotAfter()), d.RefuseExpired && !k.EndDateTime.After(time.Now()):
		return k, &oauthcert.DirectoryError{Status: 400, Code: "KeyCredentialsInvalidEndDate", Message: "Key credential end date is invalid."}
	case k.StartDateTime.Before(cert.NotBefore()):
		return k, &oauthcert.DirectoryError{Status: 400, Code: "KeyCredentialsInvalidStartDate", Message: "Key credential start date is invalid."}
	case d.MaxLifetime > 0 && k.EndDateTime.Sub(k.StartDateTime) > d.MaxLifetime:
		return k, &oauthcert.DirectoryError{Status: 400, Code: "CredentialInvalidLifetimeAsPerAppPolicy", Message: "Credential lifetime exceeds the max value allowed as per assigned policy."}
	}
	complete(&k)
	return k, nil
}

// complete fills what Entra ID gives a key: an id, the thumbprint, the dates,
// and a displayName of at most 90 characters.
func complete(k *oauthcert.KeyCredential) {
	if k.KeyID == "" {
		k.KeyID = newGUID()
	}
	if name := []rune(k.DisplayName); len(name) > 90 {
		k.DisplayName = string(name[:90])
	}
	if k.Key == nil || k.CustomKeyIdentifier != "" && !k.StartDateTime.IsZero() && !k.EndDateTime.IsZero() {
		return
	}
	cert, err := k.Certificate()
	if err != nil {
		return
	}
	if k.CustomKeyIdentifier == "" {
		k.CustomKeyIdentifier = cert.SHA1().String()
	}
	if k.StartDateTime.IsZero() {
		k.StartDateTime = cert.NotBefore()
	}
	if k.EndDateTime.IsZero() {
		k.EndDateTime = cert.NotAfter()
	}
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// clone copies an object so that nobody can alter what the directory holds.
func clone(o *oauthcert.Object) *oauthcert.Object {
	c := *o
	c.Names = slices.Clone(o.Names)
	c.Keys = slices.Clone(o.Keys)
	for i := range c.Keys {
		c.Keys[i].Key = bytes.Clone(c.Keys[i].Key)
	}
	return &c
}
