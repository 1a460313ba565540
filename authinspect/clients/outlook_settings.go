package clients

import (
	"fmt"
	"io"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/internal/registry"
)

// OutlookSettings are the registry values that decide how an Outlook for
// Windows signs in. The zero value says that nothing is known. A value that
// was looked for and is not there is crossprem.No where it is a switch.
type OutlookSettings struct {
	// Version is the major version of Office whose keys were read: 15 or 16,
	// or 0 for both.
	Version int `json:"version,omitempty"`

	EnableADAL15 crossprem.Answer `json:"enableADAL15"` // Office 15: EnableADAL; absent is No
	Version15    crossprem.Answer `json:"version15"`    // Office 15: Version, which 2013 needs beside EnableADAL
	EnableADAL16 crossprem.Answer `json:"enableADAL16"` // Office 16: EnableADAL; absent is Yes

	AlwaysUseMSOAuthForAutoDiscover crossprem.Answer `json:"alwaysUseMSOAuthForAutoDiscover"` // tokens are forced for Autodiscover
	MapiHttpDisabled                crossprem.Answer `json:"mapiHttpDisabled"`                // Outlook Anywhere is forced, which has no tokens
	EnableExchangeOnPremModernAuth  crossprem.Answer `json:"enableExchangeOnPremModernAuth"`  // AD FS for mailboxes on premises
	DisableADALatopWAMOverride      crossprem.Answer `json:"disableADALatopWAMOverride"`      // the account broker of Windows is not used
	DisableAADWAM                   crossprem.Answer `json:"disableAADWAM"`                   // likewise, for accounts of Entra ID
	ExcludeExplicitO365Endpoint     crossprem.Answer `json:"excludeExplicitO365Endpoint"`     // Autodiscover does not ask Microsoft 365 first
}

