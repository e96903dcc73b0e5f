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
// and publishes its CA.
func NewQueryController(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	published := &publication{"query-ca", kubeclient.Get(ctx).CoreV1().ConfigMaps(system.Namespace())}
	return newController(ctx, "QueryCertificates", "query-certs", "query", queryTerms, published)
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

	again := controller.HandleAll(func(any) { impl.EnqueueKey(key) })
	for _, watched := range []struct {
		what     string
		informer cache.SharedIndexInformer
		filter   func(any) bool
	}{
		{"the secrets", secrets.Informer(), controller.FilterWithNameAndNamespace(key.Namespace, key.Name)},
		{"the mutating webhook configurations", mutating.Informer(), everything},
		{"the validating webhook configurations", validating.Informer(), everything},
	} {
		handler := cache.FilteringResourceEventHandler{FilterFunc: watched.filter, Handler: again}
		if _, err := watched.informer.AddEventHandler(handler); err != nil {
			logger.Fatalw("Watching "+watched.what, "error", err)
		}
	}
	return impl
}

func everything(any) bool { return true }
