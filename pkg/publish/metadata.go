package publish

import (
	"errors"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// source is a place in which images state a fact about themselves.
type source struct {
	key   string
	state func(spec *v1alpha1.CatalogImageSpec, value string) error
}

// declared is everything that is read from annotations and labels. The first that states a fact wins.
//
//	com.redhat.automotive.*       what the automotive image builder writes on its images
//	containers.bootc              https://bootc-dev.github.io/bootc/bootc-images.html, "Standard metadata"
//	redhat.id, redhat.version-id  ID and VERSION_ID of os-release(5), on the bootc base images of Fedora, CentOS and RHEL
//	org.opencontainers.image.*    OCI image-spec, "Pre-Defined Annotation Keys"
var declared = []source{
	{"com.redhat.automotive.distro", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.Distro })},
	{"redhat.id", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.Distro })},
	{"redhat.version-id", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.DistroVersion })},
	{"com.redhat.automotive.target", target},
	{"com.redhat.automotive.bootc-capable", bootc},
	{"containers.bootc", bootc},
	{"org.opencontainers.image.title", displayName},
}

// configured is what is read from the configuration of an image: OCI image-spec, "Image Configuration".
var configured = []source{
	{"architecture", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.Architecture })},
	{"os", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.OS })},
	{"variant", facet(func(m *v1alpha1.ImageMetadata) *v1alpha1.Facet { return &m.Variant })},
}

// stateFound adds to spec what the image says about itself and a param does not. Annotations go before labels. The
// warnings are about values that the catalog cannot take; these are left out.
func stateFound(spec *v1alpha1.CatalogImageSpec, found *registry.Description) (warnings []string) {
	warnings = state(spec, configured, platformFacts(spec.Metadata.Architecture, found.Platforms))
	return append(warnings, state(spec, declared, found.Annotations, found.Labels)...)
}

func state(spec *v1alpha1.CatalogImageSpec, sources []source, facts ...map[string]string) (warnings []string) {
	for _, source := range sources {
		value := first(source.key, facts)
		if value == "" {
			continue
		}
		if err := source.state(spec, value); err != nil {
			warnings = append(warnings, fmt.Sprintf("the image says %s=%q, which is left out: %v", source.key, value, err))
		}
	}
	return warnings
}

func first(key string, facts []map[string]string) string {
	for _, values := range facts {
		if value := values[key]; value != "" {
			return value
		}
	}
	return ""
}

// platformFacts is the platform of an image that has only one; those of an index are in the status. Where a param
// states another architecture than the image has, the image's variant is not of that architecture.
func platformFacts(stated v1alpha1.Facet, platforms []registry.Platform) map[string]string {
	if len(platforms) != 1 {
		return nil
	}
	platform := platforms[0]
	facts := map[string]string{"architecture": platform.Architecture, "os": platform.OS, "variant": platform.Variant}
	if stated != "" && v1alpha1.CanonicalArchitecture(string(stated)) != v1alpha1.CanonicalArchitecture(platform.Architecture) {
		delete(facts, "variant")
	}
	return facts
}

func facet(field func(*v1alpha1.ImageMetadata) *v1alpha1.Facet) func(*v1alpha1.CatalogImageSpec, string) error {
	return func(spec *v1alpha1.CatalogImageSpec, value string) error {
		fact := field(&spec.Metadata)
		if *fact != "" {
			return nil
		}
		if err := fits(value); err != nil {
			return err
		}
		*fact = v1alpha1.Facet(value)
		return nil
	}
}

func target(spec *v1alpha1.CatalogImageSpec, value string) error {
	if len(spec.Metadata.Targets) > 0 {
		return nil
	}
	if err := fits(value); err != nil {
		return err
	}
	spec.Metadata.Targets = targets([]string{value})
	return nil
}

func bootc(spec *v1alpha1.CatalogImageSpec, value string) error {
	if spec.Metadata.Bootc != nil {
		return nil
	}
	is, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("it is neither true nor false")
	}
	spec.Metadata.Bootc = &is
	return nil
}

// maxDisplayName is the length that the API takes.
const maxDisplayName = 253

func displayName(spec *v1alpha1.CatalogImageSpec, value string) error {
	if spec.DisplayName != "" {
		return nil
	}
	if len(value) > maxDisplayName {
		return fmt.Errorf("it is longer than %d characters", maxDisplayName)
	}
	spec.DisplayName = value
	return nil
}

// fits says whether the API takes the value as a facet, which has the pattern of a label's value.
func fits(value string) error {
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return errors.New("the catalog takes up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit")
	}
	return nil
}
