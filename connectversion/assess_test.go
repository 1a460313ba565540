package connectversion

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
)

// world judges one version on one day, and lists what is true of it.
type world struct {
	t *testing.T
	Assessment
}

func judge(t *testing.T, p Product, v, at string, facts Facts) world {
	t.Helper()
	return world{t, Assess(p, version(v), date(at), facts)}
}

// is checks the state of support and its last day, "" if there is none.
func (w world) is(s Support, until string) world {
	w.t.Helper()
	assert.Equal(w.t, s, w.Support)
	got := ""
	if !w.SupportUntil.IsZero() {
		got = w.SupportUntil.Format(time.DateOnly)
	}
	assert.Equal(w.t, until, got)
	return w
}

func (w world) find(rule string) crossprem.Finding {
	w.t.Helper()
	for _, f := range w.Findings {
		if f.Rule == rule {
			return f
		}
	}
	w.t.Errorf("no finding of %s", rule)
	return crossprem.Finding{}
}

func (w world) has(rule string, status crossprem.Status, severity crossprem.Severity) world {
	w.t.Helper()
	f := w.find(rule)
	assert.Equal(w.t, status, f.Status, rule)
	assert.Equal(w.t, severity, f.Severity, rule)
	return w
}

func (w world) lacks(rule string) world {
	w.t.Helper()
	for _, f := range w.Findings {
		assert.NotEqual(w.t, rule, f.Rule)
	}
	return w
}

const (
	unknown, passed, failed = crossprem.Unknown, crossprem.Passed, crossprem.Failed
	info, warning, critical = crossprem.Info, crossprem.Warning, crossprem.Critical
)

// The state of the 2.x line on one day, as the vendor's table has it.
func TestTheLineOfNovember2026(t *testing.T) {
	on := func(v string) world { t.Helper(); return judge(t, ConnectSync, v, "2026-11-22", Facts{}) }
	on("2.4.131.0").is(Retired, "2026-05-26").has("sync-stop-2026-09-30", failed, critical)
	on("2.5.76.0").is(Retired, "2026-09-01").has("sync-stop-2026-09-30", failed, critical)
	on("2.5.79.0").is(Retired, "2026-10-23").has("sync-stop-2026-09-30", passed, critical)
	on("2.5.190.0").is(Outdated, "2027-02-02")
	on("2.6.1.0").is(Outdated, "2027-03-10")
	on("2.6.3.0").is(Outdated, "2027-07-07").has("app-auth-2027-04-07", failed, warning)
	on("2.6.79.0").is(WasRecalled, "").has("recalled-2.6.79.0", failed, critical)
	on("2.6.84.0").is(Outdated, "2027-09-16").has("app-auth-2027-04-07", unknown, critical)
	on("2.6.91.0").is(Outdated, "2027-09-23")
	on("2.6.92.0").is(Supported, "").has(ruleStale.ID, unknown, info)
	on("2.6.93.0").is(NewerThanData, "").has(ruleNewerThanData.ID, unknown, info)
	on("2.5.80.0").is(Unlisted, "")
	on("1.6.16.0").is(Retired, "2022-08-31").has("v1-sync-stop", failed, critical)
}

