package catalogimage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	kubeclient "knative.dev/pkg/client/injection/kube/client/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/core/v1/namespace/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/controller"
	rtesting "knative.dev/pkg/reconciler/testing"
	"knative.dev/pkg/system"
	_ "knative.dev/pkg/system/testing"

	fakeclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
	"imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage/fake"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogpolicy/fake"
	"imagecatalog.dev/catalog/pkg/registry"
)

// newWatcher is knative's over the fake API server in the context, not yet started.
func newWatcher(ctx context.Context) configmap.Watcher {
	return informer.NewInformedWatcher(kubeclient.Get(ctx), system.Namespace())
}

// newMetadata is a client that sees these secrets and service accounts.
func newMetadata(objects ...runtime.Object) *metadatafake.FakeMetadataClient {
	scheme := metadatafake.NewTestScheme()
	utilruntime.Must(metav1.AddMetaToScheme(scheme))
	return metadatafake.NewSimpleMetadataClient(scheme, objects...)
}

func newImpl(t *testing.T) *controller.Impl {
	t.Helper()
	ctx, _ := rtesting.SetupFakeContext(t)
	return NewController(registry.New(nil), newMetadata(), noop.Meter{})(ctx, newWatcher(ctx))
}

// drained are the keys that wait in the queue, which takes no more.
func drained(impl *controller.Impl) []types.NamespacedName {
	queue := impl.WorkQueue()
	queue.ShutDown()
	var keys []types.NamespacedName
	for {
		key, down := queue.Get()
		if down {
			return keys
		}
		keys = append(keys, key.(types.NamespacedName))
	}
}

func TestTheControllerWatchesTheEntries(t *testing.T) {
	ctx, cancel, informers := rtesting.SetupFakeContextWithCancel(t)
	impl := NewController(registry.New(nil), newMetadata(), noop.Meter{})(ctx, newWatcher(ctx))
	stopped, err := rtesting.RunAndSyncInformers(ctx, informers...)
	require.NoError(t, err)
	defer func() { cancel(); stopped() }()

	_, err = fakeclient.Get(ctx).ImagecatalogV1alpha1().CatalogImages("radar").Create(ctx, entry(), metav1.CreateOptions{})
	require.NoError(t, err)
	got, _ := impl.WorkQueue().Get() // waits for the informer
	assert.Equal(t, it, got)
	known, err := catalogimage.Get(ctx).Lister().CatalogImages("radar").Get("autosd")
	require.NoError(t, err)
	assert.Equal(t, reference, known.Spec.Image)
}
