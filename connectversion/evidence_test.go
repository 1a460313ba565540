package connectversion_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
	"github.com/crossprem/crossprem/connectversion/connectversiontest"
)

type (
	evidence = connectversion.Evidence
	keys     = connectversion.Registry
)

func version(t *testing.T, text string) connectversion.Version {
	v, err := connectversion.Parse(text)
	require.NoError(t, err)
	return v
}

func at(text string) time.Time {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return day
}

func file(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b, Mode: 0o644} }

func text(s string) *fstest.MapFile { return file([]byte(s)) }

const (
	software  = `HKEY_LOCAL_MACHINE\SOFTWARE\`
	uninstall = software + `Microsoft\Windows\CurrentVersion\Uninstall\`
	schannel  = `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2`
	dotNet    = `Microsoft\.NETFramework\v4.0.30319`
)

// A server whose upgrade to 2.6.84.0 was left half-way.
func TestGatherAndReconcile(t *testing.T) {
	folder := fstest.MapFS{
		"AzureADConnect.exe": file(connectversiontest.Executable(version(t, "2.6.84.0"), "2.6.84.0")),
		"bin/MIISERVER.EXE":  file(connectversiontest.Executable(version(t, "2.6.3.0"), "")),
		"unrelated.exe":      text("not read"),
		"notes.md":           text("not read"),
		"server.reg": file(connectversiontest.Export(keys{
			`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName`: {"ComputerName": "SYNC01"},
			uninstall + `{1}`:           {"DisplayName": "Microsoft Entra Connect Sync", "DisplayVersion": "2.6.84.0"},
			uninstall + `{2}`:           {"DisplayName": "Microsoft Azure AD Connect synchronization services", "DisplayVersion": "2.6.3.0"},
			uninstall + `{3}`:           {"DisplayName": "Microsoft Azure AD Connect Health agent for sync", "DisplayVersion": "4.5.2520.0"},
			uninstall + `{4}`:           {"DisplayName": "Microsoft Azure AD Connect Agent Updater", "DisplayVersion": "1.2.3.4"},
			uninstall + `{5}`:           {"DisplayName": "Contoso Paint", "DisplayVersion": "2.6.3.0"},
			uninstall + `{1}\InstProps`: {"DisplayName": "Microsoft Azure AD Connect", "DisplayVersion": "1.0.0.0"},
			software + `Microsoft\NET Framework Setup\NDP\v4\Full`: {"Release": uint32(528040)},
			software + `Microsoft\Windows NT\CurrentVersion`:       {"CurrentBuildNumber": "17763"},
		})),
		"logs/trace-20200909-221035.log": text("[22:10:35.149] [  1] [INFO ] Start Time (UTC): Wed, 09 Sep 2020 22:10:35 GMT\r\n" +
			"[22:10:35.149] [  1] [INFO ] Application Version: 1.5.45.0    \r\n"),
		"settings.txt": text("Name  : Microsoft.Synchronize.ServerConfigurationVersion\r\nValue : 2.6.3.0\r\n\r\n" +
			"Name  : Microsoft.OptionalFeature.AutoUpgradeSuspensionReason\r\nValue : UpgradeNotSupportedNonLocalDbInstall\r\n"),
		"scheduler.txt":                              text("PS C:\\> Get-ADSyncScheduler\r\n\r\nSyncCycleEnabled : True\r\nStagingModeEnabled : True\r\nSchedulerSuspended : True\r\n"),
		"credential.json":                            text(`{"ConnectorIdentityType": "ServiceAccount", "UserName": "Sync_SYNC01@contoso.test"}`),
		"Get-ADSyncAutoUpgrade.txt":                  text("Suspended\r\n"),
		"Get-ADSyncAADConnectorImportApiVersion.txt": text("2\r\n"),
		"Get-ADSyncAADConnectorExportApiVersion.txt": text("1\r\n"),
	}
	m, err := connectversion.Gather(folder)
	require.NoError(t, err)
	assert.Equal(t, connectversion.Facts{
		Server: "SYNC01", Authentication: connectversion.ServiceAccount,
		AutoUpgrade: connectversion.AutoUpgradeSuspended, AutoUpgradeDetail: "UpgradeNotSupportedNonLocalDbInstall",
		Staging: crossprem.Yes, SchedulerStopped: crossprem.Yes, DotNetRelease: 528040, WindowsBuild: 17763, ImportAPI: 2, ExportAPI: 1,
	}, m.Facts)

	r := connectversion.Reconcile(at("2026-11-22"), m.Evidence...)
	require.Len(t, r.Installed, 2)
	assert.Equal(t, connectversion.ConnectSync, r.Installed[0].Product)
	assert.Equal(t, "2.6.3.0", r.Installed[0].Version.String(), "the engine is what synchronises")
	assert.Equal(t, "SYNC01", r.Installed[0].Server)
	assert.Len(t, r.Installed[0].Evidence, 6)
	assert.Equal(t, connectversion.HealthAgent, r.Installed[1].Product)
	assert.Equal(t, "sync", r.Installed[1].Component)

	require.Len(t, r.Findings, 2)
	half := r.Findings[0]
	assert.Equal(t, "evidence-half-upgraded", half.Rule)
	assert.Equal(t, crossprem.Failed, half.Status)
	assert.Contains(t, half.Detail, "engine-file says 2.6.3.0; setup-file says 2.6.84.0")
	assert.NotContains(t, half.Detail, "1.5.45.0", "a trace is of its own time")
	assert.Equal(t, "evidence-staging-unseen", r.Findings[1].Rule)
}

// The same setting, in every form in which it arrives.
func TestSettingsInEveryForm(t *testing.T) {
	const name = "Microsoft.Synchronize.ServerConfigurationVersion"
	utf16 := func(s string) []byte {
		b := []byte{0xff, 0xfe}
		for _, r := range s {
			b = binary.LittleEndian.AppendUint16(b, uint16(r))
		}
		return b
	}
	for form, b := range map[string][]byte{
		"list.txt": []byte("Name  : " + name + "\r\nValue : 2.6.3.0\r\n"),
		"table.txt": []byte("\r\nName                                              Value\r\n" +
			"----                                              -----\r\n" +
			"Microsoft.Synchronize.SchedulerSuspended          False\r\n" +
			name + "  2.6.3.0\r\n"),
		"redirected.txt": utf16("Name  : " + name + "\r\nValue : 2.6.3.0\r\n"),
		"whole.json":     []byte(`{"Version": 1, "Parameters": [{"Name": "other", "Value": ""}, {"Name": "` + name + `", "Value": "2.6.3.0"}]}`),
		"list.json":      []byte(`[{"Name": "` + name + `", "Value": "2.6.3.0"}]`),
		"map.json":       []byte(`{"` + name + `": "2.6.3.0"}`),
		"settings.xml": utf16(`<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0"><T>Deserialized.X</T></TN>` +
			`<Props><Obj N="Parameters" RefId="1"><LST><Obj RefId="2"><Props><S N="Name">` + name + `</S><S N="Value">2.6.3.0</S></Props></Obj></LST></Obj></Props></Obj></Objs>`),
	} {
		m, err := connectversion.Gather(fstest.MapFS{form: file(b)})
		require.NoError(t, err, form)
		if assert.Len(t, m.Evidence, 1, form) {
			assert.Equal(t, "2.6.3.0", m.Evidence[0].Version.String(), form)
			assert.Equal(t, connectversion.FromSettings, m.Evidence[0].Origin, form)
		}
	}
}

