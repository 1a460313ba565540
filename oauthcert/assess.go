package oauthcert

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/psobject"
)

const remedyNew = "Make a new one with New-ExchangeCertificate, then Set-AuthConfig -NewCertificateThumbprint … -NewCertificateEffectiveDate …, " +
	"Set-AuthConfig -PublishCertificate, restart MSExchangeServiceHost, recycle MSExchangeOWAAppPool and MSExchangeECPAppPool, and upload it to Entra ID"

// Assess judges one certificate for the given day: its validity, its key, its
// subject, and, if a store told, its private key. What needs the configuration
// or the servers is for [AssessRollover]. Of nil, or a zero certificate, there
// is one finding, which is unknown.
func Assess(cert *Certificate, at time.Time) []crossprem.Finding {
	if cert == nil || cert.cert == nil {
		return []crossprem.Finding{judge("auth-cert-expired", crossprem.Unknown, "the auth certificate", "no certificate was read")}
	}
	subject := cert.SHA1().String()
	var out []crossprem.Finding
	add := func(f crossprem.Finding) *crossprem.Finding {
		out = append(out, f)
		return &out[len(out)-1]
	}
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }

	end := cert.NotAfter()
	left := end.Sub(at)
	f := add(judge("auth-cert-expired", passedIf(left > 0), subject, "valid until "+day(end)))
	if f.Status == crossprem.Failed {
		f.Due, f.Remedy = end, remedyNew
	} else {
		f = add(judge("auth-cert-expiring", passedIf(left > currentWindow), subject,
			fmt.Sprintf("valid until %s, %d days from %s", day(end), int(left/(24*time.Hour)), day(at))))
		f.Due = end
		if f.Status == crossprem.Failed {
			f.Remedy = remedyNew
		}
	}
	f = add(judge("auth-cert-not-yet-valid", passedIf(!cert.NotBefore().After(at)), subject, "valid from "+day(cert.NotBefore())))
	if f.Status == crossprem.Failed {
		f.Due = cert.NotBefore()
		f.Remedy = "Check the clock of the machine that made it, or wait"
	}

	bits := cert.KeyBits()
	f = add(judge("auth-cert-key-type", passedIf(bits > 0), subject, "the key is "+cert.cert.PublicKeyAlgorithm.String()))
	if bits == 0 {
		f.Remedy = remedyNew
		add(judge("auth-cert-key-size", crossprem.Unknown, subject, "the key is not RSA"))
	} else {
		f = add(judge("auth-cert-key-size", passedIf(bits >= minBits), subject, fmt.Sprintf("RSA with %d bits", bits)))
		if f.Status == crossprem.Failed {
			f.Remedy = remedyNew
		}
	}

	name := cert.Subject()
	f = add(judge("auth-cert-subject", passedIf(strings.EqualFold(name, Subject)), subject, fmt.Sprintf("the subject is %.200q", name)))
	if f.Status == crossprem.Failed {
		f.Remedy = "Check that this is the certificate that Get-AuthConfig names (CurrentCertificateThumbprint); the default is " + Subject
		if name == "" {
			f.Title = "The certificate has no subject"
		} else {
			f.Severity = crossprem.Info
			f.Title = "The subject is not that of an Exchange auth certificate"
		}
	}
	add(judge("auth-cert-self-signed", passedIf(cert.SelfSigned()), subject, fmt.Sprintf("issued by %.200q", distinguishedName(cert.cert.Issuer.String()))))
	add(signatureFinding(cert, subject))

	switch key := cert.Key(); key.Presence {
	case KeyPresent:
		add(judge("auth-cert-server-key", crossprem.Passed, subject, "the store names a private key; whether it works was not tried"))
		if key.Provider != "" {
			f = add(judge("auth-cert-key-provider", passedIf(key.ProviderType != 0), subject, "the provider is "+oneLine(key.Provider, 120)))
			if f.Status == crossprem.Failed {
				f.Remedy = remedyNew
			}
		}
	case KeyAbsent:
		f = add(judge("auth-cert-server-key", crossprem.Failed, subject, "the store names no private key"))
		f.Remedy = "Import the certificate with its key from a server that has it"
	}
	return out
}

