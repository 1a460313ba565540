package signins

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins/internal/intern"
)

// Evidence is what attacks on passwords are judged from: who tried and who was
// accepted, from which address, with which client. It is a plain value without
// hidden state, so that another engine can produce it from its own tables, one
// row for each group of equal sign-ins, and get the same verdict from
// [Evidence.Judge]. Evidence of the parts of a log, merged in any order, is
// the evidence of the whole.
//
// Rows name addresses, accounts and agents by their position in the lists,
// counted from 1; 0 stands for none.
type Evidence struct {
	Addresses []EvidenceAddress `json:"ips"`
	Accounts  []string          `json:"accounts"` // in lower case; object ids where the log has no name
	Agents    []string          `json:"agents"`   // user agents, cut to 128 bytes
	Rows      []EvidenceRow     `json:"rows"`

	// GivenUp counts the rows that were dropped to bound memory, and Found are
	// the attacks that were found in them before.
	GivenUp int64    `json:"givenUp,omitempty"`
	Found   []Attack `json:"found,omitempty"`
}

// An EvidenceAddress is an address, as logged, and what the log says of it.
type EvidenceAddress struct {
	IP      string `json:"ip"`
	Country string `json:"country,omitempty"` // not of non-interactive sign-ins; of several, the last in lexical order
	Network uint32 `json:"network,omitempty"` // number of the autonomous system; of several, the largest
}

// An EvidenceRow stands for the sign-ins that are equal in all but their time.
// Failures are counted by the hour, acceptances once for the whole log. In
// JSON it is a list of the numbers of its fields, in their order.
type EvidenceRow struct {
	Kind          EvidenceKind
	Hour          uint32 // of a failure, since 1970; 0 of what was accepted
	Address       uint32
	Account       uint32
	Agent         uint32 // 0 of a [SessionAccepted]
	Protocol      Protocol
	PasswordGrant bool   // OAuth 2.0's (RFC 6749 §4.3)
	Count         uint32 // at least 1
	First, Last   uint32 // seconds since 1970
}

// An EvidenceKind says what the sign-ins of a row show.
type EvidenceKind uint8

const (
	UnknownEvidence EvidenceKind = iota
	WrongPassword                // 50126, 50056, 50064 and their like: the account exists
	UnknownName                  // 50034, 51004, 50128: no such account
	LockedOut                    // 50053, by smart lockout
	AddressBlocked               // 50053, because the address is known as malicious: says nothing about the account
	WeakGuess                    // 50057, 50144, 700016: guessing brings it about, and other things do
	Accepted                     // code 0, and no token or certificate was presented
	PasswordStopped              // the password was right, and something else stopped the sign-in
	SessionAccepted              // code 0 by a token, a certificate or an earlier sign-in: the account is at home there
)

func (k EvidenceKind) failure() bool { return k >= WrongPassword && k <= WeakGuess }

// MarshalJSON writes the numbers of r in the order of its fields.
func (r EvidenceRow) MarshalJSON() ([]byte, error) { return r.appendTo(nil), nil }

func (r *EvidenceRow) appendTo(b []byte) []byte {
	grant := 0
	if r.PasswordGrant {
		grant = 1
	}
	b = append(b, '[')
	for i, n := range [...]uint32{uint32(r.Kind), r.Hour, r.Address, r.Account, r.Agent, uint32(r.Protocol), uint32(grant), r.Count, r.First, r.Last} {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return append(b, ']')
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *EvidenceRow) UnmarshalJSON(data []byte) error {
	var n [10]uint32
	var list []uint32
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) != len(n) {
		return fmt.Errorf("signins: a row of evidence has %d numbers, not %d", len(list), len(n))
	}
	copy(n[:], list)
	if n[0] > math.MaxUint8 || n[5] > math.MaxUint8 || n[6] > 1 {
		return errors.New("signins: a number in a row of evidence is out of range")
	}
	*r = EvidenceRow{EvidenceKind(n[0]), n[1], n[2], n[3], n[4], Protocol(n[5]), n[6] == 1, n[7], n[8], n[9]}
	return nil
}