// The question of July 2020, and what became of it.
func TestTheQuestionOfJuly2020(t *testing.T) {
	on := func(v, at string) world { t.Helper(); return judge(t, ConnectSync, v, at, Facts{}) }
	w := on("1.4.38.0", "2020-07-01").is(Outdated, "2022-08-31").has("connect-18-month-deprecation", failed, info)
	assert.Equal(t, version("1.5.30.0"), w.Latest)
	assert.Empty(t, w.Stopped)
	assert.Empty(t, w.MissingSecurityFixes)
	assert.Equal(t, Upcoming{"connect-18-month-deprecation", date("2021-07-20")}, w.Upcoming[0])
	assert.Equal(t, version("1.5.42.0"), on("1.4.38.0", "2020-07-10").Latest)

	// "… beginning with 1.3.20.0, released 2019-04-24, and older."
	w = on("1.3.20.0", "2020-07-01").has("connect-18-month-deprecation", failed, warning)
	assert.Equal(t, "2020-11-01", w.find("connect-18-month-deprecation").Due.Format(time.DateOnly))
	assert.Contains(t, on("1.3.20.0", "2020-11-01").find("connect-18-month-deprecation").Detail, "deprecated from 2020-11-01 on")
	w = on("1.3.20.0", "2020-07-01").has(ruleSecurity.ID, failed, critical)
	assert.Equal(t, []Version{version("1.3.21.0")}, w.MissingSecurityFixes)
	// The rule that took its place ends it.
	on("1.3.20.0", "2022-09-01").is(Retired, "2022-08-31").lacks("connect-18-month-deprecation")
	// 1.6 never reached 18 months while the rule held.
	on("1.6.4.0", "2022-08-01").lacks("connect-18-month-deprecation")
	// Not out yet.
	on("1.5.42.0", "2020-07-09").is(SupportUnknown, "2022-08-31").has(ruleSupportUnknown.ID, unknown, info)
}

func TestTheLastDay(t *testing.T) {
	judge(t, ConnectSync, "2.5.190.0", "2027-02-02", Facts{}).is(Outdated, "2027-02-02")
	judge(t, ConnectSync, "2.5.190.0", "2027-02-03", Facts{}).is(Retired, "2027-02-02")
	strict := Assessor{RetiredOnDay: true}
	assert.Equal(t, Retired, strict.Assess(ConnectSync, version("2.5.190.0"), date("2027-02-02"), Facts{}).Support)
	// A cut-off holds on its day.
	w := judge(t, ConnectSync, "2.5.76.0", "2026-09-30", Facts{}).has("sync-stop-2026-09-30", failed, critical)
	assert.Contains(t, w.Stopped, "sync-stop-2026-09-30")
	assert.Equal(t, date("2026-09-30"), w.find("sync-stop-2026-09-30").Due)
	// The date is the caller's own, whatever the hour and the zone.
	late := time.Date(2026, 9, 29, 23, 59, 0, 0, time.FixedZone("", -11*3600))
	assert.NotContains(t, Assess(ConnectSync, version("2.5.76.0"), late, Facts{}).Stopped, "sync-stop-2026-09-30")
}

// Support, a sync stop and a wizard stop are three things.
func TestEffectsAreNotConfused(t *testing.T) {
	w := judge(t, ConnectSync, "2.3.20.0", "2025-06-01", Facts{Cloud: crossprem.Worldwide})
	assert.Equal(t, []string{"hardening-2025-04-adfs-ping", "hardening-2025-04-wizard"}, w.Stopped)
	w.has("hardening-2025-04-wizard", failed, warning).has("sync-stop-2026-09-30", failed, info)
	assert.Contains(t, w.find("hardening-2025-04-wizard").Title, "synchronisation goes on")
	assert.Contains(t, w.find("hardening-2025-04-wizard").Detail, "2025-04-07 at first")
	judge(t, HealthAgent, "4.5.2428.0", "2026-10-01", Facts{}).has("autoupgrade-hardening-2026-09", failed, warning)
}

