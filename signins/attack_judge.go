package signins

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/signins/internal/intern"
)

// A client is what an attacker and a person may differ in.
type client struct {
	agent    uint32
	protocol Protocol
	grant    bool
}

// A try is what is known of the failures of one account at one place with one
// client.
type try struct {
	place, account, client uint32
	ip                     uint32 // of several, one
	guesses                uint32 // passwords that were tried: wrong ones and those that a lockout refused
	wrong, unknown         uint32
	locked, blocked, weak  uint32
	first, last            uint32
	hours                  uint32
	row                    int // first of its rows in order
	rows                   int
	changing               bool // the account is tried at the place with four clients or more
	used                   bool // belongs to an attack
}

func (t *try) all() uint32 { return t.wrong + t.unknown + t.locked + t.blocked + t.weak }

// nobody reports whether all that t shows is that the account is gone.
func (t *try) nobody() bool { return t.wrong == 0 && t.locked == 0 && t.blocked == 0 }

// An entry is what is known of one account that was accepted at one place with
// one client.
type entry struct {
	place, account, client uint32 // client is noClient of a session
	ip                     uint32
	kind                   EvidenceKind
	count                  uint32
	first, last            uint32
}

const noClient = ^uint32(0)

// A judging holds what attacks are judged by. Numbers are those of the
// collector.
type judging struct {
	*collector
	p Spray

	clients  []client
	failing  []int    // by client: tries
	program  []bool   // by client: not what people sign in with
	peculiar []bool   // by client: its agent tells one device from another
	placeOf  []uint32 // by ip
	order    []int32  // failed rows by place, account, client and hour
	tries    []try    // by place, account and client
	entries  []entry  // at places with tries, by place, account and first
	of       map[uint32][]entry
	ownPairs map[[2]uint32]bool // account and client that were seen where the account is at home

	clientOf  map[client]uint32
	accepted  []clientAccount  // who is accepted with what, and where
	networks  map[uint32][]int // accounts accepted, by network
	active    int              // accounts that were accepted
	hostile   map[uint32]bool  // places of attacks
	judgement Judgement
}

type clientAccount struct{ client, account, place uint32 }

// judge finds the attacks in what e holds.
func (e *collector) judge() Judgement {
	f := judging{collector: e, p: e.settings.orDefault()}
	if f.prepare() {
		f.sprays()
		f.bruteForce()
		f.distributed()
		f.rest()
	}
	j := &f.judgement
	j.add(&e.found)
	j.Attacks = coalesce(j.Attacks)
	for _, n := range []*Notes{&j.StaleDevices, &j.Forgot, &j.Possible} {
		n.settle()
	}
	return *j
}

// isFrontAgent reports whether agent is one of Exchange Online's front end,
// which stands for every client with basic authentication behind it.
func (f *judging) isFrontAgent(agent string) bool {
	for _, front := range f.tables.orEmbedded().agents {
		if strings.EqualFold(agent, front) {
			return true
		}
	}
	return false
}

func (f *judging) prepare() bool {
	failures := 0
	for i := range f.rows {
		if f.rows[i].kind.failure() {
			failures++
		}
	}
	if failures == 0 {
		return false
	}
	// Places, and clients.
	f.placeOf = make([]uint32, len(f.ips.Text))
	nets := make(map[string]uint32)
	for ip := 1; ip < len(f.ips.Text); ip++ {
		f.placeOf[ip] = uint32(ip)
		if text := f.ips.Text[ip]; strings.Contains(text, ":") {
			place := placeOf(text)
			if first, ok := nets[place]; ok {
				f.placeOf[ip] = first
			} else {
				nets[place] = uint32(ip)
			}
		}
	}
	f.clientOf = make(map[client]uint32)
	number := func(r *row) uint32 {
		c := client{r.agent, r.protocol, r.grant}
		n, ok := f.clientOf[c]
		if !ok {
			n = uint32(len(f.clients))
			f.clientOf[c] = n
			f.clients = append(f.clients, c)
		}
		return n
	}
	guessedPlace, guessedAccount := make([]bool, len(f.ips.Text)), make([]bool, max(1, len(f.accounts.Text)))
	rowClient := make([]uint32, len(f.rows))
	last, lastNumber := client{}, noClient
	for i := range f.rows {
		r := &f.rows[i]
		rowClient[i] = noClient
		if r.kind != SessionAccepted {
			if c := (client{r.agent, r.protocol, r.grant}); c != last || lastNumber == noClient {
				last, lastNumber = c, number(r)
			}
			rowClient[i] = lastNumber
		}
		if r.kind.failure() {
			guessedPlace[f.placeOf[r.ip]] = true
			guessedAccount[r.account] = true
			f.order = append(f.order, int32(i))
		}
	}
	slices.SortFunc(f.order, func(a, b int32) int {
		x, y := &f.rows[a], &f.rows[b]
		if p, q := f.placeOf[x.ip], f.placeOf[y.ip]; p != q { // not all with cmp.Or, which compares everything
			return cmp.Compare(p, q)
		}
		if x.account != y.account {
			return cmp.Compare(x.account, y.account)
		}
		if rowClient[a] != rowClient[b] {
			return cmp.Compare(rowClient[a], rowClient[b])
		}
		return cmp.Or(cmp.Compare(x.hour, y.hour), cmp.Compare(x.first, y.first))
	})
	hour := uint32(0)
	for n, i := range f.order {
		r := &f.rows[i]
		place := f.placeOf[r.ip]
		k := len(f.tries) - 1
		if k < 0 || f.tries[k].place != place || f.tries[k].account != r.account || f.tries[k].client != rowClient[i] {
			f.tries = append(f.tries, try{place: place, account: r.account, client: rowClient[i], ip: r.ip, first: r.first, last: r.last, row: n})
			hour = ^uint32(0)
			k++
		}
		t := &f.tries[k]
		t.rows++
		t.first, t.last = min(t.first, r.first), max(t.last, r.last)
		if r.hour != hour {
			t.hours++
			hour = r.hour
		}
		switch r.kind {
		case WrongPassword:
			t.wrong += r.count
		case UnknownName:
			t.unknown += r.count
		case LockedOut:
			t.locked += r.count
		case AddressBlocked:
			t.blocked += r.count
		default:
			t.weak += r.count
		}
		t.guesses = t.wrong + t.locked
	}

	for i := 0; i < len(f.tries); {
		k := i + 1
		for k < len(f.tries) && f.tries[k].place == f.tries[i].place && f.tries[k].account == f.tries[i].account {
			k++
		}
		for ; i < k; i++ {
			f.tries[i].changing = k-i >= 4 || i > 0 && f.tries[i-1].changing && f.tries[i-1].place == f.tries[i].place && f.tries[i-1].account == f.tries[i].account
		}
	}

	// Who was accepted where it matters.
	f.of = make(map[uint32][]entry)
	f.networks = make(map[uint32][]int)
	networkPairs := make([]uint64, 0, 256)
	guessedNetwork := make(map[uint32]bool)
	for ip := 1; ip < len(f.info); ip++ {
		if f.info[ip].network != 0 && guessedPlace[f.placeOf[ip]] {
			guessedNetwork[f.info[ip].network] = true
		}
	}
	seen := make([]bool, max(1, len(f.accounts.Text)))
	atGuessed, accepted := 0, 0
	for i := range f.rows {
		if r := &f.rows[i]; !r.kind.failure() {
			if guessedPlace[f.placeOf[r.ip]] {
				atGuessed++
			}
			if r.kind == Accepted {
				accepted++
			}
		}
	}
	f.entries, f.accepted = make([]entry, 0, atGuessed), make([]clientAccount, 0, accepted)
	for i := range f.rows {
		r := &f.rows[i]
		if r.kind.failure() {
			continue
		}
		place := f.placeOf[r.ip]
		en := entry{place, r.account, rowClient[i], r.ip, r.kind, r.count, r.first, r.last}
		if guessedPlace[place] {
			f.entries = append(f.entries, en)
		}
		if guessedAccount[r.account] {
			f.of[r.account] = append(f.of[r.account], en)
		}
		if r.kind == Accepted {
			f.accepted = append(f.accepted, clientAccount{rowClient[i], r.account, place})
		}
		if r.kind != PasswordStopped {
			if !seen[r.account] {
				seen[r.account] = true
				f.active++
			}
			if n := f.info[r.ip].network; n != 0 && guessedNetwork[n] {
				networkPairs = append(networkPairs, uint64(n)<<32|uint64(r.account))
			}
		}
	}
	slices.Sort(networkPairs)
	for _, p := range slices.Compact(networkPairs) {
		f.networks[uint32(p>>32)] = append(f.networks[uint32(p>>32)], int(uint32(p)))
	}
	slices.SortFunc(f.entries, func(a, b entry) int {
		if a.place != b.place {
			return cmp.Compare(a.place, b.place)
		}
		if a.account != b.account {
			return cmp.Compare(a.account, b.account)
		}
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.client, b.client), cmp.Compare(a.kind, b.kind))
	})
	slices.SortFunc(f.accepted, func(a, b clientAccount) int {
		if a.client != b.client {
			return cmp.Compare(a.client, b.client)
		}
		if a.account != b.account {
			return cmp.Compare(a.account, b.account)
		}
		return cmp.Compare(a.place, b.place)
	})
	f.accepted = slices.Compact(f.accepted)

	f.failing = make([]int, len(f.clients))
	for i := range f.tries {
		f.failing[f.tries[i].client]++
	}
	f.program, f.peculiar = make([]bool, len(f.clients)), make([]bool, len(f.clients))
	for i, c := range f.clients {
		agent := f.agents.At(c.agent)
		front := f.isFrontAgent(agent)
		f.program[i] = f.isProgram(uint32(i), c, agent) || front
		f.peculiar[i] = agent != "" && !front && len(agent) > len("Mozilla/5.0")
	}
	f.hostile = make(map[uint32]bool)

	// The devices of people: seen where their owner is accepted, or accepted
	// themselves at another place.
	f.ownPairs = make(map[[2]uint32]bool)
	for i := range f.tries {
		t := &f.tries[i]
		if f.atHome(t) {
			f.ownPairs[[2]uint32{t.account, t.client}] = true
		}
	}
	return true
}

