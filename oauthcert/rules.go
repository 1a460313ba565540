package oauthcert

import (
	"time"

	"github.com/crossprem/crossprem"
)

// The limits that the rules judge by.
const (
	minBits = 2048 // of an RSA key; Exchange signs with no smaller one

	// A current certificate with so little time left needs a successor, and a
	// next one with so little does not count as one.
	// Source: CSS-Exchange, MonitorExchangeAuthCertificate.ps1.
	currentWindow = 60 * 24 * time.Hour
	nextWindow    = 120 * 24 * time.Hour

	// The Exchange service host looks every twelve hours whether the next
	// certificate has become effective.
	switchDelay = 24 * time.Hour
)

const (
	learnRotate   = "Microsoft Learn: Maintain (rotate) the Exchange Server OAuth certificate"
	learnOAuth    = "Microsoft Learn: Configure OAuth authentication between Exchange and Exchange Online organizations"
	learnApp      = "Microsoft Learn: Deploy dedicated Exchange hybrid app"
	learnHMA      = "Microsoft Learn: Configure Exchange Server on-premises to use Hybrid Modern Authentication"
	cssMonitor    = "CSS-Exchange: MonitorExchangeAuthCertificate"
	cssApp        = "CSS-Exchange: ConfigureExchangeHybridApplication"
	graphKey      = "Microsoft Graph: keyCredential resource type"
	graphPolicies = "Microsoft Graph: keyCredentialConfiguration resource type (asymmetricKeyLifetime)"
	cve           = "CVE-2025-53786"
)

const (
	remedyNew = "Make a new one with New-ExchangeCertificate, then Set-AuthConfig -NewCertificateThumbprint … -NewCertificateEffectiveDate …, " +
		"Set-AuthConfig -PublishCertificate, restart MSExchangeServiceHost, recycle MSExchangeOWAAppPool and MSExchangeECPAppPool, and upload it to Entra ID"
	remedyImport = "Import the certificate with its key on this server from one that has it"
)

var rules crossprem.Rules

