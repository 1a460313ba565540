package clients

import (
	"fmt"
	"regexp"
	"strconv"
)

// An appleBuild is the build of iOS that an ActiveSync agent of Apple carries.
type appleBuild struct {
	device string // such as "iPhone9,1"
	text   string // such as "15E302"
	major  int    // 15
	letter byte   // 'E'
}

// Apple writes the build as decimal digits: those before the last two of the
// first number are the build's major, the last two its letter (01 is A), and
// the second number is the rest. Of a second number of more than five digits
// the last five are a small letter: 00001 is a.
var appleAgent = regexp.MustCompile(`^Apple-(iPhone|iPad|iPod)(?:(\d+)C(\d+))?/(\d{1,2})(\d{2})\.(\d+)$`)

// decodeAppleBuild decodes an agent such as "Apple-iPhone9C1/1505.302", and
// returns false for one that is none or whose numbers make no build.
func decodeAppleBuild(ua string) (appleBuild, bool) {
	m := appleAgent.FindStringSubmatch(ua)
	if m == nil {
		return appleBuild{}, false
	}
	b := appleBuild{device: m[1]}
	if m[2] != "" {
		b.device += m[2] + "," + m[3]
	}
	b.major, _ = strconv.Atoi(m[4])
	letter, _ := strconv.Atoi(m[5])
	if b.major < 5 || letter < 1 || letter > 26 { // ActiveSync came with iPhone OS 2, build 5A
		return appleBuild{}, false
	}
	b.letter = 'A' + byte(letter-1)
	number, suffix := m[6], ""
	if len(number) > 5 {
		tail, _ := strconv.Atoi(number[len(number)-5:])
		if tail < 1 || tail > 26 {
			return appleBuild{}, false
		}
		number, suffix = number[:len(number)-5], string(rune('a'+tail-1))
	}
	b.text = fmt.Sprintf("%d%c%s%s", b.major, b.letter, number, suffix)
	return b, true
}

// iOS returns the major version of iOS: build 15 is iOS 11; iOS 26 is build 23.
func (b appleBuild) iOS() int {
	if b.major <= 22 {
		return b.major - 4
	}
	return b.major + 3 // Apple numbers by years since iOS 26
}

// modern reports whether the build can sign in with tokens: from iOS 11.3 on,
// whose builds are 15E.
func (b appleBuild) modern() bool { return b.major > 15 || b.major == 15 && b.letter >= 'E' }