func signatureFinding(cert *Certificate, subject string) crossprem.Finding {
	status := crossprem.Passed
	switch cert.cert.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm:
		status = crossprem.Unknown
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		status = crossprem.Failed
	}
	return judge("auth-cert-signature", status, subject, "signed with "+cert.cert.SignatureAlgorithm.String())
}

// A Rollover is what is known of the auth certificates of an organisation. It
// is a plain value: tests may write it as a literal.
type Rollover struct {
	Config       AuthConfig
	Certificates []*Certificate // those at hand, the current and the next one among them if they are known
	Servers      []Server       // every mailbox server that was asked; nil if none was

	// MaxLifetime is the limit that the tenant's app management policy sets
	// (asymmetricKeyLifetime), or zero if it is not known.
	MaxLifetime time.Duration
}

// A Server is what one Exchange server holds.
type Server struct {
	Name string
	Held map[Thumbprint]Key // the certificates in its store; nil if it could not be asked
}

func (r *Rollover) find(t Thumbprint) *Certificate {
	for _, c := range r.Certificates {
		if c != nil && c.SHA1() == t {
			return c
		}
	}
	return nil
}

// AssessRollover judges the auth configuration for the given day: the current
// certificate and the next one each as [Assess] does, whether a successor is
// staged in time, and whether every server holds them with their keys. What is
// not in r comes out as Unknown.
func AssessRollover(r Rollover, at time.Time) []crossprem.Finding {
	var out []crossprem.Finding
	subject := r.Config.Current.String()
	if subject == "" {
		subject = "auth configuration"
	}
	current, next := r.find(r.Config.Current), r.find(r.Config.Next)
	switch {
	case r.Config.Current.IsZero():
		f := judge("auth-config-current", crossprem.Failed, subject, "CurrentCertificateThumbprint is empty")
		f.Remedy = remedyNew
		return append(out, f)
	case current == nil:
		out = append(out, judge("auth-config-current", crossprem.Unknown, subject, "the certificate is not at hand: "+subject))
	default:
		out = append(out, judge("auth-config-current", crossprem.Passed, subject, current.String()))
		out = append(out, Assess(current, at)...)
		out = append(out, r.lifetime(current))
	}
	if !r.Config.Next.IsZero() {
		differs := r.Config.Next != r.Config.Current
		out = append(out, judge("auth-config-next-differs", passedIf(differs), r.Config.Next.String(), "current "+r.Config.Current.String()))
		if differs {
			out = append(out, r.nextDate(current, at))
			if next != nil {
				out = append(out, Assess(next, at)...)
				out = append(out, r.lifetime(next))
			}
		}
	}
	out = append(out, r.successor(current, next, at))
	return append(out, r.onServers()...)
}

// successor judges whether a next certificate is staged in time.
func (r *Rollover) successor(current, next *Certificate, at time.Time) crossprem.Finding {
	subject := r.Config.Current.String()
	if current == nil {
		return judge("auth-config-rollover", crossprem.Unknown, subject, "the current certificate is not at hand, so its end is not known")
	}
	left := int(current.NotAfter().Sub(at) / (24 * time.Hour))
	detail := fmt.Sprintf("the current certificate has %d days left", left)
	staged := r.Config.Next != r.Config.Current && !r.Config.Next.IsZero()
	status := crossprem.Passed
	switch {
	case current.NotAfter().Sub(at) > currentWindow:
	case !staged && r.Config.NextUnknown:
		status = crossprem.Unknown
		detail += "; whether a next one is staged is not known"
	case !staged:
		status = crossprem.Failed
		detail += ", and no next one is staged"
	case next == nil:
		status = crossprem.Unknown
		detail += "; a next one is staged, but it is not at hand"
	case next.NotAfter().Sub(at) <= nextWindow:
		status = crossprem.Failed
		detail += ", and the next one expires on " + next.NotAfter().Format(time.DateOnly)
	default:
		detail += "; the next one is staged, until " + next.NotAfter().Format(time.DateOnly)
	}
	f := judge("auth-config-rollover", status, subject, detail)
	if status == crossprem.Failed {
		f.Due, f.Remedy = current.NotAfter(), remedyNew
		if left > 0 {
			f.Severity = crossprem.Warning
		}
	}
	return f
}

