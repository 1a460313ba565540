package regfile

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sample = `Windows Registry Editor Version 5.00

; a comment
[HKEY_LOCAL_MACHINE\SOFTWARE\Contoso]
@="the default"
"Path \"quoted\""="C:\\Program Files\\Contoso"
"Release"=dword:000709fc
"Long"=hex(b):01,00,00,00,00,00,00,80
"Expand"=hex(2):25,00,54,00,25,00,00,00
"List"=hex(7):61,00,00,00,62,00,63,\
  00,00,00,00,00
"Raw"=hex:de,ad,\
  be,ef
"None"=hex:
"Two
lines"="first
second"
"Gone"="x"
"gone"=-

[HKEY_LOCAL_MACHINE\SOFTWARE\Empty]

[HKEY_LOCAL_MACHINE\SOFTWARE\Dropped]
"a"="b"
[-HKEY_LOCAL_MACHINE\software\Dropped]
`

func TestParse(t *testing.T) {
	want := Keys{
		`HKEY_LOCAL_MACHINE\SOFTWARE\Contoso`: {
			"":              "the default",
			`Path "quoted"`: `C:\Program Files\Contoso`,
			"Release":       uint32(461308),
			"Long":          uint64(1<<63 + 1),
			"Expand":        "%T%",
			"List":          []string{"a", "bc"},
			"Raw":           []byte{0xde, 0xad, 0xbe, 0xef},
			"None":          []byte{},
			"Two\r\nlines":  "first\r\nsecond",
		},
		`HKEY_LOCAL_MACHINE\SOFTWARE\Empty`: {},
	}
	for name, b := range map[string][]byte{
		"UTF-8":          []byte(sample),
		"with a mark":    []byte("\ufeff" + sample),
		"CRLF":           []byte(strings.ReplaceAll(sample, "\n", "\r\n")),
		"UTF-16":         toUTF16(binary.LittleEndian, strings.ReplaceAll(sample, "\n", "\r\n")),
		"big-endian too": toUTF16(binary.BigEndian, sample),
	} {
		got, err := Parse(bytes.NewReader(b))
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
	got, err := Parse(strings.NewReader("REGEDIT4\r\n[HKEY_CURRENT_USER\\x]\r\n\"e\"=hex(2):25,54,25,00\r\n\"d\"=hex(4):01,00,00,00\r\n\"n\"=\"\xe4\"\r\n"))
	require.NoError(t, err)
	assert.Equal(t, Keys{`HKEY_CURRENT_USER\x`: {"e": "%T%", "d": uint32(1), "n": "ä"}}, got)
}

func toUTF16(order binary.AppendByteOrder, text string) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// A key goes with all that is below it, as on import, and may come back empty.
func TestDeletedKeys(t *testing.T) {
	got, err := Parse(strings.NewReader(`Windows Registry Editor Version 5.00
[HKEY_CURRENT_USER\A\B]
"x"="1"
[HKEY_CURRENT_USER\A\B\C]
"x"="2"
[HKEY_CURRENT_USER\AB]
"x"="3"
[-HKEY_CURRENT_USER\a]
[HKEY_CURRENT_USER\A\b]
"y"="4"
`))
	require.NoError(t, err)
	assert.Equal(t, Keys{`HKEY_CURRENT_USER\A\b`: {"y": "4"}, `HKEY_CURRENT_USER\AB`: {"x": "3"}}, got)
}

func TestCommentsBehindValues(t *testing.T) {
	got, err := Parse(strings.NewReader(`Windows Registry Editor Version 5.00
[HKEY_CURRENT_USER\A]
"n"=dword:00000001 ; on
"t"="a;b" ;c
"h"=hex:01,\ ; the first
  02 ; the second
"t2"="x"
"t2"=- ; gone
`))
	require.NoError(t, err)
	assert.Equal(t, Keys{`HKEY_CURRENT_USER\A`: {"n": uint32(1), "t": "a;b", "h": []byte{1, 2}}}, got)
}

func TestCaseDoesNotMatter(t *testing.T) {
	k, err := Parse(strings.NewReader("Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\A]\n\"N\"=\"1\"\n[HKEY_LOCAL_MACHINE\\a]\n\"n\"=\"2\"\n"))
	require.NoError(t, err)
	assert.Len(t, k, 1)
	v, ok := k.Get(`HKEY_local_machine\a`, "N")
	assert.True(t, ok)
	assert.Equal(t, "2", v)
	_, ok = k.Get(`HKEY_LOCAL_MACHINE\A`, "m")
	assert.False(t, ok)
	_, ok = k.Get(`HKEY_LOCAL_MACHINE\B`, "N")
	assert.False(t, ok)
}

func TestErrorsNameTheLineAndQuoteNothing(t *testing.T) {
	head := "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\secret]\n"
	for text, want := range map[string]string{
		"":                                "not a registry export",
		"hello":                           "not a registry export",
		head + `secret`:                   "line 3: neither a key nor a value",
		head + `"secret`:                  "line 3: a text that does not end",
		head + `"secret\`:                 "line 3: a text that ends in a backslash",
		head + `"secret"`:                 "line 3: a name without a value",
		head + `"secret"=dword:xyz`:       "line 3: a dword",
		head + `"secret"=dword:000000001`: "line 3: a dword",
		head + `"secret"=hex:0`:           "line 3: bytes",
		head + `"secret"=hex:0g`:          "line 3: bytes",
		head + `"secret"=hex:00,\`:        "line 3: bytes that break off",
		head + `"secret"="a" b`:           "line 3: something after",
		head + `"secret"=secret:1`:        "line 3: a value of no known form",
		head + `[secret]`:                 "line 3: a key outside",
		head + `[HKEY_secret`:             "line 3: a key without",
		head + `[HKEY_` + strings.Repeat(`\a`, 513) + "]": "line 3: a key below more than 512 others",
		"REGEDIT4\n\"secret\"=\"a\"":                      "line 2: a value before any key",
		"\xff\xfea":                                       "breaks off",
	} {
		_, err := Parse(strings.NewReader(text))
		if assert.Error(t, err, text) {
			assert.Contains(t, err.Error(), want, text)
			assert.NotContains(t, err.Error(), "secret")
		}
	}
}

// write is an export of k, in an order of its own.
func write(k Keys) string {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\n")
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r\n", "\n").Replace(s) + `"`
	}
	bytes16 := func(s string) string { return toHex(toUTF16(binary.LittleEndian, s)[2:]) }
	for _, key := range slices.Sorted(maps.Keys(k)) {
		fmt.Fprintf(&b, "[%s]\n", key)
		for _, name := range slices.Sorted(maps.Keys(k[key])) {
			switch v := k[key][name].(type) {
			case string:
				fmt.Fprintf(&b, "%s=%s\n", quote(name), quote(v))
			case uint32:
				fmt.Fprintf(&b, "%s=dword:%08x\n", quote(name), v)
			case uint64:
				fmt.Fprintf(&b, "%s=hex(b):%s\n", quote(name), toHex(binary.LittleEndian.AppendUint64(nil, v)))
			case []byte:
				fmt.Fprintf(&b, "%s=hex:%s\n", quote(name), toHex(v))
			case []string:
				fmt.Fprintf(&b, "%s=hex(7):%s\n", quote(name), bytes16(strings.Join(v, "\x00")+"\x00\x00"))
			}
		}
	}
	return b.String()
}

func toHex(b []byte) string {
	var parts []string
	for _, c := range b {
		parts = append(parts, hex.EncodeToString([]byte{c}))
	}
	return strings.Join(parts, ",")
}

// What is read can be written and read again, and says the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add(toUTF16(binary.LittleEndian, sample))
	f.Add([]byte("REGEDIT4\n[HKEY_X]\n\"a\"=hex(7):00,00\n@=hex(2):\n"))
	f.Add([]byte("Windows Registry Editor Version 5.00\n[HKEY_\\[]]\n\"\"=\"\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(bytes.NewReader(b))
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 200)
			return
		}
		text := write(k)
		if strings.Contains(text, "\r") {
			return // a carriage return within a line is one that export and import lose
		}
		again, err := Parse(strings.NewReader(text))
		require.NoError(t, err, text)
		assert.Equal(t, k, again)
	})
}
