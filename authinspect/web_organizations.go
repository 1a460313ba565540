package authinspect

import (
	"context"
	"iter"
	"sync"
)

// InspectOrganizations inspects one target after the other, as many at a
// time as parallel says, and yields the results as they come, each with its
// target in Organization or in the error. Memory is bounded by parallel.
// Breaking off the loop or ending ctx ends the inspections that run. It
// returns when none runs any more.
func (in *Inspector) InspectOrganizations(ctx context.Context, targets iter.Seq[string], parallel int) iter.Seq2[*Organization, error] {
	return func(yield func(*Organization, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		type outcome struct {
			o   *Organization
			err error
		}
		outcomes, queue := make(chan outcome), make(chan string)
		var wg sync.WaitGroup
		for range max(parallel, 1) {
			wg.Go(func() {
				for target := range queue {
					o, err := in.InspectOrganization(ctx, target)
					select {
					case outcomes <- outcome{o, err}:
					case <-ctx.Done():
					}
				}
			})
		}
		go func() {
			defer close(outcomes)
			defer wg.Wait()
			defer close(queue)
			for target := range targets {
				select {
				case queue <- target:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range outcomes { // until all have ended
			}
		}()
		for out := range outcomes {
			if !yield(out.o, out.err) {
				return
			}
		}
	}
}
