package signins

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins/internal/intern"
)

// Users are the users of a summary by name. They are kept in a third of the
// memory that a map of [User] takes: what Get and All give is put together when
// it is asked for. The zero value has no users. A copy of Users shares them, as
// that of a map does. Any number of goroutines may read while none adds.
type Users struct{ t *userTable }

// Len returns the number of users.
func (u Users) Len() int {
	if u.t == nil {
		return 0
	}
	return u.t.users.n - 1 + int(u.t.nameless)
}

// Get returns a copy of the user of that name, nil if there is none.
func (u Users) Get(name string) *User {
	n, ok := u.lookup(name)
	if !ok {
		return nil
	}
	got := new(User)
	u.t.load(n, got)
	return got
}

// All iterates over copies of all users, in no order.
func (u Users) All() iter.Seq2[string, *User] {
	return func(yield func(string, *User) bool) {
		for n := range u.numbers() {
			got := new(User)
			if u.t.load(n, got); !yield(u.t.names.At(n), got) {
				return
			}
		}
	}
}

// Add adds what more says to the user of that name, who is new if there is
// none, as merging summaries does: counts are added, lists are sorted and
// bounded. It keeps nothing of more.
func (u *Users) Add(name string, more *User) {
	n := u.number(name)
	u.open(n).merge(more)
	u.t.close()
}

func (u Users) lookup(name string) (uint32, bool) {
	if u.t == nil {
		return 0, false
	}
	if name == "" {
		return 0, u.t.nameless > 0
	}
	return u.t.names.Lookup(name)
}

// numbers iterates over the numbers of all users.
func (u Users) numbers() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if u.t == nil {
			return
		}
		for n := 1 - u.t.nameless; int(n) < u.t.users.n; n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// each iterates over all users by number. It gives the same User each time,
// which has no ID and is to be read before the next.
func (u Users) each() iter.Seq2[uint32, *User] {
	return func(yield func(uint32, *User) bool) {
		var one User
		for n := range u.numbers() {
			if u.t.loadCounts(n, &one); !yield(n, &one) {
				return
			}
		}
	}
}

// number returns the number of the user of that name, who is new if there is
// none.
func (u *Users) number(name string) uint32 {
	if u.t == nil {
		u.t = new(userTable)
		u.t.users.add() // of nobody, or without a name
	}
	n := u.t.names.Of(name)
	if n == 0 {
		u.t.nameless = 1
	} else if int(n) == u.t.users.n {
		u.t.users.add()
	}
	return n
}

// A userTable keeps users without pointers: their lists are chains of cells
// that lie together with those of all users, and texts are numbers. A user whom
// that cannot hold without loss is kept as a User.
type userTable struct {
	names    intern.Texts
	nameless uint32 // 1 if there is a user without a name
	users    chunks[userCell]
	texts    intern.Texts // countries, clients, and ids that are no GUID
	uses     chunks[[6]uint32]
	ways     chains[wayCell]
	ends     chains[endCell]
	tallies  chains[tallyCell]
	whole    map[uint32]*User

	isOpen  bool
	opened  uint32
	now     *User // the opened one
	scratch *User
}

type userCell struct {
	first, last, firstSuccess, lastSuccess int64 // as nanos returns
	id                                     [16]byte
	records, successes                     uint32
	uses                                   uint32 // plus 1
	ways, ends, countries, clients         uint32
	kind                                   idKind
	whole                                  bool
}

// An idKind says how a cell keeps an id.
type idKind uint8

const (
	idNone idKind = iota
	idGUID
	idText // of which the number is in the first four bytes
)

type wayCell struct {
	lastSuccess                                                       int64
	records, successes, passwords, certificates, certificateSuccesses uint32
	protocol                                                          Protocol
}

type endCell struct {
	records, passwordRight uint32
	outcome                Outcome
}

type tallyCell struct{ name, records, successes uint32 }

