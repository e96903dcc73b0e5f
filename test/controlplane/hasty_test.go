//go:build controlplane

package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Entries are changed while the controller writes their first statuses, which it has to write again over the change: each
// is published once for all that.
func TestAnEntryThatIsChangedAtOnceIsPublishedOnce(t *testing.T) {
	t.Parallel()
	repository, namespace := everyTag(t), newNamespace(t)
	entries := catalog.ImagecatalogV1alpha1().CatalogImages(namespace)
	const publishers, count, changes = 8, 6, 3
	var all sync.WaitGroup
	for publisher := range publishers {
		all.Go(func() {
			for n := range count {
				name := fmt.Sprintf("entry-%d-%d", publisher, n)
				_, err := entries.Create(t.Context(), newEntry(name, repository.Tag(name).Name()), metav1.CreateOptions{})
				assert.NoError(t, err)
				for change := range changes {
					time.Sleep(time.Duration(n+change) * time.Millisecond)
					patch := fmt.Appendf(nil, `{"spec": {"displayName": "changed %d"}}`, change)
					_, err = entries.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
					assert.NoError(t, err)
				}
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool {
		return len(judged(t, namespace)) == publishers*count && countAvailable(t, namespace) == publishers*count
	}, patience, pause)
	for _, name := range slices.Sorted(maps.Keys(judged(t, namespace))) {
		assert.Equal(t, "Resolved", checkPatiently(t, entries, name).Outcome) // so it was reconciled once more
	}
	published := 0
	for what, times := range toldIn(t, namespace) {
		if strings.HasSuffix(what, " Published") {
			assert.Equal(t, 1, times, what)
			published++
			continue
		}
		assert.LessOrEqual(t, times, changes, what)
	}
	assert.Equal(t, publishers*count, published)
}
