// Package hybridoauthtest has healthy organizations, to break by one field.
//
//	c := hybridoauthtest.Organization{}.Configuration()
//	hybridoauthtest.Set(c, "AuthServer", "ApplicationIdentifier", hybridoauth.String(""))
//	findings := hybridoauth.Check(c, hybridoauth.DedicatedApp, c.Context.Now)
//
// Everything that the rules look at is there, on both sides and in Entra ID,
// and listed whole. What it does not model: objects that hybrid OAuth does not
// need, properties that no rule looks at, and more than one tenant.
package hybridoauthtest

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
)

// An Organization says what a configuration is made of. The zero value is
// contoso.com in the worldwide cloud on 2026-11-22, with two servers, in the
// situation dedicated-app with calls over EWS.
type Organization struct {
	Domain    string // of mail; "contoso.com" if empty
	Tenant    string // the tenant's name; "contoso" if empty
	TenantID  string
	AppID     string // of the dedicated hybrid application
	Servers   []string
	Situation hybridoauth.Situation
	Cloud     crossprem.Cloud // zero is worldwide
	At        time.Time       // the day on which it is healthy
}

// shared are the identifiers that Microsoft gave.
const (
	shared    = "00000002-0000-0ff1-ce00-000000000000"
	voicemail = "db7de2b5-2149-435e-8043-e080dd50afae"
	scheduler = "7557eb47-c689-4224-abcf-aef9bd7573df"
	skype     = "00000004-0000-0ff1-ce00-000000000000"
	account   = "Exchange Online-ApplicationAccount"
)

// hosts are the addresses of a cloud.
type hosts struct{ exchange, autodiscover, domain, issuer, token, acs, acsToken, graph string }

func (o Organization) hosts() hosts {
	worldwide := hosts{"outlook.office365.com", "autodiscover-s.outlook.com", "mail.onmicrosoft.com", "sts.windows.net", "login.windows.net", "00000001-0000-0000-c000-000000000000", "accounts.accesscontrol.windows.net", "https://graph.microsoft.com"}
	switch o.Cloud {
	case crossprem.GCCHigh:
		return hosts{"outlook.office365.us", "autodiscover-s.office365.us", "mail.onmicrosoft.us", "sts.windows.net", "login.microsoftonline.us", worldwide.acs, "login.microsoftonline.us", "https://graph.microsoft.us"}
	case crossprem.DoD:
		return hosts{"outlook-dod.office365.us", "autodiscover-s-dod.office365.us", "mail.onmicrosoft.us", "sts.windows.net", "login.microsoftonline.us", worldwide.acs, "login.microsoftonline.us", "https://dod-graph.microsoft.us"}
	case crossprem.China21Vianet:
		return hosts{"partner.outlook.cn", "autodiscover-s.partner.outlook.cn", "mail.partner.onmschina.cn", "sts.chinacloudapi.cn", "login.partner.microsoftonline.cn", "00000001-0002-0000-c000-000000000000", "accounts.accesscontrol.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"}
	}
	return worldwide
}

// withDefaults fills in what is empty.
func (o Organization) withDefaults() Organization {
	o.Domain, o.Tenant = cmp.Or(o.Domain, "contoso.com"), cmp.Or(o.Tenant, "contoso")
	o.TenantID, o.AppID = cmp.Or(o.TenantID, "5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1"), cmp.Or(o.AppID, "c0ffee12-7a3b-4d5e-8f90-1234567890ab")
	if len(o.Servers) == 0 {
		o.Servers = []string{"EX01", "EX02"}
	}
	if o.Situation == 0 {
		o.Situation = hybridoauth.DedicatedApp | hybridoauth.EWSRoute
	}
	if o.At.IsZero() {
		o.At = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	}
	return o
}

// A certificate is one auth certificate.
type certificate struct {
	der        []byte
	thumbprint string
	from, to   time.Time
}

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var (
	certificatesMu sync.Mutex
	certificates   = map[[2]int64]certificate{}
)

