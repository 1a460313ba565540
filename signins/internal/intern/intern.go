// Package intern keeps texts once and gives them numbers.
package intern

import (
	"hash/maphash"
	"strings"
)

// An Index finds numbers by what they stand for, with open addressing. The
// keys stay where they are, so that it takes a fraction of the memory of a
// map, and the many look-ups that evidence takes find it in the cache.
type Index struct {
	slots []place
	n     int
}

type place struct {
	hash   uint32
	number uint32 // plus 1; 0 is a free place
}

// Find returns the number whose key has the hash h and for which same returns
// true. If there is none, it notes number for the key, and returns that.
func (x *Index) Find(h uint64, same func(uint32) bool, number uint32) uint32 {
	if 2*x.n >= len(x.slots) {
		x.grow()
	}
	mask := uint32(len(x.slots) - 1)
	tag := uint32(h >> 32)
	for i := tag & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.number == 0 {
			*s = place{tag, number + 1}
			x.n++
			return number
		}
		if s.hash == tag && same(s.number-1) {
			return s.number - 1
		}
	}
}

// Lookup returns the number whose key has the hash h and for which same returns
// true, if there is one. It changes nothing.
func (x *Index) Lookup(h uint64, same func(uint32) bool) (uint32, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := uint32(len(x.slots) - 1)
	tag := uint32(h >> 32)
	for i := tag & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s.number == 0 {
			return 0, false
		}
		if s.hash == tag && same(s.number-1) {
			return s.number - 1, true
		}
	}
}

// Fetch returns something of the place at which Find looks first for h, so
// that the processor has it at hand.
func (x *Index) Fetch(h uint64) uint32 {
	if len(x.slots) == 0 {
		return 0
	}
	return x.slots[uint32(h>>32)&uint32(len(x.slots)-1)].number
}

func (x *Index) grow() {
	old := x.slots
	x.slots = make([]place, max(64, 2*len(old)))
	mask := uint32(len(x.slots) - 1)
	for _, s := range old {
		if s.number == 0 {
			continue
		}
		i := s.hash & mask
		for x.slots[i].number != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = s
	}
}

// Mixed spreads the bits of h.
func Mixed(h uint64) uint64 {
	h = (h ^ h>>31) * 0x9e3779b97f4a7c15
	return (h ^ h>>29) * 0xd6e8feb86659fd93
}

// A Copier makes copies of texts that share memory, in pieces of its size: as
// many texts as fit cost one allocation.
type Copier struct {
	Size  int              // of a piece, in bytes
	piece *strings.Builder // apart, for a summary may be copied
}

// Copy returns text as a string of its own.
func (c *Copier) Copy(text []byte) string {
	if len(text) > c.Size/2 {
		return string(text)
	}
	if c.piece == nil || c.piece.Cap()-c.piece.Len() < len(text) {
		c.piece = new(strings.Builder)
		c.piece.Grow(c.Size)
	}
	start := c.piece.Len()
	c.piece.Write(text)
	return c.piece.String()[start:]
}

// Texts gives strings numbers; "" is 0.
type Texts struct {
	Text  []string // by number
	kept  Copier
	Index Index  // finds the numbers
	last  uint32 // asked for last, and often asked for again
}

var seed = maphash.MakeSeed() // so that nobody can choose strings that collide

// Hash returns the hash of s that the methods of Texts take.
func Hash(s string) uint64 { return maphash.String(seed, s) }

// Of returns the number of s, which is a new one if s is new.
func (n *Texts) Of(s string) uint32 {
	if s == n.At(n.last) {
		return n.last
	}
	return n.OfHashed(s, Hash(s))
}

// OfHashed is Of for a caller who has the hash.
func (n *Texts) OfHashed(s string, hash uint64) uint32 {
	if s == "" {
		return 0
	}
	if s == n.At(n.last) {
		return n.last
	}
	if n.Text == nil {
		n.Text, n.kept.Size = []string{""}, 4<<10
	}
	number := n.Index.Find(hash, func(i uint32) bool { return n.Text[i] == s }, uint32(len(n.Text)))
	if int(number) == len(n.Text) {
		n.Text = append(n.Text, n.kept.Copy([]byte(s)))
	}
	n.last = number
	return number
}

// Lookup returns the number of s, if it has one. It changes nothing.
func (n *Texts) Lookup(s string) (uint32, bool) {
	if s == "" {
		return 0, true
	}
	return n.Index.Lookup(Hash(s), func(i uint32) bool { return n.Text[i] == s })
}

// LookupBytes is Lookup of text that is no string.
func (n *Texts) LookupBytes(s []byte) (uint32, bool) {
	if len(s) == 0 {
		return 0, true
	}
	return n.Index.Lookup(maphash.Bytes(seed, s), func(i uint32) bool { return n.Text[i] == string(s) })
}

// At returns the string with the number i.
func (n *Texts) At(i uint32) string {
	if int(i) < len(n.Text) {
		return n.Text[i]
	}
	return ""
}
