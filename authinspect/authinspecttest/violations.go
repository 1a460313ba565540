package authinspecttest

import (
	"fmt"
	"strings"
	"sync"
)

// A guard collects what must never happen to a fake: that a password, a token
// or anything else that signs in arrives. Every fake embeds one.
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

// Violations hands over, and forgets, what arrived that must never arrive: a
// password, a token, a cookie. What was sent is described, not repeated. A
// test that expects violations takes them before Close, which panics
// otherwise.
func (g *guard) Violations() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.violations
	g.violations = nil
	return taken
}

// report panics with the violations that nobody has taken.
func (g *guard) report(server string) {
	if left := g.Violations(); len(left) > 0 {
		panic("authinspecttest: " + server + " was sent credentials: " + strings.Join(left, "; "))
	}
}