// isProgram reports whether c is not what people sign in with by hand: a
// protocol with basic authentication, a password grant, or an agent that is no
// browser's and that hardly anybody is accepted with.
func (f *judging) isProgram(number uint32, c client, agent string) bool {
	switch {
	case c.grant:
		return true
	case c.protocol != Browser && c.protocol != MobileDesktop && c.protocol != UnknownProtocol && c.protocol != NoProtocol:
		return true
	case agent == "":
		return false
	case isBrowser(agent) && len(agent) > len("Mozilla/5.0")+2:
		return false
	}
	accepted := f.acceptedWith(number, 0, 1000)
	return accepted < 3 || f.failing[number] >= accepted // an attack that wins does not make its tool a popular one
}

// acceptedWith returns how many accounts are accepted with a client at other
// places than one, up to most.
func (f *judging) acceptedWith(client, place uint32, most int) int {
	i, _ := slices.BinarySearchFunc(f.accepted, client, func(a clientAccount, c uint32) int { return cmp.Compare(a.client, c) })
	n, last, any := 0, uint32(0), false
	for ; i < len(f.accepted) && f.accepted[i].client == client && n < most; i++ {
		a := f.accepted[i]
		if a.place == place || any && a.account == last {
			continue
		}
		n, last, any = n+1, a.account, true
	}
	return n
}

// entriesAt returns who was accepted at a place, by account.
func (f *judging) entriesAt(place uint32) []entry {
	i, _ := slices.BinarySearchFunc(f.entries, place, func(e entry, p uint32) int { return cmp.Compare(e.place, p) })
	k, _ := slices.BinarySearchFunc(f.entries[i:], place+1, func(e entry, p uint32) int { return cmp.Compare(e.place, p) })
	return f.entries[i : i+k]
}

// atHome reports whether the account of t was accepted at its place before, or
// since with another client or in a session. Where the client changes from
// guess to guess, another one says nothing, unless the account is accepted
// with it elsewhere too.
func (f *judging) atHome(t *try) bool {
	for _, en := range f.of[t.account] {
		if en.place != t.place || en.kind == PasswordStopped || en.first >= t.first && en.client == t.client {
			continue
		}
		if en.first < t.first-min(t.first, 600) || en.client == noClient || !t.changing || f.usesElsewhere(en.account, en.client, en.place) {
			return true
		}
	}
	return false
}

// own reports whether the client of t is a device of the account's owner, as
// far as that can be told.
func (f *judging) own(t *try) bool {
	if !f.program[t.client] || !f.peculiar[t.client] && t.hours < 3 {
		return false
	}
	if f.ownPairs[[2]uint32{t.account, t.client}] {
		return true
	}
	for _, en := range f.of[t.account] {
		if en.client == t.client && en.kind == Accepted && en.place != t.place && en.first < t.first {
			return true
		}
	}
	return false
}

// stale reports whether t looks like one password, sent again and again: many
// wrong ones and no lockout, or at the same rate for many hours. Smart lockout
// does not count a password that is repeated (Microsoft Entra smart lockout).
func (t *try) stale() bool {
	return t.locked == 0 && t.unknown == 0 && (t.guesses >= 20 || t.hours >= 10)
}

