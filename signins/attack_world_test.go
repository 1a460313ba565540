package signins_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A score is how well worlds were judged.
type score struct {
	worlds, attacks, found           int
	fallen, allFallen                int // worlds in which an account fell, and in which all of them were named
	false, unknown, passedOverMissed int
	wrongCompromised, wrongKnown     int
}

func (s *score) add(o score) {
	s.worlds += o.worlds
	s.attacks += o.attacks
	s.found += o.found
	s.fallen += o.fallen
	s.allFallen += o.allFallen
	s.false += o.false
	s.unknown += o.unknown
	s.passedOverMissed += o.passedOverMissed
	s.wrongCompromised += o.wrongCompromised
	s.wrongKnown += o.wrongKnown
}

// judge compares what is said of a world with the truth about it.
func judge(t *testing.T, w *signinstest.World, why func(string, ...any)) (s score) {
	t.Helper()
	log, truth := w.Log()
	sum, err := signins.Summarize(signinstest.Seq(log))
	require.NoError(t, err)
	s.worlds = 1
	matches := func(a *signins.Attack, t *signinstest.WorldAttack) bool {
		n := 0
		for _, name := range a.Accounts {
			if t.Accounts[name] {
				n++
			}
		}
		at := t.IPs[a.IP]
		for _, ip := range a.IPs {
			at = at || t.IPs[ip]
		}
		return at && 2*n >= len(a.Accounts)
	}
	var fallen, stopped, named []string
	missed := false
	for i := range truth {
		s.attacks++
		fallen, stopped = append(fallen, truth[i].Compromised...), append(stopped, truth[i].Stopped...)
		if slices.ContainsFunc(sum.Attacks, func(a signins.Attack) bool { return matches(&a, &truth[i]) }) {
			s.found++
		} else {
			missed = true
			why("seed %d: missed %v of %d accounts from %d addresses among %v", w.Seed, truth[i].Family, len(truth[i].Accounts), len(truth[i].IPs), w.Innocent)
		}
	}
	for _, a := range sum.Attacks {
		if !slices.ContainsFunc(truth, func(t signinstest.WorldAttack) bool { return matches(&a, &t) }) {
			s.false++
			why("seed %d: false %v at %s %v %v: %v %+v", w.Seed, a.Kind, a.IP, a.Accounts[:min(5, len(a.Accounts))], w.Innocent, a.Confidence, a.Evidence)
		}
		named = append(named, a.Compromised...)
		for _, name := range a.Compromised {
			if !slices.Contains(fallen, name) {
				s.wrongCompromised++
				why("seed %d: %s is not compromised by %v at %s, %v %v", w.Seed, name, a.Kind, a.IP, w.Attacks, w.Innocent)
			}
		}
		for _, name := range a.PasswordKnownButStopped {
			if !slices.Contains(stopped, name) && !slices.Contains(fallen, name) {
				s.wrongKnown++
				why("seed %d: %s is not known to %v at %s, %v %v", w.Seed, name, a.Kind, a.IP, w.Attacks, w.Innocent)
			}
		}
	}
	if len(fallen) > 0 {
		s.fallen = 1
		s.allFallen = 1
		for _, name := range fallen {
			if !slices.Contains(named, name) {
				s.allFallen = 0
				why("seed %d: %s fell to %+v, and is not named (possible: %d)", w.Seed, name, w.Attacks, sum.Possible.Count)
			}
		}
	}
	for _, f := range signins.Assess(sum, day("2026-11-22")) {
		if f.Rule == "signins-attack" && f.Subject == "tenant" {
			switch {
			case f.Status == crossprem.Passed && missed:
				s.passedOverMissed++
				why("seed %d: passed over a missed attack", w.Seed)
			case f.Status == crossprem.Unknown:
				s.unknown++
			}
		}
	}
	return s
}

var troubles = []signinstest.Innocent{signinstest.NoTrouble, signinstest.StalePhones, signinstest.StaleScanners, signinstest.Proxies, signinstest.ExpiryMorning,
	signinstest.SchoolNetwork, signinstest.ConferenceGuest, signinstest.MistypedNames, signinstest.Leavers, signinstest.Forgetful,
	signinstest.PasswordGrants, signinstest.Migration, signinstest.Travellers}

// world draws a world from a seed: with an attack of the family, or none if it
// is below 0.
func world(seed uint64, family int) *signinstest.World {
	rng := rand.New(rand.NewPCG(seed, uint64(family+1)))
	w := &signinstest.World{Seed: seed, People: 60 + rng.IntN(400), Days: 1 + rng.IntN(3), Mistypes: 0.01 + 0.03*rng.Float64()}
	switch {
	case family == int(signinstest.SmallTenant):
		w.People = 6 + rng.IntN(20)
	case family == int(signinstest.Published):
		w.People = 8 + rng.IntN(10)
	case rng.IntN(10) == 0:
		w.People = 2000
	}
	if rng.IntN(4) == 0 {
		w.AtOffice = -1
	}
	for range rng.IntN(3) {
		w.Innocent = append(w.Innocent, troubles[rng.IntN(len(troubles))])
	}
	if family >= 0 {
		w.Attacks = []signinstest.Assault{{Family: signinstest.Family(family)}}
	} else {
		w.Innocent = append(w.Innocent, troubles[int(seed)%len(troubles)])
	}
	return w
}

// Over many worlds: which attacks are found, what is falsely reported, and who
// is called compromised. Thresholds were chosen with the seeds below 1000; the
// test takes others. CROSSPREM_WORLDS=from:n takes n seeds a family instead.
func TestWorlds(t *testing.T) {
	from, n := uint64(5000), 12
	if text := os.Getenv("CROSSPREM_WORLDS"); text != "" {
		a, b, _ := strings.Cut(text, ":")
		from, _ = strconv.ParseUint(a, 10, 64)
		n, _ = strconv.Atoi(b)
	}
	if testing.Short() {
		n = 3
	}
	var problems []string
	why := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var all score
	line := func(name string, s score) {
		t.Logf("%-20s %4d worlds  found %3d of %3d  all fallen named in %3d of %3d  false %d  unknown %d  wrong: compromised %d, known %d",
			name, s.worlds, s.found, s.attacks, s.allFallen, s.fallen, s.false, s.unknown, s.wrongCompromised, s.wrongKnown)
	}
	for family, name := range signinstest.Families {
		var s score
		for i := range n {
			s.add(judge(t, world(from+uint64(i), family), why))
		}
		line(name, s)
		assert.GreaterOrEqual(t, 100*s.found, 85*s.attacks, name)
		all.add(s)
	}
	for _, what := range troubles {
		var s score
		for i := range max(1, n/2) {
			w := world(from+uint64(i), -1)
			w.Innocent = append(w.Innocent, what)
			s.add(judge(t, w, why))
		}
		line(what.String(), s)
		all.add(s)
	}
	line("all", all)
	for _, p := range problems {
		t.Log(p)
	}
	assert.GreaterOrEqual(t, 100*all.found, 97*all.attacks)
	assert.GreaterOrEqual(t, 100*all.allFallen, 97*all.fallen)
	assert.LessOrEqual(t, 100*all.false, all.worlds)
	assert.Zero(t, all.wrongCompromised)
	assert.Zero(t, all.wrongKnown)
	assert.Zero(t, all.passedOverMissed)
}
