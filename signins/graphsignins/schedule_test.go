package graphsignins_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type credential struct{ asked *int }

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.asked != nil {
		*c.asked++
	}
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A tenant of a schedule: a day of sign-ins, of which some arrive late, some
// are completed later, and some share their second.
func scheduled(seed uint64, events int, day time.Time, late time.Duration) []signinstest.Row {
	rng := rand.New(rand.NewPCG(seed, 99))
	t := &signinstest.Tenant{Seed: seed, Users: 60, Start: day, Events: events}
	var rows []signinstest.Row
	for s := range t.SignIns() {
		if !s.Time.Before(day) && s.Time.Before(day.AddDate(0, 0, 1)) {
			rows = append(rows, signinstest.Row{SignIn: s})
		}
	}
	for i := range rows {
		r := &rows[i]
		switch rng.IntN(12) {
		case 0:
			r.Visible = r.Time.Add(time.Duration(rng.Int64N(int64(late))))
		case 1:
			completed := *r
			completed.AppDisplayName = "completed"
			completed.Visible = r.Time.Add(time.Duration(rng.Int64N(int64(late))))
			rows = append(rows, completed)
		case 2:
			r.Time = r.Time.Truncate(time.Second)
		case 3:
			if i > 0 {
				r.Time = rows[i-1].Time
			}
		}
	}
	return rows
}

func graphOf(rows []signinstest.Row) *signinstest.Graph {
	g := signinstest.NewGraph(func(func(signins.SignIn) bool) {})
	g.Add(rows...)
	return g
}

// A process is one that may be killed: at a request, after a delivery, before
// or after a checkpoint is saved.
type process struct {
	cancel context.CancelFunc
	left   int // events until it is killed; never if below 0
	dead   bool
	next   http.RoundTripper
	store  graphsignins.Checkpoints
}

var errKilled = errors.New("killed")

func (p *process) event() error {
	if p.left--; p.left == 0 {
		p.dead = true
		p.cancel()
	}
	if p.dead {
		return errKilled
	}
	return nil
}

func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.event(); err != nil {
		return nil, err
	}
	return p.next.RoundTrip(r)
}

func (p *process) Load(ctx context.Context) (*graphsignins.Checkpoint, error) {
	return p.store.Load(ctx)
}

func (p *process) Save(ctx context.Context, c *graphsignins.Checkpoint) error {
	if err := p.event(); err != nil {
		return err
	}
	if err := p.store.Save(ctx, c); err != nil {
		return err
	}
	return p.event()
}

// A receiver is a file of records, the length of which is the mark.
type receiver struct {
	lines []signins.SignIn // what is left after cutting back to the mark
	ever  []signins.SignIn // everything that was ever delivered
}

func (f *receiver) receive(p *process) graphsignins.Receiver {
	return func(_ context.Context, b graphsignins.Batch) (string, error) {
		f.lines = append(f.lines, b.SignIns...)
		f.ever = append(f.ever, b.SignIns...)
		return fmt.Sprint(len(f.lines)), p.event()
	}
}

// collect runs Collect with a kill after so many events, and again until it is
// through. It returns how many events there were in all.
func (f *receiver) collect(t *testing.T, g *signinstest.Graph, store graphsignins.Checkpoints, o graphsignins.Options, kill int) (events int) {
	t.Helper()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		p := &process{cancel: cancel, left: kill, next: g, store: store}
		if kill == 0 {
			p.left = -1
		}
		o.Transport = p
		if c, err := store.Load(ctx); err == nil && c != nil && c.Mark != "" {
			var n int
			_, err := fmt.Sscan(c.Mark, &n)
			require.NoError(t, err)
			f.lines = f.lines[:n]
		} else {
			f.lines = nil
		}
		src, err := graphsignins.New(credential{}, o)
		require.NoError(t, err)
		err = src.Collect(ctx, p, f.receive(p))
		cancel()
		events += kill - p.left
		switch {
		case p.dead:
			require.Error(t, err)
			kill = 0
			continue
		case err == nil:
			return events
		case errors.As(err, new(*graphsignins.IncompleteError)), errors.Is(err, graphsignins.ErrPaging):
			continue // later
		}
		require.NoError(t, err)
	}
	require.Fail(t, "it does not get through")
	return 0
}

