package clients

import (
	"regexp"
	"strings"

	"github.com/crossprem/crossprem/internal/enum"
)

// A Confidence is how sure an answer is. In text and JSON it is one of
// "unknown", "low", "medium" and "high".
type Confidence uint8

const (
	ConfidenceUnknown Confidence = iota
	Low
	Medium
	High
)

var confidenceTexts = enum.Of[Confidence]("clients: confidence", "unknown", "low", "medium", "high")

// String returns a text such as "medium".
func (c Confidence) String() string { return confidenceTexts.String(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Confidence) MarshalText() ([]byte, error) { return confidenceTexts.Marshal(c) }

// UnmarshalText accepts what MarshalText gives.
func (c *Confidence) UnmarshalText(text []byte) error { return confidenceTexts.Unmarshal(c, text) }

// A Window is what a description of a sign-in window tells.
type Window struct {
	Method     Method     // MethodModern, MethodBasic or MethodUnknown
	Confidence Confidence // how sure
	Why        string     // a sentence
}

// The signs are looked for in order; the first that fits decides. Source: How
// modern authentication works for Office client apps (learn.microsoft.com).
var windowSigns = []struct {
	re     *regexp.Regexp
	window Window
}{
	{regexp.MustCompile(`(?i)login\.microsoftonline|login\.microsoft\.com|/adfs/ls|accounts\.accesscontrol`),
		Window{MethodModern, High, "A page of the sign-in service is shown: tokens are used."}},
	{regexp.MustCompile(`(?i)\b(not|no|without|isn't|never)\b[^.;]{0,30}\b(web ?page|html|browser)\b`),
		Window{MethodBasic, Medium, "No web page is shown: a password or Windows authentication is used."}},
	{regexp.MustCompile(`(?i)\bmfa\b|multi-?factor|two-?factor|authenticator|one-?time (code|password)|verification code|number match`),
		Window{MethodModern, High, "A second factor is asked for, which only tokens have."}},
	{regexp.MustCompile(`(?i)microsoft sync technology|empty password field|pick an account|stay signed in|keep me signed in|company (logo|branding)|background picture|branded`),
		Window{MethodModern, High, "What is described is a page of the sign-in service."}},
	{regexp.MustCompile(`(?i)\b(html|web ?page|web form|web view|web-?based|browser|sign-in page|login page|embedded page)\b`),
		Window{MethodModern, Medium, "A web page asks for the password: tokens are used."}},
	{regexp.MustCompile(`(?i)windows security|windows credential|credential (box|prompt|manager|dialog)|\bgr[ea]y (box|window|dialog)|remember my credentials|\bpop-?up box\b|native (box|dialog|window)|connecting to \S+@`),
		Window{MethodBasic, Medium, "A window of Windows itself asks: a password or Windows authentication is used, which of them the window does not show."}},
}

// SignInWindow says what a window that asks for the password means, from a
// description in English words such as "a grey box of Windows Security" or "a
// web page with our logo". A box of Windows may stand for NTLM and Kerberos
// too, so MethodBasic is never surer than Medium. Words that say nothing, or
// signs of both kinds, give MethodUnknown.
func SignInWindow(description string) Window {
	if len(description) > 1<<16 {
		description = description[:1<<16]
	}
	description = strings.Join(strings.Fields(description), " ")
	found := Window{Why: "The words describe no sign-in window that is known."}
	for _, sign := range windowSigns {
		if !sign.re.MatchString(description) {
			continue
		}
		switch {
		case found.Method == MethodUnknown:
			found = sign.window
		case found.Method != sign.window.Method && found.Confidence == Medium && sign.window.Confidence == Medium && !strings.HasPrefix(found.Why, "No web page"):
			return Window{Why: "The words describe signs of both kinds of window."}
		}
	}
	return found
}