func TestFactsDecide(t *testing.T) {
	// The cloud.
	on := func(facts Facts) world { t.Helper(); return judge(t, ConnectSync, "2.4.18.0", "2025-06-01", facts) }
	on(Facts{}).has("hardening-2025-04-wizard", unknown, warning)
	on(Facts{Cloud: crossprem.Worldwide}).has("hardening-2025-04-wizard", passed, warning)
	on(Facts{Cloud: crossprem.GCCHigh}).has("hardening-2025-04-wizard", failed, warning)

	// How the server signs in.
	on = func(facts Facts) world { t.Helper(); return judge(t, ConnectSync, "2.6.92.0", "2027-04-07", facts) }
	assert.Empty(t, on(Facts{}).has("app-auth-2027-04-07", unknown, critical).Stopped)
	assert.Empty(t, on(Facts{Authentication: Application}).has("app-auth-2027-04-07", passed, critical).Stopped)
	w := on(Facts{Authentication: ServiceAccount}).has("app-auth-2027-04-07", failed, critical)
	assert.Equal(t, []string{"app-auth-2027-04-07"}, w.Stopped)
	assert.Equal(t, "Set up application-based authentication (Add-EntraApplicationRegistration, or the wizard).", w.find("app-auth-2027-04-07").Remedy)

	// The day before, what may hit is on the calendar; what cannot, is not.
	on = func(facts Facts) world { t.Helper(); return judge(t, ConnectSync, "2.6.92.0", "2027-04-06", facts) }
	due := []Upcoming{{"app-auth-2027-04-07", date("2027-04-07")}}
	assert.Equal(t, due, on(Facts{}).has("app-auth-2027-04-07", unknown, critical).Upcoming)
	assert.Equal(t, due, on(Facts{Authentication: ServiceAccount}).Upcoming)
	assert.Empty(t, on(Facts{Authentication: Application}).Upcoming)

	// Which part of Password Protection.
	on = func(facts Facts) world {
		t.Helper()
		return judge(t, PasswordProtection, "1.2.65.0", "2020-01-01", facts)
	}
	on(Facts{}).has("pp-dc-agent-preview-expiry-2", unknown, critical)
	on(Facts{Component: "dc-agent"}).has("pp-dc-agent-preview-expiry-2", failed, critical)
	on(Facts{Component: "proxy"}).lacks("pp-dc-agent-preview-expiry-2")

	// The server.
	on = func(facts Facts) world { t.Helper(); return judge(t, ConnectSync, "2.6.92.0", "2026-11-22", facts) }
	on(Facts{}).has("dotnet-4.7.2", unknown, warning).has("windows-server-2016", unknown, warning).lacks("dotnet-4.7.1")
	on(Facts{DotNetRelease: 461807}).has("dotnet-4.7.2", failed, warning)
	on(Facts{DotNetRelease: 461808}).has("dotnet-4.7.2", passed, warning)
	on(Facts{WindowsBuild: 9600}).has("windows-server-2016", failed, warning)
	on(Facts{WindowsBuild: 20348}).has("windows-server-2016", passed, warning)
	on(Facts{TLS12: crossprem.No}).has("tls12-required-v2", failed, warning)
	judge(t, ConnectSync, "2.4.27.0", "2025-01-01", Facts{TLS12Explicit: crossprem.No}).has("tls12-registry-check", failed, warning)
	on(Facts{TLS12Explicit: crossprem.No}).lacks("tls12-registry-check")
	judge(t, ConnectSync, "1.6.16.0", "2022-01-01", Facts{WindowsBuild: 17763}).has("v1.6-older-windows", failed, warning)
	judge(t, ConnectSync, "1.6.16.0", "2022-01-01", Facts{WindowsBuild: 9600}).has("v1.6-older-windows", passed, warning)
	judge(t, PasswordProtection, "1.2.177.1", "2026-11-22", Facts{Component: "proxy", WindowsBuild: 9200}).
		has("pp-proxy-windows-server-2012-r2", failed, warning).lacks("pp-dc-agent-windows-server-2012").lacks("pp-proxy-dotnet-4.7")
	judge(t, PasswordProtection, "1.2.177.1", "2026-11-22", Facts{}).has("pp-proxy-windows-server-2012-r2", unknown, warning)
	assert.Equal(t, "sync01", on(Facts{Server: "sync01"}).Findings[0].Subject)
}

