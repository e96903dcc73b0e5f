package catalogimage

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// record writes what the registry described into the status, within the bounds of its schema. The registry layer bounds
// names as the schema does.
func record(status *v1alpha1.CatalogImageStatus, d *registry.Description) {
	status.Digest = d.Digest
	status.MediaType = d.MediaType
	status.ArtifactType = d.ArtifactType
	status.SizeBytes = d.SizeBytes
	status.CreatedAt = nil
	if !d.Created.IsZero() {
		created := metav1.NewTime(d.Created).Rfc3339Copy()
		status.CreatedAt = &created
	}
	status.LayerCount = int64(len(d.Layers))
	status.Layers = layers(d.Layers)
	status.Platforms = platforms(d.Platforms)
}

func layers(described []registry.Layer) []v1alpha1.Layer {
	var layers []v1alpha1.Layer
	for _, layer := range described[:min(len(described), v1alpha1.MaxLayers)] {
		layers = append(layers, v1alpha1.Layer{Digest: layer.Digest, MediaType: layer.MediaType, SizeBytes: layer.SizeBytes})
	}
	return layers
}

func platforms(described []registry.Platform) []v1alpha1.Platform {
	var platforms []v1alpha1.Platform
	for _, p := range described[:min(len(described), v1alpha1.MaxPlatforms)] {
		platforms = append(platforms, v1alpha1.Platform{
			Architecture: p.Architecture,
			OS:           p.OS,
			Variant:      p.Variant,
			Digest:       p.Digest,
			SizeBytes:    p.SizeBytes,
			LayerCount:   int64(p.LayerCount),
		})
	}
	return platforms
}
