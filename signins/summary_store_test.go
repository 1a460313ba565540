package signins

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is kept of users is what a map of them would hold, of usual ones and of
// those with whatever a stranger's JSON may say.
func TestUsersAreAMap(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		pick := func(list ...int64) int64 { return list[rng.IntN(len(list))] }
		odd := false
		count := func() int64 {
			if odd && rng.IntN(40) == 0 {
				return pick(-1, math.MaxUint32, math.MaxUint32+1, math.MinInt64, math.MaxInt64/64)
			}
			return rng.Int64N(5)
		}
		times := []time.Time{{}, time.Unix(0, 0).UTC(), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 11, 18, 8, 0, 0, 0, time.FixedZone("", 3600)), time.Time{}.In(time.FixedZone("", 3600))}
		when := func() time.Time {
			if odd && rng.IntN(40) == 0 {
				return times[rng.IntN(len(times))]
			}
			return time.Date(2026, 11, 18, 0, 0, 0, rng.IntN(1e9), time.UTC)
		}
		tallies := func(names int) (list []Tally) {
			for range rng.IntN(4) {
				list = append(list, Tally{strings.Repeat("x", 200*(rng.IntN(50)/49)) + fmt.Sprint(rng.IntN(names)), count(), count()})
			}
			return list
		}
		want, got := make(map[string]*User), Users{}
		for range 3000 {
			n := rng.IntN(60)
			name := fmt.Sprintf("user%d@contoso.com", n)
			if odd = n%3 == 1; n == 0 {
				name = ""
			}
			u := &User{ID: []string{"", "0a1b2c3d-2222-4333-8444-00000000000" + fmt.Sprint(rng.IntN(10)), "0A1B2C3D-2222-4333-8444-000000000000", "10032000abc",
				fmt.Sprint(rng.IntN(100)), "0a1b2c3d-2222-4333-8444-00000000000g"}[max(0, rng.IntN(12)-6)*(n%5/4)],
				Records: count(), Successes: count(), First: when(), Last: when(), LastSuccess: when(), FirstSuccess: when(),
				Countries: tallies(5 + 20*(n%10/9)), Clients: tallies(3 + 20*(n%7/6))}
			for range rng.IntN(3) {
				u.Protocols = append(u.Protocols, ProtocolUse{Protocol(rng.IntN(8)), count(), count(), count(), count(), when(), count()})
				u.Outcomes = append(u.Outcomes, OutcomeUse{Outcome(rng.IntN(5)), count(), count()})
			}
			for _, use := range []*Use{&u.NativeMail, &u.ROPC, &u.DeviceCode} {
				if rng.IntN(10) == 0 {
					*use = Use{count(), count()}
				}
			}
			if want[name] == nil {
				want[name] = new(User)
			}
			want[name].merge(u)
			got.Add(name, u)
		}
		require.Equal(t, len(want), got.Len())
		require.Equal(t, want, maps.Collect(got.All()), seed)
		names := slices.Sorted(maps.Keys(want))
		for _, name := range names {
			assert.Equal(t, want[name], got.Get(name))
		}
		for n, u := range got.each() {
			u.ID = got.t.idOf(n)
			assert.Equal(t, got.t.hasID(n, u.ID), true)
			assert.False(t, got.t.hasID(n, u.ID+"x"))
			assert.EqualExportedValues(t, *want[got.t.names.At(n)], *emptyAsNil(u))
		}
		require.Less(t, len(got.t.whole), len(want), "most fit")
		require.NotEmpty(t, got.t.whole)
	}
}

func emptyAsNil(u *User) *User {
	c := new(User)
	c.merge(u)
	return c
}

func TestNoUsers(t *testing.T) {
	var none Users
	assert.Zero(t, none.Len())
	assert.Nil(t, none.Get("ann@contoso.com"))
	assert.Nil(t, none.Get(""))
	assert.Empty(t, maps.Collect(none.All()))
	none.Add("ann@contoso.com", new(User))
	assert.Equal(t, 1, none.Len())
	assert.Nil(t, none.Get(""))
	assert.NotNil(t, none.Get("ann@contoso.com"))
}

// However many texts strangers send for one user, not all of them are kept.
func TestTextsOfAUserAreBounded(t *testing.T) {
	var users Users
	for i := range 100_000 {
		users.Add("ann@contoso.com", &User{ID: fmt.Sprintf("%09d", 1_000_000-i), Clients: []Tally{{fmt.Sprint("client ", i), 1, 0}}, Countries: []Tally{{fmt.Sprint("c", i), 1, 0}}})
	}
	assert.Less(t, len(users.t.texts.Text), 100)
	assert.Len(t, users.Get("ann@contoso.com").Clients, maxUserClients)
	assert.Equal(t, "000900001", users.Get("ann@contoso.com").ID)
}
