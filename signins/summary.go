package signins

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
)

// A Summary tells who signs in the old way and who is merely attacked. It is
// a plain value, and JSON keeps all of it: a summary can be stored, read back
// and merged with tomorrow's.
//
// All counts are exact, and none is a sample. Where a map or list could grow
// with what strangers send (client names, countries of one user), it is
// bounded, and its comment says so.
//
// "Legacy" below is what the Definition says. Absence of legacy sign-ins is
// not absence of attempts: Exchange Online refuses basic authentication
// before it asks Entra ID wherever a policy or Microsoft switched it off, and
// then nothing is logged.
type Summary struct {
	Definition Definition `json:"definition"`

	Records              int64 `json:"records"`              // sign-ins summarised
	RawRecords           int64 `json:"rawRecords"`           // Records and Duplicates
	Duplicates           int64 `json:"duplicates"`           // copies that [Dedupe] dropped
	Malformed            int64 `json:"malformed"`            // records that could not be read
	SkippedOtherCategory int64 `json:"skippedOtherCategory"` // records of other logs
	OutsidePeriod        int64 `json:"outsidePeriod"`        // sign-ins before Since or from Until on

	// Errors holds the texts of up to 20 records that could not be read,
	// those first in lexical order.
	Errors []string `json:"errors,omitempty"`

	First time.Time `json:"first,omitzero"` // time of the earliest sign-in
	Last  time.Time `json:"last,omitzero"`  // time of the latest sign-in

	ByClass    map[Class]int64    `json:"byClass"`
	ByProtocol map[Protocol]int64 `json:"byProtocol"`
	ByOutcome  map[Outcome]int64  `json:"byOutcome"`

	// LegacyBasicAuth tells how many legacy sign-ins sent a password, for
	// which certificates with ActiveSync are the exception.
	LegacyBasicAuth map[crossprem.Answer]int64 `json:"legacyBasicAuth"`

	Interactive           int64 `json:"interactive"`           // sign-ins of users that are known to be interactive
	ClassifiedByUserAgent int64 `json:"classifiedByUserAgent"` // legacy by user agent alone
	ROPC                  int64 `json:"ropc"`                  // OAuth password grants
	DeviceCode            int64 `json:"deviceCode"`            // device code flows

	// NotKnowable counts the records that cannot tell a field that judging
	// needs, by the field's name in Microsoft Graph: their format does not
	// carry it, or it is a time in a form that leaves open which is the day and
	// which the month. Where it is not empty, the counts of what depends on the
	// field are lower bounds.
	NotKnowable map[string]int64 `json:"notKnowable,omitempty"`

	// Unlisted counts the values of clientAppUsed that no table knows, as
	// logged; of more than 256 of them, 256.
	Unlisted []Tally `json:"unlisted,omitempty"`

	// The legacy sign-ins, by what Microsoft's portal can filter them by. Each
	// list is sorted by name; of more than 4096 names it holds 4096, chosen by
	// their hash, with exact counts.
	Clients      []Tally `json:"clients"`      // family of user agents, such as "CBAInPROD"
	Applications []Tally `json:"applications"` // display name
	Countries    []Tally `json:"countries"`    // two letters; not of sign-ins known to be non-interactive
	Networks     []Tally `json:"networks"`     // "AS64500", or a /16 or /32 of which the AS is not known
	Days         []Tally `json:"days"`         // UTC, such as "2026-11-18"
	Hours        []Tally `json:"hours"`        // UTC, "00" to "23", all days together

	// ApplicationsByProtocol answers which application still uses what has to
	// go: the legacy sign-ins by protocol, and the OAuth password grants under
	// "ropc", by the application's display name, or its id where there is none.
	// Legacy clients sign in to Exchange Online itself: there the name is that
	// of the client's family, as in Clients, if the log shows a user agent.
	// Lists are sorted and bounded as those above.
	ApplicationsByProtocol map[string][]Tally `json:"applicationsByProtocol,omitempty"`

	// DaysByProtocol holds the legacy sign-ins of Days apart by protocol. Lists
	// are sorted and bounded as those above.
	DaysByProtocol map[Protocol][]Tally `json:"daysByProtocol,omitempty"`

	// Users holds everybody with a legacy sign-in, an OAuth password grant, a
	// device code or a native mail app, by user principal name in lower case,
	// or by what stood in its place. Its size is what a summary's grows with.
	Users Users `json:"users"`

	// LegacyUnnamed counts the legacy sign-ins whose record names nobody.
	LegacyUnnamed int64 `json:"legacyUnnamed,omitempty"`

	// Judgement holds the attacks on passwords, earliest first, and what is
	// none but worth telling.
	Judgement

	// Evicted counts the rows of evidence for attacks that were given up to
	// bound memory. If it is not 0, attacks may have been missed.
	Evicted int64 `json:"evicted,omitempty"`

	evidence collector
}

