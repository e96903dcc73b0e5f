package assemble_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/assemble"
	"imagecatalog.dev/catalog/pkg/param"
)

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	now   = time.Date(2026, 11, 21, 8, 30, 0, 999, time.UTC)
)

// requests counts what a registry was asked.
type requests struct{ mounted, uploaded atomic.Int32 }

// startRegistry runs a registry that, unlike the one it wraps, knows a blob only in the repositories that have it, and
// mounts blobs from rootfs/debian (OCI distribution-spec, "Mounting a blob from another repository").
func startRegistry(t *testing.T) (string, *requests) {
	t.Helper()
	seen := &requests{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case query.Get("from") == "rootfs/debian" && query.Get("origin") == r.Host:
			seen.mounted.Add(1)
			w.WriteHeader(http.StatusCreated)
			return
		case r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/acme/autosd/blobs/"):
			w.WriteHeader(http.StatusNotFound)
			return
		case r.Method == http.MethodPatch:
			seen.uploaded.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), seen
}

func writeRootFS(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.tar.gz")
	file, err := os.Create(path)
	require.NoError(t, err)
	compressor := gzip.NewWriter(file)
	archive := tar.NewWriter(compressor)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "etc/os-release", Mode: 0o644, Size: int64(len(content))}))
	_, err = io.WriteString(archive, content)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, compressor.Close())
	require.NoError(t, file.Close())
	return path
}

// pushTwo puts root file systems for two platforms into the registry.
func pushTwo(t *testing.T, host string) name.Digest {
	t.Helper()
	ref, err := name.ParseReference(host + "/rootfs/debian:trixie")
	require.NoError(t, err)
	digest, err := assemble.PushRootFS(t.Context(), ref, []assemble.RootFS{
		{Platform: amd64, Path: writeRootFS(t, "amd64")},
		{Platform: arm64, Path: writeRootFS(t, "arm64")},
	})
	require.NoError(t, err)
	return digest
}

func order(t *testing.T, args ...string) (assemble.Order, error) {
	t.Helper()
	options := assemble.Options{}
	fs := flag.NewFlagSet("assemble", flag.ContinueOnError)
	options.AddFlags(fs)
	require.NoError(t, param.Parse(fs, args))
	return options.Order(now)
}

func build(ctx context.Context, t *testing.T, args ...string) (name.Digest, error) {
	t.Helper()
	work, err := order(t, args...)
	require.NoError(t, err)
	builder, err := assemble.NewBuilder(io.Discard)
	require.NoError(t, err)
	return builder.Build(ctx, work)
}

func TestPushRootFS(t *testing.T) {
	host, _ := startRegistry(t)
	digest := pushTwo(t, host)

	descriptor, err := remote.Get(digest)
	require.NoError(t, err)
	manifest, err := v1.ParseManifest(strings.NewReader(string(descriptor.Manifest)))
	require.NoError(t, err)
	assert.Equal(t, types.OCIManifestSchema1, descriptor.MediaType)
	assert.Equal(t, assemble.RootFSArtifactType, manifest.ArtifactType)
	assert.EqualValues(t, "application/vnd.oci.empty.v1+json", manifest.Config.MediaType)
	require.Len(t, manifest.Layers, 2)
	assert.Equal(t, types.OCILayer, manifest.Layers[1].MediaType)
	assert.Equal(t, map[string]string{
		"org.opencontainers.image.title": "rootfs.tar.gz",
		assemble.PlatformAnnotation:      "linux/arm64/v8",
	}, manifest.Layers[1].Annotations)
	assert.Equal(t, digest, pushTwo(t, host), "the same files give the same artifact")
}

