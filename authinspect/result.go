package authinspect

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Step is one of the requests of an inspection. None of them carries a
// secret.
type Step uint8

const (
	StepUnknown     Step = iota // an answer whose request nobody knows, such as pasted headers
	StepAnonymous               // no Authorization field
	StepEmptyBearer             // "Authorization: Bearer" with no token behind it
	StepMailbox                 // the same, and X-User-Identity names the mailbox of the caller
	StepNTLM                    // the first NTLM message, which names nobody
)

var stepNames = [...]string{"unknown", "anonymous", "empty-bearer", "mailbox", "ntlm"}

// String returns "unknown", "anonymous", "empty-bearer", "mailbox" or "ntlm".
func (s Step) String() string {
	if int(s) < len(stepNames) {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// MarshalText returns the name that String gives.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Strength tells how much an inspection knows of a scheme at a URL.
// Nothing of it proves that a sign-in would succeed: only a sign-in, a policy
// or a log does.
type Strength uint8

const (
	StrengthUnknown Strength = iota // not seen; it may be offered all the same
	Advertised                      // the server challenges for it
	Refused                         // the server says that it is not available for this mailbox
	Configured                      // the server also says how: Bearer with a sign-in service
	Observed                        // the server took part in it: NTLM answered with its challenge
)

var strengthNames = [...]string{"unknown", "advertised", "refused", "configured", "observed"}

// String returns "unknown", "advertised", "refused", "configured" or
// "observed".
func (s Strength) String() string {
	if int(s) < len(strengthNames) {
		return strengthNames[s]
	}
	return fmt.Sprintf("Strength(%d)", uint8(s))
}

// MarshalText returns the name that String gives.
func (s Strength) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Modern tells whether a URL takes modern authentication: tokens from a
// sign-in service that it names.
type Modern uint8

const (
	// ModernUnknown is the value for everything that proves neither. So is an
	// anonymous answer without Bearer: Exchange SE and late builds of 2019
	// hide it until an empty Bearer arrives.
	ModernUnknown Modern = iota
	// ModernOn means that the server named a sign-in service.
	ModernOn
	// ModernOff means that the server answered an empty Bearer with other
	// schemes only, or named no sign-in service although the mailbox was named
	// to it, or said itself that there is none for this mailbox.
	ModernOff
)

var modernNames = [...]string{"unknown", "on", "off"}

// String returns "unknown", "on" or "off".
func (m Modern) String() string {
	if int(m) < len(modernNames) {
		return modernNames[m]
	}
	return fmt.Sprintf("Modern(%d)", uint8(m))
}

// MarshalText returns the name that String gives.
func (m Modern) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Kinds of issuers and servers.
const (
	KindEntra          = "entra"           // issuer: Entra ID in any cloud
	KindADFS           = "adfs"            // issuer or server: Active Directory Federation Services
	KindOther          = "other"           // issuer: named, and none of the above
	KindExchange       = "exchange"        // server: Exchange on premises
	KindExchangeOnline = "exchange-online" // server: Exchange Online
)

// An Issuer is the sign-in service that a Bearer challenge names.
type Issuer struct {
	Kind             string   `json:"kind,omitempty"`             // KindEntra, KindADFS or KindOther; "" if not known
	AuthorizationURI string   `json:"authorizationUri,omitempty"` // where a client sends its user
	Tenant           string   `json:"tenant,omitempty"`           // Entra tenant ID; "" if none or any
	TrustedIssuers   []string `json:"trustedIssuers,omitempty"`   // application@tenant, as listed
	ClientID         string   `json:"clientId,omitempty"`         // the server's own application ID
}

// A Diagnostic is one field in which a server says why it refuses:
// x-ms-diagnostics, why Exchange did not take a token or an empty one, or
// X-AutoDiscovery-Error, which has a Reason alone.
type Diagnostic struct {
	Step     Step   `json:"step"`
	Code     int    `json:"code,omitempty"` // of x-ms-diagnostics
	Reason   string `json:"reason,omitempty"`
	Category string `json:"category,omitempty"`
	Meaning  string `json:"meaning,omitempty"` // in plain words; "" for one that is not known
	Remedy   string `json:"remedy,omitempty"`  // what to do; "" if nothing, or not known
}

// A Server is what an endpoint tells of its software. Every field may be
// empty, and every one may be a proxy's.
type Server struct {
	Kind     string `json:"kind,omitempty"`     // KindExchange, KindExchangeOnline or KindADFS; "" if not recognised
	Product  string `json:"product,omitempty"`  // such as "Exchange Server SE"
	Version  string `json:"version,omitempty"`  // such as "15.2.2562.17"
	Software string `json:"software,omitempty"` // the Server field
	FrontEnd string `json:"frontEnd,omitempty"` // the X-FEServer field: an internal name
}

// An Offer is one scheme at one URL, and how it is known.
type Offer struct {
	Scheme   Scheme   `json:"scheme"`
	Strength Strength `json:"strength"`
	Step     Step     `json:"step"`     // the first answer in which it was seen
	Evidence string   `json:"evidence"` // what the server sent, shortened
}

// TLS is what a server showed while TLS was set up.
type TLS struct {
	Version  uint16              // as in crypto/tls
	Chain    []*x509.Certificate // as sent, leaf first; read-only
	Trusted  bool                // Chain leads to a root and names the host
	Distrust error               // why not
}

// MarshalJSON returns the verdict, the subject and the end of the leaf
// certificate.
func (t TLS) MarshalJSON() ([]byte, error) {
	object := struct {
		Trusted  bool      `json:"trusted"`
		Distrust string    `json:"distrust,omitempty"`
		Subject  string    `json:"subject,omitempty"`
		NotAfter time.Time `json:"notAfter,omitzero"`
	}{Trusted: t.Trusted}
	if t.Distrust != nil {
		object.Distrust = t.Distrust.Error()
	}
	if len(t.Chain) > 0 {
		object.Subject, object.NotAfter = t.Chain[0].Subject.String(), t.Chain[0].NotAfter
	}
	return json.Marshal(object)
}

// An Answer is what a server sent to one request. It is a plain value; tests
// may write it as a literal.
type Answer struct {
	Step   Step
	Status int         // 0 if there was no answer; Err then says why
	Header http.Header // as received; read-only
	Err    error       // why there is no answer
	At     time.Time   // when the answer arrived; zero if not known
}

// MarshalJSON returns the step, the status, the address of a redirect and
// the error. Other fields, cookies among them, stay out.
func (a Answer) MarshalJSON() ([]byte, error) {
	object := struct {
		Step     Step   `json:"step"`
		Status   int    `json:"status,omitempty"`
		Location string `json:"location,omitempty"`
		Error    string `json:"error,omitempty"`
	}{Step: a.Step, Status: a.Status, Location: a.location()}
	if a.Err != nil {
		object.Error = a.Err.Error()
	}
	return json.Marshal(object)
}

// location returns where a redirect leads, without the query and what follows
// it: state, nonces, tokens and addresses of mailboxes travel there.
func (a Answer) location() string {
	if a.Status < 300 || a.Status > 399 {
		return ""
	}
	where := a.Header.Get("Location")
	if i := strings.IndexAny(where, "?#"); i >= 0 {
		where = where[:i]
	}
	return shorten(where)
}

// A Result is what one URL showed during one inspection. It is a plain value;
// tests may write it as a literal.
type Result struct {
	Target       string         // the URL, as given
	At           time.Time      // when the inspection began
	Schemes      []Scheme       // in the order given, each once
	Offers       []Offer        // one for each of Schemes, in the same order
	Modern       Modern         // never off because of an anonymous answer
	ModernReason string         // why Modern is what it is
	Issuer       *Issuer        // nil if no Bearer challenge told anything of one
	Diagnostics  []Diagnostic   // in the order received
	NTLM         *NTLMChallenge // nil if the server sent none
	Server       Server
	TLS          *TLS     // nil without TLS
	Answers      []Answer // one for each step that was taken
	Warnings     []string // what was malformed, skipped or contradictory
}

// MarshalJSON returns an object in which "schemes", "diagnostics" and
// "warnings" are arrays even when empty, "modern" is one of "on", "off" and
// "unknown", and "issuer" is null if there is none.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Target       string         `json:"target"`
		At           time.Time      `json:"at,omitzero"`
		Schemes      []Scheme       `json:"schemes"`
		Modern       Modern         `json:"modern"`
		ModernReason string         `json:"modernReason,omitempty"`
		Issuer       *Issuer        `json:"issuer"`
		Diagnostics  []Diagnostic   `json:"diagnostics"`
		Warnings     []string       `json:"warnings"`
		Offers       []Offer        `json:"offers,omitempty"`
		Server       Server         `json:"server,omitzero"`
		NTLM         *NTLMChallenge `json:"ntlm,omitempty"`
		TLS          *TLS           `json:"tls,omitempty"`
		Answers      []Answer       `json:"answers,omitempty"`
	}{r.Target, r.At, notNil(r.Schemes), r.Modern, r.ModernReason, r.Issuer, notNil(r.Diagnostics), notNil(r.Warnings),
		r.Offers, r.Server, r.NTLM, r.TLS, r.Answers})
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Strength returns how much is known of scheme at this URL.
func (r *Result) Strength(scheme Scheme) Strength {
	for _, o := range r.Offers {
		if o.Scheme == scheme {
			return o.Strength
		}
	}
	return StrengthUnknown
}

