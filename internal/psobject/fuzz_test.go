package psobject

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever comes in: within the bounds, nothing dropped comes back, every
// state fits its value, every property can be found by its name, and reading
// again gives the same.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/samples/*")
	require.NoError(f, err)
	more, err := filepath.Glob("testdata/samples/*/*")
	require.NoError(f, err)
	for _, file := range append(files, more...) {
		if b, err := os.ReadFile(file); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte("Name Size\n---- ----\na       1\nb...   23\n"))
	f.Add([]byte(`<Objs><Obj RefId="0"><DCT><En><S N="Key">a</S><Ref N="Value" RefId="0"/></En></DCT></Obj></Objs>`))
	f.Add([]byte(`PS C:\> Get-X` + "\n" + `{"value": [1, "a b"], "Count": 2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		outputs, err := Parse(b)
		if err != nil {
			assert.Nil(t, outputs)
			assert.True(t, strings.HasPrefix(err.Error(), "psobject: "), err)
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		count := 0
		var check func(v Value, depth int)
		check = func(v Value, depth int) {
			if count++; count > MaxValues+len(b) || depth > MaxDepth+1 {
				t.Fatalf("%d values, %d deep", count, depth)
			}
			if v.List != nil && v.Object != nil || v.State == Absent || v.State == Blank && v.Text != "" {
				t.Fatalf("the parts of a value do not fit: %+v", v)
			}
			if _, state := v.AsStrings(); v.State == Cut && state != Cut {
				t.Fatalf("a cut value reads as %v: %+v", state, v)
			}
			v.AsTime()
			v.AsInt()
			v.AsBool()
			for _, e := range v.List {
				check(e, depth+1)
			}
			if v.Object != nil {
				for _, p := range v.Object.Properties {
					if dropped(p.Name) || !v.Object.Has(p.Name) {
						t.Fatalf("property %q", p.Name)
					}
					check(p.Value, depth+1)
				}
			}
		}
		for _, o := range Objects(outputs) {
			check(Value{State: Present, Object: &o}, 0)
		}
		again, err := Parse(b)
		require.NoError(t, err)
		if !reflect.DeepEqual(outputs, again) {
			t.Fatal("read differently the second time")
		}
	})
}

// formatList renders properties as Format-List does on a console of so many
// columns, in a language that wraps at blanks.
func formatList(names, values []string, columns int) string {
	longest := 0
	for _, name := range names {
		longest = max(longest, utf8.RuneCountInString(name))
	}
	var s strings.Builder
	for i, name := range names {
		s.WriteString(name + strings.Repeat(" ", longest-utf8.RuneCountInString(name)) + " : ")
		room := columns - longest - 3
		left := room
		newLine := func() {
			s.WriteString("\r\n" + strings.Repeat(" ", longest+3))
			left = room
		}
		for _, word := range strings.SplitAfter(values[i], " ") {
			n := cells(word)
			if n <= room && n > left {
				newLine()
			}
			for _, r := range word {
				if left < cells(string(r)) {
					newLine()
				}
				s.WriteRune(r)
				left -= cells(string(r))
			}
		}
		s.WriteString("\r\n")
	}
	return s.String()
}

// trimmedLines finds what editors and mailers take away.
var trimmedLines = regexp.MustCompile(` *\r\n`)

// What Format-List wraps at any believable width is put together again,
// letter by letter.
func FuzzFormatList(f *testing.F) {
	f.Add("https://login.windows.net/5f2b7d0e-3c41-4b8a-9e6d-7a10c2d4e8f1/federationmetadata/2007-06/federationmetadata.xml", "a list of plain words that is longer than a line and so is broken at its blanks, more than once, as one sees", uint8(20))
	f.Add("x", strings.Repeat("word ", 40)+"end", uint8(0))
	f.Fuzz(func(t *testing.T, a, b string, width uint8) {
		clean := func(s string) string {
			s = strings.ToValidUTF8(s, "")
			s = strings.Map(func(r rune) rune {
				if r < ' ' || r == '\x7f' || r == '\uFEFF' || r == '\u00ad' || r == '\u2011' || r == '\u00a0' {
					return -1
				}
				return r
			}, s)
			s = strings.Join(strings.Fields(s), " ") // blanks at the ends cannot be told from the padding
			return strings.TrimLeft(s, "{-")
		}
		a, b = clean(a), clean(b)
		columns := 100 + int(width)
		// Without two lines that are full, the width can only be guessed: one
		// word that is longer than two of the console's lines is what tells it.
		full := ""
		for i := 0; len(full) < 2*columns+7; i++ {
			full += strconv.Itoa(i)
		}
		text := formatList([]string{"First", "Second", "TheLongestName"}, []string{a, b, full}, columns)
		texts := []string{text}
		// Without the blanks at the ends, some line ends around long words and
		// wide letters cannot be told apart.
		if cells(a+b) == utf8.RuneCountInString(a+b) && !slices.ContainsFunc(strings.Fields(a+" "+b), func(word string) bool { return cells(word) >= columns-17 }) {
			texts = append(texts, trimmedLines.ReplaceAllString(text, "\r\n"))
		}
		for _, text := range texts {
			outputs, err := Parse([]byte(text))
			require.NoError(t, err)
			require.Len(t, Objects(outputs), 1, text)
			o := Objects(outputs)[0]
			for name, want := range map[string]string{"First": a, "Second": b, "TheLongestName": full} {
				got, state := o.String(name)
				assert.Equal(t, Present, state)
				assert.Equal(t, want, got, text)
			}
		}
	})
}

// What encoding/json writes comes back, whatever the names and texts are.
func FuzzJSON(f *testing.F) {
	f.Add("Name", "Exchange Online", "contoso.com", int64(4))
	f.Fuzz(func(t *testing.T, name, text, element string, n int64) {
		name, text, element = strings.ToValidUTF8(name, "?"), strings.ToValidUTF8(text, "?"), strings.ToValidUTF8(element, "?")
		switch strings.ToLower(name) {
		case "list", "number", "value", "serializationdata":
			return
		}
		if depthCut(text) || depthCut(element) || strings.Contains(name+text+element, "\uFEFF") {
			return
		}
		b, err := json.MarshalIndent([]map[string]any{{name: text, "List": []string{element, text}, "Number": n}}, "", "  ")
		require.NoError(t, err)
		outputs, err := Parse(b)
		require.NoError(t, err)
		require.Len(t, Objects(outputs), 1)
		o := Objects(outputs)[0]
		got, state := o.String(name)
		assert.Equal(t, Present, state)
		assert.Equal(t, text, got)
		list, state := o.Strings("list")
		assert.Equal(t, Present, state)
		assert.Equal(t, []string{element, text}, list)
		number, state := o.Int("NUMBER")
		assert.Equal(t, Present, state)
		assert.Equal(t, n, number)
	})
}
