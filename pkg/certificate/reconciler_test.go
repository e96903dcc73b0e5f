package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgotesting "k8s.io/client-go/testing"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	mutatinginformer "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/mutatingwebhookconfiguration/fake"
	validatinginformer "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/validatingwebhookconfiguration/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret/fake"
	pkgreconciler "knative.dev/pkg/reconciler"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
	_ "knative.dev/pkg/system/testing"
	"knative.dev/pkg/webhook"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// plane is what the controller sees of a cluster. What the controller writes is in its cache when see is called.
type plane struct {
	*testing.T
	ctx        context.Context
	reconciler *reconciler
	now        time.Time
	version    int
}

func newPlane(t *testing.T, stored *corev1.Secret) *plane {
	t.Helper()
	ctx, _ := rtesting.SetupFakeContext(t)
	ctx = webhook.WithOptions(ctx, webhook.Options{ServiceName: service, SecretName: "webhook-certs"})
	r, ok := NewWebhookController(ctx, configmap.NewStaticWatcher()).Reconciler.(*reconciler)
	require.True(t, ok)
	p := &plane{T: t, ctx: ctx, reconciler: r, now: time.Now()}
	r.now = func() time.Time { return p.now }
	require.NoError(t, r.Promote(pkgreconciler.UniversalBucket(), func(pkgreconciler.Bucket, types.NamespacedName) {}))
	if stored != nil {
		stored.Namespace, stored.Name = system.Namespace(), "webhook-certs"
		require.NoError(t, kubeclient.Get(ctx).Tracker().Add(stored))
		p.see()
	}
	return p
}

func (p *plane) stored() *corev1.Secret {
	p.Helper()
	stored, err := kubeclient.Get(p.ctx).CoreV1().Secrets(system.Namespace()).Get(p.ctx, "webhook-certs", metav1.GetOptions{})
	require.NoError(p, err)
	return stored
}

// see brings what is stored into the cache; the fake API server counts no versions, so it is done here.
func (p *plane) see() {
	p.Helper()
	stored := p.stored()
	p.version++
	stored.ResourceVersion = strconv.Itoa(p.version)
	require.NoError(p, secretinformer.Get(p.ctx).Informer().GetIndexer().Add(stored))
}

// trust gives the configurations the bundle.
func (p *plane) trust(bundle []byte) {
	p.Helper()
	config := func(name string) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{CABundle: bundle, Service: &admissionv1.ServiceReference{Namespace: system.Namespace(), Name: name}}
	}
	url := "https://elsewhere.example"
	require.NoError(p, mutatinginformer.Get(p.ctx).Informer().GetIndexer().Add(&admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "defaulting"},
		Webhooks:   []admissionv1.MutatingWebhook{{ClientConfig: config(service)}},
	}))
	require.NoError(p, validatinginformer.Get(p.ctx).Informer().GetIndexer().Add(&admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "validation"},
		Webhooks: []admissionv1.ValidatingWebhook{{ClientConfig: config(service)},
			{ClientConfig: admissionv1.WebhookClientConfig{URL: &url}}},
	}))
	foreign := config("somebody-else")
	foreign.CABundle = []byte("another")
	require.NoError(p, validatinginformer.Get(p.ctx).Informer().GetIndexer().Add(&admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign"},
		Webhooks:   []admissionv1.ValidatingWebhook{{ClientConfig: foreign}},
	}))
}

// reconcile says how long the controller wants to wait; -1 until it is called again.
func (p *plane) reconcile() time.Duration {
	p.Helper()
	err := p.reconciler.Reconcile(p.ctx, p.reconciler.key.String())
	if ok, after := controller.IsRequeueKey(err); ok {
		return after
	}
	if !controller.IsSkipKey(err) {
		require.NoError(p, err)
	}
	return -1
}

func bundleOf(s *corev1.Secret) []byte { return s.Data[certresources.CACert] }

// accepts says whether an API server with the bundle accepts the certificate that the Secret has a replica serve.
func accepts(t *testing.T, bundle []byte, served *corev1.Secret) bool {
	t.Helper()
	pair, err := tls.X509KeyPair(served.Data[certresources.ServerCert], served.Data[certresources.ServerKey])
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(bundle))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: service + "." + system.Namespace() + ".svc", CurrentTime: time.Now()})
	return err == nil
}

