package authpolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Usage is what a log says of one user's legacy sign-ins: one entry of the
// users of a sign-ins summary, copied by the caller.
type Usage struct {
	User            string    // user principal name
	LegacySuccesses int64     // legacy sign-ins that succeeded; passwords are in use
	LastLegacy      time.Time // the last of them; zero if not known
	Protocols       []string  // over which, for people
}

// A Rollout is a plan to block Basic in Exchange Online with an authentication
// policy, in stages. It is text for a person to run; nothing here runs it.
type Rollout struct {
	At     string  `json:"at"`     // the day, such as "2026-11-26"
	Policy string  `json:"policy"` // the name of the policy
	Stages []Stage `json:"stages"`

	// LeftOut are the users whom the log still shows with legacy
	// authentication, the latest first: they are in no stage.
	LeftOut []Usage `json:"leftOut"`
}

// A Stage is one step of a rollout.
type Stage struct {
	Title    string   `json:"title"`
	Users    []string `json:"users,omitempty"`
	Commands []string `json:"commands"` // Exchange Online PowerShell, in order
	Back     []string `json:"back"`     // how to undo it
	Wait     string   `json:"wait"`     // how long until it works, and what to look at
}

// A Planner holds the settings of a rollout. The zero value is ready to use.
type Planner struct {
	Policy string // the name of the policy; "Block Basic Authentication" if empty
	Pilot  int    // how many users come first; 10 if zero
	Stage  int    // how many users a later stage has at most; 500 if zero

	// Quiet is how long ago the last legacy sign-in of a user must be for the
	// user to be included. If zero, 30 days. A user with successes whose last
	// day is not known is left out.
	Quiet time.Duration
}

// PlanBlock plans with the settings of the zero [Planner].
func PlanBlock(users []Usage, at time.Time) Rollout { return new(Planner).PlanBlock(users, at) }

// PlanBlock plans how Basic is blocked for users with an authentication policy
// of Exchange Online: the policy is made, a pilot gets it, the others follow in
// stages, and last it becomes the default of the organization if nobody was
// left out. Users whom the log shows with successful legacy sign-ins within
// Quiet are left out. A user who is there twice counts with the later sign-in.
// Empty names are passed over.
//
// Source: Disable Basic authentication in Exchange Online (learn.microsoft.com).
func (p *Planner) PlanBlock(users []Usage, at time.Time) Rollout {
	name := cmp.Or(p.Policy, "Block Basic Authentication")
	pilot, size := cmp.Or(max(p.Pilot, 0), 10), cmp.Or(max(p.Stage, 0), 500)
	quiet := cmp.Or(p.Quiet, 30*24*time.Hour)
	r := Rollout{At: at.UTC().Format(time.DateOnly), Policy: name, LeftOut: []Usage{}}

	byName := make(map[string]Usage, len(users))
	for _, u := range users {
		key := strings.ToLower(strings.TrimSpace(u.User))
		if key == "" {
			continue
		}
		have, twice := byName[key]
		if twice {
			u.LegacySuccesses += have.LegacySuccesses
			if have.LastLegacy.After(u.LastLegacy) {
				u.LastLegacy = have.LastLegacy
			}
			u.Protocols = append(slices.Clone(have.Protocols), u.Protocols...)
			u.User = have.User
		}
		byName[key] = u
	}
	var include []string
	for _, u := range byName {
		if u.LegacySuccesses > 0 && (u.LastLegacy.IsZero() || at.Sub(u.LastLegacy) < quiet) {
			slices.Sort(u.Protocols)
			u.Protocols = slices.Compact(u.Protocols)
			r.LeftOut = append(r.LeftOut, u)
			continue
		}
		include = append(include, strings.TrimSpace(u.User))
	}
	slices.SortFunc(r.LeftOut, func(a, b Usage) int {
		return cmp.Or(b.LastLegacy.Compare(a.LastLegacy), strings.Compare(a.User, b.User))
	})
	slices.Sort(include)

	r.Stages = append(r.Stages, Stage{
		Title:    "Make a policy that blocks Basic for every protocol",
		Commands: []string{"New-AuthenticationPolicy -Name " + quote(name)},
		Back:     []string{"Remove-AuthenticationPolicy -Identity " + quote(name)},
		Wait:     "A policy that nobody has does nothing.",
	})
	for n := 1; len(include) > 0; n++ {
		count, title := min(size, len(include)), fmt.Sprintf("Stage %d", n)
		if n == 1 {
			count, title = min(pilot, len(include)), "Pilot"
		}
		r.Stages = append(r.Stages, stage(title, include[:count], name))
		include = include[count:]
	}
	if len(r.LeftOut) == 0 && len(r.Stages) > 1 {
		r.Stages = append(r.Stages, Stage{
			Title:    "Make it the default of the organization",
			Commands: []string{"Set-OrganizationConfig -DefaultAuthenticationPolicy " + quote(name)},
			Back:     []string{"Set-OrganizationConfig -DefaultAuthenticationPolicy $null"},
			Wait:     "It takes up to 24 hours, and concerns every user without a policy of their own, new ones too.",
		})
	}
	return r
}

func stage(title string, users []string, policy string) Stage {
	s := Stage{Title: title, Users: slices.Clone(users),
		Wait: "It takes up to 24 hours, and about 30 minutes with -STSRefreshTokensValidFrom, which also makes the user sign in again. Then look at the sign-ins of these users."}
	for _, u := range users {
		s.Commands = append(s.Commands, fmt.Sprintf("Set-User -Identity %s -AuthenticationPolicy %s -STSRefreshTokensValidFrom $([System.DateTime]::UtcNow)", quote(u), quote(policy)))
		s.Back = append(s.Back, fmt.Sprintf("Set-User -Identity %s -AuthenticationPolicy $null", quote(u)))
	}
	return s
}

// Script returns the commands of the rollout as one text with comments, to be
// read and run by a person, stage by stage.
func (r Rollout) Script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Block Basic authentication in Exchange Online, planned on %s.\n# Run one stage at a time, and look at the sign-ins in between.\n", r.At)
	for _, s := range r.Stages {
		fmt.Fprintf(&b, "\n# %s\n# %s\n%s\n# To go back:\n# %s\n", oneLine(s.Title), oneLine(s.Wait), strings.Join(s.Commands, "\n"), strings.Join(s.Back, "\n# "))
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(&b, "\n# Left out, for they still sign in with legacy authentication (%d):\n", len(r.LeftOut))
		for _, u := range r.LeftOut {
			fmt.Fprintf(&b, "# %s %s\n", oneLine(u.User), oneLine(strings.Join(u.Protocols, ", ")))
		}
	}
	return b.String()
}
