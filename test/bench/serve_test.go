package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serving runs a server process's life in this process and gives its URL. The returned function ends its input.
func serving(t *testing.T, args ...string) (string, func() error) {
	t.Helper()
	in, hold := io.Pipe()
	out, said := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { ended <- serve(ctx, args, in, said) }()
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return "http://" + strings.TrimSpace(address), func() error {
		require.NoError(t, hold.Close())
		return <-ended
	}
}

func TestTheCatalogServesItsEntriesUntilItsInputEnds(t *testing.T) {
	base, end := serving(t, "-entries", "100")
	for target, total := range map[string]int{
		"/v1/images": 100,
		"/v1/images?architecture=arm64&target=raspberry-pi": 20,
	} {
		a, err := fetch(t.Context(), base+target)
		require.NoError(t, err)
		var page struct {
			Items []json.RawMessage `json:"items"`
			Total int               `json:"total"`
		}
		require.NoError(t, json.Unmarshal(a.body, &page))
		assert.Len(t, page.Items, 20, target)
		assert.Equal(t, total, page.Total, target)
	}
	assert.NoError(t, end())
}

func TestTheStaticHandlerSendsTheSameBytesAndHeader(t *testing.T) {
	catalog, endCatalog := serving(t, "-entries", "100")
	static, endStatic := serving(t, "-copy", catalog+"/v1/images")
	original, err := fetch(t.Context(), catalog+"/v1/images")
	require.NoError(t, err)
	copied, err := fetch(t.Context(), static+"/anything")
	require.NoError(t, err)
	assert.True(t, original.equal(copied))
	assert.NotEmpty(t, copied.header.Get("Link"))

	other, err := fetch(t.Context(), catalog+"/v1/images?limit=1")
	require.NoError(t, err)
	assert.False(t, original.equal(other))
	assert.NoError(t, endStatic())
	assert.NoError(t, endCatalog())
}

func TestAServerThatCannotBeginSaysWhy(t *testing.T) {
	catalog, end := serving(t, "-entries", "1")
	err := serve(t.Context(), []string{"-copy", catalog + "/nothing"}, strings.NewReader(""), io.Discard)
	assert.ErrorContains(t, err, "copying an answer: GET "+catalog+"/nothing: 404 Not Found")
	assert.NoError(t, end())
}
