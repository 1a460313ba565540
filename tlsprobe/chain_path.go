package tlsprobe

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How much work a stranger's chain may make.
const (
	maxAncestors  = 12  // certificates at whose limits of validity a path is looked for
	maxSignatures = 100 // signatures checked on the way up
)

// judgePath returns the path from the first of the chain to a root on which
// the verdict hangs, and what is wrong with the chain at the time at, but for
// the name. The path is looked for without regard to validity, so that an
// expired certificate is told from one that is missing.
func judgePath(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) (path []*x509.Certificate, faults []Fault) {
	if i := slices.IndexFunc(chain, tooLarge); i >= 0 {
		return nil, []Fault{{Kind: FaultKeySize, Certificate: chain[i].Subject.String(), Text: "a key of the chain has more than 8192 bits, and is not looked at"}}
	}
	leaf := chain[0]
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	verify := func(t time.Time, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
		return leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{usage}})
	}
	paths, err := verify(at, x509.ExtKeyUsageServerAuth)
	if err == nil {
		return best(paths, at), nil
	}
	var noRoots x509.SystemRootsError
	if errors.As(err, &noRoots) {
		return nil, []Fault{{Kind: FaultNoRoots, Text: oneLine(err)}}
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) && len(ancestorsOf(chain)) == 1 { // another day or purpose would not help
		return nil, []Fault{whyNoPath(chain, err)}
	}
	when := at
	paths, anyErr := verify(at, x509.ExtKeyUsageAny)
	if anyErr != nil {
		ancestors := ancestorsOf(chain)
		for _, cert := range ancestors[:min(len(ancestors), maxAncestors)] {
			for _, t := range []time.Time{cert.NotAfter, cert.NotBefore} {
				if more, err := verify(t, x509.ExtKeyUsageAny); err == nil {
					if len(paths) == 0 {
						when = t
					}
					paths = append(paths, more...)
				}
			}
		}
		if len(paths) == 0 {
			paths = climb(chain, roots, at)
		}
	}
	if len(paths) == 0 {
		return nil, []Fault{whyNoPath(chain, anyErr)}
	}
	path = best(paths, at)
	for _, cert := range path {
		if text := validity(cert, at); text != "" {
			faults = append(faults, Fault{Kind: FaultValidity, Certificate: cert.Subject.String(), Text: text})
		}
	}
	var invalid x509.CertificateInvalidError
	if _, err := verify(when, x509.ExtKeyUsageServerAuth); errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage {
		faults = append(faults, Fault{Kind: FaultPurpose, Certificate: leaf.Subject.String(), Text: "the certificate is not meant for servers: " + oneLine(err)})
	}
	if len(faults) == 0 { // it cannot be trusted, for a reason that was not foreseen
		faults = faultsOf(err)
	}
	return path, faults
}

// validity says how cert is not valid at the time at, and "" if it is.
func validity(cert *x509.Certificate, at time.Time) string {
	switch {
	case at.After(cert.NotAfter):
		return fmt.Sprintf("the certificate %q has expired on %s", cert.Subject, cert.NotAfter.UTC().Format(time.DateOnly))
	case at.Before(cert.NotBefore):
		return fmt.Sprintf("the certificate %q is not valid before %s", cert.Subject, cert.NotBefore.UTC().Format(time.DateOnly))
	}
	return ""
}

// best returns the path that is valid at the time at, and of those the one
// that is valid the longest; or the one with the fewest that are not.
func best(paths [][]*x509.Certificate, at time.Time) []*x509.Certificate {
	invalid := func(path []*x509.Certificate) (n int) {
		for _, cert := range path {
			if validity(cert, at) != "" {
				n++
			}
		}
		return n
	}
	return slices.MinFunc(paths, func(a, b []*x509.Certificate) int {
		if n := invalid(a) - invalid(b); n != 0 {
			return n
		}
		if n := firstEnd(b).Compare(firstEnd(a)); n != 0 {
			return n
		}
		return len(a) - len(b)
	})
}

// firstEnd returns when the first certificate of a path ends.
func firstEnd(path []*x509.Certificate) time.Time {
	return slices.MinFunc(path, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}

// ancestorsOf returns the leaf and those of the chain that may have issued it
// or one of its issuers, judged by their names.
func ancestorsOf(chain []*x509.Certificate) []*x509.Certificate {
	list := []*x509.Certificate{chain[0]}
	for i := 0; i < len(list); i++ {
		for _, cert := range chain[1:] {
			if bytes.Equal(cert.RawSubject, list[i].RawIssuer) && !slices.ContainsFunc(list, cert.Equal) {
				list = append(list, cert)
			}
		}
	}
	return list
}

// climb looks for a path among certificates whose times of validity do not
// overlap, which x509 never finds: it goes up by signatures, and asks for the
// root of one certificate at a time.
func climb(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) [][]*x509.Certificate {
	checks := 0
	var up func(path []*x509.Certificate) []*x509.Certificate
	up = func(path []*x509.Certificate) []*x509.Certificate {
		last := path[len(path)-1]
		for _, t := range []time.Time{at, last.NotAfter, last.NotBefore} {
			found, err := last.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if err == nil {
				return slices.Concat(path, best(found, at)[1:])
			}
		}
		for _, parent := range chain[1:] {
			if !bytes.Equal(parent.RawSubject, last.RawIssuer) || slices.ContainsFunc(path, parent.Equal) {
				continue
			}
			if checks++; checks > maxSignatures {
				return nil
			}
			if last.CheckSignatureFrom(parent) == nil {
				if found := up(append(slices.Clip(path), parent)); found != nil {
					return found
				}
			}
		}
		return nil
	}
	if path := up(chain[:1:1]); path != nil {
		return [][]*x509.Certificate{path}
	}
	return nil
}

// whyNoPath says why no path leads to a root that is trusted.
func whyNoPath(chain []*x509.Certificate, err error) Fault {
	f := faultsOf(err)[0]
	if f.Kind != FaultAuthority && f.Kind != FaultValidity {
		return f
	}
	top := topOf(chain)
	f = Fault{Certificate: top.Subject.String()}
	switch {
	case selfSigned(top) && top == chain[0]:
		f.Kind, f.Text = FaultSelfSigned, fmt.Sprintf("the certificate %q is signed with its own key", top.Subject)
	case selfSigned(top):
		f.Kind, f.Text = FaultUntrustedRoot, fmt.Sprintf("the chain ends at %q, which is not trusted here", top.Subject)
	default:
		f.Kind, f.Text = FaultIssuerMissing, fmt.Sprintf("the issuer of %q was not sent, and is not trusted here: %q", top.Subject, top.Issuer)
	}
	f.Text += ": x509: certificate signed by unknown authority"
	return f
}

// topOf returns the last of the certificates that lead up from the leaf.
func topOf(chain []*x509.Certificate) *x509.Certificate {
	last := chain[0]
	for range min(len(chain), maxSignatures) {
		i := slices.IndexFunc(chain[1:], func(parent *x509.Certificate) bool {
			return bytes.Equal(parent.RawSubject, last.RawIssuer) && !parent.Equal(last) && !tooLarge(parent) && last.CheckSignatureFrom(parent) == nil
		})
		if i < 0 {
			break
		}
		last = chain[1+i]
	}
	return last
}

// selfSigned reports whether cert is signed with its own key.
func selfSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) && cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}
