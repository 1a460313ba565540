package tlsprobe

import (
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

// The documents that several rules rest on.
const (
	srcRFC8996   = "RFC 8996 §4, §5 (TLS 1.0 and 1.1 must not be used)"
	srcRFC7568   = "RFC 7568 §3 (SSL 3.0 must not be used)"
	srcRFC6176   = "RFC 6176 §3 (SSL 2.0 must not be used)"
	srcRFC9325   = "RFC 9325 §4 (recommendations for TLS)"
	srcRFC5280   = "RFC 5280 §4.1.2.5, §6 (validity and paths)"
	srcRFC9525   = "RFC 9525 (service identity)"
	srcOffice365 = "https://learn.microsoft.com/purview/prepare-tls-1.2-in-office-365"
	srcEntra     = "https://learn.microsoft.com/troubleshoot/entra/entra-id/ad-dmn-services/enable-support-tls-environment"
	srcExchange  = "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration"
	srcHybrid    = "https://learn.microsoft.com/exchange/hybrid-deployment-prerequisites"
	srcNetwork   = "https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-network-connectivity-principles"
	srcPopImap   = "https://techcommunity.microsoft.com/t5/exchange-team-blog/deprecating-legacy-tls-and-endpoints-for-pop-and-imap-in/ba-p/4515201"
	srcAzureCA   = "https://learn.microsoft.com/azure/security/fundamentals/azure-ca-details"
)

// The rules.
var (
	ruleAnswers    = crossprem.Rule{ID: "tls-not-spoken", Severity: crossprem.Critical, Title: "No TLS is spoken there", Sources: []string{"RFC 8446 §4.1"}}
	ruleNo12       = crossprem.Rule{ID: "tls-1.2-refused", Severity: crossprem.Critical, Title: "TLS 1.2 is not accepted, and nothing newer is", Sources: []string{srcOffice365, srcEntra, srcExchange}}
	ruleOnly13     = crossprem.Rule{ID: "tls-1.3-only", Severity: crossprem.Warning, Title: "TLS 1.3 is accepted and TLS 1.2 is not: Windows before Server 2022 and Windows 11 cannot connect", Sources: []string{srcEntra, srcExchange}}
	rule10         = crossprem.Rule{ID: "tls-1.0-offered", Severity: crossprem.Warning, Title: "TLS 1.0 is accepted", Sources: []string{srcRFC8996, srcExchange}}
	rule11         = crossprem.Rule{ID: "tls-1.1-offered", Severity: crossprem.Warning, Title: "TLS 1.1 is accepted", Sources: []string{srcRFC8996, srcExchange}}
	ruleSSL3       = crossprem.Rule{ID: "tls-ssl-3.0-offered", Severity: crossprem.Critical, Title: "SSL 3.0 is accepted", Sources: []string{srcRFC7568}}
	ruleSSL2       = crossprem.Rule{ID: "tls-ssl-2.0-offered", Severity: crossprem.Critical, Title: "SSL 2.0 is accepted", Sources: []string{srcRFC6176}}
	ruleWeak       = crossprem.Rule{ID: "tls-only-weak-suites", Severity: crossprem.Critical, Title: "TLS 1.2 is accepted with weak cipher suites only", Sources: []string{srcRFC9325, srcEntra}}
	ruleStripped   = crossprem.Rule{ID: "tls-version-stripped", Severity: crossprem.Warning, Title: "The server can do a newer version that does not get through", Sources: []string{"RFC 8446 §4.1.3"}}
	ruleIntolerant = crossprem.Rule{ID: "tls-intolerant", Severity: crossprem.Warning, Title: "The server hangs up on clients that offer a newer version", Sources: []string{"RFC 8446 §4.1.2, appendix D.2"}}
	ruleShort      = crossprem.Rule{ID: "tls-short-hello-only", Severity: crossprem.Warning, Title: "Only small hellos are answered", Sources: []string{"RFC 7685 §4"}}
	ruleLimited    = crossprem.Rule{ID: "tls-unsteady", Severity: crossprem.Info, Title: "Connections were cut that were accepted at another time", Sources: []string{"RFC 9293 §3.10"}}
	ruleClientCert = crossprem.Rule{ID: "tls-client-certificate-asked", Severity: crossprem.Warning, Title: "The server asks for a client certificate during the handshake", Sources: []string{"RFC 8446 §4.3.2", srcHybrid}}
	ruleExpired    = crossprem.Rule{ID: "tls-certificate-expired", Severity: crossprem.Critical, Title: "The certificate is outside of its validity, or will soon be", Sources: []string{srcRFC5280}}
	ruleName       = crossprem.Rule{ID: "tls-certificate-name", Severity: crossprem.Critical, Title: "The certificate is for other names", Sources: []string{srcRFC9525}}
	ruleUntrusted  = crossprem.Rule{ID: "tls-certificate-untrusted", Severity: crossprem.Critical, Title: "The certificate does not lead to a trusted root", Sources: []string{srcRFC5280, srcHybrid}}
	ruleKey        = crossprem.Rule{ID: "tls-certificate-weak", Severity: crossprem.Warning, Title: "The certificate has a short key or an old signature", Sources: []string{srcRFC9325}}
	ruleInspected  = crossprem.Rule{ID: "tls-inspected", Severity: crossprem.Critical, Title: "Something between here and Microsoft breaks TLS open", Sources: []string{srcNetwork, srcAzureCA}}
	ruleRetiring   = crossprem.Rule{ID: "tls-endpoint-retiring", Severity: crossprem.Critical, Title: "The endpoint is being retired", Sources: []string{srcPopImap}}
	ruleDifferent  = crossprem.Rule{ID: "tls-addresses-differ", Severity: crossprem.Warning, Title: "The addresses of the name do not accept the same versions", Sources: []string{srcExchange}}
)

// Rules returns the rules that [Assess] names, sorted by ID. The slice is the
// caller's.
func Rules() []crossprem.Rule {
	list := []crossprem.Rule{
		ruleAnswers, ruleNo12, ruleOnly13, rule10, rule11, ruleSSL3, ruleSSL2, ruleWeak, ruleStripped,
		ruleIntolerant, ruleShort, ruleLimited, ruleClientCert, ruleExpired, ruleName, ruleUntrusted, ruleKey,
		ruleInspected, ruleRetiring, ruleDifferent,
	}
	for i := range list {
		list[i].Sources = slices.Clone(list[i].Sources)
	}
	slices.SortFunc(list, func(a, b crossprem.Rule) int { return strings.Compare(a.ID, b.ID) })
	return list
}
