package assemble

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// RootFSArtifactType marks a manifest whose layers are root file systems.
	RootFSArtifactType = "application/vnd.imagecatalog.rootfs.v1"
	// PlatformAnnotation on a layer of such a manifest says what the root file system runs on, for example linux/arm64/v8.
	PlatformAnnotation = "imagecatalog.dev/platform"

	titleAnnotation = "org.opencontainers.image.title"

	// The configuration of an artifact that has none: OCI image-spec v1.1, "Guidance for an Empty Descriptor".
	emptyMediaType = "application/vnd.oci.empty.v1+json"
	emptyContent   = "{}"
)

// RootFS is a root file system on disk.
type RootFS struct {
	// Platform that it runs on.
	Platform v1.Platform
	// Path of the tar archive, compressed with gzip.
	Path string
}

// PushRootFS puts root file systems into a registry as one OCI artifact, the input of a build. The files are
// streamed; those that the registry has already are not sent again.
func PushRootFS(ctx context.Context, ref name.Reference, files []RootFS, options ...remote.Option) (name.Digest, error) {
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return name.Digest{}, fmt.Errorf("preparing to push: %w", err)
	}
	config := static.NewLayer([]byte(emptyContent), emptyMediaType)
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  RootFSArtifactType,
	}
	if manifest.Config, err = upload(ctx, pusher, ref, config); err != nil {
		return name.Digest{}, err
	}
	for _, file := range files {
		layer, err := tarball.LayerFromFile(file.Path, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return name.Digest{}, fmt.Errorf("reading the root file system %s: %w", file.Path, err)
		}
		descriptor, err := upload(ctx, pusher, ref, layer)
		if err != nil {
			return name.Digest{}, err
		}
		descriptor.Annotations = map[string]string{
			titleAnnotation:    path.Base(file.Path),
			PlatformAnnotation: file.Platform.String(),
		}
		manifest.Layers = append(manifest.Layers, descriptor)
	}
	return put(ctx, pusher, ref, manifest)
}

// upload sends one blob and describes it as a manifest refers to it.
func upload(ctx context.Context, pusher *remote.Pusher, ref name.Reference, layer v1.Layer) (v1.Descriptor, error) {
	if err := pusher.Upload(ctx, ref.Context(), layer); err != nil {
		return v1.Descriptor{}, fmt.Errorf("uploading to %s: %w", ref.Context(), err)
	}
	descriptor, err := partial.Descriptor(layer)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("describing what was uploaded to %s: %w", ref.Context(), err)
	}
	return *descriptor, nil
}

func put(ctx context.Context, pusher *remote.Pusher, ref name.Reference, manifest v1.Manifest) (name.Digest, error) {
	content, err := json.Marshal(manifest)
	if err != nil {
		return name.Digest{}, fmt.Errorf("encoding the manifest: %w", err)
	}
	if err := pusher.Put(ctx, ref, artifact(content)); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", ref, err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return name.Digest{}, fmt.Errorf("hashing the manifest: %w", err)
	}
	return ref.Context().Digest(digest.String()), nil
}

// artifact is an OCI manifest to be stored byte for byte.
type artifact []byte

var _ remote.Taggable = artifact{}

// RawManifest implements remote.Taggable.
func (a artifact) RawManifest() ([]byte, error) { return a, nil }

// MediaType tells the registry what the content is.
func (artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
