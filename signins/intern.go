package signins

import (
	"hash/maphash"
	"strings"
)

// An index finds numbers by what they stand for, with open addressing. The
// keys stay where they are, so that it takes a fraction of the memory of a
// map, and the many look-ups that evidence takes find it in the cache.
type index struct {
	slots []place
	n     int
}

type place struct {
	hash   uint32
	number uint32 // plus 1; 0 is a free place
}

// find returns the number whose key has the hash h and for which same returns
// true. If there is none, it notes number for the key, and returns that.
func (x *index) find(h uint64, same func(uint32) bool, number uint32) uint32 {
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

// fetch returns something of the place at which find looks first for h, so
// that the processor has it at hand.
func (x *index) fetch(h uint64) uint32 {
	if len(x.slots) == 0 {
		return 0
	}
	return x.slots[uint32(h>>32)&uint32(len(x.slots)-1)].number
}

func (x *index) grow() {
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

// mixed spreads the bits of h.
func mixed(h uint64) uint64 {
	h = (h ^ h>>31) * 0x9e3779b97f4a7c15
	return (h ^ h>>29) * 0xd6e8feb86659fd93
}

// A copier makes copies of texts that share memory, in pieces of its size: as
// many texts as fit cost one allocation.
type copier struct {
	size  int
	piece *strings.Builder // apart, for a summary may be copied
}

func (c *copier) copy(text []byte) string {
	if len(text) > c.size/2 {
		return string(text)
	}
	if c.piece == nil || c.piece.Cap()-c.piece.Len() < len(text) {
		c.piece = new(strings.Builder)
		c.piece.Grow(c.size)
	}
	start := c.piece.Len()
	c.piece.Write(text)
	return c.piece.String()[start:]
}

// interned gives strings numbers; "" is 0.
type interned struct {
	text  []string
	kept  copier
	index index
	last  uint32 // asked for last, and often asked for again
}

var seed = maphash.MakeSeed() // so that nobody can choose strings that collide

func hashOfText(s string) uint64 { return maphash.String(seed, s) }

func (n *interned) of(s string) uint32 {
	if s == n.at(n.last) {
		return n.last
	}
	return n.ofHashed(s, hashOfText(s))
}

// ofHashed is of for a caller who has the hash.
func (n *interned) ofHashed(s string, hash uint64) uint32 {
	if s == "" {
		return 0
	}
	if s == n.at(n.last) {
		return n.last
	}
	if n.text == nil {
		n.text, n.kept.size = []string{""}, 4<<10
	}
	number := n.index.find(hash, func(i uint32) bool { return n.text[i] == s }, uint32(len(n.text)))
	if int(number) == len(n.text) {
		n.text = append(n.text, n.kept.copy([]byte(s)))
	}
	n.last = number
	return number
}

// at returns the string with the number i.
func (n *interned) at(i uint32) string {
	if int(i) < len(n.text) {
		return n.text[i]
	}
	return ""
}
