package schannel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Cause is why a client and a server would not meet. In text and JSON it is
// the text named beside the constant.
type Cause uint8

const (
	CauseUnknown     Cause = iota
	NoCause                // "none": they meet
	NothingOffered         // "client-offers-nothing": the client fails before it sends a byte (event 36871, 10013)
	NoCommonVersion        // "no-common-version"
	VersionGap             // "version-gap": the server would choose a version between two that the client offers
	NoCommonSuite          // "no-common-suite"
	NoCommonCurve          // "no-common-curve"
	NoTLS                  // "no-tls": the server speaks something else there
	ServerNotReached       // "server-not-reached": nothing is known of the server
)

var causeTexts = enum.Of[Cause]("schannel: cause", "unknown", "none", "client-offers-nothing", "no-common-version", "version-gap",
	"no-common-suite", "no-common-curve", "no-tls", "server-not-reached")

func (c Cause) String() string                   { return causeTexts.String(c) }
func (c Cause) MarshalText() ([]byte, error)     { return causeTexts.Marshal(c) }
func (c *Cause) UnmarshalText(text []byte) error { return causeTexts.Unmarshal(c, text) }

// A Side is who has to change something. In text and JSON it is the lower-case
// name of the constant.
type Side uint8

const (
	SideUnknown Side = iota
	Nobody
	ClientSide // a setting of the client does it
	ServerSide // no setting of the client does it: the server, or the client's Windows as a whole
)

var sideTexts = enum.Of[Side]("schannel: side", "unknown", "nobody", "client", "server")

func (s Side) String() string                   { return sideTexts.String(s) }
func (s Side) MarshalText() ([]byte, error)     { return sideTexts.Marshal(s) }
func (s *Side) UnmarshalText(text []byte) error { return sideTexts.Unmarshal(s, text) }

// A Negotiation is whether one program of a client and one server would meet.
type Negotiation struct {
	App     App    `json:"app"`
	Target  string `json:"target,omitempty"`
	Address string `json:"address,omitempty"`

	// Meets is yes if a version, a suite and, where one is needed, a curve are
	// proved to be common; no if one of them is proved not to be.
	Meets crossprem.Answer `json:"meets"`
	Cause Cause            `json:"cause"`
	Mover Side             `json:"mover"` // who has to change something

	Version tlsprobe.Version `json:"version,omitzero"` // the version that would be chosen; zero if none or not known
	Suite   string           `json:"suite,omitempty"`  // a suite that both have; empty if none is known
	Curve   string           `json:"curve,omitempty"`  // a curve that both have; empty if none is known or needed

	CommonVersion crossprem.Answer `json:"commonVersion"`
	CommonSuite   crossprem.Answer `json:"commonSuite"`
	CommonCurve   crossprem.Answer `json:"commonCurve"` // yes if none is needed

	Offered  []tlsprobe.Version `json:"offered"`  // by the client, for sure
	Accepted []tlsprobe.Version `json:"accepted"` // by the server, for sure

	// Explanation are whole sentences: what decided, and what is missing.
	Explanation string     `json:"explanation"`
	Confidence  Confidence `json:"confidence"`
}

// Negotiate says whether the program of o and the server of r would meet: on
// which version, whether with a common suite and curve, and if not, who has to
// move.
//
// A probe shows one suite and one group for each version, the server's choice
// from a long list. Is the choice among those of the client, a common one is
// proved; is it not, then whether the server takes another is not known, unless
// a trial is given: the answer to the very hello that the client would send,
// see [Ask].
//
// It judges the address that r is about, and not r.Others.
func Negotiate(o *Offer, r *tlsprobe.Result, trials ...Trial) *Negotiation {
	n := new(Negotiation)
	if o == nil || r == nil {
		n.Explanation = "Nothing is known of the client or of the server."
		return n
	}
	n.App, n.Target, n.Address = o.App, r.Target, r.Address
	n.Offered = o.Set()
	for _, v := range allVersions {
		if r.Versions[v].Support == tlsprobe.Accepted {
			n.Accepted = append(n.Accepted, v)
		}
	}
	n.Confidence = o.Confidence
	n.versions(o, r)
	if n.CommonVersion == crossprem.Yes && n.Version != 0 {
		n.suites(o, r.Versions[n.Version])
	}
	for _, t := range trials {
		if t.fits(o, r) {
			n.tried(o, t)
		}
	}
	n.conclude(o)
	return n
}

