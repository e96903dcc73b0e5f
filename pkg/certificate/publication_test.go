package certificate

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgotesting "k8s.io/client-go/testing"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	_ "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/configmap/fake"
	pkgreconciler "knative.dev/pkg/reconciler"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// publishing is a plane whose certificate's CA is told by a ConfigMap.
func publishing(t *testing.T, stored *corev1.Secret) *plane {
	t.Helper()
	p := newPlane(t, stored)
	p.reconciler.published = &publication{"query-ca", kubeclient.Get(p.ctx).CoreV1().ConfigMaps(system.Namespace())}
	empty := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: "query-ca"}}
	require.NoError(t, kubeclient.Get(p.ctx).Tracker().Add(empty))
	return p
}

func (p *plane) told() map[string]string {
	p.Helper()
	published, err := p.reconciler.published.client.Get(p.ctx, "query-ca", metav1.GetOptions{})
	require.NoError(p, err)
	return published.Data
}

func TestTheCAIsPublishedAndNothingElse(t *testing.T) {
	p := publishing(t, &corev1.Secret{})
	p.reconcile()
	assert.Empty(t, p.told(), "there was none")
	p.see()
	p.reconcile()
	assert.Equal(t, map[string]string{"ca.crt": string(bundleOf(p.stored()))}, p.told())

	told := p.told()
	told["ca.crt"], told["mine"] = "another", "x"
	_, err := p.reconciler.published.client.Update(p.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: "query-ca"}, Data: told}, metav1.UpdateOptions{})
	require.NoError(t, err)
	p.reconcile()
	assert.Equal(t, map[string]string{"ca.crt": string(bundleOf(p.stored()))}, p.told())

	kubeclient.Get(p.ctx).ClearActions()
	p.reconcile()
	for _, action := range kubeclient.Get(p.ctx).Actions() {
		assert.Equal(t, "get", action.GetVerb(), "what is as it should be is not written")
	}
}

// Whoever edits what is published, or makes it anew, finds it mended, though nothing else happens.
func TestWhatIsPublishedIsMended(t *testing.T) {
	ctx, cancel, informers := rtesting.SetupFakeContextWithCancel(t)
	core := kubeclient.Get(ctx).CoreV1()
	made, err := issue("query", system.Namespace(), time.Now(), time.Now().Add(queryTerms.lifetime))
	require.NoError(t, err)
	held := secret(made, issued{}, made.ca)
	held.Namespace, held.Name = system.Namespace(), "query-certs"
	_, err = core.Secrets(held.Namespace).Create(ctx, held, metav1.CreateOptions{})
	require.NoError(t, err)
	maps := core.ConfigMaps(held.Namespace)
	published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: held.Namespace, Name: "query-ca"}}
	_, err = maps.Create(ctx, published, metav1.CreateOptions{})
	require.NoError(t, err)

	impl := NewQueryController(ctx, configmap.NewStaticWatcher())
	leader, ok := impl.Reconciler.(pkgreconciler.LeaderAware)
	require.True(t, ok)
	require.NoError(t, leader.Promote(pkgreconciler.UniversalBucket(), func(pkgreconciler.Bucket, types.NamespacedName) {}))
	ended, err := rtesting.RunAndSyncInformers(ctx, informers...)
	require.NoError(t, err)
	t.Cleanup(func() { cancel(); ended() })
	go func() { _ = impl.RunContext(ctx, 1) }() // which ends with the context
	mended := func() bool {
		published, err := maps.Get(ctx, "query-ca", metav1.GetOptions{})
		return err == nil && published.Data["ca.crt"] == string(made.ca)
	}
	require.Eventually(t, mended, 10*time.Second, 10*time.Millisecond)

	published.Data = map[string]string{"ca.crt": "another"}
	_, err = maps.Update(ctx, published, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Eventually(t, mended, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, maps.Delete(ctx, "query-ca", metav1.DeleteOptions{}))
	_, err = maps.Create(ctx, published, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Eventually(t, mended, 10*time.Second, 10*time.Millisecond)
}

func TestNoCertificateReliesOnACAThatWasNotPublished(t *testing.T) {
	var pairs [2]issued
	for n := range pairs {
		made, err := issue(service, system.Namespace(), time.Now(), time.Now().Add(webhookTerms.lifetime))
		require.NoError(t, err)
		pairs[n] = made
	}
	p := publishing(t, secret(pairs[0], pairs[1], pairs[0].ca, pairs[1].ca))
	p.trust(bundleOf(p.stored()))
	broken := errors.New("no space left")
	kubeclient.Get(p.ctx).PrependReactor("update", "configmaps", func(clientgotesting.Action) (bool, runtime.Object, error) {
		return broken != nil, nil, broken
	})
	for range 2 {
		err := p.reconciler.Reconcile(p.ctx, p.reconciler.key.String())
		require.ErrorIs(t, err, broken)
		assert.ErrorContains(t, err, "updating config map query-ca: ")
		p.now = p.now.Add(time.Hour)
	}
	assert.Equal(t, pairs[0].certificate, p.stored().Data[certresources.ServerCert])

	broken = nil
	assert.Equal(t, webhookTerms.settling, p.reconcile(), "the time begins now")
	p.now = p.now.Add(webhookTerms.settling)
	assert.Equal(t, time.Duration(-1), p.reconcile())
	assert.Equal(t, pairs[1].certificate, p.stored().Data[certresources.ServerCert])
}
