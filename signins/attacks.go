package signins

import (
	"cmp"
	"slices"
	"time"
)

// A search looks for attacks in evidence.
type search struct {
	*evidence
	p       Spray
	used    []bool              // cells that belong to an attack already
	let     map[[2]uint32]int32 // minute in which an account was first accepted at an address
	byIP    map[uint32][]int32  // cells that were accepted at an address, by index
	own     map[uint32]bool     // addresses at which more people are let in than guessed at
	attacks []Attack

	// Made once, since there are many groups: what is in a window, and who has
	// a part in an attack.
	accountsIn, ipsIn, friendsIn                        multiset
	failed, ipsOf, agentsOf, compromised, known, anyone set
}

// A multiset counts small numbers.
type multiset struct {
	count    []int32
	members  []uint32 // all that were ever in it since the last reset
	distinct int
}

func (m *multiset) add(i uint32) {
	for int(i) >= len(m.count) {
		m.count = append(m.count, make([]int32, max(64, len(m.count), int(i)+1-len(m.count)))...)
	}
	if m.count[i] == 0 {
		m.distinct++
		m.members = append(m.members, i)
	}
	m.count[i]++
}

func (m *multiset) remove(i uint32) {
	if m.count[i]--; m.count[i] == 0 {
		m.distinct--
	}
}

func (m *multiset) reset() {
	for _, i := range m.members {
		m.count[i] = 0
	}
	m.members, m.distinct = m.members[:0], 0
}

// A set holds small numbers, in the order in which they came.
type set struct {
	in      []bool
	members []uint32
}

func (s *set) add(i uint32) {
	for int(i) >= len(s.in) {
		s.in = append(s.in, make([]bool, max(64, len(s.in), int(i)+1-len(s.in)))...)
	}
	if !s.in[i] {
		s.in[i] = true
		s.members = append(s.members, i)
	}
}

func (s *set) has(i uint32) bool { return int(i) < len(s.in) && s.in[i] }

func (s *set) reset() {
	for _, i := range s.members {
		s.in[i] = false
	}
	s.members = s.members[:0]
}

// attacks finds the attacks in the cells of e. First the sprays of one
// address, then brute force on one account, then distributed sprays, each in
// what the ones before it left over.
func (e *evidence) attacks() []Attack {
	f := search{evidence: e, p: e.settings.orDefault(), used: make([]bool, len(e.cells)), let: make(map[[2]uint32]int32)}
	var guesses []int32
	for i, c := range e.cells {
		if c.kind == guessed {
			guesses = append(guesses, int32(i))
		}
	}
	if len(guesses) == 0 {
		return nil
	}
	byTime := func(a, b int32) int { return cmp.Compare(e.cells[a].minute, e.cells[b].minute) }
	if !slices.IsSortedFunc(guesses, byTime) { // most logs are sorted
		slices.SortFunc(guesses, byTime)
	}
	guessedAt := make(map[uint32]bool) // addresses
	for _, i := range guesses {
		guessedAt[e.cells[i].ip] = true
	}
	f.byIP = make(map[uint32][]int32)
	for i, c := range e.cells {
		if c.kind.accepted() && guessedAt[c.ip] {
			pair := [2]uint32{c.ip, c.account}
			if first, ok := f.let[pair]; !ok || c.at() < first {
				f.let[pair] = c.at()
			}
			f.byIP[c.ip] = append(f.byIP[c.ip], int32(i))
		}
	}
	f.findOwn(guesses)
	f.sprays(guesses)
	f.bruteForce(guesses)
	f.distributed(guesses, func(c *cell) uint32 { return c.agent },
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Agent: e.agents.at(k)} })
	numbers, networks, network := make(map[uint32]uint32), []uint32{0}, make([]uint32, len(e.info)) // by ip
	for ip, info := range e.info {
		n, ok := numbers[info.network]
		if !ok && info.network != 0 {
			n = uint32(len(networks))
			networks = append(networks, info.network)
			numbers[info.network] = n
		}
		network[ip] = n
	}
	f.distributed(guesses, func(c *cell) uint32 { return network[c.ip] },
		func(k uint32) Attack { return Attack{Kind: DistributedSpray, Network: networks[k]} })
	return f.attacks
}

