package claim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

func entry(name, image, digest string) *v1alpha1.CatalogImage {
	return &v1alpha1.CatalogImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "radar", Name: name},
		Spec:       v1alpha1.CatalogImageSpec{Image: image, Digest: digest},
	}
}

func TestOf(t *testing.T) {
	for title, test := range map[string]struct {
		want   string
		images []string // spellings, each as "image" or "image digest"
	}{
		"docker.io": {"index.docker.io/library/nginx:1.29", []string{
			"nginx:1.29", "library/nginx:1.29", "docker.io/nginx:1.29", "docker.io/library/nginx:1.29",
			"index.docker.io/nginx:1.29", "index.docker.io/library/nginx:1.29",
		}},
		"no tag means latest": {"quay.io/acme/autosd:latest", []string{"quay.io/acme/autosd", "quay.io/acme/autosd:latest"}},
		"pinned, whatever the tag": {"quay.io/acme/autosd@" + digestA, []string{
			"quay.io/acme/autosd@" + digestA,
			"quay.io/acme/autosd:1@" + digestA,
			"quay.io/acme/autosd:1 " + digestA,
			"quay.io/acme/autosd:2 " + digestA,
			"quay.io/acme/autosd " + digestA,
			"quay.io/acme/autosd@" + digestA + " " + digestA,
		}},
		"another digest":     {"quay.io/acme/autosd@" + digestB, []string{"quay.io/acme/autosd:1 " + digestB}},
		"following":          {"quay.io/acme/autosd:1", []string{"quay.io/acme/autosd:1"}},
		"another repository": {"quay.io/acme/radar:1", []string{"quay.io/acme/radar:1"}},
		"another registry":   {"quay.io:8443/acme/autosd:1", []string{"quay.io:8443/acme/autosd:1"}},
	} {
		t.Run(title, func(t *testing.T) {
			for _, spelling := range test.images {
				image, digest, _ := strings.Cut(spelling, " ")
				got, err := Of(entry("autosd", image, digest))
				require.NoError(t, err)
				assert.Equal(t, Claim{Namespace: "radar", Holder: "autosd", Identity: test.want}, got, spelling)
			}
		})
	}
}

func TestOfNoReference(t *testing.T) {
	_, err := Of(entry("autosd", "UPPER/case:1", ""))
	assert.ErrorContains(t, err, "parsing spec.image")
}

func TestALeaseIsNamedByNamespaceAndIdentityAlone(t *testing.T) {
	one := Claim{Namespace: "radar", Holder: "one", Identity: "quay.io/acme/autosd:1"}
	two := one
	two.Holder = "two"
	assert.Equal(t, one.LeaseName(), two.LeaseName(), "competitors meet at one lease")
	for title, other := range map[string]Claim{
		"another namespace":   {Namespace: "lidar", Holder: "one", Identity: one.Identity},
		"another identity":    {Namespace: "radar", Holder: "one", Identity: "quay.io/acme/autosd:2"},
		"a shifted separator": {Namespace: "radarq", Holder: "one", Identity: "uay.io/acme/autosd:1"},
	} {
		assert.NotEqual(t, one.LeaseName(), other.LeaseName(), title)
	}
}

func TestWhatKubernetesAllowsHoldsTheLongestNames(t *testing.T) {
	longest := Claim{
		Namespace: strings.Repeat("n", 63),
		Holder:    strings.Repeat("h", 253),
		Identity:  "quay.io/" + strings.Repeat("i", 255) + "@" + digestA,
	}
	assert.Empty(t, validation.IsDNS1123Subdomain(longest.LeaseName()))
	k := newKeeper(t, nil)
	require.NoError(t, k.Take(t.Context(), longest))
	lease := k.lease(t, longest)
	for key, value := range lease.Labels {
		assert.Empty(t, validation.IsQualifiedName(key), key)
		assert.Empty(t, validation.IsValidLabelValue(value), value)
	}
	for key := range lease.Annotations {
		assert.Empty(t, validation.IsQualifiedName(key), key)
	}
}
