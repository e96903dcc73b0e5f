package kube

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/test/cluster/internal/pki"
)

func TestPortsDifferAndAreRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	ports, err := EnsurePorts(file)
	require.NoError(t, err)
	assert.Len(t, map[int]bool{ports.APIServer: true, ports.EtcdClient: true, ports.EtcdPeer: true}, 3)

	again, err := EnsurePorts(file)
	require.NoError(t, err)
	assert.Equal(t, ports, again)
}

func TestKubeconfigIsForItsOwnerOnly(t *testing.T) {
	keys := pki.Dir(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, keys.Ensure(Leaves("127.0.0.1", "10.96.0.1", "node")))
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, WriteKubeconfig(file, "https://127.0.0.1:6443", keys, "admin"))

	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(content), "server: https://127.0.0.1:6443\n")
	assert.NotContains(t, string(content), "<no value>")
}

func TestRenderRefusesUnknownValues(t *testing.T) {
	_, err := Render("file", "{{.Absent}}", map[string]string{})
	assert.ErrorContains(t, err, "fill template file")
}
