package apiserver

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// Secrets reads Secrets by their names. It is one call, and not the client of all of Kubernetes' kinds.
type Secrets struct{ client rest.Interface }

// ConnectSecrets is Connect for Secrets.
func ConnectSecrets() (*Secrets, error) {
	config, err := findServer()
	if err != nil {
		return nil, err
	}
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return &Secrets{client}, nil
}

// Get reads a Secret. The error is one of the API server's, which k8s.io/apimachinery/pkg/api/errors tells apart.
func (s *Secrets) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	var secret corev1.Secret
	if err := s.client.Get().Namespace(namespace).Resource("secrets").Name(name).Do(ctx).Into(&secret); err != nil {
		return nil, err
	}
	return &secret, nil
}
