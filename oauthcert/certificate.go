package oauthcert

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Subject is the subject, and the issuer, of every auth certificate that
// Exchange makes for itself.
//
// Source: Microsoft Learn, Maintain the Exchange Server OAuth certificate.
const Subject = "CN=Microsoft Exchange Server Auth Certificate"

// A Certificate is the public part of a certificate, and what a store told of
// its private key. It never holds a private key. It is immutable, and may be
// used by many goroutines. The zero value holds no certificate: its methods
// panic, as those of nil do.
type Certificate struct {
	cert      *x509.Certificate
	key       Key
	irregular string
}

// FromX509 wraps a certificate that was read by other means. It is read-only
// from then on.
func FromX509(cert *x509.Certificate) *Certificate { return &Certificate{cert: cert} }

// X509 returns the parsed certificate, which is read-only.
func (c *Certificate) X509() *x509.Certificate { return c.cert }

// Irregular says why the standard parser (crypto/x509) refuses the
// certificate, such as for a negative serial number, or is "" if it does not.
// Of such a certificate the bytes, the names and the dates are known; its
// extensions and its key are where they could be read. Whether Entra ID takes
// it is not known.
func (c *Certificate) Irregular() string { return c.irregular }

// DER returns the certificate as ASN.1 DER: what Entra ID wants, base64
// encoded, as a key. The bytes are the caller's.
func (c *Certificate) DER() []byte { return slices.Clone(c.cert.Raw) }

// CER returns the content of a .cer file as Windows exports it without the
// private key: the DER encoding.
func (c *Certificate) CER() []byte { return c.DER() }

// PEM returns the certificate as one PEM block.
func (c *Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Base64 returns the DER encoding as standard base64 on one line, the text
// that is the value of a key credential.
func (c *Certificate) Base64() string { return base64.StdEncoding.EncodeToString(c.cert.Raw) }

// SHA1 returns the thumbprint by which Windows, Exchange and Entra ID name the
// certificate.
func (c *Certificate) SHA1() Thumbprint { return sha1.Sum(c.cert.Raw) }

// SHA256 returns the SHA-256 hash of the DER encoding as 64 hexadecimal
// digits in upper case.
func (c *Certificate) SHA256() string {
	sum := sha256.Sum256(c.cert.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// X5T returns the thumbprint as the header x5t of a JSON Web Token carries
// it: base64url without padding (RFC 7515 §4.1.7).
func (c *Certificate) X5T() string {
	sum := c.SHA1()
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Subject returns the subject in the order in which Windows and Exchange write
// it, such as "CN=Microsoft Exchange Server Auth Certificate", or "" if the
// certificate has none.
func (c *Certificate) Subject() string { return distinguishedName(c.cert.Subject.String()) }

// distinguishedName parts what crypto/x509 joins by commas (RFC 2253), as
// Windows does, by a comma and a blank.
func distinguishedName(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		b.WriteRune(r)
		if r == ',' && !escaped {
			b.WriteByte(' ')
		}
		escaped = r == '\\' && !escaped
	}
	return b.String()
}

// NotBefore returns the start of validity, in UTC.
func (c *Certificate) NotBefore() time.Time { return c.cert.NotBefore.UTC() }

// NotAfter returns the end of validity, in UTC.
func (c *Certificate) NotAfter() time.Time { return c.cert.NotAfter.UTC() }

// KeyBits returns the size of an RSA key, or 0 if the key is of another kind.
func (c *Certificate) KeyBits() int {
	if key, ok := c.cert.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

// SelfSigned reports whether the certificate is its own issuer and its
// signature verifies with its own key. It is false for a key of more than
// 16,384 bits, which is not tried.
func (c *Certificate) SelfSigned() bool { return c.issued(c) }

// issued reports whether c is the issuer of o by name and by signature.
func (c *Certificate) issued(o *Certificate) bool {
	return bytes.Equal(o.cert.RawIssuer, c.cert.RawSubject) && c.KeyBits() <= maxVerifiedBits &&
		c.cert.CheckSignature(o.cert.SignatureAlgorithm, o.cert.RawTBSCertificate, o.cert.Signature) == nil
}

// Key returns what the store told of the private key; it is the zero Key for
// a certificate that came from a file.
func (c *Certificate) Key() Key { return c.key }

// valid reports whether c holds a certificate.
func (c *Certificate) valid() bool { return c != nil && c.cert != nil }

// Equal reports whether both are the same certificate, byte for byte.
func (c *Certificate) Equal(o *Certificate) bool {
	return c.valid() && o.valid() && bytes.Equal(c.cert.Raw, o.cert.Raw)
}

// holds reports whether key, the value of a key credential, is this
// certificate: as DER, or as the PEM text that some writers upload.
func (c *Certificate) holds(key []byte) bool {
	if !c.valid() || key == nil {
		return false
	}
	if bytes.Equal(key, c.cert.Raw) {
		return true
	}
	if !bytes.HasPrefix(key, []byte("-----BEGIN ")) {
		return false
	}
	other, err := Parse(key)
	return err == nil && c.Equal(other)
}

// KeyCredential returns the entry that makes Entra ID accept what is signed
// with the certificate's key. Its dates are left out: Entra ID takes them from
// the certificate, and refuses any that lie outside.
func (c *Certificate) KeyCredential() KeyCredential {
	name := []rune(c.Subject())
	if len(name) > maxDisplayName {
		name = name[:maxDisplayName]
	}
	return KeyCredential{Type: TypeX509, Usage: UsageVerify, DisplayName: string(name), Key: c.DER()}
}

// String returns the thumbprint, the subject and the last day.
func (c *Certificate) String() string {
	return fmt.Sprintf("%s %s until %s", c.SHA1(), oneLine(c.Subject(), 120), c.NotAfter().Format(time.DateOnly))
}
