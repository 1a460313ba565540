package hybridoauth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A TokenKind is what a token is for. In text and JSON it is one of "unknown",
// "service-to-service", "app-only" and "assertion".
type TokenKind uint8

const (
	TokenUnknown     TokenKind = iota
	ServiceToService           // a user context without signature around the token of the acting application
	AppOnly                    // an application's own token
	Assertion                  // what Exchange signs with the auth certificate to ask for a token
)

var tokenKinds = enum.Of[TokenKind]("hybridoauth: kind of token", "unknown", "service-to-service", "app-only", "assertion")

// String returns the text of k.
func (k TokenKind) String() string { return tokenKinds.String(k) }

// MarshalText returns the text of k, and an error for no constant.
func (k TokenKind) MarshalText() ([]byte, error) { return tokenKinds.Marshal(k) }

// UnmarshalText reads what MarshalText writes.
func (k *TokenKind) UnmarshalText(text []byte) error { return tokenKinds.Unmarshal(k, text) }

// A Token is what a captured token claims. Nothing of it is verified, no
// signature is kept, and what names a person is left out but for the domain:
// claims say what the sender wrote, which anybody can write.
type Token struct {
	Kind  TokenKind  `json:"kind"`
	Outer TokenPart  `json:"outer"`           // the token, or the only part
	Actor *TokenPart `json:"actor,omitempty"` // the token of the acting application, within the outer one
}

// A TokenPart is one header with its claims. Fields are zero for what the
// token does not hold.
type TokenPart struct {
	Algorithm  string              `json:"algorithm,omitempty"`
	Signed     crossprem.Answer    `json:"signed"`        // by its shape: a third part that is not empty, and an algorithm other than none
	Thumbprint exchange.Thumbprint `json:"x5t,omitempty"` // SHA-1 of the certificate that x5t names
	KeyID      string              `json:"kid,omitempty"`

	Issuer        string `json:"issuer,omitempty"`
	IssuerRealm   string `json:"issuerRealm,omitempty"` // what follows the @, or the tenant in an address
	Audience      string `json:"audience,omitempty"`
	AudienceApp   string `json:"audienceApp,omitempty"`
	AudienceHost  string `json:"audienceHost,omitempty"`
	AudienceRealm string `json:"audienceRealm,omitempty"`
	Resource      string `json:"resource,omitempty"`

	ApplicationID string `json:"applicationId,omitempty"` // appid, azp, or an application in nameid
	NameID        string `json:"nameId,omitempty"`        // of an application; that of a user is left out
	TenantID      string `json:"tenantId,omitempty"`
	UserDomain    string `json:"userDomain,omitempty"`
	HasUser       bool   `json:"hasUser,omitempty"`

	NotBefore time.Time `json:"notBefore,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`

	Roles  []string `json:"roles,omitempty"`
	Claims []string `json:"claims,omitempty"` // the names of all claims, sorted
}

// ErrNoToken reports a text that is no token.
var ErrNoToken = errors.New("hybridoauth: no token in here")

// MaxToken is the size in bytes of a text that [ExplainToken] reads.
const MaxToken = 1 << 20

var (
	tokenLike    = regexp.MustCompile(`eyJ[A-Za-z0-9_+/=-]{6,}(?:\.[A-Za-z0-9_+/=-]*){0,4}`)
	compactToken = regexp.MustCompile(`^(eyJ[A-Za-z0-9_+/=-]+)\.([A-Za-z0-9_+/=-]+)(?:\.([A-Za-z0-9_+/=-]*))?$`)
	bearer       = regexp.MustCompile(`(?i)^\s*(?:authorization\s*:\s*)?bearer\s+`)
)

