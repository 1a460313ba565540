package symptoms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// Evidence is what is known besides the text. Every field may be left out.
type Evidence struct {
	// Client is the machine that wrote the text. What its program offers is
	// computed for the kind of program that the text is of; see [App].
	Client *schannel.Client

	// Offer is what the very program offers. It goes before Client.
	Offer *schannel.Offer

	// Server is what a probe showed of the server, asked from the same network.
	Server *tlsprobe.Result

	// Negotiation is what schannel.Check came to. If it is nil and Offer (or
	// Client) and Server are there, schannel.Negotiate is asked.
	Negotiation *schannel.Negotiation

	// Failed is the error of a probe that has no result, such as a
	// *tlsprobe.UnreachableError for a name that DNS does not know.
	Failed error

	// Alert is the number of the TLS alert that the peer sent, RFC 8446 §6.
	Alert *tlsprobe.Alert
}

func merged(list []Evidence) Evidence {
	var all Evidence
	for _, e := range list {
		if e.Client != nil {
			all.Client = e.Client
		}
		if e.Offer != nil {
			all.Offer = e.Offer
		}
		if e.Server != nil {
			all.Server = e.Server
		}
		if e.Negotiation != nil {
			all.Negotiation = e.Negotiation
		}
		if e.Failed != nil {
			all.Failed = e.Failed
		}
		if e.Alert != nil {
			all.Alert = e.Alert
		}
	}
	return all
}

// App returns the program whose offer is evidence for a text of stack. For an
// unknown one it is Windows PowerShell in a console.
func App(stack schannel.Stack) schannel.App {
	switch stack {
	case schannel.StackUnknown:
		return schannel.App{Stack: schannel.WindowsPowerShell, Host: schannel.Console}
	case schannel.WindowsPowerShell:
		return schannel.App{Stack: stack, Host: schannel.Console}
	case schannel.NETFramework:
		return schannel.App{Stack: stack, Target: schannel.NoTarget}
	}
	return schannel.App{Stack: stack}
}

// gallery are the entries that speak of the PowerShell Gallery, which has
// outages and has moved.
func gallery(id string) bool { return strings.HasPrefix(id, "psgallery-") }

// settles reports whether the message itself names the cause.
func (e *entry) settles() bool { return e.Tier == 3 && len(e.Causes) > 0 && e.Causes[0].Share >= 0.9 }

// open reports whether the texts leave it open whether client and server meet:
// one of the messages has a cause for which they do not, or there is none.
func open(list []*hit) bool {
	for _, h := range list {
		for _, c := range h.entry.Causes {
			if row, _ := causeByID(c.Cause); row.meeting {
				return true
			}
		}
	}
	return len(list) == 0
}

// exclude rules a cause out, or makes it unlikely where the evidence is not
// sure. What a message says itself stays.
func (r *ranking) exclude(list []*hit, id, why string, sure bool) {
	for _, h := range list {
		if h.entry.settles() && h.entry.Causes[0].Cause == id {
			r.because(id, why+" The text says otherwise: another program made that connection, or at another time.")
			return
		}
	}
	if !sure {
		if r.score[id] > 0 {
			r.score[id] *= 0.15
			r.because(id, why)
		}
		return
	}
	r.out[id] = why
}

func (r *ranking) boost(id string, factor, least float64, why string) {
	r.score[id] = max(r.score[id]*factor, least)
	r.because(id, why)
}

func (r *ranking) prove(id, why string) {
	if !slices.Contains(r.proved, id) {
		r.proved = append(r.proved, id)
	}
	r.because(id, why)
}

