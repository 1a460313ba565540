package connectversion

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// A DifferenceKind is what became of a row from one catalogue to the next. In
// text and JSON it is one of "unknown", "new-release", "changed-release",
// "gone-release", "new-policy", "changed-policy" and "gone-policy".
type DifferenceKind uint8

const (
	DifferenceUnknown DifferenceKind = iota
	NewRelease
	ChangedRelease
	GoneRelease
	NewPolicy
	ChangedPolicy
	GonePolicy
)

var differenceTexts = enum.Of[DifferenceKind]("connectversion: kind of difference", "unknown", "new-release", "changed-release", "gone-release", "new-policy", "changed-policy", "gone-policy")

// String returns a name such as "new-release".
func (k DifferenceKind) String() string { return differenceTexts.String(k) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (k DifferenceKind) MarshalText() ([]byte, error) { return differenceTexts.Marshal(k) }

// UnmarshalText accepts what MarshalText gives.
func (k *DifferenceKind) UnmarshalText(text []byte) error { return differenceTexts.Unmarshal(k, text) }

// A Difference is one row that is in one of two catalogues only, or not the
// same in both.
type Difference struct {
	Kind    DifferenceKind `json:"kind"`
	Product Product        `json:"product"`
	Version Version        `json:"version,omitzero"` // of a release
	Roles   []string       `json:"roles,omitempty"`  // of a Health agent's release
	Policy  string         `json:"policy,omitempty"` // the ID of a policy

	// What is one sentence for people, such as "2.6.92.0 came out on
	// 2026-09-23 and fixes weaknesses.".
	What string `json:"what"`
}

// Diff returns what is new, changed or gone in after: what a monitor announces
// when newer data come. It is sorted by kind, product, version and ID; nil
// stands for a catalogue without rows.
func Diff(before, after *Catalogue) []Difference {
	var all []Difference
	if before == nil {
		before = new(Catalogue)
	}
	if after == nil {
		after = new(Catalogue)
	}
	for _, p := range Products() {
		old, now := before.Releases(p), after.Releases(p)
		for _, r := range now {
			d := Difference{Product: p, Version: r.Version, Roles: r.Roles}
			was := sameRow(old, r)
			switch {
			case was == nil:
				d.Kind, d.What = NewRelease, r.announcement()
			default:
				changes := changedFields(*was, r)
				if len(changes) == 0 {
					continue
				}
				d.Kind, d.What = ChangedRelease, r.Version.String()+": "+strings.Join(changes, "; ")+"."
			}
			all = append(all, d)
		}
		for _, r := range old {
			if sameRow(now, r) == nil {
				all = append(all, Difference{Kind: GoneRelease, Product: p, Version: r.Version, Roles: r.Roles, What: r.Version.String() + " is no longer listed."})
			}
		}
	}
	for _, p := range after.policies {
		was := before.policy(p.ID)
		switch {
		case was == nil:
			all = append(all, Difference{Kind: NewPolicy, Product: p.Product, Policy: p.ID, What: p.Text})
		default:
			if changes := changedFields(*was, p); len(changes) > 0 {
				all = append(all, Difference{Kind: ChangedPolicy, Product: p.Product, Policy: p.ID, What: p.ID + ": " + strings.Join(changes, "; ") + "."})
			}
		}
	}
	for _, p := range before.policies {
		if after.policy(p.ID) == nil {
			all = append(all, Difference{Kind: GonePolicy, Product: p.Product, Policy: p.ID, What: "Gone: " + p.Text})
		}
	}
	slices.SortStableFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Product, b.Product), a.Version.Compare(b.Version), cmp.Compare(a.Policy, b.Policy))
	})
	return all
}

// sameRow returns the row of the same version, for the same roles or some of them.
func sameRow(rows []Release, r Release) *Release {
	for i := range rows {
		o := &rows[i]
		if o.Version == r.Version && (len(o.Roles) == 0 || len(r.Roles) == 0 || slices.ContainsFunc(o.Roles, func(role string) bool { return slices.Contains(r.Roles, role) })) {
			return o
		}
	}
	return nil
}

func (r *Release) announcement() string {
	var text string
	switch r.Status {
	case Recalled:
		text = r.Version.String() + " was withdrawn"
	case NeverReleased:
		text = r.Version.String() + " was numbered, and never released"
	default:
		text = fmt.Sprintf("%s came out on %s", r.Version, r.released())
	}
	if r.SecurityFix {
		text += " and fixes weaknesses"
		if len(r.CVEs) > 0 {
			text += " (" + strings.Join(r.CVEs, ", ") + ")"
		}
	}
	return text + "."
}

// changedFields names the exported fields of a row that are not the same, with
// both values.
func changedFields[T any](was, is T) (changes []string) {
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if !field.IsExported() || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		if shown(a.Field(i).Interface()) != shown(b.Field(i).Interface()) { // nil and an empty list are shown alike
			changes = append(changes, fmt.Sprintf("%s is %s, was %s", field.Name, shown(b.Field(i).Interface()), shown(a.Field(i).Interface())))
		}
	}
	return changes
}

func shown(v any) string {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return "not known"
		}
		return v.Format(time.DateOnly)
	case string:
		return fmt.Sprintf("%q", v)
	case Version:
		return v.String()
	}
	return fmt.Sprint(v)
}
