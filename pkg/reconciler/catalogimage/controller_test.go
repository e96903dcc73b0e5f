package catalogimage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	_ "knative.dev/pkg/client/injection/kube/client/fake"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	rtesting "knative.dev/pkg/reconciler/testing"
	_ "knative.dev/pkg/system/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
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

func version(resource string, generation int64) *v1alpha1.CatalogImage {
	return entry(func(i *v1alpha1.CatalogImage) { i.ResourceVersion, i.Generation = resource, generation })
}

func TestWhatIsEnqueued(t *testing.T) {
	it := []types.NamespacedName{{Namespace: "radar", Name: "autosd"}}
	for title, test := range map[string]struct {
		event func(cache.ResourceEventHandler)
		want  []types.NamespacedName
	}{
		"a new entry":      {func(h cache.ResourceEventHandler) { h.OnAdd(version("1", 1), false) }, it},
		"a changed spec":   {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("2", 2)) }, it},
		"a written status": {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("2", 1)) }, nil},
		"a resync":         {func(h cache.ResourceEventHandler) { h.OnUpdate(version("1", 1), version("1", 1)) }, it},
		"a deletion":       {func(h cache.ResourceEventHandler) { h.OnDelete(version("3", 1)) }, it},
		"a deletion missed": {func(h cache.ResourceEventHandler) {
			h.OnDelete(cache.DeletedFinalStateUnknown{Key: key, Obj: version("3", 1)})
		}, it},
	} {
		t.Run(title, func(t *testing.T) {
			impl := newImpl(t)
			test.event(enqueueOnIntent(impl))
			assert.Equal(t, test.want, drained(impl))
		})
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
	assert.Equal(t, types.NamespacedName{Namespace: "radar", Name: "autosd"}, got)
	known, err := catalogimage.Get(ctx).Lister().CatalogImages("radar").Get("autosd")
	require.NoError(t, err)
	assert.Equal(t, reference, known.Spec.Image)
}
