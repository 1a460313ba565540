package schannel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/internal/regfile"
	"github.com/crossprem/crossprem/internal/registry"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Goal is what a mending is to bring about. In text and JSON it is the text
// named beside the constant.
type Goal uint8

const (
	GoalUnknown    Goal = iota
	OfferTLS12          // "tls12": PowerShell, .NET Framework and WinHTTP offer TLS 1.2
	OfferTLS13          // "tls13": they offer TLS 1.3, where this Windows has it
	EntraConnect        // "entra-connect": the eight values that Entra Connect asks for
	ExchangeServer      // "exchange": the values that Exchange Server asks for
	NoOldVersions       // "no-old-versions": SSL 2.0 to TLS 1.1 are off in both roles
)

var goalTexts = enum.Of[Goal]("schannel: goal", "unknown", "tls12", "tls13", "entra-connect", "exchange", "no-old-versions")

func (g Goal) String() string                   { return goalTexts.String(g) }
func (g Goal) MarshalText() ([]byte, error)     { return goalTexts.Marshal(g) }
func (g *Goal) UnmarshalText(text []byte) error { return goalTexts.Unmarshal(g, text) }

// A Restart is what makes a change take effect. In text and JSON it is
// "unknown", "none", "process" or "reboot".
type Restart uint8

const (
	RestartUnknown Restart = iota
	NoRestart
	RestartProcess // of every program that is to notice
	Reboot
)

var restartTexts = enum.Of[Restart]("schannel: restart", "unknown", "none", "process", "reboot")

func (r Restart) String() string                   { return restartTexts.String(r) }
func (r Restart) MarshalText() ([]byte, error)     { return restartTexts.Marshal(r) }
func (r *Restart) UnmarshalText(text []byte) error { return restartTexts.Unmarshal(r, text) }

// A Change is one REG_DWORD to write.
type Change struct {
	Key  string  `json:"key"`
	Name string  `json:"name"`
	Data uint32  `json:"data"`
	Was  *string `json:"was"` // what is there now; nil if the value is absent
	Why  string  `json:"why"`
}

// A Loss is what one program would no longer offer, or take as a server, after
// a change.
type Loss struct {
	App      App                `json:"app"`
	Versions []tlsprobe.Version `json:"versions"`
	Text     string             `json:"text"`
}

// A Mending is text for a person to read and to run. Nothing of it is run by
// this package.
type Mending struct {
	Goal Goal `json:"goal"`

	// Possible is no if nothing on this client reaches the goal, and unknown if
	// too little is known of it.
	Possible crossprem.Answer `json:"possible"`
	Notes    []string         `json:"notes"` // what to know first, whole sentences

	// Session is a line for the running Windows PowerShell, and Profile has the
	// same for each host's profile. Empty where a session cannot help.
	Session string    `json:"session,omitempty"`
	Profile []Profile `json:"profile,omitempty"`

	// Changes are the values to write for the whole machine, those that are
	// there already left out; Reg and PowerShell write them. They are empty if
	// there are none.
	Changes    []Change `json:"changes"`
	Reg        string   `json:"reg,omitempty"`        // of a .reg file, with Windows line ends
	PowerShell string   `json:"powershell,omitempty"` // to be run as administrator, in either bitness
	Restart    Restart  `json:"restart"`

	Losses []Loss `json:"losses"` // what would break
}

// A Profile is a line for the profile of one host of Windows PowerShell.
type Profile struct {
	Host Host   `json:"host"`
	File string `json:"file"` // below Documents\WindowsPowerShell
	Line string `json:"line"`
}

// sessionLine adds TLS 1.2 to what a session offers. It leaves a session alone
// whose choice is the system's: adding to that would pin it.
const sessionLine = `if ([Net.ServicePointManager]::SecurityProtocol -ne 0) { [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12 }`

// Mend says how c reaches goal: the line for one session, the lines for the
// profiles, and the values for the whole machine as .reg and PowerShell text,
// with the restart that they need and what they would break. Values that c has
// already are left out. Nothing is run or written.
//
// A nil c is a machine of which nothing is known; all values are listed then.
func Mend(c *Client, goal Goal) *Mending {
	if c == nil {
		c = new(Client)
	}
	m := &Mending{Goal: goal, Possible: crossprem.Yes, Restart: NoRestart}
	w := wishes{c: c, m: m}
	switch goal {
	case OfferTLS12:
		w.tls12()
	case OfferTLS13:
		w.tls13()
	case EntraConnect:
		w.entraConnect()
	case ExchangeServer:
		w.exchange()
	case NoOldVersions:
		w.noOldVersions()
	default:
		m.Possible = crossprem.AnswerUnknown
		m.Restart = RestartUnknown
		m.note("There is no such goal.")
		return m
	}
	w.finish()
	return m
}

