package tlsprobe

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// A ClientOffer is what one client puts into its hello.
type ClientOffer struct {
	Versions []Version // SSL 3.0 to TLS 1.3; at least one
	Suites   []Suite   // by priority; at least one
	Groups   []Group   // by priority; nil leaves the extension out
}

// A Choice is what a server answered to the hello of one client.
type Choice struct {
	Target  string // host:port, as given
	Address string // ip:port that was asked; empty if a proxy or Dial looks up the name

	Version Version // zero if no ServerHello came
	Suite   Suite
	Group   Group // of the key exchange, if it was seen

	Alert *Alert // nil if no fatal alert came
	Lost  string // why neither came; empty if one did
}

// Try sends target the hello that a client with this offer would send, once,
// and returns what the server chooses. It goes the way that [Prober.Probe]
// goes, proxy and STARTTLS included, to the first address of the name, and
// hangs up after the server's first flight. Nothing is computed and no
// certificate is judged.
//
// The hello carries the versions, suites and groups of the offer and a key
// share for the first group that has one here; its signature schemes are all
// that this package knows, as a refusal for their sake would be another
// question.
//
// An error means that nothing was asked: see [Prober.Probe]. What became of the
// hello, a lost connection included, is in the Choice.
func (p *Prober) Try(ctx context.Context, target string, offer ClientOffer) (*Choice, error) {
	host, _, err := splitTarget(target)
	if err != nil {
		return nil, err
	}
	e := p.newEndpoint(Target{Addr: target}, host)
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := offer.check(); err != nil {
		return nil, err
	}
	addresses, _, err := p.addresses(ctx, target)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("tlsprobe: %s: %w", target, cause)
		}
		return nil, &UnreachableError{Target: target, Err: err}
	}
	e.address = addresses[0]
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	e.deadline = time.Now().Add(timeout)
	bounded, cancel := context.WithDeadline(ctx, e.deadline)
	defer cancel()
	e.ctx = bounded
	stop := context.AfterFunc(bounded, e.closeAll)
	defer stop()
	defer e.closeAll()

	c := &Choice{Target: target}
	if _, err := netip.ParseAddrPort(e.address); err == nil {
		c.Address = e.address
	}
	answer, err := e.try(offer.hello(e.sni, p.ALPN))
	if cause := context.Cause(ctx); cause != nil {
		return nil, fmt.Errorf("tlsprobe: %s: %w", target, cause)
	}
	switch answer.kind {
	case chosen:
		c.Version, c.Suite, c.Group = answer.version, answer.suite, answer.group
	case alerted:
		c.Alert = &answer.alert
	case foreign:
		c.Lost = "the answer is not TLS"
	case malformed:
		c.Lost = "the answer is not well-formed"
	default:
		c.Lost = "the connection ended without an answer"
		if err != nil {
			c.Lost = err.Error()
		}
	}
	return c, nil
}

// try sends one hello and reads the answer.
func (e *endpoint) try(hello []byte) (answer, error) {
	conn, err := e.open()
	if err != nil {
		return answer{}, err
	}
	defer e.release(conn)
	_, err = conn.Write(hello)
	reader := answerReader{flight: true}
	buf := make([]byte, 1024)
	for more := true; more; {
		n, failed := conn.Read(buf)
		more = reader.feed(buf[:n])
		if failed != nil {
			if err == nil {
				err = failed
			}
			break
		}
	}
	return reader.end(), err
}

func (o ClientOffer) check() error {
	switch {
	case len(o.Versions) == 0:
		return badSetting("an offer without a version")
	case len(o.Suites) == 0:
		return badSetting("an offer without a suite")
	case len(o.Suites) > 1000 || len(o.Groups) > 100:
		return badSetting("an offer of %d suites and %d groups, which no client makes", len(o.Suites), len(o.Groups))
	}
	for _, v := range o.Versions {
		if v < SSL30 || v > TLS13 {
			return badSetting("%v cannot be tried", v)
		}
	}
	return nil
}

// hello writes the hello as one record.
func (o ClientOffer) hello(serverName string, alpn []string) []byte {
	highest := slices.Max(o.Versions)
	legacy := Version(0) // of the versions that are told by it
	for _, v := range o.Versions {
		if v < TLS13 {
			legacy = max(legacy, v)
		}
	}
	if highest == TLS13 {
		legacy = TLS12 // RFC 8446 §4.1.2; the list has the truth
	}
	var message cryptobyte.Builder
	message.AddUint8(recordHandshake)
	message.AddUint16(uint16(min(legacy, TLS10)))
	message.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(messageClientHello)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(uint16(legacy))
			b.AddBytes(clientRandom())
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				if highest == TLS13 {
					session := make([]byte, 32)
					rand.Read(session)
					b.AddBytes(session)
				}
			})
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, suite := range o.Suites {
					b.AddUint16(uint16(suite))
				}
				if highest < TLS13 {
					b.AddUint16(uint16(scsv))
				}
			})
			b.AddBytes([]byte{1, 0})
			if highest == SSL30 {
				return
			}
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { o.extensions(b, serverName, alpn) })
		})
	})
	return message.BytesOrPanic()
}

func (o ClientOffer) extensions(ext *cryptobyte.Builder, serverName string, alpn []string) {
	add := func(number uint16, content func(b *cryptobyte.Builder)) {
		ext.AddUint16(number)
		ext.AddUint16LengthPrefixed(content)
	}
	if serverName != "" {
		add(extServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0) // host_name
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(serverName)) })
			})
		})
	}
	if len(o.Groups) > 0 {
		add(extSupportedGroups, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, g := range o.Groups {
					b.AddUint16(uint16(g))
				}
			})
		})
		add(extPointFormats, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) })
	}
	add(extMasterSecret, func(*cryptobyte.Builder) {})
	if slices.Max(o.Versions) >= TLS12 {
		add(extSignatures, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, s := range signatures12 {
					b.AddUint16(s)
				}
			})
		})
	}
	if len(alpn) > 0 {
		add(extALPN, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, name := range alpn {
					b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
				}
			})
		})
	}
	if slices.Max(o.Versions) < TLS13 {
		return
	}
	add(extSupportedVersions, func(b *cryptobyte.Builder) {
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, v := range []Version{TLS13, TLS12, TLS11, TLS10, SSL30} {
				if slices.Contains(o.Versions, v) {
					b.AddUint16(uint16(v))
				}
			}
		})
	})
	add(extPSKModes, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 1}) })
	add(extKeyShare, func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			curves := map[Group]ecdh.Curve{groupX25519: ecdh.X25519(), groupP256: ecdh.P256(), 0x0018: ecdh.P384()}
			for _, g := range o.Groups {
				curve, ok := curves[g]
				if !ok {
					continue
				}
				key, err := curve.GenerateKey(rand.Reader)
				if err != nil {
					panic(err) // the system has no randomness
				}
				b.AddUint16(uint16(g))
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
				return
			}
		})
	})
}
