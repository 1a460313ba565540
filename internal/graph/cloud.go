package graph

import (
	"fmt"
	"strings"
)

// A Cloud is one of the separate clouds in which tenants live. In text it is
// one of "global", "gcchigh", "dod", "china", "bleu" and "delos".
type Cloud uint8

const (
	Global  Cloud = iota // worldwide, GCC included
	GCCHigh              // US Government L4
	DoD                  // US Government L5
	China                // operated by 21Vianet
	Bleu                 // France
	Delos                // Germany
)

// The addresses are those of Get-CloudServiceEndpoint.ps1 of
// microsoft/CSS-Exchange, and, of the first four, of "National cloud
// deployments" in the documentation of Microsoft Graph.
var clouds = [...]struct{ name, graph, authority string }{
	Global:  {"global", "https://graph.microsoft.com", "https://login.microsoftonline.com"},
	GCCHigh: {"gcchigh", "https://graph.microsoft.us", "https://login.microsoftonline.us"},
	DoD:     {"dod", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"},
	China:   {"china", "https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"},
	Bleu:    {"bleu", "https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr"},
	Delos:   {"delos", "https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de"},
}

// String returns the name of the cloud.
func (c Cloud) String() string {
	if int(c) < len(clouds) {
		return clouds[c].name
	}
	return fmt.Sprintf("Cloud(%d)", uint8(c))
}

// MarshalText returns the name of the cloud, and an error for a value that is
// none of the constants.
func (c Cloud) MarshalText() ([]byte, error) {
	if int(c) >= len(clouds) {
		return nil, fmt.Errorf("graph: no such cloud: %d", uint8(c))
	}
	return []byte(clouds[c].name), nil
}

// UnmarshalText accepts the name of a cloud in any case. It leaves c as it
// was, and returns an error, for anything else.
func (c *Cloud) UnmarshalText(text []byte) error {
	for i, row := range clouds {
		if strings.EqualFold(string(text), row.name) {
			*c = Cloud(i)
			return nil
		}
	}
	return fmt.Errorf("graph: no such cloud: %.40q; there are global, gcchigh, dod, china, bleu and delos", text)
}

// Graph returns the address of Microsoft Graph in this cloud, without a final
// slash, or "" for a value that is none of the constants.
func (c Cloud) Graph() string {
	if int(c) < len(clouds) {
		return clouds[c].graph
	}
	return ""
}

// Authority returns the address at which Entra ID signs in for this cloud,
// without a final slash: what a credential of azidentity wants as its
// ActiveDirectoryAuthorityHost. It is "" for a value that is none of the
// constants.
func (c Cloud) Authority() string {
	if int(c) < len(clouds) {
		return clouds[c].authority
	}
	return ""
}
