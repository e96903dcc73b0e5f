package kube

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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

func TestTheAPIServerOfBothTiersAudits(t *testing.T) {
	for _, full := range []bool{false, true} {
		plane := ControlPlane{Dir: t.TempDir(), Full: full}
		require.NoError(t, plane.Configure())
		server := plane.APIServer()
		assert.Contains(t, server.Args, "--audit-log-path="+AuditLog(plane.Dir))
		assert.Contains(t, server.Inputs, plane.AuditPolicy(), "a changed policy makes a running server stale")

		content, err := os.ReadFile(plane.AuditPolicy())
		require.NoError(t, err)
		assert.Contains(t, string(content), `userGroups: ["system:serviceaccounts:image-catalog"]`)
	}
}

func TestTheAPIServerOfBothTiersGuardsOwners(t *testing.T) {
	for _, full := range []bool{false, true} {
		plugins := slices.IndexFunc(ControlPlane{Full: full}.APIServer().Args, func(arg string) bool {
			return strings.HasPrefix(arg, "--enable-admission-plugins=") && strings.Contains(arg, "OwnerReferencesPermissionEnforcement")
		})
		assert.GreaterOrEqual(t, plugins, 0)
	}
}

func TestRenderRefusesUnknownValues(t *testing.T) {
	_, err := Render("file", "{{.Absent}}", map[string]string{})
	assert.ErrorContains(t, err, "fill template file")
}
