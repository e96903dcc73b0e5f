package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

const facetAdvice = "use up to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"

func every(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func targets(names ...v1alpha1.Facet) v1alpha1.ImageMetadata {
	var metadata v1alpha1.ImageMetadata
	for _, name := range names {
		metadata.Targets = append(metadata.Targets, v1alpha1.Target{Name: name})
	}
	return metadata
}

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
		"an image alone":              {Image: "quay.io/acme/autosd:1"},
		"a pin beside a tag":          {Image: "quay.io/acme/autosd:1", Digest: digestA},
		"the same pin twice":          {Image: "quay.io/acme/autosd@" + digestA, Digest: digestA},
		"the shortest interval":       {Image: "a/b", CheckInterval: every(time.Minute)},
		"an external source":          {Image: "a/b", Source: &v1alpha1.Source{Kind: v1alpha1.SourceExternal}},
		"a run":                       {Image: "a/b", Source: &v1alpha1.Source{Kind: v1alpha1.SourceTaskRun, Name: "build-1"}},
		"the longest facet":           {Image: "a/b", Channel: v1alpha1.Facet(strings.Repeat("a", 63))},
		"several targets":             {Image: "a/b", Metadata: targets("qemu", "raspberry-pi", "S32G_VNP-RDB2")},
		"a named secret":              {Image: "a/b", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "quay"}}},
		"targets that differ in case": {Image: "a/b", Metadata: targets("qemu", "QEMU")},
	} {
		entry := v1alpha1.CatalogImage{Spec: spec}
		assert.Empty(t, problems(entry.Validate(apis.WithinCreate(t.Context()))), title)
	}
}

func TestValidateRefuses(t *testing.T) {
	const write = "write a reference such as quay.io/acme/autosd:rpi4-1.2"
	long := v1alpha1.Facet(strings.Repeat("a", 64))
	for title, test := range map[string]struct {
		spec v1alpha1.CatalogImageSpec
		want []string
	}{
		"no image": {v1alpha1.CatalogImageSpec{}, []string{"spec.image: missing field(s): " + write}},
		"no reference": {v1alpha1.CatalogImageSpec{Image: "UPPER/case:1"}, []string{
			"spec.image: invalid value: UPPER/case:1: " + write + " (could not parse reference: UPPER/case:1)",
		}},
		"short digest": {v1alpha1.CatalogImageSpec{Image: "a/b:1", Digest: "sha256:abc"}, []string{
			"spec.digest: invalid value: sha256:abc: write sha256: and 64 lower-case hexadecimal digits",
		}},
		"another algorithm": {v1alpha1.CatalogImageSpec{Image: "a/b:1", Digest: "sha512:" + strings.Repeat("a", 128)}, []string{
			"spec.digest: invalid value: sha512:" + strings.Repeat("a", 128) + ": write sha256: and 64 lower-case hexadecimal digits",
		}},
		"two digests": {v1alpha1.CatalogImageSpec{Image: "a/b@" + digestA, Digest: digestB}, []string{
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		}},
		"two digests and a tag": {v1alpha1.CatalogImageSpec{Image: "a/b:1@" + digestA, Digest: digestB}, []string{
			"spec.digest: invalid value: " + digestB + ": image names another digest, " + digestA + "; keep one of the two",
		}},
		"channel": {v1alpha1.CatalogImageSpec{Image: "a/b", Channel: "pre prod"}, []string{"spec.channel: invalid value: pre prod: " + facetAdvice}},
		"long channel": {v1alpha1.CatalogImageSpec{Image: "a/b", Channel: long}, []string{
			"spec.channel: invalid value: " + string(long) + ": " + facetAdvice,
		}},
		"every facet of the metadata": {
			v1alpha1.CatalogImageSpec{Image: "a/b", Metadata: v1alpha1.ImageMetadata{
				Architecture: "-1", OS: "-2", Variant: "-3", Distro: "-4", DistroVersion: "-5", BuildMode: "-6", ExportFormat: "-7",
			}},
			[]string{
				"spec.metadata.architecture: invalid value: -1: " + facetAdvice,
				"spec.metadata.os: invalid value: -2: " + facetAdvice,
				"spec.metadata.variant: invalid value: -3: " + facetAdvice,
				"spec.metadata.distro: invalid value: -4: " + facetAdvice,
				"spec.metadata.distroVersion: invalid value: -5: " + facetAdvice,
				"spec.metadata.buildMode: invalid value: -6: " + facetAdvice,
				"spec.metadata.exportFormat: invalid value: -7: " + facetAdvice,
			},
		},
		"targets": {v1alpha1.CatalogImageSpec{Image: "a/b", Metadata: targets("qemu", "", "qemu", "rpi/4")}, []string{
			"spec.metadata.targets[1].name: missing field(s): name the board, such as raspberry-pi",
			"spec.metadata.targets[2].name: invalid value: qemu: the target is listed twice",
			"spec.metadata.targets[3].name: invalid value: rpi/4: " + facetAdvice,
		}},
		"a run without a name": {v1alpha1.CatalogImageSpec{Image: "a/b", Source: &v1alpha1.Source{Kind: v1alpha1.SourceImageBuild}}, []string{
			"spec.source.name: missing field(s): name the ImageBuild that built the image",
		}},
		"an interval that is too short": {v1alpha1.CatalogImageSpec{Image: "a/b", CheckInterval: every(59 * time.Second)}, []string{
			"spec.checkInterval: invalid value: 59s: must be at least 1m",
		}},
		"an interval of nothing": {v1alpha1.CatalogImageSpec{Image: "a/b", CheckInterval: every(0)}, []string{
			"spec.checkInterval: invalid value: 0s: must be at least 1m",
		}},
		"nameless secrets": {v1alpha1.CatalogImageSpec{Image: "a/b", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "quay"}, {}, {}}}, []string{
			"spec.imagePullSecrets[1].name,spec.imagePullSecrets[2].name: missing field(s): name a secret in the entry's namespace",
		}},
		"several at once": {
			v1alpha1.CatalogImageSpec{Channel: ".", CheckInterval: every(time.Second), Metadata: targets("")},
			[]string{
				"spec.image: missing field(s): " + write,
				"spec.channel: invalid value: .: " + facetAdvice,
				"spec.checkInterval: invalid value: 1s: must be at least 1m",
				"spec.metadata.targets[0].name: missing field(s): name the board, such as raspberry-pi",
			},
		},
	} {
		t.Run(title, func(t *testing.T) {
			entry := v1alpha1.CatalogImage{Spec: test.spec}
			assert.ElementsMatch(t, test.want, problems(entry.Validate(apis.WithinCreate(t.Context()))))
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
		"a bad spec and a forged creator": {by("", "mallory", "alice"), []string{
			"metadata.annotations.imagecatalog.dev/creator: annotation value is immutable",
			"spec.image: missing field(s): write a reference such as quay.io/acme/autosd:rpi4-1.2",
		}},
	} {
		t.Run(title, func(t *testing.T) {
			assert.ElementsMatch(t, test.want, problems(test.after.Validate(apis.WithinUpdate(t.Context(), before))))
		})
	}
}
