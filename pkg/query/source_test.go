package query

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
	"imagecatalog.dev/catalog/pkg/query/imagetest"
	"imagecatalog.dev/catalog/pkg/query/index"
)

func TestAWatchThatEndsAtOnceIsGoneOnWith(t *testing.T) {
	var lists, watches atomic.Int64
	store := fake.NewSimpleClientset()
	store.PrependReactor("list", "catalogimages", func(k8stesting.Action) (bool, runtime.Object, error) {
		lists.Add(1)
		list := &v1alpha1.CatalogImageList{}
		list.ResourceVersion = "100"
		return true, list, nil
	})
	store.PrependWatchReactor("catalogimages", func(k8stesting.Action) (bool, apiwatch.Interface, error) {
		watch := apiwatch.NewFakeWithOptions(apiwatch.FakeOptions{ChannelSize: 1})
		if watches.Add(1) == 1 {
			watch.Stop()
			return true, watch, nil
		}
		one := imagetest.Image("a", "one", 1)
		one.ResourceVersion = "101"
		watch.Add(one)
		return true, watch, nil
	})
	catalog := index.New()
	go catalog.Run(t.Context(), Source(store))
	eventually(t, func() bool { return catalog.Latest().Len() == 1 })
	assert.EqualValues(t, 2, watches.Load())
	assert.EqualValues(t, 1, lists.Load(), "what happened between two lists is not known")
}
