package signins_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// projected returns the group that s belongs to in p, and false if p does not
// look at it. It is written from the comments of the parts alone.
func projected(p signins.Part, s *signins.SignIn, v *signins.Verdict) (g signins.Group, ok bool) {
	legacy, grant := v.Class == signins.Legacy, v.ROPC == crossprem.Yes && v.Class != signins.NotApplicable
	switch p {
	case signins.PartTotals:
		g.SignIn = signins.SignIn{Interactive: s.Interactive, Known: s.Known}
		g.Verdict = signins.Verdict{Class: v.Class, Protocol: v.Protocol, Outcome: v.Outcome, BasicAuth: v.BasicAuth, ROPC: v.ROPC, DeviceCode: v.DeviceCode}
		if v.Reason == signins.ByUserAgent {
			g.Verdict.Reason = v.Reason
		}
		return g, true
	case signins.PartApplications:
		g.SignIn = signins.SignIn{AppID: s.AppID, AppDisplayName: s.AppDisplayName, UserAgent: s.UserAgent}
		g.Verdict = signins.Verdict{Class: v.Class, Protocol: v.Protocol, ROPC: v.ROPC}
		return g, legacy || grant
	case signins.PartPlaces:
		g.SignIn = signins.SignIn{Interactive: s.Interactive, CountryOrRegion: s.CountryOrRegion, AutonomousSystemNumber: s.AutonomousSystemNumber}
		if s.AutonomousSystemNumber == 0 {
			g.SignIn.IPAddress = s.IPAddress
		}
		return g, legacy
	case signins.PartTimes:
		g.Verdict.Protocol = v.Protocol
		g.SignIn.Time = s.Time.UTC().Truncate(time.Hour)
		return g, legacy
	case signins.PartUsers:
		g.SignIn = signins.SignIn{UserPrincipalName: s.UserPrincipalName, UserID: s.UserID}
		g.Verdict = signins.Verdict{Class: v.Class, Protocol: v.Protocol, Outcome: v.Outcome, BasicAuth: v.BasicAuth, PasswordRight: v.PasswordRight,
			ROPC: v.ROPC, DeviceCode: v.DeviceCode, NativeMail: v.NativeMail}
		return g, legacy || v.Class != signins.NotApplicable && (grant || v.DeviceCode == crossprem.Yes || v.NativeMail == crossprem.Yes)
	case signins.PartUserCountries:
		g.SignIn = signins.SignIn{UserPrincipalName: s.UserPrincipalName, UserID: s.UserID, CountryOrRegion: s.CountryOrRegion}
		return g, legacy && s.CountryOrRegion != "" && s.Interactive != crossprem.No
	case signins.PartUserClients:
		g.SignIn = signins.SignIn{UserPrincipalName: s.UserPrincipalName, UserID: s.UserID, UserAgent: s.UserAgent}
		return g, legacy && s.UserAgent != ""
	case signins.PartUnlisted:
		g.SignIn.ClientAppUsed = s.ClientAppUsed
		return g, v.Reason == signins.UnlistedClient || v.Protocol == signins.UnknownProtocol && legacy && s.ClientAppUsed != ""
	case signins.PartEvidence:
		g.Kind = signins.KindOf(s, v)
		g.SignIn = signins.SignIn{IPAddress: s.IPAddress, AutonomousSystemNumber: s.AutonomousSystemNumber, UserPrincipalName: s.UserPrincipalName, UserID: s.UserID}
		if s.Interactive != crossprem.No {
			g.SignIn.CountryOrRegion = s.CountryOrRegion
		}
		if g.Kind != signins.SessionAccepted {
			g.SignIn.UserAgent = s.UserAgent
			g.Verdict.Protocol, g.Verdict.ROPC = v.Protocol, v.ROPC
		}
		if g.Kind >= signins.WrongPassword && g.Kind <= signins.WeakGuess {
			g.SignIn.Time = s.Time.UTC().Truncate(time.Hour)
		}
		return g, g.Kind != signins.UnknownEvidence
	}
	return g, false
}