// A tally counts the accounts of a place, or of some clients at it.
type tallied struct {
	never     []uint32 // accounts that failed and were never accepted at the place
	fell      []uint32 // failed first, and were accepted with the same clients only
	only      int      // accepted with the clients, and never failed
	before    int      // of the accepted ones, those accepted before the first guess
	people    int      // accounts accepted at the place at all
	elsewise  int      // accounts accepted at the place, but not with the clients alone since the first guess
	unknown   int      // names among never that do not exist
	stale     int      // accounts left out because their password is stale
	program   bool     // most of the guesses come from programs, or foreign
	scripted  bool     // most of the guesses come from programs
	fast      bool
	even      bool
	minute    int // most accounts first guessed at within a minute
	first     uint32
	last      uint32
	locked    uint64
	blocked   uint64
	guesses   uint64
	clients   map[uint32]bool
	otherWays bool // somebody is accepted at the place with other clients, or in sessions
	foreign   bool // most come with clients that neither they nor others have elsewhere
}

// count tallies the tries at one place that are made with one of the clients,
// or with all if clients is nil.
func (f *judging) count(tries []try, entries []entry, clients map[uint32]bool) tallied {
	s := tallied{clients: clients, first: ^uint32(0)}
	in := func(c uint32) bool { return clients == nil || clients[c] }
	type person struct {
		failed, counted, unknown, stale  bool
		first                            uint32 // guess
		accepted, with, without, session bool
		firstIn, firstWith               uint32
	}
	people := make(map[uint32]*person)
	of := func(a uint32) *person {
		p := people[a]
		if p == nil {
			p = &person{first: ^uint32(0), firstIn: ^uint32(0), firstWith: ^uint32(0)}
			people[a] = p
		}
		return p
	}
	programs := 0
	total := 0
	strangers, known := 0, 0 // of the accounts that are accepted elsewhere
	for i := range tries {
		t := &tries[i]
		if !in(t.client) {
			continue
		}
		p := of(t.account)
		p.failed = true
		p.first = min(p.first, t.first)
		total++
		if f.program[t.client] {
			programs++
		}
		if total <= 200 && f.isElsewhere(t.account, t.place) {
			known++
			if f.acceptedWith(t.client, t.place, 3) < 3 && !f.usesElsewhere(t.account, t.client, t.place) {
				strangers++
			}
		}
		switch {
		case t.used, f.own(t):
		case t.nobody() && (t.hours >= 3 || t.unknown == 0): // a leaver's mailbox that is asked for again and again
		case t.all() == t.blocked && !f.program[t.client]: // says nothing about the account
		case f.program[t.client] && t.stale():
			p.stale = true
		default:
			p.counted = true
		}
		if p.counted {
			s.guesses += uint64(t.all())
			s.locked += uint64(t.locked)
			s.blocked += uint64(t.blocked)
			s.first, s.last = min(s.first, t.first), max(s.last, t.last)
			p.unknown = p.unknown || t.unknown > 0 && t.wrong == 0 && t.locked == 0
		}
	}
	s.foreign = known >= 4 && 10*strangers >= 7*known
	s.scripted = 2*programs > total
	s.program = s.scripted || s.foreign
	for _, en := range entries {
		p := of(en.account)
		p.accepted = true
		p.firstIn = min(p.firstIn, en.first)
		switch {
		case en.client == noClient:
			p.session = true
			s.otherWays = true
		case in(en.client):
			p.with = true
			p.firstWith = min(p.firstWith, en.first)
		default:
			p.without = true
			s.otherWays = true
		}
	}
	var starts, names, ins []uint32 // first guesses at accounts, at names that do not exist, and acceptances
	for a, p := range people {
		if p.accepted {
			s.people++
			if p.firstIn < s.first {
				s.before++
			}
			if p.without || p.session || p.firstIn < min(s.first, p.first) {
				s.elsewise++
			}
		}
		switch {
		case p.failed && !p.counted:
			if p.stale && !p.accepted {
				s.stale++
			}
		case p.failed && !p.accepted:
			s.never = append(s.never, a)
			if p.unknown {
				s.unknown++
				names = append(names, p.first)
			} else {
				starts = append(starts, p.first)
			}
		case p.failed && p.with && !p.without && !p.session && p.firstIn >= p.first:
			s.fell = append(s.fell, a)
			starts = append(starts, p.first)
		case !p.failed && p.with:
			s.only++
			ins = append(ins, p.firstWith)
		}
	}
	if s.stale > 9 { // so many are more likely guessed at
		for a, p := range people {
			if p.stale && !p.counted && !p.accepted {
				s.never = append(s.never, a)
				starts = append(starts, p.first)
			}
		}
		for i := range tries {
			if t := &tries[i]; in(t.client) && people[t.account].stale && !people[t.account].counted {
				s.first, s.last = min(s.first, t.first), max(s.last, t.last)
				s.guesses += uint64(t.all())
			}
		}
	}
	slices.Sort(starts)
	slices.Sort(ins)
	least := 4
	if s.people >= 10 && !s.program {
		least = 8
	}
	s.minute, s.fast = burst(starts, ins, least)
	all := append(starts, names...)
	slices.Sort(all)
	if n, fast := burst(all, ins, 8); n > s.minute { // one person may try several names
		s.minute, s.fast = n, s.fast || fast
	}
	s.even = evenGaps(all)
	return s
}

// burst returns the most of the sorted starts within a minute, and whether
// that is faster than people: where many people begin at once, others are
// accepted meanwhile, or in the next minutes.
func burst(starts, ins []uint32, least int) (n int, fast bool) {
	left := 0
	for right, t := range starts {
		for t-starts[left] >= 60 {
			left++
		}
		in := right - left + 1
		n = max(n, in)
		if in >= least {
			from, _ := slices.BinarySearch(ins, starts[left])
			to, _ := slices.BinarySearch(ins, t+300)
			fast = fast || in > 2*(to-from)
		}
	}
	return n, fast
}

// evenGaps reports whether the gaps between the sorted times are nearly the
// same.
func evenGaps(times []uint32) bool {
	if len(times) < 5 {
		return false
	}
	mean := float64(times[len(times)-1]-times[0]) / float64(len(times)-1)
	off := 0.0
	for i := 1; i < len(times); i++ {
		d := float64(times[i]-times[i-1]) - mean
		off += d * d
	}
	return mean > 0 && off/float64(len(times)-1) < 0.09*mean*mean
}

