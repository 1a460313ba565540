package oauthcert

import (
	"fmt"
	"time"
)

// An AuthConfig is what Get-AuthConfig tells of the auth certificates. It is a
// plain value: tests may write it as a literal. A zero thumbprint stands for
// an empty one.
type AuthConfig struct {
	Current       Thumbprint
	Previous      Thumbprint
	Next          Thumbprint
	NextEffective time.Time // UTC; zero if it is not set or was not understood

	// NextEffectiveText is the date as it was printed, if it was not understood.
	NextEffectiveText string
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
	if t.IsZero() {
		return Thumbprint{}, fmt.Errorf("oauthcert: the auth configuration names no %s certificate", role)
	}
	return t, nil
}
