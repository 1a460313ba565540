package authinspect

import (
	"github.com/crossprem/crossprem/internal/enum"
)

// A Strength says how much an inspection knows of a scheme at a URL.
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

var strengthTexts = enum.Of[Strength]("authinspect: strength", "unknown", "advertised", "refused", "configured", "observed")

// String returns "unknown", "advertised", "refused", "configured" or
// "observed".
func (s Strength) String() string { return strengthTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Strength) MarshalText() ([]byte, error) { return strengthTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves s as it was for anything else.
func (s *Strength) UnmarshalText(text []byte) error { return strengthTexts.Unmarshal(s, text) }

// Modern says whether a URL takes modern authentication: tokens from a
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

var modernTexts = enum.Of[Modern]("authinspect: modern", "unknown", "on", "off")

// String returns "unknown", "on" or "off".
func (m Modern) String() string { return modernTexts.String(m) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (m Modern) MarshalText() ([]byte, error) { return modernTexts.Marshal(m) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves m as it was for anything else.
func (m *Modern) UnmarshalText(text []byte) error { return modernTexts.Unmarshal(m, text) }