func TestAutomaticUpgrade(t *testing.T) {
	// Where automation leaves a server today: three builds behind.
	on := func(v string, facts Facts) world { t.Helper(); return judge(t, ConnectSync, v, "2026-11-22", facts) }
	w := on("2.6.3.0", Facts{AutoUpgrade: AutoUpgradeEnabled}).has(ruleReach.ID, failed, warning)
	assert.Contains(t, w.find(ruleReach.ID).Detail, "app-auth-2027-04-07")
	assert.Contains(t, w.find(ruleReach.ID).Detail, "2.6.92.0")
	on("2.6.92.0", Facts{}).has(ruleReach.ID, passed, warning).lacks(ruleScheduler.ID)
	on("2.6.92.0", Facts{SchedulerStopped: crossprem.Yes}).has(ruleScheduler.ID, failed, critical)
	on("2.5.79.0", Facts{AutoUpgrade: AutoUpgradeDisabled}).has(ruleDisabled.ID, failed, warning).has(ruleReach.ID, failed, warning)
	w = on("2.5.79.0", Facts{AutoUpgrade: AutoUpgradeSuspended, AutoUpgradeDetail: "UpgradeNotSupportedNonLocalDbInstall"}).has(ruleSuspended.ID, failed, warning)
	assert.Contains(t, w.find(ruleSuspended.ID).Detail, "LocalDB")
	on("2.3.8.0", Facts{AutoUpgrade: AutoUpgradeEnabled}).has("autoupgrade-floor-2.3.20.0", failed, warning)
	on("2.5.79.0", Facts{EditedConfig: crossprem.Yes}).has("autoupgrade-modified-config-skip", failed, warning)
	on("2.6.3.0", Facts{EditedConfig: crossprem.Yes}).lacks("autoupgrade-modified-config-skip")
	on("2.5.79.0", Facts{WindowsBuild: 9600}).has("autoupgrade-windows-server-2016", failed, warning).has(ruleReach.ID, failed, warning)
	on("2.5.79.0", Facts{WindowsBuild: 14393}).lacks("autoupgrade-windows-server-2016")

	// While a release was being pushed, and after the window.
	judge(t, ConnectSync, "2.4.129.0", "2025-04-01", Facts{AutoUpgrade: AutoUpgradeEnabled}).has(ruleReach.ID, passed, warning)
	assert.Contains(t, judge(t, ConnectSync, "2.4.129.0", "2025-04-01", Facts{AutoUpgrade: AutoUpgradeEnabled}).find(ruleReach.ID).Detail, "takes the server to 2.4.131.0")
	assert.Contains(t, judge(t, ConnectSync, "2.4.129.0", "2025-05-01", Facts{AutoUpgrade: AutoUpgradeEnabled}).find(ruleReach.ID).Detail, "has nothing newer to offer")
	judge(t, ConnectSync, "2.4.129.0", "2025-04-01", Facts{}).has(ruleReach.ID, unknown, warning)

	proxy := func(v string, facts Facts) world {
		t.Helper()
		return judge(t, PasswordProtection, v, "2026-11-22", facts)
	}
	proxy("1.2.125.0", Facts{Component: "proxy", AutoUpgrade: AutoUpgradeEnabled}).has(ruleReach.ID, passed, info)
	proxy("1.2.125.0", Facts{Component: "proxy", AutoUpgrade: AutoUpgradeDisabled}).has(ruleReach.ID, failed, warning)
	proxy("1.2.65.0", Facts{Component: "proxy"}).has(ruleReach.ID, failed, info)
	proxy("1.2.125.0", Facts{Component: "proxy"}).has(ruleReach.ID, unknown, info)
	proxy("1.2.125.0", Facts{Component: "dc-agent"}).has(ruleReach.ID, failed, info)
	proxy("1.2.177.1", Facts{Component: "dc-agent"}).has(ruleReach.ID, passed, info)
	proxy("1.2.177.1", Facts{}).has(ruleReach.ID, unknown, info)
	judge(t, PassThroughAgent, "1.5.2482.0", "2026-11-22", Facts{}).has(ruleReach.ID, unknown, info)
}

