package schannel

import (
	"context"
	"errors"
	"slices"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Trial is what a server answered to the very hello that a client would send.
// In JSON, suites and groups are names.
type Trial struct {
	App     App              `json:"app"` // whose hello it was
	Target  string           `json:"target"`
	Version tlsprobe.Version `json:"version,omitzero"` // zero if the server chose none
	Suite   tlsprobe.Suite   `json:"suite,omitzero"`
	Group   tlsprobe.Group   `json:"group,omitzero"`
	Alert   *tlsprobe.Alert  `json:"alert,omitempty"` // nil if there was none
	Lost    string           `json:"lost,omitempty"`  // why there was no answer; empty if there was one
}

// ErrNothingToAsk reports that a client's hello is not known well enough to
// send it, or that the client sends none.
var ErrNothingToAsk = errors.New("schannel: the versions or suites of this client are not known, or it has none to offer")

// Ask sends target the hello that the program of o would send, with its
// versions, suites and curves, and returns what the server chooses. It settles
// what a probe leaves open in [Negotiate]. Nothing but one hello is sent; p says
// how to connect, nil stands for the zero Prober.
//
// The versions are those that are offered for sure, so the trial says nothing
// of a client whose offer is not known. SSL 2.0 is left out. Errors are
// ErrNothingToAsk and those of [tlsprobe.Prober.Try].
func Ask(ctx context.Context, p *tlsprobe.Prober, target string, o *Offer) (*Trial, error) {
	if p == nil {
		p = new(tlsprobe.Prober)
	}
	var offer tlsprobe.ClientOffer
	if o != nil {
		offer.Groups = o.Curves
		for _, v := range o.Versions {
			switch {
			case v.Version == tlsprobe.SSL20:
			case v.Offered == crossprem.AnswerUnknown:
				return nil, ErrNothingToAsk
			case v.Offered == crossprem.Yes:
				offer.Versions = append(offer.Versions, v.Version)
				for _, s := range o.SuitesOf(v.Version) {
					if !slices.Contains(offer.Suites, s) {
						offer.Suites = append(offer.Suites, s)
					}
				}
			}
		}
	}
	if len(offer.Versions) == 0 || len(offer.Suites) == 0 {
		return nil, ErrNothingToAsk
	}
	choice, err := p.Try(ctx, target, offer)
	if err != nil {
		return nil, err
	}
	return &Trial{App: o.App, Target: target, Version: choice.Version, Suite: choice.Suite, Group: choice.Group, Alert: choice.Alert, Lost: choice.Lost}, nil
}

// Check probes target and asks it what [Ask] does where the probe leaves open
// whether they meet.
func Check(ctx context.Context, p *tlsprobe.Prober, target string, o *Offer) (*Negotiation, *tlsprobe.Result, error) {
	if p == nil {
		p = new(tlsprobe.Prober)
	}
	r, err := p.Probe(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	n := Negotiate(o, r)
	if n.Meets != crossprem.AnswerUnknown || n.Cause == ServerNotReached {
		return n, r, nil
	}
	trial, err := Ask(ctx, p, target, o)
	switch {
	case errors.Is(err, ErrNothingToAsk):
		return n, r, nil
	case err != nil:
		return nil, r, err
	}
	return Negotiate(o, r, *trial), r, nil
}

// fits reports whether t is about this program and server.
func (t Trial) fits(o *Offer, r *tlsprobe.Result) bool {
	return t.Target == r.Target && t.App.Label() == o.App.Label()
}
