package main

import (
	"context"
	"slices"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
	"github.com/crossprem/crossprem/tlsprobe/symptoms"
)

// An endpoint is one host that was asked, or that has no name to ask.
type endpoint struct {
	Target     string             `json:"target"` // host:port, or the pattern
	Purpose    string             `json:"purpose"`
	Need       string             `json:"need"`
	Components []string           `json:"components"`
	Class      tlsprobe.Class     `json:"class"`
	Accepted   []tlsprobe.Version `json:"accepted"`
	Answers    crossprem.Answer   `json:"answers"`   // in TLS; unknown if it was not asked
	Inspected  crossprem.Answer   `json:"inspected"` // by a device on the path
	Issuer     string             `json:"issuer,omitempty"`
	Meets      crossprem.Answer   `json:"meets"` // this client, unknown without one
	Why        string             `json:"why,omitempty"`
	Error      string             `json:"error,omitempty"`
}

// everywhere are hosts that serve all clouds, and that the table has for the
// worldwide one: Microsoft runs one PowerShell Gallery.
var everywhere = []string{"www.powershellgallery.com", "cdn.powershellgallery.com", "cdn.oneget.org", "go.microsoft.com", "aka.ms"}

// rows returns what a hybrid deployment of the cloud reaches. The hosts of
// Azure Government serve GCC High and DoD alike. Names that are given up are
// left out.
func rows(cloud crossprem.Cloud) []tlsprobe.Endpoint {
	list := tlsprobe.Endpoints(cloud)
	if cloud == crossprem.GCCHigh || cloud == crossprem.DoD {
		list = append(list, tlsprobe.AzureGovernment()...)
	}
	if cloud != crossprem.Worldwide {
		for _, e := range tlsprobe.Endpoints(crossprem.Worldwide) {
			if slices.Contains(everywhere, e.Host) {
				list = append(list, e)
			}
		}
	}
	return slices.DeleteFunc(list, func(e tlsprobe.Endpoint) bool { return e.NoTLS || e.Status == "retired" })
}

// askAll asks every host from this machine, and calls show for each as it
// answers. Those without a concrete name come last, with an error.
func askAll(ctx context.Context, p *tlsprobe.Prober, cloud crossprem.Cloud, c *schannel.Client, at time.Time, show func(endpoint) error) ([]endpoint, error) {
	var offer *schannel.Offer
	if c != nil {
		offer = c.Offers(symptoms.App(schannel.StackUnknown))
	}
	about := make(map[string]tlsprobe.Endpoint)
	var targets []tlsprobe.Target
	var without []endpoint
	for _, row := range rows(cloud) {
		list := row.Targets()
		if len(list) == 0 {
			without = append(without, endpoint{Target: row.Host, Purpose: row.Purpose, Need: row.Need, Components: row.Components, Accepted: []tlsprobe.Version{},
				Error: "not asked: it has no fixed name"})
		}
		for _, t := range list {
			if _, twice := about[t.Addr]; !twice {
				about[t.Addr] = row
				targets = append(targets, t)
			}
		}
	}
	var all []endpoint
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for r, err := range p.ProbeAll(ctx, slices.Values(targets)) {
		row := about[r.Target]
		e := endpoint{Target: r.Target, Purpose: row.Purpose, Need: row.Need, Components: row.Components, Class: r.Class, Accepted: []tlsprobe.Version{}}
		if err != nil {
			e.Error, e.Answers = err.Error(), crossprem.No
		} else {
			e.judge(r, offer, at)
		}
		all = append(all, e)
		if err := show(e); err != nil {
			return all, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return all, err
	}
	for _, e := range without {
		all = append(all, e)
		if err := show(e); err != nil {
			return all, err
		}
	}
	return all, nil
}

// judge fills in what the result shows.
func (e *endpoint) judge(r *tlsprobe.Result, offer *schannel.Offer, at time.Time) {
	e.Accepted = append(e.Accepted, accepted(r)...)
	e.Answers = crossprem.AnswerOf(len(e.Accepted) > 0)
	for _, f := range tlsprobe.Assess(r, tlsprobe.MicrosoftEndpoint, at) {
		if f.Rule != "tls-inspected" {
			continue
		}
		switch f.Status {
		case crossprem.Failed:
			e.Inspected = crossprem.Yes
		case crossprem.Passed:
			if e.Inspected == crossprem.AnswerUnknown {
				e.Inspected = crossprem.No
			}
		}
	}
	if len(r.Chain) > 0 {
		e.Issuer = r.Chain[0].Issuer.String()
	}
	if offer != nil {
		n := schannel.Negotiate(offer, r)
		e.Meets, e.Why = n.Meets, n.Explanation
	}
}
