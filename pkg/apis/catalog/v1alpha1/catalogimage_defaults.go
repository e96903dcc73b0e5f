package v1alpha1

import (
	"context"
	"maps"

	"knative.dev/pkg/apis"
)

// SetDefaults implements apis.Defaultable. It brings the facet labels in line with the spec: those that followed
// from the spec before the update and no longer do are removed, those of other origin are left alone. The spec
// itself is never touched: a tool that compares it with its source must find no difference.
func (i *CatalogImage) SetDefaults(ctx context.Context) {
	if before, ok := apis.GetBaseline(ctx).(*CatalogImage); ok && before != nil {
		for label := range before.Spec.FacetLabels() {
			delete(i.Labels, label)
		}
	}
	labels := i.Spec.FacetLabels()
	if i.Labels == nil && len(labels) > 0 {
		i.Labels = make(map[string]string, len(labels))
	}
	maps.Copy(i.Labels, labels)
}
