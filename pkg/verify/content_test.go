package verify

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

// A registry that sends half a blob and then nothing more does not hold the run up until its own timeout.
func TestReadGivesUpOnAHungRegistry(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return
		}
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	repository, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/acme/os")
	require.NoError(t, err)
	blobs, err := registry.New().Blobs(t.Context(), repository, nil)
	require.NoError(t, err)

	p := &progress{log: io.Discard, limit: 50 * time.Millisecond, shown: time.Now()}
	err = read(t.Context(), blobs, registry.Blob{Digest: digestA, SizeBytes: 8}, p, make([]byte, bufferBytes))

	var found *finding
	require.True(t, errors.As(err, &found), err)
	assert.Equal(t, Undecided, found.outcome)
	assert.Contains(t, err.Error(), "no more bytes arrive")
	assert.Equal(t, int64(len("half")), p.read)
}