// user returns the entry of whom r names to count in, or nil if it names
// nobody. It is good until the next call, or until the table is closed.
func (s *Summary) user(r *SignIn) *User {
	key := userKey(r)
	if key == "" {
		return nil
	}
	return s.Users.openFor(s.Users.number(key), r)
}

// openFor is open, and notes the object id of r.
func (u *Users) openFor(n uint32, r *SignIn) *User {
	one := u.open(n)
	if id := cut(r.UserID); named(id) && !u.t.hasID(n, id) && (one.ID == "" || id < one.ID) {
		one.ID = strings.Clone(id) // of several, the first in lexical order
	}
	return one
}

// count is [User.add] in place. Most sign-ins count where one was counted
// before; it returns false, and does nothing, if this one does not.
func (t *userTable) count(n uint32, s *SignIn, v *Verdict, m *summing) bool {
	cell := t.users.at(n)
	if cell.whole || t.isOpen || v.Class != Legacy || v.NativeMail == crossprem.Yes || v.DeviceCode == crossprem.Yes || !t.hasID(n, s.UserID) {
		return false
	}
	ok := !s.Time.IsZero()
	at := nanos(s.Time.UTC(), &ok)
	if cell.first == 0 || cell.last == 0 || !ok {
		return false
	}
	success, password, certificate, right := uint32(0), uint32(0), uint32(0), uint32(0)
	if v.Outcome == Success {
		success = 1
	}
	switch v.BasicAuth {
	case crossprem.Yes:
		password = 1
	case crossprem.No:
		certificate = 1
	}
	if v.PasswordRight == crossprem.Yes {
		right = 1
	}
	var way *wayCell
	for i := cell.ways; way == nil; {
		if i == 0 {
			return false
		}
		c := t.ways.at(i)
		if i = c.next; c.cell.protocol == v.Protocol {
			way = &c.cell
		}
	}
	var end *endCell
	for i := cell.ends; end == nil; {
		if i == 0 {
			return false
		}
		c := t.ends.at(i)
		if i = c.next; c.cell.outcome == v.Outcome {
			end = &c.cell
		}
	}
	room := room(cell.records, cell.successes, way.records, way.successes, way.passwords, way.certificates, way.certificateSuccesses, end.records, end.passwordRight)
	var none tallyCell
	country, client, uses := &none, &none, new([6]uint32)
	if s.CountryOrRegion != "" && s.Interactive != crossprem.No {
		country = t.tally(cell.countries, cut(s.CountryOrRegion))
	}
	if s.UserAgent != "" {
		client = t.tally(cell.clients, m.clientName(s.UserAgent))
	}
	if v.ROPC == crossprem.Yes {
		if cell.uses == 0 {
			return false
		}
		uses = t.uses.at(cell.uses - 1)
	}
	if !room || country == nil || client == nil || uses[2] == math.MaxUint32 || uses[3] == math.MaxUint32 {
		return false
	}
	uses[2]++ // of the password grant
	uses[3] += success
	for _, c := range [...]*tallyCell{country, client} {
		c.records++
		c.successes += success
	}
	cell.records++
	cell.successes += success
	cell.first, cell.last = min(cell.first, at), max(cell.last, at)
	way.records++
	way.successes += success
	way.passwords += password
	way.certificates += certificate
	way.certificateSuccesses += certificate & success
	end.records++
	end.passwordRight += right
	if success == 1 {
		way.lastSuccess = latestNanos(way.lastSuccess, at)
		cell.lastSuccess = latestNanos(cell.lastSuccess, at)
		if cell.firstSuccess == 0 || at < cell.firstSuccess {
			cell.firstSuccess = at
		}
	}
	return true
}

func latestNanos(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return max(a, b)
}

// tally returns the cell of name in the chain that begins at head, nil if it is
// not there or is full.
func (t *userTable) tally(head uint32, name string) *tallyCell {
	for head != 0 {
		c := t.tallies.at(head)
		if t.texts.At(c.cell.name) == name {
			if !room(c.cell.records, c.cell.successes) {
				return nil
			}
			return &c.cell
		}
		head = c.next
	}
	return nil
}

