package schannel

import (
	"strings"

	"github.com/crossprem/crossprem/internal/registry"
	"github.com/crossprem/crossprem/tlsprobe"
)

// The keys that decide.
const (
	keyControl    = registry.Machine + `SYSTEM\CurrentControlSet\Control\`
	keySchannel   = keyControl + `SecurityProviders\SCHANNEL`
	keyProtocols  = keySchannel + `\Protocols`
	keyCiphers    = keySchannel + `\Ciphers`
	keyHashes     = keySchannel + `\Hashes`
	keyExchanges  = keySchannel + `\KeyExchangeAlgorithms`
	keyLSA        = keyControl + `LSA`
	keyFIPS       = keyLSA + `\FipsAlgorithmPolicy`
	keyLocalOrder = keyControl + `Cryptography\Configuration\Local\SSL\00010002`
	keyPolicy     = registry.Software + `Policies\Microsoft\Cryptography\Configuration\SSL\00010002`
	keyProduct    = keyControl + `ProductOptions`
	keyComputer   = keyControl + `ComputerName\ComputerName`
	keyWindows    = registry.Software + `Microsoft\Windows NT\CurrentVersion`
	keyDotNet     = registry.Software + `Microsoft\NET Framework Setup\NDP\v4\Full`
	keyEngine     = registry.Software + `Microsoft\PowerShell\3\PowerShellEngine`
	keyExchange   = registry.Software + `Microsoft\ExchangeServer\v15\Setup`

	pathNET4    = `Microsoft\.NETFramework\v4.0.30319`
	pathNET2    = `Microsoft\.NETFramework\v2.0.50727`
	pathWinHTTP = `Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp`
)

// The values that decide.
const (
	valueEnabled           = "Enabled"
	valueDisabledByDefault = "DisabledByDefault"
	valueSystemDefault     = "SystemDefaultTlsVersions"
	valueStrongCrypto      = "SchUseStrongCrypto"
	valueWinHTTP           = "DefaultSecureProtocols"
	valueFunctions         = "Functions"
	valueCurves            = "EccCurves"
	valueFIPS              = "FIPSAlgorithmPolicy"
)

// A readKey is a key that this package looks at.
type readKey struct {
	key    string
	names  []string // values that are kept; all if nil
	within bool     // the keys below it are looked at too
}

var readKeys = []readKey{
	{key: keyProtocols, within: true},
	{key: keyCiphers, within: true},
	{key: keyHashes, within: true},
	{key: keyExchanges, within: true},
	{key: keySchannel, names: []string{"EventLogging"}},
	{key: registry.Software + pathNET4, names: []string{valueSystemDefault, valueStrongCrypto}},
	{key: registry.Software32 + pathNET4, names: []string{valueSystemDefault, valueStrongCrypto}},
	{key: registry.Software + pathNET2, names: []string{valueSystemDefault, valueStrongCrypto}},
	{key: registry.Software32 + pathNET2, names: []string{valueSystemDefault, valueStrongCrypto}},
	{key: registry.Software + pathWinHTTP, names: []string{valueWinHTTP}},
	{key: registry.Software32 + pathWinHTTP, names: []string{valueWinHTTP}},
	{key: keyFIPS, names: []string{valueEnabled}},
	{key: keyLSA, names: []string{valueFIPS}},
	{key: keyPolicy, names: []string{valueFunctions, valueCurves}},
	{key: keyLocalOrder, names: []string{valueFunctions, valueCurves}},
	{key: keyProduct, names: []string{"ProductType"}},
	{key: keyComputer, names: []string{"ComputerName"}},
	{key: keyWindows, names: []string{"CurrentBuildNumber", "CurrentBuild", "InstallationType", "ProductName", "BuildLabEx", "DisplayVersion", "UBR"}},
	{key: keyDotNet, names: []string{"Release"}},
	{key: keyEngine, names: []string{"PowerShellVersion"}},
	{key: keyExchange, names: []string{"MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor"}},
}

const (
	keySystem     = registry.Machine + `SYSTEM\`
	currentSet    = `CurrentControlSet`
	keySelect     = keySystem + `Select`
	controlSetLen = len(`ControlSet001`)
)

// setOf returns the number of the control set that key is in, as it is written,
// and key as it is below the current one. A registry that is not running, as in
// an export of another Windows, has numbered sets alone.
func setOf(key string) (set, current string) {
	if len(key) >= len(keySystem)+controlSetLen && strings.EqualFold(key[:len(keySystem)], keySystem) {
		name := key[len(keySystem) : len(keySystem)+controlSetLen]
		rest := key[len(keySystem)+controlSetLen:]
		if strings.EqualFold(name[:10], "ControlSet") && strings.Trim(name[10:], "0123456789") == "" && (rest == "" || rest[0] == '\\') {
			return name[10:], keySystem + currentSet + rest
		}
	}
	return "", key
}

// relevant reports whether key is looked at, lies below one that is, or is
// above one: an export of that one holds it.
func relevant(key string) bool {
	_, key = setOf(key)
	if strings.EqualFold(key, keySelect) {
		return true
	}
	for _, r := range readKeys {
		if registry.Holds(key, r.key) || r.within && registry.Holds(r.key, key) {
			return true
		}
	}
	return false
}

// protocolKey returns the key of a version in one role.
func protocolKey(v tlsprobe.Version, server bool) string {
	role := "Client"
	if server {
		role = "Server"
	}
	return keyProtocols + `\` + v.String() + `\` + role
}

// software returns the key of a path as programs of that width see it.
func software(path string, wow64 bool) string {
	if wow64 {
		return registry.Software32 + path
	}
	return registry.Software + path
}
