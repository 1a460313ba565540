package tlsprobetest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/crossprem/crossprem/tlsprobe"
)

// A clientHello is what a server has to know of a hello.
type clientHello struct {
	size     int // of the message, with its header
	versions []tlsprobe.Version
	suites   []tlsprobe.Suite
	groups   []tlsprobe.Group
	shares   []tlsprobe.Group
	name     string
	session  []byte
	elliptic bool // supported_groups was there
}

// readHello reads the first message, and returns all bytes read as well.
func readHello(conn net.Conn) (*clientHello, []byte, error) {
	var raw, message []byte
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return nil, nil, err
		}
		if head[0] != 22 || head[1] != 3 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		body := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(conn, body); err != nil {
			return nil, nil, err
		}
		raw = append(append(raw, head[:]...), body...)
		message = append(message, body...)
		if len(raw) > 64<<10 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		if len(message) < 4 {
			continue
		}
		size := 4 + (int(message[1])<<16 | int(message[2])<<8 | int(message[3]))
		if len(message) >= size {
			hello := &clientHello{size: size}
			if message[0] != 1 || !hello.parse(message[4:size]) {
				return nil, nil, io.ErrUnexpectedEOF
			}
			return hello, raw, nil
		}
	}
}

func (h *clientHello) parse(s cryptobyte.String) bool {
	var legacy uint16
	var random []byte
	var session, suites, compression, extensions cryptobyte.String
	if !s.ReadUint16(&legacy) || !s.ReadBytes(&random, 32) || !s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compression) {
		return false
	}
	h.session = session
	for !suites.Empty() {
		var suite uint16
		if !suites.ReadUint16(&suite) {
			return false
		}
		h.suites = append(h.suites, tlsprobe.Suite(suite))
	}
	for v := tlsprobe.Version(legacy); v >= tlsprobe.SSL30; v-- {
		h.versions = append(h.versions, v)
	}
	if s.Empty() {
		return true
	}
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return false
	}
	for !extensions.Empty() {
		var number uint16
		var content, list cryptobyte.String
		if !extensions.ReadUint16(&number) || !extensions.ReadUint16LengthPrefixed(&content) {
			return false
		}
		switch number {
		case 0: // server_name
			var kind uint8
			var name cryptobyte.String
			if !content.ReadUint16LengthPrefixed(&list) || !list.ReadUint8(&kind) || !list.ReadUint16LengthPrefixed(&name) {
				return false
			}
			h.name = string(name)
		case 10: // supported_groups
			h.elliptic = true
			if !content.ReadUint16LengthPrefixed(&list) {
				return false
			}
			for !list.Empty() {
				var group uint16
				if !list.ReadUint16(&group) {
					return false
				}
				h.groups = append(h.groups, tlsprobe.Group(group))
			}
		case 43: // supported_versions
			if !content.ReadUint8LengthPrefixed(&list) {
				return false
			}
			h.versions = nil
			for !list.Empty() {
				var version uint16
				if !list.ReadUint16(&version) {
					return false
				}
				h.versions = append(h.versions, tlsprobe.Version(version))
			}
		case 51: // key_share
			if !content.ReadUint16LengthPrefixed(&list) {
				return false
			}
			for !list.Empty() {
				var group uint16
				var key cryptobyte.String
				if !list.ReadUint16(&group) || !list.ReadUint16LengthPrefixed(&key) {
					return false
				}
				h.shares = append(h.shares, tlsprobe.Group(group))
			}
		}
	}
	return true
}

const (
	alertHandshakeFailure tlsprobe.Alert = 40
	alertIllegalParameter tlsprobe.Alert = 47
	alertProtocolVersion  tlsprobe.Alert = 70
	alertUnrecognizedName tlsprobe.Alert = 112
)

