package graph

import (
	"strings"

	"github.com/crossprem/crossprem"
)

// The addresses are those of Get-CloudServiceEndpoint.ps1 of
// microsoft/CSS-Exchange, and, of the first four, of "National cloud
// deployments" in the documentation of Microsoft Graph.
var clouds = map[crossprem.Cloud]struct{ graph, authority string }{
	crossprem.Worldwide:     {"https://graph.microsoft.com", "https://login.microsoftonline.com"},
	crossprem.GCCHigh:       {"https://graph.microsoft.us", "https://login.microsoftonline.us"},
	crossprem.DoD:           {"https://dod-graph.microsoft.us", "https://login.microsoftonline.us"},
	crossprem.China21Vianet: {"https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"},
	crossprem.BleuFrance:    {"https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr"},
	crossprem.DelosGermany:  {"https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de"},
}

// worldwide returns the cloud that a setting means: the zero value is the
// worldwide one.
func worldwide(c crossprem.Cloud) crossprem.Cloud {
	if c == crossprem.CloudUnknown {
		return crossprem.Worldwide
	}
	return c
}

// Address returns the address of Microsoft Graph in a cloud, without a final
// slash, and "" for a value that is none of the constants. The zero value
// means worldwide.
func Address(c crossprem.Cloud) string { return clouds[worldwide(c)].graph }

// Authority returns the address at which Entra ID signs in for a cloud,
// without a final slash: what a credential of azidentity wants as its
// ActiveDirectoryAuthorityHost. It is "" for a value that is none of the
// constants. The zero value means worldwide.
func Authority(c crossprem.Cloud) string { return clouds[worldwide(c)].authority }

// cloudOf returns the cloud whose Microsoft Graph has this address, and
// CloudUnknown for another, such as that of a fake or of a gateway.
func cloudOf(address string) crossprem.Cloud {
	for _, c := range crossprem.Clouds() {
		if strings.EqualFold(clouds[c].graph, address) {
			return c
		}
	}
	return crossprem.CloudUnknown
}
