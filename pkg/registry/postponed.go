package registry

import (
	"errors"
	"time"
)

// postponed is a failure that will stay the same until a time: asking before is in vain, or unwelcome. A request that is
// kept back for it fails with the same error, so that what people read does not change while nothing does.
type postponed struct {
	err   error
	until time.Time
}

func (p *postponed) Error() string { return p.err.Error() }

// Unwrap gives the failure.
func (p *postponed) Unwrap() error { return p.err }

// retryAfter is how long an error asks to wait; zero if it does not.
func retryAfter(err error) time.Duration {
	var p *postponed
	if !errors.As(err, &p) {
		return 0
	}
	return max(time.Until(p.until), time.Millisecond)
}
