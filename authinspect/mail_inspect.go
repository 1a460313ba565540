package authinspect

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrNotMail reports that the server greeted in some other protocol.
var ErrNotMail = errors.New("authinspect: not a mail server of this protocol")

// Bounds on what a mail server may send.
const (
	maxMailLine  = 8 << 10  // RFC 9051 §2.2.1 advises that much; capability lists are long
	maxMailLines = 200      // of one answer
	maxMailBytes = 64 << 10 // of one connection before TLS, and again over TLS
	mailFarewell = 2 * time.Second
)

// ports are the ports of a protocol; RFC 8314 §3 has those with TLS first.
var ports = map[Protocol]string{IMAP: "143", IMAPS: "993", POP3: "110", POP3S: "995", SMTP: "25", SMTPS: "465"}

// mailSchemes are the schemes of the URLs of mail servers.
var mailSchemes = map[string]Protocol{
	"imap": IMAP, "imaps": IMAPS, "pop": POP3, "pop3": POP3, "pops": POP3S, "pop3s": POP3S,
	"smtp": SMTP, "submission": SMTP, "smtps": SMTPS, "submissions": SMTPS,
}

// ParseMailURL reads a target such as imap://mail.contoso.test,
// pop3s://10.0.0.5:1995 or submission://smtp.contoso.test, and returns what
// [InspectMail] takes. A missing port is the usual one of the scheme. Schemes
// are imap, pop (or pop3), smtp and submission, each also with an s for TLS
// from the first byte.
//
// It returns false if raw has another scheme or none, so that a caller may
// take it for something else, and true and an error that wraps
// [ErrBadTarget] if it has one of these but is no such URL.
func ParseMailURL(raw string) (addr string, protocol Protocol, ok bool, err error) {
	scheme, _, found := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	if protocol, ok = mailSchemes[scheme]; !found || !ok {
		return "", "", false, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", "", true, fmt.Errorf("%w: not of the form %s://host:port; nobody signs in here", ErrBadTarget, scheme) // raw may hold a password
	}
	port := u.Port()
	switch {
	case port != "":
	case scheme == "submission":
		port = "587"
	default:
		port = ports[protocol]
	}
	return net.JoinHostPort(u.Hostname(), port), protocol, true, nil
}

// InspectMail asks the mail server at addr with the settings of the zero
// [Inspector].
func InspectMail(ctx context.Context, addr string, protocol Protocol) (*MailResult, error) {
	return new(Inspector).InspectMail(ctx, addr, protocol)
}

// InspectMail asks the mail server at addr, a host:port, what it offers:
// before TLS, then over TLS, which it starts with STARTTLS where the server
// offers it. [IMAPS], [POP3S] and [SMTPS] begin with TLS on any port; the
// others do so on 993, 995 and 465. It opens one connection, and the only
// commands it sends are CAPABILITY, ID NIL, STARTTLS and LOGOUT, CAPA, STLS
// and QUIT, or EHLO with the address of this end, STARTTLS and QUIT: nothing
// that names a user, and nothing that begins a sign-in.
//
// A chain that cannot be trusted is told in the result, and the inspection
// goes on over it: there is no secret to lose. Timeout bounds each answer.
// Of the other settings Dial, Roots, Allow (with a URL of the protocol) and
// Now count.
//
// Errors wrap [ErrBadTarget], [ErrNotAllowed] or [ErrNotMail], or are an
// [*UnreachableError]. Once the server has greeted, whatever fails is a
// warning in the result.
func (in *Inspector) InspectMail(ctx context.Context, addr string, protocol Protocol) (*MailResult, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("%w: %s is no host:port", ErrBadTarget, quoteTarget(addr))
	}
	if _, ok := ports[protocol]; !ok {
		return nil, fmt.Errorf("%w: %q is no mail protocol", ErrBadTarget, protocol)
	}
	if in.Allow != nil {
		if err := in.Allow(&url.URL{Scheme: string(protocol), Host: addr}); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNotAllowed, shorten(addr), err)
		}
	}
	dial := in.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	r := &MailResult{Target: addr, Protocol: protocol, At: in.now()}
	dialCtx, cancel := context.WithTimeout(ctx, in.timeout())
	conn, err := dial(dialCtx, "tcp", addr)
	cancel()
	if err != nil {
		return nil, &UnreachableError{Target: addr, Err: err}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	d := &mailDialog{Inspector: in, MailResult: r, ctx: ctx, host: host, protocol: protocol.plain()}
	d.use(conn)
	defer func() { d.conn.Close() }()
	tlsFirst := protocol != d.protocol || port == ports[protocol+"s"]
	if err := d.run(tlsFirst); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, &UnreachableError{Target: addr, Err: ctx.Err()}
	}
	r.conclude()
	return r, nil
}

