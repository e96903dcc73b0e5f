package certificate

import (
	"context"
	"crypto/tls"
	"fmt"

	secretinformer "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook"
	certresources "knative.dev/pkg/webhook/certificates/resources"
)

// Serving gives the current certificate of the webhook in ctx for each connection; a renewal needs no restart.
func Serving(ctx context.Context) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	secrets, name := secretinformer.Get(ctx).Lister().Secrets(system.Namespace()), webhook.GetOptions(ctx).SecretName
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		secret, err := secrets.Get(name)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		pair, err := tls.X509KeyPair(secret.Data[certresources.ServerCert], secret.Data[certresources.ServerKey])
		if err != nil {
			return nil, fmt.Errorf("reading the certificate in secret %s: %w", name, err)
		}
		return &pair, nil
	}
}
