package authpolicy

import (
	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// A Hosting is where a mailbox is. In text and JSON it is one of "unknown",
// "exo" and "onprem".
type Hosting uint8

const (
	HostingUnknown Hosting = iota
	ExchangeOnline
	OnPremises
)

var hostingTexts = enum.Of[Hosting]("authpolicy: hosting", "unknown", "exo", "onprem").
	Also("exchange-online", ExchangeOnline).Also("cloud", ExchangeOnline).Also("on-premises", OnPremises)

// String returns a text such as "exo".
func (h Hosting) String() string { return hostingTexts.String(h) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (h Hosting) MarshalText() ([]byte, error) { return hostingTexts.Marshal(h) }

// UnmarshalText accepts what MarshalText gives.
func (h *Hosting) UnmarshalText(text []byte) error { return hostingTexts.Unmarshal(h, text) }

// A Server is the version of Exchange Server, as far as authentication
// policies and tokens depend on it. In text and JSON it is one of "unknown",
// "2010", "2013", "2016", "2019", "2019cu2+", "2019cu13+" and "se".
type Server uint8

const (
	ServerUnknown    Server = iota
	Exchange2010            // 2010 and older: no tokens at all
	Exchange2013            // 2013 (tokens from CU19 on): no policies
	Exchange2016            // 2016 (tokens from CU8 on): no policies
	Exchange2019            // 2019 RTM and CU1: no policies
	Exchange2019CU2         // CU2 to CU12: BlockLegacyAuth
	Exchange2019CU13        // CU13 and later: BlockModernAuth and AD FS too
	ExchangeSE              // Subscription Edition
)

var serverTexts = enum.Of[Server]("authpolicy: server", "unknown", "2010", "2013", "2016", "2019", "2019cu2+", "2019cu13+", "se").
	Also("2019cu2", Exchange2019CU2).Also("2019cu13", Exchange2019CU13).Also("2019cu1", Exchange2019)

// String returns a text such as "2019cu13+".
func (s Server) String() string { return serverTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Server) MarshalText() ([]byte, error) { return serverTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *Server) UnmarshalText(text []byte) error { return serverTexts.Unmarshal(s, text) }

// An AuthServer is the service that a server on premises takes tokens of. In
// text and JSON it is one of "unknown", "none", "entra" and "adfs".
type AuthServer uint8

const (
	AuthServerUnknown AuthServer = iota
	NoAuthServer
	Entra
	ADFS
)

var authServerTexts = enum.Of[AuthServer]("authpolicy: authorization server", "unknown", "none", "entra", "adfs")

// String returns a text such as "entra".
func (a AuthServer) String() string { return authServerTexts.String(a) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (a AuthServer) MarshalText() ([]byte, error) { return authServerTexts.Marshal(a) }

// UnmarshalText accepts what MarshalText gives.
func (a *AuthServer) UnmarshalText(text []byte) error { return authServerTexts.Unmarshal(a, text) }

// A Switch is a setting that can be true, false or empty. In text and JSON it
// is one of "unknown", "not-set", "false" and "true".
type Switch uint8

const (
	SwitchUnknown Switch = iota // not seen
	NotSet                      // seen, and empty
	False
	True
)

var switchTexts = enum.Of[Switch]("authpolicy: switch", "unknown", "not-set", "false", "true")

// SwitchOf returns True or False.
func SwitchOf(on bool) Switch {
	if on {
		return True
	}
	return False
}

// String returns a text such as "not-set".
func (s Switch) String() string { return switchTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Switch) MarshalText() ([]byte, error) { return switchTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *Switch) UnmarshalText(text []byte) error { return switchTexts.Unmarshal(s, text) }

// A Policy is an authentication policy. The zero value is one without a
// switch: in Exchange Online it blocks Basic for every protocol, on premises
// nothing.
type Policy struct {
	Name string `json:"name,omitempty"`

	// Switches are the parameters by name, such as "AllowBasicAuthImap".
	Switches map[string]Switch `json:"switches,omitempty"`

	// Partial says that not every switch was seen: one that is not in Switches
	// is then unknown instead of not set.
	Partial bool `json:"partial,omitempty"`
}

// get returns the switch, NotSet if it is not there and the policy is whole.
func (p *Policy) get(name string) Switch {
	s, ok := p.Switches[name]
	if !ok && !p.Partial {
		return NotSet
	}
	return s
}

// An Assignment is which policy is assigned to a user, or is the default of an
// organization. The zero value is not known.
type Assignment struct {
	Assigned crossprem.Answer `json:"assigned"` // No: there is none
	Policy   *Policy          `json:"policy"`   // nil if none is assigned, or its content is not known
	Name     string           `json:"name,omitempty"`
}

// NoPolicy is the assignment of none.
func NoPolicy() Assignment { return Assignment{Assigned: crossprem.No} }

// Assign returns the assignment of p.
func Assign(p Policy) Assignment {
	return Assignment{Assigned: crossprem.Yes, Policy: &p, Name: p.Name}
}

// Facts are what is known of one user and one protocol. The zero value knows
// nothing. It is a plain value; tests may write it as a literal.
type Facts struct {
	User    string  `json:"user,omitempty"`
	Hosting Hosting `json:"hosting"`

	UserPolicy    Assignment `json:"userPolicy"`    // the user's own
	DefaultPolicy Assignment `json:"defaultPolicy"` // the organization's, which counts if the user has none

	// Switches of the user's mailbox, the organization and the transport
	// configuration that are empty where nobody set them.
	MailboxSwitches map[string]Switch `json:"mailboxSwitches,omitempty"` // of Get-CASMailbox and Get-User, such as "ImapEnabled"
	OrgSwitches     map[string]Switch `json:"orgSwitches,omitempty"`     // of Get-OrganizationConfig and Get-TransportConfig, such as "EwsEnabled"

	SMTPBasicReenabled crossprem.Answer `json:"smtpBasicReenabled"` // an administrator switched Basic for SMTP AUTH on again

	// EWSAppIDs are EwsAllowedAppIDs, if EWSAppIDsKnown is Yes; AppID is the
	// application that asks, and UserAgent what it calls itself.
	EWSAppIDs      []string         `json:"ewsAppIDs,omitempty"`
	EWSAppIDsKnown crossprem.Answer `json:"ewsAppIDsKnown"`
	AppID          string           `json:"appID,omitempty"`
	UserAgent      string           `json:"userAgent,omitempty"`

	// EWSAccess is EwsApplicationAccessPolicy: "EnforceAllowList",
	// "EnforceBlockList", or "" for none; EWSAgents are the agents of its list,
	// with "*" for anything.
	EWSAccess      string           `json:"ewsAccess,omitempty"`
	EWSAgents      []string         `json:"ewsAgents,omitempty"`
	EWSAgentsKnown crossprem.Answer `json:"ewsAgentsKnown"` // Yes: EWSAgents are all of them

	SecurityDefaults        crossprem.Answer `json:"securityDefaults"`
	ConditionalAccessBlocks crossprem.Answer `json:"conditionalAccessBlocks"` // an enabled policy stops legacy clients of this user

	// ActiveSync16 says whether the device speaks ActiveSync 16.1 or later.
	ActiveSync16 crossprem.Answer `json:"activeSync16"`

	// On premises: the server, whose tokens it takes, and what the virtual
	// directory or the settings of the protocol offer.
	Server        Server           `json:"server"`
	AuthServer    AuthServer       `json:"authServer"`
	OffersBasic   crossprem.Answer `json:"offersBasic"`
	OffersWindows crossprem.Answer `json:"offersWindows"`
	OffersOAuth   crossprem.Answer `json:"offersOAuth"`
}
