package certificate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret/fake"
	pkgreconciler "knative.dev/pkg/reconciler"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
)

// Those who fetch the CA by hand have a month for it, unless somebody is in a hurry.
func TestTheNextCAIsKnownBeforeItCounts(t *testing.T) {
	for title, test := range map[string]struct {
		stagedAfter time.Duration // of the current certificate's beginning
		left        time.Duration
	}{
		"when it was due":     {305 * day, 30 * day},
		"late":                {350 * day, 14 * day},
		"on the last day":     {365*day - time.Hour, -23 * time.Hour},
		"asked for before it": {304 * day, 0},
	} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				current := issuedFor(t, "query", time.Now().Add(queryTerms.lifetime))
				time.Sleep(test.stagedAfter)
				next := issuedFor(t, "query", time.Now().Add(queryTerms.lifetime))
				held := queryTerms.read(secret(current, next, current.ca, next.ca), "query.image-catalog.svc", time.Now())
				require.Equal(t, promote, held.nextStep())
				assert.Equal(t, test.left, held.noticeLeft())
			})
		})
	}
}

func TestTheQueryServersCertificateIsMadeToo(t *testing.T) {
	ctx, _ := rtesting.SetupFakeContext(t)
	r, ok := NewQueryController(ctx, configmap.NewStaticWatcher()).Reconciler.(*reconciler)
	require.True(t, ok)
	require.NoError(t, r.Promote(pkgreconciler.UniversalBucket(), func(pkgreconciler.Bucket, types.NamespacedName) {}))
	empty := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace(), Name: "query-certs"}}
	require.NoError(t, kubeclient.Get(ctx).Tracker().Add(empty))
	require.NoError(t, secretinformer.Get(ctx).Informer().GetIndexer().Add(empty))
	require.NoError(t, r.Reconcile(ctx, r.key.String()), "without a ConfigMap, too")

	made, err := kubeclient.Get(ctx).CoreV1().Secrets(system.Namespace()).Get(ctx, "query-certs", metav1.GetOptions{})
	require.NoError(t, err)
	held := queryTerms.read(made, "query."+system.Namespace()+".svc", time.Now())
	assert.Equal(t, keep, held.nextStep())
	assert.InDelta(t, 305*day, held.untilDue(), float64(time.Minute))
}
