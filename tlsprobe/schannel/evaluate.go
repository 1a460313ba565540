package schannel

import (
	"fmt"
	"slices"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/registry"
	"github.com/crossprem/crossprem/tlsprobe"
)

// The vendor's pages that steps rest on.
const (
	srcProtocols  = "https://learn.microsoft.com/windows/win32/secauthn/protocols-in-tls-ssl--schannel-ssp-"
	srcRegistry   = "https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings"
	srcLegacyOff  = "https://learn.microsoft.com/windows/win32/secauthn/tls-10-11-deprecation-in-windows"
	srcDotNet     = "https://learn.microsoft.com/dotnet/framework/network-programming/tls"
	srcReference  = "https://referencesource.microsoft.com/#System/net/System/Net/ServicePointManager.cs"
	srcWinHTTP    = "https://learn.microsoft.com/windows/win32/winhttp/option-flags"
	srcKB3140245  = "https://support.microsoft.com/topic/update-to-enable-tls-1-1-and-tls-1-2-as-default-secure-protocols-in-winhttp-in-windows-c4bd73d2-31d7-761e-0178-11268bb10392"
	srcSuites     = "https://learn.microsoft.com/windows/win32/secauthn/cipher-suites-in-schannel"
	srcRestrict   = "https://learn.microsoft.com/troubleshoot/windows-server/certificates-and-public-key-infrastructure-pki/restrict-cryptographic-algorithms-protocols-schannel"
	srcEntra      = "https://learn.microsoft.com/entra/identity/hybrid/connect/reference-connect-tls-enforcement"
	srcEntraEnv   = "https://learn.microsoft.com/troubleshoot/entra/entra-id/ad-dmn-services/enable-support-tls-environment"
	srcExchange   = "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration"
	srcHealth     = "https://microsoft.github.io/CSS-Exchange/Diagnostics/HealthChecker/TLSConfigurationCheck/"
	srcPowerShell = "https://learn.microsoft.com/dotnet/api/system.net.servicepointmanager.securityprotocol"
	srcField      = "https://kogelog.com/?p=16788 (observed on Windows Server 2016, 2019 and Windows 10)"
	srcRemoting   = "https://github.com/ansible-collections/ansible.windows/pull/573"
	src47457      = "https://github.com/dotnet/runtime/issues/47457"
)

// get returns the registry of c as a view.
func (c *Client) get() registry.Registry { return registry.Registry(c.Registry) }

// number returns a REG_DWORD, whether there is one, and whether there is a
// value of another type, which Windows ignores.
func (c *Client) number(key, name string) (n uint32, ok, ignored bool) {
	n, ok = c.get().Number(key, name)
	if !ok {
		_, ignored = c.get().Get(key, name)
	}
	return n, ok, ignored
}

