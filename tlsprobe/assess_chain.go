package tlsprobe

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

const day = 24 * time.Hour

// soon returns how long before its end a certificate should have been
// replaced: a third of its life, at most 60 days, which is when automatic
// renewal begins at the latest.
func soon(cert *x509.Certificate) time.Duration {
	return min(60*day, cert.NotAfter.Sub(cert.NotBefore)/3)
}

// authoritySoon is the same for certificates of authorities, which take longer
// to replace.
const authoritySoon = 180 * day

// noChain tells why there is nothing to judge.
func (a *assessment) noChain() string {
	text := "No certificate was seen."
	if a.r.ChainProblem != "" {
		text += " " + sentence(a.r.ChainProblem)
	}
	if a.r.Distrust != nil && oneLine(a.r.Distrust) != a.r.ChainProblem {
		text += " " + sentence(oneLine(a.r.Distrust))
	}
	return text
}

// sentence begins text with a capital and ends it with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// certificate judges the chain.
func (a *assessment) certificate() {
	r := a.r
	if len(r.Chain) == 0 {
		for _, rule := range []crossprem.Rule{ruleExpired, ruleChainExpired, ruleName, ruleUntrusted} {
			a.add(rule.Unknown(a.subject, a.noChain()))
		}
		return
	}
	faults := faultsOf(r.Distrust)
	path := r.Path
	if path == nil {
		path = lineage(r.Chain, a.at)
	}
	a.leafValidity(r.Chain[0])
	a.pathValidity(path)
	a.certificateName(faults)
	a.trust(faults)
	a.keys(path)
}

// leafValidity judges how long the server's own certificate is valid.
func (a *assessment) leafValidity(leaf *x509.Certificate) {
	from, until := crossprem.Val("from", dayText(leaf.NotBefore)), crossprem.Val("until", dayText(leaf.NotAfter))
	f := ruleExpired.Failed(a.subject)
	switch {
	case a.at.Before(leaf.NotBefore):
		f = f.Explain("The certificate is not valid before {from}.", from, until).WithRemedy("Check the clocks, and wait or install another certificate.")
	case a.at.After(leaf.NotAfter):
		f = f.Explain("The certificate was valid from {from} to {until}, and has expired.", from, until).DueOn(leaf.NotAfter, a.at)
	case leaf.NotAfter.Sub(a.at) < soon(leaf):
		f = f.Explain("The certificate is valid from {from} to {until}, and should have been replaced by now.", from, until).DueOn(leaf.NotAfter, a.at)
	default:
		f = ruleExpired.Passed(a.subject).Explain("The certificate is valid from {from} to {until}.", from, until)
	}
	a.add(f)
}

func dayText(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// pathValidity judges the certificates above the server's own.
func (a *assessment) pathValidity(path []*x509.Certificate) {
	if len(path) < 2 {
		if selfSigned(path[0]) {
			a.add(ruleChainExpired.Passed(a.subject).Explain("There is no certificate above the server's."))
		} else {
			a.add(ruleChainExpired.Unknown(a.subject, "No certificate above the server's was sent or is known here."))
		}
		return
	}
	f := ruleChainExpired.Failed(a.subject)
	var due time.Time
	gravest := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	early := false
	bad := 0
	for i, cert := range path[1:] {
		what := "intermediate"
		if i == len(path)-2 && bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			what = "root"
		}
		n := fmt.Sprint(bad + 1)
		name, from, until := crossprem.Val("certificate"+n, cert.Subject.String()), crossprem.Val("from"+n, dayText(cert.NotBefore)), crossprem.Val("until"+n, dayText(cert.NotAfter))
		lead := "The " + what + " {certificate" + n + "} "
		switch {
		case a.at.Before(cert.NotBefore):
			f, early = f.Explain(lead+"is not valid before {from"+n+"}.", name, from), true
		case a.at.After(cert.NotAfter):
			f = f.Explain(lead+"has expired on {until"+n+"}.", name, until)
			gravest(cert.NotAfter)
		case cert.NotAfter.Sub(a.at) < authoritySoon:
			f = f.Explain(lead+"ends on {until"+n+"}.", name, until)
			gravest(cert.NotAfter)
		default:
			continue
		}
		bad++
	}
	switch {
	case bad > 0 && early: // it hurts now, since a day on which it stops
		a.add(f)
	case bad > 0:
		a.add(f.DueOn(due, a.at))
	default:
		end := firstEnd(path[1:])
		a.add(ruleChainExpired.Passed(a.subject).Explain("{count} certificates above the server's were looked at; the first of them ends on {until}.",
			crossprem.Val("count", len(path)-1), crossprem.Val("until", dayText(end))))
	}
}