// Answered returns the answer to a step, and false if the step was not taken
// or brought none.
func (r *Result) Answered(step Step) (Answer, bool) {
	for _, a := range r.Answers {
		if a.Step == step && a.Status != 0 {
			return a, true
		}
	}
	return Answer{}, false
}

// Conclude reads answers of the URL target and says what they prove. It does
// no I/O: it serves headers from a trace or a console as well as those of
// [Inspect]. The mailbox is the one that the answer to [StepMailbox] is
// about, or "".
func Conclude(target, mailbox string, answers ...Answer) *Result {
	r := &Result{Target: target, Answers: answers}
	conclusion := conclusion{Result: r, mailbox: mailbox}
	for _, a := range answers {
		conclusion.read(a)
	}
	conclusion.judgeModern()
	return r
}

// maxListed bounds each list that a stranger fills: schemes, diagnostics,
// trusted issuers, warnings. Real servers need a handful.
const maxListed = 100

// A conclusion is a Result while answers are read into it.
type conclusion struct {
	*Result
	mailbox string
	bearers []Challenge // the Bearer challenges, with the step of each in steps
	steps   []Step
}

func (c *conclusion) warn(step Step, format string, args ...any) {
	text := printable(fmt.Sprintf(format, args...)) // errors repeat what a certificate holds
	if step != StepUnknown {
		text = step.String() + ": " + text
	}
	switch {
	case len(c.Warnings) < maxListed:
		c.Warnings = append(c.Warnings, text)
	case len(c.Warnings) == maxListed:
		c.Warnings = append(c.Warnings, "and more, which is left out")
	}
}

