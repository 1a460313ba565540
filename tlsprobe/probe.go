// Package tlsprobe finds out which TLS versions a server negotiates.
//
//	r, err := tlsprobe.Probe(ctx, "mail.contoso.com:443")
//	if err == nil && !r.Offers(tlsprobe.TLS12) { … }
//
// A version is decided from one ClientHello of our own and the first flight
// that the server sends back: no key is computed, so suites, curves and
// client certificates that Go's own TLS does not know cannot hide a version.
// The hellos for SSL 3.0 to TLS 1.3 are sent at the same time, on a connection
// each. If a connection is cut or an alert is ambiguous, second opinions
// follow, all under the one deadline of the endpoint.
//
// # The standard of proof
//
// An answer is finished if it is a ServerHello and no HelloRetryRequest: only
// then has the server found a certificate for the name, or for none. The first
// row that holds for a version decides about it.
//
//	what was seen                                                             support        reason
//	the same hello was accepted one time and refused another                  contradictory  answers-differ
//	a finished ServerHello with the version                                   accepted       chosen
//	a HelloRetryRequest for it, and some finished answer under the same name  accepted       chosen
//	a HelloRetryRequest for it, and no finished answer                        unknown        retry-only
//	a ServerHello with a lower version to a hello that offers this one        refused        chose-lower
//	the alert 70, protocol_version                                            refused        alert
//	TLS 1.2 and below: the alerts 40 or 71 to the common suites and to the
//	  rare ones, and some finished answer                                     refused        alert
//	the alert 80 again in a quiet moment, another version accepted right
//	  after it, and some finished answer                                      refused        alert
//	hung up on or reset again and again while something else was answered,
//	  and some finished answer                                                refused        hang-up, reset
//	a ServerHello with a version that was not offered                         unknown        chose-higher
//	any other alert                                                           unknown        alert
//	bytes that are not TLS                                                    unknown        not-tls
//	a connection that was lost in any other way                               unknown        hang-up, reset, silence, …
//
// For TLS 1.3 the alert 40 alone never decides: a server that wants a key
// shared beforehand sends it too. One that has no TLS 1.3 answers a hello that
// offers lower versions as well with one of those. With [Modern], SSL 3.0 and
// TLS 1.0 may be refused because TLS 1.1 got the alert 70 (implied).
//
// What is said about a version holds for the server that answered. Where
// several servers share an address, a probe notices most mixtures that no
// single server would give, and then asks again; a mixture that looks like one
// server is only found out with [Prober.Samples].
//
// # The chain
//
// The certificate chain comes from the first flight of TLS 1.2, if the server
// signs its key exchange there with the key of the certificate, our random
// value included; else from one ordinary handshake by crypto/tls, which is given
// up before any data; and where crypto/tls cannot shake hands, from a first
// flight that proves nothing. [Result.ChainFrom] tells which.
//
// No credential is ever sent: no client certificate, no proxy password, no
// mail login. What leaves the machine, for each address, are five or six short
// connections to a usual server, at most ten to one that refuses versions with
// other alerts than 70 or by cutting them, and up to thirty to one that limits
// connections; through STARTTLS each has its greeting. [Result.Connections]
// counts them.
//
// A [Result] holds facts. [Assess] judges them for a day.
package tlsprobe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Scope tells how much a probe asks. In text and JSON it is one of
// "five-versions", "modern" and "only-tls12".
type Scope uint8

const (
	// FiveVersions asks about SSL 3.0 and TLS 1.0 to 1.3, with a hello for each.
	FiveVersions Scope = iota

	// Modern asks for TLS 1.3, for at most 1.2 and for at most 1.1. A "protocol
	// version" alert to the last settles SSL 3.0 to TLS 1.1 at once; any other
	// answer is followed by the hellos that are missing. A few servers send that
	// alert though they accept a lower version, such as GnuTLS with TLS 1.0 and
	// 1.2 and without 1.1: what rests on it has the reason [Implied].
	Modern

	// Only12 asks with a single hello whether TLS 1.2 is accepted. The chain
	// comes from the answer to it.
	Only12
)

var scopeTexts = enum.Of[Scope]("tlsprobe: scope", "five-versions", "modern", "only-tls12")

