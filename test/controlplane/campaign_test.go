//go:build controlplane

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
	"imagecatalog.dev/catalog/test/faults"
)

// campaign is how many entries meet with a registry's trouble, and how long it lasts once all of them know: with
// CAMPAIGN=full many and long.
func campaign(short, full time.Duration) (entries int, lasts time.Duration) {
	if os.Getenv("CAMPAIGN") == "full" {
		return 1000, full
	}
	return 100, short
}

// An outage hides and loses no entry: each keeps its verdict, says why it is not fresh, and is fresh again without
// anybody's doing.
func TestAnOutageHidesNothing(t *testing.T) {
	t.Parallel()
	count, lasts := campaign(0, 3*time.Minute)
	registry := newTroubled(t)
	published, _ := registry.publish(t, count, v1alpha1.MinCheckInterval)
	published.forbid(unavailable)

	registry.Forget()
	registry.Inject(faults.Status(http.StatusServiceUnavailable))
	askAll(t, published.namespace)
	published.await(t, count, isNotFresh("RegistryUnavailable"))
	sleepUntil(t, time.Now().Add(lasts))
	requests := len(registry.Log())
	assert.Less(t, requests, count/2, "nor is the registry asked about each in vain")
	began := time.Now()
	registry.Inject()
	published.await(t, count, isFresh)

	assert.Equal(t, count, countAvailable(t, published.namespace))
	seen, hidden := published.end()
	assert.Empty(t, hidden)
	t.Logf("%d entries, in %d states, %d hidden or lost; %d requests during the outage; all fresh again %s after it",
		count, seen, len(hidden), requests, time.Since(began).Round(time.Second))
}

// A registry that says when to come again is not asked before, and what waited for it is well afterwards by itself.
func TestAThrottlingRegistryIsAskedNoMoreOftenThanItAllows(t *testing.T) {
	t.Parallel()
	const pause = 10 * time.Second
	count, lasts := campaign(4*pause, 10*time.Minute) // longer than the controller itself waits after no answer
	throttling := newTroubled(t)
	published, _ := throttling.publish(t, count, v1alpha1.MinCheckInterval)
	published.forbid(unavailable)

	throttling.Forget()
	throttling.Inject(faults.RetryAfter(http.StatusTooManyRequests, fmt.Sprint(pause.Seconds())))
	askAll(t, published.namespace)
	published.await(t, count, isNotFresh("Throttled"))
	sleepUntil(t, time.Now().Add(lasts))
	requests := throttling.Log()
	began := time.Now()
	throttling.Inject()
	early := beforeAllowed(requests, pause)
	assert.Less(t, early, registry.DefaultMaxConcurrent, "but for those that were under way when it first said so")
	assert.Greater(t, len(requests), early+1, "it was asked when it allowed it")
	published.await(t, count, isFresh)

	assert.Equal(t, count, countAvailable(t, published.namespace))
	seen, hidden := published.end()
	assert.Empty(t, hidden)
	t.Logf("%d entries, in %d states, %d hidden or lost; %d requests while it throttled, %d of them before it allowed one; all fresh again %s after it",
		count, seen, len(hidden), len(requests), early, time.Since(began).Round(time.Second))
}

// beforeAllowed counts the requests that came within the pause after a refusal.
func beforeAllowed(requests faults.Log, pause time.Duration) (early int) {
	var allowed time.Time
	for _, request := range requests {
		if request.At.Before(allowed) {
			early++
		}
		if request.Status == http.StatusTooManyRequests && request.At.Add(pause).After(allowed) {
			allowed = request.At.Add(pause)
		}
	}
	return early
}

// Of a registry that loses half of its images exactly those become unavailable, each is told of once, and each is found
// again when it is pushed again.
func TestExactlyTheDeletedImagesAreUnavailable(t *testing.T) {
	t.Parallel()
	count, lasts := campaign(0, 3*time.Minute)
	losing := newTroubled(t)
	published, image := losing.publish(t, count, v1alpha1.MinCheckInterval)
	lost := map[string]string{} // the entries, and their tags
	for n := 0; n < count; n += 2 {
		lost[fmt.Sprintf("autosd-%d", n)] = fmt.Sprint(n)
	}
	published.forbid(func(entry *v1alpha1.CatalogImage) string {
		if _, ok := lost[entry.Name]; ok {
			return ""
		}
		return unavailable(entry)
	})

	losing.Forget()
	eachOf(t, count/2, func(ctx context.Context, n int) error {
		return remote.Delete(losing.direct.Tag(fmt.Sprint(2*n)), remote.WithContext(ctx))
	})
	askAll(t, published.namespace)
	published.await(t, len(lost), isDeleted)
	sleepUntil(t, time.Now().Add(lasts))
	assert.Equal(t, len(lost), published.count(isDeleted))
	assert.Equal(t, count-len(lost), countAvailable(t, published.namespace))
	log := losing.Log().At("/manifests/")
	for _, tag := range lost {
		assert.GreaterOrEqual(t, answers(log, "/manifests/"+tag, http.StatusNotFound), 2, "the tag %s: one 404 is not believed", tag)
	}

	began := time.Now()
	eachOf(t, count/2, func(ctx context.Context, n int) error {
		return remote.Tag(losing.direct.Tag(fmt.Sprint(2*n)), image, remote.WithContext(ctx))
	})
	published.await(t, count, isAvailable)
	recovered := time.Since(began).Round(time.Second)
	_, touched := published.end()
	assert.Empty(t, touched)
	assertTold(t, published.namespace, "Recovered", lost)
	assertTold(t, published.namespace, "ImageDeleted", lost)
	t.Logf("%d entries: %d deleted, %d others touched; all available again %s after the push", count, len(lost), len(touched), recovered)
}

func answers(log faults.Log, target string, status int) (found int) {
	for _, request := range log {
		if request.Status == status && strings.HasSuffix(request.Target, target) {
			found++
		}
	}
	return found
}

// assertTold checks that there is an Event with a reason of each of these entries: once, and of no other.
func assertTold(t *testing.T, namespace, reason string, of map[string]string) {
	t.Helper()
	events, err := kube.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	require.NoError(t, err)
	told := map[string]int32{}
	for _, event := range events.Items {
		told[event.InvolvedObject.Name] += max(event.Count, 1)
	}
	assert.Len(t, told, len(of), reason)
	for name := range of {
		assert.EqualValues(t, 1, told[name], "%s of %s", reason, name)
	}
}
