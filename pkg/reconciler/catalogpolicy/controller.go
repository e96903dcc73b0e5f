package catalogpolicy

import (
	"context"
	"errors"

	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	namespaceinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/namespace"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"

	entryinformer "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	policyinformer "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogpolicy"
	catalogpolicyreconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogpolicy"
	"imagecatalog.dev/catalog/pkg/policy"
)

// NewController returns the constructor of the controller. By metadata it sees the Secrets of the catalog's namespace change.
func NewController(metadata metadata.Interface) injection.ControllerConstructor {
	return func(ctx context.Context, _ configmap.Watcher) *controller.Impl {
		entries, policies, namespaces := entryinformer.Get(ctx).Informer(), policyinformer.Get(ctx), namespaceinformer.Get(ctx)
		secrets := newSecretInformer(metadata, system.Namespace())
		keys := newPublicKeys(kubeclient.Get(ctx).CoreV1().Secrets(system.Namespace()), secrets.GetStore(), system.Namespace())
		impl := catalogpolicyreconciler.NewImpl(ctx, &Reconciler{
			keys:    keys,
			entries: census{entries.GetIndexer(), namespaces.Lister()},
		})
		events := events{impl, policies.Lister(), policy.NewLibrary(policies.Lister())}
		if err := errors.Join(
			entries.AddIndexers(cache.Indexers{entriesOfRepository: byRepository}),
			handle(policies.Informer(), events.ofPolicies()),
			handle(entries, events.ofEntries()),
			handle(secrets, keys.forgetting(events.secretChanged)),
			handle(namespaces.Informer(), events.ofNamespaces()),
		); err != nil {
			logging.FromContext(ctx).Fatalw("Starting to watch", "error", err)
		}
		go secrets.RunWithContext(ctx)
		cache.WaitForCacheSync(ctx.Done(), secrets.HasSynced)
		return impl
	}
}

func handle(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
	_, err := informer.AddEventHandler(handler)
	return err
}