var (
	certEncoding = rules.Declare(crossprem.Rule{ID: "auth-cert-encoding", Severity: crossprem.Warning,
		Title: "The certificate is not encoded as the standard wants", PassedTitle: "The certificate is encoded as the standard wants",
		Remedy: remedyNew, Sources: []string{"RFC 5280 §4.1"}})
	certExpired = rules.Declare(crossprem.Rule{ID: "auth-cert-expired", Severity: crossprem.Critical,
		Title: "The auth certificate has expired", PassedTitle: "The auth certificate has not expired",
		Remedy: remedyNew, Sources: []string{learnRotate}})
	certExpiring = rules.Declare(crossprem.Rule{ID: "auth-cert-expiring", Severity: crossprem.Critical,
		Title: "The auth certificate expires soon", PassedTitle: "The auth certificate does not expire soon",
		Remedy: remedyNew, Sources: []string{learnRotate, cssMonitor}})
	certKeyProvider = rules.Declare(crossprem.Rule{ID: "auth-cert-key-provider", Severity: crossprem.Warning,
		Title: "The private key is in a CNG provider, which Exchange cannot use", PassedTitle: "The private key is in a provider that Exchange can use",
		UnknownTitle: "It is not known in which provider the private key is",
		Remedy:       remedyNew, Sources: []string{cssMonitor}})
	certKeySize = rules.Declare(crossprem.Rule{ID: "auth-cert-key-size", Severity: crossprem.Critical,
		Title: "The RSA key is too short", PassedTitle: "The RSA key is long enough",
		UnknownTitle: "It is not known whether the key is long enough",
		Remedy:       remedyNew, Sources: []string{learnRotate}})
	certKeyType = rules.Declare(crossprem.Rule{ID: "auth-cert-key-type", Severity: crossprem.Critical,
		Title: "The certificate has no RSA key", PassedTitle: "The certificate has an RSA key",
		Remedy: remedyNew, Sources: []string{learnRotate}})
	certLifetime = rules.Declare(crossprem.Rule{ID: "auth-cert-lifetime", Severity: crossprem.Warning,
		Title: "The certificate is valid for longer than the tenant's policy allows", PassedTitle: "The certificate is valid for no longer than the tenant's policy allows",
		Remedy: "Make it with MonitorExchangeAuthCertificate.ps1 -CustomCertificateLifetimeInDays, or exempt the application from the policy", Sources: []string{graphPolicies}})
	certNotYetValid = rules.Declare(crossprem.Rule{ID: "auth-cert-not-yet-valid", Severity: crossprem.Critical,
		Title: "The certificate is not valid yet when it is used", PassedTitle: "The certificate is valid from the day on which it is used",
		UnknownTitle: "It is not known whether the certificate is valid by the day on which it is used",
		Remedy:       "Check the clock of the machine that made it, or wait", Sources: []string{learnRotate}})
	certSelfSigned = rules.Declare(crossprem.Rule{ID: "auth-cert-self-signed", Severity: crossprem.Info,
		Title: "The certificate is not self-signed, as Exchange's own are", PassedTitle: "The certificate is self-signed, as Exchange's own are",
		Sources: []string{learnRotate}})
	certServer = rules.Declare(crossprem.Rule{ID: "auth-cert-server", Severity: crossprem.Critical,
		Title: "A server lacks the auth certificate", PassedTitle: "The server has the auth certificate",
		Remedy: remedyImport, Sources: []string{learnRotate, cssMonitor}})
	certServerKey = rules.Declare(crossprem.Rule{ID: "auth-cert-server-key", Severity: crossprem.Critical,
		Title: "A server lacks the private key of the auth certificate", PassedTitle: "The private key of the auth certificate is there",
		Remedy: remedyImport, Sources: []string{learnRotate, cssMonitor}})
	certSignature = rules.Declare(crossprem.Rule{ID: "auth-cert-signature", Severity: crossprem.Info,
		Title: "The certificate is signed with an old hash", PassedTitle: "The certificate is signed with a current hash",
		Sources: []string{"RFC 9155"}})
	certSubject = rules.Declare(crossprem.Rule{ID: "auth-cert-subject", Severity: crossprem.Warning,
		Title: "The subject is missing, or not that of an Exchange auth certificate", PassedTitle: "The subject is that of an Exchange auth certificate",
		UnknownTitle: "It is not known whether the subject is that of an Exchange auth certificate",
		Remedy:       "Check that this is the certificate that Get-AuthConfig names (CurrentCertificateThumbprint); the default is " + Subject, Sources: []string{learnRotate}})

	configCurrent = rules.Declare(crossprem.Rule{ID: "auth-config-current", Severity: crossprem.Critical,
		Title: "The auth configuration names no current certificate", PassedTitle: "The auth configuration names a current certificate that is at hand",
		UnknownTitle: "It is not known which certificate is the current one, or what it is like",
		Remedy:       remedyNew, Sources: []string{learnRotate}})
	configNextDate = rules.Declare(crossprem.Rule{ID: "auth-config-next-date", Severity: crossprem.Critical,
		Title: "The next certificate does not take effect in time", PassedTitle: "The next certificate takes effect in time",
		Sources: []string{learnRotate}})
	configNextDiffers = rules.Declare(crossprem.Rule{ID: "auth-config-next-differs", Severity: crossprem.Info,
		Title: "The next certificate is the current one", PassedTitle: "The next certificate is another one than the current",
		Sources: []string{learnRotate}})
	configRollover = rules.Declare(crossprem.Rule{ID: "auth-config-rollover", Severity: crossprem.Critical,
		Title: "A successor of the auth certificate is due", PassedTitle: "No successor of the auth certificate is due",
		Remedy: remedyNew, Sources: []string{cssMonitor}})

	keyCurrent = rules.Declare(crossprem.Rule{ID: "entra-key-current", Severity: crossprem.Critical,
		Title: "Entra ID does not hold the current auth certificate", PassedTitle: "Entra ID holds the current auth certificate",
		UnknownTitle: "It is not known whether Entra ID holds the current auth certificate",
		Remedy:       "Upload the certificate to this application", Sources: []string{learnApp, cssApp}})
	keyDates = rules.Declare(crossprem.Rule{ID: "entra-key-dates", Severity: crossprem.Warning,
		Title: "A key outlives its certificate", PassedTitle: "The key does not outlive its certificate",
		Sources: []string{graphKey}})
	keyDuplicate = rules.Declare(crossprem.Rule{ID: "entra-key-duplicate", Severity: crossprem.Info,
		Title: "A certificate is there more than once", PassedTitle: "The certificate is there once",
		Remedy: "Drop all but one of them by keyId with the next change", Sources: []string{graphKey}})
	keyExpired = rules.Declare(crossprem.Rule{ID: "entra-key-expired", Severity: crossprem.Info,
		Title: "An expired key is left over", PassedTitle: "The key has not expired",
		Remedy: "Drop it with the next change", Sources: []string{cssApp}})
	keyForeign = rules.Declare(crossprem.Rule{ID: "entra-key-foreign", Severity: crossprem.Warning,
		Title: "A key is not an Exchange auth certificate", PassedTitle: "The key is an Exchange auth certificate",
		Remedy: "Find out who added it; whoever holds its private key acts as this application", Sources: []string{cssApp}})
	keyIdentifier = rules.Declare(crossprem.Rule{ID: "entra-key-identifier", Severity: crossprem.Info,
		Title: "A key is labelled with something other than its thumbprint", PassedTitle: "The key is labelled with its thumbprint",
		Sources: []string{graphKey}})
	keyNext = rules.Declare(crossprem.Rule{ID: "entra-key-next", Severity: crossprem.Critical,
		Title: "Entra ID does not hold the next auth certificate", PassedTitle: "Entra ID holds the next auth certificate",
		UnknownTitle: "It is not known whether Entra ID holds the next auth certificate",
		Remedy:       "Upload the certificate to this application, beside the current one", Sources: []string{learnApp, cssApp}})
	keyShared = rules.Declare(crossprem.Rule{ID: "entra-key-shared", Severity: crossprem.Critical,
		Title: "The shared Exchange Online principal holds keys", PassedTitle: "The shared Exchange Online principal holds no keys",
		Remedy: "Upload the auth certificate to the dedicated hybrid application, see that it works, then remove every key from the shared principal; " +
			"at once if hybrid is no longer used", Sources: []string{cve, learnApp}})
	keyUsage = rules.Declare(crossprem.Rule{ID: "entra-key-usage", Severity: crossprem.Warning,
		Title: "A key is not for authentication", PassedTitle: "The key is for authentication",
		Sources: []string{graphKey}})

	nameForm = rules.Declare(crossprem.Rule{ID: "entra-name-form", Severity: crossprem.Warning,
		Title: "A name has a form that matches no token", PassedTitle: "The name has a form that matches a token",
		Remedy: "Register https and the host alone, then remove this one", Sources: []string{learnOAuth, learnHMA}})
	nameMissing = rules.Declare(crossprem.Rule{ID: "entra-name-missing", Severity: crossprem.Warning,
		Title: "A published host is not registered", PassedTitle: "The published host is registered",
		Sources: []string{learnOAuth, learnHMA}})
	nameStale = rules.Declare(crossprem.Rule{ID: "entra-name-stale", Severity: crossprem.Info,
		Title: "A host of a past configuration is registered", PassedTitle: "The registered host is of the present configuration",
		Remedy: "Remove it if the host is no longer yours: who holds the name receives tokens for it", Sources: []string{learnOAuth}})
)

// Rules returns the rules that findings of this package name, sorted by ID.
// The slice is the caller's.
func Rules() []crossprem.Rule { return rules.All() }

// either returns the finding that r passed if ok, and else that it failed.
func either(r crossprem.Rule, ok bool, subject string) crossprem.Finding {
	if ok {
		return r.Passed(subject)
	}
	return r.Failed(subject)
}
