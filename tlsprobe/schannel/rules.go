package schannel

import "github.com/crossprem/crossprem"

var rules crossprem.Rules

var (
	ruleNoTLS12 = rules.Declare(crossprem.Rule{
		ID: "client-tls-1.2-not-offered", Severity: crossprem.Critical,
		Title:       "The program does not offer TLS 1.2 or newer",
		PassedTitle: "The program offers TLS 1.2 or newer",
		Remedy:      "Write SystemDefaultTlsVersions and SchUseStrongCrypto for .NET Framework in both bitnesses, and switch TLS 1.2 on below Protocols; Mend has the text.",
		Sources:     []string{srcDotNet, srcEntraEnv},
	})
	ruleTLS12Off = rules.Declare(crossprem.Rule{
		ID: "client-tls-1.2-off", Severity: crossprem.Critical,
		Title:       "TLS 1.2 is switched off in Schannel",
		PassedTitle: "TLS 1.2 is switched on in Schannel",
		Remedy:      "Set Enabled to 1 and DisabledByDefault to 0 below Protocols\\TLS 1.2 for this role, and restart Windows.",
		Sources:     []string{srcRegistry, srcExchange},
	})
	ruleOldVersions = rules.Declare(crossprem.Rule{
		ID: "client-old-versions-on", Severity: crossprem.Warning,
		Title:       "Versions before TLS 1.2 are switched on in Schannel",
		PassedTitle: "No version before TLS 1.2 is switched on in Schannel",
		Remedy:      "Switch them off for both roles once nothing depends on them.",
		Sources:     []string{"RFC 8996 §4, §5 (TLS 1.0 and 1.1 must not be used)", srcLegacyOff},
	})
	ruleExperiment = rules.Declare(crossprem.Rule{
		ID: "client-tls-1.3-experimental", Severity: crossprem.Warning,
		Title:       "TLS 1.3 is switched on in a Windows that does not support it",
		PassedTitle: "TLS 1.3 is not switched on where Windows does not support it",
		Remedy:      "Remove the key Protocols\\TLS 1.3.",
		Sources:     []string{srcProtocols, src47457},
	})
	ruleHalf = rules.Declare(crossprem.Rule{
		ID: "client-protocol-half-set", Severity: crossprem.Warning,
		Title:       "A version of TLS has only one of its two values, or values that contradict each other",
		PassedTitle: "Every version of TLS that is set has both values, and they agree",
		Remedy:      "Write Enabled and DisabledByDefault, one as the opposite of the other.",
		Sources:     []string{srcRegistry, srcHealth},
	})
	ruleRoles = rules.Declare(crossprem.Rule{
		ID: "client-roles-differ", Severity: crossprem.Warning,
		Title:       "A version of TLS is set differently for the client and the server role",
		PassedTitle: "Every version of TLS is set alike for the client and the server role",
		Remedy:      "Write the same values below Client and Server.",
		Sources:     []string{srcHealth},
	})
	ruleNoEffect = rules.Declare(crossprem.Rule{
		ID: "client-setting-without-effect", Severity: crossprem.Warning,
		Title:       "A setting about TLS has no effect",
		PassedTitle: "Every setting about TLS is one that Windows heeds",
		Remedy:      "Write the key with a blank between the name and the version (TLS 1.2), below Client or Server, and the value as REG_DWORD.",
		Sources:     []string{srcRegistry},
	})
	ruleBitness = rules.Declare(crossprem.Rule{
		ID: "client-bitness-differs", Severity: crossprem.Warning,
		Title:       "32-bit and 64-bit programs have different settings for TLS",
		PassedTitle: "32-bit and 64-bit programs have the same settings for TLS",
		Remedy:      "Write the values below SOFTWARE and below SOFTWARE\\WOW6432Node.",
		Sources:     []string{srcDotNet, srcEntra},
	})
	ruleNoSuites = rules.Declare(crossprem.Rule{
		ID: "client-suites-hidden", Severity: crossprem.Critical,
		Title:       "A setting leaves a version of TLS without a cipher suite",
		PassedTitle: "Every version of TLS that is on has a cipher suite",
		Remedy:      "Remove the policy SSL Configuration Settings, or add the suites of this Windows to it.",
		Sources:     []string{srcSuites},
	})
	ruleNoGCM = rules.Declare(crossprem.Rule{
		ID: "client-no-modern-suite", Severity: crossprem.Warning,
		Title:       "The client has no ECDHE suite with AES-GCM for servers with an RSA certificate",
		PassedTitle: "The client has an ECDHE suite with AES-GCM for servers with an RSA certificate",
		Remedy:      "Where a setting hides it, change the setting. Windows 8.1, Windows Server 2012 R2 and older do not have one: move to a newer Windows, or let the server accept ECDHE with CBC or DHE with GCM.",
		Sources:     []string{srcSuites, "RFC 9325 §4.2"},
	})
	ruleMeets = rules.Declare(crossprem.Rule{
		ID: "client-server-do-not-meet", Severity: crossprem.Critical,
		Title:       "The program and the server have no version, suite or curve in common",
		PassedTitle: "The program and the server have a version, a suite and a curve in common",
		Sources:     []string{"RFC 8446 §4.1.1", srcEntraEnv},
	})
	ruleExchange13 = rules.Declare(crossprem.Rule{
		ID: "exchange-tls-1.3-unsupported", Severity: crossprem.Warning,
		Title:       "TLS 1.3 is on although this Exchange Server does not support it",
		PassedTitle: "TLS 1.3 is not on where this Exchange Server does not support it",
		Remedy:      "Switch TLS 1.3 off for both roles, or update to Exchange Server 2019 CU15 or Exchange Server SE.",
		Sources:     []string{srcExchange, srcHealth},
	})
)

// Rules returns the rules that [Assess] and [AssessNegotiation] name, sorted by
// ID. The slice is the caller's.
func Rules() []crossprem.Rule { return rules.All() }
