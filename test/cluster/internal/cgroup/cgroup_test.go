package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	version1 = `cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
`
	hybrid = version1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
	// systemd's named tree has no controllers.
	version2 = `cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0
`
)

func TestFindTellsTheVersions(t *testing.T) {
	for name, test := range map[string]struct {
		mounts string
		want   Group
	}{
		"version 1":          {version1, Group{roots: []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory"}, memory: "/sys/fs/cgroup/memory"}},
		"both":               {hybrid, Group{roots: []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"}, memory: "/sys/fs/cgroup/memory"}},
		"version 2, systemd": {version2, Group{roots: []string{"/sys/fs/cgroup"}, memory: "/sys/fs/cgroup", unified: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := find("g", test.mounts)
			require.NoError(t, err)
			test.want.name = "g"
			assert.Equal(t, test.want, got)
		})
	}
}

func TestFindSaysWhatToMount(t *testing.T) {
	_, err := find("g", "proc /proc proc rw 0 0\n")
	assert.ErrorIs(t, err, ErrNone)
	assert.ErrorContains(t, err, "mount cgroup2")
}

// TestVersion2HandsControllersDown stands on plain files: what they are given
// is what the kernel would be told.
func TestVersion2HandsControllersDown(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{root, filepath.Join(root, "g")} {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "cgroup.controllers"), []byte("memory\n"), 0o644))
	}
	group := Group{name: "g", roots: []string{root}, memory: root, unified: true}
	require.NoError(t, group.Create())
	_, err := group.Leaf("control-plane", 1<<30)
	require.NoError(t, err)

	for path, want := range map[string]string{
		"cgroup.subtree_control":     "+memory",
		"g/cgroup.subtree_control":   "+memory",
		"g/control-plane/memory.max": "1073741824",
	} {
		content, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		assert.Equal(t, want, string(content), path)
	}
}
