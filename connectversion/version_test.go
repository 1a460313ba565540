package connectversion

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Version{
		"2.6.3.0":                 {2, 6, 3, 0},
		"1.0.494.0501":            {1, 0, 494, 501},
		"65535.65535.65535.65535": {65535, 65535, 65535, 65535},
		"0.0.0.0":                 {},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "2", "2.6", "2.6.3", "2.6.3.0.0", "2.6.3.", ".6.3.0", "2..3.0", "v2.6.3.0", "2.6.3.0 ",
		"2.6.3.-1", "2.6.3.+1", "2.6.3.65536", "2.6.3.4294967296", "2.6.3.0x1", "２.6.3.0", strings.Repeat("0", 60) + ".6.3.0"} {
		_, err := Parse(text)
		assert.ErrorIs(t, err, ErrVersion, text)
		assert.NotContains(t, err.Error(), "\n")
		assert.Less(t, len(err.Error()), 200)
	}
}

func TestParsePartial(t *testing.T) {
	v, complete, err := ParsePartial("2.5.79")
	require.NoError(t, err)
	assert.Equal(t, Version{2, 5, 79, 0}, v)
	assert.False(t, complete)
	v, complete, err = ParsePartial("2.5.79.1")
	require.NoError(t, err)
	assert.Equal(t, Version{2, 5, 79, 1}, v)
	assert.True(t, complete)
	_, _, err = ParsePartial("2")
	assert.ErrorIs(t, err, ErrVersion)
}

func TestVersionsOrderByNumberNotByText(t *testing.T) {
	sorted := []Version{{}, {1, 0, 494, 501}, {1, 0, 8641, 0}, {1, 1, 9, 0}, {1, 1, 10, 0}, {2, 0, 3, 0}, {2, 0, 3, 1}, {10, 0, 0, 0}}
	for i, v := range sorted {
		for k, w := range sorted {
			assert.Equal(t, i-k > 0, v.Compare(w) > 0, "%s %s", v, w)
			assert.Equal(t, i < k, v.Less(w), "%s %s", v, w)
		}
	}
}

// What is accepted reads as four numbers that a big integer would read too,
// comes back from String, and is written without leading zeros.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"2.6.3.0", "1.0.494.0501", "2.6.3", "65536.0.0.0", "1..2.3", "\x00.1.1.1", "99999999999999999999.1.1.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		partial, complete, perr := ParsePartial(text)
		if err != nil {
			assert.Zero(t, v)
			assert.False(t, complete && perr == nil, "%q is complete but no version", text)
			return
		}
		require.NoError(t, perr)
		assert.True(t, complete)
		assert.Equal(t, v, partial)
		parts := strings.Split(text, ".")
		require.Len(t, parts, 4)
		for i, want := range []uint16{v.Major, v.Minor, v.Build, v.Revision} {
			n, ok := new(big.Int).SetString(parts[i], 10)
			require.True(t, ok)
			assert.Zero(t, n.Cmp(big.NewInt(int64(want))), "part %d of %q", i, text)
		}
		back, err := Parse(v.String())
		require.NoError(t, err)
		assert.Equal(t, v, back)
		assert.LessOrEqual(t, len(v.String()), max(len(text), 7))
	})
}

// What people type and paste.
func TestParsePartialTakesWhatPeopleType(t *testing.T) {
	for text, want := range map[string]string{
		"v2.5.79.0": "2.5.79.0", "V2.5.79.0": "2.5.79.0", "2.5.79": "2.5.79.0", " 2.5.79.0 ": "2.5.79.0", "\t2.5.79.0\r\n": "2.5.79.0", "version 2.5.79.0": "2.5.79.0",
		"Version: 2.5.79.0": "2.5.79.0", "ver. 2.5": "2.5.0.0", "2, 5, 79, 0": "2.5.79.0", "\"2.5.79.0\"": "2.5.79.0", "\u00a02.5.79.0": "2.5.79.0", "2.5 .79. 0": "2.5.79.0", "v 2.5.79": "2.5.79.0",
	} {
		v, exact, err := ParsePartial(text)
		assert.NoError(t, err, text)
		assert.False(t, exact, text)
		assert.Equal(t, want, v.String(), text)
		_, err = Parse(text)
		assert.ErrorIs(t, err, ErrVersion, "Parse stays strict: %q", text)
	}
	v, exact, err := ParsePartial("1.0.494.0501")
	assert.NoError(t, err)
	assert.True(t, exact)
	assert.Equal(t, Version{1, 0, 494, 501}, v)
	for _, text := range []string{"", "v", "2", "v2", "2.", ".2", "2..5", "2.5.79.0.1", "2.5.x", "2.5.79.0-beta", "vv2.5", "2 5 79 0", "2.5.70000", "２.５", "-2.5"} {
		_, _, err := ParsePartial(text)
		assert.ErrorIs(t, err, ErrVersion, text)
	}
}
