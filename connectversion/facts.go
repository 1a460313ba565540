package connectversion

import "fmt"

// Facts are what is known of one installation besides its version. Every zero
// field means "not known"; a verdict that would need it is then unknown, and
// says so.
type Facts struct {
	Server string // its name, for the findings' Subject
	Cloud  Cloud

	// Authentication tells how Connect Sync signs in to Entra ID:
	// ConnectorIdentityType of Get-ADSyncEntraConnectorCredential.
	Authentication Authentication

	// AutoUpgrade and AutoUpgradeDetail are what Get-ADSyncAutoUpgrade and
	// Get-ADSyncAutoUpgrade -Detail say. Of a Password Protection proxy,
	// Enabled and Disabled stand for the setting that
	// Get-AzureADPasswordProtectionProxyConfiguration shows.
	AutoUpgrade       AutoUpgradeState
	AutoUpgradeDetail string

	Staging          Answer // StagingModeEnabled of Get-ADSyncScheduler
	EditedConfig     Answer // miiserver.exe.config or miisclient.exe.config was edited
	SchedulerStopped Answer // SchedulerSuspended of Get-ADSyncScheduler

	DotNetRelease uint32 // Release under HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full
	WindowsBuild  uint32 // CurrentBuildNumber: 9600 is Windows Server 2012 R2, 14393 is 2016
	TLS12         Answer // whether TLS 1.2 may be used; see [Registry.TLS12]
	TLS12Explicit Answer // whether every registry value for TLS 1.2 is set; see [Registry.TLS12]

	// ImportAPI and ExportAPI are what Get-ADSyncAADConnectorImportApiVersion
	// and Get-ADSyncAADConnectorExportApiVersion say: 1 or 2.
	ImportAPI, ExportAPI int

	HealthRole string // of a Health agent: "adds", "adfs" or "sync"
	Component  string // of Password Protection: "dc-agent" or "proxy"
}

// A Cloud is where the tenant lives, as far as the vendor's rules differ.
type Cloud uint8

const (
	UnknownCloud Cloud = iota
	Commercial         // the worldwide cloud
	OtherCloud         // any other: US Government, China, …
)

// An Authentication is how Connect Sync signs in to Entra ID.
type Authentication uint8

const (
	UnknownAuthentication Authentication = iota
	ServiceAccount                       // a user account with a password
	Application                          // an application with a certificate
)

// String returns "unknown", "ServiceAccount" or "Application", the last two as
// the cmdlet writes them.
func (a Authentication) String() string {
	switch a {
	case ServiceAccount:
		return "ServiceAccount"
	case Application:
		return "Application"
	}
	return "unknown"
}

// An AutoUpgradeState is what Get-ADSyncAutoUpgrade says.
type AutoUpgradeState uint8

const (
	UnknownAutoUpgrade   AutoUpgradeState = iota
	AutoUpgradeEnabled                    // upgraded automatically if eligible
	AutoUpgradeSuspended                  // set by the system alone: not eligible for the moment
	AutoUpgradeDisabled                   // switched off
)

var autoUpgradeNames = [...]string{"Unknown", "Enabled", "Suspended", "Disabled"}

// String returns the cmdlet's word, or "Unknown".
func (s AutoUpgradeState) String() string {
	if int(s) < len(autoUpgradeNames) {
		return autoUpgradeNames[s]
	}
	return fmt.Sprintf("AutoUpgradeState(%d)", uint8(s))
}
