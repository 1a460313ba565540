package signins_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/internal/findingtest"
	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// person is a sign-in at the page by a browser.
func person(user, ip string, after time.Duration, code int32) signins.SignIn {
	s := try(user, ip, after, code)
	s.ClientAppUsed, s.UserAgent = "Browser", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
	return s
}

const strange, office = "203.0.113.5", "192.0.2.1"

// The shapes that were once told wrong, and their neighbours.
func TestShapesOfAttacks(t *testing.T) {
	check := func(name string, log []signins.SignIn, kind signins.AttackKind, accounts int, compromised ...string) {
		t.Helper()
		found := attacks(t, log)
		if kind == signins.UnknownAttack {
			assert.Empty(t, found, name)
			return
		}
		if assert.Len(t, found, 1, name) {
			assert.Equal(t, kind, found[0].Kind, name)
			assert.Equal(t, accounts, found[0].DistinctAccounts, name)
			assert.ElementsMatch(t, compromised, found[0].Compromised, name)
			assert.NotEqual(t, signins.UnknownConfidence, found[0].Confidence, name)
			assert.NotEmpty(t, found[0].Evidence.Decided, name)
		}
	}
	each := func(n int, gap time.Duration, do func(i int, at time.Duration) signins.SignIn) (log []signins.SignIn) {
		for i := range n {
			log = append(log, do(i, time.Duration(i)*gap))
		}
		return log
	}
	guess := func(i int, at time.Duration) signins.SignIn { return try(user(i), strange, at, 50126) }

	var nat []signins.SignIn
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		at := time.Duration(rng.IntN(3*3600)) * time.Second
		if rng.IntN(1000) < 15 {
			nat = append(nat, person(user(i), office, at, 50126))
			if rng.IntN(4) == 0 {
				continue
			}
			at += 20 * time.Second
		}
		nat = append(nat, person(user(i), office, at, 0))
	}
	check("an office of 5,000 behind one address", nat, signins.UnknownAttack, 0)

	var week []signins.SignIn
	for i := range 10_000 {
		for d := range 7 {
			if rng.IntN(3) == 0 {
				continue
			}
			at := time.Duration(d)*24*time.Hour + time.Duration(rng.IntN(8*3600))*time.Second
			switch r := rng.IntN(1000); {
			case r < 15:
				week = append(week, person(user(i), office, at-20*time.Second, 50126))
			case r < 18:
				week = append(week, person("x"+user(i), office, at-20*time.Second, 50034))
			case r < 20: // forgotten
				for k := range 10 {
					week = append(week, person(user(i), office, at-time.Hour+time.Duration(k)*15*time.Second, 50126))
				}
				week = append(week, person(user(i), office, at-50*time.Minute, 50053))
			}
			week = append(week, person(user(i), office, at, 0))
		}
	}
	check("10,000 people behind one address for a week", week, signins.UnknownAttack, 0)

	two := append(each(14, 500*time.Millisecond, guess), each(14, 500*time.Millisecond, func(i int, at time.Duration) signins.SignIn {
		code := int32(50126)
		if i < 5 {
			code = 0
		}
		return try(user(i), strange, at+5*time.Minute, code)
	})...)
	check("14 accounts of which 5 fall", two, signins.PasswordSpray, 14, user(0), user(1), user(2), user(3), user(4))
	check("9 accounts in 9 seconds", each(9, time.Second, guess), signins.PasswordSpray, 9)
	check("5 accounts in 20 minutes", each(5, 5*time.Minute, guess), signins.PasswordSpray, 5)
	check("4 accounts in 10 minutes", each(4, 3*time.Minute, guess), signins.PasswordSpray, 4)
	check("40 accounts at ten-minute steps", each(40, 10*time.Minute, guess), signins.PasswordSpray, 40)
	check("200 IMAP guesses in 6 hours", each(200, 108*time.Second, func(_ int, at time.Duration) signins.SignIn {
		return try(user(1), strange, at, 50126)
	}), signins.BruteForce, 1)
	lockout := func(client func(string, string, time.Duration, int32) signins.SignIn) []signins.SignIn {
		return each(19, 1600*time.Millisecond, func(i int, at time.Duration) signins.SignIn {
			return client(user(1), strange, at, []int32{50126, 50053}[i/17])
		})
	}
	check("19 IMAP guesses in 30 seconds until lockout", lockout(try), signins.BruteForce, 1)
	check("19 guesses at the page in 30 seconds until lockout", lockout(person), signins.BruteForce, 1)
	check("3 mistyped passwords", each(3, 10*time.Second, func(_ int, at time.Duration) signins.SignIn {
		return person(user(1), strange, at, 50126)
	}), signins.UnknownAttack, 0)
	check("an old phone at its owner's place", append(each(300, 5*time.Minute, func(_ int, at time.Duration) signins.SignIn {
		return try(user(1), strange, at, 50126)
	}), person(user(1), strange, -time.Hour, 0)), signins.UnknownAttack, 0)
}

