// Package signinstest makes up tenants: sign-in logs of any size, in every
// format that package signins reads, together with the truth about them.
//
// A [Tenant] is a seed and a few numbers. From them follow its people, their
// offices, homes and phones, their habits and mistakes, what is left of
// legacy authentication, and the attacks; the same numbers always give the
// same log. Nothing is kept in memory, so that a log may be as large as one
// likes.
//
// A [Graph] serves such a log as Microsoft Graph does, on loopback or as an
// [http.RoundTripper], and misbehaves on a schedule. A [Source] is one to write
// as a literal, and [TestSource] checks that somebody's own source keeps the
// promises of [signins.Source].
//
// What a Tenant does not model: guests, risk, Conditional Access beyond a
// policy that blocks legacy authentication, weekends, people who travel,
// sign-ins at AD FS, and events that arrive late or twice, which a [Row] of a
// Graph can. Records hold the fields that package signins reads and, of the
// others, what makes them as long as real ones.
package signinstest

import (
	"container/heap"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// A Tenant is a made-up tenant and the log of its sign-ins. The zero value is
// a peaceful tenant of a thousand people on 2026-11-18.
type Tenant struct {
	Seed  uint64
	Users int       // people; 1000 if 0
	Start time.Time // the first day; 2026-11-18, UTC, if zero
	Days  int       // 1 if 0

	// Events is how many sign-ins people and applications set out to make: 15
	// for each person and day if 0, as Microsoft gives for large tenants. Their
	// mistakes, second factors and the attacks come on top.
	Events int

	// Attacks of each kind, at random times. A spray takes 12 people at least,
	// a distributed one 20: with fewer, asking for the log panics.
	Sprays            int
	BruteForces       int
	DistributedSprays int

	// RecordBytes makes records of JSON formats at least so long, with
	// Conditional Access policies, which is what real records are long with.
	RecordBytes int
}

// Truth is what a made-up sign-in is, whatever its record shows.
type Truth struct {
	Class    signins.Class
	Protocol signins.Protocol // the one in truth, also where records hide it
	Outcome  signins.Outcome
	Attack   int // index into Attacks, counted from 1; 0 for ordinary traffic
}

// An Attack is an attack that a Tenant suffers.
type Attack struct {
	Kind        signins.AttackKind
	IPs         []string // sorted
	Accounts    []string // those guessed at, sorted
	Compromised []string // let in at the end, sorted
	Stopped     []string // whose right password was sent and stopped, sorted
	Start, End  time.Time
}

const (
	domain   = "contoso.com"
	tenantID = "11111111-2222-4333-8444-555555555555"
	exchange = "00000002-0000-0ff1-ce00-000000000000"
	edge     = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
	officeOf = 500 // people who share an office and its address
	attackAS = 64666
)

func (t *Tenant) users() int { return max(t.Users, 0) + 1000*isZero(t.Users) }
func (t *Tenant) days() int  { return max(t.Days, 1) }

func (t *Tenant) events() int {
	if t.Events > 0 {
		return t.Events
	}
	return 15 * t.users() * t.days()
}

func (t *Tenant) start() time.Time {
	if t.Start.IsZero() {
		return time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	}
	return t.Start.UTC()
}

func isZero(n int) int {
	if n <= 0 {
		return 1
	}
	return 0
}

// All returns the sign-ins, with no error among them, as package signins
// takes them.
func (t *Tenant) All() iter.Seq2[signins.SignIn, error] {
	return func(yield func(signins.SignIn, error) bool) {
		for s := range t.SignIns() {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// SignIns returns the sign-ins in the order of their times, each with the
// truth about it. They know everything.
func (t *Tenant) SignIns() iter.Seq2[signins.SignIn, Truth] {
	return func(yield func(signins.SignIn, Truth) bool) {
		m := &maker{t: t, rng: rand.New(rand.NewPCG(t.Seed, 1))}
		for _, e := range t.attackEvents() {
			m.at(e.SignIn, e.Truth)
		}
		flush := func(until time.Time) bool {
			for len(m.later) > 0 && m.later[0].Time.Before(until) {
				e := heap.Pop(&m.later).(*event)
				if !yield(e.SignIn, e.Truth) {
					return false
				}
			}
			return true
		}
		n := t.events()
		for i := range n {
			now := t.clock(float64(i) / float64(n))
			if !flush(now) {
				return
			}
			m.now = now
			m.act()
		}
		flush(t.start().AddDate(1000, 0, 0))
	}
}

// Attacks returns the attacks, in the order of [Truth.Attack].
func (t *Tenant) Attacks() []Attack {
	var attacks []Attack
	for _, e := range t.attackEvents() {
		for len(attacks) < e.Attack {
			attacks = append(attacks, Attack{})
		}
		a := &attacks[e.Attack-1]
		a.Kind = e.kind
		a.IPs = append(a.IPs, e.IPAddress)
		switch e.Outcome {
		case signins.Success:
			a.Compromised = append(a.Compromised, e.UserPrincipalName)
			continue
		case signins.MFAInterrupt:
			a.Stopped = append(a.Stopped, e.UserPrincipalName)
			continue
		}
		a.Accounts = append(a.Accounts, e.UserPrincipalName)
		if a.Start.IsZero() {
			a.Start = e.Time
		}
		a.End = e.Time
	}
	for i := range attacks {
		for _, list := range []*[]string{&attacks[i].IPs, &attacks[i].Accounts, &attacks[i].Compromised, &attacks[i].Stopped} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
	}
	return attacks
}

// clock turns a fraction of the log into a time: people sleep.
func (t *Tenant) clock(fraction float64) time.Time {
	// Share of a day's sign-ins in each of its hours, in thousandths.
	hours := [24]float64{8, 6, 5, 5, 8, 15, 35, 75, 105, 100, 85, 75, 65, 75, 80, 70, 55, 38, 25, 20, 17, 14, 11, 8}
	at := fraction * float64(t.days())
	day := min(int(at), t.days()-1)
	rest := (at - float64(day)) * 1000
	for hour, share := range hours {
		if rest < share || hour == len(hours)-1 {
			into := (float64(hour) + min(rest/share, 0.99999)) * float64(time.Hour)
			return t.start().AddDate(0, 0, day).Add(time.Duration(into).Truncate(time.Millisecond))
		}
		rest -= share
	}
	panic("unreachable")
}

// An event is a sign-in of the future.
type event struct {
	signins.SignIn
	Truth
	order int
	kind  signins.AttackKind
}

type agenda []*event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].Time.Equal(a[j].Time) {
		return a[i].Time.Before(a[j].Time)
	}
	return a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*event)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}

type maker struct {
	t     *Tenant
	rng   *rand.Rand
	now   time.Time
	later agenda
	order int
}

// at puts a sign-in on the agenda.
func (m *maker) at(s signins.SignIn, truth Truth) {
	m.order++
	heap.Push(&m.later, &event{SignIn: s, Truth: truth, order: m.order})
}

// after makes a sign-in of it that happens a while from now.
func (m *maker) after(d time.Duration, s signins.SignIn, p signins.Protocol, o signins.Outcome) {
	s.Time = m.now.Add(d)
	s.ID = m.id()
	m.at(s, Truth{Class: classOf(p), Protocol: p, Outcome: o})
}

func classOf(p signins.Protocol) signins.Class {
	switch p {
	case signins.Browser, signins.MobileDesktop:
		return signins.Modern
	case signins.NoProtocol:
		return signins.NotApplicable
	case signins.UnknownProtocol:
		return signins.UnknownClass
	}
	return signins.Legacy
}

func (m *maker) id() string { return guid(m.rng.Uint64(), m.rng.Uint64()) }

func guid(a, b uint64) string {
	var raw [16]byte
	var text [36]byte
	binary.BigEndian.PutUint64(raw[:], a&^0xf000|0x4000)
	binary.BigEndian.PutUint64(raw[8:], b>>2|1<<63)
	hex.Encode(text[:], raw[:4])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	hex.Encode(text[9:], raw[4:6])
	hex.Encode(text[14:], raw[6:8])
	hex.Encode(text[19:], raw[8:10])
	hex.Encode(text[24:], raw[10:])
	return string(text[:])
}

// mix gives the same number for the same three, and another for others.
func mix(seed, n, salt uint64) uint64 {
	x := seed ^ n*0x9e3779b97f4a7c15 ^ salt*0xbf58476d1ce4e5b9
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// person returns a sign-in of the user with number n, at that person's place,
// with nothing said yet of client or outcome but that it succeeded.
func (t *Tenant) person(n int) signins.SignIn {
	h := mix(t.Seed, uint64(n), 1)
	name := fmt.Sprintf("user%06d", n)
	s := signins.SignIn{
		Format: signins.GraphBeta, Known: ^signins.Fields(0),
		Category: signins.InteractiveUser, Interactive: crossprem.Yes,
		UserID: guid(h, uint64(n)), UserPrincipalName: name + "@" + domain, UserDisplayName: "User " + name[4:], UserType: "member",
		AppID: exchange, AppDisplayName: "Office 365 Exchange Online", ResourceID: exchange, ResourceDisplayName: "Office 365 Exchange Online",
		AuthenticationProtocol: "none", IncomingTokenType: "none", OriginalTransferMethod: "none", ClientCredentialType: "none",
		AuthenticationRequirement: "singleFactorAuthentication",
		Result:                    signins.Succeeded, ConditionalAccess: signins.ConditionalAccessNotApplied,
		HomeTenantID: tenantID, ResourceTenantID: tenantID,
		City: "Utrecht", State: "Utrecht", CountryOrRegion: "NL", AutonomousSystemNumber: 64500,
	}
	office := n / officeOf
	switch {
	case n%10 < 7: // at the office, behind one address
		s.IPAddress = fmt.Sprintf("198.18.%d.%d", office/250, office%250+1)
	case n%10 < 9: // at home
		s.IPAddress = fmt.Sprintf("100.%d.%d.%d", 64+n>>16&63, n>>8&255, n&255)
		s.AutonomousSystemNumber = 64501
	default:
		s.IPAddress = fmt.Sprintf("2001:db8:%x:%x::1", n>>16, n&0xffff)
		s.City, s.State, s.CountryOrRegion, s.AutonomousSystemNumber = "Berlin", "Berlin", "DE", 64502
	}
	return s
}

func (s *event) fail(code int32, reason string) { fail(&s.SignIn, code, reason) }

func fail(s *signins.SignIn, code int32, reason string) {
	s.ErrorCode, s.Result, s.FailureReason = code, signins.Failed, reason
}

const (
	wrongPassword = "Error validating credentials due to invalid username or password."
	lockedOut     = "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."
	secondFactor  = "Strong Authentication is required."
	policyBlocks  = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
	noSuchUser    = "The user account does not exist in the directory."
)

func browser(s *signins.SignIn) {
	s.ClientAppUsed, s.UserAgent, s.AuthenticationProtocol = "Browser", edge, "oAuth2"
	s.AppID, s.AppDisplayName = "4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome"
	s.OperatingSystem, s.Browser = "Windows10", "Edge 142.0.0"
	password(s)
}

func password(s *signins.SignIn) {
	s.Methods, s.AuthenticationMethod, s.AuthenticationMethodDetail = signins.MethodPassword, "Password", "Password in the cloud"
}

// unattended makes s a sign-in that no user was there for.
func unattended(s *signins.SignIn, token string) {
	s.Category, s.Interactive, s.IncomingTokenType = signins.NonInteractiveUser, crossprem.No, token
	if token != "none" {
		s.Methods, s.AuthenticationMethod, s.AuthenticationMethodDetail = 0, "", ""
	}
}

// act lets somebody do something.
func (m *maker) act() {
	n := m.rng.IntN(m.t.users())
	s := m.t.person(n)
	jitter := time.Duration(m.rng.IntN(1000)) * time.Millisecond
	switch r := m.rng.Float64(); {
	case r < 0.08:
		m.browse(s)
	case r < 0.13: // single sign-on in the browser
		browser(&s)
		unattended(&s, "primaryRefreshToken")
		m.after(jitter, s, signins.Browser, signins.Success)
	case r < 0.16:
		m.legacy(n)
	case r < 0.1603: // an old phone with an old password
		m.stalePhone(n)
	case r < 0.24:
		m.application(signins.ServicePrincipal)
	case r < 0.27:
		m.application(signins.ManagedIdentity)
	case r < 0.271:
		m.grant(n)
	case r < 0.273: // a record that does not say what client it was
		unattended(&s, "primaryRefreshToken")
		m.after(jitter, s, signins.UnknownProtocol, signins.Success)
	default:
		s.ClientAppUsed, s.UserAgent, s.AuthenticationProtocol = "Mobile Apps and Desktop clients", "Teams/1.0", "oAuth2"
		s.AppID, s.AppDisplayName = "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"
		if n%10 == 3 { // the phone's own mail app
			s.UserAgent, s.OperatingSystem = "dataaccessd/1.0", "Ios 26"
			s.AppID, s.AppDisplayName = "f8d98a96-0999-43f5-8af3-69971c7bb423", "Apple Internet Accounts"
		}
		unattended(&s, "refreshToken")
		m.after(jitter, s, signins.MobileDesktop, signins.Success)
	}
}

// browse is a person at the sign-in page, who mistypes now and then.
func (m *maker) browse(s signins.SignIn) {
	browser(&s)
	wait := time.Duration(m.rng.IntN(3000)) * time.Millisecond
	try := func(code int32, reason string, o signins.Outcome) {
		f := s
		if code != 0 {
			fail(&f, code, reason)
		}
		m.after(wait, f, signins.Browser, o)
		wait += time.Duration(6+m.rng.IntN(30)) * time.Second
	}
	switch r := m.rng.Float64(); {
	case r < 0.002: // forgotten: locked out, and back after a reset
		for range 5 + m.rng.IntN(5) {
			try(50126, wrongPassword, signins.BadPassword)
		}
		try(50053, lockedOut, signins.LockedOrBlockedIP)
		wait += time.Hour
	case r < 0.03: // mistyped
		for range 1 + m.rng.IntN(2) {
			try(50126, wrongPassword, signins.BadPassword)
		}
		if r < 0.004 {
			return // and given up
		}
	}
	if m.rng.IntN(3) == 0 {
		try(50074, secondFactor, signins.MFAInterrupt)
	}
	try(0, "", signins.Success)
}

// legacy is one of those who still sign in the old way: one in twenty.
func (m *maker) legacy(n int) {
	n -= n % 20
	s := m.t.person(n)
	password(&s)
	p := signins.SMTPAuth
	switch n / 20 % 7 {
	case 0:
		s.ClientAppUsed, s.UserAgent = "Authenticated SMTP", "BAV2ROPC"
	case 1:
		p, s.ClientAppUsed, s.UserAgent = signins.ExchangeWebServices, "Exchange Web Services", "ExchangeServicesClient/15.00.0913.015"
	case 2:
		p, s.ClientAppUsed, s.UserAgent = signins.ExchangeActiveSync, "Exchange ActiveSync", "Apple-iPhone14C2/2302.61"
	case 3:
		p, s.ClientAppUsed, s.UserAgent = signins.ExchangeActiveSync, "Exchange ActiveSync", "Apple-iPhone14C2/2302.61"
		s.Methods, s.AuthenticationMethod, s.AuthenticationMethodDetail = signins.MethodCertificate, "X.509 Certificate", ""
	case 4:
		p, s.ClientAppUsed, s.UserAgent = signins.POP, "POP3", "CBAInPROD"
		unattended(&s, "none")
	case 5:
		p, s.ClientAppUsed, s.UserAgent = signins.OtherLegacy, "Mobile Apps and Desktop clients", "BAV2ROPC"
		s.AuthenticationProtocol = "ropc"
	default:
		p, s.ClientAppUsed, s.UserAgent = signins.MAPI, "MAPI Over HTTP", "Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4420; Pro)"
		if m.rng.IntN(10) == 0 {
			s.ConditionalAccess = signins.ConditionalAccessFailure
			fail(&s, 53003, policyBlocks)
			m.after(0, s, p, signins.BlockedByConditionalAccess)
			return
		}
	}
	m.after(0, s, p, signins.Success)
}

// stalePhone is a phone that kept a password its owner has changed. It asks
// again every few minutes, from the owner's place.
func (m *maker) stalePhone(n int) {
	s := m.t.person(n - n%20)
	s.ClientAppUsed, s.UserAgent = "Exchange ActiveSync", "Android-SAMSUNG-SM-G960F/101.9"
	password(&s)
	fail(&s, 50126, wrongPassword)
	for i := range 4 {
		m.after(time.Duration(i)*7*time.Minute, s, signins.ExchangeActiveSync, signins.BadPassword)
	}
}

func (m *maker) application(c signins.Category) {
	n := m.rng.IntN(40)
	h := mix(m.t.Seed, uint64(n), 2+uint64(c))
	name := fmt.Sprintf("app-%02d", n)
	s := signins.SignIn{
		Format: signins.AzureMonitor, Known: ^signins.Fields(0), Category: c, Interactive: crossprem.No,
		ServicePrincipalID: guid(h, 1), ServicePrincipalName: name, AppID: guid(h, 2), AppDisplayName: name,
		ResourceID: "00000003-0000-0000-c000-000000000000", ResourceDisplayName: "Microsoft Graph",
		AuthenticationProtocol: "none", IncomingTokenType: "none", OriginalTransferMethod: "none", ClientCredentialType: "clientSecret",
		Result: signins.Succeeded, HomeTenantID: tenantID, ResourceTenantID: tenantID,
	}
	if c == signins.ServicePrincipal {
		s.IPAddress, s.CountryOrRegion = fmt.Sprintf("192.0.2.%d", n+1), "NL"
	} else {
		s.ClientCredentialType = "managedIdentity"
	}
	m.after(0, s, signins.NoProtocol, signins.Success)
}

// grant is one of the two OAuth flows that deserve a look: one in 500 people.
func (m *maker) grant(n int) {
	n -= n % 500
	s := m.t.person(n)
	password(&s)
	s.ClientAppUsed, s.UserAgent = "Mobile Apps and Desktop clients", "python-requests/2.32.3"
	if n/500%2 == 0 {
		s.AuthenticationProtocol = "ropc"
		s.AppID, s.AppDisplayName = "1b730954-1685-4b74-9bfd-dac224a7b894", "Azure Active Directory PowerShell"
	} else {
		s.AuthenticationProtocol, s.OriginalTransferMethod = "deviceCode", "deviceCodeFlow"
		s.AppID, s.AppDisplayName = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"
	}
	m.after(0, s, signins.MobileDesktop, signins.Success)
}

// attackEvents returns the sign-ins of all attacks, attack by attack.
func (t *Tenant) attackEvents() []event {
	if n := t.users(); t.Sprays > 0 && n < 12 || t.DistributedSprays > 0 && n < 20 {
		panic("signinstest: too few people for a spray")
	}
	var events []event
	rng := rand.New(rand.NewPCG(t.Seed, 2))
	number := 0
	begin := func(hours int) time.Time { // on some day, so that the attack ends on it
		number++
		day := rng.IntN(t.days())
		return t.start().AddDate(0, 0, day).Add(time.Duration(rng.IntN((24-hours)*3600)) * time.Second)
	}
	add := func(kind signins.AttackKind, at time.Time, n int, o signins.Outcome, p signins.Protocol, dress func(*signins.SignIn)) {
		s := t.person(n)
		s.City, s.State, s.CountryOrRegion, s.AutonomousSystemNumber = "Moscow", "Moskva", "RU", attackAS
		s.Time, s.ID = at, guid(rng.Uint64(), rng.Uint64())
		password(&s)
		dress(&s)
		e := event{SignIn: s, Truth: Truth{Class: classOf(p), Protocol: p, Outcome: o, Attack: number}, kind: kind}
		switch o {
		case signins.BadPassword:
			e.fail(50126, wrongPassword)
		case signins.LockedOrBlockedIP:
			e.fail(50053, lockedOut)
		case signins.MFAInterrupt:
			e.fail(50076, secondFactor)
		case signins.NoSuchUser:
			e.fail(50034, noSuchUser)
			e.UserID = ""
			e.UserPrincipalName = "former." + e.UserPrincipalName
		}
		events = append(events, e)
	}
	for i := range t.Sprays {
		at := begin(2)
		dress := func(s *signins.SignIn) {
			s.IPAddress = fmt.Sprintf("203.0.113.%d", i%250+1)
			s.ClientAppUsed, s.UserAgent = "IMAP4", "CBAInPROD"
		}
		victims := rng.Perm(t.users())
		size := min(12+rng.IntN(40), len(victims)-2)
		for k, n := range victims[:size] {
			o := signins.BadPassword
			switch {
			case k%17 == 5:
				o = signins.LockedOrBlockedIP
			case k%17 == 9:
				o = signins.NoSuchUser
			}
			add(signins.PasswordSpray, at, n, o, signins.IMAP, dress)
			at = at.Add(time.Duration(20+rng.IntN(60)) * time.Second)
		}
		add(signins.PasswordSpray, at, victims[size], signins.Success, signins.IMAP, dress)
		add(signins.PasswordSpray, at.Add(time.Minute), victims[size+1], signins.MFAInterrupt, signins.IMAP, dress)
	}
	for i := range t.BruteForces {
		at, victim := begin(1), rng.IntN(t.users())
		for k := range 12 + rng.IntN(40) {
			o := signins.BadPassword
			if k >= 10 {
				o = signins.LockedOrBlockedIP
			}
			add(signins.BruteForce, at, victim, o, signins.SMTPAuth, func(s *signins.SignIn) {
				s.IPAddress = fmt.Sprintf("198.51.100.%d", i%250+1)
				s.ClientAppUsed, s.UserAgent = "Authenticated SMTP", "BAV2ROPC"
			})
			at = at.Add(time.Duration(5+rng.IntN(20)) * time.Second)
		}
	}
	for i := range t.DistributedSprays {
		at := begin(16)
		victims := rng.Perm(t.users())
		for k, n := range victims[:min(30+rng.IntN(20), len(victims))] {
			add(signins.DistributedSpray, at, n, signins.BadPassword, signins.MobileDesktop, func(s *signins.SignIn) {
				s.IPAddress = fmt.Sprintf("2001:db8:bad:%x::%x", i, k)
				s.ClientAppUsed, s.UserAgent, s.AuthenticationProtocol = "Mobile Apps and Desktop clients", fmt.Sprintf("okhttp/4.9.%d", i), "ropc"
				s.AppID, s.AppDisplayName = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI" // as password grants of tools name themselves
				s.AutonomousSystemNumber = attackAS + 1 + uint32(i)
			})
			at = at.Add(time.Duration(10+rng.IntN(8)) * time.Minute)
		}
	}
	return events
}