// A Tally counts the sign-ins that have something in common.
type Tally struct {
	Name      string `json:"name"`
	Records   int64  `json:"records"`
	Successes int64  `json:"successes"`
}

// Bounds of what strangers can make grow.
const (
	maxErrors        = 20
	maxUnlisted      = 256
	maxNames         = 4096
	maxUserCountries = 32
	maxUserClients   = 16
)

// A Summarizer holds the settings of summarising. The zero value is ready to
// use, and one Summarizer may serve many goroutines.
type Summarizer struct {
	// Definition says what counts as legacy.
	Definition Definition

	// Only sign-ins from Since on and before Until are summarised. A zero time
	// sets no limit. Sign-ins without a time are summarised.
	Since, Until time.Time

	// Spray says what counts as an attack.
	Spray Spray

	// Tables say what client apps and error codes stand for. If nil, the
	// embedded ones do.
	Tables *Tables
}

// Summarize summarises seq with the settings of the zero [Summarizer].
func Summarize(seq iter.Seq2[SignIn, error]) (*Summary, error) {
	return new(Summarizer).Summarize(seq)
}

// Summarize summarises the sign-ins of seq, in memory that grows with the
// distinct users that [Summary.Users] holds, not with the records.
//
// It counts every sign-in that it is given: sequences that may hold copies of
// an event should pass through [Dedupe] first. A [RecordError] is counted and
// summarising goes on. With any other error it stops, and returns what it has
// so far along with the error.
func (z *Summarizer) Summarize(seq iter.Seq2[SignIn, error]) (*Summary, error) {
	sum := z.begin()
	var failed error
	for s, err := range seq {
		if err != nil {
			if failed = sum.s.addError(err); failed != nil {
				break
			}
			continue
		}
		sum.add(&s)
	}
	sum.finish()
	return sum.s, failed
}

func (z *Summarizer) begin() *summing {
	sum := &summing{t: z.Tables.orEmbedded(), z: z, s: newSummary(z.Definition)}
	sum.s.evidence.settings, sum.s.evidence.tables = z.Spray, z.Tables
	return sum
}

// Begin returns a [Stream] that summarises with the settings of z, which must
// not be changed as long as it is used.
func (z *Summarizer) Begin() *Stream { return &Stream{z.begin()} }

// A Stream summarises sign-ins one by one, as they come from a queue. It is
// made by [Summarizer.Begin], and for one goroutine at a time.
type Stream struct{ sum *summing }

// Add counts s, and keeps nothing of it: s may be used for the next sign-in.
func (m *Stream) Add(s *SignIn) { m.sum.add(s) }

// AddError counts err if it is a [RecordError], as [Summarizer.Summarize]
// does, and returns it otherwise.
func (m *Stream) AddError(err error) error {
	if err == nil {
		return nil
	}
	return m.sum.s.addError(err)
}

// Summary returns the summary of what was added since the last call, and
// begins anew. Summaries of a stream are merged with [Summary.Merge].
func (m *Stream) Summary() *Summary {
	done, last := m.sum, m.sum
	m.sum = done.z.begin()
	m.sum.families, m.sum.countryNames = last.families, last.countryNames
	done.finish()
	return done.s
}