// String returns the text, and "Scope(9)" for a value that is none of the
// constants.
func (s Scope) String() string { return scopeTexts.String(s) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (s Scope) MarshalText() ([]byte, error) { return scopeTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *Scope) UnmarshalText(text []byte) error { return scopeTexts.Unmarshal(s, text) }

// ErrBadTarget reports a target that cannot be asked: it is no host:port, or
// its host is no name.
var ErrBadTarget = errors.New("tlsprobe: bad target")

// ErrBadSetting reports a setting that makes no sense, such as a proxy with a
// password in its URL.
var ErrBadSetting = errors.New("tlsprobe: bad setting")

// A badError is an ErrBadTarget or ErrBadSetting with a text of its own.
type badError struct {
	kind error
	text string
}

func (e *badError) Error() string { return e.text }
func (e *badError) Unwrap() error { return e.kind }

func badTarget(format string, args ...any) error {
	return &badError{ErrBadTarget, fmt.Sprintf("tlsprobe: "+format, args...)}
}

func badSetting(format string, args ...any) error {
	return &badError{ErrBadSetting, fmt.Sprintf("tlsprobe: "+format, args...)}
}

// An UnreachableError reports that the name of Target leads to no address.
// Asking again may help. A server that does not answer is a [Result], and no
// error.
type UnreachableError struct {
	Target string
	Err    error // of the resolver
}

// Error tells the target and the reason.
func (e *UnreachableError) Error() string { return "tlsprobe: " + e.Target + ": " + e.Err.Error() }

// Unwrap returns the error of the resolver.
func (e *UnreachableError) Unwrap() error { return e.Err }

// A Prober holds the settings of a probe. The zero value is ready to use, and
// one Prober may serve many goroutines; it is never changed by a probe.
type Prober struct {
	// Dial opens the connections. If nil, a net.Dialer does. If set, it is
	// given the host as it stands in the target, unless Resolve is set too. It
	// should end with its context: one that does not is left behind when the
	// time is up, in a goroutine of its own, and what it opens then is closed.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Resolve looks up the addresses of a host. If nil, and neither Dial nor
	// Proxy is set, the system's resolver does.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// ResolveMX looks up the mail exchangers of a domain for ProbeMail. If nil,
	// the system's resolver does.
	ResolveMX func(ctx context.Context, domain string) ([]*net.MX, error)

	// MailPort is the port on which ProbeMail asks. If 0, 25.
	MailPort uint16

	// MaxAddresses is how many addresses of one name are asked, each on its
	// own. If 0, 8.
	MaxAddresses int

	// Now tells the time at which chains are judged. If nil, time.Now does.
	Now func() time.Time

	// Roots are the roots that chains shall lead to. If nil, the system's.
	Roots *x509.CertPool

	// Timeout is how long one address may take, everything included. If 0,
	// 5 seconds. A second opinion on a rate limit needs at least 2 seconds.
	Timeout time.Duration

	// SNI is the server name to send and to look for in the certificate. If
	// empty, the host of the target, unless it is an IP address.
	SNI string

	// NoSNI sends no server name, on purpose: some servers take old versions
	// from clients without one only. The certificate is held against SNI, or
	// the host of the target, all the same.
	NoSNI bool

	// ALPN lists the application protocols to offer, such as "h2". If nil,
	// none are.
	ALPN []string

	// StartTLS names the dialogue that leads to TLS. If empty, TLS starts at
	// once.
	StartTLS Protocol

	// EHLO is the name that is given to mail servers. If empty, the address in
	// brackets (RFC 5321 §4.1.3), and where that is refused, the name of this
	// machine.
	EHLO string

	// Proxy is an HTTP proxy that is asked to CONNECT, such as
	// http://proxy.contoso.com:8080. It must not hold a password: a probe
	// sends no credentials.
	Proxy *url.URL

	// Ask tells how much to ask.
	Ask Scope

	// SSL20 asks about SSL 2.0 as well.
	SSL20 bool

	// Samples is how often each version is asked about. If 0, once, and again
	// where an answer is in doubt. More of them find out whether the servers
	// behind one address differ, see [Contradictory].
	Samples int

	// SkipChain leaves out the chain: only versions are asked.
	SkipChain bool

	// Concurrency is how many targets ProbeAll probes at a time. If 0, 64.
	// Each takes up to six connections.
	Concurrency int

	// PerHost is how many targets ProbeAll probes at a time on one host. If 0, 2.
	PerHost int
}

// A Target is one endpoint for [Prober.ProbeAll].
type Target struct {
	Addr     string   // host:port
	SNI      string   // as [Prober.SNI], which it overrides if not empty, together with NoSNI
	NoSNI    bool     // as [Prober.NoSNI]; SNI, if not empty, is only looked for in the certificate
	StartTLS Protocol // as [Prober.StartTLS], which it overrides if not empty
}

const (
	defaultTimeout      = 5 * time.Second
	defaultMaxAddresses = 8
	defaultConcurrency  = 64
	defaultPerHost      = 2
)

// Probe probes target, a host:port, with the settings of the zero [Prober].
func Probe(ctx context.Context, target string) (*Result, error) {
	return new(Prober).Probe(ctx, target)
}

// Probe probes target, a host:port. If the host is a name, each of its
// addresses is probed on its own.
//
// A server that refuses, hangs up or speaks something else is a result. An
// error means that there is nothing to report: the target or the settings make
// no sense ([ErrBadTarget], [ErrBadSetting]), the name has no address (an
// *[UnreachableError], in which errors.As finds a *net.DNSError), or ctx ended
// before an answer.
func (p *Prober) Probe(ctx context.Context, target string) (*Result, error) {
	return p.probe(ctx, Target{Addr: target})
}

func (p *Prober) probe(ctx context.Context, target Target) (*Result, error) {
	host, _, err := splitTarget(target.Addr)
	if err != nil {
		return nil, err
	}
	base := p.newEndpoint(target, host)
	if err := base.check(); err != nil {
		return nil, err
	}
	addresses, omitted, err := p.addresses(ctx, target.Addr)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("tlsprobe: %s: %w", target.Addr, cause)
		}
		return nil, &UnreachableError{Target: target.Addr, Err: err}
	}
	results := make([]*Result, len(addresses))
	var wg sync.WaitGroup
	for i, address := range addresses {
		e := base
		if len(addresses) > 1 {
			e = p.newEndpoint(target, host)
		}
		e.address = address
		if i == len(addresses)-1 { // the last, mostly the only one, needs no goroutine
			results[i] = e.run(ctx)
			break
		}
		wg.Go(func() { results[i] = e.run(ctx) })
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("tlsprobe: %s: %w", target.Addr, err)
	}
	best := 0
	for i, r := range results {
		if r.Highest() > results[best].Highest() || answers(r.Class) && !answers(results[best].Class) {
			best = i
		}
	}
	r := results[best]
	r.Others = append(results[:best:best], results[best+1:]...)
	if len(r.Others) == 0 {
		r.Others = nil
	}
	r.Omitted = omitted
	return r, nil
}

