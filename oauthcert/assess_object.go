package oauthcert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// Expected is what an organisation means to have in the directory.
type Expected struct {
	Current *Certificate // nil: not known
	Next    *Certificate // nil: none is staged, or it is not known
	Hosts   []string     // published hosts or addresses; nil: not known

	// NextEffective is when Next takes effect; zero: not known, and then the
	// end of Current is the day on which Next is needed at the latest.
	NextEffective time.Time
}

// AssessObject judges what a directory shows of an application or a service
// principal, for the day of at. The subject of what is said of the object is
// its name, that of what is said of one key its thumbprint, with the keyId as
// part, and that of what is said of a name the name. Keys of which the
// directory did not show the value come out as unknown: their labels prove
// nothing. Of nil there is one finding, which is unknown.
func (a *Assessor) AssessObject(o *Object, want Expected, at time.Time) []crossprem.Finding {
	if o == nil {
		return []crossprem.Finding{keyCurrent.Unknown("the directory's object", "No object was read.")}
	}
	var out []crossprem.Finding
	subject := oneLine(o.DisplayName, 200)
	for _, otherwise := range []string{o.AppID, o.ID, "an object without a name"} {
		if strings.TrimSpace(subject) == "" {
			subject = oneLine(otherwise, 200)
		}
	}
	shared := strings.EqualFold(o.AppID, ExchangeOnline)
	switch {
	case o.Keys == nil && shared:
		out = append(out, keyShared.Unknown(subject, "The keys were not read."))
	case o.Keys == nil:
		out = append(out, keyCurrent.Unknown(subject, "The keys were not read."))
	case shared:
		out = append(out, o.sharedKeys(subject, at))
	default:
		out = append(out, o.holdsKey(keyCurrent, want.Current, subject, at))
		if want.Next.valid() {
			f := o.holdsKey(keyNext, want.Next, subject, at)
			due := want.NextEffective
			if due.IsZero() && want.Current.valid() {
				due = want.Current.NotAfter()
			}
			switch {
			case f.Status != crossprem.Failed:
			case due.IsZero():
				f = f.AtMost(crossprem.Warning)
			default:
				f = f.DueOn(due, at)
			}
			out = append(out, f)
		}
	}
	seen, parts := map[Thumbprint]bool{}, map[string]int{}
	for _, k := range o.Keys {
		part := oneLine(k.KeyID, 40)
		if parts[strings.ToLower(part)]++; parts[strings.ToLower(part)] > 1 || part == "" {
			part = strings.TrimSpace(fmt.Sprintf("%s number %d", part, parts[strings.ToLower(part)]))
		}
		for _, f := range k.assess(seen, at) {
			out = append(out, f.WithPart(part))
		}
	}
	if o.Kind == ServicePrincipal && (shared || len(want.Hosts) > 0) {
		out = append(out, o.assessNames(want, subject)...)
	}
	return out
}

func (o *Object) sharedKeys(subject string, at time.Time) crossprem.Finding {
	if len(o.Keys) == 0 {
		return keyShared.Passed(subject).Explain("It was asked for its keys, and has none.")
	}
	s := sharedKeys(o, at)
	f := keyShared.Failed(subject).Explain("It holds {keys} keys, {valid} of them not expired.", crossprem.Val("keys", s.Keys), crossprem.Val("valid", s.Valid))
	if !s.Since.IsZero() {
		f = f.Explain("The first of them is valid from {since}.", crossprem.Val("since", s.Since))
	}
	if s.Valid == 0 {
		f = f.AtMost(crossprem.Info)
	}
	return f
}

// holdsKey judges whether the object holds a key that serves a certificate.
func (o *Object) holdsKey(rule crossprem.Rule, c *Certificate, subject string, at time.Time) crossprem.Finding {
	if !c.valid() {
		return rule.Unknown(subject, "Which certificate it should be is not known.")
	}
	certificate := crossprem.Val("certificate", c.SHA1())
	failed := rule.Failed(subject).Explain("{certificate} is not among its {keys} keys.", certificate, crossprem.Val("keys", len(o.Keys)))
	for _, k := range o.Find(c) {
		switch {
		case !k.serves(c):
			failed = rule.Failed(subject).Explain("{certificate} is there for another use, {usage}.", certificate, crossprem.Val("usage", oneLine(k.Usage, 40)))
		case k.expired(at):
			failed = rule.Failed(subject).Explain("{certificate} is there, but that key expired on {end}.", certificate, crossprem.Val("end", k.EndDateTime)).DueOn(k.EndDateTime, at)
		default:
			return rule.Passed(subject).Explain("{certificate} is key {key}.", certificate, crossprem.Val("key", oneLine(k.KeyID, 40))).DueOn(k.EndDateTime, at)
		}
	}
	if slices.ContainsFunc(o.Keys, func(k KeyCredential) bool { return k.Key == nil }) {
		return rule.Unknown(subject, "").Explain("{certificate} was not seen, but the directory did not show the value of every key.", certificate)
	}
	return failed
}

