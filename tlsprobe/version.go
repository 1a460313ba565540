package tlsprobe

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Version is a protocol version as it stands on the wire. The constants of
// crypto/tls, such as tls.VersionTLS12, are the same numbers.
type Version uint16

const (
	SSL20 Version = 0x0002 // RFC 6176 forbids it; asked only if [Prober.SSL20] is set
	SSL30 Version = 0x0300 // RFC 7568 forbids it
	TLS10 Version = 0x0301 // RFC 8996 deprecates it
	TLS11 Version = 0x0302 // RFC 8996 deprecates it
	TLS12 Version = 0x0303 // RFC 5246
	TLS13 Version = 0x0304 // RFC 8446
)

// fiveVersions are those that a probe asks about, the newest first: it is the
// one that most servers answer.
var fiveVersions = []Version{TLS13, TLS12, TLS11, TLS10, SSL30}

var versionNames = map[Version][2]string{
	SSL20: {"SSL 2.0", "ssl20"},
	SSL30: {"SSL 3.0", "ssl30"},
	TLS10: {"TLS 1.0", "tls10"},
	TLS11: {"TLS 1.1", "tls11"},
	TLS12: {"TLS 1.2", "tls12"},
	TLS13: {"TLS 1.3", "tls13"},
}

// String returns the usual name, such as "TLS 1.2", and "version 0x7f1c" for
// one that is none of the constants.
func (v Version) String() string {
	if names, ok := versionNames[v]; ok {
		return names[0]
	}
	return fmt.Sprintf("version 0x%04x", uint16(v))
}

// MarshalText returns the short name that JSON uses, such as "tls12".
func (v Version) MarshalText() ([]byte, error) {
	if names, ok := versionNames[v]; ok {
		return []byte(names[1]), nil
	}
	return fmt.Appendf(nil, "0x%04x", uint16(v)), nil
}

// UnmarshalText accepts what MarshalText gives.
func (v *Version) UnmarshalText(text []byte) error {
	for version, names := range versionNames {
		if string(text) == names[1] {
			*v = version
			return nil
		}
	}
	if n, ok := number16(string(text), ""); ok {
		*v = Version(n)
		return nil
	}
	return fmt.Errorf("tlsprobe: no such version: %.40q", text)
}

// number16 reads a number such as "0x7f1c" behind prefix.
func number16(text, prefix string) (uint16, bool) {
	digits, ok := strings.CutPrefix(text, prefix+"0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	return uint16(n), ok && err == nil && len(digits) == 4
}

// A Support tells what a probe found out about one version. In text and JSON
// it is one of "unknown", "accepted", "refused" and "contradictory".
type Support uint8

const (
	Unknown       Support = iota // not asked, or no answer that decides
	Accepted                     // the server chose this version
	Refused                      // the server answered, and did not want it
	Contradictory                // the same hello was accepted one time and refused another: see Answer.Samples
)

var supportTexts = enum.Of[Support]("tlsprobe: support", "unknown", "accepted", "refused", "contradictory")

// String returns "unknown", "accepted", "refused" or "contradictory", and
// "Support(9)" for a value that is none of the constants.
func (s Support) String() string { return supportTexts.String(s) }

// MarshalText returns the text that String gives, and an error for a value
// that is none of the constants.
func (s Support) MarshalText() ([]byte, error) { return supportTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives.
func (s *Support) UnmarshalText(text []byte) error { return supportTexts.Unmarshal(s, text) }

// An Alert is the number of a TLS alert, RFC 8446 §6.
type Alert uint8

// The alerts that tell something about versions, names or suites.
const (
	alertCloseNotify       Alert = 0
	alertHandshakeFailure  Alert = 40
	alertIllegalParameter  Alert = 47
	alertDecodeError       Alert = 50
	alertProtocolVersion   Alert = 70
	alertInsufficient      Alert = 71
	alertInternalError     Alert = 80
	alertMissingExtension  Alert = 109
	alertUnrecognizedName  Alert = 112
	alertNoApplicationProt Alert = 120
)

var alertNames = map[Alert]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
	40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
	46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied",
	50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
	80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
	109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
	115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}

// String returns the registered name, such as "protocol_version", and
// "alert 99" for one without.
func (a Alert) String() string {
	if name, ok := alertNames[a]; ok {
		return name
	}
	return fmt.Sprintf("alert %d", uint8(a))
}
