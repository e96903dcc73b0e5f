package assemble

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// part is the root file system of one platform in a registry.
type part struct {
	platform v1.Platform
	blob     name.Digest
	size     int64
}

// source is an artifact with root file systems.
type source struct {
	ref   name.Digest
	parts []part
}

func (b *Builder) findRootFS(ctx context.Context, ref name.Reference) (source, error) {
	descriptor, err := b.puller.Get(ctx, ref)
	if err != nil {
		return source{}, fmt.Errorf("reading the root file systems %s: %w", ref, err)
	}
	image, err := descriptor.Image()
	if err != nil {
		return source{}, fmt.Errorf("reading the root file systems %s: %w", ref, err)
	}
	return describeParts(ref.Context().Digest(descriptor.Digest.String()), image)
}

func describeParts(ref name.Digest, image partial.WithManifest) (source, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return source{}, fmt.Errorf("reading the manifest of %s: %w", ref, err)
	}
	found := source{ref: ref}
	for _, layer := range manifest.Layers {
		written := layer.Annotations[PlatformAnnotation]
		platform, err := parsePlatform(written)
		if err != nil {
			return source{}, fmt.Errorf("reading the annotation %s of the layer %s in %s: %w",
				PlatformAnnotation, layer.Digest, ref, err)
		}
		found.parts = append(found.parts, part{
			platform: platform,
			blob:     ref.Context().Digest(layer.Digest.String()),
			size:     layer.Size,
		})
	}
	if len(found.parts) == 0 {
		return source{}, fmt.Errorf("%s has no layers: it is not an artifact with root file systems", ref)
	}
	return found, nil
}

// choose gives the part for each platform wanted, in that order. A variant that is not asked for does not matter.
func (s source) choose(wanted []v1.Platform) ([]part, error) {
	if len(wanted) == 0 {
		return s.parts, nil
	}
	chosen := make([]part, 0, len(wanted))
	for _, platform := range wanted {
		part, ok := s.find(platform)
		if !ok {
			return nil, fmt.Errorf("%s has no root file system for %s; it has %s", s.ref, platform, s.platforms())
		}
		chosen = append(chosen, part)
	}
	return chosen, nil
}

func (s source) find(wanted v1.Platform) (part, bool) {
	for _, part := range s.parts {
		if part.platform.Satisfies(wanted) {
			return part, true
		}
	}
	return part{}, false
}

func (s source) platforms() string {
	names := make([]string, 0, len(s.parts))
	for _, part := range s.parts {
		names = append(names, part.platform.String())
	}
	return strings.Join(names, ", ")
}
