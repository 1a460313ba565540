package connectversion_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/internal/wintext"
)

var settings = [][2]string{
	{"Microsoft.OptionalFeature.DeviceWriteBack", "False"},
	{"Microsoft.UserWriteBack.Container", ""},
	{"Microsoft.Synchronize.SchedulerSuspended", "True"},
	{"Microsoft.OptionalFeature.AutoUpgradeSuspensionReason", "UpgradeNotSupportedNonLocalDbInstall"},
	{"Microsoft.Synchronize.ServerConfigurationVersion", "2.0.25.1"},
	{"Microsoft.Synchronize.StagingMode", "False"},
}

// each writes every setting with a format of name and value.
func each(format string) string {
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, format, s[0], s[1])
	}
	return b.String()
}

// The settings of Get-ADSyncGlobalSettings say the same in every rendering.
func TestRenderingsOfTheSettings(t *testing.T) {
	pasted, err := os.ReadFile("testdata/global-settings.txt")
	require.NoError(t, err)
	list := each("Name        : %s\nInputType   : String\nDescription : \nValue       : %s\n\n")
	for name, text := range map[string]string{
		"pasted.txt":     string(pasted),
		"dictionary.txt": each("%-55s : %s\n"),
		"table.txt":      "Name                                                   Value\n----                                                   -----\n" + each("%-54s %s\n"),
		"pairs.txt":      "Key                                                    Value\n---                                                    -----\n" + each("%-54s %s\n"),
		"list.txt":       list,
		"session.log":    "PS C:\\> (Get-ADSyncGlobalSettings).Parameters | Format-List\n\n" + list,
		"crlf.txt":       strings.ReplaceAll(list, "\n", "\r\n"),
		"utf16.txt":      "\xff\xfe" + string(wintext.EncodeUTF16(list)),
		"dict.json":      "{" + strings.TrimSuffix(each("%q: %q,"), ",") + "}",
		"list.json":      "[" + strings.TrimSuffix(each(`{"Name": %q, "Value": %q},`), ",") + "]",
		"whole.json":     `{"Version": 1, "Parameters": [` + strings.TrimSuffix(each(`{"Name": %q, "InputType": 0, "Value": %q},`), ",") + "]}",
		"out.csv":        "\"Name\",\"Value\"\r\n" + each("\"%s\",\"%s\"\r\n"),
		"literal.txt":    each("%s = %s\n"),
		"retyped.txt":    each("Name : %s\nInputType : String\nValue : %s\n\n"),
		"MV.xml":         `<mv-data><parameter-values>` + each(`<parameter name="%s" type="string">%s</parameter>`) + `</parameter-values></mv-data>`,
		"global.xml":     `<?xml version="1.0" encoding="utf-16"?><GlobalSettings><Parameters>` + each(`<Parameter><Name>%s</Name><Value>%s</Value></Parameter>`) + `</Parameters></GlobalSettings>`,
	} {
		m, err := connectversion.Gather(fstest.MapFS{"a/" + name: {Data: []byte(text)}})
		require.NoError(t, err, name)
		assert.Empty(t, m.NotUnderstood, name)
		require.Len(t, m.Evidence, 1, name)
		assert.Equal(t, "2.0.25.1", m.Evidence[0].Version.String(), name)
		assert.Equal(t, crossprem.Yes, m.Facts.SchedulerStopped, name)
		assert.Equal(t, connectversion.AutoUpgradeSuspended, m.Facts.AutoUpgrade, name)
		assert.Equal(t, "UpgradeNotSupportedNonLocalDbInstall", m.Facts.AutoUpgradeDetail, name)
		if name != "pasted.txt" {
			assert.Equal(t, crossprem.No, m.Facts.Staging, name)
		}
		rules := map[string]crossprem.Finding{}
		for _, f := range connectversion.Assess(connectversion.ConnectSync, m.Evidence[0].Version, at("2026-11-26"), m.Facts).Findings {
			rules[f.Rule] = f
		}
		assert.Equal(t, crossprem.Critical, rules["scheduler-suspended"].Severity, name)
		assert.Equal(t, crossprem.Failed, rules["auto-upgrade-suspended"].Status, name)
		assert.Contains(t, rules["auto-upgrade-suspended"].Detail, "LocalDB", name)
	}
}

