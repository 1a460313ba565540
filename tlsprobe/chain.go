package tlsprobe

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A handshake is how one ordinary handshake by crypto/tls ended.
type handshake struct {
	chain []*x509.Certificate
	alpn  string
	asked bool // for a client certificate
	err   error
}

// lost tells whether the connection was lost before a certificate was seen.
func (h *handshake) lost() bool {
	l := lossOf(h.err)
	return h.chain == nil && (l == lostClosed || l == lostReset)
}

// wantsHandshake tells whether it is time for the ordinary handshake: a
// version that crypto/tls knows is accepted, and no higher one is pending.
func (e *endpoint) wantsHandshake() bool {
	if e.shaking || e.shook != nil || e.prober.SkipChain || e.prober.Ask == Only12 {
		return false
	}
	highest := e.highest()
	if highest < TLS10 {
		return false
	}
	for h := range e.pending {
		if h.version > highest && h.shape == plain && !e.overdue {
			return false
		}
	}
	return true
}

// highest returns the highest version that the server chose so far.
func (e *endpoint) highest() Version {
	var highest Version
	for _, o := range e.log {
		if o.kind == chosen && o.answer.version <= o.hello.version {
			highest = max(highest, o.answer.version)
		}
	}
	return highest
}

// allSuites are those of crypto/tls, the insecure ones included: the handshake
// carries no data.
var allSuites = sync.OnceValue(func() []uint16 {
	var list []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		list = append(list, suite.ID)
	}
	return list
})

// handshakeSuites returns the suites that the server chose, as far as
// crypto/tls has them, which keeps the hello below the length that some
// servers cannot stand. If there are none, it returns all.
func (e *endpoint) handshakeSuites() []uint16 {
	var list []uint16
	for _, o := range e.log {
		id := uint16(o.suite)
		if o.kind == chosen && slices.Contains(allSuites(), id) && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	if list == nil {
		return allSuites()
	}
	return list
}

// handshakeGroups returns groups whose hello fits one packet. Those with ML-KEM
// do not, and are there only if the server chose one: it may have no other.
func (e *endpoint) handshakeGroups() []tls.CurveID {
	list := []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	for _, o := range e.log {
		switch id := tls.CurveID(o.group); id {
		case tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024:
			if !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
	}
	return list
}

// shakeHands starts the ordinary handshake, after a pause.
func (e *endpoint) shakeHands(pause time.Duration) {
	e.shaking, e.shook = true, nil
	e.inflight++
	highest := min(e.highest(), TLS13)
	suites, groups := e.handshakeSuites(), e.handshakeGroups()
	go func() {
		shake := &handshake{err: context.Canceled}
		if pause == 0 || sleep(e.ctx, pause) {
			e.shake(shake, highest, suites, groups)
		}
		e.outcomes <- outcome{shake: shake}
	}()
}

func (e *endpoint) shake(shake *handshake, highest Version, suites []uint16, groups []tls.CurveID) {
	raw, err := e.open()
	if err != nil {
		shake.err = err
		return
	}
	defer e.release(raw)
	conn := tls.Client(raw, &tls.Config{
		ServerName:         e.sni,
		NextProtos:         e.alpn,
		MinVersion:         tls.VersionTLS10,
		MaxVersion:         uint16(highest), // some servers cannot stand to be asked for more
		CipherSuites:       suites,
		CurvePreferences:   groups,
		InsecureSkipVerify: true, // it is judged afterwards, in judgeChain
		VerifyPeerCertificate: func(certs [][]byte, _ [][]*x509.Certificate) error {
			shake.chain = parseChain(certs)
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			shake.asked = true
			return new(tls.Certificate), nil // none
		},
	})
	shake.err = conn.HandshakeContext(e.ctx)
	shake.alpn = conn.ConnectionState().NegotiatedProtocol
}

// parseChain parses certificates up to the first one that cannot be.
func parseChain(certs [][]byte) []*x509.Certificate {
	var chain []*x509.Certificate
	for _, der := range certs[:min(len(certs), maxChain)] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			break
		}
		chain = append(chain, cert)
	}
	return chain
}

// judgeChain fills in what r says about the chain.
func (e *endpoint) judgeChain(r *Result) {
	if e.shook != nil && e.shook.chain != nil {
		r.Chain, r.ChainFrom, r.ALPN = e.shook.chain, FromHandshake, e.shook.alpn
	} else {
		for _, o := range e.log {
			if chain := parseChain(o.certs); chain != nil && (r.Chain == nil || o.answer.version == r.Highest()) {
				r.Chain, r.ChainFrom = chain, FromPlainFlight
			}
		}
	}
	if r.Chain == nil {
		return
	}
	intermediates := x509.NewCertPool()
	for _, cert := range r.Chain[1:] {
		intermediates.AddCert(cert)
	}
	_, err := r.Chain[0].Verify(x509.VerifyOptions{
		Roots:         e.prober.Roots,
		Intermediates: intermediates,
		CurrentTime:   r.At,
	})
	r.Distrust = errors.Join(err, r.Chain[0].VerifyHostname(e.verify))
	r.Trusted = r.Distrust == nil
}

// keyName names the kind and size of a certificate's key, such as "RSA 2048".
func keyName(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return cert.PublicKeyAlgorithm.String()
}
