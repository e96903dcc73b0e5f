package catalogimage

import (
	"context"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// listing remembers what refers to an image, so that who looks for signatures need not ask again.
type listing struct {
	Registry
	image name.Digest
	once  sync.Once
	found []registry.Referrer
	err   error
}

// Referrers implements signature.Registry.
func (l *listing) Referrers(ctx context.Context, image name.Digest, keychain authn.Keychain) ([]registry.Referrer, error) {
	if image.Name() != l.image.Name() {
		return l.Registry.Referrers(ctx, image, keychain)
	}
	l.once.Do(func() { l.found, l.err = l.Registry.Referrers(ctx, image, keychain) })
	return l.found, l.err
}

// referrers lists what refers to the image. A registry that has no good answer to that keeps no image from being found:
// an Event says so. One that has no answer now is asked again with all the rest.
func (r *Reconciler) referrers(ctx context.Context, entry *v1alpha1.CatalogImage, listed *listing, keychain authn.Keychain) ([]registry.Referrer, error) {
	found, err := listed.Referrers(ctx, listed.image, keychain)
	if err != nil && !isOutage(registry.ReasonOf(err)) {
		r.journal.add(entry, corev1.EventTypeWarning, eventReferrersUnreadable, "%v", err)
		return nil, nil
	}
	return found, err
}

// isOutage says whether a registry that gave no good answer may give one later by itself.
func isOutage(reason registry.Reason) bool {
	return !reason.Definite() && reason != registry.Unauthorized && reason != registry.Forbidden && reason != registry.Blocked
}
