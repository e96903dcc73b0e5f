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
	for title, test := range map[string]struct {
		entry *v1alpha1.CatalogImage
		want  map[string]string
	}{
		"no facets, no labels": {labelled(nil, v1alpha1.CatalogImageSpec{Image: "a/b"}), nil},
		"facets, no labels":    {labelled(nil, v1alpha1.CatalogImageSpec{Channel: "dev"}), map[string]string{"imagecatalog.dev/channel": "dev"}},
		"labels of other origin are kept": {
			labelled(map[string]string{"team": "radar", "arch.imagecatalog.dev/amd64": ""}, v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "arm64"}}),
			map[string]string{"team": "radar", "arch.imagecatalog.dev/amd64": "", "arch.imagecatalog.dev/arm64": ""},
		},
		"the spec outranks a label": {
			labelled(map[string]string{"imagecatalog.dev/distro": "mine"}, v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Distro: "autosd"}}),
			map[string]string{"imagecatalog.dev/distro": "autosd"},
		},
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
	dev := v1alpha1.CatalogImageSpec{Channel: "dev", Metadata: v1alpha1.ImageMetadata{Targets: []v1alpha1.Target{{Name: "qemu"}, {Name: "beaglebone"}}}}
	prod := v1alpha1.CatalogImageSpec{Channel: "prod", Metadata: v1alpha1.ImageMetadata{Targets: []v1alpha1.Target{{Name: "qemu"}}}}
	stored := func() map[string]string {
		return map[string]string{
			"imagecatalog.dev/channel":           "dev",
			"target.imagecatalog.dev/qemu":       "",
			"target.imagecatalog.dev/beaglebone": "",
			"arch.imagecatalog.dev/arm64":        "",
			"team":                               "radar",
		}
	}
	for title, test := range map[string]struct {
		before, after *v1alpha1.CatalogImage
		want          map[string]string
	}{
		"stale facets go, discovered and foreign labels stay": {
			labelled(stored(), dev), labelled(stored(), prod),
			map[string]string{"imagecatalog.dev/channel": "prod", "target.imagecatalog.dev/qemu": "", "arch.imagecatalog.dev/arm64": "", "team": "radar"},
		},
		"an unchanged spec changes nothing": {labelled(stored(), dev), labelled(stored(), dev), stored()},
		"facets that a client dropped come back": {
			labelled(stored(), dev), labelled(nil, dev),
			map[string]string{"imagecatalog.dev/channel": "dev", "target.imagecatalog.dev/qemu": "", "target.imagecatalog.dev/beaglebone": ""},
		},
		"no facet is left": {
			labelled(stored(), dev), labelled(stored(), v1alpha1.CatalogImageSpec{}),
			map[string]string{"arch.imagecatalog.dev/arm64": "", "team": "radar"},
		},
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
