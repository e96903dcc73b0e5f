package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriteReplacesAndLeavesNoDrafts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "file")
	require.NoError(t, Write(path, []byte("one"), 0o600))
	require.NoError(t, Write(path, []byte("two"), 0o600))

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "two", string(content))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path, func() { assert.Fail(t, "nobody holds it") })
	require.NoError(t, err)

	waits, got := make(chan struct{}), make(chan error)
	go func() {
		unlock, err := Lock(t.Context(), path, func() { close(waits) })
		if err == nil {
			unlock()
		}
		got <- err
	}()
	<-waits
	unlock()
	assert.NoError(t, <-got)
}

func TestNamesDifferBetweenDirectories(t *testing.T) {
	assert.Regexp(t, `^image-catalog-[0-9a-f]{8}$`, Dir("/a").Name())
	assert.NotEqual(t, Dir("/a").Name(), Dir("/b").Name())
}

func TestSameBootStampsOnce(t *testing.T) {
	dir := Dir(t.TempDir())
	for range 2 {
		same, err := dir.SameBoot()
		require.NoError(t, err)
		assert.True(t, same)
	}
	require.NoError(t, os.WriteFile(dir.File("boot-id"), []byte("another"), 0o644))
	same, err := dir.SameBoot()
	require.NoError(t, err)
	assert.False(t, same)
}
