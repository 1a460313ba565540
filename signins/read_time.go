package signins

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads RFC 3339, taking a missing zone for UTC as every one of the
// formats means it, and local forms.
func parseTime(b []byte) (time.Time, bool) {
	digits := func(i, n int) int {
		v := 0
		for _, c := range b[i : i+n] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			v = v*10 + int(c-'0')
		}
		return v
	}
	if hasPrefix(b, "/Date(") {
		return parseMilliseconds(b)
	}
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10]|' ' != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return parseLocal(b)
	}
	year, month, day := digits(0, 4), digits(5, 2), digits(8, 2)
	hour, minute, second := digits(11, 2), digits(14, 2), digits(17, 2)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return time.Time{}, false
	}
	nano, rest := 0, b[19:]
	if len(rest) > 1 && rest[0] == '.' {
		unit, k := 100_000_000, 1
		for ; k < len(rest) && rest[k] >= '0' && rest[k] <= '9'; k++ {
			nano += int(rest[k]-'0') * unit
			unit /= 10
		}
		if k == 1 {
			return time.Time{}, false
		}
		rest = rest[k:]
	}
	zone := 0
	switch {
	case len(rest) == 0 || len(rest) == 1 && rest[0]|' ' == 'z':
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		i := len(b) - 6
		h, m := digits(i+1, 2), digits(i+4, 2)
		if uint(h) > 23 || uint(m) > 59 {
			return time.Time{}, false
		}
		if zone = h*3600 + m*60; rest[0] == '-' {
			zone = -zone
		}
	default:
		return time.Time{}, false
	}
	// Days since 1970 by the civil calendar, in years that begin in March.
	y, m := year, month-3
	if m < 0 {
		y, m = y-1, m+12
	}
	days := y*365 + y/4 - y/100 + y/400 + (153*m+2)/5 + day - 1 - 719468
	return time.Unix(int64(days)*86400+int64(hour*3600+minute*60+second-zone), int64(nano)).UTC(), true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// The forms that the portal's CSV and spreadsheets give dates and times.
var (
	localDates  = [...]string{"1/2/2006", "2/1/2006", "2.1.2006", "2006-1-2", "2006/1/2"}
	localClocks = [...]string{"3:04:05 PM", "3:04 PM", "15:04:05", "15:04"}
)

// parseLocal reads "2/25/2025, 9:19:25.391 AM", as Log Analytics' portal has
// it whatever the country, and what spreadsheets make of times as far as day
// and month cannot be mistaken for each other.
func parseLocal(b []byte) (time.Time, bool) {
	text := strings.TrimSpace(string(b))
	for _, blank := range [...]string{"\u202f", "\u00a0"} { // that do not break
		text = strings.Replace(text, blank, " ", 1)
	}
	date, clock, _ := strings.Cut(text, " ")
	date, comma := strings.CutSuffix(date, ",")
	portal := comma && strings.HasSuffix(clock, "M")
	for _, c := range localClocks {
		at, err := time.Parse(c, clock)
		if err != nil {
			continue
		}
		for _, d := range localDates {
			day, err := time.Parse(d, date)
			if open := strings.HasSuffix(d, "/2006") && day.Day() <= 12 && day.Day() != int(day.Month()); err == nil && (portal || !open) {
				return day.Add(at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))), true
			}
		}
	}
	return time.Time{}, false
}

// parseMilliseconds reads "/Date(1763458500000)/", as Windows PowerShell and
// .NET's older serializers have times, with a zone behind the number or not:
// it does not change the moment.
func parseMilliseconds(b []byte) (time.Time, bool) {
	text, ok := strings.CutSuffix(strings.TrimPrefix(string(b), "/Date("), ")/")
	if k := strings.LastIndexAny(text, "+-"); k > 0 {
		text = text[:k]
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || ms < -62135596800000 || ms > 253402300799999 { // years 1 to 9999
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}
