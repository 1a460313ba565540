// Package exchange knows the configuration objects of Exchange: which cmdlet
// prints which kind, how one is recognized without its cmdlet, and how
// thumbprints, host names and builds are written.
package exchange

import (
	"path"
	"regexp"
	"strings"
)

// A Kind is a kind of object, named after the noun of the cmdlet that prints
// it. Objects of Microsoft Graph are called Application, ServicePrincipal and
// AppRoleAssignment.
type Kind string

const (
	AuthConfig                   Kind = "AuthConfig"
	AuthServer                   Kind = "AuthServer"
	PartnerApplication           Kind = "PartnerApplication"
	Certificate                  Kind = "ExchangeCertificate"
	Connector                    Kind = "IntraOrganizationConnector"
	IntraOrganizationConfig      Kind = "IntraOrganizationConfiguration"
	OrganizationRelationship     Kind = "OrganizationRelationship"
	AvailabilityAddressSpace     Kind = "AvailabilityAddressSpace"
	OrganizationConfig           Kind = "OrganizationConfig"
	WebServicesVirtualDirectory  Kind = "WebServicesVirtualDirectory"
	AutodiscoverVirtualDirectory Kind = "AutodiscoverVirtualDirectory"
	MapiVirtualDirectory         Kind = "MapiVirtualDirectory"
	OabVirtualDirectory          Kind = "OabVirtualDirectory"
	ActiveSyncVirtualDirectory   Kind = "ActiveSyncVirtualDirectory"
	OutlookAnywhere              Kind = "OutlookAnywhere"
	ExchangeServer               Kind = "ExchangeServer"
	SettingOverride              Kind = "SettingOverride"
	User                         Kind = "User"
	ManagementRoleAssignment     Kind = "ManagementRoleAssignment"
	AcceptedDomain               Kind = "AcceptedDomain"
	Application                  Kind = "Application"
	ServicePrincipal             Kind = "ServicePrincipal"
	AppRoleAssignment            Kind = "AppRoleAssignment"
	ConnectivityTest             Kind = "Test-OAuthConnectivity"
	ExportedFile                 Kind = "ExportedFile" // a certificate that was exported, of no cmdlet
)

// A Side is where an object lives.
type Side string

const (
	OnPremises     Side = "onprem"
	ExchangeOnline Side = "exo"
	Entra          Side = "entra"
)

// InEntra reports whether objects of this kind live in Entra ID.
func (k Kind) InEntra() bool {
	return k == Application || k == ServicePrincipal || k == AppRoleAssignment
}

// A signature tells an object of a kind by properties of which all are there.
// The order decides: the first that fits is taken.
type signature struct {
	kind       Kind
	properties []string
}