func (c *conclusion) read(a Answer) {
	if c.At.IsZero() || !a.At.IsZero() && a.At.Before(c.At) {
		c.At = a.At
	}
	if a.Err != nil {
		c.warn(a.Step, "no answer: %v", a.Err)
	}
	challenges, warnings := ParseChallenges(a.Header)
	for i, w := range warnings {
		if i == 10 {
			c.warn(a.Step, "and %d more places in WWW-Authenticate", len(warnings)-i)
			break
		}
		c.warn(a.Step, "%v", w)
	}
	left := 0
	for _, ch := range challenges {
		if !c.challenge(a, ch) {
			left++
		}
	}
	if left > 0 {
		c.warn(a.Step, "more than %d schemes; %d challenges left out", maxListed, left)
	}
	if a.Status == http.StatusUnauthorized && len(challenges) == 0 {
		c.warn(a.Step, "status 401 without any challenge, which RFC 9110 §15.5.2 forbids; a proxy may have removed them")
	}
	if where := a.location(); where != "" {
		c.warn(a.Step, "redirects to %s; not followed", where)
	}
	for i, field := range fieldValues(a.Header, "X-Ms-Diagnostics") {
		if i == maxListed {
			c.warn(a.Step, "more than %d fields x-ms-diagnostics; the rest is left out", i)
			break
		}
		if d, ok := ParseDiagnostic(field); ok {
			d.Step = a.Step
			c.Diagnostics = append(c.Diagnostics, d)
		} else {
			c.warn(a.Step, "x-ms-diagnostics cannot be read: %s", shorten(field))
		}
	}
	for i, field := range fieldValues(a.Header, "X-Autodiscovery-Error") {
		if i == maxListed {
			c.warn(a.Step, "more than %d fields X-AutoDiscovery-Error; the rest is left out", i)
			break
		}
		d := Diagnostic{Step: a.Step, Reason: shorten(field)}
		if why, ok := ExplainResponse(HTTP, "X-AutoDiscovery-Error: "+field); ok {
			d.Meaning, d.Remedy = why.Cause, why.Remedy
		}
		c.Diagnostics = append(c.Diagnostics, d)
	}
	switch a.Status {
	case 440, 449, 451, 456: // Microsoft's own
		if why, ok := ExplainResponse(HTTP, fmt.Sprintf("HTTP/1.1 %d", a.Status)); ok {
			c.warn(a.Step, "status %d: %s", a.Status, why.Cause)
		}
	}
	c.readServer(a)
}

