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
	"net"
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

// proved reports whether the server came as far as to prove that it holds the
// key: before the handshake ends, or before it asks for a certificate but for
// the key exchange RSA of TLS 1.2 and below, where nobody can without one.
func (h *handshake) proved() bool { return h.err == nil || h.asked }

// objection is why crypto/tls gave the handshake up itself, if it did: a wrong
// signature, or a certificate that it cannot read.
func (h *handshake) objection() error {
	var network *net.OpError // alerts of the server among them
	if h.proved() || errors.As(h.err, &network) || lossOf(h.err) != lostUnreachable {
		return nil
	}
	return h.err
}

// lost reports whether the connection was lost before a certificate was seen.
func (h *handshake) lost() bool {
	l := lossOf(h.err)
	return h.chain == nil && (l == lostClosed || l == lostReset)
}

// prove looks for a chain in o whose key is proved there, so that no handshake
// is needed.
func (e *endpoint) prove(o outcome) {
	if e.proved != nil || o.proof == nil {
		return
	}
	if chain, _ := parseChain(o.certs); chain != nil && o.proof.by(chain[0]) {
		e.proved = chain
	}
}

// wantsHandshake reports whether it is time for the ordinary handshake: a
// version that crypto/tls knows is accepted, no higher one is pending, and no
// chain was proved without, nor may be by the answer for TLS 1.2. The choice
// among application protocols is seen in the handshake alone.
func (e *endpoint) wantsHandshake() bool {
	if e.shaking || e.shook != nil || e.prober.SkipChain || e.prober.Ask == Only12 || e.proved != nil && len(e.alpn) == 0 {
		return false
	}
	highest := e.highest()
	if highest < TLS10 {
		return false
	}
	for h := range e.pending {
		if (h.version > highest || h.version == TLS12) && h.shape == plain && !e.overdue {
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
			shake.chain, _ = parseChain(certs)
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

// parseChain parses certificates. What cannot be parsed is left out, and told
// in the problem; there is no chain without its first one.
func parseChain(certs [][]byte) (chain []*x509.Certificate, problem string) {
	for i, der := range certs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			if problem == "" {
				problem = fmt.Sprintf("certificate %d of %d cannot be read: %v", i+1, len(certs), err)
			}
			if i == 0 {
				return nil, problem
			}
			continue
		}
		chain = append(chain, cert)
	}
	return chain, problem
}

// takeChain fills in which chain was seen, where, and what is missing. The
// fault is that of the handshake, if it is one of the certificate.
func (e *endpoint) takeChain(r *Result) (faults []Fault) {
	shook := e.shook
	if shook == nil {
		shook = new(handshake)
	}
	objection := shook.objection()
	switch {
	case shook.chain != nil && shook.proved():
		r.Chain, r.ChainFrom, r.ALPN = shook.chain, FromHandshake, shook.alpn
	case e.proved != nil:
		r.Chain, r.ChainFrom = e.proved, FromSignedFlight
		objection = nil
	case shook.chain != nil:
		r.Chain, r.ChainFrom = shook.chain, FromPlainFlight
	default:
		for _, o := range e.log {
			chain, problem := parseChain(o.certs)
			if chain != nil && (r.Chain == nil || o.answer.version == r.Highest()) {
				r.Chain, r.ChainFrom, r.ChainProblem = chain, FromPlainFlight, problem
			}
			if chain == nil && problem != "" && r.Chain == nil {
				r.ChainProblem = problem
				faults = []Fault{{Kind: FaultUnreadable, Text: problem}}
			}
		}
		if r.Chain != nil {
			faults = nil
		}
	}
	for _, o := range e.log {
		if r.ChainFrom != FromHandshake && len(o.certs) > 0 && r.Chain != nil && string(o.certs[0]) == string(r.Chain[0].Raw) {
			if len(o.certs) != len(r.Chain) { // some of it is missing
				_, r.ChainProblem = parseChain(o.certs)
			}
			if o.certsCut {
				r.ChainProblem = fmt.Sprintf("the chain is longer than %d certificates or %d bytes; the rest was not read", maxCertificates, maxChain)
			}
		}
	}
	if shook.err != nil && r.Chain == nil && r.ChainProblem == "" {
		r.ChainProblem = "the handshake for the chain failed: " + oneLine(shook.err)
	}
	if r.Chain == nil && r.ChainProblem == "" && r.answered() && !e.prober.SkipChain {
		r.ChainProblem = "the server sent no certificate"
		if e.shook == nil && r.Highest() == TLS13 {
			r.ChainProblem = "there was no time for the handshake that shows the chain"
		}
	}
	if objection != nil {
		kind := FaultSignature
		if r.Chain == nil {
			kind = FaultUnreadable
		}
		faults = []Fault{{Kind: kind, Text: oneLine(objection)}}
	}
	return faults
}

// judgeChain fills in what r says about the chain.
func (e *endpoint) judgeChain(r *Result) {
	faults := e.takeChain(r)
	if r.Chain != nil {
		path, more := judgePath(r.Chain, e.prober.Roots, r.At)
		r.Path = path
		faults = append(faults, more...)
		if err := r.Chain[0].VerifyHostname(e.verify); err != nil {
			faults = append(faults, Fault{Kind: FaultName, Certificate: r.Chain[0].Subject.String(), Text: oneLine(err)})
		}
	}
	if len(faults) > 0 {
		r.Distrust = &DistrustError{Faults: faults}
	}
	r.Trusted = r.Chain != nil && r.Distrust == nil
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
