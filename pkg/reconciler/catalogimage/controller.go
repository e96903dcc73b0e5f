package catalogimage

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"go.opentelemetry.io/otel/metric"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	namespaceinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/namespace"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/system"

	"imagecatalog.dev/catalog/pkg/claim"
	catalogclient "imagecatalog.dev/catalog/pkg/client/injection/client"
	informer "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	policyinformer "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogpolicy"
	catalogimagereconciler "imagecatalog.dev/catalog/pkg/client/injection/reconciler/catalog/v1alpha1/catalogimage"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
)

// concurrency is how many entries are checked at a time. A check waits for its registry and computes next to nothing; a
// registry that hangs takes the few that it may be asked at a time.
const concurrency = 32

// NewController returns the constructor of the controller that asks client about the entries, by the settings of
// config-registries. By metadata it sees secrets and service accounts change; meter makes its metrics.
func NewController(client *registry.Client, metadata metadata.Interface, meter metric.Meter) injection.ControllerConstructor {
	return func(ctx context.Context, settings configmap.Watcher) *controller.Impl {
		kube, catalog := kubeclient.Get(ctx), catalogclient.Get(ctx).ImagecatalogV1alpha1()
		entries, leases, gone := informer.Get(ctx).Informer(), newLeaseInformer(kube, system.Namespace()), newDeparted(time.Now)
		policies, namespaces := policyinformer.Get(ctx), namespaceinformer.Get(ctx)
		stored := newVersions(entries.GetIndexer())
		secrets, accounts := newCredentialInformers(metadata)
		metrics, err := newMetrics(meter)
		notes := &announcing{journal: &journal{}, metrics: metrics, events: kube.CoreV1(), now: time.Now}
		ctx = context.WithValue(ctx, catalogclient.Key{}, statusClient{catalogclient.Get(ctx), notes.tell, stored.note})
		counted := newAccesses(kube.CoreV1().Pods(system.Namespace()), entries.GetStore())
		reconciler := &Reconciler{
			registry:  client,
			keychains: &credentials{kube, system.Namespace(), client.Settings, ownToken(injection.GetConfig(ctx))},
			claims:    newCachedClaims(kube.CoordinationV1(), claim.LiveEntries(catalog), leases.GetIndexer(), gone),
			labels:    labelPatches{catalog},
			policies:  &storedPolicies{policy.NewLibrary(policies.Lister()), namespaces.Lister()},
			evidences: newEvidences(),
			journal:   notes.journal,
			accesses:  counted,
			metrics:   metrics,
			now:       time.Now,
			due:       slotAfter,
			allowed:   func(repository name.Repository) bool { return client.Settings().Allows(repository) == nil },
		}
		var claims claimEvents
		impl := catalogimagereconciler.NewImpl(ctx, reconciler, func(impl *controller.Impl) controller.Options {
			claims = claimEvents{impl, entries.GetIndexer(), gone}
			return leading(&shares{apply: client.Share}, counted, reconciler.evidences.purge, func() { claims.all(leases.GetIndexer()) })
		})
		impl.Concurrency = concurrency
		notes.generated = impl.Reconciler.(generated)
		counted.enqueue = impl.EnqueueKey
		impl.Reconciler = &turnstile{
			generated: &upToDate{&forgiving{notes, impl.WorkQueue().Forget}, stored},
			entries:   entries.GetIndexer(), turn: client.Turn, untilAsked: reconciler.untilAsked,
		}
		credentials := credentialEvents{impl, entries.GetIndexer(), system.Namespace(), func() { impl.FilteredGlobalResync(waits, entries) }}
		trusted := policyEvents{impl.EnqueueSlowKey, entries.GetIndexer()}
		gauges := &gauges{metrics, entries.GetStore(), leases.GetStore(), client.States, reconciler.due, reconciler.now}
		if err := errors.Join(
			err,
			gauges.register(meter),
			entries.AddIndexers(cache.Indexers{entriesOfLease: byLease, entriesOfCredential: byCredential}),
			handle(entries, enqueueOnIntent(impl, gone)),
			handle(entries, stored.handler()),
			handle(leases, claims.handler()),
			handle(policies.Informer(), trusted.policies()),
			handle(namespaces.Informer(), trusted.namespaces()),
			handle(namespaces.Informer(), notes.namespaces()),
			handle(secrets, onChange(credentials.secretChanged)),
			handle(accounts, onChange(credentials.accountChanged)),
		); err != nil {
			logging.FromContext(ctx).Fatalw("Starting to watch and to measure", "error", err)
		}
		follow(ctx, settings, configure(ctx, client, func(touched func(any) bool) { impl.FilteredGlobalResync(touched, entries) }))
		start(ctx, leases, secrets, accounts)
		go wait.UntilWithContext(ctx, counted.poll, readInterval)
		return impl
	}
}

// leading has those know who need to which buckets are this replica's. When one comes, the others that are given are called.
func leading(parts *shares, counted *accesses, promoted ...func()) controller.Options {
	return controller.Options{
		DemoteFunc: func(bucket pkgreconciler.Bucket) {
			parts.demoted(bucket)
			counted.demoted(bucket)
		},
		PromoteFunc: func(bucket pkgreconciler.Bucket) {
			parts.promoted(bucket)
			counted.promoted(bucket)
			for _, do := range promoted {
				do()
			}
		},
	}
}

// start runs informers and waits for them, as knative does with those that it makes.
func start(ctx context.Context, informers ...cache.SharedIndexInformer) {
	var synced []cache.InformerSynced
	for _, informer := range informers {
		go informer.RunWithContext(ctx)
		synced = append(synced, informer.HasSynced)
	}
	cache.WaitForCacheSync(ctx.Done(), synced...)
}

func handle(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
	_, err := informer.AddEventHandler(handler)
	return err
}