// room reports whether each of the counts can take one more.
func room(counts ...uint32) bool {
	for _, n := range counts {
		if n == math.MaxUint32 {
			return false
		}
	}
	return true
}

// open returns the user with the number n to be changed. Of an id it holds
// only what close has to compare with the one that is kept.
func (u *Users) open(n uint32) *User {
	t := u.t
	if t.isOpen && t.opened == n {
		return t.now
	}
	t.close()
	t.isOpen, t.opened = true, n
	if t.users.at(n).whole {
		t.now = t.whole[n]
		return t.now
	}
	if t.scratch == nil {
		t.scratch = new(User)
	}
	t.now = t.scratch
	t.loadCounts(n, t.now)
	return t.now
}

// close keeps what was done to the user that is open.
func (t *userTable) close() {
	if t == nil || !t.isOpen {
		return
	}
	t.isOpen = false
	cell := t.users.at(t.opened)
	if cell.whole {
		return
	}
	u := t.now
	if t.store(cell, u) {
		return
	}
	if id := t.id(cell); id != "" && (u.ID == "" || id < u.ID) {
		u.ID = id
	}
	if t.whole == nil {
		t.whole = make(map[uint32]*User)
	}
	t.whole[t.opened], t.scratch = u, nil
	*cell = userCell{whole: true}
}

// load sets u, and keeps no more of it than room in its lists.
func (t *userTable) load(n uint32, u *User) {
	t.loadCounts(n, u)
	if cell := t.users.at(n); !cell.whole {
		u.ID = t.id(cell)
	}
}

func (t *userTable) loadCounts(n uint32, u *User) {
	cell := t.users.at(n)
	protocols, outcomes, countries, clients := u.Protocols[:0], u.Outcomes[:0], u.Countries[:0], u.Clients[:0]
	if cell.whole {
		from := t.whole[n]
		*u = *from
		u.Protocols, u.Outcomes = append(protocols, from.Protocols...), append(outcomes, from.Outcomes...)
		u.Countries, u.Clients = append(countries, from.Countries...), append(clients, from.Clients...)
		return
	}
	*u = User{Records: int64(cell.records), Successes: int64(cell.successes), First: atNanos(cell.first), Last: atNanos(cell.last),
		FirstSuccess: atNanos(cell.firstSuccess), LastSuccess: atNanos(cell.lastSuccess)}
	for at := cell.ways; at != 0; {
		c := t.ways.at(at)
		protocols = append(protocols, ProtocolUse{c.cell.protocol, int64(c.cell.records), int64(c.cell.successes), int64(c.cell.passwords),
			int64(c.cell.certificates), atNanos(c.cell.lastSuccess), int64(c.cell.certificateSuccesses)})
		at = c.next
	}
	for at := cell.ends; at != 0; {
		c := t.ends.at(at)
		outcomes = append(outcomes, OutcomeUse{c.cell.outcome, int64(c.cell.records), int64(c.cell.passwordRight)})
		at = c.next
	}
	u.Protocols, u.Outcomes = protocols, outcomes
	u.Countries, u.Clients = t.loadTallies(cell.countries, countries), t.loadTallies(cell.clients, clients)
	if cell.uses > 0 {
		uses := t.uses.at(cell.uses - 1)
		for i, use := range [...]*Use{&u.NativeMail, &u.ROPC, &u.DeviceCode} {
			use.Records, use.Successes = int64(uses[2*i]), int64(uses[2*i+1])
		}
	}
}

func (t *userTable) loadTallies(at uint32, list []Tally) []Tally {
	for at != 0 {
		c := t.tallies.at(at)
		list = append(list, Tally{t.texts.At(c.cell.name), int64(c.cell.records), int64(c.cell.successes)})
		at = c.next
	}
	return list
}