// Whoever works behind the address from which an attack comes is not called
// compromised.
func TestColleaguesAtAnAttacksPlace(t *testing.T) {
	var log []signins.SignIn
	for i := range 30 {
		log = append(log, person(user(i), office, time.Duration(i)*time.Minute, 0))
	}
	for i := 100; i < 130; i++ {
		s := person(user(i), office, time.Duration(i-100)*20*time.Second, 50126)
		s.ClientAppUsed, s.UserAgent = "Mobile Apps and Desktop clients", "python-requests/2.31.0"
		if i == 120 {
			s.ErrorCode = 0
		}
		log = append(log, s)
	}
	found := attacks(t, log)
	require.Len(t, found, 1)
	assert.Equal(t, []string{user(120)}, found[0].Compromised)
	assert.Equal(t, 30, found[0].DistinctAccounts)
	assert.Equal(t, 29, found[0].FailedAccounts)
	for _, f := range signins.Assess(summary(t, log...), day("2026-11-22")) {
		if f.Rule == "signins-attack" && f.Status == crossprem.Failed {
			assert.Contains(t, f.Detail, "29 guesses at 29 accounts from 1 address", "who was let in without a wrong guess was not guessed at")
		}
	}
}

// naive makes evidence of a log in another way than the library does.
func naive(log []signins.SignIn) *signins.Evidence {
	type key struct {
		kind               signins.EvidenceKind
		hour               uint32
		ip, account, agent string
		protocol           signins.Protocol
		grant              bool
	}
	rows := make(map[key]*signins.EvidenceRow)
	addresses := make(map[string]signins.EvidenceAddress)
	accounts, agents := make(map[string]bool), make(map[string]bool)
	for _, s := range log {
		v := signins.Classify(&s)
		var k key
		switch s.ErrorCode {
		case 50126, 50056, 50064:
			k.kind = signins.WrongPassword
		case 50034, 51004:
			k.kind = signins.UnknownName
		case 50053:
			k.kind = signins.LockedOut
			if strings.Contains(s.FailureReason, "malicious") {
				k.kind = signins.AddressBlocked
			}
		case 50057:
			k.kind = signins.WeakGuess
		case 50055, 50074, 50076, 50140, 53003:
			k.kind = signins.PasswordStopped
		case 0:
			k.kind = signins.Accepted
			if s.IncomingTokenType != "" && s.IncomingTokenType != "none" || s.Methods.Has(signins.MethodCertificate) {
				k.kind = signins.SessionAccepted
			}
		}
		if k.kind == signins.UnknownEvidence || s.ServicePrincipalID != "" {
			continue
		}
		if k.kind == signins.PasswordStopped && s.Methods.Has(signins.MethodCertificate) {
			continue
		}
		k.ip, k.account = s.IPAddress, strings.ToLower(s.UserPrincipalName)
		if !strings.Contains(k.account, "@") {
			k.account = strings.ToLower(s.UserID)
		}
		if k.kind != signins.SessionAccepted {
			k.agent, k.protocol, k.grant = s.UserAgent, v.Protocol, v.ROPC == crossprem.Yes
		}
		at := uint32(s.Time.Unix())
		if k.kind < signins.Accepted {
			k.hour = at / 3600
		}
		a := addresses[k.ip]
		a.IP = k.ip
		a.Network = max(a.Network, s.AutonomousSystemNumber)
		if s.Interactive != crossprem.No {
			a.Country = max(a.Country, s.CountryOrRegion)
		}
		addresses[k.ip] = a
		accounts[k.account] = true
		if k.agent != "" {
			agents[k.agent] = true
		}
		r := rows[k]
		if r == nil {
			r = &signins.EvidenceRow{First: at, Last: at}
			rows[k] = r
		}
		r.Count++
		r.First, r.Last = min(r.First, at), max(r.Last, at)
	}
	e := &signins.Evidence{Accounts: sorted(accounts), Agents: sorted(agents), Rows: []signins.EvidenceRow{}, Addresses: []signins.EvidenceAddress{}}
	for _, a := range addresses {
		e.Addresses = append(e.Addresses, a)
	}
	slices.SortFunc(e.Addresses, func(a, b signins.EvidenceAddress) int { return cmp.Compare(a.IP, b.IP) })
	for k, r := range rows {
		r.Kind, r.Hour, r.Protocol, r.PasswordGrant = k.kind, k.hour, k.protocol, k.grant
		r.Address = uint32(slices.IndexFunc(e.Addresses, func(a signins.EvidenceAddress) bool { return a.IP == k.ip }) + 1)
		r.Account, r.Agent = uint32(slices.Index(e.Accounts, k.account)+1), uint32(slices.Index(e.Agents, k.agent)+1)
		e.Rows = append(e.Rows, *r)
	}
	return e
}

