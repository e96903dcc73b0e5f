package publish

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

func TestStateFound(t *testing.T) {
	type values = map[string]string
	tests := map[string]struct {
		stated v1alpha1.CatalogImageSpec
		found  registry.Description
		want   v1alpha1.CatalogImageSpec
	}{
		"nothing": {},
		"automotive": {
			found: registry.Description{Annotations: values{
				"com.redhat.automotive.distro":         "cs9",
				"com.redhat.automotive.target":         "raspberry-pi",
				"com.redhat.automotive.bootc-capable":  "true",
				"org.opencontainers.image.title":       "AutoSD for the Pi",
				"org.opencontainers.image.description": "is not read",
			}},
			want: v1alpha1.CatalogImageSpec{DisplayName: "AutoSD for the Pi", Metadata: v1alpha1.ImageMetadata{
				Distro: "cs9", Targets: []v1alpha1.Target{{Name: "raspberry-pi"}}, Bootc: ptr(true),
			}},
		},
		"bootc base image": {
			found: registry.Description{Labels: values{"containers.bootc": "1", "redhat.id": "centos", "redhat.version-id": "10"}},
			want:  v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Distro: "centos", DistroVersion: "10", Bootc: ptr(true)}},
		},
		"annotations go before labels, and the first source before the others": {
			found: registry.Description{
				Annotations: values{"com.redhat.automotive.distro": "autosd", "containers.bootc": "0"},
				Labels:      values{"com.redhat.automotive.distro": "label", "redhat.id": "centos", "containers.bootc": "1"},
			},
			want: v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Distro: "autosd", Bootc: ptr(false)}},
		},
		"params go before everything": {
			stated: v1alpha1.CatalogImageSpec{DisplayName: "mine", Metadata: v1alpha1.ImageMetadata{
				Distro: "mine", Bootc: ptr(false), Targets: []v1alpha1.Target{{Name: "qemu"}}, Architecture: "aarch64",
			}},
			found: registry.Description{
				Annotations: values{
					"com.redhat.automotive.distro": "not valid!", "com.redhat.automotive.target": "raspberry-pi",
					"containers.bootc": "1", "org.opencontainers.image.title": "theirs",
				},
				Platforms: []registry.Platform{{OS: "linux", Architecture: "arm64", Variant: "v8"}},
			},
			want: v1alpha1.CatalogImageSpec{DisplayName: "mine", Metadata: v1alpha1.ImageMetadata{
				Distro: "mine", Bootc: ptr(false), Targets: []v1alpha1.Target{{Name: "qemu"}}, Architecture: "aarch64", OS: "linux", Variant: "v8",
			}},
		},
		"one platform": {
			found: registry.Description{Platforms: []registry.Platform{{OS: "linux", Architecture: "arm64", Variant: "v8"}}},
			want:  v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "arm64", OS: "linux", Variant: "v8"}},
		},
		"the variant of another architecture": {
			stated: v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "amd64"}},
			found:  registry.Description{Platforms: []registry.Platform{{OS: "linux", Architecture: "arm64", Variant: "v8"}}},
			want:   v1alpha1.CatalogImageSpec{Metadata: v1alpha1.ImageMetadata{Architecture: "amd64", OS: "linux"}},
		},
		"several platforms": {
			found: registry.Description{Platforms: []registry.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}},
		},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			spec := *test.stated.DeepCopy()
			assert.Empty(t, stateFound(&spec, &test.found))
			assert.Equal(t, test.want, spec)
		})
	}
}