func (m *Mending) note(format string, args ...any) {
	m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
}

// wishes gathers the values of a mending.
type wishes struct {
	c *Client
	m *Mending
}

// want adds a value, unless it is there already.
func (w wishes) want(key, name string, data uint32, why string) {
	n, ok, ignored := w.c.number(key, name)
	if ok && (n == data || data == 1 && n != 0 && name == valueEnabled) {
		return
	}
	change := Change{Key: key, Name: name, Data: data, Why: why}
	if ok {
		text := fmt.Sprint(n)
		change.Was = &text
	} else if ignored {
		v, _ := w.c.get().Get(key, name)
		text := fmt.Sprintf("%v, of a type that Windows ignores", v)
		change.Was = &text
	}
	if !slices.ContainsFunc(w.m.Changes, func(o Change) bool { return o.Key == key && o.Name == name }) {
		w.m.Changes = append(w.m.Changes, change)
	}
}

// dotNet wants both .NET values in both bitnesses.
func (w wishes) dotNet(paths ...string) {
	for _, path := range paths {
		for _, wow64 := range []bool{false, true} {
			if wow64 && w.c.X86 {
				continue
			}
			w.want(software(path, wow64), valueSystemDefault, 1, ".NET Framework leaves the choice to Schannel")
			w.want(software(path, wow64), valueStrongCrypto, 1, ".NET Framework refuses weak suites, and offers TLS 1.2 by itself")
		}
	}
}

func (w wishes) protocol(v tlsprobe.Version, on bool, servers ...bool) {
	for _, server := range servers {
		key := protocolKey(v, server)
		if on {
			w.want(key, valueEnabled, 1, v.String()+" is on")
			w.want(key, valueDisabledByDefault, 0, v.String()+" is on for programs that name no version")
			continue
		}
		w.want(key, valueEnabled, 0, v.String()+" is off")
		w.want(key, valueDisabledByDefault, 1, v.String()+" is off for programs that name no version")
	}
}

func (w wishes) session(app tlsprobe.Version) {
	if app != tlsprobe.TLS12 {
		return
	}
	w.m.Session = sessionLine
	w.m.Profile = []Profile{
		{Console, "Microsoft.PowerShell_profile.ps1", sessionLine},
		{ISE, "Microsoft.PowerShellISE_profile.ps1", sessionLine},
	}
	w.m.note("The line for a session lasts as long as its process. It adds TLS 1.2; an assignment of Tls12 alone would switch TLS 1.3 off for the process.")
}

func (w wishes) tls12() {
	sys, _ := w.c.system()
	w.session(tlsprobe.TLS12)
	w.dotNet(pathNET4)
	if state, _ := w.c.Schannel(tlsprobe.TLS12, false); state != Enabled {
		w.protocol(tlsprobe.TLS12, true, false)
	}
	if state, _ := w.c.Schannel(tlsprobe.TLS12, false); state == Disabled {
		w.m.Session, w.m.Profile, w.m.Notes = "", nil, nil
		w.m.note("TLS 1.2 is off for every program, so a line for a session cannot help.")
	}
	for _, bits := range []uint8{64, 32} {
		if bits == 32 && w.c.X86 {
			continue
		}
		app := App{Stack: WinHTTP, Bits: bits}
		key := software(pathWinHTTP, w.c.wow64(app))
		mask, has, _ := w.c.number(key, valueWinHTTP)
		switch {
		case has && mask&winHTTPBits[tlsprobe.TLS12] == 0:
			w.want(key, valueWinHTTP, mask|winHTTPBits[tlsprobe.TLS12], "WinHTTP offers TLS 1.2 too")
		case !has && sys != nil && !slices.Contains(sys.WinHTTP, tlsprobe.TLS12):
			w.want(key, valueWinHTTP, 0xA80, "WinHTTP offers TLS 1.0, 1.1 and 1.2")
		default:
			continue
		}
		if sys != nil && sys.From < 9600 {
			w.m.note("DefaultSecureProtocols takes effect only with the update KB3140245.")
		}
	}
	switch {
	case sys == nil:
		w.m.Possible = crossprem.AnswerUnknown
		w.m.note("The release of Windows is not known.")
	case sys.From < 7600:
		w.m.note("Windows Server 2008 has TLS 1.1 and 1.2 only with the update KB4019276.")
	}
}