// The evidence is applied in this order: what could be reached at all, whether
// client and server meet, what each of them says alone, the certificate.
func (r *ranking) evidence(ev Evidence, d *Diagnosis, list []*hit) {
	isOpen := open(list)
	if ev.Failed != nil {
		r.unreached(ev.Failed, list)
	}
	offer := ev.Offer
	if offer == nil && ev.Client != nil {
		offer = ev.Client.Offers(App(d.Stack))
	}
	n := ev.Negotiation
	if n == nil && offer != nil && ev.Server != nil {
		n = schannel.Negotiate(offer, ev.Server)
	}
	if ev.Server != nil {
		r.class(ev.Server, list, isOpen)
	}
	switch {
	case n != nil && n.Meets == crossprem.No && n.Cause != schannel.NoTLS && n.Cause != schannel.ServerNotReached:
		id := causeOf(n, offer)
		if isOpen {
			r.prove(id, n.Explanation)
		} else {
			r.boost(id, 1, 0.3, n.Explanation+" The text is of something else.")
		}
		r.others(id, ev.Server, list)
	case n != nil && n.Meets == crossprem.Yes:
		sure := n.Confidence >= schannel.Medium
		for _, c := range causeTable {
			if c.meeting {
				r.exclude(list, c.id, n.Explanation, sure)
			}
		}
		if slices.ContainsFunc(list, func(h *hit) bool { return gallery(h.entry.ID) }) {
			why := "The program and the server meet, so an outage, a moved host or a device on the path is left: adding Tls12 changes nothing."
			r.boost("down", 1, 0.5, why)
			r.boost("endpoint-moved", 1, 0.2, why)
			r.boost("proxy-needed", 1, 0.15, "")
			r.boost("inspection", 1, 0.1, "")
		}
		if isOpen && len(list) > 0 && r.empty() {
			why := "The program and the server meet, as far as can be seen from here: another program, another server behind the same name, or a device on the path."
			r.boost("inspection", 1, 0.4, why)
			r.boost("rate-limit", 1, 0.2, why)
			r.boost("not-tls-cause", 1, 0.1, why)
		}
	default:
		if ev.Server != nil && isOpen {
			r.server(ev.Server, list)
		}
		if offer != nil && isOpen {
			r.client(offer, ev.Server, list)
		}
	}
	if ev.Server != nil {
		r.certificate(ev.Server, list)
	}
}

func (r *ranking) empty() bool {
	for id, v := range r.score {
		if v > 0 && r.out[id] == "" {
			return false
		}
	}
	return len(r.proved) == 0
}

// causeOf returns why the two of n do not meet.
func causeOf(n *schannel.Negotiation, o *schannel.Offer) string {
	switch n.Cause {
	case schannel.NothingOffered:
		return "schannel-locked"
	case schannel.NoCommonSuite, schannel.NoCommonCurve:
		return "no-common-suite"
	}
	if len(n.Accepted) == 0 {
		return "client-no-tls12"
	}
	lowest, highest := slices.MinFunc(n.Accepted, byAge), slices.MaxFunc(n.Accepted, byAge)
	switch {
	case lowest == tlsprobe.TLS13:
		return "client-no-tls13"
	case byAge(highest, tlsprobe.TLS12) < 0 && (o == nil || slices.ContainsFunc(n.Offered, func(v tlsprobe.Version) bool { return byAge(v, highest) > 0 })):
		return "server-old"
	}
	return "client-no-tls12"
}

// byAge orders versions, the oldest first; the numbers do the same from SSL 3.0
// on.
func byAge(a, b tlsprobe.Version) int { return int(a) - int(b) }

// others rules out the causes that the one which was proved contradicts.
func (r *ranking) others(id string, server *tlsprobe.Result, list []*hit) {
	if id == "client-no-tls13" {
		r.exclude(list, "client-no-tls12", "The server accepts TLS 1.3 alone: TLS 1.2 does not help.", true)
		r.exclude(list, "server-old", "The server accepts TLS 1.3.", true)
	}
	if id == "client-no-tls12" {
		r.exclude(list, "server-old", "The server accepts a version that is newer than those of the client.", server != nil)
		r.exclude(list, "client-no-tls13", "The server accepts TLS 1.2 or older versions as well.", server != nil)
	}
	if id == "server-old" {
		r.exclude(list, "client-no-tls12", "The client offers newer versions than the server accepts.", true)
		r.exclude(list, "client-no-tls13", "The server does not accept TLS 1.3.", true)
	}
	if id == "no-common-suite" {
		for _, other := range []string{"client-no-tls12", "client-no-tls13", "server-old"} {
			r.exclude(list, other, "Client and server have a version in common.", true)
		}
	}
}

// unreached judges a probe without a result.
func (r *ranking) unreached(err error, list []*hit) {
	var unreachable *tlsprobe.UnreachableError
	if !errors.As(err, &unreachable) {
		return
	}
	if len(list) > 0 && !open(list) && r.score["endpoint-moved"] == 0 && r.score["down"] == 0 && r.score["proxy-needed"] == 0 {
		return
	}
	why := "The name of the server leads to no address from here."
	r.boost("endpoint-moved", 1, 1.2, why)
	r.boost("proxy-needed", 1, 1.05, why)
	r.boost("down", 1, 0.75, why)
}

