package registry

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// throttled is a throttle whose registry refused the request before.
func throttled(t *testing.T, answer func() (*http.Response, error)) (http.RoundTripper, *scripted, error) {
	t.Helper()
	host, limits := &scripted{answer: answer}, &throttle{}
	through := by(func(request *http.Request) (*http.Response, error) { return limits.pass(request, host) })
	_, err := get(t, through)
	require.Equal(t, 1, host.asked)
	return through, host, err
}

func TestRetryAfterIsObeyed(t *testing.T) {
	const pause = 7 * time.Minute
	for title, header := range map[string]func() string{
		"in seconds": func() string { return strconv.Itoa(int(pause.Seconds())) },
		"as a date":  func() string { return time.Now().Add(pause).UTC().Format(http.TimeFormat) },
	} {
		for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			synctest.Test(t, func(t *testing.T) {
				through, host, err := throttled(t, status(code, "Retry-After", header()))
				require.Error(t, err)
				assert.Equal(t, reasonForStatus(code), reasonFor(err), title)
				assert.InDelta(t, pause.Seconds(), retryAfter(err).Seconds(), 1, title)
				assert.False(t, isTransient(err))

				for range 6 { // and asks in vain
					time.Sleep(time.Minute)
					_, err := get(t, through)
					require.Error(t, err)
					assert.Equal(t, reasonForStatus(code), reasonFor(err), "the reason stays the same")
				}
				assert.Equal(t, 1, host.asked, "%s: nothing was sent", title)

				host.answer = status(http.StatusOK)
				time.Sleep(time.Minute)
				_, err = get(t, through)
				require.NoError(t, err)
				_, err = get(t, through)
				require.NoError(t, err)
			})
		}
	}
}

func TestOneRequestGoesFirstAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		through, host, _ := throttled(t, status(http.StatusTooManyRequests, "Retry-After", "60"))
		time.Sleep(time.Minute)
		release := make(chan struct{})
		host.answer = func() (*http.Response, error) {
			<-release
			return answering(http.StatusOK, ""), nil
		}
		go func() { _, _ = get(t, through) }()
		synctest.Wait()
		for range 100 {
			_, err := get(t, through)
			require.Equal(t, Throttled, reasonFor(err))
		}
		assert.Equal(t, 2, host.asked)
		close(release)
		synctest.Wait()
		_, err := get(t, through)
		require.NoError(t, err)
	})
}

func TestBackingOffWithoutRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		through, host, err := throttled(t, status(http.StatusTooManyRequests))
		pause := firstBackoff
		for range 12 {
			assert.GreaterOrEqual(t, retryAfter(err), pause)
			assert.LessOrEqual(t, retryAfter(err), pause+pause/4)
			time.Sleep(retryAfter(err) + time.Millisecond)
			asked := host.asked
			_, err = get(t, through)
			require.Equal(t, asked+1, host.asked)
			pause = min(2*pause, longestBackoff)
		}
	})
}

// Those whom a registry refused at the same time do not come back at the same time.
func TestBackingOffIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses := map[time.Duration]bool{}
		for range 10 {
			_, _, err := throttled(t, status(http.StatusTooManyRequests))
			pauses[retryAfter(err)] = true
		}
		assert.Greater(t, len(pauses), 1)
	})
}

// Eight that were under way together are refused together, which is one refusal.
func TestRefusalsAtTheSameTimeAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits, arrived := &throttle{}, make(chan struct{})
		host := by(func(*http.Request) (*http.Response, error) {
			<-arrived
			return status(http.StatusTooManyRequests)()
		})
		through := by(func(request *http.Request) (*http.Response, error) { return limits.pass(request, host) })
		for range 8 {
			go func() { _, _ = get(t, through) }()
		}
		synctest.Wait()
		close(arrived)
		synctest.Wait()
		assert.Equal(t, 1, limits.strikes)
		assert.LessOrEqual(t, time.Until(limits.until), 2*firstBackoff)
	})
}

func TestA503WithoutATimeIsNoThrottling(t *testing.T) {
	through, host, err := throttled(t, status(http.StatusServiceUnavailable))
	require.NoError(t, err, "it is an answer, which the breaker judges")
	_, _ = get(t, through)
	assert.Equal(t, 2, host.asked)
}

func TestRetryAfterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := throttled(t, status(http.StatusTooManyRequests, "Retry-After", "999999999"))
		assert.Equal(t, longestPause, retryAfter(err))
		for _, nonsense := range []string{"-1", "soon", "1e9", "99999999999999999999", "1.5"} {
			_, _, err := throttled(t, status(http.StatusTooManyRequests, "Retry-After", nonsense))
			assert.LessOrEqual(t, retryAfter(err), 2*firstBackoff, nonsense)
			assert.Positive(t, retryAfter(err), nonsense)
		}
	})
}
