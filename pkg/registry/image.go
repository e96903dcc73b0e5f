package registry

import (
	"cmp"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// createdAnnotation is OCI's ("Pre-Defined Annotation Keys"), an RFC 3339 date.
const createdAnnotation = "org.opencontainers.image.created"

// image is what a Description needs of a single image or artifact. The manifest and the configuration are not kept: an
// index may lead to many, each of megabytes.
type image struct {
	digest       v1.Hash
	container    bool // not an artifact: it has a configuration, which may give a platform and labels
	artifactType string
	created      time.Time
	platform     *platform
	labels       facts
	layers       int
	blobs        []Blob // distinct
	size         int64  // of the blobs
	files        []File // of an artifact, without their URLs
}

// summary takes what is needed from a manifest and its configuration, which is nil for an artifact.
func summary(digest v1.Hash, m *imageManifest, config *configuration) *image {
	img := &image{digest: digest, artifactType: m.ArtifactType, created: createdFrom(m.Annotations), layers: len(m.Layers)}
	img.blobs, img.size = distinct(blobsOf(m))
	if config == nil {
		img.artifactType = cmp.Or(m.ArtifactType, string(m.Config.MediaType))
		img.files = filesOf(m)
		return img
	}
	img.container, img.labels = true, config.Config.Labels
	if !config.Created.IsZero() {
		img.created = config.Created
	}
	if config.platform != (platform{}) {
		img.platform = &config.platform
	}
	return img
}

// filesOf are the layers of an artifact, but for the stand-in of one that has none (OCI image specification, "Guidance for
// an Empty Descriptor").
func filesOf(m *imageManifest) []File {
	var files []File
	for i := range m.Layers {
		layer := &m.Layers[i]
		if layer.MediaType == emptyMediaType {
			continue
		}
		title := layer.Annotations.Title
		if len(title) > MaxNameBytes {
			title = ""
		}
		files = append(files, File{Name: title, MediaType: string(layer.MediaType), Digest: layer.Digest.String(), SizeBytes: layer.Size})
	}
	return files
}

const emptyMediaType = "application/vnd.oci.empty.v1+json"

func blobsOf(m *imageManifest) []Blob {
	blobs := make([]Blob, 0, 1+len(m.Layers))
	blobs = append(blobs, Blob{Digest: m.Config.Digest.String(), SizeBytes: m.Config.Size})
	for i := range m.Layers {
		blobs = append(blobs, Blob{Digest: m.Layers[i].Digest.String(), SizeBytes: m.Layers[i].Size})
	}
	return blobs
}

// allBlobs are the distinct blobs of images and the sum of their sizes.
func allBlobs(images []*image) ([]Blob, int64) {
	lists := make([][]Blob, len(images))
	for i, img := range images {
		lists[i] = img.blobs
	}
	return distinct(lists...)
}

// distinct keeps of each blob the first mention, and sums up the sizes.
func distinct(lists ...[]Blob) (blobs []Blob, size int64) {
	seen := map[string]bool{}
	for _, list := range lists {
		for _, blob := range list {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				blobs = append(blobs, blob)
				size += blob.SizeBytes
			}
		}
	}
	return blobs, size
}

// createdFrom reads the annotation; what is no date counts as none.
func createdFrom(annotations facts) time.Time {
	created, err := time.Parse(time.RFC3339, annotations[createdAnnotation])
	if err != nil {
		return time.Time{}
	}
	return created
}

func newest(images []*image) time.Time {
	var latest time.Time
	for _, img := range images {
		if img.created.After(latest) {
			latest = img.created
		}
	}
	return latest
}

// commonLabels are the labels on which all images agree; artifacts have no say.
func commonLabels(images []*image) map[string]string {
	images = slices.DeleteFunc(slices.Clone(images), func(img *image) bool { return !img.container })
	if len(images) == 0 {
		return nil
	}
	common := maps.Clone(images[0].labels)
	for _, img := range images[1:] {
		maps.DeleteFunc(common, func(key, value string) bool {
			other, ok := img.labels[key]
			return !ok || other != value
		})
	}
	return common
}
