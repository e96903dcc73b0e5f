package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	_ "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	rtesting "knative.dev/pkg/reconciler/testing"
	_ "knative.dev/pkg/system/testing"

	fakeclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
	"imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage/fake"
	"imagecatalog.dev/catalog/pkg/registry"
)

func defaultSettings() configmap.Watcher {
	return configmap.NewStaticWatcher(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: registry.ConfigMapName}})
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
	return NewController(registry.New(nil), newMetadata(), noop.Meter{})(ctx, defaultSettings())
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
	impl := NewController(registry.New(nil), newMetadata(), noop.Meter{})(ctx, defaultSettings())
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
