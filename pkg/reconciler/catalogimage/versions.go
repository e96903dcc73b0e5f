package catalogimage

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/kmeta"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// versions are those in which the controller stored entries, as long as the cache has older ones. Who decides by an older
// one asks the registry again for nothing, and tells again what was told.
type versions struct {
	entries cache.KeyGetter // the cache

	mutex  sync.Mutex
	stored map[string]string // by key
}

func newVersions(entries cache.KeyGetter) *versions {
	return &versions{entries: entries, stored: map[string]string{}}
}

// note takes down the version of an entry that was stored just now.
func (v *versions) note(entry *v1alpha1.CatalogImage) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	key := entry.Namespace + "/" + entry.Name
	if v.older(key, entry.ResourceVersion) {
		v.stored[key] = entry.ResourceVersion
	}
}

// awaited says whether the cache has yet to hear of what was stored.
func (v *versions) awaited(key string) bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	stored, noted := v.stored[key]
	return noted && v.older(key, stored)
}

// older says whether the cache has an older version than that. An entry that it has no more was deleted later; of versions
// that cannot be compared nothing is known.
func (v *versions) older(key, than string) bool {
	cached, found, err := v.entries.GetByKey(key)
	if err != nil || !found {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(cached.(*v1alpha1.CatalogImage).ResourceVersion, than)
	return err == nil && order < 0
}

// handler forgets what the cache has heard of.
func (v *versions) handler() cache.ResourceEventHandler {
	heard := func(object any) {
		entry, err := kmeta.DeletionHandlingAccessor(object)
		if err != nil {
			return
		}
		v.mutex.Lock()
		defer v.mutex.Unlock()
		if key := entry.GetNamespace() + "/" + entry.GetName(); !v.older(key, v.stored[key]) {
			delete(v.stored, key)
		}
	}
	return cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, after any) { heard(after) }, DeleteFunc: heard}
}

// catchUpInterval is how soon is looked again whether the cache has heard. It mostly has within milliseconds.
const catchUpInterval = 50 * time.Millisecond

// upToDate puts entries off of which the cache has not heard yet what the controller itself stored.
type upToDate struct {
	generated
	versions *versions
}

// Reconcile implements controller.Reconciler.
func (u *upToDate) Reconcile(ctx context.Context, key string) error {
	if u.versions.awaited(key) {
		return controller.NewRequeueAfter(catchUpInterval)
	}
	return u.generated.Reconcile(ctx, key)
}
