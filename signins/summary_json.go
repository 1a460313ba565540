package signins

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// plainSummary has the fields of a Summary and none of its methods.
type plainSummary Summary

// MarshalJSON writes all of s, lists of users that follow from the rest
// included: "legacyUsers", "legacyUsersWithSuccess", "passwordRightButStopped"
// and "activeSync". The evidence for attacks is in "evidence", unless s is
// sealed. Equal summaries have equal JSON. Of many users, [Summary.WriteTo]
// takes less memory.
func (s Summary) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// WriteTo writes the JSON of s, with each user and each row of evidence in a
// line of its own, in memory that grows with the names of users alone. It
// implements [io.WriterTo].
func (s *Summary) WriteTo(w io.Writer) (int64, error) {
	head := struct {
		plainSummary
		Users *struct{} `json:"users,omitempty"` // in place of plainSummary's
		Spray Spray     `json:"spray,omitzero"`
	}{plainSummary: plainSummary(*s), Spray: s.evidence.settings}
	for _, list := range []*[]Tally{&head.Clients, &head.Applications, &head.Countries, &head.Networks, &head.Days, &head.Hours} {
		if *list == nil {
			*list = []Tally{}
		}
	}
	if head.Attacks == nil {
		head.Attacks = []Attack{}
	}
	for _, n := range []*Notes{&head.StaleDevices, &head.Forgot, &head.Possible} {
		if n.List == nil {
			n.List = []Note{}
		}
	}
	j := &jsonWriter{w: bufio.NewWriterSize(w, 64<<10)}
	text, err := json.Marshal(head)
	if err != nil {
		return 0, err
	}
	j.raw(text[:len(text)-1])

	j.text(",\n\"users\":{")
	order := slices.Collect(s.Users.numbers())
	slices.SortFunc(order, func(a, b uint32) int { return strings.Compare(s.Users.t.names.At(a), s.Users.t.names.At(b)) })
	var user User
	for i, n := range order {
		j.next(i)
		j.value(s.Users.t.names.At(n))
		j.text(":")
		s.Users.t.load(n, &user)
		j.value(&user)
	}
	j.text("}")
	people := s.people()
	list := func(name string, has func(*User) bool) {
		j.text(name)
		j.text("[")
		for i, user := range people.with(has) {
			j.next(i)
			j.value(user)
		}
		j.text("]")
	}
	list(",\n\"legacyUsers\":", hasLegacy)
	list(",\n\"legacyUsersWithSuccess\":", hasLegacySuccess)
	list(",\n\"passwordRightButStopped\":", wasStopped)
	list(",\n\"activeSync\":{\"password\":", hasActiveSyncPassword)
	list(",\"certificate\":", hasActiveSyncCertificate)
	list(",\"oauth\":", hasMailOAuth)
	list(",\"unknown\":", hasActiveSyncUntold)
	j.text("}")
	if !s.evidence.sealed {
		j.evidence(&s.evidence)
	}
	j.text("}\n")
	if j.err == nil {
		j.err = j.w.Flush()
	}
	return j.n, j.err
}

// A jsonWriter writes JSON until something fails.
type jsonWriter struct {
	w   *bufio.Writer
	n   int64
	err error
}

func (j *jsonWriter) raw(text []byte) {
	if j.err == nil {
		_, j.err = j.w.Write(text)
		j.n += int64(len(text))
	}
}

func (j *jsonWriter) text(text string) {
	if j.err == nil {
		_, j.err = j.w.WriteString(text)
		j.n += int64(len(text))
	}
}

// next begins the element i of a list.
func (j *jsonWriter) next(i int) {
	if i > 0 {
		j.text(",")
	}
	j.text("\n")
}

func (j *jsonWriter) value(v any) {
	text, err := json.Marshal(v)
	j.raw(text)
	j.err = cmp.Or(j.err, err)
}

