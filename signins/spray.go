package signins

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// Spray says what counts as an attack on passwords. The zero value is good
// advice: each field that is zero, or below, stands for its default.
//
// Times are those of the events, in whatever order they come. Evidence is kept
// by the minute: what lies within a window counts, and what misses it by less
// than a minute may count as well. A failure
// counts as a guess if it is one that guessing brings about, such as a wrong
// password or an unknown user. People who mistype are not attacked: a guess
// does not count where the account was let in from the same address before,
// or is within Window.
type Spray struct {
	// A password spray from one address: guesses at Accounts accounts or more
	// (10 if 0) within Window (30 minutes if 0).
	Window   time.Duration `json:"window,omitempty"`
	Accounts int           `json:"accounts,omitempty"`

	// A brute force attack: Attempts guesses or more (8 if 0) at one account
	// within BruteForceWindow (10 minutes if 0), from whatever addresses. At
	// the sign-in page, where people forget passwords and are locked out after
	// the tenth, it takes three times as many.
	BruteForceWindow time.Duration `json:"bruteForceWindow,omitempty"`
	Attempts         int           `json:"attempts,omitempty"`

	// A distributed spray: guesses at DistributedAccounts accounts or more (20
	// if 0) from DistributedAddresses addresses or more (5 if 0) with one user
	// agent or from one network, within DistributedWindow (24 hours if 0), and
	// at least 4 times as many accounts as were let in with it meanwhile.
	// Addresses of the tenant's own do not count, at which three people or more
	// are let in, and no fewer than are guessed at.
	DistributedWindow    time.Duration `json:"distributedWindow,omitempty"`
	DistributedAccounts  int           `json:"distributedAccounts,omitempty"`
	DistributedAddresses int           `json:"distributedAddresses,omitempty"`

	// An account is compromised if it is let in from an address of the attack,
	// from which it had not been let in before, up to After after its last
	// guess. If 0, it is 24 hours. At an address of the tenant's own it takes
	// the protocol and a user agent of the attack as well.
	After time.Duration `json:"after,omitempty"`

	// MaxEvidence bounds the evidence that is kept: guesses that differ in
	// address, account, user agent or minute, and who was let in from which
	// address with which user agent. If 0, it is 1<<19, about 60 MiB. If there
	// is more, what is oldest is judged and given up, people who were let in by
	// modern means first, and [Summary.Evicted] counts it.
	MaxEvidence int `json:"maxEvidence,omitempty"`
}

func (p Spray) orDefault() Spray {
	return Spray{
		Window: positive(p.Window, 30*time.Minute), Accounts: positive(p.Accounts, 10),
		BruteForceWindow: positive(p.BruteForceWindow, 10*time.Minute), Attempts: positive(p.Attempts, 8),
		DistributedWindow:    positive(p.DistributedWindow, 24*time.Hour),
		DistributedAccounts:  positive(p.DistributedAccounts, 20),
		DistributedAddresses: positive(p.DistributedAddresses, 5),
		After:                positive(p.After, 24*time.Hour),
		MaxEvidence:          positive(p.MaxEvidence, 1<<19),
	}
}

// positive returns v, or standard if v is not above zero.
func positive[T int | time.Duration](v, standard T) T {
	if v > 0 {
		return v
	}
	return standard
}

// An AttackKind tells attacks apart.
type AttackKind string

const (
	PasswordSpray    AttackKind = "password-spray"    // many accounts from one address
	DistributedSpray AttackKind = "distributed-spray" // many accounts from many addresses with something in common
	BruteForce       AttackKind = "brute-force"       // many tries on one account
)

