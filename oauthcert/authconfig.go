package oauthcert

import (
	"errors"
	"fmt"
	"time"

	"github.com/crossprem/crossprem/internal/psobject"
)

// An AuthConfig is what Get-AuthConfig tells of the auth certificates. It is a
// plain value: tests may write it as a literal. A zero thumbprint stands for
// an empty one.
type AuthConfig struct {
	Current       Thumbprint
	Previous      Thumbprint
	Next          Thumbprint
	NextEffective time.Time // UTC; zero if it is not set or was not understood

	// NextEffectiveText is the date as it was printed, if it was not understood,
	// or "absent" if the capture shows a next certificate and no date.
	NextEffectiveText string

	// NextUnknown tells that the capture does not show NextCertificateThumbprint,
	// and so not whether there is a next certificate.
	NextUnknown bool
}

// A Role names one of the three certificates of an AuthConfig.
type Role string

const (
	Current  Role = "current"
	Next     Role = "next"
	Previous Role = "previous"
)

// Select returns the thumbprint that has this role, or an error if the
// configuration names none or there is no such role.
func (c AuthConfig) Select(role Role) (Thumbprint, error) {
	var t Thumbprint
	switch role {
	case Current:
		t = c.Current
	case Next:
		t = c.Next
	case Previous:
		t = c.Previous
	default:
		return Thumbprint{}, fmt.Errorf("oauthcert: no such role: %.40q; current, next and previous are", string(role))
	}
	if t.IsZero() && role == Next && c.NextUnknown {
		return Thumbprint{}, errors.New("oauthcert: the capture of the auth configuration does not show NextCertificateThumbprint")
	}
	if t.IsZero() {
		return Thumbprint{}, fmt.Errorf("oauthcert: the auth configuration names no %s certificate", role)
	}
	return t, nil
}

// ErrNoAuthConfig reports captured output that holds no auth configuration.
var ErrNoAuthConfig = errors.New("oauthcert: no output of Get-AuthConfig in here")

// ReadAuthConfig reads the output of Get-AuthConfig as it was captured: pasted
// or redirected Format-List, JSON or CLIXML, in UTF-8 or UTF-16, alone or among
// the output of other commands. A property that is not shown whole is an
// error; the effective date may be not understood, for consoles print it in
// the order of their culture.
func ReadAuthConfig(data []byte) (AuthConfig, error) {
	outputs, err := psobject.Parse(data)
	if err != nil {
		return AuthConfig{}, fmt.Errorf("oauthcert: auth configuration: %w", err)
	}
	var found []AuthConfig
	for _, o := range psobject.Objects(outputs) {
		if !o.Has("CurrentCertificateThumbprint") {
			continue
		}
		c, err := authConfig(o)
		if err != nil {
			return AuthConfig{}, err
		}
		found = append(found, c)
	}
	switch {
	case len(found) == 0:
		return AuthConfig{}, ErrNoAuthConfig
	case len(found) > 1:
		return AuthConfig{}, fmt.Errorf("oauthcert: %d auth configurations in one capture; an organization has one", len(found))
	}
	return found[0], nil
}

func authConfig(o psobject.Object) (c AuthConfig, err error) {
	for _, f := range []struct {
		name string
		to   *Thumbprint
	}{
		{"CurrentCertificateThumbprint", &c.Current},
		{"NextCertificateThumbprint", &c.Next},
		{"PreviousCertificateThumbprint", &c.Previous},
	} {
		text, state := o.String(f.name)
		if state == psobject.Cut || state == psobject.Unreadable {
			return AuthConfig{}, fmt.Errorf("oauthcert: auth configuration: %s is %v; capture it with Format-List", f.name, state)
		}
		if err := f.to.UnmarshalText([]byte(text)); err != nil {
			return AuthConfig{}, fmt.Errorf("oauthcert: auth configuration: %s: %w", f.name, err)
		}
	}
	c.NextUnknown = !o.Has("NextCertificateThumbprint")
	date, state := o.Time("NextCertificateEffectiveDate")
	switch {
	case state == psobject.Present:
		c.NextEffective = date
	case state == psobject.Unreadable, state == psobject.Cut, state == psobject.Absent && !c.Next.IsZero():
		c.NextEffectiveText, _ = o.String("NextCertificateEffectiveDate")
		if c.NextEffectiveText == "" {
			c.NextEffectiveText = state.String()
		}
	}
	return c, nil
}

// ReadServers reads the output of Get-ExchangeCertificate for one or more
// servers, captured as [ReadAuthConfig] reads it, into one Server for each, in
// the order in which they appear. Objects that do not tell their server are
// taken for those of the server called "".
func ReadServers(data []byte) ([]Server, error) {
	outputs, err := psobject.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("oauthcert: certificates: %w", err)
	}
	var servers []Server
	index := map[string]int{}
	for _, o := range psobject.Objects(outputs) {
		if !o.Has("Thumbprint", "HasPrivateKey") {
			continue
		}
		text, _ := o.String("Thumbprint")
		t, err := ParseThumbprint(text)
		if err != nil {
			return nil, fmt.Errorf("oauthcert: certificates: Thumbprint: %w", err)
		}
		name, _ := o.String("Server")
		i, ok := index[name]
		if !ok {
			i = len(servers)
			index[name] = i
			servers = append(servers, Server{Name: name, Held: map[Thumbprint]Key{}})
		}
		var key Key
		if has, state := o.Bool("HasPrivateKey"); state == psobject.Present {
			key.Presence = KeyAbsent
			if has {
				key.Presence = KeyPresent
			}
		}
		if other, twice := servers[i].Held[t]; twice && other != key {
			key = Key{} // of two servers, or of two days
		}
		servers[i].Held[t] = key
	}
	return servers, nil
}