// attack reports whether s is a spray.
func (f *judging) attack(s *tallied) bool {
	n, least := len(s.never), f.p.Accounts
	if s.people >= 3 && !s.scripted { // where people work, one of them may mistype a name in several ways
		n -= s.unknown - s.unknown/4
	}
	failed := n
	if s.program || s.fast || s.elsewise == 0 && s.only == 0 && n > 3*len(s.fell) {
		failed += len(s.fell)
	}
	if failed < least { // one fewer will do at a place where nobody works, within half an hour
		return n == least-1 && n >= 4 && s.unknown < n && s.people <= 1 && s.elsewise == 0 && s.last-s.first <= 1800
	}
	if s.unknown >= n && !s.program && !s.fast {
		return n >= max(8, least) && n > 3*s.people
	}
	accepted := s.only + len(s.fell)
	switch {
	case s.program:
		return 2*n >= least && 3*n > s.only && (s.before < 3 || n > s.before)
	case s.fast:
		return 2*n >= least && n > s.only && (s.before < 3 || n > s.before)
	}
	if accepted < 3 {
		return n > accepted+2
	}
	return n > 3*accepted
}

// sprays finds the places from which many accounts are guessed at.
func (f *judging) sprays() {
	var finds []suspect
	for start := 0; start < len(f.tries); {
		end := start + 1
		for end < len(f.tries) && f.tries[end].place == f.tries[start].place {
			end++
		}
		tries := f.tries[start:end]
		start = end
		if distinct(tries) < max(2, f.p.Accounts-1) {
			continue
		}
		entries := f.entriesAt(tries[0].place)
		if s := f.count(tries, entries, nil); f.attack(&s) {
			clients := make(map[uint32]bool)
			for i := range tries {
				if !f.own(&tries[i]) {
					clients[tries[i].client] = true
				}
			}
			f.addRandom(tries, entries, clients)
			finds = append(finds, suspect{tries, entries, f.count(tries, entries, clients)})
			continue
		}
		// By client, and all clients together that only one or two accounts use.
		byClient := make(map[uint32]int)
		for i := range tries {
			byClient[tries[i].client]++
		}
		hostile, rare := make(map[uint32]bool), make(map[uint32]bool)
		for c, n := range byClient {
			if n <= 2 {
				rare[c] = true
			} else if s := f.count(tries, entries, map[uint32]bool{c: true}); f.attack(&s) {
				hostile[c] = true
			}
		}
		if len(rare) > 2 {
			for _, en := range entries { // accepted with a client that nobody fails with
				if en.client != noClient && byClient[en.client] == 0 && !f.program[en.client] {
					rare[en.client] = true
				}
			}
			if s := f.count(tries, entries, rare); f.attack(&s) && s.people < len(s.never) {
				for c := range rare {
					hostile[c] = true
				}
			}
		}
		if len(hostile) > 0 {
			f.addRandom(tries, entries, hostile)
			finds = append(finds, suspect{tries, entries, f.count(tries, entries, hostile)})
		}
	}
	for _, found := range finds {
		f.hostile[found.tries[0].place] = true
	}
	for _, found := range f.unite(finds) {
		f.reportSpray(found)
	}
}

// A suspect is a place from which many accounts are guessed at.
type suspect struct {
	tries   []try
	entries []entry
	tallied
}

// unite reports those of finds that are parts of one attack from many places,
// and returns the others. Parts go on at the same time, and have a tool in
// common, or a network in which hardly anybody works.
func (f *judging) unite(finds []suspect) []suspect {
	slices.SortStableFunc(finds, func(a, b suspect) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	common := func(least int, key func(*try) uint32, usable func(key uint32, accounts int) bool, attack func(uint32) Attack) {
		type run struct {
			places      int
			first, last uint32
		}
		runs := make(map[uint32][]run)
		for i := range finds {
			seen := make(map[uint32]bool)
			for k := range finds[i].tries {
				t := &finds[i].tries[k]
				key := key(t)
				if key == 0 || seen[key] || !finds[i].clients[t.client] || t.used {
					continue
				}
				seen[key] = true
				all := runs[key]
				if n := len(all) - 1; n >= 0 && finds[i].first <= all[n].last+600 {
					all[n].places++
					all[n].last = max(all[n].last, finds[i].last)
				} else {
					runs[key] = append(all, run{1, finds[i].first, finds[i].last})
				}
			}
		}
		keys := make([]uint32, 0, len(runs))
		for k := range runs {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b uint32) int {
			x, y := attack(a), attack(b)
			return cmp.Or(strings.Compare(x.Agent, y.Agent), cmp.Compare(x.Network, y.Network))
		})
		for _, k := range keys {
			for _, r := range runs[k] {
				if r.places < least {
					continue
				}
				slack := 3600 + (r.last-r.first)/4
				var group []*try
				accounts := make(map[uint32]bool)
				for i := range f.tries {
					if t := &f.tries[i]; !t.used && key(t) == k && !f.own(t) && t.first+slack >= r.first && t.last <= r.last+slack {
						group = append(group, t)
						accounts[t.account] = true
					}
				}
				if len(group) > 0 && usable(k, len(accounts)) {
					f.reportDistributed(attack(k), group)
				}
			}
		}
	}
	common(2, func(t *try) uint32 { return f.clients[t.client].agent },
		func(k uint32, _ int) bool {
			for c, i := range f.clientOf {
				if c.agent == k && (!f.program[i] || !f.peculiar[i] && len(f.agents.At(k)) != len("Mozilla/5.0")) {
					return false
				}
			}
			return true
		},
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Agent: f.agents.At(k)} })
	common(3, func(t *try) uint32 { return f.info[t.ip].network },
		func(k uint32, accounts int) bool { return accounts > 2*len(f.networks[k]) },
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Network: k} })
	return slices.DeleteFunc(finds, func(x suspect) bool {
		for i := range x.tries {
			if t := &x.tries[i]; !t.used && x.clients[t.client] && !f.own(t) {
				return false
			}
		}
		return true
	})
}

// addRandom adds to the clients of an attack those with which somebody was
// accepted at its place, if it changes its agent from guess to guess, and the
// account is accepted with that client nowhere else.
func (f *judging) addRandom(tries []try, entries []entry, clients map[uint32]bool) {
	guesses, used := 0, make(map[uint32]bool)
	for i := range tries {
		if t := &tries[i]; clients[t.client] {
			guesses++
			used[t.client] = true
		}
	}
	if len(used) < 4 || 3*len(used) < guesses {
		return
	}
	for _, en := range entries {
		if en.client != noClient && !f.usesElsewhere(en.account, en.client, en.place) {
			clients[en.client] = true
		}
	}
}

