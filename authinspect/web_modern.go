package authinspect

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

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