// challenge reads one challenge, and returns false if its scheme is one too
// many. The schemes that rules are about never are.
func (c *conclusion) challenge(a Answer, ch Challenge) bool {
	at := slices.IndexFunc(c.Offers, func(o Offer) bool { return o.Scheme == ch.Scheme })
	if at < 0 && len(c.Offers) >= maxListed && !known(string(ch.Scheme)) {
		return false
	}
	shown := ch
	if shown.Token68 != "" {
		shown.Token68 = "…" // may hold the challenge that a client would sign
	}
	offer := Offer{Scheme: ch.Scheme, Strength: Advertised, Step: a.Step, Evidence: shorten(shown.String())}
	switch ch.Scheme {
	case Bearer:
		c.bearers, c.steps = append(c.bearers, ch), append(c.steps, a.Step)
		c.readIssuer(a.Step, ch)
		if namesSignIn(ch) {
			offer.Strength = Configured
		}
	case NTLM, Negotiate:
		if ch.Token68 == "" {
			break
		}
		message, err := DecodeNTLMChallenge(ch.Token68)
		if err != nil {
			c.warn(a.Step, "%s: %v", ch.Scheme, err)
			break
		}
		message.At = a.At
		if c.NTLM == nil {
			c.NTLM = message
			for _, w := range message.Warnings {
				c.warn(a.Step, "NTLM: %s", w)
			}
		}
		offer.Strength = Observed
		offer.Evidence = ch.Scheme.String() + " answered with the NTLM challenge of " + message.TargetName
	}
	switch {
	case at < 0:
		c.Schemes = append(c.Schemes, ch.Scheme)
		c.Offers = append(c.Offers, offer)
	case offer.Strength > c.Offers[at].Strength:
		offer.Step = c.Offers[at].Step
		c.Offers[at] = offer
	}
	return true
}

// namesSignIn tells whether a Bearer challenge says where tokens come from:
// by address, by kind, or by the star that stands for any tenant of Exchange
// Online.
func namesSignIn(ch Challenge) bool {
	uri, _ := ch.Param("authorization_uri")
	kind, _ := ch.Param("issuer_kind")
	trusted, _ := ch.Param("trusted_issuers")
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && u.Host != "" || kind != "" || strings.HasSuffix(trusted, "@*")
}

var (
	guid      = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	entraHost = regexp.MustCompile(`(?i)^(?:login\.windows\.net|login\.microsoftonline\.(?:com|us|de)|login\.partner\.microsoftonline\.cn|login\.chinacloudapi\.cn|sts\.windows\.net)$`)
	adfsPath  = regexp.MustCompile(`(?i)^/adfs/`)
)

// Entra ID's own application in trusted_issuers, worldwide and in China.
const (
	entraIssuer      = "00000001-0000-0000-c000-000000000000"
	entraIssuerChina = "00000001-0002-0000-c000-000000000000"
)

func (c *conclusion) readIssuer(step Step, ch Challenge) {
	if c.Issuer == nil {
		c.Issuer = &Issuer{}
	}
	set := func(field *string, value string) {
		value = shorten(value)
		switch {
		case value == "" || *field == value:
		case *field == "":
			*field = value
		default:
			c.warn(step, "Bearer names %s where another answer named %s", value, *field)
		}
	}
	param := func(name string) string { v, _ := ch.Param(name); return v }
	set(&c.Issuer.ClientID, param("client_id"))
	if uri := param("authorization_uri"); uri != "" {
		set(&c.Issuer.AuthorizationURI, uri)
		u, err := url.Parse(uri)
		switch {
		case err != nil || u.Host == "":
			c.warn(step, "authorization_uri is no address: %s", shorten(uri))
		case u.Scheme != "https":
			c.warn(step, "authorization_uri is not https: %s", shorten(uri))
		case entraHost.MatchString(u.Hostname()):
			set(&c.Issuer.Kind, KindEntra)
			if tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/"); guid.MatchString(tenant) {
				set(&c.Issuer.Tenant, tenant)
			}
		case adfsPath.MatchString(u.Path):
			set(&c.Issuer.Kind, KindADFS)
		default:
			set(&c.Issuer.Kind, KindOther)
		}
	}
	switch kind := param("issuer_kind"); {
	case kind == "":
	case strings.EqualFold(kind, "ADFS"):
		set(&c.Issuer.Kind, KindADFS)
	case strings.EqualFold(kind, "AzureAD"):
		set(&c.Issuer.Kind, KindEntra)
	default:
		set(&c.Issuer.Kind, KindOther)
		c.warn(step, "issuer_kind is not known: %s", shorten(kind))
	}
	for trusted := range strings.SplitSeq(param("trusted_issuers"), ",") {
		trusted = strings.TrimSpace(trusted)
		if trusted == "" || slices.Contains(c.Issuer.TrustedIssuers, shorten(trusted)) {
			continue
		}
		if len(c.Issuer.TrustedIssuers) == maxListed {
			c.warn(step, "more than %d trusted issuers; the rest is left out", maxListed)
			break
		}
		c.Issuer.TrustedIssuers = append(c.Issuer.TrustedIssuers, shorten(trusted))
		application, tenant, _ := strings.Cut(trusted, "@")
		if application == entraIssuer || application == entraIssuerChina {
			if c.Issuer.Kind == "" && (tenant == "*" || namesSignIn(ch)) {
				c.Issuer.Kind = KindEntra
			}
			if guid.MatchString(tenant) {
				set(&c.Issuer.Tenant, tenant)
			}
		}
	}
}

