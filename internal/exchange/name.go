package exchange

import (
	"net/url"
	"strings"

	"github.com/crossprem/crossprem"
)

// HostOf returns the host of an address or name such as
// "https://mail.contoso.com/EWS/Exchange.asmx" or "mail.contoso.com", in small
// letters and without port, or "" if there is none.
func HostOf(address string) string {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// SameAddress reports whether two addresses are the same, letter case and a
// final slash aside.
func SameAddress(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(strings.TrimSpace(a), "/"), strings.TrimSuffix(strings.TrimSpace(b), "/"))
}

// clouds are the domains whose hosts belong to one cloud. The longer are first.
var clouds = []struct {
	domain string
	cloud  crossprem.Cloud
}{
	{"autodiscover-s-dod.office365.us", crossprem.DoD},
	{"outlook-dod.office365.us", crossprem.DoD},
	{"dod-graph.microsoft.us", crossprem.DoD},
	{"autodiscover-s.office365.us", crossprem.GCCHigh},
	{"outlook.office365.us", crossprem.GCCHigh},
	{"graph.microsoft.us", crossprem.GCCHigh},
	{"outlook.sovcloud.fr", crossprem.BleuFrance},
	{"svc.sovcloud.fr", crossprem.BleuFrance},
	{"sovcloud-identity.fr", crossprem.BleuFrance},
	{"outlook.sovcloud.de", crossprem.DelosGermany},
	{"svc.sovcloud.de", crossprem.DelosGermany},
	{"sovcloud-identity.de", crossprem.DelosGermany},
	{"partner.outlook.cn", crossprem.China21Vianet},
	{"chinacloudapi.cn", crossprem.China21Vianet},
	{"partner.microsoftonline.cn", crossprem.China21Vianet},
	{"partner.onmschina.cn", crossprem.China21Vianet},
	{"accounts.accesscontrol.windows.net", crossprem.Worldwide},
	{"sts.windows.net", crossprem.Worldwide},
	{"login.windows.net", crossprem.Worldwide},
	{"login.microsoftonline.com", crossprem.Worldwide},
	{"graph.microsoft.com", crossprem.Worldwide},
	{"outlook.com", crossprem.Worldwide},
	{"outlook.office365.com", crossprem.Worldwide},
	{"outlook.office.com", crossprem.Worldwide},
	{"onmicrosoft.com", crossprem.Worldwide},
}

// CloudOf returns the cloud to which a host alone belongs, or CloudUnknown.
// Hosts that several clouds share, such as login.microsoftonline.us, are of none.
func CloudOf(host string) crossprem.Cloud {
	for _, c := range clouds {
		if under(host, c.domain) {
			return c.cloud
		}
	}
	return crossprem.CloudUnknown
}

// IsMicrosoft reports whether a host is one of Microsoft's own: those that are
// among the names of the Exchange Online principal from the beginning.
func IsMicrosoft(host string) bool {
	for _, d := range []string{"outlook.com", "office.com", "office365.com", "office.net", "office365.us", "microsoft.com", "microsoft.us", "outlook.cn",
		"outlook.de", "office.de", "exchangelabs.com", "live.com", "live-int.com", "hotmail.com", "cloud.microsoft", "sovcloud.fr", "sovcloud.de", "windows.net", "microsoftonline.com",
		"microsoftonline.us", "microsoftonline.cn", "chinacloudapi.cn", "office365-net.us", "outlook-dod.us", "apps.mil"} {
		if under(host, d) {
			return true
		}
	}
	return false
}

// IsServiceDomain reports whether a domain is the routing domain of a tenant,
// such as contoso.mail.onmicrosoft.com.
func IsServiceDomain(domain string) bool {
	domain = strings.ToLower(domain)
	for _, d := range []string{".mail.onmicrosoft.com", ".mail.onmicrosoft.us", ".mail.partner.onmschina.cn", ".mail.onmicrosoft.de", ".mail.onmicrosoft.cn"} {
		if strings.HasSuffix(domain, d) && len(domain) > len(d) {
			return true
		}
	}
	return false
}

// IsTenantDomain reports whether a domain is one that Microsoft gave to a
// tenant, such as contoso.onmicrosoft.com, or its routing domain.
func IsTenantDomain(domain string) bool {
	for _, d := range []string{"onmicrosoft.com", "onmicrosoft.us", "partner.onmschina.cn", "onmicrosoft.de", "onmicrosoft.cn"} {
		if strings.HasSuffix(strings.ToLower(domain), "."+d) {
			return true
		}
	}
	return false
}

func under(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
