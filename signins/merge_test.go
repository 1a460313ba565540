package signins_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func text(t testing.TB, s *signins.Summary) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

// stored writes s down and reads it back.
func stored(t testing.TB, s *signins.Summary) *signins.Summary {
	t.Helper()
	var back signins.Summary
	require.NoError(t, json.Unmarshal([]byte(text(t, s)), &back))
	return &back
}

// A summary that was stored by an earlier version, in the file's month, can
// still be read, tells the same, and can be merged.
func TestStoredSummariesStayReadable(t *testing.T) {
	fresh := samples(t)["portal-csv-interactive"].summarize(t, signins.Summarizer{})
	for _, name := range []string{"testdata/summary-2026-11.json"} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		var old signins.Summary
		require.NoError(t, json.Unmarshal(data, &old), name)
		assert.Equal(t, fresh.Records, old.Records)
		assert.Equal(t, fresh.ByOutcome, old.ByOutcome)
		assert.Equal(t, fresh.LegacyUsersWithSuccess(), old.LegacyUsersWithSuccess())
		require.Len(t, old.Attacks, len(fresh.Attacks))
		for i, a := range old.Attacks { // of which the old evidence tells less
			b := fresh.Attacks[i]
			a.Confidence, a.Evidence, a.Technique, b.Confidence, b.Evidence, b.Technique = 0, signins.AttackEvidence{}, 0, 0, signins.AttackEvidence{}, 0
			assert.Equal(t, b, a)
		}
		require.NoError(t, old.Merge(fresh))
		assert.Equal(t, 2*fresh.Records, old.Records)
		assert.Len(t, old.Attacks, len(fresh.Attacks))
	}
}

// However a log is cut into parts, and in whatever order these are merged,
// stored in between or not: they give the summary of the whole.
func TestMergedPartsEqualTheWhole(t *testing.T) {
	for seed := range uint64(6) {
		tenant := signinstest.Tenant{Seed: seed, Users: 400, Sprays: 2, BruteForces: 2, DistributedSprays: 1}
		var log []signins.SignIn
		for s := range tenant.All() {
			if seed%2 == 1 && len(log)%7 == 0 { // names that do not fit in
				s.UserAgent = fmt.Sprintf("agent%d/1", len(log))
				s.CountryOrRegion = fmt.Sprint("C", len(log)%300)
			}
			if len(log)%11 == 0 {
				s.UserPrincipalName = s.UserID // as non-interactive records have it
			}
			log = append(log, s)
		}
		whole := summary(t, log...)
		rng := rand.New(rand.NewPCG(seed, 0))
		parts := make([][]signins.SignIn, 1+rng.IntN(6))
		for i, s := range log {
			part := rng.IntN(len(parts))
			if seed < 3 { // in order, as hours or days are
				part = i * len(parts) / len(log)
			}
			parts[part] = append(parts[part], s)
		}
		merged := new(signins.Summary)
		for _, i := range rng.Perm(len(parts)) {
			part := summary(t, parts[i]...)
			if i%2 == 0 {
				part = stored(t, part)
			}
			before := text(t, part)
			require.NoError(t, merged.Merge(part))
			assert.Equal(t, before, text(t, part), "Merge changed its argument")
			if i%3 == 0 {
				merged = stored(t, merged)
			}
		}
		require.NotEmpty(t, whole.Attacks)
		assert.Equal(t, text(t, whole), text(t, merged), "seed %d", seed)
		assert.Equal(t, text(t, whole), text(t, stored(t, whole)), "seed %d", seed)
	}
}