const userHive = `HKEY_CURRENT_USER\`

// outlookKeys are the keys that hold the values, below HKEY_CURRENT_USER.
// Sources: How modern authentication works for Office client apps; Outlook
// prompts for credentials (Microsoft).
var outlookKeys = []string{
	userHive + `Software\Microsoft\Office\15.0\Common\Identity`,
	userHive + `Software\Microsoft\Office\16.0\Common\Identity`,
	userHive + `Software\Policies\Microsoft\Office\15.0\Common\Identity`,
	userHive + `Software\Policies\Microsoft\Office\16.0\Common\Identity`,
	userHive + `Software\Microsoft\Exchange`,
	userHive + `Software\Microsoft\Office\16.0\Outlook\AutoDiscover`,
	userHive + `Software\Policies\Microsoft\Office\16.0\Outlook\AutoDiscover`,
}

// ReadOutlookSettings reads a .reg export of regedit or reg.exe: UTF-16 or
// UTF-8, of HKEY_CURRENT_USER or of one user below HKEY_USERS. A value is No
// or its default where an export of its key, or of one above it, lacks it, and
// unknown where no such key was exported. Errors are one line and name the
// line of the file; an export that holds no key of Outlook's is one.
func ReadOutlookSettings(r io.Reader) (OutlookSettings, error) {
	reg, err := registry.ReadExport(r, func(key string) bool { return asCurrentUser(key) != "" })
	if err != nil {
		return OutlookSettings{}, fmt.Errorf("clients: %w", err)
	}
	user := make(registry.Registry)
	for key, values := range reg {
		user[asCurrentUser(key)] = values
	}
	s := outlookSettings(user)
	if s == (OutlookSettings{}) {
		return s, fmt.Errorf("clients: the export holds no key that Outlook signs in by, such as %s", outlookKeys[1])
	}
	return s, nil
}

// LiveOutlookSettings reads the settings of the user who runs the program. On
// other systems than Windows the error is errors.ErrUnsupported.
func LiveOutlookSettings() (OutlookSettings, error) {
	reg, err := registry.Live(outlookKeys...)
	if err != nil {
		return OutlookSettings{}, fmt.Errorf("clients: %w", err)
	}
	return outlookSettings(reg), nil
}

// asCurrentUser returns key as one of the current user's, or "" for a key of
// another hive.
func asCurrentUser(key string) string {
	key = registry.Canonical(key)
	if len(key) >= len(userHive) && strings.EqualFold(key[:len(userHive)], userHive) {
		return key
	}
	const users = `HKEY_USERS\`
	if len(key) > len(users) && strings.EqualFold(key[:len(users)], users) {
		if _, rest, ok := strings.Cut(key[len(users):], `\`); ok {
			return userHive + rest
		}
	}
	return ""
}

func outlookSettings(reg registry.Registry) OutlookSettings {
	// A policy wins over the user's own value.
	look := func(name string, absent crossprem.Answer, keys ...string) crossprem.Answer {
		looked := false
		for _, key := range keys {
			if n, ok := reg.Number(key, name); ok {
				return crossprem.AnswerOf(n != 0)
			}
			looked = looked || reg.Looked(key)
		}
		if looked {
			return absent
		}
		return crossprem.AnswerUnknown
	}
	const office, policy = userHive + `Software\Microsoft\Office\`, userHive + `Software\Policies\Microsoft\Office\`
	const identity15, identity16 = `15.0\Common\Identity`, `16.0\Common\Identity`
	s := OutlookSettings{
		EnableADAL15: look("EnableADAL", crossprem.No, policy+identity15, office+identity15),
		Version15:    look("Version", crossprem.No, policy+identity15, office+identity15),
		EnableADAL16: look("EnableADAL", crossprem.Yes, policy+identity16, office+identity16),

		AlwaysUseMSOAuthForAutoDiscover: look("AlwaysUseMSOAuthForAutoDiscover", crossprem.No, userHive+`Software\Microsoft\Exchange`),
		MapiHttpDisabled:                look("MapiHttpDisabled", crossprem.No, userHive+`Software\Microsoft\Exchange`),
		EnableExchangeOnPremModernAuth:  look("EnableExchangeOnPremModernAuth", crossprem.No, policy+identity16, office+identity16),
		DisableADALatopWAMOverride:      look("DisableADALatopWAMOverride", crossprem.No, policy+identity16, office+identity16),
		DisableAADWAM:                   look("DisableAADWAM", crossprem.No, policy+identity16, office+identity16),
		ExcludeExplicitO365Endpoint:     look("ExcludeExplicitO365Endpoint", crossprem.No, policy+`16.0\Outlook\AutoDiscover`, office+`16.0\Outlook\AutoDiscover`),
	}
	has15, has16 := reg.Looked(office+identity15), reg.Looked(office+identity16)
	switch {
	case has15 && !has16:
		s.Version = 15
	case has16 && !has15:
		s.Version = 16
	}
	return s
}

// A Behaviour is what an Outlook would do to sign in. In text and JSON it is
// one of "unknown", "passwords-only", "modern-first" and "modern-forced".
type Behaviour uint8

const (
	BehaviourUnknown Behaviour = iota
	PasswordsOnly              // passwords and Windows authentication, never tokens
	ModernFirst                // tokens first; falls back to a password where Basic is offered
	ModernForced               // tokens first, and no fall back at Autodiscover
)

var behaviourTexts = enum.Of[Behaviour]("clients: behaviour", "unknown", "passwords-only", "modern-first", "modern-forced")

// String returns a text such as "modern-first".
func (b Behaviour) String() string { return behaviourTexts.String(b) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (b Behaviour) MarshalText() ([]byte, error) { return behaviourTexts.Marshal(b) }

// UnmarshalText accepts what MarshalText gives.
func (b *Behaviour) UnmarshalText(text []byte) error { return behaviourTexts.Unmarshal(b, text) }

// Outlook returns what an Outlook of the major version (12 is 2007, 14 is
// 2010, 15 is 2013, 16 is 2016 and later) would do with the settings, and a
// sentence that says which value decided. A value that decides and is not
// known gives BehaviourUnknown.
func (s OutlookSettings) Outlook(major int) (Behaviour, string) {
	forced := func() (Behaviour, string) {
		switch s.AlwaysUseMSOAuthForAutoDiscover {
		case crossprem.Yes:
			return ModernForced, "AlwaysUseMSOAuthForAutoDiscover is 1: tokens are forced for Autodiscover, and there is no fall back to Basic there."
		}
		return ModernFirst, "It asks for tokens first, and falls back to a password where Basic is offered."
	}
	switch {
	case major <= 0:
		return BehaviourUnknown, "The version of Outlook is not known."
	case major < 15:
		return PasswordsOnly, "Outlook 2010 and older have no tokens, whatever the registry says."
	case s.MapiHttpDisabled == crossprem.Yes:
		return PasswordsOnly, "MapiHttpDisabled is 1: Outlook Anywhere is forced, which has no tokens."
	case s.MapiHttpDisabled == crossprem.AnswerUnknown && (s.EnableADAL15 == crossprem.AnswerUnknown || major > 15) && (s.EnableADAL16 == crossprem.AnswerUnknown || major == 15):
		return BehaviourUnknown, "None of the values that decide was read."
	case major == 15:
		switch {
		case s.EnableADAL15 == crossprem.AnswerUnknown:
			return BehaviourUnknown, "EnableADAL of Office 15.0 was not read, and 2013 needs it."
		case s.EnableADAL15 == crossprem.No || s.Version15 == crossprem.No:
			return PasswordsOnly, "Outlook 2013 needs EnableADAL and Version, both 1; a single one is not enough."
		case s.Version15 == crossprem.AnswerUnknown:
			return BehaviourUnknown, "Version of Office 15.0 was not read, and 2013 needs it."
		}
		return forced()
	case s.EnableADAL16 == crossprem.No:
		return PasswordsOnly, "EnableADAL is 0: tokens are switched off."
	case s.EnableADAL16 == crossprem.AnswerUnknown:
		return BehaviourUnknown, "EnableADAL of Office 16.0 was not read."
	}
	return forced()
}
