package catalogimage

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/registry"
)

// Keychain opens registries for an entry.
type Keychain struct {
	authn.Keychain
	// Lacks says of each secret or service account that the entry names and that is of no use why it is not. As with pods,
	// that is no failure as long as the registry does not mind.
	Lacks []string
}

// credentials are read when they are needed and never kept: those that the entry names, from its own namespace, and, for
// hosts whose settings say so, the catalog's own where the entry has none.
type credentials struct {
	kube      kubernetes.Interface
	namespace string // of the catalog
	settings  func() *registry.Settings
	ownToken  func() (string, error) // of the catalog's service account
}

// For collects them for the entry's image. The error is one of the API server.
func (c *credentials) For(ctx context.Context, entry *v1alpha1.CatalogImage, ref name.Reference) (Keychain, error) {
	r := &ring{kube: c.kube, keys: &registry.Keyring{}}
	spec := &entry.Spec
	for _, secret := range spec.ImagePullSecrets {
		if err := r.addSecret(ctx, entry.Namespace, secret.Name); err != nil {
			return Keychain{}, err
		}
	}
	if spec.ServiceAccountName != "" {
		if err := r.addServiceAccount(ctx, entry.Namespace, spec.ServiceAccountName); err != nil {
			return Keychain{}, err
		}
	}
	if err := c.addOwn(ctx, r, ref.Context()); err != nil {
		return Keychain{}, err
	}
	return Keychain{Keychain: r.keys, Lacks: r.lacks}, nil
}

// addOwn adds the catalog's own credentials for a host that is configured to be asked with them, unless the entry has
// some.
func (c *credentials) addOwn(ctx context.Context, r *ring, repository name.Repository) error {
	host := c.settings().Host(repository.RegistryStr())
	if !host.ServiceAccountToken && host.PullSecret == "" {
		return nil
	}
	if auth, err := r.keys.Resolve(repository); err != nil || auth != authn.Anonymous {
		return nil //nolint:nilerr // of credentials that cannot be read, which the look-up will say
	}
	if host.PullSecret != "" {
		return r.addSecret(ctx, c.namespace, host.PullSecret)
	}
	token, err := c.ownToken()
	if err != nil {
		return fmt.Errorf("reading the token of the catalog's service account: %w", err)
	}
	r.keys.Set(repository.RegistryStr(), registry.NewCredential("the token of the catalog's service account", "serviceaccount", token))
	return nil
}

// ring is a keychain in the making.
type ring struct {
	kube  kubernetes.Interface
	keys  *registry.Keyring
	lacks []string
}

func (r *ring) lack(format string, args ...any) {
	r.lacks = append(r.lacks, fmt.Sprintf(format, args...))
}

func (r *ring) addSecret(ctx context.Context, namespace, name string) error {
	source := fmt.Sprintf("the secret %s/%s", namespace, name)
	secret, err := r.kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.lack("%s does not exist", source)
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", source, err)
	}
	switch secret.Type {
	case corev1.SecretTypeDockerConfigJson:
		err = r.keys.AddConfigJSON(source, secret.Data[corev1.DockerConfigJsonKey])
	case corev1.SecretTypeDockercfg:
		err = r.keys.AddDockerCfg(source, secret.Data[corev1.DockerConfigKey])
	default:
		err = fmt.Errorf("%s is of type %s and no pull secret: make one of type %s", source, secret.Type, corev1.SecretTypeDockerConfigJson)
	}
	if err != nil {
		r.lack("%v", err)
	}
	return nil
}

func (r *ring) addServiceAccount(ctx context.Context, namespace, name string) error {
	account, err := r.kube.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.lack("the service account %s/%s does not exist", namespace, name)
		return nil
	case err != nil:
		return fmt.Errorf("reading the service account %s/%s: %w", namespace, name, err)
	}
	for _, secret := range account.ImagePullSecrets[:min(len(account.ImagePullSecrets), v1alpha1.MaxPullSecrets)] {
		if err := r.addSecret(ctx, namespace, secret.Name); err != nil {
			return err
		}
	}
	return nil
}

// ownToken reads the token that the process itself shows to the API server; the kubelet renews it.
func ownToken(config *rest.Config) func() (string, error) {
	return func() (string, error) {
		if config.BearerTokenFile == "" {
			return config.BearerToken, nil
		}
		token, err := os.ReadFile(config.BearerTokenFile)
		return string(token), err
	}
}
