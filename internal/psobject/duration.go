package psobject

import (
	"regexp"
	"strconv"
	"strings"
)

// isoDuration is a time span as XML writes it: P7DT0.5S.
var isoDuration = regexp.MustCompile(`^(-?)P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,7}))?S)?)?$`)

// durationText returns a time span of CLIXML as the console and JSON show it,
// 7.00:00:00.5000000.
func durationText(s string) string {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" || s == "-P" || strings.HasSuffix(s, "T") {
		return s
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(m[i], 10, 64); return n }
	fraction, _ := strconv.ParseInt((m[6] + "0000000")[:7], 10, 64)
	seconds := ((number(2)*24+number(3))*60+number(4))*60 + number(5)
	return m[1] + spanText(seconds, fraction)
}

// spanText returns so many seconds and tenths of microseconds as .NET shows a
// time span.
func spanText(seconds, fraction int64) string {
	two := func(n int64) string {
		if n < 10 {
			return "0" + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	s := two(seconds/3600%24) + ":" + two(seconds/60%60) + ":" + two(seconds%60)
	if days := seconds / 86400; days > 0 {
		s = strconv.FormatInt(days, 10) + "." + s
	}
	if fraction > 0 {
		digits := strconv.FormatInt(fraction, 10)
		s += "." + strings.Repeat("0", 7-len(digits)) + digits
	}
	return s
}
