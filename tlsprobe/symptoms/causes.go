package symptoms

import "github.com/crossprem/crossprem"

// Vendor pages and specifications that several causes rest on.
const (
	srcDotNet    = "Microsoft Learn, Transport Layer Security (TLS) best practices with .NET Framework"
	srcRegistry  = "Microsoft Learn, TLS registry settings"
	srcProtocols = "Microsoft Learn, Protocols in TLS/SSL (Schannel SSP)"
	srcSuites    = "Microsoft Learn, TLS cipher suites in Windows 8.1"
	srcCodes     = "Microsoft Learn, Schannel error codes for TLS and SSL alerts"
	srcEvents    = "Microsoft Learn, Schannel events"
	srcGallery   = "Microsoft Learn, PowerShell Gallery, troubleshooting cmdlets"
	srcConnect   = "Microsoft Learn, Troubleshoot Microsoft Entra connectivity"
	srcM365      = "Microsoft Learn, Microsoft 365 network connectivity principles"
	srcAlerts    = "RFC 8446 §6"
	srcLegacy    = "RFC 8996 §4, §5"
	srcName      = "RFC 6066 §3"
	srcPath      = "RFC 5280 §6"
	srcIdentity  = "RFC 9525 §6"
	srcMSOnline  = "Microsoft Learn, Migrate from MSOnline and AzureAD PowerShell to Microsoft Entra PowerShell"
)

// A cause is one row of the table of causes: what is wrong, in words that fit
// every text.
type cause struct {
	id         string
	severity   crossprem.Severity
	title      string // what is wrong; the title of the failed finding
	absent     string // the title of the finding that rules it out
	check, fix string
	sources    []string

	// meeting marks the causes that are impossible where client and server have
	// a version and a suite in common.
	meeting bool
}

