package catalogimage

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// follow has changes of config-registries observed, which need not exist.
func follow(ctx context.Context, settings configmap.Watcher, observe configmap.Observer) {
	watcher, ok := settings.(configmap.DefaultingWatcher)
	if !ok {
		logging.FromContext(ctx).Fatalw("Following "+registry.ConfigMapName, "watcher", fmt.Sprintf("%T", settings))
	}
	watcher.WatchWithDefault(noSettings(), observe)
}

// noSettings is what holds as long as nobody made config-registries.
func noSettings() corev1.ConfigMap {
	return corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: registry.ConfigMapName}}
}

// configure has changed settings take effect, and then tells which entries they touch. Those that cannot be read change
// nothing: the webhook refuses them, so they came while it was away.
func configure(ctx context.Context, client *registry.Client, configured func(touched func(entry any) bool)) configmap.Observer {
	return func(config *corev1.ConfigMap) {
		settings, err := registry.ParseSettings(config.Data)
		if err == nil && len(config.BinaryData) > 0 {
			err = errors.New("there is binary data in it: write it as text in UTF-8")
		}
		if err != nil {
			logging.FromContext(ctx).Errorw("Keeping the settings for registries as they were: "+registry.ConfigMapName+" cannot be read", "error", err)
			return
		}
		before := client.Settings()
		client.Configure(settings)
		configured(touched(before, settings))
	}
}

// touched tells the entries for which a check may now have another outcome: those that were allowed and are blocked, those
// that were blocked and are allowed, and, when hosts are asked in another way, those that wait for an answer. These may be
// of any registry, since one sends its readers on to other hosts.
func touched(before, after *registry.Settings) func(entry any) bool {
	otherHosts := !before.AsksAs(after)
	return func(object any) bool {
		entry, ok := object.(*v1alpha1.CatalogImage)
		if !ok {
			return false
		}
		ref, err := entry.Spec.Reference()
		if err != nil {
			return false // its registry is not asked, whatever is allowed
		}
		was, is := before.Allows(ref.Context()) == nil, after.Allows(ref.Context()) == nil
		return was != is || (is && otherHosts && waits(entry))
	}
}