// judgeModern says what the Bearer challenges prove together.
func (c *conclusion) judgeModern() {
	verdict := func(m Modern, reason string) { c.Modern, c.ModernReason = m, reason }
	if d, ok := refusedForMailbox(c.Diagnostics, c.mailbox); ok {
		verdict(ModernOff, "the server says that modern authentication is not available for the mailbox: "+d.Reason)
		for i := range c.Offers {
			if c.Offers[i].Scheme == Bearer {
				c.Offers[i].Strength, c.Offers[i].Evidence = Refused, shorten(d.String())
			}
		}
		return
	}
	asked, mailboxAsked := false, false
	for i, ch := range c.bearers {
		if namesSignIn(ch) {
			verdict(ModernOn, "the Bearer challenge names the sign-in service")
			return
		}
		mailboxAsked = mailboxAsked || c.steps[i] == StepMailbox
	}
	bearerAnswer := Answer{}
	for _, step := range []Step{StepEmptyBearer, StepMailbox} {
		if a, ok := c.Answered(step); ok {
			asked, bearerAnswer = true, a
			if a.Status != http.StatusUnauthorized {
				verdict(ModernUnknown, fmt.Sprintf("the server answered an empty Bearer with status %d", a.Status))
				return
			}
		}
	}
	others, _ := ParseChallenges(bearerAnswer.Header)
	switch {
	case mailboxAsked:
		verdict(ModernOff, "Bearer is challenged for, but no sign-in service is named although the mailbox was")
	case len(c.bearers) > 0:
		verdict(ModernUnknown, "Bearer is challenged for without a sign-in service: it may serve other servers only, or the mailbox has to be named")
	case asked && len(others) > 0 && c.Server.Kind == KindExchangeOnline:
		verdict(ModernUnknown, "Exchange Online left Bearer out of this answer, as it does where a policy blocks Basic; that says nothing about tokens")
	case asked && len(others) > 0:
		verdict(ModernOff, "the server answered an empty Bearer, and with other schemes only")
	case asked:
		verdict(ModernUnknown, "the server answered an empty Bearer without any challenge")
	default:
		verdict(ModernUnknown, "no answer to an empty Bearer is known; before one the server may hide Bearer")
	}
}

// refusedForMailbox returns the diagnostic by which the server says that
// there is no modern authentication for the mailbox, or for any if it is "".
// The same code naming a host comes from healthy servers too.
func refusedForMailbox(diagnostics []Diagnostic, mailbox string) (Diagnostic, bool) {
	for _, d := range diagnostics {
		if d.Code != diagnosticNotAvailable {
			continue
		}
		if m := inQuotes.FindStringSubmatch(d.Reason); m != nil && (mailbox == "" || strings.EqualFold(m[1], mailbox)) {
			return d, true
		}
	}
	return Diagnostic{}, false
}

var inQuotes = regexp.MustCompile(`'([^'@\s]+@[^'@\s]+)'`)

const (
	diagnosticAudience     = 2000003
	diagnosticNotAvailable = 4000000
)

// String returns the diagnostic in the form of its field.
func (d Diagnostic) String() string {
	if d.Code == 0 && d.Category == "" {
		return d.Reason
	}
	return fmt.Sprintf("%d;reason=%q;error_category=%q", d.Code, d.Reason, d.Category)
}

