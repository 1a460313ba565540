package plan

import (
	"encoding"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
)

// A question asks for one part of a summary: the events that it is about, in
// groups of those that have the keys in common.
type question struct {
	part  signins.Part
	title string
	where expr // yes for all
	keys  []key
}

// A key is a column of the answer, and what it says of a group.
type key struct {
	name string
	is   expr
	set  func(g *signins.Group, v Value) error
}

// Columns of an answer that are no keys.
const (
	colRecords   = "Records"
	colSuccesses = "Successes"
	colFirst     = "First"
	colLast      = "Last"
)

// textKey is a key that is the text of a column.
func textKey(name string, field func(*signins.SignIn) *string) key {
	return key{name, column(name), func(g *signins.Group, v Value) error {
		t, err := v.text()
		*field(&g.SignIn) = t
		return err
	}}
}

// nameKey is a key that is the name of a constant.
func nameKey[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](name string, field func(*signins.Group) P) key {
	return key{name, column(name), func(g *signins.Group, v Value) error {
		t, err := v.text()
		if err != nil {
			return err
		}
		return field(g).UnmarshalText([]byte(t))
	}}
}

// yesKey is a key that is yes or no, and no tells as little as unknown.
func yesKey(name string, field func(*signins.Group) *crossprem.Answer) key {
	return key{name, column(name), func(g *signins.Group, v Value) error {
		is, err := v.yes()
		if is {
			*field(g) = crossprem.Yes
		}
		return err
	}}
}

// ignored is a key that only keeps groups apart.
func ignored(name string) key {
	return key{name, column(name), func(*signins.Group, Value) error { return nil }}
}

var (
	classKey    = nameKey(colClass, func(g *signins.Group) *signins.Class { return &g.Verdict.Class })
	protocolKey = nameKey(colProtocol, func(g *signins.Group) *signins.Protocol { return &g.Verdict.Protocol })
	outcomeKey  = nameKey(colOutcome, func(g *signins.Group) *signins.Outcome { return &g.Verdict.Outcome })
	basicKey    = nameKey(colBasic, func(g *signins.Group) *crossprem.Answer { return &g.Verdict.BasicAuth })
	rightKey    = nameKey(colRight, func(g *signins.Group) *crossprem.Answer { return &g.Verdict.PasswordRight })
	ropcKey     = yesKey(colROPC, func(g *signins.Group) *crossprem.Answer { return &g.Verdict.ROPC })
	deviceKey   = yesKey(colDeviceCode, func(g *signins.Group) *crossprem.Answer { return &g.Verdict.DeviceCode })
	mailKey     = yesKey(colNativeMail, func(g *signins.Group) *crossprem.Answer { return &g.Verdict.NativeMail })
	inKey       = nameKey(colInteractive, func(g *signins.Group) *crossprem.Answer { return &g.SignIn.Interactive })
	upnKey      = key{colUPN, trim(column(colUPN)), textKey(colUPN, func(s *signins.SignIn) *string { return &s.UserPrincipalName }).set}
	userIDKey   = textKey(colUserID, func(s *signins.SignIn) *string { return &s.UserID })
	agentKey    = textKey(colAgent, func(s *signins.SignIn) *string { return &s.UserAgent })
	countryKey  = textKey(colCountry, func(s *signins.SignIn) *string { return &s.CountryOrRegion })
	networkKey  = key{colNetwork, column(colNetwork), func(g *signins.Group, v Value) error {
		n, err := v.number()
		if n < 0 || n > math.MaxUint32 {
			n = 0
		}
		g.SignIn.AutonomousSystemNumber = uint32(n)
		return err
	}}
	missingKey = key{colMissing, column(colMissing), func(g *signins.Group, v Value) error {
		t, err := v.text()
		if err != nil {
			return err
		}
		var missing signins.Fields
		if err := missing.UnmarshalText([]byte(strings.TrimSuffix(t, ","))); err != nil {
			return err
		}
		g.SignIn.Known = ^missing
		return nil
	}}
	byAgentKey = key{colByAgent, column(colByAgent), func(g *signins.Group, v Value) error {
		is, err := v.yes()
		if is {
			g.Verdict.Reason = signins.ByUserAgent
		}
		return err
	}}
	kindKey = key{colKind, column(colKind), func(g *signins.Group, v Value) error {
		t, err := v.text()
		if err != nil || t == "" {
			return err
		}
		kind, ok := kinds[t]
		if !ok {
			return fmt.Errorf("there is no evidence called %.40q", t)
		}
		g.Kind = kind
		return nil
	}}
)