// nextDate judges the date on which the next certificate takes effect.
func (r *Rollover) nextDate(current *Certificate, at time.Time) crossprem.Finding {
	date := r.Config.NextEffective
	subject := r.Config.Next.String()
	if date.IsZero() {
		detail := "NextCertificateEffectiveDate is not set"
		switch r.Config.NextEffectiveText {
		case "":
		case psobject.Absent.String():
			return judge("auth-config-next-date", crossprem.Unknown, subject, "the capture does not show NextCertificateEffectiveDate")
		default:
			return judge("auth-config-next-date", crossprem.Unknown, subject, fmt.Sprintf("the date %.60q was not understood", r.Config.NextEffectiveText))
		}
		f := judge("auth-config-next-date", crossprem.Failed, subject, detail)
		f.Remedy = "Set-AuthConfig -NewCertificateThumbprint " + subject + " -NewCertificateEffectiveDate …"
		return f
	}
	status, detail, due, remedy := crossprem.Passed, "effective from "+date.UTC().Format(time.DateOnly), date, ""
	switch {
	case at.Sub(date) > switchDelay:
		status = crossprem.Failed
		detail += ", and still not the current one"
		remedy = "Restart MSExchangeServiceHost, or Set-AuthConfig -PublishCertificate; check that every server has the certificate"
	case current == nil:
		status = crossprem.Unknown
		detail += "; the current certificate is not at hand, so whether it lasts until then is not known"
	case !date.Before(current.NotAfter()):
		status, due = crossprem.Failed, current.NotAfter()
		detail += ", but the current one ends on " + current.NotAfter().Format(time.DateOnly)
		remedy = "Set-AuthConfig -NewCertificateEffectiveDate with a date before that"
	}
	f := judge("auth-config-next-date", status, subject, detail)
	f.Due, f.Remedy = due, remedy
	return f
}

// lifetime judges a certificate by the tenant's policy.
func (r *Rollover) lifetime(c *Certificate) crossprem.Finding {
	life := c.NotAfter().Sub(c.NotBefore())
	if r.MaxLifetime <= 0 {
		return judge("auth-cert-lifetime", crossprem.Unknown, c.SHA1().String(), fmt.Sprintf("it lives %d days; the tenant's policy is not known", days(life)))
	}
	f := judge("auth-cert-lifetime", passedIf(life <= r.MaxLifetime), c.SHA1().String(),
		fmt.Sprintf("it lives %d days; the policy allows %d", days(life), days(r.MaxLifetime)))
	if f.Status == crossprem.Failed {
		f.Remedy = "Make it with MonitorExchangeAuthCertificate.ps1 -CustomCertificateLifetimeInDays, or exempt the application from the policy"
	}
	return f
}

// onServers judges whether every server holds the certificates with their keys.
func (r *Rollover) onServers() []crossprem.Finding {
	var out []crossprem.Finding
	if r.Servers == nil {
		return append(out, judge("auth-cert-server", crossprem.Unknown, r.Config.Current.String(), "no server was asked"))
	}
	for _, t := range []Thumbprint{r.Config.Current, r.Config.Next} {
		if t.IsZero() || t == r.Config.Next && r.Config.Next == r.Config.Current && len(out) > 0 {
			continue
		}
		for _, s := range r.Servers {
			if s.Held == nil {
				out = append(out, judge("auth-cert-server", crossprem.Unknown, s.Name, t.String()+": the server could not be asked"))
				continue
			}
			key, ok := s.Held[t]
			f := judge("auth-cert-server", passedIf(ok), s.Name, t.String())
			if !ok {
				f.Remedy = "Import the certificate with its key on " + s.Name
				f.Severity = r.severity(t)
				out = append(out, f)
				continue
			}
			out = append(out, f)
			status := [...]crossprem.Status{KeyUnknown: crossprem.Unknown, KeyPresent: crossprem.Passed, KeyAbsent: crossprem.Failed}[key.Presence%3]
			f = judge("auth-cert-server-key", status, s.Name, t.String()+": key "+key.Presence.String())
			if status == crossprem.Failed {
				f.Remedy = "Import the certificate with its key on " + s.Name
				f.Severity = r.severity(t)
			}
			out = append(out, f)
		}
	}
	return out
}

