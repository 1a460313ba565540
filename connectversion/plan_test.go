package connectversion

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
)

func plan(v, at, horizon string, facts Facts) UpgradePlan {
	return Plan(Installed{Product: ConnectSync, Version: version(v)}, facts, date(at), date(horizon))
}

func TestPlan(t *testing.T) {
	p := plan("2.6.3.0", "2026-11-22", "2027-12-31", Facts{AutoUpgrade: AutoUpgradeEnabled})
	assert.Equal(t, version("2.6.92.0"), p.Target, "2.6.84.0 would do for April, but lacks security fixes")
	assert.Equal(t, []Deadline{
		{ruleSecurity.ID, date("2026-11-22"), "3 security fixes are missing"},
		{"app-auth-2027-04-07", date("2027-04-07"), "synchronisation stops"},
		{ruleRetired.ID, date("2027-07-07"), "support ends"},
	}, p.Deadlines)
	assert.Equal(t, crossprem.Failed, p.Automation)
	assert.Contains(t, p.Why, "2.6.3.0")
	assert.Contains(t, strings.Join(p.Besides, "\n"), "application-based authentication")

	// Nothing to do, as far as anybody knows.
	all := Facts{Authentication: Application, DotNetRelease: 528040, WindowsBuild: 20348, TLS12: crossprem.Yes, AutoUpgrade: AutoUpgradeEnabled}
	p = plan("2.6.92.0", "2026-11-22", "2027-04-30", all)
	assert.Equal(t, version("2.6.92.0"), p.Target)
	assert.Equal(t, crossprem.Passed, p.Automation)
	assert.Empty(t, p.Deadlines)
	assert.Empty(t, p.Besides)

	// The version is good, the server is not.
	all.Authentication, all.DotNetRelease = ServiceAccount, 461000
	p = plan("2.6.92.0", "2026-11-22", "2027-04-30", all)
	assert.Equal(t, version("2.6.92.0"), p.Target)
	assert.Len(t, p.Besides, 2)
	assert.Len(t, p.Deadlines, 1)
}

func TestPlanOfThePast(t *testing.T) {
	// In July 2020 nothing had to be done for eleven months; from then on any
	// release would deprecate 1.4.38.0.
	p := plan("1.4.38.0", "2020-07-01", "2021-06-08", Facts{})
	assert.Equal(t, version("1.4.38.0"), p.Target)
	assert.Equal(t, []Step{{From: date("2020-07-01"), Until: date("2021-06-08"), Version: version("1.4.38.0")}}, p.Steps)
	p = plan("1.4.38.0", "2020-07-01", "2021-06-30", Facts{})
	assert.Equal(t, []Step{{From: date("2020-07-01"), Until: date("2021-06-08"), Version: version("1.4.38.0")},
		{From: date("2021-06-09"), Until: date("2021-06-30"), Version: version("1.5.18.0"), Why: []string{"connect-18-month-deprecation"}}}, p.Steps)
	assert.Equal(t, version("1.5.18.0"), p.Target)
	assert.Equal(t, []Deadline{{"connect-18-month-deprecation", date("2021-06-09"), "deprecated with the first release after that day"}}, p.Deadlines)
	// For the day after all 1.x retired, no release of that day would do.
	p = plan("1.4.38.0", "2020-07-01", "2022-09-01", Facts{})
	assert.Zero(t, p.Target)
	assert.Equal(t, version("1.5.30.0"), p.Newest)
	assert.Equal(t, crossprem.Failed, p.Automation)

	// While 2.4.131.0 was pushed, automation got there.
	p = plan("2.4.27.0", "2025-04-01", "2025-05-01", Facts{AutoUpgrade: AutoUpgradeEnabled, Cloud: crossprem.Worldwide})
	assert.Equal(t, version("2.4.27.0"), p.Target)
	p = plan("2.3.20.0", "2025-04-01", "2025-05-01", Facts{AutoUpgrade: AutoUpgradeEnabled, Cloud: crossprem.Worldwide})
	assert.Equal(t, version("2.4.18.0"), p.Target)
	assert.Equal(t, crossprem.Passed, p.Automation)
	p = plan("2.3.20.0", "2025-04-01", "2025-05-01", Facts{AutoUpgrade: AutoUpgradeSuspended, Cloud: crossprem.Worldwide})
	assert.Equal(t, crossprem.Failed, p.Automation)
	assert.Equal(t, "Automatic upgrade is suspended.", p.Why)
	p = plan("2.3.20.0", "2025-04-01", "2025-05-01", Facts{Cloud: crossprem.Worldwide})
	assert.Equal(t, crossprem.Unknown, p.Automation)

	// A horizon before the day is the day.
	p = plan("2.3.20.0", "2025-04-01", "2020-01-01", Facts{})
	assert.Equal(t, p.At, p.Horizon)
}

