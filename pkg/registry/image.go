package registry

import (
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// createdAnnotation is OCI's ("Pre-Defined Annotation Keys"), an RFC 3339 date.
const createdAnnotation = "org.opencontainers.image.created"

// image is a single image, or an artifact: then config is nil.
type image struct {
	digest   v1.Hash
	manifest *v1.Manifest
	config   *v1.ConfigFile
}

func (i *image) artifactType() string {
	if i.manifest.ArtifactType == "" && i.config == nil {
		return string(i.manifest.Config.MediaType)
	}
	return i.manifest.ArtifactType
}

// blobs are the distinct configurations and layers of images, and the sum of their sizes.
func blobs(images ...*image) (distinct []Blob, total int64) {
	seen := map[v1.Hash]bool{}
	for _, img := range images {
		for _, d := range append([]v1.Descriptor{img.manifest.Config}, img.manifest.Layers...) {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				distinct = append(distinct, Blob{Digest: d.Digest.String(), SizeBytes: d.Size})
				total += d.Size
			}
		}
	}
	return distinct, total
}

func (i *image) created() time.Time {
	if i.config != nil && !i.config.Created.IsZero() {
		return i.config.Created.Time
	}
	return createdFrom(i.manifest.Annotations)
}

// createdFrom reads the annotation; what is no date counts as none.
func createdFrom(annotations map[string]string) time.Time {
	created, err := time.Parse(time.RFC3339, annotations[createdAnnotation])
	if err != nil {
		return time.Time{}
	}
	return created
}

func newest(images []*image) time.Time {
	var latest time.Time
	for _, img := range images {
		if created := img.created(); created.After(latest) {
			latest = created
		}
	}
	return latest
}

// commonLabels are the labels on which all images agree; artifacts have no say.
func commonLabels(images []*image) map[string]string {
	images = slices.DeleteFunc(slices.Clone(images), func(img *image) bool { return img.config == nil })
	if len(images) == 0 {
		return nil
	}
	common := maps.Clone(images[0].config.Config.Labels)
	for _, img := range images[1:] {
		maps.DeleteFunc(common, func(key, value string) bool {
			other, ok := img.config.Config.Labels[key]
			return !ok || other != value
		})
	}
	return common
}
