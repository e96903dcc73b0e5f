package registry

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// MaxArtifactBytes is how much of an artifact's layers together Artifact reads. Signatures have kilobytes.
	MaxArtifactBytes = 1 << 20
	// MaxArtifactLayers is how many distinct layers it reads, each with a request. Under the tag of cosign's older signatures
	// there is one for each signature.
	MaxArtifactLayers = 128
)

// Artifact is a small artifact as a whole, for example a signature. Several callers may have the same one, so it is not to
// be changed.
type Artifact struct {
	// Digest of the manifest, computed from its bytes.
	Digest string
	// Layers in the manifest's order, with what is in them.
	Layers []ArtifactLayer
}

// ArtifactLayer is a layer of an artifact.
type ArtifactLayer struct {
	// MediaType as the manifest says.
	MediaType string
	// Annotations of the layer, without those longer than MaxFactBytes.
	Annotations map[string]string
	// Content has the digest that the manifest says.
	Content []byte
}

type artifactManifest struct {
	Layers list[annotated] `json:"layers"`
}

// annotated is a descriptor whose annotations matter.
type annotated struct {
	descriptor
	Annotations facts `json:"annotations"`
}

func (a *annotated) check(field string) error {
	return cmp.Or(a.descriptor.check(field), a.Annotations.check(field+".annotations"))
}

// Artifact reads the manifest that the reference names and the content of its layers: all of it, or the error TooLarge. It
// costs a request for the manifest and one for each distinct layer; that there is nothing is confirmed. The error is an
// *Error.
func (c *Client) Artifact(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*Artifact, error) {
	return look(ctx, c, &c.artifacts, ref, keychain, func(ctx context.Context, s *session) (*Artifact, error) {
		m, err := s.found(ctx, ref)
		if err != nil {
			return nil, err
		}
		layers, err := decodeArtifact(m.mediaType, m.body)
		if err != nil {
			return nil, s.failure(ref.Name(), err)
		}
		artifact := &Artifact{Digest: m.digest.String()}
		contents := map[v1.Hash][]byte{}
		for i := range layers {
			content, err := s.content(ctx, &layers[i], contents)
			if err != nil {
				return nil, err
			}
			artifact.Layers = append(artifact.Layers, ArtifactLayer{
				MediaType: string(layers[i].MediaType), Annotations: layers[i].Annotations, Content: content,
			})
		}
		return artifact, nil
	})
}

// content reads a layer, unless it is among those that were read.
func (s *session) content(ctx context.Context, layer *annotated, contents map[v1.Hash][]byte) ([]byte, error) {
	if known, ok := contents[layer.Digest]; ok {
		return known, nil
	}
	blob, err := s.blob(ctx, layer.Digest, layer.Size)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	content, err := readBounded(blob, MaxArtifactBytes)
	if err == nil {
		contents[layer.Digest] = content
	}
	return content, err
}

// decodeArtifact gives the layers, when all of them may be read.
func decodeArtifact(contentType string, body []byte) ([]annotated, error) {
	doc, err := decode(contentType, body)
	if err != nil {
		return nil, err
	}
	if doc.index != nil {
		return nil, faultf(Malformed, "it is an index, and no artifact")
	}
	var manifest artifactManifest
	if err := json.Unmarshal(body, &manifest); err != nil {
		return nil, faultf(Malformed, "%v", err)
	}
	sizes, total := map[v1.Hash]int64{}, int64(0)
	for i := range manifest.Layers {
		layer := &manifest.Layers[i]
		if err := layer.check("layer"); err != nil {
			return nil, err
		}
		if size, ok := sizes[layer.Digest]; ok && size != layer.Size {
			return nil, faultf(Malformed, "it gives two sizes for one layer")
		} else if !ok {
			sizes[layer.Digest], total = layer.Size, total+layer.Size
		}
	}
	if len(sizes) > MaxArtifactLayers {
		return nil, faultf(TooLarge, "more than %d layers", MaxArtifactLayers)
	}
	if total > MaxArtifactBytes {
		return nil, faultf(TooLarge, "its layers have %d bytes, and %d MiB is the most", total, MaxArtifactBytes>>20)
	}
	return manifest.Layers, nil
}
