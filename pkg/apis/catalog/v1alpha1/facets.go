package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// Facets that the publisher declares are labels too, so that `kubectl get --selector` finds an entry by them. What the
// registry tells, such as the platforms of an index, is in the status and in no label. A facet with one value is a
// label with that value; a facet that is a set has one label key for each member, with an empty value.
const (
	// DistroLabel holds the distribution.
	DistroLabel = catalog.GroupName + "/distro"
	// ChannelLabel holds the promotion stage.
	ChannelLabel = catalog.GroupName + "/channel"
	// ArchitectureLabelPrefix begins the keys of the architectures, in Go's and OCI's names.
	ArchitectureLabelPrefix = "arch." + catalog.GroupName + "/"
	// TargetLabelPrefix begins the keys of the targets.
	TargetLabelPrefix = "target." + catalog.GroupName + "/"
)

// CanonicalArchitecture gives the name that OCI uses (a GOARCH value) for an architecture that a Linux distribution
// may call otherwise: amd64 for x86_64, arm64 for aarch64. Other names are only lowercased.
func CanonicalArchitecture(name string) string {
	switch name = strings.ToLower(name); name {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64":
		return "arm64"
	default:
		return name
	}
}

// FacetLabels are the labels that follow from the spec alone. A value that no label admits is left out: the schema
// refuses it, in words about its own field.
func (s *CatalogImageSpec) FacetLabels() map[string]string {
	labels := map[string]string{}
	if s.Metadata.Distro.fitsLabel() {
		labels[DistroLabel] = string(s.Metadata.Distro)
	}
	if s.Channel.fitsLabel() {
		labels[ChannelLabel] = string(s.Channel)
	}
	if s.Metadata.Architecture.fitsLabel() {
		labels[ArchitectureLabelPrefix+CanonicalArchitecture(string(s.Metadata.Architecture))] = ""
	}
	for _, target := range s.Metadata.Targets {
		if target.Name.fitsLabel() {
			labels[TargetLabelPrefix+string(target.Name)] = ""
		}
	}
	return labels
}

// fitsLabel says whether the facet is there and can be the value of a label, or the name in its key.
func (f Facet) fitsLabel() bool {
	return f != "" && len(validation.IsValidLabelValue(string(f))) == 0
}
