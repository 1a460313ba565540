package schannel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Stack is the way on which a program comes to TLS. In text and JSON it is
// the text named beside the constant.
type Stack uint8

const (
	StackUnknown      Stack = iota
	Service                 // "schannel": programs and services that use Schannel and name no version: IIS, LDAP, RDP
	WinHTTP                 // "winhttp": WinRM, Windows Update, certificate and CRL retrieval, WebDAV, older Outlook
	NETFramework            // "net-framework": .NET Framework 2.0 to 4.8.1, Entra Connect among it
	WindowsPowerShell       // "windows-powershell": powershell.exe 5.1 and older
	PowerShell7             // "powershell-7": pwsh.exe, and every other program of .NET 5 or later
	Exchange                // "exchange": the processes of Exchange Server themselves
)

var stackTexts = enum.Of[Stack]("schannel: stack", "unknown", "schannel", "winhttp", "net-framework", "windows-powershell", "powershell-7", "exchange").
	Also("powershell", WindowsPowerShell).Also("pwsh", PowerShell7).Also("net", PowerShell7)

func (s Stack) String() string                   { return stackTexts.String(s) }
func (s Stack) MarshalText() ([]byte, error)     { return stackTexts.Marshal(s) }
func (s *Stack) UnmarshalText(text []byte) error { return stackTexts.Unmarshal(s, text) }

// A Host is the program that Windows PowerShell runs in. In text and JSON it is
// "unknown", "console", "ise" or "remoting".
type Host uint8

const (
	HostUnknown Host = iota // taken for the console
	Console                 // powershell.exe
	ISE                     // powershell_ise.exe
	Remoting                // wsmprovhost.exe: Enter-PSSession, Invoke-Command
)

var hostTexts = enum.Of[Host]("schannel: host", "unknown", "console", "ise", "remoting")

func (h Host) String() string                   { return hostTexts.String(h) }
func (h Host) MarshalText() ([]byte, error)     { return hostTexts.Marshal(h) }
func (h *Host) UnmarshalText(text []byte) error { return hostTexts.Unmarshal(h, text) }

// An App is a program, as far as its TLS depends on it. The zero value is of no
// known stack, and nothing is known of what it offers.
type App struct {
	Stack Stack `json:"stack"`
	Host  Host  `json:"host,omitzero"` // of WindowsPowerShell

	// Bits is 32 for a 32-bit program on a 64-bit Windows, which has registry
	// keys of its own. Zero stands for a program of the system's own width.
	Bits uint8 `json:"bits,omitempty"`

	// Target is the version of .NET Framework that the program was made for,
	// which is not the installed one. [NoTarget] stands for a program without
	// one. Zero is unknown. It only counts for NETFramework.
	Target Framework `json:"target,omitzero"`

	// Named are the versions that the program itself asks for:
	// ServicePointManager.SecurityProtocol, SslProtocols,
	// WINHTTP_OPTION_SECURE_PROTOCOLS. Nil if it leaves them to the system.
	Named []tlsprobe.Version `json:"named,omitempty"`

	// Server asks for the server role: what the program takes from others.
	Server bool `json:"server,omitempty"`

	// The switches of that name in the program's configuration, of
	// .NET Framework. Unknown stands for none set.
	DontEnableSystemDefaultTLSVersions crossprem.Answer `json:"dontEnableSystemDefaultTlsVersions,omitzero"`
	DontEnableSchUseStrongCrypto       crossprem.Answer `json:"dontEnableSchUseStrongCrypto,omitzero"`
}

