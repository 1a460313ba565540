package tlsprobe

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Class tells in one word what kind of endpoint answered. In text and JSON
// it is the lower-case name of the constant, such as "needs-starttls".
type Class uint8

const (
	Unclassified           Class = iota // no probe, or one that was cut short
	TLS                                 // negotiates TLS, nothing odd about it
	NotTLS                              // speaks some other protocol, see Result.Protocol
	NeedsStartTLS                       // speaks a protocol that turns to TLS only when asked, see Result.Protocol
	StartTLSRefused                     // the dialogue before TLS did not lead to TLS
	ProxyRefused                        // the proxy could not be used, or did not connect
	ConnectionRefused                   // nothing listens there
	Unreachable                         // no way to the address
	Reset                               // hellos are cut off with a TCP reset, and none is answered but with an alert
	Closed                              // they are hung up on
	Silent                              // no connection, or no answer, within the deadline
	Declined                            // speaks TLS, and answers every hello with an alert
	RateLimited                         // some connections were cut, and the same hello was answered another time: a limit, or a flaky path
	Intolerant                          // hangs up on hellos up to Result.IntolerantOf, in place of choosing a lower version
	ShortHelloOnly                      // answers hellos of less than 256 bytes only
	SNINeeded                           // speaks TLS, and finishes no answer under the name that was sent, or under none
	ClientCertificateAsked              // negotiates TLS, and asks the client for a certificate
	TemporarilyUnavailable              // the mail server put the client off every time, with 421, 450 or 454
	EHLORefused                         // the mail server refused the name in EHLO, see [Prober.EHLO]
	BackendsDiffer                      // repeated answers to the same hello differ, see [Contradictory]
)

var classTexts = enum.Of[Class]("tlsprobe: class",
	"unclassified", "tls", "not-tls", "needs-starttls", "starttls-refused", "proxy-refused", "refused", "unreachable", "reset", "closed",
	"silent", "declined", "rate-limited", "intolerant", "short-hello-only", "sni-needed", "client-certificate-asked",
	"temporarily-unavailable", "ehlo-refused", "backends-differ")