func TestBuild(t *testing.T) {
	host, seen := startRegistry(t)
	rootfs := pushTwo(t, host)
	seen.uploaded.Store(0)

	digest, err := build(t.Context(), t, "--rootfs="+rootfs.String(), "--image-url="+host+"/acme/autosd:1.2",
		"--labels", "com.redhat.automotive.distro=autosd", "note=a=b")
	require.NoError(t, err)
	assert.EqualValues(t, 2, seen.mounted.Load(), "the root file systems are mounted")
	assert.EqualValues(t, 4, seen.uploaded.Load(), "the identity and the configuration of each image are uploaded")

	descriptor, err := remote.Get(tag(t, host+"/acme/autosd:1.2"))
	require.NoError(t, err)
	assert.Equal(t, digest.DigestStr(), descriptor.Digest.String())
	assert.Equal(t, types.OCIImageIndex, descriptor.MediaType)
	index, err := descriptor.ImageIndex()
	require.NoError(t, err)
	require.NoError(t, validate.Index(index), "every digest, size and DiffID holds")
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"com.redhat.automotive.distro":     "autosd",
		"note":                             "a=b",
		"org.opencontainers.image.created": "2026-11-21T08:30:00Z",
	}, manifest.Annotations)
	require.Len(t, manifest.Manifests, 2)
	assert.Equal(t, &amd64, manifest.Manifests[0].Platform)
	assert.Equal(t, &arm64, manifest.Manifests[1].Platform)

	image, err := index.Image(manifest.Manifests[1].Digest)
	require.NoError(t, err)
	assertImage(t, image)
	assert.Equal(t, map[string]string{"etc/os-release": "arm64", "etc/image-id": fmt.Sprintf(`IMAGE_ID="autosd"
IMAGE_VERSION="1.2"
IMAGE_PLATFORM="linux/arm64/v8"
IMAGE_BUILT="2026-11-21T08:30:00Z"
IMAGE_ROOTFS="%s/rootfs/debian@%s"
`, host, firstLayer(t, image))}, files(t, image))
}

func assertImage(t *testing.T, image v1.Image) {
	t.Helper()
	manifest, err := image.Manifest()
	require.NoError(t, err)
	assert.Equal(t, types.OCIManifestSchema1, manifest.MediaType)
	assert.Equal(t, types.OCIConfigJSON, manifest.Config.MediaType)
	for _, layer := range manifest.Layers {
		assert.Equal(t, types.OCILayer, layer.MediaType)
	}
	config, err := image.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, []string{"linux", "arm64", "v8"}, []string{config.OS, config.Architecture, config.Variant})
	assert.Equal(t, map[string]string{"com.redhat.automotive.distro": "autosd", "note": "a=b"}, config.Config.Labels)
	assert.Equal(t, now.Truncate(time.Second), config.Created.Time)
	assert.Len(t, config.History, len(manifest.Layers))
}

func TestBuildAcrossRegistries(t *testing.T) {
	from, _ := startRegistry(t)
	to, seen := startRegistry(t)
	rootfs := pushTwo(t, from)

	_, err := build(t.Context(), t, "--rootfs="+rootfs.String(), "--image-url="+to+"/acme/autosd:1.2")
	require.NoError(t, err)
	assert.Zero(t, seen.mounted.Load())
	assert.EqualValues(t, 6, seen.uploaded.Load())
	descriptor, err := remote.Get(tag(t, to+"/acme/autosd:1.2"))
	require.NoError(t, err)
	index, err := descriptor.ImageIndex()
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
}

func TestBuildChoosesPlatforms(t *testing.T) {
	host, _ := startRegistry(t)
	rootfs := pushTwo(t, host)

	_, err := build(t.Context(), t, "--rootfs="+rootfs.String(), "--image-url="+host+"/acme/autosd:arm", "--platforms", "linux/arm64")
	require.NoError(t, err)
	index, err := remote.Index(tag(t, host+"/acme/autosd:arm"))
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	assert.Equal(t, &arm64, manifest.Manifests[0].Platform, "the variant comes from the root file system")

	_, err = build(t.Context(), t, "--rootfs="+rootfs.String(), "--image-url="+host+"/acme/autosd:riscv", "--platforms", "linux/riscv64")
	require.ErrorContains(t, err, "has no root file system for linux/riscv64; it has linux/amd64, linux/arm64/v8")
}

