package catalogimage

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client"
	informer "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	catalogimagereconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogimage"
)

// concurrency is how many entries are checked at a time. A check waits for its registry and computes next to nothing.
const concurrency = 16

// NewController returns the constructor of the controller that asks registry about the entries.
func NewController(registry Registry) injection.ControllerConstructor {
	return func(ctx context.Context, _ configmap.Watcher) *controller.Impl {
		kube := kubeclient.Get(ctx)
		impl := catalogimagereconciler.NewImpl(ctx, &Reconciler{
			registry:  registry,
			keychains: pullSecrets{kube},
			claims: claim.NewKeeper(kube.CoordinationV1().Leases(system.Namespace()),
				claim.LiveEntries(catalogclient.Get(ctx).ImagecatalogV1alpha1())),
			now: time.Now,
		})
		impl.Concurrency = concurrency
		if _, err := informer.Get(ctx).Informer().AddEventHandler(enqueueOnIntent(impl)); err != nil {
			logging.FromContext(ctx).Fatalw("Watching the entries", "error", err)
		}
		return impl
	}
}

// enqueueOnIntent enqueues an entry when somebody changed it, not when the controller wrote its status: that would
// ask the registry a second time for nothing. A resync (the same version twice) counts as a change.
func enqueueOnIntent(impl *controller.Impl) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    impl.Enqueue,
		DeleteFunc: impl.Enqueue,
		UpdateFunc: func(before, after any) {
			was, isEntry := before.(*v1alpha1.CatalogImage)
			is, stillEntry := after.(*v1alpha1.CatalogImage)
			statusOnly := isEntry && stillEntry && was.ResourceVersion != is.ResourceVersion && was.Generation == is.Generation
			if !statusOnly {
				impl.Enqueue(after)
			}
		},
	}
}