func (n *Negotiation) say(format string, args ...any) {
	if n.Explanation != "" {
		n.Explanation += " "
	}
	n.Explanation += fmt.Sprintf(format, args...)
}

// versions decides whether there is a common version, and which would be chosen.
func (n *Negotiation) versions(o *Offer, r *tlsprobe.Result) {
	may := func(v tlsprobe.Version) bool { return o.Offers(v) != crossprem.No }
	offers := func(v tlsprobe.Version) bool { return o.Offers(v) == crossprem.Yes }
	accepts := func(v tlsprobe.Version) bool { return r.Versions[v].Support == tlsprobe.Accepted }
	mayAccept := func(v tlsprobe.Version) bool { return r.Versions[v].Support != tlsprobe.Refused }

	switch {
	case len(o.Versions) > 0 && !slices.ContainsFunc(allVersions, may):
		n.CommonVersion, n.Cause = crossprem.No, NothingOffered
		n.say("%s has no version left to offer and fails before it sends anything (Schannel event 36871, state 10013).", o.App.Label())
		return
	case len(n.Accepted) == 0 && r.Class == tlsprobe.NotTLS:
		n.CommonVersion, n.Cause = crossprem.No, NoTLS
		n.say("The server does not speak TLS at %s.", r.Target)
		return
	case len(n.Accepted) == 0 && !slices.ContainsFunc(allVersions, func(v tlsprobe.Version) bool { return r.Versions[v].Support == tlsprobe.Refused }):
		n.Cause = ServerNotReached
		n.say("Nothing is known of the versions that the server accepts.")
		return
	}
	n.say("%s offers %s; the server accepts %s.", o.App.Label(), versionList(n.Offered), versionList(n.Accepted))

	possible := slices.ContainsFunc(allVersions, func(v tlsprobe.Version) bool { return may(v) && mayAccept(v) })
	if !possible {
		n.CommonVersion, n.Cause = crossprem.No, NoCommonVersion
		return
	}
	// TLS 1.3 is chosen from a list; the versions below it by their highest
	// (RFC 8446 §4.2.1, RFC 5246 §7.4.1.3).
	if offers(tlsprobe.TLS13) && accepts(tlsprobe.TLS13) {
		n.CommonVersion, n.Version = crossprem.Yes, tlsprobe.TLS13
		return
	}
	unsure13 := may(tlsprobe.TLS13) && mayAccept(tlsprobe.TLS13)
	highest := slices.MaxFunc(append([]tlsprobe.Version{0}, slices.DeleteFunc(slices.Clone(allVersions), func(v tlsprobe.Version) bool { return v == tlsprobe.TLS13 || !offers(v) })...),
		func(a, b tlsprobe.Version) int { return rankOf(a) - rankOf(b) })
	chosen, certain := tlsprobe.Version(0), true
	for _, v := range slices.Backward(allVersions) {
		if rankOf(v) > rankOf(highest) {
			if v != tlsprobe.TLS13 && may(v) && mayAccept(v) {
				certain = false // the client may offer more than is known
			}
			continue
		}
		if accepts(v) {
			chosen = v
			break
		}
		if mayAccept(v) {
			certain = false
		}
	}
	switch {
	case chosen != 0 && offers(chosen) && certain && !unsure13:
		n.CommonVersion, n.Version = crossprem.Yes, chosen
	case chosen != 0 && offers(chosen) && n.noGap(o, r, chosen, highest):
		n.CommonVersion = crossprem.Yes // on which is not known
		n.say("Whether on %v or a higher version is not known.", chosen)
	case chosen != 0 && o.Offers(chosen) == crossprem.No && certain && !unsure13:
		n.CommonVersion, n.Cause = crossprem.No, VersionGap
		n.say("The server would choose %v, which lies between versions that the client offers but is not among them.", chosen)
	case chosen == 0 && certain && !unsure13:
		n.CommonVersion, n.Cause = crossprem.No, NoCommonVersion
	default:
		n.say("Some versions are not known, so whether there is a common one is not known either.")
	}
}

