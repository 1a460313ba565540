package symptoms

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/crossprem/crossprem/internal/catalogue"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

//go:embed data/symptoms.json
var symptomsJSON []byte

// An entry is one row of the catalogue: a message, where it comes from, and
// the causes that it had in reports, measurements or by its documentation.
type entry struct {
	ID    string `json:"id"`
	Where string `json:"where"`

	// Phrases are looked for without regard to blanks, marks and case. " … "
	// stands for up to 300 letters and digits.
	Phrases  []string `json:"phrases"`
	Patterns []struct {
		Expr string   `json:"expr"` // of package regexp, for text in lower case
		Need []string `json:"need"` // one of these is part of every match
	} `json:"patterns"`
	Codes     []string `json:"codes"` // HRESULT
	Event     int      `json:"event"` // of Schannel
	Alert     *int     `json:"alert"`
	AlertName string   `json:"alertName"`

	// Tier says how much the message tells: 3 almost settles a cause, 2 says a
	// good deal, 1 leaves much open, 0 wraps the message that counts.
	Tier int `json:"tier"`

	// Over are entries that say the same with less; they are left out.
	Over []string `json:"over"`

	App    schannel.Stack `json:"app"`
	Causes []struct {
		Cause string  `json:"cause"`
		Share float64 `json:"share"`
	} `json:"causes"`
	Note    string   `json:"note"`
	Sources []string `json:"sources"`

	phrases [][]string // folded, in parts
	table   catalogue.Table[struct{}]
	needs   []string
}

type tables struct {
	entries []*entry
	byID    map[string]*entry
	codes   map[uint32]*entry
	alerts  map[int]*entry
	events  map[int]*entry
	phrases starts
}

var loaded = sync.OnceValue(func() *tables {
	var raw struct {
		Symptoms []*entry `json:"symptoms"`
	}
	must := func(err error, id string) {
		if err != nil {
			panic(fmt.Sprintf("symptoms: data/symptoms.json: %s: %v", id, err)) // it was tested
		}
	}
	must(json.Unmarshal(symptomsJSON, &raw), "file")
	t := &tables{entries: raw.Symptoms, byID: map[string]*entry{}, codes: map[uint32]*entry{}, alerts: map[int]*entry{}, events: map[int]*entry{}}
	t.phrases.by = map[string][]start{}
	for _, e := range t.entries {
		t.byID[e.ID] = e
		for _, phrase := range e.Phrases {
			var parts []string
			for part := range strings.SplitSeq(phrase, "…") {
				parts = append(parts, fold(part))
			}
			e.phrases = append(e.phrases, parts)
		}
		t.phrases.add(e)
		for _, p := range e.Patterns {
			must(e.table.Add(struct{}{}, p.Expr), e.ID)
			e.needs = append(e.needs, p.Need...)
		}
		if e.Alert != nil {
			t.alerts[*e.Alert] = e
			must(e.table.Add(struct{}{}, alertPattern(e.AlertName)), e.ID)
			e.needs = append(e.needs, slices.MaxFunc(strings.Split(e.AlertName, "_"), func(a, b string) int { return len(a) - len(b) }))
		}
		if e.Event != 0 {
			t.events[e.Event] = e
		}
		for _, code := range e.Codes {
			v, err := strconv.ParseUint(code, 0, 32)
			must(err, e.ID)
			t.codes[uint32(v)] = e
		}
	}
	return t
})

func alertEntries() map[int]*entry { return loaded().alerts }

// alertPattern matches the name of an alert as the stacks write it:
// handshake_failure, HandshakeFailure, SSLV3_ALERT_HANDSHAKE_FAILURE, "tls:
// handshake failure", "alert handshake failure".
func alertPattern(name string) string {
	words := strings.ReplaceAll(name, "_", `[ _]?`)
	return `(?:alert|tls|fatal)[\d ,:()'"\[\]_]{1,12}` + words + `\b|\b(?:alertdescription[.:]? ?|alert_)` + words + `\b|received fatal alert:? ?` + words +
		`|(?:^|[\s('":])` + regexp.QuoteMeta(name) + `\b`
}

// gap is how many letters and digits the dots of a phrase stand for at most.
const gap = 300

// A start is where a phrase may begin: its first letters lead to it.
type start struct {
	parts []string
	entry *entry
}

// prefix is how many bytes of a phrase's first part are looked up.
const prefix = 6

// starts finds phrases in one pass over a text, however many there are.
type starts struct {
	seen [1 << 10]uint64 // which hashes of a prefix occur
	by   map[string][]start
}

func hashOf(p string) uint16 {
	h := uint32(2166136261)
	for i := range prefix {
		h = (h ^ uint32(p[i])) * 16777619
	}
	return uint16(h>>16) ^ uint16(h)
}

func (s *starts) add(e *entry) {
	for _, parts := range e.phrases {
		key := parts[0][:prefix]
		h := hashOf(key)
		s.seen[h>>6] |= 1 << (h & 63)
		s.by[key] = append(s.by[key], start{parts, e})
	}
}

// find calls hit for every phrase in folded, with the number of bytes that the
// phrase covers.
func (s *starts) find(folded string, hit func(e *entry, weight int)) {
	for i := 0; i+prefix <= len(folded); i++ {
		h := hashOf(folded[i:])
		if s.seen[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, st := range s.by[folded[i:i+prefix]] {
			if follows(folded[i:], st.parts) {
				hit(st.entry, length(st.parts))
			}
		}
	}
}

func length(parts []string) int {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// follows reports whether text begins with the first part, and the others
// follow each other with at most gap bytes between two of them.
func follows(text string, parts []string) bool {
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	at := len(parts[0])
	for _, p := range parts[1:] {
		j := strings.Index(text[at:min(len(text), at+gap+len(p))], p)
		if j < 0 {
			return false
		}
		at += j + len(p)
	}
	return true
}

// weighPatterns returns the weight of the heaviest regular expression of e that
// matches text, 0 if none does.
func (e *entry) weighPatterns(text string) int {
	if len(e.needs) == 0 {
		return 0
	}
	for _, need := range e.needs {
		if strings.Contains(text, need) {
			if rows := e.table.Find(text); len(rows) > 0 {
				return max(rows[0].Weight, 1)
			}
			return 0
		}
	}
	return 0
}

// partial reports how many letters of a phrase of e stand at the end of line
// (which was cut off there), at its beginning, or are all of it.
func (e *entry) partial(line string) int {
	const least = 16
	best := 0
	for _, parts := range e.phrases {
		first, last := parts[0], parts[len(parts)-1]
		for _, p := range parts { // one of several parts is there, the others are not
			if len(parts) > 1 && len(p) >= 14 && len(p) > best && strings.Contains(line, p) {
				best = len(p)
			}
		}
		for n := min(len(first)-1, len(line)); n >= least && n > best; n-- {
			if strings.HasSuffix(line, first[:n]) {
				best = n
			}
		}
		for n := min(len(last)-1, len(line)); n >= least && n > best; n-- {
			if strings.HasPrefix(line, last[len(last)-n:]) {
				best = n
			}
		}
		for _, p := range parts {
			if len(line) >= least && len(line) > best && strings.Contains(p, line) {
				best = len(line)
			}
		}
	}
	return best
}
