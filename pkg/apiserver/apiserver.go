// Package apiserver connects the programs that are no controllers, such as the images of the Tasks, with a cluster.
package apiserver

import (
	"fmt"

	"imagecatalog.dev/catalog/pkg/apiserver/reader"
	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

// Connect finds the API server by the pod's service account, or by KUBECONFIG outside of a cluster. It sends nothing:
// whether the server answers shows with the first call.
func Connect() (versioned.Interface, error) {
	config, err := reader.Config()
	if err != nil {
		return nil, err
	}
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return clients, nil
}