// store keeps u in cell, and returns false if it would lose something, or if u
// brings texts that are dropped again: of those, numbers never end.
func (t *userTable) store(cell *userCell, u *User) bool {
	uses := [...]int64{u.NativeMail.Records, u.NativeMail.Successes, u.ROPC.Records, u.ROPC.Successes, u.DeviceCode.Records, u.DeviceCode.Successes}
	ok := fits(u.Records, u.Successes) && fits(uses[:]...) && len(u.Countries) < maxUserCountries && len(u.Clients) < maxUserClients
	times := [...]time.Time{u.First, u.Last, u.FirstSuccess, u.LastSuccess}
	var in [len(times)]int64
	for i := range times {
		in[i] = nanos(times[i], &ok)
	}
	for i := range u.Protocols {
		p := &u.Protocols[i]
		nanos(p.LastSuccess, &ok)
		ok = ok && fits(p.Records, p.Successes, p.Passwords, p.Certificates, p.CertificateSuccesses)
	}
	for i := range u.Outcomes {
		ok = ok && fits(u.Outcomes[i].Records, u.Outcomes[i].PasswordRight)
	}
	for _, list := range [...][]Tally{u.Countries, u.Clients} {
		for i := range list {
			ok = ok && fits(list[i].Records, list[i].Successes)
		}
	}
	if !ok || u.ID != "" && !t.storeID(cell, u.ID) {
		return false
	}
	cell.first, cell.last, cell.firstSuccess, cell.lastSuccess = in[0], in[1], in[2], in[3]
	cell.records, cell.successes = uint32(u.Records), uint32(u.Successes)
	cell.ways = t.ways.grow(cell.ways, len(u.Protocols))
	at := cell.ways
	for i := range u.Protocols {
		p, c := &u.Protocols[i], t.ways.at(at)
		c.cell = wayCell{nanos(p.LastSuccess, &ok), uint32(p.Records), uint32(p.Successes), uint32(p.Passwords), uint32(p.Certificates), uint32(p.CertificateSuccesses), p.Protocol}
		at = c.next
	}
	cell.ends = t.ends.grow(cell.ends, len(u.Outcomes))
	at = cell.ends
	for i := range u.Outcomes {
		o, c := &u.Outcomes[i], t.ends.at(at)
		c.cell = endCell{uint32(o.Records), uint32(o.PasswordRight), o.Outcome}
		at = c.next
	}
	cell.countries, cell.clients = t.storeTallies(cell.countries, u.Countries), t.storeTallies(cell.clients, u.Clients)
	if uses != [len(uses)]int64{} {
		if cell.uses == 0 {
			cell.uses = t.uses.add() + 1
		}
		for i, n := range uses {
			t.uses.at(cell.uses - 1)[i] = uint32(n)
		}
	}
	return true
}

func (t *userTable) storeTallies(head uint32, list []Tally) uint32 {
	head = t.tallies.grow(head, len(list))
	at := head
	for i := range list {
		c, name := t.tallies.at(at), list[i].Name
		number := c.cell.name
		if t.texts.At(number) != name {
			number = t.texts.Of(name)
		}
		c.cell = tallyCell{number, uint32(list[i].Records), uint32(list[i].Successes)}
		at = c.next
	}
	return head
}

// storeID keeps id if it comes before the one that cell has.
func (t *userTable) storeID(cell *userCell, id string) bool {
	if old := t.id(cell); old != "" && old <= id {
		return true
	}
	if guid, ok := parseGUID(id); ok {
		cell.id, cell.kind = guid, idGUID
		return true
	}
	if cell.kind == idText {
		return false
	}
	cell.id, cell.kind = [16]byte{}, idText
	binary.LittleEndian.PutUint32(cell.id[:], t.texts.Of(id))
	return true
}