// A suspension is not made of "False", of an empty reason, or of a success.
func TestSettingsThatAreFine(t *testing.T) {
	fine := strings.NewReplacer("SchedulerSuspended : True", "SchedulerSuspended : False", "UpgradeNotSupportedNonLocalDbInstall", "")
	text := fine.Replace(each("%s : %s\n"))
	m, err := connectversion.Gather(fstest.MapFS{"x.txt": {Data: []byte(text)}})
	require.NoError(t, err)
	assert.Equal(t, crossprem.No, m.Facts.SchedulerStopped)
	assert.Equal(t, connectversion.UnknownAutoUpgrade, m.Facts.AutoUpgrade)
	// What Get-ADSyncAutoUpgrade says counts before a reason that was kept.
	m, err = connectversion.Gather(fstest.MapFS{"Get-ADSyncAutoUpgrade.txt": {Data: []byte("Enabled\n")}, "x.txt": {Data: []byte(each("%s : %s\n"))}})
	require.NoError(t, err)
	assert.Equal(t, connectversion.AutoUpgradeEnabled, m.Facts.AutoUpgrade)
}

func TestProxyConfiguration(t *testing.T) {
	const proxy = "PS C:\\> Get-AzureADPasswordProtectionProxy\n\nServerFQDN      : proxy1.contoso.test\nSoftwareVersion : 1.2.177.0\nDomain          : contoso.test\nHeartbeatUTC    : 11/20/2026 7:41:12 AM\n\n"
	for text, want := range map[string]crossprem.Status{
		"PS C:\\> Get-AzureADPasswordProtectionProxyConfiguration\n\nAutoUpgradeEnabled\n------------------\n              True\n": crossprem.Passed,
		"PS C:\\> Get-AzureADPasswordProtectionProxyConfiguration | fl\n\nAutoUpgradeEnabled : False\n":                            crossprem.Failed,
		"": crossprem.Unknown,
	} {
		m, err := connectversion.Gather(fstest.MapFS{"proxy.txt": {Data: []byte(proxy + text)}})
		require.NoError(t, err)
		installed := connectversion.Reconcile(at("2026-11-26"), m.Evidence...).Installed
		require.Len(t, installed, 1)
		for _, f := range connectversion.Assess(connectversion.PasswordProtection, installed[0].Version, at("2026-11-26"), m.FactsOf(installed[0])).Findings {
			if f.Rule == "auto-upgrade-reach" {
				assert.Equal(t, want, f.Status, text)
			}
		}
	}
}

