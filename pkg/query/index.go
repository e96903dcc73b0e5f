package query

import (
	"fmt"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Index holds every entry of the catalog, ready to be listed.
//
// A change costs O(log n): the trees copy only the nodes on the path to the entry, so there is no list to rebuild, a
// burst of changes needs no batching, and what is answered is never older than the last change that arrived.
type Index struct {
	informed atomic.Bool // remembers a true hasSynced, which takes the informer's locks
	// hasSynced says whether the whole catalog, as it was when the informer began, has arrived here.
	hasSynced func() bool

	writing sync.Mutex
	latest  *snapshot                // the writer's own; guarded by writing
	current atomic.Pointer[snapshot] // a copy of it for readers, never written again
}

var _ cache.ResourceEventHandler = (*Index)(nil)

// Watch gives an index that follows the informer, which must not be running yet. The caller runs it.
func Watch(informer cache.SharedInformer) (*Index, error) {
	if err := informer.SetTransform(trim); err != nil {
		return nil, fmt.Errorf("trimming what the informer keeps: %w", err)
	}
	index := newIndex()
	registration, err := informer.AddEventHandler(index)
	if err != nil {
		return nil, fmt.Errorf("following the informer: %w", err)
	}
	index.hasSynced = registration.HasSynced
	return index, nil
}

func newIndex() *Index {
	index := &Index{hasSynced: func() bool { return false }, latest: newSnapshot()}
	index.current.Store(index.latest.copy())
	return index
}

// Synced says whether the index holds the whole catalog. Before that, what it lists is incomplete.
func (i *Index) Synced() bool {
	if !i.informed.Load() && i.hasSynced() {
		i.informed.Store(true)
	}
	return i.informed.Load()
}

// OnAdd implements cache.ResourceEventHandler.
func (i *Index) OnAdd(obj any, _ bool) {
	if image, ok := obj.(*v1alpha1.CatalogImage); ok {
		i.put(image)
	}
}

// OnUpdate implements cache.ResourceEventHandler. A resync brings the same version again, which is nothing new.
func (i *Index) OnUpdate(oldObj, newObj any) {
	before, wasImage := oldObj.(*v1alpha1.CatalogImage)
	after, isImage := newObj.(*v1alpha1.CatalogImage)
	if !isImage || (wasImage && before.UID == after.UID && before.ResourceVersion == after.ResourceVersion) {
		return
	}
	i.put(after)
}

// OnDelete implements cache.ResourceEventHandler.
func (i *Index) OnDelete(obj any) {
	if missed, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = missed.Obj
	}
	if image, ok := obj.(*v1alpha1.CatalogImage); ok {
		i.change(func(s *snapshot) { s.remove(image.Namespace, image.Name) })
	}
}

func (i *Index) put(image *v1alpha1.CatalogImage) {
	e := newEntry(image)
	i.change(func(s *snapshot) { s.put(e) })
}

// change publishes a new snapshot. Requests that hold an older one are not disturbed.
func (i *Index) change(apply func(*snapshot)) {
	i.writing.Lock()
	defer i.writing.Unlock()
	apply(i.latest)
	i.current.Store(i.latest.copy())
}

func (i *Index) snapshot() *snapshot { return i.current.Load() }

// trim drops what no answer shows before the informer keeps it: often half of a small object.
func trim(obj any) (any, error) {
	if image, ok := obj.(*v1alpha1.CatalogImage); ok {
		image.ManagedFields = nil
		delete(image.Annotations, corev1.LastAppliedConfigAnnotation)
	}
	return obj, nil
}