func TestAutoUpgradeInEveryForm(t *testing.T) {
	for form, want := range map[string]connectversion.Facts{
		"Suspended\r\n": {AutoUpgrade: connectversion.AutoUpgradeSuspended},
		`"Enabled"`:     {AutoUpgrade: connectversion.AutoUpgradeEnabled},
		"2":             {},
		"PS C:\\> Get-ADSyncAutoUpgrade -Detail\r\nSuspended\r\nUpgradeNotSupportedNonLocalDbInstall\r\n": {
			AutoUpgrade: connectversion.AutoUpgradeSuspended, AutoUpgradeDetail: "UpgradeNotSupportedNonLocalDbInstall"},
		"AutoUpgradeState : Suspended\r\nSuspensionReason : PreUpgradeFailure\r\n": {
			AutoUpgrade: connectversion.AutoUpgradeSuspended, AutoUpgradeDetail: "PreUpgradeFailure"},
		`<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0"><T>System.Enum</T></TN>` +
			`<ToString>Disabled</ToString><I32>1</I32></Obj></Objs>`: {AutoUpgrade: connectversion.AutoUpgradeDisabled},
	} {
		m, err := connectversion.Gather(fstest.MapFS{"Get-ADSyncAutoUpgrade.txt": text(form)})
		require.NoError(t, err, form)
		assert.Equal(t, want, m.Facts, form)
	}
}

