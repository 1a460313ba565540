package oauthcert

import (
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/psobject"
)

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
		if c.valid() && c.SHA1() == t {
			return c
		}
	}
	return nil
}

// theConfig is the subject of findings about the auth configuration.
const theConfig = "auth configuration"

// AssessRollover judges the auth configuration for the day of at: the current
// certificate and the next one each as [Assessor.Assess] does, but the next one
// from the day on which it takes effect; whether a successor is staged in time;
// and whether every server holds them with their keys. What is not in r comes
// out as unknown.
func (a *Assessor) AssessRollover(r Rollover, at time.Time) []crossprem.Finding {
	var out []crossprem.Finding
	config := r.Config
	current, next := r.find(config.Current), r.find(config.Next)
	switch {
	case config == (AuthConfig{}) && r.Certificates == nil && r.Servers == nil:
		return append(out, configCurrent.Unknown(theConfig, "No auth configuration was read."))
	case config.Current.IsZero():
		return append(out, configCurrent.Failed(theConfig).Explain("CurrentCertificateThumbprint is empty."))
	case current == nil:
		out = append(out, configCurrent.Unknown(theConfig, "The certificate "+config.Current.String()+" is not at hand."))
	default:
		out = append(out, configCurrent.Passed(theConfig).Explain("It is {certificate}.", crossprem.Val("certificate", current)))
		out = append(out, a.Assess(current, at)...)
		out = append(out, r.lifetime(current))
	}
	if !config.Next.IsZero() {
		differs := config.Next != config.Current
		out = append(out, either(configNextDiffers, differs, theConfig).
			Explain("The current one is {current}, the next one {next}.", crossprem.Val("current", config.Current), crossprem.Val("next", config.Next)))
		if differs {
			out = append(out, r.nextDate(current, at))
			if next != nil {
				out = append(out, a.validity(next, at)...)
				out = append(out, r.nextStart(next, at))
				out = append(out, next.assess()...)
				out = append(out, r.lifetime(next))
			}
		}
	}
	out = append(out, a.successor(&r, current, next, at))
	return append(out, r.onServers()...)
}

// nextStart judges the start of the next certificate by the day on which it
// takes effect.
func (r *Rollover) nextStart(next *Certificate, at time.Time) crossprem.Finding {
	used := r.Config.NextEffective
	if used.IsZero() && next.NotBefore().After(at) {
		return certNotYetValid.Unknown(next.SHA1().String(), "It is valid from "+next.NotBefore().Format(time.DateOnly)+"; on which day it takes effect is not known.")
	}
	if used.Before(at) {
		used = at
	}
	return notYetValid(next, used, at)
}

// successor judges whether a next certificate is staged in time.
func (a *Assessor) successor(r *Rollover, current, next *Certificate, at time.Time) crossprem.Finding {
	if current == nil {
		return configRollover.Unknown(theConfig, "The current certificate is not at hand, so its end is not known.")
	}
	end := crossprem.Val("end", current.NotAfter())
	const ends = "The current certificate ends on {end}"
	staged := r.Config.Next != r.Config.Current && !r.Config.Next.IsZero()
	unknown := func(why string) crossprem.Finding {
		return configRollover.Unknown(theConfig, "").Explain(ends+why, end)
	}
	failed := func(why string, more ...crossprem.Value) crossprem.Finding {
		return configRollover.Failed(theConfig).Explain(ends+why, append([]crossprem.Value{end}, more...)...).DueOn(current.NotAfter(), at)
	}
	switch {
	case current.NotAfter().Sub(at) > a.currentWindow():
		return configRollover.Passed(theConfig).Explain(ends+", which is not soon.", end)
	case !staged && r.Config.NextUnknown:
		return unknown("; whether a next one is staged is not known.")
	case !staged:
		return failed(", and no next one is staged.")
	case next == nil:
		return unknown("; a next one is staged, but it is not at hand.")
	case next.NotAfter().Sub(at) <= a.nextWindow():
		return failed(", and the next one already on {nextEnd}.", crossprem.Val("nextEnd", next.NotAfter()))
	}
	return configRollover.Passed(theConfig).Explain(ends+"; the next one is staged, and valid until {nextEnd}.", end, crossprem.Val("nextEnd", next.NotAfter()))
}