// severity is milder for what is not in use yet.
func (r *Rollover) severity(t Thumbprint) crossprem.Severity {
	if t == r.Config.Current {
		return crossprem.Critical
	}
	return crossprem.Warning
}

// Expected is what an organisation means to have in the directory.
type Expected struct {
	Current *Certificate // nil: not known
	Next    *Certificate // nil: none is staged, or it is not known
	Hosts   []string     // published hosts or addresses; nil: not known
}

// AssessObject judges what a directory shows of an application or a service
// principal. Keys of which the directory did not show the value come out as
// Unknown: their labels prove nothing.
func AssessObject(o *Object, want Expected, at time.Time) []crossprem.Finding {
	var out []crossprem.Finding
	subject := oneLine(o.DisplayName, 200)
	if subject == "" {
		subject = o.AppID
	}
	shared := strings.EqualFold(o.AppID, ExchangeOnline)
	if o.Keys == nil {
		out = append(out, judge("entra-key-current", crossprem.Unknown, subject, "the keys were not read"))
	} else if shared {
		out = append(out, o.sharedKeys(subject, at))
	} else {
		out = append(out, o.holdsKey("entra-key-current", want.Current, subject, at))
		if want.Next != nil {
			f := o.holdsKey("entra-key-next", want.Next, subject, at)
			if f.Status == crossprem.Failed && want.Current != nil {
				f.Due = want.Current.NotAfter()
			}
			out = append(out, f)
		}
	}
	seen := map[Thumbprint]bool{}
	for _, k := range o.Keys {
		out = append(out, k.assess(seen, at)...)
	}
	if o.Kind == ServicePrincipal && (shared || len(want.Hosts) > 0) {
		out = append(out, o.assessNames(want, subject)...)
	}
	return out
}

func (o *Object) sharedKeys(subject string, at time.Time) crossprem.Finding {
	f := judge("entra-key-shared", passedIf(len(o.Keys) == 0), subject, fmt.Sprintf("%d keys", len(o.Keys)))
	if len(o.Keys) > 0 {
		valid := 0
		for _, k := range o.Keys {
			if !k.expired(at) {
				valid++
			}
		}
		f.Detail += fmt.Sprintf(", %d of them not expired", valid)
		if valid == 0 {
			f.Severity = crossprem.Info
		}
		f.Remedy = "Upload the auth certificate to the dedicated hybrid application, see that it works, then remove every key from the shared principal; " +
			"at once if hybrid is no longer used"
	}
	return f
}

func (o *Object) holdsKey(rule string, c *Certificate, subject string, at time.Time) crossprem.Finding {
	if c == nil {
		return judge(rule, crossprem.Unknown, subject, "which certificate it should be is not known")
	}
	detail := c.SHA1().String() + " is not among its keys"
	for _, k := range o.Find(c) {
		switch {
		case !k.serves(c):
			detail = fmt.Sprintf("%s is there for another use (%.40q)", c.SHA1(), k.Usage)
		case k.lapsed(c, at):
			detail = fmt.Sprintf("%s is there, but that key expired on %s", c.SHA1(), k.EndDateTime.UTC().Format(time.DateOnly))
		default:
			return judge(rule, crossprem.Passed, subject, c.SHA1().String()+" is key "+oneLine(k.KeyID, 40))
		}
	}
	if slices.ContainsFunc(o.Keys, func(k KeyCredential) bool { return k.Key == nil }) {
		return judge(rule, crossprem.Unknown, subject, c.SHA1().String()+" was not seen, but the directory did not show the value of every key")
	}
	f := judge(rule, crossprem.Failed, subject, detail)
	f.Remedy = "Upload the certificate to this application"
	return f
}

