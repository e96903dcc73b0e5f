// Command webhook decides which objects enter the catalog.
package main

import (
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates"

	"imagecatalog.dev/catalog/pkg/admission"
)

func main() {
	ctx := webhook.WithOptions(signals.NewContext(), webhook.Options{
		ServiceName: webhook.NameFromEnv(),
		SecretName:  webhook.SecretNameFromEnv("webhook-certs"),
		Port:        webhook.PortFromEnv(8443),
	})
	// The webhook's own port answers the kubelet's probes: it is ready when it admits, not when it runs.
	sharedmain.MainWithContext(sharedmain.WithHealthProbesDisabled(ctx), "webhook",
		certificates.NewController,
		admission.NewDefaulting,
		admission.NewValidation,
		admission.NewConfigValidation,
	)
}