// Check returns an error that names the first row that cannot be.
func (e *Evidence) Check() error {
	for n, r := range e.Rows {
		switch {
		case r.Kind == UnknownEvidence || r.Kind > SessionAccepted || r.Protocol > OtherLegacy:
			return fmt.Errorf("signins: evidence row %d: unknown kind or protocol", n+1)
		case r.Address == 0 || int(r.Address) > len(e.Addresses) || e.Addresses[r.Address-1].IP == "",
			int(r.Account) > len(e.Accounts), int(r.Agent) > len(e.Agents):
			return fmt.Errorf("signins: evidence row %d: an address, account or agent is not in its list", n+1)
		case r.Count == 0 || r.First > r.Last:
			return fmt.Errorf("signins: evidence row %d: it counts nothing, or ends before it begins", n+1)
		case r.Kind.failure() && (r.First/3600 != r.Hour || r.Last/3600 != r.Hour), !r.Kind.failure() && r.Hour != 0:
			return fmt.Errorf("signins: evidence row %d: its hour does not fit its times", n+1)
		case r.Kind == SessionAccepted && (r.Agent != 0 || r.Protocol != UnknownProtocol || r.PasswordGrant):
			return fmt.Errorf("signins: evidence row %d: a session has no client", n+1)
		}
	}
	return nil
}

// Merge adds the rows of o to e, so that e is the evidence of both logs. It
// changes nothing in o. It returns an error, and leaves e as it was, if one of
// them is not well formed. The result is in canonical order: texts and rows
// are sorted.
func (e *Evidence) Merge(o *Evidence) error {
	var c collector
	for _, part := range []*Evidence{e, o} {
		if err := part.Check(); err != nil {
			return err
		}
		c.takeAll(part)
	}
	*e = *c.evidence()
	return nil
}

// Judge finds the attacks in e, and what is none but worth knowing, by the
// settings p.
func (e *Evidence) Judge(p Spray) (Judgement, error) {
	if err := e.Check(); err != nil {
		return Judgement{}, err
	}
	var c collector
	c.settings = p
	c.takeAll(e)
	return c.judge(), nil
}

// rowKey is what tells rows apart.
type rowKey struct {
	hour               uint32
	ip, account, agent uint32
	kind               EvidenceKind
	protocol           Protocol
	grant              bool
}

// A row is an EvidenceRow whose numbers are those of a collector.
type row struct {
	rowKey
	count       uint32
	first, last uint32
}

func (k *rowKey) hash() uint64 {
	what := uint64(k.kind)<<16 | uint64(k.protocol)<<8
	if k.grant {
		what |= 1
	}
	return intern.Mixed(intern.Mixed(uint64(k.hour)<<32|uint64(k.ip)) ^ uint64(k.account)<<32 ^ uint64(k.agent) ^ what<<40)
}

// A collector gathers evidence. Its zero value is ready to use.
type collector struct {
	settings Spray
	tables   *Tables // nil for the embedded ones
	limit    int

	rows             []row
	index            intern.Index // of rows
	ips              intern.Texts // with info
	accounts, agents intern.Texts
	info             []addressInfo // by ip
	clues            []clue        // still to be added
	recent           []uint32      // rows of sessions seen lately, plus 1, by hash
	found            Judgement     // of rows that have been given up
	evicted          int64         // rows given up that the summary has not counted yet
	sealed           bool
}

type addressInfo struct {
	country string
	network uint32
}

// A clue is a row of one sign-in, whose texts have no numbers yet.
type clue struct {
	row
	ipText, accountText, agentText string
	ipHash, accountHash            uint64
	country                        string // "" if the sign-in does not tell it of the client
	network                        uint32
	place                          uint32 // fetched, and not used
}

// maxClues is how many clues are looked up together. Each look-up waits for
// memory, and the processor can wait for as many at once.
const maxClues = 16

// evidenceOf says what s shows, and UnknownEvidence if it is nothing.
func evidenceOf(s *SignIn, v *Verdict) EvidenceKind {
	switch {
	case v.Guess:
		switch v.Outcome {
		case NoSuchUser, NoSuchTenant:
			return UnknownName
		case LockedOrBlockedIP:
			if strings.Contains(s.FailureReason, "malicious") {
				return AddressBlocked
			}
			return LockedOut
		case AccountDisabled, AppOrClientError, PasswordExpired:
			return WeakGuess
		}
		return WrongPassword
	case v.Outcome == Success:
		if v.Credential == Token || v.Credential == Certificate || v.Credential == UnknownCredential && s.Methods.Has(MethodPrevious) {
			return SessionAccepted
		}
		return Accepted
	case v.PasswordRight == crossprem.Yes:
		return PasswordStopped
	}
	return UnknownEvidence
}

