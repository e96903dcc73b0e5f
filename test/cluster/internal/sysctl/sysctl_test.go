package sysctl

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSettings stands on a folder that has the shape of /proc/sys.
func newSettings(t *testing.T) Settings {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "net"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "net", "forward"), []byte("0\n"), 0o644))
	return Settings{File: filepath.Join(t.TempDir(), "saved.json"), Root: root}
}

func value(t *testing.T, s Settings, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Root, name))
	require.NoError(t, err)
	return string(content)
}

func TestRestoreAfterASecondSaveGivesTheFirstValues(t *testing.T) {
	s := newSettings(t)
	require.NoError(t, s.Save("net/forward", "not/in/this/kernel"))
	require.NoError(t, s.Set("net/forward", "1"))
	require.NoError(t, s.Save("net/forward"), "as a second up does")
	require.NoError(t, s.Restore())
	assert.Equal(t, "0", value(t, s, "net/forward"))
}

func TestRestoreWithoutSaveChangesNothing(t *testing.T) {
	s := newSettings(t)
	require.NoError(t, s.Restore())
	assert.Equal(t, "0\n", value(t, s, "net/forward"))
}
