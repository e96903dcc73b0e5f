package verify_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The Task is installed under two names; "make generate" writes the second from the first.
func TestTwinTaskDiffersInItsNameOnly(t *testing.T) {
	original, err := os.ReadFile("../../tasks/catalog-verify/0.1/catalog-verify.yaml")
	require.NoError(t, err)
	twin, err := os.ReadFile("../../tasks/verify/0.1/verify.yaml")
	require.NoError(t, err)

	const name = "\n  name: "
	require.Equal(t, 1, strings.Count(string(original), name+"catalog-verify\n"))
	want := strings.Replace(string(original), name+"catalog-verify\n", name+"verify\n", 1)
	assert.Equal(t, want, string(twin), "run make generate")
}
