package registry

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAGateLetsSoManyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2)
		leave, err := g.refuse()
		require.NoError(t, err)
		_, err = g.refuse()
		require.NoError(t, err)

		_, err = g.refuse()
		assert.Equal(t, Busy, reasonFor(err))
		leave()
		_, err = g.refuse()
		assert.NoError(t, err)
	})
}

// Those who are refused come back one after the other, as look-ups end, and not all at once.
func TestTurnsAtAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4)
		for range 40 { // the look-ups take 200 ms
			leave, err := g.refuse()
			require.NoError(t, err)
			time.Sleep(200 * time.Millisecond)
			leave()
		}
		for range cap(g.slots) {
			_, err := g.refuse()
			require.NoError(t, err)
		}
		var turns []time.Duration
		for range 100 {
			_, err := g.refuse()
			turns = append(turns, retryAfter(err))
		}
		for i, turn := range turns {
			assert.InDelta(t, float64(i+1)*50, float64(turn.Milliseconds()), float64(i+1)*5+60, "turn %d", i)
		}
		for range 10_000 {
			_, err := g.refuse()
			require.LessOrEqual(t, retryAfter(err), longestTurn+time.Second)
		}
	})
}

func TestWaitingAtAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		leave, err := g.wait(t.Context())
		require.NoError(t, err)
		go func() {
			time.Sleep(time.Minute)
			leave()
		}()
		began := time.Now()
		_, err = g.wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = g.wait(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// by answers requests in a registry's place.
type by func(*http.Request) (*http.Response, error)

func (f by) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func get(t *testing.T, from http.RoundTripper) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://quay.io/v2/", nil)
	require.NoError(t, err)
	response, err := from.RoundTrip(request)
	if err == nil {
		t.Cleanup(func() { _ = response.Body.Close() })
	}
	return response, err
}

func TestRequestsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		p := newRate(10, by(func(*http.Request) (*http.Response, error) {
			sent++
			return answering(http.StatusOK, ""), nil
		}))
		began := time.Now()
		for range 50 {
			_, err := get(t, p)
			require.NoError(t, err)
		}
		assert.Equal(t, 50, sent)
		assert.InDelta(t, 4, time.Since(began).Seconds(), 0.01, "ten at once, then ten a second")
	})
}