func (a *assessment) certificateName(faults []Fault) {
	leaf := a.r.Chain[0]
	names := crossprem.Val("names", cmp.Or(strings.Join(namesOf(leaf), ", "), "none"))
	if f, bad := fault(faults, FaultName); bad {
		a.add(ruleName.Failed(a.subject).Explain(sentence(f.Text)+" The names are {names}.", names))
		return
	}
	if a.r.Distrust == nil && !a.r.Trusted {
		a.add(ruleName.Unknown(a.subject, "The chain was not judged."))
		return
	}
	a.add(ruleName.Passed(a.subject).Explain("The names are {names}.", names))
}

func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// trust judges where the chain leads, each cause in a finding of its own.
func (a *assessment) trust(faults []Fault) {
	r := a.r
	issuer := crossprem.Val("issuer", r.Chain[0].Issuer.String())
	if r.Distrust == nil && !r.Trusted {
		for _, rule := range []crossprem.Rule{ruleUntrusted, ruleSelfSigned, rulePrivateCA, ruleIncomplete, rulePurpose} {
			a.add(rule.Unknown(a.subject, "The chain was not judged."))
		}
		return
	}
	untrusted := ruleUntrusted.Passed(a.subject).Explain("The certificate was issued by {issuer}.", issuer)
	if f, bad := fault(faults, FaultNoRoots); bad {
		untrusted = ruleUntrusted.Unknown(a.subject, sentence(f.Text))
	} else if f, bad := fault(faults, FaultAuthority, FaultSelfSigned, FaultUntrustedRoot, FaultIssuerMissing, FaultConstraint, FaultSignature, FaultKeySize, FaultUnreadable, FaultUnknown); bad {
		untrusted = ruleUntrusted.Failed(a.subject).Explain(sentence(f.Text)+" The certificate was issued by {issuer}.", issuer)
	} else if r.Path == nil && len(faults) > 0 && !onlyOf(faults, FaultName, FaultPurpose) {
		untrusted = ruleUntrusted.Unknown(a.subject, "It was not judged, as a certificate of the chain was outside of its validity.")
	}
	if r.ChainFrom == FromPlainFlight {
		untrusted = untrusted.Explain("The certificate is from the plain text of the handshake: nobody proved to hold its key.")
	}
	if r.ChainProblem != "" {
		untrusted = untrusted.Explain(sentence(r.ChainProblem))
	}
	a.add(untrusted)

	if f, bad := fault(faults, FaultSelfSigned); bad {
		a.add(ruleSelfSigned.Failed(a.subject).Explain(sentence(f.Text)))
	} else {
		a.add(ruleSelfSigned.Passed(a.subject).Explain("The certificate was issued by {issuer}.", issuer))
	}

	private := rulePrivateCA.Passed(a.subject).Explain("The certificate was issued by {issuer}.", issuer)
	incomplete := ruleIncomplete.Passed(a.subject).Explain("{count} certificates were sent.", crossprem.Val("count", len(r.Chain)))
	if f, bad := fault(faults, FaultUntrustedRoot); bad {
		private = rulePrivateCA.Failed(a.subject).Explain(sentence(f.Text))
	}
	if f, bad := fault(faults, FaultIssuerMissing, FaultAuthority); bad {
		top := topOf(r.Chain)
		if urls := top.IssuingCertificateURL; len(urls) > 0 {
			incomplete = ruleIncomplete.Failed(a.subject).Explain(sentence(f.Text)+" The certificate says that it can be fetched from {urls}: Windows does so, many other clients do not. It was not fetched here.", crossprem.Val("urls", urls))
			private = rulePrivateCA.Unknown(a.subject, "The issuer's certificate was not sent.")
		} else {
			incomplete = ruleIncomplete.Unknown(a.subject, "The issuer's certificate was not sent, and the certificate does not say from where it could be fetched.")
			private = rulePrivateCA.Failed(a.subject).Explain(sentence(f.Text))
		}
	} else if _, bad := fault(faults, FaultNoRoots, FaultKeySize); bad {
		private, incomplete = rulePrivateCA.Unknown(a.subject, "The chain was not judged."), ruleIncomplete.Unknown(a.subject, "The chain was not judged.")
	}
	a.add(private)
	a.add(incomplete)

	if f, bad := fault(faults, FaultPurpose); bad {
		a.add(rulePurpose.Failed(a.subject).Explain(sentence(f.Text)))
	} else {
		leaf := r.Chain[0]
		purpose := rulePurpose.Passed(a.subject).Explain("The extended key usage was looked at.")
		if !forServers(leaf) { // found without a path
			purpose = rulePurpose.Failed(a.subject).Explain("The extended key usage does not name servers.")
		}
		a.add(purpose)
	}
}

