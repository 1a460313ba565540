package tlsprobe

import (
	"crypto/rand"
	"slices"
	"sync"

	"golang.org/x/crypto/cryptobyte"
)

// A shape is one way to write the hello for a version. Most questions need
// only the plain one; the others are second opinions.
type shape uint8

const (
	plain    shape = iota
	rare           // <= 1.2: the next part of the rare suites; hello.part says which
	short          // <= 1.2: under 256 bytes, few suites, few extensions
	long           // 1.3: as plain, padded past 512 bytes; SSL 3.0: with the server name, which it does not have but some want
	ordinary       // 1.3: as a usual client does it, with a key share and the versions below offered too
	strong         // <= 1.2: without the weak suites; from part 1 on, those of the rare ones
	share          // 1.3: as plain, with a key share of hello.keyOf, which leads to a finished answer
)

// A hello says what one ClientHello shall ask.
type hello struct {
	version Version // the highest, and for plain TLS 1.3 the only, version offered
	shape   shape
	part    int   // for rare and strong: which part of the list
	keyOf   Group // for share: the group that the server asked for

	flipALPN bool // offer application protocols if the caller wants none, and none otherwise
	again    bool // a repetition; it says the same
	noName   bool // leave out the server name, to see whether that is what the server does not like
}

// answersBelow reports whether the hello allows the server to choose a version
// below the one it asks about.
func (h hello) answersBelow() bool { return h.version < TLS13 || h.shape == ordinary }

// The numbers of extensions, from IANA's registry.
const (
	extServerName        uint16 = 0
	extSupportedGroups   uint16 = 10
	extPointFormats      uint16 = 11
	extSignatures        uint16 = 13
	extALPN              uint16 = 16
	extPadding           uint16 = 21 // RFC 7685
	extEncryptThenMAC    uint16 = 22 // RFC 7366; GnuTLS can be told to insist on it
	extMasterSecret      uint16 = 23 // RFC 7627; servers in FIPS mode insist on it
	extSupportedVersions uint16 = 43
	extPSKModes          uint16 = 45
	extKeyShare          uint16 = 51
)

var groups13 = []Group{
	groupX25519, groupP256, 0x0018, 0x0019, 0x001E, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104,
	0x001F, 0x0020, 0x0021, 0x11EC, 0x11EB, 0x11ED, 0x0200, 0x0201, 0x0202,
}

// P-256 comes first because it is the cheapest for most servers. Behind the
// usual ones are the other curves of RFC 4492, strongest first.
var groups12 = []Group{
	groupP256, groupX25519, 0x0018, 0x0019, 0x001E, 0x001A, 0x001B, 0x001C, 0x0100, 0x0101, 0x0102,
	0x000E, 0x000D, 0x000C, 0x000B, 0x000A, 0x0009, 0x0016, 0x0008, 0x0007, 0x0006, 0x0015, 0x0014,
	0x0005, 0x0004, 0x0013, 0x0012, 0x0003, 0x0002, 0x0001, 0x0011, 0x0010, 0x000F,
}

var groupsShort = []Group{groupX25519, groupP256, 0x0018, 0x0019}

// signatures13 are the schemes of RFC 8446 §4.2.3, those of RFC 8734 for
// brainpool, and ML-DSA. A server whose key none of them fits looks as if it
// lacked the version.
var signatures13 = []uint16{
	0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B,
	0x0401, 0x0501, 0x0601, 0x081A, 0x081B, 0x081C, 0x0904, 0x0905, 0x0906, 0x0203, 0x0201,
}

// signatures12 has the pairs of hash and algorithm of TLS 1.2 as well, DSA
// included.
var signatures12 = []uint16{
	0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B,
	0x0401, 0x0501, 0x0601, 0x081A, 0x081B, 0x081C, 0x0303, 0x0301, 0x0203, 0x0201, 0x0402, 0x0302, 0x0202,
}

var signaturesShort = []uint16{0x0403, 0x0503, 0x0804, 0x0401, 0x0501, 0x0203, 0x0201}

// Servers of a certain make hang when the handshake message has 256 to 511
// bytes, as the second byte of its length then looks like the start of an
// SSL 2.0 hello; RFC 7685 §4 pads for their sake. No hello of ours falls in
// between, counted with and without the header of the record.
const (
	deadZoneBegin = 250
	deadZoneEnd   = 517
)

