package oauthcert

// A Presence tells whether a store links a private key to a certificate.
type Presence uint8

const (
	KeyUnknown Presence = iota // not asked, or the store cannot tell
	KeyPresent                 // the store names a key; whether it works was not tried
	KeyAbsent                  // the store names no key
)

// String returns "unknown", "present" or "absent".
func (p Presence) String() string {
	switch p {
	case KeyPresent:
		return "present"
	case KeyAbsent:
		return "absent"
	}
	return "unknown"
}

// A Key is what a store tells of the private key of a certificate. The key
// itself is never opened.
type Key struct {
	Presence     Presence
	Provider     string // such as "Microsoft RSA SChannel Cryptographic Provider"; "" if not told
	ProviderType int    // of CryptoAPI, such as 12; 0 is a CNG key storage provider. Valid with Provider only
}