// Label names the program in one short text, such as "Windows PowerShell
// (console)" or ".NET Framework program for 4.5.2, 32-bit". It is the part of
// findings, and stays.
func (a App) Label() string {
	var b strings.Builder
	switch a.Stack {
	case Service:
		b.WriteString("Schannel")
	case WinHTTP:
		b.WriteString("WinHTTP")
	case NETFramework:
		b.WriteString(".NET Framework program")
		switch {
		case a.Target == NoTarget:
			b.WriteString(" without a target")
		case a.Target != Framework{}:
			b.WriteString(" for " + a.Target.String())
		}
	case WindowsPowerShell:
		host := a.Host
		if host == HostUnknown {
			host = Console
		}
		b.WriteString("Windows PowerShell (" + host.String() + ")")
	case PowerShell7:
		b.WriteString("PowerShell 7")
	case Exchange:
		b.WriteString("Exchange Server")
	default:
		b.WriteString("unknown program")
	}
	if a.Bits == 32 {
		b.WriteString(", 32-bit")
	}
	if a.Server {
		b.WriteString(", as server")
	}
	if a.Named != nil {
		b.WriteString(", which names " + versionList(a.Named))
	}
	return b.String()
}

// Apps returns the programs that an administrator of a hybrid deployment has
// on one machine: both bitnesses, both PowerShells with their hosts, WinHTTP,
// .NET Framework without a target as the agents of Entra have it, and both
// roles of Schannel. The slice is the caller's.
func Apps() []App {
	return []App{
		{Stack: Service},
		{Stack: Service, Server: true},
		{Stack: WinHTTP},
		{Stack: WinHTTP, Bits: 32},
		{Stack: NETFramework, Target: NoTarget},
		{Stack: NETFramework, Target: NoTarget, Bits: 32},
		{Stack: NETFramework, Target: Framework{4, 8, 0}},
		{Stack: WindowsPowerShell, Host: Console},
		{Stack: WindowsPowerShell, Host: Console, Bits: 32},
		{Stack: WindowsPowerShell, Host: ISE},
		{Stack: WindowsPowerShell, Host: Remoting},
		{Stack: PowerShell7},
	}
}

// allVersions are the versions that Schannel knows of, the oldest first.
var allVersions = []tlsprobe.Version{tlsprobe.SSL20, tlsprobe.SSL30, tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12, tlsprobe.TLS13}

// versionList names versions for a sentence, the oldest first.
func versionList(list []tlsprobe.Version) string {
	if len(list) == 0 {
		return "none"
	}
	var names []string
	for _, v := range allVersions {
		if slices.Contains(list, v) {
			names = append(names, v.String())
		}
	}
	return strings.Join(names, ", ")
}

// protocolBits are the values of SecurityProtocolType and SslProtocols, which
// join the bits of both roles.
var protocolBits = []struct {
	name    string
	bits    uint32
	version tlsprobe.Version
}{
	{"ssl2", 0xC, tlsprobe.SSL20}, {"ssl3", 0x30, tlsprobe.SSL30}, {"tls", 0xC0, tlsprobe.TLS10},
	{"tls11", 0x300, tlsprobe.TLS11}, {"tls12", 0xC00, tlsprobe.TLS12}, {"tls13", 0x3000, tlsprobe.TLS13},
}

// ParseSecurityProtocol reads what [Net.ServicePointManager]::SecurityProtocol
// prints in PowerShell: "Ssl3, Tls", "SystemDefault", or the number. For
// SystemDefault, systemDefault is true and there are no versions.
func ParseSecurityProtocol(s string) (versions []tlsprobe.Version, systemDefault bool, err error) {
	var mask uint32
	for part := range strings.SplitSeq(s, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if i := slices.IndexFunc(protocolBits, func(b struct {
			name    string
			bits    uint32
			version tlsprobe.Version
		}) bool {
			return b.name == part || b.name == "tls" && part == "tls10"
		}); i >= 0 {
			mask |= protocolBits[i].bits
			continue
		}
		if part == "systemdefault" || part == "none" {
			continue
		}
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return nil, false, fmt.Errorf("schannel: not a value of SecurityProtocol: %.60q", s)
		}
		mask |= uint32(n)
	}
	for _, b := range protocolBits {
		if mask&b.bits != 0 {
			versions = append(versions, b.version)
			mask &^= b.bits
		}
	}
	if mask != 0 {
		return nil, false, fmt.Errorf("schannel: not a value of SecurityProtocol: %.60q", s)
	}
	return versions, versions == nil, nil
}