// minutes returns d in minutes, rounded up. Two times that are d apart are in
// minutes that are as many apart, or fewer.
func minutes(d time.Duration) int32 { return int32((d-1)/time.Minute) + 1 }

// letInBy reports whether the account of c was accepted at its address by the
// given minute, which makes a guess of an earlier minute a mistyped password.
func (f *search) letInBy(c *cell, minute int32) bool {
	first, ok := f.let[[2]uint32{c.ip, c.account}]
	return ok && first <= minute
}

// findOwn finds the addresses that are the tenant's own, such as an office's:
// three people or more are let in there, and at least as many as are guessed
// at without being let in.
func (f *search) findOwn(guesses []int32) {
	people, targets := make(map[uint32]int), make(map[uint32]int)
	for pair := range f.let {
		people[pair[0]]++
	}
	seen := make(map[[2]uint32]bool)
	for _, i := range guesses {
		c := &f.cells[i]
		pair := [2]uint32{c.ip, c.account}
		if _, ok := f.let[pair]; people[c.ip] >= 3 && !ok && !seen[pair] {
			seen[pair] = true
			targets[c.ip]++
		}
	}
	f.own = make(map[uint32]bool)
	for ip, n := range people {
		f.own[ip] = n >= 3 && n >= targets[ip]
	}
}

// groups calls do with the cells of each key, which keep their order. Keys are
// small numbers, so that counting sorts them.
func (f *search) groups(cells []int32, key func(*cell) uint32, do func([]int32)) {
	var ends []int32 // of each key's cells, once they are sorted
	for _, i := range cells {
		k := int(key(&f.cells[i]))
		if k >= len(ends) {
			ends = append(ends, make([]int32, k+1-len(ends)+len(ends)/2)...)
		}
		ends[k]++
	}
	for k := 1; k < len(ends); k++ {
		ends[k] += ends[k-1]
	}
	sorted := make([]int32, len(cells))
	for _, i := range slices.Backward(cells) {
		k := key(&f.cells[i])
		ends[k]--
		sorted[ends[k]] = i
	} // now they are the starts
	for k, start := range ends {
		end := int32(len(sorted))
		if k+1 < len(ends) {
			end = ends[k+1]
		}
		if start < end {
			do(sorted[start:end])
		}
	}
}

// sessions calls do for each run of cells with no gap longer than minutes.
func (f *search) sessions(cells []int32, gap int32, do func([]int32)) {
	for start, i := 0, 1; i <= len(cells); i++ {
		if i == len(cells) || f.cells[cells[i]].minute-f.cells[cells[i-1]].minute > gap {
			do(cells[start:i])
			start = i
		}
	}
}

// pick returns the guesses that no attack has used and keep keeps.
func (f *search) pick(guesses []int32, keep func(*cell) bool) []int32 {
	var picked []int32
	for _, i := range guesses {
		if !f.used[i] && keep(&f.cells[i]) {
			picked = append(picked, i)
		}
	}
	return picked
}

func (f *search) sprays(guesses []int32) {
	window := minutes(f.p.Window)
	cells := f.pick(guesses, func(c *cell) bool { return c.address && !f.letInBy(c, c.minute+window) })
	f.groups(cells, func(c *cell) uint32 { return c.ip }, func(cells []int32) {
		if len(cells) < f.p.Accounts {
			return
		}
		f.sessions(cells, window, func(cells []int32) {
			if len(cells) < f.p.Accounts {
				return
			}
			accounts, left := &f.accountsIn, 0
			accounts.reset()
			for _, i := range cells {
				accounts.add(f.cells[i].account)
				for f.cells[i].minute-f.cells[cells[left]].minute > window {
					accounts.remove(f.cells[cells[left]].account)
					left++
				}
				if accounts.distinct >= f.p.Accounts {
					f.report(Attack{Kind: PasswordSpray}, cells)
					return
				}
			}
		})
	})
}