// assess judges one key for itself, and notes its certificate in seen.
func (k KeyCredential) assess(seen map[Thumbprint]bool, at time.Time) []crossprem.Finding {
	var out []crossprem.Finding
	subject := k.subject()
	if k.expired(at) {
		out = append(out, keyExpired.Failed(subject).Explain("It expired on {end}.", crossprem.Val("end", k.EndDateTime)))
	}
	if k.Type != TypeX509 || k.Usage != UsageVerify {
		out = append(out, keyUsage.Failed(subject).
			Explain("Its type is {type}, its usage {usage}.", crossprem.Val("type", oneLine(k.Type, 40)), crossprem.Val("usage", oneLine(k.Usage, 40))))
	}
	c, err := k.Certificate()
	switch {
	case k.Key == nil:
		return append(out, keyForeign.Unknown(subject, "The directory did not show its value."))
	case err != nil:
		return append(out, keyForeign.Failed(subject).Explain("Its value cannot be read: {error}.", crossprem.Val("error", oneLine(err.Error(), 200))))
	}
	if !strings.EqualFold(c.Subject(), Subject) {
		out = append(out, keyForeign.Failed(subject).Explain("The subject of its certificate is {subject}.", crossprem.Val("subject", oneLine(c.Subject(), 200))))
	}
	if id := k.CustomKeyIdentifier; id != "" && !strings.EqualFold(id, c.SHA1().String()) {
		out = append(out, keyIdentifier.Failed(subject).Explain("Its customKeyIdentifier is {identifier}.", crossprem.Val("identifier", oneLine(id, 80))))
	}
	if k.EndDateTime.After(c.NotAfter()) {
		out = append(out, keyDates.Failed(subject).
			Explain("The key ends on {end}, its certificate on {certificateEnd}.", crossprem.Val("end", k.EndDateTime), crossprem.Val("certificateEnd", c.NotAfter())).
			DueOn(c.NotAfter(), at))
	}
	if k.Usage != UsageVerify {
		return out // a key for SAML tokens has one of the same certificate beside it
	}
	if seen[c.SHA1()] {
		out = append(out, keyDuplicate.Failed(subject).Explain("Key {key} holds it once more.", crossprem.Val("key", oneLine(k.KeyID, 40))))
	}
	seen[c.SHA1()] = true
	return out
}

// assessNames judges names by the plan that would mend them. Two names that
// differ in nothing are one.
func (o *Object) assessNames(want Expected, subject string) []crossprem.Finding {
	var out []crossprem.Finding
	if want.Hosts == nil {
		out = append(out, nameMissing.Unknown(subject, "Which hosts are published is not known."))
	}
	for _, s := range PlanNames(o, want.Hosts, Policy{}).Steps {
		name := oneLine(s.Name, 200)
		if strings.TrimSpace(name) == "" {
			name = "an empty name"
		}
		why := sentence(s.Why)
		switch s.Reason {
		case NotRead:
			return append(out[:0], nameMissing.Unknown(subject, why))
		case BadName:
			out = append(out, nameMissing.Unknown(name, "A published host was not understood: "+why))
		case Wanted:
			out = append(out, nameMissing.Passed(name).Explain("It is among the names of {principal}.", crossprem.Val("principal", subject)))
		case Missing:
			out = append(out, nameMissing.Failed(name).Explain("It is not among the names of {principal}.", crossprem.Val("principal", subject)).
				WithRemedy("Register it on the service principal "+oneLine(o.AppID, 40)))
		case Misformed:
			out = append(out, nameForm.Failed(name).Explain("{why}", crossprem.Val("why", why)))
		case Stale:
			if want.Hosts == nil {
				out = append(out, nameStale.Unknown(name, "It is a host of the organisation; which hosts are published is not known."))
				continue
			}
			out = append(out, nameStale.Failed(name).Explain("{why}", crossprem.Val("why", why)))
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(f crossprem.Finding) bool {
		twice := seen[f.Key()]
		seen[f.Key()] = true
		return twice
	})
}

// sentence makes a sentence of a step's reason.
func sentence(why string) string {
	if why == "" {
		return ""
	}
	return strings.ToUpper(why[:1]) + why[1:] + "."
}
