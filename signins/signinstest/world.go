package signinstest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// A World is a small tenant in which things happen that look like attacks, and
// attacks that look like something else, with the truth about both. Unlike a
// [Tenant], which is made to be large, it is made to be hard: whoever judges
// attacks should find those of a World, and nothing else.
//
// The zero value is two hundred people in one office and at home for a day.
// The same fields always give the same log.
type World struct {
	Seed   uint64
	People int // 200 if 0
	Days   int // 1 if 0

	Mistypes float64 // share of sign-ins with a wrong password first; 0.015 if 0
	AtOffice float64 // share of people behind the office's one address; 0.6 if 0, none if below

	Innocent []Innocent
	Attacks  []Assault
}

// Innocent is something that is no attack, and looks like one.
type Innocent uint8

const (
	NoTrouble       Innocent = iota
	StalePhones              // phones that keep an old password, at home and on the road
	StaleScanners            // devices and services that keep an old password, at the office
	Proxies                  // everybody comes from a few changing addresses of a proxy
	ExpiryMorning            // the passwords of a third of the people expire on one day
	SchoolNetwork            // hundreds of people, all for the first time behind one address
	ConferenceGuest          // some thirty people for one day behind a strange address
	MistypedNames            // names that do not exist, at the office and at home
	Leavers                  // programs and phones that ask for mailboxes of people who left
	Forgetful                // people who try until they are locked out, and come back
	PasswordGrants           // an application that signs people in with their passwords
	Migration                // a tool that moves mailboxes, with mostly right passwords
	Travellers               // people at hotels and on mobile networks
)

var innocents = [...]string{"none", "stale-phones", "stale-scanners", "proxies", "expiry-morning", "school-network", "conference", "mistyped-names",
	"leavers", "forgetful", "password-grants", "migration", "travellers"}

// String returns a text such as "stale-phones".
func (i Innocent) String() string { return innocents[i] }

// An Assault is an attack of which the strength is set. Of the zero value each
// field but Family is drawn from the seed.
type Assault struct {
	Family    Family
	Accounts  int           // how many are tried
	Rounds    int           // passwords for each account
	Gap       time.Duration // between guesses, about
	Addresses int           // of distributed ones
	Fall      int           // accounts that the attack gets into
	Stopped   int           // accounts whose right password is stopped
	Client    string        // "imap", "smtp", "ropc", "browser" or "random"
	Inside    bool          // from behind the office's address
}

// A Family is a kind of attack.
type Family uint8

const (
	FastSpray Family = iota
	SlowSpray
	WonSpray // a third of the accounts fall
	DistributedByClient
	DistributedByNetwork
	DistributedAtRandom
	Guessing     // at one account, fast
	SlowGuessing // at one account, for hours
	Stuffing
	Enumeration
	SmallTenant // five or six accounts, all there are
	Published   // 6 accounts of a small tenant, 36 to 38 guesses in 16 minutes, one falls
)

// Families are the names of all families.
var Families = []string{"fast-spray", "slow-spray", "won-spray", "distributed-client", "distributed-network", "distributed-random",
	"guessing", "slow-guessing", "stuffing", "enumeration", "small-tenant", "published"}

// String returns a text such as "fast-spray".
func (f Family) String() string { return Families[f] }

// A WorldAttack is the truth about one attack of a World.
type WorldAttack struct {
	Family      Family
	Accounts    map[string]bool // those guessed at, and those that fell
	IPs         map[string]bool
	Compromised []string // sorted
	Stopped     []string // sorted
}

type personWorld struct {
	name, home, office string
	agent, phone       string
	legacy             bool
}

type worldMaker struct {
	w      *World
	rng    *rand.Rand
	start  time.Time
	log    []signins.SignIn
	people []personWorld
	truth  []WorldAttack
	n      int
}

