package tlsprobe

import (
	"net"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Role tells what a server is for, which decides what is wrong with it. In
// text and JSON it is one of "any", "microsoft" and "exchange".
type Role uint8

const (
	AnyServer         Role = iota // no more than what holds for all servers
	MicrosoftEndpoint             // a host of Microsoft's, seen from the customer's network
	OnPremExchange                // a server that Exchange Online or Outlook reaches: Exchange, Edge Transport, a proxy in front
)

var roleTexts = enum.Of[Role]("tlsprobe: role", "any", "microsoft", "exchange")

// String returns the text, and "Role(9)" for a value that is none of the
// constants.
func (r Role) String() string { return roleTexts.String(r) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (r Role) MarshalText() ([]byte, error) { return roleTexts.Marshal(r) }

// UnmarshalText accepts what MarshalText gives.
func (r *Role) UnmarshalText(text []byte) error { return roleTexts.Unmarshal(r, text) }

// RoleOf returns MicrosoftEndpoint for the host of target, a host:port, if the
// table of endpoints has it, and AnyServer otherwise.
func RoleOf(target string) Role {
	host, port, err := net.SplitHostPort(target)
	if err == nil && len(endpointsOf(host, port)) > 0 {
		return MicrosoftEndpoint
	}
	return AnyServer
}
