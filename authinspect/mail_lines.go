package authinspect

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// A MailState is what a mail server says of itself at one point of a
// connection: before TLS, or over it. It is a plain value; tests may write it
// as a literal.
type MailState struct {
	// Known tells that the server gave its list of capabilities. Without it,
	// what is missing below is unknown.
	Known bool `json:"known"`

	// Capabilities are the words of IMAP, and the lines of POP3's CAPA and of
	// SMTP's EHLO, as written and in the order given.
	Capabilities []string `json:"capabilities"`

	// Mechanisms are the SASL mechanisms that the server names, in upper case
	// and in the order given, each once. Naming one proves that the server can
	// parse it, not that a policy lets anybody use it.
	Mechanisms []string `json:"mechanisms"`

	// Login is about the commands that are older than SASL: LOGIN of IMAP,
	// USER and PASS of POP3. Refused means LOGINDISABLED, which speaks of
	// LOGIN alone and not of AUTHENTICATE XOAUTH2 (RFC 9051 §6.2.3). SMTP has
	// no such command.
	Login Strength `json:"login"`

	// StartTLS tells that the server offers to start TLS.
	StartTLS bool `json:"starttls"`

	// Lines are the answers that the above was read from, fit to be shown.
	Lines []string `json:"lines"`

	listing bool // while it is read: the list goes on
	greeted bool // while it is read: the list may be a greeting
}

// Mechanisms that take a password as it is, a token, or a Windows credential.
var (
	passwordMechanisms = []string{"PLAIN", "LOGIN"}                                       // RFC 4616; draft-murchison-sasl-login
	tokenMechanisms    = []string{"XOAUTH2", "OAUTHBEARER"}                               // RFC 7628
	windowsMechanisms  = []string{"NTLM", "GSSAPI", "GSS-SPNEGO", "GS2-KRB5", "KERBEROS"} // RFC 4752; [MS-SMTPNTLM]
)

// Passwords returns what the state names by which a password is sent: the
// mechanisms PLAIN and LOGIN, and the command "LOGIN command" or "USER".
func (s *MailState) Passwords() []string {
	names := s.named(passwordMechanisms)
	if s.Login == Advertised {
		if slices.ContainsFunc(s.Capabilities, func(c string) bool { return strings.EqualFold(c, "USER") }) {
			return append(names, "USER")
		}
		return append(names, "LOGIN command")
	}
	return names
}

// Tokens returns the mechanisms that take a token of modern authentication.
func (s *MailState) Tokens() []string { return s.named(tokenMechanisms) }

// Windows returns the mechanisms of Windows authentication.
func (s *MailState) Windows() []string { return s.named(windowsMechanisms) }

func (s *MailState) named(kind []string) []string {
	var names []string
	for _, m := range s.Mechanisms {
		if slices.Contains(kind, m) {
			names = append(names, m)
		}
	}
	return names
}

// ParseMailState reads the lines by which a server lists its capabilities:
// IMAP's CAPABILITY (also inside another answer), POP3's CAPA and SMTP's EHLO.
// It takes lines with or without their end, with or without the greeting and
// the line that names the server, EHLO's answer as a log makes one line of it,
// and any others in between, and never fails: a state that is not
// [MailState.Known] has seen no list. A list ends after 500 capabilities.
func ParseMailState(protocol Protocol, lines []string) *MailState {
	s := &MailState{Capabilities: []string{}, Mechanisms: []string{}, Lines: []string{}} // arrays in JSON, too
	first := true                                                                        // of the lines that are no greeting
	for _, line := range lines {
		line = strings.TrimRight(line, "\r\n")
		i := 1
		if first && !(protocol.plain() == SMTP && strings.HasPrefix(line, "220")) {
			i, first = 0, false
		}
		s.Lines = append(s.Lines, showLine(line))
		switch protocol.plain() {
		case IMAP:
			s.readIMAP(line)
		case POP3:
			s.readPOP3(line, i)
		case SMTP:
			s.readSMTP(line, i)
		}
	}
	if s.greeted && len(s.Capabilities) == 0 {
		s.Known = false // "+OK" was a greeting, and no list
	}
	s.listing, s.greeted = false, false
	if s.Known && protocol.plain() == IMAP && s.Login == StrengthUnknown {
		s.Login = Advertised // RFC 9051 §6.2.3: allowed unless LOGINDISABLED
	}
	return s
}