// Each kind of file, and what is taken from it.
func TestKindsOfEvidence(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"versioninfo.txt":                       {"ProductVersion   FileVersion      FileName\n--------------   -----------      --------\n2.5.79.0         2.5.79.0         C:\\Program Files\\Microsoft Azure Active Directory Connect\\AzureADConnect.exe\n", "connect-sync setup-file 2.5.79.0"},
		"versioninfo2.txt":                      {"File:             C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\miiserver.exe\nInternalName:     miiserver\nOriginalFilename: miiserver.exe\nFileVersion:      2.5.79.0\nProductVersion:   2.5.79.0\n", "connect-sync engine-file 2.5.79.0"},
		"products.txt":                          {"IdentifyingNumber : {X}\nName              : Microsoft Azure AD Connect\nVendor            : Microsoft Corporation\nVersion           : 2.5.79.0\nCaption           : Microsoft Azure AD Connect\n", "connect-sync uninstall-key 2.5.79.0"},
		"package.txt":                           {"Name                           Version          Source                           ProviderName\n----                           -------          ------                           ------------\nMicrosoft Azure AD Connect     2.5.79.0         Programs                         Programs\n", "connect-sync uninstall-key 2.5.79.0"},
		"uninstall.json":                        {`[{"DisplayName":"Microsoft Entra Connect Sync","DisplayVersion":"2.5.79.0"},{"DisplayName":"Contoso Paint","DisplayVersion":"9.9.9.9"}]`, "connect-sync uninstall-key 2.5.79.0"},
		"graph.json":                            {`{"@odata.context":"x","value":[{"id":"1","configuration":{"synchronizationClientVersion":"2.5.79.0","currentExportData":{"clientMachineName":"SYNC1"}}}]}`, "connect-sync tenant 2.5.79.0 SYNC1"},
		"connectors.json":                       {`{"value":[{"id":"1","machineName":"p1.contoso.test","externalIp":"192.0.2.1","status":"active","version":"1.5.4522.0"}]}`, "private-network-connector directory 1.5.4522.0 p1.contoso.test"},
		"dc.txt":                                {"PS C:\\> Get-AzureADPasswordProtectionDCAgent\n\nServerFQDN            : dc1.contoso.test\nDomain                : contoso.test\nPasswordPolicyDateUTC : 1/1/2026 1:00:00 AM\nHeartbeatUTC          : 1/1/2026 1:00:00 AM\n", "password-protection/dc-agent directory 0.0.0.0 dc1.contoso.test"},
		"AzureADConnectProvisioningAgent_1.log": {"[10:00] [INFO] started\n[10:00] [INFO] Agent version: 1.1.2334.0\n", "cloud-sync setup-trace 1.1.2334.0"},
	} {
		m, err := connectversion.Gather(fstest.MapFS{name: {Data: []byte(c.text)}})
		require.NoError(t, err, name)
		assert.Empty(t, m.NotUnderstood, name)
		if !assert.Len(t, m.Evidence, 1, name) {
			continue
		}
		e := m.Evidence[0]
		product := e.Product.String()
		if e.Component != "" {
			product += "/" + e.Component
		}
		assert.Equal(t, c.want, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", product, e.Origin, e.Version, e.Server)), name)
	}
	m, err := connectversion.Gather(fstest.MapFS{"events.txt": {Data: []byte("TimeCreated  : 11/20/2026 7:00:00 AM\nProviderName : Azure AD Connect Upgrade\nId           : 304\nMessage      : Automatic upgrade is not possible: UpgradeNotSupportedLocalDbSizeExceeded.\n")}})
	require.NoError(t, err)
	assert.Equal(t, "UpgradeNotSupportedLocalDbSizeExceeded", m.Facts.AutoUpgradeDetail)
	assert.Equal(t, connectversion.UnknownAutoUpgrade, m.Facts.AutoUpgrade, "an event is history")
}

// An agent without a version is listed as unknown, not dropped; and files that
// were not understood are listed.
func TestNothingIsDropped(t *testing.T) {
	m, err := connectversion.Gather(fstest.MapFS{
		"dc.json":    {Data: []byte(`[{"ServerFQDN":"dc1.contoso.test","PasswordPolicyDateUTC":null},{"ServerFQDN":"dc2.contoso.test","SoftwareVersion":"1.2.177.1","PasswordPolicyDateUTC":null}]`)},
		"notes.docx": {Data: []byte("x")}, "readme.txt": {Data: []byte("call me\n")}, "broken.reg": {Data: []byte("x")}, "setup.exe": {Data: []byte("MZ")},
		"bad.xml": {Data: []byte("<a><b></a>")},
	})
	assert.Error(t, err)
	r := connectversion.Reconcile(at("2026-11-26"), m.Evidence...)
	require.Len(t, r.Installed, 2)
	assert.True(t, r.Installed[0].Version.IsZero())
	assert.Equal(t, "dc1.contoso.test", r.Installed[0].Server)
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "evidence-unreadable", r.Findings[0].Rule)
	var files []string
	for _, u := range m.NotUnderstood {
		files = append(files, u.File)
		assert.NotEmpty(t, u.Why)
		assert.NotContains(t, u.Why, "\n")
	}
	assert.Equal(t, []string{"bad.xml", "broken.reg", "notes.docx", "readme.txt", "setup.exe"}, files)
}

