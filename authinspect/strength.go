package authinspect

import (
	"fmt"
)

// A Strength tells how much an inspection knows of a scheme at a URL.
// Nothing of it proves that a sign-in would succeed: only a sign-in, a policy
// or a log does.
type Strength uint8

const (
	StrengthUnknown Strength = iota // not seen; it may be offered all the same
	Advertised                      // the server challenges for it
	Refused                         // the server says that it is not available for this mailbox
	Configured                      // the server also says how: Bearer with a sign-in service
	Observed                        // the server took part in it: NTLM answered with its challenge
)

var strengthNames = [...]string{"unknown", "advertised", "refused", "configured", "observed"}

// String returns "unknown", "advertised", "refused", "configured" or
// "observed".
func (s Strength) String() string {
	if int(s) < len(strengthNames) {
		return strengthNames[s]
	}
	return fmt.Sprintf("Strength(%d)", uint8(s))
}

// MarshalText returns the name that String gives.
func (s Strength) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Modern tells whether a URL takes modern authentication: tokens from a
// sign-in service that it names.
type Modern uint8

const (
	// ModernUnknown is the value for everything that proves neither. So is an
	// anonymous answer without Bearer: Exchange SE and late builds of 2019
	// hide it until an empty Bearer arrives.
	ModernUnknown Modern = iota
	// ModernOn means that the server named a sign-in service.
	ModernOn
	// ModernOff means that the server answered an empty Bearer with other
	// schemes only, or named no sign-in service although the mailbox was named
	// to it, or said itself that there is none for this mailbox.
	ModernOff
)

var modernNames = [...]string{"unknown", "on", "off"}

// String returns "unknown", "on" or "off".
func (m Modern) String() string {
	if int(m) < len(modernNames) {
		return modernNames[m]
	}
	return fmt.Sprintf("Modern(%d)", uint8(m))
}

// MarshalText returns the name that String gives.
func (m Modern) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
