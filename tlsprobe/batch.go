package tlsprobe

import (
	"context"
	"iter"
	"sync"
)

// ProbeAll probes the targets, [Prober.Concurrency] at a time, and yields the
// results in the order in which they are complete. The memory it takes does
// not grow with the number of targets.
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
		jobs := make(chan Target)
		results := make(chan done)
		hosts := newHostGate(p.PerHost)
		wg.Go(func() {
			defer close(jobs)
			for target := range targets {
				select {
				case jobs <- target:
				case <-ctx.Done():
					return
				}
			}
		})
		workers := p.Concurrency
		if workers <= 0 {
			workers = defaultConcurrency
		}
		var working sync.WaitGroup
		for range workers {
			working.Go(func() {
				for target := range jobs {
					leave, ok := hosts.enter(ctx, target.Addr)
					if !ok {
						return
					}
					result, err := p.probe(ctx, target)
					leave()
					if err != nil {
						result = &Result{Target: target.Addr}
					}
					if ctx.Err() != nil {
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

// A hostGate bounds how many targets of one host are probed at a time.
type hostGate struct {
	limit int

	mu    sync.Mutex
	hosts map[string]*hostSlots
}

type hostSlots struct {
	slots chan struct{}
	users int // those inside and those waiting; the last one removes the entry
}

func newHostGate(limit int) *hostGate {
	if limit <= 0 {
		limit = defaultPerHost
	}
	return &hostGate{limit: limit, hosts: make(map[string]*hostSlots)}
}

// enter waits for a place at the host of addr. If ok, leave gives it back.
func (g *hostGate) enter(ctx context.Context, addr string) (leave func(), ok bool) {
	host, _, err := splitTarget(addr)
	if err != nil {
		return func() {}, true // the probe will say so
	}
	g.mu.Lock()
	h := g.hosts[host]
	if h == nil {
		h = &hostSlots{slots: make(chan struct{}, g.limit)}
		g.hosts[host] = h
	}
	h.users++
	g.mu.Unlock()
	forget := func() {
		g.mu.Lock()
		if h.users--; h.users == 0 {
			delete(g.hosts, host)
		}
		g.mu.Unlock()
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; forget() }, true
	case <-ctx.Done():
		forget()
		return nil, false
	}
}
