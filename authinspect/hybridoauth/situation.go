package hybridoauth

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/exchange"
)

// A Situation says what the organization uses OAuth for; several may be joined
// with |. It decides which rules apply. The zero value stands for "find it
// out": [Detect] says what the capture tells, and a rule of a situation that
// is neither shown nor ruled out is unknown.
//
// In text and JSON it is the names joined by commas, such as
// "dedicated-app,ews-route", and "" for zero.
type Situation uint16

// The situations.
const (
	Any          Situation = 1 << iota // "any": the rules that always apply, nothing is known beyond
	ACSFlow                            // "acs-flow": an enabled ACS auth server is still in use
	DedicatedApp                       // "dedicated-app": rich coexistence from on premises to Exchange Online
	GraphRoute                         // "graph-route": calls to the cloud go through Microsoft Graph
	EWSRoute                           // "ews-route": calls to the cloud go through EWS
	HMA                                // "hma": hybrid modern authentication for clients
	DAuth                              // "dauth": organization relationships with federation trust
	Pre2013                            // "pre2013": Exchange 2010 servers remain
	HybridAgent                        // "hybrid-agent": modern hybrid with the Hybrid Agent
	Migration                          // "migration": mailboxes are moved
	CrossTenant                        // "cross-tenant": free/busy from tenant to tenant
	TeamsOnPrem                        // "teams-onprem": Teams for on-premises mailboxes
	NoHybrid                           // "no-hybrid": hybrid was removed, or OAuth was never used
)

var situationNames = []string{"any", "acs-flow", "dedicated-app", "graph-route", "ews-route", "hma", "dauth", "pre2013", "hybrid-agent", "migration", "cross-tenant",
	"teams-onprem", "no-hybrid"}

// Situations returns every situation, in the order of the constants. The slice
// is the caller's.
func Situations() []Situation {
	all := make([]Situation, len(situationNames))
	for i := range all {
		all[i] = 1 << i
	}
	return all
}

// ParseSituation reads the names of situations, joined by commas. "" is zero.
func ParseSituation(text string) (Situation, error) {
	var s Situation
	if strings.TrimSpace(text) == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		i := slices.Index(situationNames, strings.ToLower(strings.TrimSpace(name)))
		if i < 0 {
			return 0, fmt.Errorf("hybridoauth: no such situation: %.40q; there are %s", name, strings.Join(situationNames, ", "))
		}
		s |= 1 << i
	}
	return s, nil
}

// String returns the names of the situations, joined by commas.
func (s Situation) String() string {
	var names []string
	for rest := uint16(s); rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros16(rest)
		if i >= len(situationNames) {
			names = append(names, fmt.Sprintf("Situation(%d)", 1<<i))
			continue
		}
		names = append(names, situationNames[i])
	}
	return strings.Join(names, ",")
}

// MarshalText returns what String does, and an error for a bit that is none of
// the constants.
func (s Situation) MarshalText() ([]byte, error) {
	if s >= 1<<len(situationNames) {
		return nil, fmt.Errorf("hybridoauth: no such situation: %d", uint16(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Situation) UnmarshalText(text []byte) error {
	read, err := ParseSituation(string(text))
	if err == nil {
		*s = read
	}
	return err
}

// Detect returns the situations that a configuration shows, and those that it
// rules out. What is in neither is not known.
func Detect(c Configuration) (shown, ruledOut Situation) {
	j := newJudge(&c, Situation(0), c.Context.Now)
	say := func(s Situation, a crossprem.Answer) {
		switch a {
		case crossprem.Yes:
			shown |= s
		case crossprem.No:
			ruledOut |= s
		}
	}
	relationship := j.anyOf("Relationship", func(o Object) crossprem.Answer { return o.Get("Enabled").yes() })
	connector := j.anyOf("Connector", func(Object) crossprem.Answer { return crossprem.Yes })
	acs := j.anyOf("ACS", func(o Object) crossprem.Answer { return o.Get("Enabled").yes() })
	dedicated := or(j.anyOf("DedicatedOverride", func(Object) crossprem.Answer { return crossprem.Yes }),
		j.anyOf("EvoSTS", func(o Object) crossprem.Answer { return notEmpty(o.Get("ApplicationIdentifier")) }),
		j.anyOf("DedicatedApplication", func(Object) crossprem.Answer { return crossprem.Yes }))
	if c.Context.DedicatedAppID != "" {
		dedicated = crossprem.Yes
	}
	graph := j.anyOf("GraphOverride", func(Object) crossprem.Answer { return crossprem.Yes })
	coexistence := or(relationship, connector, dedicated)
	if coexistence == crossprem.No && acs != crossprem.No {
		coexistence = crossprem.AnswerUnknown // what ACS is there for was not captured
	}
	if or(relationship, connector) == crossprem.No && dedicated != crossprem.Yes {
		coexistence = crossprem.No // nothing asks the cloud for anything
	}
	say(DedicatedApp, coexistence)
	say(ACSFlow, acs)
	say(GraphRoute, graph)
	if coexistence == crossprem.Yes {
		say(EWSRoute, not(graph))
	}
	say(HMA, j.anyOf("OrganizationConfig", func(o Object) crossprem.Answer { return o.Get("OAuth2ClientProfileEnabled").yes() }))
	say(DAuth, and(relationship, not(connector)))
	say(Pre2013, j.anyOf("ExchangeServer", func(o Object) crossprem.Answer {
		build, ok := j.build(o)
		if !ok {
			return crossprem.AnswerUnknown
		}
		return crossprem.AnswerOf(build[0] < 15)
	}))
	say(HybridAgent, j.usesHybridAgent())
	say(Migration, crossprem.AnswerUnknown)
	say(CrossTenant, j.anyIn(exchange.AvailabilityAddressSpace, ExchangeOnline, func(Object) crossprem.Answer { return crossprem.Yes }))
	say(TeamsOnPrem, j.anyOf("PartnerApplication", func(o Object) crossprem.Answer {
		return crossprem.AnswerOf(slices.Contains([]string{legacySkype, cloudVoicemail, teamsScheduler}, strings.ToLower(o.Get("ApplicationIdentifier").scalar())))
	}))
	inUse := or(j.anyOf("DedicatedOverride", func(Object) crossprem.Answer { return crossprem.Yes }), // an application may be left over
		j.anyOf("EvoSTS", func(o Object) crossprem.Answer { return notEmpty(o.Get("ApplicationIdentifier")) }))
	evo := j.anyOf("EvoSTS", func(o Object) crossprem.Answer { return o.Get("Enabled").yes() })
	say(NoHybrid, and(not(relationship), not(connector), not(inUse), not(acs), not(evo)))
	return shown, ruledOut
}

func notEmpty(v Value) crossprem.Answer {
	if !v.IsKnown() {
		return crossprem.AnswerUnknown
	}
	return crossprem.AnswerOf(!v.isEmpty())
}

func or(answers ...crossprem.Answer) crossprem.Answer {
	result := crossprem.No
	for _, a := range answers {
		switch {
		case a == crossprem.Yes:
			return crossprem.Yes
		case a == crossprem.AnswerUnknown:
			result = crossprem.AnswerUnknown
		}
	}
	return result
}

func not(a crossprem.Answer) crossprem.Answer {
	switch a {
	case crossprem.Yes:
		return crossprem.No
	case crossprem.No:
		return crossprem.Yes
	}
	return crossprem.AnswerUnknown
}

func and(answers ...crossprem.Answer) crossprem.Answer {
	inverted := make([]crossprem.Answer, len(answers))
	for i, a := range answers {
		inverted[i] = not(a)
	}
	return not(or(inverted...))
}
