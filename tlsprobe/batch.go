package tlsprobe

import (
	"context"
	"iter"
	"sync"
)

// maxParked is how many targets wait for their host, at most, before no more
// are read.
const maxParked = 1 << 16

// ProbeAll probes the targets, [Prober.Concurrency] at a time, and yields the
// results in the order in which they are complete. A target whose host is busy
// with [Prober.PerHost] others waits without holding anybody up: others are
// probed in the meantime. The memory it takes does not grow with the number of
// targets; at most 65,536 of them wait for their hosts.
//
// With an error, which is as for [Prober.Probe], the Result holds the Target
// alone. If ctx ends, the targets not yet done are left out, and the sequence
// ends. When the sequence ends or the loop breaks, no connection is open and
// no goroutine is left; ProbeAll then waits until targets gives its next value,
// so a sequence that blocks should watch ctx itself.
func (p *Prober) ProbeAll(ctx context.Context, targets iter.Seq[Target]) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()

		type done struct {
			result *Result
			err    error
		}
		jobs := make(chan Target)     // those that may be probed now
		finished := make(chan string) // hosts of those that were
		results := make(chan done)
		read := make(chan Target)
		wg.Go(func() {
			defer close(read)
			for target := range targets {
				select {
				case read <- target:
				case <-ctx.Done():
					return
				}
			}
		})
		wg.Go(func() { newQueue(p.PerHost).run(ctx, read, jobs, finished) })
		workers := p.Concurrency
		if workers <= 0 {
			workers = defaultConcurrency
		}
		var working sync.WaitGroup
		for range workers {
			working.Go(func() {
				for target := range jobs {
					result, err := p.probe(ctx, target)
					if err != nil {
						result = &Result{Target: target.Addr}
					}
					if ctx.Err() != nil {
						return
					}
					select {
					case finished <- hostOf(target):
					case <-ctx.Done():
						return
					}
					select {
					case results <- done{result, err}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		wg.Go(func() {
			working.Wait()
			close(results)
		})
		for d := range results {
			if !yield(d.result, d.err) {
				return
			}
		}
	}
}

// hostOf returns the host of a target, or "" for a target that has none, whose
// probe will say so.
func hostOf(t Target) string {
	host, _, _ := splitTarget(t.Addr)
	return host
}

// A queue decides which target is probed next: the one that came first, of
// those whose host is not busy.
type queue struct {
	limit  int
	busy   map[string]int      // probes of a host that are going on
	parked map[string][]Target // targets of busy hosts, the first first
	count  int                 // of those parked
	ready  []Target            // to be handed out
}

func newQueue(limit int) *queue {
	if limit <= 0 {
		limit = defaultPerHost
	}
	return &queue{limit: limit, busy: make(map[string]int), parked: make(map[string][]Target)}
}

// run hands out what it reads, and closes jobs after the last. It returns when
// all of it is done or ctx ends.
func (q *queue) run(ctx context.Context, read <-chan Target, jobs chan<- Target, finished <-chan string) {
	open := true
	defer func() {
		if open {
			close(jobs)
		}
	}()
	for {
		if open && read == nil && q.count == 0 && len(q.ready) == 0 {
			close(jobs)
			open = false
		}
		if !open && len(q.busy) == 0 {
			return
		}
		in, out := read, jobs
		var next Target
		if len(q.ready) > 0 {
			in, next = nil, q.ready[0] // what is ready goes first, so that it does not pile up
		} else {
			out = nil
		}
		if q.count >= maxParked {
			in = nil
		}
		select {
		case target, ok := <-in:
			if !ok {
				read = nil
				continue
			}
			q.add(target)
		case out <- next:
			q.ready = q.ready[1:]
		case host := <-finished:
			q.leave(host)
		case <-ctx.Done():
			return
		}
	}
}

func (q *queue) add(t Target) {
	host := hostOf(t)
	if q.busy[host] >= q.limit && host != "" {
		q.parked[host] = append(q.parked[host], t)
		q.count++
		return
	}
	q.busy[host]++
	q.ready = append(q.ready, t)
}

// leave notes that a probe of host has ended, and makes the next one ready.
func (q *queue) leave(host string) {
	if waiting := q.parked[host]; len(waiting) > 0 {
		q.ready = append(q.ready, waiting[0])
		q.count--
		if q.parked[host] = waiting[1:]; len(waiting) == 1 {
			delete(q.parked, host)
		}
		return
	}
	if q.busy[host]--; q.busy[host] == 0 {
		delete(q.busy, host)
	}
}
