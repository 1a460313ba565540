package signins

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A User is what a summary knows of one user.
type User struct {
	ID string `json:"id,omitempty"` // object id, if a record had it

	// The user's legacy sign-ins.
	Records     int64     `json:"records"`
	Successes   int64     `json:"successes"`
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"`
	LastSuccess time.Time `json:"lastSuccess,omitzero"`

	// FirstSuccess is of the first sign-in that succeeded, as far as known: of
	// summaries that were stored before November 2026 it is not.
	FirstSuccess time.Time `json:"firstSuccess,omitzero"`

	Protocols []ProtocolUse `json:"protocols,omitempty"` // sorted
	Outcomes  []OutcomeUse  `json:"outcomes,omitempty"`  // sorted
	Countries []Tally       `json:"countries,omitempty"` // not of non-interactive ones; 32 at most
	Clients   []Tally       `json:"clients,omitempty"`   // 16 at most

	// Modern sign-ins that are worth knowing of, and password grants of any class.
	NativeMail Use `json:"nativeMail,omitzero"` // ActiveSync over OAuth, by a phone's own mail app
	ROPC       Use `json:"ropc,omitzero"`
	DeviceCode Use `json:"deviceCode,omitzero"`
}

// A Use counts sign-ins.
type Use struct {
	Records   int64 `json:"records"`
	Successes int64 `json:"successes"`
}

func (u *Use) add(success bool) {
	u.Records++
	if success {
		u.Successes++
	}
}

func (u *Use) addMany(records, successes int64) {
	u.Records += records
	u.Successes += successes
}

// A ProtocolUse is how one user used one legacy protocol.
type ProtocolUse struct {
	Protocol     Protocol  `json:"protocol"`
	Records      int64     `json:"records"`
	Successes    int64     `json:"successes"`
	Passwords    int64     `json:"passwords"`    // records in which a password was sent
	Certificates int64     `json:"certificates"` // records in which a certificate was used
	LastSuccess  time.Time `json:"lastSuccess,omitzero"`

	CertificateSuccesses int64 `json:"certificateSuccesses,omitempty"` // of Certificates
}

// An OutcomeUse is how often the legacy sign-ins of a user ended in one way.
type OutcomeUse struct {
	Outcome       Outcome `json:"outcome"`
	Records       int64   `json:"records"`
	PasswordRight int64   `json:"passwordRight"` // records that show that the password was right
}

// userKey returns what names the user of s: the user principal name, or the
// object id if a non-interactive record has that in its place, or whatever
// was typed. It is empty if nothing does.
func userKey(s *SignIn) string {
	name := strings.TrimSpace(s.UserPrincipalName)
	if !strings.Contains(name, "@") && named(s.UserID) {
		name = s.UserID
	}
	if !named(name) {
		return ""
	}
	return strings.ToLower(cut(name))
}

// named reports whether name names somebody. Unified audit writes the other
// two where it has nothing to write.
func named(name string) bool {
	switch len(name) { // for most names the length says it
	case 0:
		return false
	case len("Not Available"):
		return !strings.EqualFold(name, "Not Available")
	case len("Unknown"):
		return !strings.EqualFold(name, "Unknown")
	}
	return true
}

// add counts s. The names of countries and client families that it keeps are
// those of m, which all users share.
func (u *User) add(s *SignIn, v *Verdict, m *summing) {
	success := v.Outcome == Success
	if v.ROPC == crossprem.Yes {
		u.ROPC.add(success)
	}
	if v.DeviceCode == crossprem.Yes {
		u.DeviceCode.add(success)
	}
	if v.NativeMail == crossprem.Yes {
		u.NativeMail.add(success)
	}
	if v.Class != Legacy {
		return
	}
	one := ProtocolUse{Protocol: v.Protocol, Records: 1}
	if success {
		one.Successes = 1
		one.LastSuccess = s.Time.UTC()
	}
	switch v.BasicAuth {
	case crossprem.Yes:
		one.Passwords = 1
	case crossprem.No:
		one.Certificates = 1
		one.CertificateSuccesses = one.Successes
	}
	u.Records++
	u.Successes += one.Successes
	if !s.Time.IsZero() {
		u.First, u.Last = earliest(u.First, s.Time.UTC()), latest(u.Last, s.Time.UTC())
	}
	u.LastSuccess = latest(u.LastSuccess, one.LastSuccess)
	u.FirstSuccess = earliest(u.FirstSuccess, one.LastSuccess)
	u.addProtocol(one)
	end := OutcomeUse{Outcome: v.Outcome, Records: 1}
	if v.PasswordRight == crossprem.Yes {
		end.PasswordRight = 1
	}
	u.addOutcome(end)
	if s.CountryOrRegion != "" && s.Interactive != crossprem.No {
		u.Countries = addName(u.Countries, maxUserCountries, m.country(s.CountryOrRegion), 1, one.Successes)
	}
	if s.UserAgent != "" {
		u.Clients = addName(u.Clients, maxUserClients, m.clientName(s.UserAgent), 1, one.Successes)
	}
}

