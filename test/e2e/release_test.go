//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// makeRelease runs `make release` for this machine's architecture, with what is given beyond that. It gives the folder
// with release/ in it: the commands of the README run there.
func makeRelease(t *testing.T, variables ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mustCommand(t, "make", append([]string{
		"--directory", repositoryRoot, "release", "PLATFORMS=linux/" + runtime.GOARCH, "RELEASE_DIR=" + filepath.Join(dir, "release"),
	}, variables...)...)
	return dir
}

// documented gives the commands below a heading of the README, as they stand there.
func documented(t *testing.T, heading string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(repositoryRoot, "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n"+heading+"\n")
	require.True(t, found, "the README has no %q", heading)
	section, _, _ = strings.Cut(section, "\n#")
	var commands strings.Builder
	for line := range strings.Lines(section) {
		if command, indented := strings.CutPrefix(line, "    "); indented {
			commands.WriteString(command)
		}
	}
	require.NotEmpty(t, commands.String(), heading)
	return commands.String()
}

func TestAReleaseNeedsARepository(t *testing.T) {
	out, err := command(t, "", "make", "--directory", repositoryRoot, "release", "KO_DOCKER_REPO=")
	require.Error(t, err)
	assert.Contains(t, out, "release: KO_DOCKER_REPO is not set: name the repository")
}

var imageLine = regexp.MustCompile(`(?m)^ +image: (.*)$`)

func TestAReleaseNamesEveryImageByDigest(t *testing.T) {
	dir := makeRelease(t, "VERSION=1.0-test")
	binaries := map[string]bool{}
	for _, file := range []string{"image-catalog.yaml", "tasks.yaml"} {
		content, err := os.ReadFile(filepath.Join(dir, "release", file))
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(content), "# Image Catalog 1.0-test\n"), file)
		for _, line := range imageLine.FindAllStringSubmatch(string(content), -1) {
			digest, err := name.NewDigest(line[1])
			require.NoError(t, err, "%s", file)
			assertNumericUser(t, line[1])
			binaries[filepath.Base(digest.RepositoryStr())] = true
		}
	}
	assert.ElementsMatch(t, []string{"assemble", "controller", "publish", "query", "verify", "webhook"}, slices.Collect(maps.Keys(binaries)))

	for _, object := range objectsOf(t, filepath.Join(dir, "release", "image-catalog.yaml")) {
		assert.Equal(t, "1.0-test", object.GetLabels()["app.kubernetes.io/version"], "%s %s", object.GetKind(), object.GetName())
	}
}

func objectsOf(t *testing.T, path string) (objects []unstructured.Unstructured) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			require.NotEmpty(t, objects)
			return objects
		}
		require.NoError(t, err)
		if object.Object != nil { // a file that ends with a line of its own
			objects = append(objects, object)
		}
	}
}

// The images of `make run`, which another base than that of a release may have given their user.
func TestImagesHaveANumericUser(t *testing.T) {
	deployments, err := kube.AppsV1().Deployments("image-catalog").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, deployments.Items, 3)
	for _, deployment := range deployments.Items {
		assertNumericUser(t, deployment.Spec.Template.Spec.Containers[0].Image)
	}
	tasks, err := tekton.TektonV1().Tasks(demoNamespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, tasks.Items)
	for _, task := range tasks.Items {
		assertNumericUser(t, task.Spec.Steps[0].Image)
	}
}

// assertNumericUser: of a user with a name the kubelet cannot tell that it is not root, and refuses to start it.
func assertNumericUser(t *testing.T, image string) {
	t.Helper()
	ref, err := name.ParseReference(image)
	require.NoError(t, err)
	pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	require.NoError(t, err, image)
	config, err := pulled.ConfigFile()
	require.NoError(t, err, image)
	assert.Regexp(t, `^[1-9][0-9]*(:[0-9]+)?$`, config.Config.User, image)
}
