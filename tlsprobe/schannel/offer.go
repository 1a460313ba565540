package schannel

import (
	"slices"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
)

// An Offer is what one program of a client offers, or takes as a server. It is
// a plain value, and reads back from JSON to an equal one.
type Offer struct {
	App    App    `json:"app"`
	System string `json:"system,omitempty"` // the release of Windows by which it is judged; empty if unknown

	// Versions has one entry for each of SSL 2.0 to TLS 1.3, the oldest first.
	Versions []VersionOffer `json:"versions"`

	// Suites are offered by priority, those of TLS 1.3 among them; which go
	// with which version is told by [Offer.SuitesOf]. Nil if not known.
	Suites       Suites `json:"suites"`
	SuitesFrom   Reason `json:"suitesFrom"`
	SuitesPolicy bool   `json:"suitesPolicy,omitempty"` // a setting of this machine, not the system's default, made the list

	// Curves are offered for ECDHE, by priority. Nil if not known.
	Curves       Groups `json:"curves"`
	CurvesFrom   Reason `json:"curvesFrom"`
	CurvesPolicy bool   `json:"curvesPolicy,omitempty"`

	// Why are the steps that led to the set of versions, in the order in which
	// they were decided. Those of Schannel are in Versions.
	Why []Reason `json:"why"`

	// Confidence is that of the least sure version.
	Confidence Confidence `json:"confidence"`
}

// A VersionOffer is whether one version is offered.
type VersionOffer struct {
	Version    tlsprobe.Version `json:"version"`
	Offered    crossprem.Answer `json:"offered"`
	State      State            `json:"state"`  // of Schannel
	Reason     Reason           `json:"reason"` // for State
	Confidence Confidence       `json:"confidence"`
}

// A Reason is one step of an evaluation.
type Reason struct {
	Text  string `json:"text"`            // a sentence
	Key   string `json:"key,omitempty"`   // of the registry, if one decided
	Value string `json:"value,omitempty"` // its name
	Data  string `json:"data,omitempty"`  // what it holds; empty if it is absent

	// Assumed reports that the key was not looked at, and that the step rests on
	// the assumption that it is absent.
	Assumed bool `json:"assumed,omitempty"`

	Confidence Confidence `json:"confidence"`
	Source     string     `json:"source,omitempty"` // the vendor's page
}

// Of returns the entry of a version; one of unknown outcome if v is none of
// SSL 2.0 to TLS 1.3.
func (o *Offer) Of(v tlsprobe.Version) VersionOffer {
	if o != nil {
		for _, offer := range o.Versions {
			if offer.Version == v {
				return offer
			}
		}
	}
	return VersionOffer{Version: v}
}

// Offers reports whether v is offered. Unknown is neither.
func (o *Offer) Offers(v tlsprobe.Version) crossprem.Answer { return o.Of(v).Offered }

// Set returns the versions that are offered for sure, the oldest first.
func (o *Offer) Set() []tlsprobe.Version {
	var set []tlsprobe.Version
	if o != nil {
		for _, v := range o.Versions {
			if v.Offered == crossprem.Yes {
				set = append(set, v.Version)
			}
		}
	}
	return set
}

// Assumed returns the keys that were not looked at and on whose absence the
// offer rests, sorted.
func (o *Offer) Assumed() []string {
	if o == nil {
		return nil
	}
	var keys []string
	reasons := slices.Concat(o.Why, []Reason{o.SuitesFrom, o.CurvesFrom})
	for _, v := range o.Versions {
		reasons = append(reasons, v.Reason)
	}
	for _, r := range reasons {
		if r.Assumed && r.Key != "" {
			keys = append(keys, r.Key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Offers returns what app offers on c: the versions, the suites and the curves,
// why, and how sure that is.
//
// It is evaluated in this order: the build of Windows gives the defaults of
// Schannel; the Protocols keys change them for each version and role; the stack
// of the program picks from what is left (its own setting, then, for
// .NET Framework, SystemDefaultTlsVersions and SchUseStrongCrypto of the right
// version and bitness, and for WinHTTP DefaultSecureProtocols, then the
// default); the policy for cipher suites and FIPS mode limit the suites. A live
// value in c.Observed takes the place of what is computed for its program, but
// for versions that the program names.
//
// Where a key was not looked at, it is taken to be absent, and the confidence
// is low. A nil c is a machine of which nothing is known.
func (c *Client) Offers(app App) *Offer {
	if c == nil {
		c = new(Client)
	}
	o := &Offer{App: app}
	o.System, _ = c.System()
	picks := c.picks(app)
	for _, v := range allVersions {
		state, reason := c.Schannel(v, app.Server)
		offer := VersionOffer{Version: v, State: state, Reason: reason, Confidence: reason.Confidence}
		for i, p := range picks {
			answer := p.offers(v, state)
			if state != NotSupported && state != Disabled {
				offer.Confidence = min(offer.Confidence, p.sure)
			}
			if i == 0 {
				offer.Offered = answer
			} else if offer.Offered != answer {
				offer.Offered = crossprem.AnswerUnknown
			}
		}
		if offer.Offered == crossprem.AnswerUnknown {
			offer.Confidence = ConfidenceUnknown
		}
		o.Versions = append(o.Versions, offer)
	}
	o.Confidence = Observed
	for _, v := range o.Versions {
		if v.State != NotSupported || v.Confidence == ConfidenceUnknown {
			o.Confidence = min(o.Confidence, v.Confidence)
		}
	}
	o.Why = picks[0].why
	strong := !slices.ContainsFunc(picks, func(p pick) bool { return !p.strong })
	c.fillSuites(o, strong)
	return o
}

// offers reports whether a version in this state is offered by the pick.
func (p pick) offers(v tlsprobe.Version, state State) crossprem.Answer {
	named := slices.Contains(p.versions, v)
	switch {
	case state == NotSupported, state == Disabled:
		return crossprem.No
	case p.unknown:
		return crossprem.AnswerUnknown
	case !p.systemDefault && !named:
		return crossprem.No
	case state == StateUnknown:
		return crossprem.AnswerUnknown
	case state == DisabledByDefault:
		return crossprem.AnswerOf(!p.systemDefault && !p.weakly)
	}
	return crossprem.Yes
}
