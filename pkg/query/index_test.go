package query

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	cachetesting "k8s.io/client-go/tools/cache/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func everything(index *Index) []string {
	entries, _, _ := index.snapshot().page(&query{limit: 1000})
	return namesOf(entries)
}

func TestIndexFollowsChanges(t *testing.T) {
	first, second, third := image("a", "first", 1), image("a", "second", 2), image("a", "third", 3)
	for name, tc := range map[string]struct {
		change func(*Index)
		want   []string
	}{
		"nothing": {func(*Index) {}, []string{"third", "second", "first"}},
		"add":     {func(i *Index) { i.OnAdd(image("a", "new", 4), false) }, []string{"new", "third", "second", "first"}},
		"delete":  {func(i *Index) { i.OnDelete(second) }, []string{"third", "first"}},
		"delete that the watch missed": {
			func(i *Index) { i.OnDelete(cache.DeletedFinalStateUnknown{Key: "a/first", Obj: first}) },
			[]string{"third", "second"},
		},
		"delete of what is not there": {func(i *Index) { i.OnDelete(image("b", "first", 1)) }, []string{"third", "second", "first"}},
		"deleted and made again, seen as one update": {
			func(i *Index) { i.OnUpdate(first, with(image("a", "first", 9), "7")) },
			[]string{"first", "third", "second"},
		},
		"deleted and made again, the deletion never seen": {
			func(i *Index) { i.OnAdd(image("a", "first", 9), false) },
			[]string{"first", "third", "second"},
		},
		"something else": {func(i *Index) { i.OnAdd("?", false); i.OnUpdate("?", "?"); i.OnDelete("?") }, []string{"third", "second", "first"}},
	} {
		t.Run(name, func(t *testing.T) {
			index := indexOf(first, second, third)
			tc.change(index)
			assert.Equal(t, tc.want, everything(index))
		})
	}
}

func with(image *v1alpha1.CatalogImage, version string) *v1alpha1.CatalogImage {
	image.ResourceVersion = version
	return image
}

func TestAnUpdateIsEncodedOnceAndAResyncNever(t *testing.T) {
	before := with(image("a", "one", 1), "1")
	index := indexOf(before)
	held, _ := index.snapshot().get("a", "one")

	index.OnUpdate(before, with(image("a", "one", 1, channel("prod")), "1"))
	same, _ := index.snapshot().get("a", "one")
	assert.Same(t, held, same, "the same version must not be encoded again")

	index.OnUpdate(before, with(image("a", "one", 1, channel("prod")), "2"))
	changed, _ := index.snapshot().get("a", "one")
	assert.Equal(t, "prod", changed.channel)
	assert.Contains(t, string(changed.item), `"channel":"prod"`)
}

func TestASnapshotDoesNotChange(t *testing.T) {
	index := indexOf(image("a", "old", 1), image("a", "older", 0))
	before := index.snapshot()
	index.OnAdd(image("a", "new", 2), false)
	index.OnDelete(image("a", "old", 1))

	entries, total, _ := before.page(&query{limit: 10})
	assert.Equal(t, []string{"old", "older"}, namesOf(entries))
	assert.Equal(t, 2, total)
	assert.Equal(t, []string{"new", "older"}, everything(index))
}

// TestReadersAndWriters is for the race detector. Besides, every page a reader sees is in order and complete: the
// writers only ever touch the namespace w.
func TestReadersAndWriters(t *testing.T) {
	const stable, writers, changes = 200, 4, 300
	index := indexOf()
	for n := range stable {
		index.OnAdd(image("r", fmt.Sprintf("stable-%03d", n), n), true)
	}
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for n := range changes {
				i := image("w", fmt.Sprintf("moving-%d-%d", w, n%10), n)
				index.OnAdd(i, false)
				if n%3 == 0 {
					index.OnDelete(i)
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() { readUntil(t, stop, index, stable) })
	}
	writing.Wait()
	close(stop)
	reading.Wait()
}

func readUntil(t *testing.T, stop <-chan struct{}, index *Index, stable int) {
	for {
		entries, total, _ := index.snapshot().page(&query{filter: filter{namespace: "r"}, limit: 1000})
		assert.Len(t, entries, stable)
		assert.Equal(t, stable, total)
		all, _, _ := index.snapshot().page(&query{limit: 1000})
		for n := 1; n < len(all); n++ {
			assert.True(t, all[n-1].before(all[n].key))
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

func TestWatchFollowsAnInformer(t *testing.T) {
	source := cachetesting.NewFakeControllerSource()
	t.Cleanup(source.Shutdown)
	applied := image("a", "applied", 1)
	applied.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"}
	applied.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	source.Add(applied)
	informer := cache.NewSharedInformer(source, &v1alpha1.CatalogImage{}, 0)
	index, err := Watch(informer)
	require.NoError(t, err)
	assert.False(t, index.Synced(), "nothing has arrived yet")

	go informer.RunWithContext(t.Context())
	eventually(t, index.Synced)
	assert.Equal(t, []string{"applied"}, everything(index))
	kept := informer.GetStore().List()[0].(*v1alpha1.CatalogImage)
	assert.Empty(t, kept.ManagedFields)
	assert.Equal(t, map[string]string{"kept": "yes"}, kept.Annotations)

	source.Add(image("a", "later", 2))
	eventually(t, func() bool { return len(everything(index)) == 2 })
	source.Modify(image("a", "later", 2, channel("prod")))
	eventually(t, func() bool { e, ok := index.snapshot().get("a", "later"); return ok && e.channel == "prod" })
	source.Delete(image("a", "applied", 1))
	eventually(t, func() bool { return len(everything(index)) == 1 })
}

func TestWatchRefusesARunningInformer(t *testing.T) {
	source := cachetesting.NewFakeControllerSource()
	t.Cleanup(source.Shutdown)
	informer := cache.NewSharedInformer(source, &v1alpha1.CatalogImage{}, 0)
	go informer.RunWithContext(t.Context())
	eventually(t, informer.HasSynced)
	_, err := Watch(informer)
	assert.ErrorContains(t, err, "trimming what the informer keeps")
}
