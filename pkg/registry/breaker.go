package registry

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// breakAfter so many requests in a row without an answer, a host is left alone.
	breakAfter = 5
	// breakFor is how long. Then one request goes first, and the rest follow if it is answered.
	breakFor = 30 * time.Second
	// probeTime is when to come again while that one is under way.
	probeTime = 5 * time.Second
)

// breaker keeps requests away from a host that gives no answers. What counts is whether there is one: 404 and 401 are
// answers, and so is 429. What is kept back fails as the last request did.
type breaker struct {
	next    http.RoundTripper
	circuit *gobreaker.TwoStepCircuitBreaker[any]
	last    atomic.Pointer[postponed]
}

func newBreaker(host string, next http.RoundTripper) *breaker {
	return &breaker{next: next, circuit: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name:        host,
		MaxRequests: 1,
		Timeout:     breakFor,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakAfter },
		IsExcluded:  saysNothing,
	})}
}

// saysNothing of the host: the caller left, or the guard kept the connection from being made.
func saysNothing(err error) bool {
	return errors.Is(err, context.Canceled) || ReasonOf(err) == Blocked || reasonFor(err) == Blocked
}

func (b *breaker) RoundTrip(request *http.Request) (*http.Response, error) {
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, b.keptBack(err)
	}
	response, err := b.next.RoundTrip(request)
	if err != nil {
		b.report(done, err)
		return nil, err
	}
	switch {
	case isOutage(response.StatusCode):
		b.report(done, failureOf(response))
		return response, nil
	case response.StatusCode >= http.StatusMultipleChoices: // it was read whole
		b.report(done, nil)
		return response, nil
	}
	response.Body = &observed{ReadCloser: response.Body, ended: func(err error) { b.report(done, err) }}
	return response, nil
}

func (b *breaker) report(done func(error), err error) {
	if err != nil && !saysNothing(err) {
		b.last.Store(&postponed{err: err, until: time.Now().Add(breakFor)})
	}
	done(err)
}

// keptBack is the failure of the last request, and when to come again.
func (b *breaker) keptBack(because error) error {
	last := b.last.Load()
	if last == nil { // not before a failure
		return because
	}
	until := last.until
	if errors.Is(because, gobreaker.ErrTooManyRequests) || until.Before(time.Now()) {
		until = time.Now().Add(probeTime)
	}
	return &postponed{err: last.err, until: until.Add(jitter(probeTime))}
}

func isOutage(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
