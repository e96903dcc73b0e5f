package registry

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate bounds how many look-ups of one registry are under way and, with RefuseWhenBusy, how many callers wait for them. A
// registry that hangs then takes a few callers with it, and no more. The gate is passed once a look-up, not once a request:
// what has begun is never refused half-way.
type gate struct {
	slots chan struct{}

	mutex sync.Mutex
	took  time.Duration // what a look-up takes, about
	last  time.Time     // turn of those that were refused
}

// firstGuess is what a look-up takes as long as none has ended.
const firstGuess = time.Second

func newGate(slots int) *gate {
	return &gate{slots: make(chan struct{}, slots), took: firstGuess}
}

// wait enters when there is a slot.
func (g *gate) wait(ctx context.Context) (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return g.leaver(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refuse enters at once, or refuses with Busy and the time of a turn. Those who are refused get turns one after the other,
// as far apart as look-ups end, so that each comes back about once.
func (g *gate) refuse() (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return g.leaver(), nil
	default:
		return nil, &postponed{err: faultf(Busy, "%d look-ups are under way", cap(g.slots)), until: g.nextTurn(time.Now())}
	}
}

// turn is when a look-up that cannot begin now may; zero if it can.
func (g *gate) turn(now time.Time) time.Time {
	if len(g.slots) < cap(g.slots) {
		return time.Time{}
	}
	return g.nextTurn(now)
}

func (g *gate) leaver() func() {
	began := time.Now()
	return func() {
		g.mutex.Lock()
		g.took += (time.Since(began) - g.took) / 8
		g.mutex.Unlock()
		<-g.slots
	}
}

func (g *gate) nextTurn(now time.Time) time.Time {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.last.Before(now) {
		g.last = now
	}
	g.last = g.last.Add(max(g.took/time.Duration(cap(g.slots)), time.Millisecond))
	if latest := now.Add(longestTurn); g.last.After(latest) {
		g.last = latest
	}
	return g.last.Add(jitter(g.took))
}

// longestTurn is the longest that anybody is put off at a time: the guess may be wrong by much when a host recovers.
const longestTurn = 30 * time.Second

// jitter is a random part of a duration, to keep callers apart.
func jitter(of time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(of/4) + 1)) //nolint:gosec // nobody gains by guessing it
}

// paced sends no more requests in a second than its host is to be sent.
type paced struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func newRate(perSecond float64, next http.RoundTripper) http.RoundTripper {
	return &paced{limiter: rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond), 1)), next: next}
}

func (p *paced) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(request.Context()); err != nil {
		return nil, &postponed{err: faultf(Busy, "it is sent %v requests a second at most", p.limiter.Limit()), until: time.Now().Add(firstGuess)}
	}
	return p.next.RoundTrip(request)
}