func (f *search) bruteForce(guesses []int32) {
	window := minutes(f.p.BruteForceWindow)
	cells := f.pick(guesses, func(c *cell) bool { return c.account != 0 && !f.letInBy(c, c.minute-1) })
	f.groups(cells, func(c *cell) uint32 { return c.account }, func(cells []int32) {
		f.sessions(cells, window, func(cells []int32) {
			left, attempts := 0, 0 // attempts in thirds
			for _, i := range cells {
				attempts += weight(&f.cells[i])
				for f.cells[i].minute-f.cells[cells[left]].minute > window {
					attempts -= weight(&f.cells[cells[left]])
					left++
				}
				if attempts >= 3*f.p.Attempts {
					f.report(Attack{Kind: BruteForce}, cells)
					return
				}
			}
		})
	})
}

// weight is what the guesses of c count towards a brute force attack.
func weight(c *cell) int {
	if c.protocol == Browser {
		return int(c.count)
	}
	return 3 * int(c.count)
}

// distributed looks for sprays that have the same key other than 0, and begins
// each as attack does.
func (f *search) distributed(guesses []int32, key func(*cell) uint32, attack func(uint32) Attack) {
	window, retry := minutes(f.p.DistributedWindow), minutes(f.p.Window)
	cells := f.pick(guesses, func(c *cell) bool { return key(c) != 0 && !f.own[c.ip] && !f.letInBy(c, c.minute+retry) })
	wanted := make(map[uint32]bool)
	f.groups(cells, key, func(cells []int32) {
		if len(cells) >= f.p.DistributedAccounts {
			wanted[key(&f.cells[cells[0]])] = true
		}
	})
	accepted := make(map[uint32][]int32)
	for i := range f.cells {
		if c := &f.cells[i]; c.kind.accepted() && wanted[key(c)] {
			accepted[key(c)] = append(accepted[key(c)], int32(i))
		}
	}
	f.groups(cells, key, func(cells []int32) {
		k := key(&f.cells[cells[0]])
		if !wanted[k] {
			return
		}
		coming, leaving := make([]visit, 0, len(accepted[k])), make([]visit, 0, len(accepted[k]))
		for _, i := range accepted[k] {
			c := &f.cells[i]
			coming, leaving = append(coming, visitOf(c.first, c.account)), append(leaving, visitOf(c.last, c.account))
		}
		slices.Sort(coming)
		slices.Sort(leaving)
		accounts, ips, friends := &f.accountsIn, &f.ipsIn, &f.friendsIn
		accounts.reset()
		ips.reset()
		friends.reset()
		left, first, last, friendLeft, friendRight := 0, -1, -1, 0, 0
		end := func() {
			if first >= 0 {
				f.report(attack(k), cells[first:last+1])
			}
			first = -1
		}
		for right, i := range cells {
			until := f.cells[i].minute
			accounts.add(f.cells[i].account)
			ips.add(f.cells[i].ip)
			for until-f.cells[cells[left]].minute > window {
				accounts.remove(f.cells[cells[left]].account)
				ips.remove(f.cells[cells[left]].ip)
				left++
			}
			for ; friendRight < len(coming) && coming[friendRight].minute() <= until; friendRight++ {
				friends.add(coming[friendRight].account())
			}
			for ; friendLeft < friendRight && until-leaving[friendLeft].minute() > window; friendLeft++ {
				friends.remove(leaving[friendLeft].account())
			}
			if accounts.distinct >= f.p.DistributedAccounts && ips.distinct >= f.p.DistributedAddresses && accounts.distinct >= 4*friends.distinct {
				if first >= 0 && left > last+1 {
					end()
				}
				if first < 0 {
					first = left
				}
				last = right
			}
		}
		end()
	})
}

