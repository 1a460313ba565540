package tlsprobe

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// A FaultKind is a kind of reason for which a chain is not trusted. In text
// and JSON it is one such as "name-mismatch".
type FaultKind uint8

const (
	FaultUnknown       FaultKind = iota // of another kind, see Fault.Text
	FaultAuthority                      // it does not lead to a root that is trusted here
	FaultSelfSigned                     // the server's certificate is signed with its own key, and not trusted here
	FaultUntrustedRoot                  // the chain ends at a root that is not trusted here
	FaultIssuerMissing                  // the issuer of the last certificate was not sent, and is not trusted here
	FaultValidity                       // a certificate of the path was not valid at the time of the probe
	FaultName                           // the names of the certificate do not include the one that was asked for
	FaultPurpose                        // the certificate is not meant for servers
	FaultConstraint                     // an authority was not allowed to issue it: a name constraint, a path that is too long
	FaultSignature                      // the server did not prove that it holds the key
	FaultUnreadable                     // a certificate cannot be read
	FaultKeySize                        // a key is too large to be looked at
	FaultNoRoots                        // the roots of the system cannot be read
)

var faultTexts = enum.Of[FaultKind]("tlsprobe: kind of fault",
	"unknown", "unknown-authority", "self-signed", "untrusted-root", "issuer-missing", "validity", "name-mismatch", "purpose",
	"constraint", "signature", "unreadable", "key-size", "no-roots")

// String returns the text, and "FaultKind(99)" for a value that is none of the
// constants.
func (k FaultKind) String() string { return faultTexts.String(k) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (k FaultKind) MarshalText() ([]byte, error) { return faultTexts.Marshal(k) }

// UnmarshalText accepts what MarshalText gives.
func (k *FaultKind) UnmarshalText(text []byte) error { return faultTexts.Unmarshal(k, text) }

// A Fault is one reason for which a chain is not trusted.
type Fault struct {
	Kind        FaultKind `json:"kind"`
	Certificate string    `json:"certificate,omitempty"` // subject of the one at fault, if it is one
	Text        string    `json:"text"`
}

// A DistrustError says why a chain is not trusted: for at least one reason. It
// is a plain value.
type DistrustError struct{ Faults []Fault }

// Error returns the texts of the faults.
func (e *DistrustError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = strings.ReplaceAll(f.Text, "\n", "; ")
	}
	return strings.Join(texts, "; ")
}

// faultsOf returns the faults that err holds. Errors of x509, which a literal
// Result may have, are told apart by their types.
func faultsOf(err error) []Fault {
	if err == nil {
		return nil
	}
	var distrust *DistrustError
	if errors.As(err, &distrust) {
		return distrust.Faults
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []Fault
		for _, one := range joined.Unwrap() {
			list = append(list, faultsOf(one)...)
		}
		return list
	}
	f := Fault{Text: oneLine(err)}
	var noRoots x509.SystemRootsError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.HostnameError)):
		f.Kind = FaultName
	case errors.As(err, &noRoots):
		f.Kind = FaultNoRoots
	case errors.As(err, &unknown):
		f.Kind = FaultAuthority
	case errors.As(err, &invalid):
		switch invalid.Reason {
		case x509.Expired:
			f.Kind = FaultValidity
		case x509.IncompatibleUsage:
			f.Kind = FaultPurpose
		default:
			f.Kind = FaultConstraint
		}
		if invalid.Cert != nil {
			f.Certificate = invalid.Cert.Subject.String()
		}
	}
	return []Fault{f}
}

// fault returns the first fault of one of the kinds, and false if there is none.
func fault(list []Fault, kinds ...FaultKind) (Fault, bool) {
	for _, f := range list {
		for _, k := range kinds {
			if f.Kind == k {
				return f, true
			}
		}
	}
	return Fault{}, false
}