func (w wishes) tls13() {
	state, _ := w.c.Schannel(tlsprobe.TLS13, false)
	switch state {
	case NotSupported:
		w.m.Possible = crossprem.No
		w.m.note("%s has no TLS 1.3. No registry key changes that; the experimental keys lead to failures. It takes Windows 11, Windows Server 2022 or later.", orThisWindows(w.c.systemName()))
		return
	case StateUnknown:
		w.m.Possible = crossprem.AnswerUnknown
		w.m.note("The release of Windows is not known. TLS 1.3 takes Windows 11, Windows Server 2022 or later; on older ones the values below must not be written.")
		return
	case Enabled:
	default:
		w.protocol(tlsprobe.TLS13, true, false)
	}
	w.dotNet(pathNET4)
	for _, wow64 := range []bool{false, true} {
		if wow64 && w.c.X86 {
			continue
		}
		key := software(pathWinHTTP, wow64)
		if mask, has, _ := w.c.number(key, valueWinHTTP); has && mask&winHTTPBits[tlsprobe.TLS13] == 0 {
			w.want(key, valueWinHTTP, mask|winHTTPBits[tlsprobe.TLS13], "WinHTTP offers TLS 1.3 too")
		}
	}
	w.m.note("SecurityProtocol of .NET Framework before 4.8 cannot name TLS 1.3; the choice has to be left to the system.")
	if _, _, from, ok := w.c.configured(nil); ok {
		list := w.c.Offers(App{Stack: Service}).SuitesOf(tlsprobe.TLS13)
		if len(list) == 0 {
			w.m.Possible = crossprem.No
			w.m.note("The order of suites at %s names none of TLS 1.3: add TLS_AES_256_GCM_SHA384 and TLS_AES_128_GCM_SHA256 there, or remove the policy. Until then TLS 1.3 stays out.", from.Key)
		}
	}
}

// Entra Connect's versions that demand the values. (reference-connect-tls-enforcement)
func (w wishes) entraConnect() {
	w.dotNet(pathNET4)
	w.protocol(tlsprobe.TLS12, true, true, false)
	w.m.note("Versions 2.3.20.0 to 2.4.129.0 of Entra Connect demand all eight values explicitly; 2.4.131.0 and later do not ask for them, and are not harmed by them.")
}

func (w wishes) exchange() {
	w.dotNet(pathNET4, pathNET2)
	w.protocol(tlsprobe.TLS12, true, false, true)
	e := w.c.Exchange
	sys, _ := w.c.system()
	has13 := sys != nil && sys.Server[tlsprobe.TLS13] == Enabled
	can13 := e.Compare(exchange2019CU15) >= 0
	switch {
	case e == (Build{}):
		w.m.note("The version of Exchange Server is not known. TLS 1.3 is supported by Exchange Server 2019 CU15 and later on Windows Server 2022 and later; before that it must be off.")
	case has13 && !can13:
		w.protocol(tlsprobe.TLS13, false, false, true)
		w.m.note("Exchange Server before 2019 CU15 does not support TLS 1.3: it is switched off for both roles.")
	case can13 && has13:
		w.m.note("TLS 1.3 is supported for HTTPS by this Exchange Server on this Windows; SMTP did not have it when CU15 came out.")
	case !has13:
		for _, server := range []bool{false, true} {
			if n, ok, _ := w.c.number(protocolKey(tlsprobe.TLS13, server), valueEnabled); ok && n != 0 {
				w.protocol(tlsprobe.TLS13, false, server)
			}
		}
	}
	if e.Major == 15 && e.Minor == 0 && e.Compare(exchange2013CU8) < 0 {
		w.m.note("Exchange Server 2013 before CU8 uses SSL 3.0 and TLS 1.0 for SMTP whatever the keys say.")
	}
	w.m.note("Exchange Server is a client and a server: keep both roles alike, on every server of the organization.")
}

var (
	exchange2013CU8  = Build{15, 0, 1076, 0}
	exchange2019CU15 = Build{15, 2, 1748, 0}
)

