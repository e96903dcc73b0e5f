package registry

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecodeMediaType(t *testing.T) {
	const oci = "application/vnd.oci.image.manifest.v1+json"
	manifest := `{"config":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}}`
	named := `{"mediaType":"` + oci + `",` + manifest[1:]
	for title, test := range map[string]struct{ header, body string }{
		"header alone":           {oci, manifest},
		"header with parameters": {oci + "; charset=utf-8", manifest},
		"both":                   {oci, named},
		"vague header":           {"application/octet-stream", named},
		"no header":              {"", named},
	} {
		doc, err := decode(test.header, []byte(test.body))
		require.NoError(t, err, title)
		assert.Equal(t, types.OCIManifestSchema1, doc.mediaType, title)
		assert.NotNil(t, doc.image, title)
	}
}

// Whatever a registry sends, decoding ends, in a document whose parts have digests and possible sizes, or in a fault.
func FuzzDecode(f *testing.F) {
	f.Add(string(types.OCIManifestSchema1), []byte(`{"config":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2},"layers":[]}`))
	f.Add(string(types.OCIImageIndex), []byte(`{"manifests":[{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2,"platform":{"os":"linux","architecture":"arm64"}}]}`))
	f.Add("", []byte(`{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		doc, err := decode(contentType, body)
		if err != nil {
			assert.Contains(t, []Reason{Malformed, TooLarge}, reasonFor(err))
			return
		}
		require.NotEqual(t, doc.image == nil, doc.index == nil, "one of the two")
		if doc.index != nil {
			assert.NoError(t, checkParts("manifests", doc.index.Manifests))
			assert.LessOrEqual(t, len(doc.index.Annotations), MaxFacts)
			return
		}
		img := summary(v1.Hash{}, doc.image, nil)
		assert.GreaterOrEqual(t, img.size, int64(0))
		assert.LessOrEqual(t, img.layers, MaxLayers)
		assert.LessOrEqual(t, len(img.artifactType), MaxNameBytes)
		assert.LessOrEqual(t, len(doc.image.Annotations), MaxFacts)
	})
}

func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte(`{"os":"linux","architecture":"arm64","created":"2026-03-01T12:00:00Z","config":{"Labels":{"a":"b"}}}`))
	f.Add([]byte(`{"created":"never"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		config, err := decodeConfig(body)
		if err != nil {
			assert.Contains(t, []Reason{Malformed, TooLarge}, reasonFor(err))
			return
		}
		assert.NoError(t, config.check(""))
		assert.LessOrEqual(t, len(config.Config.Labels), MaxFacts)
		one := summary(v1.Hash{}, &imageManifest{}, config)
		assert.Equal(t, len(config.Config.Labels), len(commonLabels([]*image{one, one})))
	})
}
