package authinspect

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// TLS is what a server showed while TLS was set up.
type TLS struct {
	Version  uint16              // as in crypto/tls
	Chain    []*x509.Certificate // as sent, leaf first; read-only
	Trusted  bool                // Chain leads to a root and names the host
	Distrust error               // why not

	// NameMismatch reports that the certificate names other hosts. Whatever
	// else is wrong is in Distrust alone.
	NameMismatch bool
}

// newTLS returns what a connection showed whose chain is distrusted, or not if
// the error is nil.
func newTLS(state tls.ConnectionState, distrust error) *TLS {
	var named x509.HostnameError
	return &TLS{Version: state.Version, Chain: state.PeerCertificates, Trusted: distrust == nil, Distrust: distrust, NameMismatch: errors.As(distrust, &named)}
}

// A tlsObject is TLS in JSON.
type tlsObject struct {
	Trusted      bool      `json:"trusted"`
	Distrust     string    `json:"distrust,omitempty"`
	NameMismatch bool      `json:"nameMismatch,omitempty"`
	Subject      string    `json:"subject,omitempty"`
	NotAfter     time.Time `json:"notAfter,omitzero"`
	Version      string    `json:"version,omitempty"` // such as "TLS 1.2"
	Chain        [][]byte  `json:"chain,omitempty"`   // DER
}

// MarshalJSON returns the verdict, the subject and the end of the leaf
// certificate, the version and the chain as base64 of DER.
func (t TLS) MarshalJSON() ([]byte, error) {
	object := tlsObject{Trusted: t.Trusted, Distrust: errorText(t.Distrust), NameMismatch: t.NameMismatch}
	if t.Version != 0 {
		object.Version = tls.VersionName(t.Version)
	}
	for _, cert := range t.Chain {
		object.Chain = append(object.Chain, cert.Raw)
	}
	if len(t.Chain) > 0 {
		object.Subject, object.NotAfter = t.Chain[0].Subject.String(), t.Chain[0].NotAfter
	}
	return json.Marshal(object)
}

// UnmarshalJSON reads what MarshalJSON writes; of the errors only the text
// comes back.
func (t *TLS) UnmarshalJSON(b []byte) error {
	var object tlsObject
	if err := json.Unmarshal(b, &object); err != nil {
		return err
	}
	read := TLS{Trusted: object.Trusted, Distrust: errorOf(object.Distrust), NameMismatch: object.NameMismatch}
	for v := uint16(0x0300); object.Version != "" && read.Version == 0; v++ { // from SSL 3.0 on: old servers have it
		switch {
		case tls.VersionName(v) == object.Version:
			read.Version = v
		case v == tls.VersionTLS13:
			var unnamed uint16
			if _, err := fmt.Sscanf(object.Version, "0x%04X", &unnamed); err != nil || unnamed == 0 {
				return fmt.Errorf("authinspect: no such version of TLS: %.20q", object.Version)
			}
			read.Version = unnamed
		}
	}
	for i, der := range object.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("authinspect: certificate %d of the chain: %w", i, err)
		}
		read.Chain = append(read.Chain, cert)
	}
	*t = read
	return nil
}

// A savedError is an error of which only the text is left.
type savedError string

func (e savedError) Error() string { return string(e) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return savedError(text)
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
