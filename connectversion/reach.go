package connectversion

import (
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
)

// offered returns the newest release that automatic upgrade offers on the day.
func (v *verdict) offered() Version {
	return v.newest(func(r *Release) bool {
		return r.AutoUpgrade == crossprem.Yes && r.outBy(v.At) && !v.At.Before(r.AutoUpgradeFrom) &&
			(r.AutoUpgradeUntil.IsZero() || !v.At.After(r.AutoUpgradeUntil))
	})
}

// autoUpgrade judges whether automation gets the server as far as it needs.
func (v *verdict) autoUpgrade() {
	if v.Product == PasswordProtection {
		v.autoUpgradeOfPasswordProtection()
		return
	}
	to := v.offered()
	can, kept := v.automationCan(to)
	for _, k := range kept {
		v.add(k.finding, k.from...)
	}
	sources := func(f crossprem.Finding) crossprem.Finding {
		f = v.fromProduct(f)
		if row := v.c.find(v.Product, to, ""); row != nil {
			f = withSources(f, row.Source)
		}
		return f
	}
	if to.IsZero() {
		v.add(sources(v.unknown(ruleReach, "The documents name no release that was offered to automatic upgrade by then.")).AtMost(crossprem.Info))
		return
	}
	if to.Less(v.Version) {
		to = v.Version
	}
	values := []crossprem.Value{crossprem.Val("version", v.Version), crossprem.Val("offered", to)}
	left := v.leftBehind(to)
	switch {
	case can == crossprem.No && v.Version.Less(v.Latest):
		v.add(sources(v.failed(ruleReach)).Explain("{version} is installed; automatic upgrade offers {offered}, and does not reach this server.", values...).WithRemedy(v.upgradeTo()))
	case len(left) > 0:
		v.add(sources(v.failed(ruleReach)).Explain("{version} is installed. Automatic upgrade leaves the server on {offered}, which does not get past {left}.",
			append(values, crossprem.Val("left", left))...).WithRemedy(v.upgradeTo()))
	case to == v.Version:
		v.add(sources(v.passed(ruleReach)).Explain("{version} is installed, and automatic upgrade has nothing newer to offer.", values[0]))
	case can == crossprem.Yes:
		v.add(sources(v.passed(ruleReach)).Explain("{version} is installed. Automatic upgrade is on and takes the server to {offered}.", values...))
	default:
		f := v.unknown(ruleReach, "").Explain("{version} is installed. Automatic upgrade would take the server to {offered}; whether it is on is not known.", values...)
		if v.Product == ConnectSync {
			f = f.Explain("Look at Get-ADSyncAutoUpgrade.")
		}
		v.add(sources(f))
	}
}

// leftBehind names what a server that automation left on a version would still
// lack: the cut-offs that hit it within half a year, and security fixes.
func (v *verdict) leftBehind(to Version) (left []string) {
	for _, p := range v.policies {
		if p.Kind == HardCutoff && p.Component == "" && crossprem.SeverityBy(p.Effective, v.At) >= crossprem.Warning &&
			p.AppliesTo.Contains(to, v.facts.Cloud) == crossprem.Yes {
			left = append(left, p.ID)
		}
	}
	for _, r := range v.fixesAfter(to, v.At) {
		left = append(left, "the security fix "+r.Version.String())
	}
	return left
}

// kept is what keeps automatic upgrade from a server.
type kept struct {
	finding crossprem.Finding
	from    []Policy
}

// automationCan reports whether automatic upgrade would bring this server to
// the release it offers, and what keeps it from doing so.
func (v *verdict) automationCan(to Version) (can crossprem.Answer, why []kept) {
	if v.Product == ConnectSync {
		if v.facts.SchedulerStopped == crossprem.Yes {
			can = crossprem.No
			why = append(why, kept{finding: v.failed(ruleScheduler).Explain("An upgrade suspends the scheduler, and one that was left half-way leaves it so.")})
		}
		switch v.facts.AutoUpgrade {
		case AutoUpgradeEnabled:
			if can == crossprem.AnswerUnknown {
				can = crossprem.Yes
			}
		case AutoUpgradeDisabled:
			can = crossprem.No
			why = append(why, kept{finding: v.failed(ruleDisabled).Explain("Get-ADSyncAutoUpgrade says {state}.", crossprem.Val("state", v.facts.AutoUpgrade))})
		case AutoUpgradeSuspended:
			can = crossprem.No
			x := ExplainAutoUpgrade(v.facts.AutoUpgrade.String(), v.facts.AutoUpgradeDetail)
			f := v.failed(ruleSuspended).WithRemedy(x.Remedy)
			f.Detail = x.Meaning
			if x.Detail != "" {
				f.Values = []crossprem.Value{crossprem.Val("reason", x.Detail)}
			}
			why = append(why, kept{finding: f})
		case UnknownAutoUpgrade:
			if x := ExplainAutoUpgrade("", v.facts.AutoUpgradeDetail); x.Prefix != "" && x.Prefix != "Success" {
				f := v.unknown(ruleSuspended, "A reason for a suspension is kept, and whether automatic upgrade is suspended is not known; look at Get-ADSyncAutoUpgrade. "+x.Meaning)
				f.Values = []crossprem.Value{crossprem.Val("reason", x.Detail)}
				why = append(why, kept{finding: f})
			}
		}
	}
	for _, p := range v.policies {
		if p.Kind == AutoUpgradePolicy && !v.At.Before(p.Effective) && v.skipped(p, to) {
			can = crossprem.No
			why = append(why, kept{v.failed(p.rule).Explain("{version} is installed. "+p.Text, crossprem.Val("version", v.Version)).WithRemedy("Upgrade by hand."), []Policy{p}})
		}
	}
	return can, why
}