func (j *jsonWriter) evidence(e *collector) {
	o := e.order()
	j.text(",\n\"evidence\":{\"ips\":[")
	for i := range o.ips.old {
		j.next(i)
		address := o.address(i)
		j.value(&address)
	}
	for _, list := range []struct {
		name  string
		texts *renumbered
	}{{"],\n\"accounts\":[", &o.accounts}, {"],\n\"agents\":[", &o.agents}} {
		j.text(list.name)
		for i := range list.texts.old {
			j.next(i)
			j.value(list.texts.text(i))
		}
	}
	j.text("],\n\"rows\":[")
	var text []byte
	for i, n := range o.rows {
		j.next(i)
		row := o.row(n)
		text = row.appendTo(text[:0])
		j.raw(text)
	}
	j.text("]")
	if e.evicted != 0 {
		j.text(",\"givenUp\":")
		j.value(e.evicted)
	}
	if len(e.found.Attacks) > 0 {
		j.text(",\"found\":")
		j.value(e.found.Attacks)
	}
	j.text("}")
}

// UnmarshalJSON reads what MarshalJSON wrote, checks it, and finds the attacks
// anew. What follows from the rest is not read. s is left as it was on error.
func (s *Summary) UnmarshalJSON(data []byte) error {
	_, err := s.ReadFrom(bytes.NewReader(data))
	return err
}

// ReadFrom is UnmarshalJSON for the one summary that r holds, in memory that
// grows with what the summary keeps, and not with its JSON. It reads r to the
// end, and implements [io.ReaderFrom].
func (s *Summary) ReadFrom(r io.Reader) (int64, error) {
	in := &jsonReader{fresh: newSummary(Documented), head: bytes.NewBufferString("{")}
	in.dec = json.NewDecoder(r)
	err := in.read()
	if err == nil {
		var fresh *Summary
		if fresh, err = in.summary(); err == nil {
			*s = *fresh
		}
	}
	return in.dec.InputOffset(), err
}

// A jsonReader reads the JSON of a summary in pieces.
type jsonReader struct {
	dec      *json.Decoder
	fresh    *Summary      // with the users
	head     *bytes.Buffer // the small members, as JSON
	evidence *storedEvidence
}

// maxHead bounds the members of a summary but users and evidence, in bytes.
const maxHead = 256 << 20

func (j *jsonReader) read() error {
	first, err := j.dec.Token()
	if err != nil {
		return noEnd(err)
	}
	if first == nil {
		return j.end()
	}
	if first != json.Delim('{') {
		return errors.New("signins: summary: not an object")
	}
	for j.dec.More() {
		name, err := j.name()
		if err != nil {
			return err
		}
		switch strings.ToLower(name) {
		case "users":
			err = j.users()
		case "evidence":
			j.evidence = nil
			err = j.readEvidence()
		case "legacyusers", "legacyuserswithsuccess", "passwordrightbutstopped", "activesync":
			err = j.skip()
		default:
			err = j.member(name)
		}
		if err != nil {
			return noEnd(err)
		}
	}
	if _, err := j.dec.Token(); err != nil {
		return noEnd(err)
	}
	return j.end()
}

// end returns an error if anything comes after the summary.
func (j *jsonReader) end() error {
	if _, err := j.dec.Token(); err != io.EOF {
		return cmp.Or(err, errors.New("signins: summary: something comes after it"))
	}
	return nil
}

func noEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (j *jsonReader) name() (string, error) {
	token, err := j.dec.Token()
	name, _ := token.(string)
	return name, noEnd(err)
}

// member keeps one of the small members for later.
func (j *jsonReader) member(name string) error {
	var value json.RawMessage
	if err := j.dec.Decode(&value); err != nil {
		return err
	}
	if j.head.Len()+len(value) > maxHead {
		return errors.New("signins: summary: too large besides users and evidence")
	}
	if j.head.Len() > 1 {
		j.head.WriteByte(',')
	}
	key, err := json.Marshal(name)
	j.head.Write(key)
	j.head.WriteByte(':')
	j.head.Write(value)
	return err
}

