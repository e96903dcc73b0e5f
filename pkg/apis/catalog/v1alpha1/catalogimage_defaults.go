package v1alpha1

import (
	"context"

	"knative.dev/pkg/apis"
)

// SetDefaults implements apis.Defaultable. At admission it brings the facet labels in line with the spec and with what
// the catalog stored in the status; what a request says in its status is nobody's finding. The spec itself is never
// touched: a tool that compares it with its source must find no difference. Outside of admission nothing is changed,
// because whoever reads a stored object, as the controller does, must see the labels that it has.
func (i *CatalogImage) SetDefaults(ctx context.Context) {
	if !apis.IsInCreate(ctx) && !apis.IsInUpdate(ctx) {
		return
	}
	judged := CatalogImage{ObjectMeta: i.ObjectMeta, Spec: i.Spec}
	if before, ok := apis.GetBaseline(ctx).(*CatalogImage); ok && before != nil {
		judged.Status = before.Status
	}
	for key, value := range judged.FacetLabelChanges() {
		i.changeLabel(key, value)
	}
}

// changeLabel sets a label, or removes it.
func (i *CatalogImage) changeLabel(key string, value *string) {
	if value == nil {
		delete(i.Labels, key)
		return
	}
	if i.Labels == nil {
		i.Labels = map[string]string{}
	}
	i.Labels[key] = *value
}
