package result_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/result"
)

func TestWrite(t *testing.T) {
	path := t.TempDir()
	dir := result.NewDir(path)

	require.NoError(t, dir.Write("VERIFIED", "false"))
	require.NoError(t, dir.Write("VERIFIED", "true"))
	require.NoError(t, dir.WriteObject("CATALOG_ARTIFACT_INPUTS", map[string]string{"uri": "a.io/b", "digest": "sha256:12"}))

	assert.Equal(t, "true", read(t, path, "VERIFIED"))
	assert.JSONEq(t, `{"uri":"a.io/b","digest":"sha256:12"}`, read(t, path, "CATALOG_ARTIFACT_INPUTS"))
	files, err := os.ReadDir(path)
	require.NoError(t, err)
	assert.Len(t, files, 2, "nothing but the results is left behind")
	info, err := files[1].Info()
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm(), "a sidecar of another user reads them")
}

func TestWriteKeepsTheBudget(t *testing.T) {
	path := t.TempDir()
	dir := result.NewDir(path)
	require.NoError(t, dir.Write("NOTE", strings.Repeat("x", result.Budget-len("NOTE"))), "the budget can be used to the last byte")

	err := dir.Write("REASON", "y")
	require.ErrorIs(t, err, result.ErrTooLong)
	assert.Contains(t, err.Error(), "REASON")
	assert.NoFileExists(t, filepath.Join(path, "REASON"))

	require.NoError(t, dir.Write("NOTE", "short"), "a replaced value gives its bytes back")
	require.NoError(t, dir.Write("REASON", "y"))
}

func TestWriteErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	err := result.NewDir(missing).Write("REASON", "y")
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Contains(t, err.Error(), "writing result REASON")

	for _, name := range []string{"", "../REASON", "a/b"} {
		assert.ErrorContains(t, result.NewDir(t.TempDir()).Write(name, "y"), "no name of a result", "name %q", name)
	}
}

func TestClip(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"aéééé", 7, "aé…"},
		{"longer", 2, "…"},
	}
	for _, test := range tests {
		got := result.Clip(test.text, test.limit)
		assert.Equal(t, test.want, got)
		assert.True(t, utf8.ValidString(got))
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(content)
}
