package authinspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/authinspect"
)

var mailProtocols = []authinspect.Protocol{authinspect.IMAP, authinspect.POP3, authinspect.SMTP}

// What was read can be written as a plain list and read again, and nothing is
// read that does not stand there.
func FuzzParseMailState(f *testing.F) {
	f.Add(uint8(0), "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] ready\r\n* CAPABILITY IMAP4rev1 STARTTLS auth=xoauth2\r\nx1 OK done\r\n")
	f.Add(uint8(1), "+OK\r\nSASL PLAIN XOAUTH2\r\nUSER\r\nSTLS\r\n..odd\r\n.\r\n")
	f.Add(uint8(2), "250-mail Hello\r\n250-AUTH LOGIN XOAUTH2\r\n250-AUTH=LOGIN\r\n250-XXXXXXXA\r\n250 STARTTLS\r\n")
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		protocol := mailProtocols[int(which)%len(mailProtocols)]
		s := authinspect.ParseMailState(protocol, strings.Split(text, "\n"))
		upper := strings.ToUpper(text)
		for i, m := range s.Mechanisms {
			require.Contains(t, upper, m)
			require.Equal(t, strings.ToUpper(m), m)
			require.NotContains(t, s.Mechanisms[:i], m)
		}
		if !s.Known {
			require.Empty(t, s.Mechanisms)
			require.Equal(t, authinspect.StrengthUnknown, s.Login)
			return
		}
		var lines []string
		switch protocol {
		case authinspect.IMAP:
			lines = []string{"* CAPABILITY " + strings.Join(s.Capabilities, " ")}
		case authinspect.POP3:
			lines = []string{"+OK"}
			for _, c := range s.Capabilities {
				if strings.HasPrefix(c, ".") {
					c = "." + c
				}
				lines = append(lines, c)
			}
		case authinspect.SMTP:
			lines = []string{"250-mail"}
			for _, c := range s.Capabilities {
				lines = append(lines, "250-"+c)
			}
		}
		again := authinspect.ParseMailState(protocol, lines)
		again.Lines = s.Lines
		require.Equal(t, s, again)
	})
}

// A scriptedConn is a server that says its whole part at once, whatever it is
// told.
type scriptedConn struct {
	io.Reader
	sent bytes.Buffer
}

func (c *scriptedConn) Write(p []byte) (int, error) { return c.sent.Write(p) }
func (c *scriptedConn) Close() error                { return nil }
func (c *scriptedConn) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (c *scriptedConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}
}
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

// harmless are all the commands that an inspection may send.
var harmless = regexp.MustCompile(`^(?:(?:x[1-9] (?:CAPABILITY|ID NIL|STARTTLS|LOGOUT)|CAPA|STLS|QUIT|EHLO \[127\.0\.0\.1\]|STARTTLS)\r\n)*$`)

// Whatever a server says, nothing but the harmless commands is sent to it,
// and what is concluded stands in what it said.
func FuzzInspectMail(f *testing.F) {
	f.Add(uint8(0), []byte("* OK [CAPABILITY IMAP4rev1] hi\r\n* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\nx1 OK\r\n* ID (\"name\" \"x\")\r\nx2 OK\r\n* BYE\r\nx3 OK\r\n"))
	f.Add(uint8(0), []byte("* OK hi\r\n* CAPABILITY STARTTLS\r\nx1 OK\r\nx2 OK go\r\nx3 OK\r\n"))
	f.Add(uint8(0), []byte("+ dXNlcg==\r\n* OK LOGIN please\r\n"))
	f.Add(uint8(1), []byte("+OK The Microsoft Exchange POP3 service is ready. [QgBOAA==]\r\n+OK\r\nUSER\r\nSASL PLAIN XOAUTH2\r\n.\r\n+OK\r\n"))
	f.Add(uint8(1), []byte("+OK\r\n+OK\r\nSTLS\r\n.\r\n-ERR no\r\n"))
	f.Add(uint8(2), []byte("220 mail ESMTP Postfix\r\n250-mail\r\n250 AUTH PLAIN\r\n221 bye\r\n"))
	f.Add(uint8(2), []byte("220-mail\r\n220 hi\r\n250-mail\r\n250 STARTTLS\r\n220 go\r\n\x15\x03\x01\x00\x02\x02\x28"))
	f.Add(uint8(2), []byte("421 4.3.2 busy\r\n"))
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		conn := &scriptedConn{Reader: bytes.NewReader(script)}
		in := &authinspect.Inspector{Dial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
		r, err := in.InspectMail(t.Context(), "mail.contoso.test:1", mailProtocols[int(which)%len(mailProtocols)])
		sent, hello, _ := strings.Cut(conn.sent.String(), "\x16\x03")
		require.Regexp(t, harmless, sent)
		if hello != "" {
			require.Regexp(t, `(?:STARTTLS|STLS)\r\n$`, sent)
		}
		if err != nil {
			require.Nil(t, r)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Nil(t, r.TLS)
		require.Nil(t, r.Secure)
		require.NotContains(t, r.Greeting, "\n")
		if r.Modern == authinspect.ModernOn {
			require.NotEmpty(t, r.Clear.Tokens())
		}
		if r.Password == authinspect.Advertised {
			require.NotEmpty(t, r.Clear.Passwords())
		}
		if r.Modern == authinspect.ModernUnknown {
			require.NotEmpty(t, r.ModernReason)
			require.NotEmpty(t, r.Warnings)
		}
		for _, finding := range authinspect.AssessMail(r, november2026) {
			require.NotEmpty(t, finding.Detail)
		}
		_, err = json.Marshal(r)
		require.NoError(t, err)
		require.False(t, slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.ContainsAny(w, "\r\n") }), "%q", r.Warnings)
	})
}
