//go:build controlplane

package controlplane

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// scraped are the controller's metrics as Prometheus reads them: the sum over all series of a name whose labels hold the
// given ones.
type scraped []string

func scrape(t *testing.T) scraped {
	t.Helper()
	response, err := http.Get("http://" + installed.Controller.Metrics + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return strings.Split(string(body), "\n")
}

var sample = regexp.MustCompile(`^([a-z_:]+)(\{[^}]*\})? ([^ ]+)$`)

func (s scraped) sum(t *testing.T, metric string, labels ...string) float64 {
	t.Helper()
	total, found := 0.0, false
	for _, line := range s {
		parts := sample.FindStringSubmatch(line)
		if parts == nil || parts[1] != metric || !containsAll(parts[2], labels) {
			continue
		}
		value, err := strconv.ParseFloat(parts[3], 64)
		require.NoError(t, err, line)
		total, found = total+value, true
	}
	if !found && len(labels) == 0 {
		t.Errorf("there is no metric %s", metric)
	}
	return total
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// check asks for a check of an entry and waits for its outcome.
func check(t *testing.T, entries catalogclient.CatalogImageInterface, entry string) *v1alpha1.CheckRequest {
	t.Helper()
	return checkWithin(t, entries, entry, patience)
}

func checkWithin(t *testing.T, entries catalogclient.CatalogImageInterface, entry string, patience time.Duration) *v1alpha1.CheckRequest {
	t.Helper()
	requested := time.Now().UTC().Format(time.RFC3339Nano)
	_, err := change(t, entries, entry, func(i *v1alpha1.CatalogImage) {
		if i.Annotations == nil {
			i.Annotations = map[string]string{}
		}
		i.Annotations[v1alpha1.CheckRequestedAtAnnotation] = requested
	})
	require.NoError(t, err)
	var outcome *v1alpha1.CheckRequest
	require.Eventually(t, func() bool {
		i, err := entries.Get(t.Context(), entry, metav1.GetOptions{})
		require.NoError(t, err)
		outcome = i.Status.CheckRequest
		return outcome != nil && outcome.RequestedAt == requested
	}, patience, pause)
	return outcome
}

func push(t *testing.T, ref name.Reference) string {
	t.Helper()
	image, err := random.Image(512, 1)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	return digest.String()
}

// What is asked for, what moved, and what was deleted is in the status, in Events, and in the metrics that grow by it.
func TestTheLifeOfAnEntryIsTold(t *testing.T) {
	ref, first := pushed(t)
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	host := `registry="` + ref.Context().RegistryStr() + `"`
	_, err := entries.Create(t.Context(), newEntry("autosd", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	waitForCondition(t, entries, "autosd", apis.ConditionReady, corev1.ConditionTrue)
	before := scrape(t)
	assert.InDelta(t, 1, before.sum(t, "imagecatalog_check_duration_seconds_count", host, `outcome="Resolved"`), 0)
	assert.InDelta(t, 0, before.sum(t, "imagecatalog_drift_total", host), 0)

	second := push(t, ref)
	outcome := check(t, entries, "autosd")
	assert.Equal(t, "Resolved", outcome.Outcome)
	assert.Equal(t, second, outcome.Message)
	require.NoError(t, remote.Delete(ref.Context().Digest(second)))
	require.NoError(t, remote.Delete(ref))
	assert.Equal(t, "ImageDeleted", check(t, entries, "autosd").Outcome)
	restored := push(t, ref)
	assert.Equal(t, "Resolved", check(t, entries, "autosd").Outcome)

	entry, err := entries.Get(t.Context(), "autosd", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, v1alpha1.PhaseAvailable, entry.Status.Phase)
	assert.Equal(t, restored, entry.Status.Digest)
	require.Len(t, entry.Status.History, 2)
	assert.Equal(t, second+" ImageDeleted", entry.Status.History[0].Digest+" "+string(entry.Status.History[0].Cause))
	assert.Equal(t, first+" TagMoved", entry.Status.History[1].Digest+" "+string(entry.Status.History[1].Cause))

	var after scraped
	assert.Eventually(t, func() bool { // a moment after the status
		after = scrape(t)
		return after.sum(t, "imagecatalog_drift_total", host) == 2 && after.sum(t, "imagecatalog_entries", `phase="Available"`) > 0
	}, patience, pause, "another image came back")
	assert.InDelta(t, 3, after.sum(t, "imagecatalog_check_duration_seconds_count", host, `outcome="Resolved"`), 0)
	assert.InDelta(t, 1, after.sum(t, "imagecatalog_check_duration_seconds_count", host, `outcome="ImageDeleted"`), 0)
	assert.ElementsMatch(t, []string{"Published", "Drift", "ImageDeleted", "Drift", "Recovered"}, eventsOf(t, namespace, 5))
	assert.Greater(t, after.sum(t, "imagecatalog_claims", `state="adopted"`), 0.0)
	after.sum(t, "imagecatalog_check_overdue_seconds")
	assert.InDelta(t, 0, after.sum(t, "imagecatalog_registry_away", host), 0)
}

// eventsOf are the reasons of the Events in a namespace, each as often as it was told, when there are so many.
func eventsOf(t *testing.T, namespace string, count int) []string {
	t.Helper()
	var reasons []string
	assert.Eventually(t, func() bool {
		events, err := kube.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		reasons = nil
		for _, event := range events.Items {
			for range max(event.Count, 1) {
				reasons = append(reasons, event.Reason)
			}
		}
		return len(reasons) >= count
	}, patience, pause)
	return reasons
}