var (
	imapUntagged = regexp.MustCompile(`(?i)^\* CAPABILITY((?: .*)?)$`)
	imapCode     = regexp.MustCompile(`(?i)^\S+ (?:OK|PREAUTH) \[CAPABILITY ([^\]]*)\]`)
)

func (s *MailState) readIMAP(line string) {
	m := imapUntagged.FindStringSubmatch(line)
	if m == nil {
		m = imapCode.FindStringSubmatch(line)
	}
	if m == nil {
		return
	}
	s.Known = true
	for _, word := range strings.Fields(m[1]) {
		if !s.capability(word) {
			return
		}
		if len(word) > 5 && strings.EqualFold(word[:5], "AUTH=") {
			s.mechanism(word[5:])
		}
		switch strings.ToUpper(word) {
		case "LOGINDISABLED":
			s.Login = Refused
		case "STARTTLS":
			s.StartTLS = true
		}
	}
}

// popCapabilities are the words that begin the lines of CAPA (RFC 2449 §6 and
// the registry of POP3 capabilities).
var popCapabilities = wordSet("TOP LOGIN-DELAY PIPELINING EXPIRE UIDL IMPLEMENTATION SASL USER RESP-CODES AUTH-RESP-CODE STLS UTF8 LANG APOP CAPA X-TLS XOIP XTND")

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// readPOP3 reads one line of an answer to CAPA (RFC 2449 §5). A list is one
// that "+OK" begins and "." ends. Behind a greeting or another answer, and
// where its first line is missing, a known capability begins it.
func (s *MailState) readPOP3(line string, number int) {
	words := strings.Fields(strings.TrimPrefix(line, ".")) // the end, or a stuffed dot
	if number == 0 {
		s.Known, s.listing = false, false
	}
	switch {
	case strings.HasPrefix(line, "+OK"), strings.HasPrefix(line, "-ERR"):
		// A bare "+OK" at the beginning is the answer to CAPA, whatever follows.
		s.listing = number == 0 && line[0] == '+'
		s.Known = s.Known || s.listing
		s.greeted = number == 0 && s.listing && len(words) > 1
		return
	case line == ".":
		s.listing = false
		return
	case len(words) == 0:
		return
	case !s.listing && !popCapabilities[strings.ToUpper(words[0])]:
		return
	}
	s.listing, s.Known = true, true
	if !s.capability(strings.Join(words, " ")) {
		return
	}
	switch strings.ToUpper(words[0]) {
	case "SASL":
		for _, m := range words[1:] {
			s.mechanism(m)
		}
	case "USER":
		s.Login = Advertised
	case "STLS":
		s.StartTLS = true
	}
}

var smtpLine = regexp.MustCompile(`^250(?:([ -])(.*))?$`)

// smtpKeywords are keywords of EHLO (RFC 5321 §4.1.1.1, the registry of SMTP
// service extensions, and Exchange's own).
var smtpKeywords = wordSet("8BITMIME AUTH BINARYMIME BURL CHUNKING CHECKPOINT CONNEG CONPERM DELIVERBY DSN ENHANCEDSTATUSCODES ETRN EXPN FUTURERELEASE HELP LIMITS MT-PRIORITY MTRK NO-SOLICITING " +
	"ONEX PIPELINING REQUIRETLS RRVS SAML SEND SIZE SMTPUTF8 SOML STARTTLS SUBMITTER TURN UTF8SMTP VERB VRFY XCLIENT XFORWARD XRDST TLS VERP " +
	"X-ANONYMOUSTLS X-EXPS X-LINK2STATE XEXCH50 XSHADOW XSHADOWREQUEST XOORG XPROXY XPROXYFROM XPROXYTO XMESSAGECONTEXT XSYSPROBE XORIGFROM XEXCH XMSA")

