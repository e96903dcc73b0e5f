// Command webhook decides which objects enter the catalog.
package main

import (
	"time"

	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates"

	"imagecatalog.dev/catalog/pkg/admission"
)

// quietPeriod without a request ends the webhook after SIGTERM. It has to pass within the 30 seconds that a pod is given;
// knative's default of 45 would end in SIGKILL.
const quietPeriod = 5 * time.Second

func main() {
	ctx := webhook.WithOptions(signals.NewContext(), webhook.Options{
		ServiceName: webhook.NameFromEnv(),
		SecretName:  webhook.SecretNameFromEnv("webhook-certs"),
		Port:        webhook.PortFromEnv(8443),
		GracePeriod: quietPeriod,
	})
	// The webhook's own port answers the kubelet's probes: it is ready when it admits, not when it runs.
	sharedmain.MainWithContext(sharedmain.WithHealthProbesDisabled(ctx), "webhook",
		certificates.NewController,
		admission.NewDefaulting,
		admission.NewValidation,
		admission.NewConfigValidation,
	)
}
