//go:build controlplane

package controlplane

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const (
	patience = 2 * time.Minute       // also of a machine that is busy with all tests at once
	pause    = 50 * time.Millisecond // between looking and looking again
)

func digestOf(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func newEntry(name, image string) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.CatalogImageSpec{Image: image},
	}
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