// verify compares what was delivered with the truth.
func (f *receiver) verify(t *testing.T, truth []signins.SignIn) {
	t.Helper()
	shown := func(s *signins.SignIn) string {
		return fmt.Sprint(s.ID, s.Time.UnixNano(), s.UserPrincipalName, s.ErrorCode, s.ClientAppUsed, s.AppDisplayName, s.IncomingTokenType)
	}
	want := make(map[string]string)
	for i := range truth {
		want[truth[i].ID] = shown(&truth[i])
	}
	for name, list := range map[string][]signins.SignIn{"cut back": f.lines, "everything": f.ever} {
		got, copies := make(map[string]string), make(map[string]int)
		for i := range list {
			got[list[i].ID] = shown(&list[i])
			copies[got[list[i].ID]]++
			if name == "cut back" && copies[got[list[i].ID]] > 1 {
				require.Fail(t, "came twice", list[i].ID)
			}
		}
		require.Equal(t, len(want), len(got), name)
		require.Equal(t, want, got, name)
	}
}

const late = 2 * time.Hour

// lives lets the tenant of a schedule live through a day, with faults or
// without, and collects its log in two parts: up to now, and again when what is
// late has arrived. It returns how many requests that took.
func lives(t *testing.T, seed uint64, faulty bool, quiet int) (requests int, injected map[signinstest.Fault]int) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("schedule %d, faults: %v", seed, faulty)
			}
		}()
		rng := rand.New(rand.NewPCG(seed, 5))
		day := time.Now().UTC().Truncate(24 * time.Hour)
		g := graphOf(scheduled(seed, 50+rng.IntN(50), day, late))
		g.Drip = 10 * time.Second // longer than the time-out, all in all
		time.Sleep(24*time.Hour + time.Duration(rng.IntN(3600))*time.Second)
		o := graphsignins.Options{From: day, To: day.AddDate(0, 0, 1), PageSize: 5 + rng.IntN(9), Late: late}
		kinds := signinstest.Faults()
		if seed%3 == 0 { // of one kind alone
			kinds = kinds[int(seed/3)%len(kinds):][:1]
		}
		kill := 0
		if faulty {
			g.Fault = signinstest.Schedule(seed, 0.25*rng.Float64(), kinds...)
			kill = 1 + rng.IntN(quiet)
		}
		store, f := graphsignins.Memory(), new(receiver)
		f.collect(t, g, store, o, kill)
		time.Sleep(late + time.Minute)
		f.collect(t, g, store, o, 0)
		c, err := store.Load(t.Context())
		require.NoError(t, err)
		require.Empty(t, c.Open)
		require.Equal(t, []graphsignins.Slice{{Start: day, End: day.AddDate(0, 0, 1)}}, c.Finished)
		f.verify(t, g.Truth(time.Now()))
		requests, injected = g.Requests(), g.Injected()
	})
	return requests, injected
}

// schedule runs one seeded schedule of faults with a kill. It returns the
// requests without faults and kill, those with, and the faults.
func schedule(t *testing.T, seed uint64) (quiet, spent int, injected map[signinstest.Fault]int) {
	quiet, _ = lives(t, seed, false, 0)
	spent, injected = lives(t, seed, true, quiet)
	return quiet, spent, injected
}

// The property that must hold: whatever goes wrong and whenever the process is
// killed, what was delivered is the truth, each event once, at a bounded price.
func TestSchedules(t *testing.T) {
	schedules := 1000
	if testing.Short() {
		schedules = 100
	}
	var (
		mu           sync.Mutex
		quiet, spent int
		worst        float64
		injected     = make(map[signinstest.Fault]int)
	)
	const shards = 4
	t.Run("schedules", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < schedules; seed += shards {
					q, s, faults := schedule(t, uint64(seed))
					mu.Lock()
					n := 0
					for f, count := range faults {
						injected[f] += count
						n += count
					}
					quiet += q
					spent += s
					worst = max(worst, float64(s-n)/float64(q))
					mu.Unlock()
					if s > 2*q+n || t.Failed() {
						t.Fatalf("schedule %d: %d requests, with %d faults %v; without faults and kill %d", seed, s, n, faults, q)
					}
				}
			})
		}
	})
	var table strings.Builder
	total := 0
	for _, f := range signinstest.Faults() {
		fmt.Fprintf(&table, "\n%6d %s", injected[f], f)
		total += injected[f]
		assert.Positive(t, injected[f], f)
	}
	t.Logf("%d schedules, each with a kill: %d requests with %d faults; without faults and kills %d; the worst took %.2f times as many besides its faults (2 are allowed)%s",
		schedules, spent, total, quiet, worst, table.String())
}