// negotiate answers a hello.
func (s *Server) negotiate(conn net.Conn, number int) {
	hello, raw, err := readHello(conn)
	if err != nil {
		return
	}
	highest := slices.Max(hello.versions)
	switch {
	case s.overLimit(number), s.Intolerant != 0 && highest >= s.Intolerant, s.MaxSuites > 0 && len(hello.suites) > s.MaxSuites:
		s.cut(conn)
		return
	case s.OnHello != SendAlert:
		s.act(conn, s.OnHello)
		return
	case s.MaxHello > 0 && hello.size > s.MaxHello, s.HangTo > 0 && hello.size >= s.HangFrom && hello.size <= s.HangTo:
		s.act(conn, Hang)
		return
	case s.OnlyAlert != 0:
		s.alert(conn, s.OnlyAlert)
		return
	}
	if s.Delay > 0 {
		time.Sleep(s.Delay)
	}
	if s.ServerName != "" && !strings.EqualFold(hello.name, s.ServerName) {
		if s.OtherName != SendAlert {
			s.act(conn, s.OtherName)
			return
		}
		s.alert(conn, cmp.Or(s.OtherNameAlert, alertUnrecognizedName))
		return
	}
	version, ok := s.choose(hello)
	if !ok {
		if s.Refusal != SendAlert {
			s.act(conn, s.Refusal)
			return
		}
		s.alert(conn, cmp.Or(s.RefusalAlert, alertProtocolVersion))
		return
	}
	if slices.Contains(s.PSKOnly, version) {
		s.alert(conn, alertHandshakeFailure)
		return
	}
	if version == tlsprobe.TLS13 && s.NoEmptyKeys && len(hello.shares) == 0 {
		s.alert(conn, alertIllegalParameter)
		return
	}
	if s.Suites == nil && s.Groups == nil && s.Warning == 0 && s.Record == 0 && s.Truncate == 0 && version >= tlsprobe.TLS10 {
		s.forReal(&replayConn{Conn: conn, r: io.MultiReader(bytes.NewReader(raw), conn)}, version)
		return
	}
	s.firstFlight(conn, hello, version)
}

// choose returns the highest version that both sides have. Below TLS 1.3 that
// is the highest at most the one offered, holes or not.
func (s *Server) choose(hello *clientHello) (tlsprobe.Version, bool) {
	for _, v := range s.versions() {
		if slices.Contains(hello.versions, v) {
			return v, true
		}
	}
	return 0, false
}

func (s *Server) alert(conn net.Conn, alert tlsprobe.Alert) {
	var reading sync.WaitGroup
	reading.Go(func() { drain(conn) }) // in memory, both sides may be writing
	conn.Write([]byte{21, 3, 1, 0, 2, 2, byte(alert)})
	closeWrite(conn)
	reading.Wait()
}

// A replayConn gives what was read already once more.
type replayConn struct {
	net.Conn
	r io.Reader
}

func (c *replayConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c *replayConn) inner() net.Conn            { return c.Conn }

// forReal lets crypto/tls shake hands.
func (s *Server) forReal(conn net.Conn, version tlsprobe.Version) {
	config := &tls.Config{
		Certificates: []tls.Certificate{s.cert},
		NextProtos:   s.ALPN,
		MinVersion:   uint16(version),
		MaxVersion:   uint16(max(version, s.versions()[0])),
	}
	if len(s.versions()) != int(s.versions()[0]-slices.Min(s.versions()))+1 {
		config.MaxVersion = uint16(version) // there are holes, of which crypto/tls knows nothing
	}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	if s.ClientCertificate {
		config.ClientAuth = tls.RequireAnyClientCert
	}
	server := tls.Server(conn, config)
	if server.Handshake() == nil {
		io.Copy(io.Discard, server)
	}
}

// firstFlight sends what a server sends first, for suites and groups that
// crypto/tls does not have, and ends when the client goes on or goes away.
func (s *Server) firstFlight(conn net.Conn, hello *clientHello, version tlsprobe.Version) {
	suite, ok := s.suite(hello, version)
	if !ok {
		s.alert(conn, alertHandshakeFailure)
		return
	}
	group, ok := s.group(hello, version, suite)
	if !ok {
		s.alert(conn, alertHandshakeFailure)
		return
	}
	var flight cryptobyte.Builder
	message := func(number uint8, content func(b *cryptobyte.Builder)) {
		flight.AddUint8(number)
		flight.AddUint24LengthPrefixed(content)
	}
	retry := version == tlsprobe.TLS13 && !slices.Contains(hello.shares, group)
	message(2, func(b *cryptobyte.Builder) { s.serverHello(b, hello, version, suite, group, retry) })
	if version < tlsprobe.TLS13 {
		s.restOfFlight(message, version, suite, group)
	}
	s.sendFlight(conn, version, flight.BytesOrPanic())
	if s.Truncate > 0 {
		closeWrite(conn)
		drain(conn)
		return
	}
	// The handshake goes no further.
	var next [4096]byte
	if _, err := conn.Read(next[:]); err == nil {
		s.alert(conn, alertHandshakeFailure)
	}
}

// suite13 reports whether suite is one of TLS 1.3.
func suite13(suite tlsprobe.Suite) bool { return suite>>8 == 0x13 }

