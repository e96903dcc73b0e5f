package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

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

func TestFacetLabelsOfTheSpec(t *testing.T) {
	for title, test := range map[string]struct {
		spec v1alpha1.CatalogImageSpec
		want map[string]string
	}{
		"nothing declared": {v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd:1"}, map[string]string{}},
		"channel":          {v1alpha1.CatalogImageSpec{Channel: "prod"}, map[string]string{"imagecatalog.dev/channel": "prod"}},
		"series":           {v1alpha1.CatalogImageSpec{Series: "autosd"}, map[string]string{"imagecatalog.dev/series": "autosd"}},
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
			v1alpha1.CatalogImageSpec{Channel: "pre prod", Series: "acme/autosd", Metadata: v1alpha1.ImageMetadata{
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
			entry := v1alpha1.CatalogImage{Spec: test.spec}
			assert.Equal(t, test.want, entry.FacetLabels())
		})
	}
}

// checked is an entry whose image the registry has for the architectures.
func checked(spec v1alpha1.CatalogImageSpec, image string, architectures ...string) *v1alpha1.CatalogImage {
	entry := &v1alpha1.CatalogImage{Spec: spec, Status: v1alpha1.CatalogImageStatus{Image: image}}
	for _, architecture := range architectures {
		entry.Status.Platforms = append(entry.Status.Platforms, v1alpha1.Platform{OS: "linux", Architecture: architecture})
	}
	return entry
}

func TestFacetLabelsOfTheStatus(t *testing.T) {
	const found = "quay.io/acme/autosd:1"
	of := func(image string) v1alpha1.CatalogImageSpec { return v1alpha1.CatalogImageSpec{Image: image} }
	declared := v1alpha1.CatalogImageSpec{Image: found, Metadata: v1alpha1.ImageMetadata{Architecture: "x86_64"}}
	for title, test := range map[string]struct {
		entry *v1alpha1.CatalogImage
		want  []string
	}{
		"what the registry has":                 {checked(of(found), found, "arm64", "amd64"), []string{"amd64", "arm64"}},
		"in OCI's names":                        {checked(of(found), found, "aarch64"), []string{"arm64"}},
		"another spelling of the same image":    {checked(of("QUAY.IO:443/acme/autosd:1"), found, "arm64"), []string{"arm64"}},
		"another image":                         {checked(of("quay.io/acme/autosd:2"), found, "arm64"), nil},
		"the same image, pinned since":          {checked(v1alpha1.CatalogImageSpec{Image: found, Digest: digestA}, found, "arm64"), nil},
		"never looked up":                       {checked(of(found), ""), nil},
		"no reference":                          {checked(of("A"), "", "arm64"), nil},
		"declared and found":                    {checked(declared, found, "arm64"), []string{"amd64", "arm64"}},
		"what no label admits":                  {checked(of(found), found, "arm 64", "", strings.Repeat("a", 64), "s390x"), []string{"s390x"}},
		"declared, found of the image it was":   {checked(declared, "quay.io/acme/autosd:0", "arm64"), []string{"amd64"}},
		"an image without a platform":           {checked(of(found), found), nil},
		"one architecture in several platforms": {checked(of(found), found, "arm", "arm"), []string{"arm"}},
	} {
		want := map[string]string{}
		for _, architecture := range test.want {
			want["arch.imagecatalog.dev/"+architecture] = ""
		}
		assert.Equal(t, want, test.entry.FacetLabels(), title)
	}
}

func TestTheLongestFacetIsALabel(t *testing.T) {
	longest := v1alpha1.Facet("A" + strings.Repeat("-_.", 20) + "a9")
	entry := v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Channel: longest, Series: longest, Metadata: v1alpha1.ImageMetadata{
		Architecture: longest, Distro: longest, Targets: []v1alpha1.Target{{Name: longest}},
	}}}
	labels := entry.FacetLabels()
	assert.Len(t, labels, 5)
	for key, value := range labels {
		assert.Empty(t, validation.IsQualifiedName(key), key)
		assert.Empty(t, validation.IsValidLabelValue(value), value)
	}
}

func TestFacetLabelChanges(t *testing.T) {
	const found = "quay.io/acme/autosd:1"
	entry := checked(v1alpha1.CatalogImageSpec{Image: found, Channel: "prod", Series: "autosd"}, found, "arm64")
	entry.ObjectMeta = metav1.ObjectMeta{Labels: map[string]string{
		"imagecatalog.dev/channel":     "dev",
		"imagecatalog.dev/series":      "autosd",
		"imagecatalog.dev/distro":      "forged",
		"arch.imagecatalog.dev/s390x":  "",
		"target.imagecatalog.dev/qemu": "",
		"imagecatalog.dev/owner":       "kept",
		"team":                         "radar",
	}}
	changes := entry.FacetLabelChanges()
	assert.Equal(t, map[string]*string{
		"imagecatalog.dev/channel":     ptr.To("prod"),
		"imagecatalog.dev/distro":      nil,
		"arch.imagecatalog.dev/s390x":  nil,
		"arch.imagecatalog.dev/arm64":  ptr.To(""),
		"target.imagecatalog.dev/qemu": nil,
	}, changes)

	patch, err := json.Marshal(changes)
	require.NoError(t, err)
	assert.JSONEq(t, `{"imagecatalog.dev/channel": "prod", "imagecatalog.dev/distro": null, "arch.imagecatalog.dev/s390x": null,
		"arch.imagecatalog.dev/arm64": "", "target.imagecatalog.dev/qemu": null}`, string(patch))

	entry.Labels = entry.FacetLabels()
	assert.Empty(t, entry.FacetLabelChanges())
}
