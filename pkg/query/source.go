package query

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

// Source is the whole catalog as an API server tells of it.
func Source(client versioned.Interface) cache.ListerWatcher {
	entries := client.ImagecatalogV1alpha1().CatalogImages(metav1.NamespaceAll)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return entries.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			return entries.Watch(ctx, options)
		},
	}, client)
}
