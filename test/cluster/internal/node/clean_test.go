package node

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMountsBelowTakesWholeFolderNames(t *testing.T) {
	mounts := `overlay / overlay rw 0 0
overlay /cache/run/node/a overlay rw 0 0
tmpfs /cache/run/node/a/with\040blank tmpfs rw 0 0
tmpfs /cache/run/node-of-another tmpfs rw 0 0
`
	assert.Equal(t, []string{"/cache/run/node/a", "/cache/run/node/a/with blank"}, mountsBelow("/cache/run/node", mounts))
}

func TestDeadSocketsSparesThoseInUse(t *testing.T) {
	used, dead := filepath.Join(t.TempDir(), "used"), filepath.Join(t.TempDir(), "dead")
	listener, err := net.Listen("unix", used)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	gone, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	require.NoError(t, err)
	gone.SetUnlinkOnClose(false)
	require.NoError(t, gone.Close())

	assert.Equal(t, []string{dead}, deadSockets(used, dead, filepath.Join(t.TempDir(), "absent")))
}

func TestSocketPath(t *testing.T) {
	for content, want := range map[string]string{
		"unix:///run/containerd/s/abc\n":                                "/run/containerd/s/abc",
		`{"version":3,"address":"unix:///run/containerd/s/abc","p":""}`: "/run/containerd/s/abc",
		"unix:///run/other.sock":                                        "",
		"":                                                              "",
	} {
		path, found := socketPath(content)
		assert.Equal(t, want != "", found, content)
		if found {
			assert.Equal(t, want, path)
		}
	}
}
