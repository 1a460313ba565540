package signins

import (
	"cmp"
	"slices"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// Spray says what counts as an attack on passwords. The zero value is good
// advice: each field that is zero, or below, stands for its default.
//
// No number alone makes an attack. Guesses are weighed by who was accepted at
// the same place and with the same client, before and since, by their rate, by
// names that do not exist, by lockouts and by clients that nobody else has. A
// place is an IPv4 address, or the /64 of an IPv6 one. Times are those of the
// events, in whatever order they come.
type Spray struct {
	// A password spray from one place takes guesses at Accounts accounts or
	// more (5 if 0) that were never accepted there.
	Accounts int `json:"accounts,omitempty"`

	// A brute force attack takes Attempts guesses or more (8 if 0) at one
	// account within ten minutes by a program, or several times as many at a
	// slower rate. At the sign-in page, where people forget passwords and are
	// locked out after the tenth, it takes three times as many.
	Attempts int `json:"attempts,omitempty"`

	// A distributed spray takes guesses at DistributedAccounts accounts or more
	// (8 if 0) from DistributedAddresses places or more (5 if 0) at which nobody
	// works, with one client that hardly anybody gets in with, or from one
	// network. If they have nothing in common it takes twice as many of both.
	DistributedAccounts  int `json:"distributedAccounts,omitempty"`
	DistributedAddresses int `json:"distributedAddresses,omitempty"`

	// After bounds for how long after the last guess an account can fall to the
	// attack: 24 hours if 0. Who is accepted later is listed as possible.
	After time.Duration `json:"after,omitempty"`

	// MaxEvidence bounds the rows of evidence that are kept. If 0, it is 1<<20,
	// about 64 MiB and the texts. If there are more, what is oldest is given up:
	// first what was accepted where nobody failed, then all, once it has been
	// judged. [Summary.Evicted] counts it.
	MaxEvidence int `json:"maxEvidence,omitempty"`
}

func (p Spray) orDefault() Spray {
	return Spray{
		Accounts: positive(p.Accounts, 5), Attempts: positive(p.Attempts, 8),
		DistributedAccounts:  positive(p.DistributedAccounts, 8),
		DistributedAddresses: positive(p.DistributedAddresses, 5),
		After:                positive(p.After, 24*time.Hour),
		MaxEvidence:          positive(p.MaxEvidence, 1<<20),
	}
}

// positive returns v, or standard if v is not above zero.
func positive[T int | time.Duration](v, standard T) T {
	if v > 0 {
		return v
	}
	return standard
}

// An AttackKind tells attacks apart by their shape.
type AttackKind uint8

const (
	UnknownAttack    AttackKind = iota
	PasswordSpray               // many accounts from one place
	DistributedSpray            // many accounts from many places
	BruteForce                  // many tries on one account
)

// A Technique tells apart what the attacker tries, as far as a log shows it.
type Technique uint8

const (
	UnknownTechnique   Technique = iota
	PasswordGuessing             // many passwords for one account (MITRE ATT&CK T1110.001)
	PasswordSpraying             // few passwords for many accounts (T1110.003)
	CredentialStuffing           // each account once, with what seems to be its own password (T1110.004)
	AccountEnumeration           // mostly names that do not exist (T1589.002)
)

// A Confidence says how much speaks for an attack.
type Confidence uint8

const (
	UnknownConfidence Confidence = iota
	Low                          // it may be something else; look at the evidence
	Medium
	High
)

// A Sign is one of the things that decided about an attack.
type Sign uint8

const (
	UnknownSign      Sign = iota
	NeverAcceptedYet      // most accounts that were guessed at were never accepted at the place
	StrangePlace          // nobody was accepted at the place but by the attack
	MachineSpeed          // more accounts or passwords a minute than people type
	EvenGaps              // the gaps between accounts are nearly constant
	RareClient            // nobody gets in with the client elsewhere
	ProgramClient         // a basic protocol, a password grant or a script
	NamesUnknown          // names that do not exist are among those tried
	Lockouts              // different passwords were tried until smart lockout
	BlockedByAddress      // Entra ID knows the address as malicious
	ManyPlaces            // guesses come from many places
	ClientInCommon        // the places have a client in common
	NetworkInCommon       // the places have a network in common
	SlowAndLong           // it goes on for more than six hours
)

var (
	attackKindTexts = enum.Of[AttackKind]("signins: attack kind", "unknown", "password-spray", "distributed-spray", "brute-force")
	techniqueTexts  = enum.Of[Technique]("signins: technique", "unknown", "password-guessing", "password-spraying", "credential-stuffing", "account-enumeration")
	confidenceTexts = enum.Of[Confidence]("signins: confidence", "unknown", "low", "medium", "high")
	signTexts       = enum.Of[Sign]("signins: sign", "unknown", "never-accepted", "strange-place", "machine-speed", "even-gaps", "rare-client",
		"program-client", "unknown-names", "lockouts", "blocked-address", "many-places", "client-in-common", "network-in-common", "slow-and-long")
)

// String returns a text such as "password-spray".
func (k AttackKind) String() string { return attackKindTexts.String(k) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (k AttackKind) MarshalText() ([]byte, error) { return attackKindTexts.Marshal(k) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves k as it was for anything else.
func (k *AttackKind) UnmarshalText(text []byte) error { return attackKindTexts.Unmarshal(k, text) }

// String returns a text such as "credential-stuffing".
func (t Technique) String() string { return techniqueTexts.String(t) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (t Technique) MarshalText() ([]byte, error) { return techniqueTexts.Marshal(t) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves t as it was for anything else.
func (t *Technique) UnmarshalText(text []byte) error { return techniqueTexts.Unmarshal(t, text) }

// String returns "unknown", "low", "medium" or "high".
func (c Confidence) String() string { return confidenceTexts.String(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Confidence) MarshalText() ([]byte, error) { return confidenceTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves c as it was for anything else.
func (c *Confidence) UnmarshalText(text []byte) error { return confidenceTexts.Unmarshal(c, text) }

// String returns a text such as "machine-speed".
func (s Sign) String() string { return signTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Sign) MarshalText() ([]byte, error) { return signTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves s as it was for anything else.
func (s *Sign) UnmarshalText(text []byte) error { return signTexts.Unmarshal(s, text) }

// An Attack is a series of guesses that belong together, with its evidence.
type Attack struct {
	Kind       AttackKind `json:"kind"`
	Technique  Technique  `json:"technique"`
	Confidence Confidence `json:"confidence"`

	IP      string `json:"ip,omitempty"`      // the address, if there was but one
	Country string `json:"country,omitempty"` // of the address, if the log tells it of an interactive sign-in
	Agent   string `json:"agent,omitempty"`   // the user agent that a distributed spray had in common
	Network uint32 `json:"network,omitempty"` // the autonomous system that it had in common otherwise

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
	// stopped by a second factor or a policy. Both are complete, and hold none
	// of whom it is only possible: see [Judgement.Possible].
	Compromised             []string `json:"compromised"`
	PasswordKnownButStopped []string `json:"passwordKnownButStopped"`

	Evidence AttackEvidence `json:"evidence"`

	// AtLeast reports whether the attack outlasted the evidence that memory
	// held, so that its counts are lower bounds.
	AtLeast bool `json:"atLeast,omitempty"`
}

// AttackEvidence is what an attack was judged by.
type AttackEvidence struct {
	Decided []Sign `json:"decided"` // what decided, in the order of the constants

	NeverAccepted     int   `json:"neverAccepted"`     // accounts guessed at that were never accepted at the place
	AcceptedElsewise  int   `json:"acceptedOtherwise"` // accounts accepted at the place, and not by the attack
	UnknownNames      int   `json:"unknownNames"`      // names that do not exist, as far as the log shows them
	Lockouts          int64 `json:"lockouts"`          // guesses refused by smart lockout
	Blocked           int64 `json:"blocked"`           // guesses refused because of their address
	MostInAMinute     int   `json:"mostInAMinute"`     // accounts first guessed at within one minute; of brute force, guesses
	AcceptedByClient  int   `json:"acceptedByClient"`  // accounts accepted with the attack's client at other places
	PlacesWithGuesses int   `json:"places"`            // places that the guesses came from
}

// A Judgement is what evidence comes to.
type Judgement struct {
	// Attacks holds attacks and nothing else, earliest first.
	Attacks []Attack `json:"attacks"`

	// StaleDevices are programs and devices that keep sending a wrong password
	// from their owner's place, or the same one again and again. Forgot are
	// people who tried a password often, where they get in at other times, or
	// too few times for an attack. Possible are accounts that were accepted
	// where and when an attack was, which may have been their owner. None of
	// them is an attack.
	StaleDevices Notes `json:"staleDevices"`
	Forgot       Notes `json:"forgot"`
	Possible     Notes `json:"possible"`

	// Unexplained counts the accounts with guesses that are too few, or too
	// much like something else, to be called an attack. If it is not 0, it
	// cannot be said that there was none.
	Unexplained int `json:"unexplained"`
}

// Notes is a list that is bounded.
type Notes struct {
	Count int    `json:"count"` // all of them
	List  []Note `json:"list"`  // up to 100, by account and address
}

// A Note is about one account at one address.
type Note struct {
	Account  string    `json:"account"`
	IP       string    `json:"ip"`
	Protocol Protocol  `json:"protocol"`
	Agent    string    `json:"agent,omitempty"`
	Attempts int64     `json:"attempts"` // failures; of a possible account, acceptances
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

const maxListed = 100

// add adds what o holds to j, whose lists are then longer than they may be.
func (j *Judgement) add(o *Judgement) {
	j.Attacks = append(j.Attacks, o.Attacks...)
	for _, n := range []struct{ to, from *Notes }{{&j.StaleDevices, &o.StaleDevices}, {&j.Forgot, &o.Forgot}, {&j.Possible, &o.Possible}} {
		n.to.Count += max(0, n.from.Count-len(n.from.List)) // those that are not listed
		n.to.List = append(n.to.List, n.from.List...)
	}
	j.Unexplained += o.Unexplained
}

// settle sorts the list, drops repetitions and bounds it. Before, Count counts
// only what is not in the list.
func (n *Notes) settle() {
	slices.SortFunc(n.List, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.Agent, b.Agent), a.First.Compare(b.First), a.Last.Compare(b.Last))
	})
	n.List = slices.Compact(n.List)
	n.Count += len(n.List)
	n.List = n.List[:min(len(n.List), maxListed)]
	if n.List == nil {
		n.List = []Note{}
	}
}

// coalesce sorts attacks and joins those that are parts of one.
func coalesce(attacks []Attack) []Attack {
	slices.SortFunc(attacks, func(a, b Attack) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Agent, b.Agent),
			cmp.Compare(a.Network, b.Network), cmp.Compare(a.target(), b.target()), a.Start.Compare(b.Start), a.End.Compare(b.End))
	})
	joined := []Attack{}
	for _, a := range attacks {
		n := slices.IndexFunc(joined, func(b Attack) bool { return b.continues(&a) })
		if n < 0 {
			joined = append(joined, a)
		} else {
			joined[n].join(a)
		}
	}
	slices.SortFunc(joined, func(a, b Attack) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.IP, b.IP),
			cmp.Compare(a.target(), b.target()), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Network, b.Network))
	})
	return joined
}

// continues reports whether b is another part of the attack a, which is not
// later.
func (a *Attack) continues(b *Attack) bool {
	if a.Kind != b.Kind || a.IP != b.IP || a.Agent != b.Agent || a.Network != b.Network || a.target() != b.target() ||
		b.Start.After(a.End.Add(time.Hour)) {
		return false
	}
	return a.IP != "" || slices.ContainsFunc(a.IPs, func(ip string) bool { return slices.Contains(b.IPs, ip) })
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
	a.DistinctAccounts = max(a.DistinctAccounts, b.DistinctAccounts, len(union(a.Compromised, a.PasswordKnownButStopped)))
	a.Addresses = max(a.Addresses, b.Addresses)
	a.Confidence = max(a.Confidence, b.Confidence)
	a.Evidence.Decided = union(a.Evidence.Decided, b.Evidence.Decided)
	a.Accounts = a.Accounts[:min(len(a.Accounts), maxListed)]
	a.IPs = a.IPs[:min(len(a.IPs), maxListed)]
}

func union[T cmp.Ordered](a, b []T) []T {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
