package connectversion

import (
	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
)

// Facts are what is known of one installation besides its version. Every zero
// field means "not known"; a verdict that would need it is then unknown, and
// says so. Facts go into JSON and come back equal.
type Facts struct {
	Server string `json:"server,omitempty"` // its name, for the findings' Subject

	// Cloud is where the tenant lives. The vendor's rules differ between the
	// worldwide cloud and all others.
	Cloud crossprem.Cloud `json:"cloud,omitzero"`

	// Authentication is how Connect Sync signs in to Entra ID:
	// ConnectorIdentityType of Get-ADSyncEntraConnectorCredential.
	Authentication Authentication `json:"authentication,omitzero"`

	// AutoUpgrade and AutoUpgradeDetail are what Get-ADSyncAutoUpgrade and
	// Get-ADSyncAutoUpgrade -Detail say. Of a Password Protection proxy,
	// Enabled and Disabled stand for the setting that
	// Get-AzureADPasswordProtectionProxyConfiguration shows.
	AutoUpgrade       AutoUpgradeState `json:"autoUpgrade,omitzero"`
	AutoUpgradeDetail string           `json:"autoUpgradeDetail,omitempty"`

	// ProxyAutoUpgrade is AutoUpgradeEnabled of
	// Get-AzureADPasswordProtectionProxyConfiguration, which holds for every
	// proxy of the forest. [Machine.FactsOf] makes the AutoUpgrade of a proxy of it.
	ProxyAutoUpgrade crossprem.Answer `json:"proxyAutoUpgrade,omitzero"`

	Staging          crossprem.Answer `json:"staging,omitzero"`          // StagingModeEnabled of Get-ADSyncScheduler
	EditedConfig     crossprem.Answer `json:"editedConfig,omitzero"`     // miiserver.exe.config or miisclient.exe.config was edited
	SchedulerStopped crossprem.Answer `json:"schedulerStopped,omitzero"` // SchedulerSuspended of Get-ADSyncScheduler

	DotNetRelease uint32           `json:"dotNetRelease,omitempty"` // Release under HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full
	WindowsBuild  uint32           `json:"windowsBuild,omitempty"`  // CurrentBuildNumber: 9600 is Windows Server 2012 R2, 14393 is 2016
	TLS12         crossprem.Answer `json:"tls12,omitzero"`          // whether TLS 1.2 may be used; see [Registry.TLS12]
	TLS12Explicit crossprem.Answer `json:"tls12Explicit,omitzero"`  // whether every registry value for TLS 1.2 is set; see [Registry.TLS12]

	// ImportAPI and ExportAPI are what Get-ADSyncAADConnectorImportApiVersion
	// and Get-ADSyncAADConnectorExportApiVersion say: 1 or 2.
	ImportAPI int `json:"importAPI,omitempty"`
	ExportAPI int `json:"exportAPI,omitempty"`

	HealthRole string `json:"healthRole,omitempty"` // of a Health agent: "adds", "adfs" or "sync"
	Component  string `json:"component,omitempty"`  // of Password Protection: "dc-agent" or "proxy"
}

// An Authentication is how Connect Sync signs in to Entra ID.
type Authentication uint8

const (
	UnknownAuthentication Authentication = iota
	ServiceAccount                       // a user account with a password
	Application                          // an application with a certificate
)

var authenticationTexts = enum.Of[Authentication]("connectversion: authentication", "unknown", "ServiceAccount", "Application")

// String returns "unknown", "ServiceAccount" or "Application", the last two as
// the cmdlet writes them.
func (a Authentication) String() string { return authenticationTexts.String(a) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (a Authentication) MarshalText() ([]byte, error) { return authenticationTexts.Marshal(a) }

// UnmarshalText accepts what MarshalText gives.
func (a *Authentication) UnmarshalText(text []byte) error {
	return authenticationTexts.Unmarshal(a, text)
}

// An AutoUpgradeState is what Get-ADSyncAutoUpgrade says.
type AutoUpgradeState uint8

const (
	UnknownAutoUpgrade   AutoUpgradeState = iota
	AutoUpgradeEnabled                    // upgraded automatically if eligible
	AutoUpgradeSuspended                  // set by the system alone: not eligible for the moment
	AutoUpgradeDisabled                   // switched off
)

var autoUpgradeTexts = enum.Of[AutoUpgradeState]("connectversion: state of automatic upgrade", "Unknown", "Enabled", "Suspended", "Disabled").Also("unknown", UnknownAutoUpgrade)

// String returns the cmdlet's word, or "Unknown".
func (s AutoUpgradeState) String() string { return autoUpgradeTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s AutoUpgradeState) MarshalText() ([]byte, error) { return autoUpgradeTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *AutoUpgradeState) UnmarshalText(text []byte) error {
	return autoUpgradeTexts.Unmarshal(s, text)
}