// usualSuites stand for crypto/tls where Suites is nil and it cannot serve.
var usualSuites = []tlsprobe.Suite{0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xC009, 0xC00A, 0x002F, 0x0035, 0x000A, 0x0005}

func (s *Server) suite(hello *clientHello, version tlsprobe.Version) (tlsprobe.Suite, bool) {
	suites := s.Suites
	if suites == nil {
		suites = usualSuites
	}
	for _, suite := range suites {
		elliptic := strings.Contains(suite.String(), "_ECDH")
		if suite13(suite) != (version == tlsprobe.TLS13) || version == tlsprobe.SSL30 && elliptic {
			continue
		}
		if slices.Contains(hello.suites, suite) {
			return suite, true
		}
	}
	return 0, false
}

// group returns the group of a key exchange over curves, or 0 for another one.
func (s *Server) group(hello *clientHello, version tlsprobe.Version, suite tlsprobe.Suite) (tlsprobe.Group, bool) {
	if version < tlsprobe.TLS13 && !strings.Contains(suite.String(), "_ECDHE_") {
		return 0, true
	}
	groups := s.Groups
	if groups == nil {
		groups = []tlsprobe.Group{0x001D, 0x0017, 0x0018, 0x0019}
	}
	for _, group := range groups {
		if slices.Contains(hello.groups, group) {
			return group, true
		}
	}
	return 0, false
}

var retryRandom = []byte("\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C")

func (s *Server) serverHello(b *cryptobyte.Builder, hello *clientHello, version tlsprobe.Version, suite tlsprobe.Suite, group tlsprobe.Group, retry bool) {
	random := make([]byte, 32)
	rand.Read(random)
	switch highest := s.versions()[0]; { // RFC 8446 §4.1.3
	case retry:
		random = retryRandom
	case version == tlsprobe.TLS12 && highest == tlsprobe.TLS13:
		copy(random[24:], "DOWNGRD\x01")
	case version < tlsprobe.TLS12 && highest >= tlsprobe.TLS12:
		copy(random[24:], "DOWNGRD\x00")
	}
	b.AddUint16(uint16(min(version, tlsprobe.TLS12)))
	b.AddBytes(random)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if version == tlsprobe.TLS13 {
			b.AddBytes(hello.session)
		}
	})
	b.AddUint16(uint16(suite))
	b.AddUint8(0)
	if version < tlsprobe.TLS13 {
		return
	}
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(43)
		b.AddUint16(2)
		b.AddUint16(uint16(version))
		b.AddUint16(51)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(uint16(group))
			if !retry {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, 32)) })
			}
		})
	})
}

// restOfFlight adds what follows a ServerHello up to TLS 1.2, RFC 5246 §7.4.
// The key exchange is right in form, and nothing more.
func (s *Server) restOfFlight(message func(uint8, func(*cryptobyte.Builder)), version tlsprobe.Version, suite tlsprobe.Suite, group tlsprobe.Group) {
	message(11, func(b *cryptobyte.Builder) {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, der := range s.cert.Certificate {
				b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(der) })
			}
		})
	})
	signature := func(b *cryptobyte.Builder) {
		if version == tlsprobe.TLS12 {
			b.AddUint16(0x0403)
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, 70)) })
	}
	switch name := suite.String(); {
	case strings.Contains(name, "_ECDHE_"):
		message(12, func(b *cryptobyte.Builder) {
			b.AddUint8(3) // named_curve
			b.AddUint16(uint16(group))
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, 65)) })
			signature(b)
		})
	case strings.Contains(name, "_DHE_"):
		message(12, func(b *cryptobyte.Builder) {
			for _, size := range []int{256, 1, 256} { // p, g, Ys
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(bytes.Repeat([]byte{2}, size)) })
			}
			signature(b)
		})
	}
	if s.ClientCertificate {
		message(13, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 64}) })
			if version == tlsprobe.TLS12 {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(0x0403) })
			}
			b.AddUint16(0)
		})
	}
	message(14, func(*cryptobyte.Builder) {})
}

// sendFlight frames the flight in records and sends it.
func (s *Server) sendFlight(conn net.Conn, version tlsprobe.Version, flight []byte) {
	var out []byte
	if s.Warning != 0 {
		out = append(out, 21, 3, 1, 0, 2, 1, byte(s.Warning))
	}
	size := 16 << 10
	if s.Record > 0 {
		size = s.Record
	}
	for part := range slices.Chunk(flight, size) {
		out = append(out, 22, 3, byte(min(version, tlsprobe.TLS12)))
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	if s.Truncate > 0 {
		out = out[:min(len(out), s.Truncate)]
	}
	conn.Write(out)
}
