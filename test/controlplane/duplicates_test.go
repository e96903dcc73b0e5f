//go:build controlplane

package controlplane

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
)

const patience = 30 * time.Second

func digestOf(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func newEntry(name, image string) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.CatalogImageSpec{Image: image},
	}
}

func TestOneOfManySimultaneousCreatesWins(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	spellings := []string{"nginx:1.29", "docker.io/nginx:1.29", "library/nginx:1.29", "docker.io/library/nginx:1.29", "index.docker.io/library/nginx:1.29"}
	const creates = 60
	errs := make([]error, creates)
	var all sync.WaitGroup
	for n := range creates {
		all.Go(func() {
			_, errs[n] = entries.Create(t.Context(), newEntry(fmt.Sprintf("entry-%d", n), spellings[n%len(spellings)]), metav1.CreateOptions{})
		})
	}
	all.Wait()

	stored, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, stored.Items, 1)
	winner := stored.Items[0].Name
	refused := 0
	for n, err := range errs {
		if fmt.Sprintf("entry-%d", n) == winner {
			assert.NoError(t, err)
			continue
		}
		refused++
		require.Error(t, err)
		assert.Contains(t, err.Error(), fmt.Sprintf("%q", winner), "the refusal names the entry that won")
		assert.NotEqual(t, strings.Contains(err.Error(), "already, as"), claim.SaysRetry(err.Error()), "a refusal is final or says when to retry: %v", err)
	}
	assert.Equal(t, creates-1, refused)
}

func TestPinnedAndFollowingEntriesDoNotCompete(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	for name, image := range map[string]string{
		"follows": "quay.io/acme/autosd:1",
		"pinned":  "quay.io/acme/autosd:1@" + digestOf("1"),
		"other":   "quay.io/acme/autosd:1@" + digestOf("2"),
	} {
		_, err := entries.Create(t.Context(), newEntry(name, image), metav1.CreateOptions{})
		assert.NoError(t, err, name)
	}
}

func TestTheSameImageMayBeInTwoNamespaces(t *testing.T) {
	for range 2 {
		_, err := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t)).
			Create(t.Context(), newEntry("autosd", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
		assert.NoError(t, err)
	}
}

func TestADryRunTakesNoClaim(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("tried", "quay.io/acme/autosd:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err)
	_, err = entries.Create(t.Context(), newEntry("stored", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = entries.Create(t.Context(), newEntry("tried", "quay.io/acme/autosd:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	assert.ErrorContains(t, err, `already, as "stored"`)
}

func TestADeletedEntryFreesItsImage(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("first", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	waitForCondition(t, entries, "first", v1alpha1.ConditionUnique, "True")

	require.NoError(t, entries.Delete(t.Context(), "first", metav1.DeleteOptions{}))
	_, err = entries.Create(t.Context(), newEntry("second", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	assert.NoError(t, err)
}

func TestAnUpdateMovesTheClaim(t *testing.T) {
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(newNamespace(t))
	_, err := entries.Create(t.Context(), newEntry("moves", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = entries.Create(t.Context(), newEntry("stays", "quay.io/acme/autosd:2"), metav1.CreateOptions{})
	require.NoError(t, err)

	move := func(image string) error {
		_, err := change(t, entries, "moves", func(entry *v1alpha1.CatalogImage) { entry.Spec.Image = image })
		return err
	}
	assert.ErrorContains(t, move("quay.io/acme/autosd:2"), `already, as "stays"`)
	require.NoError(t, move("quay.io/acme/autosd:3"))
	waitForCondition(t, entries, "moves", v1alpha1.ConditionUnique, "True")
	_, err = entries.Create(t.Context(), newEntry("new", "quay.io/acme/autosd:1"), metav1.CreateOptions{})
	assert.NoError(t, err)
}
