package query

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// maxRequests are how many requests are answered at a time; of one caller, half of them.
	maxRequests = 4096
	// maxWatches are how many of them are watches; of one caller, a quarter of them.
	maxWatches = 1024
	// maxScans are how many requests at a time may want to look through the whole catalog, for a text or a selector that
	// nobody asked for lately, or to undo what happened since the version of a walk; of one caller, half of them. As many do
	// so as there are processors, for milliseconds each; the others wait for maxWait.
	maxScans = 512
	maxWait  = time.Second
	// maxAnswers are how many bytes of answers may wait for their readers at a time; of one caller, half of them. It is a
	// part of what the container may take, see config/deployment-query.yaml.
	maxAnswers = 128 << 20
	// maxPatience is how long the client of a watch may take to read what it is sent, before the watch ends.
	maxPatience = 30 * time.Second
)

// gates keep the server from doing more than it can, and one caller from having it all.
type gates struct {
	requests, watches, scans, answers *gate
	scanning                          *semaphore.Weighted
	patience                          time.Duration
}

func newGates() *gates {
	return &gates{
		requests: newGate(maxRequests, maxRequests/2),
		watches:  newGate(maxWatches, maxWatches/4),
		scans:    newGate(maxScans, maxScans/2),
		answers:  newGate(maxAnswers, maxAnswers/2),
		scanning: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		patience: maxPatience,
	}
}

// scan lets a caller look through the whole catalog.
func (g *gates) scan(ctx context.Context, caller string) (func(), error) {
	leave, err := g.scans.enter(caller, 1)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := g.scanning.Acquire(ctx, 1); err != nil {
		leave()
		return nil, tooMany("Too many texts, selectors and pages of the past are being looked for that nobody asked for lately. Try again in a moment.")
	}
	return func() { g.scanning.Release(1); leave() }, nil
}

// gate lets in so many at a time, or so many bytes, and so many of one caller, and sends the others away at once: who waits
// in a queue that grows gets their answer when they need it no more. What is larger than all of it comes in alone.
type gate struct {
	all, each int

	mutex sync.Mutex
	in    int
	of    map[string]int
}

func newGate(all, each int) *gate { return &gate{all: all, each: each, of: map[string]int{}} }

// enter gives what is to be called at the end, or the answer to who must come again later.
func (g *gate) enter(caller string, size int) (leave func(), err error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	switch {
	case g.of[caller] > 0 && g.of[caller]+size > g.each:
		return nil, tooMany("You have as many such requests under way as one caller may have. Wait for the answers, or try again in a moment.")
	case g.in > 0 && g.in+size > g.all:
		return nil, tooMany("The server has as much to do as it can. Try again in a moment.")
	}
	g.in += size
	g.of[caller] += size
	return func() { g.leave(caller, size) }, nil
}

func (g *gate) leave(caller string, size int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.in -= size
	if g.of[caller] -= size; g.of[caller] == 0 {
		delete(g.of, caller)
	}
}

func tooMany(detail string) *Problem {
	problem := newProblem(http.StatusTooManyRequests, detail)
	problem.retryAfter = 1
	return problem
}
