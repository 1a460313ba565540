package signins_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/signins"
)

// expected is what testdata/samples/expected.json says of one set of samples.
type expected struct {
	Files                  []string
	Records                int64
	RawRecords             int64
	Duplicates             int64
	Malformed              int64
	SkippedOtherCategory   int64
	ByClass                map[string]int64
	ByProtocol             map[string]int64
	ByOutcome              map[string]int64
	LegacyBasicAuth        map[string]int64
	LegacyUsers            []string
	LegacyUsersWithSuccess []string
	ClassifiedByUserAgent  int64
	ROPC                   int64
	DeviceCode             int64
	Attacks                []expectedAttack
}

type expectedAttack struct {
	Kind                    string
	IP                      string
	Country                 string
	Protocol                string
	DistinctAccounts        int
	FailedAccounts          int
	Accounts                []string
	Attempts                int64
	Compromised             []string
	PasswordKnownButStopped []string
}

// samples returns the samples that the embedded expectations describe.
func samples(t *testing.T) map[string]expected {
	t.Helper()
	data, err := os.ReadFile("testdata/samples/expected.json")
	require.NoError(t, err)
	var all struct{ Samples map[string]expected }
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all.Samples)
	return all.Samples
}

// summarize summarises the sample's files, one after the other.
func (e expected) summarize(t *testing.T, z signins.Summarizer) *signins.Summary {
	t.Helper()
	s, err := z.Summarize(signins.Dedupe(func(yield func(signins.SignIn, error) bool) {
		for _, name := range e.Files {
			f, err := os.Open("testdata/samples/" + name)
			require.NoError(t, err)
			for s, err := range signins.Read(f) {
				if !yield(s, err) {
					return
				}
			}
			f.Close()
		}
	}, 0))
	require.NoError(t, err)
	return s
}

func TestSamplesAreSummarisedAsExpected(t *testing.T) {
	for name, want := range samples(t) {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(want.summarize(t, signins.Summarizer{}))
			require.NoError(t, err)
			var got expected
			require.NoError(t, json.Unmarshal(text, &got))
			got.Files = want.Files
			if name == "unified-audit" { // which knows neither protocols nor whom a stranger tried
				got.ByProtocol, got.LegacyBasicAuth, got.LegacyUsers, got.LegacyUsersWithSuccess = nil, nil, nil, nil
				got.ClassifiedByUserAgent, got.ROPC, got.DeviceCode = 0, 0, 0
			}
			for i, a := range want.Attacks { // what the expectation leaves out of an attack
				if i < len(got.Attacks) {
					if a.Accounts == nil {
						got.Attacks[i].Accounts, got.Attacks[i].Attempts = nil, 0
					} else {
						got.Attacks[i].DistinctAccounts, got.Attacks[i].FailedAccounts = 0, 0
					}
					if a.PasswordKnownButStopped == nil {
						got.Attacks[i].PasswordKnownButStopped = nil
					}
				}
			}
			slices.Sort(want.LegacyUsers)
			assert.Equal(t, want, got)
		})
	}
}