// Schannel returns what Schannel does with v in one role, and why: the keys
// below Protocols over the default of that Windows.
func (c *Client) Schannel(v tlsprobe.Version, server bool) (State, Reason) {
	if c == nil {
		c = new(Client)
	}
	key := protocolKey(v, server)
	sys, sure := c.system()
	base := StateUnknown
	name := "this Windows"
	if sys != nil {
		name = sys.Name
		base = sys.Client[v]
		if server {
			base = sys.Server[v]
		}
	}
	if base == NotSupported {
		r := Reason{Text: fmt.Sprintf("%s has no %v, and no key changes that.", name, v), Confidence: sure, Source: srcProtocols}
		if n, ok, _ := c.number(key, valueEnabled); ok && n != 0 && v == tlsprobe.TLS13 {
			r.Text = fmt.Sprintf("%s has no supported TLS 1.3: the key switches on an experiment that fails.", name)
			r.Key, r.Value, r.Data = key, valueEnabled, fmt.Sprint(n)
			r.Source = src47457
		}
		return base, r
	}
	enabled, hasEnabled, _ := c.number(key, valueEnabled)
	byDefault, hasByDefault, _ := c.number(key, valueDisabledByDefault)
	reason := func(conf Confidence, value string, n uint32, format string, args ...any) Reason {
		return Reason{Text: fmt.Sprintf(format, args...), Key: key, Value: value, Data: fmt.Sprint(n), Confidence: conf, Source: srcRegistry}
	}
	// Whether the version exists at all is a matter of the system: an update
	// brought TLS 1.1 and 1.2 to Windows Server 2008.
	known := High
	switch {
	case sys == nil && (v == tlsprobe.TLS13 || v == tlsprobe.SSL20):
		known = ConfidenceUnknown
	case sys == nil, sys.From < 7600 && (v == tlsprobe.TLS11 || v == tlsprobe.TLS12):
		known = Low
	}
	positive := func(s State) State {
		if known == ConfidenceUnknown {
			return StateUnknown
		}
		return s
	}
	switch {
	case hasEnabled && enabled == 0:
		return Disabled, reason(High, valueEnabled, enabled, "Enabled is 0: %v is off for every program.", v)
	case hasEnabled && hasByDefault && byDefault != 0:
		return positive(DisabledByDefault), reason(known, valueDisabledByDefault, byDefault, "DisabledByDefault is %d: %v is used only by programs that name it.", byDefault, v)
	case hasEnabled && hasByDefault:
		return positive(Enabled), reason(known, valueEnabled, enabled, "Enabled is %d and DisabledByDefault is 0: %v is on.", enabled, v)
	case hasByDefault && byDefault != 0:
		return positive(DisabledByDefault), reason(min(known, Medium), valueDisabledByDefault, byDefault, "DisabledByDefault is %d and Enabled is not set: %v is used only by programs that name it.", byDefault, v)
	case hasByDefault:
		return positive(Enabled), reason(min(known, Medium), valueDisabledByDefault, byDefault, "DisabledByDefault is 0 and Enabled is not set: %v is on.", v)
	case hasEnabled && base == DisabledByDefault && sys.From >= 26100 && (v == tlsprobe.TLS10 || v == tlsprobe.TLS11):
		r := reason(Medium, valueEnabled, enabled, "Enabled is %d: the documented way to switch %v on again in %s.", enabled, v, name)
		r.Source = srcLegacyOff
		return Enabled, r
	case hasEnabled && base != StateUnknown:
		return base, reason(min(known, Medium), valueEnabled, enabled, "Enabled is %d and DisabledByDefault is not set: the default of %s stays, which is %v.", enabled, name, base)
	case base == StateUnknown:
		return StateUnknown, Reason{Text: fmt.Sprintf("The release of Windows is not known, so neither is its default for %v.", v), Key: key, Assumed: !c.get().Looked(key), Source: srcProtocols}
	}
	r := Reason{Text: fmt.Sprintf("No key is set: the default of %s for %v is %v.", name, v, base), Key: key, Confidence: min(known, sure), Source: srcProtocols}
	if !c.get().Looked(key) {
		r.Assumed = true
		r.Confidence = min(r.Confidence, Low)
		r.Text = fmt.Sprintf("The key was not looked at: without it the default of %s for %v is %v.", name, v, base)
	}
	return base, r
}

// A pick is what a stack picks from what Schannel has.
type pick struct {
	unknown       bool
	systemDefault bool               // all that is enabled
	versions      []tlsprobe.Version // if not systemDefault
	weakly        bool               // versions do not switch on what is disabled by default
	strong        bool               // weak suites are refused
	sure          Confidence
	why           []Reason
}

func (p pick) step(r Reason) pick {
	p.why = append(slices.Clip(p.why), r)
	p.sure = min(p.sure, r.Confidence)
	return p
}

var (
	ownOld    = []tlsprobe.Version{tlsprobe.SSL30, tlsprobe.TLS10}
	ownStrong = []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12}
)