func TestStateFoundLeavesOutWhatDoesNotFit(t *testing.T) {
	tests := map[string]struct{ value, warning string }{
		"com.redhat.automotive.distro":   {"Auto SD", `the image says com.redhat.automotive.distro="Auto SD", which is left out: the catalog takes up to 63 letters`},
		"com.redhat.automotive.target":   {"-pi", "beginning and ending with a letter or digit"},
		"redhat.version-id":              {strings.Repeat("1", 64), "up to 63 letters"},
		"containers.bootc":               {"perhaps", `the image says containers.bootc="perhaps", which is left out: it is neither true nor false`},
		"org.opencontainers.image.title": {strings.Repeat("x", 254), "it is longer than 253 characters"},
	}
	for key, test := range tests {
		t.Run(key, func(t *testing.T) {
			spec := v1alpha1.CatalogImageSpec{}
			warnings := stateFound(&spec, &registry.Description{Labels: map[string]string{key: test.value}})
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], test.warning)
			assert.Equal(t, v1alpha1.CatalogImageSpec{}, spec)
		})
	}
	spec := v1alpha1.CatalogImageSpec{}
	warnings := stateFound(&spec, &registry.Description{Platforms: []registry.Platform{{OS: "linux", Architecture: "an arm"}}})
	assert.Len(t, warnings, 1)
	assert.Equal(t, v1alpha1.ImageMetadata{OS: "linux"}, spec.Metadata)
}

// What is read from an image is never a reason for the API to refuse the entry: fits and the schema agree.
func TestFactsThatFitAreValid(t *testing.T) {
	schema, err := os.ReadFile("../../config/300-catalogimage.yaml")
	require.NoError(t, err)
	rule := regexp.MustCompile(`self\.matches\('([^']+)'\)`).FindSubmatch(schema)
	require.NotNil(t, rule, "the rule of a facet in the schema")
	pattern := regexp.MustCompile(string(rule[1]))
	for _, value := range []string{"a", "A.b_c-9", strings.Repeat("x", 63)} {
		assert.NoError(t, fits(value))
		assert.Regexp(t, pattern, value)
	}
	for _, value := range []string{"-", "a b", "ä", "a-"} {
		assert.Error(t, fits(value))
		assert.NotRegexp(t, pattern, value)
	}
	assert.Error(t, fits(strings.Repeat("x", 64)))
}

func TestRestate(t *testing.T) {
	others := v1alpha1.CatalogImageSpec{
		Image: "a.io/b:1", Digest: oneDigest, DisplayName: "before", Series: "before", Channel: "prod", Tags: []string{"before"},
		Metadata: v1alpha1.ImageMetadata{
			Distro: "before", KernelVersion: "6.12",
			Targets: []v1alpha1.Target{{Name: "qemu", Verified: true, Notes: "booted"}, {Name: "gone"}},
		},
		Lifecycle:          &v1alpha1.Lifecycle{State: v1alpha1.LifecycleDeprecated},
		ServiceAccountName: "puller",
	}
	t.Run("what is not stated stays", func(t *testing.T) {
		spec := *others.DeepCopy()
		restate(&spec, v1alpha1.CatalogImageSpec{Image: "a.io/b:1", Digest: oneDigest})
		assert.Equal(t, others, spec)
	})
	t.Run("what is stated is written", func(t *testing.T) {
		stated := v1alpha1.CatalogImageSpec{
			Image: "a.io/b:2", Digest: oneDigest, DisplayName: "now", Series: "now", Channel: "dev", Tags: []string{"now"},
			Metadata: v1alpha1.ImageMetadata{
				Architecture: "arm64", OS: "linux", Variant: "v8", Distro: "now", DistroVersion: "2", Bootc: ptr(true), BuildMode: "image",
				ExportFormat: "raw", Targets: targets([]string{"qemu", "raspberry-pi"}),
			},
		}
		spec := *others.DeepCopy()
		restate(&spec, stated)
		want := stated.DeepCopy()
		want.Metadata.KernelVersion = "6.12"
		want.Metadata.Targets[0] = others.Metadata.Targets[0]
		want.Lifecycle, want.ServiceAccountName = others.Lifecycle, others.ServiceAccountName
		assert.Equal(t, *want, spec)
	})
	t.Run("facts about another build go", func(t *testing.T) {
		spec := *others.DeepCopy()
		restate(&spec, v1alpha1.CatalogImageSpec{Image: "a.io/b:2", Digest: otherDigest, Metadata: v1alpha1.ImageMetadata{OS: "linux"}})
		assert.Equal(t, v1alpha1.ImageMetadata{OS: "linux"}, spec.Metadata)
		assert.Equal(t, v1alpha1.Facet("prod"), spec.Channel)
	})
}

func ptr[T any](value T) *T { return &value }