// made returns the certificate of a time of validity, the same each time.
func made(from, to time.Time) certificate {
	certificatesMu.Lock()
	defer certificatesMu.Unlock()
	id := [2]int64{from.Unix(), to.Unix()}
	if c, ok := certificates[id]; ok {
		return c
	}
	name := pkix.Name{CommonName: "Microsoft Exchange Server Auth Certificate"}
	template := &x509.Certificate{SerialNumber: big.NewInt(from.Unix()), Subject: name, NotBefore: from, NotAfter: to, SignatureAlgorithm: x509.SHA256WithRSA}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key().PublicKey, key())
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum(der)
	c := certificate{der, strings.ToUpper(hex.EncodeToString(sum[:])), from, to}
	certificates[id] = c
	return c
}

func (o Organization) current() certificate {
	return made(o.At.AddDate(-3, 0, 0), o.At.AddDate(2, 0, 0))
}
func (o Organization) next() certificate { return made(o.At.AddDate(0, -1, 0), o.At.AddDate(5, 0, 0)) }

// Configuration returns everything about the organization. The value is the
// caller's, to be changed.
func (o Organization) Configuration() hybridoauth.Configuration {
	o = o.withDefaults()
	c := hybridoauth.Configuration{Context: hybridoauth.Context{Now: o.At, Cloud: cmp.Or(o.Cloud, crossprem.Worldwide), TenantID: o.TenantID, ServiceDomain: o.Tenant + "." + o.hosts().domain,
		OnPremDomain: o.Domain, DedicatedAppID: o.AppID}}
	o.premises(&c)
	if o.Situation&hybridoauth.NoHybrid == 0 {
		o.online(&c)
	}
	o.entra(&c)
	return c
}

// properties are those of one object.
type properties = map[string]hybridoauth.Value

var (
	text = hybridoauth.String
	list = hybridoauth.Strings
	yes  = hybridoauth.Bool(true)
	no   = hybridoauth.Bool(false)
	none = hybridoauth.String("")
)

// add adds the objects that one command printed.
func add(c *hybridoauth.Configuration, side hybridoauth.Side, kind hybridoauth.Kind, objects ...properties) {
	c.Listed = append(c.Listed, hybridoauth.Listing{Kind: kind, Side: side})
	for _, p := range objects {
		c.Objects = append(c.Objects, hybridoauth.Object{Kind: kind, Side: side, Properties: p})
	}
}