// ExplainToken takes a token apart: as it was captured, of two parts or three,
// with "Bearer" before it or lines within it, or decoded already as JSON. It
// keeps no signature and verifies nothing. It returns [ErrNoToken] for
// anything else; the error never holds a part of the text.
func ExplainToken(text string) (Token, error) {
	if len(text) > MaxToken {
		return Token{}, ErrNoToken
	}
	if dense := strings.Join(strings.Fields(bearer.ReplaceAllString(text, "")), ""); compactToken.MatchString(dense) {
		return explainCompact(dense, 0)
	}
	return explainDecoded(text)
}

// maxTokens bounds the tokens that are looked for in one text.
const maxTokens = 20

// tokenLine is a line that may be a part of a token.
var tokenLine = regexp.MustCompile(`^[A-Za-z0-9_=-]*(?:\.[A-Za-z0-9_=-]*){0,2}$`)

// tokensIn returns the tokens that stand in a text, such as a log or the
// answer of a token endpoint, also where a mail quoted or wrapped them.
func tokensIn(text string) (tokens []Token) {
	if len(text) > MaxToken || !strings.Contains(text, "eyJ") {
		return nil
	}
	var b strings.Builder
	last, within := 0, false // length of the line before, which may go on
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimSpace(line), "> \t")
		goesOn := within && last >= 40 && len(line) >= 20 && tokenLine.MatchString(line)
		if !goesOn {
			b.WriteByte('\n')
		}
		b.WriteString(line)
		end := line[strings.LastIndexAny(line, " \t")+1:]
		last, within = len(end), goesOn || strings.HasPrefix(end, "eyJ") && tokenLine.MatchString(end)
	}
	for _, m := range tokenLike.FindAllString(b.String(), maxTokens) {
		if t, err := explainCompact(m, 0); err == nil {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// raw is a part as decoded JSON.
type raw = map[string]any

func explainCompact(dense string, depth int) (Token, error) {
	m := compactToken.FindStringSubmatch(dense)
	if m == nil || depth > 1 {
		return Token{}, ErrNoToken
	}
	header, ok := decodePart(m[1])
	if !ok {
		return Token{}, ErrNoToken
	}
	claims, ok := decodePart(m[2])
	if !ok {
		return Token{}, ErrNoToken
	}
	t := Token{Outer: part(header, claims)}
	t.Outer.Signed = crossprem.AnswerOf(m[3] != "" && !strings.EqualFold(t.Outer.Algorithm, "none"))
	for _, name := range []string{"actortoken", "appctx_actor"} {
		if inner, ok := claims[name].(string); ok {
			if actor, err := explainCompact(strings.Join(strings.Fields(inner), ""), depth+1); err == nil {
				t.Actor = &actor.Outer
			}
		}
	}
	t.Kind = t.kind()
	return t, nil
}

func decodePart(text string) (raw, bool) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	return decodeObject(json.NewDecoder(bytes.NewReader(b)))
}

func decodeObject(d *json.Decoder) (raw, bool) {
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	m, ok := v.(raw)
	return m, ok
}

// explainDecoded reads {"outer": {"header": …, "claims": …}, "inner": …}, one
// such part alone, and the form {…}.{…}.[Signature] of web pages.
func explainDecoded(text string) (Token, error) {
	d := json.NewDecoder(strings.NewReader(text))
	first, ok := decodeObject(d)
	if !ok {
		return Token{}, ErrNoToken
	}
	var t Token
	outer, isOuter := partOf(first["outer"])
	if !isOuter {
		outer, isOuter = partOf(first)
	}
	actor, isActor := partOf(firstOf(first, "inner", "actor"))
	switch _, alg := first["alg"]; {
	case isOuter:
		t.Outer = outer
		if isActor {
			t.Actor = &actor
		}
	case alg:
		rest, err := io.ReadAll(io.MultiReader(d.Buffered(), strings.NewReader(text[d.InputOffset()+int64(buffered(d)):])))
		if err != nil {
			return Token{}, ErrNoToken
		}
		claims, ok := decodeObject(json.NewDecoder(strings.NewReader(strings.TrimLeft(string(rest), " \t\r\n."))))
		if !ok {
			return Token{}, ErrNoToken
		}
		t.Outer = part(first, claims)
	default:
		return Token{}, ErrNoToken
	}
	t.Kind = t.kind()
	return t, nil
}

// buffered is the number of bytes that a decoder has read and not used.
func buffered(d *json.Decoder) int {
	b, _ := io.ReadAll(d.Buffered())
	return len(b)
}

func firstOf(m raw, names ...string) any {
	for _, name := range names {
		if v, ok := m[name]; ok {
			return v
		}
	}
	return nil
}

func partOf(v any) (TokenPart, bool) {
	m, ok := v.(raw)
	if !ok {
		return TokenPart{}, false
	}
	header, ok := m["header"].(raw)
	if !ok {
		return TokenPart{}, false
	}
	claims, ok := firstOf(m, "claims", "payload", "body").(raw)
	if !ok {
		return TokenPart{}, false
	}
	return part(header, claims), true
}

func text(m raw, names ...string) string {
	for _, name := range names {
		switch v := m[name].(type) {
		case string:
			return clean(v)
		case json.Number:
			return v.String()
		case []any: // an audience may be a list
			if len(v) == 1 {
				if s, ok := v[0].(string); ok {
					return clean(s)
				}
			}
		}
	}
	return ""
}

// moment reads a NumericDate of RFC 7519, as number or text.
func moment(m raw, name string) time.Time {
	f, err := strconv.ParseFloat(text(m, name), 64)
	if err != nil || math.IsNaN(f) || f < 1 || f > 253402300799 { // the last second of the year 9999
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}

func part(header, claims raw) TokenPart {
	p := TokenPart{Algorithm: text(header, "alg"), KeyID: text(header, "kid"), Issuer: text(claims, "iss"), Audience: text(claims, "aud"), Resource: text(claims, "resource"),
		TenantID: strings.ToLower(text(claims, "tid")), NotBefore: moment(claims, "nbf"), Expires: moment(claims, "exp")}
	p.Signed = crossprem.AnswerUnknown
	if p.Algorithm != "" {
		p.Signed = crossprem.AnswerOf(!strings.EqualFold(p.Algorithm, "none"))
	}
	if sum, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text(header, "x5t")), "=")); err == nil && len(sum) == 20 {
		p.Thumbprint = exchange.Thumbprint(strings.ToUpper(hex.EncodeToString(sum)))
	}
	_, p.IssuerRealm, _ = strings.Cut(p.Issuer, "@")
	if strings.Contains(p.Issuer, "://") {
		p.IssuerRealm = guidWithin.FindString(p.Issuer)
	}
	rest, realm, _ := strings.Cut(p.Audience, "@")
	if !strings.Contains(p.Audience, "://") {
		p.AudienceApp, p.AudienceHost, _ = strings.Cut(rest, "/")
		p.AudienceRealm = realm
	} else {
		p.AudienceHost = exchange.HostOf(p.Audience)
	}
	p.ApplicationID = strings.ToLower(text(claims, "appid", "azp"))
	if id, _, _ := strings.Cut(text(claims, "nameid"), "@"); guidForm.MatchString(id) {
		p.NameID = text(claims, "nameid")
		if p.ApplicationID == "" {
			p.ApplicationID = strings.ToLower(id)
		}
	} else if id != "" {
		p.HasUser = true
	}
	for _, name := range []string{"smtp", "upn", "sip", "preferred_username", "unique_name", "email"} {
		if address := text(claims, name); address != "" {
			p.HasUser = true
			if _, domain, ok := strings.Cut(address, "@"); ok && p.UserDomain == "" {
				p.UserDomain = strings.ToLower(domain)
			}
		}
	}
	for _, name := range []string{"roles", "scp"} {
		switch v := claims[name].(type) {
		case string:
			p.Roles = append(p.Roles, strings.Fields(clean(v))...)
		case []any:
			for _, e := range v {
				if s, ok := e.(string); ok && len(p.Roles) < 100 {
					p.Roles = append(p.Roles, clean(s))
				}
			}
		}
	}
	for name := range claims {
		if len(p.Claims) < 200 {
			p.Claims = append(p.Claims, clean(name))
		}
	}
	slices.Sort(p.Claims)
	return p
}

