package wine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each call has a registry of its own: what the first writes, the second does
// not find.
func TestWindows(t *testing.T) {
	Test(t, ".", "^TestRegistryIsFresh$")
	Test(t, ".", "^TestRegistryIsFresh$|^TestIsolated")
}

func TestFailuresAreSeen(t *testing.T) {
	t.Setenv("CROSSPREM_WINE_FAIL", "1")
	results, output, err := run(t, ".", "^TestFailsIfAsked$|^TestSkips$")
	require.Error(t, err, output)
	assert.Equal(t, []result{{"TestFailsIfAsked", "FAIL"}, {"TestSkips", "SKIP"}}, results)
	assert.Contains(t, output, "it was asked for")
}

func TestNothingToRunIsSeen(t *testing.T) {
	results, output, err := run(t, ".", "^TestNoSuchThing$")
	require.NoError(t, err, output)
	assert.Empty(t, results)
}
