package catalogue_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crossprem/crossprem/internal/catalogue"
)

func values(rows []*catalogue.Row[string]) (all []string) {
	for _, r := range rows {
		all = append(all, r.Value)
	}
	return all
}

func TestFindMostExactFirst(t *testing.T) {
	var table catalogue.Table[string]
	assert.Nil(t, table.Find("anything"))
	require.NoError(t, table.Add("refused", `^535 `))
	require.NoError(t, table.Add("disabled", `^535 .*basic .*is disabled`))
	require.NoError(t, table.Add("also", `^535 `))
	require.NoError(t, table.Add("both", `^535`, `tenant|mailbox`))
	assert.Equal(t, []string{"disabled", "refused", "also"}, values(table.Find("535 5.7.139 basic authentication is disabled")))
	assert.Equal(t, []string{"both", "refused", "also"}, values(table.Find("535 for this tenant")))
	assert.Nil(t, table.Find("250 ok, tenant"))
	assert.Equal(t, []string{"also"}, values(table.FindFunc("535 x", func(r *catalogue.Row[string]) bool { return r.Value == "also" })))
	assert.Error(t, table.Add("broken", `x`, `(`))
	require.NoError(t, table.Add("never"), "no pattern explains nothing")
	assert.Len(t, table.Rows(), 5)
	table.AddRow(catalogue.Row[string]{Value: "own", Weight: 99, Match: func(s string) bool { return s == "535 " }})
	assert.Equal(t, []string{"own", "refused", "also"}, values(table.Find("535 ")))
}

func TestWeight(t *testing.T) {
	for expr, want := range map[string]int{
		``: 0, `.*`: 0, `abc`: 3, `a(bc)?d`: 2, `abc|de`: 2, `(?:ab){3}`: 6, `(?:ab)+c`: 3, `[ab]c`: 1, `(?i)abc`: 3, `ä\.`: 2, `a{0,4}`: 0,
	} {
		p, err := catalogue.Compile(expr)
		require.NoError(t, err)
		assert.Equal(t, want, p.Weight, expr)
	}
	_, err := catalogue.Compile(`a(`)
	assert.Error(t, err)
}

func TestLines(t *testing.T) {
	collect := func(text string, l catalogue.Limits) []string { return slices.Collect(catalogue.Lines(text, l)) }
	assert.Equal(t, []string{"a b", "c"}, collect(" a \u00a0 b\r\n\r\nc", catalogue.Limits{Bytes: 99, Lines: 9, Line: 9}))
	assert.Equal(t, []string{"a"}, collect("a\nb\nc", catalogue.Limits{Bytes: 99, Lines: 1, Line: 9}))
	assert.Equal(t, []string{"abc", "b"}, collect("abcdef\nb", catalogue.Limits{Bytes: 99, Lines: 9, Line: 3}))
	assert.Equal(t, []string{"ab"}, collect("abä", catalogue.Limits{Bytes: 3, Lines: 9, Line: 9}))
	assert.Nil(t, collect("abc", catalogue.Limits{}))
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb c\u00a0d", 5, 2, 3)
	f.Fuzz(func(t *testing.T, text string, bytes, lines, line int) {
		n := 0
		for s := range catalogue.Lines(text, catalogue.Limits{Bytes: bytes, Lines: lines, Line: line}) {
			n++
			require.LessOrEqual(t, len(s), max(line, 0))
			require.Equal(t, catalogue.Squeeze(s), s)
			require.NotEmpty(t, s)
			require.False(t, strings.ContainsAny(s, "\r\n"))
			require.True(t, utf8.ValidString(s) || !utf8.ValidString(text))
		}
		require.LessOrEqual(t, n, max(lines, 0))
	})
}