// noGap reports whether every version from chosen to highest that the server
// may accept is offered, so that any choice of the server is a common version.
func (n *Negotiation) noGap(o *Offer, r *tlsprobe.Result, chosen, highest tlsprobe.Version) bool {
	for _, v := range allVersions {
		if rankOf(v) > rankOf(chosen) && rankOf(v) <= rankOf(highest) && r.Versions[v].Support != tlsprobe.Refused && o.Offers(v) != crossprem.Yes {
			return false
		}
		// A version above, of which it is not known whether the client offers it,
		// moves the highest; then all up to it would have to fit.
		if rankOf(v) > rankOf(highest) && v != tlsprobe.TLS13 && o.Offers(v) == crossprem.AnswerUnknown {
			for _, w := range allVersions {
				if rankOf(w) > rankOf(highest) && rankOf(w) < rankOf(v) && o.Offers(w) == crossprem.No && r.Versions[w].Support != tlsprobe.Refused {
					return false
				}
			}
		}
	}
	return true
}

func rankOf(v tlsprobe.Version) int { return slices.Index(allVersions, v) }

// suites decides, from the server's choice, whether there is a common suite and
// curve.
func (n *Negotiation) suites(o *Offer, a tlsprobe.Answer) {
	list := o.SuitesOf(n.Version)
	switch {
	case list == nil:
		n.say("The suites of the client are not known.")
		return
	case len(list) == 0:
		n.CommonSuite = crossprem.No
		n.say("The client has no suite left for %v.", n.Version)
		return
	case a.Suite == 0:
		n.say("No suite of the server was seen for %v.", n.Version)
		return
	case !slices.Contains(list, a.Suite):
		n.say("For %v the server chose %s, which the client does not offer; whether it takes one that the client offers was not asked.", n.Version, suiteName(a.Suite))
		return
	}
	n.CommonSuite, n.Suite = crossprem.Yes, suiteName(a.Suite)
	switch {
	case !elliptic(a.Suite):
		n.CommonCurve = crossprem.Yes
	case o.Curves == nil:
		n.say("The curves of the client are not known.")
	case len(o.Curves) == 0:
		n.CommonCurve = crossprem.No
		n.say("The client has no curve left, and %s needs one.", n.Suite)
	case a.Group == 0:
		n.say("No group of the server was seen.")
	case slices.Contains(o.Curves, a.Group):
		n.CommonCurve, n.Curve = crossprem.Yes, a.Group.String()
	default:
		n.say("The server chose the group %v, which the client does not offer; whether it takes one that the client offers was not asked.", a.Group)
	}
}

// The alerts that say that nothing of what was offered fits (RFC 8446 §6.2).
const (
	handshakeFailure     tlsprobe.Alert = 40
	insufficientSecurity tlsprobe.Alert = 71
)