func (t *userTable) id(cell *userCell) string {
	switch cell.kind {
	case idGUID:
		text := formatGUID(&cell.id)
		return string(text[:])
	case idText:
		return t.texts.At(binary.LittleEndian.Uint32(cell.id[:]))
	}
	return ""
}

// idOf returns the id of the user with the number n.
func (t *userTable) idOf(n uint32) string {
	if cell := t.users.at(n); !cell.whole {
		return t.id(cell)
	}
	return t.whole[n].ID
}

// named returns the user who has for a name what the user with the number n has
// for an id, if there is one.
func (t *userTable) named(n uint32) (uint32, bool) {
	if cell := t.users.at(n); cell.kind == idGUID && !cell.whole {
		text := formatGUID(&cell.id)
		return t.names.LookupBytes(text[:])
	}
	id := strings.ToLower(t.idOf(n))
	if id == "" {
		return 0, false
	}
	return t.names.Lookup(id)
}

// hasID reports whether id is kept of the user with the number n.
func (t *userTable) hasID(n uint32, id string) bool {
	cell := t.users.at(n)
	if cell.kind == idGUID {
		text := formatGUID(&cell.id)
		return id == string(text[:])
	}
	return id == t.idOf(n)
}

// parseGUID reads a GUID in lower case with hyphens, and nothing else.
func parseGUID(s string) (guid [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return guid, false
	}
	var digits [32]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			continue
		case c < '0' || c > '9' && c < 'a' || c > 'f':
			return guid, false
		default:
			digits[n] = c
			n++
		}
	}
	_, err := hex.Decode(guid[:], digits[:])
	return guid, err == nil
}

func formatGUID(guid *[16]byte) (text [36]byte) {
	to := 0
	for i, b := range guid {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[to] = '-'
			to++
		}
		text[to], text[to+1] = "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15]
		to += 2
	}
	return text
}

// Years in which a time of nanoseconds fits into 64 bits.
const firstYear, lastYear = 1700, 2250

// nanos returns t in nanoseconds since 1970, and 0 for a zero time. It sets ok
// to false if that does not give t back.
func nanos(t time.Time, ok *bool) int64 {
	if t.IsZero() {
		*ok = *ok && t == time.Time{}
		return 0
	}
	n := t.UnixNano()
	if year := t.Year(); t.Location() != time.UTC || year < firstYear || year > lastYear || n == 0 {
		*ok = false
	}
	return n
}

func atNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// fits reports whether cells can hold counts.
func fits(counts ...int64) bool {
	return !slices.ContainsFunc(counts, func(n int64) bool { return n < 0 || n > math.MaxUint32 })
}

// chunks are a list that grows without being copied.
type chunks[T any] struct {
	list [][]T
	n    int
}

const chunkSize = 1 << 12

// add adds a zero value, and returns its number, counted from 0.
func (c *chunks[T]) add() uint32 {
	last := c.n / chunkSize
	if last == len(c.list) {
		var chunk []T
		if last > 0 { // the first grows, for there are many small lists
			chunk = make([]T, 0, chunkSize)
		}
		c.list = append(c.list, chunk)
	}
	var zero T
	c.list[last] = append(c.list[last], zero)
	c.n++
	return uint32(c.n - 1)
}

func (c *chunks[T]) at(n uint32) *T { return &c.list[n/chunkSize][n%chunkSize] }

// chains are lists of cells. Cells are counted from 1, and 0 ends a list.
type chains[T any] struct{ cells chunks[link[T]] }

type link[T any] struct {
	cell T
	next uint32
}

func (c *chains[T]) at(n uint32) *link[T] { return c.cells.at(n - 1) }

// grow makes the chain that begins at head as long as n at least, and returns
// where it begins.
func (c *chains[T]) grow(head uint32, n int) uint32 {
	last, at := uint32(0), head
	for range n {
		if at == 0 {
			at = c.cells.add() + 1
			if last == 0 {
				head = at
			} else {
				c.at(last).next = at
			}
		}
		last, at = at, c.at(at).next
	}
	return head
}
