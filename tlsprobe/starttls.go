package tlsprobe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
)

// A Protocol is one whose servers begin TLS only when asked to.
type Protocol string

const (
	SMTP Protocol = "smtp" // RFC 3207: greeting, EHLO, STARTTLS
	IMAP Protocol = "imap" // RFC 9051 §6.2.1: greeting, STARTTLS
	POP3 Protocol = "pop3" // RFC 2595 §4: greeting, STLS
	LDAP Protocol = "ldap" // RFC 4511 §4.14: StartTLS
	TDS  Protocol = "tds"  // MS-TDS §2.2.6.5: PRELOGIN, with TLS wrapped in packets; SQL Server
)

// Protocols lists the known ones.
func Protocols() []Protocol { return []Protocol{SMTP, IMAP, POP3, LDAP, TDS} }

// startTLS leads conn to where TLS begins. The name is for EHLO, and may be
// empty. A refusal is a *lossError. After an
// error the caller closes conn.
func startTLS(conn net.Conn, protocol Protocol, ehlo string) (net.Conn, error) {
	var next net.Conn
	var err error
	switch protocol {
	case SMTP:
		next, err = startSMTP(newLineConn(conn), ehlo)
	case IMAP:
		next, err = startIMAP(newLineConn(conn))
	case POP3:
		next, err = startPOP3(newLineConn(conn))
	case LDAP:
		next, err = startLDAP(newLineConn(conn))
	case TDS:
		next, err = startTDS(conn)
	default:
		err = fmt.Errorf("tlsprobe: no such protocol before TLS: %.40q", string(protocol))
	}
	if errors.Is(err, errTooLong) {
		err = &lossError{lostStartTLS, err.Error()}
	}
	return next, err
}

func refusedLine(what, line string) error {
	return &lossError{lostStartTLS, fmt.Sprintf("%s: the server says %.200q", what, line)}
}

func putOffLine(line string) error {
	return &lossError{lostPutOff, fmt.Sprintf("the server says %.200q", line)}
}

// replySMTP reads one reply of SMTP, RFC 5321 §4.2, and returns its code and
// lines.
func replySMTP(c *lineConn) (code string, lines []string, err error) {
	for {
		line, err := c.line()
		if err != nil {
			return "", nil, err
		}
		lines = append(lines, line)
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" || code != "" && line[:3] != code {
			return "", nil, refusedLine("this is no SMTP", line)
		}
		code = line[:3]
		if len(line) == 3 || line[3] != '-' {
			return code, lines, nil
		}
	}
}

// startSMTP follows RFC 3207. A reply that begins with 4 is one for now, RFC
// 5321 §4.2.1: the client may come back.
func startSMTP(c *lineConn, name string) (net.Conn, error) {
	say := func(command string) (code string, lines []string, err error) {
		if command != "" {
			if _, err := io.WriteString(c, command+"\r\n"); err != nil {
				return "", nil, err
			}
		}
		if code, lines, err = replySMTP(c); err == nil && code[0] == '4' {
			err = putOffLine(lines[0])
		}
		return code, lines, err
	}
	code, lines, err := say("")
	if err != nil {
		return nil, err
	}
	if code != "220" {
		return nil, refusedLine("no service", lines[0])
	}
	names := []string{name}
	if name == "" {
		names = []string{addressLiteral(c)}
		if host, err := hostname(); err == nil && host != "" {
			names = append(names, host)
		}
	}
	for i, name := range names {
		if code, lines, err = say("EHLO " + name); err != nil {
			return nil, err
		}
		// 500 and 502 are about the command; the others are about its name.
		if code == "250" || code == "500" || code == "502" || i == len(names)-1 {
			break
		}
	}
	switch code {
	case "250":
	case "500", "502":
		return nil, refusedLine("EHLO is not known", lines[0])
	default:
		return nil, &lossError{lostEHLO, fmt.Sprintf("the name in EHLO is refused, of %q: the server says %.200q", names, lines[0])}
	}
	offered := false
	for _, line := range lines[1:] {
		offered = offered || len(line) > 4 && strings.EqualFold(strings.TrimSpace(line[4:]), "STARTTLS")
	}
	if !offered {
		io.WriteString(c, "QUIT\r\n") // for the server's log; the answer does not matter
		return nil, &lossError{lostNoStartTLS, "the server does not offer STARTTLS"}
	}
	if code, lines, err = say("STARTTLS"); err != nil {
		return nil, err
	}
	if code != "220" {
		io.WriteString(c, "QUIT\r\n")
		return nil, refusedLine("STARTTLS is refused", lines[0])
	}
	return c, nil
}