func (u *User) addProtocol(p ProtocolUse) {
	i, ok := slices.BinarySearchFunc(u.Protocols, p.Protocol, func(e ProtocolUse, p Protocol) int { return int(e.Protocol) - int(p) })
	if !ok {
		u.Protocols = slices.Insert(u.Protocols, i, p)
		return
	}
	e := &u.Protocols[i]
	e.Records += p.Records
	e.Successes += p.Successes
	e.Passwords += p.Passwords
	e.Certificates += p.Certificates
	e.CertificateSuccesses += p.CertificateSuccesses
	e.LastSuccess = latest(e.LastSuccess, p.LastSuccess)
}

func (u *User) addOutcome(o OutcomeUse) {
	i, ok := slices.BinarySearchFunc(u.Outcomes, o.Outcome, func(e OutcomeUse, o Outcome) int { return int(e.Outcome) - int(o) })
	if !ok {
		u.Outcomes = slices.Insert(u.Outcomes, i, o)
		return
	}
	u.Outcomes[i].Records += o.Records
	u.Outcomes[i].PasswordRight += o.PasswordRight
}

func (u *User) merge(o *User) {
	if o.ID != "" && (u.ID == "" || o.ID < u.ID) {
		u.ID = o.ID
	}
	u.Records += o.Records
	u.Successes += o.Successes
	u.First, u.Last = earliest(u.First, o.First), latest(u.Last, o.Last)
	u.LastSuccess = latest(u.LastSuccess, o.LastSuccess)
	u.FirstSuccess = earliest(u.FirstSuccess, o.FirstSuccess)
	for _, p := range o.Protocols {
		u.addProtocol(p)
	}
	for _, e := range o.Outcomes {
		u.addOutcome(e)
	}
	u.Countries = addNames(u.Countries, maxUserCountries, o.Countries)
	u.Clients = addNames(u.Clients, maxUserClients, o.Clients)
	for _, p := range []struct{ to, from *Use }{{&u.NativeMail, &o.NativeMail}, {&u.ROPC, &o.ROPC}, {&u.DeviceCode, &o.DeviceCode}} {
		p.to.Records += p.from.Records
		p.to.Successes += p.from.Successes
	}
}

// people are the users of a summary. Somebody whom some records name and others
// give an object id only is one of them.
type people struct {
	all    Users
	joined map[uint32]*User // those whom several users of all are about, whole
	parts  map[uint32]bool  // users of all that are in one of joined
}

// people finds out who is who.
func (s *Summary) people() people {
	p := people{all: s.Users}
	known := make(map[uint32]uint32) // user by the one that has the id for a name; of several, the first
	t := p.all.t
	for n := range p.all.numbers() {
		if part, ok := t.named(n); ok && part != n {
			if whose, ok := known[part]; !ok || t.names.At(n) < t.names.At(whose) {
				known[part] = n
			}
		}
	}
	if len(known) == 0 {
		return p
	}
	p.joined, p.parts = make(map[uint32]*User), make(map[uint32]bool)
	for part, n := range known {
		if _, ok := known[n]; ok { // itself the id of another: there is no telling who is who
			continue
		}
		whole, more := new(User), new(User)
		t.load(n, whole)
		t.load(part, more)
		whole.merge(more)
		p.joined[n], p.parts[part] = whole, true
	}
	return p
}

// each iterates over the users in no order. It may give the same User each
// time, which has no ID and is to be read before the next.
func (p people) each() iter.Seq2[string, *User] {
	return func(yield func(string, *User) bool) {
		for n, u := range p.all.each() {
			if p.parts[n] {
				continue
			}
			if whole := p.joined[n]; whole != nil {
				u = whole
			}
			if !yield(p.all.t.names.At(n), u) {
				return
			}
		}
	}
}

