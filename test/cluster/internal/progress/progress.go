// Package progress tells a waiting reader what is being done, and how long
// each step took.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// heartbeat is how often a step that is still running says so.
const heartbeat = 30 * time.Second

// Log writes one line an event, each with the time since the start. It may be
// used by several goroutines at once.
type Log struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

// New starts the clock.
func New(out io.Writer) *Log { return &Log{out: out, start: time.Now()} }

// Say writes a line.
func (l *Log) Say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.out, "[%5.1f s] %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// Step runs do and says that it is done and how long it took. What is a
// statement that is true afterwards ("API server answers"); a failure is left
// to the caller, who has the error.
func (l *Log) Step(what string, do func() error) error {
	begun := time.Now()
	done := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() { l.beat(what, begun, done) })
	err := do()
	close(done)
	beats.Wait()
	if err == nil {
		l.Say("%s (%.1f s)", what, time.Since(begun).Seconds())
	}
	return err
}

func (l *Log) beat(what string, begun time.Time, done <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			l.Say("... still to come after %.0f s: %s", time.Since(begun).Seconds(), what)
		}
	}
}
