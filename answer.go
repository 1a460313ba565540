package crossprem

// An Answer is what is known of a question with yes or no for an answer. In
// text and JSON it is one of "unknown", "no" and "yes".
type Answer uint8

const (
	AnswerUnknown Answer = iota // not asked, or not told
	No
	Yes
)

var answers = enum[Answer]{kind: "answer", names: []string{"unknown", "no", "yes"}}

// AnswerOf returns Yes for true and No for false.
func AnswerOf(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// String returns "unknown", "no" or "yes", and "Answer(9)" for a value that is
// none of the constants.
func (a Answer) String() string { return answers.text(a) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (a Answer) MarshalText() ([]byte, error) { return answers.marshal(a) }

// UnmarshalText accepts what MarshalText gives, and returns an error and
// leaves a as it was for anything else.
func (a *Answer) UnmarshalText(text []byte) error { return answers.unmarshal(a, text) }
