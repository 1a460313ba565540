package oauthcert

import (
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/crossprem/crossprem/internal/wintext"
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
// of the algorithm, then the extensions, then odd strings in the names and
// odd forms of the dates, then the key. It returns nil if the dates cannot be
// read.
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
	plain := []cryptobyte.String{plainName(issuer), plainDates(validity), plainName(subject)}
	for _, parts := range [][]cryptobyte.String{
		{issuer, validity, subject, key, fields},
		{issuer, validity, subject, key, nil},
		append(plain[:3:3], key, fields),
		append(plain[:3:3], key, nil),
		append(plain[:3:3], unknownKey, nil),
	} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
				b.AddASN1Int64(1)
				b.AddBytes(outer)
				for _, part := range parts {
					b.AddBytes(part)
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
		x.Raw, x.RawTBSCertificate, x.RawSubjectPublicKeyInfo, x.RawIssuer, x.RawSubject = der, tbs, key, issuer, subject
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

// plainName returns a name (RFC 5280 §4.1.2.4) with all its strings in UTF-8,
// or as it is if it is no name.
func plainName(name cryptobyte.String) cryptobyte.String {
	rest := name
	var rdns cryptobyte.String
	if !rest.ReadASN1(&rdns, asn1.SEQUENCE) {
		return name
	}
	var out []byte
	for !rdns.Empty() {
		var set, attribute, kind, value cryptobyte.String
		var tag asn1.Tag
		if !rdns.ReadASN1(&set, asn1.SET) {
			return name
		}
		var attributes []byte
		for !set.Empty() {
			if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1Element(&kind, asn1.OBJECT_IDENTIFIER) || !attribute.ReadAnyASN1(&value, &tag) {
				return name
			}
			attributes = append(attributes, element(asn1.SEQUENCE, slices.Concat([]byte(kind), element(asn1.UTF8String, plainString(value, tag))))...)
		}
		out = append(out, element(asn1.SET, attributes)...)
	}
	return element(asn1.SEQUENCE, out)
}

// plainString returns a string of ASN.1 in UTF-8. What has a code of its own
// is taken for ISO 8859-1.
func plainString(value []byte, tag asn1.Tag) []byte {
	switch {
	case tag == 0x1c && len(value)%4 == 0: // UniversalString
		var runes []rune
		for ; len(value) > 0; value = value[4:] {
			runes = append(runes, rune(binary.BigEndian.Uint32(value)))
		}
		return []byte(string(runes))
	case tag == 0x1e && len(value)%2 == 0: // BMPString
		return []byte(wintext.UTF16(value, binary.BigEndian))
	case utf8.Valid(value):
		return value
	}
	return []byte(wintext.Latin1(value))
}

// plainDates returns a validity (RFC 5280 §4.1.2.5) with its dates in the form
// of the standard, or as it is if it holds no dates. X.690 allows fractions of
// a second, no seconds and offsets as well.
func plainDates(validity cryptobyte.String) cryptobyte.String {
	rest := validity
	if !rest.ReadASN1(&rest, asn1.SEQUENCE) {
		return validity
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for range 2 {
			var text cryptobyte.String
			var tag asn1.Tag
			year := "2006"
			if !rest.ReadAnyASN1(&text, &tag) {
				return
			}
			if tag == asn1.UTCTime {
				year = "06"
			}
			t, ok := parseDate(year, string(text))
			if !ok {
				return
			}
			if tag == asn1.UTCTime && t.Year() >= 2050 {
				t = t.AddDate(-100, 0, 0)
			}
			if 1950 <= t.Year() && t.Year() < 2050 {
				b.AddASN1UTCTime(t)
			} else {
				b.AddASN1GeneralizedTime(t)
			}
		}
	})
	if der, err := b.Bytes(); err == nil {
		return der
	}
	return validity
}

// parseDate reads a date of X.690 whose year has that layout.
func parseDate(year, text string) (time.Time, bool) {
	for _, clock := range []string{"150405", "1504", "15"} {
		for _, zone := range []string{"Z0700", ""} {
			if t, err := time.Parse(year+"0102"+clock+zone, text); err == nil {
				return t.UTC().Truncate(time.Second), true
			}
		}
	}
	return time.Time{}, false
}
