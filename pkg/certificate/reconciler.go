package certificate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	pkgreconciler "knative.dev/pkg/reconciler"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// reconciler takes one step at a time. Its queue holds one key, so that it never runs twice at once.
type reconciler struct {
	pkgreconciler.LeaderAwareFuncs

	terms
	key       types.NamespacedName
	service   string
	published *publication // nil: knative tells the CA to those who need it

	client     coreclient.SecretInterface
	secrets    corelisters.SecretNamespaceLister
	mutating   admissionlisters.MutatingWebhookConfigurationLister
	validating admissionlisters.ValidatingWebhookConfigurationLister
	now        func() time.Time

	known known
}

var (
	_ controller.Reconciler     = (*reconciler)(nil)
	_ pkgreconciler.LeaderAware = (*reconciler)(nil)
)

// Reconcile implements controller.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, key string) error {
	if !r.IsLeaderFor(r.key) {
		return controller.NewSkipKey(key)
	}
	stored, err := r.secrets.Get(r.key.Name)
	if apierrors.IsNotFound(err) {
		logging.FromContext(ctx).Errorf("Secret %s is missing, and the Service %s has no certificate: apply the installation again", r.key, r.service)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading secret %s: %w", r.key, err)
	}
	if bundle := stored.Data[certresources.CACert]; r.published != nil && len(bundle) > 0 {
		if err := r.published.update(ctx, bundle); err != nil {
			return err
		}
	}
	held := r.read(stored, r.service+"."+r.key.Namespace+".svc", r.now())
	next := held.nextStep()
	if next == keep {
		return controller.NewRequeueAfter(held.untilDue())
	}
	if held.settles(next) {
		if err := r.settled(ctx, held, stored); err != nil {
			return err
		}
	}
	return r.take(ctx, held, next, stored)
}

// take writes the step. Whoever loses the race for it is called again by what the winner wrote.
func (r *reconciler) take(ctx context.Context, held holding, next step, stored *corev1.Secret) error {
	secret := stored.DeepCopy()
	if err := held.take(next, secret, r.service); err != nil {
		return err
	}
	_, err := r.client.Update(ctx, secret, metav1.UpdateOptions{})
	if err == nil {
		logging.FromContext(ctx).Warnf("Certificate in secret %s: %s", r.key, next)
	}
	if err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("updating secret %s: %w", r.key, err)
}

// settled is nil when the Secret as it is has been known and trusted for long enough; else when to ask again.
func (r *reconciler) settled(ctx context.Context, held holding, secret *corev1.Secret) error {
	awaited, err := r.untrusting(secret.Data[certresources.CACert])
	if err != nil {
		return err
	}
	if awaited != "" {
		r.known = known{}
		logging.FromContext(ctx).Warnf("Renewing the certificate: waiting until webhook configuration %s trusts the next CA", awaited)
		return controller.NewSkipKey(r.key.String()) // its change calls again
	}
	if wait := max(r.known.left(r.settling, secret.ResourceVersion, r.now()), held.noticeLeft()); wait > 0 {
		return controller.NewRequeueAfter(wait)
	}
	return nil
}

// untrusting is the name of a webhook configuration that calls the webhook and does not carry the bundle; "" if all do.
func (r *reconciler) untrusting(bundle []byte) (string, error) {
	mutating, err := r.mutating.List(labels.Everything())
	if err != nil {
		return "", fmt.Errorf("listing the mutating webhook configurations: %w", err)
	}
	for _, configuration := range mutating {
		for _, webhook := range configuration.Webhooks {
			if !r.trusts(webhook.ClientConfig, bundle) {
				return configuration.Name, nil
			}
		}
	}
	validating, err := r.validating.List(labels.Everything())
	if err != nil {
		return "", fmt.Errorf("listing the validating webhook configurations: %w", err)
	}
	for _, configuration := range validating {
		for _, webhook := range configuration.Webhooks {
			if !r.trusts(webhook.ClientConfig, bundle) {
				return configuration.Name, nil
			}
		}
	}
	return "", nil
}

// trusts says whether a webhook configuration carries the bundle, or calls somebody else.
func (r *reconciler) trusts(config admissionv1.WebhookClientConfig, bundle []byte) bool {
	ours := config.Service != nil && config.Service.Namespace == r.key.Namespace && config.Service.Name == r.service
	return !ours || bytes.Equal(config.CABundle, bundle)
}

// known tells since when something has been known to be as it is.
type known struct {
	version string
	since   time.Time
}

// left is how much of the settling time the version still has to stay as it is.
func (k *known) left(settling time.Duration, version string, now time.Time) time.Duration {
	if k.version != version {
		*k = known{version: version, since: now}
	}
	return settling - now.Sub(k.since)
}