// A spray that goes on over midnight is found in neither day's log alone.
func TestMergeFindsAttacksAcrossTheCut(t *testing.T) {
	midnight := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	guess := func(n int, at time.Duration, code int32) signins.SignIn {
		return signins.SignIn{Known: everything, Time: midnight.Add(at), UserPrincipalName: fmt.Sprintf("user%d@contoso.com", n),
			IPAddress: "203.0.113.9", ClientAppUsed: "IMAP4", ErrorCode: code, CountryOrRegion: "RU"}
	}
	var one, two []signins.SignIn
	for i := range 3 {
		one = append(one, guess(i, time.Duration(i-5)*time.Minute, 50126))
		two = append(two, guess(10+i, time.Duration(i)*time.Minute, 50126))
	}
	two = append(two, guess(30, 12*time.Hour, 0))
	a, b := summary(t, one...), summary(t, two...)
	assert.Empty(t, a.Attacks)
	assert.Empty(t, b.Attacks)
	require.NoError(t, a.Merge(stored(t, b)))
	require.Len(t, a.Attacks, 1)
	assert.Equal(t, 6, a.Attacks[0].FailedAccounts)
	assert.Equal(t, []string{"user30@contoso.com"}, a.Attacks[0].Compromised)

	// Sealed summaries keep what was found, and no more.
	b.Seal()
	c := summary(t, one...)
	require.NoError(t, c.Merge(stored(t, b)))
	assert.Empty(t, c.Attacks)
	a.Seal()
	assert.Equal(t, text(t, a), text(t, stored(t, a)))
	assert.NotContains(t, text(t, a), `"rows"`)
	d := summary(t)
	require.NoError(t, d.Merge(a))
	assert.Equal(t, a.Attacks, d.Attacks)
}

// A day without any evidence, or one that was sealed, does not seal those that
// are merged into it.
func TestMergeIntoTheEmptyAndTheSealed(t *testing.T) {
	var one, two []signins.SignIn
	for i := range 6 {
		one = append(one, try(user(i), "203.0.113.1", time.Duration(i)*time.Minute, 50126))
		two = append(two, try(user(10+i), "203.0.113.1", time.Duration(6+i)*time.Minute, 50126))
	}
	whole := summary(t, append(slices.Clone(one), two...)...)
	require.Len(t, whole.Attacks, 1)
	sealed := summary(t)
	sealed.Seal()
	for _, first := range []*signins.Summary{new(signins.Summary), summary(t), sealed} {
		merged := stored(t, first)
		require.NoError(t, merged.Merge(stored(t, summary(t, one...))))
		merged = stored(t, merged)
		require.NoError(t, merged.Merge(stored(t, summary(t, two...))))
		assert.Equal(t, text(t, whole), text(t, merged))
	}
	literal := &signins.Summary{Judgement: signins.Judgement{Attacks: whole.Attacks}}
	require.NoError(t, literal.Merge(summary(t)))
	assert.Equal(t, whole.Attacks, literal.Attacks)
}

func TestMergeRefusesWhatDoesNotFit(t *testing.T) {
	a, b := new(signins.Summary), &signins.Summary{Definition: signins.WorkbookCompatible, Records: 7}
	assert.ErrorContains(t, a.Merge(b), "definition")
	assert.Zero(t, a.Records)
	z := signins.Summarizer{Spray: signins.Spray{Accounts: 3}}
	c, err := z.Summarize(sequence(nil))
	require.NoError(t, err)
	assert.ErrorContains(t, a.Merge(c), "Spray")
	require.NoError(t, a.Merge(&signins.Summary{Records: 2})) // a literal
	assert.Equal(t, int64(2), a.Records)
}

// A hostile log of names does not make a summary grow, and what stays in it
// is counted exactly, whatever the order.
func TestNamesAreBounded(t *testing.T) {
	var log []signins.SignIn
	for i := range 20000 {
		log = append(log, signins.SignIn{Known: everything, ClientAppUsed: "IMAP4", UserPrincipalName: "ann@contoso.com",
			UserAgent: fmt.Sprintf("agent%d", i%9000), AppDisplayName: fmt.Sprint("app", i), CountryOrRegion: fmt.Sprint("c", i%100)})
	}
	s := summary(t, log...)
	assert.Len(t, s.Clients, 4096)
	for _, c := range s.Clients {
		want := int64(2)
		if n, err := strconv.Atoi(strings.TrimPrefix(c.Name, "agent")); err == nil && n < 2000 {
			want = 3
		}
		require.Equal(t, want, c.Records, c.Name)
	}
	assert.Len(t, s.Users.Get("ann@contoso.com").Countries, 32)
	for _, c := range s.Users.Get("ann@contoso.com").Countries {
		assert.Equal(t, int64(200), c.Records)
	}
	slices.Reverse(log)
	assert.Equal(t, text(t, s), text(t, summary(t, log...)))
}

