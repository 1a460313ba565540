package oauthcert

import (
	"slices"
	"strings"
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

// rules is sorted by ID; a test says so.
var rules = []crossprem.Rule{
	{ID: "auth-cert-expired", Severity: crossprem.Critical, Title: "The auth certificate has expired", Sources: []string{learnRotate}},
	{ID: "auth-cert-expiring", Severity: crossprem.Warning, Title: "The auth certificate expires within 60 days", Sources: []string{learnRotate, cssMonitor}},
	{ID: "auth-cert-key-provider", Severity: crossprem.Warning, Title: "The private key is in a CNG provider, which Exchange cannot use", Sources: []string{cssMonitor}},
	{ID: "auth-cert-key-size", Severity: crossprem.Critical, Title: "The RSA key has less than 2048 bits", Sources: []string{learnRotate}},
	{ID: "auth-cert-key-type", Severity: crossprem.Critical, Title: "The certificate has no RSA key", Sources: []string{learnRotate}},
	{ID: "auth-cert-lifetime", Severity: crossprem.Warning, Title: "The certificate lives longer than the tenant's policy allows", Sources: []string{graphPolicies}},
	{ID: "auth-cert-not-yet-valid", Severity: crossprem.Critical, Title: "The certificate is not valid yet", Sources: []string{learnRotate}},
	{ID: "auth-cert-self-signed", Severity: crossprem.Info, Title: "The certificate is not self-signed, as Exchange's own are", Sources: []string{learnRotate}},
	{ID: "auth-cert-server", Severity: crossprem.Critical, Title: "A server lacks the auth certificate", Sources: []string{learnRotate, cssMonitor}},
	{ID: "auth-cert-server-key", Severity: crossprem.Critical, Title: "A server lacks the private key of the auth certificate", Sources: []string{learnRotate, cssMonitor}},
	{ID: "auth-cert-signature", Severity: crossprem.Info, Title: "The certificate is signed with an old hash", Sources: []string{"RFC 9155"}},
	{ID: "auth-cert-subject", Severity: crossprem.Warning, Title: "The subject is missing, or not that of an Exchange auth certificate", Sources: []string{learnRotate}},
	{ID: "auth-config-current", Severity: crossprem.Critical, Title: "The auth configuration names no current certificate, or one that was not found", Sources: []string{learnRotate}},
	{ID: "auth-config-next-date", Severity: crossprem.Warning, Title: "The next certificate takes effect too late, or should have already", Sources: []string{learnRotate}},
	{ID: "auth-config-next-differs", Severity: crossprem.Info, Title: "The next certificate is the current one", Sources: []string{learnRotate}},
	{ID: "auth-config-rollover", Severity: crossprem.Critical, Title: "A successor of the auth certificate is due", Sources: []string{cssMonitor}},
	{ID: "entra-key-current", Severity: crossprem.Critical, Title: "Entra ID does not hold the current auth certificate", Sources: []string{learnApp, cssApp}},
	{ID: "entra-key-dates", Severity: crossprem.Warning, Title: "A key outlives its certificate", Sources: []string{graphKey}},
	{ID: "entra-key-duplicate", Severity: crossprem.Info, Title: "A certificate is there more than once", Sources: []string{graphKey}},
	{ID: "entra-key-expired", Severity: crossprem.Info, Title: "An expired key is left over", Sources: []string{cssApp}},
	{ID: "entra-key-foreign", Severity: crossprem.Warning, Title: "A key is not an Exchange auth certificate", Sources: []string{cssApp}},
	{ID: "entra-key-identifier", Severity: crossprem.Info, Title: "A key is labelled with something other than its thumbprint", Sources: []string{graphKey}},
	{ID: "entra-key-next", Severity: crossprem.Warning, Title: "Entra ID does not hold the next auth certificate", Sources: []string{learnApp, cssApp}},
	{ID: "entra-key-shared", Severity: crossprem.Critical, Title: "The shared Exchange Online principal holds keys", Sources: []string{cve, learnApp}},
	{ID: "entra-key-usage", Severity: crossprem.Warning, Title: "A key is not for authentication", Sources: []string{graphKey}},
	{ID: "entra-name-form", Severity: crossprem.Warning, Title: "A name has a form that matches no token", Sources: []string{learnOAuth, learnHMA}},
	{ID: "entra-name-missing", Severity: crossprem.Warning, Title: "A published host is not registered", Sources: []string{learnOAuth, learnHMA}},
	{ID: "entra-name-stale", Severity: crossprem.Info, Title: "A host of a past configuration is registered", Sources: []string{learnOAuth}},
}

// passedTitles say what it means that a rule has passed.
var passedTitles = map[string]string{
	"auth-cert-expired":        "The auth certificate has not expired",
	"auth-cert-expiring":       "The auth certificate is good for more than 60 days",
	"auth-cert-key-provider":   "The private key is in a provider that Exchange can use",
	"auth-cert-key-size":       "The RSA key has 2048 bits or more",
	"auth-cert-key-type":       "The certificate has an RSA key",
	"auth-cert-lifetime":       "The certificate lives no longer than the tenant's policy allows",
	"auth-cert-not-yet-valid":  "The certificate has become valid",
	"auth-cert-self-signed":    "The certificate is self-signed, as Exchange's own are",
	"auth-cert-server":         "The server has the auth certificate",
	"auth-cert-server-key":     "The private key of the auth certificate is there",
	"auth-cert-signature":      "The certificate is signed with a current hash",
	"auth-cert-subject":        "The subject is that of an Exchange auth certificate",
	"auth-config-current":      "The auth configuration names a current certificate",
	"auth-config-next-date":    "The next certificate takes effect in time",
	"auth-config-next-differs": "The next certificate is another one than the current",
	"auth-config-rollover":     "No successor of the auth certificate is due",
	"entra-key-current":        "Entra ID holds the current auth certificate",
	"entra-key-dates":          "No key outlives its certificate",
	"entra-key-duplicate":      "Every certificate is there once",
	"entra-key-expired":        "No expired key is left over",
	"entra-key-foreign":        "Every key is an Exchange auth certificate",
	"entra-key-identifier":     "Every key is labelled with its thumbprint",
	"entra-key-next":           "Entra ID holds the next auth certificate",
	"entra-key-shared":         "The shared Exchange Online principal holds no keys",
	"entra-key-usage":          "Every key is for authentication",
	"entra-name-form":          "Every name has a form that matches a token",
	"entra-name-missing":       "A published host is registered",
	"entra-name-stale":         "No host of a past configuration is registered",
}

// Rules returns the rules that findings of this package name, sorted by ID.
// The slice is the caller's.
func Rules() []crossprem.Rule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].Sources = slices.Clone(out[i].Sources)
	}
	return out
}

// judge makes a finding of a rule with its severity, and with the title that
// says how it came out.
// Whoever judges more mildly, or has better words, changes the copy.
func judge(id string, status crossprem.Status, subject, detail string) crossprem.Finding {
	i, ok := slices.BinarySearchFunc(rules, id, func(r crossprem.Rule, id string) int { return strings.Compare(r.ID, id) })
	if !ok {
		panic("oauthcert: no rule " + id)
	}
	r := rules[i]
	title := r.Title
	switch status {
	case crossprem.Passed:
		title = passedTitles[id]
	case crossprem.Unknown:
		title = "Not known: " + title
	}
	return crossprem.Finding{
		Rule: id, Status: status, Severity: r.Severity, Subject: subject,
		Title: title, Detail: detail, Sources: slices.Clone(r.Sources),
	}
}

// passedIf is Passed if ok, and else Failed.
func passedIf(ok bool) crossprem.Status {
	if ok {
		return crossprem.Passed
	}
	return crossprem.Failed
}
