package signins

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const samples = "testdata/samples"

// expected is what testdata/samples/expected.json says about one sample.
type expected struct {
	Files                []string
	Records              int
	RawRecords           int
	Duplicates           int
	Malformed            int
	SkippedOtherCategory int
}

func readExpected(t testing.TB) map[string]expected {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samples, "expected.json"))
	require.NoError(t, err)
	var all struct{ Samples map[string]expected }
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.Samples, 12)
	return all.Samples
}

func TestSamples(t *testing.T) {
	for name, want := range readExpected(t) {
		t.Run(name, func(t *testing.T) {
			got := expected{Files: want.Files}
			ids := make(map[string]bool)
			for _, file := range want.Files {
				f, err := os.Open(filepath.Join(samples, file))
				require.NoError(t, err)
				defer f.Close()
				for s, err := range Read(f) {
					switch {
					case err == nil:
						got.RawRecords++
						ids[s.ID] = true
					case errors.Is(err, ErrOtherCategory):
						got.SkippedOtherCategory++
					default:
						t.Log(err)
						got.Malformed++
					}
				}
			}
			got.Records = len(ids)
			got.Duplicates = got.RawRecords - got.Records
			assert.Equal(t, want, got)
		})
	}
}
