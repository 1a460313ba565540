package signins

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A Part is one question that a [Summary] answers. An engine that keeps a log
// in tables of its own answers the questions one by one: for each it groups
// the sign-ins by what the question looks at, and gives every group to
// [Stream.AddGroup].
type Part uint8

const (
	UnknownPart Part = iota

	// PartTotals looks at the Class, Protocol, Outcome, BasicAuth, ROPC and
	// DeviceCode of the verdict, at whether its Reason is [ByUserAgent], and at
	// the Interactive and Known of the sign-in. Every sign-in is in one group.
	PartTotals

	// PartApplications looks at legacy sign-ins and password grants: Class, ROPC
	// and Protocol; AppID, AppDisplayName and UserAgent.
	PartApplications

	// PartPlaces looks at legacy sign-ins: Interactive, CountryOrRegion,
	// AutonomousSystemNumber, and IPAddress where that number is 0.
	PartPlaces

	// PartTimes looks at legacy sign-ins: Protocol, and the hour, in UTC, of
	// their time.
	PartTimes

	// PartUsers looks at legacy sign-ins, password grants, device codes and
	// native mail apps: UserPrincipalName and UserID; Class, Protocol, Outcome,
	// BasicAuth, PasswordRight, ROPC, DeviceCode and NativeMail.
	PartUsers

	// PartUserCountries looks at legacy sign-ins that have a country and are not
	// known to be non-interactive: UserPrincipalName, UserID and CountryOrRegion.
	PartUserCountries

	// PartUserClients looks at legacy sign-ins that have a user agent:
	// UserPrincipalName, UserID and UserAgent.
	PartUserClients

	// PartUnlisted looks at the ClientAppUsed of sign-ins whose client app no
	// table knows.
	PartUnlisted

	// PartEvidence looks at what [Evidence] is made of: the kind; IPAddress, the
	// country of sign-ins that are not known to be non-interactive,
	// AutonomousSystemNumber, UserPrincipalName and UserID; of all kinds but
	// [SessionAccepted] also UserAgent, Protocol and ROPC; of failures also the
	// hour of their time.
	PartEvidence
)

var partTexts = enum.Of[Part]("signins: part", "unknown", "totals", "applications", "places", "times", "users", "user-countries", "user-clients", "unlisted", "evidence")

// String returns a name such as "user-clients".
func (p Part) String() string { return partTexts.String(p) }

// MarshalText returns the name that String gives.
func (p Part) MarshalText() ([]byte, error) { return partTexts.Marshal(p) }

// UnmarshalText accepts what MarshalText gives.
func (p *Part) UnmarshalText(text []byte) error { return partTexts.Unmarshal(p, text) }

// A Group stands for sign-ins that are equal in all that a [Part] looks at.
type Group struct {
	SignIn  SignIn       // what they have in common
	Verdict Verdict      // likewise; what the Part does not look at is ignored
	Kind    EvidenceKind // of PartEvidence

	Records   int64 // how many sign-ins, each event once; at least 1
	Successes int64 // those of them with the outcome Success; ignored where the Part looks at the Outcome
	Copies    int64 // of PartTotals: further copies of the same events

	First, Last time.Time // of those that have a time; both zero if none has
}

// AddGroup counts g as the answer, or one row of it, to the question p. A
// summary is whole when all parts have been added, each for the same sign-ins.
// Sign-ins are not filtered by the time that the [Summarizer] is set to. It
// returns an error, and counts nothing, if g cannot be.
func (m *Stream) AddGroup(p Part, g *Group) error { return m.sum.addGroup(p, g) }

func (g *Group) check(p Part) error {
	v := &g.Verdict
	switch {
	case p == UnknownPart || p > PartEvidence:
		return fmt.Errorf("signins: there is no part %d of a summary", p)
	case v.Class > NotApplicable, v.Protocol > OtherLegacy, v.Outcome > BlockedByAuthenticationPolicy,
		max(v.BasicAuth, v.PasswordRight, v.ROPC, v.DeviceCode, v.NativeMail, g.SignIn.Interactive) > crossprem.Yes:
		return fmt.Errorf("signins: group of %s: its verdict is none", p)
	case g.Records < 1 || g.Successes < 0 || g.Successes > g.Records || g.Copies < 0 || g.Records > math.MaxInt64/2 || g.Copies > math.MaxInt64/2:
		return fmt.Errorf("signins: group of %s: its counts cannot be", p)
	case g.First.IsZero() != g.Last.IsZero() || g.Last.Before(g.First):
		return fmt.Errorf("signins: group of %s: it ends before it begins", p)
	}
	return nil
}

