package oauthcert_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/oauthcert"
	"github.com/crossprem/crossprem/oauthcert/oauthcerttest"
)

var (
	histories    = flag.Int("histories", 6_000, "how many histories TestHistories lives through")
	firstHistory = flag.Uint64("first-history", 0, "the seed of the first one")
)

// bubble is the time at which the clock of synctest begins.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	dedicatedID  = "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"
	dedicatedApp = "c0ffee12-7a3b-4d5e-8f90-1234567890ab"
	sharedID     = "0f1e2d3c-4b5a-4697-8877-665544332211"
	teamsID      = "5a5a5a5a-4b5a-4697-8877-665544332211"
)

// A world is what all histories share: certificates are slow to make.
type world struct {
	good    []*oauthcert.Certificate // valid for years
	expired []*oauthcert.Certificate
	secret  []byte // a private key that somebody stored as a key's value
}

func newWorld() *world {
	w := new(world)
	for range 8 {
		w.good = append(w.good, oauthcerttest.AuthCertificate{NotBefore: bubble.AddDate(-1, 0, 0), NotAfter: bubble.AddDate(4, 0, 0)}.Make())
	}
	for range 3 {
		w.expired = append(w.expired, oauthcerttest.AuthCertificate{NotBefore: bubble.AddDate(-6, 0, 0), NotAfter: bubble.AddDate(-1, 0, 0)}.Make())
	}
	_, key := oauthcerttest.AuthCertificate{}.MakeWithKey()
	w.secret, _ = x509.MarshalPKCS8PrivateKey(key)
	return w
}

func (w *world) some(r *rand.Rand, most int) []*oauthcert.Certificate {
	var out []*oauthcert.Certificate
	for range r.IntN(most + 1) {
		out = append(out, w.good[r.IntN(len(w.good))])
	}
	return out
}

// entry makes one entry such as is found in the wild.
func (w *world) entry(r *rand.Rand) oauthcert.KeyCredential {
	c := w.good[r.IntN(len(w.good))]
	k := oauthcert.KeyCredential{Type: oauthcert.TypeX509, Usage: oauthcert.UsageVerify, Key: c.DER(),
		CustomKeyIdentifier: c.SHA1().String(), StartDateTime: c.NotBefore(), EndDateTime: c.NotAfter()}
	switch r.IntN(16) {
	case 0:
		k.CustomKeyIdentifier = "63657274"
	case 1:
		k.Key = c.PEM()
	case 2:
		old := w.expired[r.IntN(len(w.expired))]
		k.Key, k.StartDateTime, k.EndDateTime = old.DER(), old.NotBefore(), old.NotAfter()
	case 3: // signs SAML tokens: no value is shown
		k = oauthcert.KeyCredential{Type: "X509CertAndPassword", Usage: "Sign", EndDateTime: c.NotAfter()}
	case 4:
		k.Key = w.secret
	case 5:
		k.DisplayName = "test"
	case 6: // expired before its certificate
		k.EndDateTime = bubble.AddDate(0, -1, 0)
	case 7: // signs SAML tokens, and its certificate is shown
		k.Type, k.Usage = "X509CertAndPassword", "Sign"
	}
	return k
}

func (w *world) objects(r *rand.Rand) []*oauthcert.Object {
	keys := func() []oauthcert.KeyCredential {
		out := []oauthcert.KeyCredential{}
		for range r.IntN(5) {
			out = append(out, w.entry(r))
		}
		return out
	}
	return []*oauthcert.Object{
		{Kind: oauthcert.Application, ID: dedicatedID, AppID: dedicatedApp, Keys: keys()},
		{Kind: oauthcert.ServicePrincipal, ID: sharedID, AppID: oauthcert.ExchangeOnline, Keys: keys(), Names: []string{
			oauthcert.ExchangeOnline, oauthcert.ExchangeOnline + "/outlook.com", "https://outlook.office365.com/", "https://old.contoso.com/"}},
		{Kind: oauthcert.ServicePrincipal, ID: teamsID, AppID: oauthcert.CloudVoicemail, Keys: keys(), Names: []string{oauthcert.CloudVoicemail}},
	}
}