// step reconciles, and returns what was stored before and what is now. The promise is that whichever of the two a
// replica serves and an API server trusts, they get along.
func (p *plane) step() (before, after *corev1.Secret) {
	p.Helper()
	before = p.stored()
	assert.Equal(p, time.Duration(-1), p.reconcile())
	after = p.stored()
	require.NotEqual(p, before.Data, after.Data)
	for _, served := range []*corev1.Secret{before, after} {
		for _, trusted := range []*corev1.Secret{before, after} {
			assert.True(p, accepts(p.T, bundleOf(trusted), served))
		}
	}
	p.see()
	return before, after
}

// settle lets the time pass in which everybody learns of the last step.
func (p *plane) settle() {
	p.Helper()
	before := p.stored()
	assert.Equal(p, webhookTerms.settling, p.reconcile())
	p.now = p.now.Add(webhookTerms.settling - time.Second)
	assert.Equal(p, time.Second, p.reconcile())
	p.now = p.now.Add(time.Second)
	require.Equal(p, before, p.stored(), "nothing happens meanwhile")
}

func TestARenewalRefusesNoRequest(t *testing.T) {
	p := newPlane(t, annotated(secretFor(t, time.Now().Add(webhookTerms.lifetime)),
		map[string]string{RenewRequestedAnnotation: time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}))
	p.trust(bundleOf(p.stored()))
	start, staged := p.step()
	assert.Equal(t, time.Duration(-1), p.reconcile(), "not all configurations trust the next CA")
	assert.Equal(t, staged, p.stored())
	p.trust(bundleOf(staged))
	p.settle()
	_, promoted := p.step()
	assert.Equal(t, bundleOf(staged), bundleOf(promoted))
	p.settle()
	_, end := p.step()

	assert.False(t, accepts(t, bundleOf(end), start), "the old certificate is worth nothing now")
	assert.Len(t, end.Data, 3)
	assert.InDelta(t, webhookTerms.lifetime-webhookTerms.renewBefore, p.reconcile(), float64(time.Minute))
}

func TestTrustThatIsTakenBackHasToSettleAgain(t *testing.T) {
	p := newPlane(t, annotated(secretFor(t, time.Now().Add(webhookTerms.lifetime)),
		map[string]string{RenewRequestedAnnotation: time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}))
	p.trust(bundleOf(p.stored()))
	start, staged := p.step()
	p.trust(bundleOf(staged))
	assert.Equal(t, webhookTerms.settling, p.reconcile())
	p.trust(bundleOf(start))
	p.now = p.now.Add(webhookTerms.settling)
	assert.Equal(t, time.Duration(-1), p.reconcile())
	p.trust(bundleOf(staged))
	p.settle()
}

// secretFor is a Secret in order, for the system namespace of the test.
func secretFor(t *testing.T, notAfter time.Time) *corev1.Secret {
	t.Helper()
	made, err := issue(service, system.Namespace(), time.Now(), notAfter)
	require.NoError(t, err)
	return secret(made, issued{}, made.ca)
}

func TestAnEmptySecretIsFilledAtOnce(t *testing.T) {
	p := newPlane(t, &corev1.Secret{})
	assert.Equal(t, time.Duration(-1), p.reconcile())
	assert.True(t, accepts(t, bundleOf(p.stored()), p.stored()))
}

func TestWhoLosesTheRaceLeavesTheWinnersCertificate(t *testing.T) {
	p := newPlane(t, &corev1.Secret{})
	kubeclient.Get(p.ctx).PrependReactor("update", "secrets", func(action clientgotesting.Action) (bool, runtime.Object, error) {
		update, ok := action.(clientgotesting.UpdateAction)
		require.True(t, ok)
		written, ok := update.GetObject().(*corev1.Secret)
		require.True(t, ok)
		assert.Equal(t, "1", written.ResourceVersion, "every write says what it is based on")
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, written.Name, nil)
	})
	assert.Equal(t, time.Duration(-1), p.reconcile())
	assert.Empty(t, p.stored().Data)
}

func TestAMissingSecretIsNotMade(t *testing.T) {
	p := newPlane(t, nil)
	assert.Equal(t, time.Duration(-1), p.reconcile())
	assert.Empty(t, kubeclient.Get(p.ctx).Actions())
}

func TestOnlyTheLeaderRenews(t *testing.T) {
	p := newPlane(t, &corev1.Secret{})
	p.reconciler.Demote(pkgreconciler.UniversalBucket())
	err := p.reconciler.Reconcile(p.ctx, p.reconciler.key.String())
	assert.True(t, controller.IsSkipKey(err), "%v", err)
	assert.Empty(t, p.stored().Data)
}
