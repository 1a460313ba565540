package schannel

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Framework is a version of .NET Framework, such as 4.7.2. The zero value is
// unknown. In text and JSON it is written "4.7.2", and "" if unknown.
type Framework struct{ Major, Minor, Patch uint8 }

// NoTarget is the target of a process that names none, such as a native
// program which hosts .NET Framework: it is treated like the oldest 4.x.
var NoTarget = Framework{Major: 4}

// ParseFramework reads a version as it is written in many places: "4.7.2",
// "v4.0.30319", "net472", ".NETFramework,Version=v4.5". The service release
// 3.5.1 counts as 3.5, and the build number of 4.0.30319 is left out.
func ParseFramework(s string) (Framework, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if _, after, ok := strings.Cut(text, "version="); ok {
		text = after
	}
	var parts []string
	if digits, ok := strings.CutPrefix(text, "net"); ok && isDigits(digits) {
		parts = strings.Split(digits, "")
	} else {
		text = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(text, ".net framework"), "v"))
		parts = strings.Split(strings.TrimPrefix(text, "v"), ".")
	}
	if len(parts) == 3 && len(parts[2]) > 1 {
		parts = parts[:2] // 4.0.30319, 2.0.50727
	}
	var n [3]uint8
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 8)
		if err != nil || i >= len(n) {
			return Framework{}, fmt.Errorf("schannel: no version of .NET Framework: %.40q", s)
		}
		n[i] = uint8(v)
	}
	f := Framework{n[0], n[1], n[2]}
	if f.Major < 2 || f.Major > 4 {
		return Framework{}, fmt.Errorf("schannel: no version of .NET Framework: %.40q", s)
	}
	if f.Major == 3 && f.Minor == 5 {
		f.Patch = 0
	}
	return f, nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String returns the version as "4.7.2" or "4.8", and "" for the zero value.
func (f Framework) String() string {
	switch {
	case f == Framework{}:
		return ""
	case f.Patch != 0:
		return fmt.Sprintf("%d.%d.%d", f.Major, f.Minor, f.Patch)
	}
	return fmt.Sprintf("%d.%d", f.Major, f.Minor)
}

// MarshalText returns what String does.
func (f Framework) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what [ParseFramework] does, and "".
func (f *Framework) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = Framework{}
		return nil
	}
	parsed, err := ParseFramework(string(text))
	if err == nil {
		*f = parsed
	}
	return err
}

// Compare returns -1, 0 or +1 as f is older than, the same as or newer than g.
func (f Framework) Compare(g Framework) int {
	return cmp.Or(cmp.Compare(f.Major, g.Major), cmp.Compare(f.Minor, g.Minor), cmp.Compare(f.Patch, g.Patch))
}

// before reports whether f is older than major.minor.
func (f Framework) before(major, minor uint8) bool {
	return f.Compare(Framework{Major: major, Minor: minor}) < 0
}

// releases are the lowest values of Release that each version has.
// (How to: Determine which .NET Framework versions are installed)
var releases = []struct {
	release uint32
	version Framework
}{
	{378389, Framework{4, 5, 0}}, {378675, Framework{4, 5, 1}}, {379893, Framework{4, 5, 2}},
	{393295, Framework{4, 6, 0}}, {394254, Framework{4, 6, 1}}, {394802, Framework{4, 6, 2}},
	{460798, Framework{4, 7, 0}}, {461308, Framework{4, 7, 1}}, {461808, Framework{4, 7, 2}},
	{528040, Framework{4, 8, 0}}, {533320, Framework{4, 8, 1}},
}

// frameworkOf returns the version that a value of Release stands for, and the
// zero value for one below all.
func frameworkOf(release uint32) (f Framework) {
	for _, r := range releases {
		if release >= r.release {
			f = r.version
		}
	}
	return f
}