func newSummary(d Definition) *Summary {
	return &Summary{
		Definition: d,
		ByClass:    make(map[Class]int64), ByProtocol: make(map[Protocol]int64), ByOutcome: make(map[Outcome]int64),
		LegacyBasicAuth: make(map[crossprem.Answer]int64), NotKnowable: make(map[string]int64),
	}
}

// addError counts err if it concerns one record, and returns it otherwise.
func (s *Summary) addError(err error) error {
	var record *RecordError
	switch {
	case !errors.As(err, &record):
		return err
	case errors.Is(err, ErrDuplicate):
		s.Duplicates++
		s.RawRecords++
	case errors.Is(err, ErrOtherCategory):
		s.SkippedOtherCategory++
	default:
		s.Malformed++
		s.keepErrors(err.Error())
	}
	return nil
}

// keepErrors keeps the first texts in lexical order, whatever order they come in.
func (s *Summary) keepErrors(texts ...string) {
	for _, text := range texts {
		if len(text) > 500 {
			text = strings.ToValidUTF8(text[:500], "") + "…"
		}
		if i, ok := slices.BinarySearch(s.Errors, text); !ok && i < maxErrors {
			s.Errors = slices.Insert(s.Errors, i, text)
			s.Errors = s.Errors[:min(len(s.Errors), maxErrors)]
		}
	}
}

// The fields that judging needs, by their names in Microsoft Graph.
var needed = [...]struct {
	field Fields
	name  string
}{
	{FieldClientAppUsed, "clientAppUsed"},
	{FieldUserAgent, "userAgent"},
	{FieldAuthenticationProtocol, "authenticationProtocol"},
	{FieldMethods, "authenticationDetails"},
	{FieldErrorCode, "status.errorCode"},
	{FieldLocation, "location"},
	{FieldTime, "createdDateTime"},
	{FieldIPAddress, "ipAddress"},
}

const allNeeded = FieldClientAppUsed | FieldUserAgent | FieldAuthenticationProtocol | FieldMethods |
	FieldErrorCode | FieldLocation | FieldTime | FieldIPAddress

// summing is a summary in the making. What is counted for every record is
// counted in arrays, and goes into the summary's maps at the end.
type summing struct {
	t *Tables
	z *Summarizer
	s *Summary

	classes     [NotApplicable + 1]int64
	protocols   [OtherLegacy + 1]int64
	outcomes    [BlockedByAuthenticationPolicy + 1]int64
	basic       [crossprem.Yes + 1]int64
	notKnowable [len(needed)]int64
	hours       [24]Use

	unlisted, clients, applications, countries, networks, days names

	byProtocol     [OtherLegacy + 1]names
	daysByProtocol [OtherLegacy + 1]names
	grants         names // OAuth password grants

	families     map[string]string // of user agents seen lately
	countryNames map[string]string // copies of those seen lately
	day          int64             // since 1970, of which dayName is the name
	dayName      string
}

// family is clientFamily, which it asks but once for most user agents.
func (m *summing) family(agent string) string {
	if len(agent) > 1<<10 {
		return strings.Clone(cut(clientFamily(m.t, agent)))
	}
	family, ok := m.families[agent]
	if !ok {
		if len(m.families) >= maxNames || m.families == nil {
			m.families = make(map[string]string)
		}
		family = strings.Clone(clientFamily(m.t, agent))
		m.families[strings.Clone(agent)] = family
	}
	return family
}

// clientName is family, cut to the length that names have.
func (m *summing) clientName(agent string) string { return cut(m.family(agent)) }

// country returns the country of s, cut, in memory that does not hold the rest
// of its record.
func (m *summing) country(name string) string {
	name = cut(name)
	kept, ok := m.countryNames[name]
	if !ok {
		if len(m.countryNames) >= maxNames || m.countryNames == nil {
			m.countryNames = make(map[string]string)
		}
		kept = strings.Clone(name)
		m.countryNames[kept] = kept
	}
	return kept
}