// assess judges one key for itself, and notes its certificate in seen.
func (k KeyCredential) assess(seen map[Thumbprint]bool, at time.Time) []crossprem.Finding {
	var out []crossprem.Finding
	subject := k.subject()
	if k.expired(at) {
		f := judge("entra-key-expired", crossprem.Failed, subject, "expired on "+k.EndDateTime.UTC().Format(time.DateOnly))
		f.Remedy = "Drop it with the next change"
		out = append(out, f)
	}
	if k.Type != TypeX509 || k.Usage != UsageVerify {
		out = append(out, judge("entra-key-usage", crossprem.Failed, subject, fmt.Sprintf("type %.40q, usage %.40q", k.Type, k.Usage)))
	}
	c, err := k.Certificate()
	if err != nil {
		status := crossprem.Failed
		if k.Key == nil {
			status = crossprem.Unknown
		}
		return append(out, judge("entra-key-foreign", status, subject, oneLine(err.Error(), 200)))
	}
	if !strings.EqualFold(c.Subject(), Subject) {
		f := judge("entra-key-foreign", crossprem.Failed, subject, fmt.Sprintf("the subject is %.200q", c.Subject()))
		f.Remedy = "Find out who added it; whoever holds its private key acts as this application"
		out = append(out, f)
	}
	if id := k.CustomKeyIdentifier; id != "" && !strings.EqualFold(id, c.SHA1().String()) {
		out = append(out, judge("entra-key-identifier", crossprem.Failed, subject, fmt.Sprintf("customKeyIdentifier is %.80q", id)))
	}
	if k.EndDateTime.After(c.NotAfter()) {
		out = append(out, judge("entra-key-dates", crossprem.Failed, subject,
			fmt.Sprintf("the key ends on %s, its certificate on %s", k.EndDateTime.UTC().Format(time.DateOnly), c.NotAfter().Format(time.DateOnly))))
	}
	if k.Usage != UsageVerify {
		return out // a key for SAML tokens has one of the same certificate beside it
	}
	if seen[c.SHA1()] {
		out = append(out, judge("entra-key-duplicate", crossprem.Failed, subject, "key "+oneLine(k.KeyID, 40)+" holds it once more"))
	}
	seen[c.SHA1()] = true
	return out
}

// assessNames judges names by the plan that would mend them.
func (o *Object) assessNames(want Expected, subject string) []crossprem.Finding {
	var out []crossprem.Finding
	if want.Hosts == nil {
		out = append(out, judge("entra-name-missing", crossprem.Unknown, subject, "which hosts are published is not known"))
	}
	for _, s := range PlanNames(o, want.Hosts, Policy{}).Steps {
		switch s.Reason {
		case NotRead:
			return append(out, judge("entra-name-missing", crossprem.Unknown, subject, s.Why))
		case BadName:
			out = append(out, judge("entra-name-missing", crossprem.Unknown, oneLine(s.Name, 200), "a published host was not understood: "+s.Why))
		case Wanted:
			out = append(out, judge("entra-name-missing", crossprem.Passed, oneLine(s.Name, 200), "registered"))
		case Missing:
			f := judge("entra-name-missing", crossprem.Failed, s.Name, "not among the names of "+subject)
			f.Remedy = "Register it on the service principal " + o.AppID
			out = append(out, f)
		case Misformed:
			f := judge("entra-name-form", crossprem.Failed, oneLine(s.Name, 200), s.Why)
			f.Remedy = "Register https and the host alone, then remove this one"
			out = append(out, f)
		case Stale:
			status := crossprem.Failed
			if want.Hosts == nil {
				status = crossprem.Unknown
			}
			f := judge("entra-name-stale", status, oneLine(s.Name, 200), s.Why)
			f.Remedy = "Remove it if the host is no longer yours: who holds the name receives tokens for it"
			out = append(out, f)
		}
	}
	return out
}
