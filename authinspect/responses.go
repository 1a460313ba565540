package authinspect

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/crossprem/crossprem/internal/catalogue"
)

// AsOf is the day on which the catalogue of responses, and the dates in the
// rules, were last compared with their sources. A service changes its
// sentences without notice: ask AsOf before trusting silence.
const AsOf = "2026-11-22"

// A Protocol names the protocol that a server speaks, as in the scheme of a
// URL. The zero value is no protocol.
type Protocol string

// The protocols. The three that end in s speak TLS from the first byte, on
// whatever port (RFC 8314 §3).
const (
	HTTP  Protocol = "http"
	IMAP  Protocol = "imap"
	IMAPS Protocol = "imaps"
	POP3  Protocol = "pop3"
	POP3S Protocol = "pop3s"
	SMTP  Protocol = "smtp"
	SMTPS Protocol = "smtps"
)

// plain returns the protocol without its TLS: IMAP for IMAPS.
func (p Protocol) plain() Protocol {
	switch p {
	case IMAPS:
		return IMAP
	case POP3S:
		return POP3
	case SMTPS:
		return SMTP
	case "https":
		return HTTP
	}
	return p
}

// An Explanation tells what an answer of a server means: one row of the
// embedded catalogue. It never repeats the answer itself.
type Explanation struct {
	ID       string   `json:"id"`       // the row, such as "smtp-535-tenant"; stable
	Protocol Protocol `json:"protocol"` // as in the row; "any" for the numbers of Entra ID
	Stage    string   `json:"stage"`    // when it is said: "greeting", "login", "x-ms-diagnostics" …

	// Meaning is a stable word to switch on, such as "tls-first",
	// "basic-disabled-service", "bad-credentials" or "token-audience". Rows
	// of different protocols share it.
	Meaning string `json:"meaning"`
	Cause   string `json:"cause"`            // why the server says so, one or two sentences
	Remedy  string `json:"remedy,omitempty"` // what to do; empty where nothing needs to be done

	// Basic and Modern say what the answer proves of password and of token
	// sign-in, and are empty where it proves nothing. "offered" and
	// "available" mean named by the server, and no more than that; "reached"
	// means that the password was looked at; "off", "blocked",
	// "token-refused" and "needs-step-up" are refusals; "unclear" is one
	// sentence for several causes.
	Basic  string `json:"basic,omitempty"`
	Modern string `json:"modern,omitempty"`

	Products []string `json:"products,omitempty"` // who says it: "exo", "exchange", "dovecot" …; empty: anybody
	Evidence string   `json:"evidence"`           // "observed", "documented" or "inferred"
	Note     string   `json:"note,omitempty"`
	Sources  []string `json:"sources"` // vendor pages, RFC sections and recordings, by name
}

// explained is what ExplainAll looks at; the rest of a longer text is left out.
var explained = catalogue.Limits{Bytes: 64 << 10, Lines: 256, Line: 8 << 10}

// ExplainResponse explains one answer of a server: an SMTP, IMAP or POP3
// line, with or without its code or tag and with the words that mail
// libraries put around it; one capability word; for [HTTP] a status line, a
// header field ("x-ms-diagnostics: 2000003;…", or its value alone), or a line
// of a body. A line with an AADSTS number is explained for every protocol.
//
// It returns the row with the most literal text among those that match, and
// false if there is none. A code never decides alone: 535 5.7.139 has eight
// sentences and as many remedies. It is safe for concurrent use.
func ExplainResponse(protocol Protocol, line string) (Explanation, bool) {
	if all := ExplainAll(protocol, line); len(all) > 0 {
		return all[0], true
	}
	return Explanation{}, false
}

// ExplainAll returns every row of the catalogue that explains a line of text,
// the one with the most literal text first. A line such as "250-AUTH LOGIN
// XOAUTH2" has two. An answer that runs over several lines, by itself or
// because a mail or a window wrapped it, is read as one. Of a long text the
// first 64 KiB and 256 lines are read, and 8 KiB of each answer.
func ExplainAll(protocol Protocol, text string) []Explanation {
	return explain(protocol.plain(), text, nil, true)
}

