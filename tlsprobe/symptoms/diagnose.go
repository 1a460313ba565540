package symptoms

import (
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/wintext"
	"github.com/crossprem/crossprem/tlsprobe/schannel"
)

// A Diagnosis is what a text, and what else is known, can mean. The zero value
// says that nothing is known. It is a plain value, and reads back from JSON to
// an equal one.
type Diagnosis struct {
	// Causes are the causes that the text can have, the likeliest first. None
	// means that the text is not known; that does not mean that all is well.
	Causes []Cause `json:"causes"`

	// Symptoms are the messages that were recognised, the one that says most
	// first.
	Symptoms []Symptom `json:"symptoms"`

	// RuledOut are causes that the evidence excludes.
	RuledOut []Exclusion `json:"ruledOut,omitempty"`

	// Traps are whole sentences about what misleads in such texts today.
	Traps []string `json:"traps,omitempty"`

	// Stack is what kind of program writes such a text, if that is known.
	Stack schannel.Stack `json:"stack,omitzero"`

	// Alerts are the TLS alerts that the text names, RFC 8446 §6.
	Alerts []int `json:"alerts,omitempty"`
}

// A Cause is one cause that a text can have.
type Cause struct {
	ID    string `json:"id"` // see [Causes]
	Title string `json:"title"`

	// Confidence is between 0 and 1: how likely the cause is among those that
	// are known. It is judgement, and no statistics. Those of one diagnosis add
	// up to 1 at most. From Settled on the cause is as good as proved.
	Confidence float64 `json:"confidence"`

	Check string `json:"check"` // what to look at next
	Fix   string `json:"fix"`   // what to do if that is it; text for a person, never run

	// Why are whole sentences about the evidence for it. Empty if the text alone
	// speaks for it.
	Why []string `json:"why,omitempty"`

	Symptoms []string `json:"symptoms,omitempty"` // ids of the messages that can have it
	Sources  []string `json:"sources"`
}

// Settled is the confidence from which on a cause is as good as proved: the
// text names it itself, or the evidence shows it.
const Settled = 0.85

// A Symptom is a message that was recognised.
type Symptom struct {
	ID    string `json:"id"`    // such as "net-channel"
	Where string `json:"where"` // which program or log writes it
	Note  string `json:"note,omitempty"`

	// Partial means that the text holds only a part of the message: it was cut
	// off.
	Partial bool     `json:"partial,omitempty"`
	Sources []string `json:"sources"`
}

// An Exclusion is a cause that cannot be the one.
type Exclusion struct {
	ID  string `json:"id"`
	Why string `json:"why"` // a sentence
}

// A Definition is one cause of the table.
type Definition struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Check string `json:"check"`
	Fix   string `json:"fix"`
}

// Causes returns every cause that a diagnosis can name. The slice is the
// caller's.
func Causes() []Definition {
	list := make([]Definition, len(causeTable))
	for i, c := range causeTable {
		list[i] = Definition{ID: c.id, Title: c.title, Check: c.check, Fix: c.fix}
	}
	return list
}

// Diagnose says what text can mean. Evidence makes the answer sharper: fields
// of a later one count where both have them. With an empty text the evidence
// alone is judged. For a long text there is [Read].
func Diagnose(text string, evidence ...Evidence) *Diagnosis {
	t := newText()
	for _, window := range windows(text) {
		t.add(window, len(text) > smallText)
	}
	return t.Diagnose(evidence...)
}

// Read reads text in UTF-8 or UTF-16, with and without byte-order mark, of any
// length: a few megabytes of memory are used, however long it is. The error is
// that of reading, or reports UTF-16 that ends within a character; what was
// read until then is returned with it.
func Read(r io.Reader) (*Text, error) {
	t := newText()
	src := wintext.NewReader(r)
	buf := make([]byte, 0, windowSize)
	for first := true; ; first = false {
		n, err := io.ReadFull(src, buf[len(buf):windowSize])
		buf = buf[:len(buf)+n]
		t.add(string(buf), !first || err == nil || len(buf) > smallText)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return t, nil
		case err != nil:
			return t, err
		}
		buf = append(buf[:0], buf[len(buf)-overlap:]...)
	}
}

const (
	smallText  = 64 << 10  // up to here all forms of a text are looked at
	windowSize = 256 << 10 // of a larger one
	overlap    = 8 << 10   // so that a message across two windows is found
)

// windows returns text in pieces that overlap.
func windows(text string) []string {
	var list []string
	for len(text) > windowSize {
		list = append(list, text[:windowSize])
		text = text[windowSize-overlap:]
	}
	return append(list, text)
}

// A hit is an entry that was found.
type hit struct {
	entry   *entry
	weight  int
	partial bool
}

// A Text is what was recognised in a text. It is not changed by [Text.Diagnose],
// and may be shared by goroutines.
type Text struct {
	hits   map[string]*hit
	found  found
	cmdlet bool // the text has a word of PowerShell
}