// Log returns the sign-ins by time, and the truth about the attacks in them.
func (w *World) Log() ([]signins.SignIn, []WorldAttack) {
	m := &worldMaker{w: w, rng: rand.New(rand.NewPCG(w.Seed, 77)), start: time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)}
	m.settle()
	for i := range m.people {
		m.live(&m.people[i])
	}
	for _, i := range w.Innocent {
		m.trouble(i)
	}
	for _, a := range w.Attacks {
		m.assault(a)
	}
	slices.SortStableFunc(m.log, func(a, b signins.SignIn) int { return a.Time.Compare(b.Time) })
	return m.log, m.truth
}

// Seq returns a log as package signins takes it.
func Seq(log []signins.SignIn) iter.Seq2[signins.SignIn, error] {
	return func(yield func(signins.SignIn, error) bool) {
		for _, s := range log {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (w *World) people() int {
	if w.People > 0 {
		return w.People
	}
	return 200
}

func (w *World) days() int { return max(w.Days, 1) }

func (m *worldMaker) between(low, high int) int { return low + m.rng.IntN(high-low+1) }

func (m *worldMaker) chance(p float64) bool { return m.rng.Float64() < p }

// seconds returns a duration of low to high seconds.
func (m *worldMaker) seconds(low, high int) time.Duration {
	return time.Duration(m.between(low*1000, high*1000)) * time.Millisecond
}

// morning returns a time of the working hours of a day.
func (m *worldMaker) working(day int) time.Time {
	hour := 7 + m.rng.ExpFloat64()*2.5
	for hour > 18 {
		hour = 7 + m.rng.ExpFloat64()*2.5
	}
	return m.start.AddDate(0, 0, day).Add(time.Duration(hour * float64(time.Hour)))
}

const officeIP = "192.0.2.10"

func (m *worldMaker) settle() {
	share := m.w.AtOffice
	if share == 0 {
		share = 0.6
	}
	for i := range m.w.people() {
		p := personWorld{name: fmt.Sprintf("u%05d@contoso.test", i), home: fmt.Sprintf("100.%d.%d.%d", 64+i>>16&63, i>>8&255, i&255)}
		if i%7 == 3 {
			p.home = fmt.Sprintf("2001:db8:%x:%x", i>>8, i&255) // a /64, of which the rest changes
		}
		if m.chance(share) {
			p.office = officeIP
		}
		p.agent = browsers[min(int(m.rng.ExpFloat64()*2.2), len(browsers)-1)]
		if m.chance(0.05) {
			p.agent = fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 90+m.rng.IntN(50))
		}
		p.phone = phones[m.rng.IntN(len(phones))]
		p.legacy = m.chance(0.06)
		m.people = append(m.people, p)
	}
}

var browsers = func() (all []string) {
	for _, v := range []int{142, 141, 143, 140, 139} {
		all = append(all, fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0.0.0", v, v),
			fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:%d.0) Gecko/20100101 Firefox/%d.0", v, v),
			fmt.Sprintf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.1 Safari/605.1.15", v-124))
	}
	return all
}()

var phones = []string{"Apple-iPhone14C2/2302.61", "Apple-iPhone15C3/2307.71", "Android-SAMSUNG-SM-G960F/101.9", "Android-Mail/2025.10", "Apple-iPad13C1/2208.10"}

// sign logs one sign-in.
func (m *worldMaker) sign(at time.Time, name, ip, app, agent string, code int32) {
	m.n++
	s := signins.SignIn{
		Format: signins.AzureMonitor, Known: ^signins.Fields(0), ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", m.w.Seed, m.n),
		Time: at, UserPrincipalName: name, UserID: "id-" + name, IPAddress: ip, ClientAppUsed: app, UserAgent: agent, ErrorCode: code,
		Category: signins.InteractiveUser, Interactive: crossprem.Yes, AuthenticationProtocol: "none", IncomingTokenType: "none",
		CountryOrRegion: "NL", AutonomousSystemNumber: 64500, Result: signins.Failed, Methods: signins.MethodPassword,
	}
	switch code {
	case 0:
		s.Result = signins.Succeeded
	case 50034:
		s.UserID = ""
	case 50053:
		s.FailureReason = lockedOut
	}
	m.log = append(m.log, s)
}

func (m *worldMaker) last() *signins.SignIn { return &m.log[len(m.log)-1] }

const (
	webClient = "Browser"
	mobile    = "Mobile Apps and Desktop clients"
	eas       = "Exchange ActiveSync"
)

// place returns where p is: at the office, or at home behind an address that
// changes if it is one of IPv6.
func (m *worldMaker) place(p *personWorld) string {
	if p.office != "" && m.chance(0.85) {
		return p.office
	}
	return m.homeOf(p)
}

func (m *worldMaker) homeOf(p *personWorld) string {
	if len(p.home) > 4 && p.home[:4] == "2001" {
		return fmt.Sprintf("%s::%x", p.home, m.between(1, 4))
	}
	return p.home
}

// page is one visit to the sign-in page, mistyped or not.
func (m *worldMaker) page(p *personWorld, at time.Time, ip string, mistype, giveUp float64) {
	if m.chance(mistype) {
		for range m.between(1, 2) {
			m.sign(at, p.name, ip, webClient, p.agent, 50126)
			at = at.Add(m.seconds(6, 40))
		}
		if m.chance(giveUp) {
			return
		}
	}
	if m.chance(0.3) {
		m.sign(at, p.name, ip, webClient, p.agent, []int32{50074, 50076, 50140}[m.rng.IntN(3)])
		at = at.Add(m.seconds(4, 20))
	}
	m.sign(at, p.name, ip, webClient, p.agent, 0)
}

// live is a person's ordinary life.
func (m *worldMaker) live(p *personWorld) {
	mistype := m.w.Mistypes
	if mistype == 0 {
		mistype = 0.015
	}
	for day := range m.w.days() {
		if !m.chance(0.85) {
			continue
		}
		ip := m.place(p)
		for range m.between(1, 2) {
			m.page(p, m.working(day), ip, mistype, 0.1)
		}
		for range m.between(0, 3) { // single sign-on
			m.sign(m.working(day), p.name, ip, mobile, "Teams/1.0", 0)
			s := m.last()
			s.Category, s.Interactive, s.IncomingTokenType, s.Methods = signins.NonInteractiveUser, crossprem.No, "primaryRefreshToken", 0
		}
		if p.legacy {
			at := m.working(day)
			for range 6 {
				m.sign(at, p.name, ip, "IMAP4", "CBAInPROD", 0)
				at = at.Add(m.seconds(600, 3000))
			}
		}
	}
}

// trouble lets something happen that is no attack.
func (m *worldMaker) trouble(what Innocent) {
	day := m.rng.IntN(m.w.days())
	some := func(n int) []*personWorld {
		var all []*personWorld
		for _, i := range m.rng.Perm(len(m.people))[:min(n, len(m.people))] {
			all = append(all, &m.people[i])
		}
		return all
	}
	switch what {
	case StalePhones:
		for _, p := range some(m.between(5, 20)) {
			at := m.start.AddDate(0, 0, day).Add(m.seconds(0, 8*3600))
			gap := m.between(120, 1200)
			road := fmt.Sprintf("198.18.%d.%d", m.rng.IntN(3), m.rng.IntN(4)) // a carrier's few addresses
			m.sign(at.Add(-time.Minute), p.name, m.homeOf(p), webClient, p.agent, 0)
			for range m.between(20, 120) {
				ip := m.homeOf(p)
				if h := at.Hour(); h >= 8 && h < 10 || h >= 17 && h < 18 {
					ip = road
				} else if h >= 10 && h < 17 && p.office != "" {
					ip = p.office
				}
				m.sign(at, p.name, ip, eas, p.phone, 50126)
				at = at.Add(m.seconds(gap, gap+20))
			}
		}
	case StaleScanners:
		for i := range m.between(2, 7) {
			name := fmt.Sprintf("scanner%d@contoso.test", i)
			at := m.start.AddDate(0, 0, day).Add(m.seconds(0, 1800))
			gap := m.between(60, 900)
			if m.chance(0.7) {
				m.sign(m.start.Add(time.Minute), name, officeIP, "Authenticated SMTP", "BAV2ROPC", 0)
			}
			for range m.between(30, 200) {
				m.sign(at, name, officeIP, "Authenticated SMTP", "BAV2ROPC", 50126)
				at = at.Add(m.seconds(gap, gap+5))
			}
		}
	case Proxies:
		for i := range m.people {
			p := &m.people[i]
			at := m.working(day)
			for range m.between(1, 4) {
				m.page(p, at, fmt.Sprintf("198.18.10.%d", m.rng.IntN(m.between(4, 40))), 0.05, 0.1)
				at = at.Add(m.seconds(60, 7200))
			}
		}
	case ExpiryMorning:
		for _, p := range some(len(m.people) / 3) {
			at := m.start.AddDate(0, 0, day).Add(8*time.Hour + m.seconds(0, 5400))
			ip := m.place(p)
			m.sign(at, p.name, ip, webClient, p.agent, 50055)
			at = at.Add(m.seconds(30, 120))
			for range m.between(0, 2) {
				m.sign(at, p.name, ip, webClient, p.agent, 50126)
				at = at.Add(m.seconds(8, 40))
			}
			if m.chance(0.9) {
				m.sign(at, p.name, ip, webClient, p.agent, 0)
			}
			if m.chance(0.2) { // and the phone still has the old one
				for range m.between(5, 30) {
					at = at.Add(m.seconds(300, 900))
					m.sign(at, p.name, ip, eas, p.phone, 50126)
				}
			}
		}
	case SchoolNetwork:
		for i := range m.between(100, 600) {
			p := personWorld{name: fmt.Sprintf("pupil%04d@contoso.test", i), agent: browsers[m.rng.IntN(3)]}
			m.page(&p, m.start.AddDate(0, 0, day).Add(8*time.Hour+m.seconds(0, 2400)), "198.18.20.1", 0.25, 0.3)
		}
	case ConferenceGuest:
		for _, p := range some(m.between(20, 60)) {
			m.page(p, m.start.AddDate(0, 0, day).Add(9*time.Hour+m.seconds(0, 7200)), "198.18.30.1", 0.2, 0.2)
		}
	case MistypedNames:
		for _, p := range some(m.between(10, 30)) {
			at, ip := m.working(day), m.place(p)
			for k := range m.between(1, 3) {
				m.sign(at, fmt.Sprintf("x%d%s", k, p.name), ip, webClient, p.agent, 50034)
				at = at.Add(m.seconds(8, 40))
			}
			m.sign(at, p.name, ip, webClient, p.agent, 0)
		}
	case Leavers:
		program := m.chance(0.5)
		for i := range m.between(6, 30) {
			at, ip := m.start.AddDate(0, 0, day).Add(m.seconds(0, 3600)), officeIP
			app, agent := "Exchange Web Services", "ExchangeServicesClient/15.00.0913.015"
			if !program {
				ip, app, agent = fmt.Sprintf("100.127.0.%d", i), eas, phones[m.rng.IntN(len(phones))]
			}
			code := []int32{50034, 50057}[m.rng.IntN(2)]
			for range m.between(4, 20) {
				m.sign(at, fmt.Sprintf("left%d@contoso.test", i), ip, app, agent, code)
				at = at.Add(m.seconds(3500, 3700))
			}
		}
	case Forgetful:
		for _, p := range some(m.between(3, 12)) {
			at, ip := m.working(day), m.place(p)
			for range m.between(5, 12) {
				m.sign(at, p.name, ip, webClient, p.agent, 50126)
				at = at.Add(m.seconds(6, 40))
			}
			m.sign(at, p.name, ip, webClient, p.agent, 50053)
			if m.chance(0.7) {
				m.sign(at.Add(m.seconds(1800, 7200)), p.name, ip, webClient, p.agent, 0)
			}
		}
	case PasswordGrants:
		for _, p := range some(m.between(30, 100)) {
			code := int32(0)
			if m.chance(0.06) {
				code = 50126
			}
			m.sign(m.working(day), p.name, "198.18.40.1", mobile, "python-requests/2.32.3", code)
			m.last().AuthenticationProtocol = "ropc"
		}
	case Migration:
		at := m.start.AddDate(0, 0, day).Add(20 * time.Hour)
		for _, p := range some(m.between(30, 80)) {
			code := int32(0)
			if m.chance(0.06) {
				code = 50126
			}
			m.sign(at, p.name, "198.18.50.1", "IMAP4", "CBAInPROD", code)
			at = at.Add(m.seconds(1, 10))
		}
	case Travellers:
		for i, p := range some(m.between(5, 25)) {
			m.page(p, m.working(day), fmt.Sprintf("198.18.%d.%d", 60+i%5, i), 0.3, 0.3)
		}
	}
}

// assault lets an attack happen.
func (m *worldMaker) assault(a Assault) {
	truth := WorldAttack{Family: a.Family, Accounts: map[string]bool{}, IPs: map[string]bool{}}
	or := func(v *int, low, high int) {
		if *v == 0 {
			*v = m.between(low, high)
		}
	}
	gap := func(low, high int) { // in milliseconds
		if a.Gap == 0 {
			a.Gap = time.Duration(m.between(low, high)) * time.Millisecond
		}
	}
	fall := m.rng.IntN(3)
	random := false
	switch a.Family {
	case FastSpray:
		or(&a.Accounts, 5, 60)
		gap(200, 8000)
		or(&a.Rounds, 1, 2)
	case SlowSpray:
		or(&a.Accounts, 8, 50)
		gap(240_000, 900_000)
		or(&a.Rounds, 1, 1)
	case WonSpray:
		or(&a.Accounts, 9, 40)
		gap(200, 5000)
		or(&a.Rounds, 2, 3)
		fall = a.Accounts / 3
	case DistributedByClient:
		or(&a.Accounts, 12, 60)
		gap(30_000, 900_000)
		or(&a.Addresses, 8, 60)
		if a.Client == "" {
			a.Client = []string{"ropc", "axios", "okhttp"}[m.rng.IntN(3)]
		}
	case DistributedByNetwork:
		or(&a.Accounts, 12, 60)
		gap(30_000, 900_000)
		or(&a.Addresses, 8, 60)
		random = true
	case DistributedAtRandom:
		or(&a.Accounts, 30, 90)
		gap(30_000, 400_000)
		a.Addresses = a.Accounts
		random, fall = true, 0 // with a popular browser, from a place used once, nobody could tell
		a.Stopped = -1
	case Guessing:
		a.Accounts = 1
		or(&a.Rounds, 12, 60)
		gap(500, 20_000)
		fall = m.rng.IntN(2)
	case SlowGuessing:
		a.Accounts = 1
		or(&a.Rounds, 80, 250)
		gap(60_000, 150_000)
		fall = m.rng.IntN(2)
	case Stuffing:
		or(&a.Accounts, 20, 120)
		gap(300, 20_000)
		fall = a.Accounts / m.between(3, 20)
		or(&a.Addresses, 1, 4)
	case Enumeration:
		or(&a.Accounts, 15, 80)
		gap(300, 60_000)
		fall = 0
	case SmallTenant:
		a.Accounts = min(m.between(5, 6), len(m.people))
		gap(1000, 300_000)
		or(&a.Rounds, 1, 5)
		fall = m.rng.IntN(2)
	case Published:
		a.Accounts, a.Rounds, a.Gap, fall = 6, 37, 4300*time.Millisecond, 1
		if a.Client == "" {
			a.Client = "random-windows"
		}
	}
	or(&a.Rounds, 1, 1)
	a.Addresses = max(a.Addresses, 1)
	if a.Fall > 0 {
		fall = a.Fall
	}
	if a.Stopped == 0 && a.Family != Enumeration && a.Accounts > 8 {
		a.Stopped = m.rng.IntN(3)
	}
	if a.Client == "" {
		a.Client = []string{"imap", "smtp", "ropc", "browser", "random", "axios"}[m.rng.IntN(6)]
	}
	victims := m.rng.Perm(len(m.people))
	a.Accounts = min(a.Accounts, len(victims))
	var names []string
	for i := range a.Accounts {
		name := m.people[victims[i]].name
		if a.Family == Enumeration && i%10 < 8 || a.Accounts > 10 && a.Family != Enumeration && i%17 == 16 {
			name = "old." + name
		}
		names = append(names, name)
	}
	secret := make(map[string]int) // the round in which an account falls
	for i, k := range m.rng.Perm(len(names)) {
		if fall+max(0, a.Stopped) <= i {
			break
		}
		if n := names[k]; n[:1] == "u" {
			secret[n] = a.Rounds - 1
			if a.Rounds > 2 { // not before it is an attack
				secret[n] = m.between(max(1, a.Rounds*2/3), a.Rounds-1)
			}
			if i >= fall {
				secret[n] = -1 - secret[n] // stopped
			}
		}
	}
	at := m.start.AddDate(0, 0, m.rng.IntN(m.w.days())).Add(m.seconds(3600, 12*3600))
	net := m.rng.IntN(200)
	tool := []string{"python-requests/2.31.0", "Go-http-client/1.1", "Mozilla/5.0", "fasthttp"}[m.rng.IntN(4)]
	odd := browsers[m.rng.IntN(3)]
	tries := make(map[string]int)
	done := make(map[string]bool)
	for round := range a.Rounds {
		for i, name := range names {
			if done[name] {
				continue
			}
			k := (round*len(names) + i) % a.Addresses
			ip := fmt.Sprintf("203.0.%d.%d", net, k%250+1)
			if a.Addresses > 1 {
				ip = fmt.Sprintf("%d.%d.%d.%d", 150+k%7, net, k, 9)
			}
			if a.Inside {
				ip = officeIP
			}
			app, agent := mobile, tool
			ropc := false
			switch a.Client {
			case "imap":
				app, agent = "IMAP4", "CBAInPROD"
			case "smtp":
				app, agent = "Authenticated SMTP", "BAV2ROPC"
			case "ropc":
				ropc = true
			case "browser":
				app, agent = webClient, odd
			case "axios":
				agent = "axios/1.7.9"
			case "okhttp":
				agent, ropc = "okhttp/4.9.3", true
			case "random", "random-windows":
				app, agent = webClient, fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; rv:%d.0) Gecko/20100101 Firefox/%d.%d", m.rng.IntN(140), m.rng.IntN(140), m.rng.IntN(9))
			}
			if random {
				app, agent = webClient, browsers[m.rng.IntN(len(browsers))]
			}
			code := int32(50126)
			tries[name]++
			r, fated := secret[name]
			switch {
			case name[0] == 'o':
				code = 50034
			case fated && r == round:
				code, done[name] = 0, true
				truth.Compromised = append(truth.Compromised, name)
			case fated && r < 0 && -1-r == round:
				code, done[name] = 50076, true
				truth.Stopped = append(truth.Stopped, name)
			case tries[name] > 10 && m.chance(0.8) && a.Family != SlowGuessing, a.Family == SlowGuessing && tries[name] > 10 && m.chance(0.3):
				code = 50053
			}
			m.sign(at, name, ip, app, agent, code)
			s := m.last()
			s.CountryOrRegion, s.AutonomousSystemNumber = "RU", 64666
			if a.Family == DistributedAtRandom {
				s.AutonomousSystemNumber = uint32(65000 + k)
			}
			if ropc {
				s.AuthenticationProtocol = "ropc"
			}
			truth.Accounts[name], truth.IPs[ip] = true, true
			at = at.Add(a.Gap * time.Duration(50+m.rng.IntN(101)) / 100)
		}
		if a.Rounds > 1 && a.Accounts > 1 && a.Family != Published {
			at = at.Add(m.seconds(5, 1800))
		}
	}
	slices.Sort(truth.Compromised)
	slices.Sort(truth.Stopped)
	m.truth = append(m.truth, truth)
}