func TestGatherTellsWhatItCouldNotRead(t *testing.T) {
	m, err := connectversion.Gather(fstest.MapFS{
		"a/miiserver.exe":         text("MZ, but no more"),
		"broken.reg":              text("nothing"),
		"trace-1.log":             text("no version here"),
		"trace-2.log":             text("[INFO ] Application Version: 1.0.0.0-1446499270  \n"),
		"x.json":                  text("{"),
		"fine/AzureADConnect.exe": file(connectversiontest.Executable(version(t, "2.6.92.0"), "")),
	})
	require.Error(t, err)
	for _, name := range []string{"a/miiserver.exe", "broken.reg", "trace-1.log", "x.json"} {
		assert.Contains(t, err.Error(), "connectversion: "+name+": ")
	}
	assert.Equal(t, 3, strings.Count(err.Error(), "\n"), err)
	r := connectversion.Reconcile(at("2026-11-22"), m.Evidence...)
	require.Len(t, r.Installed, 1)
	assert.Equal(t, "2.6.92.0", r.Installed[0].Version.String())
	unreadable := 0
	for _, f := range r.Findings {
		if f.Rule == "evidence-unreadable" {
			assert.Equal(t, crossprem.Unknown, f.Status)
			assert.Contains(t, f.Detail, "a/miiserver.exe")
			assert.Contains(t, f.Detail, "trace-2.log")
			unreadable++
		}
	}
	assert.Equal(t, 1, unreadable, "one finding names the damaged program, and the odd build number")
}

// Two files that contradict each other leave the matter unknown, and say so.
func TestGatherContradictions(t *testing.T) {
	export := func(server, connect string, build string) *fstest.MapFile {
		return file(connectversiontest.Export(connectversion.Registry{
			`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName`:     {"ComputerName": server},
			`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion`:                   {"CurrentBuildNumber": build},
			`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\{` + server: {"DisplayName": "Microsoft Azure AD Connect", "DisplayVersion": connect},
		}))
	}
	m, err := connectversion.Gather(fstest.MapFS{
		"1.reg":                         export("SYNC01", "2.6.3.0", "20348"),
		"2.reg":                         export("SYNC02", "2.6.92.0", "17763"),
		"3.reg":                         export("SYNC01", "2.6.3.0", "20348"),
		"old/Get-ADSyncAutoUpgrade.txt": text("Enabled"),
		"new/Get-ADSyncAutoUpgrade.txt": text("Disabled"),
		"scheduler.json":                text(`{"StagingModeEnabled": true}`),
	})
	require.Error(t, err)
	assert.Equal(t, "connectversion: 2.reg: tells another server than 1.reg, another build of Windows than 1.reg; neither is taken\n"+
		"connectversion: old/Get-ADSyncAutoUpgrade.txt: tells another state of automatic upgrade than new/Get-ADSyncAutoUpgrade.txt; neither is taken", err.Error())
	assert.Equal(t, connectversion.Facts{Staging: crossprem.Yes}, m.Facts)
	r := connectversion.Reconcile(at("2026-11-22"), m.Evidence...)
	require.Len(t, r.Installed, 2, "each server has its own")
	assert.Equal(t, "SYNC02", r.Installed[1].Server)
	assert.Equal(t, version(t, "2.6.92.0"), r.Installed[1].Version)
}

