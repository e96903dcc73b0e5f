//go:build controlplane

package controlplane

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/index"
)

// told is an event of a watch.
type told struct {
	Type            string
	ResourceVersion string
	Object          json.RawMessage
}

// version is 0 for an event that has none.
func (e told) version() uint64 {
	if e.ResourceVersion == "" {
		return 0
	}
	version, err := strconv.ParseUint(e.ResourceVersion, 10, 64)
	if err != nil {
		panic(err) // of the server under test, in a goroutine
	}
	return version
}

// item is what the event is about. Of a bookmark it is empty.
func (e told) item() (item index.Item) {
	if e.Object != nil {
		if err := json.Unmarshal(e.Object, &item); err != nil {
			panic(err)
		}
	}
	return item
}

// watch gives each event since a version, or of all that there is and comes, until it is told to stop or the watch ends. A replica that has not come so far is asked again, and so is
// one that could not judge the caller.
func (r *replicas) watch(ctx context.Context, address, path, since string, each func(told) (more bool)) error {
	for {
		from := path
		if since != "" {
			from += "&resourceVersion=" + since
		}
		again, err := r.watchOnce(ctx, address, from, func(e told) bool {
			since = cmp.Or(e.ResourceVersion, since)
			return each(e)
		})
		if !again {
			return err
		}
	}
}

func (r *replicas) watchOnce(ctx context.Context, address, path string, each func(told) (more bool)) (again bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := open(ctx, r.client, address, r.token, path)
	for err == nil && response.StatusCode == http.StatusServiceUnavailable {
		_ = response.Body.Close()
		time.Sleep(pause)
		response, err = open(ctx, r.client, address, r.token, path)
	}
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s: %s", path, response.Status)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		var event told
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return false, fmt.Errorf("reading %q: %w", lines.Text(), err)
		}
		if event.Type == "ERROR" {
			return strings.Contains(string(event.Object), unjudged), fmt.Errorf("the watch ends: %s", event.Object)
		}
		if !each(event) {
			return false, nil
		}
	}
	return false, nil
}

// chronicle is all that happened, from a watch that saw it all.
type chronicle []told

// at is the catalog at a version: items by namespace and name.
func (c chronicle) at(version uint64) map[string]told {
	items := map[string]told{}
	for n, event := range c {
		together := n // with an event that has a version
		for c[together].version() == 0 {
			together++
		}
		if c[together].version() > version {
			break
		}
		switch item := event.item(); event.Type {
		case "ADDED", "MODIFIED":
			items[item.Namespace+"/"+item.Name] = event
		case "DELETED":
			delete(items, item.Namespace+"/"+item.Name)
		}
	}
	return items
}

// followed is what a watch that goes from one replica to the other every few events tells of a namespace since a version, in the
// form of the API server's events.
func (r *replicas) followed(ctx context.Context, namespace, since string) (events []string, err error) {
	path := "/v1/namespaces/" + namespace + "/images?watch=true&fields=name"
	for turn, over := 0, false; !over; turn++ {
		left := 1 + rand.IntN(20)
		err := r.watch(ctx, r.addresses[turn%2], path, since, func(e told) bool {
			since = cmp.Or(e.ResourceVersion, since)
			if e.Type != "BOOKMARK" {
				events = append(events, fmt.Sprint(e.Type, " ", e.item().Name, " ", e.ResourceVersion))
				left--
			}
			over = e.item().Name == marker
			return left > 0 && !over
		})
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// A watch that breaks off every few events and goes on at the other replica tells what a watch of the API server tells: all
// that happens, in order, once.
func watchGoesOn(t *testing.T) {
	const lasts = 8 * time.Second
	namespace := newNamespace(t)
	r := startReplicas(t, namespace)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	list, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	told, failed := make(chan []string, 1), make(chan error, 1)
	go func() {
		events, err := r.followed(t.Context(), namespace, list.ResourceVersion)
		told <- events
		failed <- err
	}()
	churning := newChurn(t, namespace)
	sleepUntil(t, time.Now().Add(lasts))
	churning.stop(t)
	mark(t, namespace)
	got := <-told
	require.NoError(t, <-failed)

	var want []string
	watch, err := entries.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(t, err)
	defer watch.Stop()
	for event := range watch.ResultChan() {
		entry, ok := event.Object.(*v1alpha1.CatalogImage)
		require.True(t, ok, "%v", event.Object)
		want = append(want, fmt.Sprint(event.Type, " ", entry.Name, " ", entry.ResourceVersion))
		if event.Type == apiwatch.Added && entry.Name == marker {
			break
		}
	}
	assert.Equal(t, want, got)
	t.Logf("%d events", len(got))
}

// marker is the name of an entry that ends watches.
const marker = "marker"

func mark(t *testing.T, namespace string) {
	t.Helper()
	_, err := catalog.ImagecatalogV1alpha1().CatalogImages(namespace).Create(t.Context(), newEntry(marker, "quay.io/"+namespace+"/marker:1"), metav1.CreateOptions{})
	require.NoError(t, err)
}
