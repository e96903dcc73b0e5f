package publish

import (
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// restate writes what is stated into the spec of an entry and leaves the rest as it is. Facts about another digest
// are not kept: they were declared of another build.
func restate(spec *v1alpha1.CatalogImageSpec, stated v1alpha1.CatalogImageSpec) {
	if spec.Digest != "" && spec.Digest != stated.Digest {
		spec.Metadata = v1alpha1.ImageMetadata{}
	}
	set(&spec.Image, stated.Image)
	set(&spec.Digest, stated.Digest)
	set(&spec.DisplayName, stated.DisplayName)
	set(&spec.Series, stated.Series)
	set(&spec.Channel, stated.Channel)
	if len(stated.Tags) > 0 {
		spec.Tags = stated.Tags
	}
	restateMetadata(&spec.Metadata, stated.Metadata)
}

func restateMetadata(metadata *v1alpha1.ImageMetadata, stated v1alpha1.ImageMetadata) {
	set(&metadata.Architecture, stated.Architecture)
	set(&metadata.OS, stated.OS)
	set(&metadata.Variant, stated.Variant)
	set(&metadata.Distro, stated.Distro)
	set(&metadata.DistroVersion, stated.DistroVersion)
	set(&metadata.BuildMode, stated.BuildMode)
	set(&metadata.ExportFormat, stated.ExportFormat)
	set(&metadata.Bootc, stated.Bootc)
	if len(stated.Targets) > 0 {
		metadata.Targets = restateTargets(metadata.Targets, stated.Targets)
	}
}

// restateTargets keeps what others wrote about a target that is still one: whether it was tested, and notes.
func restateTargets(targets, stated []v1alpha1.Target) []v1alpha1.Target {
	known := make(map[v1alpha1.Facet]v1alpha1.Target, len(targets))
	for _, target := range targets {
		known[target.Name] = target
	}
	restated := make([]v1alpha1.Target, 0, len(stated))
	for _, target := range stated {
		if before, ok := known[target.Name]; ok {
			target = before
		}
		restated = append(restated, target)
	}
	return restated
}

// set writes a value unless it is the zero value, which states nothing.
func set[T comparable](field *T, stated T) {
	var nothing T
	if stated != nothing {
		*field = stated
	}
}