// explain is ExplainAll; secure, if not nil, reports whether the answer came
// over TLS, which rows on capabilities may depend on. Unless wrapped, each
// line is an answer.
func explain(protocol Protocol, text string, secure *bool, wrapped bool) []Explanation {
	var hits []*catalogue.Row[*response]
	add := func(line string) (found bool) {
		for _, r := range lookUp(protocol, line, secure) {
			found = true
			if !slices.Contains(hits, r) {
				hits = append(hits, r)
			}
		}
		return found
	}
	whole, parts := "", 0 // the answer so far
	for line := range catalogue.Lines(text, explained) {
		more, ok := continuation(protocol, whole, line)
		if found := add(line); wrapped && whole != "" && (ok || !found && !startsAnswer(protocol, line)) && len(whole)+len(more) < explained.Line {
			whole, parts = whole+" "+more, parts+1
			continue
		}
		if parts > 1 {
			add(whole)
		}
		whole, parts = line, 1
	}
	if parts > 1 {
		add(whole)
	}
	catalogue.Sort(hits)
	var all []Explanation
	for _, r := range hits {
		e := r.Value.explanation
		e.Products, e.Sources = slices.Clone(e.Products), slices.Clone(e.Sources)
		all = append(all, e)
	}
	return all
}

// lookUp returns the rows that explain a line in the first form that has any.
func lookUp(protocol Protocol, line string, secure *bool) []*catalogue.Row[*response] {
	for _, form := range forms(protocol, line) {
		found := responses().table.FindFunc(form.line, func(row *catalogue.Row[*response]) bool {
			r := row.Value
			return (r.protocol == protocol || r.protocol == "any") && row.Weight >= form.weight &&
				(r.tls == nil || secure != nil && *r.tls == *secure)
		})
		if found != nil {
			return found
		}
	}
	return nil
}

// smtpRefusal is a line of a refusal, which may have several (RFC 5321
// §4.2.1), each with its codes (RFC 2034 §4).
var smtpRefusal = regexp.MustCompile(`^([45]\d\d)([- ])([45]\.\d{1,3}\.\d{1,3} )?`)

// continuation returns what line adds to the answer so far, and true if it is
// the next line of the same reply of SMTP.
func continuation(protocol Protocol, whole, line string) (more string, ok bool) {
	if protocol != SMTP {
		return line, false
	}
	first, next := smtpRefusal.FindStringSubmatch(cutTrace(whole)), smtpRefusal.FindStringSubmatch(cutTrace(line))
	if first == nil || next == nil || first[1] != next[1] || first[2] != "-" || next[3] != "" && next[3] != first[3] {
		return line, false
	}
	return cutTrace(line)[len(next[0]):], true
}

// answerStarts are the beginnings of what a server says, anywhere in a line.
var answerStarts = map[Protocol]*regexp.Regexp{
	HTTP: regexp.MustCompile(`HTTP/\d(?:\.\d)? \d{3}\b|(?i:\b(?:WWW-Authenticate|Location|Restrict-Access-Confirm|X-[A-Za-z-]+) ?:)`),
	IMAP: regexp.MustCompile(`(?:\* |\b[A-Za-z0-9.]{1,20} )(?:OK|NO|BAD|BYE|PREAUTH|ID|CAPABILITY)\b`),
	POP3: regexp.MustCompile(`\+OK\b|-ERR\b`),
	SMTP: regexp.MustCompile(`\b[2-5]\d\d[ -]`),
}

// fieldStart is the beginning of any field of HTTP.
var fieldStart = regexp.MustCompile(`^[A-Za-z0-9-]+ ?: `)

// startsAnswer reports whether line begins another answer.
func startsAnswer(protocol Protocol, line string) bool {
	re := answerStarts[protocol]
	return re != nil && re.MatchString(line) || protocol == HTTP && fieldStart.MatchString(line)
}

var (
	// tracePrefix is what session logs, swaks and mails put before what the
	// server said.
	tracePrefix = regexp.MustCompile(`^(?:> ?)*(?:S: ?|<{1,3}[-~*]{0,2} ?)?`)

	// smtpReply finds a reply code and an enhanced status code (RFC 3463)
	// in what mail libraries make of them: "(535, b'5.7.139 …')",
	// "535: 5.7.139 …", "permanent error (535): 5.7.139 …".
	smtpReply = regexp.MustCompile(`\b([245]\d\d)[^0-9A-Za-z]{1,4}(?:b['"])?([245]\.\d{1,3}\.\d{1,3}) `)

	// smtpCode is a reply code whose enhanced status code is lost.
	smtpCode = regexp.MustCompile(`\b([245]\d\d)[^0-9A-Za-z]{1,4}(?:b['"])?(.*)`)
)

