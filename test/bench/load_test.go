package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func loadOn(t *testing.T, handler http.HandlerFunc, connections int) *load {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	l, err := newLoad(t.Context(), endpoint{address: server.Listener.Addr().String(), target: "/page?a=b"}, connections)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.close()) })
	return l
}

func TestARoundCountsEveryAnswer(t *testing.T) {
	var answered atomic.Int64
	connections := map[string]bool{}
	l := loadOn(t, func(w http.ResponseWriter, r *http.Request) {
		answered.Add(1)
		assert.Equal(t, "/page?a=b", r.URL.String())
		connections[r.RemoteAddr] = true
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write([]byte(strings.Repeat("x", 100_000))) // more than the reader's buffer
	}, 1)

	for range 2 {
		began := answered.Load()
		s, err := l.round(300 * time.Millisecond)
		require.NoError(t, err)
		assert.Len(t, l.connections[0].latencies, int(answered.Load()-began))
		assert.Positive(t, s.perSecond)
		assert.Positive(t, s.p99)
	}
	assert.Len(t, connections, 1, "connections are kept")
}

func TestARoundAsksOnAllConnections(t *testing.T) {
	l := loadOn(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }, 8)
	_, err := l.round(300 * time.Millisecond)
	require.NoError(t, err)
	for _, c := range l.connections {
		assert.NotEmpty(t, c.latencies)
	}
}

func TestAnAnswerThatIsNotThePageIsAnError(t *testing.T) {
	l := loadOn(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, 1)
	_, err := l.round(time.Minute) // which it ends
	assert.ErrorContains(t, err, `the answer is "HTTP/1.1 503 Service Unavailable"`)
}

func TestAnswersInChunksAreReadToTheirEnd(t *testing.T) {
	var answered atomic.Int64
	l := loadOn(t, func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		for range 3 {
			_, _ = w.Write([]byte(strings.Repeat("x", 50_000)))
			_ = http.NewResponseController(w).Flush()
		}
	}, 1)
	_, err := l.round(300 * time.Millisecond)
	require.NoError(t, err)
	assert.Greater(t, answered.Load(), int64(1), "the connection goes on")
}