func (m *summing) addGroup(p Part, g *Group) error {
	if err := g.check(p); err != nil {
		return err
	}
	v, s := &g.Verdict, &g.SignIn
	legacy, grant := v.Class == Legacy, v.ROPC == crossprem.Yes && v.Class != NotApplicable
	switch p {
	case PartTotals:
		m.addTotals(g)
	case PartApplications:
		if grant {
			m.grants.addMany(maxNames, m.application(s), g.Records, g.Successes)
		}
		if !legacy {
			break
		}
		if s.UserAgent != "" {
			m.clients.addMany(maxNames, m.family(s.UserAgent), g.Records, g.Successes)
		}
		m.byProtocol[v.Protocol].addMany(maxNames, m.application(s), g.Records, g.Successes)
		if s.AppDisplayName != "" {
			m.applications.addMany(maxNames, s.AppDisplayName, g.Records, g.Successes)
		}
	case PartPlaces:
		if s.CountryOrRegion != "" && s.Interactive != crossprem.No {
			m.countries.addMany(maxNames, s.CountryOrRegion, g.Records, g.Successes)
		}
		if network := networkOf(s); network != "" {
			m.networks.addMany(maxNames, network, g.Records, g.Successes)
		}
	case PartTimes:
		if g.First.IsZero() {
			break
		}
		first, last := g.First.UTC(), g.Last.UTC()
		if first.Truncate(time.Hour) != last.Truncate(time.Hour) {
			return errors.New("signins: group of times: it is of more than one hour")
		}
		day := first.Format(time.DateOnly)
		m.days.addMany(maxNames, day, g.Records, g.Successes)
		m.daysByProtocol[v.Protocol].addMany(maxNames, day, g.Records, g.Successes)
		m.hours[first.Hour()].addMany(g.Records, g.Successes)
	case PartUsers:
		if u := m.s.user(s); u != nil {
			u.addGroup(g)
		} else if legacy {
			m.s.LegacyUnnamed += g.Records
		}
	case PartUserCountries:
		if u := m.s.user(s); u != nil && s.CountryOrRegion != "" {
			u.Countries = addName(u.Countries, maxUserCountries, m.country(s.CountryOrRegion), g.Records, g.Successes)
		}
	case PartUserClients:
		if u := m.s.user(s); u != nil && s.UserAgent != "" {
			u.Clients = addName(u.Clients, maxUserClients, m.clientName(s.UserAgent), g.Records, g.Successes)
		}
	case PartUnlisted:
		m.unlisted.addMany(maxUnlisted, s.ClientAppUsed, g.Records, g.Successes)
	case PartEvidence:
		return m.s.evidence.addGroup(g)
	}
	return nil
}

func (m *summing) addTotals(g *Group) {
	v, s, sum := &g.Verdict, &g.SignIn, m.s
	sum.First, sum.Last = earliest(sum.First, g.First.UTC()), latest(sum.Last, g.Last.UTC())
	sum.Records += g.Records
	sum.Duplicates += g.Copies
	sum.RawRecords += g.Copies
	m.classes[v.Class] += g.Records
	m.protocols[v.Protocol] += g.Records
	m.outcomes[v.Outcome] += g.Records
	if v.Class == NotApplicable {
		return
	}
	for i := range needed {
		if s.Known&needed[i].field == 0 {
			m.notKnowable[i] += g.Records
		}
	}
	if s.Interactive == crossprem.Yes {
		sum.Interactive += g.Records
	}
	if v.ROPC == crossprem.Yes {
		sum.ROPC += g.Records
	}
	if v.DeviceCode == crossprem.Yes {
		sum.DeviceCode += g.Records
	}
	if v.Class == Legacy {
		m.basic[v.BasicAuth] += g.Records
		if v.Reason == ByUserAgent {
			sum.ClassifiedByUserAgent += g.Records
		}
	}
}

// addGroup counts sign-ins of one kind of u.
func (u *User) addGroup(g *Group) {
	v := &g.Verdict
	all := Use{Records: g.Records}
	if v.Outcome == Success {
		all.Successes = g.Records
	}
	var part User
	if v.ROPC == crossprem.Yes {
		part.ROPC = all
	}
	if v.DeviceCode == crossprem.Yes {
		part.DeviceCode = all
	}
	if v.NativeMail == crossprem.Yes {
		part.NativeMail = all
	}
	if v.Class == Legacy {
		one := ProtocolUse{Protocol: v.Protocol, Records: all.Records, Successes: all.Successes}
		end := OutcomeUse{Outcome: v.Outcome, Records: all.Records}
		if v.Outcome == Success {
			one.LastSuccess = g.Last.UTC()
			part.FirstSuccess, part.LastSuccess = g.First.UTC(), g.Last.UTC()
		}
		switch v.BasicAuth {
		case crossprem.Yes:
			one.Passwords = one.Records
		case crossprem.No:
			one.Certificates, one.CertificateSuccesses = one.Records, one.Successes
		}
		if v.PasswordRight == crossprem.Yes {
			end.PasswordRight = end.Records
		}
		part.Records, part.Successes, part.First, part.Last = all.Records, all.Successes, g.First.UTC(), g.Last.UTC()
		part.Protocols, part.Outcomes = []ProtocolUse{one}, []OutcomeUse{end}
	}
	u.merge(&part)
}

