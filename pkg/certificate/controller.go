package certificate

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	mutatinginformer "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/mutatingwebhookconfiguration"
	validatinginformer "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/validatingwebhookconfiguration"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	configmapinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/configmap"
	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret"
	"knative.dev/pkg/logging"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook"
)

// NewWebhookController constructs the controller that keeps the certificate of the webhook in ctx.
func NewWebhookController(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	options := webhook.GetOptions(ctx)
	return newController(ctx, "WebhookCertificates", options.SecretName, options.ServiceName, webhookTerms, nil)
}

// NewQueryController constructs the controller that keeps the certificate of the query server, whose pods have it mounted,
// and publishes its CA: again, when somebody else writes where that is.
func NewQueryController(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	published := &publication{"query-ca", kubeclient.Get(ctx).CoreV1().ConfigMaps(system.Namespace())}
	impl := newController(ctx, "QueryCertificates", "query-certs", "query", queryTerms, published)
	watch(ctx, impl, types.NamespacedName{Namespace: system.Namespace(), Name: "query-certs"}, "the published CA",
		configmapinformer.Get(ctx).Informer(), controller.FilterWithNameAndNamespace(system.Namespace(), published.name))
	return impl
}

func newController(ctx context.Context, queueName, secret, service string, kept terms, published *publication) *controller.Impl {
	key := types.NamespacedName{Namespace: system.Namespace(), Name: secret}
	secrets, mutating, validating := secretinformer.Get(ctx), mutatinginformer.Get(ctx), validatinginformer.Get(ctx)

	logger := logging.FromContext(ctx)
	impl := controller.NewContext(ctx, &reconciler{
		LeaderAwareFuncs: pkgreconciler.LeaderAwareFuncs{
			PromoteFunc: func(bucket pkgreconciler.Bucket, enqueue func(pkgreconciler.Bucket, types.NamespacedName)) error {
				enqueue(bucket, key)
				return nil
			},
		},
		terms:      kept,
		key:        key,
		service:    service,
		published:  published,
		client:     kubeclient.Get(ctx).CoreV1().Secrets(key.Namespace),
		secrets:    secrets.Lister().Secrets(key.Namespace),
		mutating:   mutating.Lister(),
		validating: validating.Lister(),
		now:        time.Now,
	}, controller.ControllerOptions{WorkQueueName: queueName, Logger: logger.Named(queueName)})

	watch(ctx, impl, key, "the secrets", secrets.Informer(), controller.FilterWithNameAndNamespace(key.Namespace, key.Name))
	watch(ctx, impl, key, "the mutating webhook configurations", mutating.Informer(), everything)
	watch(ctx, impl, key, "the validating webhook configurations", validating.Informer(), everything)
	return impl
}

// watch has the controller look at the key again when something changes.
func watch(ctx context.Context, impl *controller.Impl, key types.NamespacedName, what string, informer cache.SharedIndexInformer, filter func(any) bool) {
	handler := cache.FilteringResourceEventHandler{FilterFunc: filter, Handler: controller.HandleAll(func(any) { impl.EnqueueKey(key) })}
	if _, err := informer.AddEventHandler(handler); err != nil {
		logging.FromContext(ctx).Fatalw("Watching "+what, "error", err)
	}
}

func everything(any) bool { return true }
