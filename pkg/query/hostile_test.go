package query

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

// hostile are ways to treat a server; each returns when the connection has ended. times is how many do so.
var hostile = map[string]struct {
	times int
	how   func(ctx context.Context, raw net.Conn, secure *tls.Conn)
}{
	"asks nothing": {300, func(_ context.Context, raw net.Conn, _ *tls.Conn) { _, _ = io.Copy(io.Discard, raw) }},
	"drips": {250, func(ctx context.Context, _ net.Conn, secure *tls.Conn) {
		_, err := io.WriteString(secure, "GET /v1/images HTTP/1.1\r\nX: ")
		for ; err == nil && ctx.Err() == nil; _, err = io.WriteString(secure, "x") {
			time.Sleep(50 * time.Millisecond)
		}
	}},
	"sends a body without end": {200, func(ctx context.Context, _ net.Conn, secure *tls.Conn) {
		_, err := io.WriteString(secure, "POST "+images+" HTTP/1.1\r\nHost: query\r\nAuthorization: Bearer ann\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
		for ; err == nil && ctx.Err() == nil; _, err = io.WriteString(secure, "4\r\n    \r\n") {
			time.Sleep(50 * time.Millisecond)
		}
	}},
	"aborts": {200, func(_ context.Context, raw net.Conn, secure *tls.Conn) {
		_, _ = io.WriteString(secure, "GET /v1/images HTTP/1.1\r\nHost: que")
		_ = raw.(*net.TCPConn).SetLinger(0)
	}},
	"never reads": {50, func(ctx context.Context, raw net.Conn, secure *tls.Conn) {
		_ = raw.(*net.TCPConn).SetReadBuffer(4096)
		for err := error(nil); err == nil && ctx.Err() == nil; {
			_, err = io.WriteString(secure, "GET /v1/images?limit=500 HTTP/1.1\r\nHost: query\r\nAuthorization: Bearer ann\r\n\r\n")
		}
	}},
}

// watched is a server with shorter deadlines, which says what it holds.
type watched struct {
	*httptest.Server
	catalog     *catalog
	gates       *gates
	connections atomic.Int64
	underWay    atomic.Int64 // requests
}

func startWatched(t *testing.T, images ...*v1alpha1.CatalogImage) *watched {
	t.Helper()
	store := &stored{Clientset: fake.NewSimpleClientset()}
	for _, image := range images {
		must(store.Tracker().Add(image))
	}
	catalog := catalogOf(images...)
	may := rights{"ann list  ": true, "ann watch  ": true, "bob list  ": true}
	server, err := NewServer(catalog.Index, may.reviewer(false), store.clients, noop.Meter{})
	require.NoError(t, err)
	server.gates.patience = 2 * time.Second
	server.http.ReadHeaderTimeout, server.http.ReadTimeout, server.http.WriteTimeout = 5*time.Second, 10*time.Second, 10*time.Second
	w := &watched{Server: httptest.NewUnstartedServer(nil), catalog: catalog, gates: server.gates}
	answers := server.http.Handler
	server.http.Handler = http.HandlerFunc(func(writer http.ResponseWriter, r *http.Request) {
		w.underWay.Add(1)
		defer w.underWay.Add(-1)
		answers.ServeHTTP(writer, r)
	})
	server.http.ErrorLog = log.New(io.Discard, "", 0)
	server.http.ConnState = func(connection net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			w.connections.Add(1)
			// As on other networks; that of loopback takes megabytes.
			_ = connection.(*tls.Conn).NetConn().(*net.TCPConn).SetWriteBuffer(32 << 10)
		case http.StateClosed:
			w.connections.Add(-1)
		}
	}
	w.Config = &server.http
	w.StartTLS()
	t.Cleanup(w.Close)
	return w
}

// treat opens a connection and does to it what is said.
func (w *watched) treat(ctx context.Context, how func(context.Context, net.Conn, *tls.Conn)) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", w.Listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	end := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer end()
	how(ctx, raw, tls.Client(raw, &tls.Config{InsecureSkipVerify: true}))
	return nil
}

// ask is a request of somebody with manners.
func (w *watched) ask(ctx context.Context, user, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+user)
	response, err := w.Client().Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// 1,000 connections are treated badly: meanwhile others are served, and the server ends them all by itself.
