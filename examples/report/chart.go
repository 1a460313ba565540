package main

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crossprem/crossprem/examples/internal/terminal"
)

// Charts are drawn here, as SVG with classes and without style attributes, so
// that they obey the page's colours and its content security policy.

// A chart is a picture with what a screen reader says of it.
type chart struct {
	Title  string
	SVG    template.HTML
	Legend []legend
}

type legend struct {
	Name  string
	Color int // 0 to 7, a class of the style sheet
}

const (
	chartWidth = 960
	colors     = 8
)

type drawing struct{ strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(&d.Builder, format, args...) }

// begin opens the picture; title and description are read aloud.
func (d *drawing) begin(id string, width, height int, title, description string) {
	d.add(`<svg role="img" viewBox="0 0 %d %d" width="%d" height="%d" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		width, height, width, height, id, id, id, esc(title), id, esc(description))
}

func (d *drawing) end() template.HTML {
	d.add("</svg>")
	return template.HTML(d.String()) //nolint:gosec // every text in it was escaped
}

func esc(s string) string { return html.EscapeString(terminal.Line(s)) }

// A series is one colour of stacked bars.
type series struct {
	name   string
	values []int64 // one for each bar
}

// stackedBars draws bars over labels, one colour for each series; beyond eight
// series the smallest go together as "others".
func stackedBars(id, title string, labels []string, all []series) chart {
	slices.SortStableFunc(all, func(a, b series) int { return int(min(max(total(b.values)-total(a.values), -1), 1)) })
	if len(all) > colors {
		others := series{"others", make([]int64, len(labels))}
		for _, s := range all[colors-1:] {
			for i, v := range s.values {
				others.values[i] += v
			}
		}
		all = append(slices.Clone(all[:colors-1]), others)
	}
	const height, bottom, left, top = 260, 40, 60, 12
	highest := int64(1)
	for i := range labels {
		sum := int64(0)
		for _, s := range all {
			sum += s.values[i]
		}
		highest = max(highest, sum)
	}
	var d drawing
	var said []string
	c := chart{Title: title}
	for n, s := range all {
		c.Legend = append(c.Legend, legend{s.name, n})
		said = append(said, fmt.Sprintf("%s %d", s.name, total(s.values)))
	}
	d.begin(id, chartWidth, height, title, fmt.Sprintf("%d bars; the highest is %d. %s.", len(labels), highest, strings.Join(said, ", ")))
	y := func(v int64) float64 { return top + float64(height-top-bottom)*(1-float64(v)/float64(highest)) }
	for _, v := range ticks(highest) {
		d.add(`<line class="axis" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`, left, chartWidth, y(v), y(v), left-6, y(v)+4, v)
	}
	slot := float64(chartWidth-left) / float64(max(len(labels), 1))
	each := max(1, int(math.Ceil(80/slot))) // labels that do not touch
	for i, label := range labels {
		x, from := float64(left)+slot*float64(i)+slot*0.1, int64(0)
		for n, s := range all {
			if v := s.values[i]; v > 0 {
				d.add(`<rect class="f%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %s %d</title></rect>`, n, x, y(from+v), max(slot*0.8, 0.5), y(from)-y(from+v), esc(label), esc(s.name), v)
				from += v
			}
		}
		if i%each == 0 {
			d.add(`<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x+slot*0.4, height-bottom+18, esc(label))
		}
	}
	c.SVG = d.end()
	return c
}

func total(values []int64) (sum int64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// ticks returns up to five round values from 0 to highest.
func ticks(highest int64) []int64 {
	step := int64(1)
	for _, k := range []int64{1, 2, 5, 10} {
		power := int64(math.Pow10(int(math.Log10(float64(max(highest, 1))))))
		if step = max(1, power*k/4); highest/step <= 4 {
			break
		}
	}
	var list []int64
	for v := int64(0); v <= highest; v += step {
		list = append(list, v)
	}
	return list
}

// A bar is one row of a bar chart.
type bar struct {
	name  string
	value int64
	note  string
}

// bars draws horizontal bars.
func bars(id, title string, list []bar) chart {
	const row, left = 24, 200
	highest := int64(1)
	for _, b := range list {
		highest = max(highest, b.value)
	}
	var d drawing
	d.begin(id, chartWidth, row*len(list)+8, title, fmt.Sprintf("%d bars; the longest is %d.", len(list), highest))
	for i, b := range list {
		y := row*i + 4
		width := float64(chartWidth-left-170) * float64(b.value) / float64(highest)
		d.add(`<text x="%d" y="%d" text-anchor="end">%s</text><rect class="f0" x="%d" y="%d" width="%.1f" height="%d"/><text x="%.1f" y="%d">%d %s</text>`,
			left-8, y+14, esc(shorten(b.name, 28)), left, y, max(width, 1), row-8, float64(left)+max(width, 1)+6, y+14, b.value, esc(b.note))
	}
	return chart{Title: title, SVG: d.end()}
}

// A span is one line of a timeline: something that lasts, or a day if both
// ends are equal.
type span struct {
	name     string
	from, to time.Time
	color    int
}

// timeline draws spans one below the other, with the day at marked.
func timeline(id, title string, spans []span, at time.Time) chart {
	const row, left, top = 26, 250, 26
	first, last := at, at
	for _, s := range spans {
		for _, t := range []time.Time{s.from, s.to} {
			if t.IsZero() {
				continue
			}
			if t.Before(first) {
				first = t
			}
			if t.After(last) {
				last = t
			}
		}
	}
	length := last.Sub(first)
	if length <= 0 {
		length = 24 * time.Hour
	}
	x := func(t time.Time) float64 {
		return float64(left) + float64(chartWidth-left-90)*float64(t.Sub(first))/float64(length)
	}
	form := time.DateOnly
	if length < 4*24*time.Hour {
		form = "01-02 15:04"
	}
	var d drawing
	var said []string
	for _, s := range spans {
		said = append(said, s.name+" "+s.from.Format(form)+" to "+s.to.Format(form))
	}
	height := top + row*len(spans) + 8
	d.begin(id, chartWidth, height, title, strings.Join(said, "; ")+".")
	if !at.Before(first) && !at.After(last) {
		d.add(`<line class="today" x1="%.1f" x2="%.1f" y1="18" y2="%d"/><text x="%.1f" y="13" text-anchor="middle">%s</text>`, x(at), x(at), height, x(at), at.Format(form))
	}
	for i, s := range spans {
		y := top + row*i
		d.add(`<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, esc(shorten(s.name, 36)))
		d.add(`<rect class="f%d" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect>`, s.color%colors, x(s.from), y+2, max(x(s.to)-x(s.from), 4), row-10, esc(said[i]))
		d.add(`<text x="%.1f" y="%d">%s</text>`, max(x(s.to), x(s.from)+4)+5, y+14, s.to.Format(form))
	}
	return chart{Title: title, SVG: d.end()}
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