func distinct(tries []try) (n int) {
	for i := range tries {
		if i == 0 || tries[i].account != tries[i-1].account {
			n++
		}
	}
	return n
}

func (f *judging) reportSpray(found suspect) {
	var guessed []*try
	for i := range found.tries {
		if t := &found.tries[i]; found.clients[t.client] && !t.used && !f.own(t) {
			guessed = append(guessed, t)
		}
	}
	f.report(Attack{Kind: PasswordSpray}, guessed, found.entries, &found.tallied)
}

// report notes the attack a that consists of the tries guessed, and finds out
// who fell to it among entries.
func (f *judging) report(a Attack, guessed []*try, entries []entry, s *tallied) {
	failed, ips, clients, places := make(map[uint32]uint32), make(map[uint32]bool), make(map[uint32]bool), make(map[uint32]bool)
	var protocols [OtherLegacy + 1]int64
	first, last := ^uint32(0), uint32(0)
	var locked, blocked uint64
	var unknown int
	named := make(map[uint32]bool)
	for _, t := range guessed {
		t.used = true
		if old, ok := failed[t.account]; !ok || t.first < old {
			failed[t.account] = t.first
		}
		places[t.place] = true
		clients[t.client] = true
		for _, i := range f.order[t.row : t.row+t.rows] {
			ips[f.rows[i].ip] = true
		}
		protocols[f.clients[t.client].protocol] += int64(t.all())
		a.Attempts += int64(t.all())
		first, last = min(first, t.first), max(last, t.last)
		locked, blocked = locked+uint64(t.locked), blocked+uint64(t.blocked)
		if t.unknown > 0 && t.wrong == 0 && t.locked == 0 && !named[t.account] {
			named[t.account] = true
			unknown++
		}
	}
	for c := range s.clients { // also those of an attack that nobody failed with
		clients[c] = true
	}
	for p, n := range protocols {
		if n > protocols[a.Protocol] {
			a.Protocol = Protocol(p)
		}
	}
	fallen := f.fallen
	if a.Kind == DistributedSpray {
		fallen = f.fallenAnywhere
	}
	compromised, known := fallen(&a, guessed, failed, clients, entries, first, last, s)

	anyone := make(map[uint32]bool)
	for account := range failed {
		anyone[account] = true
	}
	for _, fallen := range []map[uint32]bool{compromised, known} {
		for account := range fallen {
			anyone[account] = true
		}
	}
	for account := range compromised {
		delete(known, account)
	}
	a.Start, a.End = time.Unix(int64(first), 0).UTC(), time.Unix(int64(last), 0).UTC()
	a.DistinctAccounts, a.Addresses, a.FailedAccounts = len(anyone), len(ips), len(failed)
	if _, ok := failed[0]; ok {
		a.FailedAccounts--
	}
	if a.Kind == PasswordSpray && len(ips) >= f.p.DistributedAddresses { // of one IPv6 network
		a.Kind = DistributedSpray
	}
	a.Accounts, a.IPs = firstOf(&f.accounts, failed), firstOf(&f.ips, ips)
	a.Compromised, a.PasswordKnownButStopped = listed(&f.accounts, compromised), listed(&f.accounts, known)
	if len(ips) == 1 { // otherwise it has no one country
		a.IP, a.IPs = a.IPs[0], nil
		for ip := range ips {
			a.Country = f.info[ip].country
		}
	}

	// What speaks for it.
	ev := &a.Evidence
	ev.NeverAccepted, ev.AcceptedElsewise, ev.UnknownNames = len(s.never), s.elsewise, unknown
	ev.Lockouts, ev.Blocked, ev.MostInAMinute, ev.PlacesWithGuesses = int64(locked), int64(blocked), s.minute, len(places)
	programs, rare := 0, 0
	for c := range clients {
		n := f.acceptedWith(c, guessed[0].place, 1000)
		ev.AcceptedByClient = max(ev.AcceptedByClient, n)
		if f.program[c] {
			programs++
		}
		if n == 0 {
			rare++
		}
	}
	points := 0
	sign := func(yes bool, sg Sign, weight int) {
		if yes {
			ev.Decided = append(ev.Decided, sg)
			points += weight
		}
	}
	sign(a.Kind != BruteForce && len(s.never) >= 3, NeverAcceptedYet, min(len(failed)/5, 2))
	sign(s.elsewise == 0, StrangePlace, 1)
	sign(s.fast, MachineSpeed, 2)
	sign(s.even, EvenGaps, 1)
	sign(rare == len(clients) && f.active > 0, RareClient, 1)
	sign(2*programs > len(clients), ProgramClient, 1)
	sign(unknown > 0 && unknown < len(failed), NamesUnknown, 1)
	sign(locked > 0, Lockouts, 1)
	sign(blocked > 0, BlockedByAddress, 1)
	sign(len(places) > 1, ManyPlaces, 1)
	sign(a.Agent != "", ClientInCommon, 1)
	sign(a.Network != 0, NetworkInCommon, 1)
	sign(last-first > 6*3600, SlowAndLong, 0)
	if ev.Decided == nil {
		ev.Decided = []Sign{}
	}
	switch {
	case points >= 5:
		a.Confidence = High
	case points >= 3:
		a.Confidence = Medium
	default:
		a.Confidence = Low
	}
	got := len(a.Compromised) + len(a.PasswordKnownButStopped)
	switch once := a.Attempts <= int64(len(failed))*3/2; {
	case a.Kind == BruteForce:
		a.Technique = PasswordGuessing
	case 2*unknown > len(failed):
		a.Technique = AccountEnumeration
	case once && len(failed) >= 8 && (10*got >= len(failed) || 10*unknown >= len(failed) && len(places) > 1):
		a.Technique = CredentialStuffing
	default:
		a.Technique = PasswordSpraying
	}
	f.judgement.Attacks = append(f.judgement.Attacks, a)
}