// A history is a sequence of plans against one directory in which things go
// wrong.
type history struct {
	t    *testing.T
	w    *world
	r    *rand.Rand
	seed uint64
	dir  *oauthcerttest.Directory
	text bytes.Buffer // all that a person or a log might be shown

	plan      *oauthcert.Plan
	took      int // writes of this call that took effect
	lost      int // writes of this call whose answer was lost
	broken    string
	lastOther time.Time // when the second writer last wrote, or a plan ended badly
	stats     *stats
}

type stats struct {
	writes, applied, failed, restored, raced atomic.Int64

	// outcomes counts calls of Apply by the outcome that was reported, and by
	// whether a write really took effect.
	outcomes [5][2]atomic.Int64
}

// other is the second writer, who writes without a look.
func (h *history) other() {
	h.lastOther = time.Now()
	id := []oauthcert.Target{
		{Kind: oauthcert.Application, ID: dedicatedID},
		{Kind: oauthcert.ServicePrincipal, ID: sharedID},
		{Kind: oauthcert.ServicePrincipal, ID: teamsID},
	}[h.r.IntN(3)]
	h.dir.Set(id, func(o *oauthcert.Object) {
		switch h.r.IntN(5) {
		case 0:
			o.Keys = append(o.Keys, h.w.entry(h.r))
		case 1:
			if len(o.Keys) > 0 {
				i := h.r.IntN(len(o.Keys))
				o.Keys = slices.Delete(o.Keys, i, i+1)
			}
		case 2: // a writer by value: all keyIds change
			for i := range o.Keys {
				if o.Keys[i].Key != nil {
					o.Keys[i].KeyID = ""
				}
			}
		case 3:
			o.Keys = []oauthcert.KeyCredential{}
		case 4:
			if o.Kind == oauthcert.ServicePrincipal {
				o.Names = append(o.Names, fmt.Sprintf("https://host%d.contoso.com/", h.r.IntN(1000)))
			}
		}
	})
}

// onWrite holds the property: what the plan keeps, and the directory had, it
// still has; and what vanished is what the plan drops, unless it came in the
// moment between the last look and the write.
func (h *history) onWrite(before, after *oauthcert.Object) {
	h.stats.writes.Add(1)
	h.took++
	has := func(o *oauthcert.Object, k oauthcert.KeyCredential) bool {
		return slices.ContainsFunc(o.Keys, func(e oauthcert.KeyCredential) bool {
			if k.Key == nil || e.Key == nil {
				return e.KeyID == k.KeyID
			}
			revived := !k.EndDateTime.IsZero() && !k.EndDateTime.After(time.Now()) && e.EndDateTime.After(time.Now())
			return bytes.Equal(k.Key, e.Key) && k.Type == e.Type && k.Usage == e.Usage && !revived
		})
	}
	if h.plan.Err() != nil {
		h.broken = "a refused plan was written"
	}
	dropped := func(k oauthcert.KeyCredential) bool {
		return slices.ContainsFunc(h.plan.Steps, func(s oauthcert.Step) bool {
			return s.Action == oauthcert.Dropped && s.Key != nil &&
				(s.Key.KeyID == k.KeyID || s.Key.Key != nil && bytes.Equal(s.Key.Key, k.Key))
		})
	}
	// A kept key is somebody else's: it stays what it was, or gets another
	// keyId and nothing else.
	for _, s := range h.plan.Steps {
		if s.Action != oauthcert.Kept || s.Key == nil {
			continue
		}
		same := func(o *oauthcert.Object) bool {
			return slices.ContainsFunc(o.Keys, func(e oauthcert.KeyCredential) bool {
				return (e.KeyID == s.Key.KeyID || e.Key != nil && bytes.Equal(e.Key, s.Key.Key)) && e.DisplayName == s.Key.DisplayName && e.CustomKeyIdentifier == s.Key.CustomKeyIdentifier &&
					e.Type == s.Key.Type && e.Usage == s.Key.Usage && e.StartDateTime.Equal(s.Key.StartDateTime) && e.EndDateTime.Equal(s.Key.EndDateTime)
			})
		}
		if same(before) && !same(after) {
			h.broken = "a key of somebody else is altered: " + s.String()
		}
	}
	for _, s := range h.plan.Steps {
		if s.Action != oauthcert.Kept && s.Action != oauthcert.Added {
			continue
		}
		if s.Key != nil && !has(after, *s.Key) {
			h.broken = "a key is lost or was not written: " + s.String()
		}
		if s.Key == nil && !slices.Contains(after.Names, s.Name) {
			h.broken = "a name is lost or was not written: " + s.String()
		}
	}
	disturbed := !h.lastOther.IsZero() && time.Since(h.lastOther) <= h.dir.Lag+time.Second
	for _, k := range before.Keys {
		if !has(after, k) && !dropped(k) {
			h.stats.raced.Add(1)
			if !disturbed {
				h.broken = "a key of nobody's plan is lost, and nobody disturbed: " + k.KeyID
			}
		}
	}
	for _, n := range before.Names {
		named := slices.ContainsFunc(h.plan.Steps, func(s oauthcert.Step) bool { return s.Action == oauthcert.Dropped && s.Name == n })
		if !slices.Contains(after.Names, n) && !named {
			h.stats.raced.Add(1)
			if !disturbed {
				h.broken = "a name of nobody's plan is lost, and nobody disturbed: " + n
			}
		}
	}
	if h.plan.Collection == oauthcert.Names && len(before.Keys) != len(after.Keys) || h.plan.Collection == oauthcert.Keys && len(before.Names) != len(after.Names) {
		h.broken = "the other collection changed"
	}
}

