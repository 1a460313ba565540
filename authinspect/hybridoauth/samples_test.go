package hybridoauth_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/authinspect/hybridoauth"
	"github.com/crossprem/crossprem/internal/findingtest"
)

// An expectation is what a sample must come out as.
type expectation struct {
	Context      hybridoauth.Context `json:"context"`
	Situations   []string            `json:"situations"`
	Violates     []string            `json:"violates"`
	Errors       []string            `json:"errors"`
	NotEvaluated []string            `json:"notEvaluated"`
	Predicts     []string            `json:"predicts"`
}

func (e expectation) situation(t *testing.T) (s hybridoauth.Situation) {
	for _, name := range e.Situations {
		one, err := hybridoauth.ParseSituation(name)
		require.NoError(t, err)
		s |= one
	}
	return s
}

func expectations(t *testing.T) map[string]expectation {
	b, err := os.ReadFile("testdata/samples/expected.json")
	require.NoError(t, err)
	var all struct {
		Samples map[string]expectation `json:"samples"`
	}
	require.NoError(t, json.Unmarshal(b, &all))
	require.NotEmpty(t, all.Samples)
	return all.Samples
}

// readSample reads a sample: a file, or a folder of them.
func readSample(t *testing.T, name string) hybridoauth.Configuration {
	info, err := os.Stat("testdata/samples/" + name)
	require.NoError(t, err)
	var c hybridoauth.Configuration
	if info.IsDir() {
		c, err = hybridoauth.ReadConfiguration(os.DirFS("testdata/samples/" + name))
	} else {
		var b []byte
		b, err = fs.ReadFile(os.DirFS("testdata/samples"), name)
		require.NoError(t, err)
		err = c.Add(name, b)
	}
	require.NoError(t, err)
	return c
}

func TestSamples(t *testing.T) {
	samples := expectations(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		t.Run(name, func(t *testing.T) {
			want := samples[name]
			c := readSample(t, name)
			c.Context = want.Context
			findings := hybridoauth.Check(c, want.situation(t), want.Context.Now)
			assert.ElementsMatch(t, want.Violates, hybridoauth.Violated(findings))
			for _, id := range want.NotEvaluated {
				assert.Contains(t, hybridoauth.NotEvaluated(findings), id)
			}
			errors := []string{}
			for _, e := range c.Errors() {
				errors = append(errors, e.ID)
			}
			assert.Equal(t, want.Errors, errors)
			var predicts []string
			for _, token := range c.Tokens {
				tokens := hybridoauth.CheckToken(token, c, want.Context.Now)
				findingtest.Check(t, "token", hybridoauth.Rules(), tokens)
				predicts = append(predicts, hybridoauth.Predicts(tokens)...)
			}
			assert.Equal(t, want.Predicts, predicts)
			findingtest.Check(t, "check", hybridoauth.Rules(), findings)
			findingtest.Check(t, "errors", hybridoauth.Rules(), hybridoauth.CheckErrors(c, want.Context.Now))
			if testing.Verbose() {
				for _, f := range findings {
					if f.Status == crossprem.Failed {
						t.Log(f.Rule, f.Subject, f.Part, f.Severity, "|", f.Detail, "|", f.Remedy)
					}
				}
				t.Log("not evaluated:", hybridoauth.NotEvaluated(findings))
			}
		})
	}
}

func TestRules(t *testing.T) { findingtest.CheckRules(t, hybridoauth.Rules()) }
