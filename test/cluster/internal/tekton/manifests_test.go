package tekton

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/test/cluster/internal/binary"
)

func newTekton(t *testing.T, controller string) Tekton {
	t.Helper()
	dir := t.TempDir()
	for path, content := range map[string]string{
		"version":                          "v1.15.0",
		"config/100-namespace/000.yaml":    "kind: Namespace",
		"config/controller.yaml":           controller,
		"config/config-feature-flags.yaml": `set-security-context: "false"`,
		"config/resolvers/resolvers.yaml":  "kind: NotWanted",
	} {
		path = filepath.Join(dir, "tekton", path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return Tekton{Binaries: binary.Set{Dir: dir}}
}

func TestRenderEditsAndOrders(t *testing.T) {
	tekton := newTekton(t, `image: ko://controller version: "devel" initialDelaySeconds: 5 periodSeconds: 10`)
	manifests, err := tekton.render(map[string]string{"ko://controller": "registry/controller:1"})
	require.NoError(t, err)
	assert.Equal(t, `---
kind: Namespace
---
set-security-context: "true"
---
image: registry/controller:1 version: "v1.15.0" initialDelaySeconds: 1 periodSeconds: 1
`, string(manifests))
}

func TestRenderRefusesManifestsThatAnEditDoesNotFit(t *testing.T) {
	tekton := newTekton(t, `version: "devel" initialDelaySeconds: 5 periodSeconds: 10`)
	_, err := tekton.render(map[string]string{"ko://controller": "registry/controller:1"})
	assert.ErrorContains(t, err, `no longer contain "ko://controller"`)
}