func (o Organization) premises(c *hybridoauth.Configuration) {
	const side = hybridoauth.OnPremises
	h, s := o.hosts(), o.Situation
	hybrid := s&hybridoauth.NoHybrid == 0
	service := o.Tenant + "." + h.domain
	add(c, side, "AuthConfig", properties{"Name": text("Auth Configuration"), "CurrentCertificateThumbprint": text(o.current().thumbprint), "PreviousCertificateThumbprint": none,
		"NextCertificateThumbprint": text(o.next().thumbprint), "NextCertificateEffectiveDate": hybridoauth.Time(o.At.AddDate(0, 3, 0)), "ServiceName": text(shared), "Realm": none})
	var servers, certificates, ews, autodiscover, mapi, oab, eas []properties
	for _, name := range o.Servers {
		servers = append(servers, properties{"Name": text(name), "Edition": text("Standard"), "ServerRole": text("Mailbox"), "AdminDisplayVersion": text("Version 15.2 (Build 2562.41)")})
		for _, one := range []certificate{o.current(), o.next()} {
			certificates = append(certificates, properties{"Server": text(name), "Thumbprint": text(one.thumbprint), "Subject": text("CN=Microsoft Exchange Server Auth Certificate"),
				"Issuer": text("CN=Microsoft Exchange Server Auth Certificate"), "NotBefore": hybridoauth.Time(one.from), "NotAfter": hybridoauth.Time(one.to), "HasPrivateKey": yes,
				"Services": text("SMTP"), "Status": text("Valid"), "PublicKeySize": text("2048"), "PublicKeyAlgorithm": text("RSA"), "SignatureAlgorithm": text("sha256RSA")})
		}
		directory := func(noun, path string) properties {
			return properties{"Identity": text(name + `\` + noun + " (Default Web Site)"), "Server": text(name), "OAuthAuthentication": yes, "WSSecurityAuthentication": yes, "WindowsAuthentication": yes,
				"InternalAuthenticationMethods": list("Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"), "ExternalAuthenticationMethods": list("Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"),
				"InternalUrl": text("https://mail." + o.Domain + path), "ExternalUrl": text("https://mail." + o.Domain + path)}
		}
		exchange := directory("EWS", "/EWS/Exchange.asmx")
		exchange["MRSProxyEnabled"] = yes
		ews, autodiscover = append(ews, exchange), append(autodiscover, directory("Autodiscover", "/Autodiscover/Autodiscover.xml"))
		mapi, oab, eas = append(mapi, directory("mapi", "/mapi")), append(oab, directory("OAB", "/OAB")), append(eas, directory("Microsoft-Server-ActiveSync", "/Microsoft-Server-ActiveSync"))
	}
	add(c, side, "ExchangeServer", servers...)
	add(c, side, "ExchangeCertificate", certificates...)
	add(c, side, "WebServicesVirtualDirectory", ews...)
	add(c, side, "AutodiscoverVirtualDirectory", autodiscover...)
	add(c, side, "MapiVirtualDirectory", mapi...)
	add(c, side, "OabVirtualDirectory", oab...)
	add(c, side, "ActiveSyncVirtualDirectory", eas...)
	add(c, side, "AcceptedDomain", properties{"Name": text(o.Domain), "DomainName": text(o.Domain), "DomainType": text("Authoritative")},
		properties{"Name": text(service), "DomainName": text(service), "DomainType": text("Authoritative")})
	add(c, side, "OrganizationConfig", properties{"Name": text("First Organization"), "OAuth2ClientProfileEnabled": hybridoauth.Bool(s&hybridoauth.HMA != 0), "EwsEnabled": none, "EwsApplicationAccessPolicy": none, "EwsAllowList": none, "EwsBlockList": none})
	var spaces []properties
	if s&hybridoauth.Pre2013 != 0 {
		spaces = append(spaces, properties{"Name": text(service), "ForestName": text(service), "AccessMethod": text("InternalProxy"), "UseServiceAccount": yes, "ProxyUrl": text("https://mail." + o.Domain + "/EWS/Exchange.asmx")})
	}
	add(c, side, "AvailabilityAddressSpace", spaces...)
	if !hybrid {
		for _, kind := range []hybridoauth.Kind{"AuthServer", "PartnerApplication", "IntraOrganizationConnector", "OrganizationRelationship", "SettingOverride"} {
			add(c, side, kind)
		}
		return
	}
	add(c, side, "AuthServer",
		properties{"Name": text("ACS - " + o.Tenant), "IssuerIdentifier": text(h.acs), "TokenIssuingEndpoint": text("https://" + h.acsToken + "/" + o.TenantID + "/tokens/OAuth/2"), "ApplicationIdentifier": none,
			"AuthMetadataUrl": text("https://" + h.acsToken + "/" + o.TenantID + "/metadata/json/1"), "Realm": text(o.TenantID), "Type": text("MicrosoftACS"), "Enabled": yes, "IsDefaultAuthorizationEndpoint": no, "DomainName": list(o.Domain, service)},
		properties{"Name": text("EvoSts - " + o.Tenant), "IssuerIdentifier": text("https://" + h.issuer + "/" + o.TenantID + "/"), "TokenIssuingEndpoint": text("https://" + h.token + "/common/oauth2/token"), "ApplicationIdentifier": text(o.AppID),
			"AuthMetadataUrl": text("https://" + h.token + "/" + o.TenantID + "/federationmetadata/2007-06/federationmetadata.xml"), "Realm": text(o.TenantID), "Type": text("AzureAD"), "Enabled": yes,
			"IsDefaultAuthorizationEndpoint": hybridoauth.Bool(s&hybridoauth.HMA != 0), "DomainName": list(o.Domain, service), "GraphBaseUrl": text(h.graph)})
	partner := func(name, id string) properties {
		return properties{"Name": text(name), "ApplicationIdentifier": text(id), "Enabled": yes, "Realm": none, "UseAuthServer": yes, "AuthMetadataUrl": none, "LinkedAccount": text("contoso.local/Users/" + account), "AccountType": text("OrganizationalAccount")}
	}
	partners := []properties{partner("Exchange Online", shared)}
	if s&hybridoauth.TeamsOnPrem != 0 {
		partners = append(partners, partner("Skype for Business Online", skype), partner("CloudVoicemail", voicemail), partner("TeamsScheduler", scheduler))
	}
	add(c, side, "PartnerApplication", partners...)
	add(c, side, "User", properties{"Name": text(account), "RecipientType": text("User"), "RecipientTypeDetails": text("LinkedUser"), "UserAccountControl": text("AccountDisabled, PasswordNotRequired, NormalAccount")})
	var assigned []properties
	for _, role := range []string{"UserApplication", "ArchiveApplication", "LegalHoldApplication", "Mailbox Search", "TeamMailboxLifecycleApplication", "MailboxSearchApplication", "MeetingGraphApplication"} {
		assigned = append(assigned, properties{"Name": text(role + "-" + account), "Role": text(role), "RoleAssigneeName": text(account), "Enabled": yes})
	}
	add(c, side, "ManagementRoleAssignment", assigned...)
	add(c, side, "IntraOrganizationConnector", properties{"Name": text("HybridIOC - " + o.Tenant), "TargetAddressDomains": list(service), "DiscoveryEndpoint": text("https://" + h.autodiscover + "/autodiscover/autodiscover.svc"), "TargetSharingEpr": none, "Enabled": yes})
	add(c, side, "OrganizationRelationship", properties{"Name": text("On-premises to O365 - " + o.Tenant), "DomainNames": list(service), "FreeBusyAccessEnabled": yes, "FreeBusyAccessLevel": text("LimitedDetails"), "TargetApplicationUri": text("outlook.com"),
		"TargetSharingEpr": text("https://" + h.exchange + "/EWS/Exchange.asmx"), "TargetAutodiscoverEpr": text("https://" + h.autodiscover + "/autodiscover/autodiscover.svc/WSSecurity"), "Enabled": yes})
	override := func(name, component, section string) properties {
		return properties{"Name": text(name), "ComponentName": text(component), "SectionName": text(section), "Parameters": list("Enabled=true"), "Server": none, "Status": text("Accepted")}
	}
	overrides := []properties{override("EnableExchangeHybrid3PAppFeature", "Global", "ExchangeOnpremAsThirdPartyAppId")}
	if s&hybridoauth.GraphRoute != 0 {
		overrides = append(overrides, override("EnableRouteThroughMSGraphFeature", "SettingOverride", "RouteThroughMSGraph"))
	}
	add(c, side, "SettingOverride", overrides...)
	c.Objects = append(c.Objects, hybridoauth.Object{Kind: "Test-OAuthConnectivity", Side: side, Properties: properties{"Task": text("Checking EWS API Call Under Oauth"), "ResultType": text("Success"), "IsValid": yes,
		"Detail": text("Information:[OAuthCredentials:Authenticate] send request to 'https://" + h.exchange + "/ews/exchange.asmx' with the bearer token: '[actor: app: L:" + o.AppID + "-AS:ews;]'")}})
}

func (o Organization) online(c *hybridoauth.Configuration) {
	const side = hybridoauth.ExchangeOnline
	discovery := "https://autodiscover." + o.Domain + "/autodiscover/autodiscover.svc"
	add(c, side, "IntraOrganizationConnector", properties{"Name": text("HybridIOC - " + o.Tenant), "TargetAddressDomains": list(o.Domain), "DiscoveryEndpoint": text(discovery), "Enabled": yes})
	add(c, side, "IntraOrganizationConfiguration", properties{"OnPremiseDiscoveryEndpoint": text(discovery), "OnPremiseTargetAddresses": list(o.Domain)})
	add(c, side, "AuthServer", properties{"Name": text("ACS"), "IssuerIdentifier": text(o.hosts().acs), "Type": text("MicrosoftACS"), "Enabled": yes})
	add(c, side, "PartnerApplication", properties{"Name": text("Exchange Online"), "ApplicationIdentifier": text(shared), "Enabled": yes})
	add(c, side, "OrganizationConfig", properties{"Name": text(o.Tenant), "EwsEnabled": yes, "EwsAllowedAppIDs": list(o.AppID)})
	var spaces []properties
	if o.Situation&hybridoauth.CrossTenant != 0 {
		spaces = append(spaces, properties{"Name": text("fabrikam.com"), "ForestName": text("fabrikam.com"), "AccessMethod": text("OrgWideFBToken")})
	}
	add(c, side, "AvailabilityAddressSpace", spaces...)
}

func (o Organization) entra(c *hybridoauth.Configuration) {
	const side = hybridoauth.Entra
	credential := func(one certificate, id string) hybridoauth.Value {
		return hybridoauth.Fields(properties{"keyId": text(id), "type": text("AsymmetricX509Cert"), "usage": text("Verify"), "customKeyIdentifier": text(one.thumbprint),
			"key": text(base64.StdEncoding.EncodeToString(one.der)), "startDateTime": hybridoauth.Time(one.from), "endDateTime": hybridoauth.Time(one.to)})
	}
	both := func() hybridoauth.Value {
		return hybridoauth.List(credential(o.current(), "aaaa1111-0000-4000-8000-000000000001"), credential(o.next(), "aaaa1111-0000-4000-8000-000000000002"))
	}
	principals := []properties{{"id": text("0f1e2d3c-4b5a-4697-8877-665544332211"), "appId": text(shared), "displayName": text("Office 365 Exchange Online"), "accountEnabled": yes, "keyCredentials": hybridoauth.List(), "passwordCredentials": hybridoauth.List(),
		"servicePrincipalNames": list(shared, shared+"/*.outlook.com", "https://outlook.office365.com/", "https://mail."+o.Domain+"/", "https://autodiscover."+o.Domain+"/")}}
	if o.Situation&hybridoauth.NoHybrid != 0 {
		add(c, side, "ServicePrincipal", principals...)
		return
	}
	name := "ExchangeServerApp-" + "8d4e1b7a-22c3-4f5d-9b60-aa11bb22cc33"
	add(c, side, "Application", properties{"id": text("1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"), "appId": text(o.AppID), "displayName": text(name), "signInAudience": text("AzureADMyOrg"),
		"passwordCredentials": hybridoauth.List(), "keyCredentials": both()})
	principals = append(principals, properties{"id": text("2b3c4d5e-6f70-4182-93a4-b5c6d7e8f90a"), "appId": text(o.AppID), "displayName": text(name), "accountEnabled": yes, "servicePrincipalNames": list(o.AppID)})
	if o.Situation&hybridoauth.TeamsOnPrem != 0 {
		for id, title := range map[string]string{voicemail: "CloudVoicemail", scheduler: "TeamsScheduler"} {
			principals = append(principals, properties{"id": text(id), "appId": text(id), "displayName": text(title), "accountEnabled": yes, "keyCredentials": both()})
		}
	}
	add(c, side, "ServicePrincipal", principals...)
	granted := []string{"full_access_as_app"}
	if o.Situation&hybridoauth.GraphRoute != 0 {
		granted = append(granted, "Calendars.Read", "MailboxSettings.Read", "MailTips.ReadBasic.All", "ProfilePhoto.Read.All")
	}
	var roles []properties
	for _, role := range granted {
		roles = append(roles, properties{"principalId": text("2b3c4d5e-6f70-4182-93a4-b5c6d7e8f90a"), "principalDisplayName": text(name), "appRoleValue": text(role)})
	}
	add(c, side, "AppRoleAssignment", roles...)
}

// Set sets a property of every object of a kind, on every side. It panics if
// there is none.
func Set(c hybridoauth.Configuration, kind hybridoauth.Kind, property string, v hybridoauth.Value) {
	found := false
	for _, o := range c.Objects {
		if o.Kind == kind {
			o.Properties[property], found = v, true
		}
	}
	if !found {
		panic("hybridoauthtest: no object of the kind " + string(kind))
	}
}

// Remove takes the objects of a kind out; that they were listed stays.
func Remove(c *hybridoauth.Configuration, kind hybridoauth.Kind) {
	c.Objects = slices.DeleteFunc(c.Objects, func(o hybridoauth.Object) bool { return o.Kind == kind })
}

// Forget takes the objects of a kind out as if nobody had captured them.
func Forget(c *hybridoauth.Configuration, kind hybridoauth.Kind) {
	Remove(c, kind)
	c.Listed = slices.DeleteFunc(c.Listed, func(l hybridoauth.Listing) bool { return l.Kind == kind })
}
