package policy

import (
	"fmt"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// checkMetadata says whether an entry gives a field of its metadata, or its image tells it.
func checkMetadata(field v1alpha1.MetadataField, entry *v1alpha1.CatalogImage) Check {
	if isGiven(field, entry) {
		return Check{Name: checkNameMetadata, Outcome: v1alpha1.PolicySatisfied, Text: string(field) + " is given"}
	}
	return Check{
		Name: checkNameMetadata, Outcome: v1alpha1.PolicyViolated, Reason: ReasonMetadataMissing,
		Text: fmt.Sprintf("spec.metadata.%s is not given: publish the image with it", field),
	}
}

func isGiven(field v1alpha1.MetadataField, entry *v1alpha1.CatalogImage) bool {
	given := &entry.Spec.Metadata
	switch field {
	case v1alpha1.FieldArchitecture:
		return given.Architecture != "" || found(entry, func(p v1alpha1.Platform) string { return p.Architecture })
	case v1alpha1.FieldOS:
		return given.OS != "" || found(entry, func(p v1alpha1.Platform) string { return p.OS })
	case v1alpha1.FieldVariant:
		return given.Variant != "" || found(entry, func(p v1alpha1.Platform) string { return p.Variant })
	case v1alpha1.FieldDistro:
		return given.Distro != ""
	case v1alpha1.FieldDistroVersion:
		return given.DistroVersion != ""
	case v1alpha1.FieldTargets:
		return len(given.Targets) > 0
	case v1alpha1.FieldBootc:
		return given.Bootc != nil
	case v1alpha1.FieldBuildMode:
		return given.BuildMode != ""
	case v1alpha1.FieldExportFormat:
		return given.ExportFormat != ""
	case v1alpha1.FieldKernelVersion:
		return given.KernelVersion != ""
	default:
		return false // a field of a later version: nobody can say that it is given
	}
}

// found says whether every platform of the image tells a fact.
func found(entry *v1alpha1.CatalogImage, fact func(v1alpha1.Platform) string) bool {
	for _, p := range entry.Status.Platforms {
		if fact(p) == "" {
			return false
		}
	}
	return len(entry.Status.Platforms) > 0
}
