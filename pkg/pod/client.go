package pod

import (
	"imagecatalog.dev/catalog/pkg/param"
	"imagecatalog.dev/catalog/pkg/registry"
)

// Client asks registries by the settings in the folder where the ConfigMap of the param REGISTRIES is mounted. Without any,
// registries may have private addresses, and are asked by HTTPS only. The error is a *param.Error.
func Client(dir string) (*registry.Client, error) {
	settings, err := registry.ReadSettings(dir, registry.ForPods())
	if err != nil {
		return nil, &param.Error{Param: "REGISTRIES", Problem: err.Error(), Advice: "mend the ConfigMap of that name in the namespace of the run"}
	}
	return registry.New(settings, registry.AskAtOnce()), nil
}
