// Package poll waits between two looks at something that changes by itself.
package poll

import (
	"context"
	"time"
)

// interval is short beside anything that is waited for here, and long beside
// a look at it.
const interval = 50 * time.Millisecond

// Pause returns after a moment, or with the context's error when that ends.
func Pause(ctx context.Context) error {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
