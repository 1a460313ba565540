package kqlsigninstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
	"github.com/crossprem/crossprem/signins/kqlsignins"
	"github.com/crossprem/crossprem/signins/kqlsignins/kqlsigninstest"
	"github.com/crossprem/crossprem/signins/signinstest"
)

func tenant(t *testing.T, seed uint64) (log []signins.SignIn) {
	for s := range (&signinstest.Tenant{Seed: seed, Users: 200, Days: 2, Events: 3000, Sprays: 2, BruteForces: 1, DistributedSprays: 1}).SignIns() {
		log = append(log, s)
	}
	require.NotEmpty(t, log)
	return log
}

func summarized(t *testing.T, z *signins.Summarizer, log []signins.SignIn) *signins.Summary {
	stream := z.Begin()
	for i := range log {
		stream.Add(&log[i])
	}
	return stream.Summary()
}

func requireSame(t *testing.T, want, got *signins.Summary) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	if string(a) != string(b) {
		require.JSONEq(t, string(a), string(b))
	}
}

// An engine that is asked in parts, and one whose answers are cut, come to the
// summary of the log.
func TestWorkspace(t *testing.T) {
	log := tenant(t, 6100)
	for _, definition := range []signins.Definition{signins.Documented, signins.WorkbookCompatible} {
		z := signins.Summarizer{Definition: definition}
		want := summarized(t, &z, log)
		for name, e := range map[string]struct {
			part    time.Duration
			maxRows int
		}{"at once": {part: -1}, "by the day": {}, "by six hours": {part: 6 * time.Hour}, "cut": {part: -1, maxRows: 200}} {
			w := &kqlsigninstest.Workspace{Log: log, Summarizer: z, MaxRows: e.maxRows}
			answers := 0
			engine := kqlsignins.Engine{Runner: w, Summarizer: z, Part: e.part, Progress: func(p kqlsignins.Progress) { answers = p.Answers }}
			got, err := engine.Summarize(t.Context())
			require.NoError(t, err, name)
			requireSame(t, want, got)
			assert.Positive(t, answers)
			assert.Equal(t, e.part != -1 || e.maxRows > 0, len(w.Asked()) > 9, name)
		}
	}
}

// A time that is asked about.
func TestWorkspaceOfADay(t *testing.T) {
	log := tenant(t, 6101)
	from := log[0].Time.UTC().Truncate(24 * time.Hour)
	z := signins.Summarizer{Since: from.Add(6 * time.Hour), Until: from.Add(30 * time.Hour)}
	want := summarized(t, &z, log)
	want.OutsidePeriod = 0
	got, err := (&kqlsignins.Engine{Runner: &kqlsigninstest.Workspace{Log: log, Summarizer: z}, Summarizer: z}).Summarize(t.Context())
	require.NoError(t, err)
	requireSame(t, want, got)
}

// A log that grows while it is asked gives no summary of two states.
func TestWorkspaceThatGrows(t *testing.T) { synctest.Test(t, testThatGrows) } // it waits in between

func testThatGrows(t *testing.T) {
	log := tenant(t, 6102)
	w := &kqlsigninstest.Workspace{Log: log[:len(log)/2]}
	until := 4
	w.Refuse = func(n int, _ string) error {
		if n >= 1 && n < until {
			w.Log = log[:min(len(log)/2+n*400, len(log))]
		}
		return nil
	}
	engine := &kqlsignins.Engine{Runner: w, Part: -1}
	got, err := engine.Summarize(t.Context())
	require.NoError(t, err)
	requireSame(t, summarized(t, &signins.Summarizer{}, w.Log), got)

	w.Refuse = func(n int, _ string) error { // at every question
		w.Log = log[:len(log)/3+(n*37)%(len(log)/2)]
		return nil
	}
	got, err = engine.Summarize(t.Context())
	assert.Nil(t, got)
	assert.ErrorContains(t, err, "ask about a time that is some hours past")
}

func TestWorkspaceRefuses(t *testing.T) {
	w := &kqlsigninstest.Workspace{Refuse: func(n int, _ string) error { return errors.New("no permission") }}
	_, err := (&kqlsignins.Engine{Runner: w, Part: -1}).Summarize(t.Context())
	assert.ErrorContains(t, err, "no permission")
	assert.Len(t, w.Asked(), 1)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&kqlsignins.Engine{Runner: new(kqlsigninstest.Workspace)}).Summarize(ctx)
	assert.ErrorIs(t, err, context.Canceled)

	assert.Error(t, new(kqlsigninstest.Workspace).Run(t.Context(), "SigninLogs | take 1", nil, nil))
	_, err = new(kqlsignins.Engine).Summarize(t.Context())
	assert.ErrorContains(t, err, "Runner")

	empty, err := (&kqlsignins.Engine{Runner: new(kqlsigninstest.Workspace)}).Summarize(t.Context())
	require.NoError(t, err)
	requireSame(t, summarized(t, &signins.Summarizer{}, nil), empty)
}