func TestRecallsAndKnownIssues(t *testing.T) {
	judge(t, ConnectSync, "1.4.18.0", "2019-09-24", Facts{}).lacks("hold-1.4.18.0")
	judge(t, ConnectSync, "1.4.18.0", "2019-09-26", Facts{}).has("hold-1.4.18.0", failed, warning)
	judge(t, ConnectSync, "1.6.2.4", "2021-04-01", Facts{}).has("do-not-install-1.6.2.4", failed, warning)
	judge(t, ConnectSync, "1.1.558.0", "2017-08-01", Facts{}).is(Unlisted, "2022-08-31").has(ruleNeverReleased.ID, failed, warning)
	w := judge(t, ConnectSync, "2.0.88.0", "2022-01-01", Facts{}).has(ruleKnownIssues.ID, failed, info)
	assert.Contains(t, w.find(ruleKnownIssues.ID).Detail, "linked-mailbox-deletion")
	assert.Equal(t, version("2.0.89.0"), w.Latest)
}

func TestBranchesSideBySide(t *testing.T) {
	// 2.0.8.0 came out on the same day as 1.6.11.3, for the same CVE.
	w := judge(t, ConnectSync, "1.6.11.3", "2021-09-01", Facts{})
	assert.Empty(t, w.MissingSecurityFixes)
	w = judge(t, ConnectSync, "1.6.4.0", "2021-09-01", Facts{})
	assert.Equal(t, []Version{version("1.6.11.3"), version("2.0.8.0")}, w.MissingSecurityFixes)
	// Azure AD Sync left support before all other 1.x.
	judge(t, ConnectSync, "1.0.494.0501", "2017-04-14", Facts{}).is(Retired, "2017-04-13")
	judge(t, ConnectSync, "1.0.8641.0", "2017-04-14", Facts{}).is(Outdated, "2022-08-31")
}

func TestOtherProducts(t *testing.T) {
	judge(t, CloudSync, "1.1.2505.0", "2026-10-02", Facts{}).is(Supported, "").lacks(ruleStale.ID)
	w := judge(t, CloudSync, "1.1.354.0", "2026-11-22", Facts{}).is(Outdated, "").has(ruleSecurity.ID, failed, critical)
	assert.Contains(t, w.find(ruleOutdated.ID).Detail, "No document prints an end of support")
	judge(t, PrivateNetworkConnector, "1.5.20.0", "2026-11-22", Facts{}).is(Unlisted, "").has("pnc-update-below-1.5.36.0", failed, info)
	judge(t, PassThroughAgent, "1.5.402.0", "2026-11-22", Facts{}).is(Outdated, "")
	judge(t, HealthAgent, "4.5.2600.0", "2026-11-22", Facts{}).is(Unlisted, "")
	// What came out for AD FS alone does not make a Sync agent old.
	w = judge(t, HealthAgent, "3.1.110.0", "2021-10-01", Facts{}).is(Outdated, "")
	assert.Contains(t, w.find(ruleOutdated.ID).Detail, "role of this agent is not known")
	judge(t, HealthAgent, "3.1.110.0", "2021-10-01", Facts{HealthRole: "sync"}).is(Supported, "")
	judge(t, UnknownProduct, "2.6.3.0", "2026-11-22", Facts{}).is(SupportUnknown, "").has(ruleSupportUnknown.ID, unknown, info)
	judge(t, ConnectSync, "0.0.0.0", "2026-11-22", Facts{}).is(SupportUnknown, "")
	judge(t, Product(77), "2.6.3.0", "2026-11-22", Facts{}).is(SupportUnknown, "")
}

// Nobody knows the future, but the vendor's formula tells how long the newest
// release is safe whatever comes.
func TestTheFutureOfTheNewest(t *testing.T) {
	judge(t, ConnectSync, "2.6.92.0", "2027-09-28", Facts{}).is(Supported, "")
	w := judge(t, ConnectSync, "2.6.92.0", "2027-09-29", Facts{}).is(SupportUnknown, "")
	assert.Contains(t, w.find(ruleSupportUnknown.ID).Detail, "supported until 2027-09-28")
}

