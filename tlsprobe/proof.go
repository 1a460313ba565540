package tlsprobe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// A proof is what a server of TLS 1.2 signed in its first flight: the random
// values of both sides, and its share of a key exchange (RFC 5246 §7.4.3). As
// one of the random values is ours and new, nobody but the holder of the key
// can have made the signature.
type proof struct {
	client, server []byte // random values
	params         []byte
	scheme         tls.SignatureScheme
	signature      []byte
}

// newProof reads the body of a ServerKeyExchange. It returns nil if nothing is
// signed there, or if it is not well-formed.
func newProof(suite Suite, serverRandom []byte, body cryptobyte.String) *proof {
	whole := body
	var skip cryptobyte.String
	switch name := suite.String(); {
	case strings.HasPrefix(name, "TLS_ECDHE_RSA_"), strings.HasPrefix(name, "TLS_ECDHE_ECDSA_"): // RFC 8422 §5.4
		var kind uint8
		var group uint16
		if !body.ReadUint8(&kind) || kind != namedCurve || !body.ReadUint16(&group) || !body.ReadUint8LengthPrefixed(&skip) {
			return nil
		}
	case strings.HasPrefix(name, "TLS_DHE_RSA_"):
		for range 3 { // p, g, Ys
			if !body.ReadUint16LengthPrefixed(&skip) {
				return nil
			}
		}
	default:
		return nil
	}
	p := &proof{server: serverRandom, params: slices.Clone(whole[:len(whole)-len(body)])}
	var scheme uint16
	var signature cryptobyte.String
	if !body.ReadUint16(&scheme) || !body.ReadUint16LengthPrefixed(&signature) || !body.Empty() {
		return nil
	}
	p.scheme, p.signature = tls.SignatureScheme(scheme), slices.Clone(signature)
	return p
}

// by reports whether the signature was made with the key of cert. It is false as
// well for what proves little, such as SHA-1, and for keys that are too large.
func (p *proof) by(cert *x509.Certificate) bool {
	signed := slices.Concat(p.client, p.server, p.params)
	var hash crypto.Hash
	switch p.scheme {
	case tls.ECDSAWithP256AndSHA256, tls.PKCS1WithSHA256, tls.PSSWithSHA256:
		hash = crypto.SHA256
	case tls.ECDSAWithP384AndSHA384, tls.PKCS1WithSHA384, tls.PSSWithSHA384:
		hash = crypto.SHA384
	case tls.ECDSAWithP521AndSHA512, tls.PKCS1WithSHA512, tls.PSSWithSHA512:
		hash = crypto.SHA512
	case tls.Ed25519:
		key, ok := cert.PublicKey.(ed25519.PublicKey)
		return ok && ed25519.Verify(key, signed, p.signature)
	default:
		return false
	}
	h := hash.New()
	h.Write(signed)
	digest := h.Sum(nil)
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		switch p.scheme {
		case tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512:
			return ecdsa.VerifyASN1(key, digest, p.signature)
		}
	case *rsa.PublicKey:
		if tooLarge(cert) {
			return false
		}
		switch p.scheme {
		case tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512:
			return rsa.VerifyPKCS1v15(key, hash, digest, p.signature) == nil
		case tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512:
			return rsa.VerifyPSS(key, hash, digest, p.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	}
	return false
}

// tooLarge reports whether the key of cert would keep us busy for long: a
// stranger chose its size. The limit is that of crypto/tls.
func tooLarge(cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > 8192
}
