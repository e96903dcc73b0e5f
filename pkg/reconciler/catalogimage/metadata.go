package catalogimage

import (
	"fmt"
	"slices"
	"strings"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// judgeMetadata holds what the entry declares against the platforms that the image has. An image that says nothing of
// platforms, such as a disk image, contradicts nothing.
func judgeMetadata(entry *v1alpha1.CatalogImage) {
	if entry.Status.Digest == "" {
		return // there is nothing yet to hold it against
	}
	if message := contradictions(&entry.Spec.Metadata, entry.Status.Platforms); message != "" {
		entry.Status.MarkMetadataContradicted(message)
		return
	}
	entry.Status.MarkMetadataMatches()
}

func contradictions(declared *v1alpha1.ImageMetadata, platforms []v1alpha1.Platform) string {
	var found []string
	for _, fact := range []struct {
		field, declared string
		of              func(v1alpha1.Platform) string
	}{
		{"architecture", canonical(declared.Architecture), func(p v1alpha1.Platform) string { return v1alpha1.CanonicalArchitecture(p.Architecture) }},
		{"os", string(declared.OS), func(p v1alpha1.Platform) string { return p.OS }},
		{"variant", string(declared.Variant), func(p v1alpha1.Platform) string { return p.Variant }},
	} {
		has := told(platforms, fact.of)
		if fact.declared != "" && len(has) > 0 && !slices.Contains(has, fact.declared) {
			found = append(found, fmt.Sprintf("metadata.%s is %s, but the image has %s", fact.field, fact.declared, strings.Join(has, ", ")))
		}
	}
	return strings.Join(found, "; ")
}

func canonical(architecture v1alpha1.Facet) string {
	return v1alpha1.CanonicalArchitecture(string(architecture))
}

// told are the different values that platforms give for a fact, sorted.
func told(platforms []v1alpha1.Platform, fact func(v1alpha1.Platform) string) []string {
	var values []string
	for _, p := range platforms {
		if value := fact(p); value != "" {
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}