func onlyOf(faults []Fault, kinds ...FaultKind) bool {
	return !slices.ContainsFunc(faults, func(f Fault) bool { return !slices.Contains(kinds, f.Kind) })
}

// forServers reports whether cert itself does not exclude servers.
func forServers(cert *x509.Certificate) bool {
	return len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 ||
		slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
}

// keys judges keys and signatures of a path. What signs a root does not matter.
func (a *assessment) keys(path []*x509.Certificate) {
	var weak []string
	for i, cert := range path {
		text := ""
		switch key := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < 2048 {
				text = "has the key " + keyName(cert)
			}
		case *ecdsa.PublicKey:
			if key.Curve.Params().BitSize < 224 {
				text = "has the key " + keyName(cert)
			}
		}
		if i == 0 || !bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			switch cert.SignatureAlgorithm {
			case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
				text = strings.TrimPrefix(text+" and is signed with "+cert.SignatureAlgorithm.String(), " and ")
			}
		}
		if text != "" {
			weak = append(weak, fmt.Sprintf("%q %s", cert.Subject, text))
		}
	}
	leaf := path[0]
	if len(weak) > 0 {
		a.add(ruleKey.Failed(a.subject).Explain("What is weak: {weak}.", crossprem.Val("weak", strings.Join(weak, "; "))))
		return
	}
	a.add(ruleKey.Passed(a.subject).Explain("The server's certificate has the key {key} and the signature {signature}.",
		crossprem.Val("key", keyName(leaf)), crossprem.Val("signature", leaf.SignatureAlgorithm)))
}

// lineage returns the leaf and the certificates above it that were sent, where
// no path leads to a root. Of several, it takes one that is valid.
func lineage(chain []*x509.Certificate, at time.Time) []*x509.Certificate {
	path := []*x509.Certificate{chain[0]}
	for len(path) < maxAncestors {
		last := path[len(path)-1]
		var parents []*x509.Certificate
		for _, parent := range chain[1:] {
			if bytes.Equal(parent.RawSubject, last.RawIssuer) && !slices.ContainsFunc(path, parent.Equal) && !tooLarge(parent) &&
				len(parents) < maxAncestors && last.CheckSignatureFrom(parent) == nil {
				parents = append(parents, parent)
			}
		}
		if len(parents) == 0 {
			break
		}
		i := max(0, slices.IndexFunc(parents, func(p *x509.Certificate) bool { return validity(p, at) == "" }))
		path = append(path, parents[i])
	}
	return path
}
