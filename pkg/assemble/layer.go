package assemble

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// rootLayer is a root file system in a registry, seen as a layer of an image.
type rootLayer struct {
	v1.Layer
	size   int64
	diffID v1.Hash
}

var _ v1.Layer = rootLayer{}

// Size implements v1.Layer. The artifact's manifest gives it, so the registry is not asked.
func (l rootLayer) Size() (int64, error) { return l.size, nil }

// DiffID implements v1.Layer.
func (l rootLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// MediaType implements v1.Layer.
func (l rootLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// openRootLayer reads the blob once as a stream. The reader compares what comes with the blob's digest, so a DiffID
// is never taken from content that is not the content asked for.
func openRootLayer(ctx context.Context, puller *remote.Puller, blob name.Digest, size int64) (v1.Layer, error) {
	layer, err := puller.Layer(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", blob, err)
	}
	diffID, err := hashUncompressed(layer)
	if err != nil {
		return nil, fmt.Errorf("reading the root file system %s: %w", blob, err)
	}
	return &remote.MountableLayer{
		Layer:     rootLayer{Layer: layer, size: size, diffID: diffID},
		Reference: blob,
	}, nil
}

// hashUncompressed gives the DiffID: OCI image-spec, config.md, "Layer DiffID".
func hashUncompressed(layer partial.CompressedLayer) (v1.Hash, error) {
	blob, err := layer.Compressed()
	if err != nil {
		return v1.Hash{}, err
	}
	defer blob.Close()
	archive, err := gzip.NewReader(blob)
	if err != nil {
		return v1.Hash{}, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, archive); err != nil { //nolint:gosec // nothing is kept; the time is bounded by the run's
		return v1.Hash{}, err
	}
	// The end of the blob lies beyond the end of the archive; only there is the blob's own digest compared.
	if _, err := io.Copy(io.Discard, blob); err != nil {
		return v1.Hash{}, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}, nil
}