// addGroup takes g as evidence.
func (e *collector) addGroup(g *Group) error {
	s, v := &g.SignIn, &g.Verdict
	first, last := g.First.Unix(), g.Last.Unix()
	switch {
	case g.Kind == UnknownEvidence || g.Kind > SessionAccepted || s.IPAddress == "":
		return errors.New("signins: group of evidence: it has no kind or no address")
	case g.First.IsZero() || first < 0 || last > math.MaxUint32:
		return errors.New("signins: group of evidence: its time is out of range")
	case g.Kind.failure() && first/3600 != last/3600:
		return errors.New("signins: group of evidence: failures of more than one hour")
	}
	r := row{rowKey: rowKey{kind: g.Kind, ip: e.ips.Of(cut(s.IPAddress)), account: e.accounts.Of(userKey(s))},
		count: uint32(min(g.Records, math.MaxUint32)), first: uint32(first), last: uint32(last)}
	if g.Kind != SessionAccepted {
		r.agent, r.protocol, r.grant = e.agents.Of(cut(s.UserAgent)), v.Protocol, v.ROPC == crossprem.Yes
	}
	if g.Kind.failure() {
		r.hour = uint32(first / 3600)
	}
	country := ""
	if s.Interactive != crossprem.No {
		country = s.CountryOrRegion
	}
	e.note(r, country, s.AutonomousSystemNumber)
	return nil
}

// KindOf returns what a sign-in with the verdict v is as evidence of attacks,
// and [UnknownEvidence] if it is none: because it shows nothing, is no user's,
// or lacks an address or a time.
func KindOf(s *SignIn, v *Verdict) EvidenceKind {
	if v.Class == NotApplicable || s.IPAddress == "" || s.Time.IsZero() || s.Time.Unix() < 0 || s.Time.Unix() > math.MaxUint32 {
		return UnknownEvidence
	}
	return evidenceOf(s, v)
}

// TableRows are what [Tables] say of client apps, user agents and error codes,
// as plain rows, for an engine that classifies sign-ins in a language of its
// own. What tables say of request types is not among them: the logs that such
// engines hold have none.
type TableRows struct {
	// Clients are the values of clientAppUsed, sorted by name: in lower case,
	// with single blanks, and without "Other clients;" before them. A value that
	// is none of them is of the unknown class and protocol.
	Clients []ClientRow

	// Agents are the user agents of Exchange Online's front ends, in any letter
	// case.
	Agents []string

	// NativeMail are the ids of mail apps, and, where a record has no id, their
	// names, both in lower case. Sorted.
	NativeMail []string

	// Codes are the error codes, sorted. One that is none of them is an
	// [OtherFailure].
	Codes []CodeRow
}

// A ClientRow says what one value of clientAppUsed stands for.
type ClientRow struct {
	Name     string
	Class    Class
	Protocol Protocol
}

// A CodeRow says what one error code stands for.
type CodeRow struct {
	Code     int32
	Outcome  Outcome
	Password crossprem.Answer // whether it shows that the password was right
	Guess    bool             // whether guessing at passwords or names looks like it
}

// Rows returns a copy of what t says, of nil what the embedded tables do.
func (t *Tables) Rows() TableRows {
	t = t.orEmbedded()
	rows := TableRows{Agents: slices.Clone(t.agents)}
	for name, app := range t.clients {
		if name != "" && normalise(name) == name {
			rows.Clients = append(rows.Clients, ClientRow{name, app.class, app.protocol})
		}
	}
	for name := range t.nativeMail {
		rows.NativeMail = append(rows.NativeMail, name)
	}
	for number, c := range t.codes {
		rows.Codes = append(rows.Codes, CodeRow{number, c.outcome, c.password, c.guess})
	}
	slices.SortFunc(rows.Clients, func(a, b ClientRow) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(rows.NativeMail)
	slices.SortFunc(rows.Codes, func(a, b CodeRow) int { return int(a.Code) - int(b.Code) })
	return rows
}