// An Attack is a series of guesses that belong together, with its evidence.
type Attack struct {
	Kind    AttackKind `json:"kind"`
	IP      string     `json:"ip,omitempty"`      // the address, if there was but one
	Country string     `json:"country,omitempty"` // of the address, if the log tells it of an interactive sign-in
	Agent   string     `json:"agent,omitempty"`   // the user agent that a distributed spray had in common
	Network uint32     `json:"network,omitempty"` // the autonomous system that it had in common otherwise

	Protocol Protocol  `json:"protocol"` // the one used most
	Start    time.Time `json:"start"`    // of the first guess
	End      time.Time `json:"end"`      // of the last guess

	// DistinctAccounts counts those guessed at, compromised, or known to the
	// attacker; guesses that name nobody count as one. FailedAccounts counts
	// the named ones among those guessed at.
	DistinctAccounts int   `json:"distinctAccounts"`
	FailedAccounts   int   `json:"failedAccounts"`
	Addresses        int   `json:"addresses"`
	Attempts         int64 `json:"attempts"` // guesses, all of them

	// Accounts are the accounts that were guessed at, up to 100 of them, and
	// IPs the addresses, likewise, if there was more than one.
	Accounts []string `json:"accounts,omitempty"`
	IPs      []string `json:"ips,omitempty"`

	// Compromised are the accounts that the attack got into, and
	// PasswordKnownButStopped those whose right password it sent, to be
	// stopped by a second factor or a policy.
	Compromised             []string `json:"compromised"`
	PasswordKnownButStopped []string `json:"passwordKnownButStopped"`

	// AtLeast tells that the attack outlasted the evidence that memory held,
	// so that its counts are lower bounds.
	AtLeast bool `json:"atLeast,omitempty"`
}

const maxListed = 100

// What a piece of evidence shows.
type evidenceKind uint8

const (
	guessed evidenceKind = iota
	letIn
	stopped // the password was right
	letInModern
	stoppedModern
)

func (k evidenceKind) accepted() bool { return k != guessed }
func (k evidenceKind) success() bool  { return k == letIn || k == letInModern }

// A cell is evidence: sign-ins that differ in nothing that matters. Of guesses
// each minute matters, of those who were let in the first time and the last.
type cell struct {
	cellKey
	count       uint32
	first, last uint32 // seconds since 1970
}

type cellKey struct {
	minute             int32 // of a guess, since 1970; otherwise 0
	ip, account, agent uint32
	kind               evidenceKind
	protocol           Protocol
	address            bool // whether ip is the client's: not so for sign-ins that inherit a token's
}

// at returns the minute of c's first sign-in.
func (c *cell) at() int32 { return int32(c.first / 60) }

// Evidence is what attacks are found in. Its zero value is ready to use.
type evidence struct {
	settings Spray
	limit    int

	cells            []cell
	index            index    // of cells
	ips              interned // with info
	accounts, agents interned
	info             []ipInfo // by ip
	clues            []clue   // still to be added
	found            []Attack // in evidence that has been given up
	evicted          int64
	sealed           bool
}

type ipInfo struct {
	country string
	network uint32
}

// A clue is a cell of one sign-in, whose texts have no numbers yet.
type clue struct {
	cell
	ipText, accountText, agentText string
	ipHash, accountHash            uint64
	country                        string // "" if the sign-in does not tell it of the client
	network                        uint32
	place                          uint32 // fetched, and not used
}

// maxClues is how many clues are looked up together. Each look-up waits for
// memory, and the processor can wait for as many at once.
const maxClues = 16

// add takes s as evidence, if it is any, once addClues is called.
func (e *evidence) add(s *SignIn, v *Verdict) {
	var kind evidenceKind
	switch {
	case v.Guess:
		kind = guessed
	case v.Outcome == Success && (v.PasswordRight == crossprem.Yes || v.Credential == UnknownCredential && s.Interactive != crossprem.No):
		kind = letIn
	case v.PasswordRight == crossprem.Yes:
		kind = stopped
	default:
		return
	}
	if s.IPAddress == "" || s.Time.IsZero() {
		return
	}
	basic := v.Class == Legacy || v.ROPC == crossprem.Yes
	if kind.accepted() && !basic {
		kind += letInModern - letIn
	}
	seconds := s.Time.Unix()
	if seconds < 0 || seconds > math.MaxUint32 {
		return
	}
	c := clue{
		cell: cell{
			cellKey: cellKey{kind: kind, protocol: v.Protocol, address: s.Interactive != crossprem.No || basic || v.Credential == Password},
			count:   1, first: uint32(seconds), last: uint32(seconds),
		},
		ipText: cut(s.IPAddress), accountText: userKey(s), agentText: cut(s.UserAgent), network: s.AutonomousSystemNumber,
	}
	if kind == guessed {
		c.minute = int32(seconds / 60)
	}
	if s.Interactive != crossprem.No {
		c.country = s.CountryOrRegion
	}
	if e.clues = append(e.clues, c); len(e.clues) == maxClues {
		e.addClues()
	}
}