func smtpKeyword(word string) bool {
	word, _, _ = strings.Cut(strings.ToUpper(word), "=")
	return smtpKeywords[word]
}

// readSMTP reads one line of an answer to EHLO (RFC 5321 §4.1.1.1), whose
// first line names the server.
func (s *MailState) readSMTP(line string, number int) {
	m := smtpLine.FindStringSubmatch(line)
	if m == nil {
		s.listing = false
		return
	}
	words := strings.Fields(m[2])
	first := !s.listing
	s.listing = m[1] == "-"
	if first && (len(words) == 0 || !smtpKeyword(words[0])) {
		count := 0
		for _, w := range words {
			if smtpKeyword(w) {
				count++
			}
		}
		switch {
		case count >= 2: // a log made one line of the answer
			s.Known = true
			s.flat(words)
		case s.listing || number == 0 && len(words) > 0 && !strings.HasPrefix(words[0], "2."):
			s.Known = true // it names the server
		}
		return
	}
	if len(words) == 0 || !s.listing && len(words) == 1 && strings.EqualFold(words[0], "OK") {
		return
	}
	s.Known = true
	s.extension(words)
}

// flat reads the extensions of an answer to EHLO of which a log made one line.
func (s *MailState) flat(words []string) {
	from := -1
	for i, w := range words {
		if smtpKeyword(w) {
			if from >= 0 {
				s.extension(words[from:i])
			}
			from = i
		}
	}
	s.extension(words[from:])
}

// extension reads one extension of SMTP and its arguments.
func (s *MailState) extension(words []string) {
	if !s.capability(strings.Join(words, " ")) {
		return
	}
	// "AUTH=LOGIN PLAIN" is from before RFC 2554, for old clients.
	first, legacy, ok := strings.Cut(words[0], "=")
	switch strings.ToUpper(first) {
	case "AUTH":
		if ok {
			s.mechanism(legacy)
		}
		for _, m := range words[1:] {
			s.mechanism(m)
		}
	case "STARTTLS":
		s.StartTLS = true
	}
}

// maxCapabilities is far beyond what real servers name: some forty.
const maxCapabilities = 500

// capability adds to the list, and reports whether it stands there.
func (s *MailState) capability(word string) bool {
	word = showLine(word)
	switch {
	case slices.Contains(s.Capabilities, word):
	case len(s.Capabilities) == maxCapabilities:
		return false
	default:
		s.Capabilities = append(s.Capabilities, word)
	}
	return true
}

// saslName is the form of the name of a mechanism (RFC 4422 §3.1), and a bit
// more: names longer than 20 characters have been seen.
var saslName = regexp.MustCompile(`^[A-Z0-9_-]{1,64}$`)

func (s *MailState) mechanism(name string) {
	name = strings.ToUpper(name)
	if len(s.Mechanisms) < maxCapabilities && saslName.MatchString(name) && !slices.Contains(s.Mechanisms, name) {
		s.Mechanisms = append(s.Mechanisms, name)
	}
}

// showLine makes a server's line fit to be shown without shortening it: lines
// are bounded where they are read.
func showLine(line string) string {
	return printable(strings.ToValidUTF8(line, "\uFFFD"))
}

// mangled reports whether a capability was overwritten on the way: some
// firewalls write X over what they do not want to pass, STARTTLS among them.
func mangled(capability string) bool {
	return len(capability) >= 4 && strings.Trim(capability, "Xx") == "" || strings.HasPrefix(capability, "XXXXXXX")
}

