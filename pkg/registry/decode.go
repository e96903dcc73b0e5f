package registry

import (
	"bytes"
	"encoding/json"
	"mime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// MaxLayers is how many layers a manifest may have. Container runtimes stop at about 128; artifacts may have more files.
const MaxLayers = 4096

// document is a decoded manifest or index: exactly one of the two is set.
type document struct {
	mediaType types.MediaType
	image     *v1.Manifest
	index     *v1.IndexManifest
}

// decode reads a manifest or index. One that could be read as both is refused: two readers of the same digest would
// see two images (CVE-2021-41190, OCI image specification 1.0.2).
func decode(contentType string, body []byte) (*document, error) {
	var outline struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Config    json.RawMessage `json:"config"`
		Layers    json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(body, &outline); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	mediaType, err := agree(contentType, outline.MediaType)
	if err != nil {
		return nil, err
	}
	if outline.Manifests != nil && (outline.Config != nil || outline.Layers != nil) {
		return nil, faultf(Malformed, "it has both the manifests of an index and the layers of an image")
	}
	if mediaType.IsIndex() {
		return decodeIndex(mediaType, body)
	}
	return decodeImage(mediaType, body)
}

// agree finds the media type from the answer's header and the document's own field, which may be missing in OCI's and
// must not differ.
func agree(contentType string, own types.MediaType) (types.MediaType, error) {
	parsed, _, err := mime.ParseMediaType(contentType)
	header := types.MediaType(parsed)
	headerKnown := err == nil && (header.IsImage() || header.IsIndex())
	switch {
	case headerKnown && own != "" && own != header:
		return "", faultf(Malformed, "the registry calls it %s, it calls itself %.80q", header, string(own))
	case headerKnown:
		return header, nil
	case own.IsImage() || own.IsIndex():
		return own, nil
	default:
		return "", faultf(Malformed, "the media type %.80q is neither an image's nor an index's", contentType)
	}
}

func decodeIndex(mediaType types.MediaType, body []byte) (*document, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(body))
	if err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	return &document{mediaType: mediaType, index: index}, checkDescriptors(index.Manifests)
}

func decodeImage(mediaType types.MediaType, body []byte) (*document, error) {
	image, err := v1.ParseManifest(bytes.NewReader(body))
	if err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	if len(image.Layers) > MaxLayers {
		return nil, faultf(TooLarge, "more than %d layers", MaxLayers)
	}
	if err := checkDescriptors([]v1.Descriptor{image.Config}); err != nil {
		return nil, err
	}
	return &document{mediaType: mediaType, image: image}, checkDescriptors(image.Layers)
}

// checkDescriptors demands of each part a digest and a possible size, so that sums of sizes cannot overflow: 2^21
// parts of the largest size would be needed, and MaxManifests times MaxLayers is the most there are.
func checkDescriptors(descriptors []v1.Descriptor) error {
	const maxSize = 1 << 42 // 4 TiB
	for _, d := range descriptors {
		if d.Digest.Hex == "" {
			return faultf(Malformed, "a part of it has no digest")
		}
		if d.Size < 0 || d.Size > maxSize {
			return faultf(Malformed, "its part %s cannot have %d bytes", d.Digest, d.Size)
		}
	}
	return nil
}

func decodeConfig(body []byte) (*v1.ConfigFile, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(body))
	if err != nil {
		return nil, faultf(Malformed, "its configuration: %v", err)
	}
	return config, nil
}
