package connectversion

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/registry"
)

// A Registry is a part of a Windows registry: values by key and name. Keys are
// written in full, as in an export: HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft. A
// text is a string, a REG_DWORD a uint32; others are not used here. A key that
// was looked for and is missing is there without values, so that absent
// settings can be told from settings nobody looked at. Case does not matter.
type Registry map[string]map[string]any

// ReadRegistry reads a registry export: a .reg file of regedit or "reg
// export", in UTF-16 or UTF-8. At most 64 MiB are read. An error names the
// line, and never quotes it.
func ReadRegistry(r io.Reader) (Registry, error) {
	keys, err := registry.ReadExport(r, nil)
	if err != nil {
		return nil, fmt.Errorf("connectversion: %w", err)
	}
	return Registry(keys), nil
}

const (
	keySoftware       = registry.Software
	keySoftware32     = registry.Software32
	keyUninstall      = `Microsoft\Windows\CurrentVersion\Uninstall`
	keyDotNet         = keySoftware + `Microsoft\NET Framework Setup\NDP\v4\Full`
	keyDotNetCrypto   = `Microsoft\.NETFramework\v4.0.30319`
	keyWindows        = keySoftware + `Microsoft\Windows NT\CurrentVersion`
	keyProtocols      = `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols`
	keyTLS12          = keyProtocols + `\TLS 1.2`
	keyComputerName   = `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName`
	firstServer2016   = 14393
	maxDisplayStrings = 512
)

func (r Registry) text(key, name string) string {
	s, _ := registry.Registry(r).Text(key, name)
	return s
}

func (r Registry) number(key, name string) (uint32, bool) {
	return registry.Registry(r).Number(key, name)
}

// tellsOfTLS reports whether TLS12 looks at a key, if only to see that it is there.
func tellsOfTLS(key string) bool {
	return strings.EqualFold(key, keyWindows) || slices.ContainsFunc(tlsValues, func(v tlsValue) bool { return registry.Holds(key, v.key) })
}

// joined returns the values of one key from two exports; the later one counts.
func joined(first, later map[string]any) map[string]any {
	all := maps.Clone(first)
	if all == nil {
		all = make(map[string]any)
	}
	maps.Copy(all, later)
	return all
}

// Facts returns what the registry tells of the server: its name, Windows, .NET
// and TLS 1.2.
func (r Registry) Facts() Facts {
	f := Facts{Server: r.text(keyComputerName, "ComputerName")}
	f.DotNetRelease, _ = r.number(keyDotNet, "Release")
	if build, err := strconv.ParseUint(r.text(keyWindows, "CurrentBuildNumber"), 10, 32); err == nil {
		f.WindowsBuild = uint32(build)
	}
	f.TLS12, f.TLS12Explicit = r.TLS12()
	return f
}

type tlsValue struct {
	key, name string
	want      uint32 // 0, or anything but 0
}

// tlsValues are the values that the vendor's page lists, with what they must
// be. A value that is absent is no fault on a system whose default is good.
var tlsValues = []tlsValue{
	{keySoftware + keyDotNetCrypto, "SystemDefaultTlsVersions", 1},
	{keySoftware + keyDotNetCrypto, "SchUseStrongCrypto", 1},
	{keySoftware32 + keyDotNetCrypto, "SystemDefaultTlsVersions", 1},
	{keySoftware32 + keyDotNetCrypto, "SchUseStrongCrypto", 1},
	{keyTLS12 + `\Client`, "Enabled", 1},
	{keyTLS12 + `\Client`, "DisabledByDefault", 0},
	{keyTLS12 + `\Server`, "Enabled", 1},
	{keyTLS12 + `\Server`, "DisabledByDefault", 0},
}

// TLS12 reports whether TLS 1.2 may be used, and whether every value for it is
// set as the installer of 2.3.20.0 to 2.4.129.0 wants it. A value that is
// explicitly wrong makes both No. Without any, Windows Server 2016 and newer
// use TLS 1.2; older systems, and parts of the registry that nobody looked at,
// are not known. (reference-connect-tls-enforcement)
func (r Registry) TLS12() (usable, explicit crossprem.Answer) {
	set, absent := 0, 0
	for _, v := range tlsValues {
		n, ok := r.number(v.key, v.name)
		switch {
		case ok && (n != 0) != (v.want != 0):
			return crossprem.No, crossprem.No
		case ok:
			set++
		case registry.Registry(r).Looked(v.key):
			absent++
		}
	}
	build, _ := strconv.ParseUint(r.text(keyWindows, "CurrentBuildNumber"), 10, 32)
	switch {
	case set == len(tlsValues):
		return crossprem.Yes, crossprem.Yes
	case set+absent < len(tlsValues):
		return crossprem.AnswerUnknown, crossprem.AnswerUnknown
	case build >= firstServer2016:
		return crossprem.Yes, crossprem.No
	}
	return crossprem.AnswerUnknown, crossprem.No
}

