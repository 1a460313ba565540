package authinspect

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Scheme is the name of an authentication scheme in lower case, as in the
// registry of HTTP authentication schemes. Names compare without case (RFC
// 9110 §11.1), so they are kept in one; a scheme that is none of the
// constants is kept as well.
type Scheme string

// The schemes that this package knows something about.
const (
	Basic     Scheme = "basic"     // a password in every request, RFC 7617
	Bearer    Scheme = "bearer"    // a token: modern authentication, RFC 6750
	Digest    Scheme = "digest"    // a hash of the password, RFC 7616
	Kerberos  Scheme = "kerberos"  // named by some proxies; Windows says Negotiate
	Negotiate Scheme = "negotiate" // Kerberos or NTLM inside SPNEGO, RFC 4559
	NTLM      Scheme = "ntlm"      // Windows authentication without Kerberos, [MS-NTHT]
)

// String returns the name as people write it: "Basic", "NTLM". A scheme that
// is none of the constants is returned as it is.
func (s Scheme) String() string {
	switch s {
	case Basic:
		return "Basic"
	case Bearer:
		return "Bearer"
	case Digest:
		return "Digest"
	case Kerberos:
		return "Kerberos"
	case Negotiate:
		return "Negotiate"
	case NTLM:
		return "NTLM"
	}
	return string(s)
}

// A Challenge is one challenge of a WWW-Authenticate field (RFC 9110
// §11.3). It is a plain value; tests may write it as a literal.
type Challenge struct {
	Scheme  Scheme  // in lower case
	Name    string  // the scheme as it was written
	Token68 string  // base64-like data in place of parameters; usually empty
	Params  []Param // in the order given, repeated names included

	Field  int // which WWW-Authenticate field it stood in, counted from 0
	Offset int // byte of that field at which it begins
	End    int // byte after its last one
}

// A Param is one parameter of a challenge.
type Param struct {
	Name   string // as written; names compare without case
	Value  string // without quotes and escapes
	Offset int    // byte of the field at which the name begins
}

// Param returns the value of the first parameter called name, in any case.
// An empty value that is present, as in Basic realm="", gives "" and true.
func (c Challenge) Param(name string) (value string, ok bool) {
	for _, p := range c.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

// String returns the challenge in the form of RFC 9110, every value quoted.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Name)
	if c.Token68 != "" {
		b.WriteString(" " + c.Token68)
	}
	for i, p := range c.Params {
		if i > 0 || c.Token68 != "" {
			b.WriteByte(',')
		}
		b.WriteString(" " + p.Name + `="`)
		for j := range len(p.Value) {
			if ch := p.Value[j]; ch == '"' || ch == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(p.Value[j])
		}
		b.WriteByte('"')
	}
	return b.String()
}

// A Warning names a place in a WWW-Authenticate field that does not keep to
// RFC 9110, and what was made of it.
type Warning struct {
	Field  int    // which WWW-Authenticate field, counted from 0
	Offset int    // the first byte that it is about
	End    int    // the byte after the last one
	Text   string // one line
}

// String returns the warning with its place, as in
// "WWW-Authenticate field 0, byte 17: value without quotes".
func (w Warning) String() string {
	return fmt.Sprintf("WWW-Authenticate field %d, byte %d: %s", w.Field, w.Offset, w.Text)
}

// ParseChallenges reads every challenge of every WWW-Authenticate field of h,
// in the order given: separate fields, challenges that a proxy merged into
// one, and what real servers send although RFC 9110 §11.6.1 forbids it. It
// takes empty list members and empty values, names in any case, blanks around
// "=", token68 with padding, values without quotes such as URLs, missing
// commas, repeated parameters and an unterminated last value.
//
// It never fails. Whatever does not keep to the RFC is told in warnings; text
// that belongs to no challenge is in the span of a warning, so that nothing
// is lost in silence. Both are in the order of the input.
func ParseChallenges(h http.Header) (challenges []Challenge, warnings []Warning) {
	for i, field := range fieldValues(h, "WWW-Authenticate") {
		p := challengeParser{s: field, field: i}
		p.parse()
		slices.SortStableFunc(p.warnings, func(a, b Warning) int { return a.Offset - b.Offset })
		challenges = append(challenges, p.challenges...)
		warnings = append(warnings, p.warnings...)
	}
	return challenges, warnings
}

// Schemes returns the schemes of challenges in the order given, each once.
func Schemes(challenges []Challenge) []Scheme {
	schemes := make([]Scheme, 0, len(challenges))
	for _, c := range challenges {
		if !slices.Contains(schemes, c.Scheme) {
			schemes = append(schemes, c.Scheme)
		}
	}
	return schemes
}