// A mailDialog is one connection to a mail server.
//
// It speaks in lines of its own: the clients of go-imap and go-smtp show no
// raw greeting, forget what was said before STARTTLS and the order of
// capabilities, merge both spellings of AUTH, and set no bound on an answer;
// for POP3 there is none.
type mailDialog struct {
	*Inspector
	*MailResult
	ctx      context.Context
	conn     net.Conn
	lines    *bufio.Reader
	budget   *io.LimitedReader // under lines
	host     string
	protocol Protocol // without TLS
	tag      int
}

func (d *mailDialog) use(conn net.Conn) {
	d.conn = conn
	d.budget = &io.LimitedReader{R: conn, N: maxMailBytes}
	d.lines = bufio.NewReaderSize(d.budget, maxMailLine)
}

func (d *mailDialog) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, printable(fmt.Sprintf(format, args...))) // errors repeat what a certificate holds
}

// run holds the whole conversation. Its error means that there is no result.
func (d *mailDialog) run(tlsFirst bool) error {
	if tlsFirst {
		if err := d.startTLS(); err != nil {
			return &UnreachableError{Target: d.Target, Err: err}
		}
	}
	greeting, err := d.greeting()
	if err != nil {
		return err
	}
	if !d.welcome(greeting) {
		return nil
	}
	defer d.farewell()
	if tlsFirst {
		d.Secure = d.capabilities(greeting)
		d.identify(d.Secure)
		return nil
	}
	d.Clear = d.capabilities(greeting)
	switch {
	case d.Clear == nil || !d.Clear.Known:
		return nil
	case !d.Clear.StartTLS:
		d.StartTLS = Refused
		d.identify(d.Clear)
		return nil
	}
	d.StartTLS = Advertised
	answer, err := d.command(map[Protocol]string{IMAP: "STARTTLS", POP3: "STLS", SMTP: "STARTTLS"}[d.protocol])
	if err != nil {
		d.warn("STARTTLS: %v", err)
		return nil
	}
	if !d.succeeded(answer) {
		d.StartTLS = Refused
		d.refused("STARTTLS is offered, and declined", answer...)
		return nil
	}
	if n := d.lines.Buffered(); n > 0 {
		// RFC 9051 §6.2.1, RFC 3207 §4.2: it must not be taken for a part of
		// the conversation over TLS. Somebody on the path may have put it there.
		d.warn("%d bytes in clear follow the answer to STARTTLS; they are not read", n)
	}
	if err := d.startTLS(); err != nil {
		d.warn("TLS cannot be set up: %v", err)
		return nil
	}
	d.StartTLS = Observed
	d.Secure = d.capabilities("")
	d.identify(d.Secure)
	return nil
}

// startTLS sets TLS up on the connection and judges the chain.
func (d *mailDialog) startTLS() error {
	conn := tls.Client(d.conn, &tls.Config{
		ServerName:   d.host,
		MinVersion:   tls.VersionTLS10, // old servers are what we look for
		CipherSuites: everySuite(),
		// The chain is judged below, so that an untrusted one can be reported.
		InsecureSkipVerify: true,
	})
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout())
	defer cancel()
	if err := d.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	state := conn.ConnectionState()
	distrust := d.distrust(state, d.host)
	d.TLS = newTLS(state, distrust)
	if distrust != nil {
		d.warn("the certificate chain is not trusted: %v", distrust)
	}
	d.use(conn)
	return nil
}

