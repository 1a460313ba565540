package authinspecttest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/authinspect"
)

// A MailReply is one row of the table that describes a mail server: which
// command gets which answer.
type MailReply struct {
	// Command is the command in upper case, with as many of its words as
	// matter: "CAPABILITY", "AUTHENTICATE XOAUTH2". "*" stands for any.
	Command string

	// Answer holds the lines as they are sent. In them, {tag} stands for the
	// tag of an IMAP command, {client} for what EHLO named, and {date} for
	// the time.
	Answer []string

	StartTLS bool          // TLS begins after the answer
	Hangup   bool          // the server closes after the answer
	Delay    time.Duration // how long the answer takes
}

// A MailHost describes a mail server on one port by tables. It is a plain
// value: take one of those that this package makes, such as
// [ExchangeOnlineMail], and change it, or write one as a literal.
type MailHost struct {
	Name     string               // for messages
	Protocol authinspect.Protocol // IMAPS, POP3S and SMTPS begin with TLS

	// Greeting holds the lines of the greeting; {date} is replaced.
	Greeting []string

	// Clear and Secure are the tables before TLS and over it; the first row
	// that fits answers. A command that no row fits is answered as nonsense.
	Clear, Secure []MailReply

	Names     []string      // on the certificate; if nil, localhost, 127.0.0.1 and ::1
	Untrusted bool          // the certificate comes from an authority that Roots does not hold
	Delay     time.Duration // before the greeting and every answer
}

// A MailServer is a running [MailHost] on loopback.
//
// A command that signs in is a violation, whatever the table says: LOGIN,
// USER, PASS, APOP, and AUTH or AUTHENTICATE as soon as a response comes. The
// row of the command answers all the same, so that refusals can be tried;
// nobody is ever let in.
type MailServer struct {
	Addr string // 127.0.0.1:port

	Loopback
	host *MailHost

	log      sync.Mutex
	commands []string
}

// Start starts the mail server on a free port of 127.0.0.1. It panics if it
// cannot, or if the protocol is none of mail. The MailHost must not be
// changed until Close has returned.
func (h *MailHost) Start() *MailServer {
	_ = h.wire()
	s := &MailServer{host: h}
	s.listen(h.Name, h.Names, h.Untrusted)
	s.Addr = s.listener.Addr().String()
	s.accept(func(conn net.Conn) { (&mailConversation{MailServer: s}).hold(conn) })
	return s
}

// URL returns the address as [authinspect.ParseMailURL] reads it.
func (s *MailServer) URL() string { return string(s.host.Protocol) + "://" + s.Addr }

// Commands returns the commands that came so far, in the order of arrival,
// without tags, in upper case, and without what stands behind the verb of a
// command that signs in.
func (s *MailServer) Commands() []string {
	s.log.Lock()
	defer s.log.Unlock()
	return slices.Clone(s.commands)
}

// A wire is what differs between the protocols.
type wire struct {
	tls       bool                // from the first byte
	nonsense  string              // the answer to what no row fits
	malformed string              // the answer to a line that is no command
	prompt    string              // an empty SASL challenge
	cancelled string              // the answer to a cancelled SASL exchange
	sasl      string              // the verb of SASL
	secret    []string            // verbs that name a user or carry a password
	followUp  map[string][]string // further challenges of a mechanism
}

// wire panics if the protocol is none of mail: a fake honours or fails.
func (h *MailHost) wire() wire {
	login := map[string][]string{"LOGIN": {"334 UGFzc3dvcmQ6"}}
	switch h.Protocol {
	case authinspect.IMAP, authinspect.IMAPS:
		return wire{tls: h.Protocol == authinspect.IMAPS, nonsense: "{tag} BAD Command received in invalid state.", malformed: "* BAD Command Error. 10",
			prompt: "+ ", cancelled: "{tag} BAD AUTHENTICATE cancelled.", sasl: "AUTHENTICATE", secret: []string{"LOGIN"}}
	case authinspect.POP3, authinspect.POP3S:
		return wire{tls: h.Protocol == authinspect.POP3S, nonsense: "-ERR Protocol error. 12", malformed: "-ERR Protocol error. 10",
			prompt: "+ ", cancelled: "-ERR Authentication cancelled.", sasl: "AUTH", secret: []string{"USER", "PASS", "APOP"}}
	case authinspect.SMTP, authinspect.SMTPS:
		return wire{tls: h.Protocol == authinspect.SMTPS, nonsense: "500 5.3.3 Unrecognized command", malformed: "500 5.5.2 Syntax error",
			prompt: "334 ", cancelled: "501 5.7.0 Authentication cancelled", sasl: "AUTH", followUp: login}
	}
	panic(fmt.Sprintf("authinspecttest: %s: %q is no mail protocol", h.Name, h.Protocol))
}

// A mailConversation is one connection.
type mailConversation struct {
	*MailServer
	conn   net.Conn
	lines  *bufio.Reader
	secure bool
	client string // as EHLO named it
}

