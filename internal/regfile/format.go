package regfile

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crossprem/crossprem/internal/wintext"
)

// Format returns k as the text of a .reg file, sorted and with the line ends of
// Windows. Regedit imports ASCII as it is; for other characters it needs what
// [Encode] returns. Format panics if a value has none of the types that [Keys]
// names.
func Format(k Keys) string {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\r\n")
	for _, key := range slices.Sorted(maps.Keys(k)) {
		fmt.Fprintf(&b, "\r\n[%s]\r\n", key)
		for _, name := range slices.Sorted(maps.Keys(k[key])) {
			written := quote(name)
			if name == "" {
				written = "@"
			}
			fmt.Fprintf(&b, "%s=%s\r\n", written, formatValue(k[key][name]))
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// Encode returns k as regedit exports it: as UTF-16 with a byte-order mark.
func Encode(k Keys) []byte { return wintext.EncodeUTF16(wintext.Mark + Format(k)) }

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func formatValue(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case uint32:
		return fmt.Sprintf("dword:%08x", v)
	case uint64:
		return hexBytes("hex(b):", binary.LittleEndian.AppendUint64(nil, v))
	case []string:
		return hexBytes("hex(7):", wintext.EncodeUTF16(strings.Join(append(slices.Clip(v), ""), "\x00")+"\x00"))
	case []byte:
		return hexBytes("hex:", v)
	}
	panic(fmt.Sprintf("regfile: a value is a %T", v))
}

// hexBytes writes bytes as regedit does, 25 in a line.
func hexBytes(kind string, raw []byte) string {
	var b strings.Builder
	b.WriteString(kind)
	for i, c := range raw {
		switch {
		case i == 0:
		case i%25 == 0:
			b.WriteString(",\\\r\n  ")
		default:
			b.WriteByte(',')
		}
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	return b.String()
}
