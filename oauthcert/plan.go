package oauthcert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// An Action tells what a plan does with one key or name. In text it is
// "refused", "kept", "added" or "dropped".
type Action uint8

const (
	Refused Action = iota // asked for, but not to be done; a plan with such a step is not applied
	Kept
	Added
	Dropped
)

var actionTexts = enum.Of[Action]("oauthcert: action", "refused", "kept", "added", "dropped")

// String returns the action in lower case.
func (a Action) String() string { return actionTexts.String(a) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (a Action) MarshalText() ([]byte, error) { return actionTexts.Marshal(a) }

// UnmarshalText accepts what MarshalText gives.
func (a *Action) UnmarshalText(text []byte) error { return actionTexts.Unmarshal(a, text) }

// A Reason names, for programs, why a step does what it does; [Step.Why] says
// it for people.
type Reason string

const (
	// Why something is kept.
	Wanted    Reason = "wanted"     // asked for, and there
	NotOurs   Reason = "not-ours"   // nobody asked about it
	Stale     Reason = "stale"      // a name of the organisation, of which nobody asked: look at it
	Misformed Reason = "misformed"  // a name in a form that matches no token
	BuiltIn   Reason = "built-in"   // a name of Microsoft's own
	NotSorted Reason = "not-sorted" // the directory showed no value, so nobody can say which certificate it is

	// Why something is added.
	Missing    Reason = "missing"     // asked for, and not there
	FromBackup Reason = "from-backup" // in the backup, and not there

	// Why something is dropped.
	Expired Reason = "expired"
	Named   Reason = "named"  // asked for by name
	Unused  Reason = "unused" // not wanted, and the policy drops what is not

	// Why something is refused.
	NotRead         Reason = "not-read"          // the collection, or the date to judge for, is unknown
	WrongKind       Reason = "wrong-kind"        // the object cannot have it
	SharedPrincipal Reason = "shared-principal"  // keys do not belong there any more
	WrongSituation  Reason = "wrong-situation"   // the situation given calls for something else
	Unfit           Reason = "unfit"             // the certificate is expired, too weak or lives too long
	Uncertain       Reason = "uncertain"         // it may be there already, but the directory showed no value
	CannotKeep      Reason = "cannot-keep"       // it must stay, and no form of writing it is possible
	NotFound        Reason = "not-found"         // to be dropped by name, and not there
	BuiltInName     Reason = "built-in-name"     // Microsoft's own names must stay
	BadName         Reason = "bad-name"          // not https and a host alone
	NotInBackup     Reason = "not-in-the-backup" // the backup does not hold the value of a key
)

// A Collection is one of the two that a plan can change. In text it is the
// name of the property in Microsoft Graph.
type Collection string

const (
	Keys  Collection = "keyCredentials"
	Names Collection = "servicePrincipalNames"
)

// A Step is what a plan does with one key or name, and why.
type Step struct {
	Action Action `json:"action"`
	Reason Reason `json:"reason"`
	Why    string `json:"why"`

	// Name is the service principal name, in a plan of names.
	Name string `json:"name,omitempty"`

	// Key is the entry, in a plan of keys: as read, or as it will be written.
	Key *KeyCredential `json:"key,omitempty"`

	// Thumbprint is that of the certificate in Key; zero if it is not known.
	Thumbprint Thumbprint `json:"thumbprint,omitzero"`

	// ByReference tells how a kept key is written: as a reference to what the
	// directory holds (true), or anew with its value, which gives it another
	// keyId. In a plan it is how it will be tried first, in a report how it
	// was written.
	ByReference bool `json:"byReference,omitempty"`

	// WithoutName tells, in a report, that a key was kept by a reference
	// without its display name, with which the directory had refused it.
	WithoutName bool `json:"withoutName,omitempty"`

	// NewKeyID is, in a report, the keyId of a kept key that was written anew.
	NewKeyID string `json:"newKeyId,omitempty"`
}

// subject names the step's key or name for people.
func (s Step) subject() string {
	switch {
	case s.Key == nil:
		return s.Name
	case !s.Thumbprint.IsZero():
		return s.Thumbprint.String()
	case s.Key.KeyID != "":
		return "key " + s.Key.KeyID
	}
	return "a key without an id"
}

// String returns the step on one line.
func (s Step) String() string {
	how := ""
	if s.Action == Kept && s.Key != nil {
		how = map[form]string{byReference: " by reference", unnamed: " by reference without its display name", byValue: " by value"}[s.form()]
	}
	return fmt.Sprintf("%-7s %s%s: %s", s.Action, oneLine(s.subject(), 200), how, s.Why)
}

// A Plan is the difference between what a directory shows and what is wanted
// of one collection: every entry of it, and every wanted one, is a step. It
// marshals to JSON for a person's or a program's consent, with the object that
// it was made from, and can be read back and applied. Make it with [PlanKeys],
// [PlanNames] or [PlanRestore]; it is read-only afterwards.
type Plan struct {
	Target     Target     `json:"target"`
	Collection Collection `json:"collection"`
	Steps      []Step     `json:"steps"`

	base *Object // what the plan was made from
}

// Changes reports whether the plan adds or drops anything.
func (p *Plan) Changes() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action == Added || s.Action == Dropped })
}

