package schannel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/registry"
	"github.com/crossprem/crossprem/tlsprobe"
)

// Assess judges a client by itself, without a server: what its programs offer
// and which of its settings have no effect or contradict each other. Findings
// are worst first. The subject is the client's name, or "this client"; the part
// is the program, the role or the key. Apps are the programs that are judged; if
// there are none, those of [Apps].
//
// Where a key was not looked at, the finding that would rest on it is unknown.
func Assess(c *Client, apps ...App) []crossprem.Finding {
	if c == nil {
		c = new(Client)
	}
	if len(apps) == 0 {
		apps = slices.DeleteFunc(Apps(), func(a App) bool { return a.Server })
	}
	var all []crossprem.Finding
	seen := make(map[string]bool)
	for _, app := range apps {
		if f := assessOffer(c, app); !seen[f.Part] { // two Apps may have one label
			seen[f.Part] = true
			all = append(all, f)
		}
	}
	all = append(all, c.assessRoles()...)
	all = append(all, c.assessVersions()...)
	all = append(all, c.assessNoEffect(), c.assessBitness())
	all = append(all, c.assessSuites()...)
	if c.Exchange != (Build{}) {
		all = append(all, c.assessExchange())
	}
	slices.SortStableFunc(all, crossprem.WorstFirst)
	return all
}

// notLooked is the detail of a finding for which keys are missing.
func notLooked(keys ...string) string {
	slices.Sort(keys)
	return "The registry was not looked at below " + strings.Join(slices.Compact(keys), " and ") + "."
}

func assessOffer(c *Client, app App) crossprem.Finding {
	o := c.Offers(app)
	values := []crossprem.Value{crossprem.Val("program", app.Label()), crossprem.Val("offered", versionList(o.Set())), crossprem.Val("system", cmp.Or(o.System, "unknown"))}
	with := func(f crossprem.Finding) crossprem.Finding {
		f = f.WithPart(app.Label()).Explain("{program} on {system} offers {offered}.", values...)
		for _, r := range o.Why {
			f.Detail += " " + r.Text
		}
		return f
	}
	t12, t13 := o.Offers(tlsprobe.TLS12), o.Offers(tlsprobe.TLS13)
	switch {
	case len(o.Assumed()) > 0:
		f := ruleNoTLS12.Unknown(c.subject(), notLooked(o.Assumed()...)+" If nothing is set there:")
		return with(f)
	case t12 == crossprem.Yes || t13 == crossprem.Yes:
		return with(ruleNoTLS12.Passed(c.subject()))
	case t12 == crossprem.No && t13 == crossprem.No:
		f := with(ruleNoTLS12.Failed(c.subject()))
		if m := Mend(c, OfferTLS12); len(m.Changes) > 0 && app.Named == nil {
			var lines []string
			for _, ch := range m.Changes {
				lines = append(lines, fmt.Sprintf("%s: %s = %d", ch.Key, ch.Name, ch.Data))
			}
			f = f.WithRemedy("Write these REG_DWORD values: " + strings.Join(lines, "; ") + ".")
		} else if app.Named != nil {
			f = f.WithRemedy("The program itself names the versions: change its setting or update it.")
		}
		return f
	}
	return with(ruleNoTLS12.Unknown(c.subject(), "What the program offers is not known."))
}

// assessRoles judges TLS 1.2 and what is older than it, for each role.
func (c *Client) assessRoles() (all []crossprem.Finding) {
	for _, server := range []bool{false, true} {
		role := "client role"
		if server {
			role = "server role"
		}
		state, reason := c.Schannel(tlsprobe.TLS12, server)
		var f crossprem.Finding
		switch {
		case reason.Assumed:
			f = ruleTLS12Off.Unknown(c.subject(), notLooked(keyProtocols))
		case state == StateUnknown:
			f = ruleTLS12Off.Unknown(c.subject(), reason.Text)
		case state == Enabled:
			f = ruleTLS12Off.Passed(c.subject()).Explain("In the {role}, the state of TLS 1.2 is {state}. "+reason.Text, crossprem.Val("role", role), crossprem.Val("state", state))
		default:
			f = ruleTLS12Off.Failed(c.subject()).Explain("In the {role}, the state of TLS 1.2 is {state}. "+reason.Text, crossprem.Val("role", role), crossprem.Val("state", state))
			if state == DisabledByDefault {
				f = f.AtMost(crossprem.Warning) // programs that name it can use it
			}
		}
		all = append(all, f.WithPart(role))

		var on []tlsprobe.Version
		unknown := false
		for _, v := range []tlsprobe.Version{tlsprobe.SSL20, tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11} {
			state, reason := c.Schannel(v, server)
			unknown = unknown || state == StateUnknown || reason.Assumed && state != NotSupported
			if state == Enabled && !reason.Assumed {
				on = append(on, v)
			}
		}
		switch {
		case on != nil:
			f = ruleOldVersions.Failed(c.subject()).Explain("In the {role}, {versions} are on.", crossprem.Val("role", role), crossprem.Val("versions", versionList(on)))
			if !slices.Contains(on, tlsprobe.SSL20) && !slices.Contains(on, tlsprobe.SSL30) && !server {
				f = f.AtMost(crossprem.Info) // the client chooses the highest common version
			}
		case unknown:
			f = ruleOldVersions.Unknown(c.subject(), notLooked(keyProtocols))
		default:
			f = ruleOldVersions.Passed(c.subject()).Explain("In the {role}, SSL 2.0, SSL 3.0, TLS 1.0 and TLS 1.1 were looked for.", crossprem.Val("role", role))
		}
		all = append(all, f.WithPart(role))
	}
	return all
}

