package registry_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

func TestBlobs(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "content"))
	d, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)
	top := d.Blobs[2]
	gone := registry.Blob{Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000", SizeBytes: 1}

	send := func(text string) faults { return only(body("application/octet-stream", text), "blobs") }
	cut := only(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", "7")
		_, _ = io.WriteString(w, "con")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, "blobs")
	tests := map[string]struct {
		faults faults
		blob   registry.Blob
		reason registry.Reason
	}{
		"whole":      {nil, top, ""},
		"altered":    {send("Content"), top, registry.DigestMismatch},
		"longer":     {send("content!"), top, registry.DigestMismatch},
		"shorter":    {send("conten"), top, registry.DigestMismatch},
		"cut off":    {cut, top, registry.RegistryUnavailable},
		"gone":       {nil, gone, registry.Incomplete},
		"no digest":  {nil, registry.Blob{Digest: "latest"}, registry.Malformed},
		"server sad": {only(status(500, "UNKNOWN"), "blobs"), top, registry.RegistryUnavailable},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			blobs, err := newClient().Blobs(context.Background(), s.ref("acme/os:1").Context(), nil)
			require.NoError(t, err)
			content, err := readBlob(blobs, test.blob)
			assert.Equal(t, test.reason, registry.ReasonOf(err))
			if test.reason == "" {
				require.NoError(t, err)
				assert.Equal(t, "content", string(content))
			}
		})
	}
}

func readBlob(blobs *registry.Blobs, blob registry.Blob) ([]byte, error) {
	content, err := blobs.Open(context.Background(), blob)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func TestRedirects(t *testing.T) {
	store := newServer(t)
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "content"))
	store.push("acme/os:1", newImage(t, "content"))
	s.inject(only(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://"+store.host+r.URL.Path+"?signature=hunter2", http.StatusTemporaryRedirect)
		return true
	}, "blobs"))
	leaked := false
	store.inject(func(_ http.ResponseWriter, r *http.Request) bool {
		leaked = leaked || r.Header.Get("Authorization") != ""
		return false
	})
	_, err := newClient().Describe(context.Background(), s.ref("acme/os:1"), password{})
	require.NoError(t, err, "blobs may live elsewhere")
	assert.Len(t, store.log(), 1)
	assert.False(t, leaked, "credentials stay with their host")

	store.inject(status(403, "EXPIRED"))
	_, err = describe(s.ref("acme/os:1"))
	assert.Equal(t, registry.Forbidden, registry.ReasonOf(err))
	assert.NotContains(t, err.Error(), "hunter2", "nor does a signed URL get into a message")
}