// Err returns a [*RefusedError] if the plan holds a refused step, and else nil.
func (p *Plan) Err() error {
	var refused []Step
	for _, s := range p.Steps {
		if s.Action == Refused {
			refused = append(refused, s)
		}
	}
	if refused == nil {
		return nil
	}
	return &RefusedError{Target: p.Target, Steps: refused}
}

// A RefusedError reports the steps for which a plan cannot be applied.
type RefusedError struct {
	Target Target
	Steps  []Step
}

func (e *RefusedError) Error() string {
	first := e.Steps[0]
	text := fmt.Sprintf("oauthcert: %s: refused: %s: %s", e.Target, oneLine(first.subject(), 200), first.Why)
	if more := len(e.Steps) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// A Policy tells what a plan may do besides adding what is missing. The zero
// value but for At adds and drops nothing, which is good advice.
type Policy struct {
	// At is the time to judge for: what is expired then. A plan without it is
	// refused.
	At time.Time

	// DropExpired drops keys that have expired.
	DropExpired bool

	// DropUnused drops every key that is not wanted, whosever it is. This is
	// the clean-up of the shared principal: nothing wanted, all dropped.
	DropUnused bool

	// Drop names what else goes: keys by thumbprint or keyId, or names.
	Drop []string

	// AllowKeysOn is the application id of a first-party principal that shall
	// be given keys although [PlanKeys] refuses it, such as [ExchangeOnline].
	AllowKeysOn string

	// MaxLifetime is the tenant's limit for certificates (the policy
	// asymmetricKeyLifetime), or zero if there is none or it is not known.
	MaxLifetime time.Duration

	// Situation, if it is known, refuses what is wrong in it.
	Situation Situation
}

// sharedPrincipal says why keys on the principal of Exchange Online are refused.
const sharedPrincipal = "keys on the shared Exchange Online principal let whoever controls an Exchange server act in the tenant (CVE-2025-53786), " +
	"and since 2025-10-31 Exchange Online refuses EWS calls made through it; upload to the dedicated hybrid application (ExchangeServerApp-…) instead"

// refusesKeys says why keys should not be added to the object, or "".
func (o *Object) refusesKeys() string {
	switch strings.ToLower(o.AppID) {
	case ExchangeOnline:
		return sharedPrincipal
	case CloudVoicemail, TeamsScheduler, SkypeOnline:
		return "" // Microsoft's procedure for Teams puts the auth certificate there
	}
	if o.FirstParty() {
		return "this is a principal of Microsoft's, and none that is known to need the auth certificate"
	}
	return ""
}

// PlanKeys compares the keys of an object with the certificates wanted there,
// usually the current and the next auth certificate, and returns the
// difference. Certificates are compared by DER; a key that has expired before
// its certificate, or is there for signing SAML tokens, is not what is wanted.
// Nothing is dropped but what policy says; what is not known for certain is
// kept or refused, never dropped.
//
// Keys belong on the dedicated hybrid application, which is an [Application].
// On the shared principal of Exchange Online, and on those of Microsoft that
// have nothing to do with Exchange, additions are refused unless policy allows
// them by name; dropping is not.
//
// Of nil, as of an object whose keys were not read, comes a plan that is refused.
func PlanKeys(current *Object, wanted []*Certificate, policy Policy) *Plan {
	current = current.public()
	p := &Plan{Target: current.Target(), Collection: Keys, base: current}
	switch {
	case current.Keys == nil:
		p.refuse(Step{Reason: NotRead, Why: "the keys of the object were not read, so none could be kept"})
		return p
	case policy.At.IsZero():
		p.refuse(Step{Reason: NotRead, Why: "the policy gives no date to judge for"})
		return p
	}
	hidden := 0
	found := make([]bool, len(policy.Drop))
	for _, k := range current.Keys {
		if k.Key == nil {
			hidden++
		}
		step := keyStep(k, wanted, policy, found)
		if step.Action == Kept {
			step.keep()
		}
		p.Steps = append(p.Steps, step)
	}
	for i, name := range policy.Drop {
		if !found[i] {
			p.refuse(Step{Name: name, Reason: NotFound, Why: "to be dropped, but no key shown has this thumbprint or keyId"})
		}
	}
	for i, c := range wanted {
		if !c.valid() {
			p.refuse(Step{Reason: NotRead, Why: "a certificate that is wanted was not read"})
			continue
		}
		there := func(k KeyCredential) bool { return k.serves(c) && !k.lapsed(c, policy.At) }
		if slices.ContainsFunc(current.Keys, there) || slices.ContainsFunc(wanted[:i], c.Equal) {
			continue
		}
		p.Steps = append(p.Steps, addStep(c, current, policy, hidden))
	}
	return p
}

func (p *Plan) refuse(s Step) {
	s.Action = Refused
	p.Steps = append(p.Steps, s)
}

// keyStep decides on a key that is there.
func keyStep(k KeyCredential, wanted []*Certificate, policy Policy, found []bool) Step {
	step := Step{Key: &k, Action: Kept}
	lapsed := false
	if c, err := k.Certificate(); err == nil {
		step.Thumbprint = c.SHA1()
		lapsed = k.lapsed(c, policy.At)
	}
	isWanted := !lapsed && slices.ContainsFunc(wanted, k.serves)
	isNamed := false
	for i, name := range policy.Drop {
		if t, err := ParseThumbprint(name); err == nil && !t.IsZero() && t == step.Thumbprint ||
			k.KeyID != "" && strings.EqualFold(name, k.KeyID) {
			isNamed, found[i] = true, true
		}
	}
	expired := k.expired(policy.At)
	switch {
	case isWanted && isNamed:
		step.Action, step.Reason, step.Why = Refused, Wanted, "both wanted and to be dropped"
	case isNamed:
		step.Action, step.Reason, step.Why = Dropped, Named, "asked for by name"
	case isWanted:
		step.Reason, step.Why = Wanted, "wanted, and there"
	case expired && policy.DropExpired:
		step.Action, step.Reason, step.Why = Dropped, Expired, "expired on "+k.EndDateTime.UTC().Format(time.DateOnly)
	case policy.DropUnused:
		step.Action, step.Reason, step.Why = Dropped, Unused, "not wanted, and the policy drops what is not"
	case k.Key == nil:
		step.Reason, step.Why = NotSorted, "the directory did not show its value, so nobody can say which certificate it is"
	case expired:
		step.Reason, step.Why = NotOurs, "expired on "+k.EndDateTime.UTC().Format(time.DateOnly)+", and the policy does not drop what is"
	default:
		step.Reason, step.Why = NotOurs, "of somebody else; its removal was not asked for"
	}
	return step
}

// keep decides how a kept key is written first: by reference, which leaves it
// what it is, or by value if there is nothing to refer to and nothing but the
// keyId would change; else the step is refused.
func (s *Step) keep() {
	s.ByReference = s.Key.KeyID != ""
	if s.ByReference {
		return
	}
	if why := s.alteredByValue(); why != "" {
		s.Action, s.Reason = Refused, CannotKeep
		s.Why = "it must stay, but has no keyId to refer to, and cannot be brought anew: " + why
	}
}

// serves reports whether the entry makes Entra ID accept what is signed with
// the certificate's key. The same certificate may be there for signing SAML
// tokens, which does not.
func (k KeyCredential) serves(c *Certificate) bool {
	return (k.Type == "" || k.Type == TypeX509) && (k.Usage == "" || k.Usage == UsageVerify) && c.holds(k.Key)
}

// lapsed reports whether the entry has expired although its certificate has
// not: tools of old gave keys a year, whatever the certificate had.
func (k KeyCredential) lapsed(c *Certificate, at time.Time) bool {
	return k.expired(at) && c.NotAfter().After(at)
}

func (k KeyCredential) expired(at time.Time) bool {
	return !k.EndDateTime.IsZero() && !k.EndDateTime.After(at)
}

// forAuthentication reports whether a stored key can be written anew from its
// public part. One that signs SAML tokens needs its private key for that.
func (k KeyCredential) forAuthentication() bool {
	return k.Key != nil && k.Type == TypeX509 && k.Usage == UsageVerify
}

// addStep decides on a wanted certificate that is not there.
func addStep(c *Certificate, current *Object, policy Policy, hidden int) Step {
	k := c.KeyCredential()
	if current.FirstParty() {
		k.DisplayName = "" // they take type, usage and key, and no more
	}
	step := Step{Key: &k, Thumbprint: c.SHA1()}
	refuse := func(r Reason, why string) Step {
		step.Reason, step.Why = r, why
		return step
	}
	if why := policy.Situation.refusesKeys(current); why != "" {
		return refuse(WrongSituation, why)
	}
	if why := current.refusesKeys(); why != "" && (policy.AllowKeysOn == "" || !strings.EqualFold(policy.AllowKeysOn, current.AppID)) {
		return refuse(SharedPrincipal, why)
	}
	for _, k := range current.Keys {
		if k.Key == nil && strings.EqualFold(k.CustomKeyIdentifier, c.SHA1().String()) {
			return refuse(Uncertain, "key "+oneLine(k.KeyID, 40)+" carries its thumbprint, but the directory did not show the value; read the single object with its keys selected")
		}
	}
	if why := c.unfit(policy.At, policy.MaxLifetime); why != "" {
		return refuse(Unfit, why)
	}
	step.Action, step.Reason, step.Why = Added, Missing, "wanted, and not there"
	if hidden > 0 {
		step.Why += fmt.Sprintf(" among those whose value was shown (%d were not)", hidden)
	}
	return step
}

// unfit says why a certificate should not be uploaded, or "".
func (c *Certificate) unfit(at time.Time, maxLifetime time.Duration) string {
	life := c.NotAfter().Sub(c.NotBefore())
	switch {
	case !c.NotAfter().After(at):
		return "the certificate expired on " + c.NotAfter().Format(time.DateOnly)
	case c.KeyBits() == 0:
		return "the certificate has no RSA key; Exchange cannot sign with another"
	case c.KeyBits() < minBits:
		return fmt.Sprintf("the RSA key has %d bits; Exchange signs with %d or more only", c.KeyBits(), minBits)
	case maxLifetime > 0 && life > maxLifetime:
		return fmt.Sprintf("the certificate lives %d days; the tenant's policy asymmetricKeyLifetime allows %d", days(life), days(maxLifetime))
	}
	return ""
}

// days rounds up, so that what is said to be within a limit is.
func days(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// names returns the collection as the plan writes it. It is never nil.
func (p *Plan) names() []string {
	out := []string{}
	for _, s := range p.Steps {
		if s.Action == Kept || s.Action == Added {
			out = append(out, s.Name)
		}
	}
	return out
}
