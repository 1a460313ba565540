package tlsprobetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/crossprem/crossprem/internal/regfile"
	"github.com/crossprem/crossprem/tlsprobe"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// A Windows is the registry of one release of Windows as it is installed, as
// far as TLS depends on it: which system and .NET Framework it is, and no
// setting.
type Windows struct {
	Name    string // such as "Windows Server 2016"
	Build   string
	Server  bool
	Release uint32 // of .NET Framework 4 in the box; 0 if there is none
}

var windows = []Windows{
	{"Windows 7", "7601", false, 0},
	{"Windows Server 2008 R2", "7601", true, 0},
	{"Windows 8", "9200", false, 378389},
	{"Windows Server 2012", "9200", true, 378389},
	{"Windows 8.1", "9600", false, 378675},
	{"Windows Server 2012 R2", "9600", true, 378675},
	{"Windows 10 1507", "10240", false, 393295},
	{"Windows 10 1607", "14393", false, 394802},
	{"Windows Server 2016", "14393", true, 394802},
	{"Windows 10 1809", "17763", false, 461814},
	{"Windows Server 2019", "17763", true, 461814},
	{"Windows 10 21H2", "19044", false, 528372},
	{"Windows 10 22H2", "19045", false, 528372},
	{"Windows Server 2022", "20348", true, 528449},
	{"Windows 11 21H2", "22000", false, 528449},
	{"Windows 11 23H2", "22631", false, 533320},
	{"Windows 11 24H2", "26100", false, 533509},
	{"Windows Server 2025", "26100", true, 533509},
}

// AllWindows returns the releases from Windows 7 and Windows Server 2008 R2 on,
// the oldest first. The slice is the caller's.
func AllWindows() []Windows { return append([]Windows(nil), windows...) }

// Registry returns the registry of the release with this name, made anew. It
// panics for a name that [AllWindows] does not have. Set values with [Set].
//
// Not modelled: updates, and what programs write when they are installed.
func Registry(name string) schannel.Registry {
	for _, w := range windows {
		if w.Name == name {
			return w.Registry()
		}
	}
	panic(fmt.Sprintf("tlsprobetest: no such Windows: %q", name))
}

// Registry returns the registry of w, made anew.
func (w Windows) Registry() schannel.Registry {
	const (
		software = `HKEY_LOCAL_MACHINE\SOFTWARE`
		control  = `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control`
	)
	installation, product := "Client", "WinNT"
	if w.Server {
		installation, product = "Server", "ServerNT"
	}
	r := schannel.Registry{
		software + `\Microsoft\Windows NT\CurrentVersion`: {
			"CurrentBuildNumber": w.Build, "CurrentBuild": w.Build, "InstallationType": installation, "ProductName": w.Name,
			"BuildLabEx": w.Build + ".1.amd64fre.release.200101-0000",
		},
		control + `\ProductOptions`:                                                          {"ProductType": product},
		control + `\ComputerName\ComputerName`:                                               {"ComputerName": "CLIENT01"},
		control + `\SecurityProviders\SCHANNEL`:                                              {"EventLogging": uint32(1)},
		control + `\SecurityProviders\SCHANNEL\Protocols`:                                    {},
		control + `\LSA\FipsAlgorithmPolicy`:                                                 {"Enabled": uint32(0)},
		software + `\Microsoft\.NETFramework\v2.0.50727`:                                     {},
		software + `\WOW6432Node\Microsoft\.NETFramework\v2.0.50727`:                         {},
		software + `\Microsoft\.NETFramework\v4.0.30319`:                                     {},
		software + `\WOW6432Node\Microsoft\.NETFramework\v4.0.30319`:                         {},
		software + `\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp`:             {},
		software + `\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp`: {},
		software + `\Policies\Microsoft\Cryptography\Configuration\SSL\00010002`:             {},
		control + `\Cryptography\Configuration\Local\SSL\00010002`:                           {},
	}
	if w.Release != 0 {
		r[software+`\Microsoft\NET Framework Setup\NDP\v4\Full`] = map[string]any{"Release": w.Release}
	}
	return r
}

// Set returns r with one value set, and leaves r as it is. The key may begin
// with HKLM. A nil value removes it.
func Set(r schannel.Registry, key, name string, value any) schannel.Registry {
	if rest, ok := strings.CutPrefix(key, `HKLM\`); ok {
		key = `HKEY_LOCAL_MACHINE\` + rest
	}
	next := maps.Clone(r)
	for other := range r {
		if strings.EqualFold(other, key) {
			key = other
		}
	}
	values := maps.Clone(next[key])
	if values == nil {
		values = make(map[string]any)
	}
	for other := range values {
		if strings.EqualFold(other, name) {
			delete(values, other)
		}
	}
	if value != nil {
		values[name] = value
	}
	next[key] = values
	return next
}

// Protocol returns r with both values of one version in one role set: on or
// off, as administrators write them. The role is "Client" or "Server".
func Protocol(r schannel.Registry, v tlsprobe.Version, role string, on bool) schannel.Registry {
	if role != "Client" && role != "Server" {
		panic(fmt.Sprintf("tlsprobetest: no such role: %q", role))
	}
	key := `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\` + v.String() + `\` + role
	enabled, byDefault := uint32(1), uint32(0)
	if !on {
		enabled, byDefault = 0, 1
	}
	return Set(Set(r, key, "Enabled", enabled), key, "DisabledByDefault", byDefault)
}

// Export returns r as regedit exports it: a .reg file in UTF-16.
func Export(r schannel.Registry) []byte { return regfile.Encode(regfile.Keys(r)) }

var endpointKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("tlsprobetest: " + err.Error())
	}
	return key
})

// ForEndpoint returns a server, not started, that is configured as e is
// documented to be: versions by e.Expected, an RSA key, the dialogue before TLS,
// and plain HTTP where e has no TLS. Its certificate names the host of e, and
// localhost. Which suites a real endpoint takes is not documented; the server
// has all of crypto/tls.
func ForEndpoint(e tlsprobe.Endpoint) *Server {
	s := &Server{StartTLS: e.StartTLS, Names: []string{"localhost"}}
	for _, host := range []string{e.Host, e.ProbeHost} {
		if host != "" && !strings.HasPrefix(host, "<") {
			s.Names = append(s.Names, host)
		}
	}
	if e.NoTLS {
		return &Server{Reply: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}
	}
	s.Key = endpointKey()
	switch {
	case strings.HasPrefix(e.Expected, "1.0+"), strings.HasPrefix(e.Expected, "being closed"):
		s.Versions = []tlsprobe.Version{tlsprobe.TLS10, tlsprobe.TLS11, tlsprobe.TLS12}
	case strings.HasPrefix(e.Expected, "1.2 at least"):
		s.Versions = []tlsprobe.Version{tlsprobe.TLS12}
	default:
		s.Versions = []tlsprobe.Version{tlsprobe.TLS12, tlsprobe.TLS13}
	}
	return s
}
