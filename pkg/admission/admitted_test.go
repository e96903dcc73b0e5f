package admission

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func admitted(options ...func(*v1alpha1.CatalogImage)) *admittedImage {
	image := &admittedImage{CatalogImage: v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: "autosd", Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec:       v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1", Tags: []string{"nightly"}},
	}}
	for _, option := range options {
		option(&image.CatalogImage)
	}
	return image
}

func channel(name v1alpha1.Facet) func(*v1alpha1.CatalogImage) {
	return func(i *v1alpha1.CatalogImage) { i.Spec.Channel = name }
}

func label(key, value string) func(*v1alpha1.CatalogImage) {
	return func(i *v1alpha1.CatalogImage) { i.Labels[key] = value }
}

func creator(name string) func(*v1alpha1.CatalogImage) {
	return func(i *v1alpha1.CatalogImage) { i.Annotations["imagecatalog.dev/creator"] = name }
}

func TestTheWebhookIsAskedOnlyAboutCreatesAndUpdates(t *testing.T) {
	assert.Equal(t, []admissionregistrationv1.OperationType{"CREATE", "UPDATE"}, (&admittedImage{}).SupportedVerbs())
	assert.Equal(t, []string{""}, (&admittedImage{}).SupportedSubResources(), "the main resource, not the status")
}

func TestACopyIsDeepAndOfTheSameKind(t *testing.T) {
	original := admitted(channel("dev"), label("team", "radar"))
	duplicate, ok := original.DeepCopyObject().(*admittedImage)
	require.True(t, ok, "knative decodes requests into copies: they must be of the admitted kind")
	require.Equal(t, original, duplicate)

	duplicate.Labels["team"] = "lidar"
	duplicate.Spec.Tags[0] = "weekly"
	duplicate.Spec.Channel = "prod"
	assert.Equal(t, admitted(channel("dev"), label("team", "radar")), original)
}

func TestDefaultsSeeTheStoredObjectOfAnUpdate(t *testing.T) {
	before := admitted(channel("dev"), label("imagecatalog.dev/channel", "dev"), label("team", "radar"))
	after := admitted(label("imagecatalog.dev/channel", "dev"), label("team", "radar"))
	after.SetDefaults(apis.WithinUpdate(t.Context(), before))
	assert.Equal(t, map[string]string{"team": "radar"}, after.Labels)
}

func TestDefaultsOfACreate(t *testing.T) {
	entry := admitted(channel("dev"))
	entry.SetDefaults(apis.WithinCreate(t.Context()))
	assert.Equal(t, map[string]string{"imagecatalog.dev/channel": "dev"}, entry.Labels)
}

func TestValidationSeesTheStoredObjectOfAnUpdate(t *testing.T) {
	before := admitted(creator("alice"))
	assert.Nil(t, admitted(creator("alice")).Validate(apis.WithinUpdate(t.Context(), before)))
	assert.ErrorContains(t, admitted(creator("mallory")).Validate(apis.WithinUpdate(t.Context(), before)), "annotation value is immutable")
}

func TestNoStoredObject(t *testing.T) {
	var none *admittedImage
	for title, baseline := range map[string]any{"nil": nil, "a nil entry": none} {
		ctx := apis.WithinUpdate(t.Context(), baseline)
		entry := admitted(channel("dev"))
		entry.SetDefaults(ctx)
		assert.Equal(t, map[string]string{"imagecatalog.dev/channel": "dev"}, entry.Labels, title)
		assert.Nil(t, entry.Validate(ctx), title)
	}
}

func TestListsAreOfTheCatalogsKind(t *testing.T) {
	assert.IsType(t, &v1alpha1.CatalogImageList{}, (&admittedImage{}).GetListType())
}