// interactive keeps of a column what sign-ins show that are not known to be
// non-interactive: the others may show the place of a server.
func interactive(k key) key {
	k.is = cases(equal(column(colInteractive), crossprem.No.String()), text(""), k.is)
	return k
}

// noSession keeps of a column what other evidence than sessions shows.
func noSession(k key) key {
	switch k.name {
	case colROPC:
		k.is = and(not(equal(column(colKind), "session")), k.is)
	case colProtocol:
		k.is = cases(equal(column(colKind), "session"), protocolName(signins.UnknownProtocol), k.is)
	default:
		k.is = cases(equal(column(colKind), "session"), text(""), k.is)
	}
	return k
}

// questions are those that together make a summary. The order is that of
// signins.Part, totals first: the others are compared with them.
func questions() []question {
	legacy := equal(column(colClass), signins.Legacy.String())
	user := not(equal(column(colClass), signins.NotApplicable.String()))
	clientKey := textKey(colClientApp, func(s *signins.SignIn) *string { return &s.ClientAppUsed })
	ipKey := textKey(colIP, func(s *signins.SignIn) *string { return &s.IPAddress })
	ipOfUnknownNetwork := ipKey
	ipOfUnknownNetwork.is = cases(isZero(column(colNetwork)), column(colIP), text(""))
	return []question{
		{signins.PartTotals, "How many sign-ins there are of each kind", yes,
			[]key{classKey, protocolKey, outcomeKey, basicKey, byAgentKey, ropcKey, deviceKey, mailKey, inKey, missingKey, kindKey}},
		{signins.PartApplications, "Which applications and clients still use what has to go", or(legacy, and(column(colROPC), user)),
			[]key{classKey, protocolKey, ropcKey,
				textKey(colAppID, func(s *signins.SignIn) *string { return &s.AppID }),
				textKey(colApp, func(s *signins.SignIn) *string { return &s.AppDisplayName }), agentKey}},
		{signins.PartPlaces, "Where legacy sign-ins come from", legacy, []key{interactive(countryKey), networkKey, ipOfUnknownNetwork}},
		{signins.PartTimes, "When legacy sign-ins come", legacy,
			[]key{protocolKey, {colHour, hour(column(colTime)), func(*signins.Group, Value) error { return nil }}}},
		{signins.PartUsers, "Who uses legacy authentication, password grants, device codes and native mail apps",
			or(legacy, and(user, or(column(colROPC), column(colDeviceCode), column(colNativeMail)))),
			[]key{upnKey, userIDKey, classKey, protocolKey, outcomeKey, basicKey, rightKey, ropcKey, deviceKey, mailKey}},
		{signins.PartUserCountries, "From which countries users sign in with legacy authentication",
			and(legacy, isNotEmpty(column(colCountry)), not(equal(column(colInteractive), crossprem.No.String()))), []key{upnKey, userIDKey, countryKey}},
		{signins.PartUserClients, "With which clients users sign in with legacy authentication",
			and(legacy, isNotEmpty(column(colAgent))), []key{upnKey, userIDKey, agentKey}},
		{signins.PartUnlisted, "Which client apps no table knows", column(colUnlisted), []key{clientKey}},
		{signins.PartEvidence, "What attacks on passwords are judged from", isNotEmpty(column(colKind)),
			[]key{kindKey, ignored(colHour), ipKey, interactive(countryKey), networkKey, upnKey, userIDKey,
				noSession(agentKey), noSession(protocolKey), noSession(ropcKey)}},
	}
}

