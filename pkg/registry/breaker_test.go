package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answering is an answer as the layers below the breaker give it.
func answering(status int, body string, header ...string) *http.Response {
	response := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		response.Header.Set(header[i], header[i+1])
	}
	return response
}

// scripted is a host that answers as it is told, and counts.
type scripted struct {
	answer func() (*http.Response, error)
	asked  int
}

func (s *scripted) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked++
	return s.answer()
}

func failing(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

func status(code int, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return answering(code, `{"errors":[{"code":"UNAVAILABLE"}]}`, header...), nil
	}
}

var errRefused = errors.New("connection refused")

// broken is a breaker whose host failed so often that it is left alone.
func broken(t *testing.T, answer func() (*http.Response, error)) (*breaker, *scripted) {
	t.Helper()
	host := &scripted{answer: answer}
	b := newBreaker("quay.io", host)
	for range breakAfter {
		_, _ = get(t, b)
	}
	require.Equal(t, breakAfter, host.asked)
	return b, host
}

func TestAHostThatIsAwayIsLeftAlone(t *testing.T) {
	for title, answer := range map[string]func() (*http.Response, error){
		"no connection": failing(errRefused), "500": status(500), "502": status(502), "503": status(503), "504": status(504),
	} {
		synctest.Test(t, func(t *testing.T) {
			b, host := broken(t, answer)
			time.Sleep(10 * time.Second)
			_, err := get(t, b)
			require.Error(t, err, title)
			assert.Equal(t, RegistryUnavailable, reasonFor(err), title)
			assert.InDelta(t, 20, retryAfter(err).Seconds(), 2, title)
			assert.Equal(t, breakAfter, host.asked, "%s: nothing is sent", title)
			assert.NotContains(t, cause(err), "breaker", "%s: people read what is wrong with the host", title)
		})
	}
}

func TestAHostsFailureIsToldWhileItIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := broken(t, failing(errRefused))
		_, err := get(t, b)
		assert.ErrorIs(t, err, errRefused)
		assert.False(t, isTransient(err), "it is not asked again at once")

		b, _ = broken(t, status(503))
		_, err = get(t, b)
		assert.Equal(t, `HTTP 503 Service Unavailable, "UNAVAILABLE"`, cause(err))
	})
}

func TestOneRequestGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, host := broken(t, failing(errRefused))
		time.Sleep(breakFor + time.Millisecond)

		release := make(chan struct{})
		host.answer = func() (*http.Response, error) {
			<-release
			return answering(http.StatusOK, ""), nil
		}
		go func() {
			response, err := get(t, b)
			assert.NoError(t, err)
			assert.NoError(t, response.Body.Close())
		}()
		synctest.Wait()
		for range 100 {
			_, err := get(t, b)
			require.ErrorIs(t, err, errRefused)
			require.InDelta(t, probeTime.Seconds(), retryAfter(err).Seconds(), 2)
		}
		assert.Equal(t, breakAfter+1, host.asked, "exactly one")

		close(release)
		synctest.Wait()
		_, err := get(t, b)
		require.NoError(t, err, "and the rest follow")
	})
}

func TestAFailedProbeStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, host := broken(t, failing(errRefused))
		for probes := range 3 {
			time.Sleep(breakFor + time.Millisecond)
			for range 10 {
				_, err := get(t, b)
				require.ErrorIs(t, err, errRefused)
			}
			assert.Equal(t, breakAfter+probes+1, host.asked)
		}
	})
}

func TestAnswersAreNoOutages(t *testing.T) {
	for title, answer := range map[string]func() (*http.Response, error){
		"200": status(200), "401": status(401), "403": status(403), "404": status(404), "405": status(405), "429": status(429),
		"the caller left": failing(context.Canceled), "the guard refused": failing(faultf(Blocked, "private")),
		"it speaks HTTP": failing(tls.RecordHeaderError{RecordHeader: [5]byte([]byte("HTTP/"))}),
	} {
		synctest.Test(t, func(t *testing.T) {
			b, host := broken(t, answer)
			_, _ = get(t, b)
			assert.Equal(t, breakAfter+1, host.asked, title)
		})
	}
}

// A caller who leaves during the probe has found out nothing: the next request goes first.
func TestAnAbandonedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, host := broken(t, failing(errRefused))
		time.Sleep(breakFor + time.Millisecond)
		host.answer = failing(context.Canceled)
		_, err := get(t, b)
		require.ErrorIs(t, err, context.Canceled)
		host.answer = status(404)
		_, err = get(t, b)
		require.NoError(t, err)
	})
}

// A header is no answer yet.
func TestABodyThatBreaksOffIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &scripted{answer: func() (*http.Response, error) {
			response := answering(http.StatusOK, "")
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), broke{}))
			return response, nil
		}}
		b := newBreaker("quay.io", host)
		for range breakAfter {
			response, err := get(t, b)
			require.NoError(t, err)
			_, err = io.ReadAll(response.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
		_, err := get(t, b)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, breakAfter, host.asked)
	})
}

type broke struct{}

func (broke) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
