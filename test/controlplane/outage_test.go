//go:build controlplane

package controlplane

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/claim"
	"imagecatalog.dev/catalog/test/plane"
)

// outage is how long the controller is away: longer than a pending claim is honoured, so that both kinds are met.
const outage = claim.Grace + 10*time.Second

// What must hold without a controller is tested in one outage, all at the same time. What comes after it is that the
// controller starts again and clears away what is left.
func TestWithoutAController(t *testing.T) {
	alerts := startPrometheus(t)
	alerts.await(t, controllerDown, false)
	began := time.Now()
	require.NoError(t, installed.Controller.Stop())
	abandoned := newVeto(t)
	t.Run("during", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, time.Time){
			"one of two hundred creates wins":       oneWinsThroughout,
			"a deleted entry's image is free again": imageIsFreeAgain,
			"a claim without an entry is free":      func(t *testing.T, _ time.Time) { abandoned.claimIsFreeAfterGrace(t) },
			"updates race creates":                  func(t *testing.T, _ time.Time) { raceUpdatesAgainstCreates(t) },
			"bad objects are refused": func(t *testing.T, _ time.Time) {
				refuse(t, func(r refusal) bool { return r.Allowed == "" })
			},
			"the query server serves": func(t *testing.T, _ time.Time) { queryServerAlone(t) },
			"an alert fires":          func(t *testing.T, _ time.Time) { alerts.await(t, controllerDown, true) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, began)
			})
		}
	})
	labelsComeWithTheWebhook(t, func() { // the second start reads lists before it watches
		require.NoError(t, installed.Controller.Start(t.Context(), plane.ListsFirst))
	})
	assert.Eventually(t, func() bool { return len(claimsIn(t, abandoned.namespace)) == 1 }, patience, 100*time.Millisecond,
		"only the claim of the stored entry stays")
	alerts.await(t, controllerDown, false)
}

const controllerDown = "ImageCatalogControllerDown "

// Creates at the beginning, when claims are older than their grace, after the winner was deleted, and at the end.
func oneWinsThroughout(t *testing.T, began time.Time) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	specs := spellings("nginx", digestOf("nginx"))
	winner := requireOne(t, entries, storm(t.Context(), entries, "first", specs))

	sleepUntil(t, began.Add(claim.Grace+5*time.Second))
	assert.Equal(t, winner, requireOne(t, entries, storm(t.Context(), entries, "late", specs)))
	require.NoError(t, entries.Delete(t.Context(), winner, metav1.DeleteOptions{}))
	second := requireOne(t, entries, storm(t.Context(), entries, "after", specs))

	sleepUntil(t, began.Add(outage))
	assert.Equal(t, second, requireOne(t, entries, storm(t.Context(), entries, "last", specs)))
}

// Under its old name at once, under another one when the claim's grace is over.
func imageIsFreeAgain(t *testing.T, _ time.Time) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	for range 3 {
		_, err := entries.Create(t.Context(), newEntry("same", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
		require.NoError(t, err)
		require.NoError(t, entries.Delete(t.Context(), "same", metav1.DeleteOptions{}))
	}
	took := createPatiently(t, entries, newEntry("other", "quay.io/acme/autosd:1"), claim.Grace+patience)
	assert.Greater(t, took, claim.Grace/2, "the claim was not honoured")
}

func sleepUntil(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(time.Until(at)):
	}
}