var signatures = []signature{
	{AuthConfig, []string{"CurrentCertificateThumbprint"}},
	{ConnectivityTest, []string{"Task", "ResultType"}},
	{ConnectivityTest, []string{"Detail", "ResultType"}},
	{PartnerApplication, []string{"ApplicationIdentifier", "UseAuthServer"}},
	{PartnerApplication, []string{"ApplicationIdentifier", "LinkedAccount"}},
	{PartnerApplication, []string{"ApplicationIdentifier", "AcceptSecurityIdentifierInformation"}},
	{PartnerApplication, []string{"ApplicationIdentifier", "AccountType"}},
	{AuthServer, []string{"IssuerIdentifier", "TokenIssuingEndpoint"}},
	{AuthServer, []string{"IssuerIdentifier", "AuthMetadataUrl", "Type"}},
	{AuthServer, []string{"IsDefaultAuthorizationEndpoint"}},
	{OrganizationRelationship, []string{"DomainNames", "FreeBusyAccessEnabled"}},
	{OrganizationRelationship, []string{"DomainNames", "TargetApplicationUri"}},
	{OrganizationRelationship, []string{"DomainNames", "TargetAutodiscoverEpr"}},
	{Connector, []string{"TargetAddressDomains"}},
	{IntraOrganizationConfig, []string{"OnPremiseDiscoveryEndpoint"}},
	{IntraOrganizationConfig, []string{"OnPremiseTargetAddresses"}},
	{IntraOrganizationConfig, []string{"OnlineDiscoveryEndpoint"}},
	{AvailabilityAddressSpace, []string{"ForestName", "AccessMethod"}},
	{OrganizationConfig, []string{"OAuth2ClientProfileEnabled"}},
	{OrganizationConfig, []string{"EwsAllowedAppIDs"}},
	{OrganizationConfig, []string{"EwsApplicationAccessPolicy"}},
	{SettingOverride, []string{"SectionName", "Parameters"}},
	{SettingOverride, []string{"ComponentName", "SectionName"}},
	{ExchangeServer, []string{"AdminDisplayVersion", "ServerRole"}},
	{ExchangeServer, []string{"AdminDisplayVersion", "Edition"}},
	{WebServicesVirtualDirectory, []string{"MRSProxyEnabled"}},
	{Certificate, []string{"Thumbprint", "HasPrivateKey"}},
	{Certificate, []string{"Thumbprint", "NotAfter"}},
	{Certificate, []string{"Thumbprint", "Services"}},
	{User, []string{"UserAccountControl", "RecipientType"}},
	{User, []string{"UserAccountControl", "RecipientTypeDetails"}},
	{ManagementRoleAssignment, []string{"Role", "RoleAssigneeName"}},
	{ManagementRoleAssignment, []string{"Role", "RoleAssignee"}},
	{AcceptedDomain, []string{"DomainName", "DomainType"}},
	{AppRoleAssignment, []string{"appRoleId", "principalId"}},
	{ServicePrincipal, []string{"appId", "servicePrincipalNames"}},
	{ServicePrincipal, []string{"appId", "accountEnabled"}},
	{ServicePrincipal, []string{"appId", "servicePrincipalType"}},
	{Application, []string{"appId", "signInAudience"}},
	{Application, []string{"appId", "requiredResourceAccess"}},
	{Application, []string{"appId", "identifierUris"}},
}

// directories tell the virtual directories apart by the name that IIS shows.
var directories = []struct {
	name string
	kind Kind
}{
	{"ews (", WebServicesVirtualDirectory},
	{"autodiscover (", AutodiscoverVirtualDirectory},
	{"mapi (", MapiVirtualDirectory},
	{"oab (", OabVirtualDirectory},
	{"microsoft-server-activesync (", ActiveSyncVirtualDirectory},
	{"rpc (", OutlookAnywhere},
}

// KindOfObject returns the kind of an object by the names of its types, if
// the capture has them, and by its properties, of which text returns one and
// whether it is there. It returns "" for an object that it does not know.
func KindOfObject(types []string, text func(property string) (string, bool)) Kind {
	for _, t := range types {
		name := strings.TrimPrefix(t[strings.LastIndexAny(t, ".+")+1:], "AD")
		switch name {
		case "ExchangeOrganization":
			return OrganizationConfig
		case "ValidationResultNode":
			return ConnectivityTest
		case "Server":
			continue // of ExchangeServer a later one
		case "ExchangeRoleAssignmentPresentation":
			return ManagementRoleAssignment
		case "MicrosoftGraphApplication":
			return Application
		case "MicrosoftGraphServicePrincipal":
			return ServicePrincipal
		case "MicrosoftGraphAppRoleAssignment":
			return AppRoleAssignment
		}
		if k, ok := nouns[strings.ToLower(name)]; ok {
			return k
		}
	}
	if context, ok := text("@odata.context"); ok {
		if k := kindOfContext(context); k != "" {
			return k
		}
	}
	for _, s := range signatures {
		if hasAll(s.properties, text) {
			return s.kind
		}
	}
	for _, property := range []string{"Identity", "Name"} {
		if name, ok := text(property); ok {
			for _, d := range directories {
				if strings.Contains(strings.ToLower(name), d.name) {
					return d.kind
				}
			}
		}
	}
	return ""
}

func hasAll(properties []string, text func(string) (string, bool)) bool {
	for _, p := range properties {
		if _, ok := text(p); !ok {
			return false
		}
	}
	return true
}

