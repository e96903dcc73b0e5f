package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/policy"
)

func TestPlatformsThatCanBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"linux/arm64": "linux/arm64", "linux/x86_64": "linux/amd64", "Linux/AArch64": "linux/arm64",
		"linux/arm/v7": "linux/arm/v7", "linux/ARM64/V8": "linux/arm64/v8", "windows/amd64": "windows/amd64",
	} {
		p, err := policy.ParsePlatform(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, p.String(), text)
	}
	p, err := policy.ParsePlatform(" linux/amd64\n")
	require.NoError(t, err)
	assert.Equal(t, "linux/amd64", p.String(), "a parameter of a Task may have blanks around it")
	for _, text := range []string{"", "arm64", "linux/", "/arm64", "linux//v8", "linux/arm64/v8/x", "linux/arm64/"} {
		_, err := policy.ParsePlatform(text)
		assert.ErrorContains(t, err, "is no platform", text)
	}
}

func TestWhichPlatformsAreAccepted(t *testing.T) {
	for _, test := range []struct {
		wanted, has string
		accepted    bool
	}{
		{"linux/arm64", "linux/arm64", true}, {"linux/arm64", "linux/arm64/v9", true}, {"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm64/v9", "linux/arm64", false}, {"linux/arm/v7", "linux/arm", true}, {"linux/arm/v6", "linux/arm", false},
		{"linux/amd64", "windows/amd64", false}, {"linux/amd64", "linux/386", false}, {"linux/amd64/v3", "linux/amd64", false},
	} {
		wanted, err := policy.ParsePlatform(test.wanted)
		require.NoError(t, err)
		has, err := policy.ParsePlatform(test.has)
		require.NoError(t, err)
		assert.Equal(t, test.accepted, wanted.Accepts(has), "%s %s", test.wanted, test.has)
	}
}

func TestRequiredPlatforms(t *testing.T) {
	p := read(t, platforms("linux/arm64", "linux/x86_64"))
	assert.Equal(t, v1alpha1.PolicySatisfied, p.Judge(entry(), none).Outcome)

	v := p.Judge(entry(func(e *v1alpha1.CatalogImage) {
		e.Status.Platforms = []v1alpha1.Platform{{OS: "linux", Architecture: "aarch64"}, {OS: "linux", Architecture: "riscv64"}}
	}), none)
	assert.Equal(t, v1alpha1.PolicyViolated, v.Outcome)
	assert.Equal(t, policy.ReasonPlatformMissing, v.Reason)
	assert.Equal(t, "it is not built for linux/amd64, but for linux/arm64, linux/riscv64", v.Message)

	disk := p.Judge(entry(func(e *v1alpha1.CatalogImage) { e.Status.Platforms = nil }), none)
	assert.Equal(t, "it is not built for linux/arm64, nor for any other platform: it is an artifact and no container image", disk.Message)
}
