package tlsprobe

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read feeds the pieces to a new reader.
func read(flight bool, pieces ...[]byte) answer {
	r := answerReader{flight: flight}
	for _, piece := range pieces {
		if !r.feed(piece) {
			break
		}
	}
	return r.end()
}

// record frames content as one record.
func record(kind uint8, content ...byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(content) >> 8), byte(len(content))}, content...)
}

// serverHello12 is a ServerHello of TLS 1.2 with the suite 0xC02F.
func serverHello12(tail string) []byte {
	random := bytes.Repeat([]byte{7}, 32)
	copy(random[32-len(tail):], tail)
	body := slices.Concat([]byte{3, 3}, random, []byte{0, 0xC0, 0x2F, 0})
	return append([]byte{2, 0, 0, byte(len(body))}, body...)
}

func TestAnswer(t *testing.T) {
	hello := record(recordHandshake, serverHello12("")...)
	warning := record(recordAlert, 1, 112)

	a := read(false, hello)
	assert.Equal(t, answer{kind: chosen, version: TLS12, suite: 0xC02F}, a)
	assert.Equal(t, a, read(false, warning, hello), "a warning before the ServerHello changes nothing")
	assert.Equal(t, TLS13, read(false, record(recordHandshake, serverHello12("DOWNGRD\x01")...)).sentinel)
	assert.Equal(t, TLS12, read(false, record(recordHandshake, serverHello12("DOWNGRD\x00")...)).sentinel)
	var single [][]byte
	for _, b := range serverHello12("") {
		single = append(single, record(recordHandshake, b))
	}
	assert.Equal(t, a, read(false, single...), "one byte in each record")

	assert.Equal(t, answer{kind: alerted, alert: 70}, read(false, record(recordAlert, 2, 70)))
	assert.Equal(t, answer{kind: alerted, alert: 40}, read(false, record(recordAlert, 2), record(recordAlert, 40)))
	assert.Equal(t, answer{kind: alerted, alert: 112}, read(false, warning), "a warning and then the end")
	assert.Equal(t, answer{kind: alerted, alert: 112}, read(false, warning, record(recordAlert, 1, 0)))
	assert.Equal(t, answer{}, read(false), "no byte")
	assert.Equal(t, answer{partial: true}, read(false, hello[:20]))
	assert.Equal(t, malformed, read(false, record(recordHandshake, 1, 0, 0, 0)).kind, "our own hello, sent back")
	assert.Equal(t, malformed, read(false, record(recordData, 1)).kind)
	assert.Equal(t, chosen, read(true, hello, record(recordAlert, 2, 40)).kind, "an alert does not take the ServerHello back")

	for banner, protocol := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n": "http", "SSH-2.0-x\r\n": "ssh", "220 mail ESMTP\r\n": "smtp", "220 FTP\r\n": "ftp",
		"* OK IMAP4\r\n": "imap", "+OK\r\n": "pop3", "RFB 003.008\n": "vnc", "\x00\x00\x00\x00\x00\x00\x00\x00": "unknown",
		"0\x84\x00\x00\x00\x28\x02\x01": "ldap", "\x04\x01\x00\x25\x00\x00\x01\x00": "tds",
	} {
		assert.Equal(t, answer{kind: foreign, protocol: protocol}, read(false, []byte(banner)), banner)
	}
}

// Whatever the bytes, it does not matter how the network cuts them, nothing
// panics, and what is kept is bounded.
func FuzzAnswer(f *testing.F) {
	flight := slices.Concat(serverHello12("DOWNGRD\x01"),
		[]byte{11, 0, 0, 9, 0, 0, 6, 0, 0, 3, 'c', 'r', 't'}, []byte{12, 0, 0, 11, 3, 0, 29, 1, 7, 4, 3, 0, 2, 1, 2}, []byte{13, 0, 0, 0}, []byte{14, 0, 0, 0})
	f.Add(record(recordHandshake, flight...), uint64(3), true, false)
	f.Add(record(recordHandshake, serverHello12("")...), uint64(1), false, false)
	f.Add(slices.Concat(record(recordAlert, 1, 112), record(recordHandshake, flight[:9]...), record(recordHandshake, flight[9:]...)), uint64(77), true, false)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint64(9), false, false)
	f.Add([]byte("0\x84\x00\x00\x00\x28\x02\x01"), uint64(2), false, false)
	f.Add([]byte{0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0}, uint64(2), false, true)
	f.Fuzz(func(t *testing.T, data []byte, cuts uint64, flight, ssl2 bool) {
		whole := answerReader{flight: flight, ssl2: ssl2}
		whole.feed(data)
		want := whole.end()

		pieces := answerReader{flight: flight, ssl2: ssl2}
		for rest := data; len(rest) > 0; {
			n := min(int(cuts%13)+1, len(rest))
			cuts = cuts>>3 | cuts<<61
			if !pieces.feed(rest[:n]) {
				break
			}
			rest = rest[n:]
		}
		require.Equal(t, want, pieces.end())

		require.LessOrEqual(t, len(want.certs), maxCertificates)
		require.LessOrEqual(t, len(whole.head), maxBanner)
		require.LessOrEqual(t, len(whole.messages), maxAnswer)
		if want.kind == chosen && !ssl2 {
			require.True(t, bytes.Contains(data, []byte{messageServerHello}), "no ServerHello out of nothing")
		}
		if want.kind == foreign {
			require.NotEmpty(t, want.protocol)
		}
	})
}

