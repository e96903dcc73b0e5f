// Package reader reads single objects of a cluster. A program that needs no more starts faster, and is a third smaller, than
// one with the generated client, which brings along every kind of Kubernetes.
package reader

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Config finds the API server by the pod's service account, or by KUBECONFIG outside of a cluster.
func Config() (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	return config, nil
}

// Kind reads objects of one kind. T is its struct.
type Kind[T any, P interface {
	*T
	runtime.Object
}] struct {
	client   rest.Interface
	resource string
}

// Secrets reads Secrets. It sends nothing: whether the server answers shows with the first call.
func Secrets() (*Kind[corev1.Secret, *corev1.Secret], error) {
	client, err := connect("/api", corev1.SchemeGroupVersion, corev1.AddToScheme)
	return &Kind[corev1.Secret, *corev1.Secret]{client, "secrets"}, err
}

// Entries is Secrets for the entries of the catalog.
func Entries() (*Kind[v1alpha1.CatalogImage, *v1alpha1.CatalogImage], error) {
	client, err := connect("/apis", v1alpha1.SchemeGroupVersion, v1alpha1.AddToScheme)
	return &Kind[v1alpha1.CatalogImage, *v1alpha1.CatalogImage]{client, "catalogimages"}, err
}

// Policies is Secrets for the policies of the catalog, which have no namespace.
func Policies() (*Kind[v1alpha1.CatalogPolicy, *v1alpha1.CatalogPolicy], error) {
	client, err := connect("/apis", v1alpha1.SchemeGroupVersion, v1alpha1.AddToScheme)
	return &Kind[v1alpha1.CatalogPolicy, *v1alpha1.CatalogPolicy]{client, "catalogpolicies"}, err
}

// Get reads an object; the namespace is empty for kinds without. The error is one of the API server's, which k8s.io/apimachinery/pkg/api/errors tells apart.
func (k *Kind[T, P]) Get(ctx context.Context, namespace, name string) (*T, error) {
	object := new(T)
	if err := k.client.Get().NamespaceIfScoped(namespace, namespace != "").Resource(k.resource).Name(name).Do(ctx).Into(P(object)); err != nil {
		return nil, err
	}
	return object, nil
}

// connect is a client for the kinds of one group, which add knows.
func connect(path string, group schema.GroupVersion, add func(*runtime.Scheme) error) (rest.Interface, error) {
	config, err := Config()
	if err != nil {
		return nil, err
	}
	kinds := runtime.NewScheme()
	if err := add(kinds); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(kinds, schema.GroupVersion{Version: "v1"}) // has Status, which is how the server says no
	config.APIPath, config.GroupVersion = path, &group
	config.NegotiatedSerializer = serializer.NewCodecFactory(kinds).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return client, nil
}
