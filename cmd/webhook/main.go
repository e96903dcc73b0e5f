// Command webhook decides which objects enter the catalog.
package main

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"

	"imagecatalog.dev/catalog/pkg/admission"
	"imagecatalog.dev/catalog/pkg/certificate"
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
		// To be owned by the namespace, the configurations would need the right to delete them (OpenShift enforces that).
		DisableNamespaceOwnership: true,
	})
	config := injection.ParseAndGetRESTConfigOrDie()
	// No limit of the client's own: the API server waits for what is read and written at admission, and has limits.
	config.QPS = -1
	// All that is written are objects of Kubernetes itself, claims above all; an entry is read, as JSON.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	server := admission.NewServer(certificate.Serving)
	// The webhook's own port answers the kubelet's probes: it is ready when it admits, not when it runs.
	sharedmain.MainWithConfig(sharedmain.WithHealthProbesDisabled(ctx), "webhook", config,
		server.Answering(admission.NewDefaulting),
		server.Answering(admission.NewValidation),
		server.Answering(admission.NewConfigValidation),
		server.Starting(certificate.NewWebhookController),
		certificate.NewQueryController,
	)
	server.Wait()
}