// cutTrace cuts tracePrefix off.
func cutTrace(line string) string { return line[len(tracePrefix.FindString(line)):] }

// smtpCodes are the pairs of codes in the catalogue, to be tried in front of
// a text that lost one of them or both.
var smtpCodes = [][2]string{
	{"535", "5.7.139"}, {"535", "5.7.3"}, {"535", "5.7.8"}, {"534", "5.7.9"}, {"530", "5.7.57"}, {"530", "5.7.0"}, {"523", "5.7.10"},
	{"550", "5.7.30"}, {"550", "5.7.60"}, {"554", "5.2.252"}, {"501", "5.5.124"}, {"503", "5.5.1"}, {"504", "5.7.4"}, {"504", "5.5.4"},
	{"451", "5.7.3"}, {"454", "4.7.0"}, {"432", "4.3.2"}, {"421", "4.3.2"}, {"421", "4.7.66"},
}

// guessed is the literal text that a row must have to explain a line to which
// a code was added: more than the codes themselves.
const guessed = 16

// A form is one way to read a line.
type form struct {
	line   string
	weight int // of the rows that may explain it, at least
}

// forms returns the forms in which a line is looked up, in order: as it is,
// then as the server must have said it.
func forms(protocol Protocol, line string) []form {
	line = cutTrace(line)
	all := []form{{line: line}}
	add := func(line string, weight int) { all = append(all, form{line, weight}) }
	if re := answerStarts[protocol]; re != nil {
		// Behind the time, the name of a program, a quote.
		if at := re.FindStringIndex(line); at != nil && at[0] > 0 {
			said := line[at[0]:]
			if quote := line[at[0]-1]; quote == '"' || quote == '\'' {
				said = strings.TrimRight(strings.TrimSuffix(said, ")"), `"'`)
			}
			line = said
			add(line, 0)
		}
	}
	switch protocol {
	case IMAP:
		// Client libraries cut off the tag, and then the status.
		add("- "+line, 0)
		add("- NO "+line, 0)
	case POP3:
		add("-ERR "+line, 0)
	case SMTP:
		if m := smtpReply.FindAllStringSubmatchIndex(line, -1); m != nil {
			last := m[len(m)-1]
			add(line[last[2]:last[3]]+" "+line[last[4]:], 0)
			break
		}
		code, text := "", line
		if m := smtpCode.FindStringSubmatch(line); m != nil {
			code, text = m[1], m[2]
		}
		for _, pair := range smtpCodes {
			switch {
			case strings.HasPrefix(line, pair[1]+" "):
				add(pair[0]+" "+line, 0)
			case code == "" || code == pair[0]:
				add(pair[0]+" "+pair[1]+" "+text, guessed)
			}
		}
	case HTTP:
		if value, ok := strings.CutPrefix(line, "HTTP/"); ok {
			_, status, _ := strings.Cut(value, " ")
			return []form{{line: "status: " + status}}
		}
		// A value of x-ms-diagnostics or X-AutoDiscovery-Error without its
		// name; what is one is told by its pattern.
		add("x-ms-diagnostics: "+line, 0)
		add("X-AutoDiscovery-Error: "+line, 0)
	}
	return all
}

//go:embed data/responses.json
var responsesJSON []byte

// A response is one row of the catalogue.
type response struct {
	explanation Explanation
	protocol    Protocol
	samples     []string
	tls         *bool // said over TLS or without; nil: either
}

// A responseCatalogue is data/responses.json, read.
type responseCatalogue struct {
	asOf  string
	table catalogue.Table[*response]
}

var responses = sync.OnceValue(func() *responseCatalogue {
	c, err := parseResponses(responsesJSON)
	if err != nil {
		panic("authinspect: data/responses.json: " + err.Error()) // embedded, and read by every test
	}
	return c
})

