package tlsprobe

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Suite is the number of a cipher suite, as registered with IANA.
type Suite uint16

// scsv is TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746 §3.3: not a suite, but a
// sign that stands among them.
const scsv Suite = 0x00FF

// maxSuites is how many suites one hello carries, the sign above included:
// some servers break on more than 64.
const maxSuites = 64

// elliptic reports whether the key exchange is over elliptic curves, which
// SSL 3.0 does not have (RFC 8422 §1).
func (info suiteInfo) elliptic() bool { return strings.HasPrefix(info.name, "ECDH") }

type suiteTraits uint8

const (
	only12 suiteTraits = 1 << iota // AEAD or SHA-2: exists only in TLS 1.2, RFC 5246 §1.2
	weak                           // no or anonymous authentication, no encryption, or less than 128 bits of it
)

type suiteInfo struct {
	id     Suite
	name   string // without "TLS_"
	traits suiteTraits
}

// suites13 are the suites of TLS 1.3: RFC 8446 appendix B.4 and RFC 8998.
var suites13 = []suiteInfo{
	{0x1301, "AES_128_GCM_SHA256", only12},
	{0x1302, "AES_256_GCM_SHA384", only12},
	{0x1303, "CHACHA20_POLY1305_SHA256", only12},
	{0x1304, "AES_128_CCM_SHA256", only12},
	{0x1305, "AES_128_CCM_8_SHA256", only12},
	{0x00C6, "SM4_GCM_SM3", 0},
	{0x00C7, "SM4_CCM_SM3", 0},
}

