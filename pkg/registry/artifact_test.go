package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/registry"
)

const note = types.MediaType("application/vnd.acme.note")

// notes is an artifact with a layer for each text, annotated with its number.
func notes(t *testing.T, texts ...string) v1.Image {
	t.Helper()
	artifact := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for i, text := range texts {
		var err error
		artifact, err = mutate.Append(artifact, mutate.Addendum{
			Layer: static.NewLayer([]byte(text), note), Annotations: map[string]string{"n": fmt.Sprint(i)},
		})
		require.NoError(t, err)
	}
	return artifact
}

func TestArtifact(t *testing.T) {
	s := newServer(t)
	artifact := notes(t, "one", "two", "one")
	s.push("acme/os:note", artifact)
	digest := digestOf(t, artifact)
	for _, reference := range []string{"acme/os:note", "acme/os@" + digest} {
		s.inject(nil)
		got, err := newClient().Artifact(t.Context(), s.ref(reference), nil)
		require.NoError(t, err)
		assert.Equal(t, &registry.Artifact{Digest: digest, Layers: []registry.ArtifactLayer{
			{MediaType: string(note), Annotations: map[string]string{"n": "0"}, Content: []byte("one")},
			{MediaType: string(note), Annotations: map[string]string{"n": "1"}, Content: []byte("two")},
			{MediaType: string(note), Annotations: map[string]string{"n": "2"}, Content: []byte("one")},
		}}, got)
		assert.Len(t, s.log(), 4, "ping, manifest, and each distinct layer once: %s", s.log())
	}
}

func TestArtifactReasons(t *testing.T) {
	s := newServer(t)
	s.push("acme/os:note", notes(t, "one", "two"))
	s.pushIndex("acme/os:index", indexOfTwo(t, "one", "two"))
	s.push("acme/os:large", notes(t, strings.Repeat("x", registry.MaxArtifactBytes), "y"))
	s.push("acme/os:most", notes(t, strings.Repeat("x", registry.MaxArtifactBytes)))
	several := make([]written, registry.MaxArtifactLayers+1)
	descriptors := make([]string, len(several))
	for i := range several {
		several[i] = written(fmt.Sprint(i))
		descriptors[i] = several[i].descriptor(note, "")
	}
	layers := func(count int) faults {
		manifest := imageOf(several[0], `,"layers":[`+strings.Join(descriptors[:count], ",")+`]`)
		return hold(append([]written{manifest}, several...)...)
	}

	gone := only(status(http.StatusNotFound, "BLOB_UNKNOWN"), "/blobs/")
	layer := func(size int) string {
		return fmt.Sprintf(`{"mediaType":"a/b","digest":"sha256:%064d","size":%d}`, 1, size)
	}
	raw := func(manifest string) faults { return only(body(types.OCIManifestSchema1, manifest), "/manifests/") }
	const config = `"config":{"mediaType":"a/b","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2}`
	for title, test := range map[string]struct {
		tag    string
		faults faults
		reason registry.Reason
	}{
		"none":               {"absent", nil, registry.NotFound},
		"index":              {"index", nil, registry.Malformed},
		"as large as can be": {"most", nil, ""},
		"too large":          {"large", nil, registry.TooLarge},
		"as many as can be":  {"1", layers(registry.MaxArtifactLayers), ""},
		"too many":           {"1", layers(registry.MaxArtifactLayers + 1), registry.TooLarge},
		"layer gone":         {"note", gone, registry.Incomplete},
		"layer changed":      {"note", only(body("a/b", "One"), "/blobs/"), registry.DigestMismatch},
		"no access":          {"note", only(status(http.StatusForbidden, "DENIED"), "/blobs/"), registry.Forbidden},
		"no manifest":        {"note", raw(`{`), registry.Malformed},
		"two sizes":          {"note", raw(`{` + config + `,"layers":[` + layer(1) + `,` + layer(2) + `]}`), registry.Malformed},
		"no digest":          {"note", raw(`{` + config + `,"layers":[{"mediaType":"a/b","size":1}]}`), registry.Malformed},
	} {
		t.Run(title, func(t *testing.T) {
			s.inject(test.faults)
			_, err := newClient().Artifact(t.Context(), s.ref("acme/os:"+test.tag), nil)
			assert.Equal(t, test.reason, registry.ReasonOf(err), err)
		})
	}
}
