package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	_ "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	rtesting "knative.dev/pkg/reconciler/testing"
	_ "knative.dev/pkg/system/testing"

	fakeclient "imagecatalog.dev/catalog/pkg/client/injection/client/fake"
	"imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage"
	_ "imagecatalog.dev/catalog/pkg/client/injection/informers/catalog/v1alpha1/catalogimage/fake"
)

func newImpl(t *testing.T) *controller.Impl {
	t.Helper()
	ctx, _ := rtesting.SetupFakeContext(t)
	return NewController(&fakeRegistry{})(ctx, configmap.NewStaticWatcher())
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
	impl := NewController(&fakeRegistry{})(ctx, configmap.NewStaticWatcher())
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
