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

// Spellings of one image, the form they share first.
func TestSpellingsOfOneImage(t *testing.T) {
	for _, spellings := range [][]string{
		{"index.docker.io/library/nginx:latest", "nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "DOCKER.IO/nginx:latest",
			"index.docker.io/nginx", "docker.io:443/nginx", "docker.io./nginx", "registry-1.docker.io/library/nginx", "registry-1.docker.io/nginx"},
		{"index.docker.io/acme/autosd:1", "acme/autosd:1", "Index.Docker.io/acme/autosd:1", "docker.io.:443/acme/autosd:1"},
		{"quay.io/acme/autosd:latest", "quay.io/acme/autosd", "QUAY.IO/acme/autosd", "quay.io./acme/autosd", "quay.io:443/acme/autosd",
			"Quay.io.:0443/acme/autosd:latest", "quay.io:/acme/autosd"},
		{"quay.io:5000/acme/autosd:1", "QUAY.io.:5000/acme/autosd:1", "quay.io:05000/acme/autosd:1"},
		{"registry:443/autosd:1", "registry./autosd:1", "REGISTRY:443/autosd:1", "registry.:443/autosd:1"},
		{"localhost/autosd:1", "localhost./autosd:1", "LOCALHOST./autosd:1"},
		{"[2001:db8::1]/autosd:1", "[2001:DB8:0:0::1]/autosd:1", "[2001:db8::1]:443/autosd:1"},
		{"[2001:db8::1]:5000/autosd:1", "[2001:0db8::0001]:5000/autosd:1"},
	} {
		for _, spelling := range spellings {
			spec := v1alpha1.CatalogImageSpec{Image: spelling}
			ref, err := spec.Reference()
			require.NoError(t, err, spelling)
			assert.Equal(t, spellings[0], ref.Name(), spelling)

			pinned := v1alpha1.CatalogImageSpec{Image: spelling + "@" + digestA}
			ref, err = pinned.Reference()
			require.NoError(t, err, spelling)
			tag := strings.LastIndexByte(spellings[0], ':')
			assert.Equal(t, spellings[0][:tag]+"@"+digestA, ref.Name(), spelling)
		}
	}
}

// Port 443 is the default of HTTPS; a registry that may be asked by plain HTTP is another one without it.
func TestSpellingsOfDifferentImages(t *testing.T) {
	seen := map[string]string{}
	for _, image := range []string{
		"localhost/a:1", "localhost:443/a:1", "localhost:5000/a:1", "127.0.0.1/a:1", "127.0.0.1:443/a:1", "10.0.0.1/a:1", "10.0.0.1:443/a:1",
		"[::1]/a:1", "[::1]:443/a:1", "x.localhost/a:1", "x.localhost:443/a:1", "quay.io/a:1", "quay.io:80/a:1", "quay.io/a:2", "quay.io/a:V",
		"quay.io/a:v", "ghcr.io/a:1", "a:1", "registry.hub.docker.com/library/a:1", "registry:443/a:1", "registry:80/a:1", "registry/a:1",
	} {
		spec := v1alpha1.CatalogImageSpec{Image: image}
		ref, err := spec.Reference()
		require.NoError(t, err, image)
		assert.Empty(t, seen[ref.Name()], "%s is no spelling of it", image)
		seen[ref.Name()] = image
	}
}

// What is accepted is a reference to go-containerregistry too, and its form is stable.
func FuzzReference(f *testing.F) {
	for _, image := range []string{
		"nginx", "quay.io/acme/autosd:1@" + digestA, "QUAY.IO./a/b", "localhost:443/x", "foo:443/x", "foo./x", "[::1]:5000/x", "a//b", "a/../b",
		"quay.io:/a", "q%75ay.io/a", "ß.io/a", "https://quay.io/a", "quay.io:99999/a", "docker.io/" + strings.Repeat("a", 255), "@", ":", "a@@b", "",
	} {
		f.Add(image, "")
		f.Add(image, digestB)
	}
	f.Fuzz(func(t *testing.T, image, digest string) {
		spec := v1alpha1.CatalogImageSpec{Image: image, Digest: digest}
		ref, err := spec.Reference()
		if err != nil {
			return
		}
		parsed, err := name.ParseReference(image)
		require.NoError(t, err, "go-containerregistry refuses %q", image)
		assert.Equal(t, parsed.Context().RepositoryStr(), strings.TrimPrefix(ref.Context().RepositoryStr(), hubPrefix(parsed, ref)))

		again := v1alpha1.CatalogImageSpec{Image: ref.Name()}
		stable, err := again.Reference()
		require.NoError(t, err, "%q is the form of %q", ref.Name(), image)
		assert.Equal(t, ref.Name(), stable.Name())
	})
}

// hubPrefix is what a spelling of Docker Hub's host that go-containerregistry does not know adds to a short name.
func hubPrefix(parsed, canonical name.Reference) string {
	if canonical.Context().RegistryStr() == name.DefaultRegistry && !strings.Contains(parsed.Context().RepositoryStr(), "/") {
		return "library/"
	}
	return ""
}

func TestReferenceOfNoReference(t *testing.T) {
	for _, image := range []string{"", "UPPER/case:1", "quay.io/acme/autosd:", "quay.io/acme/autosd@sha256:abc", "https://quay.io/acme/autosd",
		"quay.io/acme/autosd@sha512:" + strings.Repeat("a", 128), "quay.io//autosd", "quay.io/acme/", "quay.io/./autosd", "quay io/autosd", "[1.2.3.4]/autosd",
		"quay.io:0/autosd", "ß.io/autosd"} {
		spec := v1alpha1.CatalogImageSpec{Image: image, Digest: digestA}
		_, err := spec.Reference()
		assert.ErrorContains(t, err, "parsing spec.image: ", image)
	}
	for _, digest := range []string{"sha256:abc", "sha512:" + strings.Repeat("a", 128), "latest"} {
		spec := v1alpha1.CatalogImageSpec{Image: "quay.io/acme/autosd", Digest: digest}
		_, err := spec.Reference()
		assert.ErrorContains(t, err, "parsing spec.digest: ", digest)
	}
}

func TestInterval(t *testing.T) {
	for title, test := range map[string]struct {
		interval *metav1.Duration
		want     time.Duration
	}{
		"none":    {nil, time.Hour},
		"its own": {&metav1.Duration{Duration: 5 * time.Minute}, 5 * time.Minute},
		"zero":    {&metav1.Duration{}, v1alpha1.MinCheckInterval},
		"an age":  {&metav1.Duration{Duration: 9000 * time.Hour}, v1alpha1.MaxCheckInterval},
	} {
		spec := v1alpha1.CatalogImageSpec{CheckInterval: test.interval}
		assert.Equal(t, test.want, spec.Interval(), title)
	}
}
