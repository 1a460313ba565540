package tlsprobe

import "github.com/crossprem/crossprem"

// The documents that several rules rest on.
const (
	srcRFC8996   = "RFC 8996 §4, §5 (TLS 1.0 and 1.1 must not be used)"
	srcRFC7568   = "RFC 7568 §3 (SSL 3.0 must not be used)"
	srcRFC6176   = "RFC 6176 §3 (SSL 2.0 must not be used)"
	srcRFC9325   = "RFC 9325 §4 (recommendations for TLS)"
	srcRFC5280   = "RFC 5280 §4.1.2.5, §6 (validity and paths)"
	srcRFC9525   = "RFC 9525 (service identity)"
	srcRFC3207   = "RFC 3207 §4 (STARTTLS in SMTP)"
	srcRFC5321   = "RFC 5321 §4.1.1.1, §4.2.1, §5.1 (EHLO, replies, mail exchangers)"
	srcOffice365 = "https://learn.microsoft.com/purview/prepare-tls-1.2-in-office-365"
	srcEntra     = "https://learn.microsoft.com/troubleshoot/entra/entra-id/ad-dmn-services/enable-support-tls-environment"
	srcExchange  = "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration"
	srcHybrid    = "https://learn.microsoft.com/exchange/hybrid-deployment-prerequisites"
	srcNetwork   = "https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-network-connectivity-principles"
	srcPopImap   = "https://techcommunity.microsoft.com/t5/exchange-team-blog/deprecating-legacy-tls-and-endpoints-for-pop-and-imap-in/ba-p/4515201"
	srcAzureCA   = "https://learn.microsoft.com/azure/security/fundamentals/azure-ca-details"
	srcMailTLS   = "https://learn.microsoft.com/purview/exchange-online-uses-tls-to-secure-email-connections"
)

const enable12 = "Enable TLS 1.2 for server and client: Enabled=1 and DisabledByDefault=0 under " +
	`HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2, ` +
	"SchUseStrongCrypto=1 and SystemDefaultTlsVersions=1 for .NET in both bitnesses; then restart."

var rules crossprem.Rules