// skipped reports whether a policy keeps the server from being upgraded:
// because it is too old to be reached, or does not meet what the offered
// release asks.
func (v *verdict) skipped(p Policy, to Version) bool {
	if p.Requires == (Requirements{}) {
		return !p.AppliesTo.Below.IsZero() && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == crossprem.Yes
	}
	return v.Version.Less(to) && p.AppliesTo.Contains(to, v.facts.Cloud) == crossprem.Yes &&
		(p.Requires.UneditedConfig && v.facts.EditedConfig == crossprem.Yes ||
			p.Requires.WindowsBuild != 0 && atLeast(v.facts.WindowsBuild, p.Requires.WindowsBuild) == crossprem.No)
}

// proxyUpdates is the first release of the proxy that upgrades itself.
var proxyUpdates = Version{1, 2, 116, 0}

func (v *verdict) autoUpgradeOfPasswordProtection() {
	version := crossprem.Val("version", v.Version)
	var f crossprem.Finding
	switch {
	case v.facts.Component == "dc-agent" && v.Version.Less(v.Latest):
		f = v.failed(ruleReach).AtMost(crossprem.Info).WithRemedy(v.upgradeTo()).Explain("{version} is installed. A DC agent is never upgraded automatically.", version)
	case v.facts.Component == "dc-agent":
		f = v.passed(ruleReach).Explain("{version} is installed, and there is nothing newer. A DC agent is never upgraded automatically.", version)
	case v.facts.Component == "":
		f = v.unknown(ruleReach, "A proxy is upgraded automatically, a DC agent never; which this is, is not known.")
	case v.Version.Less(proxyUpdates):
		f = v.failed(ruleReach).AtMost(crossprem.Info).WithRemedy(v.upgradeTo()).
			Explain("{version} is installed; proxies upgrade themselves only from {from} on.", version, crossprem.Val("from", proxyUpdates))
	case v.facts.AutoUpgrade == AutoUpgradeEnabled:
		f = v.passed(ruleReach).Explain("{version} is installed, automatic upgrade is on, and the Agent Updater keeps this proxy up to date.", version)
	case v.facts.AutoUpgrade == AutoUpgradeDisabled:
		f = v.failed(ruleReach).WithRemedy("Switch it on with Set-AzureADPasswordProtectionProxyConfiguration -AutoUpgradeEnabled $true, on any of the proxies.").
			Explain("{version} is installed, and automatic upgrade of this proxy is switched off.", version)
	default:
		f = v.unknown(ruleReach, "Automatic upgrade of a proxy is on by default; whether it is here is not known. Look at Get-AzureADPasswordProtectionProxyConfiguration.")
	}
	if f.Status != crossprem.Failed {
		f = f.AtMost(crossprem.Info)
	}
	f.Sources = []string{pageProxy}
	if row := v.c.find(v.Product, v.Latest, ""); row != nil {
		f = withSources(f, row.Source)
	}
	v.add(f)
}

// automation finds out whether automatic upgrade gets to the plan's target.
func (p *UpgradePlan) automation(v *verdict) {
	offered := v.offered()
	can, why := v.automationCan(offered)
	why = slices.DeleteFunc(why, func(k kept) bool { return k.finding.Status != crossprem.Failed })
	switch {
	case p.Target == v.Version:
		p.Automation, p.Why = crossprem.Passed, "Nothing needs to be upgraded."
	case p.Target.IsZero() && p.Newest.Less(v.Version):
		p.Why = v.Version.String() + " is newer than every release that is known on that day."
	case p.Target.IsZero():
		p.Automation, p.Why = crossprem.Failed, "No release that is known would do."
	case v.Product == PasswordProtection && v.facts.Component == "dc-agent":
		p.Automation, p.Why = crossprem.Failed, "A DC agent is never upgraded automatically."
	case offered.IsZero():
		p.Why = "The documents name no release that was offered to automatic upgrade by then."
	case offered.Less(p.Target):
		p.Automation, p.Why = crossprem.Failed, "The newest release offered to automatic upgrade is "+offered.String()+"."
	case can == crossprem.No:
		p.Automation, p.Why = crossprem.Failed, strings.TrimSuffix(why[len(why)-1].finding.Title, ".")+"."
	case can == crossprem.Yes:
		p.Automation, p.Why = crossprem.Passed, "Automatic upgrade is on, and offers "+offered.String()+"."
	default:
		p.Why = "Automatic upgrade offers " + offered.String() + "; whether it is on here is not known."
	}
}
