package graphsignins_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins/graphsignins"
	"github.com/crossprem/crossprem/signins/signinstest"
)

// A file that the checkpoint does not know is not touched, and one that lost
// something is not called whole.
func TestFileAndCheckpointBelongTogether(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	g := signinstest.GraphOf(&signinstest.Tenant{Start: day, Users: 20, Events: 200})
	o := graphsignins.Options{Transport: g, From: day, To: day.AddDate(0, 0, 1), Raw: true, Limiter: &graphsignins.Limiter{Requests: 1000}}
	src, err := graphsignins.New(credential{}, o)
	require.NoError(t, err)
	folder := t.TempDir()
	name, store := filepath.Join(folder, "signins.ndjson"), graphsignins.Memory()
	collect := func() *graphsignins.File {
		f, err := src.OpenFile(t.Context(), name, store)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, f.Collect(t.Context()))
		return f
	}

	require.NoError(t, os.WriteFile(name, []byte("somebody's\n"), 0o600))
	_, err = src.OpenFile(t.Context(), name, store)
	require.ErrorIs(t, err, graphsignins.ErrFile)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "somebody's\n", string(text))
	require.NoError(t, os.Remove(name))

	assert.EqualValues(t, len(g.Truth(time.Now())), collect().Records())
	verifyFile(t, folder, g)

	// What was written and not noted goes away; nothing is asked for again.
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, append(whole, `{"id":"half`...), 0o600))
	requests := g.Requests()
	assert.EqualValues(t, len(g.Truth(time.Now())), collect().Records())
	assert.Equal(t, requests, g.Requests())
	verifyFile(t, folder, g)

	require.NoError(t, os.Truncate(name, 10))
	_, err = src.OpenFile(t.Context(), name, store)
	require.ErrorIs(t, err, graphsignins.ErrFile)

	o.Raw = false
	plain, err := graphsignins.New(credential{}, o)
	require.NoError(t, err)
	_, err = plain.OpenFile(t.Context(), name, store)
	require.ErrorContains(t, err, "Raw")
	o.Raw, o.Version = true, graphsignins.V1
	other, err := graphsignins.New(credential{}, o)
	require.NoError(t, err)
	_, err = other.OpenFile(t.Context(), name, store)
	require.ErrorIs(t, err, graphsignins.ErrOtherQuery)
}
