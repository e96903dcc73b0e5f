package verify

import (
	"fmt"
	"strings"

	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/policy"
	"imagecatalog.dev/catalog/pkg/registry"
)

func parsePlatforms(written []string) ([]policy.Platform, error) {
	var platforms []policy.Platform
	for _, text := range written {
		p, err := policy.ParsePlatform(text)
		if err != nil {
			return nil, &param.Error{Param: "PLATFORMS", Problem: err.Error(), Advice: "write os/architecture or os/architecture/variant, such as linux/arm64"}
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

func platformOf(p registry.Platform) policy.Platform {
	return policy.PlatformOf(p.OS, p.Architecture, p.Variant)
}

func checkPlatform(wanted policy.Platform, d *registry.Description, s subject) error {
	var names []string
	for _, p := range d.Platforms {
		if wanted.Accepts(platformOf(p)) {
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
