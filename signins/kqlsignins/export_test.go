package kqlsignins

import (
	"context"
	"time"
)

// SetWait lets e wait in another way.
func SetWait(e *Engine, wait func(context.Context, time.Duration) error) { e.wait = wait }