// Kinds of mail servers; Exchange and Exchange Online are the kinds of the web.
const (
	KindDovecot = "dovecot"
	KindPostfix = "postfix"
	KindIISSMTP = "iis-smtp" // of Windows Server, without Exchange as far as it shows
)

var (
	// bracketed is the word behind the greeting of Exchange: the name of the
	// front end as base64 of UTF-16, little endian.
	bracketed = regexp.MustCompile(`\[([A-Za-z0-9+/]{4,344}={0,2})\]\s*$`)

	// bannerHost is the name in an SMTP greeting.
	bannerHost = regexp.MustCompile(`^220[ -](\S{1,255})`)

	// cloudFrontEnd is the form of the names of Exchange Online's front ends,
	// such as AM0PR01CA0099.
	cloudFrontEnd = regexp.MustCompile(`(?i)^[A-Z0-9]{3}P[A-Z0-9]{2,6}CA\d{3,4}(?:\.|$)`)

	idField = regexp.MustCompile(`(?i)"(name|version)" "([^"]{1,200})"`)
)

// The release in a greeting of Exchange 2007 and older.
var (
	oldYear    = regexp.MustCompile(`Microsoft Exchange (?:Server )?(2000|2003|2007)\b`)
	oldVersion = regexp.MustCompile(` version (\d+\.\d+\.\d+\.\d+) `)
)

// oldRelease reads the release in a greeting of Exchange 2007 and older.
func (s *Server) oldRelease(greeting string) {
	if m := oldVersion.FindStringSubmatch(greeting); m != nil {
		s.setBuild(m[1])
	}
	if m := oldYear.FindStringSubmatch(greeting); m != nil && s.Version == "" {
		s.Product = map[string]string{"2000": "Exchange 2000 Server"}[m[1]]
		if s.Product == "" {
			s.Product = "Exchange Server " + m[1]
		}
	}
}

// recogniseMail recognises the server from its greeting and its answers.
func recogniseMail(protocol Protocol, greeting string, states ...*MailState) Server {
	s := Server{Software: shorten(greeting)}
	text := greeting
	for _, state := range states {
		if state != nil {
			text += "\n" + strings.Join(state.Lines, "\n")
			if protocol == POP3 {
				text += "\n" + strings.Join(state.Capabilities, "\n")
			}
		}
	}
	meanings := map[string]bool{}
	for _, e := range explain(protocol, text, nil, false) {
		meanings[e.Meaning] = true
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "* ID (") {
			continue
		}
		for _, field := range idField.FindAllStringSubmatch(line, -1) {
			if strings.EqualFold(field[1], "version") {
				s.Version = shorten(field[2])
			}
		}
	}
	host := ""
	if m := bracketed.FindStringSubmatch(greeting); m != nil {
		if raw, err := base64.StdEncoding.DecodeString(m[1]); err == nil && len(raw)%2 == 0 {
			host = shorten(readUTF16(raw))
		}
	}
	if m := bannerHost.FindStringSubmatch(greeting); m != nil && protocol == SMTP {
		host = shorten(m[1])
	}
	switch {
	case meanings["server-exchange"] || meanings["server-exo"]:
		s.setBuild("")
		s.FrontEnd = host
		if meanings["server-exo"] || cloudFrontEnd.MatchString(host) || exchangeCloud.MatchString(host) || strings.HasPrefix(s.Version, "15.20") {
			s.Kind, s.Product = KindExchangeOnline, "Exchange Online"
		} else {
			s.oldRelease(greeting)
		}
	case meanings["server-iis-smtp"]:
		s.Kind, s.Product = KindIISSMTP, "SMTP service of IIS"
	case meanings["server-dovecot"]:
		s.Kind, s.Product = KindDovecot, "Dovecot"
	case meanings["server-postfix"]:
		s.Kind, s.Product = KindPostfix, "Postfix"
	}
	return s
}
