package schannel

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/crossprem/crossprem/internal/enum"
	"github.com/crossprem/crossprem/tlsprobe"
)

// A Kind is whether a Windows is a server or a client system. In text and JSON
// it is "unknown", "client" or "server".
type Kind uint8

const (
	KindUnknown Kind = iota
	ClientSystem
	ServerSystem
)

var kindTexts = enum.Of[Kind]("schannel: kind of system", "unknown", "client", "server")

func (k Kind) String() string                   { return kindTexts.String(k) }
func (k Kind) MarshalText() ([]byte, error)     { return kindTexts.Marshal(k) }
func (k *Kind) UnmarshalText(text []byte) error { return kindTexts.Unmarshal(k, text) }

// A State is what Schannel does with one version in one role. In text and JSON
// it is the lower-case name of the constant, such as "disabled-by-default".
type State uint8

const (
	StateUnknown      State = iota
	NotSupported            // this Windows does not have the version, whatever the keys say
	Disabled                // never negotiated, whatever a program asks for
	DisabledByDefault       // negotiated only if a program names the version
	Enabled                 // part of the set that programs get which name none
)

var stateTexts = enum.Of[State]("schannel: state", "unknown", "not-supported", "disabled", "disabled-by-default", "enabled")

func (s State) String() string                   { return stateTexts.String(s) }
func (s State) MarshalText() ([]byte, error)     { return stateTexts.Marshal(s) }
func (s *State) UnmarshalText(text []byte) error { return stateTexts.Unmarshal(s, text) }

// A Confidence is how sure something is. Larger is surer. In text and JSON it
// is the lower-case name of the constant.
type Confidence uint8

const (
	ConfidenceUnknown Confidence = iota
	Low                          // a guess, or a key that was not looked at
	Medium                       // one report from the field, or documents that contradict each other
	High                         // documented, and read
	Observed                     // the running process showed it
)

var confidenceTexts = enum.Of[Confidence]("schannel: confidence", "unknown", "low", "medium", "high", "observed")

func (c Confidence) String() string                   { return confidenceTexts.String(c) }
func (c Confidence) MarshalText() ([]byte, error)     { return confidenceTexts.Marshal(c) }
func (c *Confidence) UnmarshalText(text []byte) error { return confidenceTexts.Unmarshal(c, text) }

// AsOf is the day on which the tables of this package were last compared with
// their sources. A Windows released after it is judged like the newest in the
// table, with low confidence.
const AsOf = "2026-11-25"

//go:embed data/systems.json
var systemsJSON []byte

// A system is a row of the table: what one release of Windows does when no key
// says otherwise.
type system struct {
	Name       string                     `json:"name"`
	Kind       string                     `json:"kind"` // "client", "server" or "both"
	From       uint32                     `json:"from"` // builds that are judged by this row
	To         uint32                     `json:"to"`   // 0: no end
	Builds     []uint32                   `json:"builds"`
	Client     map[tlsprobe.Version]State `json:"client"`
	Server     map[tlsprobe.Version]State `json:"server"`
	WinHTTP    []tlsprobe.Version         `json:"winhttp"`
	DotNet     Framework                  `json:"dotnet"` // in the box
	Confidence Confidence                 `json:"confidence"`
	Curves     Groups                     `json:"curves"`
	Suites     Suites                     `json:"suites"` // in the default order; nil if not known
	More       Suites                     `json:"more"`   // known to it, but not in the default order
}

type tables struct {
	suiteIDs map[string]tlsprobe.Suite
	suites   map[tlsprobe.Suite]string
}

// suiteTables has to be read before the systems, which name suites.
var suiteTables = sync.OnceValue(func() *tables {
	var in struct {
		Suites map[string]string `json:"suites"`
	}
	if err := json.Unmarshal(systemsJSON, &in); err != nil {
		panic("schannel: the embedded table: " + err.Error())
	}
	t := &tables{suiteIDs: make(map[string]tlsprobe.Suite), suites: make(map[tlsprobe.Suite]string)}
	for name, text := range in.Suites {
		id, err := strconv.ParseUint(text, 0, 16)
		if err != nil {
			panic("schannel: the embedded table: " + err.Error())
		}
		t.suiteIDs[name] = tlsprobe.Suite(id)
		t.suites[tlsprobe.Suite(id)] = name
	}
	return t
})

var systemTable = sync.OnceValue(func() []system {
	var in struct {
		Systems []system `json:"systems"`
	}
	if err := json.Unmarshal(systemsJSON, &in); err != nil {
		panic("schannel: the embedded table: " + err.Error())
	}
	return in.Systems
})

// Systems returns the names of the releases of Windows that the table holds,
// the oldest first. The slice is the caller's.
func Systems() []string {
	var names []string
	for _, s := range systemTable() {
		names = append(names, s.Name)
	}
	return names
}

