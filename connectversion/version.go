package connectversion

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A Version is a build number of four parts, as Windows keeps it in file
// version resources and installer databases: each part is a 16-bit number.
// The zero Version stands for an unknown one. Versions are compared with ==
// and Compare, never as text: 1.0.494.0501 is 1.0.494.501.
type Version struct {
	Major, Minor, Build, Revision uint16
}

// ErrVersion reports that a text is not a version.
var ErrVersion = errors.New("connectversion: not a version of four numbers")

// maxVersionText is generous: the longest version written without leading
// zeros has 23 characters.
const maxVersionText = 64

// Parse reads a version of exactly four decimal parts, such as "2.6.3.0".
// Leading zeros are allowed and mean nothing. Any other shape is an error that
// wraps [ErrVersion]; see [ParsePartial] for "2.6.3".
func Parse(text string) (Version, error) {
	v, parts, err := parse(text)
	if err == nil && parts != 4 {
		err = fmt.Errorf("%w: %q has %d parts", ErrVersion, text, parts)
	}
	if err != nil {
		return Version{}, err
	}
	return v, nil
}

// ParsePartial reads what people type and paste: a version of two to four
// parts, of which missing ones are zero, with blanks or quotes around it, a
// "v" or "version" before it, and parts that are separated by commas, as the
// version resources of programs have them ("2, 6, 3, 0").
//
// Exact reports whether text is what [Parse] takes. Where it is not, a program
// should show which version was taken.
func ParsePartial(text string) (v Version, exact bool, err error) {
	if len(text) > maxVersionText {
		return Version{}, false, fmt.Errorf("%w: %.40q is too long", ErrVersion, text)
	}
	typed := strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("\"'`\u201c\u201d\u2018\u2019\u200b\ufeff", r)
	})
	for _, word := range []string{"version", "ver.", "v.", "v"} {
		if len(typed) > len(word) && strings.EqualFold(typed[:len(word)], word) {
			typed = strings.TrimLeftFunc(typed[len(word):], func(r rune) bool { return unicode.IsSpace(r) || r == ':' || r == '=' })
			break
		}
	}
	pieces := strings.FieldsFunc(typed, func(r rune) bool { return r == '.' || r == ',' })
	if strings.Count(typed, ".")+strings.Count(typed, ",") != len(pieces)-1 {
		pieces = []string{typed} // an empty part, which is an error
	}
	for i := range pieces {
		pieces[i] = strings.TrimSpace(pieces[i])
	}
	v, parts, err := parse(strings.Join(pieces, "."))
	if err == nil && parts < 2 {
		err = fmt.Errorf("%w: %q has one part", ErrVersion, text)
	}
	if err != nil {
		return Version{}, false, err
	}
	strict, failed := Parse(text)
	return v, failed == nil && strict == v, nil
}

func parse(text string) (v Version, parts int, err error) {
	bad := func(why string) (Version, int, error) {
		return Version{}, 0, fmt.Errorf("%w: %.40q %s", ErrVersion, text, why)
	}
	if len(text) > maxVersionText {
		return bad("is too long")
	}
	for part := range strings.SplitSeq(text, ".") {
		if parts == 4 {
			return bad("has more than four parts")
		}
		if part == "" {
			return bad("has an empty part")
		}
		n := uint32(0)
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return bad("has a part that is not a number")
			}
			if n = n*10 + uint32(c-'0'); n > 0xffff {
				return bad("has a part above 65535")
			}
		}
		*[]*uint16{&v.Major, &v.Minor, &v.Build, &v.Revision}[parts] = uint16(n)
		parts++
	}
	return v, parts, nil
}

// packed returns v as one number that orders like v.
func (v Version) packed() uint64 {
	return uint64(v.Major)<<48 | uint64(v.Minor)<<32 | uint64(v.Build)<<16 | uint64(v.Revision)
}

// Compare returns -1, 0 or +1 as v is below, equal to or above w.
func (v Version) Compare(w Version) int { return cmp.Compare(v.packed(), w.packed()) }

// Less reports whether v is below w.
func (v Version) Less(w Version) bool { return v.packed() < w.packed() }

// IsZero reports whether v is the zero, unknown Version.
func (v Version) IsZero() bool { return v == Version{} }

// String returns v with four parts and no leading zeros, such as "2.6.3.0".
func (v Version) String() string {
	b := make([]byte, 0, 23)
	b = strconv.AppendUint(b, uint64(v.Major), 10)
	for _, part := range [...]uint16{v.Minor, v.Build, v.Revision} {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(part), 10)
	}
	return string(b)
}

// MarshalText returns what String does.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what Parse reads, and leaves v as it was on an error.
func (v *Version) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*v = parsed
	}
	return err
}
