package registry

import (
	"cmp"
	"encoding/json"
	"mime"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// document is a decoded manifest or index: exactly one of the two is set.
type document struct {
	mediaType types.MediaType
	image     *imageManifest
	index     *indexManifest
}

// present notes that a field is there, whatever is in it.
type present bool

// UnmarshalJSON implements json.Unmarshaler.
func (p *present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}

// decode reads a manifest or index. One that could be read as both is refused: two readers of the same digest would
// see two images (CVE-2021-41190, OCI image specification 1.0.2).
func decode(contentType string, body []byte) (*document, error) {
	var outline struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests present         `json:"manifests"`
		Config    present         `json:"config"`
		Layers    present         `json:"layers"`
	}
	if err := json.Unmarshal(body, &outline); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	mediaType, err := agree(contentType, outline.MediaType)
	if err != nil {
		return nil, err
	}
	if outline.Manifests && (outline.Config || outline.Layers) {
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
	var index indexManifest
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	err := cmp.Or(
		checkName("artifactType", index.ArtifactType),
		checkParts("manifests", index.Manifests),
		index.Annotations.check("annotations"),
	)
	return &document{mediaType: mediaType, index: &index}, err
}

func decodeImage(mediaType types.MediaType, body []byte) (*document, error) {
	var image imageManifest
	if err := json.Unmarshal(body, &image); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	err := cmp.Or(
		checkName("artifactType", image.ArtifactType),
		checkParts("layers", image.Layers),
		image.Config.check("config"),
		image.Annotations.check("annotations"),
	)
	return &document{mediaType: mediaType, image: &image}, err
}

func decodeConfig(body []byte) (*configuration, error) {
	var config configuration
	if err := json.Unmarshal(body, &config); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	return &config, cmp.Or(config.check(""), config.Config.Labels.check("labels"))
}
