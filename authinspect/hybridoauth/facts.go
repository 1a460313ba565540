package hybridoauth

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// Identifiers that Microsoft gave.
const (
	sharedApp      = "00000002-0000-0ff1-ce00-000000000000" // Office 365 Exchange Online
	legacySkype    = "00000004-0000-0ff1-ce00-000000000000"
	cloudVoicemail = "db7de2b5-2149-435e-8043-e080dd50afae"
	teamsScheduler = "7557eb47-c689-4224-abcf-aef9bd7573df"
	acsIssuer      = "00000001-0000-0000-c000-000000000000"
	acsIssuerChina = "00000001-0002-0000-c000-000000000000"

	applicationAccount = "Exchange Online-ApplicationAccount"
)

var (
	guidForm      = regexp.MustCompile(`(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	guidWithin    = regexp.MustCompile(`(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	dedicatedName = regexp.MustCompile(`(?i)^ExchangeServerApp-`)
)

// A judge evaluates rules over one configuration.
type judge struct {
	c        *Configuration
	at       time.Time
	asked    Situation
	shown    Situation
	ruledOut Situation

	cloud         crossprem.Cloud
	cloudWhy      string // why it is unknown
	tenantID      string
	serviceDomain string
	onPremDomain  string
	appID         string
	hosts         []string
	current       fact
	next          fact
	previous      fact

	groups     map[string]group
	groupTests map[string]groupTest
}

// A fact is a thumbprint of which it may be known that there is none.
type fact struct {
	known bool
	text  exchange.Thumbprint
}

func newJudge(c *Configuration, asked Situation, at time.Time) *judge {
	j := &judge{c: c, asked: asked, at: at, groups: allGroups(), groupTests: allGroupTests()}
	j.deriveCloud()
	j.deriveNames()
	j.deriveCertificates()
	return j
}

func (j *judge) deriveCloud() {
	if j.cloud = j.c.Context.Cloud; j.cloud != crossprem.CloudUnknown {
		return
	}
	votes := map[crossprem.Cloud]bool{}
	vote := func(v Value) {
		for _, text := range v.Texts() {
			if cloud := exchange.CloudOf(exchange.HostOf(text)); cloud != crossprem.CloudUnknown {
				votes[cloud] = true
			}
		}
	}
	for _, o := range j.c.Objects {
		switch {
		case o.Kind == exchange.AuthServer && o.Side == OnPremises:
			vote(o.Get("TokenIssuingEndpoint"))
			vote(o.Get("AuthMetadataUrl"))
			vote(o.Get("DomainName"))
		case o.Kind == exchange.Connector && o.Side == OnPremises:
			vote(o.Get("DiscoveryEndpoint"))
			vote(o.Get("TargetAddressDomains"))
		case o.Kind == exchange.OrganizationRelationship && o.Side == OnPremises:
			vote(o.Get("DomainNames"))
			vote(o.Get("TargetSharingEpr"))
		case o.Kind.InEntra():
			vote(o.Get("@odata.context"))
		}
	}
	vote(String(j.c.Context.ServiceDomain))
	switch len(votes) {
	case 0:
		j.cloudWhy = "which cloud the tenant is in is not told"
	case 1:
		for c := range votes {
			j.cloud = c
		}
	default:
		j.cloudWhy = "the addresses in the capture are those of several clouds; say which cloud the tenant is in"
	}
}

// one returns the only one of the values, letter case aside, and "" if there
// are none or several.
func one(values []string) string {
	var found string
	for _, v := range values {
		switch v = strings.ToLower(strings.TrimSpace(v)); {
		case v == "" || v == found:
		case found == "":
			found = v
		default:
			return ""
		}
	}
	return found
}

func (j *judge) deriveNames() {
	x := j.c.Context
	j.tenantID, j.serviceDomain, j.onPremDomain, j.appID = x.TenantID, x.ServiceDomain, x.OnPremDomain, x.DedicatedAppID
	var tenants, services, premises, ids []string
	domains := func(v Value) {
		for _, d := range v.Texts() {
			if exchange.IsServiceDomain(d) {
				services = append(services, d)
			}
		}
	}
	for _, o := range j.c.Objects {
		switch o.Kind {
		case exchange.AuthServer:
			if o.Side != OnPremises {
				continue
			}
			domains(o.Get("DomainName"))
			from := []string{"TokenIssuingEndpoint", "AuthMetadataUrl", "IssuerIdentifier"}
			if kindOfAuthServer(o) == "MicrosoftACS" {
				from = []string{"TokenIssuingEndpoint", "AuthMetadataUrl", "Realm"} // its issuer is no tenant
			}
			for _, p := range from {
				tenants = append(tenants, guidWithin.FindString(o.Get(p).scalar()))
			}
			if id := o.Get("ApplicationIdentifier").scalar(); kindOfAuthServer(o) == "AzureAD" && guidForm.MatchString(id) && !strings.EqualFold(id, sharedApp) {
				ids = append(ids, id)
			}
		case exchange.Connector:
			if o.Side == OnPremises {
				domains(o.Get("TargetAddressDomains"))
			}
		case exchange.OrganizationRelationship:
			if o.Side == OnPremises {
				domains(o.Get("DomainNames"))
			}
		case exchange.AcceptedDomain:
			domains(o.Get("DomainName"))
			if o.Side == OnPremises && !exchange.IsTenantDomain(o.Get("DomainName").scalar()) {
				premises = append(premises, o.Get("DomainName").scalar())
			}
		case exchange.Application:
			if dedicatedName.MatchString(o.Get("displayName").scalar()) {
				ids = append(ids, o.Get("appId").scalar())
			}
		}
	}
	for _, f := range []struct {
		to   *string
		from []string
	}{{&j.tenantID, tenants}, {&j.serviceDomain, services}, {&j.onPremDomain, premises}, {&j.appID, ids}} {
		if *f.to == "" {
			*f.to = one(f.from)
		}
	}
	j.hosts = j.publishedHosts()
}

// publishedHosts are the hosts under which clients and the cloud reach the
// Exchange servers.
func (j *judge) publishedHosts() []string {
	var hosts []string
	add := func(text string) {
		if host := exchange.HostOf(text); host != "" && strings.Contains(host, ".") && !exchange.IsMicrosoft(host) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	for _, h := range j.c.Context.Hosts {
		add(h)
	}
	for _, o := range j.c.Objects {
		switch o.Kind {
		case exchange.WebServicesVirtualDirectory, exchange.AutodiscoverVirtualDirectory, exchange.MapiVirtualDirectory, exchange.OabVirtualDirectory, exchange.ActiveSyncVirtualDirectory:
			add(o.Get("InternalUrl").scalar())
			add(o.Get("ExternalUrl").scalar())
		case exchange.OutlookAnywhere:
			add(o.Get("InternalHostname").scalar())
			add(o.Get("ExternalHostname").scalar())
		}
	}
	return hosts
}

func (j *judge) deriveCertificates() {
	x := j.c.Context
	for _, f := range []struct {
		to       *fact
		context  string
		property string
	}{
		{&j.current, x.CurrentThumbprint, "CurrentCertificateThumbprint"},
		{&j.next, x.NextThumbprint, "NextCertificateThumbprint"},
		{&j.previous, x.PreviousThumbprint, "PreviousCertificateThumbprint"},
	} {
		if t, err := exchange.ParseThumbprint(f.context); err == nil {
			*f.to = fact{true, t}
		}
		for _, o := range j.c.Objects {
			if o.Kind != exchange.AuthConfig {
				continue
			}
			v := o.Get(f.property)
			if t, err := exchange.ParseThumbprint(v.scalar()); err == nil && v.IsKnown() {
				*f.to = fact{true, t}
			} else if v.isEmpty() {
				*f.to = fact{known: true}
			}
		}
	}
}

// kindOfAuthServer returns the Type of an auth server, and what its addresses
// say where the capture has a number in its place; "" if neither tells.
func kindOfAuthServer(o Object) string {
	if v := o.Get("Type"); v.IsKnown() && v.scalar() != "" {
		return v.scalar()
	}
	issuer, metadata := strings.ToLower(o.Get("IssuerIdentifier").scalar()), strings.ToLower(o.Get("AuthMetadataUrl").scalar())
	switch {
	case issuer == acsIssuer, issuer == acsIssuerChina, strings.Contains(metadata, "accounts.accesscontrol."), strings.Contains(metadata, "/metadata/json/1"):
		return "MicrosoftACS"
	case strings.HasPrefix(issuer, "https://sts."), strings.Contains(metadata, "/federationmetadata/") && exchange.IsMicrosoft(exchange.HostOf(metadata)):
		return "AzureAD"
	}
	return ""
}

// A group is a set of objects that rules are about.
type group struct {
	kinds  []Kind
	what   string // what one is called in a sentence
	filter func(j *judge, o Object) bool
	narrow func(j *judge, all []Object) []Object // after the filter
}

// ask names the command that captures the objects of the group.
func (g group) ask() string {
	switch g.kinds[0] {
	case exchange.Application:
		return "Get-MgApplication, or GET /applications of Microsoft Graph"
	case exchange.ServicePrincipal:
		return "Get-MgServicePrincipal, or GET /servicePrincipals of Microsoft Graph"
	case exchange.AppRoleAssignment:
		return "GET /servicePrincipals/{id}/appRoleAssignments of Microsoft Graph"
	case exchange.ConnectivityTest:
		return "Test-OAuthConnectivity"
	case exchange.ExportedFile:
		return "the file to be uploaded"
	}
	return "Get-" + string(g.kinds[0])
}

func is(kind Kind, what string) group { return group{kinds: []Kind{kind}, what: what} }

// where returns g with a filter.
func (g group) where(filter func(j *judge, o Object) bool) group {
	g.filter = filter
	return g
}

func (g group) narrowed(narrow func(j *judge, all []Object) []Object) group {
	g.narrow = narrow
	return g
}

// allGroups returns the objects that the rules name, by name; the side is that
// of the rule.
func allGroups() map[string]group {
	return map[string]group{
		"AuthConfig":                     is(exchange.AuthConfig, "auth configuration"),
		"AuthCertificate":                is(exchange.Certificate, "certificate").where(func(j *judge, o Object) bool { return j.isCertificate(o, j.current) }),
		"ExportedFile":                   is(exchange.ExportedFile, "file with an exported certificate"),
		"NextCertificate":                is(exchange.Certificate, "certificate").where(func(j *judge, o Object) bool { return j.isCertificate(o, j.next) }),
		"AuthServer":                     is(exchange.AuthServer, "auth server"),
		"ACS":                            is(exchange.AuthServer, "ACS auth server").where(func(_ *judge, o Object) bool { return kindOfAuthServer(o) == "MicrosoftACS" }).narrowed(withoutLeftovers),
		"EvoSTS":                         is(exchange.AuthServer, "Entra ID auth server").where(func(_ *judge, o Object) bool { return kindOfAuthServer(o) == "AzureAD" }).narrowed(withoutLeftovers),
		"CloudACS":                       is(exchange.AuthServer, "ACS auth server").where(isCloudACS),
		"PartnerApplication":             is(exchange.PartnerApplication, "partner application"),
		"ExchangePartner":                is(exchange.PartnerApplication, "partner application for Exchange Online").where(hasApp("ApplicationIdentifier", sharedApp)).narrowed(emptyRealmFirst),
		"ApplicationAccount":             is(exchange.User, "application account").where(isApplicationAccount),
		"ApplicationRoles":               is(exchange.ManagementRoleAssignment, "role assignment of the application account").where(isRoleOfAccount),
		"Connector":                      is(exchange.Connector, "connector").narrowed(towardsTheTenant),
		"IntraOrganizationConfiguration": is(exchange.IntraOrganizationConfig, "intra-organization configuration"),
		"Relationship":                   is(exchange.OrganizationRelationship, "organization relationship with the tenant").narrowed(towardsTheTenant),
		"AddressSpace":                   is(exchange.AvailabilityAddressSpace, "availability address space").where(isForTheCloud),
		"OrganizationConfig":             is(exchange.OrganizationConfig, "organization configuration"),
		"WebServicesVirtualDirectory":    is(exchange.WebServicesVirtualDirectory, "EWS virtual directory"),
		"AutodiscoverVirtualDirectory":   is(exchange.AutodiscoverVirtualDirectory, "Autodiscover virtual directory"),
		"ClientVirtualDirectory":         {kinds: []Kind{exchange.MapiVirtualDirectory, exchange.OabVirtualDirectory, exchange.ActiveSyncVirtualDirectory}, what: "MAPI, OAB or ActiveSync virtual directory"},
		"FrontEnd":                       is(exchange.WebServicesVirtualDirectory, "front end"),
		"Clock":                          is(exchange.ExchangeServer, "clock"),
		"ExchangeServer":                 is(exchange.ExchangeServer, "Exchange server").where(func(_ *judge, o Object) bool { return !isEdge(o) }),
		"DedicatedOverride":              is(exchange.SettingOverride, "override for ExchangeOnpremAsThirdPartyAppId").where(isOverride("ExchangeOnpremAsThirdPartyAppId", "Global")),
		"GraphOverride":                  is(exchange.SettingOverride, "override for RouteThroughMSGraph").where(isOverride("RouteThroughMSGraph", "")),
		"DedicatedApplication":           is(exchange.Application, "dedicated hybrid application").narrowed(dedicatedOf),
		"DedicatedPrincipal":             is(exchange.ServicePrincipal, "service principal of the dedicated hybrid application").where(isDedicatedPrincipal),
		"SharedPrincipal":                is(exchange.ServicePrincipal, "Exchange Online service principal").where(hasApp("appId", sharedApp)),
		"TeamsPrincipal": is(exchange.ServicePrincipal, "service principal of a Teams service").where(func(j *judge, o Object) bool {
			return hasApp("appId", cloudVoicemail)(j, o) || hasApp("appId", teamsScheduler)(j, o)
		}),
		"RoleAssignment":   is(exchange.AppRoleAssignment, "app role assignment of the dedicated hybrid application").where(isDedicatedAssignment),
		"AcceptedDomain":   is(exchange.AcceptedDomain, "accepted domain"),
		"ConnectivityTest": is(exchange.ConnectivityTest, "connectivity test"),
	}
}

// find returns the objects of a group on one side, and whether all objects of
// the group's kinds were captured, so that what is not there does not exist.
func (j *judge) find(name string, side Side) (found []Object, whole bool) {
	g, ok := j.groups[name]
	if !ok {
		panic("hybridoauth: no such group: " + name)
	}
	whole = true
	for _, kind := range g.kinds {
		at := side
		if kind.InEntra() {
			at = Entra
		}
		whole = whole && slices.Contains(j.c.Listed, Listing{kind, at})
		for _, o := range j.c.Objects {
			if o.Kind == kind && (o.Side == at || kind == exchange.ConnectivityTest) && (g.filter == nil || g.filter(j, o)) {
				found = append(found, o)
			}
		}
	}
	if g.narrow != nil {
		found = g.narrow(j, found)
	}
	return found, whole
}

// anyOf says whether a group has an object for which is says yes. It is No
// only where all objects are known.
func (j *judge) anyOf(name string, is func(Object) crossprem.Answer) crossprem.Answer {
	found, whole := j.find(name, OnPremises)
	result := crossprem.AnswerUnknown
	if whole {
		result = crossprem.No
	}
	for _, o := range found {
		result = or(result, is(o))
	}
	return result
}

func (j *judge) anyIn(kind Kind, side Side, is func(Object) crossprem.Answer) crossprem.Answer {
	result := crossprem.AnswerUnknown
	if slices.Contains(j.c.Listed, Listing{kind, side}) {
		result = crossprem.No
	}
	for _, o := range j.c.Objects {
		if o.Kind == kind && o.Side == side {
			result = or(result, is(o))
		}
	}
	return result
}

func (j *judge) isCertificate(o Object, of fact) bool {
	t, err := exchange.ParseThumbprint(o.Get("Thumbprint").scalar())
	return err == nil && of.text != "" && t == of.text
}

func hasApp(property, id string) func(*judge, Object) bool {
	return func(_ *judge, o Object) bool { return strings.EqualFold(o.Get(property).scalar(), id) }
}

func isCloudACS(j *judge, o Object) bool {
	want := acsIssuer
	if j.cloud == crossprem.China21Vianet {
		want = acsIssuerChina
	}
	return strings.EqualFold(o.Get("IssuerIdentifier").scalar(), want)
}

// isApplicationAccount reports whether a user is the account to which the
// partner application is linked.
func isApplicationAccount(_ *judge, o Object) bool {
	for _, p := range []string{"Name", "Identity", "DisplayName", "UserPrincipalName", "SamAccountName", "DistinguishedName"} {
		if strings.Contains(strings.ToLower(o.Get(p).scalar()), strings.ToLower(applicationAccount)) {
			return true
		}
	}
	return false
}

func isRoleOfAccount(_ *judge, o Object) bool {
	if o.Get("Enabled").yes() == crossprem.No {
		return false
	}
	for _, p := range []string{"RoleAssigneeName", "RoleAssignee", "User", "EffectiveUserName", "Name", "Identity"} {
		if strings.Contains(strings.ToLower(o.Get(p).scalar()), "exchange online-application") { // the names of assignments are cut
			return true
		}
	}
	return false
}

func isEdge(o Object) bool {
	return slices.ContainsFunc(o.Get("ServerRole").Texts(), func(role string) bool { return strings.EqualFold(role, "Edge") })
}

func isOverride(section, component string) func(*judge, Object) bool {
	return func(_ *judge, o Object) bool {
		have := o.Get("ComponentName").scalar()
		return strings.EqualFold(o.Get("SectionName").scalar(), section) && (component == "" || have == "" || strings.EqualFold(have, component))
	}
}

// isForTheCloud reports whether an address space is for the tenant, and not
// for another forest or another tenant's users.
func isForTheCloud(j *judge, o Object) bool {
	forest := o.Get("ForestName").scalar()
	return o.Side != OnPremises || exchange.IsTenantDomain(forest) || j.serviceDomain != "" && strings.EqualFold(forest, j.serviceDomain) ||
		strings.EqualFold(o.Get("AccessMethod").scalar(), "InternalProxy")
}

func isDedicatedPrincipal(j *judge, o Object) bool {
	id := o.Get("appId").scalar()
	return j.appID != "" && strings.EqualFold(id, j.appID) || dedicatedName.MatchString(o.Get("displayName").scalar())
}

// isDedicatedAssignment reports whether a role was granted to the dedicated
// application. A list of assignments is that of one principal.
func isDedicatedAssignment(j *judge, o Object) bool {
	principals, _ := j.find("DedicatedPrincipal", Entra)
	id := o.Get("principalId").scalar()
	for _, p := range principals {
		if strings.EqualFold(p.Get("id").scalar(), id) {
			return true
		}
	}
	if name := o.Get("principalDisplayName").scalar(); name != "" {
		applications, _ := j.find("DedicatedApplication", Entra)
		return dedicatedName.MatchString(name) || slices.ContainsFunc(applications, func(a Object) bool { return a.Get("displayName").scalar() == name })
	}
	return len(principals) == 0
}

// dedicatedOf returns the dedicated application: by its id where that is
// known, by its name otherwise, and if neither tells the only one captured.
func dedicatedOf(j *judge, all []Object) []Object {
	var found []Object
	for _, o := range all {
		if j.appID != "" && strings.EqualFold(o.Get("appId").scalar(), j.appID) || j.appID == "" && dedicatedName.MatchString(o.Get("displayName").scalar()) {
			found = append(found, o)
		}
	}
	if len(found) == 0 && len(all) == 1 && j.appID == "" {
		return all
	}
	return found
}

// emptyRealmFirst returns the partner applications without a realm, if there
// are any: those are the ones that Exchange uses.
func emptyRealmFirst(_ *judge, all []Object) []Object {
	without := slices.DeleteFunc(slices.Clone(all), func(o Object) bool { return !o.Get("Realm").isEmpty() })
	if len(without) > 0 {
		return without
	}
	return all
}

// withoutLeftovers leaves out a disabled auth server beside an enabled one of
// the same tenant.
func withoutLeftovers(_ *judge, all []Object) []Object {
	enabled := map[string]bool{}
	for _, o := range all {
		if o.Get("Enabled").yes() == crossprem.Yes {
			enabled[strings.ToLower(o.Get("Realm").scalar())] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(o Object) bool {
		return o.Get("Enabled").yes() == crossprem.No && enabled[strings.ToLower(o.Get("Realm").scalar())]
	})
}

// towardsTheTenant returns the connectors or relationships from the Exchange
// servers to the tenant: those with an address or domain of the cloud. If none
// has one, all of them: one must be meant. Those of Exchange Online are
// returned as they are.
func towardsTheTenant(j *judge, all []Object) []Object {
	var found []Object
	for _, o := range all {
		if o.Side != OnPremises || j.pointsToTheCloud(o) {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return all
	}
	return found
}

func (j *judge) pointsToTheCloud(o Object) bool {
	for _, p := range []string{"TargetAddressDomains", "DomainNames"} {
		if slices.ContainsFunc(o.Get(p).Texts(), func(d string) bool {
			return exchange.IsTenantDomain(d) || j.serviceDomain != "" && strings.EqualFold(d, j.serviceDomain)
		}) {
			return true
		}
	}
	for _, p := range []string{"DiscoveryEndpoint", "TargetSharingEpr", "TargetAutodiscoverEpr", "TargetApplicationUri"} {
		if exchange.IsMicrosoft(exchange.HostOf(o.Get(p).scalar())) {
			return true
		}
	}
	return false
}

func (j *judge) usesHybridAgent() crossprem.Answer {
	result := crossprem.AnswerUnknown
	for _, o := range j.c.Objects {
		if o.Side != ExchangeOnline || o.Kind != exchange.Connector && o.Kind != exchange.OrganizationRelationship {
			continue
		}
		for _, p := range []string{"DiscoveryEndpoint", "TargetSharingEpr"} {
			if host := exchange.HostOf(o.Get(p).scalar()); strings.HasSuffix(host, ".msappproxy.net") {
				return crossprem.Yes
			} else if host != "" {
				result = crossprem.No
			}
		}
	}
	return result
}

// build returns the build of a server: of ExSetup.exe where the capture has
// it, else of the cumulative update.
func (j *judge) build(o Object) (exchange.Build, bool) {
	for _, p := range []string{"ExSetupVersion", "AdminDisplayVersion"} {
		if b, ok := exchange.ParseBuild(o.Get(p).scalar()); ok {
			return b, true
		}
	}
	return exchange.Build{}, false
}
