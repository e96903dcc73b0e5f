package registry_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

func TestHead(t *testing.T) {
	image := newImage(t, "one")
	raw, err := image.RawManifest()
	require.NoError(t, err)
	want := registry.Descriptor{Digest: digestOf(t, image), MediaType: string(types.OCIManifestSchema1), SizeBytes: int64(len(raw))}
	noDigest := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		return true
	}
	const ping, head, get = "GET /v2/", "HEAD /v2/acme/os/manifests/1", "GET /v2/acme/os/manifests/1"
	tests := map[string]struct {
		faults   faults
		requests []string
	}{
		"one request":        {nil, []string{ping, head}},
		"HEAD refused":       {only(status(405, "UNSUPPORTED"), "HEAD"), []string{ping, head, get}},
		"HEAD says 404":      {only(status(404, "NAME_UNKNOWN"), "HEAD"), []string{ping, head, get}},
		"HEAD has no digest": {only(noDigest, "HEAD"), []string{ping, head, get}},
	}
	s := newServer(t)
	s.push("acme/os:1", image)
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			got, err := newClient().Head(context.Background(), s.ref("acme/os:1"), nil)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.Equal(t, test.requests, s.log())
		})
	}
}

// A header is the word of a registry, or of a proxy that has changed what the registry sent.
func TestTheDigestIsThatOfTheBytes(t *testing.T) {
	s := newServer(t)
	image := newImage(t, "one")
	raw, err := image.RawManifest()
	require.NoError(t, err)
	s.push("acme/os:1", image)
	s.inject(only(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		w.Header().Set("Docker-Content-Digest", written("something else").digest())
		_, _ = w.Write(raw)
		return true
	}, "GET /v2/acme/os/manifests/1"))
	got, err := describe(s.ref("acme/os:1"))
	require.NoError(t, err)
	assert.Equal(t, digestOf(t, image), got.Digest)
}

func TestHeadErrors(t *testing.T) {
	tests := map[string]struct {
		faults   faults
		reason   registry.Reason
		requests int
	}{
		"gone":         {only(status(404, "MANIFEST_UNKNOWN"), "manifests"), registry.NotFound, 3},
		"unauthorized": {only(status(401, "UNAUTHORIZED"), "manifests"), registry.Unauthorized, 2},
		"forbidden":    {only(status(403, "DENIED"), "manifests"), registry.Forbidden, 2},
		"throttled":    {only(status(429, "TOOMANYREQUESTS"), "manifests"), registry.Throttled, 2},
		"down":         {only(status(500, "UNKNOWN"), "manifests"), registry.RegistryUnavailable, 4},
	}
	s := newServer(t)
	s.push("acme/os:1", newImage(t, "one"))
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			_, err := newClient().Head(context.Background(), s.ref("acme/os:1"), nil)
			assert.Equal(t, test.reason, registry.ReasonOf(err))
			assert.Len(t, s.log(), test.requests)
		})
	}
}
