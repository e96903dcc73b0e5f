package registry

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// firstBackoff and longestBackoff bound the pause after a 429 that names none; it doubles each time.
	firstBackoff   = 5 * time.Second
	longestBackoff = 10 * time.Minute
	// longestPause is the longest that a registry is obeyed when it says how long to stay away.
	longestPause = 24 * time.Hour
)

// throttle obeys a registry that says it is asked too often: after a 429, or a 503 with Retry-After (RFC 9110, sections
// 10.2.3 and 15.6.4), nothing is sent until the time is over, and then one request first. Registries count by account,
// so each account of a registry has its own: that of one cannot use up what another is allowed.
type throttle struct {
	mutex   sync.Mutex
	said    error // the last refusal; nil when there is none to obey
	until   time.Time
	strikes int
	probing bool
}

// pass sends a request by next if it may be sent.
func (t *throttle) pass(request *http.Request, next http.RoundTripper) (*http.Response, error) {
	probe, err := t.enter(time.Now())
	if err != nil {
		return nil, err
	}
	response, err := next.RoundTrip(request)
	if probe {
		defer t.probed()
	}
	if err != nil {
		return nil, err
	}
	pause, named := pauseOf(response.Header, time.Now())
	if response.StatusCode == http.StatusTooManyRequests || (response.StatusCode == http.StatusServiceUnavailable && named) {
		return nil, t.refused(failureOf(response), pause, named)
	}
	t.answered(probe)
	return response, nil
}

// enter says whether a request is the one that goes first, or why it may not go.
func (t *throttle) enter(now time.Time) (probe bool, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch {
	case t.said == nil:
		return false, nil
	case now.Before(t.until):
		return false, &postponed{err: t.said, until: t.until.Add(jitter(firstBackoff))}
	case t.probing:
		return false, &postponed{err: t.said, until: now.Add(probeTime + jitter(probeTime))}
	}
	t.probing = true
	return true, nil
}

// paused says whether nothing may be sent now.
func (t *throttle) paused(now time.Time) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.said != nil && now.Before(t.until)
}

func (t *throttle) probed() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.probing = false
}

// answered ends the pause if it is the first request after it that was answered. One that was under way when the
// registry refused another says nothing.
func (t *throttle) answered(probe bool) {
	if !probe {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.said, t.strikes = nil, 0
}

func (t *throttle) refused(said error, pause time.Duration, named bool) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !time.Now().Before(t.until) { // else it was sent before the registry refused another
		t.strikes++
	}
	if !named {
		pause = min(firstBackoff<<min(t.strikes-1, 10), longestBackoff)
		pause += jitter(pause)
	}
	if until := time.Now().Add(min(pause, longestPause)); until.After(t.until) {
		t.until = until
	}
	t.said = said
	return &postponed{err: said, until: t.until}
}

// pauseOf reads Retry-After, which is a number of seconds or a date.
func pauseOf(header http.Header, now time.Time) (pause time.Duration, named bool) {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}
