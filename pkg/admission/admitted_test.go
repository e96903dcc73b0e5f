package admission

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func admitted(options ...func(*v1alpha1.CatalogImage)) *admittedImage {
	image := &admittedImage{registries: &followedRegistries{}, now: func() time.Time { return now }, CatalogImage: v1alpha1.CatalogImage{
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

// unreadable is what the webhook makes of a document that is no entry.
func unreadable(t *testing.T, document string) *admittedImage {
	t.Helper()
	image := &admittedImage{now: func() time.Time { return now }}
	require.NoError(t, json.Unmarshal([]byte(document), image))
	require.Error(t, image.unreadable)
	return image
}

func TestTheWebhookIsAskedOnlyAboutCreatesAndUpdates(t *testing.T) {
	assert.Equal(t, []admissionregistrationv1.OperationType{"CREATE", "UPDATE"}, (&admittedImage{}).SupportedVerbs())
	assert.Equal(t, []string{""}, (&admittedImage{}).SupportedSubResources(), "the main resource, not the status")
}

func TestACopyIsDeepAndOfTheSameKind(t *testing.T) {
	original := admitted(channel("dev"), label("team", "radar"))
	duplicate, ok := original.DeepCopyObject().(*admittedImage)
	require.True(t, ok, "knative decodes requests into copies: they must be of the admitted kind")
	require.Equal(t, original.CatalogImage, duplicate.CatalogImage)
	assert.NotNil(t, duplicate.now, "a copy can do what the original can")

	duplicate.Labels["team"] = "lidar"
	duplicate.Spec.Tags[0] = "weekly"
	duplicate.Spec.Channel = "prod"
	assert.Equal(t, admitted(channel("dev"), label("team", "radar")).CatalogImage, original.CatalogImage)
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

func TestAnUnreadableObjectIsLeftToTheSchema(t *testing.T) {
	const document = `{"metadata": {"namespace": "radar", "name": "bad"}, "spec": {"image": "a/b:1", "checkInterval": "soon"}}`
	entry := unreadable(t, document)
	before := entry.DeepCopy()
	entry.SetDefaults(writing(t, "alice", nil))
	assert.Equal(t, before, &entry.CatalogImage)
	assert.EqualError(t, entry.Validate(writing(t, "alice", nil)),
		"cannot be read: imagecatalog.dev/v1alpha1 CatalogImage\n"+`time: invalid duration "soon"`)
}

func TestAnUnreadableStoredObjectCanBeMended(t *testing.T) {
	bad := unreadable(t, `{"metadata": {"namespace": "radar", "name": "autosd", "creationTimestamp": "2025-03-01T12:00:00Z"}, "spec": {"tags": 1}}`)
	mended := admitted()
	ctx := writing(t, "alice", bad)
	mended.SetDefaults(ctx)
	assert.Nil(t, mended.Validate(ctx))
	assert.NotNil(t, bad.Validate(ctx), "but not kept")
}

func TestAnUnreadableObjectCanGo(t *testing.T) {
	const document = `{"metadata": {"name": "bad", "deletionTimestamp": "2026-11-22T06:30:00Z"}, "spec": {"tags": 1}}`
	assert.Nil(t, unreadable(t, document).Validate(writing(t, "alice", unreadable(t, document))))
	assert.NotNil(t, unreadable(t, document).Validate(writing(t, "alice", admitted())), "what could be read is not made unreadable")
}

func TestWhatIsNoObjectIsAnError(t *testing.T) {
	for _, document := range []string{`[]`, `{"metadata": 1, "spec": 1}`, `{`} {
		assert.Error(t, json.Unmarshal([]byte(document), &admittedImage{}), document)
	}
}

// knative would overwrite the stamps that a restore brings.
func TestKnativeStampsNothing(t *testing.T) {
	assert.NotImplements(t, (*apis.HasSpec)(nil), &admittedImage{})
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
