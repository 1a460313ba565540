package authpolicy

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type vector struct {
	Name   string
	Input  json.RawMessage
	Expect struct {
		Basic, Modern, Windows Verdict
		Why                    map[string]string
	}
}

func vectors(t testing.TB) []vector {
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var all []vector
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, 23)
	return all
}

func TestVectors(t *testing.T) {
	right := 0
	for _, v := range vectors(t) {
		q, err := ParseQuestion(v.Input)
		require.NoError(t, err, v.Name)
		d := q.Facts.Decide(q.Protocol, q.At)
		why := make(map[string]string)
		for name, m := range map[string]Method{"basic": d.Basic, "modern": d.Modern, "windows": d.Windows} {
			if m.Reason != "" {
				why[name] = m.Reason
			}
			if m.Verdict != Allowed {
				assert.NotEmpty(t, m.Decider+m.Reason, v.Name)
				assert.NotEmpty(t, m.Detail, v.Name)
			}
		}
		ok := assert.Equal(t, []Verdict{v.Expect.Basic, v.Expect.Modern, v.Expect.Windows}, []Verdict{d.Basic.Verdict, d.Modern.Verdict, d.Windows.Verdict}, v.Name)
		if ok && assert.Equal(t, v.Expect.Why, why, v.Name) {
			right++
		}
	}
	t.Logf("%d of 23 vectors", right)
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}