func (m *summing) add(s *SignIn) {
	sum := m.s
	if !s.Time.IsZero() {
		if s.Time.Before(m.z.Since) || !m.z.Until.IsZero() && !s.Time.Before(m.z.Until) {
			sum.OutsidePeriod++
			return
		}
		if sum.First.IsZero() || s.Time.Before(sum.First) {
			sum.First = s.Time.UTC()
		}
		if s.Time.After(sum.Last) {
			sum.Last = s.Time.UTC()
		}
	}
	v := m.z.Definition.classify(m.t, s)
	sum.Records++
	m.classes[v.Class]++
	m.protocols[v.Protocol]++
	m.outcomes[v.Outcome]++
	if missing := allNeeded &^ s.Known; missing != 0 && v.Class != NotApplicable {
		for i := range needed {
			if missing&needed[i].field != 0 {
				m.notKnowable[i]++
			}
		}
	}
	if v.Reason == UnlistedClient || v.Protocol == UnknownProtocol && v.Class == Legacy && s.ClientAppUsed != "" {
		m.unlisted.add(maxUnlisted, s.ClientAppUsed, v.Outcome == Success)
	}
	if v.Class == NotApplicable {
		return
	}
	if s.Interactive == crossprem.Yes {
		sum.Interactive++
	}
	if v.ROPC == crossprem.Yes {
		sum.ROPC++
		m.grants.add(maxNames, m.application(s), v.Outcome == Success)
	}
	if v.DeviceCode == crossprem.Yes {
		sum.DeviceCode++
	}
	sum.evidence.add(s, &v)
	if v.Class == Legacy {
		m.addLegacy(s, &v)
	}
	if v.Class == Legacy || v.ROPC == crossprem.Yes || v.DeviceCode == crossprem.Yes || v.NativeMail == crossprem.Yes {
		if key := userKey(s); key == "" {
			if v.Class == Legacy {
				sum.LegacyUnnamed++
			}
		} else if n := sum.Users.number(key); !sum.Users.t.count(n, s, &v, m) {
			sum.Users.openFor(n, s).add(s, &v, m)
			sum.Users.t.close()
		}
	}
}

// addLegacy counts what is counted of legacy sign-ins only.
func (m *summing) addLegacy(s *SignIn, v *Verdict) {
	success := v.Outcome == Success
	m.basic[v.BasicAuth]++
	if v.Reason == ByUserAgent {
		m.s.ClassifiedByUserAgent++
	}
	if s.UserAgent != "" {
		m.clients.add(maxNames, m.family(s.UserAgent), success)
	}
	m.byProtocol[v.Protocol].add(maxNames, m.application(s), success)
	if s.AppDisplayName != "" {
		m.applications.add(maxNames, s.AppDisplayName, success)
	}
	if s.CountryOrRegion != "" && s.Interactive != crossprem.No {
		m.countries.add(maxNames, s.CountryOrRegion, success)
	}
	if network := networkOf(s); network != "" {
		m.networks.add(maxNames, network, success)
	}
	if !s.Time.IsZero() {
		t := s.Time.UTC()
		if day := t.Unix() / (24 * 60 * 60); day != m.day || m.dayName == "" {
			m.day, m.dayName = day, t.Format(time.DateOnly)
		}
		m.days.add(maxNames, m.dayName, success)
		m.daysByProtocol[v.Protocol].add(maxNames, m.dayName, success)
		m.hours[t.Hour()].add(success)
	}
}

// ropcName is the name of the OAuth password grant among protocols.
const ropcName = "ropc"

// application names the application of s, or the client where Exchange Online
// stands in its place.
func (m *summing) application(s *SignIn) string {
	own := s.AppID == exchangeOnline || s.AppID == "" && s.AppDisplayName == "Office 365 Exchange Online"
	switch {
	case s.UserAgent != "" && (own || s.AppID == "" && s.AppDisplayName == ""):
		return m.family(s.UserAgent)
	case s.AppDisplayName != "":
		return s.AppDisplayName
	case s.AppID != "":
		return s.AppID
	}
	return "unknown"
}

