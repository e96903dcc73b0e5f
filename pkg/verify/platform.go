package verify

import (
	"fmt"
	"strings"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/registry"
)

// platform is an OS, a canonical architecture and a variant, in OCI's words.
type platform struct {
	os, architecture, variant string
}

// parsePlatforms reads os/architecture[/variant], such as linux/arm64 or linux/arm/v7. x86_64 counts as amd64 and
// aarch64 as arm64.
func parsePlatforms(written []string) ([]platform, error) {
	var platforms []platform
	for _, text := range written {
		parts := strings.Split(strings.TrimSpace(text), "/")
		if len(parts) < 2 || len(parts) > 3 || strings.Contains("/"+strings.Join(parts, "/")+"/", "//") {
			return nil, &param.Error{Param: "PLATFORMS", Problem: fmt.Sprintf("%q is no platform", text), Advice: "write os/architecture or os/architecture/variant, such as linux/arm64"}
		}
		p := platform{os: strings.ToLower(parts[0]), architecture: v1alpha1.CanonicalArchitecture(parts[1])}
		if len(parts) == 3 {
			p.variant = strings.ToLower(parts[2])
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

func (p platform) String() string {
	return strings.TrimSuffix(p.os+"/"+p.architecture+"/"+p.variant, "/")
}

func platformOf(p registry.Platform) platform {
	return platform{os: strings.ToLower(p.OS), architecture: v1alpha1.CanonicalArchitecture(p.Architecture), variant: strings.ToLower(p.Variant)}
}

// accepts says whether an image for the other platform is what p asks for. Without a variant p takes any.
func (p platform) accepts(other platform) bool {
	return p.os == other.os && p.architecture == other.architecture &&
		(p.variant == "" || p.variant == other.fullVariant())
}

// fullVariant is the variant that container runtimes assume where an image names none.
func (p platform) fullVariant() string {
	switch {
	case p.variant != "":
		return p.variant
	case p.architecture == "arm64":
		return "v8"
	case p.architecture == "arm":
		return "v7"
	default:
		return ""
	}
}

func checkPlatform(wanted platform, d *registry.Description, s subject) error {
	var names []string
	for _, p := range d.Platforms {
		if wanted.accepts(platformOf(p)) {
			return nil
		}
		names = append(names, platformOf(p).String())
	}
	has := "none, as it is an artifact and no container image"
	if len(names) > 0 {
		has = strings.Join(names, ", ")
	}
	return &finding{NotVerified, ReasonPlatformMissing, fmt.Sprintf("%s is not built for %s; its platforms: %s", s.ref, wanted, has)}
}
