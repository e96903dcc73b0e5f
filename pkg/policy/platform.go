package policy

import (
	"fmt"
	"strings"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Platform is an OS, a canonical architecture and a variant, in OCI's words.
type Platform struct {
	OS, Architecture, Variant string
}

// ParsePlatform reads os/architecture[/variant], such as linux/arm64 or linux/arm/v7. x86_64 counts as amd64 and aarch64 as
// arm64.
func ParsePlatform(text string) (Platform, error) {
	parts := strings.Split(strings.TrimSpace(text), "/")
	if len(parts) < 2 || len(parts) > 3 || strings.Contains("/"+strings.Join(parts, "/")+"/", "//") {
		return Platform{}, fmt.Errorf("%q is no platform", text)
	}
	return PlatformOf(parts[0], parts[1], strings.Join(parts[2:], "")), nil
}

// PlatformOf gives the one spelling of a platform.
func PlatformOf(os, architecture, variant string) Platform {
	return Platform{OS: strings.ToLower(os), Architecture: v1alpha1.CanonicalArchitecture(architecture), Variant: strings.ToLower(variant)}
}

func (p Platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// Accepts says whether an image for the other platform is what p asks for. Without a variant p takes any.
func (p Platform) Accepts(other Platform) bool {
	return p.OS == other.OS && p.Architecture == other.Architecture &&
		(p.Variant == "" || p.Variant == other.fullVariant())
}

// fullVariant is the variant that container runtimes assume where an image names none.
func (p Platform) fullVariant() string {
	switch {
	case p.Variant != "":
		return p.Variant
	case p.Architecture == "arm64":
		return "v8"
	case p.Architecture == "arm":
		return "v7"
	default:
		return ""
	}
}

// checkPlatform says whether an entry's image is built for a platform.
func checkPlatform(wanted Platform, entry *v1alpha1.CatalogImage) Check {
	var has []string
	for _, found := range entry.Status.Platforms {
		p := PlatformOf(found.OS, found.Architecture, found.Variant)
		if wanted.Accepts(p) {
			return Check{Name: checkNamePlatform, Outcome: v1alpha1.PolicySatisfied, Text: oneLine(wanted.String())}
		}
		has = append(has, p.String())
	}
	text := fmt.Sprintf("it is not built for %s, but for %s", wanted, strings.Join(has, ", "))
	if len(has) == 0 {
		text = fmt.Sprintf("it is not built for %s, nor for any other platform: it is an artifact and no container image", wanted)
	}
	return Check{Name: checkNamePlatform, Outcome: v1alpha1.PolicyViolated, Reason: ReasonPlatformMissing, Text: oneLine(text)}
}