// "reg export" writes one key and what is below it: TLS takes four files.
func TestGatherTLSFromSeveralExports(t *testing.T) {
	crypto := map[string]any{"SystemDefaultTlsVersions": uint32(1), "SchUseStrongCrypto": uint32(1)}
	on := map[string]any{"Enabled": uint32(1), "DisabledByDefault": uint32(0)}
	files := fstest.MapFS{}
	for name, r := range map[string]connectversion.Registry{
		"net64.reg": {`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\.NETFramework\v4.0.30319`: crypto},
		"net32.reg": {`HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\.NETFramework\v4.0.30319`: crypto},
		"schannel.reg": {
			`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client`: on,
			`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server`: on,
		},
	} {
		files[name] = file(connectversiontest.Export(r))
	}
	m, err := connectversion.Gather(files)
	require.NoError(t, err)
	assert.Equal(t, connectversion.Facts{TLS12: crossprem.Yes, TLS12Explicit: crossprem.Yes}, m.Facts)
	delete(files, "net32.reg")
	m, err = connectversion.Gather(files)
	require.NoError(t, err)
	assert.Equal(t, connectversion.Facts{}, m.Facts, "nobody looked there")
}

func TestPasswordProtectionInTheDirectory(t *testing.T) {
	m, err := connectversion.Gather(fstest.MapFS{"pp.txt": text(`PS C:\> Get-AzureADPasswordProtectionDCAgent

ServerFQDN            : dc1.contoso.test
SoftwareVersion       : 1.2.125.0
Domain                : contoso.test
PasswordPolicyDateUTC : 2/16/2026 8:35:01 AM
HeartbeatUTC          : 2/16/2026 8:35:01 AM

ServerFQDN            : dc2.contoso.test
SoftwareVersion       : 1.2.177.1
Domain                : contoso.test

PS C:\> Get-AzureADPasswordProtectionProxy

ServerFQDN            : sync01.contoso.test
SoftwareVersion       : 1.2.177.1
`)})
	require.NoError(t, err)
	r := connectversion.Reconcile(at("2026-11-22"), m.Evidence...)
	assert.Empty(t, r.Findings)
	require.Len(t, r.Installed, 3)
	var got []string
	for _, i := range r.Installed {
		got = append(got, i.Component+" "+i.Server+" "+i.Version.String())
	}
	assert.Equal(t, []string{"dc-agent dc1.contoso.test 1.2.125.0", "dc-agent dc2.contoso.test 1.2.177.1", "proxy sync01.contoso.test 1.2.177.1"}, got)
}

// Every domain may have its DC01, and a short name may stand for the only one.
func TestServersOfTheSameShortName(t *testing.T) {
	agent := func(server, v string, origin connectversion.Origin) connectversion.Evidence {
		return connectversion.Evidence{Product: connectversion.PasswordProtection, Component: "dc-agent", Origin: origin, Server: server, Version: version(t, v)}
	}
	r := connectversion.Reconcile(at("2026-11-22"), agent("dc01.eu.contoso.test", "1.2.177.1", connectversion.FromDirectory),
		agent("DC01.us.contoso.test", "1.2.125.0", connectversion.FromDirectory))
	assert.Len(t, r.Installed, 2)
	assert.Empty(t, r.Findings)
	r = connectversion.Reconcile(at("2026-11-22"), agent("dc01.eu.contoso.test", "1.2.177.1", connectversion.FromDirectory),
		agent("DC01", "1.2.177.1", connectversion.FromSetupFile))
	assert.Len(t, r.Installed, 1)

	m := connectversion.Machine{Facts: connectversion.Facts{Server: "dc01.us.contoso.test", WindowsBuild: 20348}}
	assert.Zero(t, m.FactsOf(connectversion.Installed{Server: "dc01.eu.contoso.test"}).WindowsBuild)
	assert.NotZero(t, m.FactsOf(connectversion.Installed{Server: "DC01"}).WindowsBuild)
}

