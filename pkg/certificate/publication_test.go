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
	clientgotesting "k8s.io/client-go/testing"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
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
