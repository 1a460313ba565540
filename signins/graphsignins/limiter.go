package graphsignins

import (
	"context"
	"sync"
	"time"
)

// A Limiter keeps requests within the budget that Microsoft Graph grants for
// sign-in logs to one application in one tenant, which is 5 requests in 10
// seconds ("Microsoft Graph service-specific throttling limits", identity and
// access reports). The zero value is that budget. All Sources of one
// application and tenant should share one; it may be used by any number of
// goroutines, and must not be copied.
type Limiter struct {
	Requests int           // 5 if 0
	Per      time.Duration // 10 s if 0

	mu    sync.Mutex
	sent  []time.Time // the last Requests of them, a ring
	next  int
	pause time.Time // Microsoft Graph asked to wait until then
}

// wait waits until a request may be sent, which is not before a time. It calls
// waiting first if there is anything to wait for.
func (l *Limiter) wait(ctx context.Context, notBefore time.Time, waiting func(until time.Time)) error {
	for {
		until := l.take(notBefore)
		if until.IsZero() {
			return context.Cause(ctx)
		}
		waiting(until)
		timer := time.NewTimer(time.Until(until))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// take takes one request out of the budget, or returns when to try again.
func (l *Limiter) take(notBefore time.Time) (until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, per := l.Requests, l.Per
	if n <= 0 {
		n = 5
	}
	if per <= 0 {
		per = 10 * time.Second
	}
	now := time.Now()
	until = notBefore
	if l.pause.After(until) {
		until = l.pause
	}
	if len(l.sent) >= n {
		if free := l.sent[l.next%len(l.sent)].Add(per); free.After(until) {
			until = free
		}
	}
	if until.After(now) {
		return until
	}
	if len(l.sent) < n {
		l.sent = append(l.sent, now)
	} else {
		l.sent[l.next%len(l.sent)] = now
		l.next++
	}
	return time.Time{}
}

// hold lets nobody send before a time.
func (l *Limiter) hold(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.pause) {
		l.pause = until
	}
}
