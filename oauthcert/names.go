package oauthcert

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// PlanNames compares the servicePrincipalNames of a service principal with
// the addresses at which clients and Exchange Online reach Exchange, such as
// "mail.contoso.com" or "https://autodiscover.contoso.com/", and returns the
// difference. Names are compared without case and final slash.
//
// The Hybrid Configuration Wizard adds names and never removes any: names of
// hosts that are neither wanted nor Microsoft's are kept with the reason
// [Stale], and dropped if policy names them. Microsoft's own are never dropped.
//
// Source: Microsoft Learn, Configure OAuth authentication between Exchange
// and Exchange Online organizations, and How to configure Exchange Server
// on-premises to use Hybrid Modern Authentication.
func PlanNames(current *Object, wanted []string, policy Policy) *Plan {
	current = current.public()
	p := &Plan{Target: current.Target(), Collection: Names, base: current}
	switch {
	case current.Kind != ServicePrincipal:
		p.refuse(Step{Reason: WrongKind, Why: "only a service principal has names; those of an application are its identifierUris"})
		return p
	case len(current.Names) == 0:
		p.refuse(Step{Reason: NotRead, Why: "the names of the object were not read: every service principal has at least one"})
		return p
	}
	var canonical []string
	for _, w := range wanted {
		name, err := hostName(w)
		if err != nil {
			p.refuse(Step{Name: w, Reason: BadName, Why: err.Error()})
			continue
		}
		if !slices.Contains(canonical, canonicalName(name)) {
			canonical = append(canonical, canonicalName(name))
		}
	}
	drop := make([]string, len(policy.Drop))
	for i, d := range policy.Drop {
		drop[i] = canonicalName(d)
	}
	present := make([]string, len(current.Names))
	for i, name := range current.Names {
		present[i] = canonicalName(name)
		p.Steps = append(p.Steps, nameStep(name, current.AppID, canonical, drop))
	}
	for _, d := range drop {
		if !slices.Contains(present, d) {
			p.refuse(Step{Name: d, Reason: NotFound, Why: "to be dropped, but not there"})
		}
	}
	for _, w := range canonical {
		if !slices.Contains(present, w) {
			p.Steps = append(p.Steps, Step{Action: Added, Reason: Missing, Name: w + "/", Why: "wanted, and not there"})
		}
	}
	return p
}

// nameStep decides on a name that is there.
func nameStep(name, appID string, wanted, drop []string) Step {
	step := Step{Action: Kept, Name: name}
	isWanted := slices.Contains(wanted, canonicalName(name))
	isNamed := slices.Contains(drop, canonicalName(name))
	builtIn := builtInName(name, appID)
	_, formErr := hostName(name)
	switch {
	case isNamed && builtIn:
		step.Action, step.Reason, step.Why = Refused, BuiltInName, "Microsoft's own name; without it sign-ins fail"
	case isNamed && isWanted:
		step.Action, step.Reason, step.Why = Refused, Wanted, "both wanted and to be dropped"
	case isNamed:
		step.Action, step.Reason, step.Why = Dropped, Named, "asked for by name"
	case isWanted:
		step.Reason, step.Why = Wanted, "wanted, and there"
	case builtIn:
		step.Reason, step.Why = BuiltIn, "Microsoft's own"
	case formErr != nil:
		step.Reason, step.Why = Misformed, "matches no token: "+formErr.Error()
	default:
		step.Reason, step.Why = Stale, "a host that is not among those wanted; perhaps of a past configuration, which the wizard does not remove"
	}
	return step
}

// hostName makes the name of a published host: https, the host, a final slash.
func hostName(s string) (string, error) {
	text := strings.TrimSpace(s)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "", fmt.Errorf("%.60q is not an address", s)
	case !strings.EqualFold(u.Scheme, "https"):
		return "", fmt.Errorf("%.60q is not https", s)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Port() != "":
		return "", fmt.Errorf("%.60q has more than scheme and host", s)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if !isHost(host) {
		return "", fmt.Errorf("%.60q is not the full name of a host", s)
	}
	return "https://" + host + "/", nil
}

// isHost accepts names of two labels and more, and no addresses.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(labels) > 1
}

// canonicalName is the form in which names are compared.
func canonicalName(s string) string {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "/")
	if s != "" && !strings.Contains(s, "://") && strings.Contains(s, ".") && !strings.Contains(s, "/") {
		s = "https://" + s
	}
	return s
}

// microsoftDomains end the hosts that the first-party principals are built
// with, in all clouds.
var microsoftDomains = []string{
	"outlook.com", "office.com", "office365.com", "office.net", "office365.us", "office.us", "apps.mil", "microsoft.com", "microsoft.us",
	"microsoftonline.com", "microsoftonline.us", "partner.outlook.cn", "outlook.cn", "office365.cn", "microsoftonline.cn", "chinacloudapi.cn",
	"outlook.de", "office.de", "sovcloud.fr", "sovcloud.de", "exchangelabs.com", "live.com", "hotmail.com", "skype.com", "lync.com", "windows.net", "cloud.microsoft",
}

// builtInName reports whether a name is one that Microsoft gave the
// principal: anything that is not an address of a host of somebody else.
func builtInName(name, appID string) bool {
	lower := strings.ToLower(name)
	if appID != "" && strings.Contains(lower, strings.ToLower(appID)) {
		return true
	}
	u, err := url.Parse(lower)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return true // not an address: nobody but Microsoft gives such names
	}
	host := u.Hostname()
	return slices.ContainsFunc(microsoftDomains, func(d string) bool {
		return host == d || strings.HasSuffix(host, "."+d)
	})
}

// nameDifference is [Plan.Difference] for names.
func (p *Plan) nameDifference(o *Object) (missing, extra []string) {
	want := p.names()
	if o.Names == nil {
		return []string{"the names were not shown"}, nil
	}
	for _, w := range want {
		if !slices.ContainsFunc(o.Names, func(n string) bool { return canonicalName(n) == canonicalName(w) }) {
			missing = append(missing, w)
		}
	}
	for _, n := range o.Names {
		if !slices.ContainsFunc(want, func(w string) bool { return canonicalName(n) == canonicalName(w) }) {
			extra = append(extra, n)
		}
	}
	return missing, extra
}
