package gather

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crossprem/crossprem/signins/graphsignins"
)

// A Bar shows on a terminal how far the sign-ins are. Its methods are for one
// goroutine.
type Bar struct {
	W        io.Writer
	From, To time.Time
	Width    int // of the terminal

	now   func() time.Time // nil: time.Now
	began time.Time
	first time.Time // the beginning of the first slice of this run
	last  time.Time
	shown bool
}

// Show draws p, at most five times a second.
func (b *Bar) Show(p graphsignins.Progress) {
	now := time.Now
	if b.now != nil {
		now = b.now
	}
	at := now()
	if b.began.IsZero() {
		b.began, b.first = at, p.Slice.Start
	}
	if at.Sub(b.last) < 200*time.Millisecond && p.WaitingUntil.IsZero() {
		return
	}
	b.last, b.shown = at, true
	fmt.Fprintf(b.W, "\r%s\x1b[K", b.line(p, at)) // a terminal that is gone matters to nobody
}

// Clear removes the bar, before another line is written.
func (b *Bar) Clear() {
	if b.shown {
		fmt.Fprint(b.W, "\r\x1b[K")
		b.shown = false
	}
}

// line is the bar with records, rate and the time left. The time left is that
// of this run at its speed so far, by the days of the log; it is not told
// before there is a speed.
func (b *Bar) line(p graphsignins.Progress, at time.Time) string {
	share := 0.0
	if whole := b.To.Sub(b.From); whole > 0 && !p.Slice.Start.IsZero() {
		share = min(max(float64(p.Slice.Start.Sub(b.From))/float64(whole), 0), 1)
	}
	took := at.Sub(b.began)
	s := fmt.Sprintf("%3.0f %%  %s  %s sign-ins", share*100, p.Slice.Start.UTC().Format("2006-01-02 15:04"), thousands(p.Records))
	if took >= time.Second {
		s += fmt.Sprintf("  %s/s", thousands(int64(float64(p.Records)/took.Seconds())))
	}
	if done := p.Slice.Start.Sub(b.first); took >= time.Second && done > 0 && b.To.After(p.Slice.Start) {
		left := time.Duration(float64(took) * float64(b.To.Sub(p.Slice.Start)) / float64(done))
		s += "  " + short(left) + " left"
	}
	if wait := p.WaitingUntil.Sub(at); wait >= time.Second {
		s += "  (waiting " + short(wait) + ")"
	}
	if room := b.Width - len(s) - 5; room >= 10 {
		cells := min(room, 30)
		full := int(share * float64(cells))
		s = "[" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " + s
	}
	if b.Width > 1 && len(s) >= b.Width {
		s = s[:b.Width-1]
	}
	return s
}

func short(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