// A visit is when an account was let in, the first time or the last, as one
// number: so they sort quickly.
type visit uint64

func visitOf(seconds, account uint32) visit { return visit(seconds)<<32 | visit(account) }
func (v visit) minute() int32               { return int32(v >> 32 / 60) }
func (v visit) account() uint32             { return uint32(v) }

// report notes the attack a that consists of the guesses cells, by time.
func (f *search) report(a Attack, cells []int32) {
	failed, ips, compromised, known, anyone, agents := &f.failed, &f.ipsOf, &f.compromised, &f.known, &f.anyone, &f.agentsOf
	for _, s := range []*set{failed, ips, compromised, known, anyone, agents} {
		s.reset()
	}
	var protocols [OtherLegacy + 1]int64
	a.Start = time.Unix(1<<62, 0)
	for n, i := range cells {
		c := &f.cells[i]
		f.used[i] = true
		failed.add(c.account)
		ips.add(c.ip)
		agents.add(c.agent)
		protocols[c.protocol] += int64(c.count)
		a.Attempts += int64(c.count)
		first, last := time.Unix(int64(c.first), 0).UTC(), time.Unix(int64(c.last), 0).UTC()
		if n == 0 || first.Before(a.Start) {
			a.Start = first
		}
		a.End = latest(a.End, last)
	}
	for p, n := range protocols {
		if n > protocols[a.Protocol] {
			a.Protocol = Protocol(p)
		}
	}

	// Who was let in, or would have been, at these addresses from then on. At
	// an address of the tenant's own that is everybody, unless it was done as
	// the guesses were.
	start, end := f.cells[cells[0]].minute, f.cells[cells[len(cells)-1]].minute+minutes(f.p.After)
	for _, ip := range ips.members {
		for _, i := range f.byIP[ip] {
			c := &f.cells[i]
			switch {
			case c.at() < start, c.at() > end, f.letInBy(c, start-1), c.account == 0, a.Kind == BruteForce && !failed.has(c.account),
				f.own[ip] && (c.protocol != a.Protocol || !agents.has(c.agent)):
			case c.kind.success():
				compromised.add(c.account)
			default:
				known.add(c.account)
			}
		}
	}
	known.members = slices.DeleteFunc(known.members, func(account uint32) bool {
		if compromised.has(account) {
			known.in[account] = false
			return true
		}
		return false
	})
	for _, s := range []*set{failed, compromised, known} {
		for _, account := range s.members {
			anyone.add(account)
		}
	}
	a.DistinctAccounts, a.Addresses, a.FailedAccounts = len(anyone.members), len(ips.members), len(failed.members)
	if failed.has(0) {
		a.FailedAccounts--
	}
	a.Accounts, a.IPs = firstOf(&f.accounts, failed.members), firstOf(&f.ips, ips.members)
	a.Compromised, a.PasswordKnownButStopped = listed(&f.accounts, compromised.members), listed(&f.accounts, known.members)
	if len(ips.members) == 1 { // otherwise it has no one country
		a.IP, a.IPs, a.Country = a.IPs[0], nil, f.info[ips.members[0]].country
	}
	f.attacks = append(f.attacks, a)
}

// firstOf returns the first of the texts in lexical order, as many as an
// attack lists; "" is none of them.
func firstOf(n *interned, numbers []uint32) []string {
	texts := make([]string, 0, min(len(numbers), maxListed)+1)
	for _, i := range numbers {
		text := n.at(i)
		if text == "" || len(texts) == maxListed && text >= texts[maxListed-1] {
			continue
		}
		at, _ := slices.BinarySearch(texts, text)
		texts = slices.Insert(texts, at, text)
		texts = texts[:min(len(texts), maxListed)]
	}
	return texts
}

// listed returns the texts, sorted.
func listed(n *interned, numbers []uint32) []string {
	texts := []string{}
	for _, i := range numbers {
		texts = append(texts, n.at(i))
	}
	slices.Sort(texts)
	return texts
}