// picks returns what the stack of app picks: one pick, or several that are
// equally possible. The first carries the reasons for all.
func (c *Client) picks(app App) []pick {
	unknown := func(text string) []pick {
		return []pick{pick{unknown: true}.step(Reason{Text: text})}
	}
	if app.Named != nil {
		p := pick{versions: app.Named, sure: Observed}
		if app.Stack == StackUnknown {
			return unknown("The stack of the program is not known.")
		}
		if app.Stack == NETFramework || app.Stack == WindowsPowerShell || app.Stack == Exchange {
			p.strong = c.framework(app, app.Target, ConfidenceUnknown, "")[0].strong
		}
		return []pick{p.step(Reason{Text: fmt.Sprintf("The program names %s itself; keys for defaults do not count.", versionList(app.Named)), Confidence: High, Source: srcDotNet})}
	}
	if seen, ok := c.observed(app); ok {
		return []pick{seen}
	}
	switch app.Stack {
	case Service:
		return []pick{pick{systemDefault: true, sure: Observed}.step(Reason{Text: "The program names no version: it gets all that Schannel has enabled.", Confidence: High, Source: srcProtocols})}
	case PowerShell7:
		return []pick{pick{systemDefault: true, strong: true, sure: Observed}.step(Reason{Text: "Modern .NET leaves the choice to Schannel; the keys of .NET Framework do not apply.", Confidence: High, Source: srcDotNet})}
	case WinHTTP:
		if app.Server {
			return unknown("WinHTTP has no server role.")
		}
		return []pick{c.winHTTP(app)}
	case NETFramework:
		return c.framework(app, app.Target, High, "")
	case WindowsPowerShell:
		target, sure, text := c.hostTarget(app.Host)
		return c.framework(app, target, sure, text)
	case Exchange:
		return c.framework(app, Framework{}, Medium, "Exchange Server runs on .NET Framework; without its keys the set depends on the process.")
	}
	return unknown("The stack of the program is not known.")
}

// observed returns the pick that a live value shows.
func (c *Client) observed(app App) (pick, bool) {
	host := func(h Host) Host {
		if h == HostUnknown {
			return Console
		}
		return h
	}
	bits := func(b uint8) bool { return b == 32 }
	for _, seen := range c.Observed {
		if app.Stack == StackUnknown || seen.App.Stack != app.Stack || host(seen.App.Host) != host(app.Host) || bits(seen.App.Bits) != bits(app.Bits) {
			continue
		}
		versions, systemDefault, err := ParseSecurityProtocol(seen.Value)
		if err != nil {
			continue
		}
		p := pick{versions: versions, systemDefault: systemDefault, sure: Observed, strong: c.framework(app, app.Target, Low, "")[0].strong}
		return p.step(Reason{Text: fmt.Sprintf("The running program showed SecurityProtocol %s.", seen.Value), Data: seen.Value, Confidence: Observed, Source: srcPowerShell}), true
	}
	return pick{}, false
}

// winHTTPBits are those of DefaultSecureProtocols.
var winHTTPBits = map[tlsprobe.Version]uint32{
	tlsprobe.SSL20: 0x8, tlsprobe.SSL30: 0x20, tlsprobe.TLS10: 0x80, tlsprobe.TLS11: 0x200, tlsprobe.TLS12: 0x800, tlsprobe.TLS13: 0x2000,
}

