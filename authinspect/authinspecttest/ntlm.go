package authinspecttest

import (
	"encoding/base64"
	"encoding/binary"
	"time"
	"unicode/utf16"
)

const ntlmSignature = "NTLMSSP\x00"

// NTLM describes the second NTLM message of a fake ([MS-NLMP] §2.2.1.2). An
// empty name is not sent.
type NTLM struct {
	NetBIOSComputer string
	NetBIOSDomain   string
	DNSComputer     string
	DNSDomain       string
	DNSForest       string
	Major, Minor    uint8 // of Windows
	Build           uint16
	Skew            time.Duration // how far the clock is ahead
	NoTime          bool          // as servers before Windows Vista
	OEM             bool          // the target name in the code page of the server, as for old clients
}

// Token68 returns the message in base64 for the given time.
func (n NTLM) Token68(now time.Time) string { return base64.StdEncoding.EncodeToString(n.Message(now)) }

// Message returns the message for the given time. The challenge in it is made
// of letters: nobody shall sign it.
func (n NTLM) Message(now time.Time) []byte {
	le := binary.LittleEndian
	target := n.NetBIOSDomain
	if target == "" {
		target = n.NetBIOSComputer
	}
	name, flags := encodeUTF16(target), uint32(0xa2898205) // as Windows: Unicode, target info, version, 128, 56, NTLM2 …
	if n.OEM {
		name, flags = []byte(target), flags&^1|2
	}
	var info []byte
	pair := func(id uint16, value []byte) {
		info = le.AppendUint16(info, id)
		info = le.AppendUint16(info, uint16(len(value)))
		info = append(info, value...)
	}
	for _, p := range []struct {
		id   uint16
		name string
	}{{2, n.NetBIOSDomain}, {1, n.NetBIOSComputer}, {4, n.DNSDomain}, {3, n.DNSComputer}, {5, n.DNSForest}} {
		if p.name != "" {
			pair(p.id, encodeUTF16(p.name))
		}
	}
	if !n.NoTime {
		const to1601 = 11644473600 // seconds from 1601 to 1970
		at := now.Add(n.Skew)
		pair(7, le.AppendUint64(nil, uint64(at.Unix()+to1601)*10_000_000+uint64(at.Nanosecond()/100)))
	}
	pair(0, nil)

	const fixed = 56
	m := append([]byte(ntlmSignature), 2, 0, 0, 0)
	field := func(length, offset int) {
		m = le.AppendUint16(m, uint16(length))
		m = le.AppendUint16(m, uint16(length))
		m = le.AppendUint32(m, uint32(offset))
	}
	field(len(name), fixed)
	m = le.AppendUint32(m, flags)
	m = append(m, "SIGNNONE"...)
	m = append(m, make([]byte, 8)...)
	field(len(info), fixed+len(name))
	m = append(m, n.Major, n.Minor)
	m = le.AppendUint16(m, n.Build)
	m = append(m, 0, 0, 0, 15)
	return append(append(m, name...), info...)
}

func encodeUTF16(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}
