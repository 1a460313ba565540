package oauthcert

import (
	"crypto/x509"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// parseDER reads one certificate.
func parseDER(der []byte) (*Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("a certificate of %d bytes; at most %d are read", len(der), maxDER)
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return FromX509(cert), nil
	}
	if cert := parseIrregular(der); cert != nil {
		return &Certificate{cert: cert, irregular: oneLine(err.Error(), 160)}, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoCertificate, oneLine(err.Error(), 160))
}

// parseIrregular reads the fields of a certificate that the standard parser
// refuses, such as one with a negative serial number, which Windows and
// OpenSSL take. The parser is given a certificate of the same fields without
// what it may refuse: first the serial number, the version and the inner copy
// of the algorithm, then the extensions, then the key. It returns nil if the
// names or the dates cannot be read.
func parseIrregular(der []byte) *x509.Certificate {
	var cert, tbs, outer, signature cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&cert, asn1.SEQUENCE) || !in.Empty() || !cert.ReadASN1Element(&tbs, asn1.SEQUENCE) ||
		!cert.ReadASN1Element(&outer, asn1.SEQUENCE) || !cert.ReadASN1Element(&signature, asn1.BIT_STRING) || !cert.Empty() {
		return nil
	}
	var serial, issuer, validity, subject, key cryptobyte.String
	fields := tbs
	if !fields.ReadASN1(&fields, asn1.SEQUENCE) || !fields.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) ||
		!fields.ReadASN1(&serial, asn1.INTEGER) || !fields.SkipASN1(asn1.SEQUENCE) || !fields.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
		!fields.ReadASN1Element(&validity, asn1.SEQUENCE) || !fields.ReadASN1Element(&subject, asn1.SEQUENCE) || !fields.ReadASN1Element(&key, asn1.SEQUENCE) {
		return nil
	}
	// A key of a kind that nobody knows: the OID 0.0.
	unknownKey := []byte{0x30, 0x08, 0x30, 0x03, 0x06, 0x01, 0x00, 0x03, 0x01, 0x00}
	for _, part := range [][2][]byte{{key, fields}, {key, nil}, {unknownKey, nil}} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
				b.AddASN1Int64(1)
				for _, field := range [][]byte{outer, issuer, validity, subject, part[0], part[1]} {
					b.AddBytes(field)
				}
			})
			b.AddBytes(outer)
			b.AddBytes(signature)
		})
		made, err := b.Bytes()
		if err != nil {
			return nil
		}
		x, err := x509.ParseCertificate(made)
		if err != nil {
			continue
		}
		x.Raw, x.RawTBSCertificate, x.RawSubjectPublicKeyInfo = der, tbs, key
		x.SerialNumber = signed(serial)
		return x
	}
	return nil
}

// signed reads the content of an INTEGER, which is a number in two's
// complement (X.690 §8.3).
func signed(content []byte) *big.Int {
	n := new(big.Int).SetBytes(content)
	if len(content) > 0 && content[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(content))))
	}
	return n
}