func TestV2Endpoint(t *testing.T) {
	on := func(v string, in, out int) world {
		t.Helper()
		return judge(t, ConnectSync, v, "2026-11-22", Facts{ImportAPI: in, ExportAPI: out})
	}
	on("1.5.30.0", 2, 2).has(ruleV2Endpoint.ID, passed, info)
	w := on("1.5.30.0", 1, 2).has(ruleV2Endpoint.ID, failed, info)
	assert.Equal(t, SwitchToV2, w.find(ruleV2Endpoint.ID).Remedy)
	on("2.6.3.0", 1, 1).has(ruleV2Endpoint.ID, failed, warning)
	on("2.6.3.0", 2, 0).has(ruleV2Endpoint.ID, unknown, warning)
	on("2.6.3.0", 0, 0).lacks(ruleV2Endpoint.ID)
	judge(t, ConnectSync, "1.4.38.0", "2020-07-01", Facts{}).has("v2-endpoint-opt-in", failed, info)
	x := ExplainV2Endpoint(version("1.4.38.0"), 1, 1)
	assert.Equal(t, crossprem.No, x.Can)
	assert.Equal(t, "Upgrade to 1.6.2.4 or newer.", x.Remedy)
}

func TestFindingsComeWorstFirst(t *testing.T) {
	w := judge(t, ConnectSync, "1.3.20.0", "2026-11-22", Facts{})
	rank := func(f crossprem.Finding) int {
		return map[crossprem.Status]int{failed: 0, unknown: 100, passed: 200}[f.Status] - int(f.Severity)
	}
	for i := range w.Findings[1:] {
		assert.LessOrEqual(t, rank(w.Findings[i]), rank(w.Findings[i+1]), w.Findings[i].Rule)
	}
	assert.Equal(t, ruleSecurity.ID, w.Findings[0].Rule, "what hurt first of what is critical")
	for _, axis := range []Axis{SupportAxis, CutoffAxis, SecurityAxis, AutoUpgradeAxis, FeatureAxis} {
		assert.NotEmpty(t, w.On(axis), axis)
	}
	assert.Equal(t, -1149, w.DaysLeft(date("2023-09-30")))
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(judge(t, ConnectSync, "2.6.3.0", "2026-11-22", Facts{}).Assessment)
	require.NoError(t, err)
	var keys map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &keys))
	delete(keys, "findings")
	delete(keys, "axes")
	rest, err := json.Marshal(keys)
	require.NoError(t, err)
	assert.JSONEq(t, `{"product": "connect-sync", "version": "2.6.3.0", "at": "2026-11-22", "asOf": "2026-09-28", "support": "outdated", "supportUntil": "2027-07-07",
		"basis": "printed", "printed": "2027-07-07", "computed": "2027-07-07", "latest": "2.6.92.0",
		"stopped": [], "upcoming": [{"rule": "app-auth-2027-04-07", "date": "2027-04-07"}], "missingSecurityFixes": ["2.6.84.0", "2.6.91.0", "2.6.92.0"]}`, string(rest))

	text, err = json.Marshal(Assessment{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"product": "unknown", "version": "0.0.0.0", "at": "0001-01-01", "asOf": null, "support": "unknown", "supportUntil": null, "latest": null,
		"stopped": [], "upcoming": [], "missingSecurityFixes": [], "findings": [], "axes": {}}`, string(text))
}

func TestExplainAutoUpgrade(t *testing.T) {
	x := ExplainAutoUpgrade("Suspended", "UpgradeAbortedAdSyncExeInUse")
	assert.Equal(t, AutoUpgradeSuspended, x.State)
	assert.Equal(t, "UpgradeAborted", x.Prefix)
	assert.Equal(t, crossprem.Yes, x.Temporary)
	assert.True(t, x.Known)

	x = ExplainAutoUpgrade("suspended", "UpgradeFailedRollbackSuccess-GetPasswordHashSyncStateFailed")
	assert.Equal(t, []string{"UpgradeFailedRollbackSuccess", "GetPasswordHashSyncStateFailed"}, x.Codes)
	assert.Equal(t, "UpgradeFailed", x.Prefix)
	assert.True(t, x.Known)

	x = ExplainAutoUpgrade("Suspended", "PreUpgradeFailure")
	assert.False(t, x.Known)
	assert.Equal(t, crossprem.AnswerUnknown, x.Temporary)
	assert.Contains(t, x.Meaning, `"PreUpgradeFailure"`)

	x = ExplainAutoUpgrade("Suspended", "UpgradeNotSupportedSomethingNew")
	assert.False(t, x.Known)
	assert.Equal(t, crossprem.No, x.Temporary)
	assert.Equal(t, "Upgrade by hand.", x.Remedy)

	x = ExplainAutoUpgrade("Suspended", "UpgradeNotSupportedStagingModeEnabled")
	assert.Contains(t, x.Meaning, "From 1.1.561.0 on this no longer blocks")
	assert.Contains(t, ExplainAutoUpgrade("Suspended", "").Remedy, "-Detail")
	assert.Contains(t, ExplainAutoUpgrade("Disabled", "").Remedy, "Enabled")
	assert.Equal(t, "AADHealthEndpointNotDefined", ExplainAutoUpgrade("Suspended", "AADHealthEndpointNotDefined").Codes[0])
	assert.Equal(t, UnknownAutoUpgrade, ExplainAutoUpgrade("Enabledd", "").State)
}

// The page lists the overviews as well as the codes, and case is nobody's promise.
func TestExplainOverviews(t *testing.T) {
	for detail, known := range map[string]bool{"Success": true, "UpgradeAborted": true, "upgradeabortedinsufficientdiskspace": true,
		"SuccessPerhaps": false, "-": false, " ": false, "PreUpgradeFailure": false} {
		assert.Equal(t, known, ExplainAutoUpgrade("Enabled", detail).Known, detail)
	}
	assert.Equal(t, crossprem.Yes, ExplainAutoUpgrade("Suspended", "upgradeabortedinsufficientdiskspace").Temporary)
	assert.NotContains(t, ExplainAutoUpgrade("Enabled", "Success").Meaning, "do not list")
	assert.Contains(t, ExplainAutoUpgrade("Suspended", " ").Remedy, "-Detail")
}

func TestAutoUpgradeEvents(t *testing.T) {
	assert.True(t, IsAutoUpgradeEvent("Microsoft Entra Connect Upgrade", 300))
	assert.True(t, IsAutoUpgradeEvent("Azure AD Connect Upgrade", 399))
	assert.False(t, IsAutoUpgradeEvent("Azure AD Connect Upgrade", 299))
	assert.False(t, IsAutoUpgradeEvent("Azure AD Connect Upgrade", 400))
	assert.False(t, IsAutoUpgradeEvent("ADSync", 350))
}

// Nothing of the detail is lost, whatever it holds, and what is called known
// is made of the vendor's codes.
func FuzzExplainAutoUpgrade(f *testing.F) {
	f.Add("Suspended", "UpgradeFailedRollbackSuccess-GetPasswordHashSyncStateFailed")
	f.Add("Enabled", "")
	f.Add("", "-")
	f.Add("Suspended", "- - Success-")
	f.Fuzz(func(t *testing.T, state, detail string) {
		x := ExplainAutoUpgrade(state, detail)
		assert.Equal(t, detail, x.Detail)
		assert.NotEmpty(t, x.Meaning)
		assert.Less(t, len(x.Meaning), 20_000)
		for _, code := range x.Codes {
			assert.Contains(t, detail, code)
			assert.NotContains(t, code, "-")
		}
		if x.Known {
			for _, code := range x.Codes {
				found := false
				for _, r := range resultCodes {
					found = found || strings.EqualFold(r.code, code)
				}
				for _, o := range overviews {
					found = found || strings.EqualFold(o.prefix, code)
				}
				assert.True(t, found, code)
			}
		}
	})
}

func TestAddMonths(t *testing.T) {
	for from, want := range map[string]string{"2024-02-29": "2025-02-28", "2025-01-31": "2026-01-31", "2024-03-01": "2025-03-01"} {
		assert.Equal(t, want, addMonths(date(from), 12).Format(time.DateOnly))
	}
	assert.Equal(t, "2020-11-30", addMonths(date("2019-05-31"), 18).Format(time.DateOnly))
}
