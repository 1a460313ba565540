package clients

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/internal/enum"
)

// An Outcome is what becomes of a client when Basic authentication goes. In
// text and JSON it is one of "unknown", "continues", "continues-modern",
// "falls-back-basic", "reconfigure", "prompts", "stops" and "not-applicable".
type Outcome uint8

const (
	OutcomeUnknown  Outcome = iota
	Continues               // works as before, with the method that it used
	ContinuesModern         // works with tokens
	FallsBackBasic          // asks for a password, and works as long as Basic is offered
	Reconfigure             // works after the account was removed and added, or a setting changed
	Prompts                 // asks for the password again and again
	Stops                   // no longer works
	NotApplicable           // does not speak to such a mailbox
)

var outcomeTexts = enum.Of[Outcome]("clients: outcome", "unknown", "continues", "continues-modern", "falls-back-basic", "reconfigure", "prompts", "stops", "not-applicable")

// String returns a text such as "continues-modern".
func (o Outcome) String() string { return outcomeTexts.String(o) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (o Outcome) MarshalText() ([]byte, error) { return outcomeTexts.Marshal(o) }

// UnmarshalText accepts what MarshalText gives.
func (o *Outcome) UnmarshalText(text []byte) error { return outcomeTexts.Unmarshal(o, text) }

// A Hosting is where the mailbox is, and what was done about Basic there. In
// text and JSON it is one of "unknown", "exchange-online",
// "exchange-online-policy", "onprem-hma-blocked", "onprem-adfs" and
// "onprem-basic-off"; "exo-2026" and "exo-policy-2020" are read too.
type Hosting uint8

const (
	HostingUnknown Hosting = iota

	// ExchangeOnline is a mailbox in Exchange Online without an authentication
	// policy: the service's own dates decide.
	ExchangeOnline

	// ExchangeOnlinePolicy is a mailbox in Exchange Online with an
	// authentication policy that blocks Basic for every protocol.
	ExchangeOnlinePolicy

	// OnPremisesHMABlocked is a mailbox on premises in a hybrid organization
	// with Hybrid Modern Authentication and a policy with all BlockLegacyAuth
	// switches.
	OnPremisesHMABlocked

	// OnPremisesADFS is a mailbox on Exchange 2019 CU13 or later, or
	// Subscription Edition, with AD FS modern authentication and Basic still
	// possible.
	OnPremisesADFS

	// OnPremisesBasicOff is a mailbox on premises without modern
	// authentication, where Basic was taken off the virtual directories and
	// NTLM and Negotiate are left.
	OnPremisesBasicOff
)

var hostingTexts = enum.Of[Hosting]("clients: hosting", "unknown", "exchange-online", "exchange-online-policy", "onprem-hma-blocked", "onprem-adfs", "onprem-basic-off").
	Also("exo-2026", ExchangeOnline).Also("exo-policy-2020", ExchangeOnlinePolicy).Also("exo", ExchangeOnline)

// Hostings returns the places that are known; the slice is the caller's.
func Hostings() []Hosting {
	return []Hosting{ExchangeOnline, ExchangeOnlinePolicy, OnPremisesHMABlocked, OnPremisesADFS, OnPremisesBasicOff}
}

// String returns a text such as "exchange-online".
func (h Hosting) String() string { return hostingTexts.String(h) }

// MarshalText returns what String does, and an error for a value that is none
// of the constants.
func (h Hosting) MarshalText() ([]byte, error) { return hostingTexts.Marshal(h) }

// UnmarshalText accepts what MarshalText gives, and the other names of
// [Hosting].
func (h *Hosting) UnmarshalText(text []byte) error { return hostingTexts.Unmarshal(h, text) }

// A Row is one kind of client in the table of outcomes, more exact than what a
// user agent tells: Outlook 2013 with and without its registry values are two
// rows.
type Row struct {
	ID        string   // such as "outlook-2013-keys"
	Name      string   // for people
	Platform  string   // such as "windows"
	Protocols []string // such as "mapi", "ews", "activesync", "imap"
	Clients   []string // the Client.ID whose agents stand for it; may be empty
	Remedy    string
	Notes     string

	// Evidence is "documented" if a vendor says it, "observed" if somebody saw
	// it once, and "inferred" if it was concluded from the protocols alone.
	// Confidence is "high", "medium" or "low".
	Evidence   string
	Confidence string
	Sources    []string
}

// Rows returns the table of clients, in the order of the table. It is made
// anew at each call and is the caller's.
func Rows() []Row {
	t := table()
	rows := make([]Row, 0, len(t.Rows))
	for i := range t.Rows {
		rows = append(rows, t.row(&t.Rows[i]))
	}
	return rows
}

func (t *clientTable) row(r *rowJSON) Row {
	return Row{ID: r.ID, Name: r.Name, Platform: r.Platform, Protocols: slices.Clone(r.Protocols), Clients: slices.Clone(r.UserAgents),
		Remedy: r.Remedy, Notes: r.Notes, Evidence: r.Evidence, Confidence: r.Confidence, Sources: t.sources(r.Sources)}
}

func (t *clientTable) find(id string) *rowJSON {
	i := slices.IndexFunc(t.Rows, func(r rowJSON) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &t.Rows[i]
}

// The first days on which the places on premises existed: 2019 CU1 brought
// BlockLegacyAuth, 2019 CU13 the modern authentication of AD FS.
var hostingSince = map[Hosting]time.Time{
	ExchangeOnlinePolicy: time.Date(2018, 10, 17, 0, 0, 0, 0, time.UTC),
	OnPremisesHMABlocked: time.Date(2019, 2, 12, 0, 0, 0, 0, time.UTC),
	OnPremisesADFS:       time.Date(2023, 5, 3, 0, 0, 0, 0, time.UTC),
}

// serviceEndsBasic is the day from which Exchange Online takes Basic from no
// tenant any more, but for SMTP AUTH.
var serviceEndsBasic = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

// OutcomeOf returns what becomes of the client of the row with this ID, for a
// place of the mailbox and a day, and a sentence that says why. For a row or a
// place that does not exist it is OutcomeUnknown.
func OutcomeOf(row string, hosting Hosting, at time.Time) (Outcome, string) {
	r := table().find(row)
	if r == nil {
		return OutcomeUnknown, fmt.Sprintf("There is no client %.60q in the table.", row)
	}
	return r.outcome(hosting, at)
}

func (r *rowJSON) outcome(hosting Hosting, at time.Time) (Outcome, string) {
	if since := hostingSince[hosting]; at.Before(since) {
		return OutcomeUnknown, "On that day there was no such configuration; it exists since " + since.Format(time.DateOnly) + "."
	}
	online := func() (Outcome, string) {
		step := r.ExchangeOnline[0]
		for _, s := range r.ExchangeOnline[1:] {
			if !at.Before(s.From.Time) {
				step = s
			}
		}
		return step.Outcome, step.Why
	}
	switch hosting {
	case ExchangeOnline:
		return online()
	case ExchangeOnlinePolicy:
		policy := r.Scenarios["exo-policy-2020"]
		// Since the service refuses Basic by itself, the policy adds nothing to
		// that but for SMTP AUTH.
		if !at.Before(serviceEndsBasic) && !slices.Equal(r.Protocols, []string{"smtp"}) {
			return online()
		}
		return policy.Outcome, policy.Why
	case OnPremisesHMABlocked, OnPremisesADFS, OnPremisesBasicOff:
		s := r.Scenarios[hosting.String()]
		return s.Outcome, s.Why
	}
	return OutcomeUnknown, "It is not known where the mailbox is."
}

// An Effect is what becomes of one client.
type Effect struct {
	Client  Client   `json:"client"`
	Outcome Outcome  `json:"outcome"`
	Why     string   `json:"why"`
	Remedy  string   `json:"remedy,omitempty"`
	Rows    []string `json:"rows,omitempty"` // the IDs of the rows that the client can be
	Sources []string `json:"sources,omitempty"`

	// Evidence is the weakest of the rows': "documented", "observed",
	// "inferred", or "" if there is no row.
	Evidence string `json:"evidence,omitempty"`
}

// RowsOf returns the rows that c can be: those that its agent stands for,
// without those that its version, edition or capability excludes.
func RowsOf(c Client) []Row {
	t := table()
	var rows []Row
	for _, r := range t.rowsOf(c) {
		rows = append(rows, t.row(r))
	}
	return rows
}

func (t *clientTable) rowsOf(c Client) []*rowJSON {
	var rows []*rowJSON
	for i := range t.Rows {
		if r := &t.Rows[i]; c.ID != "" && slices.Contains(r.UserAgents, c.ID) && c.canBe(r.ID) {
			rows = append(rows, r)
		}
	}
	return rows
}

// canBe excludes rows by what the agent shows besides its client.
func (c *Client) canBe(row string) bool {
	major, minor, ok := number(c.Version)
	switch row {
	case "ios-mail-old":
		return c.Capability != ModernCapable
	case "ios-mail":
		return c.Capability != BasicOnly
	case "outlook-2016-msi":
		return c.Edition != "click-to-run"
	case "outlook-2019", "outlook-2021-volume", "outlook-2024", "outlook-m365":
		return c.Edition != "msi"
	case "thunderbird-old":
		return c.ID != "thunderbird" || !ok || major < 78
	case "thunderbird":
		return !ok || major >= 78
	case "macos-mail-old": // an agent with the version of the system names it first
		return !ok || major < 10 || major == 10 && minor < 14 || major > 100
	case "macos-mail":
		return !ok || major < 10 || major > 10 || minor >= 14
	}
	return true
}

// Impact returns what becomes of each client, in their order, for a place of
// the mailbox and a day.
//
// A client whose agent stands for several rows with different outcomes is
// OutcomeUnknown, and Why names them; rows that are not applicable do not
// count as long as another one is. One that stands for no row is
// OutcomeUnknown too.
func Impact(clients []Client, hosting Hosting, at time.Time) []Effect {
	t := table()
	impacts := make([]Effect, 0, len(clients))
	for _, c := range clients {
		impacts = append(impacts, t.impact(c, hosting, at))
	}
	return impacts
}

func (t *clientTable) impact(c Client, hosting Hosting, at time.Time) Effect {
	impact := Effect{Client: c}
	type one struct {
		row     *rowJSON
		outcome Outcome
		why     string
	}
	var all, apply []one
	for _, r := range t.rowsOf(c) {
		o, why := r.outcome(hosting, at)
		all = append(all, one{r, o, why})
		if o != NotApplicable {
			apply = append(apply, one{r, o, why})
		}
	}
	if len(apply) == 0 {
		apply = all
	}
	if len(apply) == 0 {
		switch c.Capability {
		case MarkerLegacy:
			impact.Why = "Entra ID writes this agent for legacy authentication; which client it was is not in it."
		default:
			impact.Why = "No row of the table is about this client."
		}
		return impact
	}
	same := true
	var remedies, sources, differ []string
	for _, o := range apply {
		same = same && o.outcome == apply[0].outcome
		impact.Rows = append(impact.Rows, o.row.ID)
		sources = append(sources, o.row.Sources...)
		differ = append(differ, o.row.Name+": "+o.outcome.String())
		if o.row.Remedy != "None." && !slices.Contains(remedies, o.row.Remedy) {
			remedies = append(remedies, o.row.Remedy)
		}
		if weaker(o.row.Evidence, impact.Evidence) {
			impact.Evidence = o.row.Evidence
		}
	}
	impact.Sources = t.sources(sources)
	impact.Remedy = strings.Join(remedies, " ")
	if same {
		impact.Outcome, impact.Why = apply[0].outcome, apply[0].why
		return impact
	}
	impact.Why = "The agent stands for clients that come out differently. " + strings.Join(differ, "; ") + "."
	return impact
}

func weaker(a, b string) bool {
	rank := []string{"", "documented", "observed", "inferred"}
	return cmp.Compare(slices.Index(rank, a), slices.Index(rank, b)) > 0
}

// An Observation is what somebody saw when a client was tried.
type Observation struct {
	Client  string    // as the tester named it
	Row     string    // the row that was tried
	Hosting Hosting   // where the mailbox was
	At      time.Time // the day
	Outcome Outcome   // what was seen; OutcomeUnknown if it was not tried to the end
	Reason  string    // why it may differ from the table, if somebody knows
}

// A Difference is an observation that does not agree with the table.
type Difference struct {
	Observation
	Predicted Outcome
	Why       string // of the prediction
}

// Compare returns the observations that the table does not predict, in their
// order. An outcome that is unknown on either side is a difference too: it
// says that one of the two knows more. Continues and ContinuesModern agree, for
// who tries a client sees that it works, and seldom how.
func Compare(observed []Observation) []Difference {
	var differ []Difference
	for _, o := range observed {
		predicted, why := OutcomeOf(o.Row, o.Hosting, o.At)
		if predicted != o.Outcome && !(works(predicted) && works(o.Outcome)) && !(fails(predicted) && fails(o.Outcome)) {
			differ = append(differ, Difference{o, predicted, why})
		}
	}
	return differ
}

func works(o Outcome) bool { return o == Continues || o == ContinuesModern }
func fails(o Outcome) bool { return o == Stops || o == Prompts }

// Observations2020 returns the 14 rows of a table that an Exchange engineer
// published in April 2020 after trying clients with an authentication policy
// in Exchange Online, each with the row here that it is about, and where the
// two differ with the reason. Source: "Basic Authentication in Office 365",
// part II (jaapwesselius.com, April 2020).
func Observations2020() []Observation {
	var all []Observation
	for _, o := range table().Tested2020 {
		all = append(all, Observation{o.Client, o.Row, o.Hosting, o.Day.Time, o.Outcome, o.Reason})
	}
	return all
}
