package query

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// writingTime is what the API server may take for a write: whoever waits for it is told before writeTimeout that no answer came.
const writingTime = 25 * time.Second

// Clients give a client of the API server that acts for whoever a token belongs to, and for nobody else: what it may
// write, RBAC and the webhook decide. The server itself has no right to write.
type Clients func(token string) (catalogclient.CatalogImagesGetter, error)

// ClientsOf gives clients of the API server that a configuration names. Of its credentials none is used.
func ClientsOf(config *rest.Config) Clients {
	return func(token string) (catalogclient.CatalogImagesGetter, error) {
		own := rest.AnonymousClientConfig(config)
		own.BearerToken = token
		own.Timeout = writingTime
		own.QPS = -1 // the API server itself says when it is too much
		client, err := versioned.NewForConfig(own)
		if err != nil {
			return nil, fmt.Errorf("making a client for a request: %w", err)
		}
		return client.ImagecatalogV1alpha1(), nil
	}
}