func (w wishes) noOldVersions() {
	for _, v := range []tlsprobe.Version{tlsprobe.SSL20, tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11} {
		for _, server := range []bool{false, true} {
			if state, _ := w.c.Schannel(v, server); state == NotSupported || state == Disabled {
				continue
			}
			w.protocol(v, false, server)
		}
	}
	w.dotNet(pathNET4)
	for _, server := range []bool{false, true} {
		if state, _ := w.c.Schannel(tlsprobe.TLS12, server); state != Enabled {
			w.protocol(tlsprobe.TLS12, true, server)
		}
	}
	w.m.note("Without the .NET values, programs of .NET Framework that name SSL 3.0 and TLS 1.0 alone would have nothing left.")
}

// finish writes the texts, and finds out what would break.
func (w wishes) finish() {
	m := w.m
	if m.Possible == crossprem.No {
		m.Changes, m.Session, m.Profile = nil, "", nil
		return
	}
	if len(m.Changes) == 0 {
		m.note("No value has to be written for the whole machine.")
		return
	}
	m.Restart = RestartProcess
	for _, ch := range m.Changes {
		if registry.Holds(keySchannel, ch.Key) || m.Goal == EntraConnect {
			m.Restart = Reboot
		}
	}
	if m.Restart == Reboot {
		m.note("The change takes effect after a restart of Windows.")
	} else {
		m.note("The change takes effect in programs that start afterwards; services have to be restarted.")
	}
	m.Reg = regfile.Format(m.keys())
	m.PowerShell = m.script()
	m.Losses = losses(w.c, w.c.after(m.Changes))
}

func (m *Mending) keys() regfile.Keys {
	keys := make(regfile.Keys)
	for _, ch := range m.Changes {
		if keys[ch.Key] == nil {
			keys[ch.Key] = make(map[string]any)
		}
		keys[ch.Key][ch.Name] = ch.Data
	}
	return keys
}

// script returns PowerShell text that writes the same values. It opens the
// 64-bit view by name, so that it does the same in a 32-bit PowerShell.
func (m *Mending) script() string {
	var b strings.Builder
	b.WriteString("# Run as administrator, in Windows PowerShell or PowerShell 7, 64-bit or 32-bit.\r\n")
	b.WriteString("$hklm = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')\r\n")
	key := ""
	for _, ch := range m.Changes {
		if ch.Key != key {
			key = ch.Key
			fmt.Fprintf(&b, "$key = $hklm.CreateSubKey('%s')\r\n", strings.TrimPrefix(key, registry.Machine))
		}
		fmt.Fprintf(&b, "$key.SetValue('%s', %d, 'DWord') # %s\r\n", ch.Name, int32(ch.Data), ch.Why)
	}
	return b.String()
}

// after returns c with the changes made.
func (c *Client) after(changes []Change) *Client {
	next := *c
	next.Registry = make(Registry, len(c.Registry))
	for key, values := range c.Registry {
		next.Registry[key] = maps.Clone(values)
	}
	for _, ch := range changes {
		put(next.Registry, ch.Key, map[string]any{}, nil)
		for key := range next.Registry {
			if strings.EqualFold(key, ch.Key) {
				for name := range next.Registry[key] {
					if strings.EqualFold(name, ch.Name) {
						delete(next.Registry[key], name)
					}
				}
				next.Registry[key][ch.Name] = ch.Data
			}
		}
	}
	next.Observed = nil // of before
	return &next
}

// losses returns what the programs of a usual machine would no longer offer.
func losses(before, after *Client) (all []Loss) {
	unobserved := *before
	unobserved.Observed = nil
	for _, app := range Apps() {
		was, is := unobserved.Offers(app), after.Offers(app)
		var gone []tlsprobe.Version
		for _, v := range allVersions {
			if was.Offers(v) == crossprem.Yes && is.Offers(v) == crossprem.No {
				gone = append(gone, v)
			}
		}
		if gone == nil {
			continue
		}
		text := fmt.Sprintf("%s no longer offers %s: servers that accept nothing newer can no longer be reached.", app.Label(), versionList(gone))
		if app.Server {
			text = fmt.Sprintf("%s no longer accepts %s: clients that offer nothing newer can no longer connect.", app.Label(), versionList(gone))
		}
		all = append(all, Loss{App: app, Versions: gone, Text: text})
	}
	return all
}

func (c *Client) systemName() string { name, _ := c.System(); return name }
