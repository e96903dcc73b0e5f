package query

import (
	"context"
	"time"

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
			watch, err := entries.Watch(ctx, options)
			if err != nil {
				return nil, err
			}
			return lasting(ctx, watch), nil
		},
	}, client)
}

// shortestWatch is how long a watch must have lasted for a reflector to go on from where it ended. After a shorter one
// that told nothing it reads the whole catalog again, and what happened meanwhile stays unknown.
const shortestWatch = 1100 * time.Millisecond

// lasting has the end of a watch wait until it was long enough. A busy API server ends watches at any time.
func lasting(ctx context.Context, watch apiwatch.Interface) apiwatch.Interface {
	events := make(chan apiwatch.Event)
	proxy := apiwatch.NewProxyWatcher(events)
	begun := time.Now()
	go func() {
		defer close(events)
		defer watch.Stop()
		pass(watch.ResultChan(), events, proxy.StopChan())
		select {
		case <-time.After(time.Until(begun.Add(shortestWatch))):
		case <-proxy.StopChan():
		case <-ctx.Done():
		}
	}()
	return proxy
}

// pass hands events on until there are no more, or nobody wants them.
func pass(from <-chan apiwatch.Event, to chan<- apiwatch.Event, stop <-chan struct{}) {
	for {
		select {
		case event, more := <-from:
			if !more {
				return
			}
			select {
			case to <- event:
			case <-stop:
				return
			}
		case <-stop:
			return
		}
	}
}
