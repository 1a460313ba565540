package connectversion

import (
	"fmt"

	"github.com/crossprem/crossprem"
)

// prerequisites judges what this version needs from the server. Where one
// requirement is stronger than another, only the stronger is judged.
func (v *verdict) prerequisites() {
	var apply []Policy
	dotNet := uint32(0)
	for _, p := range v.policies {
		if p.Kind == Prerequisite && !v.At.Before(p.Effective) && p.AppliesTo.Contains(v.Version, v.facts.Cloud) == crossprem.Yes &&
			(p.Component == "" || v.facts.Component == "" || p.Component == v.facts.Component) {
			apply = append(apply, p)
			dotNet = max(dotNet, p.Requires.DotNetRelease)
		}
	}
	for _, p := range apply {
		if p.Requires.DotNetRelease == 0 || p.Requires.DotNetRelease == dotNet {
			v.prerequisite(p)
		}
	}
}

func (v *verdict) prerequisite(p Policy) {
	need := p.Requires
	var met crossprem.Answer
	seen := ""
	var values []crossprem.Value
	switch {
	case p.Component != "" && v.facts.Component == "":
		seen = "It concerns the " + p.Component + " alone, and which component this is, is not known."
	case need.DotNetRelease != 0:
		met = atLeast(v.facts.DotNetRelease, need.DotNetRelease)
		seen = `Release under NDP\v4\Full must be {needed} or more; it is {seen}.`
		values = append(values, crossprem.Val("needed", need.DotNetRelease), crossprem.Val("seen", orUnknown(v.facts.DotNetRelease)))
	case need.WindowsBuild != 0:
		met = atLeast(v.facts.WindowsBuild, need.WindowsBuild)
		seen = "CurrentBuildNumber must be {needed} or more; it is {seen}."
		values = append(values, crossprem.Val("needed", need.WindowsBuild), crossprem.Val("seen", orUnknown(v.facts.WindowsBuild)))
	case need.WindowsBuildBelow != 0:
		if v.facts.WindowsBuild != 0 {
			met = crossprem.AnswerOf(v.facts.WindowsBuild < need.WindowsBuildBelow)
		}
		seen = "CurrentBuildNumber must be below {needed}; it is {seen}."
		values = append(values, crossprem.Val("needed", need.WindowsBuildBelow), crossprem.Val("seen", orUnknown(v.facts.WindowsBuild)))
	case need.TLS != "":
		met = v.facts.TLS12
		seen = "TLS 1.2 may be used: {seen}."
		values = append(values, crossprem.Val("seen", met))
	case need.TLSRegistry:
		met = v.facts.TLS12Explicit
		seen = "Every registry value for TLS 1.2 is set: {seen}."
		values = append(values, crossprem.Val("seen", met))
	}
	unmet := map[crossprem.Answer]crossprem.Answer{crossprem.Yes: crossprem.No, crossprem.No: crossprem.Yes}[met]
	v.add(v.cameOut(p.rule, unmet).Explain(p.Text).Explain(seen, values...), p)
}

func atLeast(have, need uint32) crossprem.Answer {
	if have == 0 {
		return crossprem.AnswerUnknown
	}
	return crossprem.AnswerOf(have >= need)
}

func orUnknown(n uint32) string {
	if n == 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

// features adds what this version lacks that existed on the day, what is
// recommended to it, and what was announced.
func (v *verdict) features() {
	for _, p := range v.policies {
		if v.At.Before(p.Effective) {
			continue
		}
		in := p.AppliesTo.Contains(v.Version, v.facts.Cloud)
		switch {
		case (p.Kind == FeatureMinimum || p.Kind == FeatureChange) && in == crossprem.No:
			v.add(v.since(v.failed(p.rule), p), p)
		case p.Kind == Recommendation && in == crossprem.Yes:
			v.add(v.since(v.failed(p.rule), p).WithRemedy(v.upgradeTo()), p)
		case p.Kind == Announcement && in == crossprem.Yes:
			v.add(v.since(v.unknown(p.rule, ""), p), p)
		}
	}
	if v.Product == ConnectSync {
		v.v2Endpoint()
	}
}

// since explains the policy p, and from when on it speaks of this version.
func (v *verdict) since(f crossprem.Finding, p Policy) crossprem.Finding {
	f = f.Explain("{version} is installed. "+p.Text, crossprem.Val("version", v.Version))
	if !p.Effective.IsZero() {
		f = f.Explain("The rule is from {ruleFrom}.", crossprem.Val("ruleFrom", p.Effective))
	}
	return f
}

func (v *verdict) v2Endpoint() {
	if v.facts.ImportAPI == 0 && v.facts.ExportAPI == 0 {
		return
	}
	x := ExplainV2Endpoint(v.Version, v.facts.ImportAPI, v.facts.ExportAPI)
	off := map[crossprem.Answer]crossprem.Answer{crossprem.Yes: crossprem.No, crossprem.No: crossprem.Yes}[x.On]
	f := v.cameOut(ruleV2Endpoint, off).Explain(x.Meaning)
	if x.On != crossprem.Yes {
		f = f.WithRemedy(x.Remedy)
	}
	if !(v.row != nil && v.row.V2Endpoint == "only" || x.Only) {
		f = f.AtMost(crossprem.Info)
	}
	v.add(f)
}