func (t Token) kind() TokenKind {
	o := t.Outer
	switch {
	case t.Actor != nil, slices.Contains(o.Claims, "actortoken"):
		return ServiceToService
	case strings.Contains(strings.ToLower(o.Audience), "accounts.accesscontrol."), strings.HasSuffix(strings.ToLower(o.Audience), "/oauth2/token"), strings.HasSuffix(strings.ToLower(o.Audience), "/oauth2/v2.0/token"):
		return Assertion
	case o.ApplicationID != "" && !o.HasUser && o.Signed != crossprem.No:
		return AppOnly
	}
	return TokenUnknown
}

// acting is the part that speaks for the application: the actor's, where there
// is one.
func (t Token) acting() TokenPart {
	if t.Actor != nil {
		return *t.Actor
	}
	return t.Outer
}

// tokenRules are the rules about tokens, made of the message texts of
// Exchange's OAuth errors; the last is the reason that a server would give.
var tokenRules = map[string]struct {
	failed, passed, remedy string
	severity               crossprem.Severity
}{
	"TOKEN-REALM": {"The token's audience is of another tenant than its issuer", "The token's audience is of the tenant of its issuer",
		"Compare the tenant id of the auth servers (Get-AuthServer | Format-List Name,Realm) with that of the tenant", crossprem.Critical},
	"TOKEN-TIME": {"The token is outside its time of validity", "The token is within its time of validity",
		"If it was captured just now, set the clocks of both sides; test again with -ReloadConfig", crossprem.Warning},
	"TOKEN-SIGNED": {"The token is signed where it must not be, or not where it must", "The token is signed where it must be, and nowhere else",
		"Capture the token again and look for a device that rewrites it", crossprem.Critical},
	"TOKEN-AUDIENCE": {"The token is made for a host that is not published", "The token is made for a known host",
		"Let ExternalUrl, DNS name and service principal name be alike; bridge TLS instead of ending it", crossprem.Critical},
	"TOKEN-ISSUER": {"The token has no issuer that a server would accept", "The token has an issuer of a known form",
		"Compare the issuer with Get-AuthServer | Format-List Name,IssuerIdentifier,Realm", crossprem.Critical},
	"TOKEN-APPLICATION": {"The token speaks for another application than the dedicated one", "The token speaks for the dedicated hybrid application",
		"Set ApplicationIdentifier of the Entra ID auth server and the override; wait up to 60 minutes", crossprem.Critical},
	"TOKEN-ACTOR": {"The token's issuer is not the application that acts", "The token's issuer is the application that acts",
		"Look for a dedicated application id mixed with the shared one: Get-AuthServer, Get-AuthConfig", crossprem.Critical},
	"TOKEN-CERTIFICATE": {"The assertion is signed with a certificate that is not the current one", "The assertion names the current certificate",
		"Publish the current certificate (Set-AuthConfig -PublishCertificate) and restart MSExchangeServiceHost on the server", crossprem.Critical},
	"TOKEN-ROLE": {"The application's token carries no role", "The application's token carries a role",
		"Grant admin consent to the application", crossprem.Critical},
}