func (h *history) live() {
	h.dir = oauthcerttest.New(h.seed, h.w.objects(h.r)...)
	h.dir.RefuseExpired = h.r.IntN(2) == 0
	h.dir.FirstPartyReferences = h.r.IntN(2) == 0
	h.dir.RefuseDisplayNames = h.r.IntN(3) == 0
	h.dir.RefuseReferences = h.r.IntN(16) == 0
	h.dir.Lag = time.Duration(h.r.IntN(3)) * 10 * time.Second // at most 20 s, which is less than Steady
	h.dir.OnWrite = h.onWrite
	trouble, disturb := h.r.IntN(30), h.r.IntN(12)*h.r.IntN(2)
	ends := -1 // the call from which on the token has ended
	if h.r.IntN(8) == 0 {
		ends = 1 + h.r.IntN(20)
	}
	h.dir.Faults = func(c oauthcerttest.Call) (fault oauthcerttest.Fault) {
		if h.r.IntN(100) < disturb {
			h.other()
		}
		if h.r.IntN(100) < trouble {
			fault = oauthcerttest.Fault(1 + h.r.IntN(8))
		}
		if ends > 0 && c.N >= ends {
			fault = oauthcerttest.TokenEnded
		}
		if c.Write && slices.Contains([]oauthcerttest.Fault{oauthcerttest.LostAnswer, oauthcerttest.Timeout, oauthcerttest.Broken, oauthcerttest.Unavailable}, fault) {
			h.lost++
		}
		return fault
	}
	a := &oauthcert.Applier{Progress: func(p oauthcert.Progress) { fmt.Fprintln(&h.text, p.Stage, p.Note) }}
	for range 1 + h.r.IntN(3) {
		h.step(a)
		if h.broken != "" {
			h.t.Errorf("history %d: %s", h.seed, h.broken)
			return
		}
	}
	secret := base64.StdEncoding.EncodeToString(h.w.secret)
	if text := h.text.String(); strings.Contains(text, secret[:64]) || bytes.Contains(h.text.Bytes(), h.w.secret[:32]) {
		h.t.Errorf("history %d: a private key was shown", h.seed)
	}
}

