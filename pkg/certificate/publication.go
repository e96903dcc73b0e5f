package certificate

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"
)

// publishedKey is where a published CA is, as in the ConfigMaps of Kubernetes' own CA.
const publishedKey = "ca.crt"

// publication is the ConfigMap that tells a CA to those who may not read the Secret.
type publication struct {
	name   string
	client coreclient.ConfigMapInterface
}

// update has the ConfigMap say what the Secret says. One that is missing is not made, for no one may create any here.
func (p *publication) update(ctx context.Context, bundle []byte) error {
	published, err := p.client.Get(ctx, p.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		logging.FromContext(ctx).Errorf("ConfigMap %s is missing, and nobody is told the CA: apply the installation again", p.name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading config map %s: %w", p.name, err)
	}
	if published.Data[publishedKey] == string(bundle) {
		return nil
	}
	published.Data = map[string]string{publishedKey: string(bundle)}
	if _, err := p.client.Update(ctx, published, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("updating config map %s: %w", p.name, err)
	}
	logging.FromContext(ctx).Infof("ConfigMap %s tells the CA of the certificate", p.name)
	return nil
}