// addClues takes the clues that add found.
func (e *evidence) addClues() {
	together := max(1, len(e.clues))
	if len(e.cells)+together > e.limit { // numbers that are looked up do not outlast an eviction
		together = 1
	}
	for clues := range slices.Chunk(e.clues, together) {
		e.lookUp(clues)
	}
	e.clues = e.clues[:0]
}

// lookUp takes clues. It fetches what all of them look at in one step before
// it lets any look.
func (e *evidence) lookUp(clues []clue) {
	for i := range clues {
		c := &clues[i]
		c.ipHash, c.accountHash = hashOfText(c.ipText), hashOfText(c.accountText)
		c.ip, c.account = e.ips.index.fetch(c.ipHash), e.accounts.index.fetch(c.accountHash)
	}
	for i := range clues {
		c := &clues[i]
		c.ip, c.account, c.agent = e.ips.ofHashed(c.ipText, c.ipHash), e.accounts.ofHashed(c.accountText, c.accountHash), e.agents.of(c.agentText)
		c.place = e.index.fetch(c.hash())
	}
	for i := range clues {
		c := &clues[i]
		e.note(c.cell, c.country, c.network)
	}
}

func (e *evidence) note(c cell, country string, network uint32) {
	for int(c.ip) >= len(e.info) {
		e.info = append(e.info, ipInfo{})
	}
	info := &e.info[c.ip]
	if country > info.country { // of several, the last
		info.country = strings.Clone(country)
	}
	info.network = max(info.network, network)
	e.put(c)
}

func (e *evidence) put(c cell) {
	n := e.index.find(c.hash(), func(i uint32) bool { return e.cells[i].cellKey == c.cellKey }, uint32(len(e.cells)))
	if int(n) < len(e.cells) {
		have := &e.cells[n]
		have.count += min(c.count, math.MaxUint32-have.count)
		have.first, have.last = min(have.first, c.first), max(have.last, c.last)
		return
	}
	if e.cells == nil {
		e.limit = max(e.settings.orDefault().MaxEvidence, 2)
	}
	if e.cells = append(e.cells, c); len(e.cells) > e.limit {
		e.evict()
	}
}

func (k *cellKey) hash() uint64 {
	what := uint64(k.kind)<<16 | uint64(k.protocol)<<8
	if k.address {
		what |= 1
	}
	return mixed(mixed(uint64(k.minute)<<32|uint64(k.ip)) ^ uint64(k.account)<<32 ^ uint64(k.agent) ^ what<<40)
}

// evict gives up the older half: first of those that were let in by modern
// means, who are many and matter only next to guesses, then of all, once the
// attacks in it are found.
func (e *evidence) evict() {
	modern := func(c cell) bool { return c.kind >= letInModern }
	var minutes []int32
	for _, c := range e.cells {
		if modern(c) {
			minutes = append(minutes, int32(c.last/60))
		}
	}
	drop := modern
	if len(minutes) <= len(e.cells)/4 {
		e.found = coalesce(append(e.found, e.attacks()...), e.settings.orDefault())
		minutes = minutes[:0]
		for _, c := range e.cells {
			minutes = append(minutes, int32(c.last/60))
		}
		drop = func(cell) bool { return true }
	}
	slices.Sort(minutes)
	half := (len(minutes) + 1) / 2
	upTo := minutes[half-1]
	old := *e
	e.cells, e.index, e.info = nil, index{}, nil
	e.ips, e.accounts, e.agents = interned{}, interned{}, interned{}
	// If half of the evidence is of one minute, half of that minute goes too.
	left := half
	for _, c := range old.cells {
		if minute := int32(c.last / 60); drop(c) && (minute < upTo || minute == upTo && left > 0) {
			left--
			e.evicted++
			continue
		}
		e.take(c, &old)
	}
}

