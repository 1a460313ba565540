package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/crossprem/crossprem"
	"github.com/crossprem/crossprem/connectversion"
)

// The picture, in pixels: a column of labels, and the plot beside it.
const (
	pictureWidth = 1000
	plotLeft     = 420
	plotRight    = 975
	firstRow     = 84
	rowHeight    = 30
	barHeight    = 14
)

// The colours of what runs, of what stops, and of what is not known.
const (
	colourSupport  = "#2e7d32"
	colourStops    = "#c62828"
	colourHampers  = "#ef6c00"
	colourPerhaps  = "#757575"
	colourReleases = "#1565c0"
)

// A bar is one row of the picture.
type bar struct {
	label    string
	from, to time.Time
	colour   string
	open     bool // the end is not known: drawn faintly to the right edge
}

// timeline draws support and cut-offs of one version as SVG: what the
// assessment holds, from the release to the last day that matters.
func timeline(a connectversion.Assessment) []byte {
	d := drawing{a: a, from: a.At, to: a.At}
	d.collect()
	height := firstRow + rowHeight*(len(d.bars)+1) + 50
	title := fmt.Sprintf("%s %s on %s: %s", a.Product.Title(), a.Version, a.At.Format(time.DateOnly), a.Support)

	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="13">`, pictureWidth, height, pictureWidth, height)
	d.printf("<title>%s</title>", escape(title))
	d.printf(`<rect width="%d" height="%d" fill="#ffffff"/>`, pictureWidth, height)
	d.printf(`<text x="20" y="34" font-size="20">%s</text>`, escape(title))
	d.printf(`<text x="20" y="56" fill="#555555">%s</text>`, escape(d.subtitle()))
	bottom := height - 50
	d.axis(bottom)
	for i, b := range d.bars {
		d.bar(firstRow+i*rowHeight, b)
	}
	d.releases(firstRow + len(d.bars)*rowHeight)
	x := d.x(a.At)
	d.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#000000" stroke-width="2"/>`, x, firstRow-12, x, bottom)
	d.printf(`<text x="%.1f" y="%d" text-anchor="middle" font-weight="bold">%s</text>`, min(max(x, plotLeft+35), plotRight-35), firstRow-16, a.At.Format(time.DateOnly))
	d.printf("</svg>\n")
	return d.out.Bytes()
}

type drawing struct {
	a        connectversion.Assessment
	from, to time.Time
	bars     []bar
	newer    []connectversion.Release
	out      bytes.Buffer
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.out, format+"\n", args...) }

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

func (d *drawing) subtitle() string {
	text := "The newest release is not known."
	if !d.a.Latest.IsZero() {
		text = "Newest release on that day: " + d.a.Latest.String() + "."
	}
	if !d.a.AsOf.IsZero() {
		text += " Table as of " + d.a.AsOf.Format(time.DateOnly) + "."
	}
	return text
}

// reach widens the picture to show a day.
func (d *drawing) reach(t time.Time) {
	if t.IsZero() {
		return
	}
	if t.Before(d.from) {
		d.from = t
	}
	if t.After(d.to) {
		d.to = t
	}
}