// String returns the text, and "Class(99)" for a value that is none of the
// constants.
func (c Class) String() string { return classTexts.String(c) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (c Class) MarshalText() ([]byte, error) { return classTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *Class) UnmarshalText(text []byte) error { return classTexts.Unmarshal(c, text) }

// A Reason tells what the Support of a version rests on.
type Reason uint8

const (
	NotAsked      Reason = iota // there was no question
	Chosen                      // a ServerHello with this version
	ChoseLower                  // a ServerHello with a lower version, see Answer.Negotiated
	ChoseHigher                 // a ServerHello with a version that was not offered: a broken server
	SentAlert                   // see Answer.Alert
	Implied                     // an alert "protocol version" to the hello for the next higher version
	HungUp                      // the connection was closed
	WasReset                    // the connection was reset
	NoAnswer                    // nothing until the deadline
	OtherProtocol               // bytes that are not TLS
	NoTLSYet                    // the proxy or the STARTTLS dialogue did not get that far
	NotConnected                // the connection was refused, or there was no way
	Truncated                   // the answer ended in the middle
	RetryOnly                   // a HelloRetryRequest, and no finished answer under the same name
	AnswersDiffer               // the same hello was accepted and refused, see Answer.Samples
)

var reasonTexts = enum.Of[Reason]("tlsprobe: reason",
	"not-asked", "chosen", "chose-lower", "chose-higher", "alert", "implied", "hang-up", "reset", "silence", "not-tls", "before-tls",
	"not-connected", "truncated", "retry-only", "answers-differ")

// String returns the text, such as "chose-lower", and "Reason(99)" for a value
// that is none of the constants.
func (r Reason) String() string { return reasonTexts.String(r) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (r Reason) MarshalText() ([]byte, error) { return reasonTexts.Marshal(r) }

// UnmarshalText accepts what MarshalText gives.
func (r *Reason) UnmarshalText(text []byte) error { return reasonTexts.Unmarshal(r, text) }

// An Answer is what one server showed about one version.
type Answer struct {
	Support Support `json:"-"` // in JSON it stands in "versions"
	Reason  Reason  `json:"reason,omitempty"`

	Suite      Suite   `json:"suite,omitzero"`      // of the ServerHello, if Chosen
	Group      Group   `json:"group,omitzero"`      // of the key exchange, if it was seen
	Retry      bool    `json:"retry,omitempty"`     // the ServerHello was a HelloRetryRequest, as it should be for an empty key share
	Negotiated Version `json:"negotiated,omitzero"` // of the ServerHello, if ChoseLower or ChoseHigher
	Alert      *Alert  `json:"alert,omitempty"`     // the number of the alert, if SentAlert, Implied or RetryOnly

	// Sentinel is the version that the server admits to be able to, though it
	// chose a lower one (RFC 8446 §4.1.3), or zero.
	Sentinel Version `json:"sentinel,omitzero"`

	// Strong tells, where Suite is weak, whether the server also accepts a
	// hello without weak suites.
	Strong Support `json:"strong,omitzero"`

	Asked int  `json:"asked,omitempty"` // hellos sent for this version
	Lost  int  `json:"lost,omitempty"`  // those of them that ended without a byte of TLS
	Short bool `json:"short,omitempty"` // only the hello of less than 256 bytes was answered

	// Samples are the different answers to the same hello, each with how often
	// it came, if Support is Contradictory: the accepting ones first. Else nil.
	Samples []Sample `json:"samples,omitempty"`
}

// A Sample is one of the answers to a hello that was sent several times.
type Sample struct {
	Support    Support `json:"support"` // Accepted or Refused
	Reason     Reason  `json:"reason"`
	Suite      Suite   `json:"suite,omitzero"`      // if Chosen
	Negotiated Version `json:"negotiated,omitzero"` // if ChoseLower
	Alert      *Alert  `json:"alert,omitempty"`     // if SentAlert
	Count      int     `json:"count"`
}

// Versions holds an Answer for each version that was asked about. One that is
// missing is Unknown.
type Versions map[Version]Answer

// A ChainSource tells where a chain was seen. In JSON it is "chainFrom".
type ChainSource uint8

const (
	NoChain          ChainSource = iota
	FromHandshake                // the server proved that it holds the key, or asked for a client certificate before it could
	FromSignedFlight             // of the first flight of TLS 1.2, where a signature proved it
	FromPlainFlight              // of a first flight, or of a handshake that was not finished; nothing proves the key
)

var chainSourceTexts = enum.Of[ChainSource]("tlsprobe: source of a chain", "none", "handshake", "signed", "plain-text")

// String returns "none", "handshake", "signed" or "plain-text", and
// "ChainSource(9)" for a value that is none of the constants.
func (c ChainSource) String() string { return chainSourceTexts.String(c) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (c ChainSource) MarshalText() ([]byte, error) { return chainSourceTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *ChainSource) UnmarshalText(text []byte) error { return chainSourceTexts.Unmarshal(c, text) }

// A Result is what one address showed during one probe. It is a plain value:
// tests may write it as a literal. It goes into JSON and comes back the same.
type Result struct {
	Target   string    // host:port, as given
	Address  string    // ip:port that was asked; empty if a proxy or Dial looks up the name
	SNI      string    // server name that was sent; empty if none
	StartTLS Protocol  // the dialogue before TLS, empty if none
	At       time.Time // when the probe began, in UTC
	Took     time.Duration

	Class    Class
	Detail   string // one line about the class: the words of a refusal, for example
	Protocol string // what it spoke if NotTLS or NeedsStartTLS: "http", "ssh", "smtp", "imap", …, "unknown"

	Versions     Versions
	IntolerantOf Version // the lowest version whose hellos are hung up on though a lower one is accepted; or zero

	// ClientCertificate tells that the server asked for a certificate during
	// the handshake. False proves nothing: Exchange and IIS ask later, for
	// some paths only.
	ClientCertificate bool

	Chain     []*x509.Certificate // as sent, leaf first; nil if none was seen; read-only
	ChainFrom ChainSource

	// ChainProblem is one line about what is missing: why there is no Chain,
	// such as how the handshake failed, or what of it was cut off.
	ChainProblem string

	// Path leads from the leaf to a root that is trusted: the certificates that
	// the verdict hangs on. If there are several, it is the one that is valid
	// the longest. It is nil if there is none; whether its certificates are
	// valid today is not asked. Read-only.
	Path []*x509.Certificate

	ALPN     string // the protocol that the server chose, if any was offered
	Trusted  bool   // Chain leads to a root at the time At, is meant for servers, and names the server
	Distrust error  // why not, or why certificates that were sent make no Chain: a *DistrustError

	// StartTLSVaries tells that STARTTLS was offered on some connections and not
	// on others.
	StartTLSVaries bool

	Connections int // how many were opened, or tried

	// Others are the results of the other addresses of the same name. The
	// Result itself is the one of the address that answered best, or of the
	// first. Their own Others are nil.
	Others []*Result

	// Omitted is how many more addresses the name has that were not asked, for
	// [Prober.MaxAddresses].
	Omitted int
}

// Offers reports whether the server accepts at least one of versions. It is
// false for those that are unknown or contradictory.
func (r *Result) Offers(versions ...Version) bool {
	return slices.ContainsFunc(versions, func(v Version) bool { return r.Versions[v].Support == Accepted })
}

// Highest returns the highest version that the server accepts, or zero.
func (r *Result) Highest() Version {
	for _, v := range []Version{TLS13, TLS12, TLS11, TLS10, SSL30, SSL20} {
		if r.Offers(v) {
			return v
		}
	}
	return 0
}

// All returns r and r.Others, without those that are nil.
func (r *Result) All() []*Result {
	return slices.DeleteFunc(append([]*Result{r}, r.Others...), func(one *Result) bool { return one == nil })
}

// answered reports whether the server negotiated some version at least once.
func (r *Result) answered() bool {
	for _, a := range r.Versions {
		if a.Support == Accepted || a.Support == Contradictory {
			return true
		}
	}
	return false
}