func TestBuildIsReproducible(t *testing.T) {
	host, _ := startRegistry(t)
	args := []string{"--rootfs=" + pushTwo(t, host).String(), "--image-url=" + host + "/acme/autosd:1.2", "--source-date-epoch=1795250000"}
	first, err := build(t.Context(), t, args...)
	require.NoError(t, err)
	second, err := build(t.Context(), t, args...)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	args[2] = "--source-date-epoch=1795250001"
	third, err := build(t.Context(), t, args...)
	require.NoError(t, err)
	assert.NotEqual(t, first, third)
}

func TestBuildRefusesOtherArtifacts(t *testing.T) {
	host, _ := startRegistry(t)
	ref := tag(t, host+"/rootfs/empty:1")
	_, err := assemble.PushRootFS(t.Context(), ref, nil)
	require.NoError(t, err)
	_, err = build(t.Context(), t, "--rootfs="+ref.String(), "--image-url="+host+"/a:b")
	require.ErrorContains(t, err, "it is not an artifact with root file systems")

	_, err = build(t.Context(), t, "--rootfs="+pushTwo(t, host).String(), "--image-url="+host+"/acme/autosd:1.2")
	require.NoError(t, err)
	index, err := remote.Index(tag(t, host+"/acme/autosd:1.2"))
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	_, err = build(t.Context(), t, "--rootfs="+host+"/acme/autosd@"+manifest.Manifests[0].Digest.String(), "--image-url="+host+"/a:b")
	require.ErrorContains(t, err, assemble.PlatformAnnotation)

	_, err = build(t.Context(), t, "--rootfs="+host+"/rootfs/absent:1", "--image-url="+host+"/a:b")
	require.ErrorContains(t, err, "reading the root file systems "+host+"/rootfs/absent:1")
	assert.Equal(t, assemble.ExitFailed, assemble.ExitCode(err))
}

func TestOrderErrors(t *testing.T) {
	const rootfs, image = "--rootfs=a.io/r:1", "--image-url=a.io/b:c"
	tests := map[string]struct {
		args []string
		want string
	}{
		"no root file system": {[]string{image}, "param ROOTFS: "},
		"no image":            {[]string{rootfs}, `param IMAGE_URL: "" is not a repository with a tag; write a reference such as registry.example.com/acme/autosd:rpi4-1.2`},
		"image without tag":   {[]string{rootfs, "--image-url=localhost:5000/b"}, `param IMAGE_URL: "localhost:5000/b" is not a repository with a tag`},
		"label":               {[]string{rootfs, image, "--labels", "=x"}, `param LABELS: "=x" is not a label; write key=value`},
		"platform":            {[]string{rootfs, image, "--platforms", "arm64"}, `param PLATFORMS: "arm64" is not a platform; write os/architecture`},
		"time":                {[]string{rootfs, image, "--source-date-epoch=yesterday"}, `param SOURCE_DATE_EPOCH: "yesterday" is not a time; write seconds since 1970`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := order(t, test.args...)
			var wrong *param.Error
			require.ErrorAs(t, err, &wrong)
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, param.ExitCode, assemble.ExitCode(err))
		})
	}
}

func tag(t *testing.T, reference string) name.Tag {
	t.Helper()
	ref, err := name.NewTag(reference)
	require.NoError(t, err)
	return ref
}

func firstLayer(t *testing.T, image v1.Image) string {
	t.Helper()
	manifest, err := image.Manifest()
	require.NoError(t, err)
	return manifest.Layers[0].Digest.String()
}

// files gives the content of every file of the image.
func files(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	found := map[string]string{}
	layers, err := image.Layers()
	require.NoError(t, err)
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		require.NoError(t, err)
		archive := tar.NewReader(content)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			bytes, err := io.ReadAll(archive)
			require.NoError(t, err)
			found[header.Name] = string(bytes)
		}
		require.NoError(t, content.Close())
	}
	return found
}