func newText() *Text {
	return &Text{hits: map[string]*hit{}, found: found{codes: map[uint32]bool{}, alerts: map[int]bool{}, events: map[int]bool{}}}
}

func (s *Text) note(e *entry, weight int, partial bool) {
	if e == nil || weight <= 0 {
		return
	}
	switch h := s.hits[e.ID]; {
	case h == nil, h.partial && !partial:
		s.hits[e.ID] = &hit{e, weight, partial}
	case h.partial == partial && weight > h.weight:
		s.hits[e.ID] = &hit{e, weight, partial}
	}
}

// codeWeight is the weight of a number: that of a sentence of this length.
const codeWeight = 40

func (s *Text) add(text string, large bool) {
	if strings.TrimSpace(text) == "" {
		return
	}
	t := loaded()
	f := formsOf(text, large)
	for _, folded := range f.folded {
		t.phrases.find(folded, func(e *entry, w int) { s.note(e, w, false) })
	}
	short := len(text) <= 200 && len(strings.Fields(text)) <= 3 // a number, and little else
	for _, spaced := range f.spaced {
		for _, id := range s.found.numbersIn(spaced, short) {
			s.note(t.byID[id], codeWeight, false)
		}
		for _, e := range t.entries {
			if large && s.hits[e.ID] != nil {
				continue
			}
			if w := e.weighPatterns(spaced); w > 0 {
				s.note(e, w, false)
			}
		}
	}
	s.retiredHosts(f.spaced[0])
	s.cmdlet = s.cmdlet || slices.ContainsFunc(cmdlets, func(c string) bool { return strings.Contains(f.spaced[0], c) })
	for code := range s.found.codes {
		s.note(t.codes[code], codeWeight, false)
	}
	for event := range s.found.events {
		s.note(t.events[event], codeWeight, false)
	}
	for _, h := range s.hits { // the name of an alert is as good as its number
		if h.entry.Alert != nil && !h.partial {
			s.found.alerts[*h.entry.Alert] = true
		}
	}
	for alert := range s.found.alerts {
		s.note(t.alerts[alert], codeWeight, false)
	}
	if large || slices.ContainsFunc(s.list(), func(h *hit) bool { return h.entry.Tier > 0 }) {
		return
	}
	for _, e := range t.entries {
		for _, line := range f.lines {
			if n := e.partial(line); n > 0 {
				s.note(e, n, true)
			}
		}
	}
}

// list returns the hits, those that say most first, without those that another
// one makes superfluous.
func (s *Text) list() []*hit {
	var list []*hit
	for _, h := range s.hits {
		superfluous := false
		for _, other := range s.hits {
			// A part of one message never hides a whole one.
			if slices.Contains(other.entry.Over, h.entry.ID) && !(other.partial && !h.partial) {
				superfluous = true
			}
		}
		if !superfluous {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *hit) int {
		switch {
		case a.partial != b.partial:
			if a.partial {
				return 1
			}
			return -1
		case a.entry.Tier != b.entry.Tier:
			return b.entry.Tier - a.entry.Tier
		case a.weight != b.weight:
			return b.weight - a.weight
		}
		return strings.Compare(a.entry.ID, b.entry.ID)
	})
	return list
}

// retiredHosts notes names that Microsoft has given up.
func (s *Text) retiredHosts(text string) {
	for _, h := range retired() {
		if strings.Contains(text, h.name) {
			s.note(loaded().byID[h.entry], len(h.name), false)
		}
	}
}

// stack returns which kind of program wrote the text. The sentence that wraps
// all others is of modern .NET alone; a cmdlet's name says more than an
// exception's, which several kinds share.
func (s *Text) stack(list []*hit) schannel.Stack {
	if slices.ContainsFunc(list, func(h *hit) bool { return h.entry.App == schannel.PowerShell7 }) {
		return schannel.PowerShell7
	}
	for _, h := range list {
		switch app := h.entry.App; {
		case app == schannel.NETFramework && s.cmdlet:
			return schannel.WindowsPowerShell
		case app != schannel.StackUnknown:
			return app
		}
	}
	if s.cmdlet {
		return schannel.WindowsPowerShell
	}
	return schannel.StackUnknown
}

// cmdlets are words of Windows PowerShell.
var cmdlets = []string{"invoke-webrequest", "invoke-restmethod", "install-module", "update-module", "save-module", "find-module", "install-packageprovider",
	"fullyqualifiederrorid", "import-pssession", "new-pssession", "connect-exchangeonline", "connect-mggraph", "exception calling "}