// fallen returns the accounts that an attack got into, and those whose
// password it knows. An account of which it is only possible goes to the
// notes: where people work, or with a client that people use, the sign-in may
// be its owner's.
func (f *judging) fallen(a *Attack, guessed []*try, failed map[uint32]uint32, clients map[uint32]bool, entries []entry, first, last uint32, s *tallied) (compromised, known map[uint32]bool) {
	compromised, known = make(map[uint32]bool), make(map[uint32]bool)
	after := uint32(min(f.p.After/time.Second, 1<<30))
	// The first guesses may have been right: as many gaps before as that takes.
	slack := 600 + 4*(last-first)/uint32(max(1, len(failed)))
	resident, history, stranger := make(map[uint32]bool), make(map[uint32]bool), make(map[uint32]bool)
	for _, en := range entries {
		if en.client == noClient || !clients[en.client] {
			resident[en.account] = true
		} else if en.first+slack < first {
			history[en.account] = true
		}
		if en.first > last && en.first-last > after || en.first+slack < first {
			stranger[en.account] = true
		}
	}
	exclusive := len(resident) == 0 && len(history) == 0 && len(stranger) == 0
	rare := make(map[uint32]bool)
	for c := range clients {
		rare[c] = f.acceptedWith(c, guessed[0].place, 2) == 0
	}
	for _, en := range entries {
		if en.client == noClient || !clients[en.client] || en.account == 0 || history[en.account] ||
			a.Kind == BruteForce && !hasKey(failed, en.account) {
			continue
		}
		guessAt, wasGuessed := failed[en.account]
		late := en.first > last && en.first-last > after
		during := en.first+slack >= first && (en.first <= last || en.first-last <= 3600)
		elsewhere := f.usesElsewhere(en.account, en.client, en.place)
		var sure bool
		switch {
		case late:
		case rare[en.client] && f.program[en.client] && len(history) == 0:
			sure = true
		case exclusive:
			sure = true
		case len(history) > 0 && !(wasGuessed && guessAt <= en.first && during && !elsewhere):
		case f.program[en.client]:
			sure = during && !resident[en.account] && (wasGuessed && guessAt <= en.first || len(resident) < 3 && !elsewhere)
		default:
			sure = during && !resident[en.account] && !elsewhere && wasGuessed && guessAt <= en.first && (s.fast || rare[en.client])
		}
		switch {
		case !sure:
			f.note(&f.judgement.Possible, en.account, en.ip, en.client, int64(en.count), en.first, en.last)
		case en.kind == Accepted:
			compromised[en.account] = true
		case en.kind == PasswordStopped:
			known[en.account] = true
		}
	}
	return compromised, known
}

// fallenAnywhere is fallen for an attack from many places. What its client or
// its network has in common with nobody before is the attack's, wherever it
// was accepted. With a client that people have, at a place that was used once,
// nothing can be told.
func (f *judging) fallenAnywhere(a *Attack, guessed []*try, failed map[uint32]uint32, clients map[uint32]bool, _ []entry, first, last uint32, _ *tallied) (compromised, known map[uint32]bool) {
	compromised, known = make(map[uint32]bool), make(map[uint32]bool)
	after := uint32(min(f.p.After/time.Second, 1<<30))
	slack := 600 + 4*(last-first)/uint32(max(1, len(failed)))
	var found []*row
	exclusive := true
	for i := range f.rows {
		r := &f.rows[i]
		if r.kind.failure() || r.account == 0 {
			continue
		}
		switch {
		case a.Agent != "":
			if r.kind == SessionAccepted || !clients[f.clientOf[client{r.agent, r.protocol, r.grant}]] {
				continue
			}
		case a.Network != 0:
			if f.info[r.ip].network != a.Network {
				continue
			}
		default:
			if !f.hostile[f.placeOf[r.ip]] || r.kind == SessionAccepted || !clients[f.clientOf[client{r.agent, r.protocol, r.grant}]] {
				continue
			}
			exclusive = false
		}
		if r.kind == SessionAccepted || r.first+slack < first || r.first > last && r.first-last > after {
			exclusive = false
			continue
		}
		found = append(found, r)
	}
	type home struct{ place, account uint32 }
	resident := make(map[home]bool)
	if len(found) > 0 {
		for _, r := range found {
			resident[home{f.placeOf[r.ip], r.account}] = false
		}
		for i := range f.rows {
			r := &f.rows[i]
			h := home{f.placeOf[r.ip], r.account}
			if _, ok := resident[h]; ok && !r.kind.failure() && r.kind != PasswordStopped &&
				(r.kind == SessionAccepted || a.Agent != "" && !clients[f.clientOf[client{r.agent, r.protocol, r.grant}]]) {
				resident[h] = true
			}
		}
	}
	for _, r := range found {
		c := f.clientOf[client{r.agent, r.protocol, r.grant}]
		switch {
		case !exclusive, a.Agent != "" && !f.program[c], resident[home{f.placeOf[r.ip], r.account}]:
			f.note(&f.judgement.Possible, r.account, r.ip, c, int64(r.count), r.first, r.last)
		case r.kind == Accepted:
			compromised[r.account] = true
		default:
			known[r.account] = true
		}
	}
	return compromised, known
}

func hasKey(m map[uint32]uint32, k uint32) bool { _, ok := m[k]; return ok }

// isElsewhere reports whether an account is accepted at another place.
func (f *judging) isElsewhere(account, place uint32) bool {
	for _, en := range f.of[account] {
		if en.place != place && en.kind == Accepted {
			return true
		}
	}
	return false
}

// usesElsewhere reports whether an account is accepted with a client at
// another place, where no attack is.
func (f *judging) usesElsewhere(account, client, place uint32) bool {
	i, _ := slices.BinarySearchFunc(f.accepted, clientAccount{client, account, 0}, func(a, b clientAccount) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.account, b.account), cmp.Compare(a.place, b.place))
	})
	for ; i < len(f.accepted) && f.accepted[i].client == client && f.accepted[i].account == account; i++ {
		if f.accepted[i].place != place && !f.hostile[f.accepted[i].place] {
			return true
		}
	}
	return false
}

func (f *judging) note(n *Notes, account, ip, client uint32, count int64, first, last uint32) {
	c := f.clients[client]
	n.List = append(n.List, Note{f.accounts.At(account), f.ips.At(ip), c.protocol, f.agents.At(c.agent), count,
		time.Unix(int64(first), 0).UTC(), time.Unix(int64(last), 0).UTC()})
}

// bruteForce finds the accounts at which many passwords are tried from places
// that are not their owner's.
func (f *judging) bruteForce() {
	byAccount := make(map[uint32][]int)
	for i := range f.tries {
		t := &f.tries[i]
		if t.used || t.account == 0 || t.guesses == 0 || f.own(t) {
			continue
		}
		if early := f.acceptedBefore(t); early && !f.program[t.client] || f.atHome(t) && (t.locked == 0 || early) {
			continue
		}
		byAccount[t.account] = append(byAccount[t.account], i)
	}
	accounts := make([]uint32, 0, len(byAccount))
	for a := range byAccount {
		accounts = append(accounts, a)
	}
	slices.Sort(accounts)
	for _, account := range accounts {
		var programs, people []*try
		for _, i := range byAccount[account] {
			if t := &f.tries[i]; f.program[t.client] || t.changing { // people do not change their browser from try to try
				programs = append(programs, t)
			} else {
				people = append(people, t)
			}
		}
		all := append(slices.Clone(programs), people...)
		if a, b := f.guessedInRuns(account, programs, true), f.guessedInRuns(account, people, false); a || b {
			continue
		}
		if len(programs) > 0 && len(people) > 0 && f.guessing(all, false) {
			f.reportBruteForce(account, all)
		}
	}
}

