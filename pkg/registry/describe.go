package registry

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// MaxConfigBytes is the largest image configuration that is read. Real ones have kilobytes.
	MaxConfigBytes = 4 << 20
	// MaxDepth is how many indexes may lie inside each other. Tools write one, mirrors of mirrors two.
	MaxDepth = 3
	// MaxManifests is how many manifests one index may lead to, nested ones included. The widest official images have
	// about 20 platforms; each costs two requests.
	MaxManifests = 64

	// BuildKit marks the attestations that it stores in an index with this annotation and the platform unknown/unknown.
	attestationAnnotation = "vnd.docker.reference.type"
	unknown               = "unknown"
)

// Describe reads all that a listing needs. The error is an *Error.
func (c *Client) Describe(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*Description, error) {
	s, err := c.open(ctx, ref.Context(), keychain)
	if err != nil {
		return nil, err
	}
	top, err := s.confirmed(ctx, ref)
	if err != nil {
		return nil, err
	}
	w := &walk{session: s, images: map[v1.Hash]*image{}}
	d, err := w.describe(ctx, ref.Name(), top)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// walk follows an image down to its configurations.
type walk struct {
	session   *session
	images    map[v1.Hash]*image // an index may name one manifest for several platforms
	manifests int                // named so far, repetitions included
}

func (w *walk) describe(ctx context.Context, subject string, top *manifest) (*Description, error) {
	doc, err := decode(top.mediaType, top.body)
	if err != nil {
		return nil, w.session.failure(subject, err)
	}
	d := &Description{Digest: top.digest.String(), MediaType: string(doc.mediaType)}
	if doc.index != nil {
		return d, w.index(ctx, d, subject, doc.index)
	}
	return d, w.single(ctx, d, top.digest, doc.image)
}

func (w *walk) single(ctx context.Context, d *Description, digest v1.Hash, m *v1.Manifest) error {
	img, err := w.image(ctx, digest, m)
	if err != nil {
		return err
	}
	d.ArtifactType = img.artifactType()
	d.Annotations = m.Annotations
	d.Created = img.created()
	for _, layer := range m.Layers {
		d.Layers = append(d.Layers, Layer{Digest: layer.Digest.String(), MediaType: string(layer.MediaType), SizeBytes: layer.Size})
	}
	if img.config != nil {
		d.Labels = img.config.Config.Labels
		d.Platforms = appendPlatform(nil, img, nil)
	}
	d.Blobs, d.SizeBytes = blobs(img)
	return nil
}

func (w *walk) index(ctx context.Context, d *Description, subject string, index *v1.IndexManifest) error {
	leaves, err := w.leaves(ctx, subject, index, 1)
	if err != nil {
		return err
	}
	d.ArtifactType = index.ArtifactType
	d.Annotations = index.Annotations
	d.Created = createdFrom(index.Annotations)
	images := make([]*image, len(leaves))
	for i, leaf := range leaves {
		images[i] = leaf.image
		d.Platforms = appendPlatform(d.Platforms, leaf.image, leaf.platform)
	}
	if newest := newest(images); !newest.IsZero() {
		d.Created = newest
	}
	d.Labels = commonLabels(images)
	d.Blobs, d.SizeBytes = blobs(images...)
	return nil
}

// leaf is an image in an index and the platform for which the index names it.
type leaf struct {
	image    *image
	platform *v1.Platform
}

func (w *walk) leaves(ctx context.Context, subject string, index *v1.IndexManifest, depth int) ([]leaf, error) {
	if depth > MaxDepth {
		return nil, w.session.failure(subject, faultf(TooLarge, "more than %d indexes inside each other", MaxDepth))
	}
	var all []leaf
	for _, child := range index.Manifests {
		if isAttestation(child) {
			continue
		}
		found, err := w.child(ctx, subject, child, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (w *walk) child(ctx context.Context, subject string, child v1.Descriptor, depth int) ([]leaf, error) {
	if w.manifests++; w.manifests > MaxManifests {
		return nil, w.session.failure(subject, faultf(TooLarge, "more than %d manifests", MaxManifests))
	}
	if known := w.images[child.Digest]; known != nil {
		return []leaf{{known, child.Platform}}, nil
	}
	ref := w.session.repository.Digest(child.Digest.String())
	m, err := w.session.confirmed(ctx, ref)
	if err != nil {
		return nil, incomplete(err)
	}
	doc, err := decode(m.mediaType, m.body)
	if err != nil {
		return nil, w.session.failure(ref.Name(), err)
	}
	if doc.index != nil {
		return w.leaves(ctx, subject, doc.index, depth+1)
	}
	img, err := w.image(ctx, m.digest, doc.image)
	if err != nil {
		return nil, err
	}
	w.images[child.Digest] = img
	return []leaf{{img, child.Platform}}, nil
}

// image reads the configuration of a container image; that of an artifact is not ours to understand.
func (w *walk) image(ctx context.Context, digest v1.Hash, m *v1.Manifest) (*image, error) {
	img := &image{digest: digest, manifest: m}
	if !m.Config.MediaType.IsConfig() {
		return img, nil
	}
	subject := "the configuration of " + w.session.repository.Digest(digest.String()).Name()
	if m.Config.Size > MaxConfigBytes {
		return nil, w.session.failure(subject, faultf(TooLarge, "more than %d MiB", MaxConfigBytes>>20))
	}
	blob, err := w.session.blob(ctx, m.Config.Digest, m.Config.Size)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	body, err := readBounded(blob, MaxConfigBytes)
	if err != nil {
		return nil, err
	}
	if img.config, err = decodeConfig(body); err != nil {
		return nil, w.session.failure(subject, err)
	}
	return img, nil
}

func isAttestation(d v1.Descriptor) bool {
	_, marked := d.Annotations[attestationAnnotation]
	return marked || (d.Platform != nil && d.Platform.OS == unknown && d.Platform.Architecture == unknown)
}
