package authinspect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Offer is one scheme at one URL, and how it is known.
type Offer struct {
	Scheme   Scheme   `json:"scheme"`
	Strength Strength `json:"strength"`
	Step     Step     `json:"step"`     // the first answer in which it was seen
	Evidence string   `json:"evidence"` // what the server sent, shortened
}

// A Result is what one URL showed during one inspection. It is a plain value;
// tests may write it as a literal.
type Result struct {
	Target       string         // the URL, as given
	Also         string         // the URL with its host in ASCII or out of it, where a name has two forms
	At           time.Time      // when the inspection began
	Schemes      []Scheme       // in the order given, each once
	Offers       []Offer        // one for each of Schemes, in the same order
	Modern       Modern         // never off because of an anonymous answer
	ModernReason string         // why Modern is what it is
	Issuer       *Issuer        // nil if no Bearer challenge told anything of one
	Diagnostics  []Diagnostic   // in the order received
	NTLM         *NTLMChallenge // nil if the server sent none
	Server       Server
	ActiveSync   []string // the versions that MS-ASProtocolVersions names
	TLS          *TLS     // nil without TLS
	Answers      []Answer // one for each step that was taken
	Warnings     []string // what was malformed, skipped or contradictory
}

// A resultObject is a Result in JSON.
type resultObject struct {
	Target       string         `json:"target"`
	Also         string         `json:"also,omitempty"`
	At           time.Time      `json:"at,omitzero"`
	Schemes      []Scheme       `json:"schemes"`
	Modern       Modern         `json:"modern"`
	ModernReason string         `json:"modernReason,omitempty"`
	Issuer       *Issuer        `json:"issuer"`
	Diagnostics  []Diagnostic   `json:"diagnostics"`
	Warnings     []string       `json:"warnings"`
	Offers       []Offer        `json:"offers,omitempty"`
	Server       Server         `json:"server,omitzero"`
	ActiveSync   []string       `json:"activeSync,omitempty"`
	NTLM         *NTLMChallenge `json:"ntlm,omitempty"`
	TLS          *TLS           `json:"tls,omitempty"`
	Answers      []Answer       `json:"answers,omitempty"`
}

// MarshalJSON returns an object in which "schemes", "diagnostics" and
// "warnings" are arrays even when empty, "modern" is one of "on", "off" and
// "unknown", and "issuer" is null if there is none.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(resultObject{r.Target, r.Also, r.At, notNil(r.Schemes), r.Modern, r.ModernReason, r.Issuer, notNil(r.Diagnostics), notNil(r.Warnings),
		r.Offers, r.Server, r.ActiveSync, r.NTLM, r.TLS, r.Answers})
}

// UnmarshalJSON reads what MarshalJSON writes. What comes back is judged as
// the original was; it lacks what is not written, such as header fields that
// no verdict needs.
func (r *Result) UnmarshalJSON(b []byte) error {
	var o resultObject
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*r = Result{o.Target, o.Also, o.At, orNil(o.Schemes), o.Offers, o.Modern, o.ModernReason, o.Issuer, orNil(o.Diagnostics), o.NTLM, o.Server, o.ActiveSync, o.TLS, o.Answers, orNil(o.Warnings)}
	return nil
}

// orNil returns nil for an empty list, as it was before notNil.
func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
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
	for i, ch := range conclusion.bearers {
		conclusion.readIssuer(conclusion.steps[i], ch)
	}
	conclusion.judgeServer()
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
	signs   serverSigns
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
		if w.Field < len(a.lines) {
			c.warn(a.Step, "line %d: %v", a.lines[w.Field], w)
		} else {
			c.warn(a.Step, "%v", w)
		}
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
	if a.Status == http.StatusUnauthorized && len(challenges) == 0 && !a.Partial {
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
	for _, field := range fieldValues(a.Header, "Ms-Asprotocolversions") {
		for version := range strings.SplitSeq(field, ",") {
			if version = shorten(strings.TrimSpace(version)); version != "" && len(c.ActiveSync) < maxListed && !slices.Contains(c.ActiveSync, version) {
				c.ActiveSync = append(c.ActiveSync, version)
			}
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