var diagnosticField = regexp.MustCompile(`(?is)^\s*(\d{1,9})\s*(?:;|$)(?:.*?\breason\s*=\s*"((?:[^"\\]|\\.)*)")?(?:.*?\berror_category\s*=\s*"([^"]*)")?`)

// ParseDiagnostic reads an x-ms-diagnostics field, as in
// 2000003;reason="…";error_category="invalid_resource", and explains it. It
// returns false if the field does not begin with a number.
func ParseDiagnostic(field string) (Diagnostic, bool) {
	m := diagnosticField.FindStringSubmatch(field)
	if m == nil {
		return Diagnostic{}, false
	}
	code, err := strconv.Atoi(m[1])
	if err != nil {
		return Diagnostic{}, false
	}
	d := Diagnostic{Code: code, Reason: shorten(m[2]), Category: shorten(m[3])}
	if why, ok := ExplainResponse(HTTP, "x-ms-diagnostics: "+field); ok {
		d.Meaning, d.Remedy = why.Cause, why.Remedy
	}
	return d, true
}

var (
	exchangeBuild = regexp.MustCompile(`^15\.\d{1,4}\.\d{1,6}\.\d{1,6}$`)
	exchangeCloud = regexp.MustCompile(`(?i)\.(?:outlook\.com|office365\.com|outlook\.cn|office365\.us|office\.com)$`)
)

// readServer recognises the software from its header fields.
func (c *conclusion) readServer(a Answer) {
	first := func(name string) string {
		if values := fieldValues(a.Header, name); len(values) > 0 {
			return shorten(values[0])
		}
		return ""
	}
	s := &c.Server
	if s.Software == "" {
		s.Software = first("Server")
	}
	if s.FrontEnd == "" {
		s.FrontEnd = first("X-Feserver")
	}
	for _, version := range []string{first("X-Owa-Version"), strings.TrimPrefix(first("X-Serverapplication"), "Exchange/")} {
		if s.Version == "" && exchangeBuild.MatchString(version) {
			s.Version = version
		}
	}
	online := strings.HasPrefix(s.Version, "15.20.") ||
		exchangeCloud.MatchString(first("X-Calculatedbetarget")) || exchangeCloud.MatchString(first("X-Calculatedfetarget"))
	challenges, _ := ParseChallenges(a.Header)
	for _, ch := range challenges {
		trusted, _ := ch.Param("trusted_issuers")
		realm, hasRealm := ch.Param("realm")
		// Any server may have an empty realm; together with a front end's name
		// it is Exchange Online.
		online = online || ch.Scheme == Bearer && strings.HasSuffix(trusted, "@*") ||
			ch.Scheme == Basic && hasRealm && realm == "" && s.FrontEnd != ""
	}
	switch {
	case online:
		s.Kind, s.Product = KindExchangeOnline, "Exchange Online"
	case s.Kind != "":
	case s.Version != "" || s.FrontEnd != "":
		s.Kind = KindExchange
	case adfsTarget(c.Target) && (strings.HasPrefix(s.Software, "Microsoft-HTTPAPI/") || strings.HasPrefix(s.Software, "Microsoft-IIS/")):
		s.Kind, s.Product = KindADFS, "AD FS"
	}
	if s.Kind == KindExchange {
		s.Product = exchangeProduct(s.Version)
	}
}

func adfsTarget(target string) bool {
	u, err := url.Parse(target)
	return err == nil && adfsPath.MatchString(u.Path)
}

// exchangeProduct names the product of a build ("Exchange Server build
// numbers and release dates", learn.microsoft.com). SE began with 15.2.2562.
func exchangeProduct(version string) string {
	parts := strings.Split(version, ".")
	if len(parts) != 4 {
		return "Exchange Server"
	}
	build, _ := strconv.Atoi(parts[2])
	switch {
	case parts[1] == "0":
		return "Exchange Server 2013"
	case parts[1] == "1":
		return "Exchange Server 2016"
	case parts[1] == "2" && build < 2562:
		return "Exchange Server 2019"
	case parts[1] == "2":
		return "Exchange Server SE"
	}
	return "Exchange Server"
}

// shorten makes a stranger's text fit to be shown: printable, one line, at
// most 300 characters.
func shorten(s string) string {
	const limit = 300
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	runes := []rune(printable(strings.ToValidUTF8(s, "\uFFFD")))
	if len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return string(runes)
}
