package schannel_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// The second evaluator: written down from the vendor's pages once more, row by
// row and without any of the package's code. Letters stand for SSL 2.0 to
// TLS 1.3: n not supported, d disabled by default, e enabled.
var naiveSystems = []struct {
	build          uint32
	kind           schannel.Kind
	client, server string
	winhttp        string
	console        string // what Windows PowerShell behaves like: "" no target, "4.6" or "4.7"
}{
	{6003, schannel.ServerSystem, "deeddn", "eeeddn", "3 0", ""},
	{7601, schannel.ServerSystem, "deeddn", "eeeddn", "3 0", ""},
	{7601, schannel.ClientSystem, "deeddn", "eeeddn", "3 0", ""},
	{9200, schannel.ServerSystem, "deeeen", "deeeen", "3 0", ""},
	{9600, schannel.ServerSystem, "deeeen", "deeeen", "3 0 1 2", ""},
	{9600, schannel.ClientSystem, "deeeen", "deeeen", "3 0 1 2", ""},
	{10240, schannel.ClientSystem, "deeeen", "deeeen", "3 0 1 2", ""},
	{14393, schannel.ServerSystem, "ndeeen", "ndeeen", "0 1 2", ""},
	{14393, schannel.ClientSystem, "ndeeen", "ndeeen", "0 1 2", ""},
	{17763, schannel.ServerSystem, "ndeeen", "ndeeen", "0 1 2", "4.6"},
	{17763, schannel.ClientSystem, "ndeeen", "ndeeen", "0 1 2", "4.7"},
	{19044, schannel.ClientSystem, "ndeeen", "ndeeen", "0 1 2", "4.7"},
	{19045, schannel.ClientSystem, "ndeeen", "ndeeen", "0 1 2", "4.7"},
	{20348, schannel.ServerSystem, "ndeeee", "ndeeee", "2 t", "4.7"},
	{22000, schannel.ClientSystem, "ndeeee", "ndeeee", "2 t", "4.7"},
	{22631, schannel.ClientSystem, "ndeeee", "ndeeee", "2 t", "4.7"},
	{26100, schannel.ClientSystem, "ndddee", "ndddee", "2 t", "4.7"},
	{26200, schannel.ClientSystem, "ndddee", "ndddee", "2 t", "4.7"},
	{26100, schannel.ServerSystem, "ndddee", "ndddee", "2 t", "4.7"},
}

var naiveNames = []string{"SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"}

const naiveShort = "s3012t" // one letter for each version

var six = versions{ssl2, ssl3, t10, t11, t12, t13}