func declareOwn() bool {
	for id, r := range tokenRules {
		rules.Declare(crossprem.Rule{ID: id, Severity: r.severity, Title: r.failed, PassedTitle: r.passed, Remedy: r.remedy,
			Sources: []string{"[MS-SPS2SAUTH], OAuth 2.0 server-to-server tokens", "Exchange Server, message texts of the OAuth error enumerations", "RFC 7519 section 4.1"}})
	}
	return true
}

// CheckToken judges what a token claims for the day at, against the context
// and the objects of a configuration, which may be zero. No finding says that
// a token is genuine: signatures are not looked at.
func CheckToken(t Token, c Configuration, at time.Time) []crossprem.Finding {
	j := newJudge(&c, 0, at)
	var findings []crossprem.Finding
	const subject = "token"
	say := func(id string, a crossprem.Answer, why, detail, predicts string, values ...crossprem.Value) {
		r, _ := rules.Rule(id)
		switch a {
		case crossprem.No:
			f := r.Failed(subject).Explain(detail, values...)
			if predicts != "" {
				f = f.Explain("A server refuses it with the reason {predicts} of the catalogue.", crossprem.Val("predicts", predicts))
			}
			findings = append(findings, f)
		case crossprem.Yes:
			findings = append(findings, r.Passed(subject).Explain(detail+" What the token says was not verified.", values...))
		default:
			findings = append(findings, r.Unknown(subject, why))
		}
	}
	acting := t.acting()

	realmOf := func(p TokenPart) crossprem.Answer {
		if p.IssuerRealm == "" || p.AudienceRealm == "" || guidForm.MatchString(p.IssuerRealm) != guidForm.MatchString(p.AudienceRealm) {
			return crossprem.AnswerUnknown // a domain may be one of the tenant with that id
		}
		return crossprem.AnswerOf(strings.EqualFold(p.IssuerRealm, p.AudienceRealm))
	}
	realms := realmOf(t.Outer)
	if t.Actor != nil {
		realms = and(realms, realmOf(*t.Actor))
	}
	if realms == crossprem.AnswerUnknown && guidForm.MatchString(acting.IssuerRealm) && acting.AudienceRealm == "" && j.tenantID != "" {
		realms = crossprem.AnswerOf(strings.EqualFold(acting.IssuerRealm, j.tenantID))
	}
	say("TOKEN-REALM", realms, "The token does not name the realm of both audience and issuer, or one as a domain and the other as an id, which says nothing.",
		"Audience: {audience}. Issuer: {issuer}.", "R-2011", crossprem.Val("audience", acting.Audience), crossprem.Val("issuer", acting.Issuer))

	inTime, late := crossprem.AnswerUnknown, "R-3001"
	for _, p := range t.parts() {
		switch {
		case !p.Expires.IsZero() && !at.Before(p.Expires):
			inTime = crossprem.No
		case !p.NotBefore.IsZero() && at.Before(p.NotBefore.Add(-5*time.Minute)): // the difference that servers allow
			inTime, late = crossprem.No, ""
		case inTime == crossprem.AnswerUnknown && !p.Expires.IsZero():
			inTime = crossprem.Yes
		}
	}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return "a time that it does not name"
		}
		return t.Format(time.RFC3339)
	}
	say("TOKEN-TIME", inTime, "The token has no end.", "It is valid from {from} to {to}.", late, crossprem.Val("from", moment(acting.NotBefore)), crossprem.Val("to", moment(acting.Expires)))

	signed, reason := acting.Signed, ""
	switch {
	case t.Actor != nil && t.Outer.Signed == crossprem.Yes:
		signed, reason = crossprem.No, "R-2001"
	case t.Actor != nil && t.Actor.Signed == crossprem.No:
		signed, reason = crossprem.No, "R-2002"
	case t.Kind == ServiceToService && t.Actor == nil:
		signed = crossprem.AnswerUnknown
	}
	say("TOKEN-SIGNED", signed, "The capture does not show whether the token is signed.", "Algorithm: {algorithm}.", reason, crossprem.Val("algorithm", firstText(acting.Algorithm, "none")))

	host := exchange.HostOf(acting.AudienceHost)
	audience, reason := crossprem.AnswerUnknown, "R-4002"
	switch {
	case acting.Audience == "":
	case t.Kind == Assertion, acting.AudienceHost != "" && exchange.IsMicrosoft(host):
		audience = crossprem.Yes
	case len(j.hosts) > 0 && acting.AudienceHost != "":
		audience = crossprem.AnswerOf(slices.Contains(j.hosts, host))
	case !strings.Contains(acting.Audience, "@") && !strings.Contains(acting.Audience, "://") && strings.Contains(acting.Audience, "/"):
		audience, reason = crossprem.No, "R-4001"
	}
	say("TOKEN-AUDIENCE", audience, "The published hosts are not told, or the token names none.", "The audience is {audience}.", reason, crossprem.Val("audience", acting.Audience))

	issuer, reason := crossprem.AnswerUnknown, "R-2003"
	switch lower := strings.ToLower(acting.Issuer); {
	case acting.Issuer == "":
		issuer = crossprem.No
	case strings.HasPrefix(lower, acsIssuer+"@"), strings.HasPrefix(lower, acsIssuerChina+"@"), strings.HasPrefix(lower, sharedApp+"@"), guidWithin.MatchString(lower):
		issuer = crossprem.Yes
	default:
		issuer, reason = crossprem.No, "R-2006"
	}
	say("TOKEN-ISSUER", issuer, "The issuer is not told.", "The issuer is {issuer}.", reason, crossprem.Val("issuer", firstText(acting.Issuer, "missing")))

	application := crossprem.AnswerUnknown
	if acting.ApplicationID != "" && j.appID != "" && (t.Kind == AppOnly || t.Kind == Assertion) {
		application = crossprem.AnswerOf(strings.EqualFold(acting.ApplicationID, j.appID))
	}
	why := "The id of the dedicated hybrid application is not told."
	if acting.ApplicationID == sharedApp {
		why = "The token speaks for the shared Exchange Online application; whether a dedicated one is meant is not told."
	}
	say("TOKEN-APPLICATION", application, why, "The token speaks for {application}.", "R-7002", crossprem.Val("application", acting.ApplicationID))

	if t.Actor != nil {
		actor := crossprem.AnswerUnknown
		if t.Outer.Issuer != "" && t.Actor.NameID != "" {
			actor = crossprem.AnswerOf(strings.EqualFold(t.Outer.Issuer, t.Actor.NameID))
		}
		say("TOKEN-ACTOR", actor, "The token does not name both.", "The outer issuer is {issuer}, the acting application is {actor}.", "R-2015", crossprem.Val("issuer", t.Outer.Issuer), crossprem.Val("actor", t.Actor.NameID))
	}
	if t.Kind == Assertion {
		certificate := crossprem.AnswerUnknown
		if acting.Thumbprint != "" && j.current.text != "" {
			certificate = crossprem.AnswerOf(acting.Thumbprint == j.current.text)
		}
		say("TOKEN-CERTIFICATE", certificate, "The token names no certificate, or the current one was not captured.", "x5t names {thumbprint}, which is the {role} certificate.", "",
			crossprem.Val("thumbprint", acting.Thumbprint), crossprem.Val("role", j.roleOf(string(acting.Thumbprint))))
	}
	if t.Kind == AppOnly {
		say("TOKEN-ROLE", crossprem.AnswerOf(len(acting.Roles) > 0), "", "Roles: {roles}.", "R-9004", crossprem.Val("roles", firstText(strings.Join(acting.Roles, ", "), "none")))
	}
	slices.SortStableFunc(findings, crossprem.WorstFirst)
	return findings
}

func (t Token) parts() []TokenPart {
	if t.Actor != nil {
		return []TokenPart{t.Outer, *t.Actor}
	}
	return []TokenPart{t.Outer}
}

// Predicts returns the ids of the reasons with which a server refuses a token
// of which the findings are those of [CheckToken], sorted. That it has expired
// is among them only where nothing else is wrong.
func Predicts(findings []crossprem.Finding) []string {
	var ids []string
	for _, f := range findings {
		for _, v := range f.Values {
			if v.Name == "predicts" && !slices.Contains(ids, v.Text) {
				ids = append(ids, v.Text)
			}
		}
	}
	if len(ids) > 1 { // a captured token is old by the time it is looked at
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == "R-3001" })
	}
	slices.Sort(ids)
	return ids
}