func (d *mailDialog) greeting() (string, error) {
	if err := d.conn.SetDeadline(time.Now().Add(d.timeout())); err != nil {
		return "", &UnreachableError{Target: d.Target, Err: err}
	}
	answer, err := d.answer("")
	if len(answer) == 0 {
		if err == nil || d.ctx.Err() != nil {
			err = cmp.Or(d.ctx.Err(), io.ErrUnexpectedEOF)
		}
		return "", &UnreachableError{Target: d.Target, Err: fmt.Errorf("no greeting: %w", err)}
	}
	line := answer[0]
	forms := map[Protocol][]string{IMAP: {"* OK", "* PREAUTH", "* BYE"}, POP3: {"+OK", "-ERR"}, SMTP: {"220", "421", "4", "5"}}
	if !slices.ContainsFunc(forms[d.protocol], func(form string) bool { return strings.HasPrefix(strings.ToUpper(line), form) }) {
		return "", fmt.Errorf("%w: %s greets with %q", ErrNotMail, shorten(d.Target), shorten(line))
	}
	d.Greeting = shorten(line)
	if err != nil {
		d.warn("greeting: %v", err)
	}
	return line, nil
}

// welcome reports whether the greeting lets the conversation go on.
func (d *mailDialog) welcome(greeting string) bool {
	upper := strings.ToUpper(greeting)
	if isPreauth(greeting) {
		d.warn("the server takes the connection for signed in (PREAUTH); STARTTLS is not possible then")
	}
	if strings.HasPrefix(upper, "* OK") || isPreauth(greeting) || strings.HasPrefix(upper, "+OK") || strings.HasPrefix(upper, "220") {
		return true
	}
	d.refused("the server does not want this connection", greeting)
	return false
}

// isPreauth reports whether a greeting of IMAP says that one is signed in
// already (RFC 9051 §7.1.4).
func isPreauth(greeting string) bool {
	return strings.HasPrefix(strings.ToUpper(greeting), "* PREAUTH")
}

// refused explains a refusal, which a command or the server itself met with,
// and tells it as a warning.
func (d *mailDialog) refused(what string, answer ...string) {
	if d.protocol != SMTP {
		answer = answer[len(answer)-1:] // the lines before it are about something else
	}
	d.warn("%s: %s", what, shorten(strings.Join(answer, " ")))
	secure := d.TLS != nil
	d.Refusals = append(d.Refusals, explain(d.protocol, strings.Join(answer, "\n"), &secure, true)...)
}

// capabilities asks for the list of capabilities, and returns nil if there
// was no answer at all.
func (d *mailDialog) capabilities(greeting string) *MailState {
	command := map[Protocol]string{IMAP: "CAPABILITY", POP3: "CAPA", SMTP: "EHLO " + d.addressLiteral()}[d.protocol]
	answer, err := d.command(command)
	verb, _, _ := strings.Cut(command, " ")
	if err != nil {
		d.warn("%s: %v", verb, err)
	}
	for _, line := range answer {
		if d.protocol == IMAP && strings.HasPrefix(strings.ToUpper(line), "* BYE") {
			d.refused("the server ends the connection", line)
		}
	}
	if len(answer) == 0 && greeting == "" {
		return nil
	}
	s := ParseMailState(d.protocol, answer)
	if !s.Known && d.protocol == IMAP && greeting != "" {
		// Servers may put the list into the greeting (RFC 9051 §7.1).
		s = ParseMailState(d.protocol, append([]string{greeting}, answer...))
	}
	switch {
	case isPreauth(greeting): // one who is signed in is not told how to
		s.Known, s.Login = false, StrengthUnknown
	case err != nil && d.protocol != IMAP: // a list that was cut short is none; in IMAP the whole of it is one line
		s.Known = false
	case err == nil && !d.succeeded(answer): // and has a line at least
		d.refused(verb+" is declined", answer...)
	case err == nil && !s.Known:
		d.warn("the answer to %s holds no list of capabilities", verb)
	}
	for _, c := range s.Capabilities {
		if mangled(c) {
			d.warn("a capability was overwritten on the way to here: %s; firewalls that inspect SMTP hide STARTTLS so", shorten(c))
		}
	}
	return s
}