func (m *summing) finish() {
	s := m.s
	s.Users.t.close()
	s.evidence.addClues()
	s.evidence.clues, s.evidence.recent = nil, nil
	s.RawRecords += s.Records
	flush(s.ByClass, m.classes[:])
	flush(s.ByProtocol, m.protocols[:])
	flush(s.ByOutcome, m.outcomes[:])
	flush(s.LegacyBasicAuth, m.basic[:])
	for i, n := range m.notKnowable {
		if n > 0 {
			s.NotKnowable[needed[i].name] += n
		}
	}
	for hour, u := range m.hours {
		if u.Records > 0 {
			s.Hours = append(s.Hours, Tally{fmt.Sprintf("%02d", hour), u.Records, u.Successes})
		}
	}
	s.Unlisted, s.Clients, s.Applications = m.unlisted.list, m.clients.list, m.applications.list
	for p := range m.byProtocol {
		s.addApplications(Protocol(p).String(), m.byProtocol[p].list)
	}
	s.addApplications(ropcName, m.grants.list)
	for p := range m.daysByProtocol {
		s.addDays(Protocol(p), m.daysByProtocol[p].list)
	}
	s.Countries, s.Networks, s.Days = m.countries.list, m.networks.list, m.days.list
	s.findAttacks()
}

// addApplications adds list to what is known of a protocol.
func (s *Summary) addApplications(protocol string, list []Tally) {
	if len(list) == 0 {
		return
	}
	if s.ApplicationsByProtocol == nil {
		s.ApplicationsByProtocol = make(map[string][]Tally)
	}
	s.ApplicationsByProtocol[protocol] = addNames(s.ApplicationsByProtocol[protocol], maxNames, list)
}

// addDays adds list to what is known of a protocol.
func (s *Summary) addDays(p Protocol, list []Tally) {
	if len(list) == 0 {
		return
	}
	if s.DaysByProtocol == nil {
		s.DaysByProtocol = make(map[Protocol][]Tally)
	}
	s.DaysByProtocol[p] = addNames(s.DaysByProtocol[p], maxNames, list)
}

func flush[K ~uint8](into map[K]int64, counts []int64) {
	for k, n := range counts {
		if n > 0 {
			into[K(k)] += n
		}
	}
}

