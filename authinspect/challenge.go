package authinspect

// A Scheme is the name of an authentication scheme in lower case, as in the
// registry of HTTP authentication schemes. Names compare without case (RFC
// 9110 §11.1), so they are kept in one; a scheme that is none of the
// constants is kept as well.
type Scheme string

// The schemes that this package knows something about.
const (
	Basic     Scheme = "basic"     // a password in every request, RFC 7617
	Bearer    Scheme = "bearer"    // a token: modern authentication, RFC 6750
	Digest    Scheme = "digest"    // a hash of the password, RFC 7616
	Kerberos  Scheme = "kerberos"  // named by some proxies; Windows says Negotiate
	Negotiate Scheme = "negotiate" // Kerberos or NTLM inside SPNEGO, RFC 4559
	NTLM      Scheme = "ntlm"      // Windows authentication without Kerberos, [MS-NTHT]
)

// String returns the name as people write it: "Basic", "NTLM". A scheme that
// is none of the constants is returned as it is.
func (s Scheme) String() string {
	switch s {
	case Basic:
		return "Basic"
	case Bearer:
		return "Bearer"
	case Digest:
		return "Digest"
	case Kerberos:
		return "Kerberos"
	case Negotiate:
		return "Negotiate"
	case NTLM:
		return "NTLM"
	}
	return string(s)
}
