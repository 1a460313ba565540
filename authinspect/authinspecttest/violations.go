package authinspecttest

import (
	"fmt"
	"strings"
	"sync"
)

// A guard collects what must never happen to a fake: that a password, a token
// or anything else that signs in arrives. Every fake has one.
type guard struct {
	mu         sync.Mutex
	violations []string
}

// violate records that the promise was broken. The text must not repeat the
// secret.
func (g *guard) violate(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.violations = append(g.violations, fmt.Sprintf(format, args...))
}

// take returns and forgets what was recorded.
func (g *guard) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.violations
	g.violations = nil
	return taken
}

// report panics with the violations that nobody has taken.
func (g *guard) report(server string) {
	if left := g.take(); len(left) > 0 {
		panic("authinspecttest: " + server + " was sent credentials: " + strings.Join(left, "; "))
	}
}
