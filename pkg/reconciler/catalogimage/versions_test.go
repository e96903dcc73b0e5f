package catalogimage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/controller"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
)

func inVersion(version string) option {
	return func(i *v1alpha1.CatalogImage) { i.ResourceVersion = version }
}

// After a status was stored nothing is decided by an older one, whatever else is changed meanwhile.
func TestTheCacheIsWaitedFor(t *testing.T) {
	store, passed := storeOf(t, entry(inVersion("9"))), 0
	known := newVersions(store)
	handler := known.handler()
	gate := &upToDate{reconciling{end: func(context.Context) error { passed++; return nil }}, known}
	passes := func() bool {
		passed = 0
		err := gate.Reconcile(t.Context(), key)
		if passed == 0 {
			again, after := controller.IsRequeueKey(err)
			assert.True(t, again)
			assert.Equal(t, catchUpInterval, after)
		}
		return passed == 1
	}
	hear := func(version string) {
		before, _, err := store.GetByKey(key)
		require.NoError(t, err)
		heard := entry(inVersion(version))
		require.NoError(t, store.Update(heard))
		handler.OnUpdate(before, heard)
	}
	client := statusClient{fake.NewSimpleClientset(entry()), func(context.Context, *v1alpha1.CatalogImage) error { return nil }, known.note}
	_, err := client.ImagecatalogV1alpha1().CatalogImages("radar").UpdateStatus(t.Context(), entry(inVersion("11")), metav1.UpdateOptions{})
	require.NoError(t, err)

	assert.False(t, passes(), "nothing is heard")
	hear("10")
	assert.False(t, passes(), "somebody changed it before")
	hear("11")
	assert.True(t, passes())
	known.note(entry(inVersion("11")))
	assert.Empty(t, known.stored, "what is heard before it is noted is not kept")

	known.note(entry(inVersion("12")))
	assert.False(t, passes())
	gone := cache.DeletedFinalStateUnknown{Key: key, Obj: entry(inVersion("11"))}
	require.NoError(t, store.Delete(entry()))
	assert.True(t, passes(), "it is deleted")
	handler.OnDelete(gone)
	assert.Empty(t, known.stored)
}