var causeTable = []cause{
	{
		id: "client-no-tls12", severity: crossprem.Critical, meeting: true,
		title:   "The client does not offer a TLS version that the server accepts",
		absent:  "The client offers TLS 1.2 or newer",
		check:   "In that very program, look at [Net.ServicePointManager]::SecurityProtocol: Tls12 or SystemDefault has to be there. Then probe the server by version.",
		fix:     "For the session: [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12. For the machine: SchUseStrongCrypto=1 and SystemDefaultTlsVersions=1 (REG_DWORD) below HKLM\\SOFTWARE\\Microsoft\\.NETFramework\\v4.0.30319 and below HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\.NETFramework\\v4.0.30319, then start the program anew. On Windows Server 2008 R2 and 2012 also the Schannel keys of the TLS 1.2 client and DefaultSecureProtocols of WinHTTP.",
		sources: []string{srcDotNet, srcRegistry},
	},
	{
		id: "client-no-tls13", severity: crossprem.Critical, meeting: true,
		title:   "The server accepts TLS 1.3 alone and the client does not have it",
		absent:  "TLS 1.3 is not what the client is missing",
		check:   "Probe the server: does it accept TLS 1.3 alone? Which Windows is the client? TLS 1.3 needs Windows 11 or Windows Server 2022; enabling TLS 1.2 does not help here.",
		fix:     "Let the server accept TLS 1.2 as well, or move the client to Windows 11 or Windows Server 2022 or newer. Do not name TLS versions in code, and remove hand-written keys for TLS 1.3 where Windows does not support it.",
		sources: []string{srcProtocols},
	},
	{
		id: "server-old", severity: crossprem.Critical, meeting: true,
		title:   "The server accepts only TLS versions that the client no longer offers",
		absent:  "The server accepts TLS 1.2 or newer",
		check:   "Probe the server by version: does it stop at TLS 1.0 or 1.1?",
		fix:     "Update the server, or enable TLS 1.2 there. Lowering the client's minimum is a stopgap for this one connection.",
		sources: []string{srcLegacy, srcProtocols},
	},
	{
		id: "no-common-suite", severity: crossprem.Critical, meeting: true,
		title:   "Client and server have no cipher suite, group or signature algorithm in common",
		absent:  "Client and server have a cipher suite in common",
		check:   "Compare the suites that the server accepts with those of the client. Windows Server 2012 R2, Windows 8.1 and older have no ECDHE_RSA suite with GCM. Look for Schannel event 36874, or 36887 with alert 40, at the same second.",
		fix:     "Let the server accept a suite that the client has, remove a policy on SSL cipher suite order that hides it, or move the client to a newer Windows.",
		sources: []string{srcSuites, srcEvents},
	},
	{
		id: "inspection", severity: crossprem.Warning,
		title:   "A proxy, firewall or TLS inspection on the path closes or rewrites the connection",
		absent:  "No device on the path rewrites the connection",
		check:   "Probe the same name from another network. Look at the issuer of the certificate: a host of Microsoft has a public one. If hellos of every version are reset, a device on the path does it.",
		fix:     "Exempt the host from TLS inspection, or allow it on the firewall.",
		sources: []string{srcM365},
	},
	{
		id: "proxy-needed", severity: crossprem.Warning,
		title:   "The program needs a proxy that it does not use, or the proxy refuses it",
		absent:  "The server is reached without another proxy",
		check:   "Which proxy does this very program use? .NET reads machine.config or the user's settings, WinHTTP has its own (netsh winhttp show proxy), and each answers for itself. 407 asks for a sign-in, 403 means that the proxy does not allow the URL.",
		fix:     "Give the program its proxy: <defaultProxy> in machine.config for services of .NET, [Net.WebRequest]::DefaultWebProxy for a session, netsh winhttp set proxy for WinHTTP; allow the URL on the proxy.",
		sources: []string{srcConnect},
	},
	{
		id: "endpoint-moved", severity: crossprem.Warning,
		title:   "The host name is retired, has moved or is blocked",
		absent:  "The host name is in use and is reached",
		check:   "Is the name still in use? The azureedge.net hosts of the PowerShell Gallery are retired: cdn.oneget.org and cdn.powershellgallery.com took their place. Does DNS know the name, and do firewall lists hold the names of today?",
		fix:     "Use and allow the names of today (for the PowerShell Gallery: www.powershellgallery.com, cdn.powershellgallery.com, cdn.oneget.org, go.microsoft.com).",
		sources: []string{srcGallery},
	},
	{
		id: "sni", severity: crossprem.Warning,
		title:   "The server name was missing or is not known to the server",
		absent:  "The server knows the name",
		check:   "Was the connection made by IP address, by an alias, or without a server name? Probe the same address with the real name.",
		fix:     "Connect by the name that the server's certificate and binding are for.",
		sources: []string{srcName},
	},
	{
		id: "client-cert", severity: crossprem.Warning,
		title:   "The server demands a client certificate that it does not get or does not accept",
		absent:  "The server does not ask for a client certificate during the handshake",
		check:   "Does the server ask for a client certificate? Is the one that the program uses valid, and is its private key there and readable for the program's account?",
		fix:     "Give the program a client certificate that the server accepts, with its private key; TLS inspection has to leave such a host alone.",
		sources: []string{"RFC 8446 §4.3.2", srcCodes},
	},
	{
		id: "not-tls", severity: crossprem.Warning,
		title:   "The port speaks something other than TLS",
		absent:  "The port speaks TLS",
		check:   "Look at the first bytes of the answer: HTTP/ is plain HTTP or the error page of a proxy; 220, * OK and +OK are mail servers, which need STARTTLS. A message about a wrong version number means this, and not a TLS version.",
		fix:     "Use the right port, or https in place of http, or let the program speak to the proxy with CONNECT.",
		sources: []string{"RFC 8446 §5.1"},
	},
	{
		id: "starttls", severity: crossprem.Warning,
		title:   "The port needs STARTTLS before TLS, or does not offer it",
		absent:  "STARTTLS is not what is missing",
		check:   "Does the server list STARTTLS after EHLO, for this client's address? SMTP on 25 and 587, IMAP on 143, POP3 on 110 and LDAP on 389 begin without TLS.",
		fix:     "Let the program use STARTTLS on these ports, or enable it on the server's connector.",
		sources: []string{"RFC 3207", "RFC 8314"},
	},
	{
		id: "cert-trust", severity: crossprem.Critical,
		title:   "The client does not trust the server's certificate chain",
		absent:  "The server's certificate chain is trusted",
		check:   "Which chain does the server send, is an intermediate certificate missing, and who issued it? A company's own issuer on a host of Microsoft is TLS inspection.",
		fix:     "Let the server send its intermediate certificates; install the missing root on the client, or exempt the host from inspection. Do not switch the check off.",
		sources: []string{srcPath},
	},
	{
		id: "cert-name", severity: crossprem.Critical,
		title:   "The server's certificate is for another name",
		absent:  "The server's certificate names the host",
		check:   "Which names are in the certificate, and by which name did the program connect?",
		fix:     "Connect by a name that the certificate has, or give the server a certificate with the name.",
		sources: []string{srcIdentity},
	},
	{
		id: "cert-time", severity: crossprem.Critical,
		title:   "The server's certificate has expired or is not yet valid, or the clock is wrong",
		absent:  "The server's certificate is valid at this time",
		check:   "Compare the dates of the certificate, and of its issuers, with the clock of the client.",
		fix:     "Renew the certificate, or set the clock.",
		sources: []string{"RFC 5280 §4.1.2.5"},
	},
	{
		id: "revocation", severity: crossprem.Warning,
		title:   "The revocation of a certificate cannot be checked, or it is revoked",
		absent:  "Revocation is not what stops the connection",
		check:   "Can the client reach the CRL and OCSP hosts of the certificate (port 80), with the proxy that the system account uses? Was the certificate revoked?",
		fix:     "Open the CRL and OCSP hosts; exempt the host from an inspection whose certificates name no revocation list; replace a revoked certificate.",
		sources: []string{"RFC 5280 §6.3", srcCodes},
	},
	{
		id: "weak-sig", severity: crossprem.Warning,
		title:   "A certificate or handshake signature is too weak for the client",
		absent:  "The signatures are strong enough",
		check:   "Which key and signature algorithm do the certificates have (SHA-1, MD5, RSA below 2048 bits, small Diffie-Hellman groups)?",
		fix:     "Replace the certificate or the group with one of today's strength.",
		sources: []string{"RFC 9155", "RFC 9325 §4"},
	},
	{
		id: "schannel-locked", severity: crossprem.Critical, meeting: true,
		title:   "Schannel has no version, suite or key left for this program on this machine",
		absent:  "Schannel has a version left for this program",
		check:   "Look in the System log for Schannel event 36871 (state 10013) at the same second: it names the process. Compare the versions that the program names with those that Schannel has enabled.",
		fix:     "Let the program follow the system (SystemDefaultTlsVersions=1 and SchUseStrongCrypto=1 in both bitnesses, no versions named in code), or enable a version that it names.",
		sources: []string{srcEvents, srcRegistry},
	},
	{
		id: "dhe-zero", severity: crossprem.Warning,
		title:   "Diffie-Hellman keys with leading zeros break some handshakes",
		absent:  "Diffie-Hellman keys are not what breaks the handshake",
		check:   "Does it fail now and then only, with a TLS_DHE suite, between a patched and an unpatched Windows?",
		fix:     "Install the updates of February 2020 or later (KB4537806, KB4540670 and their kin) on both sides, or remove the TLS_DHE suites.",
		sources: []string{"Microsoft Learn, Applications experience forcibly closed TLS connection errors"},
	},
	{
		id: "rate-limit", severity: crossprem.Warning,
		title:   "The server or a device on the path drops some of the connections",
		absent:  "Connections are not dropped by their number",
		check:   "Does it fail some of the time only, and again after a pause? Does a long-lived connection end after the same idle time?",
		fix:     "Repeat after a pause, make fewer connections at once, raise the limit or idle time of the device.",
		sources: []string{srcM365},
	},
	{
		id: "down", severity: crossprem.Warning,
		title:   "Nothing listens, the server is not reached, or the service itself is out of order",
		absent:  "The service is reached",
		check:   "Does the port answer from this network, and from another one? Is an outage reported by the service?",
		fix:     "Start the service, open route and firewall, or wait until the service is back: no TLS setting helps.",
		sources: []string{srcConnect, srcGallery},
	},
	{
		id: "silent", severity: crossprem.Warning,
		title:   "The server accepts the connection and never answers",
		absent:  "The server answers",
		check:   "Does a small hello get an answer where a large one does not? Then a device drops long hellos or large packets (MTU). Is it a port that waits for another protocol?",
		fix:     "Update the device, correct the MTU, or use the right port.",
		sources: []string{"RFC 7685 §3", "RFC 8446 §4.1.2"},
	},
	{
		id: "module-retired", severity: crossprem.Warning,
		title:   "The module or interface that is asked for is retired",
		absent:  "What is asked for is not retired",
		check:   "Is the goal MSOnline or AzureAD? MSOnline stopped working in April and May 2025, AzureAD followed from July 2025. An installation that succeeds does not sign in.",
		fix:     "Use Microsoft Graph PowerShell (Install-Module Microsoft.Graph) or Microsoft Entra PowerShell (Install-Module Microsoft.Entra). Entra Connect 2.4.18.0 and newer does not need MSOnline.",
		sources: []string{srcMSOnline},
	},
	{
		id: "repo-config", severity: crossprem.Warning,
		title:   "The PowerShell repository or its provider is not set up",
		absent:  "The PowerShell repository is set up",
		check:   "Does Get-PSRepository list PSGallery? Is the name of the module right? Was the question about the NuGet provider answered with No?",
		fix:     "Register-PSRepository -Default; Install-PackageProvider NuGet -MinimumVersion 2.8.5.206 -Force.",
		sources: []string{srcGallery},
	},
	{
		id: "not-tls-cause", severity: crossprem.Info,
		title:   "TLS is not the problem: the module, the service, the account or the machine is",
		absent:  "The problem lies in TLS or on the way to the server",
		check:   "The handshake worked, or none took place: read the code or status beside the text, and try another version of the module or another way to sign in.",
		fix:     "Follow the service's own message; no TLS setting helps.",
		sources: []string{srcConnect},
	},
}

func causeByID(id string) (cause, bool) {
	for _, c := range causeTable {
		if c.id == id {
			return c, true
		}
	}
	return cause{}, false
}