// assessVersions judges the values of all versions: experiments, halves,
// contradictions and roles.
func (c *Client) assessVersions() (all []crossprem.Finding) {
	if !c.get().Looked(keyProtocols) {
		why := notLooked(keyProtocols)
		return []crossprem.Finding{ruleExperiment.Unknown(c.subject(), why), ruleHalf.Unknown(c.subject(), why), ruleRoles.Unknown(c.subject(), why)}
	}
	experiment := false
	n := len(all)
	for _, v := range allVersions {
		var states [2]State
		set := 0
		for i, server := range []bool{false, true} {
			key := protocolKey(v, server)
			enabled, hasEnabled, _ := c.number(key, valueEnabled)
			byDefault, hasByDefault, _ := c.number(key, valueDisabledByDefault)
			states[i], _ = c.Schannel(v, server)
			part := strings.TrimPrefix(key, keyProtocols+`\`)
			if hasEnabled || hasByDefault {
				set++
			}
			if hasEnabled != hasByDefault || hasEnabled && (enabled != 0) == (byDefault != 0) {
				all = append(all, ruleHalf.Failed(c.subject()).WithPart(part).Explain("Below {key}, Enabled is {enabled} and DisabledByDefault is {disabledByDefault}.",
					crossprem.Val("key", key), crossprem.Val("enabled", orAbsent(enabled, hasEnabled)), crossprem.Val("disabledByDefault", orAbsent(byDefault, hasByDefault))))
			}
			if v == tlsprobe.TLS13 && states[i] == NotSupported && hasEnabled && enabled != 0 {
				experiment = true
				all = append(all, ruleExperiment.Failed(c.subject()).WithPart(part).Explain("{key} sets Enabled to {enabled}, and {system} has no supported TLS 1.3.",
					crossprem.Val("key", key), crossprem.Val("enabled", enabled), crossprem.Val("system", orThisWindows(c.systemName()))))
			}
		}
		if set > 0 && states[0] != states[1] && states[0] != StateUnknown && states[1] != StateUnknown {
			all = append(all, ruleRoles.Failed(c.subject()).WithPart(v.String()).Explain("{version} is {client} as client and {server} as server.",
				crossprem.Val("version", v), crossprem.Val("client", states[0]), crossprem.Val("server", states[1])))
		}
	}
	has := func(r crossprem.Rule) bool {
		return slices.ContainsFunc(all[n:], func(f crossprem.Finding) bool { return f.Rule == r.ID })
	}
	looked := func(r crossprem.Rule) crossprem.Finding {
		return r.Passed(c.subject()).Explain("The values of SSL 2.0 to TLS 1.3 were looked at in both roles.")
	}
	if !has(ruleHalf) {
		all = append(all, looked(ruleHalf))
	}
	if !has(ruleRoles) {
		all = append(all, looked(ruleRoles))
	}
	switch sys, _ := c.system(); {
	case experiment:
	case sys == nil:
		all = append(all, ruleExperiment.Unknown(c.subject(), "The release of Windows is not known."))
	default:
		all = append(all, looked(ruleExperiment))
	}
	return all
}

func orAbsent(n uint32, has bool) string {
	if !has {
		return "absent"
	}
	return fmt.Sprint(n)
}

// assessNoEffect looks for keys and values that Windows does not heed.
func (c *Client) assessNoEffect() crossprem.Finding {
	var odd []string
	reg := c.get()
	for _, name := range reg.SubKeys(keyProtocols) {
		if _, ok := versionOf(name); !ok {
			if !strings.HasPrefix(strings.ToUpper(name), "DTLS ") && !strings.EqualFold(name, "Multi-Protocol Unified Hello") && !strings.EqualFold(name, "PCT 1.0") {
				odd = append(odd, fmt.Sprintf("the key %q is no version", name))
			}
			continue
		}
		for _, role := range reg.SubKeys(keyProtocols + `\` + name) {
			if !strings.EqualFold(role, "Client") && !strings.EqualFold(role, "Server") {
				odd = append(odd, fmt.Sprintf("the key %q below %s is no role", role, name))
			}
		}
		for _, value := range []string{valueEnabled, valueDisabledByDefault} {
			if _, ok := reg.Get(keyProtocols+`\`+name, value); ok {
				odd = append(odd, fmt.Sprintf("%s stands at %s itself and not below a role", value, name))
			}
		}
	}
	check := func(key, value string) {
		if _, _, ignored := c.number(key, value); ignored {
			odd = append(odd, fmt.Sprintf("%s below %s is no REG_DWORD", value, key))
		}
	}
	for _, v := range allVersions {
		for _, server := range []bool{false, true} {
			check(protocolKey(v, server), valueEnabled)
			check(protocolKey(v, server), valueDisabledByDefault)
		}
	}
	for _, wow64 := range []bool{false, true} {
		for _, path := range []string{pathNET4, pathNET2} {
			check(software(path, wow64), valueSystemDefault)
			check(software(path, wow64), valueStrongCrypto)
		}
		check(software(pathWinHTTP, wow64), valueWinHTTP)
	}
	if odd == nil {
		for _, key := range []string{keyProtocols, registry.Software + pathNET4, registry.Software32 + pathNET4} {
			if !reg.Looked(key) {
				return ruleNoEffect.Unknown(c.subject(), notLooked(key))
			}
		}
		return ruleNoEffect.Passed(c.subject()).Explain("Names of versions and roles and the types of values were looked at.")
	}
	return ruleNoEffect.Failed(c.subject()).Explain("{count} settings have no effect: {settings}.", crossprem.Val("count", len(odd)), crossprem.Val("settings", strings.Join(odd, "; ")))
}

// assessBitness compares both views.
func (c *Client) assessBitness() crossprem.Finding {
	if c.X86 {
		return ruleBitness.Passed(c.subject()).Explain("This Windows is a 32-bit one and has one view only.")
	}
	var differ []string
	for _, p := range []struct {
		path  string
		names []string
	}{{pathNET4, []string{valueSystemDefault, valueStrongCrypto}}, {pathNET2, []string{valueSystemDefault, valueStrongCrypto}}, {pathWinHTTP, []string{valueWinHTTP}}} {
		k64, k32 := registry.Software+p.path, registry.Software32+p.path
		if p.path == pathNET4 && (!c.get().Looked(k64) || !c.get().Looked(k32)) {
			return ruleBitness.Unknown(c.subject(), notLooked(k64, k32))
		}
		if !c.get().Looked(k64) || !c.get().Looked(k32) {
			continue
		}
		for _, name := range p.names {
			a, hasA, _ := c.number(k64, name)
			b, hasB, _ := c.number(k32, name)
			if hasA != hasB || a != b {
				differ = append(differ, fmt.Sprintf("%s of %s is %s for 64-bit and %s for 32-bit programs", name, p.path, orAbsent(a, hasA), orAbsent(b, hasB)))
			}
		}
	}
	if differ == nil {
		return ruleBitness.Passed(c.subject()).Explain("The values of .NET Framework and WinHTTP were compared.")
	}
	return ruleBitness.Failed(c.subject()).Explain("{differences}.", crossprem.Val("differences", strings.Join(differ, "; ")))
}

// assessSuites judges the suites of each version that is on.
func (c *Client) assessSuites() (all []crossprem.Finding) {
	o := c.Offers(App{Stack: Service})
	switch {
	case o.Suites == nil:
		why := o.SuitesFrom.Text
		return []crossprem.Finding{ruleNoSuites.Unknown(c.subject(), why), ruleNoGCM.Unknown(c.subject(), why)}
	case o.SuitesFrom.Assumed:
		why := notLooked(o.SuitesFrom.Key)
		return []crossprem.Finding{ruleNoSuites.Unknown(c.subject(), why), ruleNoGCM.Unknown(c.subject(), why)}
	}
	var without []tlsprobe.Version
	for _, v := range o.Set() {
		if v != tlsprobe.SSL20 && len(o.SuitesOf(v)) == 0 {
			without = append(without, v)
		}
	}
	if without == nil {
		all = append(all, ruleNoSuites.Passed(c.subject()).Explain("{count} suites are offered. "+o.SuitesFrom.Text, crossprem.Val("count", len(o.Suites))))
	} else {
		f := ruleNoSuites.Failed(c.subject()).Explain("No suite is left for {versions}. "+o.SuitesFrom.Text, crossprem.Val("versions", versionList(without)))
		if !slices.Contains(without, tlsprobe.TLS12) {
			f = f.AtMost(crossprem.Warning)
		}
		all = append(all, f)
	}
	if slices.ContainsFunc(o.Suites, func(s tlsprobe.Suite) bool {
		name := suiteName(s)
		return strings.HasPrefix(name, "TLS_ECDHE_RSA_") && strings.Contains(name, "_GCM_") || !strings.Contains(name, "_WITH_")
	}) {
		return append(all, ruleNoGCM.Passed(c.subject()).Explain("The {count} suites that are offered were looked at.", crossprem.Val("count", len(o.Suites))))
	}
	return append(all, ruleNoGCM.Failed(c.subject()).Explain("None of the {count} suites that are offered is one. "+o.SuitesFrom.Text, crossprem.Val("count", len(o.Suites))))
}

func (c *Client) assessExchange() crossprem.Finding {
	values := []crossprem.Value{crossprem.Val("build", c.Exchange), crossprem.Val("system", orThisWindows(c.systemName()))}
	if c.Exchange.Compare(exchange2019CU15) >= 0 {
		return ruleExchange13.Passed(c.subject()).WithPart("Exchange Server").Explain("Exchange Server {build} supports TLS 1.3 on Windows Server 2022 and later; this is {system}.", values...)
	}
	for _, server := range []bool{false, true} {
		switch state, reason := c.Schannel(tlsprobe.TLS13, server); {
		case state == StateUnknown || reason.Assumed && state != NotSupported:
			return ruleExchange13.Unknown(c.subject(), reason.Text).WithPart("Exchange Server")
		case state == Enabled:
			return ruleExchange13.Failed(c.subject()).WithPart("Exchange Server").Explain("Exchange Server {build} does not support TLS 1.3, and it is on in {system}.", values...)
		}
	}
	return ruleExchange13.Passed(c.subject()).WithPart("Exchange Server").Explain("TLS 1.3 is not on in {system}, in neither role.", values...)
}

// AssessNegotiation judges whether a program and a server meet. The subject is
// the server's address as it was given, and the part the program, with the IP
// address where it is known.
func AssessNegotiation(n *Negotiation) crossprem.Finding {
	subject, part := "unknown server", "unknown program"
	if n == nil {
		return ruleMeets.Unknown(subject, "There is no negotiation to judge.").WithPart(part)
	}
	subject = cmp.Or(n.Target, subject)
	part = n.App.Label()
	if n.Address != "" && n.Address != n.Target {
		part += " to " + n.Address
	}
	values := []crossprem.Value{crossprem.Val("offered", versionList(n.Offered)), crossprem.Val("accepted", versionList(n.Accepted)), crossprem.Val("cause", n.Cause), crossprem.Val("mover", n.Mover)}
	var f crossprem.Finding
	switch {
	case n.Meets == crossprem.Yes && n.Confidence > Low:
		f = ruleMeets.Passed(subject).Explain("They meet on {version} with {suite}.", append(values, crossprem.Val("version", n.Version), crossprem.Val("suite", n.Suite))...)
		f.Detail += " " + n.Explanation
	case n.Meets == crossprem.No && n.Confidence > Low:
		f = ruleMeets.Failed(subject).Explain(n.Explanation, values...)
		switch n.Mover {
		case ClientSide:
			f = f.WithRemedy("Change the client; Mend has the values.")
		case ServerSide:
			f = f.WithRemedy("No setting of the client helps: change the server, or move the client to a newer Windows.")
		}
	default:
		why := n.Explanation
		if n.Meets != crossprem.AnswerUnknown {
			why = "What the client offers is a guess, so it is not known whether they meet. " + why
		}
		f = ruleMeets.Unknown(subject, cmp.Or(why, "Nothing is known of the client or of the server."))
	}
	return f.WithPart(part)
}