// needs returns the columns of steps that q looks at, those of steps that they
// need included, in the order of steps, and likewise the columns of the source.
func (q *question) needs(steps []step) (worked []step, source []string) {
	wanted := map[string]bool{colSuccess: true, colTime: true}
	want := func(e expr) { e.columns(func(name string) { wanted[name] = true }) }
	want(q.where)
	for _, k := range q.keys {
		want(k.is)
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if wanted[steps[i].name] {
			want(steps[i].is)
		}
	}
	for _, s := range steps {
		if wanted[s.name] {
			worked = append(worked, s)
		}
	}
	for _, name := range columnNames {
		if wanted[name] {
			source = append(source, name)
		}
	}
	return worked, source
}

// A Value is a cell of an engine's answer: nil, a string, an int64, a bool, or
// a time.Time.
type Value struct{ Any any }

func (v Value) text() (string, error) {
	switch t := v.Any.(type) {
	case nil:
		return "", nil
	case string:
		return t, nil
	}
	return "", fmt.Errorf("a %T is no text", v.Any)
}

func (v Value) yes() (bool, error) {
	switch t := v.Any.(type) {
	case bool:
		return t, nil
	case int64:
		return t != 0, nil
	}
	return false, fmt.Errorf("a %T is neither true nor false", v.Any)
}

func (v Value) number() (int64, error) {
	switch t := v.Any.(type) {
	case nil:
		return 0, nil
	case int64:
		return t, nil
	}
	return 0, fmt.Errorf("a %T is no whole number", v.Any)
}

func (v Value) time() (time.Time, error) {
	switch t := v.Any.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("a %T is no time", v.Any)
}

// Columns returns the names of the columns of the answer to q, in order.
func (q *question) Columns() []string {
	names := []string{}
	for _, k := range q.keys {
		names = append(names, k.name)
	}
	names = append(names, colRecords, colSuccesses, colFirst, colLast)
	if q.part == signins.PartTotals {
		names = append(names, colCopies)
	}
	return names
}

// group reads one row of the answer to q.
func (q *question) group(row []Value) (g signins.Group, err error) {
	columns := q.Columns()
	if len(row) != len(columns) {
		return g, fmt.Errorf("a row has %d columns, not %d", len(row), len(columns))
	}
	fail := func(name string, err error) (signins.Group, error) {
		return g, fmt.Errorf("column %s: %w", name, err)
	}
	for i, k := range q.keys {
		if err := k.set(&g, row[i]); err != nil {
			return fail(k.name, err)
		}
	}
	rest := row[len(q.keys):]
	for i, to := range []*int64{&g.Records, &g.Successes} {
		if *to, err = rest[i].number(); err != nil {
			return fail(columns[len(q.keys)+i], err)
		}
	}
	for i, to := range []*time.Time{&g.First, &g.Last} {
		if *to, err = rest[2+i].time(); err != nil {
			return fail(columns[len(q.keys)+2+i], err)
		}
	}
	if q.part == signins.PartTotals {
		if g.Copies, err = rest[4].number(); err != nil {
			return fail(colCopies, err)
		}
	}
	return g, nil
}

// verdicts asks for the verdict on every event, by the user principal name that
// a test gave each: what the questions are made of, one by one.
func verdicts() question {
	return question{signins.UnknownPart, "The verdict on each sign-in", yes,
		[]key{upnKey, classKey, protocolKey, outcomeKey, basicKey, rightKey, ropcKey, deviceKey, mailKey, byAgentKey, kindKey,
			{colUnlisted, column(colUnlisted), func(g *signins.Group, v Value) error {
				is, err := v.yes()
				if is {
					g.Verdict.Reason = signins.UnlistedClient
				}
				return err
			}}}}
}

// Verdicts asks for the verdict on each event whose user principal name is its
// own. The Reason is [signins.ByUserAgent] or [signins.UnlistedClient] where it
// is, and the Guess and the Credential are not told.
func (p *Plan) Verdicts(d Dialect) (query string, columns []string, group func(row []Value) (signins.Group, error)) {
	q := verdicts()
	return d.Question(p, &q, Window{}), q.Columns(), q.group
}