// Diagnose says what the text can mean, as the function [Diagnose] does. A nil
// Text is an empty one.
func (s *Text) Diagnose(evidence ...Evidence) *Diagnosis {
	if s == nil {
		s = newText()
	}
	ev := merged(evidence)
	if ev.Alert != nil {
		s = &Text{hits: maps.Clone(s.hits), found: s.found, cmdlet: s.cmdlet}
		s.found.alerts = maps.Clone(s.found.alerts)
		s.found.alerts[int(*ev.Alert)] = true
		s.note(loaded().alerts[int(*ev.Alert)], codeWeight, false)
	}
	list := s.list()
	d := &Diagnosis{Causes: []Cause{}, Symptoms: []Symptom{}, Stack: s.stack(list)}
	if len(list) > 0 && list[0].entry.Tier > 0 { // the sentence that wraps others adds nothing to them
		list = slices.DeleteFunc(list, func(h *hit) bool { return h.entry.ID == "net-core-ssl" || h.entry.ID == "net-http-sending" })
	}
	for _, h := range list {
		e := h.entry
		d.Symptoms = append(d.Symptoms, Symptom{ID: e.ID, Where: e.Where, Note: e.Note, Partial: h.partial, Sources: slices.Clone(e.Sources)})
		if e.Note != "" && (e.ID == "msonline-gone" || e.ID == "retired-host" || e.ID == "psgallery-uri") && !slices.Contains(d.Traps, e.Note) {
			d.Traps = append(d.Traps, e.Note)
		}
	}
	for a := range s.found.alerts {
		d.Alerts = append(d.Alerts, a)
	}
	slices.Sort(d.Alerts)

	r := newRanking()
	r.texts(list, s.found)
	r.evidence(ev, d, list)
	r.fill(d)
	return d
}

// A ranking collects how much speaks for each cause.
type ranking struct {
	score   map[string]float64
	why     map[string][]string
	from    map[string][]string // entries
	order   []string            // of first mention
	sources map[string][]string
	out     map[string]string // ruled out, and why
	proved  []string          // in this order
}

func newRanking() *ranking {
	return &ranking{score: map[string]float64{}, why: map[string][]string{}, from: map[string][]string{}, sources: map[string][]string{}, out: map[string]string{}}
}

// later is how much the next message of a text counts beside the one before.
const later = 0.4

// texts adds what the messages say. Where event 36887 comes with the number of
// an alert, the alert counts in place of the event.
func (r *ranking) texts(list []*hit, n found) {
	weight := 1.0
	for _, h := range list {
		e := h.entry
		if (e.Event == 36887 || e.Event == 36888) && len(n.alerts) > 0 {
			continue
		}
		w := weight
		if h.partial {
			w *= 0.8
		}
		for _, c := range e.Causes {
			r.score[c.Cause] += w * c.Share
			r.order = append(r.order, c.Cause)
			r.from[c.Cause] = append(r.from[c.Cause], e.ID)
			r.sources[c.Cause] = append(r.sources[c.Cause], e.Sources...)
		}
		weight *= later
	}
	if n.sent && n.alerts[70] {
		r.because("client-no-tls12", "This machine sent the alert: if it is the server, the client offered only versions that are off here.")
	}
}

func (r *ranking) because(id, why string) {
	if why != "" && !slices.Contains(r.why[id], why) {
		r.why[id] = append(r.why[id], why)
	}
}

// fill writes the causes into d: those that are proved first, and then by their
// score.
func (r *ranking) fill(d *Diagnosis) {
	proved := slices.DeleteFunc(slices.Clone(r.proved), func(id string) bool { return r.out[id] != "" })
	for _, c := range causeTable {
		r.order = append(r.order, c.id)
	}
	var ids []string
	sum := 0.0
	for id, v := range r.score {
		if r.out[id] == "" && v > 0 && !slices.Contains(proved, id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if r.score[a] != r.score[b] {
			if r.score[a] > r.score[b] {
				return -1
			}
			return 1
		}
		return slices.Index(r.order, a) - slices.Index(r.order, b)
	})
	for _, id := range ids {
		sum += r.score[id]
	}
	left := 0.95 // no text is certain
	confidence := map[string]float64{}
	for i, id := range proved {
		confidence[id] = left * 0.95
		if i == len(proved)-1 && len(ids) == 0 {
			confidence[id] = left
		}
		left -= confidence[id]
	}
	for _, id := range ids {
		confidence[id] = left * r.score[id] / math.Max(sum, 1)
	}
	for _, id := range append(proved, ids...) {
		c, _ := causeByID(id)
		d.Causes = append(d.Causes, Cause{
			ID: id, Title: c.title, Confidence: math.Round(confidence[id]*1000) / 1000, Check: c.check, Fix: c.fix,
			Why: r.why[id], Symptoms: unique(r.from[id]), Sources: unique(append(slices.Clone(c.sources), r.sources[id]...)),
		})
	}
	for _, c := range causeTable {
		if why := r.out[c.id]; why != "" {
			d.RuledOut = append(d.RuledOut, Exclusion{ID: c.id, Why: why})
		}
	}
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
