package connectversion

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// ParsePartial reads a version of two to four parts; missing ones are zero.
// Complete tells whether all four were there. What was guessed should be
// marked as such where it is shown.
func ParsePartial(text string) (v Version, complete bool, err error) {
	v, parts, err := parse(text)
	if err == nil && parts < 2 {
		err = fmt.Errorf("%w: %q has one part", ErrVersion, text)
	}
	if err != nil {
		return Version{}, false, err
	}
	return v, parts == 4, nil
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

// Less tells whether v is below w.
func (v Version) Less(w Version) bool { return v.packed() < w.packed() }

// IsZero tells whether v is the zero, unknown Version.
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