func sorted(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for s := range set {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// The evidence of a whole log, that of its parts merged in any order and
// stored in between, and that which another engine makes are the same, and
// come to the same judgement.
func TestEvidenceIsTheSameHoweverItIsMade(t *testing.T) {
	for seed := range uint64(6) {
		w := world(9000+seed, int(seed*2))
		w.People = min(w.People, 150)
		log, _ := w.Log()
		sum := summary(t, log...)
		whole := sum.Evidence()
		require.NoError(t, whole.Check())

		rng := rand.New(rand.NewPCG(seed, 1))
		parts := make([][]signins.SignIn, 2+rng.IntN(4))
		for _, s := range log {
			i := rng.IntN(len(parts))
			parts[i] = append(parts[i], s)
		}
		merged := new(signins.Evidence)
		for _, i := range rng.Perm(len(parts)) {
			text, err := json.Marshal(summary(t, parts[i]...).Evidence())
			require.NoError(t, err)
			var part signins.Evidence
			require.NoError(t, json.Unmarshal(text, &part))
			require.NoError(t, merged.Merge(&part))
		}
		assert.Equal(t, whole, merged, "seed %d", seed)

		other := naive(log)
		rng.Shuffle(len(other.Rows), func(i, j int) { other.Rows[i], other.Rows[j] = other.Rows[j], other.Rows[i] })
		canonical := new(signins.Evidence)
		require.NoError(t, canonical.Merge(other))
		assert.Equal(t, whole, canonical, "seed %d", seed)
		for _, e := range []*signins.Evidence{merged, other} {
			j, err := e.Judge(signins.Spray{})
			require.NoError(t, err)
			assert.Equal(t, sum.Judgement, j, "seed %d", seed)
		}
		var back signins.Judgement
		text, err := json.Marshal(sum.Judgement)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, sum.Judgement, back)
	}
}

// What cannot be evidence is refused, and nothing panics.
func TestEvidenceIsChecked(t *testing.T) {
	good := signins.Evidence{Addresses: []signins.EvidenceAddress{{IP: "::1"}}, Accounts: []string{"a"},
		Rows: []signins.EvidenceRow{{Kind: signins.WrongPassword, Hour: 1, Address: 1, Account: 1, Count: 1, First: 3600, Last: 3601}}}
	require.NoError(t, good.Check())
	for name, spoil := range map[string]func(*signins.EvidenceRow){
		"no kind":             func(r *signins.EvidenceRow) { r.Kind = 0 },
		"no such kind":        func(r *signins.EvidenceRow) { r.Kind = 99 },
		"no such protocol":    func(r *signins.EvidenceRow) { r.Protocol = 99 },
		"no address":          func(r *signins.EvidenceRow) { r.Address = 0 },
		"an account too far":  func(r *signins.EvidenceRow) { r.Account = 2 },
		"counts nothing":      func(r *signins.EvidenceRow) { r.Count = 0 },
		"ends before":         func(r *signins.EvidenceRow) { r.Last = 1 },
		"another hour":        func(r *signins.EvidenceRow) { r.Hour = 2 },
		"a session's client":  func(r *signins.EvidenceRow) { r.Kind, r.Hour, r.Protocol = signins.SessionAccepted, 0, signins.IMAP },
		"hour of acceptances": func(r *signins.EvidenceRow) { r.Kind = signins.Accepted },
	} {
		e := good
		e.Rows = slices.Clone(good.Rows)
		spoil(&e.Rows[0])
		assert.Error(t, e.Check(), name)
		assert.Error(t, new(signins.Evidence).Merge(&e), name)
		_, err := e.Judge(signins.Spray{})
		assert.Error(t, err, name)
	}
	assert.Error(t, json.Unmarshal([]byte(`[1,2,3]`), new(signins.EvidenceRow)))
}

// Findings keep their promises over samples, worlds, tenants and what is empty.
func TestFindingsKeepTheirPromises(t *testing.T) {
	findingtest.CheckRules(t, signins.Rules())
	verdicts := map[string]*signins.Summary{"nil": nil, "zero": {}, "empty": summary(t)}
	for name, sample := range samples(t) {
		verdicts["sample "+name] = sample.summarize(t, signins.Summarizer{})
	}
	for family, name := range signinstest.Families {
		log, _ := world(7000+uint64(family), family).Log()
		verdicts["world "+name] = summary(t, log...)
	}
	for i, what := range troubles {
		w := world(uint64(i), -1)
		w.Innocent = append(w.Innocent, what)
		log, _ := w.Log()
		verdicts["world "+what.String()] = summary(t, log...)
	}
	tenant := signinstest.Tenant{Users: 300, Sprays: 2, BruteForces: 2, DistributedSprays: 2}
	s, err := signins.Summarize(tenant.All())
	require.NoError(t, err)
	verdicts["tenant"] = s
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 40 { // literals
		s := &signins.Summary{Records: rng.Int64N(5), Evicted: rng.Int64N(2), Malformed: rng.Int64N(2), ROPC: rng.Int64N(2), DeviceCode: rng.Int64N(2),
			Countries: []signins.Tally{{Name: "", Records: 1}, {Name: "RU", Records: 2, Successes: rng.Int64N(2)}},
			Unlisted:  []signins.Tally{{Name: fmt.Sprint("x", i)}}}
		s.Users.Add("b", &signins.User{Records: 1, Protocols: []signins.ProtocolUse{{Protocol: signins.Protocol(rng.IntN(30)), Records: 1, Successes: rng.Int64N(2), Passwords: 1}}})
		s.Unexplained = rng.IntN(2)
		for range rng.IntN(4) { // the same one again and again
			s.Attacks = append(s.Attacks, signins.Attack{Kind: signins.AttackKind(rng.IntN(5)), IP: []string{"", "::1"}[rng.IntN(2)],
				Evidence: signins.AttackEvidence{Decided: []signins.Sign{signins.Sign(rng.IntN(20))}}, Compromised: []string{"a"}[:rng.IntN(2)]})
		}
		verdicts[fmt.Sprint("literal ", i)] = s
	}
	for name, s := range verdicts {
		for _, at := range []string{"2022-01-01", "2026-11-26", "2027-04-01", "2030-01-01"} {
			a := signins.Assessor{Countries: []string{"NL", "US"}}
			for _, found := range [][]crossprem.Finding{signins.Assess(s, day(at)), a.Assess(s, day(at)), (*signins.Assessor)(nil).Assess(s, time.Time{})} {
				findingtest.Check(t, name+" "+at, signins.Rules(), found)
				assert.True(t, slices.IsSortedFunc(found, crossprem.WorstFirst), name)
				judged := make(map[string]bool)
				for _, f := range found {
					judged[f.Rule] = true
				}
				assert.Len(t, judged, len(signins.Rules()), name)
			}
		}
	}
}