// step makes one plan, applies it, and at times takes it back.
func (h *history) step(a *oauthcert.Applier) {
	target := []oauthcert.Target{
		{Kind: oauthcert.Application, AppID: dedicatedApp},
		{Kind: oauthcert.ServicePrincipal, AppID: oauthcert.ExchangeOnline},
		{Kind: oauthcert.ServicePrincipal, ID: teamsID},
	}[h.r.IntN(3)]
	ctx := context.Background()
	current, err := h.dir.Read(ctx, target)
	if err != nil {
		return
	}
	policy := oauthcert.Policy{At: time.Now(), DropExpired: h.r.IntN(2) == 0, DropUnused: h.r.IntN(6) == 0}
	if h.r.IntN(2) == 0 {
		policy.AllowKeysOn = oauthcert.ExchangeOnline
	}
	if h.r.IntN(3) == 0 && len(current.Keys) > 0 {
		policy.Drop = []string{current.Keys[h.r.IntN(len(current.Keys))].KeyID}
	}
	if current.Kind == oauthcert.ServicePrincipal && h.r.IntN(2) == 0 {
		policy.Drop = nil
		if h.r.IntN(3) == 0 {
			policy.Drop = []string{"https://old.contoso.com/"}
		}
		h.plan = oauthcert.PlanNames(current, []string{fmt.Sprintf("mail%d.contoso.com", h.r.IntN(5)), "autodiscover.contoso.com"}, policy)
	} else {
		h.plan = oauthcert.PlanKeys(current, h.w.some(h.r, 2), policy)
	}
	var backup bytes.Buffer
	h.took, h.lost = 0, 0
	report, err := a.Apply(ctx, h.dir, h.plan, &backup)
	h.show(report, err, &backup)
	if err == nil && h.r.IntN(3) == 0 && backup.Len() > 0 {
		h.stats.restored.Add(1)
		b, err := oauthcert.ReadBackup(bytes.NewReader(backup.Bytes()))
		require.NoError(h.t, err)
		current, err := h.dir.Read(ctx, target)
		if err != nil {
			return
		}
		h.plan = oauthcert.PlanRestore(current, b, policy)
		backup.Reset()
		h.took, h.lost = 0, 0
		report, err := a.Apply(ctx, h.dir, h.plan, &backup)
		h.show(report, err, &backup)
	}
}

// show notes all that was said, and holds Apply to its word.
func (h *history) show(report *oauthcert.Report, err error, backup *bytes.Buffer) {
	for _, s := range h.plan.Steps {
		fmt.Fprintln(&h.text, s)
	}
	if h.seed%8 == 0 { // costs as much as all the rest
		data, jsonErr := json.Marshal(report)
		require.NoError(h.t, jsonErr)
		h.text.Write(data)
	}
	h.text.Write(backup.Bytes())
	h.holdToItsWord(report, err)
	if err != nil {
		h.stats.failed.Add(1)
		h.lastOther = time.Now() // what was written may be seen late by the next plan
		fmt.Fprintln(&h.text, err)
		if strings.Contains(err.Error(), "\n") {
			h.broken = fmt.Sprintf("an error of several lines: %q", err)
		}
		return
	}
	h.stats.applied.Add(1)
	if !report.Shown {
		h.broken = "success without a look"
	}
}