// systemOf returns the row for a build, and how sure it is that the row is
// right. It returns nil for a build that is zero or older than all rows.
func systemOf(build uint32, kind Kind) (*system, Confidence) {
	var found []*system
	for i := range systemTable() {
		s := &systemTable()[i]
		if build >= s.From && (s.To == 0 || build <= s.To) {
			found = append(found, s)
		}
	}
	fits := func(s *system) bool { return s.Kind == "both" || s.Kind == kind.String() }
	exact := func(s *system) bool { return slices.Contains(s.Builds, build) || s.To == 0 && s.Kind == "client" }
	// The row of the right kind first; then, if the kind is not known, the one
	// that names the build.
	slices.SortStableFunc(found, func(a, b *system) int { return rank(b, fits, exact) - rank(a, fits, exact) })
	if len(found) == 0 {
		return nil, ConfidenceUnknown
	}
	s := found[0]
	switch c := s.Confidence; {
	case fits(s) && exact(s):
		return s, c
	case kind == KindUnknown && exact(s):
		return s, min(c, Medium)
	case fits(s):
		return s, min(c, Medium)
	}
	return s, Low
}

func rank(s *system, tests ...func(*system) bool) (points int) {
	for _, test := range tests {
		points *= 2
		if test(s) {
			points++
		}
	}
	return points
}

// suiteOf returns the suite of a name as Windows writes it, with the curve that
// releases up to Windows 8.1 append to it, "" if none.
func suiteOf(name string) (id tlsprobe.Suite, curve string, ok bool) {
	t := suiteTables()
	if id, ok := t.suiteIDs[name]; ok {
		return id, "", true
	}
	for _, c := range []string{"P256", "P384", "P521"} {
		if n := len(name) - len(c) - 1; n > 0 && name[n:] == "_"+c {
			id, ok := t.suiteIDs[name[:n]]
			return id, c, ok
		}
	}
	return 0, "", false
}

// suiteName returns the name of a suite.
func suiteName(s tlsprobe.Suite) string {
	if name, ok := suiteTables().suites[s]; ok {
		return name
	}
	return s.String()
}

// Suites are cipher suites, by priority. In JSON they are names such as
// "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384".
type Suites []tlsprobe.Suite

// MarshalJSON writes the names.
func (s Suites) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	names := make([]string, len(s))
	for i, id := range s {
		names[i] = suiteName(id)
	}
	return json.Marshal(names)
}

// UnmarshalJSON reads names of suites that Windows has, and numbers as
// "suite 0x1234".
func (s *Suites) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	if names == nil {
		*s = nil
		return nil
	}
	list := make(Suites, len(names))
	for i, name := range names {
		id, _, ok := suiteOf(name)
		if !ok {
			n, err := strconv.ParseUint(trimPrefix(name, "suite "), 0, 16)
			if err != nil {
				return fmt.Errorf("schannel: no such suite: %.60q", name)
			}
			id = tlsprobe.Suite(n)
		}
		list[i] = id
	}
	*s = list
	return nil
}

// Groups are groups for the key exchange, by priority. In JSON they are names
// such as "x25519" and "secp256r1".
type Groups []tlsprobe.Group

// The curves that Windows has.
const (
	groupP256   tlsprobe.Group = 0x0017
	groupP384   tlsprobe.Group = 0x0018
	groupP521   tlsprobe.Group = 0x0019
	groupX25519 tlsprobe.Group = 0x001D
)

// MarshalJSON writes the names.
func (g Groups) MarshalJSON() ([]byte, error) {
	if g == nil {
		return []byte("null"), nil
	}
	names := make([]string, len(g))
	for i, id := range g {
		names[i] = id.String()
	}
	return json.Marshal(names)
}

// UnmarshalJSON reads names of curves that Windows has, and numbers as
// "group 0x1234".
func (g *Groups) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	if names == nil {
		*g = nil
		return nil
	}
	list := make(Groups, len(names))
	for i, name := range names {
		id, ok := groupOf(name)
		if !ok {
			n, err := strconv.ParseUint(trimPrefix(name, "group "), 0, 16)
			if err != nil {
				return fmt.Errorf("schannel: no such group: %.60q", name)
			}
			id = tlsprobe.Group(n)
		}
		list[i] = id
	}
	*g = list
	return nil
}

func groupOf(name string) (tlsprobe.Group, bool) {
	for _, g := range []tlsprobe.Group{groupP256, groupP384, groupP521, groupX25519} {
		if name == g.String() {
			return g, true
		}
	}
	return 0, false
}

func trimPrefix(s, prefix string) string {
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return "x" // no number
}
