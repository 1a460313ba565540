package wintext

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const text = "Größe: 𝄞 \r\nüber\x00"

func encoded(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestDecode(t *testing.T) {
	for name, b := range map[string]string{
		"UTF-8":                   text,
		"UTF-8 with a mark":       Mark + text,
		"UTF-16LE with a mark":    encoded(binary.LittleEndian, Mark+text),
		"UTF-16BE with a mark":    encoded(binary.BigEndian, Mark+text),
		"UTF-16LE without a mark": encoded(binary.LittleEndian, text),
		"UTF-16BE without a mark": encoded(binary.BigEndian, text),
	} {
		got, err := Decode([]byte(b))
		require.NoError(t, err, name)
		assert.Equal(t, text, got, name)
		assert.Equal(t, strings.HasPrefix(name, "UTF-16"), IsUTF16([]byte(b)), name)
	}
	assert.Equal(t, encoded(binary.LittleEndian, text), string(EncodeUTF16(text)))

	got, err := Decode([]byte("\xff\xfea\x00b"))
	assert.Equal(t, "a", got)
	require.ErrorIs(t, err, ErrTorn)
	got, err = Decode([]byte("\xff\xfe\x00\xd8a\x00"))
	require.NoError(t, err)
	assert.Equal(t, "\ufffda", got, "half a pair")
	got, err = Decode([]byte("caf\xe9"))
	require.NoError(t, err)
	assert.Equal(t, "caf\xe9", got, "as it is")
	assert.Equal(t, "café", Latin1([]byte("caf\xe9")))
	got, err = Decode(nil)
	require.NoError(t, err)
	assert.Empty(t, got)
}

// A reader that fails passes its error on, after what it gave.
func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	for _, first := range []string{"abc", encoded(binary.LittleEndian, Mark+"abc")} {
		got, err := io.ReadAll(NewReader(io.MultiReader(strings.NewReader(first), iotest.ErrReader(broken))))
		assert.Equal(t, "abc", string(got))
		assert.ErrorIs(t, err, broken)
	}
	_, err := io.ReadAll(NewReader(idle{}))
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// The streaming reader gives what Decode does, however its input is cut up.
func FuzzReader(f *testing.F) {
	for _, s := range []string{text, Mark + text, encoded(binary.LittleEndian, Mark+text), encoded(binary.BigEndian, text), "\xff\xfe\x00\xd8", "\xff\xfea", "\x00", strings.Repeat(encoded(binary.LittleEndian, "𝄞a"), 2000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := Decode(b)
		for name, r := range map[string]io.Reader{
			"at once":    strings.NewReader(string(b)),
			"one byte":   iotest.OneByteReader(strings.NewReader(string(b))),
			"with error": iotest.DataErrReader(iotest.HalfReader(strings.NewReader(string(b)))),
		} {
			got, err := io.ReadAll(NewReader(r))
			assert.Equal(t, wantErr, err, name)
			assert.Equal(t, want, string(got), name)
		}
		if IsUTF16(b) {
			assert.True(t, utf8.ValidString(want))
		}
	})
}