// answers reports whether a server is there.
func answers(c Class) bool {
	return c != Unclassified && c != Unreachable && c != Silent && c != ConnectionRefused
}

// inTime calls ask, and comes back when ctx ends even if ask does not.
func inTime[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := ask()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func splitTarget(target string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(target)
	if err != nil {
		return "", "", badTarget("target %.80q is no host:port", target)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > 255 || strings.ContainsAny(host, " \t\r\n/\x00") {
		return "", "", badTarget("target %.80q is no host:port", target)
	}
	return host, port, nil
}

// addresses returns what to dial: ip:port for each address of the host, or the
// target itself where somebody else looks it up.
func (p *Prober) addresses(ctx context.Context, target string) (list []string, omitted int, err error) {
	host, port, _ := splitTarget(target)
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{net.JoinHostPort(host, port)}, 0, nil
	}
	resolve := p.Resolve
	if resolve == nil {
		if p.Dial != nil || p.Proxy != nil {
			return []string{target}, 0, nil
		}
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := inTime(ctx, func() ([]netip.Addr, error) { return resolve(ctx, host) })
	if err != nil {
		return nil, 0, err
	}
	limit := p.MaxAddresses
	if limit <= 0 {
		limit = defaultMaxAddresses
	}
	seen := make(map[netip.Addr]bool)
	for _, addr := range found {
		addr = addr.Unmap()
		if seen[addr] {
			continue
		}
		seen[addr] = true
		if len(list) == limit {
			omitted++
			continue
		}
		list = append(list, net.JoinHostPort(addr.String(), port))
	}
	if len(list) == 0 {
		return nil, 0, errors.New("the name has no address")
	}
	return list, omitted, nil
}
