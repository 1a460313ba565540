package schannel

import (
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Trial is what a server answered to the hello that a client would send.
type Trial struct {
	Target  string           `json:"target"`
	App     App              `json:"app"` // whose hello it was
	Version tlsprobe.Version `json:"version,omitzero"`
	Suite   tlsprobe.Suite   `json:"-"`
	Group   tlsprobe.Group   `json:"-"`
	Alert   *tlsprobe.Alert  `json:"alert,omitempty"`
}

// fits reports whether t is about this program and server.
func (t Trial) fits(o *Offer, r *tlsprobe.Result) bool {
	return t.Target == r.Target && t.App.Label() == o.App.Label()
}
