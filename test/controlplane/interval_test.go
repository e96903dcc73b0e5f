//go:build controlplane

package controlplane

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// As long as nothing changes, an entry is written once for each check, and never between.
func TestAnUnchangedEntryIsWrittenOnceACheck(t *testing.T) {
	t.Parallel()
	repository, namespace := everyTag(t), newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	const count = 8 // of which the first is checked again soon
	for n := range count {
		entry := newEntry(fmt.Sprintf("entry-%d", n), repository.Tag(fmt.Sprintf("entry-%d", n)).Name())
		entry.Spec.CheckInterval = &metav1.Duration{Duration: v1alpha1.MinCheckInterval}
		_, err := entries.Create(t.Context(), entry, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return countAvailable(t, namespace) == count }, patience, pause)
	list, err := entries.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	last := map[string]*metav1.Time{}
	for i := range list.Items {
		last[list.Items[i].Name] = list.Items[i].Status.LastCheckedAt
	}
	changes, err := entries.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(t, err)
	defer changes.Stop()

	until := time.After(v1alpha1.MinCheckInterval)
	for checks := 0; ; {
		select {
		case change := <-changes.ResultChan():
			require.Equal(t, watch.Modified, change.Type, "%v", change.Object)
			entry := change.Object.(*v1alpha1.CatalogImage)
			assert.True(t, last[entry.Name].Before(entry.Status.LastCheckedAt), "%s was written and not checked", entry.Name)
			last[entry.Name] = entry.Status.LastCheckedAt
			checks++
		case <-until:
			assert.Positive(t, checks)
			return
		}
	}
}