// tried takes over what the server answered to the client's own hello.
func (n *Negotiation) tried(o *Offer, t Trial) {
	switch {
	case t.Version != 0 && o.Offers(t.Version) == crossprem.Yes:
		n.CommonVersion, n.Version, n.Cause = crossprem.Yes, t.Version, CauseUnknown
		n.CommonSuite, n.Suite = crossprem.Yes, suiteName(t.Suite)
		n.CommonCurve, n.Curve = crossprem.Yes, ""
		if t.Group != 0 {
			n.Curve = t.Group.String()
		}
		n.say("The server answered the hello of this client with %v and %s.", t.Version, suiteName(t.Suite))
	case t.Version != 0:
		n.CommonVersion, n.Cause, n.Version = crossprem.No, VersionGap, 0
		n.say("The server answered the hello of this client with %v, which it does not offer.", t.Version)
	case t.Alert == nil:
		n.say("The hello of this client was not answered.")
	case *t.Alert != handshakeFailure && *t.Alert != insufficientSecurity:
		n.say("The server answered the hello of this client with the alert %d (%v), which says nothing of suites.", uint8(*t.Alert), *t.Alert)
	case n.CommonVersion == crossprem.Yes && n.CommonSuite != crossprem.Yes:
		n.CommonSuite = crossprem.No
		n.say("The server answered the hello of this client, with the %d suites that it offers for %v, with the alert %d (%v): none of them is common.", len(o.SuitesOf(n.Version)), n.Version, uint8(*t.Alert), *t.Alert)
	case n.CommonVersion == crossprem.Yes && n.CommonCurve != crossprem.Yes:
		n.CommonCurve = crossprem.No
		n.say("The server answered the hello of this client with the alert %d (%v): no curve is common.", uint8(*t.Alert), *t.Alert)
	default:
		n.say("The server answered the hello of this client with the alert %d (%v).", uint8(*t.Alert), *t.Alert)
	}
}

// conclude decides whether they meet, from the three questions, and who has to
// move.
func (n *Negotiation) conclude(o *Offer) {
	questions := []crossprem.Answer{n.CommonVersion, n.CommonSuite, n.CommonCurve}
	switch {
	case slices.Contains(questions, crossprem.No):
		n.Meets = crossprem.No
	case !slices.Contains(questions, crossprem.AnswerUnknown):
		n.Meets, n.Cause, n.Mover = crossprem.Yes, NoCause, Nobody
		return
	default:
		n.Confidence = ConfidenceUnknown
		return
	}
	switch {
	case n.CommonVersion == crossprem.No:
		n.Mover = n.moverOfVersion(o)
	case n.CommonSuite == crossprem.No:
		n.Cause, n.Mover = NoCommonSuite, ServerSide
		if o.SuitesPolicy {
			n.Mover = ClientSide
			n.say("A setting of the client limits its suites.")
		} else {
			n.say("The client's Windows has no other suites: the server has to accept one of %s, or the client needs a newer Windows.", some(o.SuitesOf(n.Version)))
		}
	case n.CommonCurve == crossprem.No:
		n.Cause, n.Mover = NoCommonCurve, ServerSide
		if o.CurvesPolicy {
			n.Mover = ClientSide
		}
	}
}

func some(list Suites) string {
	var names []string
	for _, s := range list[:min(3, len(list))] {
		names = append(names, suiteName(s))
	}
	if len(list) > 3 {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// moverOfVersion decides who has to move where no version is common: the client
// if its Windows has a version that the server accepts and that may be used,
// and else the server.
func (n *Negotiation) moverOfVersion(o *Offer) Side {
	switch n.Cause {
	case NothingOffered:
		return ClientSide
	case NoTLS:
		return ServerSide
	}
	for _, v := range n.Accepted {
		if v < tlsprobe.TLS12 {
			continue // nobody should go back there
		}
		switch o.Of(v).State {
		case StateUnknown:
			return SideUnknown
		case NotSupported:
		default:
			return ClientSide
		}
	}
	if len(n.Accepted) > 0 && n.Accepted[len(n.Accepted)-1] == tlsprobe.TLS13 {
		n.say("%s has no TLS 1.3, and no key changes that: the server has to accept TLS 1.2, or the client needs Windows 11, Windows Server 2022 or later.", orThisWindows(o.System))
	}
	return ServerSide
}

func orThisWindows(name string) string {
	if name == "" {
		return "This Windows"
	}
	return name
}