func (c *mailConversation) hold(conn net.Conn) {
	wire := c.host.wire()
	c.use(conn)
	if wire.tls && !c.startTLS() {
		return
	}
	if !c.wait(c.host.Delay) || !c.say("", c.host.Greeting...) {
		return
	}
	for {
		line, ok := c.read()
		tag, command, tagged := "", line, true
		if wire.sasl == "AUTHENTICATE" {
			tag, command, tagged = strings.Cut(line, " ")
		}
		words := strings.Fields(command)
		c.inspect(wire, words) // whatever else is wrong with the line
		if !ok {
			return
		}
		if !tagged || len(words) == 0 || tag == "" && wire.sasl == "AUTHENTICATE" || command != strings.TrimSpace(command) {
			if !c.say(tag, wire.malformed) {
				return
			}
			continue
		}
		if !c.command(wire, tag, words) {
			return
		}
	}
}

// inspect looks for a credential in a command.
func (c *mailConversation) inspect(wire wire, words []string) {
	if len(words) < 2 {
		return
	}
	switch verb := strings.ToUpper(words[0]); {
	case slices.Contains(wire.secret, verb):
		c.violate("%s with %d arguments", verb, len(words)-1)
	case verb == wire.sasl && len(words) > 2: // whether or not a row knows the mechanism
		c.response(words[1], words[2])
	}
}

// command answers one command, and reports whether the conversation goes on.
func (c *mailConversation) command(wire wire, tag string, words []string) bool {
	verb := strings.ToUpper(words[0])
	shown := strings.ToUpper(strings.Join(words, " "))
	signsIn := slices.Contains(wire.secret, verb) && len(words) > 1
	sasl := verb == wire.sasl && len(words) > 1
	if signsIn || sasl {
		shown = verb
		if sasl {
			shown = verb + " " + strings.ToUpper(words[1])
		}
	}
	c.log.Lock()
	c.commands = append(c.commands, shown)
	c.log.Unlock()
	reply := c.row(strings.ToUpper(strings.Join(words, " ")))
	if sasl && len(reply.Answer) > 0 {
		if goOn, answered := c.sasl(wire, tag, words); answered || !goOn {
			return goOn
		}
	}
	if verb == "EHLO" {
		if len(words) != 2 {
			return c.say(tag, "501 5.5.4 Invalid domain name")
		}
		c.client = words[1]
	}
	if !c.wait(c.host.Delay + reply.Delay) {
		return false
	}
	answer := reply.Answer
	if len(answer) == 0 {
		answer = []string{wire.nonsense}
	}
	if !c.say(tag, answer...) || reply.Hangup {
		return false
	}
	return !reply.StartTLS || c.startTLS()
}

// response takes the first response of a SASL exchange. It is a credential
// unless it is a first NTLM message that names nobody.
func (c *mailConversation) response(mechanism, response string) {
	if !strings.EqualFold(mechanism, "NTLM") || namesNobody(response) != nil {
		c.violate("a response of %d bytes for %.20s", len(response), strings.ToUpper(mechanism))
	}
}

// sasl asks for the responses that the command did not bring. It tells
// whether the conversation goes on, and whether the command is answered
// already.
func (c *mailConversation) sasl(wire wire, tag string, words []string) (goOn, answered bool) {
	if len(words) == 2 {
		if !c.say(tag, wire.prompt) {
			return false, true
		}
		line, ok := c.read()
		switch {
		case line == "" && !ok:
			return false, true
		case line == "*" && ok:
			return c.say(tag, wire.cancelled), true
		}
		c.response(words[1], line)
		if !ok {
			return false, true
		}
	}
	for _, prompt := range wire.followUp[strings.ToUpper(words[1])] {
		if !c.say(tag, prompt) {
			return false, true
		}
		if _, ok := c.read(); !ok {
			return false, true
		}
	}
	return true, false
}

// row returns the row for a command in upper case, or none.
func (c *mailConversation) row(command string) MailReply {
	table := c.host.Clear
	if c.secure {
		table = c.host.Secure
	}
	for _, reply := range table {
		if reply.Command == "*" || command == reply.Command || strings.HasPrefix(command, reply.Command+" ") {
			return reply
		}
	}
	return MailReply{}
}

func (c *mailConversation) use(conn net.Conn) {
	c.conn, c.lines = conn, bufio.NewReaderSize(conn, 8<<10)
}

func (c *mailConversation) startTLS() bool {
	conn := tls.Server(c.conn, c.config)
	if err := conn.Handshake(); err != nil {
		return false
	}
	c.secure = true
	c.use(conn)
	return true
}

// read reads one line. A line that is too long, of which the beginning comes
// back, or does not end in CRLF, ends the conversation: real servers differ
// there, so nobody should rely on one.
func (c *mailConversation) read() (line string, ok bool) {
	text, _ := c.lines.ReadSlice('\n')
	return strings.CutSuffix(string(text), "\r\n")
}

// say sends lines, in two pieces that do not end where a line ends: a client
// must not take one read for one line.
func (c *mailConversation) say(tag string, lines ...string) bool {
	text := strings.Join(lines, "\r\n") + "\r\n"
	text = strings.NewReplacer("{tag}", tag, "{client}", c.client, "{date}", time.Now().UTC().Format(time.RFC1123Z)).Replace(text)
	middle := len(text) / 2
	for _, piece := range []string{text[:middle], text[middle:]} {
		if _, err := io.WriteString(c.conn, piece); err != nil {
			return false
		}
	}
	return true
}

func (c *mailConversation) wait(delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-c.done:
		return false
	}
}
