package connectversion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

// An AutoUpgradeExplanation tells what Get-ADSyncAutoUpgrade means.
type AutoUpgradeExplanation struct {
	State  AutoUpgradeState // as read; Unknown if the word is not one of the cmdlet's
	Detail string           // as given

	// Prefix is the overview that result codes begin with: "Success",
	// "UpgradeAborted", "UpgradeNotSupported", "UpgradeFailed…" or "".
	// Codes are the parts of a compound result, such as
	// "UpgradeFailedRollbackSuccess" and "GetPasswordHashSyncStateFailed".
	Prefix string
	Codes  []string

	// Known reports whether every code is one that the vendor's pages list.
	Known bool

	// Temporary is Yes if the upgrade is tried again and can succeed by itself,
	// and No if somebody must act.
	Temporary crossprem.Answer

	Meaning string
	Remedy  string // "" where nothing needs to be done
}

// A resultCode is one that the vendor's page lists; until, if not zero, is the
// version from which it no longer blocks.
type resultCode struct {
	code, meaning, remedy string
	until                 Version
}

// Microsoft Learn, how-to-connect-install-automatic-upgrade, of 2018
// (the codes that 1.1.561.0 made history), 2024 and 2025.
var resultCodes = []resultCode{
	{code: "UpgradeAbortedCouldNotSetUpgradeMarker", meaning: "The registry could not be written."},
	{code: "UpgradeAbortedInsufficientDatabasePermissions", meaning: "The built-in administrators group has no rights on the database.", remedy: "Upgrade by hand once."},
	{code: "UpgradeAbortedInsufficientDiskSpace", meaning: "The disk has not enough space.", remedy: "Free disk space."},
	{code: "UpgradeAbortedSecurityGroupsNotPresent", meaning: "The security groups of the sync engine could not all be found."},
	{code: "UpgradeAbortedServiceCanNotBeStarted", meaning: "The sync service did not start."},
	{code: "UpgradeAbortedServiceCanNotBeStopped", meaning: "The sync service did not stop."},
	{code: "UpgradeAbortedServiceIsNotRunning", meaning: "The sync service is not running.", remedy: "Start the service ADSync."},
	{code: "UpgradeAbortedSyncCycleDisabled", meaning: "The scheduler's sync cycle is off.", remedy: "Set-ADSyncScheduler -SyncCycleEnabled $true"},
	{code: "UpgradeAbortedSyncExeInUse", meaning: "The Synchronization Service Manager is open on the server.", remedy: "Close it."},
	{code: "UpgradeAbortedAdSyncExeInUse", meaning: "The Synchronization Service Manager is open on the server.", remedy: "Close it."},
	{code: "UpgradeAbortedSyncOrConfigurationInProgress", meaning: "The wizard is running, or a sync was started outside the scheduler.", remedy: "Close the wizard."},

	{code: "UpgradeNotSupportedTLSVersionIncorrect", meaning: "TLS 1.2 is not enabled.", remedy: "Enable TLS 1.2, restart, and upgrade by hand if it stays suspended."},
	{code: "UpgradeNotSupportedCustomizedSyncRules", meaning: "There are custom sync rules.", until: Version{2, 2, 1, 0}},
	{code: "UpgradeNotSupportedInvalidPersistedState", meaning: "The installation was not made with Express settings or from DirSync."},
	{code: "UpgradeNotSupportedNonLocalDbInstall", meaning: "The database is not SQL Server Express LocalDB."},
	{code: "UpgradeNotSupportedLocalDbSizeExceeded", meaning: "The LocalDB database has 8 GB or more."},
	{code: "UpgradeNotSupportedAADHealthUploadDisabled", meaning: "Uploading health data is switched off in the portal.", remedy: "Switch it on in the portal."},

	{code: "UpgradeNotSupportedAdfsSignInMethod", meaning: "AD FS is the sign-in method.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedDeviceWritebackEnabled", meaning: "Device writeback is on.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedGroupWritebackEnabled", meaning: "Group writeback is on.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedMetaverseSizeExceeeded", meaning: "The metaverse has more than 100,000 objects.", until: Version{1, 1, 561, 0}}, // three e, as on the page
	{code: "UpgradeNotSupportedMetaverseSizeExceeded", meaning: "The metaverse has more than 100,000 objects.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedMultiForestSetup", meaning: "More than one forest is connected.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedNonMsolAccount", meaning: "The AD DS connector account is not the default MSOL_ account.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedNotConfiguredSignInMethod", meaning: "The sign-in method is \"Do not configure\".", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedPtaSignInMethod", meaning: "Pass-through authentication is the sign-in method.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedStagingModeEnabled", meaning: "The server is in staging mode.", until: Version{1, 1, 561, 0}},
	{code: "UpgradeNotSupportedUserWritebackEnabled", meaning: "User writeback is on.", until: Version{1, 1, 561, 0}},

	// Not upgrade results, but the page says that they are met.
	{code: "AADHealthEndpointNotDefined", meaning: "The endpoint of Connect Health, over which upgrades come, is not set.", remedy: "Check that Connect Health is registered and its addresses can be reached."},
	{code: "DirSyncInPlaceUpgradeNonLocalDb", meaning: "The server was upgraded from a DirSync that does not use LocalDB."},

	{code: "UpgradeFailedRollbackSuccess", meaning: "The upgrade failed, and the former version was put back."},
	{code: "GetPasswordHashSyncStateFailed", meaning: "The state of password hash synchronisation could not be read."},
}

// ExplainAutoUpgrade explains the words that Get-ADSyncAutoUpgrade and
// Get-ADSyncAutoUpgrade -Detail print. The detail is free text: usually the
// name of an upgrade result, sometimes several joined with "-", sometimes
// something else. What is not listed by the vendor is explained by its prefix
// and kept as it is. Either may be empty.
func ExplainAutoUpgrade(state, detail string) AutoUpgradeExplanation {
	x := AutoUpgradeExplanation{Detail: detail}
	for i, name := range autoUpgradeTexts.All() {
		if i > 0 && strings.EqualFold(strings.TrimSpace(state), name) {
			x.State = AutoUpgradeState(i)
		}
	}
	x.explainCodes(strings.TrimSpace(detail))
	switch x.State {
	case AutoUpgradeEnabled:
		x.Meaning = sentence("Automatic upgrade is on; the day of an upgrade is random.", x.Meaning)
	case AutoUpgradeDisabled:
		x.Temporary = crossprem.No
		x.Meaning = sentence("Automatic upgrade is off.", x.Meaning)
		x.Remedy = "Set-ADSyncAutoUpgrade -AutoUpgradeState Enabled"
	case AutoUpgradeSuspended:
		x.Meaning = sentence("The system itself suspended automatic upgrade: the server is not eligible for the moment.", x.Meaning)
		if strings.TrimSpace(detail) == "" {
			x.Remedy = "Get-ADSyncAutoUpgrade -Detail tells the reason."
		}
	default:
		x.Meaning = sentence("The state is not known.", x.Meaning)
	}
	return x
}

// An overview is what the beginning of a result code tells.
type overview struct {
	prefix    string
	temporary crossprem.Answer
	meaning   string
}

var overviews = []overview{
	{"Success", crossprem.AnswerUnknown, "The last upgrade succeeded."},
	{"UpgradeAborted", crossprem.Yes, "A passing condition stopped the upgrade; it is tried again."},
	{"UpgradeNotSupported", crossprem.No, "The configuration keeps the server from being upgraded automatically; expect to upgrade by hand."},
	{"UpgradeFailed", crossprem.AnswerUnknown, "An upgrade was begun and failed."},
}

// maxDetail is how much of a detail is taken apart; real ones are one word.
const maxDetail = 1024

func (x *AutoUpgradeExplanation) explainCodes(detail string) {
	if detail == "" || len(detail) > maxDetail {
		return
	}
	for code := range strings.SplitSeq(detail, "-") {
		if code = strings.TrimSpace(code); code != "" {
			x.Codes = append(x.Codes, code)
		}
	}
	x.Known = len(x.Codes) > 0
	for _, code := range x.Codes {
		i := slices.IndexFunc(resultCodes, func(r resultCode) bool { return strings.EqualFold(r.code, code) })
		if i < 0 {
			x.Known = x.Known && slices.ContainsFunc(overviews, func(o overview) bool { return strings.EqualFold(o.prefix, code) })
			continue
		}
		r := resultCodes[i]
		x.Meaning = sentence(x.Meaning, r.meaning)
		if !r.until.IsZero() {
			x.Meaning += fmt.Sprintf(" From %s on this no longer blocks.", r.until)
		}
		x.Remedy = sentence(x.Remedy, r.remedy)
	}
	for _, o := range overviews {
		if n := len(o.prefix); x.Codes != nil && len(x.Codes[0]) >= n && strings.EqualFold(x.Codes[0][:n], o.prefix) {
			x.Prefix, x.Temporary, x.Meaning = o.prefix, o.temporary, sentence(o.meaning, x.Meaning)
			break
		}
	}
	if !x.Known {
		x.Meaning = sentence(x.Meaning, fmt.Sprintf("The vendor's pages do not list %.80q; its name is all there is to go by.", detail))
	}
	if x.Remedy == "" && x.Temporary == crossprem.No {
		x.Remedy = "Upgrade by hand."
	}
}

// autoUpgradeSources are the names under which the upgrade has written to the
// Application event log. The pages were renamed as a whole in 2023; servers
// kept writing under the old name.
var autoUpgradeSources = []string{"Microsoft Entra Connect Upgrade", "Azure AD Connect Upgrade"}

// IsAutoUpgradeEvent reports whether an event of the Application log was written
// by automatic upgrade: IDs 300 to 399 under the new or the old source name.
func IsAutoUpgradeEvent(source string, id int) bool {
	return id >= 300 && id <= 399 && slices.ContainsFunc(autoUpgradeSources, func(name string) bool {
		return strings.EqualFold(name, strings.TrimSpace(source))
	})
}

// V2EndpointExplanation says whether Connect Sync talks to the V2 endpoint of
// the sync service.
type V2EndpointExplanation struct {
	On      crossprem.Answer // Yes if both import and export use it
	Can     crossprem.Answer // whether this version has it at all
	Only    bool             // this version no longer has the V1 interface
	Title   string
	Meaning string
	Remedy  string // the commands to switch, or what to install
}

// SwitchToV2 are the commands that switch Connect Sync to the V2 endpoint, for
// an elevated PowerShell on the server.
const SwitchToV2 = `Set-ADSyncScheduler -SyncCycleEnabled $false
Import-Module 'C:\Program Files\Microsoft Azure AD Sync\Extensions\AADConnector.psm1'
Set-ADSyncAADConnectorExportApiVersion 2
Set-ADSyncAADConnectorImportApiVersion 2
Set-ADSyncScheduler -SyncCycleEnabled $true`

// The builds at which the V2 endpoint could be chosen, became the default, and
// became the only one (reference-connect-version-history and its archive).
var (
	v2OptIn   = Version{1, 5, 30, 0}
	v2Default = Version{1, 6, 2, 4}
	v2Only    = Version{2, 5, 190, 0}
)

// ExplainV2Endpoint explains the numbers that
// Get-ADSyncAADConnectorImportApiVersion and …ExportApiVersion print: 1 or 2,
// or 0 if they were not asked. The endpoint is not offered in the German cloud.
func ExplainV2Endpoint(version Version, importAPI, exportAPI int) V2EndpointExplanation {
	x := V2EndpointExplanation{Can: crossprem.AnswerOf(!version.Less(v2OptIn)), Only: !version.Less(v2Only)}
	if version.IsZero() {
		x.Can, x.Only = crossprem.AnswerUnknown, false
	}
	switch {
	case importAPI == 2 && exportAPI == 2:
		x.On = crossprem.Yes
	case importAPI == 1 || exportAPI == 1:
		x.On = crossprem.No
	}
	x.Meaning = fmt.Sprintf("Import uses API version %s, export %s.", orUnknown(uint32(max(importAPI, 0))), orUnknown(uint32(max(exportAPI, 0))))
	switch {
	case x.On == crossprem.Yes:
		x.Title = "The V2 endpoint is in use"
	case x.Can == crossprem.No:
		x.Title = "This version does not have the V2 endpoint"
		x.Remedy = fmt.Sprintf("Upgrade to %s or newer.", v2Default)
	case x.On == crossprem.No:
		x.Title = "The V2 endpoint is not in use"
		x.Remedy = SwitchToV2
		if x.Only {
			x.Meaning += fmt.Sprintf(" From %s on there is no V1 interface any more.", v2Only)
		} else if !version.Less(v2Default) {
			x.Meaning += fmt.Sprintf(" From %s on it is the default; somebody switched back, or the database is older.", v2Default)
		}
	default:
		x.Title = "Whether the V2 endpoint is in use is not known"
		x.Meaning += " Look at Get-ADSyncAADConnectorImportApiVersion and Get-ADSyncAADConnectorExportApiVersion."
	}
	return x
}