// add takes s as evidence, if it is any, once addClues is called.
func (e *collector) add(s *SignIn, v *Verdict) {
	kind := evidenceOf(s, v)
	if kind == UnknownEvidence || s.IPAddress == "" || s.Time.IsZero() {
		return
	}
	seconds := s.Time.Unix()
	if seconds < 0 || seconds > math.MaxUint32 {
		return
	}
	c := clue{
		row:    row{rowKey: rowKey{kind: kind}, count: 1, first: uint32(seconds), last: uint32(seconds)},
		ipText: cut(s.IPAddress), accountText: userKey(s), network: s.AutonomousSystemNumber,
	}
	if kind == SessionAccepted && e.again(&c) {
		return
	}
	if kind != SessionAccepted {
		c.agentText, c.protocol, c.grant = cut(s.UserAgent), v.Protocol, v.ROPC == crossprem.Yes
	}
	if kind.failure() {
		c.hour = uint32(seconds / 3600)
	}
	if s.Interactive != crossprem.No {
		c.country = s.CountryOrRegion
	}
	if e.clues = append(e.clues, c); len(e.clues) == maxClues {
		e.addClues()
	}
}

// maxRecent is how many rows of sessions are found without a look-up. A power
// of two.
const maxRecent = 1 << 13

// again counts the session c if its row was seen lately: most sign-ins are
// sessions that say again what the one before said.
func (e *collector) again(c *clue) bool {
	c.ipHash, c.accountHash = intern.Hash(c.ipText), intern.Hash(c.accountText)
	if e.recent == nil {
		return false
	}
	n := e.recent[(c.ipHash^c.accountHash<<1)%maxRecent]
	if n == 0 {
		return false
	}
	r := &e.rows[n-1]
	if r.kind != SessionAccepted || e.accounts.At(r.account) != c.accountText || e.ips.At(r.ip) != c.ipText ||
		r.count == math.MaxUint32 || c.network > e.info[r.ip].network || c.country > e.info[r.ip].country {
		return false
	}
	r.count++
	r.first, r.last = min(r.first, c.first), max(r.last, c.last)
	return true
}

// addClues takes the clues that add found.
func (e *collector) addClues() {
	together := max(1, len(e.clues))
	if len(e.rows)+together > e.limit { // numbers that are looked up do not outlast an eviction
		together = 1
	}
	for clues := range slices.Chunk(e.clues, together) {
		e.lookUp(clues)
	}
	e.clues = e.clues[:0]
}

// lookUp takes clues. It fetches what all of them look at in one step before
// it lets any look.
func (e *collector) lookUp(clues []clue) {
	for i := range clues {
		c := &clues[i]
		if c.kind != SessionAccepted {
			c.ipHash, c.accountHash = intern.Hash(c.ipText), intern.Hash(c.accountText)
		}
		c.ip, c.account = e.ips.Index.Fetch(c.ipHash), e.accounts.Index.Fetch(c.accountHash)
	}
	for i := range clues {
		c := &clues[i]
		c.ip, c.account, c.agent = e.ips.OfHashed(c.ipText, c.ipHash), e.accounts.OfHashed(c.accountText, c.accountHash), e.agents.Of(c.agentText)
		c.place = e.index.Fetch(c.hash())
	}
	for i := range clues {
		c := &clues[i]
		n := e.note(c.row, c.country, c.network)
		if c.kind == SessionAccepted {
			if e.recent == nil {
				e.recent = make([]uint32, maxRecent)
			}
			e.recent[(c.ipHash^c.accountHash<<1)%maxRecent] = n
		}
	}
}