func (c *Client) winHTTP(app App) pick {
	key := software(pathWinHTTP, c.wow64(app))
	sys, sure := c.system()
	p := pick{weakly: true, sure: Observed}
	if mask, ok, _ := c.number(key, valueWinHTTP); ok {
		for _, v := range allVersions {
			if mask&winHTTPBits[v] != 0 {
				p.versions = append(p.versions, v)
			}
		}
		r := Reason{Text: fmt.Sprintf("DefaultSecureProtocols is 0x%x: WinHTTP uses %s of what Schannel has enabled.", mask, versionList(p.versions)),
			Key: key, Value: valueWinHTTP, Data: fmt.Sprintf("0x%x", mask), Confidence: High, Source: srcKB3140245}
		switch {
		case mask == 0:
			r.Confidence = Low
		case sys == nil, sys.From < 9600:
			r.Confidence = Medium
			r.Text += " Windows 7, Server 2008 R2 and Server 2012 heed it only with KB3140245."
		}
		return p.step(r)
	}
	r := Reason{Key: key, Value: valueWinHTTP, Source: srcWinHTTP, Assumed: !c.get().Looked(key)}
	if sys == nil {
		p.unknown = true
		r.Text = "DefaultSecureProtocols is not set, and the release of Windows is not known."
		return p.step(r)
	}
	p.versions = sys.WinHTTP
	r.Confidence = sure
	r.Text = fmt.Sprintf("DefaultSecureProtocols is not set: WinHTTP of %s uses %s.", sys.Name, versionList(sys.WinHTTP))
	if r.Assumed {
		r.Confidence = min(r.Confidence, Low)
		r.Text = fmt.Sprintf("DefaultSecureProtocols was not looked at: without it WinHTTP of %s uses %s.", sys.Name, versionList(sys.WinHTTP))
	}
	return p.step(r)
}

// wow64 reports whether app reads the 32-bit view of a 64-bit registry.
func (c *Client) wow64(app App) bool { return app.Bits == 32 && !c.X86 }

// hostTarget returns the version of .NET Framework that Windows PowerShell 5.1
// behaves as if it targeted, by host. Its host is a native program without a
// target; what it gets by default was observed.
func (c *Client) hostTarget(h Host) (target Framework, sure Confidence, text string) {
	sys, _ := c.system()
	switch {
	case sys == nil:
		return Framework{}, ConfidenceUnknown, "The release of Windows is not known, on which the default of Windows PowerShell depends."
	case sys.From <= 9600:
		target, sure, text = NoTarget, Medium, "Windows PowerShell of this Windows runs without a target: SSL 3.0 and TLS 1.0 were observed on Windows Server 2012 R2."
	case sys.From < 17763:
		target, sure, text = NoTarget, High, "Windows PowerShell runs without a target: SSL 3.0 and TLS 1.0 were observed on Windows Server 2016."
		if sys.From < 14393 || c.Kind == ClientSystem {
			sure = Low
		}
	case sys.From == 17763 && c.Kind == ClientSystem, sys.Kind == "client" && sys.From < 22000:
		target, sure, text = Framework{4, 7, 0}, High, "Windows PowerShell leaves the choice to the system: SystemDefault was observed on Windows 10."
	case sys.From == 17763:
		target, sure, text = Framework{4, 6, 0}, Medium, "Windows PowerShell uses the strong set of .NET Framework: TLS 1.0 to 1.2 were observed on Windows Server 2019."
		if c.Kind == KindUnknown {
			sure = Low
		}
	default:
		target, sure, text = Framework{4, 7, 0}, Medium, "Windows PowerShell is taken to leave the choice to the system, as on Windows 10; nothing was observed on this release."
		if sys.Kind == "server" {
			sure = Low
		}
	}
	switch h {
	case ISE:
		sure = min(sure, Medium)
		text += " The ISE is taken to be like the console."
	case Remoting:
		sure = min(sure, Medium)
		if target.before(4, 6) {
			text += " A remote session is taken to be like the console."
			break
		}
		target = Framework{4, 6, 0}
		text = "A remote session (wsmprovhost.exe) is not left to the system: TLS 1.0 to 1.2 were observed."
	}
	return target, sure, text
}