// commonSuites go into the first hello of TLS 1.2 and below, the strongest
// first. What is weak follows RFC 9325 §4.1 and §4.2, and RFC 7465; 3DES is
// among it because Entra ID has refused it since 2022.
var commonSuites = []suiteInfo{
	{0xC02B, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", only12},
	{0xC02C, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", only12},
	{0xC02F, "ECDHE_RSA_WITH_AES_128_GCM_SHA256", only12},
	{0xC030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384", only12},
	{0xCCA8, "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xCCA9, "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xCCAA, "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0x009E, "DHE_RSA_WITH_AES_128_GCM_SHA256", only12},
	{0x009F, "DHE_RSA_WITH_AES_256_GCM_SHA384", only12},
	{0x009C, "RSA_WITH_AES_128_GCM_SHA256", only12},
	{0x009D, "RSA_WITH_AES_256_GCM_SHA384", only12},
	{0xC023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", only12},
	{0xC024, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", only12},
	{0xC027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256", only12},
	{0xC028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384", only12},
	{0xC009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0},
	{0xC00A, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0},
	{0xC013, "ECDHE_RSA_WITH_AES_128_CBC_SHA", 0},
	{0xC014, "ECDHE_RSA_WITH_AES_256_CBC_SHA", 0},
	{0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256", only12},
	{0x006B, "DHE_RSA_WITH_AES_256_CBC_SHA256", only12},
	{0x003C, "RSA_WITH_AES_128_CBC_SHA256", only12},
	{0x003D, "RSA_WITH_AES_256_CBC_SHA256", only12},
	{0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA", 0},
	{0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA", 0},
	{0x002F, "RSA_WITH_AES_128_CBC_SHA", 0},
	{0x0035, "RSA_WITH_AES_256_CBC_SHA", 0},
	{0xC0AC, "ECDHE_ECDSA_WITH_AES_128_CCM", only12},
	{0xC0AD, "ECDHE_ECDSA_WITH_AES_256_CCM", only12},
	{0xC0AE, "ECDHE_ECDSA_WITH_AES_128_CCM_8", only12},
	{0xC0AF, "ECDHE_ECDSA_WITH_AES_256_CCM_8", only12},
	{0xC09E, "DHE_RSA_WITH_AES_128_CCM", only12},
	{0xC09F, "DHE_RSA_WITH_AES_256_CCM", only12},
	{0xC0A2, "DHE_RSA_WITH_AES_128_CCM_8", only12},
	{0xC0A3, "DHE_RSA_WITH_AES_256_CCM_8", only12},
	{0xC09C, "RSA_WITH_AES_128_CCM", only12},
	{0xC09D, "RSA_WITH_AES_256_CCM", only12},
	{0xC0A0, "RSA_WITH_AES_128_CCM_8", only12},
	{0xC0A1, "RSA_WITH_AES_256_CCM_8", only12},
	{0x0041, "RSA_WITH_CAMELLIA_128_CBC_SHA", 0},
	{0x0084, "RSA_WITH_CAMELLIA_256_CBC_SHA", 0},
	{0x0045, "DHE_RSA_WITH_CAMELLIA_128_CBC_SHA", 0},
	{0x0088, "DHE_RSA_WITH_CAMELLIA_256_CBC_SHA", 0},
	{0xC072, "ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256", only12},
	{0xC073, "ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384", only12},
	{0xC076, "ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256", only12},
	{0xC077, "ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384", only12},
	{0xC086, "ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256", only12},
	{0xC087, "ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384", only12},
	{0xC08A, "ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256", only12},
	{0xC08B, "ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384", only12},
	{0xC008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0xC012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0x000A, "RSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0xC007, "ECDHE_ECDSA_WITH_RC4_128_SHA", weak},
	{0xC011, "ECDHE_RSA_WITH_RC4_128_SHA", weak},
	{0x0005, "RSA_WITH_RC4_128_SHA", weak},
	{0x0004, "RSA_WITH_RC4_128_MD5", weak},
}

// rareSuites are asked only when a server declines all the common ones.
var rareSuites = []suiteInfo{
	{0x00A2, "DHE_DSS_WITH_AES_128_GCM_SHA256", only12},
	{0x00A3, "DHE_DSS_WITH_AES_256_GCM_SHA384", only12},
	{0x0040, "DHE_DSS_WITH_AES_128_CBC_SHA256", only12},
	{0x006A, "DHE_DSS_WITH_AES_256_CBC_SHA256", only12},
	{0x0032, "DHE_DSS_WITH_AES_128_CBC_SHA", 0},
	{0x0038, "DHE_DSS_WITH_AES_256_CBC_SHA", 0},
	{0x0013, "DHE_DSS_WITH_3DES_EDE_CBC_SHA", weak},
	{0x00BA, "RSA_WITH_CAMELLIA_128_CBC_SHA256", only12},
	{0x00C0, "RSA_WITH_CAMELLIA_256_CBC_SHA256", only12},
	{0x00BE, "DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256", only12},
	{0x00C4, "DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256", only12},
	{0xC07A, "RSA_WITH_CAMELLIA_128_GCM_SHA256", only12},
	{0xC07B, "RSA_WITH_CAMELLIA_256_GCM_SHA384", only12},
	{0xC07C, "DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256", only12},
	{0xC07D, "DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384", only12},
	{0x0044, "DHE_DSS_WITH_CAMELLIA_128_CBC_SHA", 0},
	{0x0087, "DHE_DSS_WITH_CAMELLIA_256_CBC_SHA", 0},
	{0x00BD, "DHE_DSS_WITH_CAMELLIA_128_CBC_SHA256", only12},
	{0x00C3, "DHE_DSS_WITH_CAMELLIA_256_CBC_SHA256", only12},
	{0xC05C, "ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256", only12},
	{0xC05D, "ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384", only12},
	{0xC060, "ECDHE_RSA_WITH_ARIA_128_GCM_SHA256", only12},
	{0xC061, "ECDHE_RSA_WITH_ARIA_256_GCM_SHA384", only12},
	{0xC052, "DHE_RSA_WITH_ARIA_128_GCM_SHA256", only12},
	{0xC053, "DHE_RSA_WITH_ARIA_256_GCM_SHA384", only12},
	{0xC050, "RSA_WITH_ARIA_128_GCM_SHA256", only12},
	{0xC051, "RSA_WITH_ARIA_256_GCM_SHA384", only12},
	{0xC056, "DHE_DSS_WITH_ARIA_128_GCM_SHA256", only12},
	{0xC057, "DHE_DSS_WITH_ARIA_256_GCM_SHA384", only12},
	{0xC048, "ECDHE_ECDSA_WITH_ARIA_128_CBC_SHA256", only12},
	{0xC049, "ECDHE_ECDSA_WITH_ARIA_256_CBC_SHA384", only12},
	{0xC04C, "ECDHE_RSA_WITH_ARIA_128_CBC_SHA256", only12},
	{0xC04D, "ECDHE_RSA_WITH_ARIA_256_CBC_SHA384", only12},
	{0xC044, "DHE_RSA_WITH_ARIA_128_CBC_SHA256", only12},
	{0xC045, "DHE_RSA_WITH_ARIA_256_CBC_SHA384", only12},
	{0xC03C, "RSA_WITH_ARIA_128_CBC_SHA256", only12},
	{0xC03D, "RSA_WITH_ARIA_256_CBC_SHA384", only12},
	{0xC02D, "ECDH_ECDSA_WITH_AES_128_GCM_SHA256", only12},
	{0xC02E, "ECDH_ECDSA_WITH_AES_256_GCM_SHA384", only12},
	{0xC031, "ECDH_RSA_WITH_AES_128_GCM_SHA256", only12},
	{0xC032, "ECDH_RSA_WITH_AES_256_GCM_SHA384", only12},
	{0xC025, "ECDH_ECDSA_WITH_AES_128_CBC_SHA256", only12},
	{0xC026, "ECDH_ECDSA_WITH_AES_256_CBC_SHA384", only12},
	{0xC029, "ECDH_RSA_WITH_AES_128_CBC_SHA256", only12},
	{0xC02A, "ECDH_RSA_WITH_AES_256_CBC_SHA384", only12},
	{0xC004, "ECDH_ECDSA_WITH_AES_128_CBC_SHA", 0},
	{0xC005, "ECDH_ECDSA_WITH_AES_256_CBC_SHA", 0},
	{0xC00E, "ECDH_RSA_WITH_AES_128_CBC_SHA", 0},
	{0xC00F, "ECDH_RSA_WITH_AES_256_CBC_SHA", 0},
	{0xC003, "ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0xC00D, "ECDH_RSA_WITH_3DES_EDE_CBC_SHA", weak},
	{0xC002, "ECDH_ECDSA_WITH_RC4_128_SHA", weak},
	{0xC00C, "ECDH_RSA_WITH_RC4_128_SHA", weak},
	{0x0096, "RSA_WITH_SEED_CBC_SHA", 0},
	{0x009A, "DHE_RSA_WITH_SEED_CBC_SHA", 0},
	{0x0099, "DHE_DSS_WITH_SEED_CBC_SHA", 0},
	{0x0007, "RSA_WITH_IDEA_CBC_SHA", weak},
	{0x0009, "RSA_WITH_DES_CBC_SHA", weak},
	{0x0015, "DHE_RSA_WITH_DES_CBC_SHA", weak},
	{0x0012, "DHE_DSS_WITH_DES_CBC_SHA", weak},
	{0x003B, "RSA_WITH_NULL_SHA256", only12 | weak},
	{0x0002, "RSA_WITH_NULL_SHA", weak},
	{0x0001, "RSA_WITH_NULL_MD5", weak},
	{0xC006, "ECDHE_ECDSA_WITH_NULL_SHA", weak},
	{0xC010, "ECDHE_RSA_WITH_NULL_SHA", weak},
	{0x00A6, "DH_anon_WITH_AES_128_GCM_SHA256", only12 | weak},
	{0x00A7, "DH_anon_WITH_AES_256_GCM_SHA384", only12 | weak},
	{0x006C, "DH_anon_WITH_AES_128_CBC_SHA256", only12 | weak},
	{0x006D, "DH_anon_WITH_AES_256_CBC_SHA256", only12 | weak},
	{0x0034, "DH_anon_WITH_AES_128_CBC_SHA", weak},
	{0x003A, "DH_anon_WITH_AES_256_CBC_SHA", weak},
	{0xC018, "ECDH_anon_WITH_AES_128_CBC_SHA", weak},
	{0xC019, "ECDH_anon_WITH_AES_256_CBC_SHA", weak},
	{0x0046, "DH_anon_WITH_CAMELLIA_128_CBC_SHA", weak},
	{0x0089, "DH_anon_WITH_CAMELLIA_256_CBC_SHA", weak},
	{0x001B, "DH_anon_WITH_3DES_EDE_CBC_SHA", weak},
	{0xC017, "ECDH_anon_WITH_3DES_EDE_CBC_SHA", weak},
	{0x0018, "DH_anon_WITH_RC4_128_MD5", weak},
	{0xC016, "ECDH_anon_WITH_RC4_128_SHA", weak},
	{0xC015, "ECDH_anon_WITH_NULL_SHA", weak},
	{0x0003, "RSA_EXPORT_WITH_RC4_40_MD5", weak},
	{0x0006, "RSA_EXPORT_WITH_RC2_CBC_40_MD5", weak},
	{0x0008, "RSA_EXPORT_WITH_DES40_CBC_SHA", weak},
	{0x0014, "DHE_RSA_EXPORT_WITH_DES40_CBC_SHA", weak},
	{0x0011, "DHE_DSS_EXPORT_WITH_DES40_CBC_SHA", weak},
	// With a key shared beforehand: a server chooses them before it asks which.
	{0x00A8, "PSK_WITH_AES_128_GCM_SHA256", only12},
	{0x00A9, "PSK_WITH_AES_256_GCM_SHA384", only12},
	{0x00AA, "DHE_PSK_WITH_AES_128_GCM_SHA256", only12},
	{0x00AB, "DHE_PSK_WITH_AES_256_GCM_SHA384", only12},
	{0x00AC, "RSA_PSK_WITH_AES_128_GCM_SHA256", only12},
	{0x00AD, "RSA_PSK_WITH_AES_256_GCM_SHA384", only12},
	{0xD001, "ECDHE_PSK_WITH_AES_128_GCM_SHA256", only12},
	{0xD002, "ECDHE_PSK_WITH_AES_256_GCM_SHA384", only12},
	{0xCCAB, "PSK_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xCCAC, "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xCCAD, "DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xCCAE, "RSA_PSK_WITH_CHACHA20_POLY1305_SHA256", only12},
	{0xC0A4, "PSK_WITH_AES_128_CCM", only12},
	{0xC0A5, "PSK_WITH_AES_256_CCM", only12},
	{0xC0A6, "DHE_PSK_WITH_AES_128_CCM", only12},
	{0xC0A7, "DHE_PSK_WITH_AES_256_CCM", only12},
	{0xC0A8, "PSK_WITH_AES_128_CCM_8", only12},
	{0xC0A9, "PSK_WITH_AES_256_CCM_8", only12},
	{0x00AE, "PSK_WITH_AES_128_CBC_SHA256", 0},
	{0x00AF, "PSK_WITH_AES_256_CBC_SHA384", 0},
	{0x00B2, "DHE_PSK_WITH_AES_128_CBC_SHA256", 0},
	{0x00B3, "DHE_PSK_WITH_AES_256_CBC_SHA384", 0},
	{0x00B6, "RSA_PSK_WITH_AES_128_CBC_SHA256", 0},
	{0x00B7, "RSA_PSK_WITH_AES_256_CBC_SHA384", 0},
	{0xC037, "ECDHE_PSK_WITH_AES_128_CBC_SHA256", 0},
	{0xC038, "ECDHE_PSK_WITH_AES_256_CBC_SHA384", 0},
	{0x008C, "PSK_WITH_AES_128_CBC_SHA", 0},
	{0x008D, "PSK_WITH_AES_256_CBC_SHA", 0},
	{0x0090, "DHE_PSK_WITH_AES_128_CBC_SHA", 0},
	{0x0091, "DHE_PSK_WITH_AES_256_CBC_SHA", 0},
	{0x0094, "RSA_PSK_WITH_AES_128_CBC_SHA", 0},
	{0x0095, "RSA_PSK_WITH_AES_256_CBC_SHA", 0},
	{0xC035, "ECDHE_PSK_WITH_AES_128_CBC_SHA", 0},
	{0xC036, "ECDHE_PSK_WITH_AES_256_CBC_SHA", 0},
}

var suiteTable = sync.OnceValue(func() map[Suite]suiteInfo {
	table := make(map[Suite]suiteInfo)
	for _, info := range slices.Concat(suites13, commonSuites, rareSuites) {
		table[info.id] = info
	}
	return table
})

// String returns the registered name, such as
// "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", and "suite 0x1234" for a suite that
// no hello of this package offers.
func (s Suite) String() string {
	if info, ok := suiteTable()[s]; ok {
		return "TLS_" + info.name
	}
	return fmt.Sprintf("suite 0x%04x", uint16(s))
}

// MarshalText returns the name that String gives.
func (s Suite) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText gives.
func (s *Suite) UnmarshalText(text []byte) error {
	if n, ok := number16(string(text), "suite "); ok {
		*s = Suite(n)
		return nil
	}
	for id, info := range suiteTable() {
		if string(text) == "TLS_"+info.name {
			*s = id
			return nil
		}
	}
	return fmt.Errorf("tlsprobe: no such suite: %.60q", text)
}

// Weak reports whether the suite lacks authentication or encryption, or has
// less than 128 bits of it (3DES and RC4 among them). It is false for a suite
// that the package does not know.
func (s Suite) Weak() bool { return suiteTable()[s].traits&weak != 0 }

// A Group is the number of a key exchange group, as registered with IANA.
type Group uint16

const (
	groupP256   Group = 0x0017
	groupX25519 Group = 0x001D
)

var groupNames = map[Group]string{
	0x0017: "secp256r1", 0x0018: "secp384r1", 0x0019: "secp521r1", 0x0016: "secp256k1",
	0x001A: "brainpoolP256r1", 0x001B: "brainpoolP384r1", 0x001C: "brainpoolP512r1",
	0x001D: "x25519", 0x001E: "x448",
	0x001F: "brainpoolP256r1tls13", 0x0020: "brainpoolP384r1tls13", 0x0021: "brainpoolP512r1tls13",
	0x0100: "ffdhe2048", 0x0101: "ffdhe3072", 0x0102: "ffdhe4096", 0x0103: "ffdhe6144", 0x0104: "ffdhe8192",
	0x0200: "MLKEM512", 0x0201: "MLKEM768", 0x0202: "MLKEM1024", 0x11EB: "SecP256r1MLKEM768", 0x11EC: "X25519MLKEM768", 0x11ED: "SecP384r1MLKEM1024",
	0x0001: "sect163k1", 0x0002: "sect163r1", 0x0003: "sect163r2", 0x0004: "sect193r1", 0x0005: "sect193r2",
	0x0006: "sect233k1", 0x0007: "sect233r1", 0x0008: "sect239k1", 0x0009: "sect283k1", 0x000A: "sect283r1",
	0x000B: "sect409k1", 0x000C: "sect409r1", 0x000D: "sect571k1", 0x000E: "sect571r1",
	0x000F: "secp160k1", 0x0010: "secp160r1", 0x0011: "secp160r2", 0x0012: "secp192k1", 0x0013: "secp192r1",
	0x0014: "secp224k1", 0x0015: "secp224r1",
}

// String returns the registered name, such as "x25519", and "group 0x1234"
// for one that the package does not know.
func (g Group) String() string {
	if name, ok := groupNames[g]; ok {
		return name
	}
	return fmt.Sprintf("group 0x%04x", uint16(g))
}

// MarshalText returns the name that String gives.
func (g Group) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText accepts what MarshalText gives.
func (g *Group) UnmarshalText(text []byte) error {
	if n, ok := number16(string(text), "group "); ok {
		*g = Group(n)
		return nil
	}
	for id, name := range groupNames {
		if string(text) == name {
			*g = id
			return nil
		}
	}
	return fmt.Errorf("tlsprobe: no such group: %.60q", text)
}