// skip skips a value of any size.
func (j *jsonReader) skip() error {
	for depth := 0; ; {
		token, err := j.dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// open reads the beginning of an object or a list, and reports whether there
// is one and not null.
func (j *jsonReader) open(what json.Delim, name string) (bool, error) {
	token, err := j.dec.Token()
	switch {
	case err != nil:
		return false, err
	case token == nil:
		return false, nil
	case token != what:
		return false, fmt.Errorf("signins: summary: %s is not what it has to be", name)
	}
	return true, nil
}

func (j *jsonReader) users() error {
	if ok, err := j.open('{', "users"); !ok {
		return err
	}
	for j.dec.More() {
		name, err := j.name()
		if err != nil {
			return err
		}
		var in *User
		if err := j.dec.Decode(&in); err != nil {
			return err
		}
		if in == nil {
			return fmt.Errorf("signins: summary: user %.40q is null", name)
		}
		j.fresh.Users.Add(name, in)
	}
	_, err := j.dec.Token()
	return err
}

func (j *jsonReader) readEvidence() error {
	ok, err := j.open('{', "evidence")
	if !ok {
		return err
	}
	e := new(storedEvidence)
	for j.dec.More() {
		name, err := j.name()
		if err == nil {
			switch strings.ToLower(name) {
			case "ips":
				err = elements(j, name, &e.Addresses)
			case "accounts":
				err = elements(j, name, &e.Accounts)
			case "agents":
				err = elements(j, name, &e.Agents)
			case "rows":
				err = elements(j, name, &e.Rows)
			case "cells":
				err = elements(j, name, &e.Cells)
			case "givenup":
				err = j.dec.Decode(&e.GivenUp)
			case "found":
				err = j.dec.Decode(&e.Found)
			default:
				err = j.skip()
			}
		}
		if err != nil {
			return err
		}
	}
	j.evidence = e
	_, err = j.dec.Token()
	return err
}

// elements reads a list one element after the other.
func elements[T any](j *jsonReader, name string, list *[]T) error {
	*list = nil
	if ok, err := j.open('[', name); !ok {
		return err
	}
	for j.dec.More() {
		var v T
		if err := j.dec.Decode(&v); err != nil {
			return err
		}
		*list = append(*list, v)
	}
	_, err := j.dec.Token()
	return err
}

// summary puts together what was read.
func (j *jsonReader) summary() (*Summary, error) {
	var in struct {
		plainSummary
		Spray Spray
	}
	j.head.WriteByte('}')
	if err := json.Unmarshal(j.head.Bytes(), &in); err != nil {
		return nil, err
	}
	from := Summary(in.plainSummary)
	from.evidence = collector{settings: in.Spray, sealed: j.evidence == nil}
	if j.evidence != nil {
		if err := from.evidence.read(j.evidence); err != nil {
			return nil, err
		}
		j.evidence = nil
	}
	fresh := j.fresh
	fresh.Definition, fresh.evidence.settings = from.Definition, in.Spray
	if err := fresh.Merge(&from); err != nil {
		return nil, err
	}
	fresh.evidence.sealed = from.evidence.sealed
	return fresh, nil
}

// storedEvidence is Evidence as it is stored, or as it was stored until November
// 2026: with cells of guesses by the minute in place of rows.
type storedEvidence struct {
	Evidence
	Cells [][10]int64 `json:"cells"` // minute, ip, account, agent, kind, protocol, address, count, first, last
}

// read fills e, which is empty, with what was stored.
func (e *collector) read(in *storedEvidence) error {
	for n, c := range in.Cells {
		for i, v := range c {
			if v < 0 || v > math.MaxUint32 || i == 5 && v > int64(OtherLegacy) {
				return fmt.Errorf("signins: summary: evidence %d: number %d is out of range", n+1, i+1)
			}
		}
		if c[4] > 4 {
			return fmt.Errorf("signins: summary: evidence %d: no such kind", n+1)
		}
		r := EvidenceRow{Kind: [...]EvidenceKind{WrongPassword, Accepted, PasswordStopped, Accepted, PasswordStopped}[c[4]],
			Address: uint32(c[1]), Account: uint32(c[2]), Agent: uint32(c[3]), Protocol: Protocol(c[5]),
			Count: uint32(c[7]), First: uint32(c[8]), Last: uint32(c[9])}
		if r.Kind == WrongPassword {
			r.Hour = uint32(c[0]) / 60
		}
		in.Rows = append(in.Rows, r)
	}
	if err := in.Check(); err != nil {
		return err
	}
	if len(in.Rows) > e.settings.orDefault().MaxEvidence {
		return errors.New("signins: summary: more evidence than its settings allow")
	}
	e.takeAll(&in.Evidence)
	slices.SortStableFunc(e.found.Attacks, func(a, b Attack) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	return nil
}
