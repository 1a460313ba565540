package authinspect

import (
	"encoding/json"
	"net/http"
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