// note takes a row, and returns its place plus 1, or 0 if rows were given up.
func (e *collector) note(r row, country string, network uint32) uint32 {
	for int(r.ip) >= len(e.info) {
		e.info = append(e.info, addressInfo{})
	}
	info := &e.info[r.ip]
	if country > info.country { // of several, the last
		info.country = strings.Clone(country)
	}
	info.network = max(info.network, network)
	n := e.index.Find(r.hash(), func(i uint32) bool { return e.rows[i].rowKey == r.rowKey }, uint32(len(e.rows)))
	if int(n) < len(e.rows) {
		have := &e.rows[n]
		have.count += min(r.count, math.MaxUint32-have.count)
		have.first, have.last = min(have.first, r.first), max(have.last, r.last)
		return n + 1
	}
	if e.rows == nil {
		e.limit = max(e.settings.orDefault().MaxEvidence, 2)
	}
	if e.rows = append(e.rows, r); len(e.rows) > e.limit {
		e.evict()
		return 0
	}
	return n + 1
}

// evict gives up older rows: half of the sessions at addresses where nobody
// failed, then half of everything accepted there, then half of all, once the
// attacks in it are found.
func (e *collector) evict() {
	guessedAt := make([]bool, len(e.info))
	for _, r := range e.rows {
		if r.kind.failure() {
			guessedAt[r.ip] = true
		}
	}
	var drop func(row) bool
	var times []uint32
	for level := range 3 {
		drop = [...]func(row) bool{
			func(r row) bool { return r.kind == SessionAccepted && !guessedAt[r.ip] },
			func(r row) bool { return !r.kind.failure() && !guessedAt[r.ip] },
			func(row) bool { return true },
		}[level]
		times = times[:0]
		for _, r := range e.rows {
			if drop(r) {
				times = append(times, r.last)
			}
		}
		if len(times) > len(e.rows)/4 {
			if level == 2 {
				e.found = e.judge()
			}
			break
		}
	}
	slices.Sort(times)
	half := (len(times) + 1) / 2
	upTo := times[half-1]
	old := *e
	old.index, old.ips.Index, old.accounts.Index, old.agents.Index, old.recent = intern.Index{}, intern.Index{}, intern.Index{}, intern.Index{}, nil
	e.rows, e.index, e.info, e.recent = make([]row, 0, e.limit+1), intern.Index{}, nil, nil
	e.ips, e.accounts, e.agents = intern.Texts{}, intern.Texts{}, intern.Texts{}
	left := half // if half of the rows are of one second, half of that second goes too
	for _, r := range old.rows {
		if drop(r) && (r.last < upTo || r.last == upTo && left > 0) {
			left--
			e.evicted++
			continue
		}
		e.take(r, &old)
	}
}

// take puts a row of another collector into e.
func (e *collector) take(r row, from *collector) {
	info := addressInfo{}
	if int(r.ip) < len(from.info) {
		info = from.info[r.ip]
	}
	r.ip = e.ips.Of(from.ips.At(r.ip))
	r.account = e.accounts.Of(from.accounts.At(r.account))
	r.agent = e.agents.Of(from.agents.At(r.agent))
	e.note(r, info.country, info.network)
}

// takeAll puts all of o, which is well formed, into e.
func (e *collector) takeAll(o *Evidence) {
	text := func(list []string, i uint32) string {
		if i == 0 {
			return ""
		}
		return list[i-1]
	}
	for _, r := range o.Rows {
		a := o.Addresses[r.Address-1]
		e.note(row{
			rowKey: rowKey{hour: r.Hour, ip: e.ips.Of(a.IP), account: e.accounts.Of(text(o.Accounts, r.Account)),
				agent: e.agents.Of(cut(text(o.Agents, r.Agent))), kind: r.Kind, protocol: r.Protocol, grant: r.PasswordGrant},
			count: r.Count, first: r.First, last: r.Last,
		}, a.Country, a.Network)
	}
	e.evicted += o.GivenUp
	e.found.Attacks = append(e.found.Attacks, o.Found...)
}

// findAttacks sets the attacks of s from its evidence.
func (s *Summary) findAttacks() {
	e := &s.evidence
	s.Evicted += e.evicted
	e.evicted = 0
	s.Judgement = e.judge()
}

// Evidence returns a copy of the evidence that the attacks of s were found in,
// in canonical order. It is empty if s is sealed.
func (s *Summary) Evidence() *Evidence { return s.evidence.evidence() }

