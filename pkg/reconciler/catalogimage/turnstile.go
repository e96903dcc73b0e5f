package catalogimage

import (
	"context"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// turnstile puts entries off whose registry is asked about as many images as it may be, before anything is read, decided
// or written for them. Those who come through find the registry free, but for a race that the registry layer settles.
type turnstile struct {
	generated
	entries    cache.KeyGetter
	turn       func(name.Repository) time.Duration
	untilAsked func(*v1alpha1.CatalogImage, name.Repository) time.Duration
}

// Reconcile implements controller.Reconciler.
func (t *turnstile) Reconcile(ctx context.Context, key string) error {
	if wait := t.wait(key); wait > 0 {
		return controller.NewRequeueAfter(wait)
	}
	return t.generated.Reconcile(ctx, key)
}

func (t *turnstile) wait(key string) time.Duration {
	object, found, err := t.entries.GetByKey(key)
	if err != nil || !found {
		return 0
	}
	entry, ok := object.(*v1alpha1.CatalogImage)
	if !ok {
		return 0
	}
	ref, err := entry.Spec.Reference()
	if err != nil || t.untilAsked(entry, ref.Context()) > 0 {
		return 0
	}
	return t.turn(ref.Context())
}
