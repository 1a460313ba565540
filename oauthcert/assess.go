package oauthcert

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// An Assessor holds the settings by which certificates and directories are
// judged. The zero value is ready to use, and one Assessor may serve many
// goroutines.
type Assessor struct {
	// CurrentWindow is how long before its end a certificate counts as expiring
	// soon, and needs a staged successor. If zero, 60 days, as
	// MonitorExchangeAuthCertificate.ps1 has it.
	CurrentWindow time.Duration

	// NextWindow is how long a next certificate must still be valid to count
	// as a successor. If zero, 120 days, as that script has it.
	NextWindow time.Duration
}

func (a *Assessor) currentWindow() time.Duration { return orElse(a.CurrentWindow, currentWindow) }
func (a *Assessor) nextWindow() time.Duration    { return orElse(a.NextWindow, nextWindow) }

// Assess judges with the settings of the zero [Assessor].
func Assess(cert *Certificate, at time.Time) []crossprem.Finding {
	return new(Assessor).Assess(cert, at)
}

// AssessRollover judges with the settings of the zero [Assessor].
func AssessRollover(r Rollover, at time.Time) []crossprem.Finding {
	return new(Assessor).AssessRollover(r, at)
}

// AssessObject judges with the settings of the zero [Assessor].
func AssessObject(o *Object, want Expected, at time.Time) []crossprem.Finding {
	return new(Assessor).AssessObject(o, want, at)
}

// Assess judges one certificate for the day of at, as one that is in use: its
// validity, its key, its subject, and, if a store told, its private key. The
// subject of the findings is its thumbprint. What needs the configuration or
// the servers is for [Assessor.AssessRollover]. Of nil, or a zero certificate,
// there is one finding, which is unknown.
func (a *Assessor) Assess(cert *Certificate, at time.Time) []crossprem.Finding {
	if !cert.valid() {
		return []crossprem.Finding{certExpired.Unknown("the auth certificate", "No certificate was read.")}
	}
	out := a.validity(cert, at)
	out = append(out, notYetValid(cert, at, at))
	return append(out, cert.assess()...)
}

// validity judges the end of a certificate.
func (a *Assessor) validity(cert *Certificate, at time.Time) []crossprem.Finding {
	subject, end := cert.SHA1().String(), cert.NotAfter()
	if !end.After(at) {
		return []crossprem.Finding{certExpired.Failed(subject).
			Explain("The certificate was valid until {end}.", crossprem.Val("end", end)).DueOn(end, at)}
	}
	left := end.Sub(at)
	near := fmt.Sprintf(" That is %d days after %s.", int(left/(24*time.Hour)), at.UTC().Format(time.DateOnly))
	return []crossprem.Finding{
		certExpired.Passed(subject).Explain("The certificate is valid until {end}.", crossprem.Val("end", end)).DueOn(end, at),
		either(certExpiring, left > a.currentWindow(), subject).
			Explain("The certificate is valid until {end}."+near, crossprem.Val("end", end)).DueOn(end, at),
	}
}

// notYetValid judges the start of a certificate that is used from the given
// time on: it hurts from then until it becomes valid.
func notYetValid(cert *Certificate, used, at time.Time) crossprem.Finding {
	subject, start := cert.SHA1().String(), crossprem.Val("start", cert.NotBefore())
	if !cert.NotBefore().After(used) {
		return certNotYetValid.Passed(subject).Explain("The certificate is valid from {start}.", start)
	}
	return certNotYetValid.Failed(subject).
		Explain("The certificate is used from {used}, or earlier, and is valid from {start}.", crossprem.Val("used", used.UTC().Truncate(24*time.Hour)), start).
		DueOn(used, at)
}

// assess judges what does not depend on the day.
func (c *Certificate) assess() []crossprem.Finding {
	subject := c.SHA1().String()
	kind, bits := c.cert.PublicKeyAlgorithm.String(), c.KeyBits()
	out := []crossprem.Finding{either(certKeyType, bits > 0, subject).Explain("The key is {key}.", crossprem.Val("key", kind))}
	if bits == 0 {
		out = append(out, certKeySize.Unknown(subject, "The key is not RSA."))
	} else {
		out = append(out, either(certKeySize, bits >= minBits, subject).
			Explain("The RSA key has {bits} bits; Exchange signs with {least} or more.", crossprem.Val("bits", bits), crossprem.Val("least", minBits)))
	}

	if c.irregular == "" {
		out = append(out, certEncoding.Passed(subject).Explain("A strict parser reads it."))
	} else {
		out = append(out, certEncoding.Failed(subject).
			Explain("A strict parser refuses it ({reason}); its names and dates were read all the same. Whether Entra ID takes it was not tried.", crossprem.Val("reason", c.irregular)))
	}

	name := crossprem.Val("subject", oneLine(c.Subject(), 200))
	switch {
	case strings.EqualFold(c.Subject(), Subject):
		out = append(out, certSubject.Passed(subject).Explain("The subject is {subject}.", name))
	case name.Text == "":
		out = append(out, certSubject.Failed(subject).Explain("The certificate has no subject."))
	default: // any certificate may be made the auth certificate
		out = append(out, certSubject.Failed(subject).Explain("The subject is {subject}.", name).AtMost(crossprem.Info))
	}
	out = append(out, either(certSelfSigned, c.SelfSigned(), subject).
		Explain("It was issued by {issuer}.", crossprem.Val("issuer", oneLine(distinguishedName(c.cert.Issuer.String()), 200))))
	out = append(out, c.signature(subject))

	switch key := c.Key(); key.Presence {
	case KeyPresent:
		out = append(out, certServerKey.Passed(subject).Explain("The store names a private key. Whether it works was not tried."))
		if key.Provider != "" {
			out = append(out, either(certKeyProvider, key.ProviderType != 0, subject).
				Explain("The provider is {provider}, of type {type}.", crossprem.Val("provider", oneLine(key.Provider, 120)), crossprem.Val("type", key.ProviderType)))
		}
	case KeyAbsent:
		out = append(out, certServerKey.Failed(subject).Explain("The store names no private key."))
	}
	return out
}

func (c *Certificate) signature(subject string) crossprem.Finding {
	algorithm := crossprem.Val("algorithm", c.cert.SignatureAlgorithm)
	switch c.cert.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm:
		return certSignature.Unknown(subject, "The algorithm of the signature is not known.")
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return certSignature.Failed(subject).Explain("It is signed with {algorithm}.", algorithm)
	}
	return certSignature.Passed(subject).Explain("It is signed with {algorithm}.", algorithm)
}