// class judges what kind of endpoint answered.
func (r *ranking) class(s *tlsprobe.Result, list []*hit, isOpen bool) {
	can := func(ids ...string) bool {
		return isOpen || slices.ContainsFunc(ids, func(id string) bool { return r.score[id] > 0 })
	}
	about := strings.TrimSpace("The probe of " + s.Target + " shows: " + s.Class.String() + ". " + s.Detail)
	noVersion := s.Highest() == 0
	switch s.Class {
	case tlsprobe.NotTLS:
		if can("not-tls", "starttls", "inspection") {
			r.prove("not-tls", about)
		}
	case tlsprobe.NeedsStartTLS:
		if can("not-tls", "starttls", "inspection") {
			r.prove("starttls", about)
		}
	case tlsprobe.StartTLSRefused, tlsprobe.TemporarilyUnavailable, tlsprobe.EHLORefused:
		if can("starttls", "not-tls") {
			r.boost("starttls", 3, 1, about)
		}
	case tlsprobe.ProxyRefused:
		if can("proxy-needed", "down") {
			r.prove("proxy-needed", about)
		}
	case tlsprobe.ConnectionRefused, tlsprobe.Unreachable:
		if can("down", "proxy-needed", "silent") {
			r.boost("down", 3, 2, about)
			r.boost("proxy-needed", 1, 0.4, about)
		}
	case tlsprobe.Silent:
		if can("silent", "down", "inspection") {
			r.boost("silent", 3, 1.5, about)
			r.boost("down", 1, 0.7, about)
			r.boost("inspection", 1, 0.4, about)
		}
	case tlsprobe.Reset, tlsprobe.Closed:
		if noVersion && can("inspection", "sni") {
			r.boost("inspection", 2, 1.5, about+" Hellos of every version are cut off.")
			r.boost("sni", 1, 0.4, about)
			r.exclude(list, "client-no-tls12", "Hellos of every version are cut off, TLS 1.2 and 1.3 among them.", true)
			r.exclude(list, "client-no-tls13", "Hellos of every version are cut off, TLS 1.3 among them.", true)
			r.exclude(list, "server-old", "Hellos of every version are cut off.", true)
		}
	case tlsprobe.SNINeeded:
		if can("sni") {
			r.boost("sni", 3, 1.5, about)
		}
	case tlsprobe.RateLimited, tlsprobe.BackendsDiffer:
		if can("rate-limit") {
			r.boost("rate-limit", 3, 1, about)
		}
	case tlsprobe.Intolerant, tlsprobe.ShortHelloOnly:
		if can("inspection", "silent") {
			r.boost("inspection", 2, 1, about)
		}
	}
}

// server judges what the server accepts, where nothing is known of the client.
func (r *ranking) server(s *tlsprobe.Result, list []*hit) {
	accepts := func(v tlsprobe.Version) bool { return s.Versions[v].Support == tlsprobe.Accepted }
	refuses := func(v tlsprobe.Version) bool { return s.Versions[v].Support == tlsprobe.Refused }
	switch {
	case accepts(tlsprobe.TLS13) && refuses(tlsprobe.TLS12) && !s.Offers(tlsprobe.TLS11, tlsprobe.TLS10):
		why := "The server accepts TLS 1.3 alone."
		if len(list) > 0 {
			r.boost("client-no-tls13", 1, 2*max(r.score["client-no-tls12"], r.score["server-old"], r.score["client-no-tls13"]), why)
		}
		r.exclude(list, "client-no-tls12", why+" TLS 1.2 does not help.", true)
		r.exclude(list, "server-old", why, true)
	case accepts(tlsprobe.TLS12):
		why := "The server accepts TLS 1.2."
		r.exclude(list, "server-old", why, true)
		r.exclude(list, "client-no-tls13", why, true)
		if len(list) > 0 && r.score["client-no-tls12"] > 0 {
			r.because("client-no-tls12", "The server accepts "+versions(s)+".")
		}
	case s.Offers(tlsprobe.TLS11, tlsprobe.TLS10, tlsprobe.SSL30) && refuses(tlsprobe.TLS12) && refuses(tlsprobe.TLS13):
		why := "The server accepts no more than " + versions(s) + "."
		if len(list) > 0 {
			r.boost("server-old", 1, 2*max(r.score["client-no-tls12"], r.score["server-old"], 0.2), why)
		} else {
			r.boost("server-old", 1, 1, why)
		}
		r.exclude(list, "client-no-tls12", why, true)
		r.exclude(list, "client-no-tls13", why, true)
	}
}

