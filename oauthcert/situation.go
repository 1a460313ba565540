package oauthcert

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Situation names what an organisation uses across the seam; the zero value
// says that nobody told. See [Situations] for those that are known.
type Situation string

// Advice is what to do in one situation, and what not.
type Advice struct {
	Situation Situation `json:"id"`
	When      string    `json:"when"`
	Keys      string    `json:"keys"` // where auth certificates belong: "application" (the dedicated hybrid one), "teams" (its two principals) or "none"
	Do        string    `json:"do"`
	Not       string    `json:"not"`
	Sources   []string  `json:"sources"`
}

//go:embed data/situations.json
var situationsJSON []byte

var situations = sync.OnceValue(func() (table struct {
	AsOf       string   `json:"asOf"`
	Situations []Advice `json:"situations"`
}) {
	if err := json.Unmarshal(situationsJSON, &table); err != nil {
		panic("oauthcert: embedded situations: " + err.Error())
	}
	return table
})

// AsOf is the day on which the advice was last compared with its sources, as
// YYYY-MM-DD.
func AsOf() string { return situations().AsOf }

// Situations returns the situations that are known and the advice for each.
// The slice is the caller's.
func Situations() []Advice { return slices.Clone(situations().Situations) }

// refusesKeys says why adding keys to the object is wrong in the situation,
// or "". A situation that is not known refuses everything: it is a mistake
// of spelling, and must not pass for "none given".
func (s Situation) refusesKeys(o *Object) string {
	if s == "" {
		return ""
	}
	table := situations().Situations
	i := slices.IndexFunc(table, func(a Advice) bool { return a.Situation == s })
	if i < 0 {
		return fmt.Sprintf("the policy names a situation that is not known: %.40q", string(s))
	}
	a := table[i]
	app := strings.ToLower(o.AppID)
	switch {
	case a.Keys == "none":
	case a.Keys == "teams" && o.Kind == ServicePrincipal && (app == CloudVoicemail || app == TeamsScheduler):
		return ""
	case a.Keys == "application" && !o.FirstParty():
		return ""
	}
	return a.When + ": " + a.Do + ". " + a.Not
}
