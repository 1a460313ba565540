package authinspect

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/wintext"
)

// NTLMChallenge is what the second NTLM message (CHALLENGE_MESSAGE, [MS-NLMP]
// §2.2.1.2) tells to anybody who asks: the internal names, the clock and the
// build of Windows. The challenge itself, the eight bytes that a client would
// sign, is not kept. It is a plain value; tests may write it as a literal.
type NTLMChallenge struct {
	TargetName      string // the domain of a member, the computer otherwise
	NetBIOSComputer string
	NetBIOSDomain   string
	DNSComputer     string
	DNSDomain       string
	DNSForest       string
	Flags           uint32      // NegotiateFlags, [MS-NLMP] §2.2.2.5
	Version         NTLMVersion // zero if the server did not tell
	Time            time.Time   // the server's clock in UTC, zero if it did not tell
	At              time.Time   // when the message arrived by our clock, zero if not known
	Warnings        []string    // what in the message could not be read
}

// NTLMVersion is the version of the operating system as in [MS-NLMP]
// §2.2.2.10. Servers that are not Windows invent one: gss-ntlmssp 1.2 says
// 6.2 with build 0.
type NTLMVersion struct {
	Major, Minor uint8
	Build        uint16
	Revision     uint8 // of NTLM itself: 15 since Windows XP
}

// String returns "10.0.20348", or "" if no version was told.
func (v NTLMVersion) String() string {
	if v == (NTLMVersion{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build)
}

// Skew returns by how much the server's clock is ahead of ours, and false if
// one of the two is not known. It contains the time that the answer travelled.
func (c *NTLMChallenge) Skew() (skew time.Duration, ok bool) {
	if c.Time.IsZero() || c.At.IsZero() {
		return 0, false
	}
	return c.Time.Sub(c.At), true
}

// InternalNames returns the names that the message gives away, each once and
// in the order of the fields.
func (c *NTLMChallenge) InternalNames() []string {
	var names []string
	seen := make(map[string]bool)
	for _, name := range []string{c.TargetName, c.NetBIOSComputer, c.NetBIOSDomain, c.DNSComputer, c.DNSDomain, c.DNSForest} {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// An ntlmObject is an NTLMChallenge in JSON.
type ntlmObject struct {
	TargetName      string    `json:"targetName,omitempty"`
	NetBIOSComputer string    `json:"netbiosComputer,omitempty"`
	NetBIOSDomain   string    `json:"netbiosDomain,omitempty"`
	DNSComputer     string    `json:"dnsComputer,omitempty"`
	DNSDomain       string    `json:"dnsDomain,omitempty"`
	DNSForest       string    `json:"dnsForest,omitempty"`
	Flags           uint32    `json:"flags,omitempty"`
	Version         string    `json:"version,omitempty"`
	Revision        uint8     `json:"revision,omitempty"`
	Time            time.Time `json:"time,omitzero"`
	At              time.Time `json:"at,omitzero"`
	Skew            *float64  `json:"clockSkewSeconds,omitempty"`
	Warnings        []string  `json:"warnings,omitempty"`
}

// MarshalJSON returns an object with what the server told, the version as one
// string and the skew in seconds; what it did not tell is left out.
func (c NTLMChallenge) MarshalJSON() ([]byte, error) {
	object := ntlmObject{c.TargetName, c.NetBIOSComputer, c.NetBIOSDomain, c.DNSComputer, c.DNSDomain, c.DNSForest, c.Flags, c.Version.String(), c.Version.Revision, c.Time, c.At, nil, c.Warnings}
	if skew, ok := c.Skew(); ok {
		seconds := skew.Round(time.Millisecond).Seconds()
		object.Skew = &seconds
	}
	return json.Marshal(object)
}

// UnmarshalJSON reads what MarshalJSON writes. The skew follows from the times.
func (c *NTLMChallenge) UnmarshalJSON(b []byte) error {
	var o ntlmObject
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	read := NTLMChallenge{o.TargetName, o.NetBIOSComputer, o.NetBIOSDomain, o.DNSComputer, o.DNSDomain, o.DNSForest, o.Flags, NTLMVersion{Revision: o.Revision}, o.Time, o.At, o.Warnings}
	if o.Version != "" {
		var rest string
		if n, _ := fmt.Sscanf(o.Version+" .", "%d.%d.%d %s", &read.Version.Major, &read.Version.Minor, &read.Version.Build, &rest); n != 4 {
			return fmt.Errorf("authinspect: no version of Windows: %.30q", o.Version)
		}
	}
	*c = read
	return nil
}

// ErrNotNTLM reports that no second NTLM message was found.
var ErrNotNTLM = errors.New("authinspect: no NTLM challenge message")

const (
	ntlmSignature = "NTLMSSP\x00"

	ntlmUnicode     = 0x00000001
	ntlmVersionFlag = 0x02000000

	// The largest message that is read; real ones have some hundred bytes.
	maxNTLM = 64 << 10
)

// ntlmNegotiate is the first NTLM message: no domain, no workstation, no
// user. It names nobody and cannot lock anybody out; [MS-NLMP] §2.2.1.1.
// The flags ask for Unicode, the target's name, NTLM with extended session
// security, 128 bit and the version.
var ntlmNegotiate = base64.StdEncoding.EncodeToString([]byte(ntlmSignature +
	"\x01\x00\x00\x00" + "\x05\x02\x08\x22" +
	"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x0a\x00\x00\x00\x00\x00\x00\x0f"))

// DecodeNTLMChallenge reads the token68 of a challenge for NTLM or
// Negotiate, which holds the second NTLM message as it is or inside SPNEGO.
// It returns an error wrapping [ErrNotNTLM] if there is none or its fixed
// part is cut short; a variable part that lies outside of the message is
// left out and told in Warnings.
func DecodeNTLMChallenge(token68 string) (*NTLMChallenge, error) {
	if len(token68) > maxNTLM {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrNotNTLM, len(token68))
	}
	data, err := base64.StdEncoding.DecodeString(token68)
	if err != nil {
		// Some servers leave the padding out.
		data, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(token68, "="))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrNotNTLM)
	}
	return ParseNTLMChallenge(data)
}

