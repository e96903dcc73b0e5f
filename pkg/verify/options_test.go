package verify

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestParseSubject(t *testing.T) {
	tests := map[string]struct {
		image, digest string
		ref, pin      string
	}{
		"tag":                        {"quay.io/acme/os:1", "", "quay.io/acme/os:1", ""},
		"no tag means latest":        {"quay.io/acme/os", "", "quay.io/acme/os:latest", ""},
		"tag and digest param":       {"quay.io/acme/os:1", digestA, "quay.io/acme/os:1", digestA},
		"tag and digest in one":      {"quay.io/acme/os:1@" + digestA, "", "quay.io/acme/os:1", digestA},
		"the same digest twice":      {"quay.io/acme/os:1@" + digestA, digestA, "quay.io/acme/os:1", digestA},
		"digest, no tag: not latest": {"quay.io/acme/os", digestA, "quay.io/acme/os@" + digestA, digestA},
		"digest in the reference":    {"quay.io/acme/os@" + digestA, "", "quay.io/acme/os@" + digestA, digestA},
		"port":                       {"localhost:5000/os", digestA, "localhost:5000/os@" + digestA, digestA},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			got, err := parseSubject(test.image, test.digest)
			require.NoError(t, err)
			assert.Equal(t, test.ref, got.ref.Name())
			assert.Equal(t, test.pin, got.pin)
		})
	}
}

func TestBadParams(t *testing.T) {
	tests := map[string]struct {
		options Options
		want    string
	}{
		"nothing":           {Options{}, "param IMAGE_URL: it is empty, and so is NAME; write the reference of an image, or the NAME of an entry"},
		"both":              {Options{ImageURL: "quay.io/acme/os:1", Name: "os"}, "param NAME: IMAGE_URL is given too; keep one of the two"},
		"digest of a name":  {Options{Name: "os", Namespace: "team", ImageDigest: digestA}, "param IMAGE_DIGEST: the entry NAME has its own; leave it empty, or write IMAGE_URL instead of NAME"},
		"no namespace":      {Options{Name: "os"}, "param NAMESPACE: it is empty; name the namespace of the entry NAME"},
		"no reference":      {Options{ImageURL: "Quay.io/ACME/os"}, "param IMAGE_URL: "},
		"no digest":         {Options{ImageURL: "quay.io/acme/os:1", ImageDigest: "latest"}, `param IMAGE_DIGEST: "latest" is no digest; write sha256: and 64 lower-case hexadecimal digits`},
		"upper-case digest": {Options{ImageURL: "quay.io/acme/os:1", ImageDigest: "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, "is no digest"},
		"two digests":       {Options{ImageURL: "quay.io/acme/os@" + digestA, ImageDigest: digestB}, "param IMAGE_DIGEST: IMAGE_URL names another digest, " + digestA + "; keep one of the two"},
		"no platform":       {Options{ImageURL: "quay.io/acme/os:1", Platforms: []string{"arm64"}}, `param PLATFORMS: "arm64" is no platform; write os/architecture or os/architecture/variant, such as linux/arm64`},
		"half a platform":   {Options{ImageURL: "quay.io/acme/os:1", Platforms: []string{"linux/"}}, `param PLATFORMS: "linux/" is no platform`},
		"no variant":        {Options{ImageURL: "quay.io/acme/os:1", Platforms: []string{"linux/arm/"}}, "is no platform"},
		"too long platform": {Options{ImageURL: "quay.io/acme/os:1", Platforms: []string{"linux/arm/v7/x"}}, "is no platform"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			verdict := (&Verifier{}).Verify(t.Context(), test.options)
			assert.Equal(t, BadParams, verdict.Outcome)
			assert.Equal(t, 64, verdict.ExitCode(false))
			assert.Contains(t, verdict.Message, test.want)
		})
	}
}

func TestPlatformAccepts(t *testing.T) {
	tests := []struct {
		wanted string
		has    registry.Platform
		want   bool
	}{
		{"linux/arm64", registry.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, true},
		{"linux/aarch64", registry.Platform{OS: "linux", Architecture: "arm64"}, true},
		{"linux/x86_64", registry.Platform{OS: "linux", Architecture: "amd64"}, true},
		{"linux/amd64", registry.Platform{OS: "linux", Architecture: "x86_64"}, true},
		{"linux/arm64/v8", registry.Platform{OS: "linux", Architecture: "arm64"}, true},
		{"linux/arm64/v9", registry.Platform{OS: "linux", Architecture: "arm64"}, false},
		{"linux/arm/v7", registry.Platform{OS: "linux", Architecture: "arm"}, true},
		{"linux/arm/v6", registry.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}, false},
		{"linux/arm/v7", registry.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}, true},
		{"linux/amd64", registry.Platform{OS: "linux", Architecture: "arm64"}, false},
		{"windows/amd64", registry.Platform{OS: "linux", Architecture: "amd64"}, false},
		{"linux/amd64/v3", registry.Platform{OS: "linux", Architecture: "amd64"}, false},
	}
	for _, test := range tests {
		wanted, err := parsePlatforms([]string{test.wanted})
		require.NoError(t, err)
		assert.Equal(t, test.want, wanted[0].Accepts(platformOf(test.has)), "%s of %+v", test.wanted, test.has)
	}
}