func TestFleet(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	folder := fstest.MapFS{
		"contoso/SYNC1/settings.txt":     file("Microsoft.Synchronize.ServerConfigurationVersion : 2.6.3.0\n"),
		"contoso/SYNC2/settings.txt":     file("Microsoft.Synchronize.ServerConfigurationVersion : 2.4.131.0\n"),
		"contoso/SYNC2/scheduler.txt":    file("StagingModeEnabled : True\n"),
		"contoso/sync.json":              file(`{"value":[{"configuration":{"synchronizationClientVersion":"2.6.1.0","currentExportData":{"clientMachineName":"SYNC1"}}}]}`),
		"contoso/organization.json":      file(`{"value":[{"id":"1","onPremisesSyncEnabled":true,"onPremisesLastSyncDateTime":"2026-11-25T18:40:03Z"}]}`),
		"fabrikam/AADC/settings.txt":     file("Microsoft.Synchronize.ServerConfigurationVersion : 2.6.92.0\n"),
		"fabrikam/AADC/notes.pdf":        file("x"),
		"fabrikam/PROXY/products.json":   file(`[{"DisplayName":"Microsoft Entra private network connector","DisplayVersion":"1.5.4522.0"}]`),
		"alone/Get-ADSyncScheduler.json": file(`{"SchedulerSuspended":false}`),
		"alone/settings.txt":             file("Microsoft.Synchronize.ServerConfigurationVersion : 1.4.38.0\n"),
	}
	servers, err := connectversion.GatherFleet(folder)
	require.NoError(t, err)
	fleet := connectversion.AssessFleet(at("2026-11-26"), at("2027-11-26"), servers...)
	var lines []string
	for _, i := range fleet.Installed {
		left, ends := i.DaysLeft()
		lines = append(lines, fmt.Sprintf("%s/%s %s %s %s %d %v %d", i.Tenant, i.Server, i.Assessment.Product, i.Assessment.Version, i.Assessment.Support, left, ends, len(i.Contradictions)))
	}
	assert.Equal(t, []string{
		"/alone connect-sync 1.4.38.0 retired 0 true 0",
		"contoso/SYNC2 connect-sync 2.4.131.0 retired 0 true 2",
		"contoso/SYNC1 connect-sync 2.6.3.0 outdated 0 true 1",
		"fabrikam/PROXY private-network-connector 1.5.4522.0 outdated 0 false 0",
		"fabrikam/AADC connect-sync 2.6.92.0 supported 307 true 0",
	}, lines)
	assert.Equal(t, []connectversion.Unread{{File: "fabrikam/AADC/notes.pdf", Why: "not a kind of file that is read"}}, fleet.NotUnderstood)
}

func TestDiff(t *testing.T) {
	assert.Empty(t, connectversion.Diff(connectversion.Embedded(), connectversion.Embedded()))
	load := func(change func(string) string) *connectversion.Catalogue {
		files := fstest.MapFS{}
		for _, name := range []string{"connect-sync.json", "policies.json"} {
			text, err := os.ReadFile("data/" + name)
			require.NoError(t, err)
			files[name] = &fstest.MapFile{Data: []byte(change(string(text)))}
		}
		c, err := connectversion.LoadCatalogue(files)
		require.NoError(t, err)
		return c
	}
	before := load(func(s string) string { return s })
	after := load(func(s string) string {
		s = strings.Replace(s, `"asOf": "2026-09-28"`, `"asOf": "2026-12-01"`, 1)
		s = strings.Replace(s, `"retired": "2027-07-07"`, `"retired": "2027-08-07"`, 1)
		s = strings.Replace(s, `{"version": "2.6.92.0"`, `{"version": "2.6.91.9", "released": "2026-11-30", "securityFix": true, "cves": ["CVE-2026-9999"], "note": "x", "source": "history"},`+"\n"+`{"version": "2.6.92.0"`, 1)
		return strings.Replace(s, `"effective": "2027-04-07"`, `"effective": "2027-05-07"`, 1)
	})
	var got []string
	for _, d := range connectversion.Diff(before, after) {
		got = append(got, d.Kind.String()+" "+d.What)
	}
	assert.Equal(t, []string{"new-release 2.6.91.9 came out on 2026-11-30 and fixes weaknesses (CVE-2026-9999).",
		"changed-release 2.6.3.0: Retired is 2027-08-07, was 2027-07-07.",
		"changed-policy app-auth-2027-04-07: Effective is 2027-05-07, was 2027-04-07."}, got)
	assert.Len(t, connectversion.Diff(nil, before), len(connectversion.Diff(before, nil)))
}
