package signins

import (
	"math"
	"slices"
	"strings"
)

// Names in a log are chosen by strangers, so that lists of them are bounded.
// Of too many names a list keeps those with the smallest hashes: which ones
// stay then does not depend on the order in which they came, a name that
// stays was there from the start, so that its counts are exact, and merging
// the lists of parts gives the list of the whole.

// maxName bounds the length of one name in bytes.
const maxName = 128

// names is a bounded list of tallies in the making.
type names struct {
	list   []Tally // sorted by name
	border uint64  // names with a hash above it have no place; 0 as long as there is room
}

func (n *names) add(limit int, name string, success bool) {
	if t := n.of(limit, name); t != nil {
		t.Records++
		if success {
			t.Successes++
		}
	}
}

func (n *names) addMany(limit int, name string, records, successes int64) {
	if t := n.of(limit, name); t != nil {
		t.Records += records
		t.Successes += successes
	}
}

// of returns the tally of name, or nil if it has no place.
func (n *names) of(limit int, name string) *Tally {
	name = cut(name)
	i, ok := find(n.list, name)
	if !ok {
		if n.border != 0 && hash(name) > n.border {
			return nil
		}
		n.list = slices.Insert(n.list, i, Tally{Name: strings.Clone(name)})
		if len(n.list) > limit {
			n.list, n.border = dropLargest(n.list)
			if i, ok = find(n.list, name); !ok {
				return nil
			}
		}
	}
	return &n.list[i]
}

// addName adds to a short list. It keeps name.
func addName(list []Tally, limit int, name string, records, successes int64) []Tally {
	name = cut(name)
	i, ok := find(list, name)
	if ok {
		list[i].Records += records
		list[i].Successes += successes
		return list
	}
	list = slices.Insert(list, i, Tally{name, records, successes})
	if len(list) > limit {
		list, _ = dropLargest(list)
	}
	return list
}

// addNames adds the second list to the first one.
func addNames(list []Tally, limit int, more []Tally) []Tally {
	for _, t := range more {
		list = append(list, Tally{cut(t.Name), t.Records, t.Successes})
	}
	slices.SortStableFunc(list, func(a, b Tally) int { return strings.Compare(a.Name, b.Name) })
	n := 0
	for _, t := range list {
		if n > 0 && list[n-1].Name == t.Name {
			list[n-1].Records += t.Records
			list[n-1].Successes += t.Successes
			continue
		}
		list[n] = t
		n++
	}
	if list = list[:n]; n <= limit {
		return list
	}
	hashes := make([]uint64, n)
	for i, t := range list {
		hashes[i] = hash(t.Name)
	}
	slices.Sort(hashes)
	return slices.DeleteFunc(list, func(t Tally) bool { return hash(t.Name) > hashes[limit-1] })
}

func find(list []Tally, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(t Tally, name string) int { return strings.Compare(t.Name, name) })
}

// dropLargest drops the name with the largest hash, and returns the largest
// of those that stay.
func dropLargest(list []Tally) ([]Tally, uint64) {
	at, largest, second := 0, uint64(0), uint64(0)
	for i, t := range list {
		switch h := hash(t.Name); {
		case h >= largest:
			at, largest, second = i, h, largest
		case h > second:
			second = h
		}
	}
	return slices.Delete(list, at, at+1), second
}

func cut(name string) string {
	if len(name) > maxName {
		return strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

// hash is FNV-1a with its bits mixed, the same on every machine and never 0.
func hash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return min(h, math.MaxUint64-1) + 1
}

// clientFamily returns a name for all versions of the client that sent agent:
// the name that it starts with, or that of the browser.
func clientFamily(t *Tables, agent string) string {
	agent = strings.TrimSpace(agent)
	switch {
	case strings.HasPrefix(agent, "Mozilla/"):
		// In the order in which one pretends to be the other.
		for _, b := range [...]struct{ mark, name string }{
			{"Outlook", "Outlook"}, {"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Trident/", "Internet Explorer"},
			{"MSIE ", "Internet Explorer"}, {"Chrome/", "Chrome"}, {"Thunderbird/", "Thunderbird"}, {"Safari/", "Safari"},
		} {
			if strings.Contains(agent, b.mark) {
				return b.name
			}
		}
		return "Mozilla"
	case strings.HasPrefix(agent, "Microsoft Office/"): // of which the version makes the difference
		if end := strings.IndexAny(agent, ".;("); end > 0 {
			return agent[:end]
		}
		return agent
	case strings.HasPrefix(agent, "Apple-"): // followed by the model
		if end := strings.IndexAny(agent, "0123456789/"); end > 0 {
			return agent[:end]
		}
		return agent
	}
	for _, front := range t.agents {
		if strings.EqualFold(agent, front) {
			return front
		}
	}
	if end := strings.IndexAny(agent, "/("); end > 0 {
		agent = strings.TrimSpace(agent[:end])
	}
	return agent
}
