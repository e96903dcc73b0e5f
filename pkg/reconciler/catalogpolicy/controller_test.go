package catalogpolicy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/core/v1/namespace/fake"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	rtesting "knative.dev/pkg/reconciler/testing"
	_ "knative.dev/pkg/system/testing"

	fakeclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage/fake"
	"imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogpolicy"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogpolicy/fake"
)

// The replica that leads writes what it found; another does not even look.
func TestOneReplicaWritesTheStatus(t *testing.T) {
	ctx, cancel, informers := rtesting.SetupFakeContextWithCancel(t)
	scheme := metadatafake.NewTestScheme()
	utilruntime.Must(metav1.AddMetaToScheme(scheme))
	impl := NewController(metadatafake.NewSimpleMetadataClient(scheme))(ctx, nil)
	stopped, err := rtesting.RunAndSyncInformers(ctx, informers...)
	require.NoError(t, err)
	defer func() { cancel(); stopped() }()

	policies := fakeclient.Get(ctx).ImagecatalogV1alpha1().CatalogPolicies()
	_, err = policies.Create(ctx, stored("release"), metav1.CreateOptions{})
	require.NoError(t, err)
	got, _ := impl.WorkQueue().Get() // waits for the informer
	assert.Equal(t, types.NamespacedName{Name: "trusted"}, got)
	_, err = catalogpolicy.Get(ctx).Lister().Get("trusted")
	require.NoError(t, err)

	require.True(t, controller.IsSkipKey(impl.Reconciler.Reconcile(ctx, "trusted")))
	for _, action := range kubeclient.Get(ctx).Actions() {
		assert.NotEqual(t, "secrets", action.GetResource().Resource)
	}
	leader, ok := impl.Reconciler.(pkgreconciler.LeaderAware)
	require.True(t, ok)
	require.NoError(t, leader.Promote(pkgreconciler.UniversalBucket(), impl.MaybeEnqueueBucketKey))
	require.NoError(t, kubeclient.Get(ctx).Tracker().Add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "knative-testing", Name: "release"}}))
	require.NoError(t, impl.Reconciler.Reconcile(ctx, "trusted"))
	written, err := policies.Get(ctx, "trusted", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, written.Generation, written.Status.ObservedGeneration)
	assert.Contains(t, written.Status.GetCondition("Ready").Message, "the Secret knative-testing/release: it has no cosign.pub")
}
