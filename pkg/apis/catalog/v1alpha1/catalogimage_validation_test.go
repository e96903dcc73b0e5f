package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// problems are the errors one by one, each as "path: message: advice".
func problems(err *apis.FieldError) []string {
	found := []string{}
	for _, e := range err.WrappedErrors() {
		found = append(found, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", strings.Join(e.Paths, ","), e.Message, e.Details), ": "))
	}
	return found
}

func TestValidateAccepts(t *testing.T) {
	for title, spec := range map[string]v1alpha1.CatalogImageSpec{
		"an image alone":       {Image: "quay.io/acme/autosd:1"},
		"a pin beside a tag":   {Image: "quay.io/acme/autosd:1", Digest: digestA},
		"a pin in the image":   {Image: "quay.io/acme/autosd:1@" + digestA},
		"the same pin twice":   {Image: "quay.io/acme/autosd@" + digestA, Digest: digestA},
		"Docker's short names": {Image: "nginx"},
	} {
		entry := v1alpha1.CatalogImage{Spec: spec}
		assert.Empty(t, problems(entry.Validate(apis.WithinCreate(t.Context()))), title)
	}
}

func TestValidateRefuses(t *testing.T) {
	const write = "write a reference such as quay.io/acme/autosd:rpi4-1.2"
	for title, test := range map[string]struct {
		spec v1alpha1.CatalogImageSpec
		want string
	}{
		"no reference": {
			v1alpha1.CatalogImageSpec{Image: "UPPER/case:1"},
			"spec.image: invalid value: UPPER/case:1: " + write + " (could not parse reference: UPPER/case:1)",
		},
		"no reference, pinned": {
			v1alpha1.CatalogImageSpec{Image: "UPPER/case:1", Digest: digestA},
			"spec.image: invalid value: UPPER/case:1: " + write + " (could not parse reference: UPPER/case:1)",
		},
		"two digests": {
			v1alpha1.CatalogImageSpec{Image: "a/b@" + digestA, Digest: digestB},
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		},
		"two digests and a tag": {
			v1alpha1.CatalogImageSpec{Image: "a/b:1@" + digestA, Digest: digestB},
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		},
	} {
		t.Run(title, func(t *testing.T) {
			entry := v1alpha1.CatalogImage{Spec: test.spec}
			assert.Equal(t, []string{test.want}, problems(entry.Validate(apis.WithinCreate(t.Context()))))
		})
	}
}

func TestValidateLeavesStatusAndDeletionAlone(t *testing.T) {
	bad := &v1alpha1.CatalogImage{}
	require.NotNil(t, bad.Validate(apis.WithinUpdate(t.Context(), bad)), "an ordinary update is judged")
	assert.Nil(t, bad.Validate(apis.WithinSubResourceUpdate(t.Context(), bad, "status")))
	assert.Nil(t, bad.Validate(apis.WithinDelete(t.Context())))
}

func TestWhoPublishedCannotBeForged(t *testing.T) {
	const creator, modifier = "imagecatalog.dev/creator", "imagecatalog.dev/lastModifier"
	by := func(image, created, modified string) *v1alpha1.CatalogImage {
		return &v1alpha1.CatalogImage{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{creator: created, modifier: modified, "note": image}},
			Spec:       v1alpha1.CatalogImageSpec{Image: image},
		}
	}
	before := by("a/b:1", "alice", "alice")
	for title, test := range map[string]struct {
		after *v1alpha1.CatalogImage
		want  []string
	}{
		"nothing changed":               {by("a/b:1", "alice", "alice"), []string{}},
		"another changed the spec":      {by("a/b:2", "alice", "bob"), []string{}},
		"the creator is another":        {by("a/b:2", "mallory", "alice"), []string{"metadata.annotations.imagecatalog.dev/creator: annotation value is immutable"}},
		"the creator is gone":           {&v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Image: "a/b:2"}}, []string{"metadata.annotations.imagecatalog.dev/creator: annotation value is immutable"}},
		"the modifier modified nothing": {by("a/b:1", "alice", "mallory"), []string{"metadata.annotations.imagecatalog.dev/lastModifier: invalid value: mallory"}},
		"a bad spec and a forged creator": {by("A", "mallory", "alice"), []string{
			"metadata.annotations.imagecatalog.dev/creator: annotation value is immutable",
			"spec.image: invalid value: A: write a reference such as quay.io/acme/autosd:rpi4-1.2 (could not parse reference: A)",
		}},
	} {
		t.Run(title, func(t *testing.T) {
			assert.ElementsMatch(t, test.want, problems(test.after.Validate(apis.WithinUpdate(t.Context(), before))))
		})
	}
}
