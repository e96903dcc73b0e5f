package image

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newContent is a program with a link beside it.
func newContent(t *testing.T, program string) Content {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte(program), 0o755))
	return Content{
		Files:      map[string]string{"/bin/program": path},
		Links:      map[string]string{"/bin/alias": "program"},
		Entrypoint: []string{"/bin/program"},
		User:       NonRoot,
	}
}

func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestReferenceStandsForTheContent(t *testing.T) {
	of := func(content Content) string {
		reference, err := Reference("registry/repository", content)
		require.NoError(t, err)
		return reference
	}
	first := of(newContent(t, "one"))
	assert.Regexp(t, `^registry/repository:[0-9a-f]{16}$`, first)
	assert.Equal(t, first, of(newContent(t, "one")), "same content, other file")
	assert.NotEqual(t, first, of(newContent(t, "two")))
	other := newContent(t, "one")
	other.User = "0"
	assert.NotEqual(t, first, of(other), "another user")
}

func TestEnsurePushesWhatAPodNeeds(t *testing.T) {
	content := newContent(t, "one")
	reference, err := Reference(newRegistry(t)+"/repository", content)
	require.NoError(t, err)
	require.NoError(t, Ensure(t.Context(), reference, content))

	tag, err := name.ParseReference(reference)
	require.NoError(t, err)
	image, err := remote.Image(tag)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, NonRoot, config.Config.User)
	assert.Equal(t, []string{"/bin/program"}, config.Config.Entrypoint)
	assert.Equal(t, map[string]int64{"tmp": 0o1777, "bin": 0o755, "bin/program": 0o755, "bin/alias": 0o777}, modes(t, image))
}

func TestEnsureLeavesWhatIsThereAlone(t *testing.T) {
	content := newContent(t, "one")
	reference, err := Reference(newRegistry(t)+"/repository", content)
	require.NoError(t, err)
	require.NoError(t, Ensure(t.Context(), reference, content))

	content.Files["/bin/program"] = filepath.Join(t.TempDir(), "absent")
	assert.NoError(t, Ensure(t.Context(), reference, content), "nothing is packed again")
}

func TestPushIndexServesEachArchitecture(t *testing.T) {
	reference := newRegistry(t) + "/base:nonroot"
	require.NoError(t, PushIndex(t.Context(), reference, Content{User: NonRoot}, "amd64", "arm64"))

	tag, err := name.ParseReference(reference)
	require.NoError(t, err)
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := remote.Image(tag, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture}))
		require.NoError(t, err)
		config, err := image.ConfigFile()
		require.NoError(t, err)
		assert.Equal(t, architecture, config.Architecture)
	}
}

func modes(t *testing.T, image v1.Image) map[string]int64 {
	t.Helper()
	files := mutate.Extract(image)
	defer func() { assert.NoError(t, files.Close()) }()
	modes := map[string]int64{}
	for archive := tar.NewReader(files); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return modes
		}
		require.NoError(t, err)
		modes[strings.TrimSuffix(header.Name, "/")] = header.Mode
	}
}
