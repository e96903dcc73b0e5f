//go:build controlplane

package controlplane

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
	"imagecatalog.dev/catalog/test/faults"
)

// The faults of a registry, in front of a real one.
var troubles = map[string]faults.Fault{
	"no answer":                     faults.Silent().At("/manifests/"),
	"slow body":                     faults.Dripping().At("GET /v2/acme/autosd/manifests/"),
	"reset in the body":             faults.Reset().At("GET /v2/acme/autosd/manifests/"),
	"truncated":                     faults.Truncated().At("GET /v2/acme/autosd/manifests/"),
	"401":                           faults.Status(http.StatusUnauthorized).At("/manifests/"),
	"403":                           faults.Status(http.StatusForbidden).At("/manifests/"),
	"404":                           faults.Status(http.StatusNotFound).At("/manifests/"),
	"404 of the configuration":      faults.Status(http.StatusNotFound).At("/blobs/"),
	"429":                           faults.RetryAfter(http.StatusTooManyRequests, "2").At("/manifests/"),
	"500":                           faults.Status(http.StatusInternalServerError).At("/manifests/"),
	"503":                           faults.Status(http.StatusServiceUnavailable).At("/manifests/"),
	"503 with a time":               faults.RetryAfter(http.StatusServiceUnavailable, "2").At("/manifests/"),
	"no registry":                   faults.Status(http.StatusNotFound),
	"oversized manifest":            faults.Oversized(5 << 20).At("GET /v2/acme/autosd/manifests/"),
	"malformed manifest":            faults.Replaced("<html>").At("GET /v2/acme/autosd/manifests/"),
	"wrong bytes":                   faults.Replaced("{}").At("/blobs/"),
	"redirect to a private address": faults.Redirect("https://10.0.0.1").At("/blobs/"),
	"endless referrers":             faults.Endless().At("/referrers/"),
	"403 of referrers":              faults.Status(http.StatusForbidden).At("/referrers/"),
	"500 of referrers":              faults.Status(http.StatusInternalServerError).At("/referrers/"),
}

const troublesGolden = "testdata/troubles.golden"

// soon are the faults that are over within seconds, because no breaker waits after them. Without CAMPAIGN=full only these
// are tried.
var soon = []string{"401", "403", "404 of the configuration", "429", "malformed manifest", "endless referrers", "redirect to a private address"}

// What an operator sees of each fault, of an entry that is new and of one that was found before, and after it. The golden
// file has it all; CAMPAIGN=full go test -parallel 32 -update writes it anew.
func TestWhatAnOperatorSeesOfFaults(t *testing.T) {
	t.Parallel()
	want := readTroubles(t)
	tried := troubles
	if os.Getenv("CAMPAIGN") != "full" {
		tried = maps.Clone(troubles)
		maps.DeleteFunc(tried, func(title string, _ faults.Fault) bool { return !slices.Contains(soon, title) })
	}
	var mutex sync.Mutex
	got := map[string]string{}
	t.Run("all", func(t *testing.T) {
		for title, fault := range tried {
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				seen := see(t, fault)
				mutex.Lock()
				got[title] = seen
				mutex.Unlock()
				if !*update {
					assert.Equal(t, want[title], seen)
				}
			})
		}
	})
	if *update {
		var text strings.Builder
		for _, title := range slices.Sorted(maps.Keys(got)) {
			fmt.Fprintf(&text, "== %s\n%s\n", title, got[title])
		}
		require.NoError(t, os.WriteFile(troublesGolden, []byte(text.String()), 0o600))
	}
}

func readTroubles(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(troublesGolden)
	if *update && os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	sections := map[string]string{}
	for section := range strings.SplitSeq(strings.TrimPrefix(string(content), "== "), "\n== ") {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = strings.TrimSuffix(text, "\n") + "\n"
	}
	return sections
}

// see publishes an image before the fault and one with it, and lets it pass.
func see(t *testing.T, fault faults.Fault) string {
	t.Helper()
	proxy, err := faults.NewProxy(new(faults.Ledger), faults.Site{}, registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	ref, err := name.ParseReference(proxy.Host + "/acme/autosd:1")
	require.NoError(t, err)
	push(t, ref)
	other := ref.Context().Tag("2")
	image, err := remote.Image(ref)
	require.NoError(t, err)
	require.NoError(t, remote.Tag(other, image))
	namespace := newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	_, err = entries.Create(t.Context(), newEntry("known", ref.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	waitForCondition(t, entries, "known", apis.ConditionReady, corev1.ConditionTrue)

	push(t, ref) // another one, which is to be described
	proxy.Inject(fault)
	_, err = entries.Create(t.Context(), newEntry("new", other.Name()), metav1.CreateOptions{})
	require.NoError(t, err)
	var text strings.Builder
	seen := func(when string) {
		for _, entry := range []string{"new", "known"} {
			outcome := checkPatiently(t, entries, entry)
			fmt.Fprintf(&text, "%s %-5s %s\n", when, entry, summary(t, entries, entry, outcome))
		}
	}
	seen("during")
	proxy.Inject()
	for _, entry := range []string{"new", "known"} { // which recover by themselves; asking makes it sooner
		require.Eventually(t, func() bool { return checkPatiently(t, entries, entry).Outcome == "Resolved" }, 2*time.Minute, time.Second)
	}
	seen("after ")
	reasons := eventsOf(t, namespace, 2) // all of them: an Event is stored before the status that tells the same
	slices.Sort(reasons)
	fmt.Fprintf(&text, "events: %s\n", strings.Join(slices.Compact(reasons), ", "))
	return text.String()
}

// checkPatiently is check for a registry that keeps its askers waiting.
func checkPatiently(t *testing.T, entries catalogclient.CatalogImageInterface, entry string) *v1alpha1.CheckRequest {
	t.Helper()
	return checkWithin(t, entries, entry, 2*time.Minute)
}

func summary(t *testing.T, entries catalogclient.CatalogImageInterface, name string, outcome *v1alpha1.CheckRequest) string {
	t.Helper()
	entry, err := entries.Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	parts := []string{string(entry.Status.Phase)}
	for _, condition := range []apis.ConditionType{apis.ConditionReady, v1alpha1.ConditionResolved, v1alpha1.ConditionFresh} {
		c := entry.Status.GetCondition(condition)
		part := string(condition) + "=" + string(c.Status)
		if c.Reason != "" {
			part += "/" + c.Reason
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, "outcome "+outcome.Outcome), " ")
}