// collect finds the bars and the span of time.
func (d *drawing) collect() {
	row, listed := connectversion.Lookup(d.a.Product, d.a.Version)
	support := bar{label: "support: " + d.a.Support.String(), from: d.a.At, to: d.a.SupportUntil, colour: colourSupport, open: true}
	if listed && !row.Released.IsZero() {
		support.from = row.Released
	}
	if !d.a.SupportUntil.IsZero() {
		support.label = "support, last day " + d.a.SupportUntil.Format(time.DateOnly)
		support.open = false
	} else if d.a.Support != connectversion.Supported && d.a.Support != connectversion.Outdated {
		support.colour = colourPerhaps
	}
	d.reach(support.from)
	d.reach(support.to)
	d.bars = append(d.bars, support)
	for _, f := range d.a.On(connectversion.CutoffAxis) {
		if f.Status == crossprem.Passed {
			continue
		}
		effect, stops := f.Title, false
		for _, v := range f.Values {
			if v.Name == "effect" {
				effect, stops = v.Text, strings.Contains(v.Text, "stops")
			}
		}
		effect, _, _ = strings.Cut(effect, ";")
		b := bar{from: f.Due, colour: colourHampers, label: f.Due.Format(time.DateOnly) + "  " + effect}
		switch {
		case f.Status == crossprem.Unknown:
			b.colour, b.label = colourPerhaps, b.label+"?"
		case stops:
			b.colour = colourStops
		}
		d.reach(f.Due)
		d.bars = append(d.bars, b)
	}
	margin := max(d.to.Sub(d.from)/12, 60*24*time.Hour)
	d.from, d.to = d.from.Add(-margin), d.to.Add(margin)
	for _, r := range connectversion.Embedded().Releases(d.a.Product) {
		if d.a.Version.Less(r.Version) && r.Status == connectversion.Released && !r.Released.IsZero() && !r.Released.Before(d.from) && !r.Released.After(d.to) {
			d.newer = append(d.newer, r)
		}
	}
}

func (d *drawing) x(t time.Time) float64 {
	at, whole := t.Unix()-d.from.Unix(), d.to.Unix()-d.from.Unix() // a Duration ends after 292 years
	return plotLeft + float64(at)/float64(whole)*(plotRight-plotLeft)
}

func (d *drawing) bar(y int, b bar) {
	to := float64(plotRight)
	if !b.to.IsZero() {
		to = d.x(b.to)
	}
	from := min(d.x(b.from), to-2)
	opacity := 1.0
	if b.open {
		opacity = 0.45
	}
	d.printf(`<text x="20" y="%d">%s</text>`, y+barHeight-2, escape(b.label))
	d.printf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s" fill-opacity="%.2f"/>`, from, y, to-from, barHeight, b.colour, opacity)
}

// releases marks what came after this version: filled where it is a security fix.
func (d *drawing) releases(y int) {
	if len(d.newer) == 0 {
		return
	}
	d.printf(`<text x="20" y="%d">later releases (filled: security fix)</text>`, y+barHeight-2)
	for _, r := range d.newer {
		fill := "#ffffff"
		if r.SecurityFix {
			fill = colourReleases
		}
		d.printf(`<circle cx="%.1f" cy="%d" r="5" fill="%s" stroke="%s" stroke-width="1.5"><title>%s</title></circle>`,
			d.x(r.Released), y+barHeight/2, fill, colourReleases, escape(r.Version.String()+", "+r.Released.Format(time.DateOnly)))
	}
}

// maxLabels is how many years have room below the plot.
const maxLabels = 14

// axis draws years, quarters if there are few, and every fifth, tenth,
// fiftieth … year if there are many.
func (d *drawing) axis(y int) {
	every, months := 1, 12
	for factor := 5; (d.to.Year()-d.from.Year())/every > maxLabels; factor = 7 - factor {
		every *= factor
		months = 12 * every
	}
	if d.to.Sub(d.from) < 3*366*24*time.Hour {
		months = 3
	}
	d.printf(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#333333"/>`, plotLeft, y, plotRight, y)
	first := true
	for t := time.Date(d.from.Year()/every*every, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(d.to); t = t.AddDate(0, months, 0) {
		if t.Before(d.from) {
			continue
		}
		x := d.x(t)
		d.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`, x, firstRow-6, x, y)
		label := t.Format("2006")
		if months == 3 && t.Month() != 1 {
			label = t.Format("Jan")
			if first {
				label = t.Format("Jan 2006")
			}
		}
		first = false
		d.printf(`<text x="%.1f" y="%d" text-anchor="middle" fill="#333333" font-size="12">%s</text>`, x, y+18, label)
	}
}
