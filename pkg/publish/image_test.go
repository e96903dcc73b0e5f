package publish

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/param"
)

const (
	oneDigest   = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	otherDigest = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"
)

func TestEntryName(t *testing.T) {
	long := strings.Repeat("x", 80)
	tests := map[string]struct{ reference, want string }{
		"tag":                  {"quay.io/acme/autosd:rpi4-1.2", "autosd-rpi4-1-2-2c26b46b"},
		"capitals":             {"quay.io/acme/autosd:RPi4_1.2", "autosd-rpi4-1-2-2c26b46b"},
		"no tag":               {"quay.io/acme/autosd", "autosd-2c26b46b"},
		"digest":               {"quay.io/acme/autosd@" + oneDigest, "autosd-2c26b46b"},
		"tag and digest":       {"quay.io/acme/autosd:1@" + oneDigest, "autosd-1-2c26b46b"},
		"port":                 {"localhost:5000/autosd", "autosd-2c26b46b"},
		"runs of other things": {"quay.io/acme/auto__sd:._1--2_", "auto-sd-1-2-2c26b46b"},
		"long":                 {"quay.io/acme/" + long + ":1", strings.Repeat("x", 54) + "-2c26b46b"},
		"cut at a dash":        {"quay.io/acme/" + long[:53] + ":12", long[:53] + "-2c26b46b"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			ref, err := name.ParseReference(test.reference)
			require.NoError(t, err)
			got := entryName(ref.Context().Digest(oneDigest), writtenTag(test.reference))
			assert.Equal(t, test.want, got)
			assert.Empty(t, validation.IsDNS1123Label(got))
		})
	}
}

func FuzzEntryName(f *testing.F) {
	f.Add("quay.io/acme/autosd:rpi4-1.2")
	f.Add("a:_@" + oneDigest)
	f.Fuzz(func(t *testing.T, reference string) {
		ref, err := name.ParseReference(reference)
		if err != nil {
			return
		}
		got := entryName(ref.Context().Digest(oneDigest), writtenTag(reference))
		assert.Empty(t, validation.IsDNS1123Label(got), got)
		assert.True(t, strings.HasSuffix(got, "-2c26b46b"), got)
	})
}

func TestParseImage(t *testing.T) {
	tests := map[string]struct{ url, digest, looksUp, tag string }{
		"tag":                     {"quay.io/a/b:c", "", "quay.io/a/b:c", "c"},
		"tag with given digest":   {"quay.io/a/b:c", oneDigest, "quay.io/a/b@" + oneDigest, "c"},
		"digest":                  {"quay.io/a/b@" + oneDigest, "", "quay.io/a/b@" + oneDigest, ""},
		"the same digest twice":   {"quay.io/a/b:c@" + oneDigest, oneDigest, "quay.io/a/b@" + oneDigest, "c"},
		"results with line feeds": {"quay.io/a/b:c\n", oneDigest + "\n", "quay.io/a/b@" + oneDigest, "c"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			got, err := parseImage(test.url, test.digest)
			require.NoError(t, err)
			assert.Equal(t, strings.TrimSpace(test.url), got.written)
			assert.Equal(t, test.looksUp, got.reference.Name())
			assert.Equal(t, test.tag, writtenTag(got.written))
		})
	}
}

func TestParseImageErrors(t *testing.T) {
	tests := map[string]struct{ url, digest, want string }{
		"empty":          {"", "", "param IMAGE_URL: could not parse reference: ; write a reference such as quay.io/acme/autosd:rpi4-1.2"},
		"scheme":         {"https://quay.io/a/b:c", "", "param IMAGE_URL: "},
		"short digest":   {"quay.io/a/b", "sha256:12", `param IMAGE_DIGEST: "sha256:12" is no digest; write sha256: and 64 lower-case hexadecimal digits`},
		"another digest": {"quay.io/a/b@" + oneDigest, otherDigest, "param IMAGE_DIGEST: IMAGE_URL names another digest, " + oneDigest + "; keep one of the two"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			_, err := parseImage(test.url, test.digest)
			var wrong *param.Error
			require.ErrorAs(t, err, &wrong)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