// A matchRule says how a row is matched. On names the kind:
//
//	line, token, token-line, body, text  Pattern is matched against the line
//	header         the field Name, its value against Pattern
//	redirect       the field Location, its value against Location
//	status         the status Code, of a status line or alone
//	sasl-continue  Decoded is matched against the line, or against what its
//	               base64 holds ("334 …", "+ …")
//	challenge      one challenge of WWW-Authenticate
type matchRule struct {
	On       string            `json:"on"`
	Pattern  string            `json:"pattern"`
	Name     string            `json:"name"`
	Location string            `json:"location"`
	Code     int               `json:"code"`
	Decoded  string            `json:"decoded"`
	TLS      *bool             `json:"tls"`
	Scheme   Scheme            `json:"scheme"`
	Token68  string            `json:"token68"`
	Params   map[string]string `json:"params"`
	Absent   []string          `json:"absent"`
}

func parseResponses(data []byte) (*responseCatalogue, error) {
	var file struct {
		AsOf    string            `json:"asOf"`
		Sources map[string]string `json:"sources"`
		Entries []struct {
			Explanation
			Match      matchRule `json:"match"`
			Confidence string    `json:"confidence"`
			Samples    []string  `json:"samples"`
		} `json:"entries"`
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	c := &responseCatalogue{asOf: file.AsOf}
	for _, entry := range file.Entries {
		r := response{explanation: entry.Explanation, protocol: entry.Protocol, samples: entry.Samples, tls: entry.Match.TLS}
		r.explanation.Sources = nil
		for _, key := range entry.Sources {
			r.explanation.Sources = append(r.explanation.Sources, file.Sources[key])
		}
		row := catalogue.Row[*response]{Value: &r}
		var err error
		if row.Match, row.Weight, err = entry.Match.compile(); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.ID, err)
		}
		c.table.AddRow(row)
	}
	return c, nil
}

// compile returns the function that matches a line, and the literal text that
// a match takes.
func (m matchRule) compile() (func(line string) bool, int, error) {
	source := m.Pattern
	switch m.On {
	case "redirect":
		source = m.Location
	case "sasl-continue":
		source = m.Decoded
	case "challenge":
		return m.compileChallenge()
	}
	re, err := catalogue.Compile(source)
	if err != nil {
		return nil, 0, err
	}
	switch m.On {
	case "line", "token", "token-line", "body", "text":
		return re.MatchString, re.Weight, nil
	case "header", "redirect":
		name := m.Name
		if m.On == "redirect" {
			name = "Location"
		}
		return func(line string) bool {
			field, value, ok := strings.Cut(line, ":")
			return ok && strings.EqualFold(field, name) && re.MatchString(strings.TrimSpace(value))
		}, re.Weight + 1, nil
	case "status":
		return func(line string) bool {
			status := strings.TrimPrefix(line, "status: ")
			return status != line && strings.HasPrefix(status+" ", strconv.Itoa(m.Code)+" ")
		}, 3, nil
	case "sasl-continue":
		return func(line string) bool {
			if re.MatchString(line) {
				return true
			}
			_, encoded, _ := strings.Cut(line, " ")
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			return err == nil && re.Match(decoded)
		}, re.Weight, nil
	}
	return nil, 0, fmt.Errorf("unknown kind of match: %.20q", m.On)
}

// compileChallenge matches lines "WWW-Authenticate: …" of which one challenge
// fits.
func (m matchRule) compileChallenge() (func(line string) bool, int, error) {
	weight := len(m.Scheme) + 8*len(m.Absent)
	params := make(map[string]catalogue.Pattern, len(m.Params))
	for name, pattern := range m.Params {
		re, err := catalogue.Compile(pattern)
		if err != nil {
			return nil, 0, err
		}
		params[name] = re
		weight += len(name) + re.Weight
	}
	token68, err := catalogue.Compile(m.Token68)
	if err != nil {
		return nil, 0, err
	}
	weight += token68.Weight
	return func(line string) bool {
		field, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(field, "WWW-Authenticate") {
			return false
		}
		challenges, _ := ParseChallenges(http.Header{"Www-Authenticate": {value}})
		return slices.ContainsFunc(challenges, func(c Challenge) bool {
			for name, re := range params {
				if value, ok := c.Param(name); !ok || !re.MatchString(value) {
					return false
				}
			}
			return c.Scheme == m.Scheme && token68.MatchString(c.Token68) && !slices.ContainsFunc(m.Absent, func(name string) bool {
				_, ok := c.Param(name)
				return ok
			})
		})
	}, weight, nil
}
