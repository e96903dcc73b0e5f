package binary

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestKeyChangesWithWhatIsBuilt(t *testing.T) {
	source := t.TempDir()
	writeFile(t, filepath.Join(source, "kube", "go.mod"), "module kube")
	writeFile(t, filepath.Join(source, "kube", "main.go"), "package main")
	components := []component{{Name: "kube", Tags: "a"}}
	keyOf := func(version string, components []component) string {
		key, err := key(source, version, components)
		require.NoError(t, err)
		return key
	}
	first := keyOf("go1.26", components)

	assert.Regexp(t, regexp.MustCompile(`^[0-9a-f]{16}$`), first)
	assert.Equal(t, first, keyOf("go1.26", components), "same input")
	assert.NotEqual(t, first, keyOf("go1.27", components), "Go version")
	assert.NotEqual(t, first, keyOf("go1.26", []component{{Name: "kube", Tags: "b"}}), "build tags")

	writeFile(t, filepath.Join(source, "kube", "main_test.go"), "package main")
	assert.Equal(t, first, keyOf("go1.26", components), "tests are not built")

	writeFile(t, filepath.Join(source, "kube", "main.go"), "package other")
	changed := keyOf("go1.26", components)
	assert.NotEqual(t, first, changed, "a source's content")

	require.NoError(t, os.Rename(filepath.Join(source, "kube", "main.go"), filepath.Join(source, "kube", "moved.go")))
	assert.NotEqual(t, changed, keyOf("go1.26", components), "a source's name")
}

func TestKeySaysWhereToRun(t *testing.T) {
	_, err := key(filepath.Join(t.TempDir(), "absent"), "go1.26", nil)
	assert.ErrorContains(t, err, "go run -C test/cluster . up")
}

func TestLinkerFlagsTakeVersionsFromGoMod(t *testing.T) {
	source := t.TempDir()
	writeFile(t, filepath.Join(source, "kube", "go.mod"), "module kube\n\nrequire example.com/kubernetes v1.35.8\n")

	flags, err := component{Module: "kube", LDFlags: `-X a={{version "example.com/kubernetes"}} -X b={{minor "example.com/kubernetes"}}`}.ldflags(source)
	require.NoError(t, err)
	assert.Equal(t, "-s -w -X a=v1.35.8 -X b=35", flags)

	_, err = component{Module: "kube", LDFlags: `{{version "example.com/other"}}`}.ldflags(source)
	assert.ErrorContains(t, err, "does not require example.com/other")
}

// TestComponents holds the table against the modules beside it.
func TestComponentsArePinned(t *testing.T) {
	for source, components := range map[string][]component{"source": clusterComponents(), "tools": cosignComponents()} {
		for _, c := range components {
			_, err := c.ldflags(filepath.Join("..", "..", source))
			assert.NoError(t, err, c.Name)
		}
	}
}
