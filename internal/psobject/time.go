package psobject

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A dateOrder tells which of two numbers in 2/1/2027 is the day.
type dateOrder uint8

const (
	orderUnknown dateOrder = iota
	dayFirst
	monthFirst
	orderMixed // the input has both: it came from two cultures
)

var (
	jsonDate = regexp.MustCompile(`^/Date\((-?\d{1,15})([+-]\d{4})?\)/$`)

	// a/b/yyyy and yyyy/a/b, with or without a time.
	shortDate = regexp.MustCompile(`^(\d{1,4})([/.\-])\s?(\d{1,2})([/.\-])\s?(\d{1,4})\.?(?:,? +(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\s?([AaPp])\.?\s?[Mm]\.?)?)?$`)
)

// layouts without ambiguity, as PowerShell writes them.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.9999999",
	"2006-01-02 15:04:05Z07:00",
	"Monday, January 2, 2006 3:04:05 PM", // Get-Date in the United States
	"Monday, 2 January 2006 15:04:05",    // and in Great Britain
	"2 January 2006 15:04:05",
}

// parseTime reads a date as JSON, CLIXML or a console shows it.
func parseTime(s string, order dateOrder) (time.Time, bool) {
	if m := jsonDate.FindStringSubmatch(s); m != nil {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		t := time.UnixMilli(ms).UTC()
		return t, err == nil && t.Year() >= 1 && t.Year() <= 9999
	}
	s = strings.TrimSuffix(s, " UTC")
	s = strings.Map(func(r rune) rune {
		if r == '\u202f' || r == '\u00a0' { // newer Windows puts one before AM
			return ' '
		}
		return r
	}, s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	d, ok := splitDate(s)
	if !ok {
		return time.Time{}, false
	}
	if !d.yearFirst {
		switch d.order() {
		case monthFirst:
			d.day, d.month = d.b, d.a
		case dayFirst:
			d.day, d.month = d.a, d.b
		default:
			switch {
			case d.a == d.b, order == dayFirst:
				d.day, d.month = d.a, d.b
			case order == monthFirst, order == orderUnknown && d.american:
				d.day, d.month = d.b, d.a
			default:
				return time.Time{}, false
			}
		}
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, 0, time.UTC)
	if t.Day() != d.day || int(t.Month()) != d.month || t.Hour() != d.hour || t.Minute() != d.minute {
		return time.Time{}, false
	}
	return t, true
}

// A consoleDate is a date as a console of unknown culture shows it.
type consoleDate struct {
	year, month, day     int
	hour, minute, second int
	a, b                 int  // the two numbers beside the year
	yearFirst            bool // the order is year, month, day
	separator            byte
	american             bool // 2/1/2027 3:04:05 PM
}

// order returns what the date itself tells of its order.
func (d consoleDate) order() dateOrder {
	switch {
	case d.separator != '/', d.a > 12: // points and hyphens go with the day first
		return dayFirst
	case d.b > 12:
		return monthFirst
	}
	return orderUnknown
}

// splitDate takes a short date apart, and reports whether s is one.
func splitDate(s string) (consoleDate, bool) {
	m := shortDate.FindStringSubmatch(s)
	if m == nil || m[2] != m[4] {
		return consoleDate{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	d := consoleDate{separator: m[2][0], hour: number(6), minute: number(7), second: number(8)}
	switch {
	case len(m[1]) == 4 && len(m[5]) <= 2:
		d.yearFirst, d.year, d.month, d.day = true, number(1), number(3), number(5)
	case len(m[1]) <= 2 && len(m[5]) == 4:
		d.a, d.b, d.year = number(1), number(3), number(5)
	default:
		return consoleDate{}, false
	}
	// Other calendars count other years: 2569 is 2026 in Thailand.
	if d.year != 1 && d.year != 9999 && (d.year < 1601 || d.year > 2200) {
		return consoleDate{}, false
	}
	switch half := strings.ToLower(m[9]); {
	case half == "":
	case d.hour < 1 || d.hour > 12:
		return consoleDate{}, false
	case half == "p" && d.hour < 12:
		d.hour += 12
	case half == "a" && d.hour == 12:
		d.hour = 0
	}
	unpadded := !strings.HasPrefix(m[1], "0") && !strings.HasPrefix(m[3], "0")
	d.american = d.separator == '/' && unpadded && (strings.HasSuffix(s, " AM") || strings.HasSuffix(s, " PM"))
	return d, true
}

// settleDates lets every value know the order that the dates of the whole
// input agree upon.
func settleDates(outputs []Output) {
	order := orderUnknown
	each(outputs, func(v *Value) {
		d, ok := splitDate(v.Text)
		if !ok || d.yearFirst || d.separator != '/' {
			return
		}
		switch found := d.order(); {
		case found == orderUnknown || found == order:
		case order == orderUnknown:
			order = found
		default:
			order = orderMixed
		}
	})
	if order != orderUnknown {
		each(outputs, func(v *Value) { v.order = order })
	}
}

// each calls f for every value.
func each(outputs []Output, f func(*Value)) {
	var walk func(*Value)
	walk = func(v *Value) {
		f(v)
		for i := range v.List {
			walk(&v.List[i])
		}
		if v.Object != nil {
			for i := range v.Object.Properties {
				walk(&v.Object.Properties[i].Value)
			}
		}
	}
	for _, out := range outputs {
		for _, object := range out.Objects {
			for i := range object.Properties {
				walk(&object.Properties[i].Value)
			}
		}
	}
}