// guessedInRuns reports the attacks on account in tries, each of which ends
// with an hour of rest, and whether there is one. If only all of them together
// are an attack, it is one.
func (f *judging) guessedInRuns(account uint32, tries []*try, program bool) (found bool) {
	slices.SortFunc(tries, func(a, b *try) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	last := uint32(0)
	for start, i := 0, 0; i <= len(tries); i++ {
		if i < len(tries) && (i == start || tries[i].first <= last+3600) {
			last = max(last*min(1, uint32(i-start)), tries[i].last)
			continue
		}
		if i > start && f.guessing(tries[start:i], program) {
			f.reportBruteForce(account, tries[start:i])
			found = true
		}
		if start = i; i < len(tries) {
			last = tries[i].last
		}
	}
	if !found && f.guessing(tries, program) {
		f.reportBruteForce(account, tries)
		found = true
	}
	return found
}

// acceptedBefore reports whether the account of t was accepted at its place
// before.
func (f *judging) acceptedBefore(t *try) bool {
	for _, en := range f.of[t.account] {
		if en.place == t.place && en.kind != PasswordStopped && en.first < t.first {
			return true
		}
	}
	return false
}

// guessing reports whether tries, all at one account, are so many and so fast
// that neither a person nor a device with a stale password makes them.
func (f *judging) guessing(tries []*try, program bool) bool {
	if len(tries) == 0 {
		return false
	}
	type hourly struct{ count, first, last uint32 }
	hours := make(map[uint32]hourly)
	var total, locked, active uint32
	strange, fast := true, false
	accepted := false
	places := make(map[uint32]bool)
	for _, t := range tries {
		total, locked = total+t.guesses, locked+t.locked
		places[t.place] = true
		for _, en := range f.entriesAt(t.place) {
			if en.account != t.account {
				strange = false
			} else if en.kind == Accepted {
				accepted = true
			}
		}
		for _, i := range f.order[t.row : t.row+t.rows] {
			r := &f.rows[i]
			if r.kind != WrongPassword && r.kind != LockedOut {
				continue
			}
			h, ok := hours[r.hour]
			if !ok {
				h.first = r.first
			}
			h.count += r.count
			h.first, h.last = min(h.first, r.first), max(h.last, r.last)
			hours[r.hour] = h
		}
	}
	active = uint32(len(hours))
	ten, most, least := uint32(0), uint32(0), ^uint32(0) // guesses in ten minutes of the busiest hour
	for _, h := range hours {
		n := h.count
		if d := h.last - h.first; d > 600 {
			n = h.count * 600 / d
		}
		ten = max(ten, n)
		most, least = max(most, h.count), min(least, h.count)
		fast = fast || h.count >= 10 && h.last-h.first <= 3*h.count
	}
	attempts := uint32(f.p.Attempts)
	if !program {
		switch {
		case fast && total >= attempts:
			return true
		case accepted && len(places) == 1: // who was let in there in the end has remembered the password
			return ten >= 5*attempts || total >= 6*attempts || strange && locked >= 3 && ten >= 3*attempts
		}
		return strange && (ten >= 3*attempts || total >= 5*attempts || total >= 20 && len(places) >= 3) || locked > 0 && total >= 6*attempts
	}
	even := locked == 0 && active >= 12 && most <= 2*max(least, most/3+1) // as a device asks
	switch {
	case fast && total >= attempts:
		return true
	case ten >= attempts && (locked > 0 || strange) && !even:
		return true
	case locked >= 2 && total >= attempts+attempts/2:
		return true
	case strange && !even && total >= 3*attempts && total >= 8*active:
		return true
	}
	return len(places) >= 3 && total >= 20
}

func (f *judging) reportBruteForce(account uint32, tries []*try) {
	var entries []entry
	seen := make(map[uint32]bool)
	s := tallied{}
	var rate uint32
	for _, t := range tries {
		if !seen[t.place] {
			seen[t.place] = true
			for _, en := range f.entriesAt(t.place) {
				if en.account == account {
					entries = append(entries, en)
				} else {
					s.elsewise++
				}
			}
		}
		for _, i := range f.order[t.row : t.row+t.rows] {
			if r := &f.rows[i]; r.kind == WrongPassword || r.kind == LockedOut {
				n := r.count
				if d := r.last - r.first; d > 60 {
					n = r.count * 60 / d
				}
				rate = max(rate, n)
			}
		}
	}
	if len(entries) == 0 {
		s.never = []uint32{account}
	}
	s.minute, s.fast = int(rate), rate >= 15
	clients, used := make(map[uint32]bool), 0
	for _, t := range tries {
		clients[t.client] = true
	}
	if used = len(clients); used >= 4 && 3*used >= len(tries) {
		for _, en := range entries {
			if en.client != noClient && !f.usesElsewhere(account, en.client, en.place) {
				clients[en.client] = true
			}
		}
	}
	s.clients = clients
	f.report(Attack{Kind: BruteForce}, tries, entries, &s)
}

// distributed finds sprays from many places, each of which guesses too little.
func (f *judging) distributed() {
	// Places at which nobody works: nobody was accepted before the first guess,
	// and afterwards nobody who was not guessed at.
	var pool []*try
	for start := 0; start < len(f.tries); {
		end := start + 1
		for end < len(f.tries) && f.tries[end].place == f.tries[start].place {
			end++
		}
		tries := f.tries[start:end]
		start = end
		entries := f.entriesAt(tries[0].place)
		for i := range tries {
			t := &tries[i]
			if t.used || f.own(t) || t.hours >= 4 || t.guesses >= 20 || t.nobody() && t.unknown == 0 || f.isAround(t, entries) {
				continue
			}
			pool = append(pool, t)
		}
	}
	if len(pool) < min(f.p.DistributedAccounts, f.p.DistributedAddresses) {
		return
	}
	f.grouped(pool, func(t *try) uint32 { return f.clients[t.client].agent },
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Agent: f.agents.At(k)} },
		func(k uint32) int { return f.acceptedWithAgent(k) })
	f.grouped(pool, func(t *try) uint32 { return f.info[t.ip].network },
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Network: k} },
		func(k uint32) int { return len(f.networks[k]) })
	f.ungrouped(pool)
}

// isAround reports whether people are at the place of t: somebody was accepted
// there who is not explained by an attack with the client of t.
func (f *judging) isAround(t *try, entries []entry) bool {
	for _, en := range entries {
		if en.kind == PasswordStopped && en.client == t.client {
			continue
		}
		if en.client != t.client || en.first < t.first || !f.program[t.client] && f.acceptedWith(t.client, t.place, 3) >= 3 {
			return true
		}
	}
	return false
}