// grouped summarises seq as an engine would: part by part, in groups.
func grouped(t *testing.T, z *signins.Summarizer, events []signins.SignIn) *signins.Summary {
	stream := z.Begin()
	for p := signins.PartTotals; p <= signins.PartEvidence; p++ {
		groups := map[signins.Group]*signins.Group{}
		for i := range events {
			s := &events[i]
			v := z.Tables.Classify(z.Definition, s)
			key, ok := projected(p, s, &v)
			if !ok {
				continue
			}
			g := groups[key]
			if g == nil {
				copied := key
				g = &copied
				groups[key] = g
			}
			g.Records++
			if v.Outcome == signins.Success {
				g.Successes++
			}
			if !s.Time.IsZero() {
				if g.First.IsZero() || s.Time.Before(g.First) {
					g.First = s.Time
				}
				if s.Time.After(g.Last) {
					g.Last = s.Time
				}
			}
		}
		for _, g := range groups { // in any order
			require.NoError(t, stream.AddGroup(p, g))
		}
	}
	return stream.Summary()
}

func requireSameSummary(t *testing.T, want, got *signins.Summary) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	if string(a) != string(b) {
		require.JSONEq(t, string(a), string(b))
	}
}

func collected(t *testing.T, seq iter.Seq2[signins.SignIn, error]) (events []signins.SignIn) {
	for s, err := range seq {
		var record *signins.RecordError
		if err != nil {
			require.ErrorAs(t, err, &record)
			continue
		}
		events = append(events, s)
	}
	return events
}

// Groups that another engine makes come to the same summary as the sign-ins
// one by one.
func TestAddGroup(t *testing.T) {
	logs := map[string][]signins.SignIn{}
	for _, folder := range []string{"storage", "loganalytics", "graph-beta", "graph-v1.0", "portal", "eventhub", "unifiedaudit", "defender"} {
		logs[folder] = collected(t, signins.ReadFiles(t.Context(), os.DirFS("testdata/samples/"+folder)))
	}
	for seed := range uint64(3) {
		tenant := &signinstest.Tenant{Seed: 4400 + seed, Users: 300, Events: 6000, Sprays: 2, BruteForces: 2, DistributedSprays: 1}
		name := fmt.Sprint("tenant ", seed)
		for s := range tenant.SignIns() {
			logs[name] = append(logs[name], s)
		}
	}
	for name, events := range logs {
		require.NotEmpty(t, events, name)
		for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
			z := &signins.Summarizer{Definition: definition}
			want, err := z.Summarize(func(yield func(signins.SignIn, error) bool) {
				for _, s := range events {
					if !yield(s, nil) {
						return
					}
				}
			})
			require.NoError(t, err)
			requireSameSummary(t, want, grouped(t, z, events))
		}
	}
}

func TestAddGroupRefuses(t *testing.T) {
	at := time.Date(2026, 11, 18, 8, 59, 0, 0, time.UTC)
	good := signins.Group{Records: 2, Successes: 1, First: at, Last: at.Add(30 * time.Second), Kind: signins.WrongPassword, SignIn: signins.SignIn{IPAddress: "192.0.2.1"}}
	for name, c := range map[string]struct {
		part  signins.Part
		spoil func(*signins.Group)
	}{
		"no part":             {signins.UnknownPart, func(*signins.Group) {}},
		"part beyond":         {99, func(*signins.Group) {}},
		"class":               {signins.PartTotals, func(g *signins.Group) { g.Verdict.Class = 77 }},
		"protocol":            {signins.PartTimes, func(g *signins.Group) { g.Verdict.Protocol = 77 }},
		"outcome":             {signins.PartUsers, func(g *signins.Group) { g.Verdict.Outcome = 77 }},
		"answer":              {signins.PartUsers, func(g *signins.Group) { g.Verdict.BasicAuth = 3 }},
		"none":                {signins.PartTotals, func(g *signins.Group) { g.Records = 0 }},
		"negative copies":     {signins.PartTotals, func(g *signins.Group) { g.Copies = -1 }},
		"more successes":      {signins.PartPlaces, func(g *signins.Group) { g.Successes = 3 }},
		"ends before":         {signins.PartUsers, func(g *signins.Group) { g.Last = at.Add(-1) }},
		"no first":            {signins.PartUsers, func(g *signins.Group) { g.First = time.Time{} }},
		"two hours":           {signins.PartTimes, func(g *signins.Group) { g.Last = at.Add(2 * time.Minute) }},
		"evidence: two hours": {signins.PartEvidence, func(g *signins.Group) { g.Last = at.Add(2 * time.Minute) }},
		"evidence: no kind":   {signins.PartEvidence, func(g *signins.Group) { g.Kind = 0 }},
		"evidence: address":   {signins.PartEvidence, func(g *signins.Group) { g.SignIn.IPAddress = "" }},
		"evidence: no time":   {signins.PartEvidence, func(g *signins.Group) { g.First, g.Last = time.Time{}, time.Time{} }},
	} {
		stream := new(signins.Summarizer).Begin()
		g := good
		c.spoil(&g)
		assert.Error(t, stream.AddGroup(c.part, &g), name)
		requireSameSummary(t, new(signins.Summarizer).Begin().Summary(), stream.Summary())
		assert.NoError(t, stream.AddGroup(cmp.Or(c.part%10, 1), &good), name)
	}
}

