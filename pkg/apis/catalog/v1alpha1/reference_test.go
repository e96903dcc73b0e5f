package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

func TestReference(t *testing.T) {
	for title, test := range map[string]struct{ image, digest, want string }{
		"a tag":                         {"quay.io/acme/autosd:1", "", "quay.io/acme/autosd:1"},
		"no tag":                        {"quay.io/acme/autosd", "", "quay.io/acme/autosd:latest"},
		"a port":                        {"localhost:5000/autosd:1", "", "localhost:5000/autosd:1"},
		"docker.io, short":              {"nginx", "", "index.docker.io/library/nginx:latest"},
		"docker.io, long":               {"docker.io/library/nginx:latest", "", "index.docker.io/library/nginx:latest"},
		"a digest in the image":         {"quay.io/acme/autosd@" + digestA, "", "quay.io/acme/autosd@" + digestA},
		"a tag and a digest":            {"quay.io/acme/autosd:1@" + digestA, "", "quay.io/acme/autosd@" + digestA},
		"a digest beside a tag":         {"quay.io/acme/autosd:1", digestA, "quay.io/acme/autosd@" + digestA},
		"a digest beside nothing":       {"quay.io/acme/autosd", digestA, "quay.io/acme/autosd@" + digestA},
		"the same digest in both":       {"quay.io/acme/autosd@" + digestA, digestA, "quay.io/acme/autosd@" + digestA},
		"the digest beside it outranks": {"quay.io/acme/autosd@" + digestA, digestB, "quay.io/acme/autosd@" + digestB},
	} {
		t.Run(title, func(t *testing.T) {
			spec := v1alpha1.CatalogImageSpec{Image: test.image, Digest: test.digest}
			ref, err := spec.Reference()
			require.NoError(t, err)
			assert.Equal(t, test.want, ref.Name())
			_, pinned := ref.(name.Digest)
			assert.Equal(t, strings.Contains(test.want, "@"), pinned)
		})
	}
}

func TestReferenceOfNoReference(t *testing.T) {
	for _, image := range []string{"", "UPPER/case:1", "quay.io/acme/autosd:", "quay.io/acme/autosd@sha256:abc", "https://quay.io/acme/autosd"} {
		spec := v1alpha1.CatalogImageSpec{Image: image, Digest: digestA}
		_, err := spec.Reference()
		assert.ErrorContains(t, err, "parsing spec.image: ", image)
	}
}

func TestInterval(t *testing.T) {
	for title, test := range map[string]struct {
		interval *metav1.Duration
		want     time.Duration
	}{
		"none":    {nil, time.Hour},
		"its own": {&metav1.Duration{Duration: 5 * time.Minute}, 5 * time.Minute},
	} {
		spec := v1alpha1.CatalogImageSpec{CheckInterval: test.interval}
		assert.Equal(t, test.want, spec.Interval(), title)
	}
}
