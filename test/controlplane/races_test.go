//go:build controlplane

package controlplane

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// campaignVariable set to "full" has the races run for as many rounds as they can be relied on for.
const campaignVariable = "CAMPAIGN"

func rounds() int {
	if os.Getenv(campaignVariable) == "full" {
		return 1000
	}
	return 60
}

// An entry moves from image X to Y, and back, while others are created for X and for Y.
func TestUpdatesRaceCreates(t *testing.T) { raceUpdatesAgainstCreates(t) }

func raceUpdatesAgainstCreates(t *testing.T) {
	const namespaces = 4
	var all sync.WaitGroup
	began := time.Now()
	var won wins
	for range namespaces {
		race := updateRace{t: t, won: &won, entries: catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))}
		all.Go(func() {
			for round := range rounds() / namespaces {
				if !race.round(round) {
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d rounds in %s: %d moves and %d creates won", rounds(), time.Since(began).Round(time.Second), won.moves.Load(), won.creates.Load())
	assert.Positive(t, won.moves.Load())
	assert.Positive(t, won.creates.Load())
}

// wins tell that it was a race.
type wins struct{ moves, creates atomic.Int64 }

type updateRace struct {
	t       *testing.T
	entries catalogclient.CatalogImageInterface
	won     *wins
}

func (r updateRace) round(n int) bool {
	images := []string{fmt.Sprintf("quay.io/acme/autosd:x%d", n), fmt.Sprintf("quay.io/acme/autosd:y%d", n)}
	moving, err := r.entries.Create(r.t.Context(), newEntry(fmt.Sprintf("moving-%d", n), images[0]), metav1.CreateOptions{})
	if !assert.NoError(r.t, err) {
		return false
	}
	var all sync.WaitGroup
	all.Go(func() {
		for _, image := range []string{images[1], images[0], images[1]} {
			r.move(moving.Name, image)
		}
	})
	for index, image := range images {
		for try := range 2 {
			all.Go(func() {
				name := fmt.Sprintf("created-%d-%d-%d", n, index, try)
				_, err := r.entries.Create(r.t.Context(), newEntry(name, image), metav1.CreateOptions{})
				assertRefusal(r.t, err, &r.won.creates)
			})
		}
	}
	all.Wait()
	return r.unique() && r.clear()
}

// move does not mind being refused, nor that the controller has written the status meanwhile.
func (r updateRace) move(name, image string) {
	patch := fmt.Appendf(nil, `{"spec": {"image": %q}}`, image)
	_, err := r.entries.Patch(r.t.Context(), name, "application/merge-patch+json", patch, metav1.PatchOptions{})
	assertRefusal(r.t, err, &r.won.moves)
}

// assertRefusal asserts that a claim is the only reason for which something was refused, and counts what was not.
func assertRefusal(t *testing.T, err error, won *atomic.Int64) {
	t.Helper()
	if err == nil {
		won.Add(1)
		return
	}
	assert.Regexp(t, `already, as|retry in|lost \d+ races`, err.Error())
}

func (r updateRace) unique() bool {
	stored, err := r.entries.List(r.t.Context(), metav1.ListOptions{})
	return assert.NoError(r.t, err) && assertUnique(r.t, stored.Items)
}

// clear deletes what a round stored, without waiting for the claims to be free: the next one is about other images.
func (r updateRace) clear() bool {
	return assert.NoError(r.t, r.entries.DeleteCollection(r.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
}

// assertUnique asserts that no two entries, all of one namespace, are of the same image.
func assertUnique(t *testing.T, stored []v1alpha1.CatalogImage) bool {
	t.Helper()
	holders := map[string]string{}
	for n := range stored {
		entry := &stored[n]
		c, err := claim.Of(entry)
		if !assert.NoError(t, err) {
			return false
		}
		if other, ok := holders[c.Identity]; ok {
			return assert.Fail(t, "not unique", "%s is in %s twice: as %s and as %s", c.Identity, entry.Namespace, other, entry.Name)
		}
		holders[c.Identity] = entry.Name
	}
	return true
}

// createPatiently creates an entry, again for as long as it is told to try again later.
func createPatiently(t *testing.T, entries catalogclient.CatalogImageInterface, entry *v1alpha1.CatalogImage, patience time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		_, err := entries.Create(t.Context(), entry.DeepCopy(), metav1.CreateOptions{})
		if err == nil {
			return time.Since(began)
		}
		require.True(t, claim.SaysRetry(err.Error()), "refused for good: %v", err)
		require.Less(t, time.Since(began), patience, "still refused: %v", err)
		time.Sleep(100 * time.Millisecond)
	}
}

// With the controller running the image of a deleted entry is free at most a moment later, under whatever name.
func TestAnImageIsFreeAtOnceWhenItsEntryIsDeleted(t *testing.T) {
	for title, name := range map[string]func(round int) string{
		"under the same name": func(int) string { return "same" },
		"under another name":  func(round int) string { return fmt.Sprintf("other-%d", round) },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
			for round := range 10 {
				createPatiently(t, entries, newEntry(name(round), "quay.io/acme/autosd:1"), patience)
				require.NoError(t, entries.Delete(t.Context(), name(round), metav1.DeleteOptions{}))
			}
		})
	}
}
