package exchange

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Build is the version of an Exchange server: 15.2.2562.41.
type Build [4]int

// String returns a form such as "15.2.2562.41".
func (b Build) String() string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) }

// Compare returns -1, 0 or 1, as b is older than other, the same, or newer.
func (b Build) Compare(other Build) int {
	for i := range b {
		switch {
		case b[i] < other[i]:
			return -1
		case b[i] > other[i]:
			return 1
		}
	}
	return 0
}

var (
	displayVersion = regexp.MustCompile(`(?i)(\d{1,3})\.(\d{1,3})\s*\(\s*build\s+(\d{1,6})\.(\d{1,6})\s*\)`)
	plainVersion   = regexp.MustCompile(`^\s*(?i:version\s+)?(\d{1,3})\.(\d{1,3})\.(\d{1,6})\.(\d{1,6})\s*$`)
)

// ParseBuild reads "Version 15.2 (Build 2562.41)", "15.2.2562.41" and
// "15.02.2562.041". It returns false for anything else.
func ParseBuild(text string) (Build, bool) {
	m := displayVersion.FindStringSubmatch(text)
	if m == nil {
		m = plainVersion.FindStringSubmatch(text)
	}
	if m == nil {
		return Build{}, false
	}
	var b Build
	for i := range b {
		b[i], _ = strconv.Atoi(m[i+1]) // bounded by the pattern
	}
	return b, true
}