// What is not known is neither good nor a failure.
func TestPlanOfTheUnknown(t *testing.T) {
	on := func(product Product, v, at string, facts Facts) UpgradePlan {
		return Plan(Installed{Product: product, Version: version(v)}, facts, date(at), date("2027-11-22"))
	}
	p := on(PasswordProtection, "1.2.65.0", "2026-11-22", Facts{})
	assert.Equal(t, version("1.2.116.0"), p.Target, "a DC agent 1.2.65.0 has stopped, and this may be one")
	assert.Equal(t, crossprem.Unknown, p.Automation)
	p = on(PasswordProtection, "1.2.65.0", "2026-11-22", Facts{Component: "dc-agent"})
	assert.Equal(t, version("1.2.116.0"), p.Target)
	assert.Equal(t, crossprem.Failed, p.Automation)
	assert.Equal(t, version("1.2.65.0"), on(PasswordProtection, "1.2.65.0", "2026-11-22", Facts{Component: "proxy"}).Target)
	assert.Equal(t, version("2.4.21.0"), plan("2.4.18.0", "2024-12-01", "2025-06-01", Facts{}).Target, "in another cloud than the commercial one 2.4.18.0 is too low")

	p = on(HealthAgent, "4.5.2487.0", "2026-11-22", Facts{})
	assert.Equal(t, version("4.5.2549.0"), p.Target)
	assert.Equal(t, crossprem.Unknown, p.Automation, "no document tells what is offered to automatic upgrade")

	for v, at := range map[string]string{"3.0.0.0": "2026-11-22", "2.6.3.0": "2015-01-01"} {
		p = on(ConnectSync, v, at, Facts{})
		assert.Zero(t, p.Target)
		assert.Equal(t, crossprem.Unknown, p.Automation)
		assert.Contains(t, p.Why, "newer than every release")
	}
}

// The rotation of the application's certificate can remove the last key before
// 2.6.91.0: 2.6.84.0 is enough for April 2027 and yet no target for those who
// use it, and neither for those who have to by then.
func TestKeyRotation(t *testing.T) {
	for auth, want := range map[Authentication]crossprem.Status{Application: failed, ServiceAccount: passed, UnknownAuthentication: unknown} {
		facts := Facts{Authentication: auth}
		assert.Equal(t, want, judge(t, ConnectSync, "2.6.84.0", "2026-09-20", facts).find("app-auth-key-rotation").Status)
		assert.Equal(t, version("2.6.91.0"), plan("2.6.84.0", "2026-09-20", "2027-06-01", facts).Target)
		judge(t, ConnectSync, "2.6.91.0", "2026-09-20", facts).lacks("app-auth-key-rotation")
	}
	assert.Contains(t, judge(t, ConnectSync, "2.6.3.0", "2026-11-26", Facts{}).find("app-auth-2027-04-07").Remedy, "Upgrade to 2.6.91.0 or newer.")
	// The move to Cloud Sync is beside the verdict, and no reason for anything.
	judge(t, ConnectSync, "2.6.92.0", "2026-11-26", Facts{}).has("connect-to-cloud-sync-transition", unknown, info)
	judge(t, ConnectSync, "2.6.3.0", "2026-03-31", Facts{}).lacks("connect-to-cloud-sync-transition")
}
