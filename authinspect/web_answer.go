package authinspect

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
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

var stepTexts = enum.Of[Step]("authinspect: step", "unknown", "anonymous", "empty-bearer", "mailbox", "ntlm")

// String returns "unknown", "anonymous", "empty-bearer", "mailbox" or "ntlm".
func (s Step) String() string { return stepTexts.String(s) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (s Step) MarshalText() ([]byte, error) { return stepTexts.Marshal(s) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves s as it was for anything else.
func (s *Step) UnmarshalText(text []byte) error { return stepTexts.Unmarshal(s, text) }

// An Answer is what a server sent to one request. It is a plain value; tests
// may write it as a literal.
type Answer struct {
	Step   Step
	Status int         // 0 if there was no answer; Err then says why
	Header http.Header // as received; read-only
	Err    error       // why there is no answer
	At     time.Time   // when the answer arrived; zero if not known

	// lines are those of a capture on which each WWW-Authenticate field begins;
	// nil where the answer was not read from one.
	lines []int

	// Partial reports that the server sent more than Header holds, as in a
	// capture that was cut, or that shows the status alone: what is missing is
	// unknown.
	Partial bool
}

// An answerObject is an Answer in JSON.
type answerObject struct {
	Step       Step      `json:"step"`
	Status     int       `json:"status,omitempty"`
	Location   string    `json:"location,omitempty"`
	Challenges []string  `json:"challenges,omitempty"` // the fields WWW-Authenticate
	Fields     bool      `json:"fields,omitempty"`     // there were header fields
	Partial    bool      `json:"partial,omitempty"`
	Error      string    `json:"error,omitempty"`
	At         time.Time `json:"at,omitzero"`
}

// ntlmMessage is token68 behind the name of a Windows scheme: it may hold the
// challenge that a client would sign.
var ntlmMessage = regexp.MustCompile(`(?i)\b(NTLM|Negotiate|Kerberos)([ \t]+)[A-Za-z0-9+/_.~-]{16,}=*`)

// MarshalJSON returns the step, the status, the address of a redirect without
// its query, the challenges without NTLM messages, the error and the time.
// Other fields, cookies among them, stay out.
func (a Answer) MarshalJSON() ([]byte, error) {
	object := answerObject{Step: a.Step, Status: a.Status, Location: a.location(), Fields: a.Header != nil, Partial: a.Partial, Error: errorText(a.Err), At: a.At}
	for _, field := range fieldValues(a.Header, "WWW-Authenticate") {
		object.Challenges = append(object.Challenges, ntlmMessage.ReplaceAllString(strings.ToValidUTF8(field, "\uFFFD"), "$1${2}removed"))
	}
	return json.Marshal(object)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Answer) UnmarshalJSON(b []byte) error {
	var object answerObject
	if err := json.Unmarshal(b, &object); err != nil {
		return err
	}
	read := Answer{Step: object.Step, Status: object.Status, Err: errorOf(object.Error), At: object.At, Partial: object.Partial}
	if object.Fields || object.Location != "" || object.Challenges != nil {
		read.Header = http.Header{}
	}
	if object.Challenges != nil {
		read.Header["Www-Authenticate"] = object.Challenges
	}
	if object.Location != "" {
		read.Header.Set("Location", object.Location)
	}
	*a = read
	return nil
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
