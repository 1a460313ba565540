package main

import (
	"regexp"
	"strings"
	"time"
)

var (
	ordinal = regexp.MustCompile(`(\d)(?:st|nd|rd|th)\b`)
	weekday = regexp.MustCompile(`^(?i)(?:mon|tues|wednes|thurs|fri|satur|sun)day,? `)
)

// dateForms are those that the pages have used over the years. A day in
// numbers has the month first.
var dateForms = []struct {
	pattern *regexp.Regexp
	layouts []string
	month   bool // the day is not told
}{
	{regexp.MustCompile(`^\d{4}-\d{2}-\d{2}\b`), []string{"2006-01-02"}, false},
	{regexp.MustCompile(`^\d{1,2}/\d{1,2}/\d{4}\b`), []string{"1/2/2006"}, false},
	{regexp.MustCompile(`^\d{1,2}(?:st|nd|rd|th)?[ -][A-Z][a-z]+\.?,?[ -]\d{4}\b`), []string{"2 Jan 2006", "2 January 2006"}, false},
	{regexp.MustCompile(`^[A-Z][a-z]+\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}\b`), []string{"Jan 2 2006", "January 2 2006"}, false},
	{regexp.MustCompile(`^\d{4} [A-Z][a-z]+\b`), []string{"2006 January", "2006 Jan"}, true},
	{regexp.MustCompile(`^[A-Z][a-z]+,? \d{4}\b`), []string{"January 2006", "Jan 2006"}, true},
}

// cutDate reads a date at the beginning of text. Ok is false if there is none.
func cutDate(text string) (date, rest string, ok bool) {
	text = weekday.ReplaceAllString(text, "")
	for _, form := range dateForms {
		found := form.pattern.FindString(text)
		if found == "" {
			continue
		}
		plain := ordinal.ReplaceAllString(found, "$1")
		if form.layouts[0] != "2006-01-02" {
			plain = strings.NewReplacer(",", "", ".", "", "-", " ", "Sept ", "Sep ").Replace(plain)
		}
		for _, layout := range form.layouts {
			t, err := time.Parse(layout, plain)
			if err != nil {
				continue
			}
			if form.month {
				return t.Format("2006-01"), text[len(found):], true
			}
			return t.Format(time.DateOnly), text[len(found):], true
		}
	}
	return "", text, false
}

// aDate is where a date of any form begins.
var aDate = regexp.MustCompile(`\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}(?:st|nd|rd|th)?[ -][A-Z][a-z]+\.?,?[ -]\d{4}|[A-Z][a-z]{2,}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}|[A-Z][a-z]{2,} \d{4}`)

// mistaken reports whether text begins with a day in numbers that is none with
// the month first: then no day of the page is sure.
var inNumbers = regexp.MustCompile(`^\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b`)

func mistaken(text string) bool {
	_, _, ok := cutDate(text)
	return !ok && inNumbers.MatchString(text)
}
