package authinspect

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/wintext"
)

// ReadMailDialogue reads a session with a mail server as people paste it: typed
// into nc, telnet or openssl s_client, or shown by swaks, curl, MailKit, Python,
// nmap, a protocol log of Exchange. The lines of the client are left out,
// since they may hold credentials. What the server says before TLS is in Clear,
// what it says after it in Secure; where nothing reports whether there was TLS,
// and STARTTLS is not offered, it is in Secure too, with a warning. A side that
// is not shown is nil, and StartTLS is unknown where it cannot be seen.
//
// The error is that of r, or tells that the text is longer than 4 MiB or holds
// no line of such a server, or that protocol is none of mail.
func ReadMailDialogue(r io.Reader, protocol Protocol) (*MailResult, error) {
	if _, ok := ports[protocol]; !ok {
		return nil, fmt.Errorf("authinspect: %.20q is no mail protocol", string(protocol))
	}
	data, err := io.ReadAll(io.LimitReader(r, maxPasted+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("authinspect: reading lines of a mail server: %w", err)
	case len(data) > maxPasted:
		return nil, fmt.Errorf("authinspect: lines of more than %d bytes", maxPasted)
	}
	text, _ := wintext.Decode(data)
	d := mailCapture{protocol: protocol.plain(), secure: protocol != protocol.plain(), known: protocol != protocol.plain()}
	lines := 0
	for line := range strings.Lines(text) {
		if lines++; lines > maxDialogue {
			d.warnings = append(d.warnings, fmt.Sprintf("line %d and those behind it are not read", lines))
			break
		}
		d.read(strings.TrimRight(line, " \t\r\n"))
	}
	return d.result(protocol)
}

// maxDialogue is how many lines of a dialogue are read.
const maxDialogue = 10000

// A mailCapture is a dialogue while it is read.
type mailCapture struct {
	protocol Protocol
	warnings []string
	greeting string
	sides    [2][]string // what the server said before TLS, and over it
	secure   bool        // TLS is on
	known    bool        // it is known which side it is
	asked    bool        // the client asked for TLS, and the server has not answered
	started  bool        // TLS was started
	said     bool        // the server said something
}

var (
	// byClient and byServer are the marks that tools put before lines.
	byClient = regexp.MustCompile(`^\s*(?:\d[\d:. -]* )?(?:C: |> |>>> | ?[-~]+> |send: |\*put\* |\*cmd\* |[CK]lient: )`)
	byServer = regexp.MustCompile(`^\s*(?:\d[\d:. -]* )?(?:S: ?|<[-~*=]+\s*|<{1,3} ?|reply: |\*get\* |[Ss]erver: |\|_? *)`)
	repeated = regexp.MustCompile(`^(?:\*resp\* |reply: retcode)|^\s*(?:\d[\d:. ]* )?CAPABILITIES: \(`)

	// protocolLog is a line of a protocol log of Exchange, in which ">" is what
	// the server sent and "<" what it received.
	protocolLog = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[^,]*,[^,]*,[^,]*,\d+,[^,]*,[^,]*,([-+<>*]),"?(.*?)"?,[^,]*$`)

	// tlsMark is what tools print once TLS is on.
	tlsMark = regexp.MustCompile(`(?i)\bTLS started\b|TLS handshake|SSL connection using|\bSSL handshake\b|^depth=\d|^verify (?:error|return)|^New, TLSv|^\s*Protocol\s*: TLSv|Cipher is |SSL-Session|TLS negotiation (?:complete|succeeded)|TLS protocol SP_PROT|TLS session parameters`)

	startsTLS = map[Protocol]*regexp.Regexp{
		SMTP: regexp.MustCompile(`(?i)^220[ -].*(?:start|begin|ready|go ahead|proceed|tls)`),
		IMAP: regexp.MustCompile(`(?i)^\S+ OK .*\bTLS\b`),
		POP3: regexp.MustCompile(`(?i)^\+OK .*\bTLS\b`),
	}
	asksForTLS = regexp.MustCompile(`(?i)\b(?:STARTTLS|STLS)\b`)
	typedAsk   = regexp.MustCompile(`(?i)^(?:\S{1,20} )?(?:STARTTLS|STLS)$`)

	pythonBytes  = regexp.MustCompile(`^\(?b?['"](.*?)(?:\\r)?(?:\\n)?['"],?\)?$`)
	serverStarts = map[Protocol]*regexp.Regexp{
		SMTP: regexp.MustCompile(`^[2-5]\d\d(?:[ -]|$)`),
		IMAP: regexp.MustCompile(`(?i)^(?:\* (?:OK|NO|BAD|BYE|PREAUTH|CAPABILITY|ID)\b|[A-Za-z0-9.]{1,20} (?:OK|NO|BAD)\b)`),
		POP3: regexp.MustCompile(`^(?:\+OK|-ERR)`),
	}
	serverInside = map[Protocol]*regexp.Regexp{
		SMTP: regexp.MustCompile(`[\s"':>|\]]([2-5]\d\d[ -](?:\d\.\d\.\d |[A-Z0-9]).*)$`),
		IMAP: regexp.MustCompile(`(?i)[\s"':>|\]](\* (?:OK|NO|BAD|BYE|PREAUTH|CAPABILITY|ID)\b.*)$`),
		POP3: regexp.MustCompile(`[\s"':>|\]]((?:\+OK|-ERR)\b.*)$`),
	}

	// What scripts and tools make of the list: one line.
	nmapList = regexp.MustCompile(`(?i)^(?:smtp-commands|imap-capabilities|pop3-capabilities): ?(.*)$`)
	toolList = regexp.MustCompile(`(?i)\b(?:authentication|auth|sasl)(?: (?:methods?|mechanisms?|types?))+(?: supported| offered)?\s*[:=]\s*(.*)$`)
	words    = regexp.MustCompile(`[A-Za-z0-9_-]+`)
)

// read takes one line.
func (d *mailCapture) read(line string) {
	for strings.HasPrefix(line, "> > ") || strings.HasPrefix(line, "> S: ") || strings.HasPrefix(line, "> < ") {
		line = line[2:] // quoted by a mail
	}
	if line == "---" {
		d.asked = false // what parts answers, or a line of openssl's
		return
	}
	if m := protocolLog.FindStringSubmatch(line); m != nil {
		switch {
		case m[1] == "<" && asksForTLS.MatchString(m[2]):
			d.asked = true
		case m[1] == "*" && tlsMark.MatchString(m[2]):
			d.tls()
		case m[1] == ">":
			d.server(m[2])
		}
		return
	}
	if d.chatter(line) || repeated.MatchString(line) {
		return
	}
	if m := byClient.FindString(line); m != "" && !d.quotes(line) {
		if strings.Contains(m, "~>") {
			d.tls()
		}
		d.asked = d.asked || asksForTLS.MatchString(line[len(m):])
		return
	}
	mark := byServer.FindString(line)
	if strings.HasPrefix(strings.TrimLeft(mark, "0123456789:. -"), "<~") {
		d.tls()
	}
	said := strings.TrimPrefix(line[len(mark):], " ")
	if m := pythonBytes.FindStringSubmatch(said); m != nil {
		said = m[1]
	}
	if mark == "" && typedAsk.MatchString(said) && !d.listing() {
		d.asked = true
		return
	}
	if m := nmapList.FindStringSubmatch(said); m != nil {
		d.listed(m[1])
		return
	}
	if m := toolList.FindStringSubmatch(said); m != nil && !serverStarts[d.protocol].MatchString(said) {
		d.listed("AUTH " + strings.Join(words.FindAllString(m[1], 40), " "))
		return
	}
	if !serverStarts[d.protocol].MatchString(said) && mark == "" {
		if m := serverInside[d.protocol].FindStringSubmatch(line); m != nil {
			said = strings.TrimRight(m[1], `"'`)
		} else if d.protocol != POP3 {
			return
		}
	}
	d.server(said)
}

// quotes reports whether a ">" before a line is a mail's: what follows is a
// server's.
func (d *mailCapture) quotes(line string) bool {
	rest, ok := strings.CutPrefix(line, "> ")
	return ok && serverStarts[d.protocol].MatchString(rest) && !(d.protocol == IMAP && asksForTLS.MatchString(rest))
}

// listing reports whether POP3's list of capabilities is open: STLS is one of
// them.
func (d *mailCapture) listing() bool {
	said := d.sides[d.side()]
	return d.protocol == POP3 && len(said) > 0 && said[len(said)-1] != "."
}

func (d *mailCapture) side() int {
	if d.secure {
		return 1
	}
	return 0
}

// chatter reports whether a line is a tool's own, about TLS for one.
func (d *mailCapture) chatter(line string) bool {
	if tlsMark.MatchString(line) && !serverStarts[d.protocol].MatchString(line) {
		d.tls()
		return true
	}
	switch {
	case strings.HasPrefix(line, "=== "), strings.HasPrefix(line, "{ ["), strings.HasPrefix(line, "} ["), strings.HasPrefix(line, "== Info"):
		return true
	case strings.HasPrefix(line, "* "):
		return d.protocol != IMAP || !serverStarts[IMAP].MatchString(line)
	}
	return false
}

// tls says that TLS is on from here.
func (d *mailCapture) tls() {
	d.started = d.started || d.said
	d.secure, d.known, d.asked = true, true, false
}

// server takes a line that the server said.
func (d *mailCapture) server(line string) {
	if serverStarts[d.protocol].MatchString(line) {
		ready := startsTLS[d.protocol].MatchString(line)
		if d.asked || ready && d.said && d.greeting != "" && !d.secure && (d.protocol != SMTP || len(d.sides[0]) > 0 && offersTLS(d.sides[0])) {
			asked := d.asked
			d.asked = false
			if ready || asked && !strings.HasPrefix(line, "4") && !strings.HasPrefix(line, "5") && !strings.HasPrefix(line, "-ERR") && !strings.Contains(line, " BAD") && !strings.Contains(line, " NO") {
				d.started, d.secure, d.known = true, true, true
				return
			}
		}
		if d.greeting == "" && (d.protocol == SMTP && strings.HasPrefix(line, "220") || d.protocol == IMAP && imapGreeting.MatchString(line) || d.protocol == POP3 && strings.HasPrefix(line, "+OK ")) {
			if d.protocol != SMTP || !d.said {
				d.greeting = line
			}
		}
		d.said = true
	} else if d.protocol != POP3 {
		return
	}
	if len(d.sides[d.side()]) < maxDialogue {
		d.sides[d.side()] = append(d.sides[d.side()], line)
	}
}

var imapGreeting = regexp.MustCompile(`(?i)^\* (?:OK|PREAUTH)\b`)

func offersTLS(lines []string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return asksForTLS.MatchString(l) })
}

// listed takes a list of capabilities that a tool made one line of.
func (d *mailCapture) listed(list string) {
	d.said = true
	switch d.protocol {
	case SMTP:
		d.server("250 . " + strings.ReplaceAll(list, ",", " "))
	case IMAP:
		if mechanisms, ok := strings.CutPrefix(list, "AUTH "); ok {
			list = "AUTH=" + strings.Join(strings.Fields(mechanisms), " AUTH=")
		}
		d.server("* CAPABILITY " + list)
	case POP3:
		d.sides[d.side()] = append(d.sides[d.side()], "+OK")
		list = strings.Replace(list, "AUTH ", "SASL ", 1)
		for _, m := range popItem.FindAllStringSubmatch(list, 100) {
			d.server(m[1] + " " + m[2])
		}
		d.server(".")
	}
}

var popItem = regexp.MustCompile(`(SASL [A-Z0-9 -]+$|[A-Za-z0-9-]+)(?:\(([^)]*)\))?`)

// result says what was seen.
func (d *mailCapture) result(protocol Protocol) (*MailResult, error) {
	r := &MailResult{Protocol: protocol, Greeting: showLine(d.greeting), Warnings: d.warnings}
	states := [2]*MailState{}
	for i, lines := range d.sides {
		if s := ParseMailState(d.protocol, lines); len(lines) > 0 && s.Known {
			states[i] = s
		}
	}
	if !d.said && states[0] == nil && states[1] == nil {
		return nil, errors.New("authinspect: no line of a mail server found")
	}
	r.Clear, r.Secure = states[0], states[1]
	switch {
	case r.Clear != nil && r.Clear.StartTLS, d.started:
		r.StartTLS = Advertised
		if d.started {
			r.StartTLS = Observed
		}
	case r.Clear != nil && !d.known && (len(r.Clear.Mechanisms) > 0 || len(r.Clear.Passwords()) > 0):
		// Nobody knows whether this is before TLS.
		r.Secure, r.Clear = r.Clear, nil
		r.Warnings = append(r.Warnings, "nothing reports whether the lines were said before TLS or over it; they are taken for those over it")
	case r.Clear != nil && (d.known || d.greeting != ""):
		r.StartTLS = Refused
	}
	if r.Clear == nil && r.Secure == nil {
		r.Warnings = append(r.Warnings, "no list of capabilities is to be seen")
	}
	for _, lines := range d.sides {
		for _, line := range lines {
			if e, ok := ExplainResponse(d.protocol, line); ok && refuses(line) && len(r.Refusals) < maxListed && !slices.ContainsFunc(r.Refusals, func(x Explanation) bool { return x.ID == e.ID }) {
				r.Refusals = append(r.Refusals, e)
			}
		}
	}
	r.conclude()
	r.Server = recogniseMail(d.protocol, cmp.Or(r.Greeting, strings.Join(append(slices.Clone(d.sides[0]), d.sides[1]...), "\n")), r.Clear, r.Secure)
	if r.Greeting == "" {
		r.Server.Software = ""
	}
	if r.Server.Kind == "" && slices.ContainsFunc(append(slices.Clone(d.sides[0]), d.sides[1]...), signsOff.MatchString) {
		r.Server.setBuild("")
	}
	return r, nil
}

// signsOff is the farewell of Exchange, which may stand where the greeting is
// lost.
var signsOff = regexp.MustCompile(`^(?:\* BYE|\+OK) Microsoft Exchange Server (?:IMAP4|POP3) server signing off`)

var refusal = regexp.MustCompile(`^(?:[45]\d\d|-ERR|\* BYE|\S+ (?:NO|BAD)\b)`)

func refuses(line string) bool { return refusal.MatchString(line) }
