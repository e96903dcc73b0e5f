package query

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	cachetesting "k8s.io/client-go/tools/cache/testing"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/tally"
)

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener, "http://" + listener.Addr().String()
}

func status(t *testing.T, address string) int {
	t.Helper()
	return request(t, http.MethodGet, address, nil).status
}

// tryStatus is for goroutines, which must not end the test: 0 means that no answer came.
func tryStatus(ctx context.Context, address string) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestAStopFailsReadinessThenFinishesWhatIsInFlight(t *testing.T) {
	server, err := NewServer(indexOf(imagetest.Image("a", "one", 1)), everybody(), nil, noop.Meter{})
	require.NoError(t, err)
	quiet := make(chan time.Time)
	server.after = func(time.Duration) <-chan time.Time { return quiet }
	arrived, release := make(chan struct{}), make(chan struct{})
	endpoints := server.http.Handler
	server.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		endpoints.ServeHTTP(w, r)
	})
	listener, base := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended, slow := make(chan error, 1), make(chan int, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	assert.Equal(t, http.StatusOK, status(t, base+"/readyz"))
	kept := connect(t, listener.Addr().String())
	go func() { slow <- tryStatus(t.Context(), base+"/slow") }()
	<-arrived

	stop()
	eventually(t, func() bool { return status(t, base+"/readyz") == http.StatusServiceUnavailable })
	assert.Equal(t, http.StatusOK, status(t, base+"/v1/images"), "proxies may not have heard of it yet")
	assert.Equal(t, http.StatusOK, status(t, base+"/healthz"), "a stop is no reason to kill")
	last := kept.get("/healthz")
	assert.Equal(t, http.StatusOK, last.StatusCode, "an open connection is no reason to fail")
	assert.True(t, last.Close, "the next request looks for another replica")

	quiet <- time.Time{}
	eventually(t, func() bool { return !accepts(t, listener.Addr().String()) })
	assert.Empty(t, ended, "a request is in flight")
	close(release)
	assert.Equal(t, http.StatusNotFound, <-slow)
	assert.NoError(t, <-ended)
}

func accepts(t *testing.T, address string) bool {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	require.NoError(t, connection.Close())
	return true
}

// connection is kept by its client, who has asked once.
type connection struct {
	net.Conn
	t      *testing.T
	answer *bufio.Reader
}

func connect(t *testing.T, address string) *connection {
	t.Helper()
	dialed, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = dialed.Close() })
	c := &connection{dialed, t, bufio.NewReader(dialed)}
	require.False(t, c.get("/healthz").Close)
	return c
}

func (c *connection) get(path string) *http.Response {
	c.t.Helper()
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: query\r\n\r\n", path)
	require.NoError(c.t, err)
	response, err := http.ReadResponse(c.answer, nil)
	require.NoError(c.t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, response.Body.Close())
	return response
}

func TestServeReturnsWhatWentWrong(t *testing.T) {
	server, err := NewServer(indexOf(), everybody(), nil, noop.Meter{})
	require.NoError(t, err)
	listener, _ := listen(t)
	require.NoError(t, listener.Close())
	err = server.Serve(t.Context(), listener)
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.ErrorContains(t, err, "serving on 127.0.0.1:")
}

func TestRunServesWhatTheAPIServerTells(t *testing.T) {
	source := cachetesting.NewFakeControllerSource()
	t.Cleanup(source.Shutdown)
	source.Add(imagetest.Image("a", "one", 1, imagetest.UID("1")))
	listener, base := listen(t)
	tallied, _ := listen(t)
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		from := &listFirst{cache.ListWatch{
			ListWithContextFunc:  func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) { return source.List(o) },
			WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (apiwatch.Interface, error) { return source.Watch(o) },
		}}
		ended <- Run(ctx, from, everybody(), nil, Listeners{listener, tallied}, noop.Meter{})
	}()
	eventually(t, func() bool { return status(t, base+"/readyz") == http.StatusOK })
	assert.Equal(t, http.StatusOK, status(t, base+"/v1/namespaces/a/images/one"))

	stop()
	eventually(t, func() bool { return status(t, base+"/readyz") == http.StatusServiceUnavailable })
	source.Add(imagetest.Image("a", "two", 2))
	eventually(t, func() bool { return status(t, base+"/v1/namespaces/a/images/two") == http.StatusOK })
	read, err := tally.NewReader().Read(t.Context(), tallied.Addr().String())
	require.NoError(t, err)
	assert.Equal(t, int64(1), read.Counts["1"])
	assert.NoError(t, <-ended)
	assert.False(t, accepts(t, tallied.Addr().String()))
}

// listFirst is a source that does not stream what there is at the beginning of a watch.
type listFirst struct{ cache.ListWatch }

func (*listFirst) IsWatchListSemanticsUnSupported() bool { return true }
