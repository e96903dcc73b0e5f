package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"

	"imagecatalog.dev/catalog/pkg/registry"
)

// Registries say of which repositories there may be images in the catalog; the error is *registry.Settings's.
type Registries interface {
	Allows(name.Repository) error
}

// followedRegistries are the settings of config-registries as they are now. Without them everything is allowed.
type followedRegistries struct {
	settings atomic.Pointer[registry.Settings]
}

// followRegistries has every change take effect. The ConfigMap need not exist. knative reads what is there before it
// reads the certificate, without which the webhook answers nobody.
func followRegistries(ctx context.Context, watcher configmap.DefaultingWatcher) *followedRegistries {
	followed := &followedRegistries{}
	absent := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: registry.ConfigMapName}}
	watcher.WatchWithDefault(absent, func(config *corev1.ConfigMap) { followed.change(ctx, config) })
	return followed
}

// change keeps what held before when the new settings cannot be read: they are refused here, so they came while the
// webhook was away.
func (r *followedRegistries) change(ctx context.Context, config *corev1.ConfigMap) {
	settings, err := parseRegistries(config)
	if err != nil {
		logging.FromContext(ctx).Errorw("Keeping the settings for registries as they were: "+registry.ConfigMapName+" cannot be read", "error", err)
		return
	}
	r.settings.Store(settings)
}

// Allows implements Registries.
func (r *followedRegistries) Allows(repository name.Repository) error {
	return r.settings.Load().Allows(repository)
}

// parseRegistries reads config-registries. What Kubernetes keeps as binary data nobody would read: with an "allowed" that
// an editor has saved as UTF-16, every image would be.
func parseRegistries(config *corev1.ConfigMap) (*registry.Settings, error) {
	if binary := slices.Sorted(maps.Keys(config.BinaryData)); len(binary) > 0 {
		return nil, fmt.Errorf("%s: it is binary data: write it as text in UTF-8", binary[0])
	}
	return registry.ParseSettings(config.Data)
}

// validateRepository refuses an image that may not be in the catalog. The stored one of an update is not judged again:
// settings that change must not keep what is there from being changed in other ways.
func (i *admittedImage) validateRepository(ctx context.Context) *apis.FieldError {
	reference, err := i.Spec.Reference()
	if err != nil {
		return nil //nolint:nilerr // what is no reference is refused as that
	}
	if i.DeletionTimestamp != nil || keepsReference(ctx, reference) || i.registries.Allows(reference.Context()) == nil {
		return nil
	}
	return &apis.FieldError{
		Message: "no images of " + reference.Context().Name() + " are allowed",
		Paths:   []string{"spec.image"},
		Details: fmt.Sprintf("use one of an allowed repository, or ask an administrator of the catalog to allow this one: "+
			`it matches no line of "allowed" in ConfigMap %s of namespace %s`, registry.ConfigMapName, system.Namespace()),
	}
}

func keepsReference(ctx context.Context, wanted name.Reference) bool {
	before := stored(ctx)
	if before == nil || !before.readable() {
		return false
	}
	held, err := before.Spec.Reference()
	return err == nil && held.Name() == wanted.Name()
}