// with returns the sorted names of the users for whom has returns true.
func (p people) with(has func(*User) bool) []string {
	found := []string{}
	for name, u := range p.each() {
		if has(u) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// of returns the user with a name that each gives.
func (p people) of(name string) *User {
	n, _ := p.all.lookup(name)
	if whole := p.joined[n]; whole != nil {
		return whole
	}
	return p.all.Get(name)
}

// What users of a summary have in common, one after the other in JSON.
func hasLegacy(u *User) bool        { return u.Records > 0 }
func hasLegacySuccess(u *User) bool { return u.Successes > 0 }
func wasStopped(u *User) bool {
	return slices.ContainsFunc(u.Outcomes, func(o OutcomeUse) bool { return o.Outcome != Success && o.PasswordRight > 0 })
}
func hasMailOAuth(u *User) bool             { return u.NativeMail.Records > 0 }
func hasActiveSyncPassword(u *User) bool    { return u.activeSync().Passwords > 0 }
func hasActiveSyncCertificate(u *User) bool { return u.activeSync().Certificates > 0 }
func hasActiveSyncUntold(u *User) bool {
	e := u.activeSync()
	return e.Records > e.Passwords+e.Certificates
}

func (u *User) activeSync() (e ProtocolUse) {
	for _, p := range u.Protocols {
		if p.Protocol == ExchangeActiveSync {
			e = p
		}
	}
	return e
}

// untold reports whether the log does not tell how some legacy sign-in of u
// ended.
func (u *User) untold() bool {
	return slices.ContainsFunc(u.Outcomes, func(o OutcomeUse) bool { return o.Outcome == UnknownOutcome })
}

// LegacyUsers returns the users with a legacy sign-in, failed ones included,
// sorted by name.
func (s *Summary) LegacyUsers() []string {
	return s.people().with(hasLegacy)
}

// LegacyUsersWithSuccess returns the users who really use legacy
// authentication, since at least one sign-in succeeded, sorted by name. The
// other [Summary.LegacyUsers] are merely attacked, or stopped, or have an
// [UnknownOutcome] among their Outcomes: then nobody knows.
func (s *Summary) LegacyUsersWithSuccess() []string {
	return s.people().with(hasLegacySuccess)
}

// A NamedUser is a [User] with the name that [Summary.Users] has it under.
type NamedUser struct {
	Name string
	User
}

// LegacyUserList returns what is known of each of [Summary.LegacyUsers], in
// the same order. Somebody whom some records name and others give an object id
// only is one of them. Of many users, [Summary.AllLegacyUsers] takes less memory.
func (s *Summary) LegacyUserList() []NamedUser {
	var list []NamedUser
	for name, u := range s.AllLegacyUsers() {
		list = append(list, NamedUser{name, *u})
	}
	return list
}

// AllLegacyUsers iterates over what is known of each of [Summary.LegacyUsers],
// in the same order.
func (s *Summary) AllLegacyUsers() iter.Seq2[string, *User] {
	return func(yield func(string, *User) bool) {
		p := s.people()
		for _, name := range p.with(hasLegacy) {
			if !yield(name, p.of(name)) {
				return
			}
		}
	}
}

// PasswordRightButStopped returns the users of whom a legacy sign-in showed
// the right password and something else refused it: Conditional Access, a
// second factor, security defaults, an expired password. Sorted by name.
func (s *Summary) PasswordRightButStopped() []string { return s.people().with(wasStopped) }

// ActiveSyncUsers are the users of ActiveSync, by what their phones prove
// themselves with. A user may be in several lists. Each is sorted.
type ActiveSyncUsers struct {
	Password    []string `json:"password"`    // legacy; what stops working without basic authentication
	Certificate []string `json:"certificate"` // legacy by name alone
	OAuth       []string `json:"oauth"`       // a phone's own mail app that has moved on
	Unknown     []string `json:"unknown"`     // the log does not tell
}

// ActiveSync returns the users of ActiveSync, attempts included. Those of
// OAuth are known by their app, and only phones' own mail apps are known:
// Outlook for iOS and Android does not speak ActiveSync.
func (s *Summary) ActiveSync() ActiveSyncUsers {
	p := s.people()
	return ActiveSyncUsers{
		Password: p.with(hasActiveSyncPassword), Certificate: p.with(hasActiveSyncCertificate),
		OAuth: p.with(hasMailOAuth), Unknown: p.with(hasActiveSyncUntold),
	}
}