// suites returns what h offers, at most [maxSuites] of them.
func (h hello) suites() []Suite {
	var list []Suite
	add := func(from []suiteInfo) {
		for _, info := range from {
			if h.version < TLS12 && info.traits&only12 != 0 || h.version == SSL30 && info.elliptic() {
				continue
			}
			if h.shape == strong && info.traits&weak != 0 {
				continue
			}
			list = append(list, info.id)
		}
	}
	switch {
	case h.version == TLS13 && h.shape != ordinary:
		add(suites13)
		return list
	case h.shape == ordinary:
		add(suites13[:5])
		add(commonSuites[:maxSuites-1-5]) // but for the weakest, which make it too many
	case h.shape == rare, h.shape == strong && h.part > 0:
		add(rareSuites)
		parts := slices.Collect(slices.Chunk(list, maxSuites-1))
		part := h.part
		if h.shape == strong {
			part--
		}
		if part >= len(parts) {
			return nil
		}
		list = slices.Clone(parts[part])
	case h.shape == short:
		for _, id := range []Suite{0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9, 0x009E, 0x009F, 0x009C, 0x009D,
			0xC009, 0xC00A, 0xC013, 0xC014, 0x0033, 0x0039, 0x002F, 0x0035, 0x000A, 0x0005} {
			add([]suiteInfo{suiteTable()[id]})
		}
	case h.version == SSL30: // there are so few that all fit
		add(commonSuites)
		add(rareSuites)
	default:
		add(commonSuites)
	}
	return append(list, scsv)
}

// rareParts returns the hellos that offer the rare suites: all of them, or with
// the shape strong those that are not weak. For SSL 3.0 and TLS 1.3 there are
// none, as the plain hello offers all.
func rareParts(version Version, s shape) []hello {
	if version <= SSL30 || version == TLS13 {
		return nil
	}
	h := hello{version: version, shape: s}
	if s == strong {
		h.part = 1
	}
	var list []hello
	for ; h.suites() != nil; h.part++ {
		list = append(list, h)
	}
	return list
}

// templates holds hellos without names, which differ only in what is random.
var templates sync.Map // hello to []byte

// bytes returns the hello as one record, with new random values. serverName
// and alpn may be empty.
func (h hello) bytes(serverName string, alpn []string) []byte {
	h.flipALPN, h.again, h.noName = false, false, false
	if serverName != "" || len(alpn) > 0 || h.shape == ordinary || h.shape == share {
		return h.marshal(serverName, alpn)
	}
	template, ok := templates.Load(h)
	if !ok {
		template, _ = templates.LoadOrStore(h, h.marshal("", nil))
	}
	raw := slices.Clone(template.([]byte))
	rand.Read(raw[helloRandom:][:28])
	if size := int(raw[helloRandom+32]); size > 0 {
		rand.Read(raw[helloRandom+33:][:size])
	}
	return raw
}

// helloRandom is where the random value begins: behind the headers of record
// and message, and the version.
const helloRandom = 5 + 4 + 2

// marshal writes the hello as one record. serverName and alpn may be empty.
func (h hello) marshal(serverName string, alpn []string) []byte {
	legacy := min(h.version, TLS12)
	recordVersion := TLS10 // what all clients write, RFC 8446 §5.1
	if h.version == SSL30 {
		recordVersion = SSL30
	}

	var body, ext cryptobyte.Builder
	body.AddUint16(uint16(legacy))
	body.AddBytes(clientRandom())
	body.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if h.version == TLS13 { // RFC 8446 appendix D.4: middleboxes want one
			session := make([]byte, 32)
			rand.Read(session)
			b.AddBytes(session)
		}
	})
	body.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, suite := range h.suites() {
			b.AddUint16(uint16(suite))
		}
	})
	body.AddBytes([]byte{1, 0}) // no compression

	if h.version > SSL30 || h.shape == long {
		h.extensions(&ext, serverName, alpn)
	}
	extensions := ext.BytesOrPanic()
	const header = 4 + 2 // of the message, and the length of the extensions
	size := len(body.BytesOrPanic()) + len(extensions) + header
	if len(extensions) > 0 && (h.shape == long && h.version > SSL30 || size > deadZoneBegin) && size < deadZoneEnd {
		ext.AddUint16(extPadding)
		ext.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddBytes(make([]byte, max(1, deadZoneEnd-size-4)))
		})
		extensions = ext.BytesOrPanic()
	}

	var record cryptobyte.Builder
	record.AddUint8(recordHandshake)
	record.AddUint16(uint16(recordVersion))
	record.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(messageClientHello)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddBytes(body.BytesOrPanic())
			if len(extensions) > 0 {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(extensions) })
			}
		})
	})
	return record.BytesOrPanic()
}