func TestBadClientsLeaveNothingBehind(t *testing.T) {
	images := make([]*v1alpha1.CatalogImage, 500)
	for n := range images {
		images[n] = imagetest.Image("a", fmt.Sprintf("image-%d", n), n)
	}
	server := startWatched(t, images...)
	ctx, giveUp := context.WithTimeout(t.Context(), time.Minute)
	defer giveUp()
	before := runtime.NumGoroutine()
	_, err := server.ask(t.Context(), "ann", "/v1/images") // who is connected is to be served
	require.NoError(t, err)
	var treating sync.WaitGroup
	for name, hostile := range hostile {
		for range hostile.times {
			treating.Go(func() { assert.NoError(t, server.treat(ctx, hostile.how), name) })
		}
	}
	over := make(chan struct{})
	go func() { treating.Wait(); close(over) }()
	served := 0
	for treated := false; !treated; served++ {
		select {
		case <-over:
			treated = true
		default:
		}
		status, err := server.ask(t.Context(), "ann", "/v1/images")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		time.Sleep(10 * time.Millisecond)
	}
	assert.NoError(t, ctx.Err(), "the server did not end the connections")
	fastest := time.Minute
	for range 3 {
		server.Client().CloseIdleConnections()
		began := time.Now()
		status, err := server.ask(t.Context(), "ann", "/v1/images")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		fastest = min(fastest, time.Since(began))
	}
	assert.Less(t, fastest, time.Second, "service is as before, to somebody who comes anew")
	server.Client().CloseIdleConnections()
	eventually(t, func() bool { return server.connections.Load() == 0 })
	assert.Zero(t, server.underWay.Load())
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+10 })
	t.Logf("%d requests were answered meanwhile", served)
}

func TestAHeaderHasALimit(t *testing.T) {
	server := startWatched(t)
	for size, want := range map[int]int{maxHeader / 2: http.StatusOK, 2 * maxHeader: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/healthz", nil)
		require.NoError(t, err)
		r.Header.Set("X", strings.Repeat("x", size))
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want, response.StatusCode, size)
	}
}

// Whoever leaves is not worked for any more.
func TestWhatNobodyWaitsForEnds(t *testing.T) {
	server := startWatched(t, imagetest.Image("a", "one", 1))
	for _, request := range []string{
		"GET /v1/images?watch=true",
		"POST " + images + "/one/verify?timeout=2m",
	} {
		raw, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		_, err = io.WriteString(raw, request+" HTTP/1.1\r\nHost: query\r\nAuthorization: Bearer ann\r\nContent-Length: 0\r\n\r\n")
		require.NoError(t, err)
		eventually(t, func() bool { return server.underWay.Load() == 1 })
		require.NoError(t, raw.Close())
		eventually(t, func() bool { return server.underWay.Load() == 0 })
	}
}

// Clients of watches stop reading: they are told no more, and go, while another one is told everything at once.
func TestAWatchThatNobodyReadsEnds(t *testing.T) {
	const stalled = 50
	server := startWatched(t, imagetest.Image("a", "one", 0))
	before := runtime.NumGoroutine()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var treating sync.WaitGroup
	for range stalled {
		treating.Go(func() {
			assert.NoError(t, server.treat(ctx, func(ctx context.Context, raw net.Conn, secure *tls.Conn) {
				_ = raw.(*net.TCPConn).SetReadBuffer(4096)
				_, _ = io.WriteString(secure, "GET /v1/images?watch=true HTTP/1.1\r\nHost: query\r\nAuthorization: Bearer ann\r\n\r\n")
				<-ctx.Done()
			}))
		})
	}
	eventually(t, func() bool { return server.underWay.Load() == stalled })
	reader := &watching{t, bufio.NewScanner(server.open(ctx, t, "/v1/images?watch=true"))}
	reader.lines.Buffer(nil, 1<<20)
	for reader.next()[0] != "BOOKMARK" {
		continue
	}

	slowest := time.Duration(0)
	for n := 1; server.underWay.Load() > 1; n++ {
		image := imagetest.Image("a", "one", n)
		image.Spec.DisplayName = strings.Repeat("x", 100<<10)
		began := time.Now()
		server.catalog.store(image)
		assert.Equal(t, strconv.Itoa(server.catalog.version), reader.next()[1])
		slowest = max(slowest, time.Since(began))
		require.Less(t, n, 10_000, "the server does not end watches that nobody reads")
		time.Sleep(10 * time.Millisecond)
	}
	assert.Less(t, slowest, server.gates.patience, "who reads does not wait for who does not")
	assert.Equal(t, 1, server.gates.watches.in)
	leave()
	treating.Wait()
	server.Client().CloseIdleConnections()
	eventually(t, func() bool { return server.connections.Load() == 0 && server.underWay.Load() == 0 })
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+10 })
	t.Logf("the slowest event took %s", slowest)
}

