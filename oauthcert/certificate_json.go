package oauthcert

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// wireCertificate is Certificate as JSON. What follows from Base64 is written
// for people and programs, and not read.
type wireCertificate struct {
	Subject       string          `json:"subject"`
	SHA1          Thumbprint      `json:"sha1"`
	SHA256        string          `json:"sha256"`
	NotBefore     any             `json:"notBefore"`
	NotAfter      any             `json:"notAfter"`
	Base64        []byte          `json:"base64"`
	KeyCredential json.RawMessage `json:"keyCredential"`
	PrivateKey    *Key            `json:"privateKey,omitempty"`
	Irregular     string          `json:"irregular,omitempty"`
}

// MarshalJSON returns the names, dates and encodings of the certificate, its
// key credential, and, if a store told, what is known of its private key:
//
//	{"subject", "sha1", "sha256", "notBefore", "notAfter", "base64", "keyCredential": {…}, "privateKey": {…}, "irregular"}
//
// The last two only where there is something to tell.
// The zero Certificate is null.
func (c Certificate) MarshalJSON() ([]byte, error) {
	if c.cert == nil {
		return []byte("null"), nil
	}
	key, err := json.Marshal(c.KeyCredential())
	if err != nil {
		return nil, err
	}
	w := wireCertificate{c.Subject(), c.SHA1(), c.SHA256(), c.NotBefore(), c.NotAfter(), c.cert.Raw, key, nil, c.irregular}
	if c.key != (Key{}) {
		w.PrivateKey = &c.key
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes: the certificate is the one of
// "base64", and it is an error if "sha1", where it is given, is another's.
// null leaves c as it is.
func (c *Certificate) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil
	}
	var w wireCertificate
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("oauthcert: certificate: %w", err)
	}
	read, err := Parse(w.Base64)
	if err != nil {
		return fmt.Errorf("oauthcert: certificate: base64: %w", err)
	}
	if !w.SHA1.IsZero() && w.SHA1 != read.SHA1() {
		return fmt.Errorf("oauthcert: certificate: sha1 is %s, and base64 is the certificate %s", w.SHA1, read.SHA1())
	}
	*c = Certificate{cert: read.cert, irregular: read.irregular}
	if w.PrivateKey != nil {
		c.key = *w.PrivateKey
	}
	return nil
}
