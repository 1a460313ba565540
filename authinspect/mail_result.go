package authinspect

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A MailResult is what one mail server showed on one port. It is a plain
// value; tests may write it as a literal.
//
// It holds what the server names, and nothing of what it would let through:
// Exchange Online names AUTH LOGIN on port 587 whatever the tenant and the
// mailbox say. [AssessMail] adds what is known of a recognised service on a
// day; beyond that only a refusal ([ExplainResponse]), a policy or a log
// proves what is allowed.
type MailResult struct {
	Target   string    // host:port, as given
	Protocol Protocol  // IMAP, POP3 or SMTP, or the one with TLS from the first byte
	At       time.Time // when the inspection began
	Greeting string    // the first line, fit to be shown
	Server   Server    // as told by greeting, capabilities and IMAP's ID

	// Clear is what the server says before TLS, and Secure what it says over
	// TLS. Clear is nil where TLS comes first, Secure where TLS was not
	// reached; Warnings then say why.
	Clear, Secure *MailState

	// StartTLS is Unknown where it was not looked for, Refused if the server
	// does not offer or declined it, Advertised if TLS could not be set up
	// although it was offered, and Observed if it was.
	StartTLS Strength

	TLS *TLS // nil without TLS

	// Password tells about passwords at the safest point that was reached:
	// Advertised if the server names a way to send one, Refused if its list of
	// capabilities has none, as with LOGINDISABLED over TLS.
	Password       Strength
	PasswordReason string

	// Modern is ModernOn if the server names XOAUTH2 or OAUTHBEARER at the
	// safest point that was reached, and ModernOff if its list has neither.
	Modern       Modern
	ModernReason string

	Refusals []Explanation // of answers that are refusals, such as a greeting with 421
	Warnings []string      // what was malformed, skipped or could not be done
}

// Schemes returns the mechanisms at the safest point that was reached, in the
// order given.
func (r *MailResult) Schemes() []string {
	if s := r.safest(); s != nil {
		return slices.Clone(s.Mechanisms)
	}
	return nil
}

// A mailObject is a MailResult in JSON.
type mailObject struct {
	Target         string        `json:"target"`
	Protocol       Protocol      `json:"protocol"`
	At             time.Time     `json:"at,omitzero"`
	Schemes        []string      `json:"schemes"`
	Modern         Modern        `json:"modern"`
	ModernReason   string        `json:"modernReason,omitempty"`
	Password       Strength      `json:"password"`
	PasswordReason string        `json:"passwordReason,omitempty"`
	Issuer         *Issuer       `json:"issuer"`
	Diagnostics    []Explanation `json:"diagnostics"`
	Warnings       []string      `json:"warnings"`
	Greeting       string        `json:"greeting,omitempty"`
	Server         Server        `json:"server,omitzero"`
	StartTLS       Strength      `json:"starttls"`
	Clear          *MailState    `json:"clear,omitempty"`
	Secure         *MailState    `json:"secure,omitempty"`
	TLS            *TLS          `json:"tls,omitempty"`
}

// MarshalJSON returns an object with the keys that [Result] has as well:
// "schemes" are the mechanisms at the safest point that was reached, "issuer"
// is null, for a mail server names none, and "diagnostics" are the refusals.
func (r MailResult) MarshalJSON() ([]byte, error) {
	return json.Marshal(mailObject{r.Target, r.Protocol, r.At, notNil(r.Schemes()), r.Modern, r.ModernReason, r.Password, r.PasswordReason, nil,
		notNil(r.Refusals), notNil(r.Warnings), r.Greeting, r.Server, r.StartTLS, r.Clear, r.Secure, r.TLS})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *MailResult) UnmarshalJSON(b []byte) error {
	var o mailObject
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*r = MailResult{Target: o.Target, Protocol: o.Protocol, At: o.At, Greeting: o.Greeting, Server: o.Server, Clear: o.Clear, Secure: o.Secure, StartTLS: o.StartTLS,
		TLS: o.TLS, Password: o.Password, PasswordReason: o.PasswordReason, Modern: o.Modern, ModernReason: o.ModernReason, Refusals: orNil(o.Diagnostics), Warnings: orNil(o.Warnings)}
	return nil
}

// safest returns the state over TLS, the one before it if the server offers
// no TLS, or nil. Where TLS is offered and declined, or hidden on the way, the
// state before it is no picture of the one behind.
func (r *MailResult) safest() *MailState {
	switch {
	case r.Secure != nil:
		return r.Secure
	case r.Clear != nil && r.StartTLS == Refused && !r.Clear.StartTLS && !slices.ContainsFunc(r.Clear.Capabilities, mangled):
		return r.Clear
	}
	return nil
}

// conclude says what the states prove together.
func (r *MailResult) conclude() {
	r.Server = recogniseMail(r.Protocol.plain(), r.Greeting, r.Clear, r.Secure)
	s := r.safest()
	if s == nil || !s.Known {
		reason := "no list of capabilities could be read"
		switch {
		case isPreauth(r.Greeting):
			reason = "the server takes the connection for signed in, and does not say how one signs in"
		case r.TLS == nil && r.Clear != nil && r.Clear.Known:
			reason = "TLS could not be set up, and before it a server need not name everything"
		}
		r.ModernReason, r.PasswordReason = reason, reason
		return
	}
	where := "over TLS"
	if s == r.Clear {
		where = "without TLS, which is not offered"
	}
	if tokens := s.Tokens(); len(tokens) > 0 {
		r.Modern, r.ModernReason = ModernOn, "the server names "+strings.Join(tokens, " and ")+" "+where
	} else {
		r.Modern, r.ModernReason = ModernOff, "the server names neither XOAUTH2 nor OAUTHBEARER "+where
	}
	if passwords := s.Passwords(); len(passwords) > 0 {
		r.Password, r.PasswordReason = Advertised, "the server names "+strings.Join(passwords, " and ")+" "+where
	} else {
		r.Password, r.PasswordReason = Refused, "the server names no way to send a password "+where
		if s.Login == Refused {
			r.PasswordReason = "the server says LOGINDISABLED " + where + ", and names no mechanism that takes a password"
		}
	}
}
