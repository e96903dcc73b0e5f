package v1alpha1_test

import (
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// narrower are the ways in which the catalog takes less than go-containerregistry does. Whatever else that takes, the
// catalog takes.
var narrower = map[string]func(image string, parsed name.Reference) bool{
	"a digest without a repository": func(image string, _ name.Reference) bool {
		return regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(image)
	},
	"a scheme": func(image string, _ name.Reference) bool { return strings.Contains(image, "://") },
	"a digest that is no sha256 digest in lower case": func(image string, _ name.Reference) bool {
		_, digest, pinned := strings.Cut(image, "@")
		return pinned && !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(digest)
	},
	"a path that a server would clean": func(_ string, parsed name.Reference) bool {
		within := "/" + parsed.Context().RepositoryStr()
		return path.Clean(within) != within
	},
	"a path on Docker Hub that is too long when library/ is before it": func(_ string, parsed name.Reference) bool {
		within := strings.TrimPrefix(parsed.Context().RepositoryStr(), "library/")
		return spelling(parsed) == name.DefaultRegistry && len("library/"+within) > 255
	},
	"a host that no DNS name or address is": func(_ string, parsed name.Reference) bool {
		host, _ := authority(parsed.Context().RegistryStr())
		if strings.HasPrefix(host, "[") {
			address, err := netip.ParseAddr(strings.Trim(host, "[]"))
			return err != nil || !address.Is6()
		}
		return !regexp.MustCompile(`^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$`).MatchString(host)
	},
	"a port that is none": func(_ string, parsed name.Reference) bool {
		_, port := authority(parsed.Context().RegistryStr())
		number, err := strconv.ParseUint(port, 10, 16)
		return port != "" && (err != nil || number == 0)
	},
}

// authority is a host and its port, "" if there is none.
func authority(registry string) (host, port string) {
	colon := strings.LastIndexByte(registry, ':')
	if colon < 0 || strings.HasSuffix(registry, "]") {
		return registry, ""
	}
	return registry[:colon], registry[colon+1:]
}

// FuzzImage holds the catalog's reading of any text against go-containerregistry's.
func FuzzImage(f *testing.F) {
	for _, image := range []string{
		"nginx", digestA, "user:secret@quay.io/a", "$(params.IMAGE)", "quay.io/acme/autosd:1@" + digestA, "QUAY.IO./a/b", "localhost:443/x", "foo:443/x", "foo./x", "[::1]:5000/x", "[2001:DB8::0]/a", "a//b",
		"a/../b", "quay.io:/a", "quay.io:0443/a", "q%75ay.io/a", "ß.io/a", "https://quay.io/a", "quay.io:99999/a", "docker.io./a", "registry-1.docker.io/a",
		"docker.io/" + strings.Repeat("a", 255), "@", ":", "a@@b", "", "a:@" + digestA, "a:1:2@" + digestA, "a@sha512:" + strings.Repeat("a", 128),
		"a@" + strings.ToUpper(digestA), "[::ffff:1.2.3.4]/a", "[fe80::1%25eth0]/a", "a..b/c", "-.io/a", "a.b:1/c:2", "a b", " a", "a\n", "a:" + strings.Repeat("a", 129),
	} {
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image string) {
		spec := v1alpha1.CatalogImageSpec{Image: image}
		ref, err := spec.Reference()
		assert.Equal(t, err == nil, spec.Validate(t.Context()) == nil, "what admission admits is what the controller can read: %q: %v", image, err)
		parsed, parserSays := name.ParseReference(image)
		if err != nil {
			if parserSays == nil && !isNarrower(image, parsed) {
				t.Errorf("go-containerregistry takes %q, and for no reason that is named here the catalog does not: %v", image, err)
			}
			return
		}
		require.NoError(t, parserSays, "the catalog takes %q", image)
		assert.Equal(t, parsed.Identifier(), ref.Identifier(), "%q", image)
		assert.Equal(t, pathOf(parsed), pathOf(ref), "%q", image)
		assert.Equal(t, spelling(parsed), spelling(ref), "%q", image)

		again, err := name.ParseReference(ref.Name())
		require.NoError(t, err, "%q is the form of %q", ref.Name(), image)
		assert.Equal(t, ref.Name(), again.Name(), "the form of %q", image)
		stable, err := (&v1alpha1.CatalogImageSpec{Image: ref.Name()}).Reference()
		require.NoError(t, err)
		assert.Equal(t, ref.Name(), stable.Name(), "%q", image)
	})
}

