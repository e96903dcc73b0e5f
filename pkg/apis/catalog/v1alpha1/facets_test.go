package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

func TestCanonicalArchitecture(t *testing.T) {
	for given, want := range map[string]string{
		"x86_64":  "amd64",
		"x86-64":  "amd64",
		"X86_64":  "amd64",
		"amd64":   "amd64",
		"aarch64": "arm64",
		"AArch64": "arm64",
		"arm64":   "arm64",
		"ARM":     "arm",
		"riscv64": "riscv64",
		"":        "",
	} {
		assert.Equal(t, want, v1alpha1.CanonicalArchitecture(given), given)
	}
}

func TestFacetLabels(t *testing.T) {
	for title, test := range map[string]struct {
		spec v1alpha1.CatalogImageSpec
		want map[string]string
	}{
		"nothing declared": {v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}, map[string]string{}},
		"channel":          {v1alpha1.CatalogImageSpec{Channel: "prod"}, map[string]string{"imagecatalog.dev/channel": "prod"}},
		"distro": {
			v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Distro: "autosd"}},
			map[string]string{"imagecatalog.dev/distro": "autosd"},
		},
		"architecture in a distribution's name": {
			v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "aarch64"}},
			map[string]string{"arch.imagecatalog.dev/arm64": ""},
		},
		"targets are a set": {
			v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Targets: []v1alpha1.Target{{Name: "qemu"}, {Name: "raspberry-pi"}}}},
			map[string]string{"target.imagecatalog.dev/qemu": "", "target.imagecatalog.dev/raspberry-pi": ""},
		},
		"what no label admits is left to the schema": {
			v1alpha1.CatalogImageSpec{Channel: "pre prod", Metadata: v1alpha1.ImageMetadata{
				Distro: "-", Architecture: "a/b", Targets: []v1alpha1.Target{{Name: "ä"}, {Name: ""}, {Name: "qemu"}},
			}},
			map[string]string{"target.imagecatalog.dev/qemu": ""},
		},
		"what is no facet": {
			v1alpha1.CatalogImageSpec{DisplayName: "AutoSD", Tags: []string{"nightly"}, Metadata: v1alpha1.ImageMetadata{OS: "linux", DistroVersion: "10", BuildMode: "image", ExportFormat: "raw"}},
			map[string]string{},
		},
	} {
		t.Run(title, func(t *testing.T) {
			assert.Equal(t, test.want, test.spec.FacetLabels())
		})
	}
}

func TestTheLongestFacetIsALabel(t *testing.T) {
	longest := v1alpha1.Facet("A" + strings.Repeat("-_.", 20) + "a9")
	spec := v1alpha1.CatalogImageSpec{Channel: longest, Metadata: v1alpha1.ImageMetadata{
		Architecture: longest, Distro: longest, Targets: []v1alpha1.Target{{Name: longest}},
	}}
	labels := spec.FacetLabels()
	assert.Len(t, labels, 4)
	for key, value := range labels {
		assert.Empty(t, validation.IsQualifiedName(key), key)
		assert.Empty(t, validation.IsValidLabelValue(value), value)
	}
}
