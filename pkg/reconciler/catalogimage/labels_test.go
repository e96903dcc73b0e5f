package catalogimage

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgotesting "k8s.io/client-go/testing"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	catalogfake "imagecatalog.dev/catalog/pkg/client/clientset/versioned/fake"
)

func found(i *v1alpha1.CatalogImage) {
	i.Status.Image = reference
	describedIndex(digestA)(i)
}

func labelled(labels map[string]string) option {
	return func(i *v1alpha1.CatalogImage) { i.Labels = labels }
}

func TestLabelsAreCompletedByWhatTheRegistryTold(t *testing.T) {
	stored := entry(found, uid("u1"), labelled(map[string]string{"team": "radar", "arch.imagecatalog.dev/riscv64": ""}))
	catalog := catalogfake.NewSimpleClientset(stored)
	require.NoError(t, labelPatches{catalog.ImagecatalogV1alpha1()}.Align(t.Context(), stored))

	require.Len(t, catalog.Actions(), 1)
	patch := catalog.Actions()[0].(clientgotesting.PatchAction)
	assert.JSONEq(t, `{"metadata": {"uid": "u1", "labels": {
		"arch.imagecatalog.dev/amd64": "", "arch.imagecatalog.dev/arm64": "", "arch.imagecatalog.dev/riscv64": null}}}`, string(patch.GetPatch()))
}

func TestLabelsInOrderCostNoRequest(t *testing.T) {
	stored := entry(found, labelled(map[string]string{"team": "radar", "arch.imagecatalog.dev/amd64": "", "arch.imagecatalog.dev/arm64": ""}))
	catalog := catalogfake.NewSimpleClientset(stored)
	require.NoError(t, labelPatches{catalog.ImagecatalogV1alpha1()}.Align(t.Context(), stored))
	assert.Empty(t, catalog.Actions())
}

func TestLabelsOfWhatIsGone(t *testing.T) {
	resource := schema.GroupResource{Resource: "catalogimages"}
	down := errors.New("connection refused")
	for title, test := range map[string]struct {
		answer error
		want   string
	}{
		"gone":                 {apierrors.NewNotFound(resource, "autosd"), ""},
		"another of that name": {apierrors.NewConflict(resource, "autosd", errors.New("uid")), ""},
		"down":                 {down, "labelling radar/autosd: connection refused"},
	} {
		catalog := catalogfake.NewSimpleClientset()
		catalog.PrependReactor("patch", "catalogimages", func(clientgotesting.Action) (bool, runtime.Object, error) { return true, nil, test.answer })
		err := labelPatches{catalog.ImagecatalogV1alpha1()}.Align(t.Context(), entry(found))
		if test.want == "" {
			assert.NoError(t, err, title)
			continue
		}
		assert.EqualError(t, err, test.want)
	}
}