// Whatever the server says before TLS, the dialogue ends with TLS, a refusal or
// a lost connection, sends no more than it should, and does not swallow bytes
// that belong to TLS.
func FuzzStartTLS(f *testing.F) {
	const tail = "\x16\x03\x03tail"
	for i, talk := range []string{
		"220-mail\r\n220 ready\r\n250-mail\r\n250-STARTTLS\r\n250 OK\r\n220 go\r\n",
		"* OK ready\r\n* CAPABILITY\r\na1 OK begin\r\n", "+OK ready\r\n+OK begin\r\n",
		"0\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00",
		"\x04\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff\x10\x00\x10\x00\x00\x00\x01",
		"220 x\r\n250 x\r\n", "421 busy\r\n", "* NO\r\n", "-ERR\r\n", "",
	} {
		f.Add(uint8(i%5), []byte(talk))
	}
	f.Fuzz(func(t *testing.T, which uint8, talk []byte) {
		protocol := Protocols()[int(which)%len(Protocols())]
		conn := &scriptedConn{in: bytes.NewReader(append(slices.Clone(talk), tail...))}
		next, err := startTLS(conn, protocol, "")
		require.LessOrEqual(t, conn.out.Len(), 200, "what is sent does not grow with what is said")
		if err != nil {
			require.NotEmpty(t, err.Error())
			require.LessOrEqual(t, len(err.Error()), 1000)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		if protocol == TDS {
			return // what follows is framed
		}
		var rest [4096]byte
		n := 0
		for {
			m, err := next.Read(rest[n:])
			if n += m; err != nil || n == len(rest) {
				break
			}
		}
		if n < len(rest) {
			require.True(t, bytes.HasSuffix(append(slices.Clone(talk), tail...), rest[:n]))
		}
	})
}

// A scriptedConn says what it was told to say.
type scriptedConn struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *scriptedConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *scriptedConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scriptedConn) Close() error                     { return nil }
func (c *scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *scriptedConn) RemoteAddr() net.Addr             { return c.LocalAddr() }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

func TestHellos(t *testing.T) {
	for _, v := range fiveVersions {
		for _, s := range []shape{plain, rare, short, long, ordinary, strong} {
			for _, name := range []string{"", "a.test", string(bytes.Repeat([]byte("a"), 60)), string(bytes.Repeat([]byte("a"), 120)), string(bytes.Repeat([]byte("a"), 255))} {
				h := hello{version: v, shape: s}
				raw := h.bytes(name, []string{"h2", "http/1.1"})
				size := len(raw) - 5
				assert.Equal(t, size, int(raw[3])<<8|int(raw[4]))
				assert.Equal(t, size-4, int(raw[6])<<16|int(raw[7])<<8|int(raw[8]))
				assert.False(t, size >= 250 && size < 512, "%s, shape %d, name of %d: %d bytes are in the dead zone", v, s, len(name), size)
				assert.LessOrEqual(t, len(h.suites()), maxSuites)
			}
		}
	}
	for _, v := range []Version{TLS12, TLS11, TLS10} {
		offered := make(map[Suite]bool)
		for _, suite := range (hello{version: v}).suites() {
			offered[suite] = true
		}
		for _, part := range rareParts(v, rare) {
			for _, suite := range part.suites() {
				assert.True(t, suite == scsv || !offered[suite], "%s is offered twice", suite)
				offered[suite] = true
			}
		}
		for _, info := range slices.Concat(commonSuites, rareSuites) {
			assert.Equal(t, v == TLS12 || info.traits&only12 == 0, offered[info.id], "%s, %s", v, info.name)
		}
	}
}

func BenchmarkHello(b *testing.B) {
	for b.Loop() {
		for _, v := range fiveVersions {
			hello{version: v}.bytes("", nil)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	flight := record(recordHandshake, serverHello12("")...)
	b.SetBytes(int64(len(flight)))
	for b.Loop() {
		read(false, flight)
	}
}