// nextDate judges the date on which the next certificate takes effect. What
// hurts is that the current one ends without it.
func (r *Rollover) nextDate(current *Certificate, at time.Time) crossprem.Finding {
	date, set := r.Config.NextEffective, "Set-AuthConfig -NewCertificateThumbprint "+r.Config.Next.String()+" -NewCertificateEffectiveDate …"
	failed := func(why, remedy string, values ...crossprem.Value) crossprem.Finding {
		f := configNextDate.Failed(theConfig).Explain(why, values...).WithRemedy(remedy)
		if current == nil {
			return f.AtMost(crossprem.Warning)
		}
		return f.DueOn(current.NotAfter(), at)
	}
	effective := crossprem.Val("effective", date)
	switch {
	case date.IsZero() && r.Config.NextEffectiveText == "":
		return failed("NextCertificateEffectiveDate is not set.", set)
	case date.IsZero() && r.Config.NextEffectiveText == psobject.Absent.String():
		return configNextDate.Unknown(theConfig, "The capture does not show NextCertificateEffectiveDate.")
	case date.IsZero():
		return configNextDate.Unknown(theConfig, "").Explain("The date {text} was not understood.", crossprem.Val("text", oneLine(r.Config.NextEffectiveText, 60)))
	case at.Sub(date) > switchDelay:
		return failed("The next certificate should be in use since {effective}, and is still not the current one.",
			"Restart MSExchangeServiceHost, or Set-AuthConfig -PublishCertificate; check that every server has the certificate", effective)
	case current == nil:
		return configNextDate.Unknown(theConfig, "").Explain("It is effective from {effective}; the current certificate is not at hand, so whether that lasts until then is not known.", effective)
	case !date.Before(current.NotAfter()):
		return failed("It is effective from {effective}, but the current one ends on {end}.",
			"Set-AuthConfig -NewCertificateEffectiveDate with a date before that", effective, crossprem.Val("end", current.NotAfter()))
	}
	return configNextDate.Passed(theConfig).Explain("It is effective from {effective}, before the current one ends on {end}.", effective, crossprem.Val("end", current.NotAfter()))
}

// lifetime judges a certificate by the tenant's policy.
func (r *Rollover) lifetime(c *Certificate) crossprem.Finding {
	life := crossprem.Val("days", days(c.NotAfter().Sub(c.NotBefore())))
	if r.MaxLifetime <= 0 {
		return certLifetime.Unknown(c.SHA1().String(), "").Explain("It is valid for {days} days; the tenant's policy is not known.", life)
	}
	return either(certLifetime, c.NotAfter().Sub(c.NotBefore()) <= r.MaxLifetime, c.SHA1().String()).
		Explain("It is valid for {days} days; the policy allows {allowed}.", life, crossprem.Val("allowed", days(r.MaxLifetime)))
}

// onServers judges whether every server holds the certificates with their
// keys. The part of these findings is the thumbprint.
func (r *Rollover) onServers() []crossprem.Finding {
	if r.Servers == nil {
		return []crossprem.Finding{certServer.Unknown(theConfig, "No server was asked.")}
	}
	wanted := []Thumbprint{r.Config.Current}
	if r.Config.Next != r.Config.Current && !r.Config.Next.IsZero() {
		wanted = append(wanted, r.Config.Next)
	}
	var out []crossprem.Finding
	for _, t := range wanted {
		worst := crossprem.Critical
		if t != r.Config.Current {
			worst = crossprem.Warning // it is not in use yet
		}
		certificate := crossprem.Val("certificate", t)
		for _, s := range mergeServers(r.Servers) {
			if s.Held == nil {
				out = append(out, certServer.Unknown(s.Name, "The server could not be asked.").WithPart(t.String()))
				continue
			}
			key, ok := s.Held[t]
			if !ok {
				out = append(out, certServer.Failed(s.Name).WithPart(t.String()).
					Explain("{certificate} is not among the {held} certificates of the server.", certificate, crossprem.Val("held", len(s.Held))).AtMost(worst))
				continue
			}
			out = append(out, certServer.Passed(s.Name).WithPart(t.String()).Explain("{certificate} is in its store.", certificate))
			switch key.Presence {
			case KeyPresent:
				out = append(out, certServerKey.Passed(s.Name).WithPart(t.String()).Explain("The store names a private key of {certificate}. Whether it works was not tried.", certificate))
			case KeyAbsent:
				out = append(out, certServerKey.Failed(s.Name).WithPart(t.String()).Explain("The store names no private key of {certificate}.", certificate).AtMost(worst))
			default:
				out = append(out, certServerKey.Unknown(s.Name, "Whether the server has a private key of "+t.String()+" was not told.").WithPart(t.String()))
			}
		}
	}
	return out
}

// mergeServers returns each server once. What two entries of one server tell
// differently is not known.
func mergeServers(servers []Server) []Server {
	var out []Server
	index := map[string]int{}
	for _, s := range servers {
		s.Name = oneLine(s.Name, 200)
		if strings.TrimSpace(s.Name) == "" {
			s.Name = "a server without a name"
		}
		i, seen := index[strings.ToLower(s.Name)]
		if !seen {
			index[strings.ToLower(s.Name)] = len(out)
			out = append(out, s)
			continue
		}
		held := map[Thumbprint]Key{}
		for _, side := range []map[Thumbprint]Key{out[i].Held, s.Held} {
			for t, key := range side {
				if other, twice := held[t]; twice && other != key {
					key = Key{}
				}
				held[t] = key
			}
		}
		if out[i].Held != nil || s.Held != nil {
			out[i].Held = held
		}
	}
	return out
}
