package query

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

type event struct {
	Type            string          `json:"type"`
	ResourceVersion string          `json:"resourceVersion"`
	Object          json.RawMessage `json:"object"`
}

// watching is a client of a watch.
type watching struct {
	t     *testing.T
	lines *bufio.Scanner
}

func watchAt(t *testing.T, address string) *watching {
	t.Helper()
	return watchWith(t, http.Header{}, address)
}

func watchAs(t *testing.T, user, address string) *watching {
	t.Helper()
	return watchWith(t, http.Header{"Authorization": {"Bearer " + user}}, address)
}

func watchWith(t *testing.T, header http.Header, address string) *watching {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, "application/x-ndjson", response.Header.Get("Content-Type"))
	return &watching{t, bufio.NewScanner(response.Body)}
}

// next is the type of the next event, its version, and the name of its entry.
func (w *watching) next() [3]string {
	w.t.Helper()
	require.True(w.t, w.lines.Scan(), "the watch has ended")
	e := decode[event](w.t, w.lines.Text())
	var item index.Item
	if e.Object != nil {
		require.NoError(w.t, json.Unmarshal(e.Object, &item))
	}
	return [3]string{e.Type, e.ResourceVersion, item.Name}
}

func TestAWatchTellsWhatThereIsAndWhatHappens(t *testing.T) {
	dev, prod := imagetest.Channel("dev"), imagetest.Channel("prod")
	catalog := catalogOf(imagetest.Image("a", "one", 1, prod), imagetest.Image("a", "two", 2, dev))
	base := serverOf(t, catalog.Index)
	watch := watchAt(t, base+"/v1/images?watch=true&channel=prod")
	assert.Equal(t, [3]string{"ADDED", "", "one"}, watch.next(), "one that breaks off here begins again")
	assert.Equal(t, [3]string{"BOOKMARK", "100", ""}, watch.next())
	catalog.store(imagetest.Image("a", "two", 2, prod))
	assert.Equal(t, [3]string{"ADDED", "101", "two"}, watch.next())
	catalog.store(imagetest.Image("a", "two", 2, prod, imagetest.Distro("autosd")))
	assert.Equal(t, [3]string{"MODIFIED", "102", "two"}, watch.next())
	catalog.store(imagetest.Image("a", "three", 3, dev))
	catalog.store(imagetest.Image("a", "two", 2, dev))
	assert.Equal(t, [3]string{"DELETED", "104", "two"}, watch.next())
	catalog.delete("a", "one")
	assert.Equal(t, [3]string{"DELETED", "105", "one"}, watch.next())

	resumed := watchAt(t, base+"/v1/images?watch=true&channel=prod&resourceVersion=102&fields=name")
	assert.Equal(t, [3]string{"DELETED", "104", "two"}, resumed.next())
	assert.Equal(t, [3]string{"DELETED", "105", "one"}, resumed.next())

	catalog.store(imagetest.Image("a", "four", 4, prod))
	catalog.store(imagetest.Image("a", "five", 5, prod))
	assert.Equal(t, [3]string{"ADDED", "106", "four"}, watch.next())
	assert.Equal(t, [3]string{"ADDED", "107", "five"}, watch.next())
	must(catalog.Replace(nil, "1000")) // the API server was away
	for range 2 {
		assert.Equal(t, [3]string{"DELETED", "", "five"}, watch.next(), "one that breaks off here is told it all once more")
		assert.Equal(t, [3]string{"DELETED", "", "four"}, watch.next())
		watch = watchAt(t, base+"/v1/images?watch=true&channel=prod&resourceVersion=107")
	}
	catalog.version = 1000
	catalog.store(imagetest.Image("a", "six", 6, prod))
	assert.Equal(t, [3]string{"DELETED", "", "five"}, watch.next())
	assert.Equal(t, [3]string{"DELETED", "", "four"}, watch.next())
	assert.Equal(t, [3]string{"ADDED", "1001", "six"}, watch.next())
	assert.Equal(t, http.StatusGone, request(t, http.MethodGet, base+"/v1/images?watch=true&resourceVersion=999", nil).status, "what it was then is not known")

	must(catalog.Replace(nil, "500")) // another API server
	assert.Equal(t, "ERROR", watch.next()[0])
	assert.False(t, watch.lines.Scan(), "it ends")
	for path, status := range map[string]int{
		"/v1/images?watch=true&resourceVersion=105":  http.StatusGone,
		"/v1/images?watch=true&resourceVersion=2000": http.StatusServiceUnavailable,
		"/v1/images?watch=true&latest=true":          http.StatusBadRequest,
		"/v1/images?watch=true&sort=name":            http.StatusBadRequest,
		"/v1/images?watch=true&limit=5":              http.StatusBadRequest,
	} {
		assert.Equal(t, status, request(t, http.MethodGet, base+path, nil).status, path)
	}
}

func TestAWatchIsHadAsItIsDescribed(t *testing.T) {
	base := serverOf(t, indexOf(imagetest.Image("a", "one", 1)))
	watch := watchWith(t, http.Header{"Accept": {"application/x-ndjson"}}, base+"/v1/images?watch=true")
	assert.Equal(t, [3]string{"ADDED", "", "one"}, watch.next())
	head := request(t, http.MethodHead, base+"/v1/images?watch=true", nil)
	assert.Equal(t, http.StatusOK, head.status)
	assert.Equal(t, "application/x-ndjson", head.header.Get("Content-Type"))
	assert.Equal(t, http.StatusOK, request(t, http.MethodGet, base+"/healthz", nil).status, "by the same connection")
}

// largest is a client that says how much it was sent at a time.
type largest struct {
	*httptest.ResponseRecorder
	bytes int
}

func (l *largest) Write(p []byte) (int, error) {
	l.bytes = max(l.bytes, len(p))
	return l.ResponseRecorder.Write(p)
}

func (*largest) SetWriteDeadline(time.Time) error { return nil }

func TestWhatAWatchMissedIsSentInParts(t *testing.T) {
	catalog := catalogOf()
	for n := range 500 {
		catalog.store(imagetest.Image("a", "one", n))
	}
	for name, query := range map[string]string{"what happened": "&resourceVersion=100", "what there is": ""} {
		t.Run(name, func(t *testing.T) {
			for n := range 500 {
				catalog.store(imagetest.Image("a", fmt.Sprintf("image-%d", n), n))
			}
			client, stopping := &largest{ResponseRecorder: httptest.NewRecorder()}, newStopping()
			close(stopping.ended) // the watch ends when it has told what there is to tell
			handler, err := newHandler(catalog.Index, everybody(), newGates(), nil, stopping, noop.Meter{})
			require.NoError(t, err)
			handler.ServeHTTP(client, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/images?watch=true"+query, nil))
			assert.GreaterOrEqual(t, strings.Count(client.Body.String(), "\n"), 500)
			assert.Less(t, client.bytes, maxPending+1024)
		})
	}
}