// naive returns the versions that app offers, as letters of naiveShort.
func naive(c *schannel.Client, app schannel.App) string {
	row := -1
	for i, s := range naiveSystems {
		if s.build == c.Build && s.kind == c.Kind {
			row = i
		}
	}
	sys := naiveSystems[row]
	dword := func(key, name string) (int64, bool) {
		for k, values := range c.Registry {
			if strings.EqualFold(k, key) {
				if n, ok := values[name].(uint32); ok {
					return int64(n), true
				}
			}
		}
		return 0, false
	}
	letters, role := sys.client, "Client"
	if app.Server {
		letters, role = sys.server, "Server"
	}
	var state [6]byte
	for i, name := range naiveNames {
		state[i] = letters[i]
		if state[i] == 'n' {
			continue
		}
		key := `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\` + name + `\` + role
		enabled, hasE := dword(key, "Enabled")
		dbd, hasD := dword(key, "DisabledByDefault")
		switch {
		case hasE && enabled == 0:
			state[i] = 'x'
		case hasD && dbd != 0:
			state[i] = 'd'
		case hasD && dbd == 0:
			state[i] = 'e'
		case hasE && c.Build >= 26100 && (name == "TLS 1.0" || name == "TLS 1.1"):
			state[i] = 'e' // the documented way back
		}
	}
	view := `HKEY_LOCAL_MACHINE\SOFTWARE\`
	if app.Bits == 32 {
		view += `WOW6432Node\`
	}
	set := func(wanted string, byName bool) string {
		out := ""
		for i := range state {
			letter := naiveShort[i : i+1]
			if strings.Contains(wanted, letter) && (state[i] == 'e' || byName && state[i] == 'd') {
				out += letter
			}
		}
		return out
	}
	if app.Named != nil {
		wanted := ""
		for i, v := range six {
			if slices.Contains(app.Named, v) {
				wanted += naiveShort[i : i+1]
			}
		}
		return set(wanted, true)
	}
	net := func(target string) string {
		framework := "v4.0.30319"
		if target == "3.5" {
			framework = "v2.0.50727"
		}
		key := view + `Microsoft\.NETFramework\` + framework
		def, hasDef := dword(key, "SystemDefaultTlsVersions")
		strong, hasStrong := dword(key, "SchUseStrongCrypto")
		new47 := target >= "4.7"
		new46 := target >= "4.6"
		switch {
		case hasDef && def == 1, new47 && !(hasDef && def == 0):
			return set(naiveShort, false)
		case target == "3.5":
			return set("30", true)
		case hasStrong && strong == 1, new46 && !(hasStrong && strong == 0):
			return set("012", true)
		}
		return set("30", true)
	}
	switch app.Stack {
	case schannel.Service, schannel.PowerShell7:
		return set(naiveShort, false)
	case schannel.WinHTTP:
		if mask, ok := dword(view+`Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp`, "DefaultSecureProtocols"); ok {
			wanted := ""
			for i, bit := range []int64{0x8, 0x20, 0x80, 0x200, 0x800, 0x2000} {
				if mask&bit != 0 {
					wanted += naiveShort[i : i+1]
				}
			}
			return set(wanted, false)
		}
		return set(sys.winhttp, false)
	case schannel.NETFramework:
		return net(app.Target.String())
	case schannel.WindowsPowerShell:
		target := sys.console
		if app.Host == schannel.Remoting && target != "" {
			target = "4.6"
		}
		return net(target)
	}
	return "?"
}

// A chooser turns bytes into choices.
type chooser struct{ data []byte }

func (c *chooser) pick(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

var dotNetTargets = []string{"4.0", "4.5.2", "4.6", "4.6.2", "4.7", "4.7.2", "4.8", "4.8.1", "3.5"}

// generated returns a client and a program made of choices.
func generated(ch *chooser) (*schannel.Client, schannel.App) {
	sys := naiveSystems[ch.pick(len(naiveSystems))]
	reg := schannel.Registry{`HKEY_LOCAL_MACHINE\SOFTWARE`: {}, `HKEY_LOCAL_MACHINE\SYSTEM`: {}}
	data := func() any {
		return []any{nil, nil, uint32(0), uint32(1), uint32(0xffffffff), "1", uint64(1), []byte{1, 0, 0, 0}}[ch.pick(8)]
	}
	put := func(key, name string, v any) {
		if v == nil {
			return
		}
		if ch.pick(4) == 0 {
			key = strings.ToLower(key)
		}
		if reg[key] == nil {
			reg[key] = map[string]any{}
		}
		reg[key][name] = v
	}
	for _, name := range naiveNames {
		for _, role := range []string{"Client", "Server"} {
			key := `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\` + name + `\` + role
			put(key, "Enabled", data())
			if _, ok := reg[key]; ok || reg[strings.ToLower(key)] == nil {
				put(key, "DisabledByDefault", data())
			}
		}
	}
	for _, view := range []string{``, `WOW6432Node\`} {
		for _, f := range []string{"v4.0.30319", "v2.0.50727"} {
			key := `HKEY_LOCAL_MACHINE\SOFTWARE\` + view + `Microsoft\.NETFramework\` + f
			for _, name := range []string{"SystemDefaultTlsVersions", "SchUseStrongCrypto"} {
				if v := data(); v != nil {
					if reg[key] == nil {
						reg[key] = map[string]any{}
					}
					reg[key][name] = v
				}
			}
		}
		if ch.pick(2) == 1 {
			put(`HKEY_LOCAL_MACHINE\SOFTWARE\`+view+`Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp`, "DefaultSecureProtocols", uint32(ch.pick(256))<<8|uint32(ch.pick(256)))
		}
	}
	app := schannel.App{Stack: []schannel.Stack{schannel.Service, schannel.WinHTTP, schannel.NETFramework, schannel.WindowsPowerShell, schannel.PowerShell7}[ch.pick(5)]}
	app.Bits = []uint8{0, 32, 64}[ch.pick(3)]
	app.Host = schannel.Host(ch.pick(4))
	if app.Stack == schannel.NETFramework {
		app.Target, _ = schannel.ParseFramework(dotNetTargets[ch.pick(len(dotNetTargets))])
	}
	app.Server = app.Stack != schannel.WinHTTP && ch.pick(5) == 0
	if ch.pick(6) == 0 {
		app.Named = versions{}
		for _, v := range six {
			if ch.pick(2) == 1 {
				app.Named = append(app.Named, v)
			}
		}
	}
	c := schannel.NewClient(reg)
	c.Build, c.Kind = sys.build, sys.kind
	return c, app
}

func letters(o *schannel.Offer) string {
	out := ""
	for i, v := range six {
		switch o.Offers(v) {
		case crossprem.Yes:
			out += naiveShort[i : i+1]
		case crossprem.AnswerUnknown:
			out += "?"
		}
	}
	return out
}

func agree(t *testing.T, data []byte) {
	t.Helper()
	c, app := generated(&chooser{data})
	o := c.Offers(app)
	if want, got := naive(c, app), letters(o); want != got {
		assert.Equal(t, want, got, fmt.Sprintf("%s on %d %v\n%v", app.Label(), c.Build, c.Kind, c.Registry))
	}
	for _, v := range o.Versions {
		assert.NotEmpty(t, v.Reason.Text)
	}
}

// Both evaluators agree on generated registries.
func TestNaive(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	rnd := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 90)
	for range n {
		rnd.Read(data)
		agree(t, data)
		if t.Failed() {
			return
		}
	}
}

func FuzzNaive(f *testing.F) {
	f.Add([]byte{})
	rnd := rand.NewChaCha8([32]byte{2})
	for range 20 {
		data := make([]byte, 90)
		rnd.Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}

// Every system, every .NET target, every combination of the two .NET values and
// of the two Schannel values of TLS 1.2, for every program.
func TestEveryCombination(t *testing.T) {
	none := map[string]any{}
	count := 0
	optional := []any{nil, uint32(0), uint32(1)}
	for _, sys := range naiveSystems {
		for _, def := range optional {
			for _, strong := range optional {
				for _, enabled := range optional {
					for _, byDefault := range optional {
						reg := schannel.Registry{`HKEY_LOCAL_MACHINE\SOFTWARE`: none, `HKEY_LOCAL_MACHINE\SYSTEM`: none}
						set := func(key, name string, v any) {
							if v == nil {
								return
							}
							if reg[key] == nil {
								reg[key] = map[string]any{}
							}
							reg[key][name] = v
						}
						for _, f := range []string{"v4.0.30319", "v2.0.50727"} {
							set(`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\.NETFramework\`+f, "SystemDefaultTlsVersions", def)
							set(`HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\.NETFramework\`+f, "SchUseStrongCrypto", strong)
							set(`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\.NETFramework\`+f, "SchUseStrongCrypto", strong)
						}
						for _, v := range []string{"TLS 1.0", "TLS 1.2", "TLS 1.3"} {
							set(`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\`+v+`\Client`, "Enabled", enabled)
							set(`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\`+v+`\Client`, "DisabledByDefault", byDefault)
						}
						c := schannel.NewClient(reg)
						c.Build, c.Kind = sys.build, sys.kind
						apps := schannel.Apps()
						for _, target := range dotNetTargets {
							f, err := schannel.ParseFramework(target)
							assert.NoError(t, err)
							apps = append(apps, schannel.App{Stack: schannel.NETFramework, Target: f}, schannel.App{Stack: schannel.NETFramework, Target: f, Bits: 32})
						}
						for _, app := range apps {
							count++
							if want, got := naive(c, app), letters(c.Offers(app)); want != got {
								t.Fatalf("%s on %d %v: want %s, got %s\n%v", app.Label(), c.Build, c.Kind, want, got, reg)
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d combinations", count)
}
