package psobject

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// generated are objects as administrators see them: names of any length, and
// values with and without blanks of which none, one or several are wrapped.
func generated(r *rand.Rand) (names, values []string) {
	letters := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	words := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = letters("abcdefghijklmnop", 1+r.IntN(12))
		}
		return strings.Join(all, " ")
	}
	const dense = "abcdefghijklmnopqrstuvwxyz0123456789-/.@"
	long := func() string {
		switch r.IntN(9) {
		case 0:
			return "https://mail." + letters(dense, 10+r.IntN(170))
		case 1:
			return letters(dense, 20+r.IntN(200))
		case 2:
			return words(3 + r.IntN(40))
		case 3:
			return letters(dense, 20+r.IntN(120)) + " " + words(1+r.IntN(5))
		case 4:
			return words(1+r.IntN(5)) + " " + letters(dense, 20+r.IntN(120))
		case 5:
			return letters(dense, 20+r.IntN(120)) + " " + letters(dense, 20+r.IntN(60))
		case 6:
			return "{" + letters("abcdef", 5+r.IntN(30)) + ".contoso.test, " + letters("abcdef", 5+r.IntN(90)) + ".contoso.test}"
		case 7:
			return "CN=" + words(1+r.IntN(3)) + ",CN=" + letters("abcdef", 5+r.IntN(60)) + ",DC=contoso,DC=test"
		}
		return letters("0123456789ABCDEF", 40)
	}
	wrapped := r.IntN(4) // most often one alone
	for i := range 1 + r.IntN(8) {
		names = append(names, fmt.Sprintf("%s%d", letters("ABCDEFGHIJKLMNOP", 1+r.IntN(19)), i))
		switch {
		case r.IntN(3) == 0 && i > 0 && wrapped > 0, i == 0 && wrapped == 1:
			values = append(values, long())
			wrapped--
		case r.IntN(3) == 0:
			values = append(values, "")
		default:
			values = append(values, []string{"True", "0", "contoso.test", "{}", "Auth Configuration"}[r.IntN(5)])
		}
	}
	return names, values
}

// However wide the console was that wrapped a list, and whether or not the
// blanks at the ends of its lines came along: no value is another than that
// of the object.
func TestListsOfAnyWidth(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 1))
	var values, wrapped, known, knownWrapped [2]int
	for n := range 120 {
		names, want := generated(r)
		for width := 40 + n%3; width <= 200; width += 3 {
			text := formatList(names, want, width)
			for form, text := range []string{text, trimmedLines.ReplaceAllString(text, "\r\n")} {
				outputs, err := Parse([]byte(text))
				require.NoError(t, err)
				require.Len(t, Objects(outputs), 1, text)
				o := Objects(outputs)[0]
				for i, name := range names {
					v := o.Get(name)
					if form == 1 && (width == 81 || width == 121) {
						continue // a line that fills a usual width is taken for one of that width
					}
					isWrapped := len(want[i]) > width-strings.Index(strings.SplitN(text, "\r\n", 2)[0], " : ")-3
					values[form]++
					if isWrapped {
						wrapped[form]++
					}
					dense, ok := v.Dense()
					if assert.True(t, ok) {
						assert.Equal(t, strings.ReplaceAll(want[i], " ", ""), dense, "%s at %d columns, form %d:\n%s", name, width, form, text)
					}
					if v.State == Cut {
						continue
					}
					known[form]++
					if isWrapped {
						knownWrapped[form]++
					}
					assert.Equal(t, want[i], v.Text, "%s at %d columns, form %d:\n%s", name, width, form, text)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, knownWrapped[0]*10, wrapped[0]*7)
	assert.GreaterOrEqual(t, knownWrapped[1]*10, wrapped[1]*5)
	t.Logf("known %v of %v values, %v of %v wrapped ones", known, values, knownWrapped, wrapped)
}