// Seal drops the evidence that s keeps in order to find attacks that only
// merging shows. The attacks that were found stay. JSON of a sealed summary
// names nobody who is neither attacked nor a user of something old, and is
// smaller.
func (s *Summary) Seal() {
	s.evidence = collector{settings: s.evidence.settings, tables: s.evidence.tables, found: s.Judgement, sealed: true}
}

// merge adds what o gathered, of which the judgement is j.
func (e *collector) merge(o *collector, j *Judgement) {
	if o.sealed || o.rows == nil {
		e.found.add(j)
	} else {
		e.found.add(&o.found)
	}
	for _, r := range o.rows {
		e.take(r, o)
	}
	e.sealed = e.sealed && o.sealed
}

// evidence returns what e holds, in an order that does not depend on how it
// came together. What was given up is not in GivenUp once the summary counts it.
func (e *collector) evidence() *Evidence {
	o := e.order()
	out := &Evidence{Accounts: o.accounts.texts(), Agents: o.agents.texts(), GivenUp: e.evicted, Found: e.found.Attacks,
		Addresses: make([]EvidenceAddress, 0, len(o.ips.old)), Rows: make([]EvidenceRow, 0, len(e.rows))}
	for i := range o.ips.old {
		out.Addresses = append(out.Addresses, o.address(i))
	}
	for _, i := range o.rows {
		out.Rows = append(out.Rows, o.row(i))
	}
	return out
}

// An evidenceOrder is a view of what a collector holds, in canonical order.
type evidenceOrder struct {
	e                     *collector
	ips, accounts, agents renumbered
	rows                  []uint32
}

func (e *collector) order() *evidenceOrder {
	o := &evidenceOrder{e: e, ips: renumber(&e.ips), accounts: renumber(&e.accounts), agents: renumber(&e.agents), rows: make([]uint32, len(e.rows))}
	for i := range o.rows {
		o.rows[i] = uint32(i)
	}
	slices.SortFunc(o.rows, func(a, b uint32) int { return compareRows(o.row(a), o.row(b)) })
	return o
}

// address returns the address that comes at place i.
func (o *evidenceOrder) address(i int) EvidenceAddress {
	info := &o.e.info[o.ips.old[i]]
	return EvidenceAddress{o.ips.text(i), info.country, info.network}
}

// row returns the row i of the collector with the numbers of the order.
func (o *evidenceOrder) row(i uint32) EvidenceRow {
	r := &o.e.rows[i]
	return EvidenceRow{r.kind, r.hour, o.ips.number[r.ip], o.accounts.number[r.account], o.agents.number[r.agent], r.protocol, r.grant, r.count, r.first, r.last}
}

func compareRows(a, b EvidenceRow) int {
	key := func(r *EvidenceRow) [7]uint32 {
		grant := uint32(0)
		if r.PasswordGrant {
			grant = 1
		}
		return [7]uint32{r.Hour, r.Address, r.Account, r.Agent, uint32(r.Kind), uint32(r.Protocol), grant}
	}
	x, y := key(&a), key(&b)
	return slices.Compare(x[:], y[:])
}

// renumbered are texts in lexical order.
type renumbered struct {
	of     *intern.Texts
	old    []uint32 // numbers, in the order of the texts
	number []uint32 // by the old one, counted from 1; 0 stays ""
}

func renumber(n *intern.Texts) renumbered {
	r := renumbered{of: n, old: make([]uint32, 0, len(n.Text)), number: make([]uint32, max(1, len(n.Text)))}
	for i := 1; i < len(n.Text); i++ {
		r.old = append(r.old, uint32(i))
	}
	slices.SortFunc(r.old, func(a, b uint32) int { return strings.Compare(n.Text[a], n.Text[b]) })
	for i, old := range r.old {
		r.number[old] = uint32(i) + 1
	}
	return r
}

func (r *renumbered) text(i int) string { return r.of.Text[r.old[i]] }

func (r *renumbered) texts() []string {
	list := make([]string, len(r.old))
	for i := range list {
		list[i] = r.text(i)
	}
	return list
}

// placeOf returns what of an address stands for one place: an IPv4 address, or
// the /64 of an IPv6 one. A text that is no address stands for itself.
func placeOf(ip string) string {
	if !strings.Contains(ip, ":") {
		return ip
	}
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.String()
}