// earliest and latest take a zero time for one that is not known.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// networkOf returns a name for the network that s came from, coarse enough
// that there are not too many of them.
func networkOf(s *SignIn) string {
	if s.AutonomousSystemNumber != 0 {
		return "AS" + strconv.FormatUint(uint64(s.AutonomousSystemNumber), 10)
	}
	ip, err := netip.ParseAddr(s.IPAddress)
	if err != nil {
		return ""
	}
	bits := 16
	if ip = ip.Unmap(); ip.Is6() {
		bits = 32
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// Merge adds what the others counted to s, so that summaries of the parts of a
// log become the summary of the whole. Attacks are judged once, at the end. It
// changes nothing in the others and keeps nothing that they could change. If
// one of them is sealed, attacks that only several together show are not found;
// the result is sealed if all are.
//
// Copies of an event that lie in different parts are counted in each. Merge
// returns an error, and leaves s as it was, if one of the others was made with
// another Definition or other Spray settings.
func (s *Summary) Merge(others ...*Summary) error {
	for _, o := range others {
		if err := s.mergeable(o); err != nil {
			return err
		}
	}
	s.beforeMerging()
	for _, o := range others {
		s.merge(o)
	}
	s.findAttacks()
	return nil
}

// MergeAll merges the summaries of parts, one after the other, so that only the
// result and one of them have to be in memory, and judges attacks once. It
// stops at the first error, of parts or of [Summary.Merge], and returns it with
// what was merged before. Of no summaries the result is an empty one.
func MergeAll(parts iter.Seq2[*Summary, error]) (*Summary, error) {
	var all *Summary
	var failed error
	for o, err := range parts {
		if err == nil && o == nil {
			err = errors.New("signins: cannot merge a summary that is nil")
		}
		if err == nil && all == nil {
			all = newSummary(o.Definition)
			all.evidence.settings, all.evidence.tables = o.evidence.settings, o.evidence.tables
			all.evidence.sealed = true // if all are
		}
		if err == nil {
			err = all.mergeable(o)
		}
		if failed = err; err != nil {
			break
		}
		all.merge(o)
	}
	if all == nil {
		all = newSummary(Documented)
	}
	all.findAttacks()
	return all, failed
}

// mergeable returns an error if o cannot be merged into s.
func (s *Summary) mergeable(o *Summary) error {
	switch {
	case o == nil:
		return errors.New("signins: cannot merge a summary that is nil")
	case s.Definition != o.Definition:
		return fmt.Errorf("signins: cannot merge a summary by the definition %q with one by %q", s.Definition, o.Definition)
	case s.evidence.settings.orDefault() != o.evidence.settings.orDefault():
		return errors.New("signins: cannot merge summaries that were made with different Spray settings")
	}
	return nil
}

// beforeMerging takes the judgement of a literal as found.
func (s *Summary) beforeMerging() {
	if s.evidence.rows == nil && !s.evidence.sealed && len(s.evidence.found.Attacks) == 0 {
		s.evidence.found = Judgement{}
		s.evidence.found.add(&s.Judgement)
	}
}

// merge adds o, which is mergeable, and does not judge.
func (s *Summary) merge(o *Summary) {
	s.Records += o.Records
	s.RawRecords += o.RawRecords
	s.Duplicates += o.Duplicates
	s.Malformed += o.Malformed
	s.SkippedOtherCategory += o.SkippedOtherCategory
	s.OutsidePeriod += o.OutsidePeriod
	s.keepErrors(o.Errors...)
	s.First, s.Last = earliest(s.First, o.First), latest(s.Last, o.Last)
	addCounts(&s.ByClass, o.ByClass)
	addCounts(&s.ByProtocol, o.ByProtocol)
	addCounts(&s.ByOutcome, o.ByOutcome)
	addCounts(&s.LegacyBasicAuth, o.LegacyBasicAuth)
	addCounts(&s.NotKnowable, o.NotKnowable)
	s.Interactive += o.Interactive
	s.ClassifiedByUserAgent += o.ClassifiedByUserAgent
	s.ROPC += o.ROPC
	s.DeviceCode += o.DeviceCode
	s.Unlisted = addNames(s.Unlisted, maxUnlisted, o.Unlisted)
	s.Clients = addNames(s.Clients, maxNames, o.Clients)
	s.Applications = addNames(s.Applications, maxNames, o.Applications)
	for protocol, list := range o.ApplicationsByProtocol {
		s.addApplications(cut(protocol), list)
	}
	for protocol, list := range o.DaysByProtocol {
		s.addDays(protocol, list)
	}
	s.Countries = addNames(s.Countries, maxNames, o.Countries)
	s.Networks = addNames(s.Networks, maxNames, o.Networks)
	s.Days = addNames(s.Days, maxNames, o.Days)
	s.Hours = addNames(s.Hours, maxNames, o.Hours)
	for n, u := range o.Users.each() {
		u.ID = o.Users.t.idOf(n)
		s.Users.Add(o.Users.t.names.At(n), u)
	}
	s.LegacyUnnamed += o.LegacyUnnamed
	s.evidence.merge(&o.evidence, &o.Judgement)
	s.Evicted += o.Evicted
}

func addCounts[K comparable](into *map[K]int64, from map[K]int64) {
	if *into == nil {
		*into = make(map[K]int64)
	}
	for k, n := range from {
		(*into)[k] += n
	}
}
