package crossprem

import (
	"slices"
)

// A Change is one finding on two days. The side on which there was none is the
// zero Finding.
type Change struct {
	Before Finding `json:"before,omitzero"`
	After  Finding `json:"after,omitzero"`
}

// Changes is what [Compare] found, each list worst first. Every key of either
// side is in exactly one of the lists.
type Changes struct {
	New     []Change `json:"new"`     // failed now, and had not failed before
	Fixed   []Change `json:"fixed"`   // failed before, and passed now
	Changed []Change `json:"changed"` // the same outcome with other evidence, severity or day; or passed where it was unknown
	Same    []Change `json:"same"`    // as it was

	// NotAsked are those of before about which nothing is known now: absent, or
	// unknown where they were not. They are not fixed.
	NotAsked []Change `json:"notAsked"`
}

// Compare compares the findings of two days by their keys. Where one list has
// a key twice, the worst counts. It does not change its arguments.
//
// What counts as changed is the severity, the day Due, and the Values; where
// a finding has no values, its detail. A finding that was not there before and
// has not failed now is in Same, with a zero Before.
func Compare(before, after []Finding) Changes {
	var c Changes
	old, now := byKey(before), byKey(after)
	for key, f := range now {
		was, known := old[key]
		change := Change{Before: was, After: f}
		switch {
		case f.Status == Failed && (!known || was.Status != Failed):
			c.New = append(c.New, change)
		case known && f.Status == Unknown && was.Status != Unknown:
			c.NotAsked = append(c.NotAsked, change)
		case known && f.Status == Passed && was.Status == Failed:
			c.Fixed = append(c.Fixed, change)
		case known && differs(was, f):
			c.Changed = append(c.Changed, change)
		default:
			c.Same = append(c.Same, change)
		}
	}
	for key, f := range old {
		if _, still := now[key]; !still {
			c.NotAsked = append(c.NotAsked, Change{Before: f})
		}
	}
	for _, list := range []*[]Change{&c.New, &c.Fixed, &c.Changed, &c.Same, &c.NotAsked} {
		slices.SortFunc(*list, func(a, b Change) int { return WorstFirst(a.subject(), b.subject()) })
	}
	return c
}

// subject is the finding by which a change is sorted.
func (c Change) subject() Finding {
	if c.After.Rule != "" {
		return c.After
	}
	return c.Before
}

func byKey(list []Finding) map[string]Finding {
	m := make(map[string]Finding, len(list))
	for _, f := range list {
		key := f.Key()
		if have, ok := m[key]; !ok || WorstFirst(f, have) < 0 {
			m[key] = f
		}
	}
	return m
}

func differs(a, b Finding) bool {
	if a.Status != b.Status || a.Severity != b.Severity || !a.Due.Equal(b.Due) {
		return true
	}
	if len(a.Values) == 0 || len(b.Values) == 0 {
		return a.Detail != b.Detail
	}
	return !slices.Equal(a.Values, b.Values)
}