// holdToItsWord holds the outcome that is reported against what happened.
func (h *history) holdToItsWord(report *oauthcert.Report, err error) {
	var failed *oauthcert.ApplyError
	if report == nil {
		if h.took > 0 || errors.As(err, &failed) {
			h.broken = "no report of a write"
		}
		return
	}
	took := 0
	if h.took > 0 {
		took = 1
	}
	h.stats.outcomes[report.Outcome][took].Add(1)
	if errors.As(err, &failed) != (err != nil) || err != nil && failed.Outcome != report.Outcome {
		h.broken = fmt.Sprintf("the error and the report disagree: %v, %v", err, report.Outcome)
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch o := report.Outcome; {
	case (o == oauthcert.OutcomeNotSent || o == oauthcert.OutcomeRefused) && h.took > 0,
		// After an answer that was lost, the second writer may have made the same change.
		(o == oauthcert.OutcomeWritten || o == oauthcert.OutcomeShown) && h.took == 0 && (h.lost == 0 || h.lastOther.IsZero()),
		o == oauthcert.OutcomeUnknown && h.lost == 0,
		(o == oauthcert.OutcomeShown) != (err == nil && report.Writes > 0),
		h.took > 0 && (strings.Contains(text, "nothing was written") || strings.Contains(text, "nothing was sent")):
		h.broken = fmt.Sprintf("the outcome is said to be %v (%v); %d writes took effect, and %d answers were lost", o, err, h.took, h.lost)
	}
}

// TestHistories lives through histories of plans, faults, a second writer and
// late replicas, and demands that nothing which a plan keeps is ever lost.
func TestHistories(t *testing.T) {
	w := newWorld()
	var s stats
	const workers = 4
	t.Run("all", func(t *testing.T) {
		for worker := range workers {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := worker; i < *histories && !t.Failed(); i += workers {
					seed := *firstHistory + uint64(i)
					synctest.Test(t, func(t *testing.T) {
						h := &history{t: t, w: w, seed: seed, r: rand.New(rand.NewPCG(seed, 1)), stats: &s}
						h.live()
					})
				}
			})
		}
	})
	t.Logf("%d histories: %d plans applied, %d ended with an error, %d taken back, %d writes, %d entries lost to the second writer's moment",
		*histories, s.applied.Load(), s.failed.Load(), s.restored.Load(), s.writes.Load(), s.raced.Load())
	t.Log("outcome that was reported: calls in which no write took effect, and in which one did")
	for o := range s.outcomes {
		t.Logf("%-9s %6d %6d", oauthcert.Outcome(o), s.outcomes[o][0].Load(), s.outcomes[o][1].Load())
	}
	if *histories >= 1000 {
		require.Greater(t, s.applied.Load(), int64(*histories/4), "too few plans came through to prove anything")
		require.Greater(t, s.restored.Load(), int64(*histories/40))
	}
}

// slow is a directory whose calls take their time.
type slow struct {
	oauthcert.Directory
	r *rand.Rand
}

func (s slow) pause() { time.Sleep(time.Duration(s.r.IntN(3000)) * time.Millisecond) }

func (s slow) Read(ctx context.Context, t oauthcert.Target) (*oauthcert.Object, error) {
	s.pause()
	return s.Directory.Read(ctx, t)
}

func (s slow) WriteKeys(ctx context.Context, t oauthcert.Target, keys []oauthcert.KeyCredential) error {
	s.pause()
	return s.Directory.WriteKeys(ctx, t, keys)
}

// TestTwoAtOnce lets two programs add a key each to the same object at the same
// time. Who is told that it worked has its key there in the end, and nobody's
// third key is lost.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld()
	both, one, none := 0, 0, 0
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) {
			app := application(stored(w.good[0], "cccc3333-0000-4000-8000-000000000001"))
			dir := oauthcerttest.New(seed, app)
			dir.Lag = 10 * time.Second
			var a oauthcert.Applier // one for both
			var wg sync.WaitGroup
			worked := make([]bool, 2)
			for i := range worked {
				wg.Go(func() {
					d := slow{dir, rand.New(rand.NewPCG(seed, uint64(i)))}
					current, err := d.Read(t.Context(), app.Target())
					if err != nil {
						return
					}
					plan := oauthcert.PlanKeys(current, w.good[1+i:2+i], oauthcert.Policy{At: time.Now()})
					_, err = a.Apply(t.Context(), d, plan, new(bytes.Buffer))
					worked[i] = err == nil
				})
			}
			wg.Wait()
			truth := dir.Truth(app.Target())
			require.Len(t, truth.Find(w.good[0]), 1, "seed %d: the third key is lost", seed)
			count := 0
			for i, ok := range worked {
				if ok {
					count++
					require.Len(t, truth.Find(w.good[1+i]), 1, "seed %d: %d was told that it worked", seed, i)
				}
			}
			switch count {
			case 0:
				none++
			case 1:
				one++
			default:
				both++
			}
		})
	}
	t.Logf("both worked %d times, one %d, none %d", both, one, none)
	require.Positive(t, one)
}
