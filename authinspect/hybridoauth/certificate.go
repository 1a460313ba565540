package hybridoauth

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"strconv"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// AddCertificate adds a certificate that lies in the store of a server, for
// callers that can look there. The server may be "", and whether there is a
// private key beside it may be unknown.
func (c *Configuration) AddCertificate(certificate *x509.Certificate, server string, hasKey crossprem.Answer) {
	p := map[string]Value{
		"Thumbprint":         String(string(exchange.ThumbprintOf(certificate.Raw))),
		"Subject":            String(certificate.Subject.String()),
		"Issuer":             String(certificate.Issuer.String()),
		"NotBefore":          Time(certificate.NotBefore),
		"NotAfter":           Time(certificate.NotAfter),
		"SignatureAlgorithm": String(signatureNames[certificate.SignatureAlgorithm]),
	}
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		p["PublicKeyAlgorithm"], p["PublicKeySize"] = String("RSA"), String(strconv.Itoa(key.N.BitLen()))
	case *ecdsa.PublicKey:
		p["PublicKeyAlgorithm"], p["PublicKeySize"] = String("ECC"), String(strconv.Itoa(key.Curve.Params().BitSize))
	}
	if p["SignatureAlgorithm"].isEmpty() {
		p["SignatureAlgorithm"] = Unreadable(certificate.SignatureAlgorithm.String())
	}
	if server != "" {
		p["Server"] = String(server)
	}
	if hasKey != crossprem.AnswerUnknown {
		p["HasPrivateKey"] = Bool(hasKey == crossprem.Yes)
	}
	c.Objects = append(c.Objects, Object{Kind: exchange.Certificate, Side: OnPremises, Properties: p})
}

// AddFile adds a file with a certificate that is meant for Entra ID, and
// whether it holds a private key beside it, which it must not.
func (c *Configuration) AddFile(name string, holdsKey bool) {
	c.Objects = append(c.Objects, Object{Kind: exchange.ExportedFile, Side: OnPremises, Properties: map[string]Value{"Name": String(name), "ContainsPrivateKey": Bool(holdsKey)}})
}

// signatureNames are the names that Windows gives signature algorithms.
var signatureNames = map[x509.SignatureAlgorithm]string{
	x509.MD5WithRSA: "md5RSA", x509.SHA1WithRSA: "sha1RSA", x509.SHA256WithRSA: "sha256RSA", x509.SHA384WithRSA: "sha384RSA", x509.SHA512WithRSA: "sha512RSA",
	x509.ECDSAWithSHA256: "sha256ECDSA", x509.ECDSAWithSHA384: "sha384ECDSA", x509.ECDSAWithSHA512: "sha512ECDSA",
}

// Thumbprints returns the thumbprints of the current, the next and the
// previous certificate, as far as they are known and not empty.
func (c Configuration) Thumbprints() []string {
	j := newJudge(&c, 0, c.Context.Now)
	var all []string
	for _, f := range []fact{j.current, j.next, j.previous} {
		if f.text != "" {
			all = append(all, string(f.text))
		}
	}
	return all
}
