package clickhousesignins

import (
	"context"
	"time"
)

// ValueOf is for tests of queries that an Engine does not ask.
var ValueOf = valueOf

// SetWait lets e wait in another way.
func SetWait(e *Engine, wait func(context.Context, time.Duration) error) { e.wait = wait }
