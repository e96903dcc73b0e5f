package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog"
)

// Facets are labels too, so that `kubectl get --selector` finds an entry by them: those that the publisher declares,
// and the architectures that the registry told of. A facet with one value is a label with that value; a facet that is
// a set has one label key for each member, with an empty value. The keys are the catalog's own: a label with such a key
// that does not follow from the entry is removed.
const (
	// DistroLabel holds the distribution.
	DistroLabel = catalog.GroupName + "/distro"
	// ChannelLabel holds the promotion stage.
	ChannelLabel = catalog.GroupName + "/channel"
	// SeriesLabel holds the series of an entry that declares one. An entry that does not is grouped by its repository,
	// which no label can hold: it has slashes, and may be too long.
	SeriesLabel = catalog.GroupName + "/series"
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

// FacetLabels are the labels that follow from the spec and, if it speaks of the same image, from the status. A value
// that no label admits is left out: the schema refuses it, in words about its own field.
func (i *CatalogImage) FacetLabels() map[string]string {
	labels := map[string]string{}
	for key, value := range map[string]Facet{
		DistroLabel:  i.Spec.Metadata.Distro,
		ChannelLabel: i.Spec.Channel,
		SeriesLabel:  i.Spec.Series,
	} {
		if value.fitsLabel() {
			labels[key] = string(value)
		}
	}
	for _, architecture := range append(i.foundArchitectures(), i.Spec.Metadata.Architecture) {
		if architecture.fitsLabel() {
			labels[ArchitectureLabelPrefix+CanonicalArchitecture(string(architecture))] = ""
		}
	}
	for _, target := range i.Spec.Metadata.Targets {
		if target.Name.fitsLabel() {
			labels[TargetLabelPrefix+string(target.Name)] = ""
		}
	}
	return labels
}

// foundArchitectures are those of the image as the registry has it: none while the status speaks of another.
func (i *CatalogImage) foundArchitectures() []Facet {
	ref, err := i.Spec.Reference()
	if err != nil || ref.Name() != i.Status.Image {
		return nil
	}
	var found []Facet
	for _, platform := range i.Status.Platforms {
		found = append(found, Facet(platform.Architecture))
	}
	return found
}

// FacetLabelChanges are what brings the labels in line with FacetLabels: a value for each label to set, nil for each to
// remove, as in the labels of a JSON merge patch (RFC 7386). Nothing if they are in line; labels of other keys are not
// in it.
func (i *CatalogImage) FacetLabelChanges() map[string]*string {
	wanted := i.FacetLabels()
	changes := map[string]*string{}
	for key := range i.Labels {
		if _, stays := wanted[key]; !stays && isFacetLabel(key) {
			changes[key] = nil
		}
	}
	for key, value := range wanted {
		if present, ok := i.Labels[key]; !ok || present != value {
			changes[key] = &value
		}
	}
	return changes
}

// isFacetLabel says whether the key is one that only the catalog sets.
func isFacetLabel(key string) bool {
	switch key {
	case DistroLabel, ChannelLabel, SeriesLabel:
		return true
	}
	return strings.HasPrefix(key, ArchitectureLabelPrefix) || strings.HasPrefix(key, TargetLabelPrefix)
}

// fitsLabel says whether the facet is there and can be the value of a label, or the name in its key.
func (f Facet) fitsLabel() bool {
	return f != "" && len(validation.IsValidLabelValue(string(f))) == 0
}