// ParseNTLMChallenge is [DecodeNTLMChallenge] without base64.
func ParseNTLMChallenge(data []byte) (*NTLMChallenge, error) {
	at := strings.Index(string(data), ntlmSignature+"\x02\x00\x00\x00")
	if at < 0 {
		return nil, ErrNotNTLM
	}
	data = data[at:]
	if len(data) < 32 {
		return nil, fmt.Errorf("%w: %d bytes where 32 are the least", ErrNotNTLM, len(data))
	}
	c := &NTLMChallenge{Flags: binary.LittleEndian.Uint32(data[20:])}
	warn := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }

	// The oldest servers end the message after the challenge, and put the
	// variable part right behind it.
	fixed := len(data)
	payload := func(name string, field int) []byte {
		if field+8 > fixed {
			return nil
		}
		length, offset := int(binary.LittleEndian.Uint16(data[field:])), int64(binary.LittleEndian.Uint32(data[field+4:]))
		if length == 0 {
			return nil
		}
		if offset < 32 || offset+int64(length) > int64(len(data)) {
			warn("%s: %d bytes at %d lie outside of a message of %d", name, length, offset, len(data))
			return nil
		}
		fixed = min(fixed, int(offset))
		return data[offset : offset+int64(length)]
	}
	if name := payload("target name", 12); c.Flags&ntlmUnicode != 0 {
		c.TargetName = readUTF16(name)
	} else {
		c.TargetName = readOEM(name)
	}
	info := payload("target info", 40)
	if c.Flags&ntlmVersionFlag != 0 && fixed >= 56 {
		c.Version = NTLMVersion{data[48], data[49], binary.LittleEndian.Uint16(data[50:]), data[55]}
	}
	for len(info) > 0 {
		if len(info) < 4 {
			warn("target info: %d bytes left over", len(info))
			break
		}
		id, length := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		info = info[4:]
		if id == 0 { // MsvAvEOL
			break
		}
		if length > len(info) {
			warn("target info: pair %d has %d bytes where %d are left", id, length, len(info))
			break
		}
		value := info[:length]
		info = info[length:]
		switch id { // [MS-NLMP] §2.2.2.1
		case 1:
			c.NetBIOSComputer = readUTF16(value)
		case 2:
			c.NetBIOSDomain = readUTF16(value)
		case 3:
			c.DNSComputer = readUTF16(value)
		case 4:
			c.DNSDomain = readUTF16(value)
		case 5:
			c.DNSForest = readUTF16(value)
		case 7:
			if length != 8 {
				warn("target info: a clock of %d bytes", length)
			} else if t, ok := fileTime(binary.LittleEndian.Uint64(value)); ok {
				c.Time = t
			} else {
				warn("target info: a clock that no calendar holds")
			}
		}
	}
	return c, nil
}

// fileTime converts 100-nanosecond steps since 1601, and reports whether the
// result lies in the years 1601 to 9999.
func fileTime(ticks uint64) (time.Time, bool) {
	const toUnix = 11644473600 // seconds from 1601 to 1970
	seconds := int64(ticks/10_000_000) - toUnix
	t := time.Unix(seconds, int64(ticks%10_000_000)*100).UTC()
	return t, ticks > 0 && t.Year() <= 9999
}

func readUTF16(b []byte) string { return shorten(wintext.UTF16(b, binary.LittleEndian)) }

// readOEM reads bytes of a code page that the message does not name: what is
// not ASCII is replaced.
func readOEM(b []byte) string {
	return shorten(string(b))
}