func (f *judging) acceptedWithAgent(agent uint32) (n int) {
	for c, i := range f.clientOf {
		if c.agent == agent {
			n += f.acceptedWith(i, 0, 100_000)
		}
	}
	return n
}

// grouped looks for sprays in the tries of pool that have the same key.
func (f *judging) grouped(pool []*try, key func(*try) uint32, attack func(uint32) Attack, accepted func(uint32) int) {
	groups := make(map[uint32][]*try)
	for _, t := range pool {
		if k := key(t); k != 0 && !t.used {
			groups[k] = append(groups[k], t)
		}
	}
	keys := make([]uint32, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	a := func(k uint32) string { x := attack(k); return x.Agent }
	slices.SortFunc(keys, func(x, y uint32) int { return cmp.Or(strings.Compare(a(x), a(y)), cmp.Compare(x, y)) })
	for _, k := range keys {
		group := groups[k]
		accounts, places, _ := sizes(group)
		if accounts < f.p.DistributedAccounts || places < f.p.DistributedAddresses {
			continue
		}
		if n := accepted(k); accounts > 2*n {
			f.reportDistributed(attack(k), group)
		} else if accounts > n/2 {
			f.judgement.Unexplained += accounts
		}
	}
}

func sizes(tries []*try) (accounts, places, unknown int) {
	a, p := make(map[uint32]bool), make(map[uint32]bool)
	for _, t := range tries {
		if !a[t.account] && t.unknown > 0 && t.wrong == 0 {
			unknown++
		}
		a[t.account], p[t.place] = true, true
	}
	return len(a), len(p), unknown
}

// counts count by number. Of what is there no more, they hold nothing.
type counts map[uint32]int

func (c counts) drop(n uint32) {
	if c[n]--; c[n] == 0 {
		delete(c, n)
	}
}

// ungrouped looks for a spray that has nothing in common but that it comes from
// places at which nobody works: a tenant has few of those a day.
func (f *judging) ungrouped(pool []*try) {
	var left []*try
	for _, t := range pool {
		if !t.used {
			left = append(left, t)
		}
	}
	slices.SortFunc(left, func(a, b *try) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	accounts, places := 2*f.p.DistributedAccounts, 2*f.p.DistributedAddresses
	accounts = max(accounts, f.active/100)
	from, to := -1, -1
	inDay := struct{ accounts, places counts }{make(counts), make(counts)} // of left[i:j+1]
	for i, j := 0, 0; j < len(left); j++ {
		inDay.accounts[left[j].account]++
		inDay.places[left[j].place]++
		for ; left[j].first-left[i].first > 24*3600; i++ {
			inDay.accounts.drop(left[i].account)
			inDay.places.drop(left[i].place)
		}
		if len(inDay.accounts) >= accounts && len(inDay.places) >= places {
			if from < 0 {
				from = i
			}
			to = j
		}
	}
	if from >= 0 {
		f.reportDistributed(Attack{Kind: DistributedSpray}, left[from:to+1])
	} else if a, p, _ := sizes(left); a >= accounts/2 && p >= places/2 {
		f.judgement.Unexplained += a
	}
}

func (f *judging) reportDistributed(a Attack, group []*try) {
	slices.SortFunc(group, func(a, b *try) int { return cmp.Compare(a.first, b.first) })
	var entries []entry
	s := tallied{}
	seen := make(map[uint32]bool)
	accounts := make(map[uint32]bool)
	var starts []uint32
	clients := make(map[uint32]bool)
	for _, t := range group {
		clients[t.client] = true
		if !accounts[t.account] {
			accounts[t.account] = true
			s.never = append(s.never, t.account)
			starts = append(starts, t.first)
		}
		if !seen[t.place] {
			seen[t.place] = true
			f.hostile[t.place] = true
			entries = append(entries, f.entriesAt(t.place)...)
		}
	}
	slices.Sort(starts)
	s.minute, s.fast = burst(starts, nil, 8)
	s.even = evenGaps(starts)
	f.report(a, group, entries, &s)
}

// rest notes what is no attack and worth telling, and counts what cannot be
// told.
func (f *judging) rest() {
	j := &f.judgement
	places := make(map[uint32]map[uint32]bool)
	for i := range f.tries {
		t := &f.tries[i]
		if t.used {
			continue
		}
		home := f.atHome(t)
		switch program := f.program[t.client]; {
		case t.account != 0 && program && t.guesses >= 10, t.account != 0 && program && t.guesses > 2 && (home || f.own(t)):
			f.note(&j.StaleDevices, t.account, t.ip, t.client, int64(t.all()), t.first, t.last)
			if t.guesses >= 10 && !home && !f.own(t) && !(t.stale() && t.hours >= 10) {
				j.Unexplained++
			}
		case t.account != 0 && !program && (t.guesses >= 5 || t.locked > 0):
			f.note(&j.Forgot, t.account, t.ip, t.client, int64(t.all()), t.first, t.last)
			if t.guesses >= uint32(f.p.Attempts+f.p.Attempts/2) && !home {
				j.Unexplained++
			}
		case !home && !f.own(t) && t.unknown == 0 && t.wrong > 0:
			if places[t.place] == nil {
				places[t.place] = make(map[uint32]bool)
			}
			places[t.place][t.account] = true
		}
	}
	for place, accounts := range places { // who was accepted there may have fallen to the guesses, or work there
		accepted := f.acceptedAt(place)
		if len(accounts) >= max(2, f.p.Accounts-2)+min(accepted, 1) && len(accounts) >= 2*accepted {
			j.Unexplained += len(accounts)
		}
	}
}

// acceptedAt returns how many accounts are accepted at a place.
func (f *judging) acceptedAt(place uint32) int {
	accounts := make(map[uint32]bool)
	for _, en := range f.entriesAt(place) {
		accounts[en.account] = true
	}
	return len(accounts)
}

// firstOf returns the first of the texts in lexical order, as many as an
// attack lists; "" is none of them.
func firstOf[V any](n *intern.Texts, numbers map[uint32]V) []string {
	texts := make([]string, 0, len(numbers))
	for i := range numbers {
		if text := n.At(i); text != "" {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return slices.Clip(texts[:min(len(texts), maxListed)])
}

// listed returns the texts, sorted.
func listed(n *intern.Texts, numbers map[uint32]bool) []string {
	texts := []string{}
	for i := range numbers {
		texts = append(texts, n.At(i))
	}
	slices.Sort(texts)
	return texts
}
