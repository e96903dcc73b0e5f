package assemble

import (
	"context"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const createdAnnotation = "org.opencontainers.image.created"

// Order says what to build.
type Order struct {
	// RootFS is the artifact with the root file systems.
	RootFS name.Reference
	// Image is where the index goes.
	Image name.Tag
	// Labels go into the configuration of every image and into the annotations of the index.
	Labels map[string]string
	// Platforms to build; none means all that the artifact has.
	Platforms []v1.Platform
	// Created is the time of the build, in whole seconds. The same order gives the same digest.
	Created time.Time
}

// Builder builds images in registries.
type Builder struct {
	puller *remote.Puller
	pusher *remote.Pusher
	log    io.Writer
}

// NewBuilder makes a builder that reaches registries with the options given (keychain, transport) and tells what it
// does in lines of text on log.
func NewBuilder(log io.Writer, options ...remote.Option) (*Builder, error) {
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing to pull: %w", err)
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing to push: %w", err)
	}
	return &Builder{puller: puller, pusher: pusher, log: log}, nil
}

// Build makes the images, pushes them with their index, and gives the digest of the index.
func (b *Builder) Build(ctx context.Context, order Order) (name.Digest, error) {
	source, err := b.findRootFS(ctx, order.RootFS)
	if err != nil {
		return name.Digest{}, err
	}
	parts, err := source.choose(order.Platforms)
	if err != nil {
		return name.Digest{}, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, part := range parts {
		image, err := b.image(ctx, order, part)
		if err != nil {
			return name.Digest{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &part.platform},
		})
	}
	return b.push(ctx, order, index)
}

// logf tells people what happens. A log that cannot be written is no reason to fail.
func (b *Builder) logf(format string, args ...any) { _, _ = fmt.Fprintf(b.log, format, args...) }

func (b *Builder) push(ctx context.Context, order Order, index v1.ImageIndex) (name.Digest, error) {
	annotations := map[string]string{createdAnnotation: order.Created.Format(time.RFC3339)}
	for key, value := range order.Labels {
		annotations[key] = value
	}
	index = mutate.Annotations(index, annotations).(v1.ImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return name.Digest{}, fmt.Errorf("hashing the index: %w", err)
	}
	b.logf("pushing %s\n", order.Image)
	if err := b.pusher.Push(ctx, order.Image, index); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", order.Image, err)
	}
	return order.Image.Context().Digest(digest.String()), nil
}

// image is the root file system of one platform with the identity of the build on top.
func (b *Builder) image(ctx context.Context, order Order, part part) (v1.Image, error) {
	b.logf("reading %s: %s, %d bytes\n", part.platform, part.blob.DigestStr(), part.size)
	root, err := openRootLayer(ctx, b.puller, part.blob, part.size)
	if err != nil {
		return nil, err
	}
	facts, err := identity{
		id:       path.Base(order.Image.RepositoryStr()),
		version:  order.Image.TagStr(),
		platform: part.platform,
		built:    order.Created,
		source:   part.blob.String(),
	}.layer()
	if err != nil {
		return nil, err
	}
	return stack(order, part.platform, root, facts)
}

// stack makes an OCI image of the layers.
func stack(order Order, platform v1.Platform, layers ...v1.Layer) (v1.Image, error) {
	created := v1.Time{Time: order.Created}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Created:      created,
		Config:       v1.Config{Labels: order.Labels},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, fmt.Errorf("configuring the image for %s: %w", platform, err)
	}
	for _, layer := range layers {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:   layer,
			History: v1.History{Created: created, CreatedBy: "assemble-image"},
		})
		if err != nil {
			return nil, fmt.Errorf("adding a layer for %s: %w", platform, err)
		}
	}
	return image, nil
}
