package admission

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"imagecatalog.dev/catalog/pkg/registry"
)

// parseRegistries reads config-registries. What Kubernetes keeps as binary data nobody would read: with an "allowed" that
// an editor has saved as UTF-16, every image would be.
func parseRegistries(config *corev1.ConfigMap) (*registry.Settings, error) {
	if binary := slices.Sorted(maps.Keys(config.BinaryData)); len(binary) > 0 {
		return nil, fmt.Errorf("%s: it is binary data: write it as text in UTF-8", binary[0])
	}
	return registry.ParseSettings(config.Data)
}