// fieldValues returns all values of the field name, which is canonical,
// however its name is spelled in h: a header written as a literal, or read by
// other means than net/http, need not be canonical.
func fieldValues(h http.Header, name string) []string {
	values := slices.Clone(h[http.CanonicalHeaderKey(name)])
	var others []string
	for key := range h {
		if key != http.CanonicalHeaderKey(name) && strings.EqualFold(key, name) {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	for _, key := range others {
		values = append(values, h[key]...)
	}
	return values
}

// A challengeParser reads one WWW-Authenticate field.
type challengeParser struct {
	s          string
	field      int
	pos        int
	challenges []Challenge
	warnings   []Warning
	seen       map[string]bool // lower-case names of the parameters of the last challenge
}

func (p *challengeParser) warn(from, to int, text string) {
	p.warnings = append(p.warnings, Warning{Field: p.field, Offset: from, End: to, Text: text})
}

// parse reads list members until the field ends. A member is a parameter if
// an equals sign follows its first token, and otherwise begins a challenge:
// the comma between challenges is the same as that between parameters.
func (p *challengeParser) parse() {
	separated := true
	for {
		start := p.pos
		p.skip(" \t,")
		separated = separated || strings.Contains(p.s[start:p.pos], ",")
		if p.pos == len(p.s) {
			return
		}
		begin := p.pos
		word := p.token()
		after := p.pos
		p.skip(" \t")
		// Where a comma was forgotten, only a well-known name or one with a
		// parameter is a scheme, and any other word a part of the last value.
		stray := !separated && !known(word) && (begin == start || !p.atParam())
		switch {
		case word == "":
			p.pos = begin
			p.garbage(begin)
		case p.peek() == '=' && known(word) && !p.inParams():
			// There is nothing that it could be a parameter of.
			p.scheme(begin, word)
			from := p.pos
			p.pos++
			if p.peek() == '"' {
				p.quoted()
			}
			p.word()
			p.warn(from, p.pos, "an equals sign after the scheme; left out, with what follows")
			separated = false
			continue
		case p.peek() == '=':
			p.param(begin, word)
			if !separated {
				p.warn(begin, after, "no comma before this parameter")
			}
		case stray, after < len(p.s) && strings.IndexByte(" \t,", p.s[after]) < 0 && !known(word):
			p.pos = after
			p.garbage(begin)
		default:
			if after < len(p.s) && strings.IndexByte(" \t,", p.s[after]) < 0 {
				p.warn(begin, after, "the scheme is not followed by a blank or a comma")
			}
			if !separated {
				p.warn(begin, after, "no comma before this scheme")
			}
			p.scheme(begin, word)
			separated = false
			continue
		}
		separated = len(p.challenges) == 0 // behind "WWW-Authenticate:", say
	}
}

// scheme begins a challenge with the scheme word at begin. The position is
// after the blanks that follow it.
func (p *challengeParser) scheme(begin int, word string) {
	c := Challenge{Scheme: Scheme(strings.ToLower(word)), Name: word, Field: p.field, Offset: begin, End: begin + len(word)}
	p.seen = make(map[string]bool)
	if data, ok := p.token68(c.Scheme); ok {
		c.Token68 = data
		p.pos += len(data)
		c.End = p.pos
	}
	p.challenges = append(p.challenges, c)
	if c.Token68 != "" {
		return
	}
	// The first parameter follows a blank, not a comma.
	if p.atParam() {
		from := p.pos
		name := p.token()
		p.skip(" \t")
		p.param(from, name)
	}
}

// inParams reports whether the last challenge is of a scheme whose challenges
// hold parameters; those of NTLM and Negotiate never do.
func (p *challengeParser) inParams() bool {
	if len(p.challenges) == 0 {
		return false
	}
	last := p.challenges[len(p.challenges)-1].Scheme
	return takesParams(last) || !known(string(last))
}

// token68 reports whether the text at the position is the token68 of a
// challenge of the given scheme, and not its first parameter or the next
// scheme.
func (p *challengeParser) token68(scheme Scheme) (string, bool) {
	end := p.pos
	for end < len(p.s) && isToken68(p.s[end]) {
		end++
	}
	bare := end
	for end < len(p.s) && p.s[end] == '=' {
		end++
	}
	rest := strings.TrimLeft(p.s[end:], " \t")
	next := rest
	if i := strings.IndexAny(rest, " \t,"); i >= 0 {
		next = rest[:i]
	}
	if bare == p.pos || next != "" && (len(rest) == len(p.s)-end || !known(next)) {
		return "", false
	}
	data := p.s[p.pos:end]
	if known(data) {
		return "", false // "Negotiate NTLM": a comma was forgotten
	}
	if takesParams(scheme) && end == bare+1 {
		return "", false // "Basic realm=": an empty value without quotes
	}
	return data, true
}

// param reads the value of the parameter name that begins at begin; the
// position is at its equals sign. The parameter joins the last challenge.
func (p *challengeParser) param(begin int, name string) {
	p.pos++
	p.skip(" \t")
	var value string
	from := p.pos
	if p.peek() == '"' {
		value = p.quoted()
	} else {
		value = p.unquoted()
		if value == "" {
			p.warn(begin, p.pos, "parameter without a value")
		} else if strings.IndexFunc(value, func(r rune) bool { return r > 127 || !isToken(byte(r)) }) >= 0 {
			p.warn(from, p.pos, "value without quotes; read up to the next comma, parameter or scheme")
		}
	}
	if len(p.challenges) == 0 {
		p.warn(begin, p.pos, "parameter before any scheme; left out")
		return
	}
	c := &p.challenges[len(p.challenges)-1]
	switch {
	case c.Token68 != "":
		p.warn(begin, p.pos, "parameter after token68")
	case len(c.Params) == 0 && p.s[c.End] == ',':
		p.warn(begin, p.pos, "a comma, and no blank, between the scheme and its parameter")
	}
	if lower := strings.ToLower(name); p.seen[lower] {
		p.warn(begin, p.pos, "parameter given twice; the first one counts")
	} else {
		p.seen[lower] = true
	}
	c.Params = append(c.Params, Param{Name: name, Value: value, Offset: begin})
	c.End = p.pos
}

// unquoted reads a value without quotes, and with it the words that follow
// after blanks and are neither a parameter nor a well-known scheme, as in
// "realm=Contoso Mail".
func (p *challengeParser) unquoted() string {
	from := p.pos
	for {
		p.word()
		end := p.pos
		p.skip(" \t")
		next := p.pos
		p.word()
		word := p.s[next:p.pos]
		if next == end || word == "" || known(word) || strings.ContainsAny(word, `="`) || strings.HasPrefix(strings.TrimLeft(p.s[p.pos:], " \t"), "=") {
			p.pos = end
			return p.s[from:end]
		}
		p.pos = next
	}
}

// quoted reads a quoted string and returns what it stands for.
func (p *challengeParser) quoted() string {
	var b strings.Builder
	from, control := p.pos, false // control characters are told once
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch ch := p.s[p.pos]; {
		case ch == '"':
			p.pos++
			return b.String()
		case ch == '\\' && p.pos+1 < len(p.s):
			p.pos++
			ch = p.s[p.pos]
			fallthrough
		default:
			if !control && (ch < ' ' && ch != '\t' || ch == 0x7f) {
				control = true
				p.warn(p.pos, p.pos+1, "control character in a quoted value")
			}
			b.WriteByte(ch)
		}
	}
	p.warn(from, p.pos, "quoted value does not end")
	return b.String()
}

// garbage skips text that is neither scheme nor parameter, from begin up to
// the next blank or comma, and past a quoted string in one piece.
func (p *challengeParser) garbage(begin int) {
	if p.peek() == '"' {
		p.quoted()
	}
	p.word()
	p.warn(begin, p.pos, "neither scheme nor parameter; left out")
}

// word skips to the next blank or comma.
func (p *challengeParser) word() {
	for p.pos < len(p.s) && strings.IndexByte(" \t,", p.s[p.pos]) < 0 {
		p.pos++
	}
}

// atParam reports whether a parameter begins at the position.
func (p *challengeParser) atParam() bool {
	rest := *p
	name := rest.token()
	rest.skip(" \t")
	return name != "" && rest.peek() == '='
}

func (p *challengeParser) skip(set string) {
	for p.pos < len(p.s) && strings.IndexByte(set, p.s[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *challengeParser) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

func (p *challengeParser) token() string {
	from := p.pos
	for p.pos < len(p.s) && isToken(p.s[p.pos]) {
		p.pos++
	}
	return p.s[from:p.pos]
}

// isToken reports whether c may stand in a token, RFC 9110 §5.6.2.
func isToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68 reports whether c may stand in token68 before the padding, RFC 9110
// §11.2.
func isToken68(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c != 0 && strings.IndexByte("-._~+/", c) >= 0
}

// known reports whether word names one of the schemes of this package.
func known(word string) bool {
	switch Scheme(strings.ToLower(word)) {
	case Basic, Bearer, Digest, Kerberos, Negotiate, NTLM:
		return true
	}
	return false
}

// takesParams reports whether the challenges of s hold parameters and never
// token68.
func takesParams(s Scheme) bool { return s == Basic || s == Bearer || s == Digest }
