package oauthcert

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The two words that a credential for authentication carries. Others exist:
// X509CertAndPassword with Sign is for signing SAML tokens.
const (
	TypeX509    = "AsymmetricX509Cert"
	UsageVerify = "Verify"
)

// maxDisplayName is the length of a displayName that Entra ID keeps; it cuts
// what is longer.
const maxDisplayName = 90

// A KeyCredential is one entry of the keyCredentials of an application or a
// service principal. It marshals to the JSON that Microsoft Graph takes: what
// is empty is left out, dates are UTC, and the key is encoded exactly once.
//
// In a write, an entry with KeyID and without Key refers to a key that the
// directory holds already; an entry with Key and without KeyID brings one.
//
// Source: Microsoft Graph, keyCredential resource type.
type KeyCredential struct {
	// CustomKeyIdentifier is the text of the JSON, untouched. Entra ID fills
	// it with the 40 hexadecimal digits of the SHA-1 thumbprint, but whoever
	// writes an entry may put anything there. Never compare keys by it.
	CustomKeyIdentifier string
	DisplayName         string
	StartDateTime       time.Time // zero: not told; when adding, Entra ID copies it from the certificate
	EndDateTime         time.Time // likewise
	Key                 []byte    // the DER of the certificate; nil if the directory did not show it
	KeyID               string    // GUID, given by the directory
	Type                string    // TypeX509, or another
	Usage               string    // UsageVerify, or another
}

// wireCredential is KeyCredential as JSON.
type wireCredential struct {
	CustomKeyIdentifier string    `json:"customKeyIdentifier,omitempty"`
	DisplayName         string    `json:"displayName,omitempty"`
	EndDateTime         *wireTime `json:"endDateTime,omitempty"`
	Key                 *string   `json:"key,omitempty"`
	KeyID               string    `json:"keyId,omitempty"`
	StartDateTime       *wireTime `json:"startDateTime,omitempty"`
	Type                string    `json:"type,omitempty"`
	Usage               string    `json:"usage,omitempty"`
}

// wireTime is a date of Graph. Some come without a zone; all are UTC.
type wireTime time.Time

func (t wireTime) MarshalJSON() ([]byte, error) { return json.Marshal(time.Time(t).UTC()) }

func (t *wireTime) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if parsed, err := time.Parse(layout, s); err == nil {
			*t = wireTime(parsed.UTC())
			return nil
		}
	}
	return fmt.Errorf("%.40q is not a date", s)
}

// MarshalJSON returns the entry as Microsoft Graph takes it.
func (k KeyCredential) MarshalJSON() ([]byte, error) {
	w := wireCredential{
		CustomKeyIdentifier: k.CustomKeyIdentifier,
		DisplayName:         k.DisplayName,
		KeyID:               k.KeyID,
		Type:                k.Type,
		Usage:               k.Usage,
	}
	if !k.StartDateTime.IsZero() {
		w.StartDateTime = (*wireTime)(&k.StartDateTime)
	}
	if !k.EndDateTime.IsZero() {
		w.EndDateTime = (*wireTime)(&k.EndDateTime)
	}
	if k.Key != nil {
		key := base64.StdEncoding.EncodeToString(k.Key)
		w.Key = &key
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads an entry as Microsoft Graph shows it. A key that was
// given as PEM is stored by the directory as it came, and is taken for the
// certificate it holds.
func (k *KeyCredential) UnmarshalJSON(data []byte) error {
	var w wireCredential
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("key credential: %w", err)
	}
	got := KeyCredential{
		CustomKeyIdentifier: w.CustomKeyIdentifier,
		DisplayName:         w.DisplayName,
		KeyID:               w.KeyID,
		Type:                w.Type,
		Usage:               w.Usage,
	}
	if w.StartDateTime != nil {
		got.StartDateTime = time.Time(*w.StartDateTime)
	}
	if w.EndDateTime != nil {
		got.EndDateTime = time.Time(*w.EndDateTime)
	}
	if w.Key != nil && *w.Key != "" {
		key, err := base64.StdEncoding.DecodeString(*w.Key)
		if err != nil {
			return fmt.Errorf("key credential %.40q: key is not base64", w.KeyID)
		}
		got.Key = key
	}
	*k = got
	return nil
}

// Certificate returns the certificate that the entry holds, or an error if it
// shows no key or one that is not a certificate.
func (k KeyCredential) Certificate() (*Certificate, error) {
	if k.Key == nil {
		return nil, fmt.Errorf("oauthcert: key %s: the directory did not show its value", oneLine(k.KeyID, 40))
	}
	c, err := Parse(k.Key)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: key %s: %w", oneLine(k.KeyID, 40), err)
	}
	return c, nil
}

// equal reports whether two entries as read are the same, property by property.
func (k KeyCredential) equal(o KeyCredential) bool {
	return k.CustomKeyIdentifier == o.CustomKeyIdentifier && k.DisplayName == o.DisplayName &&
		k.StartDateTime.Equal(o.StartDateTime) && k.EndDateTime.Equal(o.EndDateTime) &&
		bytes.Equal(k.Key, o.Key) && strings.EqualFold(k.KeyID, o.KeyID) &&
		k.Type == o.Type && k.Usage == o.Usage
}
