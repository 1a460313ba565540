package psobject

import "strings"

// verbs are those of the cmdlets that a bundle may name.
var verbs = func() map[string]bool {
	m := make(map[string]bool)
	for _, verb := range strings.Fields("get test find search export resolve invoke measure show select " +
		"new set add remove update start stop enable disable import convertto convertfrom read write connect compare trace debug confirm receive request") {
		m[verb] = true
	}
	return m
}()

// properNames are the names of cmdlets as they are documented, by those in
// lower case: at a prompt nobody minds the case.
var properNames = func() map[string]string {
	m := make(map[string]string)
	for _, name := range strings.Fields(`
		Get-AuthConfig Get-AuthServer Get-PartnerApplication Get-IntraOrganizationConnector Get-IntraOrganizationConfiguration
		Get-AvailabilityAddressSpace Get-AvailabilityConfig Get-OrganizationConfig Get-OrganizationRelationship
		Get-FederationTrust Get-FederatedOrganizationIdentifier Get-FederationInformation Get-SharingPolicy
		Get-HybridConfiguration Get-SettingOverride Get-ExchangeSettings Get-ExchangeServer Get-ExchangeCertificate
		Get-ExchangeDiagnosticInfo Get-WebServicesVirtualDirectory Get-AutodiscoverVirtualDirectory
		Get-MapiVirtualDirectory Get-OabVirtualDirectory Get-OwaVirtualDirectory Get-EcpVirtualDirectory
		Get-ActiveSyncVirtualDirectory Get-PowerShellVirtualDirectory Get-OutlookAnywhere Get-ClientAccessService
		Get-ClientAccessServer Get-AcceptedDomain Get-RemoteDomain Get-SendConnector Get-ReceiveConnector
		Get-InboundConnector Get-OutboundConnector Get-OnPremisesOrganization Get-MigrationEndpoint Get-Mailbox
		Get-RemoteMailbox Get-CASMailbox Get-EXOCASMailbox Get-CASMailboxPlan Get-AuthenticationPolicy Get-User
		Get-TransportConfig Get-ApplicationAccessPolicy Get-ManagementRoleAssignment Get-ServicePrincipal
		Test-OAuthConnectivity Test-OrganizationRelationship Test-FederationTrust Test-MigrationServerAvailability
		Test-WebServicesConnectivity Test-OutlookWebServices Test-ServiceHealth Test-ApplicationAccessPolicy
		Get-MgServicePrincipal Get-MgBetaServicePrincipal Get-MgApplication Get-MgBetaApplication
		Get-MgOrganization Get-MgBetaOrganization Get-MgDomain Get-MgUser Get-MgAuditLogSignIn Get-MgBetaAuditLogSignIn
		Get-AzureADServicePrincipal Get-MsolServicePrincipal Get-MsolServicePrincipalCredential
		Get-ADSyncScheduler Get-ADSyncGlobalSettings Get-ADSyncAutoUpgrade Get-ADSyncConnector Get-ADSyncAADCompanyFeature
		Get-ADSyncAADPasswordSyncConfiguration Get-ADSyncServerConfiguration Get-ADSyncConnectorRunStatus
		Get-AzureADPasswordProtectionDCAgent Get-AzureADPasswordProtectionProxy
		Get-ItemProperty Get-ItemPropertyValue Get-Item Get-ChildItem Get-Service Get-Process Get-HotFix
		Get-TlsCipherSuite Get-PfxCertificate Get-Certificate Get-WmiObject Get-CimInstance Get-ComputerInfo
		Get-ADUser Get-ADObject Get-ADDomainController Get-ADForest Get-ADDomain Get-NetTCPConnection
	`) {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// properCommand returns the name of a cmdlet as it is documented, if it is
// known, and as it was typed otherwise.
func properCommand(name string) string {
	if proper, ok := properNames[strings.ToLower(name)]; ok {
		return proper
	}
	return name
}

// isCmdlet reports whether s is the name of a cmdlet, in any case.
func isCmdlet(s string) bool {
	verb, noun, ok := strings.Cut(s, "-")
	if !ok || !verbs[strings.ToLower(verb)] || noun == "" {
		return false
	}
	for i, r := range noun {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') {
			return false
		}
	}
	return true
}
