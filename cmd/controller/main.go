// Command controller holds the entries of the catalog against their registries and policies.
package main

import (
	"log"

	"go.opentelemetry.io/otel"
	"k8s.io/client-go/metadata"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"

	"imagecatalog.dev/catalog/pkg/reconciler/catalogimage"
	"imagecatalog.dev/catalog/pkg/reconciler/catalogpolicy"
	"imagecatalog.dev/catalog/pkg/registry"
)

func main() {
	config := injection.ParseAndGetRESTConfigOrDie()
	metadata, err := metadata.NewForConfig(config)
	if err != nil {
		log.Fatalln("connecting to the API server:", err)
	}
	sharedmain.MainWithConfig(signals.NewContext(), "controller", config,
		catalogpolicy.NewController(metadata),
		catalogimage.NewController(registry.New(nil, registry.RefuseWhenBusy()), metadata, otel.Meter("imagecatalog.dev/catalog/pkg/reconciler/catalogimage")),
	)
}