// 200 clients of one caller ask for a page of a megabyte each, and do not read it: only some of the pages are held, and
// another caller gets theirs.
func TestPagesThatNobodyReadsTakeBoundedMemory(t *testing.T) {
	const stalled, page = 200, 1 << 20
	images := make([]*v1alpha1.CatalogImage, 500)
	for n := range images {
		images[n] = imagetest.Image("a", fmt.Sprintf("image-%d", n), n)
		images[n].Spec.DisplayName = strings.Repeat("x", page/len(images))
	}
	server := startWatched(t, images...)
	server.gates.answers = newGate(64*page, 32*page)
	before := heap()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var treating sync.WaitGroup
	var answered, refused atomic.Int64
	for range stalled {
		treating.Go(func() {
			assert.NoError(t, server.treat(ctx, func(ctx context.Context, raw net.Conn, secure *tls.Conn) {
				_ = raw.(*net.TCPConn).SetReadBuffer(4096)
				_, _ = io.WriteString(secure, "GET /v1/images?limit=500 HTTP/1.1\r\nHost: query\r\nAuthorization: Bearer ann\r\n\r\n")
				status := make([]byte, len("HTTP/1.1 200"))
				_, _ = io.ReadFull(secure, status)
				if string(status) == "HTTP/1.1 429" {
					refused.Add(1)
				}
				answered.Add(1)
				<-ctx.Done()
			}))
		})
	}
	eventually(t, func() bool { return answered.Load() == stalled }) // or cut off, by a busy machine
	eventually(t, func() bool { return server.underWay.Load() <= 32 })
	assert.Positive(t, refused.Load())
	assert.Less(t, (heap()-before)/page, int64(32+20), "with what the connections take")
	status, err := server.ask(t.Context(), "bob", "/v1/images?limit=500")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)

	leave()
	treating.Wait()
	eventually(t, func() bool { return server.underWay.Load() == 0 })
	assert.Zero(t, server.gates.answers.in)
	status, err = server.ask(t.Context(), "ann", "/v1/images?limit=500")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// open asks somebody with manners, who then reads as it comes.
func (w *watched) open(ctx context.Context, t *testing.T, path string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer ann")
	response, err := w.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	return response.Body
}

// One caller looks for 1,000 texts at a time; another one is served, and the first is told when to come again.
func TestOneCallersTextsLeaveRoomForOthers(t *testing.T) {
	catalog := catalogOf()
	list := make([]any, 5_000)
	for n := range list {
		image := imagetest.Image("a", fmt.Sprintf("image-%d", n), n)
		image.ResourceVersion = "1"
		list[n] = image
	}
	must(catalog.Replace(list, "200"))
	base := serverFor(t, catalog.Index, rights{"ann list  ": true, "bob list  ": true}.reviewer(false))
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	defer transport.CloseIdleConnections()
	ask := func(user, query string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/images?limit=1&"+query, nil)
		must(err)
		r.Header.Set("Authorization", "Bearer "+user)
		response, err := transport.RoundTrip(r)
		if !assert.NoError(t, err) {
			return &http.Response{}
		}
		_, _ = io.Copy(io.Discard, response.Body)
		assert.NoError(t, response.Body.Close())
		return response
	}
	var asking sync.WaitGroup
	var found, refused atomic.Int64
	for n := range 1000 {
		asking.Go(func() {
			switch response := ask("bob", fmt.Sprintf("q=text+%d", n)); response.StatusCode {
			case http.StatusOK:
				found.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
				assert.NotEmpty(t, response.Header.Get("Retry-After"))
			default:
				assert.Fail(t, response.Status)
			}
		})
	}
	over := make(chan struct{})
	go func() { asking.Wait(); close(over) }()
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
		}
		require.Equal(t, http.StatusOK, ask("ann", "").StatusCode)
	}
	assert.Positive(t, found.Load())
	t.Logf("%d texts were looked for, %d refused", found.Load(), refused.Load())
	assert.Equal(t, http.StatusOK, ask("bob", "q=another").StatusCode)
}
