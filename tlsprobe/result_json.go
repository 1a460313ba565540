package tlsprobe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// jsonResult is the shape of a Result in JSON.
type jsonResult struct {
	Target            string              `json:"target"`
	Address           string              `json:"address,omitempty"`
	SNI               string              `json:"sni,omitempty"`
	StartTLS          Protocol            `json:"starttls,omitempty"`
	At                time.Time           `json:"at,omitzero"`
	TookMS            int64               `json:"tookMs,omitempty"`
	Took              string              `json:"took,omitempty"`
	Class             Class               `json:"class"`
	Detail            string              `json:"detail,omitempty"`
	Protocol          string              `json:"protocol,omitempty"`
	Versions          map[Version]Support `json:"versions"`
	Evidence          map[Version]Answer  `json:"evidence"`
	IntolerantOf      Version             `json:"intolerantOf,omitzero"`
	ClientCertificate bool                `json:"clientCertificateAsked,omitempty"`
	Chain             []jsonCertificate   `json:"chain"`
	ChainFrom         ChainSource         `json:"chainFrom,omitzero"`
	ChainProblem      string              `json:"chainProblem,omitempty"`
	Path              []jsonCertificate   `json:"path,omitempty"`
	ALPN              string              `json:"alpn,omitempty"`
	Trusted           *bool               `json:"trusted"`
	Distrust          string              `json:"distrust,omitempty"`
	Faults            []Fault             `json:"faults,omitempty"`
	StartTLSVaries    bool                `json:"starttlsVaries,omitempty"`
	Connections       int                 `json:"connections,omitempty"`
	Others            []*Result           `json:"others,omitempty"`
	Omitted           int                 `json:"omitted,omitempty"`
}

// A jsonCertificate says what a reader of JSON asks most, and holds the whole
// certificate, without which there is no reading back. In a path, certificates
// that stand in the chain are known by their hash.
type jsonCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Key       string    `json:"key"`
	Signature string    `json:"signature"`
	SHA256    string    `json:"sha256"`
	DER       []byte    `json:"der,omitempty"`
}

func newJSONCertificate(cert *x509.Certificate) jsonCertificate {
	sum := sha256.Sum256(cert.Raw)
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return jsonCertificate{
		Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Names: names,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		Key: keyName(cert), Signature: cert.SignatureAlgorithm.String(), SHA256: hex.EncodeToString(sum[:]), DER: cert.Raw,
	}
}

// MarshalJSON writes the result as one object:
//
//	{"target", "class", "versions": {"ssl30", "tls10", "tls11", "tls12", "tls13": "accepted" | "refused" | "unknown" | "contradictory"},
//	 "evidence": {"tls12": {"reason", "suite", "group", "alert", …}, …}, "chain": […] | null, "trusted": true | false | null, …}
//
// "trusted" is null where no chain was seen; "chainProblem" then says why. Of
// Distrust, what is not a *[DistrustError] becomes one.
func (r Result) MarshalJSON() ([]byte, error) {
	out := jsonResult{
		Target: r.Target, Address: r.Address, SNI: r.SNI, StartTLS: r.StartTLS, At: r.At,
		TookMS: r.Took.Milliseconds(), Class: r.Class, Detail: r.Detail, Protocol: r.Protocol,
		Versions: make(map[Version]Support), Evidence: make(map[Version]Answer),
		IntolerantOf: r.IntolerantOf, ClientCertificate: r.ClientCertificate,
		ChainFrom: r.ChainFrom, ChainProblem: r.ChainProblem, ALPN: r.ALPN,
		StartTLSVaries: r.StartTLSVaries, Connections: r.Connections, Others: r.Others, Omitted: r.Omitted,
	}
	if r.Took != 0 {
		out.Took = r.Took.String()
	}
	for _, v := range fiveVersions {
		out.Versions[v] = Unknown
	}
	for v, a := range r.Versions {
		out.Versions[v] = a.Support
		out.Evidence[v] = a
	}
	sent := make(map[string]bool)
	for _, cert := range r.Chain {
		out.Chain = append(out.Chain, newJSONCertificate(cert))
		sent[string(cert.Raw)] = true
	}
	for _, cert := range r.Path {
		c := newJSONCertificate(cert)
		if sent[string(cert.Raw)] {
			c.DER = nil
		}
		out.Path = append(out.Path, c)
	}
	if r.Chain != nil {
		out.Trusted = &r.Trusted
	}
	if r.Distrust != nil {
		out.Distrust = oneLine(r.Distrust)
		out.Faults = faultsOf(r.Distrust)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. It returns an error that names
// the place for a certificate that cannot be read, and leaves r as it was.
func (r *Result) UnmarshalJSON(b []byte) error {
	var in jsonResult
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	out := Result{
		Target: in.Target, Address: in.Address, SNI: in.SNI, StartTLS: in.StartTLS, At: in.At.UTC(),
		Took: time.Duration(in.TookMS) * time.Millisecond, Class: in.Class, Detail: in.Detail, Protocol: in.Protocol,
		IntolerantOf: in.IntolerantOf, ClientCertificate: in.ClientCertificate,
		ChainFrom: in.ChainFrom, ChainProblem: in.ChainProblem, ALPN: in.ALPN,
		Trusted: in.Trusted != nil && *in.Trusted, StartTLSVaries: in.StartTLSVaries,
		Connections: in.Connections, Others: in.Others, Omitted: in.Omitted,
	}
	if in.Took != "" {
		took, err := time.ParseDuration(in.Took)
		if err != nil {
			return fmt.Errorf("tlsprobe: result: took: %.40q is no duration", in.Took)
		}
		out.Took = took
	}
	for v, support := range in.Versions {
		a, told := in.Evidence[v]
		if a.Support = support; told || support != Unknown {
			if out.Versions == nil {
				out.Versions = make(Versions)
			}
			out.Versions[v] = a
		}
	}
	sent := make(map[string]*x509.Certificate)
	read := func(list []jsonCertificate, what string) (certs []*x509.Certificate, err error) {
		for i, c := range list {
			cert := sent[c.SHA256]
			if c.DER != nil || cert == nil {
				if cert, err = x509.ParseCertificate(c.DER); err != nil {
					return nil, fmt.Errorf("tlsprobe: result: certificate %d of the %s: %w", i+1, what, err)
				}
				sent[c.SHA256] = cert
			}
			certs = append(certs, cert)
		}
		return certs, nil
	}
	var err error
	if out.Chain, err = read(in.Chain, "chain"); err != nil {
		return err
	}
	if out.Path, err = read(in.Path, "path"); err != nil {
		return err
	}
	switch {
	case in.Faults != nil:
		out.Distrust = &DistrustError{Faults: in.Faults}
	case in.Distrust != "":
		out.Distrust = &DistrustError{Faults: []Fault{{Text: in.Distrust}}}
	}
	*r = out
	return nil
}

// oneLine returns the text of err without line breaks.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
