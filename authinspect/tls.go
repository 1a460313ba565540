package authinspect

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// TLS is what a server showed while TLS was set up.
type TLS struct {
	Version  uint16              // as in crypto/tls
	Chain    []*x509.Certificate // as sent, leaf first; read-only
	Trusted  bool                // Chain leads to a root and names the host
	Distrust error               // why not
}

// MarshalJSON returns the verdict, the subject and the end of the leaf
// certificate.
func (t TLS) MarshalJSON() ([]byte, error) {
	object := struct {
		Trusted  bool      `json:"trusted"`
		Distrust string    `json:"distrust,omitempty"`
		Subject  string    `json:"subject,omitempty"`
		NotAfter time.Time `json:"notAfter,omitzero"`
	}{Trusted: t.Trusted}
	if t.Distrust != nil {
		object.Distrust = t.Distrust.Error()
	}
	if len(t.Chain) > 0 {
		object.Subject, object.NotAfter = t.Chain[0].Subject.String(), t.Chain[0].NotAfter
	}
	return json.Marshal(object)
}

// reason returns why the chain is not trusted, fit to be shown.
func (t *TLS) reason() string {
	if t.Distrust == nil {
		return "no reason is known"
	}
	return printable(t.Distrust.Error())
}

// everySuite returns the cipher suites of TLS up to 1.2, those included that
// Go no longer offers by itself: plain RSA and triple DES.
func everySuite() []uint16 {
	var ids []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		ids = append(ids, suite.ID)
	}
	return ids
}

// distrust returns why the chain of a connection to host is not to be trusted,
// or nil. The state itself does not name a host that is an IP address.
func (in *Inspector) distrust(state tls.ConnectionState, host string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: in.Roots, Intermediates: intermediates, CurrentTime: in.now(),
	})
	return err
}