func TestOddEvidence(t *testing.T) {
	e := connectversion.Evidence{Product: connectversion.ConnectSync, Version: version(t, "2.6.3.0"), Server: "SYNC01", At: at("2026-11-20")}
	reconcile := func(day string, origin connectversion.Origin, more ...connectversion.Evidence) connectversion.Reconciliation {
		e := e
		e.Origin = origin
		return connectversion.Reconcile(at(day), append(more, e)...)
	}
	// A tenant's value of today tells nothing of 2020.
	r := reconcile("2020-07-01", connectversion.FromTenant)
	assert.Contains(t, r.Findings[0].Detail, "That is after 2020-07-01")
	assert.Equal(t, crossprem.Unknown, r.Findings[0].Status)
	// An origin of the caller's own is not trusted before the programs.
	engine := connectversion.Evidence{Product: connectversion.ConnectSync, Version: version(t, "2.6.92.0"), Server: "SYNC01", Origin: connectversion.FromEngineFile}
	assert.Equal(t, version(t, "2.6.92.0"), reconcile("2026-11-22", "inventory", engine).Installed[0].Version)
	// A log alone is history, perhaps.
	r = reconcile("2026-11-22", connectversion.FromTrace)
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "evidence-trace-only", r.Findings[0].Rule)
	assert.Contains(t, r.Findings[0].Detail, "2.6.3.0 ran on 2026-11-20")
	assert.Empty(t, reconcile("2026-11-22", connectversion.FromTrace, engine).Findings)
}

// What is known of one server says nothing of another.
func TestFactsOf(t *testing.T) {
	m := connectversion.Machine{Facts: connectversion.Facts{Server: "SYNC01", Cloud: crossprem.Worldwide, DotNetRelease: 528040,
		AutoUpgrade: connectversion.AutoUpgradeEnabled, Authentication: connectversion.Application}}
	assert.Equal(t, m.Facts, m.FactsOf(connectversion.Installed{Product: connectversion.ConnectSync, Server: "sync01.contoso.test"}))
	assert.Equal(t, m.Facts, m.FactsOf(connectversion.Installed{Product: connectversion.ConnectSync}))
	assert.Equal(t, connectversion.Facts{Server: "dc1", Cloud: crossprem.Worldwide, Component: "dc-agent"},
		m.FactsOf(connectversion.Installed{Product: connectversion.PasswordProtection, Component: "dc-agent", Server: "dc1"}))
	assert.Equal(t, connectversion.Facts{Server: "SYNC01", Cloud: crossprem.Worldwide, DotNetRelease: 528040, HealthRole: "sync"},
		m.FactsOf(connectversion.Installed{Product: connectversion.HealthAgent, Component: "sync"}))
}

func TestTheTenantAgainstTheServer(t *testing.T) {
	day := at("2026-11-22")
	local := evidence{Product: connectversion.ConnectSync, Origin: connectversion.FromEngineFile, Version: version(t, "2.6.92.0"), Server: "sync01"}
	tenant := func(change func(*evidence)) evidence {
		e := evidence{Product: connectversion.ConnectSync, Origin: connectversion.FromTenant, Version: version(t, "2.6.92.0"),
			Server: "SYNC01.contoso.test", At: day.Add(-time.Hour), SyncEnabled: crossprem.Yes}
		change(&e)
		return e
	}
	status := func(rule string, e ...evidence) string {
		t.Helper()
		for _, f := range connectversion.Reconcile(day, e...).Findings {
			if f.Rule == rule {
				return f.Status.String()
			}
		}
		return "none"
	}
	same := tenant(func(*evidence) {})
	assert.Equal(t, "passed", status("evidence-stale", same, local))
	assert.Equal(t, "none", status("evidence-other-server", same, local), "the same machine, with its domain")
	assert.Equal(t, "none", status("evidence-tenant-differs", same, local))

	old := tenant(func(e *evidence) { e.At = day.AddDate(0, 0, -10) })
	assert.Equal(t, "failed", status("evidence-stale", old))
	assert.Empty(t, connectversion.Reconcile(day, old).Installed, "history is not an installation")
	assert.Len(t, connectversion.Reconcile(day, same).Installed, 1)
	assert.Equal(t, "failed", status("evidence-stale", tenant(func(e *evidence) { e.SyncEnabled = crossprem.No })))
	assert.Equal(t, "unknown", status("evidence-stale", tenant(func(e *evidence) { e.At = time.Time{} })))

	assert.Equal(t, "failed", status("evidence-tenant-differs", tenant(func(e *evidence) { e.Version = version(t, "2.6.3.0") }), local))
	other := tenant(func(e *evidence) { e.Server = "SYNC02" })
	assert.Equal(t, "failed", status("evidence-other-server", other, local))
	assert.Equal(t, "none", status("evidence-tenant-differs", other, local))
	local.Staging = crossprem.Yes
	assert.Equal(t, "failed", status("evidence-staging-unseen", other, local))
}