// addressLiteral is what EHLO names: the address of this end, for it need
// have no name (RFC 5321 §4.1.3).
func (d *mailDialog) addressLiteral() string {
	if addr, ok := d.conn.LocalAddr().(*net.TCPAddr); ok {
		if addr.IP.To4() == nil {
			return "[IPv6:" + addr.IP.String() + "]"
		}
		return "[" + addr.IP.String() + "]"
	}
	return "[127.0.0.1]"
}

// identify asks an IMAP server for its name and version (RFC 2971), and keeps
// the answer among the lines of s.
func (d *mailDialog) identify(s *MailState) {
	if d.protocol != IMAP || s == nil || !slices.ContainsFunc(s.Capabilities, func(c string) bool { return strings.EqualFold(c, "ID") }) {
		return
	}
	answer, err := d.command("ID NIL")
	if err != nil {
		d.warn("ID: %v", err)
	}
	for _, line := range answer {
		s.Lines = append(s.Lines, showLine(line))
	}
}

// farewell ends the conversation as the protocol wants it. What comes back
// does not matter.
func (d *mailDialog) farewell() {
	if d.conn.SetDeadline(time.Now().Add(min(mailFarewell, d.timeout()))) == nil {
		_, _ = d.send(map[Protocol]string{IMAP: "LOGOUT", POP3: "QUIT", SMTP: "QUIT"}[d.protocol])
	}
}

// command sends one command and returns the lines of its answer, without
// their ends. With an error come the lines that were read before it.
func (d *mailDialog) command(command string) ([]string, error) {
	if err := d.conn.SetDeadline(time.Now().Add(d.timeout())); err != nil {
		return nil, err
	}
	return d.send(command)
}

func (d *mailDialog) send(command string) ([]string, error) {
	tag := command
	if d.protocol == IMAP {
		d.tag++
		tag = fmt.Sprintf("x%d", d.tag)
		command = tag + " " + command
	}
	if _, err := io.WriteString(d.conn, command+"\r\n"); err != nil {
		return nil, err
	}
	return d.answer(tag)
}

// answer reads one answer: to the command with the tag (IMAP) or text of tag,
// or the greeting if that is empty.
func (d *mailDialog) answer(tag string) ([]string, error) {
	var answer []string
	for len(answer) < maxMailLines {
		line, err := d.line()
		if err != nil {
			return answer, err
		}
		answer = append(answer, line)
		if d.complete(tag, line, len(answer)) {
			return answer, nil
		}
	}
	return answer, fmt.Errorf("answer of more than %d lines", maxMailLines)
}

func (d *mailDialog) line() (string, error) {
	line, err := d.lines.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("line of more than %d bytes", maxMailLine)
	case err == io.EOF && d.budget.N <= 0:
		return "", fmt.Errorf("more than %d bytes", maxMailBytes)
	case err == io.EOF && len(line) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// complete reports whether line, the nth of an answer, is its last.
func (d *mailDialog) complete(tag, line string, n int) bool {
	switch d.protocol {
	case IMAP:
		return tag == "" || strings.HasPrefix(line, tag+" ")
	case POP3:
		if tag == "CAPA" && (n > 1 || strings.HasPrefix(line, "+OK")) {
			return line == "."
		}
		return true
	}
	return len(line) < 4 || line[3] != '-' // SMTP
}

// succeeded reports whether an answer is a success.
func (d *mailDialog) succeeded(answer []string) bool {
	if len(answer) == 0 {
		return false
	}
	switch d.protocol {
	case IMAP:
		_, status, _ := strings.Cut(last(answer), " ")
		return strings.HasPrefix(strings.ToUpper(status)+" ", "OK ")
	case POP3:
		return strings.HasPrefix(answer[0], "+OK")
	}
	return strings.HasPrefix(last(answer), "2")
}

func last(answer []string) string {
	if len(answer) == 0 {
		return ""
	}
	return answer[len(answer)-1]
}