// hostname returns the name of this machine, if it is one that can be said.
var hostname = sync.OnceValues(func() (string, error) {
	name, err := os.Hostname()
	if err != nil || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", err
	}
	return name, nil
})

// addressLiteral returns the name of RFC 5321 §4.1.3 for those without one.
func addressLiteral(conn net.Conn) string {
	addr, ok := conn.LocalAddr().(*net.TCPAddr)
	switch {
	case !ok:
		return "localhost"
	case addr.IP.To4() != nil:
		return "[" + addr.IP.String() + "]"
	}
	return "[IPv6:" + addr.IP.String() + "]"
}

func startIMAP(c *lineConn) (net.Conn, error) {
	greeting, err := c.line()
	if err != nil {
		return nil, err
	}
	if hasPrefixFold(greeting, "* BYE") { // too many connections, or closed for now: RFC 9051 §7.1.5
		return nil, putOffLine(greeting)
	}
	if status, ok := cutPrefixFold(greeting, "* "); !ok || !hasPrefixFold(status, "OK") {
		return nil, refusedLine("this is no IMAP that takes STARTTLS", greeting)
	}
	if _, err := io.WriteString(c, "a1 STARTTLS\r\n"); err != nil {
		return nil, err
	}
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		if hasPrefixFold(line, "* ") { // untagged, such as a capability nobody asked for
			continue
		}
		if status, ok := cutPrefixFold(line, "a1 "); ok && hasPrefixFold(status, "OK") {
			return c, nil
		}
		return nil, refusedLine("STARTTLS is refused", line)
	}
}

func startPOP3(c *lineConn) (net.Conn, error) {
	greeting, err := c.line()
	if err != nil {
		return nil, err
	}
	if hasPrefixFold(greeting, "-ERR [SYS/TEMP]") { // RFC 3206 §4
		return nil, putOffLine(greeting)
	}
	if !hasPrefixFold(greeting, "+OK") {
		return nil, refusedLine("this is no POP3", greeting)
	}
	if _, err := io.WriteString(c, "STLS\r\n"); err != nil {
		return nil, err
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	if !hasPrefixFold(line, "+OK") {
		return nil, refusedLine("STLS is refused", line)
	}
	return c, nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if !hasPrefixFold(s, prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// startTLSRequest is the extended request with message ID 1 for the object
// identifier 1.3.6.1.4.1.1466.20037.
const startTLSRequest = "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

func startLDAP(c *lineConn) (net.Conn, error) {
	if _, err := io.WriteString(c, startTLSRequest); err != nil {
		return nil, err
	}
	message, err := readBER(c.r, 0x30)
	if err != nil {
		return nil, err
	}
	// LDAPMessage: messageID, then ExtendedResponse [APPLICATION 24]: resultCode,
	// matchedDN, diagnosticMessage.
	id, rest, ok1 := cutBER(message, 0x02)
	response, _, ok2 := cutBER(rest, 0x78)
	code, rest, ok3 := cutBER(response, 0x0A)
	_, rest, ok4 := cutBER(rest, 0x04)
	text, _, ok5 := cutBER(rest, 0x04)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || len(id) == 0 || len(code) != 1 {
		return nil, &lossError{lostStartTLS, "this is no LDAP: the answer to StartTLS makes no sense"}
	}
	if code[0] != 0 {
		return nil, &lossError{lostStartTLS, fmt.Sprintf("StartTLS is refused: result %d, the server says %.200q", code[0], text)}
	}
	return c, nil
}

var errNotBER = &lossError{lostStartTLS, "this is no LDAP: the answer to StartTLS is not BER"}

// readBER reads one element with the given tag and returns its content. Active
// Directory writes lengths in the long form where the short one would do, so
// this is BER and not DER.
func readBER(r io.Reader, tag byte) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] != tag {
		return nil, errNotBER
	}
	length := int(head[1])
	if length > 0x7F {
		n := length & 0x7F
		if n == 0 || n > 4 {
			return nil, errNotBER
		}
		var long [4]byte
		if _, err := io.ReadFull(r, long[4-n:]); err != nil {
			return nil, err
		}
		size := binary.BigEndian.Uint32(long[:])
		if size > maxDialogue {
			return nil, errTooLong
		}
		length = int(size)
	}
	content := make([]byte, length)
	_, err := io.ReadFull(r, content)
	return content, err
}

// cutBER takes the element with the given tag off the beginning of b.
func cutBER(b []byte, tag byte) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, b, false
	}
	length, at := int(b[1]), 2
	if length > 0x7F {
		n := length & 0x7F
		if n == 0 || n > 4 || len(b) < 2+n {
			return nil, b, false
		}
		length = 0
		for _, c := range b[2 : 2+n] {
			length = length<<8 | int(c)
		}
		at += n
	}
	if length < 0 || length > len(b)-at {
		return nil, b, false
	}
	return b[at : at+length], b[at+length:], true
}

