package tlsprobe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
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
	RateLimited                         // some connections were cut, and the same hello was answered later: a limit, or a flaky path
	Intolerant                          // hangs up on hellos up to Result.IntolerantOf, in place of choosing a lower version
	ShortHelloOnly                      // answers hellos of less than 256 bytes only
	SNINeeded                           // answers for other names than the one that was sent, or than none
	ClientCertificateAsked              // negotiates TLS, and asks the client for a certificate
)

var classNames = [...]string{
	Unclassified: "unclassified", TLS: "tls", NotTLS: "not-tls", NeedsStartTLS: "needs-starttls",
	StartTLSRefused: "starttls-refused", ProxyRefused: "proxy-refused", ConnectionRefused: "refused",
	Unreachable: "unreachable", Reset: "reset", Closed: "closed", Silent: "silent", Declined: "declined",
	RateLimited: "rate-limited", Intolerant: "intolerant", ShortHelloOnly: "short-hello-only",
	SNINeeded: "sni-needed", ClientCertificateAsked: "client-certificate-asked",
}

// String returns the name, and "Class(99)" for a value that is none of the
// constants.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// MarshalText returns the name that String gives, and an error for a value
// that is none of the constants.
func (c Class) MarshalText() ([]byte, error) {
	if int(c) >= len(classNames) {
		return nil, fmt.Errorf("tlsprobe: no such class: %d", uint8(c))
	}
	return []byte(classNames[c]), nil
}

// A Reason tells what the Support of a version rests on.
type Reason string

const (
	NotAsked      Reason = ""              // there was no question
	Chosen        Reason = "chosen"        // a ServerHello with this version
	ChoseLower    Reason = "chose-lower"   // a ServerHello with a lower version, see Answer.Negotiated
	ChoseHigher   Reason = "chose-higher"  // a ServerHello with a version that was not offered: a broken server
	SentAlert     Reason = "alert"         // see Answer.Alert
	Implied       Reason = "implied"       // an alert "protocol version" to the hello for the next higher version
	HungUp        Reason = "hang-up"       // the connection was closed
	WasReset      Reason = "reset"         // the connection was reset
	NoAnswer      Reason = "silence"       // nothing until the deadline
	OtherProtocol Reason = "not-tls"       // bytes that are not TLS
	NoTLSYet      Reason = "before-tls"    // the proxy or the STARTTLS dialogue did not get that far
	NotConnected  Reason = "not-connected" // the connection was refused, or there was no way
	Truncated     Reason = "truncated"     // the answer ended in the middle
)

// An Answer is what one server showed about one version.
type Answer struct {
	Support Support `json:"-"`
	Reason  Reason  `json:"reason,omitempty"`

	Suite      Suite   `json:"suite,omitzero"`      // of the ServerHello, if Chosen
	Group      Group   `json:"group,omitzero"`      // of the key exchange, if it was seen
	Retry      bool    `json:"retry,omitempty"`     // the ServerHello was a HelloRetryRequest, as it should be for an empty key share
	Negotiated Version `json:"negotiated,omitzero"` // of the ServerHello, if ChoseLower or ChoseHigher
	Alert      *Alert  `json:"alert,omitempty"`     // the number of the alert, if SentAlert or Implied

	// Sentinel is the version that the server admits to be able to, though it
	// chose a lower one (RFC 8446 §4.1.3), or zero.
	Sentinel Version `json:"sentinel,omitzero"`

	// Strong tells, where Suite is weak, whether the server also accepts a
	// hello without weak suites.
	Strong Support `json:"strong,omitzero"`

	Asked int  `json:"asked,omitempty"` // hellos sent for this version
	Lost  int  `json:"lost,omitempty"`  // those of them that ended without a byte of TLS
	Short bool `json:"short,omitempty"` // only the hello of less than 256 bytes was answered
}

// Versions holds an Answer for each version that was asked about. One that is
// missing is Unknown.
type Versions map[Version]Answer

// ChainSource tells where a chain was seen. In JSON it is "chainFrom".
type ChainSource string

const (
	NoChain          ChainSource = ""
	FromHandshake    ChainSource = "handshake"  // the server proved that it holds the key, or asked for a client certificate before it could
	FromSignedFlight ChainSource = "signed"     // of the first flight of TLS 1.2, where a signature proved it
	FromPlainFlight  ChainSource = "plain-text" // of a first flight, or of a handshake that was not finished; nothing proves the key
)