// kindOfContext returns the kind that an @odata.context of Microsoft Graph
// names, such as https://graph.microsoft.com/v1.0/$metadata#applications.
func kindOfContext(context string) Kind {
	_, set, ok := strings.Cut(context, "#")
	switch {
	case !ok:
		return ""
	case strings.Contains(set, "appRoleAssign"):
		return AppRoleAssignment
	case strings.HasPrefix(set, "applications"):
		return Application
	case strings.HasPrefix(set, "servicePrincipals"):
		return ServicePrincipal
	}
	return ""
}

// nouns are the kinds by the noun of their cmdlet, in small letters.
var nouns = func() map[string]Kind {
	m := map[string]Kind{
		"mgapplication": Application, "mgbetaapplication": Application, "azadapplication": Application,
		"mgserviceprincipal": ServicePrincipal, "mgbetaserviceprincipal": ServicePrincipal, "azadserviceprincipal": ServicePrincipal,
		"mgserviceprincipalapproleassignment": AppRoleAssignment, "mgbetaserviceprincipalapproleassignment": AppRoleAssignment,
	}
	for _, k := range []Kind{AuthConfig, AuthServer, PartnerApplication, Certificate, Connector, IntraOrganizationConfig, OrganizationRelationship,
		AvailabilityAddressSpace, OrganizationConfig, WebServicesVirtualDirectory, AutodiscoverVirtualDirectory, MapiVirtualDirectory,
		OabVirtualDirectory, ActiveSyncVirtualDirectory, OutlookAnywhere, ExchangeServer, SettingOverride, User, ManagementRoleAssignment, AcceptedDomain} {
		m[strings.ToLower(string(k))] = k
	}
	return m
}()

var (
	getCommand = regexp.MustCompile(`(?i)\b(?:get-([a-z0-9]+)|(test-oauthconnectivity))\b`)

	// onlinePrefix is what Connect-ExchangeOnline -Prefix puts before the noun.
	onlinePrefix = regexp.MustCompile(`(?i)^(exo|eo|o365|online|cloud)(.+)$`)
)

// KindOfCommand returns the kind that a command such as "Get-AuthServer"
// prints, or the name of a file such as "Get-AuthServer.json" holds, and the
// side, if the command was imported from Exchange Online under a prefix such
// as EXO. The kind is "" if it names none.
func KindOfCommand(command string) (Kind, Side) {
	m := getCommand.FindStringSubmatch(path.Base(strings.ReplaceAll(command, `\`, "/")))
	switch {
	case m == nil:
		return "", ""
	case m[2] != "":
		return ConnectivityTest, ""
	}
	if k, ok := nouns[strings.ToLower(m[1])]; ok {
		return k, ""
	}
	if p := onlinePrefix.FindStringSubmatch(m[1]); p != nil {
		if k, ok := nouns[strings.ToLower(p[2])]; ok {
			return k, ExchangeOnline
		}
	}
	return "", ""
}

var (
	onlineWord  = regexp.MustCompile(`(?i)(^|[^a-z0-9])(exo|exchange-?_?online|office-?365|o365|m365|cloud|online)([^a-z0-9]|$)`)
	premiseWord = regexp.MustCompile(`(?i)(^|[^a-z0-9])(on-?_?prem(ises?)?|onprem|local)([^a-z0-9]|$)`)
)

// SideOfPath returns the side that the folders or the name of a file tell,
// and "" if they tell none. The innermost decides.
func SideOfPath(name string) Side {
	parts := strings.Split(strings.ReplaceAll(name, `\`, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		switch {
		case premiseWord.MatchString(parts[i]):
			return OnPremises
		case onlineWord.MatchString(parts[i]):
			return ExchangeOnline
		}
	}
	return ""
}

// IsOnlineText reports whether the text of a property can only be one that
// Exchange Online printed: the names of its own forests and servers.
func IsOnlineText(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "microsoft exchange hosted organizations") || strings.Contains(text, ".prod.outlook.com") ||
		strings.Contains(text, "dc=prod,dc=outlook,dc=com") || strings.Contains(text, ".partner.outlook.cn/microsoft exchange")
}
