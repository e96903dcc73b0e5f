package catalogimage

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	authnkubernetes "github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"k8s.io/client-go/kubernetes"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// pullSecrets opens registries with the secrets that an entry names, read from its own namespace when they are
// needed and never kept. An entry that names none is looked up anonymously: the controller has no credentials to lend.
type pullSecrets struct {
	kube kubernetes.Interface
}

func (p pullSecrets) For(ctx context.Context, entry *v1alpha1.CatalogImage) (authn.Keychain, error) {
	spec := &entry.Spec
	if spec.ServiceAccountName == "" && len(spec.ImagePullSecrets) == 0 {
		return authn.NewMultiKeychain(), nil
	}
	options := authnkubernetes.Options{Namespace: entry.Namespace, ServiceAccountName: spec.ServiceAccountName}
	if spec.ServiceAccountName == "" {
		options.ServiceAccountName = authnkubernetes.NoServiceAccount
	}
	for _, secret := range spec.ImagePullSecrets {
		options.ImagePullSecrets = append(options.ImagePullSecrets, secret.Name)
	}
	keychain, err := authnkubernetes.New(ctx, p.kube, options)
	if err != nil {
		return nil, fmt.Errorf("reading the pull secrets of %s/%s: %w", entry.Namespace, entry.Name, err)
	}
	return keychain, nil
}
