package tlsprobetest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/crossprem/crossprem/tlsprobe"
)

var errNoTLS = errors.New("the dialogue ended without TLS")

// A textConn is a connection of which lines were read.
type textConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *textConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c *textConn) inner() net.Conn            { return c.Conn }

func (c *textConn) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	return strings.TrimRight(string(line), "\r\n"), err
}

func (c *textConn) say(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }

// startTLS leads the dialogue before TLS from the server's side, or ends it.
func (s *Server) startTLS(conn net.Conn, number int) (net.Conn, error) {
	c := &textConn{Conn: conn, r: bufio.NewReader(conn)}
	switch s.StartTLS {
	case tlsprobe.SMTP:
		return c, s.smtp(c, number)
	case tlsprobe.IMAP:
		return c, s.imap(c)
	case tlsprobe.POP3:
		return c, s.pop3(c)
	case tlsprobe.LDAP:
		return c, s.ldap(c)
	}
	return s.tds(conn)
}

func (s *Server) smtp(c *textConn, number int) error {
	falters := s.FalterFirst == 0 || number <= s.FalterFirst
	hides := s.HideStartTLS || s.HideEveryNth > 0 && number%s.HideEveryNth == 0
	if falters && s.Greeting != "" {
		c.say("%s", s.Greeting)
		return errNoTLS
	}
	c.say("220-mail.contoso.test ESMTP")
	c.say("220 ready when you are")
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		verb, name, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case verb == "EHLO" && falters && s.RefuseEHLO != "":
			c.say("%s", s.RefuseEHLO)
			if strings.HasPrefix(s.RefuseEHLO, "421") {
				return errNoTLS
			}
		case verb == "EHLO" && s.RefuseLiteral && strings.HasPrefix(name, "["):
			c.say("501 5.5.2 a name is wanted")
		case verb == "EHLO" && hides:
			c.say("250-mail.contoso.test\r\n250 SIZE 37748736")
		case verb == "EHLO":
			c.say("250-mail.contoso.test\r\n250-SIZE 37748736\r\n250-STARTTLS\r\n250 8BITMIME")
		case verb == "STARTTLS" && falters && s.RefuseStartTLS != "":
			c.say("%s", s.RefuseStartTLS)
			if strings.HasPrefix(s.RefuseStartTLS, "421") {
				return errNoTLS
			}
		case verb == "STARTTLS" && !hides:
			c.say("220 2.0.0 SMTP server ready")
			return nil
		case verb == "QUIT":
			c.say("221 2.0.0 bye")
			return errNoTLS
		default:
			c.say("502 5.5.1 no such command")
		}
	}
}

func (s *Server) imap(c *textConn) error {
	c.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] mail.contoso.test")
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		tag, command, _ := strings.Cut(line, " ")
		switch {
		case !strings.EqualFold(command, "STARTTLS") || s.HideStartTLS:
			c.say("%s BAD no such command", tag)
		case s.RefuseStartTLS != "":
			c.say("%s %s", tag, s.RefuseStartTLS)
		default:
			c.say("* CAPABILITY IMAP4rev1")
			c.say("%s OK begin TLS negotiation now", tag)
			return nil
		}
	}
}

func (s *Server) pop3(c *textConn) error {
	c.say("+OK mail.contoso.test")
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		switch {
		case !strings.EqualFold(line, "STLS") || s.HideStartTLS:
			c.say("-ERR no such command")
		case s.RefuseStartTLS != "":
			c.say("%s", s.RefuseStartTLS)
		default:
			c.say("+OK begin TLS negotiation now")
			return nil
		}
	}
}

// ldap answers one request, in the long form of lengths that Active Directory
// uses.
func (s *Server) ldap(c *textConn) error {
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	request := make([]byte, head[1]&0x7F)
	if _, err := io.ReadFull(c, request); err != nil {
		return err
	}
	code, text := byte(0), ""
	if s.RefuseStartTLS != "" || s.HideStartTLS {
		code, text = 52, s.RefuseStartTLS // unavailable
	}
	if !strings.Contains(string(request), "1.3.6.1.4.1.1466.20037") {
		code, text = 2, "no such operation" // protocolError
	}
	element := func(tag byte, content []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(len(content))), content...)
	}
	response := append([]byte{0x0A, 1, code, 0x04, 0}, element(0x04, []byte(text))...)
	if _, err := c.Write(element(0x30, append([]byte{0x02, 1, 1}, element(0x78, response)...))); err != nil {
		return err
	}
	if code != 0 {
		drain(c)
		return errNoTLS
	}
	return nil
}

// tds answers PRELOGIN, MS-TDS §2.2.6.5.
func (s *Server) tds(conn net.Conn) (net.Conn, error) {
	c := &tdsConn{Conn: conn}
	if _, err := c.packet(); err != nil {
		return nil, err
	}
	encryption := byte(1) // on
	if s.RefuseStartTLS != "" || s.HideStartTLS {
		encryption = 2 // not supported
	}
	reply := []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 16, 0, 0, 0, encryption}
	if err := c.send(4, reply); err != nil {
		return nil, err
	}
	if encryption == 2 {
		drain(conn)
		return nil, errNoTLS
	}
	return c, nil
}

// A tdsConn wraps TLS in packets of TDS.
type tdsConn struct {
	net.Conn
	rest []byte
}

func (c *tdsConn) inner() net.Conn { return c.Conn }

func (c *tdsConn) packet() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if head[0] != 0x12 || size < len(head) {
		return nil, errNoTLS
	}
	content := make([]byte, size-len(head))
	_, err := io.ReadFull(c.Conn, content)
	return content, err
}

func (c *tdsConn) send(kind byte, content []byte) error {
	packet := binary.BigEndian.AppendUint16([]byte{kind, 1}, uint16(8+len(content)))
	packet = append(packet, 0, 0, 1, 0)
	_, err := c.Conn.Write(append(packet, content...))
	return err
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

func (c *tdsConn) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); sent += 4000 {
		if err := c.send(0x12, p[sent:min(len(p), sent+4000)]); err != nil {
			return sent, err
		}
	}
	return len(p), nil
}