func isNarrower(image string, parsed name.Reference) bool {
	for _, is := range narrower {
		if is(image, parsed) {
			return true
		}
	}
	return false
}

// TestTheCatalogIsNarrower has an example for each way, and one that is none.
func TestTheCatalogIsNarrower(t *testing.T) {
	for class, image := range map[string]string{
		"a digest without a repository": digestA,
		"a scheme":                      "docker.io://a",
		"a digest that is no sha256 digest in lower case":                  "a@sha512:" + strings.Repeat("a", 128),
		"a path that a server would clean":                                 "quay.io/a//b",
		"a host that no DNS name or address is":                            "a..b/c",
		"a path on Docker Hub that is too long when library/ is before it": "docker.io/" + strings.Repeat("a", 255),
		"a port that is none":                                              "quay.io:0/a",
	} {
		_, err := (&v1alpha1.CatalogImageSpec{Image: image}).Reference()
		assert.Error(t, err, class)
		parsed, err := name.ParseReference(image)
		if assert.NoError(t, err, class) {
			assert.True(t, narrower[class](image, parsed), class)
		}
	}
	parsed, err := name.ParseReference("quay.io/acme/autosd:1")
	require.NoError(t, err)
	assert.False(t, isNarrower("quay.io/acme/autosd:1", parsed))
}

// FuzzPin holds an image and its pin against each other: admission takes one digest, the controller what is stored.
func FuzzPin(f *testing.F) {
	for _, image := range []string{"quay.io/acme/autosd:1", "a@" + digestA, "", "A"} {
		for _, digest := range []string{"", digestA, digestB, "sha256:abc", strings.ToUpper(digestA), digestA + "\n", " " + digestA, "latest"} {
			f.Add(image, digest)
		}
	}
	f.Fuzz(func(t *testing.T, image, digest string) {
		spec := v1alpha1.CatalogImageSpec{Image: image, Digest: digest}
		ref, err := spec.Reference()
		refusal := spec.Validate(t.Context())
		switch _, inImage, _ := strings.Cut(image, "@"); {
		case err != nil:
			assert.NotNil(t, refusal, "the controller cannot read %q with %q: %v", image, digest, err)
		case inImage != "" && digest != "" && inImage != digest:
			assert.NotNil(t, refusal, "%q and %q are two digests", image, digest)
		default:
			assert.Nil(t, refusal)
		}
		if err == nil && digest != "" {
			assert.Equal(t, digest, ref.Identifier())
		}
	})
}

// pathOf is the repository below its host: what Docker Hub calls library/nginx is nginx under each of its names.
func pathOf(ref name.Reference) string {
	within := ref.Context().RepositoryStr()
	if spelling(ref) == name.DefaultRegistry {
		within = strings.TrimPrefix(within, "library/")
	}
	return within
}

// spelling is a host and port as the documentation of Reference says that they are compared.
func spelling(ref name.Reference) string {
	host, port := authority(strings.ToLower(ref.Context().RegistryStr()))
	host = strings.TrimSuffix(host, ".")
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && strings.HasPrefix(host, "[") {
		host = "[" + address.String() + "]"
	}
	port = strings.TrimLeft(port, "0")
	plain, err := name.NewRegistry(host + ":" + port)
	if port == "443" && (err != nil || plain.Scheme() == "https") {
		port = ""
	}
	switch host {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		if port == "" {
			return name.DefaultRegistry
		}
	}
	return host + ":" + port
}
