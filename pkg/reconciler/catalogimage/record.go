package catalogimage

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// record writes what the registry described at a time into the status, within the bounds of its schema. The registry
// layer bounds names as the schema does.
func record(status *v1alpha1.CatalogImageStatus, d *registry.Description, referring []registry.Referrer, at time.Time) {
	status.MarkDigest(d.Digest, at)
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
	status.Artifacts = artifacts(d.Files)
	status.Referrers = referrers(referring)
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

func artifacts(files []registry.File) []v1alpha1.Artifact {
	var artifacts []v1alpha1.Artifact
	for _, f := range files[:min(len(files), v1alpha1.MaxArtifacts)] {
		artifacts = append(artifacts, v1alpha1.Artifact{
			Name: f.Name, Type: f.MediaType, URL: f.URL, Digest: f.Digest, SizeBytes: f.SizeBytes, Architecture: f.Architecture,
		})
	}
	return artifacts
}

func referrers(found []registry.Referrer) []v1alpha1.Referrer {
	var referrers []v1alpha1.Referrer
	for _, r := range found[:min(len(found), v1alpha1.MaxReferrers)] {
		referrers = append(referrers, v1alpha1.Referrer{Digest: r.Digest, ArtifactType: r.ArtifactType, SizeBytes: r.SizeBytes})
	}
	return referrers
}
