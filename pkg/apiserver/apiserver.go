// Package apiserver connects the programs that are no controllers, such as the images of the Tasks, with a cluster.
package apiserver

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"imagecatalog.dev/catalog/pkg/client/clientset/versioned"
)

// Connect finds the API server by the pod's service account, or by KUBECONFIG outside of a cluster. It sends nothing:
// whether the server answers shows with the first call.
func Connect() (versioned.Interface, error) {
	config, err := findServer()
	if err != nil {
		return nil, err
	}
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return clients, nil
}

func findServer() (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	return config, nil
}
