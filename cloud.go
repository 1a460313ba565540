package crossprem

// A Cloud is one of the separate clouds of Microsoft in which tenants live. In
// text and JSON it is one of "unknown", "worldwide", "gcc-high", "dod",
// "china-21vianet", "bleu-france" and "delos-germany"; the short names
// "global", "gcchigh", "china", "bleu" and "delos" are read too.
//
// Where a setting has the zero value, its documentation says what that means;
// for settings that address a service it means Worldwide.
type Cloud uint8

const (
	CloudUnknown  Cloud = iota
	Worldwide           // GCC included
	GCCHigh             // US Government L4
	DoD                 // US Government L5
	China21Vianet       // operated by 21Vianet
	BleuFrance
	DelosGermany
)

var clouds = enum[Cloud]{
	kind:  "cloud",
	names: []string{"unknown", "worldwide", "gcc-high", "dod", "china-21vianet", "bleu-france", "delos-germany"},
	also:  map[string]Cloud{"global": Worldwide, "gcchigh": GCCHigh, "china": China21Vianet, "bleu": BleuFrance, "delos": DelosGermany},
}

// Clouds returns the clouds that are known, in the order of the constants. The
// slice is the caller's.
func Clouds() []Cloud {
	return []Cloud{Worldwide, GCCHigh, DoD, China21Vianet, BleuFrance, DelosGermany}
}

// String returns a name such as "gcc-high", and "Cloud(9)" for a value that is
// none of the constants.
func (c Cloud) String() string { return clouds.text(c) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (c Cloud) MarshalText() ([]byte, error) { return clouds.marshal(c) }

// UnmarshalText accepts what MarshalText gives and the short names, and
// returns an error and leaves c as it was for anything else.
func (c *Cloud) UnmarshalText(text []byte) error { return clouds.unmarshal(c, text) }