// The rules.
var (
	ruleSpoken = rules.Declare(crossprem.Rule{ID: "tls-not-spoken", Severity: crossprem.Critical,
		Title: "The server does not negotiate TLS", PassedTitle: "The server negotiates TLS",
		Sources: []string{"RFC 8446 §4.1", srcRFC3207}})
	ruleNo12 = rules.Declare(crossprem.Rule{ID: "tls-1.2-refused", Severity: crossprem.Critical,
		Title: "TLS 1.2 is not accepted, and nothing newer is", PassedTitle: "TLS 1.2 or TLS 1.3 is accepted", UnknownTitle: "It is not known whether TLS 1.2 or anything newer is accepted",
		Remedy: enable12, Sources: []string{srcOffice365, srcEntra, srcExchange}})
	ruleOnly13 = rules.Declare(crossprem.Rule{ID: "tls-1.3-only", Severity: crossprem.Warning,
		Title:       "TLS 1.3 is accepted and TLS 1.2 is not: Windows before Server 2022 and Windows 11 cannot connect",
		PassedTitle: "TLS 1.3 is not the only version that is accepted", UnknownTitle: "It is not known whether TLS 1.3 is the only version that is accepted",
		Remedy: enable12, Sources: []string{srcEntra, srcExchange}})
	rule10 = rules.Declare(crossprem.Rule{ID: "tls-1.0-offered", Severity: crossprem.Warning,
		Title: "TLS 1.0 is accepted", PassedTitle: "TLS 1.0 is refused", Sources: []string{srcRFC8996, srcExchange}})
	rule11 = rules.Declare(crossprem.Rule{ID: "tls-1.1-offered", Severity: crossprem.Warning,
		Title: "TLS 1.1 is accepted", PassedTitle: "TLS 1.1 is refused", Sources: []string{srcRFC8996, srcExchange}})
	ruleSSL3 = rules.Declare(crossprem.Rule{ID: "tls-ssl-3.0-offered", Severity: crossprem.Critical,
		Title: "SSL 3.0 is accepted", PassedTitle: "SSL 3.0 is refused", Sources: []string{srcRFC7568}})
	ruleSSL2 = rules.Declare(crossprem.Rule{ID: "tls-ssl-2.0-offered", Severity: crossprem.Critical,
		Title: "SSL 2.0 is accepted", PassedTitle: "SSL 2.0 is refused", Sources: []string{srcRFC6176}})
	ruleWeak = rules.Declare(crossprem.Rule{ID: "tls-only-weak-suites", Severity: crossprem.Critical,
		Title: "TLS 1.2 is accepted with weak cipher suites only", PassedTitle: "TLS 1.2 is accepted with a suite that is not weak",
		Remedy: "Allow ECDHE with AES-GCM, and remove RC4, 3DES, NULL, export and anonymous suites.", Sources: []string{srcRFC9325, srcEntra}})
	ruleStripped = rules.Declare(crossprem.Rule{ID: "tls-version-stripped", Severity: crossprem.Warning,
		Title: "The server supports a newer version that does not get through", PassedTitle: "No answer admits to a version that does not get through",
		Remedy: "Look for a device between here and the server that filters TLS versions.", Sources: []string{"RFC 8446 §4.1.3"}})
	ruleIntolerant = rules.Declare(crossprem.Rule{ID: "tls-intolerant", Severity: crossprem.Warning,
		Title: "The server hangs up on clients that offer a newer version", PassedTitle: "The server does not hang up on clients that offer a newer version",
		Sources: []string{"RFC 8446 §4.1.2, appendix D.2"}})
	ruleShort = rules.Declare(crossprem.Rule{ID: "tls-short-hello-only", Severity: crossprem.Warning,
		Title: "Only small hellos are answered", PassedTitle: "Hellos of the usual size are answered",
		Remedy: "Update the device in front of the server: current clients send large hellos.", Sources: []string{"RFC 7685 §4"}})
	ruleLimited = rules.Declare(crossprem.Rule{ID: "tls-unsteady", Severity: crossprem.Info,
		Title: "Connections were cut that were accepted at another time", PassedTitle: "No connection was cut that was accepted at another time",
		Remedy:  "If versions are unknown, probe again with a longer timeout, or from an address that is exempt from the limit.",
		Sources: []string{"RFC 9293 §3.10", srcRFC5321}})
	ruleBackends = rules.Declare(crossprem.Rule{ID: "tls-backends-differ", Severity: crossprem.Warning,
		Title: "Repeated answers to the same question differ: the servers behind the address are not alike", PassedTitle: "Repeated questions got the same answers",
		Remedy: "Configure all servers behind the address alike, and probe again with several samples.", Sources: []string{"RFC 8446 §4.1.3", srcExchange}})
	ruleStartTLSVaries = rules.Declare(crossprem.Rule{ID: "tls-starttls-varies", Severity: crossprem.Warning,
		Title: "STARTTLS is offered on some connections only", PassedTitle: "STARTTLS is offered on every connection",
		Remedy: "Give every server behind the address a certificate for SMTP, and look for a device that removes STARTTLS from the greeting.", Sources: []string{srcRFC3207, srcMailTLS}})
	ruleClientCert = rules.Declare(crossprem.Rule{ID: "tls-client-certificate-asked", Severity: crossprem.Critical,
		Title: "The server asks for a client certificate during the handshake", PassedTitle: "A client certificate is not asked for during the handshake, or is usual for this service",
		Sources: []string{"RFC 8446 §4.3.2", srcHybrid}})

	ruleExpired = rules.Declare(crossprem.Rule{ID: "tls-certificate-expired", Severity: crossprem.Critical,
		Title:       "The server's certificate has expired, is not yet valid, or ends soon",
		PassedTitle: "The server's certificate is valid, and does not end soon", UnknownTitle: "It is not known whether the server's certificate is valid",
		Remedy: "Install a new certificate, and assign it to the services that use it.", Sources: []string{srcRFC5280}})
	ruleChainExpired = rules.Declare(crossprem.Rule{ID: "tls-chain-expired", Severity: crossprem.Critical,
		Title:       "An intermediate or root certificate that the chain hangs on has expired, is not yet valid, or ends soon",
		PassedTitle: "The intermediate and root certificates are valid, and do not end soon", UnknownTitle: "It is not known whether the intermediate and root certificates are valid",
		Remedy: "Install the issuer's current intermediate certificates on the server and remove the old ones, or replace the server's certificate.", Sources: []string{srcRFC5280}})
	ruleName = rules.Declare(crossprem.Rule{ID: "tls-certificate-name", Severity: crossprem.Critical,
		Title: "The certificate's names do not include the name of the server", PassedTitle: "The certificate names the server",
		Remedy: "Use a certificate with the name that clients connect to, or probe with that name.", Sources: []string{srcRFC9525}})
	ruleUntrusted = rules.Declare(crossprem.Rule{ID: "tls-certificate-untrusted", Severity: crossprem.Critical,
		Title: "The certificate does not lead to a trusted root", PassedTitle: "The certificate leads to a trusted root",
		Remedy: "Use a certificate of an authority that the clients trust, and send its intermediate certificates along; Exchange Online trusts public ones only.", Sources: []string{srcRFC5280, srcHybrid}})
	ruleSelfSigned = rules.Declare(crossprem.Rule{ID: "tls-certificate-self-signed", Severity: crossprem.Warning,
		Title: "The certificate is self-signed", PassedTitle: "The certificate is not an untrusted self-signed one",
		Remedy: "Use a certificate of an authority that the clients trust.", Sources: []string{"RFC 5280 §3.2", srcHybrid}})
	rulePrivateCA = rules.Declare(crossprem.Rule{ID: "tls-certificate-private-ca", Severity: crossprem.Warning,
		Title: "The certificate comes from a private authority that is not trusted here", PassedTitle: "The certificate does not come from an authority that is not trusted here",
		UnknownTitle: "It is not known whether the certificate comes from a private authority",
		Remedy:       "Give the root to the clients, or use a certificate of a public authority; Exchange Online trusts public ones only.", Sources: []string{"RFC 5280 §6.1.1 (trust anchors)", srcHybrid}})
	ruleIncomplete = rules.Declare(crossprem.Rule{ID: "tls-chain-incomplete", Severity: crossprem.Warning,
		Title: "The issuer's certificate is not sent along, and has to be fetched", PassedTitle: "No intermediate certificate is missing from the chain",
		Remedy: "Install the intermediate certificates on the server: only some clients, such as Windows, fetch what is missing.", Sources: []string{"RFC 8446 §4.4.2", "RFC 5280 §4.2.2.1 (authority information access)"}})
	rulePurpose = rules.Declare(crossprem.Rule{ID: "tls-certificate-purpose", Severity: crossprem.Critical,
		Title: "The certificate is not meant for servers", PassedTitle: "The certificate is meant for servers",
		Remedy: "Use a certificate with the extended key usage for server authentication.", Sources: []string{"RFC 5280 §4.2.1.12 (extended key usage)"}})
	ruleKey = rules.Declare(crossprem.Rule{ID: "tls-certificate-weak", Severity: crossprem.Warning,
		Title: "A certificate of the chain has a short key or an old signature", PassedTitle: "Keys and signatures of the chain are in order",
		Remedy: "Use certificates with RSA keys of 2048 bits or more, or ECDSA keys of 256, and SHA-256 signatures.", Sources: []string{srcRFC9325}})

	ruleInspected = rules.Declare(crossprem.Rule{ID: "tls-inspected", Severity: crossprem.Critical,
		Title: "TLS inspection between here and Microsoft replaces the certificate", PassedTitle: "The certificate is from an authority that Microsoft uses",
		Remedy: "Exempt Microsoft's endpoints from TLS inspection.", Sources: []string{srcNetwork, srcAzureCA}})
	ruleRetiring = rules.Declare(crossprem.Rule{ID: "tls-endpoint-retiring", Severity: crossprem.Critical,
		Title: "The endpoint is being retired, or has been", PassedTitle: "No retirement of the endpoint has been announced",
		Sources: []string{srcPopImap}})
	ruleDifferent = rules.Declare(crossprem.Rule{ID: "tls-addresses-differ", Severity: crossprem.Warning,
		Title: "The addresses of the name do not accept the same versions", PassedTitle: "All addresses of the name accept the same versions",
		Remedy: "Configure all servers behind the name alike.", Sources: []string{srcExchange}})
)

// Rules returns the rules that [Assess] and [AssessMail] name, sorted by ID.
// The slice is the caller's.
func Rules() []crossprem.Rule { return rules.All() }
