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
	// MaxTotalBytes is how much of manifests and configurations together is read for one image or index: a single image of
	// the largest manifest and configuration fits, and an index of 64 platforms with 128 KiB each, several times the usual.
	// Decoded they may take many times their size, and publish has 128 MiB for everything.
	MaxTotalBytes = MaxManifestBytes + MaxConfigBytes
)

// Describe reads all that a listing needs. The error is an *Error.
func (c *Client) Describe(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*Description, error) {
	return c.describe(ctx, &c.descriptions, ref, keychain, false)
}

// Outline is Describe without the configurations of container images, a request less for each: it reads every manifest, and
// so says that the image is there. What only a configuration tells is missing: the labels, when it was built, and the
// platform where no index names it. The error is an *Error.
func (c *Client) Outline(ctx context.Context, ref name.Reference, keychain authn.Keychain) (*Description, error) {
	return c.describe(ctx, &c.outlines, ref, keychain, true)
}

func (c *Client) describe(ctx context.Context, under *flights[lookup, *Description], ref name.Reference, keychain authn.Keychain, outline bool) (*Description, error) {
	return look(ctx, c, under, ref, keychain, func(ctx context.Context, s *session) (*Description, error) {
		top, err := s.found(ctx, ref)
		if err != nil {
			return nil, err
		}
		w := &walk{session: s, subject: ref.Name(), outline: outline, images: map[v1.Hash]*image{}}
		return w.describe(ctx, top)
	})
}

// walk follows an image down to its configurations, or for an outline to what names them.
type walk struct {
	session   *session
	subject   string             // what is described
	outline   bool               // configurations are not read
	images    map[v1.Hash]*image // an index may name one manifest for several platforms
	manifests int                // named so far, repetitions included
	bytes     int64              // of manifests and configurations so far
}

func (w *walk) describe(ctx context.Context, top *manifest) (*Description, error) {
	doc, err := w.decode(w.subject, top)
	if err != nil {
		return nil, err
	}
	d := &Description{Digest: top.digest.String(), MediaType: string(doc.mediaType)}
	if doc.index != nil {
		err = w.index(ctx, d, doc.index)
	} else {
		err = w.single(ctx, d, top.digest, doc.image)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (w *walk) decode(subject string, m *manifest) (*document, error) {
	if err := w.spend(int64(len(m.body))); err != nil {
		return nil, err
	}
	doc, err := decode(m.mediaType, m.body)
	if err != nil {
		return nil, w.session.failure(subject, err)
	}
	return doc, nil
}

// spend counts bytes that are read for the whole.
func (w *walk) spend(bytes int64) error {
	if w.bytes += bytes; w.bytes > MaxTotalBytes {
		return w.session.failure(w.subject, faultf(TooLarge, "more than %d MiB of manifests and configurations", MaxTotalBytes>>20))
	}
	return nil
}

func (w *walk) single(ctx context.Context, d *Description, digest v1.Hash, m *imageManifest) error {
	img := w.session.recall(digest)
	if img == nil {
		var err error
		if img, err = w.image(ctx, digest, m); err != nil {
			return err
		}
	}
	d.ArtifactType = img.artifactType
	d.Annotations = m.Annotations
	d.Created = img.created
	for _, layer := range m.Layers {
		d.Layers = append(d.Layers, Layer{Digest: layer.Digest.String(), MediaType: string(layer.MediaType), SizeBytes: layer.Size})
	}
	d.Labels = img.labels
	d.Platforms = appendPlatform(nil, img, nil)
	d.Files = w.session.downloads(nil, img, nil)
	d.Blobs, d.SizeBytes = img.blobs, img.size
	return nil
}

func (w *walk) index(ctx context.Context, d *Description, index *indexManifest) error {
	leaves, err := w.leaves(ctx, index, 1)
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
		d.Files = w.session.downloads(d.Files, leaf.image, leaf.platform)
	}
	if newest := newest(images); !newest.IsZero() {
		d.Created = newest
	}
	d.Labels = commonLabels(images)
	d.Blobs, d.SizeBytes = allBlobs(images)
	return nil
}

// leaf is an image in an index and the platform for which the index names it.
type leaf struct {
	image    *image
	platform *platform
}

func (w *walk) leaves(ctx context.Context, index *indexManifest, depth int) ([]leaf, error) {
	if depth > MaxDepth {
		return nil, w.session.failure(w.subject, faultf(TooLarge, "more than %d indexes inside each other", MaxDepth))
	}
	var all []leaf
	for i := range index.Manifests {
		if index.Manifests[i].isAttestation() {
			continue
		}
		found, err := w.child(ctx, &index.Manifests[i], depth)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (w *walk) child(ctx context.Context, child *descriptor, depth int) ([]leaf, error) {
	if w.manifests++; w.manifests > MaxManifests {
		return nil, w.session.failure(w.subject, faultf(TooLarge, "more than %d manifests", MaxManifests))
	}
	if known := w.images[child.Digest]; known != nil {
		return []leaf{{known, child.Platform}}, nil
	}
	if known := w.session.recall(child.Digest); known != nil {
		return []leaf{{known, child.Platform}}, nil
	}
	ref := w.session.repository.Digest(child.Digest.String())
	m, err := w.session.confirmed(ctx, ref)
	if err != nil {
		return nil, incomplete(err)
	}
	doc, err := w.decode(ref.Name(), m)
	if err != nil {
		return nil, err
	}
	if doc.index != nil {
		return w.leaves(ctx, doc.index, depth+1)
	}
	img, err := w.image(ctx, m.digest, doc.image)
	if err != nil {
		return nil, err
	}
	w.images[child.Digest] = img
	return []leaf{{img, child.Platform}}, nil
}

// image reads the configuration of a container image; that of an artifact is not ours to understand.
func (w *walk) image(ctx context.Context, digest v1.Hash, m *imageManifest) (*image, error) {
	if !m.Config.MediaType.IsConfig() {
		return w.kept(summary(digest, m, nil)), nil
	}
	if w.outline {
		return summary(digest, m, &configuration{}), nil // not to be kept: the next who wants the image may want all of it
	}
	subject := "the configuration of " + w.session.repository.Digest(digest.String()).Name()
	if m.Config.Size > MaxConfigBytes {
		return nil, w.session.failure(subject, faultf(TooLarge, "more than %d MiB", MaxConfigBytes>>20))
	}
	if err := w.spend(m.Config.Size); err != nil {
		return nil, err
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
	config, err := decodeConfig(body)
	if err != nil {
		return nil, w.session.failure(subject, err)
	}
	return w.kept(summary(digest, m, config)), nil
}

func (w *walk) kept(img *image) *image {
	w.session.keep(img)
	return img
}
