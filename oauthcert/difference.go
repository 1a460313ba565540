package oauthcert

import (
	"bytes"
	"slices"
	"strings"
)

// Difference compares an object with what the plan leads to. Both lists are
// empty when the object shows exactly the plan; they name keys by thumbprint
// or keyId.
func (p *Plan) Difference(o *Object) (missing, extra []string) {
	if p.Collection == Names {
		return p.nameDifference(o)
	}
	if o.Keys == nil {
		return []string{"the keys were not shown"}, nil
	}
	taken := make([]bool, len(o.Keys))
	var steps []Step
	for _, s := range p.Steps {
		if s.Action == Kept || s.Action == Added {
			steps = append(steps, s)
		}
	}
	// A key that still has its keyId is that key; the others are found by value.
	unmatched := steps[:0:0]
	for _, s := range steps {
		i := slices.IndexFunc(o.Keys, func(k KeyCredential) bool {
			return s.Action == Kept && s.Key.KeyID != "" && strings.EqualFold(k.KeyID, s.Key.KeyID) &&
				(k.Key == nil || s.Key.Key == nil || bytes.Equal(k.Key, s.Key.Key))
		})
		if i < 0 || taken[i] {
			unmatched = append(unmatched, s)
			continue
		}
		taken[i] = true
	}
	for _, s := range unmatched {
		found := false
		for i, k := range o.Keys {
			if !taken[i] && s.Key.Key != nil && bytes.Equal(k.Key, s.Key.Key) && k.Type == s.Key.Type && k.Usage == s.Key.Usage {
				taken[i], found = true, true
				break
			}
		}
		if !found {
			missing = append(missing, s.subject())
		}
	}
	for i, k := range o.Keys {
		if !taken[i] {
			extra = append(extra, k.subject())
		}
	}
	return missing, extra
}

// subject names a key for people.
func (k KeyCredential) subject() string {
	if c, err := k.Certificate(); err == nil {
		return c.SHA1().String()
	}
	return "key " + oneLine(k.KeyID, 40)
}

// changed describes how an object differs from the one that the plan was made
// from, or returns nil.
func (p *Plan) changed(o *Object) []string {
	if p.Collection == Names {
		return listChanges(p.base.Names, o.Names, func(a, b string) bool { return a == b }, func(s string) string { return s })
	}
	if o.Keys == nil {
		return []string{"the keys were not shown"}
	}
	return listChanges(p.base.Keys, o.Keys, KeyCredential.equal, KeyCredential.subject)
}

// listChanges compares two lists regardless of their order.
func listChanges[T any](before, after []T, equal func(a, b T) bool, name func(T) string) (changes []string) {
	rest := slices.Clone(after)
	for _, b := range before {
		i := slices.IndexFunc(rest, func(a T) bool { return equal(a, b) })
		if i < 0 {
			changes = append(changes, oneLine(name(b), 200)+" is gone or altered")
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
	for _, a := range rest {
		changes = append(changes, oneLine(name(a), 200)+" is new or altered")
	}
	return changes
}
