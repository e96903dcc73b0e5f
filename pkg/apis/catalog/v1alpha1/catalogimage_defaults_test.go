package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func labelled(labels map[string]string, spec v1alpha1.CatalogImageSpec) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}
}

func TestSetDefaultsOnCreate(t *testing.T) {
	forged := checked(v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}, "quay.io/acme/autosd:1", "s390x")
	for title, test := range map[string]struct {
		entry *v1alpha1.CatalogImage
		want  map[string]string
	}{
		"no facets, no labels": {labelled(nil, v1alpha1.CatalogImageSpec{Image: "a/b"}), nil},
		"facets, no labels":    {labelled(nil, v1alpha1.CatalogImageSpec{Channel: "dev"}), map[string]string{"imagecatalog.dev/channel": "dev"}},
		"only the keys of facets are ours": {
			labelled(map[string]string{"team": "radar", "arch.imagecatalog.dev/amd64": ""}, v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "arm64"}}),
			map[string]string{"team": "radar", "arch.imagecatalog.dev/arm64": ""},
		},
		"the spec outranks a label": {
			labelled(map[string]string{"imagecatalog.dev/distro": "mine"}, v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Distro: "autosd"}}),
			map[string]string{"imagecatalog.dev/distro": "autosd"},
		},
		"a status in the request is no finding": {forged, nil},
	} {
		t.Run(title, func(t *testing.T) {
			spec := test.entry.Spec.DeepCopy()
			test.entry.SetDefaults(apis.WithinCreate(t.Context()))
			assert.Equal(t, test.want, test.entry.Labels)
			assert.Equal(t, *spec, test.entry.Spec, "the spec is the user's")
		})
	}
}

func TestSetDefaultsOnUpdate(t *testing.T) {
	const found = "quay.io/acme/autosd:1"
	dev := v1alpha1.CatalogImageSpec{Image: found, Channel: "dev", Metadata: v1alpha1.ImageMetadata{Targets: []v1alpha1.Target{{Name: "qemu"}, {Name: "beaglebone"}}}}
	prod := v1alpha1.CatalogImageSpec{Image: found, Channel: "prod", Metadata: v1alpha1.ImageMetadata{Targets: []v1alpha1.Target{{Name: "qemu"}}}}
	moved := v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:2"}
	labels := func() map[string]string {
		return map[string]string{
			"imagecatalog.dev/channel":           "dev",
			"target.imagecatalog.dev/qemu":       "",
			"target.imagecatalog.dev/beaglebone": "",
			"arch.imagecatalog.dev/arm64":        "",
			"team":                               "radar",
		}
	}
	stored := checked(dev, found, "arm64")
	stored.Labels = labels()
	forged := checked(dev, found, "s390x")
	forged.Labels = labels()
	for title, test := range map[string]struct {
		before, after *v1alpha1.CatalogImage
		want          map[string]string
	}{
		"stale facets go, discovered and foreign labels stay": {
			stored, labelled(labels(), prod),
			map[string]string{"imagecatalog.dev/channel": "prod", "target.imagecatalog.dev/qemu": "", "arch.imagecatalog.dev/arm64": "", "team": "radar"},
		},
		"an unchanged spec changes nothing":     {stored, labelled(labels(), dev), labels()},
		"a status in the request is no finding": {stored, forged, labels()},
		"facets that a client dropped come back": {
			stored, labelled(nil, dev),
			map[string]string{"imagecatalog.dev/channel": "dev", "target.imagecatalog.dev/qemu": "", "target.imagecatalog.dev/beaglebone": "", "arch.imagecatalog.dev/arm64": ""},
		},
		"what was found of another image goes": {stored, labelled(labels(), moved), map[string]string{"team": "radar"}},
		"no baseline": {nil, labelled(map[string]string{"team": "radar"}, prod),
			map[string]string{"imagecatalog.dev/channel": "prod", "target.imagecatalog.dev/qemu": "", "team": "radar"}},
	} {
		t.Run(title, func(t *testing.T) {
			spec, before := test.after.Spec.DeepCopy(), test.before.DeepCopy()
			test.after.SetDefaults(apis.WithinUpdate(t.Context(), test.before))
			assert.Equal(t, test.want, test.after.Labels)
			assert.Equal(t, *spec, test.after.Spec, "the spec is the user's")
			assert.Equal(t, before, test.before, "the stored object is not touched")
		})
	}
}

func TestOutsideOfAdmissionTheLabelsAreLeftAsStored(t *testing.T) {
	entry := labelled(map[string]string{"imagecatalog.dev/distro": "old"}, v1alpha1.CatalogImageSpec{Channel: "dev"})
	entry.SetDefaults(t.Context())
	assert.Equal(t, map[string]string{"imagecatalog.dev/distro": "old"}, entry.Labels)
}