// Evidence returns what the uninstall keys list of the known products, under
// their old and new names.
func (r Registry) Evidence() []Evidence {
	server := r.text(keyComputerName, "ComputerName")
	var all []Evidence
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if !isUninstallKey(key) {
			continue
		}
		p, component, engine := installedProduct(r.text(key, "DisplayName"))
		if p == UnknownProduct {
			continue
		}
		e := Evidence{Product: p, Component: component, Origin: FromUninstallKey, Text: r.text(key, "DisplayVersion"), Where: key, Server: server}
		if engine {
			e.Where += " (the engine's)"
		}
		e.Version, _ = Parse(e.Text)
		all = append(all, e)
	}
	return all
}

func isUninstallKey(key string) bool {
	for _, software := range []string{keySoftware, keySoftware32} {
		prefix := software + keyUninstall + `\`
		if len(key) > len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) && !strings.Contains(key[len(prefix):], `\`) {
			return true
		}
	}
	return false
}

// installedProduct recognises the names that Programs and Features shows. They
// varied with the brand and from build to build, so parts are compared.
func installedProduct(name string) (p Product, component string, engine bool) {
	if len(name) > maxDisplayStrings {
		return UnknownProduct, "", false
	}
	name = strings.ToLower(strings.TrimSpace(name))
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(name, part) })
	}
	if !has("azure ad", "entra", "azure active directory", "microsoft aad") || has("updater") {
		return UnknownProduct, "", false
	}
	switch {
	case has("connect health"):
		switch {
		case has("sync"):
			component = "sync"
		case has("ad fs", "adfs"):
			component = "adfs"
		case has("ad ds", "adds"):
			component = "adds"
		}
		return HealthAgent, component, false
	case has("provisioning agent"):
		return CloudSync, "", false
	case has("authentication agent"):
		return PassThroughAgent, "", false
	case has("private network connector", "app proxy connector", "application proxy connector"):
		return PrivateNetworkConnector, "", false
	case has("password protection"):
		switch {
		case has("proxy"):
			component = "proxy"
		case has("dc agent"):
			component = "dc-agent"
		}
		return PasswordProtection, component, false
	case has("connect synchronization services"):
		return ConnectSync, "", true
	}
	switch strings.TrimPrefix(name, "microsoft ") {
	case "azure ad connect", "azure ad connect sync", "entra connect", "entra connect sync":
		return ConnectSync, "", false
	}
	return UnknownProduct, "", false
}

// programs are the files whose version resource names the product's version.
var programs = []struct {
	name      string
	folder    string // below Program Files
	product   Product
	component string
	origin    Origin
}{
	{"AzureADConnect.exe", `Microsoft Azure AD Connect`, ConnectSync, "", FromSetupFile},
	{"miiserver.exe", `Microsoft Azure AD Sync\Bin`, ConnectSync, "", FromEngineFile},
	{"AADConnectProvisioningAgent.exe", `Microsoft Azure AD Connect Provisioning Agent`, CloudSync, "", FromSetupFile},
	{"AzureADConnectAuthenticationAgentService.exe", `Microsoft Azure AD Connect Authentication Agent`, PassThroughAgent, "", FromSetupFile},
	{"ApplicationProxyConnectorService.exe", `Microsoft AAD App Proxy Connector`, PrivateNetworkConnector, "", FromSetupFile},
	{"MicrosoftEntraPrivateNetworkConnectorService.exe", `Microsoft Entra private network connector`, PrivateNetworkConnector, "", FromSetupFile},
	{"AzureADPasswordProtectionDCAgent.exe", `Azure AD Password Protection DC Agent`, PasswordProtection, "dc-agent", FromSetupFile},
	{"AzureADPasswordProtectionProxy.exe", `Azure AD Password Protection Proxy`, PasswordProtection, "proxy", FromSetupFile},
}

// FileEvidence reads the version resource of one of the products' programs,
// told by the file's name. The product is UnknownProduct, without an error,
// if the name is none of theirs. Where the resource cannot be read, the
// evidence has no version and the error tells why.
func FileEvidence(name, where string, r io.ReaderAt) (Evidence, error) {
	for _, p := range programs {
		if !strings.EqualFold(name, p.name) {
			continue
		}
		e := Evidence{Product: p.product, Component: p.component, Origin: p.origin, Where: where}
		f, err := ReadFileVersion(r)
		e.Version, e.Text = f.Version(), f.ProductVersion
		if err != nil {
			return e, fmt.Errorf("%s: %w", where, err)
		}
		return e, nil
	}
	return Evidence{}, nil
}