// Of TDS: the types of packets, and what the option ENCRYPTION of PRELOGIN
// says, MS-TDS §2.2.3.1.1 and §2.2.6.5.
const (
	tdsPrelogin   = 0x12
	tdsReply      = 0x04
	tdsEncryption = 0x01
	tdsOn         = 0x01
	tdsNotSup     = 0x02
	tdsHeader     = 8
	tdsMaxPacket  = 32 << 10
)

func startTDS(conn net.Conn) (net.Conn, error) {
	// Two options, VERSION and ENCRYPTION, then their values.
	prelogin := []byte{
		0x00, 0, 11, 0, 6, tdsEncryption, 0, 17, 0, 1, 0xFF,
		0, 0, 0, 0, 0, 0, tdsOn,
	}
	c := &tdsConn{Conn: conn}
	if _, err := c.Write(prelogin); err != nil {
		return nil, err
	}
	reply, err := c.packet()
	if err != nil {
		return nil, err
	}
	for at := 0; at+5 <= len(reply) && reply[at] != 0xFF; at += 5 {
		offset, length := int(binary.BigEndian.Uint16(reply[at+1:])), int(binary.BigEndian.Uint16(reply[at+3:]))
		if reply[at] != tdsEncryption || length != 1 || offset >= len(reply) {
			continue
		}
		if reply[offset] == tdsNotSup {
			return nil, &lossError{lostStartTLS, "the server says in PRELOGIN that it does not encrypt"}
		}
		c.open = true
		return c, nil
	}
	return nil, &lossError{lostStartTLS, "this is no TDS: the answer to PRELOGIN makes no sense"}
}

// A tdsConn wraps what is written in PRELOGIN packets, and unwraps what is
// read, as TLS is spoken in TDS until the handshake is over.
type tdsConn struct {
	net.Conn
	open bool   // PRELOGIN is over; whatever comes in is TLS
	rest []byte // of the packet being read
}

func (c *tdsConn) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		n := min(len(p)-sent, 4096-tdsHeader)
		packet := make([]byte, tdsHeader, tdsHeader+n)
		packet[0] = tdsPrelogin
		if sent+n == len(p) {
			packet[1] = 1 // end of message
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(tdsHeader+n))
		packet = append(packet, p[sent:sent+n]...)
		if _, err := c.Conn.Write(packet); err != nil {
			return sent, err
		}
		sent += n
	}
	return len(p), nil
}

func (c *tdsConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		packet, err := c.packet()
		if err != nil {
			return 0, err
		}
		c.rest = packet
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// packet reads one packet and returns its content. The bytes of something that
// is not TDS are returned as they are, once PRELOGIN is over.
func (c *tdsConn) packet() ([]byte, error) {
	var head [tdsHeader]byte
	if n, err := io.ReadFull(c.Conn, head[:]); err != nil {
		if n > 0 && c.open {
			return head[:n], nil
		}
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if head[0] != tdsReply && head[0] != tdsPrelogin || size < tdsHeader || size > tdsMaxPacket {
		if c.open {
			return head[:], nil
		}
		return nil, &lossError{lostStartTLS, fmt.Sprintf("this is no TDS: the server begins with %q", head[:])}
	}
	content := make([]byte, size-tdsHeader)
	_, err := io.ReadFull(c.Conn, content)
	return content, err
}