func versions(s *tlsprobe.Result) string {
	var names []string
	for v, a := range s.Versions {
		if a.Support == tlsprobe.Accepted {
			names = append(names, tlsprobe.Version(v).String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// client judges what the client offers, where it is not known whether it and
// the server meet.
func (r *ranking) client(o *schannel.Offer, s *tlsprobe.Result, list []*hit) {
	sure := o.Of(tlsprobe.TLS12).Confidence >= schannel.Medium
	set := fmt.Sprintf("%s offers %s.", o.App.Label(), offered(o))
	nothing := len(o.Versions) > 0
	for _, v := range o.Versions {
		nothing = nothing && v.Offered == crossprem.No
	}
	switch has12 := o.Offers(tlsprobe.TLS12); {
	case nothing:
		r.prove("schannel-locked", o.App.Label()+" has no version left to offer.")
	case has12 == crossprem.Yes:
		freed := r.score["client-no-tls12"]
		r.exclude(list, "client-no-tls12", set, sure)
		if o.Offers(tlsprobe.TLS13) == crossprem.Yes {
			r.exclude(list, "client-no-tls13", set, sure)
		} else if r.score["client-no-tls13"] > 0 && r.out["client-no-tls13"] == "" {
			r.boost("client-no-tls13", 1, r.score["client-no-tls13"]+freed/2, set+" A server of TLS 1.3 alone would refuse it: probe it.")
		}
	case has12 == crossprem.No && o.Offers(tlsprobe.TLS13) != crossprem.Yes && len(list) > 0:
		r.boost("client-no-tls12", 3, 0.5, set)
		if v := r.score["client-no-tls13"]; v > 0 {
			r.score["client-no-tls13"] = v * 0.3
		}
	}
}

func offered(o *schannel.Offer) string {
	var names []string
	for _, v := range o.Set() {
		names = append(names, v.String())
	}
	if len(names) == 0 {
		return "nothing that is known for sure"
	}
	return strings.Join(names, ", ")
}

// certificate judges the chain and the demand for a client certificate. It
// only counts where the text leaves room for it.
func (r *ranking) certificate(s *tlsprobe.Result, list []*hit) {
	wraps := len(list) == 0 || list[0].entry.ID == "net-core-ssl"
	if len(list) == 0 && len(r.proved) > 0 {
		return
	}
	can := func(id string) bool { return wraps || r.score[id] > 0 }
	if s.ClientCertificate && can("client-cert") {
		r.boost("client-cert", 4, 0.6, "The server asks for a client certificate during the handshake.")
	}
	var distrust *tlsprobe.DistrustError
	if !errors.As(s.Distrust, &distrust) {
		if s.Trusted && len(list) > 0 && !wraps && r.score["cert-trust"] > 0 {
			r.because("inspection", "The certificate that the probe saw is trusted here: the program saw another one, or has other roots.")
		}
		return
	}
	microsoft := tlsprobe.RoleOf(s.Target) == tlsprobe.MicrosoftEndpoint
	for _, f := range distrust.Faults {
		why := "The probe says of the certificate: " + strings.TrimSuffix(f.Text, ".") + "."
		switch f.Kind {
		case tlsprobe.FaultName:
			if can("cert-name") {
				r.boost("cert-name", 4, 1, why)
			}
		case tlsprobe.FaultValidity:
			if can("cert-time") {
				r.boost("cert-time", 4, 1, why)
			}
		case tlsprobe.FaultAuthority, tlsprobe.FaultSelfSigned, tlsprobe.FaultUntrustedRoot, tlsprobe.FaultIssuerMissing, tlsprobe.FaultPurpose, tlsprobe.FaultConstraint:
			if microsoft && (can("inspection") || can("cert-trust")) {
				r.boost("inspection", 4, 1.5, why+" A host of Microsoft has a public issuer.")
			} else if can("cert-trust") {
				r.boost("cert-trust", 4, 1, why)
			}
		}
	}
}

// A retiredHost is a name in use no longer.
type retiredHost struct{ name, entry string }

// retired returns the hosts of the table of endpoints that are given up.
var retired = sync.OnceValue(func() []retiredHost {
	var list []retiredHost
	for _, c := range crossprem.Clouds() {
		for _, e := range tlsprobe.Endpoints(c) {
			switch e.Status {
			case "retired":
				list = append(list, retiredHost{e.Host, "retired-host"})
			case "retired-api":
				list = append(list, retiredHost{e.Host, "msonline-gone"})
			}
		}
	}
	return list
})
