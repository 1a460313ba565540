package oauthcert

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// wirePlan is Plan as JSON.
type wirePlan struct {
	Target     Target     `json:"target"`
	Collection Collection `json:"collection"`
	Steps      []Step     `json:"steps"`
	Base       *Object    `json:"base,omitempty"`
}

// MarshalJSON writes the plan with the object that it was made from as "base".
func (p Plan) MarshalJSON() ([]byte, error) {
	return json.Marshal(wirePlan{p.Target, p.Collection, p.Steps, p.base})
}

// UnmarshalJSON reads what MarshalJSON writes. A plan whose steps do not
// account for every entry of the object that it was made from, exactly once
// and unaltered, is an error: applied, it would lose a key. Without that
// object, the plan can be looked at and not applied.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var w wirePlan
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("oauthcert: plan: %w", err)
	}
	read := Plan{Target: w.Target, Collection: w.Collection, Steps: w.Steps}
	if w.Base != nil {
		read.base = w.Base.public()
		if err := read.check(); err != nil {
			return fmt.Errorf("oauthcert: plan: %w", err)
		}
	}
	*p = read
	return nil
}

// check returns an error if the steps are not a plan for the base.
func (p *Plan) check() error {
	if p.Collection != Keys && p.Collection != Names {
		return fmt.Errorf("no such collection: %.40q", p.Collection)
	}
	if p.Target != p.base.Target() {
		return errors.New("the target is not the object that the plan was made from")
	}
	if p.Err() != nil {
		return nil // it is not applied
	}
	keys, names := slices.Clone(p.base.Keys), slices.Clone(p.base.Names)
	if p.Collection == Keys && keys == nil || p.Collection == Names && names == nil {
		return errors.New("the object that the plan was made from does not show the collection")
	}
	for i, s := range p.Steps {
		wrong := func(why string) error { return fmt.Errorf("step %d of %d: %s", i+1, len(p.Steps), why) }
		if (s.Key != nil) != (p.Collection == Keys) {
			return wrong("not of the plan's collection")
		}
		switch {
		case p.Collection == Keys && s.Action == Added:
			c, err := s.Key.Certificate()
			if err != nil {
				return wrong(err.Error())
			}
			if s.Key.Type != TypeX509 || s.Key.Usage != UsageVerify || s.Key.KeyID != "" || s.Thumbprint != c.SHA1() {
				return wrong("what is added is not a certificate for authentication")
			}
		case p.Collection == Keys:
			at := slices.IndexFunc(keys, func(k KeyCredential) bool { return k.equal(*s.Key) })
			if at < 0 {
				return wrong("the key is not one of the object that the plan was made from")
			}
			keys = slices.Delete(keys, at, at+1)
			first := Step{Action: Kept, Key: s.Key}
			if first.keep(); s.Action == Kept && (first.Action != Kept || first.ByReference != s.ByReference || s.WithoutName) {
				return wrong("the key cannot be kept in this form")
			}
		case s.Action != Added:
			at := slices.Index(names, s.Name)
			if at < 0 {
				return wrong("the name is not one of the object that the plan was made from")
			}
			names = slices.Delete(names, at, at+1)
		}
	}
	if p.Collection == Keys && len(keys) > 0 || p.Collection == Names && len(names) > 0 {
		return errors.New("not every entry of the object that the plan was made from has a step")
	}
	return nil
}