// framework decides for .NET Framework, in the documented order: the program's
// own setting, SystemDefaultTlsVersions or a target of 4.7 and later,
// SchUseStrongCrypto or a target of 4.6 and later, and SSL 3.0 with TLS 1.0. A
// value of 0 switches off what a newer target has by itself.
//
// The text, if any, says where the target is known from.
func (c *Client) framework(app App, target Framework, sure Confidence, text string) []pick {
	if target == (Framework{}) {
		// The targets that differ. They agree on much, in particular if the keys
		// are set.
		var all []pick
		for _, t := range []Framework{NoTarget, {4, 6, 0}, {4, 7, 0}} {
			all = append(all, c.framework(app, t, Medium, "")...)
		}
		if text == "" {
			text = "The target of the program is not known, so all were tried."
		}
		all[0].why = append([]Reason{{Text: text, Confidence: Medium, Source: srcDotNet}}, all[0].why...)
		return all
	}
	old := target.before(4, 0)
	path := pathNET4
	if old {
		path = pathNET2
	}
	key := software(path, c.wow64(app))
	looked := c.get().Looked(key)
	systemDefault, hasDefault, _ := c.number(key, valueSystemDefault)
	strong, hasStrong, _ := c.number(key, valueStrongCrypto)

	p := pick{sure: Observed}
	if text != "" {
		src := srcField
		if app.Host == Remoting {
			src = srcRemoting
		}
		p = p.step(Reason{Text: text, Confidence: sure, Source: src})
	} else {
		p.sure = sure
	}
	reason := func(value string, has bool, n uint32, conf Confidence, format string, args ...any) Reason {
		r := Reason{Text: fmt.Sprintf(format, args...), Key: key, Value: value, Confidence: conf, Source: srcDotNet}
		if has {
			r.Data = fmt.Sprint(n)
		} else if !looked {
			r.Assumed = true
			r.Confidence = min(conf, Low)
		}
		return r
	}
	newDefault := !old && !target.before(4, 7) && app.DontEnableSystemDefaultTLSVersions != crossprem.Yes || !old && app.DontEnableSystemDefaultTLSVersions == crossprem.No
	newStrong := !old && !target.before(4, 6) && app.DontEnableSchUseStrongCrypto != crossprem.Yes || !old && app.DontEnableSchUseStrongCrypto == crossprem.No
	p.strong = hasStrong && strong == 1 || newStrong && !(hasStrong && strong == 0)
	switch {
	case hasDefault && systemDefault == 1:
		conf := High
		if old {
			conf = Medium // only with the update for it
		}
		p.systemDefault = true
		return []pick{p.step(reason(valueSystemDefault, true, systemDefault, conf, "SystemDefaultTlsVersions is 1: .NET Framework leaves the choice to Schannel."))}
	case newDefault && !(hasDefault && systemDefault == 0):
		p.systemDefault = true
		return []pick{p.step(reason(valueSystemDefault, hasDefault, systemDefault, High, "A target of 4.7 or later leaves the choice to Schannel."))}
	case newDefault:
		p = p.step(Reason{Text: "SystemDefaultTlsVersions is 0: .NET Framework picks versions itself, although the target would leave them to Schannel.",
			Key: key, Value: valueSystemDefault, Data: "0", Confidence: Medium, Source: srcReference})
	}
	switch {
	case old:
		p.versions = ownOld
		return []pick{p.step(reason(valueSystemDefault, hasDefault, systemDefault, High, "SystemDefaultTlsVersions is not 1: .NET Framework 3.5 offers SSL 3.0 and TLS 1.0."))}
	case hasStrong && strong == 1:
		p.versions = ownStrong
		return []pick{p.step(reason(valueStrongCrypto, true, strong, High, "SchUseStrongCrypto is 1: .NET Framework offers TLS 1.0, 1.1 and 1.2."))}
	case p.strong:
		p.versions = ownStrong
		return []pick{p.step(reason(valueStrongCrypto, hasStrong, strong, High, "A target of 4.6 or later offers TLS 1.0, 1.1 and 1.2."))}
	case newStrong:
		p.versions = ownOld
		return []pick{p.step(Reason{Text: "SchUseStrongCrypto is 0: .NET Framework offers SSL 3.0 and TLS 1.0, although the target would offer more.",
			Key: key, Value: valueStrongCrypto, Data: "0", Confidence: Medium, Source: srcReference})}
	}
	p.versions = ownOld
	return []pick{p.step(reason(valueStrongCrypto, hasStrong, strong, High, "Neither SystemDefaultTlsVersions nor SchUseStrongCrypto is 1: .NET Framework offers SSL 3.0 and TLS 1.0."))}
}