func (h hello) extensions(ext *cryptobyte.Builder, serverName string, alpn []string) {
	add := func(number uint16, content func(b *cryptobyte.Builder)) {
		ext.AddUint16(number)
		ext.AddUint16LengthPrefixed(content)
	}
	list16 := func(values []uint16) func(b *cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, v := range values {
					b.AddUint16(v)
				}
			})
		}
	}
	if serverName != "" {
		add(extServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0) // host_name
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(serverName)) })
			})
		})
	}
	if h.version == SSL30 {
		return
	}
	groups, schemes := groups12, signatures12
	switch {
	case h.version == TLS13:
		groups, schemes = groups13, signatures13
	case h.shape == short:
		groups, schemes = groupsShort, signaturesShort
	}
	numbers := make([]uint16, len(groups))
	for i, group := range groups {
		numbers[i] = uint16(group)
	}
	add(extSupportedGroups, list16(numbers))
	if h.answersBelow() {
		add(extPointFormats, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) })
		if h.shape != short {
			add(extEncryptThenMAC, func(*cryptobyte.Builder) {})
			add(extMasterSecret, func(*cryptobyte.Builder) {})
		}
	}
	if h.version >= TLS12 {
		add(extSignatures, list16(schemes))
	}
	if len(alpn) > 0 {
		add(extALPN, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, name := range alpn {
					b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
				}
			})
		})
	}
	if h.version != TLS13 {
		return
	}
	versions := []Version{TLS13}
	if h.shape == ordinary {
		versions = []Version{TLS13, TLS12, TLS11, TLS10}
	}
	add(extSupportedVersions, func(b *cryptobyte.Builder) {
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, v := range versions {
				b.AddUint16(uint16(v))
			}
		})
	})
	add(extPSKModes, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 1}) })
	// An empty list of key shares asks for HelloRetryRequest, RFC 8446 §4.2.8:
	// the server names version, suite and group and computes nothing.
	add(extKeyShare, func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			groups := []Group{h.keyOf}
			switch h.shape {
			case ordinary:
				groups = []Group{groupX25519, groupP256}
			case share:
			default:
				return
			}
			for _, group := range groups {
				b.AddUint16(uint16(group))
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(keyShare(group)) })
			}
		})
	})
}

// clientRandom returns the 32 bytes of the hello that may be anything. They
// end with an empty line, so that a plain HTTP or mail server, which waits for
// one, answers at once and is known by its answer.
func clientRandom() []byte {
	random := make([]byte, 32)
	rand.Read(random)
	copy(random[28:], "\r\n\r\n")
	return random
}

// helloSSL2 returns a CLIENT-HELLO of SSL 2.0: its own record format, the
// seven kinds of cipher, and a challenge of 16 bytes.
// See "The SSL Protocol" (Hickman, 1995) §2.5.
func helloSSL2() []byte {
	ciphers := []byte{
		0x01, 0x00, 0x80, 0x02, 0x00, 0x80, 0x03, 0x00, 0x80, 0x04, 0x00, 0x80,
		0x05, 0x00, 0x80, 0x06, 0x00, 0x40, 0x07, 0x00, 0xC0,
	}
	challenge := make([]byte, 16)
	rand.Read(challenge)
	var b cryptobyte.Builder
	b.AddUint16(0x8000 | uint16(1+2+6+len(ciphers)+len(challenge)))
	b.AddUint8(messageClientHello)
	b.AddUint16(uint16(SSL20))
	b.AddUint16(uint16(len(ciphers)))
	b.AddUint16(0) // no session
	b.AddUint16(uint16(len(challenge)))
	b.AddBytes(ciphers)
	b.AddBytes(challenge)
	return b.BytesOrPanic()
}
