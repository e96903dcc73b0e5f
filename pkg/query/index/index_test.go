package index

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	cachetesting "k8s.io/client-go/tools/cache/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
)

func TestIndexFollowsChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*catalog)
		want   []string
	}{
		"nothing":                           {func(*catalog) {}, []string{"third", "second", "first"}},
		"add":                               {func(c *catalog) { c.store(imagetest.Image("a", "new", 4)) }, []string{"new", "third", "second", "first"}},
		"delete":                            {func(c *catalog) { c.delete("a", "second") }, []string{"third", "first"}},
		"delete of what is not there":       {func(c *catalog) { c.delete("b", "first") }, []string{"third", "second", "first"}},
		"deleted and made again, seen late": {func(c *catalog) { c.store(imagetest.Image("a", "first", 9)) }, []string{"first", "third", "second"}},
		"a list of other things": {func(c *catalog) {
			require.NoError(c.t, c.Replace([]any{c.next(imagetest.Image("a", "second", 2)), c.next(imagetest.Image("a", "other", 0))}, "200"))
		}, []string{"second", "other"}},
		"nothing is left": {func(c *catalog) { require.NoError(c.t, c.Replace(nil, "200")) }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCatalog(t, imagetest.Image("a", "first", 1), imagetest.Image("a", "second", 2), imagetest.Image("a", "third", 3))
			tc.change(c)
			assert.Equal(t, tc.want, c.everything())
		})
	}
}

func TestAnEntryIsEncodedOnce(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "one", 1))
	held := c.Latest().Get("a", "one")
	same := imagetest.Image("a", "one", 1, imagetest.Channel("prod"))
	same.ResourceVersion = "1"
	require.NoError(t, c.Update(same))
	assert.Same(t, held, c.Latest().Get("a", "one"), "the same version must not be taken for a change")
	require.NoError(t, c.Replace([]any{same}, "200"))
	assert.Same(t, held, c.Latest().Get("a", "one"))

	c.store(imagetest.Image("a", "one", 1, imagetest.Channel("prod")))
	assert.Contains(t, string(c.Latest().Get("a", "one").Item), `"channel":"prod"`)
}

func TestASnapshotDoesNotChange(t *testing.T) {
	c := newCatalog(t, imagetest.Image("a", "old", 1), imagetest.Image("a", "older", 0))
	before := c.Latest()
	c.store(imagetest.Image("a", "new", 2))
	c.delete("a", "old")

	page := before.Page(newest(10))
	assert.Equal(t, []string{"old", "older"}, namesOf(page.Entries))
	assert.Equal(t, 2, page.Total)
	assert.Equal(t, []string{"new", "older"}, c.everything())
}

func TestTheHashStandsForAllButTheTimeOfTheCheckAndTheAccesses(t *testing.T) {
	hash := func(options ...imagetest.Option) uint64 {
		i := imagetest.Image("a", "one", 1, options...)
		i.ResourceVersion = "1"
		e, err := newEntry(i)
		require.NoError(t, err)
		return e.Hash
	}
	assert.Equal(t, hash(imagetest.Checked(1)), hash(imagetest.Checked(2)))
	assert.NotEqual(t, hash(imagetest.Checked(1)), hash(imagetest.Checked(1), imagetest.Channel("prod")))
	accessed := func(i *v1alpha1.CatalogImage) { i.Status.AccessCount = 1234 }
	assert.Equal(t, hash(), hash(accessed))
	assert.Equal(t, hash(imagetest.Checked(1)), hash(imagetest.Checked(2), accessed))
	forged := func(i *v1alpha1.CatalogImage) { i.Spec.DisplayName = `","accessCount":` }
	assert.NotEqual(t, hash(forged), hash(forged, imagetest.Channel("prod")))
	assert.NotEqual(t, hash(), hash(imagetest.Checked(1)), "that it was checked at all is news")
}

func TestVersionsAreNumbers(t *testing.T) {
	c := newCatalog(t)
	require.ErrorContains(t, c.Add(imagetest.Image("a", "one", 1)), `resource version ""`)
	require.ErrorContains(t, c.Replace(nil, "later"), `resource version "later"`)
	require.ErrorContains(t, c.Add("?"), "string")
}

// TestReadersAndWriters is for the race detector. Besides, every page a reader sees is in order and complete: the
// writers only ever touch the namespace w.
func TestReadersAndWriters(t *testing.T) {
	const stable, writers, changes = 200, 4, 300
	c := newCatalog(t)
	for n := range stable {
		c.store(imagetest.Image("r", fmt.Sprintf("stable-%03d", n), n))
	}
	var one sync.Mutex // gives versions
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for n := range changes {
				one.Lock()
				name := fmt.Sprintf("moving-%d-%d", w, n%10)
				c.store(imagetest.Image("w", name, n))
				if n%3 == 0 {
					c.delete("w", name)
				}
				one.Unlock()
			}
		})
	}
	for range 2 {
		reading.Go(func() { readUntil(t, stop, c.Index, stable) })
	}
	writing.Wait()
	close(stop)
	reading.Wait()
}

func readUntil(t *testing.T, stop <-chan struct{}, index *Index, stable int) {
	for n := 0; ; n++ {
		q := newest(1000)
		q.Predicates = []Predicate{Text(fmt.Sprintf("stable-%d", n%300))}
		index.Prepare(q)
		q.Predicates, q.Facets = []Predicate{Text("stable")}, []Facet{{Namespace, "r"}}
		page := index.Prepare(q).Page(q)
		assert.Len(t, page.Entries, stable)
		assert.Equal(t, stable, page.Total)
		past, err := index.At(index.Latest().Version - 50*uint64(n%2))
		if assert.NoError(t, err) {
			all := past.Page(newest(1000)).Entries
			for n := 1; n < len(all); n++ {
				assert.True(t, ByPublished.before(all[n], all[n-1]))
			}
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// listFirst is a source that does not stream what there is at the beginning of a watch.
type listFirst struct{ cache.ListWatch }

func (*listFirst) IsWatchListSemanticsUnSupported() bool { return true }

func TestFollowingASource(t *testing.T) {
	source := cachetesting.NewFakeControllerSource()
	t.Cleanup(source.Shutdown)
	source.Add(imagetest.Image("a", "first", 1))
	c := &catalog{New(), t, 0}
	assert.False(t, c.Synced(), "nothing has arrived yet")

	go c.Run(t.Context(), &listFirst{cache.ListWatch{
		ListWithContextFunc:  func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) { return source.List(o) },
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) { return source.Watch(o) },
	}})
	eventually(t, c.Synced)
	assert.Equal(t, []string{"first"}, c.everything())
	source.Add(imagetest.Image("a", "later", 2))
	eventually(t, func() bool { return len(c.everything()) == 2 })
	source.Modify(imagetest.Image("a", "later", 2, imagetest.Channel("prod")))
	eventually(t, func() bool { return c.Latest().Get("a", "later").Value(Channel) == "prod" })
	source.Delete(imagetest.Image("a", "first", 1))
	eventually(t, func() bool { return len(c.everything()) == 1 })
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond)
}