// take puts a cell of another evidence into e.
func (e *evidence) take(c cell, from *evidence) {
	info := ipInfo{}
	if int(c.ip) < len(from.info) {
		info = from.info[c.ip]
	}
	c.ip = e.ips.of(from.ips.at(c.ip))
	c.account = e.accounts.of(from.accounts.at(c.account))
	c.agent = e.agents.of(from.agents.at(c.agent))
	e.note(c, info.country, info.network)
}

func (e *evidence) merge(o *evidence, attacks []Attack) {
	if o.sealed || o.cells == nil {
		e.found = append(e.found, attacks...)
	} else {
		e.found = append(e.found, o.found...)
	}
	for _, c := range o.cells {
		e.take(c, o)
	}
	e.sealed = e.sealed && o.sealed
}

// findAttacks sets the attacks of s from its evidence.
func (s *Summary) findAttacks() {
	e := &s.evidence
	s.Evicted += e.evicted
	e.evicted = 0
	s.Attacks = coalesce(append(slices.Clone(e.found), e.attacks()...), e.settings.orDefault())
}

// Seal drops the evidence that s keeps in order to find attacks that only
// merging shows. The attacks that were found stay. JSON of a sealed summary
// names nobody who is neither attacked nor a user of something old, and is
// smaller.
func (s *Summary) Seal() {
	s.evidence = evidence{settings: s.evidence.settings, found: s.Attacks, sealed: true}
}

// coalesce sorts attacks and joins those that are parts of one.
func coalesce(attacks []Attack, p Spray) []Attack {
	slices.SortFunc(attacks, func(a, b Attack) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Agent, b.Agent),
			cmp.Compare(a.Network, b.Network), cmp.Compare(a.target(), b.target()), a.Start.Compare(b.Start), a.End.Compare(b.End))
	})
	gap := map[AttackKind]time.Duration{PasswordSpray: p.Window, BruteForce: p.BruteForceWindow, DistributedSpray: 0}
	joined := []Attack{}
	for _, a := range attacks {
		if n := len(joined) - 1; n >= 0 {
			b := &joined[n]
			if a.Kind == b.Kind && a.IP == b.IP && a.Agent == b.Agent && a.Network == b.Network && a.target() == b.target() &&
				!a.Start.After(b.End.Add(gap[a.Kind])) {
				b.join(a)
				continue
			}
		}
		joined = append(joined, a)
	}
	slices.SortFunc(joined, func(a, b Attack) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.IP, b.IP),
			cmp.Compare(a.target(), b.target()), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Network, b.Network))
	})
	return joined
}

// target returns the account that a brute force attack is aimed at.
func (a *Attack) target() string {
	if a.Kind == BruteForce && len(a.Accounts) == 1 {
		return a.Accounts[0]
	}
	return ""
}

// join makes a and b one attack, of which each saw a part.
func (a *Attack) join(b Attack) {
	if !a.Start.Equal(b.Start) || !a.End.Equal(b.End) || a.Attempts != b.Attempts {
		a.AtLeast = true
		a.Attempts = max(a.Attempts, b.Attempts)
	}
	a.AtLeast = a.AtLeast || b.AtLeast
	a.End = latest(a.End, b.End)
	a.Country = max(a.Country, b.Country)
	a.Accounts, a.IPs = union(a.Accounts, b.Accounts), union(a.IPs, b.IPs)
	a.Compromised = union(a.Compromised, b.Compromised)
	a.PasswordKnownButStopped = slices.DeleteFunc(union(a.PasswordKnownButStopped, b.PasswordKnownButStopped),
		func(name string) bool { return slices.Contains(a.Compromised, name) })
	a.FailedAccounts = max(a.FailedAccounts, b.FailedAccounts)
	a.DistinctAccounts = max(a.DistinctAccounts, b.DistinctAccounts)
	a.Addresses = max(a.Addresses, b.Addresses)
	a.Accounts = a.Accounts[:min(len(a.Accounts), maxListed)]
	a.IPs = a.IPs[:min(len(a.IPs), maxListed)]
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