func TestRegistryTLS12(t *testing.T) {
	good := func() keys {
		return keys{
			software + `Microsoft\Windows NT\CurrentVersion`: {"CurrentBuildNumber": "20348"},
			software + dotNet:                  {"SystemDefaultTlsVersions": uint32(1), "SchUseStrongCrypto": uint32(1)},
			software + `WOW6432Node\` + dotNet: {"SystemDefaultTlsVersions": uint32(1), "SchUseStrongCrypto": uint32(1)},
			schannel + `\Client`:               {"Enabled": uint32(0xffffffff), "DisabledByDefault": uint32(0)},
			schannel + `\Server`:               {"enabled": uint32(1), "DisabledByDefault": uint32(0)},
		}
	}
	check := func(usable, explicit crossprem.Answer, change func(keys)) {
		t.Helper()
		r := good()
		change(r)
		u, e := r.TLS12()
		assert.Equal(t, usable, u)
		assert.Equal(t, explicit, e)
	}
	const yes, no, unknown = crossprem.Yes, crossprem.No, crossprem.AnswerUnknown
	check(yes, yes, func(keys) {})
	check(no, no, func(k keys) { k[schannel+`\Client`]["Enabled"] = uint32(0) })
	check(no, no, func(k keys) { k[schannel+`\Server`]["DisabledByDefault"] = uint32(1) })
	check(no, no, func(k keys) { k[software+dotNet]["SchUseStrongCrypto"] = uint32(0) })
	// Absent values are fine on a new system, and not known on an old one.
	check(yes, no, func(k keys) { k[schannel+`\Client`] = nil })
	check(unknown, no, func(k keys) {
		k[schannel+`\Client`] = nil
		k[software+`Microsoft\Windows NT\CurrentVersion`]["CurrentBuildNumber"] = "9600"
	})
	// Nobody looked.
	check(unknown, unknown, func(k keys) { delete(k, schannel+`\Client`) })
	// The export of a whole branch was looked at, down to what is missing.
	check(yes, no, func(k keys) {
		delete(k, schannel+`\Client`)
		delete(k, schannel+`\Server`)
		k[strings.TrimSuffix(schannel, `\TLS 1.2`)] = nil
	})
}

func TestNamesInProgramsAndFeatures(t *testing.T) {
	for name, want := range map[string]string{
		"Microsoft Azure AD Connect":                                        "connect-sync",
		"Microsoft Entra Connect Sync":                                      "connect-sync",
		"Microsoft Azure AD Connect synchronization services":               "connect-sync",
		"Microsoft Azure AD Connect Provisioning Agent":                     "cloud-sync",
		"Microsoft Entra Provisioning Agent":                                "cloud-sync",
		"Microsoft Azure AD Connect Authentication Agent":                   "pass-through-agent",
		"Microsoft AAD App Proxy Connector":                                 "private-network-connector",
		"Microsoft Azure Active Directory Application Proxy Connector":      "private-network-connector",
		"Microsoft Entra private network connector":                         "private-network-connector",
		"Azure AD Password Protection Proxy":                                "password-protection proxy",
		"Microsoft Entra Password Protection DC Agent":                      "password-protection dc-agent",
		"Microsoft Azure AD Connect Health Agent for AD DS":                 "health-agent adds",
		"Microsoft Entra Connect Health agent for AD FS":                    "health-agent adfs",
		"Microsoft Azure AD Connect Agent Updater":                          "",
		"Microsoft Entra private network connector updater":                 "",
		"Azure AD Connect Documenter":                                       "",
		"Contoso synchronization services":                                  "",
		strings.Repeat("Microsoft Azure AD Connect Provisioning Agent", 20): "",
	} {
		all := keys{uninstall + "x": {"DisplayName": name, "DisplayVersion": "1.2.3.4"}}.Evidence()
		got := ""
		if len(all) > 0 {
			got = strings.TrimSpace(all[0].Product.String() + " " + all[0].Component)
			assert.Equal(t, "1.2.3.4", all[0].Version.String())
		}
		assert.Equal(t, want, got, name)
	}
}

func TestLocalElsewhere(t *testing.T) {
	if _, err := connectversion.Local(); err != nil {
		assert.ErrorIs(t, err, connectversion.ErrNotWindows)
	}
}

// A resource that reads as a version is in the file as its bytes.
func FuzzReadFileVersion(f *testing.F) {
	for _, v := range []connectversion.Version{{Major: 2, Minor: 6, Build: 84}, {Major: 65535, Revision: 1}} {
		f.Add(connectversiontest.Executable(v, "2.6.84.0"))
		f.Add(connectversiontest.Executable(v, ""))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := connectversion.ReadFileVersion(bytes.NewReader(b))
		if err != nil {
			assert.Zero(t, got)
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		assert.NotZero(t, got.Version())
		for _, v := range []connectversion.Version{got.File, got.Product} {
			if v.IsZero() {
				continue
			}
			var raw []byte
			for _, part := range []uint16{v.Minor, v.Major, v.Revision, v.Build} {
				raw = binary.LittleEndian.AppendUint16(raw, part)
			}
			assert.True(t, bytes.Contains(b, raw))
		}
		assert.LessOrEqual(t, len(got.ProductVersion)+len(got.ProductName)+len(got.FileDescription), 3*64<<10)
		again, err := connectversion.ReadFileVersion(bytes.NewReader(b))
		require.NoError(t, err)
		assert.Equal(t, got, again)
	})
}

func TestExecutablesComeBack(t *testing.T) {
	for _, v := range []string{"2.6.84.0", "0.0.0.1", "65535.65535.65535.65535"} {
		for _, text := range []string{"", v, "2.6.84.0 (ä)"} {
			got, err := connectversion.ReadFileVersion(bytes.NewReader(connectversiontest.Executable(version(t, v), text)))
			require.NoError(t, err)
			assert.Equal(t, version(t, v), got.File)
			assert.Equal(t, version(t, v), got.Product)
			assert.Equal(t, text, got.ProductVersion)
		}
	}
	// Cut anywhere, it is an error or still the truth.
	whole := connectversiontest.Executable(version(t, "2.6.84.0"), "2.6.84.0")
	for n := range whole {
		got, err := connectversion.ReadFileVersion(bytes.NewReader(whole[:n]))
		if err == nil {
			assert.Equal(t, version(t, "2.6.84.0"), got.Version(), n)
		}
	}
}

// errFS cannot be read at all.
type errFS struct{}

func (errFS) Open(string) (fs.File, error) { return nil, errors.New("no such disk") }

func TestGatherNothing(t *testing.T) {
	m, err := connectversion.Gather(fstest.MapFS{})
	require.NoError(t, err)
	assert.Zero(t, m)
	_, err = connectversion.Gather(errFS{})
	assert.ErrorContains(t, err, "no such disk")
}

// Whatever lies in the folder, nothing is read that is not there: every
// version in the evidence is written in the input.
func FuzzGather(f *testing.F) {
	f.Add("trace-1.log", []byte("[INFO ] Application Version: 1.5.45.0\n"))
	f.Add("a.txt", []byte("Name : Microsoft.Synchronize.ServerConfigurationVersion\nValue : 2.6.3.0\n"))
	f.Add("a.json", []byte(`[{"ServerFQDN": "dc1", "SoftwareVersion": "1.2.125.0"}]`))
	f.Add("a.reg", connectversiontest.Export(keys{uninstall + "x": {"DisplayName": "Microsoft Azure AD Connect", "DisplayVersion": "2.6.3.0"}}))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if !fs.ValidPath(name) || name == "." || len(name) > 100 {
			return
		}
		m, err := connectversion.Gather(fstest.MapFS{name: file(b)})
		if err != nil {
			assert.NotContains(t, strings.TrimSpace(err.Error()), "\n\n")
		}
		plain := strings.ReplaceAll(string(b), "\x00", "")
		for _, e := range m.Evidence {
			if strings.HasSuffix(strings.ToLower(e.Where), ".exe") || e.Version.IsZero() {
				continue
			}
			assert.NotEmpty(t, e.Text)
			for part := range strings.SplitSeq(e.Text, ".") {
				assert.Contains(t, plain, strings.TrimSpace(part))
			}
		}
		r := connectversion.Reconcile(at("2026-11-22"), m.Evidence...)
		assert.LessOrEqual(t, len(r.Installed), len(m.Evidence))
	})
}