func TestTableRows(t *testing.T) {
	rows := (*signins.Tables)(nil).Rows()
	require.NotEmpty(t, rows.Clients)
	for _, c := range rows.Clients {
		v := signins.Classify(&signins.SignIn{ClientAppUsed: c.Name, Known: signins.FieldClientAppUsed})
		assert.Equal(t, []any{c.Class, c.Protocol}, []any{v.Class, v.Protocol}, c.Name)
	}
	require.NotEmpty(t, rows.Codes)
	for _, c := range rows.Codes {
		v := signins.Classify(&signins.SignIn{ErrorCode: c.Code, Known: signins.FieldErrorCode, Methods: signins.MethodPassword})
		assert.Equal(t, []any{c.Outcome, c.Password, c.Guess && c.Password != crossprem.Yes}, []any{v.Outcome, v.PasswordRight, v.Guess}, c.Code)
	}
	assert.NotEmpty(t, rows.Agents)
	assert.NotEmpty(t, rows.NativeMail)
}

// FuzzAddGroup holds that a group is counted or refused, and a summary of what
// was counted can be stored and read back.
func FuzzAddGroup(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(4), uint8(1), uint8(2), int64(3), int64(1), int64(1763450000), int64(60), "alice@contoso.com", "192.0.2.1", "IMAP")
	f.Add(uint8(9), uint8(1), uint8(4), uint8(2), uint8(0), int64(1), int64(0), int64(1763450000), int64(0), "\xff", "::1", "x")
	f.Fuzz(func(t *testing.T, part, class, protocol, outcome, answer uint8, records, successes, first, span int64, name, ip, agent string) {
		stream := new(signins.Summarizer).Begin()
		at := time.Unix(first%(1<<34), 0)
		g := signins.Group{
			SignIn: signins.SignIn{UserPrincipalName: name, UserID: name, IPAddress: ip, UserAgent: agent, ClientAppUsed: agent, AppDisplayName: agent, CountryOrRegion: agent,
				Interactive: crossprem.Answer(answer)},
			Verdict: signins.Verdict{Class: signins.Class(class), Protocol: signins.Protocol(protocol), Outcome: signins.Outcome(outcome), BasicAuth: crossprem.Answer(answer),
				ROPC: crossprem.Answer(answer), DeviceCode: crossprem.Answer(answer), NativeMail: crossprem.Answer(answer), PasswordRight: crossprem.Answer(answer)},
			Kind: signins.EvidenceKind(outcome), Records: records, Successes: successes, First: at, Last: at.Add(time.Duration(span%(1<<20)) * time.Second),
		}
		err := stream.AddGroup(signins.Part(part), &g)
		s := stream.Summary()
		if err != nil {
			requireSameSummary(t, new(signins.Summarizer).Begin().Summary(), s)
			return
		}
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var back signins.Summary
		require.NoError(t, json.Unmarshal(text, &back))
		requireSameSummary(t, s, &back)
	})
}