// Evidence beyond its bound is given up, oldest first, and counted.
func TestEvidenceIsBounded(t *testing.T) {
	tenant := signinstest.Tenant{Seed: 5, Users: 2000, Sprays: 4}
	z := signins.Summarizer{Spray: signins.Spray{MaxEvidence: 200}}
	s, err := z.Summarize(tenant.All())
	require.NoError(t, err)
	assert.Positive(t, s.Evicted)
	all, err := signins.Summarize(tenant.All())
	require.NoError(t, err)
	assert.Zero(t, all.Evicted)
	for _, want := range all.Attacks { // each is still found, if only in part
		assert.True(t, slices.ContainsFunc(s.Attacks, func(a signins.Attack) bool {
			return a.IP == want.IP && a.DistinctAccounts <= want.DistinctAccounts && a.Start.Compare(want.Start) >= 0
		}), "%s %+v", want.IP, s.Attacks)
	}
}

// Evidence that stays when other evidence is given up stays with its account.
func TestEvictedEvidenceLeavesTheRestInPlace(t *testing.T) {
	var log []signins.SignIn
	for i := range 200 {
		log = append(log, signins.SignIn{Known: everything, Time: day("2026-11-18").Add(time.Duration(i) * time.Minute), ClientAppUsed: "IMAP4",
			ErrorCode: 50126, UserPrincipalName: fmt.Sprintf("user%d@contoso.com", i), IPAddress: fmt.Sprintf("203.0.113.%d", i)})
	}
	z := signins.Summarizer{Spray: signins.Spray{MaxEvidence: 37}}
	s, err := z.Summarize(sequence(log))
	require.NoError(t, err)
	assert.Positive(t, s.Evicted)
	e := s.Evidence()
	require.Len(t, e.Rows, len(log)-int(s.Evicted))
	for _, r := range e.Rows {
		n := (int64(r.First) - day("2026-11-18").Unix()) / 60
		assert.Equal(t, fmt.Sprintf("203.0.113.%d", n), e.Addresses[r.Address-1].IP)
		assert.Equal(t, fmt.Sprintf("user%d@contoso.com", n), e.Accounts[r.Account-1])
	}
}

// What is read back can be written again and read again, and it never panics.
func FuzzSummaryJSON(f *testing.F) {
	// Short ones, since the fuzzer takes long to make long ones shorter.
	f.Add([]byte(`{"records":1,"byClass":{"legacy":1},"byOutcome":{"success":1}}`))
	f.Add([]byte(`{"clients":[{"name":"b","records":1},{"name":"a","records":2}]}`))
	f.Add([]byte(`{"users":{"a@b":{"id":"c","records":1,"protocols":[{"protocol":"imap","successes":1}]},"c":{}}}`))
	f.Add([]byte(`{"users":{"a":null}}`))
	f.Add([]byte(`{"evidence":{"ips":[{"ip":"::1"}],"accounts":["a"],"rows":[[1,1,1,1,0,6,0,9,3600,3601]]}}`))
	f.Add([]byte(`{"evidence":{"ips":[{"ip":"::1"}],"cells":[[1,1,0,0,0,0,1,1,60,61]]},"attacks":[{"kind":"brute-force"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s signins.Summary
		if json.Unmarshal(data, &s) != nil {
			return
		}
		once := text(t, &s)
		assert.Equal(t, once, text(t, stored(t, &s)))
		signins.Assess(&s, day("2026-11-22"))
		require.NoError(t, s.Merge(stored(t, &s)))
	})
}
