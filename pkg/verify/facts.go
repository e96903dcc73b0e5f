package verify

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// factsOf is the entry of the image as a policy judges it: what its publisher says, which without an entry is its name, and
// what the registry has just told. What the catalog found some time ago is no matter.
func factsOf(s subject, d *registry.Description) *v1alpha1.CatalogImage {
	facts := &v1alpha1.CatalogImage{Spec: v1alpha1.CatalogImageSpec{Image: s.written, Digest: s.pin}}
	if s.entry != nil {
		facts = s.entry.DeepCopy()
	}
	facts.Status = v1alpha1.CatalogImageStatus{
		Image: s.ref.Name(), Digest: d.Digest, MediaType: d.MediaType, ArtifactType: d.ArtifactType, SizeBytes: d.SizeBytes,
		LayerCount: int64(len(d.Layers)), PublishedBy: facts.Status.PublishedBy,
	}
	if s.pin != "" {
		facts.Status.Image = s.pinned(s.pin).Name()
	}
	if !d.Created.IsZero() {
		created := metav1.NewTime(d.Created)
		facts.Status.CreatedAt = &created
	}
	for _, p := range d.Platforms[:min(len(d.Platforms), v1alpha1.MaxPlatforms)] {
		facts.Status.Platforms = append(facts.Status.Platforms, v1alpha1.Platform{
			Architecture: p.Architecture, OS: p.OS, Variant: p.Variant, Digest: p.Digest, SizeBytes: p.SizeBytes, LayerCount: int64(p.LayerCount),
		})
	}
	return facts
}