// A Result is what one address showed during one probe. It is a plain value:
// tests may write it as a literal.
type Result struct {
	Target   string    // host:port, as given
	Address  string    // ip:port that was asked; empty if a proxy or Dial looks up the name
	SNI      string    // server name that was sent; empty if none
	StartTLS Protocol  // the dialogue before TLS, empty if none
	At       time.Time // when the probe began
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
	ALPN      string // the protocol that the server chose, if any was offered
	Trusted   bool   // Chain leads to a root at the time At, and names the server
	Distrust  error  // why not, all reasons joined, those of x509; or why certificates that were sent make no Chain

	// Others are the results of the other addresses of the same name. The
	// Result itself is the one of the address that answered best, or of the
	// first. Their own Others are nil.
	Others []*Result

	// Omitted is how many more addresses the name has that were not asked, for
	// [Prober.MaxAddresses].
	Omitted int
}

// Offers tells whether the server accepts at least one of versions. It is
// false for those that are unknown.
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

// All returns r and r.Others.
func (r *Result) All() []*Result { return append([]*Result{r}, r.Others...) }

// jsonResult is the shape of a Result in JSON.
type jsonResult struct {
	Target            string              `json:"target"`
	Address           string              `json:"address,omitempty"`
	SNI               string              `json:"sni,omitempty"`
	StartTLS          Protocol            `json:"starttls,omitempty"`
	At                time.Time           `json:"at,omitzero"`
	TookMS            int64               `json:"tookMs,omitempty"`
	Class             Class               `json:"class"`
	Detail            string              `json:"detail,omitempty"`
	Protocol          string              `json:"protocol,omitempty"`
	Versions          map[Version]Support `json:"versions"`
	Evidence          map[Version]Answer  `json:"evidence"`
	IntolerantOf      Version             `json:"intolerantOf,omitzero"`
	ClientCertificate bool                `json:"clientCertificateAsked,omitempty"`
	Chain             []jsonCertificate   `json:"chain"`
	ChainFrom         ChainSource         `json:"chainFrom,omitempty"`
	ALPN              string              `json:"alpn,omitempty"`
	Trusted           *bool               `json:"trusted"`
	Distrust          string              `json:"distrust,omitempty"`
	Others            []*Result           `json:"others,omitempty"`
	Omitted           int                 `json:"omitted,omitempty"`
}

type jsonCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Key       string    `json:"key"`
	Signature string    `json:"signature"`
	SHA256    string    `json:"sha256"`
}

// MarshalJSON writes the result as one object:
//
//	{"target", "class", "versions": {"ssl30", "tls10", "tls11", "tls12", "tls13": "accepted" | "refused" | "unknown"},
//	 "evidence": {"tls12": {"reason", "suite", "group", "alert", …}, …}, "chain": […] | null, "trusted": true | false | null, …}
//
// "trusted" is null where no chain was seen.
func (r *Result) MarshalJSON() ([]byte, error) {
	out := jsonResult{
		Target: r.Target, Address: r.Address, SNI: r.SNI, StartTLS: r.StartTLS, At: r.At,
		TookMS: r.Took.Milliseconds(), Class: r.Class, Detail: r.Detail, Protocol: r.Protocol,
		Versions: make(map[Version]Support), Evidence: make(map[Version]Answer),
		IntolerantOf: r.IntolerantOf, ClientCertificate: r.ClientCertificate,
		ChainFrom: r.ChainFrom, ALPN: r.ALPN, Others: r.Others, Omitted: r.Omitted,
	}
	for _, v := range fiveVersions {
		out.Versions[v] = Unknown
	}
	for v, a := range r.Versions {
		out.Versions[v] = a.Support
		if a.Reason != NotAsked {
			out.Evidence[v] = a
		}
	}
	for _, cert := range r.Chain {
		sum := sha256.Sum256(cert.Raw)
		names := slices.Clone(cert.DNSNames)
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
		out.Chain = append(out.Chain, jsonCertificate{
			Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Names: names,
			NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
			Key: keyName(cert), Signature: cert.SignatureAlgorithm.String(), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	if r.Chain != nil {
		out.Trusted = &r.Trusted
	}
	if r.Distrust != nil {
		out.Distrust = strings.ReplaceAll(r.Distrust.Error(), "\n", "; ")
	}
	return json.Marshal(out)
}
