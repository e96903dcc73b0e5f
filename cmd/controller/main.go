// Command controller holds the entries of the catalog against their registries.
package main

import (
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"

	"imagecatalog.dev/catalog/pkg/reconciler/catalogimage"
	"imagecatalog.dev/catalog/pkg/registry"
)

func main() {
	sharedmain.MainWithContext(signals.NewContext(), "controller",
		catalogimage.NewController(registry.New(nil, registry.RefuseWhenBusy())),
	)
}
